"""Two students for pictures of 32 x 32: one keeps what it learned, the other one forgets it in the next lesson.

Shapes: input (1, 3, 32, 32), output (1, ``classes``), the largest component is the answer.
"""

import torch
from torch import nn
from torch.nn import functional


class PrototypeNet(nn.Module):
    """A memory: one prototype per class, in a space of fixed random features.

    A lesson moves the prototype of its own class only (:func:`attraction`), so the others stay where they are.
    The answers are minus the squared distances to the prototypes.
    """

    def __init__(self, classes: int = 3, channels: int = 12, seed: int = 42):
        super().__init__()
        filters = torch.randn(channels, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("filters", filters / filters[0].numel() ** 0.5)
        self.prototypes = nn.Parameter(torch.zeros(classes, channels * 4))

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        seen = torch.relu(functional.conv2d(picture, self.filters, stride=2))
        features = functional.adaptive_avg_pool2d(seen, 2).flatten(1)
        return -(features[:, None] - self.prototypes).square().sum(dim=2)


def attraction(answers: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The squared distance to the prototype of the right class; the others are not pushed away."""
    return -(answers * target).sum()


class SmallCNN(nn.Module):
    """A plain convolutional network: all its weights serve all classes, so the last lesson overwrites the others.

    Untaught, it has no opinion (all answers are 0.5).
    """

    def __init__(self, classes: int = 3, seed: int = 42):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Conv2d(3, 8, 5, stride=2),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(8, 16, 3),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(16 * 5 * 5, 64),
                nn.ReLU(),
                nn.Linear(64, classes),
                nn.Sigmoid(),
            )
        nn.init.zeros_(self.layers[-2].weight)
        nn.init.zeros_(self.layers[-2].bias)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return self.layers(picture)
