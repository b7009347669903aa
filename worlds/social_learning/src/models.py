"""The network that every student has, and what one needs around it.

Shapes: pictures (batch, 1, height, width), scores (batch, 10); the largest score is the answer.
"""

import torch
from torch import nn

from unaiverse_lab import Agent, StreamType

from .digits import CLASSES, SHAPE


class DigitNet(nn.Module):
    """A small convolutional network; the same seed gives the same weights."""

    def __init__(self, seed: int):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Conv2d(1, 16, 3, padding=1),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(16 * SHAPE[1] * SHAPE[2], 32),
                nn.ReLU(),
                nn.Linear(32, CLASSES),
            )

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.layers(pictures)


def answers(scores: torch.Tensor) -> torch.Tensor:
    """The class that each row of scores stands for, (batch,)."""
    return scores.argmax(dim=1)


def learner(seed: int, rate: float) -> Agent:
    """An agent with such a network; it takes pictures, answers classes, and learns with Adam at this rate."""
    net = DigitNet(seed)
    classes = StreamType(
        data_type="tensor", tensor_shape=(None,), tensor_dtype=torch.int64, proc_to_stream_transforms=answers
    )
    return Agent(
        proc=net,
        proc_inputs=[StreamType(data_type="tensor", tensor_shape=(None, *SHAPE), tensor_dtype=torch.float32)],
        proc_outputs=[classes],
        proc_opts={
            "optimizer": torch.optim.Adam(net.parameters(), lr=rate),
            "losses": [nn.functional.cross_entropy],
        },
    )
