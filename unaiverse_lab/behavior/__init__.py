"""Behaviors: state machines as data, how they are built, read and written, and how one tick of them runs."""

from unaiverse_lab.behavior.actions import action
from unaiverse_lab.behavior.machine import HybridStateMachine

__all__ = ["HybridStateMachine", "action"]
