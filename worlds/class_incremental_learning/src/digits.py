"""Handwritten digits that come with scikit-learn: 1797 pictures of 8 x 8, nothing to download.

Whoever wants larger pictures replaces :func:`pictures_of` here, and the shapes in the run scripts.
"""

import random

import torch
from sklearn.datasets import load_digits

NUM_CLASSES = 10
TRAIN_PER_CLASS = 130
WHITE = 16.0


def pictures_of(digit: int) -> torch.Tensor:
    """All the pictures of a digit, (number, 1, 8, 8), from 0 to 1."""
    digits = load_digits()
    chosen = digits.images[digits.target == digit]
    return torch.tensor(chosen / WHITE, dtype=torch.float32).unsqueeze(1)


def pairs(digit: int, count: int, rng: random.Random, test: bool = False) -> list[tuple[torch.Tensor, int]]:
    """Some pictures of a digit, each with its class.

    Args:
        digit: 0 to 9.
        count: how many, drawn without repetition.
        rng: draws them.
        test: from those that are never taught (44 or more), rather than from the 130 for teaching.
    """
    pictures = list(pictures_of(digit))
    pictures = pictures[TRAIN_PER_CLASS:] if test else pictures[:TRAIN_PER_CLASS]
    return [(picture, digit) for picture in rng.sample(pictures, count)]
