"""The way back: snapshots taken now and then, and an exact replay from the nearest one."""

from __future__ import annotations

import bisect
import time
import warnings
from typing import TYPE_CHECKING

from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.core.records import Record
from unaiverse_lab.runtime.freezing import CannotFreeze
from unaiverse_lab.runtime.snapshot import Snapshot

if TYPE_CHECKING:
    from unaiverse_lab.runtime.members import Members

SHARE = 10
"""Snapshots may take one part in so many of the time of a run."""

KEPT = 60
MOST_BYTES = 1 << 30
"""Of weights and arrays that all the snapshots together hold; the last one is kept whatever it holds."""

CROWD = 200
"""Sessions with more nodes keep a history only if told to."""


class History:
    """The past of a session.

    A snapshot is taken before the first tick, whenever something was done to the world between two ticks (a line typed,
    a node added, a machine moved, ...), and otherwise as often as costs a tenth of the time of the run. This is the one
    place where the computer's own clock is read: it decides how far a replay has to go, never what comes out of it.

    Args:
        session: the session.
        at_most: keep no history of sessions with more nodes.
    """

    def __init__(self, session: Members, at_most: int | None = None) -> None:
        self._session = session
        self._at_most = at_most
        self._snapshots: list[Snapshot] = []
        self._broken: list[tuple[int, str]] = []
        self._needed: set[int] = set()
        self._next = 0.0
        self._replaying = False

    def consider(self) -> None:
        """Take a snapshot if it is time to."""
        started = time.perf_counter()
        touched = self._session.synchronizer.was_touched
        if self._replaying or (started < self._next and not touched):
            return
        if self._at_most is not None and len(self._session.nodes) > self._at_most:
            self._snapshots.clear()
            return
        try:
            snapshot = Snapshot(self._session, self._snapshots[-1] if self._snapshots else None)
        except CannotFreeze as error:
            if touched:
                self._broken.append((self._session.tick, str(error)))
        else:
            self._drop_from(snapshot.tick)
            self._snapshots.append(snapshot)
            if touched:
                self._needed.add(snapshot.tick)
            while len(self._snapshots) > KEPT or self._copied() > MOST_BYTES:
                if not self._thin_out():
                    break
        now = time.perf_counter()
        self._next = now + SHARE * (now - started)

    def _copied(self) -> int:
        return sum(snapshot.frozen.copied for snapshot in self._snapshots)

    def _thin_out(self) -> bool:
        """Let every second of the older snapshots go; False: there is none left to spare.

        One that was needed because the world was touched goes only when all the others are gone. What lies between it
        and the next one then cannot be reached any more.
        """
        older = self._snapshots[: len(self._snapshots) // 2 + 1]
        spare = [one for one in older[1:] if one.tick not in self._needed] or older[:-1]
        gone = spare[::2]
        for snapshot in gone:
            if snapshot.tick in self._needed:
                self._broken.append((snapshot.tick, "that is too long ago"))
        self._snapshots = [one for one in self._snapshots if one not in gone]
        return bool(gone)

    def _drop_from(self, tick: int) -> None:
        """The snapshots of that tick and later ones belong to a future that is given up."""
        del self._snapshots[bisect.bisect_left(self._snapshots, tick, key=lambda one: one.tick) :]
        self._broken = [broken for broken in self._broken if broken[0] < tick]
        self._needed = {one for one in self._needed if one < tick}

    def go_to(self, tick: int) -> None:
        """Make the session what it was after a tick (-1: before the first one).

        A replay that differs from the first run is told as a warning.

        Raises:
            WorldError: there is no way back so far.
        """
        session = self._session
        position = bisect.bisect_right(self._snapshots, tick, key=lambda one: one.tick)
        if not position:
            crowd = self._at_most is not None and len(session.nodes) > self._at_most
            hint = ": so many nodes have none unless it is asked for, Session(..., history=True)" if crowd else ""
            hint = hint or "".join(f": {why}" for _, why in self._broken[:1])
            raise WorldError(f"the history does not reach back to tick {tick}{hint}")
        snapshot = self._snapshots[position - 1]
        for broken, why in self._broken:
            if snapshot.tick <= broken < tick:
                raise WorldError(
                    f"there is no way back to tick {tick}: the world was touched after tick {broken}, "
                    f"when no snapshot could be taken ({why})"
                )
        expected = session.trace.since(snapshot.mark.records)
        try:
            snapshot.restore()
        except IndexError as error:
            raise WorldError(f"there is no way back to tick {tick}: {error}") from None
        self._replaying = True
        try:
            session.synchronizer.run_until(last_tick=tick)
        finally:
            self._replaying = False
        self._compare(expected, session.trace.since(snapshot.mark.records))

    def _compare(self, before: list[Record], now: list[Record]) -> None:
        for was, became in zip(before, now, strict=False):
            if was != became:
                warnings.warn(
                    f"the replay differs from the first run at tick {became.tick}, in {became.node!r}: something there "
                    "depends on more than the session's clock and seed, or was changed by hand between two ticks",
                    stacklevel=4,
                )
                return
