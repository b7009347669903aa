"""Statistics: what a value costs to measure, to keep and to read, against lists and SQLite used directly."""

from __future__ import annotations

import gc
import sqlite3
import statistics
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from report import Result, at_most, cpu_of, main, median_ratio

from unaiverse_lab.core.clock import VirtualClock
from unaiverse_lab.stats import Stats

SERIES = 10_000
SELECT = "SELECT t, value FROM stats WHERE name = 'err' AND key = 'S7' ORDER BY t DESC, seq DESC"


class Exam(Stats):
    """One series for each member."""

    CUSTOM_AGENT_STATS_DYNAMIC_SCHEMA = {"err": (float, -1.0)}


class Desk:
    """The node of a world or a member, without the rest of it."""

    def __init__(self, name: str) -> None:
        self.name = self.peer_id = name
        self.clock = VirtualClock(0.01)

    def record(self, record: Any) -> None:
        pass

    def wake(self) -> None:
        pass


def exam(path: Path | None = None, name: str = "World") -> Exam:
    stats = Exam(name == "World", path)
    stats.attach_to(Desk(name))
    return stats


def measured(count: int) -> float:
    """CPU seconds in which a member measures so many values."""
    stats = exam(name="Ann")
    store = stats.store_stat

    def work() -> None:
        for _ in range(count):
            store("err", 0.5, "Ann", 0)

    return cpu_of(work)


def appended(count: int) -> float:
    """The same, as the least that keeps them: a list of tuples."""
    entries: list[tuple[str, float, str, int]] = []

    def work() -> None:
        for _ in range(count):
            entries.append(("err", 0.5, "Ann", 0))

    return cpu_of(work)


def rows(count: int) -> list[tuple[int, str, str, str, int, int, float]]:
    """So many points, in series of 10,000."""
    keys = [f"S{number}" for number in range(count // SERIES)]
    return [(number + 1, "err", keys[number % len(keys)], "World", 0, 0, float(number)) for number in range(count)]


def kept(count: int, path: Path) -> tuple[float, Exam]:
    """CPU seconds in which a world stores so many points in a file, and the world's statistics."""
    stats = exam(path)
    points = rows(count)

    def work() -> None:
        for row in points:
            stats.store_stat("err", row[6], row[2], 0)
        stats.save_to_disk()

    return cpu_of(work), stats


def inserted(count: int, path: Path) -> tuple[float, sqlite3.Connection]:
    """The same by SQLite alone, with the same table and the same index."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE stats (seq INTEGER PRIMARY KEY, name, key, reporter, t, stored, value)")
    connection.execute("CREATE INDEX by_name ON stats (name, key, t, value)")
    points = rows(count)

    def work() -> None:
        for start in range(0, count, 10_000):
            with connection:
                connection.executemany("INSERT INTO stats VALUES (?, ?, ?, ?, ?, ?, ?)", points[start : start + 10_000])

    return cpu_of(work), connection


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, and what came of it."""
    found: list[Any] = []
    gc.collect()
    return cpu_of(lambda: found.append(work())), found[0]


def keeping(count: int, rounds: int) -> list[Result]:
    """Store so many points in a file and read them back."""
    ours, theirs, read, bare, whole, one = [], [], [], [], [], []
    with TemporaryDirectory() as folder:
        for turn in range(rounds):
            spent, stats = kept(count, Path(folder) / f"ours{turn}.db")
            ours.append(spent)
            spent, connection = inserted(count, Path(folder) / f"theirs{turn}.db")
            theirs.append(spent)
            spent, view = timed(lambda s=stats: s.query_history(["err"]))  # type: ignore[misc]
            whole.append(spent)
            points = sum(len(group["err"]) for group in view["peers"].values())
            total = sum(value for group in view["peers"].values() for _, value in group["err"])
            assert (points, total) == (count, count * (count - 1) / 2), "points are missing"
            del view
            for _ in range(5):
                spent, view = timed(lambda s=stats: s.query_history(["err"], ["S7"]))  # type: ignore[misc]
                read.append(spent)
                spent, found = timed(lambda c=connection: c.execute(SELECT).fetchall())  # type: ignore[misc]
                bare.append(spent)
                assert len(view["peers"]["S7"]["err"]) == len(found) == SERIES
            one.append(timed(stats.get_view)[0])
            stats.shutdown()
            connection.close()
    name = f"{count:,} points"
    return [
        Result(f"{name}: store one, in a file", statistics.median(ours) / count * 1e6, "us"),
        Result(f"{name}: store one, SQLite alone", statistics.median(theirs) / count * 1e6, "us"),
        at_most(f"{name}: to store, against SQLite alone", median_ratio(ours, theirs), "x", 4.0),
        Result(f"{name}: all stored, read back and compared", statistics.median(whole), "s"),
        Result(f"{name}: a view of what is at hand", statistics.median(one), "s"),
        at_most(f"{name}: a series of {SERIES:,} of them", statistics.median(read) * 1e3, "ms", 20.0),
        Result(f"{name}: against SQLite alone", median_ratio(read, bare), "x"),
    ]


def measure(quick: bool) -> list[Result]:
    """Benchmarks of statistics: a member measures, a world keeps and reads; series of 10,000 points."""
    count = 50_000
    rounds = 5 if quick else 11
    ours = [measured(count) for _ in range(rounds)]
    theirs = [appended(count) for _ in range(rounds)]
    results = [
        at_most("a member measures a value", statistics.median(ours) / count * 1e6, "us", 5.0),
        Result("against a list of tuples", median_ratio(ours, theirs), "x"),
    ]
    results += keeping(100_000 if quick else 1_000_000, 3)
    return results


if __name__ == "__main__":
    main(measure)
