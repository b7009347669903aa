"""Futures that were given up by going back in time: what is kept of them, so that they can be had again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from unaiverse_lab.core.records import Record
from unaiverse_lab.runtime.snapshot import Snapshot

SNAPSHOTS = 6
"""How many snapshots are kept of one future."""

Row = tuple[str, int, tuple[Any, ...]]
"""A row of the database: its table, its number, its values."""

Gap = tuple[int, str]
"""A tick after which the world was touched and no snapshot is there, and why."""


class Point(NamedTuple):
    """A point of a run: the last tick, how many records and how many rows there were."""

    tick: int
    records: int
    rows: int

    def is_before(self, snapshot: Snapshot) -> bool:
        """Whether something lies between it and a snapshot taken later."""
        return snapshot.tick > self.tick or snapshot.mark.records > self.records


class Branch:
    """What happened after a point of the run, before somebody went back to it.

    Attributes:
        name: what :meth:`Session.switch` takes.
        tick: the tick that was gone back to.
        last: the last tick of the branch.
        records: what happened in between.
    """

    def __init__(
        self,
        name: str,
        start: Point,
        last: int,
        records: list[Record],
        rows: list[Row],
        snapshots: list[Snapshot],
        gaps: list[Gap],
    ) -> None:
        self.name = name
        self.start = start
        self.last = last
        self.records = records
        self.rows = rows
        self.snapshots = snapshots
        self.gaps = gaps

    @property
    def tick(self) -> int:
        """The tick that was gone back to."""
        return self.start.tick

    @property
    def length(self) -> int:
        """How many ticks it has."""
        return self.last - self.tick

    def __repr__(self) -> str:
        return f"Branch({self.name!r}: ticks {self.tick + 1} to {self.last}, {len(self.records)} records)"

    def begins_as(self, records: list[Record]) -> bool:
        """Whether its first records are these."""
        return len(records) <= len(self.records) and self.records[: len(records)] == records

    def later_than(self, point: Point) -> None:
        """Forget what happened up to a later point of it."""
        self.records = self.records[point.records - self.start.records :]
        self.rows = [row for row in self.rows if row[1] > point.rows]
        self.snapshots = _worth([one for one in self.snapshots if point.is_before(one)], self.gaps)
        self.gaps = [gap for gap in self.gaps if gap[0] >= point.tick]
        self.start = point

    def led_to_by(self, before: Branch, point: Point) -> None:
        """Let it begin at an earlier point, of the future that it is a branch of.

        Args:
            before: that future, which begins at ``point`` or earlier.
            point: the new beginning.
        """
        first, count = point.records - before.start.records, self.start.records - before.start.records
        self.records = before.records[first:count] + self.records
        self.rows = [row for row in before.rows if point.rows < row[1] <= self.start.rows] + self.rows
        earlier = [one for one in before.snapshots if point.is_before(one) and not self.start.is_before(one)]
        self.gaps = [gap for gap in before.gaps if point.tick <= gap[0] < self.start.tick] + self.gaps
        self.snapshots = _worth(earlier + self.snapshots, self.gaps)
        self.start = point


def _worth(snapshots: list[Snapshot], gaps: list[Gap]) -> list[Snapshot]:
    """Those worth keeping: the ones that no replay can take the place of, and the newest one."""
    kept = [one for one in snapshots if one.needed or one is snapshots[-1]]
    for one in kept[:-SNAPSHOTS]:
        if one.needed:
            gaps.append((one.tick, "that is too long ago"))
    return kept[-SNAPSHOTS:]


def number_of_records(branches: Iterable[Branch]) -> int:
    """How many records are kept in all."""
    return sum(len(branch.records) for branch in branches)
