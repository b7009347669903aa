"""Numbers that members say to each other while all sorts of things break, and what must have come of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import unaiverse_lab as lab
from unaiverse_lab.core.records import Record, Said

COUNTING = str(Path(__file__).parent / "counting")
NAMES = ["Ear", "Ann", "Bob", "Cyd", "Dan"]
NUMBERS = 2000
"""How many each of them says; 20 a tick."""


def heard(records: Iterable[Record]) -> dict[tuple[str, str], list[int]]:
    """What came to whom from whom, in the order in which it came."""
    found: dict[tuple[str, str], list[int]] = {(to, by): [] for to in NAMES for by in NAMES if to != by}
    for record in records:
        if isinstance(record, Said):
            by, number = record.text.split()
            found[record.node, by].append(int(number))
    return found


def all_was_heard(records: Iterable[Record]) -> bool:
    """Whether each number came to each of the others once, in order."""
    return all(numbers == list(range(NUMBERS)) for numbers in heard(records).values())


class Trouble(threading.Thread):
    """Does something bad at certain ticks, in a thread of its own."""

    def __init__(self, session: lab.Session, ticks: Iterable[int], deed: Callable[[], None]) -> None:
        super().__init__(name="trouble")
        self.session = session
        self.ticks = list(ticks)
        self.deed = deed
        self.done = 0
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            for tick in self.ticks:
                give_up = time.monotonic() + 20
                while self.session.tick < tick and time.monotonic() < give_up:
                    time.sleep(0.001)
                self.deed()
                self.done += 1
        except BaseException as error:
            self.error = error

    def over(self) -> int:
        """Wait for the end of it; how often it was done."""
        self.join(30)
        assert not self.is_alive()
        if self.error is not None:
            raise self.error
        return self.done


def in_time(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait until something holds."""
    give_up = time.monotonic() + seconds
    while not holds() and time.monotonic() < give_up:
        time.sleep(0.005)
    return holds()
