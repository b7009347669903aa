"""Contained errors as records: where in the learner's own code, and what to do."""

from __future__ import annotations

from unaiverse_lab.core.clock import Clock
from unaiverse_lab.core.drive import HINT
from unaiverse_lab.core.errors import user_line
from unaiverse_lab.core.records import Fault


def fault(error: BaseException, clock: Clock, node: str, state: str | None = None, action: str | None = None) -> Fault:
    """The record of an error that was contained at ``node``, with the learner's own line."""
    where, code = user_line(error.__traceback__)
    text = f"{type(error).__name__}: {error}"
    if "no running event loop" in text:
        text = f"{text}; {HINT}"
    return Fault(clock.tick, clock.now, node, text, state, action, where, code)
