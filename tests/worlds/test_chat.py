"""The chat room: CHAT-1 to CHAT-4, and what a room owes its users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from runtime.rooms import Moved, records

import unaiverse_lab as lab
from unaiverse_lab.core.records import Pushed

ROOM = lab.load("chat").world
"""The world of the folder; its class and behaviors are used again below, with other members and other numbers."""


def chat(
    *users: str, ai: Callable[[str], str] | None = None, seed: int = 0, silence: float = 25.0, talk: float = 0.0
) -> lab.Session:
    """A room with a broadcaster, so many silent people, and a model called ChatAI; everybody is ready."""
    kind: Any = type(ROOM)
    world = kind(ROOM.world_folder, max_silence_seconds=silence, talk_probability=talk)
    world.create_behav_files = lambda: None
    session = lab.Session(world, seed=seed, name="ChatRoom")
    change = {'"max_silence_seconds": 25.0': silence, '"talk_probability": 0.01': talk}
    for old, new in change.items():
        assert old in world.role_to_behav["user"]
        world.role_to_behav["user"] = world.role_to_behav["user"].replace(old, f"{old.split(':')[0]}: {new}")
    add_broadcaster(session)
    for name in users:
        session.add(person(), name)
    if ai is not None:
        session.add(lab.Agent(ai, ["text"], ["text"]), "ChatAI")
    assert session.run("user:ready", max_cycles=50).reason == "until"
    return session


def add_broadcaster(session: lab.Session) -> None:
    session.add(lab.Agent(proc=None, proc_inputs=["text"], proc_outputs=["text"]), "Broadcaster", master=True)


def person() -> lab.Agent:
    return lab.Agent(lab.ScriptedHuman([]), ["text"], ["text"])


def heard(session: lab.Session, name: str) -> list[str | None]:
    """What a user was told by the broadcaster."""
    return [record.value for record in records(session, Pushed, name) if record.owner == "Broadcaster"]


def seconds(session: lab.Session, count: float) -> None:
    session.run(max_cycles=round(count * 20))


def test_a_line_reaches_every_other_user_once_with_the_name_of_its_author() -> None:
    session = chat("Ada", "Bob", "Cyd", "Dan")
    session.say("Bob", "good morning")
    seconds(session, 2)
    assert {name: heard(session, name) for name in ("Ada", "Bob", "Cyd", "Dan")} == {
        "Ada": ["**Bob:** good morning"],
        "Bob": [],
        "Cyd": ["**Bob:** good morning"],
        "Dan": ["**Bob:** good morning"],
    }


def test_chat_1_one_line_one_relay_and_nothing_else_moves() -> None:
    session = chat("Ada", "Bob", ai=lambda prompt: "hm")
    before = len(session.trace)
    session.say("Ada", "hello")
    seconds(session, 2)
    moved = [(r.node, r.source, r.action, r.target) for r in session.trace.since(before) if isinstance(r, Moved)]
    assert moved == [
        ("Ada", "ready", "generate_and_send", "message_sent"),
        ("Ada", "message_sent", "nop", "ready"),
        ("Broadcaster", "ready", "broadcast_message", "ready"),
    ]
    assert heard(session, "ChatAI") == heard(session, "Bob") == ["**Ada:** hello"]
    assert heard(session, "Ada") == []


def test_chat_2_a_model_answers_once_when_it_is_called_by_name() -> None:
    session = chat("Ada", "Bob", ai=lambda prompt: "yes?")
    session.say("Ada", "what do you think, chatai")
    seconds(session, 5)
    assert heard(session, "Ada") == ["**ChatAI:** yes?"]
    assert heard(session, "Bob") == ["**Ada:** what do you think, chatai", "**ChatAI:** yes?"]
    assert heard(session, "ChatAI") == ["**Ada:** what do you think, chatai"]


@pytest.mark.parametrize("silence", [25.0, 5.0])
def test_chat_3_a_model_breaks_a_long_silence(silence: float) -> None:
    session = chat("Ada", "Bob", ai=lambda prompt: prompt, silence=silence)
    [start] = [r.t for r in records(session, Moved, "ChatAI") if r.action == "connect_to_broadcaster"]
    session.run(lambda one: bool(heard(one, "Ada")), max_cycles=1000)
    [spoken] = [r.t for r in records(session, Moved, "ChatAI") if r.action == "generate_and_send"]
    assert silence < spoken - start <= silence + 2 / 20
    assert "Start a conversation about" in (heard(session, "Ada")[0] or "")


def transcript(seed: int, talk: float) -> list[str | None]:
    session = chat("Ada", "Bob", ai=lambda prompt: "indeed", seed=seed, talk=talk)
    for number in range(8):
        session.say("Ada", f"line {number}")
        seconds(session, 2)
    return heard(session, "Bob")


def test_chat_4_the_seed_decides_what_is_said() -> None:
    said = {seed: transcript(seed, 0.5) for seed in range(4)}
    assert all(said[seed] == transcript(seed, 0.5) for seed in said)
    assert len({tuple(lines) for lines in said.values()}) > 1  # type: ignore[arg-type]
    assert transcript(0, 0.0) == transcript(1, 0.0) == [f"**Ada:** line {number}" for number in range(8)]


def test_a_burst_of_lines_arrives_complete_and_in_order() -> None:
    session = chat("Ada", "Bob", "Cyd")
    lines = [f"line {number}" for number in range(20)]
    for line in lines:
        session.say("Ada", line)
        session.say("Bob", line.upper())
    seconds(session, 10)
    for name, others in (("Bob", ["Ada"]), ("Ada", ["Bob"]), ("Cyd", ["Ada", "Bob"])):
        for other in others:
            said = [line for line in heard(session, name) if line and line.startswith(f"**{other}:**")]
            assert said == [f"**{other}:** {line if other == 'Ada' else line.upper()}" for line in lines]
    assert len(heard(session, "Cyd")) == 40


def test_a_user_alone_can_talk_to_nobody() -> None:
    session = chat("Ada")
    session.say("Ada", "is anybody here?")
    seconds(session, 2)
    assert heard(session, "Ada") == []
    assert session.states_of("Ada") == ["ready"]


def test_who_comes_later_hears_what_is_said_from_then_on() -> None:
    session = chat("Ada", "Bob")
    session.say("Ada", "early")
    seconds(session, 2)
    session.add(person(), "Cyd")
    session.run("Cyd:ready", max_cycles=50)
    session.say("Ada", "late")
    seconds(session, 2)
    assert heard(session, "Cyd") == ["**Ada:** late"]
    session.say("Cyd", "hello")
    seconds(session, 2)
    assert heard(session, "Ada") == ["**Cyd:** hello"]


def test_who_leaves_hears_no_more_and_the_others_go_on() -> None:
    session = chat("Ada", "Bob", "Cyd")
    session.remove("Cyd")
    seconds(session, 1)
    session.say("Ada", "where is Cyd?")
    seconds(session, 2)
    assert heard(session, "Bob") == ["**Ada:** where is Cyd?"]
    assert heard(session, "Cyd") == []


def test_a_broadcaster_that_leaves_and_comes_back_finds_its_users_again() -> None:
    session = chat("Ada", "Bob")
    session.remove("Broadcaster")
    session.run("user:init", max_cycles=400)
    assert session.states_of("user") == ["init", "init"]
    add_broadcaster(session)
    assert session.run("user:ready", max_cycles=400).reason == "until"
    assert session.world.get_role("Broadcaster") == "broadcaster"
    session.say("Ada", "welcome back")
    seconds(session, 2)
    assert heard(session, "Bob") == ["**Ada:** welcome back"]


def test_a_second_master_is_a_user() -> None:
    session = chat("Ada")
    session.add(lab.Agent(None, ["text"], ["text"]), "Other", master=True)
    session.step(3)
    assert session.world.get_role("Other") == "user"
    assert session.world.get_agents_by_role("broadcaster") == ["Broadcaster"]


def test_the_folder_runs_as_it_is() -> None:
    session = lab.run_synch("chat", seed=1, max_cycles=20 * 60)
    assert list(session.nodes) == ["ChatRoom", "Broadcaster", "ChatAI", "Polly", "Ada"]
    assert not [record for record in session.trace if record.kind in ("error", "dropped")]
    lines = heard(session, "Polly")
    assert "**Ada:** Hello everybody, how is the weather?" in lines
    assert any(line and line.startswith("**ChatAI:**") for line in lines)
