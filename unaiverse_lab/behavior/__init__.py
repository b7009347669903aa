"""Behaviors: state machines as data, how they are built, read and written, and how one tick of them runs.

The package is also the decorator ``@lab.behavior``.
"""

from unaiverse_lab.behavior.actions import action
from unaiverse_lab.behavior.machine import HybridStateMachine
from unaiverse_lab.core.declare import behavior as _behavior
from unaiverse_lab.core.declare import make_callable

__all__ = ["HybridStateMachine", "action"]

make_callable(__name__, _behavior)
