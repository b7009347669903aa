"""Keeping score: statistics of a world, where they are kept, and the figures that show them."""

from unaiverse_lab.stats.stats import Stats

__all__ = ["Stats"]
