"""Ending on request: Ctrl+C and SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Stopping:
    """Takes Ctrl+C and SIGTERM: while work is under way the first is only noted, a second one stops it.

    ``gently`` says whether it is under way; otherwise the first one stops at once, too. ``asked``: why, or None.
    Outside the main thread signals are left alone.
    """

    WORDS = {signal.SIGINT: "stopped with Ctrl+C", signal.SIGTERM: "told to end"}

    def __init__(self, note: Callable[[], None]) -> None:
        self.asked: str | None = None
        self.gently = False
        self._note = note
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._stop) for number in self.WORDS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        again, self.asked = self.asked is not None, self.WORDS[signal.Signals(number)]
        if again or not self.gently:
            raise KeyboardInterrupt
        self._note()
