"""Behavior files written: pure ASCII, every field present, and read back to the same text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.core.errors import BehaviorError

from .stage import Actor, Stage, content, edge, machine

seconds = st.floats(0.0, 1e6, allow_nan=False).map(lambda value: round(value, 3))
texts = st.text(max_size=12) | st.sampled_from(
    ["caffè & <b>", "&amp;", "&lt;b&gt;", "&#233;", "&copy", "🙂", "&eacute;"]
)
messages = st.none() | texts
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
NAMES = ["a", "b", "c", "d"]


@st.composite
def edges(draw: st.DrawFn) -> dict[str, Any]:
    on: dict[str, Any] = {"action": draw(st.sampled_from(["go", "alt", "nop", "serve"]))}
    if on["action"] == "go":
        on["action_kwargs"] = draw(st.dictionaries(st.sampled_from(["a", "b", "streams"]), values, max_size=2))
    optional = {
        "msg": messages,
        "ready": st.booleans(),
        "high_priority": st.booleans(),
        "max_duration": seconds,
    }
    optional |= {"retry_timeout": seconds, "delay": seconds | st.just("<pause>")}
    for name, value in optional.items():
        if draw(st.booleans()):
            on[name] = draw(value)
    return {"on": on, "goto": draw(st.sampled_from(NAMES))}


@st.composite
def behaviors(draw: st.DrawFn) -> dict[str, Any]:
    states = {}
    for name in NAMES:
        state: dict[str, Any] = {"blocking": draw(st.booleans()), "msg": draw(messages)}
        state["time_to_wait_before_acting"] = draw(seconds)
        if draw(st.booleans()):
            state |= {"action": "peek", "action_kwargs": {"depth": draw(values)}}
        states[name] = state

    def section(sources: list[str]) -> dict[str, Any]:
        return {name: draw(st.lists(edges(), max_size=3, unique_by=repr)) for name in sources if draw(st.booleans())}

    options = ["highlight_blocking_states_in_messages", "show_action_ticks_after_messages"]
    return {
        "machine": {
            "role": draw(texts),
            "initial_state": draw(st.sampled_from(NAMES)),
            "msg": draw(messages),
            "options": {name: draw(st.booleans()) for name in options},
        },
        "states": states,
        "transitions": section(NAMES),
        "teleports": section([*NAMES, "all"]),
    }


def load(found: Any) -> HybridStateMachine | None:
    """The machine of a file; None where the file says the same edge twice (e.g. as a teleport too)."""
    try:
        return machine().load(found)
    except BehaviorError as error:
        assert "is there already" in str(error)
        return None


def meaning(hsm: HybridStateMachine) -> Any:
    """All that a machine says about itself and its states."""
    data = hsm.machine
    return (
        (data.role, data.initial_state, data.welcome),
        [
            (s.name, s.blocking, s.waiting_time, s.msg, s.action and (s.action.name, s.action.args))
            for s in hsm.get_all_states()
        ],
    )


def edges_of(hsm: HybridStateMachine) -> dict[str, list[str]]:
    return {
        name: sorted(repr((e.signature(), e.teleport)) for e in hsm.machine.edges_from(name))
        for name in hsm.get_states()
    }


@given(behaviors())
def test_what_is_written_is_read_back_the_same(found: dict[str, Any]) -> None:
    first = load(found)
    if first is None:
        return
    text = str(first)
    assert text.isascii()
    again = machine().load(text)
    assert meaning(again) == meaning(first)
    assert edges_of(again) == edges_of(first)
    settled = str(again)
    assert str(machine().load(settled)) == settled


@given(behaviors().map(lambda found: {**found, "teleports": {}}))
def test_without_teleports_the_first_text_is_final(found: dict[str, Any]) -> None:
    first = load(found)
    if first is not None:
        assert str(machine().load(str(first))) == str(first)


@given(texts)
def test_every_message_survives(text: str) -> None:
    hsm = machine()
    hsm.add_state("a", action="nop")
    hsm.states["a"].set_msg(text)
    assert machine().load(str(hsm)).states["a"].msg == text


def test_the_text_of_a_small_machine() -> None:
    hsm = machine()
    hsm.set_role("guest")
    hsm.add_state("a", action="peek", args={"depth": 2}, waiting_time=1, msg="caff&egrave; &amp; <b>")
    hsm.add_transit("a", "b", "go", args={"a": ["é"]}, retry_timeout=3)
    assert json.loads(str(hsm)) == {
        "machine": {
            "role": "guest",
            "initial_state": "a",
            "msg": None,
            "options": {
                "highlight_blocking_states_in_messages": False,
                "show_action_ticks_after_messages": False,
                "show_action_request_after_messages": False,
            },
        },
        "states": {
            "a": {
                "action": "peek",
                "action_kwargs": {"depth": 2},
                "msg": "caff&#232; & <b>",
                "blocking": True,
                "time_to_wait_before_acting": 1.0,
            },
            "b": {
                "action": None,
                "action_kwargs": {},
                "msg": None,
                "blocking": True,
                "time_to_wait_before_acting": 0.0,
            },
        },
        "transitions": {
            "a": [
                {
                    "on": {
                        "action": "go",
                        "action_kwargs": {"a": ["é"]},
                        "msg": None,
                        "ready": True,
                        "high_priority": False,
                        "max_duration": 0.0,
                        "retry_timeout": 3.0,
                        "delay": 0.0,
                    },
                    "goto": "b",
                }
            ]
        },
        "teleports": {},
    }
    assert '"time_to_wait_before_acting": 1.0' in str(hsm)
    assert str(hsm).startswith('{\n    "machine": {\n        "role": "guest"') and not str(hsm).endswith("\n")


@pytest.mark.parametrize(
    ("given", "memory", "saved"),
    [
        ("caff&egrave;", "caffè", "caff&#232;"),
        ("&amp;lt;", "&lt;", "&amp;lt;"),
        ("R&D <b>", "R&D <b>", "R&D <b>"),
        ("&#x1F642;", "🙂", "&#128578;"),
        ("\x80\ufffe", "\x80\ufffe", "\x80\ufffe"),
    ],
)
def test_entities(given: str, memory: str, saved: str) -> None:
    hsm = machine().load(content(states={"a": {"msg": given}, "b": {}}))
    assert hsm.states["a"].msg == memory
    assert hsm.to_dict()["states"]["a"]["msg"] == saved
    assert machine().load(str(hsm)).states["a"].msg == memory


# ---------------------------------------------------------------- teleports


def three() -> HybridStateMachine:
    hsm = machine()
    for name in "abc":
        hsm.add_state(name)
    return hsm


def teleports(hsm: HybridStateMachine) -> dict[str, list[tuple[str, str]]]:
    return {
        source: [(one["on"]["action"], one["goto"]) for one in found]
        for source, found in hsm.to_dict()["teleports"].items()
    }


def test_a_teleport_from_everywhere_is_written_once() -> None:
    hsm = three()
    hsm.add_global_teleport("c", "nop", delay=3.0)
    assert teleports(hsm) == {"all": [("nop", "c")]}


def test_teleports_that_differ_are_written_one_by_one() -> None:
    hsm = three()
    hsm.add_teleport("a", "c", "nop", delay=3.0)
    hsm.add_teleport("b", "c", "nop", delay=4.0)
    assert teleports(hsm) == {"a": [("nop", "c")], "b": [("nop", "c")]}


def test_high_priority_keeps_teleports_apart() -> None:
    hsm = three()
    hsm.add_teleport("a", "c", "nop", high_priority=True)
    hsm.add_teleport("b", "c", "nop")
    again = machine().load(str(hsm))
    assert teleports(hsm) == {"a": [("nop", "c")], "b": [("nop", "c")]}
    assert [again.transitions[name]["c"][0].high_priority for name in "ab"] == [True, False]


def test_two_equal_ones_from_one_state_do_not_count_as_everywhere() -> None:
    hsm = three()
    hsm.add_teleport("a", "c", "go", args={"a": "<x>"})
    hsm.add_teleport("a", "c", "go", args={"a": "<y>"})
    hsm.add_wildcards({"<x>": "1", "<y>": "1"}, apply=True)
    assert teleports(hsm) == {"a": [("go", "c"), ("go", "c")]}


def test_a_teleport_to_its_own_state_is_kept() -> None:
    hsm = three()
    hsm.add_teleport("a", "a", "nop")
    hsm.add_global_teleport("a", "nop")
    assert teleports(hsm) == {"all": [("nop", "a")], "a": [("nop", "a")]}
    assert edges_of(machine().load(str(hsm))) == edges_of(hsm)


def test_in_a_machine_of_two_states_every_teleport_is_from_everywhere() -> None:
    hsm = machine().load(content(teleports={"a": [edge("nop", "b")]}))
    assert teleports(hsm) == {"all": [("nop", "b")]}


# ---------------------------------------------------------------- arguments, saving


@pytest.mark.parametrize("value", [{1, 2}, object(), b"x", 1j])
def test_arguments_that_a_file_cannot_hold_are_refused(value: Any) -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "go", args={"a": value})
    kind = type(value).__name__
    with pytest.raises(BehaviorError, match=f"a -> b: argument 'a' is a {kind}, which a behavior file cannot hold"):
        str(hsm)


def test_the_welcome_is_saved_even_after_it_was_shown() -> None:
    hsm = machine().load(content(machine={"role": "<r>", "initial_state": "a", "msg": "hi <role>", "options": {}}))
    assert "hi <r>" in Stage(hsm).tick()
    assert hsm.to_dict()["machine"]["msg"] == "hi <role>"


def test_save_and_only_if_changed(tmp_path: Path) -> None:
    path = tmp_path / "guest.json"
    hsm = machine().load(content())
    assert hsm.save(path) is True
    assert path.read_text(encoding="ascii") == str(hsm)
    assert hsm.save(path, only_if_changed=Actor()) is False
    path.write_text(json.dumps(content()), encoding="utf-8")
    assert hsm.save(path, only_if_changed=Actor()) is False
    hsm.add_state("c")
    assert hsm.save(path, only_if_changed=Actor()) is True
    path.write_text("{", encoding="utf-8")
    assert hsm.save(path, only_if_changed=Actor()) is True
