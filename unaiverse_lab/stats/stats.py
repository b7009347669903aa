"""Statistics of a world: named values, declared before they are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from unaiverse_lab.core.clock import Clock
from unaiverse_lab.core.errors import did_you_mean
from unaiverse_lab.core.faults import fault
from unaiverse_lab.core.records import Record, Stat
from unaiverse_lab.stats.book import Book, given
from unaiverse_lab.stats.database import INDEXES, TABLES, Database, DatabaseError
from unaiverse_lab.stats.names import Names
from unaiverse_lab.stats.outbox import Outbox, Received, StatEntry
from unaiverse_lab.stats.plots import Plots
from unaiverse_lab.stats.schema import (
    AGENT,
    Declared,
    StatsError,
    declared_in,
    milliseconds,
    number_of,
)
from unaiverse_lab.stats.views import View, check_view, empty_view, later, merge_view

Observer = Callable[[], dict[str, Any]]
HOUR = 3_600_000
MOST_POINTS = 5000
MOST_REFUSALS = 100
FILTERS = ("stat_names", "group_keys", "time_range", "value_range", "limit")


class StatsLink(Protocol):
    """What statistics need of the node they are of."""

    name: str
    peer_id: str
    clock: Clock
    record: Callable[[Record], None]

    def wake(self) -> None:
        """Give the node a turn at the next tick."""


class Reporter(NamedTuple):
    """A member that reports values.

    ``trusted``: whether it may report what is not its own (it is a master, or has one of the ``TRUSTED_ROLES``).
    """

    peer_id: str
    name: str
    trusted: bool


class Stats(Names, Plots):
    """Values that a world keeps about itself and its members; at a member, the way they get there.

    A world declares its own by subclassing (as ``WStats`` in ``src/stats.py``) and filling the ``CUSTOM_*`` schemas:
    ``{name: (type, default)}``, the type one of ``bool, int, float, str, list, dict``. WORLD names have one value,
    AGENT and OUTER names one per ``group_key`` (a peer id): an AGENT name is what a member says of itself, an OUTER
    name what others say of it. STATIC names keep the latest value, DYNAMIC ones a series in time.

    Args:
        is_world: whether the world itself (rather than a member) keeps them.
        db_path: the SQLite file of the world, which is made, or read if it is there; None: memory.
        cache_window_hours: how long after storing a point of a series stays at hand for :meth:`get_view`, in hours of
            the world's clock; the file keeps all.

    Attributes:
        world: the world they are of, None at a member. Set by it.
        observer: gives the core facts of the moment when a view is made; set by the runtime.
        refused: what the world refused of this member, the last 100: ``(name, key, reason)``.

    Raises:
        StatsError: a name is declared twice, or a declaration is wrong.
        DatabaseError: the file cannot be used.
    """

    GROUP_KEY: ClassVar[str] = "peer_stats"
    """Under what :meth:`get_stats` has the AGENT and OUTER names."""

    STORE_DYNAMIC_IF_CHANGED = False
    """Whether a point of a series is left out that has the value of the one stored before it (under the same key)."""

    TRUSTED_ROLES: tuple[str, ...] = ()
    """Roles that may report WORLD and OUTER names, as masters may."""

    TOLERANCE_MS = 1000
    """How far ahead of the world's clock a time may be, in ms: clocks of a live world differ a little."""

    _fleeting_fields = ("link", "world", "observer", "known", "_book")
    """What is no part of the state of a world at some moment."""

    def __init__(
        self, is_world: bool = True, db_path: str | Path | None = None, cache_window_hours: float = 2.0
    ) -> None:
        if not cache_window_hours > 0:
            raise StatsError(f"cache_window_hours is a positive number of hours, not {cache_window_hours!r}")
        self.is_world = is_world
        self.db_path = None if db_path is None else str(db_path)
        self.cache_window_hours = cache_window_hours
        self.known = self.declared()
        self.link: StatsLink | None = None
        self.world: Any = None
        self.observer: Observer | None = None
        self.outbox = Outbox()
        self.refused: list[tuple[str, str | None, str]] = []
        self.received = Received()
        self._reporter: Reporter | None = None
        self._counted: dict[str, int] | None = None
        self._world_view = empty_view()
        self._trouble: str | None = None
        self._try_again_at = 0.0
        self.database: Database | None = Database(db_path, TABLES, INDEXES) if is_world else None
        self._book = None if self.database is None else Book(self.database, self.known, cache_window_hours * HOUR)

    # ------------------------------------------------------------------ storing

    def attach_to(self, link: StatsLink) -> None:
        """Tie them to the node of the world or the member."""
        self.link = link
        if self.outbox.pending:
            link.wake()

    def store_stat(self, stat_name: str, value: Any, group_key: str | None, timestamp: int) -> None:
        """Store a value: at the world in its database, at a member in what is sent to the world after its turn.

        Args:
            stat_name: a declared name.
            value: of the declared type; see ``docs/stats.md`` for what fits.
            group_key: whose value it is, a peer id. A member's own id may be left out (None) for its AGENT names; WORLD
                names are stored without it, but :meth:`_process_custom_stat` is told what a member gave.
            timestamp: when it was measured, in ms of the session's clock: ``self.clock.get_time_ms()``.

        Raises:
            StatsError: an undeclared name, a value or a time that does not fit, another's key for an AGENT name, or no
                key where one is needed. Nothing is stored then.
            DatabaseError: a million values wait for a database that cannot be written.
        """
        declared = self.known.get(stat_name) or declared_in(self.known, stat_name)
        value = declared.take(value)
        key = self._key(declared, group_key)
        link = self.link
        timestamp = milliseconds(stat_name, timestamp, None if link is None else self._latest_time(link.clock))
        if self.is_world:
            self._store(declared, key, value, timestamp)
            return
        was_empty = not self.outbox.pending
        self.outbox.add((stat_name, value, key or _text(group_key), timestamp))
        if was_empty and link is not None:
            link.wake()

    def _latest_time(self, clock: Clock) -> float:
        return max(clock.now * 1000, clock.given_ms) + self.TOLERANCE_MS

    def _key(self, declared: Declared, group_key: Any) -> str:
        if not declared.grouped:
            return ""
        if not self.is_world and self.link is not None and declared.scope == AGENT:
            own = self.link.peer_id
            if group_key is not None and group_key != own:
                raise StatsError(
                    f"the stat {declared.name!r} is what a member says of itself: {group_key!r:.60} is not {own!r}"
                )
            return own
        key = _text(group_key)
        if key is None:
            raise StatsError(
                f"the stat {declared.name!r} is one for each member: give its peer id, not {group_key!r:.60}"
            )
        return key

    def _store(self, declared: Declared, key: str, value: Any, timestamp: int) -> None:
        book, link, reporter = self._need_book(), self.link, self._reporter
        if declared.dynamic and self.STORE_DYNAMIC_IF_CHANGED and book.is_latest(declared, key, value):
            return
        stored = timestamp if link is None else link.clock.get_time_ms()
        who = reporter.peer_id if reporter is not None else "" if link is None else link.peer_id
        book.add(declared, key, value, timestamp, who, stored)
        if link is not None and not (declared.core and not declared.grouped):
            name = link.name if reporter is None else reporter.name
            link.record(Stat(link.clock.tick, link.clock.now, name, declared.name, key or None, given(value)))

    def _need_book(self) -> Book:
        if self._book is None:
            raise StatsError("only the world has a book of its statistics: ask it with ask_world_stats")
        self._book.refresh()
        return self._book

    def _process_custom_stat(self, stat_name: str, value: Any, group_key: str | None, timestamp: int) -> bool:
        """Called at the world for each value that a member reported, once it is found to be in order; override it.

        Args:
            stat_name, value, timestamp: as they would be stored.
            group_key: as the member gave it, for WORLD names too: whom the value is about.

        Returns:
            True when this took care of it; False (the default): it is stored as it is.
        """
        return False

    def count_members(self, **counts: int) -> None:
        """Store those of the core counters that have changed (called by the world)."""
        if counts == self._counted:
            return
        assert self.link is not None
        try:
            for name, count in counts.items():
                if self.get_last_value(name) != count:
                    self._store(self.known[name], "", count, self.link.clock.get_time_ms())
            self._counted = counts
        except DatabaseError as error:
            self._in_trouble(error)

    # ------------------------------------------------------------------ what members report

    def take_in(
        self, reporter: Reporter, first: int, oldest: int, entries: list[Any]
    ) -> tuple[int, list[tuple[int, str]]]:
        """Store what a member reported, each entry once, however often it comes.

        Args:
            reporter: who.
            first: number of the first entry.
            oldest: number of the first entry that was not acknowledged to its sender.
            entries: ``[name, value, key, ms]`` each.

        Returns:
            Up to which number the world has what was reported, and what it refused of this: numbers and reasons.
        """
        assert self.link is not None
        refused: list[tuple[int, str]] = []
        for position in self.received.fresh(reporter.peer_id, first, oldest, len(entries)):
            entry = entries[position]
            self._reporter = reporter
            try:
                self._take_in_one(reporter, entry)
            except StatsError as error:
                refused.append((first + position, str(error)))
                self._note_refused(reporter, entry, str(error))
            except Exception as error:
                link = self.link
                link.record(fault(error, link.clock, link.name, None, "_process_custom_stat"))
                reason = f"the world could not take it: {type(error).__name__}: {error}"
                refused.append((first + position, reason))
                self._note_refused(reporter, entry, reason)
            finally:
                self._reporter = None
        return self.received.upto[reporter.peer_id], refused

    def _take_in_one(self, reporter: Reporter, entry: Any) -> None:
        if not isinstance(entry, list | tuple) or len(entry) != 4:
            raise StatsError(f"an entry is [name, value, key, ms], not {entry!r:.60}")
        name, value, group_key, timestamp = entry
        declared = declared_in(self.known, name)
        why = self._why_not(reporter, declared, group_key)
        if why is not None:
            raise StatsError(why)
        assert self.link is not None
        key = self._key(declared, group_key)
        value = declared.take(value)
        timestamp = milliseconds(name, timestamp, self._latest_time(self.link.clock))
        if not self._process_custom_stat(name, value, key or _text(group_key), timestamp):
            self._store(declared, key, value, timestamp)

    def _why_not(self, reporter: Reporter, declared: Declared, group_key: Any) -> str | None:
        """Why a member may not report a value; None: it may."""
        what = f"the stat {declared.name!r}"
        if declared.scope == AGENT:
            if group_key != reporter.peer_id:
                return f"{what} is what a member says of itself: {group_key!r:.60} is not {reporter.peer_id!r}"
        elif declared.core:
            return f"{what} is counted by the world itself"
        elif not reporter.trusted:
            roles = "".join(f", and the role {role!r}" for role in self.TRUSTED_ROLES)
            return f"{what} is for masters to report{roles}; {reporter.name} is none"
        return None

    def _note_refused(self, reporter: Reporter, entry: Any, reason: str) -> None:
        link = self.link
        assert link is not None
        name, value, key = (
            (*entry[:3], None, None, None)[:3] if isinstance(entry, list | tuple) else (None, entry, None)
        )
        shown = value if isinstance(value, bool | int | float | str) else None if value is None else f"{value!r:.80}"
        name, key = (part if isinstance(part, str) else None for part in (name, key))
        link.record(Stat(link.clock.tick, link.clock.now, reporter.name, name or "?", key, shown, False, reason))

    def get_payload_for_world(self) -> list[dict[str, Any]]:
        """What this member has stored and the world has not acknowledged, oldest first; empty at the world."""
        return [
            {"peer_id": key, "stat_name": name, "timestamp": timestamp, "value": given(value)}
            for name, value, key, timestamp in self.outbox.pending
        ]

    def take_over(self, other: Stats) -> None:
        """Go on with what another one had not yet brought to the world."""
        self.outbox, self.refused = other.outbox, other.refused

    def acknowledged(self, upto: int, refused: Iterable[tuple[int, str]], reason: str | None = None) -> None:
        """The world has everything up to a number, and refused some of it; with a ``reason`` it took nothing at all."""
        if reason is not None:
            self.refused.append(("", None, reason))
        for number, reason in refused:
            position = number - self.outbox.first
            if 0 <= position < self.outbox.sent:
                name, _, key, _ = self.outbox.pending[position]
                self.refused.append((name, key, reason))
        del self.refused[:-MOST_REFUSALS]
        self.outbox.acknowledged(upto)

    def batch(self, everything: bool = False) -> tuple[int, int, list[StatEntry]] | None:
        """What a member has to send now: number of the first entry, of the oldest it keeps, entries; None: nothing."""
        assert self.link is not None
        clock = self.link.clock
        batch = self.outbox.batch(clock.now, clock.tick, everything)
        return None if batch is None else (batch[0], self.outbox.first, batch[1])

    # ------------------------------------------------------------------ reading

    def get_last_value(self, stat_name: str, group_key: str | None = None) -> Any:
        """The value stored last, or the declared default.

        Args:
            stat_name: a declared name.
            group_key: whose; not looked at for WORLD names.

        A member sees what it has stored itself and the world has not acknowledged, then what it got of the world.

        Raises:
            StatsError: an undeclared name.
        """
        declared = declared_in(self.known, stat_name)
        key = (group_key or "") if declared.grouped else ""
        if declared.core and not declared.dynamic and self.observer is not None:
            observed = self._observed()
            group = observed["peers"].get(key, {}) if declared.grouped else observed["world"]
            if stat_name in group:
                return group[stat_name]
        if self.is_world:
            latest = self._need_book().latest.get(key, {})
            return given(latest[stat_name][1]) if stat_name in latest else declared.default
        if declared.scope == AGENT and not key and self.link is not None:
            key = self.link.peer_id
        for name, value, whose, _ in reversed(self.outbox.pending):
            if name == stat_name and (not declared.grouped or whose == key):
                return given(value)
        group = self._world_view["peers"].get(key, {}) if declared.grouped else self._world_view["world"]
        found = group.get(stat_name, [] if declared.dynamic else None)
        if declared.dynamic:
            return given(found[-1][1]) if found else declared.default
        return given(found) if stat_name in group else declared.default

    def get_series(self, stat_name: str, group_key: str | None = None) -> list[tuple[int, Any]]:
        """The points of a DYNAMIC stat that are at hand, as ``(milliseconds, value)`` in order of time.

        Points of one millisecond are in order of storing.

        Raises:
            StatsError: an undeclared name, or a STATIC one.
        """
        declared = declared_in(self.known, stat_name)
        if not declared.dynamic:
            raise StatsError(f"the stat {stat_name!r} is STATIC: it has no series, only get_last_value")
        key = (group_key or "") if declared.grouped else ""
        if self.is_world:
            return [(t, given(value)) for t, value, _ in self._need_book().points(stat_name, key, self._now())]
        group = self._world_view["peers"].get(key, {}) if declared.grouped else self._world_view["world"]
        return [(t, given(value)) for t, value in group.get(stat_name, [])]

    def get_view(self, since_timestamp: int = 0) -> View:
        """What is at hand: ``{"world": {...}, "peers": {key: {...}}}``, values or ``[[ms, value], ...]`` by name.

        Args:
            since_timestamp: only points of series later than this; 0: all that are at hand.

        WORLD names are there from the start, with their defaults (series: empty); a key has what was stored under it,
        and the defaults of the STATIC names the world declared, unless these are None. Members that have left stay.
        At a member: what it got of the world.
        """
        if not self.is_world:
            return later(self._world_view, since_timestamp, self.known)
        view = self._need_book().view(since_timestamp, self._now())
        if self.observer is not None:
            observed = self._observed()
            view["world"].update(observed["world"])
            for key, facts in observed["peers"].items():
                view["peers"].setdefault(key, {}).update(facts)
        for declared in self.known.values():
            if declared.grouped and not declared.dynamic and not declared.core and declared.default is not None:
                for group in view["peers"].values():
                    group.setdefault(declared.name, declared.default)
        return view

    def get_stats(self) -> dict[str, Any]:
        """What is at hand in one mapping: WORLD names, and the rest by key under ``GROUP_KEY``."""
        view = self.get_view()
        return {**view["world"], self.GROUP_KEY: view["peers"]}

    def _observed(self) -> View:
        observed = {} if self.observer is None else self.observer()
        return {"world": observed.get("world", {}), "peers": observed.get("peers", {})}

    def _now(self) -> int | None:
        return None if self.link is None else self.link.clock.get_time_ms()

    def update_view(self, view: Any, overwrite: bool = False) -> None:
        """Add what the world told to what this member knows of it; at the world nothing happens.

        Args:
            view: a view, or None.
            overwrite: forget what was known before.

        Raises:
            StatsError: it is no view.
        """
        if self.is_world or view is None:
            return
        check_view(view, self.known)
        if overwrite:
            self._world_view = empty_view()
        merge_view(self._world_view, view, self.known)

    def _get_last_val_from_view(self, view: Mapping[str, Any], name: str) -> str:
        """The last value of a WORLD name in a view, as text for tables: floats with 3 decimals, ``"-"`` for none."""
        declared = self.known.get(name)
        value = view.get("world", {}).get(name)
        if declared is not None and declared.dynamic:
            value = value[-1][1] if value else declared.default
        elif declared is not None and value is None:
            value = declared.default
        if value is None:
            return "-"
        return f"{value:.3f}" if isinstance(value, float) else str(value)

    def query_history(
        self,
        stat_names: Iterable[str] | str | None = None,
        group_keys: Iterable[str] | str | None = None,
        time_range: Any = None,
        value_range: Any = None,
        limit: Any = None,
    ) -> View:
        """What was ever stored, as a view; a STATIC name has the value stored last.

        Args:
            stat_names: only these; None or empty: all.
            group_keys: only these keys of AGENT and OUTER names; None or empty: all.
            time_range: ms from which on, or a pair: from and to, both included.
            value_range: a pair of numbers, both included: only numeric values between them.
            limit: at most so many points of series, the latest ones; None: no limit.

        Points are in order of time. At a member the result is empty: only the world has the history.

        Raises:
            StatsError: an undeclared name, or a range that is none.
            DatabaseError: what is waiting cannot be written.
        """
        names, keys = _listed("stat_names", stat_names), _listed("group_keys", group_keys)
        for name in names or ():
            declared_in(self.known, name)
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise StatsError(f"limit is a whole number from 1 on, or None, not {limit!r:.60}")
        if time_range is not None and not isinstance(time_range, list | tuple):
            time_range = (time_range, float("inf"))
        times = (0.0, float("inf")) if time_range is None else _range("time_range", time_range)
        values = None if value_range is None else _range("value_range", value_range)
        if not self.is_world:
            return empty_view()
        return self._need_book().history(names, keys, times, values, limit)

    def answer_stats_request(self, filters: Mapping[str, Any], asker: str | None = None) -> View:
        """What a member gets that asks for statistics; override it to say more or less.

        Args:
            filters: arguments of :meth:`query_history`; ``limit`` is at most 5,000. Without any other: everything, the
                core facts of the moment too.
            asker: its peer id.

        Raises:
            StatsError: a filter that there is not, or that is wrong.
        """
        for name in filters:
            if name not in FILTERS:
                raise StatsError(f"statistics cannot be asked for by {name!r:.60}.{did_you_mean(str(name), FILTERS)}")
        limit = filters.get("limit")
        most = MOST_POINTS if limit is None else limit
        if isinstance(most, int):
            most = min(most, MOST_POINTS)
        view = self.query_history(**{**filters, "limit": most})
        if not set(filters) - {"limit"}:
            now = self.get_view(since_timestamp=1 << 62)
            merge_view(view, now, self.known)
        return view

    # ------------------------------------------------------------------ keeping

    def save_to_disk(self) -> None:
        """Write what is waiting to the database; nothing happens at a member.

        Raises:
            DatabaseError: it could not be written; it is kept, and the next call tries again.
        """
        if self.database is not None:
            self.database.flush()

    def end_turn(self) -> None:
        """Write what the world stored in its turn to its file. Trouble is recorded once, and tried again in 10 s."""
        database, link = self.database, self.link
        if database is None or link is None or not database.waiting or database.path is None:
            return
        if self._trouble is not None and link.clock.now < self._try_again_at:
            return
        try:
            database.flush()
            self._trouble = None
        except DatabaseError as error:
            self._in_trouble(error)

    def _in_trouble(self, error: DatabaseError) -> None:
        assert self.link is not None
        link = self.link
        self._try_again_at = link.clock.now + 10.0
        if self._trouble is None:
            link.record(fault(error, link.clock, link.name, None, "statistics"))
        self._trouble = str(error)

    def shutdown(self) -> None:
        """Write what is waiting and close the file; nothing can be stored or asked for from then on.

        Raises:
            DatabaseError: it could not be written; the file stays open.
        """
        if self.database is not None:
            self.database.close()

    # ------------------------------------------------------------------ snapshots

    def __getstate__(self) -> dict[str, Any]:
        """What a snapshot holds: everything but what follows from the database, and the ties to the node."""
        return {name: value for name, value in self.__dict__.items() if name not in self._fleeting_fields}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become as it was; the ties to the node and the world stay. The book is read again from the database."""
        for name in [name for name in self.__dict__ if name not in self._fleeting_fields and name not in state]:
            del self.__dict__[name]
        self.__dict__.update(state)
        if "known" not in self.__dict__:  # made anew, from a checkpoint
            self.known = self.declared()
            self.link = self.world = self.observer = self._book = None
        if self.database is not None and self._book is None:
            self._book = Book(self.database, self.known, self.cache_window_hours * HOUR)


def _text(group_key: Any) -> str | None:
    if not isinstance(group_key, str) or not group_key:
        return None
    return group_key if group_key.isascii() or group_key.isprintable() else None


def _listed(what: str, given_names: Any) -> list[str] | None:
    if given_names is None:
        return None
    names = [given_names] if isinstance(given_names, str) else list(given_names)
    for name in names:
        if not isinstance(name, str):
            raise StatsError(f"{what} is a list of names, and has {name!r:.60}")
    return names or None


def _range(what: str, pair: Any) -> tuple[float, float]:
    ends = [number_of(end) for end in pair] if isinstance(pair, list | tuple) else []
    if len(ends) != 2 or any(isinstance(end, bool) or not isinstance(end, int | float) or end != end for end in ends):
        raise StatsError(f"{what} is a pair of numbers, the lower one first, not {pair!r:.60}")
    return ends[0], ends[1]
