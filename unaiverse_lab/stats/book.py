"""The book of a world: every value a row of the database, the latest ones and the recent series at hand."""

from __future__ import annotations

import copy
import json
import warnings
from bisect import insort
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from unaiverse_lab.stats.database import Database
from unaiverse_lab.stats.schema import Declared, StatsError

Point = tuple[int, Any, int]
"""Time in ms, value, time of storing in ms."""

FEWEST = 1024
"""Series of fewer points are not looked through for old ones."""

_time = itemgetter(0)
_JSON = (list, dict)
COLUMNS = "name, key, value, t, stored"


class Recent:
    """The recent points of one series, in order of time, those of one time in order of storing."""

    __slots__ = ("many", "oldest", "points")

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.oldest = 0
        self.many = FEWEST

    def add(self, point: Point) -> None:
        """Put a point in its place."""
        points = self.points
        if not points:
            self.oldest = point[2]
            points.append(point)
            return
        if point[2] < self.oldest:
            self.oldest = point[2]
        if point[0] >= points[-1][0]:
            points.append(point)
        else:
            insort(points, point, key=_time)

    def drop_before(self, stored: float) -> None:
        """Let the points go that were stored before a time, but the last one."""
        if self.oldest < stored:
            self.points = [point for point in self.points if point[2] >= stored] or self.points[-1:]
            self.oldest = min(point[2] for point in self.points)
        self.many = max(FEWEST, 2 * len(self.points))


class Book:
    """What a world has stored.

    Args:
        database: where all of it is kept.
        known: the declared names.
        window: how long points of series are kept at hand after they were stored, in ms.

    ``latest`` maps a key (empty for WORLD names) to what was stored last under each name: its time in ms, the value.
    """

    def __init__(self, database: Database, known: Mapping[str, Declared], window: float) -> None:
        self.database = database
        self.known = known
        self.window = window
        self.latest: dict[str, dict[str, tuple[int, Any]]] = {}
        self.recent: dict[tuple[str, str], Recent] = {}
        self.ignored = 0
        self.revision = -1
        self.refresh()

    def refresh(self) -> None:
        """Read again what is at hand, if the database was taken to another moment."""
        if self.revision != self.database.revision:
            self._rebuild()
            self.revision = self.database.revision

    def _rebuild(self) -> None:
        self.latest, self.recent = {}, {}
        last = self.database.rows(
            f"SELECT {COLUMNS} FROM stats JOIN "
            "(SELECT min(seq) AS begun, max(seq) AS ended FROM stats GROUP BY name, key) ON seq = ended ORDER BY begun"
        )
        ignored = {row[0] for row in last if not self._noted(*row)}
        since = max((row[4] for row in last), default=0) - self.window
        for name, key, cell, t, stored in self.database.rows(
            f"SELECT {COLUMNS} FROM stats WHERE stored >= ? ORDER BY seq", (since,)
        ):
            value = self._read(name, cell)
            if value is not NOTHING and self.known[name].dynamic:
                self._series(name, key).add((t, value, stored))
                self.latest.setdefault(key, {})[name] = (t, value)
        for name, key, cell, t, stored in last:
            value = self._read(name, cell)
            if value is not NOTHING and self.known[name].dynamic and (name, key) not in self.recent:
                self._series(name, key).add((t, value, stored))
        if ignored and not self.ignored:
            names = ", ".join(sorted(ignored))
            warnings.warn(
                f"{self.database.path} holds values that do not fit what is declared (any more), of {names}: they stay "
                "there, and are ignored",
                stacklevel=4,
            )
        self.ignored = len(ignored)

    def _read(self, name: str, cell: Any) -> Any:
        declared = self.known.get(name)
        return NOTHING if declared is None else value_of(declared, cell)

    def _noted(self, name: str, key: str, cell: Any, t: int, stored: int) -> bool:
        value = self._read(name, cell)
        if value is NOTHING:
            return False
        self.latest.setdefault(key, {})[name] = (t, value)
        return True

    def _series(self, name: str, key: str) -> Recent:
        series = self.recent.get((name, key))
        if series is None:
            series = self.recent[name, key] = Recent()
        return series

    # ------------------------------------------------------------------ writing

    def add(self, declared: Declared, key: str, value: Any, t: int, reporter: str, stored: int) -> None:
        """Store a value (one that :meth:`Declared.take` gave).

        Raises:
            DatabaseError: it cannot be kept.
        """
        name = declared.name
        self.database.add("stats", name, key, reporter, t, stored, cell_of(declared, value))
        group = self.latest.get(key)
        if group is None:
            group = self.latest[key] = {}
        group[name] = (t, value)
        if declared.dynamic:
            series = self._series(name, key)
            series.add((t, value, stored))
            if len(series.points) > series.many:
                series.drop_before(stored - self.window)

    def is_latest(self, declared: Declared, key: str, value: Any) -> bool:
        """Whether a value is the same as the one stored last."""
        group = self.latest.get(key, {})
        return declared.name in group and group[declared.name][1] == value

    # ------------------------------------------------------------------ reading

    def points(self, name: str, key: str, now: float | None) -> list[Point]:
        """The recent points of a series.

        Args:
            name: of the stat.
            key: whose; empty for WORLD names.
            now: time in ms; None: unknown.
        """
        series = self.recent.get((name, key))
        if series is None:
            return []
        if now is not None:
            series.drop_before(now - self.window)
        return series.points

    def view(self, since: float, now: float | None) -> dict[str, Any]:
        """All latest values and recent points, those of series later than ``since`` ms if that is above 0."""
        view: dict[str, Any] = {"world": {}, "peers": {}}
        for name, declared in self.known.items():
            if not declared.grouped:
                view["world"][name] = [] if declared.dynamic else declared.default
        for key, group in self.latest.items():
            place = view["peers"].setdefault(key, {}) if key else view["world"]
            for name, (_, value) in group.items():
                if not self.known[name].dynamic:
                    place[name] = given(value)
                    continue
                points = [[t, given(v)] for t, v, _ in self.points(name, key, now) if t > since or since <= 0]
                if points or not key:
                    place[name] = points
        return view

    def history(
        self,
        names: Iterable[str] | None,
        keys: Iterable[str] | None,
        time_range: tuple[float, float],
        value_range: tuple[float, float] | None,
        limit: int | None,
    ) -> dict[str, Any]:
        """Stored values, as a view; see :meth:`Stats.query_history`.

        Raises:
            DatabaseError: what is waiting cannot be written.
        """
        wanted = [self.known[name] for name in (self.known if names is None else dict.fromkeys(names))]
        where, values = "t BETWEEN ? AND ?", [*time_range]
        if value_range is not None:
            wanted = [declared for declared in wanted if declared.kind in (int, float)]
            where, values = f"{where} AND value BETWEEN ? AND ?", [*values, *value_range]
        among = None if keys is None else {"", *keys}
        view: dict[str, Any] = {"world": {}, "peers": {}}
        static = {declared.name for declared in wanted if not declared.dynamic}
        for key, group in self.latest.items():
            if among is not None and key not in among:
                continue
            for name, (t, value) in group.items():
                if name not in static or not time_range[0] <= t <= time_range[1]:
                    continue
                if value_range is None or (value is not None and value_range[0] <= value <= value_range[1]):
                    place = view["peers"].setdefault(key, {}) if key else view["world"]
                    place[name] = given(value)
        series = {declared.name: declared for declared in wanted if declared.dynamic}
        query = f"SELECT name, key, value, t FROM stats WHERE name IN (SELECT value FROM json_each(?)) AND {where}"
        asked: list[Any] = [json.dumps(list(series)), *values]
        if among is not None:
            query += " AND key IN (SELECT value FROM json_each(?))"
            asked.append(json.dumps(sorted(among)))
        query += " ORDER BY t DESC, seq DESC"
        if limit is not None:
            query += " LIMIT ?"
            asked.append(limit)
        for name, key, cell, t in reversed(self.database.rows(query, asked)):
            value = value_of(series[name], cell)
            if value is not NOTHING:
                place = view["peers"].setdefault(key, {}) if key else view["world"]
                place.setdefault(name, []).append([t, value])
        return view


class _Nothing:
    """A cell that holds no value of the declared type."""


NOTHING = _Nothing()


def cell_of(declared: Declared, value: Any) -> Any:
    """A value as it stands in the database."""
    if declared.kind in _JSON and value is not None:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return value


def value_of(declared: Declared, cell: Any) -> Any:
    """What a cell of the database holds; ``NOTHING`` if that does not fit the declaration."""
    kind = declared.kind
    if type(cell) is kind:
        return cell
    try:
        if kind is bool and cell in (0, 1):
            return bool(cell)
        if kind in _JSON and isinstance(cell, str):
            cell = json.loads(cell)
        return declared.take(cell)
    except (StatsError, ValueError):
        return NOTHING


def given(value: Any) -> Any:
    """A value to be given away: nothing that is done to it changes the book."""
    return copy.deepcopy(value) if isinstance(value, _JSON) else value
