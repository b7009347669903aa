"""The hello world: one agent, one calculator, one user."""

from __future__ import annotations

from worlds.folders import Told, failed_checks, played


def test_it_comes_out_as_its_folder_says() -> None:
    session = played("hello_world")
    assert failed_checks(session, "hello_world") == []


def test_encoded_messages_make_the_same_run() -> None:
    assert played("hello_world").digest() == played("hello_world", strict=True).digest()


def test_going_back_and_on_again_is_the_same_run() -> None:
    session = played("hello_world")
    digest, last = session.digest(), session.tick
    session.goto(3)
    assert session.agent("agent1").behav.state == "asleep"
    assert len(session.world.events) == 2
    session.goto(last)
    session.run()
    assert session.digest() == digest


def test_the_command_line_runs_and_judges_it() -> None:
    told = Told("hello_world")
    assert told.code == 0 and len(told.holds) == 4 and not told.fails
    assert told.digest == played("hello_world").digest()
