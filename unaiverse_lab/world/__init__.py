"""Worlds: roles, the gate, the roster, statistics, and world folders.

The package is also the decorator ``@lab.world``.
"""

from unaiverse_lab.core.declare import make_callable
from unaiverse_lab.core.declare import world as _world
from unaiverse_lab.stats.stats import Stats
from unaiverse_lab.world.gate import Gate
from unaiverse_lab.world.world import World

__all__ = ["Gate", "Stats", "World"]

make_callable(__name__, _world)
