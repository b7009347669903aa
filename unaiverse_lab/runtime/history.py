"""The way back: snapshots taken now and then, an exact replay from the nearest one, and futures that were given up."""

from __future__ import annotations

import bisect
import time
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

from unaiverse_lab.behavior.succession import rebind
from unaiverse_lab.core.errors import BehaviorError, WorldError, did_you_mean
from unaiverse_lab.core.records import Record, Redefined
from unaiverse_lab.runtime.branches import Branch, Gap, Point, number_of_records
from unaiverse_lab.runtime.freezing import CannotFreeze
from unaiverse_lab.runtime.snapshot import Snapshot, database_of, rows_of
from unaiverse_lab.runtime.trace import Trace

if TYPE_CHECKING:
    from unaiverse_lab.runtime.members import Members

SHARE = 10
"""Snapshots may take one part in so many of the time of a run."""

KEPT = 60
MOST_BYTES = 1 << 30
"""Of weights and arrays that all the snapshots together hold; the last one is kept whatever it holds."""

MOST_BYTES = 1 << 30
"""Of weights and arrays that all the snapshots together hold; the last one is kept whatever it holds."""

CROWD = 200
"""Sessions with more nodes keep a history only if told to."""

BRANCHES = 8
"""How many futures that were given up are kept; the oldest go first, also when they have more records than a trace."""


class History:
    """The past of a session.

    A snapshot is taken before the first tick, whenever something was done to the world between two ticks (a line typed,
    a node added, a machine moved, ...), and otherwise as often as costs a tenth of the time of the run. This is the one
    place where the computer's own clock is read: it decides how far a replay has to go, never what comes out of it.

    A replay runs the methods that the classes had then, even if a cell has replaced them since; what comes after it
    runs the latest ones. A future that is given up is kept as a branch, unless it is the beginning of another one.

    Attributes:
        branch: the name of the run as it is now.

    Args:
        session: the session.
        at_most: keep no history of sessions with more nodes.
    """

    def __init__(self, session: Members, at_most: int | None = None) -> None:
        self.branch = "main"
        self._session = session
        self._at_most = at_most
        self._snapshots: list[Snapshot] = []
        self._gaps: list[Gap] = []
        self._next = 0.0
        self._replaying = False
        self._branches: list[Branch] = []
        self._named = 0

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
            snapshot = Snapshot(self._session, self._snapshots[-1] if self._snapshots else None, touched)
        except CannotFreeze as error:
            if touched:
                self._gaps.append((self._session.tick, str(error)))
        else:
            self._drop_from(snapshot)
            self._snapshots.append(snapshot)
            while len(self._snapshots) > KEPT or self._copied() > MOST_BYTES:
                if not self._thin_out():
                    break
        now = time.perf_counter()
        self._next = now + SHARE * (now - started)

    def _copied(self) -> int:
        kept = [*self._snapshots, *(one for branch in self._branches for one in branch.snapshots)]
        return sum(snapshot.frozen.copied for snapshot in kept)

    def _thin_out(self) -> bool:
        """Let a branch go, or every second of the older snapshots; False: there is none left to spare.

        One that was needed because the world was touched goes only when all the others are gone. What lies between it
        and the next one then cannot be reached any more.
        """
        if len(self._snapshots) <= KEPT and self._branches:
            del self._branches[0]
            return True
        older = self._snapshots[: len(self._snapshots) // 2 + 1]
        spare = [one for one in older[1:] if not one.needed] or older[:-1]
        gone = spare[::2]
        self._gaps += [(one.tick, "that is too long ago") for one in gone if one.needed]
        self._snapshots = [one for one in self._snapshots if one not in gone]
        return bool(gone)

    def _drop_from(self, snapshot: Snapshot) -> None:
        """Later snapshots belong to a future that is given up; earlier ones of its tick stay: branches begin there."""
        place = (snapshot.tick, snapshot.mark.records)
        self._snapshots = [one for one in self._snapshots if (one.tick, one.mark.records) < place]
        self._gaps = [gap for gap in self._gaps if gap[0] < snapshot.tick]

    # ------------------------------------------------------------------ going back

    def go_to(self, tick: int) -> None:
        """Make the session what it was after a tick (-1: before the first one).

        A replay that differs from the first run is told as a warning.

        Raises:
            WorldError: there is no way back so far.
        """
        snapshot = self._before(tick, self._snapshots, self._gaps)
        gone = self._set_aside(Point(snapshot.tick, snapshot.mark.records, snapshot.rows))
        self._return_to(snapshot, tick)
        replayed = self._session.trace.since(snapshot.mark.records)
        point = self._here() if self._same(gone.records, replayed) else gone.start
        self._snapshots = [one for one in self._snapshots if one.tick <= tick]
        self._gaps = [gap for gap in self._gaps if gap[0] <= tick]
        self._now_later_than(point, gone)
        if self._keep(gone):
            self._named += 1
            self.branch = f"branch {self._named}"
        self._tell_code(gone)

    def _before(self, tick: int, snapshots: list[Snapshot], gaps: list[Gap]) -> Snapshot:
        """The snapshot from which a replay leads to a tick."""
        session = self._session
        position = bisect.bisect_right(snapshots, tick, key=lambda one: one.tick)
        if not position or snapshots[position - 1].mark.records < session.trace.gone:
            crowd = self._at_most is not None and len(session.nodes) > self._at_most
            hint = ": so many nodes have none unless it is asked for, Session(..., history=True)" if crowd else ""
            hint = hint or "".join(f": {why}" for _, why in gaps[:1])
            raise WorldError(f"the history does not reach back to tick {tick}{hint}")
        snapshot = snapshots[position - 1]
        for gap, why in gaps:
            if snapshot.tick <= gap < tick:
                raise WorldError(
                    f"there is no way back to tick {tick}: the world was touched after tick {gap}, "
                    f"when no snapshot could be taken ({why})"
                )
        return snapshot

    def _return_to(self, snapshot: Snapshot, tick: int) -> None:
        """Restore a snapshot and run on to a tick, with the methods of then."""
        with snapshot.code.in_force() as differing:
            try:
                snapshot.restore()
            except IndexError as error:
                raise WorldError(f"there is no way back to tick {tick}: {error}") from None
            self._replaying = True
            try:
                self._session.synchronizer.run_until(last_tick=tick)
            finally:
                self._replaying = False
        for node in self._session.nodes.values() if differing else ():
            for name in sorted(differing) if node.agent is not None else ():
                with suppress(BehaviorError):  # it is told when the action is called
                    rebind(node.agent.behav, name)  # type: ignore[union-attr]
                self._session.synchronizer.wake(node)

    def _same(self, before: list[Record], now: list[Record]) -> bool:
        for was, became in zip(before, now, strict=False):
            if was != became:
                warnings.warn(
                    f"the replay differs from the first run at tick {became.tick}, in {became.node!r}: something there "
                    "depends on more than the session's clock and seed, or was changed by hand between two ticks",
                    stacklevel=5,
                )
                return False
        return len(now) <= len(before)

    def _tell_code(self, gone: Branch) -> None:
        """Say in the trace which actions are other ones now than they were at this moment."""
        session = self._session
        here = _actions(session.trace.of_kind(Redefined))
        for name, (first, last) in _actions(gone.records).items():
            held = here[name][1].after if name in here else first.before
            if held != last.after:
                clock = session.synchronizer.clock
                session.trace.append(Redefined(clock.tick, clock.now, last.node, "action", name, held, last.after))

    # ------------------------------------------------------------------ futures that were given up

    @property
    def branches(self) -> list[Branch]:
        """The futures that were given up and differ from the run as it is now, oldest first."""
        self._prune()
        return list(self._branches)

    def switch(self, name: str | Branch) -> None:
        """Take up a future that was given up, at its end; the run as it is now is given up instead.

        Raises:
            WorldError: there is none of that name, or no way to its end.
        """
        self._prune()
        branch = self._branch(name)
        start = branch.start
        kept = [one for one in self._snapshots if one.tick <= start.tick and one.mark.records <= start.records]
        gaps = [gap for gap in self._gaps if gap[0] < start.tick] + branch.gaps
        snapshot = self._before(branch.last, kept + branch.snapshots, gaps)
        base = self._before(start.tick, kept, [])
        gone = self._set_aside(start)
        self._branches.remove(branch)
        self._now_later_than(start, gone)
        self._put_back(base, branch)
        self._snapshots, self._gaps = kept + branch.snapshots, gaps
        self._keep(gone)
        self.branch = branch.name
        self._return_to(snapshot, branch.last)
        expected = branch.records[max(0, snapshot.mark.records - start.records) :]
        self._same(expected, self._session.trace.since(max(start.records, snapshot.mark.records)))
        self._tell_code(gone)

    def _branch(self, name: str | Branch) -> Branch:
        for branch in self._branches:
            if name in (branch.name, branch):
                return branch
        known = [branch.name for branch in self._branches]
        hint = did_you_mean(str(name), known) if known else " So far nothing differs from the run as it is now."
        raise WorldError(f"there is no branch {name!r}.{hint}")

    def _here(self) -> Point:
        return Point(self._session.tick, len(self._session.trace), rows_of(self._session))

    def _set_aside(self, start: Point) -> Branch:
        """What has happened since a point, as it has to be kept if it is given up."""
        session = self._session
        snapshots = [one for one in self._snapshots if start.is_before(one)]
        if not any(one.start == self._here() for one in self._branches):
            with suppress(CannotFreeze):
                snapshots.append(Snapshot(session, self._snapshots[-1] if self._snapshots else None))
        database = database_of(session)
        rows = [] if database is None else [
            (table, row[0], tuple(row[1:]))
            for table in database.tables
            for row in database.rows(f"SELECT * FROM {table} WHERE seq > ?", (start.rows,))
        ]  # fmt: skip
        rows.sort(key=lambda row: row[1])
        gaps = [gap for gap in self._gaps if gap[0] >= start.tick]
        records = session.trace.since(start.records)
        return Branch(self.branch, start, session.tick, records, rows, snapshots, gaps)

    def _now_later_than(self, point: Point, gone: Branch) -> None:
        """Let all branches begin at a point of the run as it is now or before it."""
        for branch in self._branches:
            if (branch.start.records, branch.start.tick) > (point.records, point.tick):
                branch.led_to_by(gone, point)
        gone.later_than(point)

    def _keep(self, gone: Branch) -> bool:
        """Keep a future that is given up, unless it is the beginning of another one."""
        if not gone.records or any(
            one.start.records == gone.start.records and one.begins_as(gone.records) for one in self._branches
        ):
            return False
        self._branches.append(gone)
        most = self._session.trace.capacity
        while len(self._branches) > BRANCHES or (self._branches[1:] and number_of_records(self._branches) > most):
            del self._branches[0]
        return True

    def _prune(self) -> None:
        """Forget the branches that the run as it is now has repeated, and those that begin before its trace does."""
        trace = self._session.trace
        for branch in list(self._branches):
            if branch.start.records < trace.gone:
                self._branches.remove(branch)
            elif self._session.tick >= branch.last and _is_in(branch, trace):
                self._branches.remove(branch)
                self.branch = branch.name

    def _put_back(self, base: Snapshot, branch: Branch) -> None:
        """Write records and rows of a branch behind what it has in common with the run as it is now."""
        trace, database = self._session.trace, database_of(self._session)
        records = trace[base.mark.records : branch.start.records] + branch.records
        trace.back_to(base.mark)
        for record in records:
            trace.append(record)
        trace.digest()
        if database is not None:
            database.back_to(branch.start.rows)
            for table, _, values in branch.rows:
                database.add(table, *values)


def _is_in(branch: Branch, trace: Trace) -> bool:
    """Whether a trace has the records of a branch; its last one is looked at first, as this is asked often."""
    start, end = branch.start.records, branch.start.records + len(branch.records)
    return end <= len(trace) and trace[end - 1] == branch.records[-1] and trace[start:end] == branch.records


def _actions(records: list[Record]) -> dict[str, tuple[Redefined, Redefined]]:
    """The first and the last redefinition of each action."""
    found: dict[str, tuple[Redefined, Redefined]] = {}
    for record in records:
        if isinstance(record, Redefined) and record.what == "action":
            found[record.name] = (found.get(record.name, (record,))[0], record)
    return found
