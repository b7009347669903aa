"""A person's panel, without a front end: what reaches it, what it sends into the world."""

from __future__ import annotations

from typing import Any

import pytest
from shells import Notebook

import unaiverse_lab as lab
from unaiverse_lab.core.errors import LabError
from unaiverse_lab.notebook import HumanPanel

ASKING = """%%behavior student
behav.add_state("init")
behav.add_transit("init", "ready", "listen")
behav.add_transit("ready", "told", "answer", ready=False)
behav.add_transit("told", "ready", "nop", ready=False)
"""
SESSION = """s = lab.Session(School, seed=3)
s.add(lab.Agent(), "Tina")
s.add(lab.Agent(proc="human"), "Ann")
s.step(3)
"""


def do(panel: HumanPanel, **message: Any) -> None:
    """What a front end sends; then a tick."""
    panel._heard(panel.wire, message)
    panel.session.step(1)
    panel._next = 0.0
    panel.refresh()


@pytest.fixture
def ada() -> HumanPanel:
    chat = lab.load("chat")
    chat.agent("Ada").script.clear()
    panel = HumanPanel(chat, "Ada")
    panel._heard(panel.wire, {"kind": "hello", "view": "a"})
    chat.step(20)
    return panel


def test_a_line_is_typed_and_what_comes_back_is_seen(ada: HumanPanel) -> None:
    do(ada, kind="say", text="  Polly want a cracker ")
    ada.session.step(20)
    ada._next = 0.0
    ada.refresh()
    assert [line[1:] for line in ada.talk] == [
        ["you", "Polly want a cracker"],
        ["Broadcaster", "**Polly:** want a cracker, cracker!"],
    ]
    assert ada.state == "user, in ready"
    assert ada.problem == ""


def test_it_is_the_same_as_typing_in_code(ada: HumanPanel) -> None:
    other = lab.load("chat")
    other.agent("Ada").script.clear()
    other.step(20)
    other.say("Ada", "Hello")
    do(ada, kind="say", text="Hello")
    other.step(1)
    ada.session.step(30)
    other.step(30)
    assert ada.session.digest() == other.digest()


def test_nothing_is_said_by_an_empty_line(ada: HumanPanel) -> None:
    do(ada, kind="say", text="   ")
    do(ada, kind="say", text=5)
    assert ada.talk == []


def test_going_back_unsays_it(ada: HumanPanel) -> None:
    do(ada, kind="say", text="Hello")
    ada.session.back(10)
    ada._next = 0.0
    ada.refresh()
    assert ada.talk == []


def test_what_the_agent_waits_to_be_asked_for_are_buttons(school: Notebook) -> None:
    school.run(ASKING.replace('"listen"', '"connect_by_role", {"role": "teacher"}'), SESSION, "s.step(5)")
    session = school["s"]
    panel = HumanPanel(session, "Ann")
    panel._heard(panel.wire, {"kind": "hello", "view": "a"})
    assert panel.choices == [{"action": "answer", "source": "ready", "target": "told", "args": ""}]
    do(panel, kind="ask", action="answer", source="ready", target="told")
    session.run(max_cycles=3)
    assert session.agent("Ann").behav.state == "told"
    panel._next = 0.0
    panel.refresh()
    assert [choice["action"] for choice in panel.choices] == ["nop"]
    assert "you (request)" in [who for _, who, _ in panel.talk]
    assert panel.problem == ""


def test_a_request_that_cannot_be_made_says_why(school: Notebook) -> None:
    school.run(ASKING, SESSION)
    session = school["s"]
    panel = HumanPanel(session, "Ann")
    panel._heard(panel.wire, {"kind": "hello", "view": "a"})
    assert session.agent("Ann").behav.state == "ready"
    assert panel.choices == [{"action": "answer", "source": "ready", "target": "told", "args": ""}]
    do(panel, kind="ask", action="answer", source="ready", target="told")
    assert "met nobody" in panel.problem
    session.run(max_cycles=5)
    assert session.agent("Ann").behav.state == "ready"


def test_nobody_else_can_be_typed_for() -> None:
    chat = lab.load("chat")
    with pytest.raises(LabError, match=r"no person stands behind 'Polly'.*People here: Ada"):
        HumanPanel(chat, "Polly")
    with pytest.raises(LabError, match="Did you mean 'Ada'"):
        HumanPanel(chat, "Adda")


def test_without_a_front_end_it_is_a_table_and_words(ada: HumanPanel) -> None:
    do(ada, kind="say", text="<img src=x onerror=alert(1)>")
    bundle = ada.static()
    assert "<img" not in bundle["text/html"]
    assert "&lt;img src=x" in bundle["text/html"]
    assert "you" in repr(ada) and "<img src=x" in repr(ada)


def test_one_who_has_left_is_said_to_have_left(ada: HumanPanel) -> None:
    ada.session.remove("Ada")
    ada.session.step(1)
    ada._next = 0.0
    ada.refresh()
    assert (ada.state, ada.choices) == ("has left", [])
