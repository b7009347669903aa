"""Worlds: roles, the gate, the roster, statistics, and world folders."""

from unaiverse_lab.stats.stats import Stats
from unaiverse_lab.world.gate import Gate
from unaiverse_lab.world.world import World

__all__ = ["Gate", "Stats", "World"]
