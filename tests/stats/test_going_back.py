"""Statistics follow a session back in time, and into another process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unaiverse_lab import Session
from unaiverse_lab.core.envelope import StatsReceived

from .desk import School
from .test_exchange import Classroom, classroom, measure


class Remembering(School):
    """With an attribute of its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.seen: list[str] = []

    def _process_custom_stat(self, stat_name: str, value: Any, group_key: str | None, timestamp: int) -> bool:
        self.seen.append(stat_name)
        return False


def lessons(session: Session, count: int) -> None:
    """Everybody measures something in every tick."""
    for _ in range(count):
        tick = session.tick
        measure(session, "Ann", ("err", tick / 7, "Ann"), ("notes", [tick], "Ann"))
        measure(session, "Tom", ("exam", tick / 9, "Bob"), ("best", f"S{tick}", None), ("word", "w", "Tom"))
        session.step()


def school(path: Path | None = None, **options: Any) -> Session:
    class Filed(Classroom):
        stats_class = Remembering

    Filed.path = path
    return classroom(Filed, **options)


def everything(session: Session) -> Any:
    stats = session.world.stats
    members = [
        (agent.stats.get_payload_for_world(), agent.stats.get_view(), list(agent.stats.refused))
        for agent in map(session.agent, ("Ann", "Bob", "Tom"))
    ]
    return stats.get_view(), stats.query_history(), list(stats.seen), members, session.digest()  # type: ignore[attr-defined]


@pytest.mark.parametrize("file", [False, True])
def test_going_back_takes_the_statistics_along_and_the_way_on_is_the_same(tmp_path: Path, file: bool) -> None:
    session = school(tmp_path / "world.db" if file else None)
    lessons(session, 6)
    tick, then = session.tick, everything(session)
    lessons(session, 6)
    later = everything(session)
    world, stats = session.world, session.world.stats
    session.goto(tick)
    assert session.world is world and world.stats is stats and stats.world is world
    assert everything(session) == then
    lessons(session, 6)
    assert everything(session) == later
    session.goto(tick - 5)
    assert [value for _, value in stats.get_series("exam", "Bob")] == []
    session.goto(2)
    assert stats.get_last_value("best") is None and stats.get_last_value("grade", "Ann") == "none"
    assert stats.get_view()["peers"]["Ann"]["state"] == "ready"


def test_what_was_on_its_way_is_on_its_way_again() -> None:
    session = school()
    transport, clock = session.synchronizer.transport, session.synchronizer.clock
    post = transport.post

    def losing(sender: str, target: str, body: Any) -> bool:
        return True if isinstance(body, StatsReceived) and clock.tick < 10 else post(sender, target, body)

    transport.post = losing  # type: ignore[method-assign]
    measure(session, "Ann", ("err", 0.5, "Ann"))
    session.step(4)
    tick = session.tick
    assert len(session.agent("Ann").stats.get_payload_for_world()) == 1
    session.step(150)
    assert session.agent("Ann").stats.get_payload_for_world() == []
    session.goto(tick)
    assert len(session.agent("Ann").stats.get_payload_for_world()) == 1
    session.step(150)
    assert session.world.stats.get_series("err", "Ann") == [(400, 0.5)]
    assert session.agent("Ann").stats.get_payload_for_world() == []


def test_before_an_agent_had_statistics_it_has_none() -> None:
    session = school()
    lessons(session, 3)
    session.goto(3)
    assert session.agent("Ann")._stats is None
    lessons(session, 3)
    session.step(3)
    assert len(session.world.stats.get_series("err", "Ann")) == 3


def test_times_the_clock_gave_are_forgotten_too() -> None:
    session = school()
    session.step(2)
    tick = session.tick
    times = [session.world.clock.get_time_ms(monotonic=True) for _ in range(300)]
    session.step(2)
    session.goto(tick)
    assert session.world.clock.get_time_ms(monotonic=True) == times[0]


@pytest.mark.parametrize("file", [False, True])
def test_a_checkpoint_takes_the_statistics_into_another_session(tmp_path: Path, file: bool) -> None:
    def path(name: str) -> Path | None:
        return tmp_path / name if file else None

    session = school(path("one.db"))
    lessons(session, 6)
    session.checkpoint(tmp_path / "checkpoints")
    then = everything(session)
    lessons(session, 6)
    later = everything(session)
    session.close()

    again = school(path("one.db"), start=False)
    assert again.resume(tmp_path / "checkpoints") is not None
    assert everything(again) == then
    lessons(again, 6)
    assert everything(again)[:4] == later[:4]
