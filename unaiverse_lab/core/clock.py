"""One clock per session: the only place that knows what time it is.

Everything that waits (delays, timeouts, expiry, scripts) reads ``clock.now``; nothing else reads the time. In a
synchronized run the clock is virtual: ``now = epoch + tick * delta``, exact and repeatable.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the engine needs of a clock."""

    @property
    def tick(self) -> int:
        """Number of the current tick, 0 for the first."""

    @property
    def now(self) -> float:
        """Current time in seconds; constant while nodes act in one tick."""

    @property
    def given_ms(self) -> int:
        """The latest time that :meth:`get_time_ms` gave with ``monotonic=True``, -1 before the first."""

    def get_time(self, passed: bool = False) -> float:
        """``now``; with ``passed`` the seconds since tick 0."""

    def get_time_ms(self, monotonic: bool = False) -> int:
        """``now`` in whole milliseconds; with ``monotonic`` later than every time it gave so before."""

    def get_time_as_string(self) -> str:
        """``now`` as an ISO 8601 date and time in UTC, to the millisecond."""

    def get_cycle(self) -> int:
        """``tick``."""


class VirtualClock:
    """A clock that moves only when told to.

    Args:
        delta: seconds per tick, > 0.
        epoch: time of tick 0, in seconds.

    Raises:
        ValueError: ``delta`` is not a positive number.
    """

    __slots__ = ("delta", "epoch", "given_ms", "now", "tick")

    def __init__(self, delta: float = 1.0 / 25.0, epoch: float = 0.0) -> None:
        if not delta > 0:
            raise ValueError(f"delta must be a positive number of seconds, not {delta!r}")
        self.delta = delta
        self.epoch = epoch
        self.tick = 0
        self.now = epoch
        self.given_ms = -1

    def time_of(self, tick: int) -> float:
        """Time of ``tick``, in seconds, rounded to the microsecond."""
        return round(self.epoch + tick * self.delta, 6)

    def tick_at(self, time: float) -> int:
        """The last tick whose time is not after ``time`` (never before tick 0)."""
        tick = max(0, int((time - self.epoch) / self.delta))
        while tick > 0 and self.time_of(tick) > time:
            tick -= 1
        while self.time_of(tick + 1) <= time:
            tick += 1
        return tick

    def move_to(self, tick: int) -> None:
        """Jump to ``tick``."""
        self.tick = tick
        self.now = self.time_of(tick)

    # ------------------------------------------------------------------ the course's names

    def get_time(self, passed: bool = False) -> float:
        """``now``; with ``passed`` the seconds since tick 0."""
        return round(self.now - self.epoch, 6) if passed else self.now

    def get_time_ms(self, monotonic: bool = False) -> int:
        """``now`` in whole milliseconds; with ``monotonic`` later than every time it gave so before.

        All who use the session's clock share the latter, so that no two of them get the same time.
        """
        time = round(self.now * 1000)
        if monotonic:
            time = self.given_ms = max(time, self.given_ms + 1)
        return time

    def get_time_as_string(self) -> str:
        """``now`` as an ISO 8601 date and time in UTC, to the millisecond."""
        return datetime.fromtimestamp(self.now, UTC).isoformat(timespec="milliseconds")

    def get_cycle(self) -> int:
        """``tick``."""
        return self.tick


class Pace:
    """Holds the ticks of a clock to real time: the only place where a live world reads the time, once per tick.

    Args:
        clock: the clock of the session; its time is not touched, only waited for.
        read: gives seconds that never go back.
        patience: when the ticks are more seconds behind than this, the time that was lost is given up rather than made
            up for: the clock of the world stood still meanwhile.
    """

    def __init__(self, clock: VirtualClock, read: Callable[[], float] = time.monotonic, patience: float = 1.0) -> None:
        self._clock = clock
        self._read = read
        self._patience = patience
        self._ahead: float | None = None

    def hold(self, wait: Callable[[float], object]) -> None:
        """Wait until the time of the current tick has come; ``wait(seconds)`` may return earlier."""
        real = self._read()
        if self._ahead is None or real + self._ahead - self._clock.now > self._patience:
            self._ahead = self._clock.now - real
        while (left := self._clock.now - self._ahead - self._read()) > 0:
            wait(left)
