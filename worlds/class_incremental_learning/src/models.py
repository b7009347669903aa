"""Two students for pictures of 8 x 8: one forgets what it learned in earlier lessons, the other one keeps it.

Shapes: input (1, 1, 8, 8), output (1, ``classes``): one score per class.
"""

import torch
from torch import nn
from torch.nn import functional


def most_likely(scores: torch.Tensor) -> torch.Tensor:
    """The answer that goes to the stream: the class of the highest score, (1,)."""
    return scores.argmax(dim=1)


class SmallDigitNet(nn.Module):
    """A plain convolutional network: all its weights serve all classes, so each lesson overwrites the ones before."""

    def __init__(self, classes: int = 10, seed: int = 62):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Conv2d(1, 16, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(16, 16, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Flatten(),
                nn.Linear(16 * 2 * 2, 64),
                nn.ReLU(),
                nn.Linear(64, classes),
            )

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return self.layers(picture)


class PrototypeDigits(nn.Module):
    """A memory: one prototype per class, in a space of fixed random features.

    A lesson moves the prototype of its own class only (:func:`attraction`), so the others stay where they are.
    The scores are minus the squared distances to the prototypes.
    """

    def __init__(self, classes: int = 10, channels: int = 16, seed: int = 62):
        super().__init__()
        filters = torch.randn(channels, 1, 3, 3, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("filters", filters / filters[0].numel() ** 0.5)
        self.prototypes = nn.Parameter(torch.zeros(classes, channels * 4 * 4))

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        seen = torch.relu(functional.conv2d(picture, self.filters, padding=1))
        features = functional.avg_pool2d(seen, 2).flatten(1)
        return -(features[:, None] - self.prototypes).square().sum(dim=2)


def attraction(scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The squared distance to the prototype of the right class; the others are not pushed away."""
    return -scores.gather(1, target.reshape(1, 1)).sum()
