"""Getting values to the world, each exactly once, over messages that may be lost, doubled or late.

What a member stores is numbered and kept until the world says that it has it. What was sent and not acknowledged in
time is sent again, from the first one on. The world takes what follows on what it has, and ignores the rest.
"""

from __future__ import annotations

from typing import Any

from unaiverse_lab.stats.schema import StatsError

AGAIN_AFTER = 10.0
"""Seconds after which what is not acknowledged is sent again."""

MOST_PENDING = 100_000
NUMBERS_PER_TICK = 1 << 20
ROUND_TRIP = 3
"""Ticks within which the world usually answers."""

StatEntry = tuple[str, Any, str | None, int]
"""Name, value, key, time in ms."""


class Outbox:
    """What a member has stored, and the world has not acknowledged yet.

    Attributes:
        pending: the entries, oldest first.
        first: the number of the first of them.
        sent: how many of them were sent.
        again_at: when they are to be sent again, in seconds of the clock.
        sent_in: the tick in which something was sent last.
    """

    def __init__(self) -> None:
        self.pending: list[StatEntry] = []
        self.first = 1
        self.sent = 0
        self.again_at = 0.0
        self.sent_in = 0

    def add(self, entry: StatEntry) -> None:
        """Keep an entry for the world.

        Raises:
            StatsError: too many are pending.
        """
        if len(self.pending) >= MOST_PENDING:
            raise StatsError(f"{MOST_PENDING:,} values wait for a world to take them: there is no room for another")
        self.pending.append(entry)

    def batch(self, now: float, tick: int, everything: bool = False) -> tuple[int, list[StatEntry]] | None:
        """What is to be sent now: the number of its first entry, and the entries; None: nothing.

        Args:
            now: seconds of the clock.
            tick: of the clock. Numbers begin anew with it when nothing is pending, so that a later member of the same
                name never uses those of an earlier one.
            everything: send again what is not acknowledged, in time or not.
        """
        pending = self.pending
        if self.sent == 0:
            self.first = max(self.first, tick * NUMBERS_PER_TICK + 1)
        elif everything or now >= self.again_at:
            self.sent = 0
        if self.sent == len(pending):
            return None
        start = self.sent
        if start == 0:
            self.again_at = now + AGAIN_AFTER
        self.sent = len(pending)
        self.sent_in = tick
        return self.first + start, pending[start:]

    def due(self, tick: int) -> float:
        """When to look at it again, in seconds of the clock; 0: at the next tick. Something must be pending."""
        waiting = self.sent == len(self.pending) and tick >= self.sent_in + ROUND_TRIP
        return self.again_at if waiting else 0.0

    def acknowledged(self, upto: int) -> None:
        """The world has everything up to a number."""
        count = min(upto - self.first + 1, self.sent)
        if count > 0:
            del self.pending[:count]
            self.first += count
            self.sent -= count


class Received:
    """How far the reports of each member have come; at the world."""

    def __init__(self) -> None:
        self.upto: dict[str, int] = {}

    def fresh(self, reporter: str, first: int, oldest: int, count: int) -> range:
        """Which of ``count`` entries are to be taken, as positions; what is before them is known already.

        Args:
            reporter: peer id.
            first: number of the first entry.
            oldest: number of the first entry that its sender keeps.
            count: of the entries.

        Empty too when entries before these are missing: they are sent again, and these with them.
        """
        upto = max(self.upto.get(reporter, 0), oldest - 1)
        self.upto[reporter] = upto
        if first > upto + 1:
            return range(0)
        start = upto + 1 - first
        if start < count:
            self.upto[reporter] = first + count - 1
        return range(start, max(start, count))
