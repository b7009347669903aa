"""Handwritten digits of 8 x 8 points, which come with scikit-learn: nothing to download.

Whoever has MNIST gives its pictures here instead (with their ``SHAPE``, and larger ``PARTS``).
"""

import random

import torch
from sklearn.datasets import load_digits

CLASSES = 10
SHAPE = (1, 8, 8)
BATCH = 32

PARTS = {"teach_0": (0, 40), "teach_1": (40, 80), "unlabeled": (80, 120), "eval": (120, 140), "test": (140, None)}
"""Which digits of each class: for two lessons, for the lesson among students, for the exam, and for the students' own
test. No digit is in two parts."""

Item = tuple[torch.Tensor, int]


def steps(part: str) -> int:
    """In how many batches a part (but the test) is handed out."""
    first, last = PARTS[part]
    return -(-CLASSES * (last - first) // BATCH)


def digits(part: str, rng: random.Random | None = None) -> list[Item]:
    """The pictures of a part, float32 of ``SHAPE``, 0 to 1, each with its class; mixed by ``rng``, else by class."""
    pictures, classes = load_digits(return_X_y=True)
    images = torch.tensor(pictures / 16, dtype=torch.float32).reshape(-1, *SHAPE)
    items: list[Item] = []
    for number in range(CLASSES):
        items += [(image, number) for image in images[classes == number][slice(*PARTS[part])]]
    if rng is not None:
        rng.shuffle(items)
    return items
