"""What all benchmarks share: the clock, the rounds, the options, the table."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Result(NamedTuple):
    """One line of the table. ``target`` is words, ``ok`` the verdict (None: reported, not judged)."""

    name: str
    value: float
    unit: str
    target: str = ""
    ok: bool | None = None


def at_most(name: str, value: float, unit: str, limit: float) -> Result:
    """A result that must not exceed ``limit``."""
    return Result(name, value, unit, f"<= {limit:g} {unit}", value <= limit)


def at_least(name: str, value: float, unit: str, limit: float) -> Result:
    """A result that must reach ``limit``."""
    return Result(name, value, unit, f">= {limit:g} {unit}", value >= limit)


def cpu_of(work: Callable[[], object]) -> float:
    """CPU seconds of this process that ``work`` takes, its garbage collection included."""
    start = time.process_time()
    work()
    return time.process_time() - start


def median_ratio(above: list[float], below: list[float]) -> float:
    """The median of the ratios of each round, so that a slow spell of the machine meets both sides."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def main(measure: Callable[[bool], list[Result]]) -> None:
    """Run the benchmarks of a script and print their table; see README.md for the options."""
    script = Path(sys.argv[0])
    options = argparse.ArgumentParser(description=(measure.__doc__ or "").strip())
    options.add_argument("--quick", action="store_true", help="fewer rounds and agents, under a minute")
    options.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    options.add_argument("--json", type=Path, metavar="FILE", help="also write the results to a file (added to it)")
    given = options.parse_args()

    results = measure(given.quick)
    show(f"{script.stem}: Python {platform.python_version()}, {platform.machine()}", results)
    if given.json is not None:
        known = json.loads(given.json.read_text()) if given.json.exists() else {}
        known[script.stem] = [result._asdict() for result in results]
        given.json.write_text(json.dumps(known, indent=2) + "\n")
    if given.check and any(result.ok is False for result in results):
        sys.exit(1)


def show(title: str, results: list[Result]) -> None:
    """Print a table."""
    verdicts = {True: "PASS", False: "FAIL", None: ""}
    rows = [(r.name, f"{r.value:,.4g} {r.unit}", r.target, verdicts[r.ok]) for r in results]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    print(title)
    for name, value, target, verdict in rows:
        print(f"  {name:{widths[0]}}  {value:>{widths[1]}}  {target:{widths[2]}}  {verdict}".rstrip())
