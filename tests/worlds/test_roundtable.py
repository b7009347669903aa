"""The round table: what its folder expects of it, and that it is the same run in every way of running it."""

from __future__ import annotations

import pytest

import unaiverse_lab as lab
from worlds.folders import failed_checks, played


def test_it_comes_out_as_its_folder_says() -> None:
    session = played("roundtable")
    assert failed_checks(session, "roundtable") == []


@pytest.mark.parametrize("strict", [False, True])
def test_two_runs_are_one(strict: bool) -> None:
    assert played("roundtable", strict=strict).digest() == played("roundtable").digest()


def test_who_does_not_hold_the_microphone_is_not_heard() -> None:
    session = lab.load("roundtable")
    session.step(3)
    dan = session.agent("Dan")
    speaks = next(one.trigger_event_class for one in session.agent("mic1").actions)
    dan.send_event(speaks(target_id="mic1", message="Me!"))
    session.run()
    world = session.world
    assert ("the microphone is held by Ada") in [reason for _, reason in world.events.refusals()]
    assert "Me!" not in [one.message for one in world.events if one.event_type == "agent_speaks_into_microphone_event"]
    assert len(failed_checks(session, "roundtable")) == 2
