"""Processors: what stands behind an agent and turns its inputs into outputs.

Any callable is one; the classes here are for agents without a model and for people.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any


class Identity:
    """Gives back its input (all of them, as a tuple, if there are several)."""

    def __call__(self, *inputs: Any) -> Any:
        return inputs[0] if len(inputs) == 1 else inputs


class Human(Identity):
    """A person: what is typed is what comes out."""


class ScriptedHuman(Human):
    """A person who follows a script, for runs without a keyboard.

    Args:
        lines: ``(seconds, text)``: each text is typed at that time of the session's clock, or as soon after as the line
            before it has been taken.
    """

    def __init__(self, lines: Iterable[tuple[float, str]]) -> None:
        self.lines: deque[tuple[float, str]] = deque(sorted(lines, key=lambda line: line[0]))


def is_genuine_model(processor: Any) -> bool:
    """Whether something is computed, rather than passed on or typed."""
    return processor is not None and not isinstance(processor, Identity)
