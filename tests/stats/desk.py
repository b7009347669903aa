"""Statistics without a session: a node that only has a clock and a list of records; and a small school."""

from __future__ import annotations

from typing import Any, TypeVar

from unaiverse_lab import Stats
from unaiverse_lab.core.clock import VirtualClock
from unaiverse_lab.core.records import Record, Stat

S = TypeVar("S", bound=Stats)


class Desk:
    """What statistics need of a node."""

    def __init__(self, name: str = "World", clock: VirtualClock | None = None) -> None:
        self.name = name
        self.peer_id = name
        self.clock = clock if clock is not None else VirtualClock(0.1)
        self.records: list[Record] = []
        self.record = self.records.append
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1

    def stats(self) -> list[Stat]:
        return [record for record in self.records if isinstance(record, Stat)]


class School(Stats):
    """One name of each kind."""

    CUSTOM_WORLD_STATS_STATIC_SCHEMA = {"best": (str, None), "best_err": (float, -1.0)}
    CUSTOM_WORLD_STATS_DYNAMIC_SCHEMA = {"best_history": (float, -1.0), "rounds": (int, 0)}
    CUSTOM_AGENT_STATS_STATIC_SCHEMA = {
        "grade": (str, "none"),
        "notes": (list, []),
        "plan": (dict, {}),
        "ok": (bool, False),
    }
    CUSTOM_AGENT_STATS_DYNAMIC_SCHEMA = {"err": (float, -1.0), "steps": (int, 0), "word": (str, None)}
    CUSTOM_OUTER_STATS_STATIC_SCHEMA = {"verdict": (str, None)}
    CUSTOM_OUTER_STATS_DYNAMIC_SCHEMA = {"exam": (float, -1.0)}


def at_world(kind: type[S] = School, *args: Any, **options: Any) -> tuple[S, Desk]:  # type: ignore[assignment]
    """Statistics of a world, and its node."""
    desk = Desk()
    stats = kind(True, *args, **options)
    stats.attach_to(desk)
    return stats, desk


def at_member(name: str = "Ann", kind: type[S] = School, clock: VirtualClock | None = None) -> tuple[S, Desk]:  # type: ignore[assignment]
    """Statistics of a member, and its node."""
    desk = Desk(name, clock)
    stats = kind(is_world=False)
    stats.attach_to(desk)
    return stats, desk
