"""Behavior files: the strict reader explains the first mistake, the tolerant one takes what the peer does."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from unaiverse_lab.core.errors import BehaviorError

from .stage import content, edge, machine

HEAD = {"role": "guest", "initial_state": "a", "options": {}}


def on(**fields: Any) -> dict[str, Any]:
    return content(transitions={"a": [edge("go", "b", **fields)]})


WRONG = [
    # content, where, what the message says
    ([], "", ["a behavior is an object {...}, not []"]),
    (
        content(extra={}),
        "extra",
        ["unknown section 'extra'", "Known: machine, states, teleports, transitions"],
    ),
    (content(transitons={}), "transitons", ["Did you mean 'transitions'"]),
    (content(states=[]), "states", ["the section 'states' is missing or is not an object"]),
    ({"machine": HEAD}, "states", ["the section 'states' is missing"]),
    (content(machine=3), "machine", ["'machine' is missing or is not an object"]),
    ({"states": {}}, "machine", ["the section 'machine' is missing"]),
    (content(machine={"initial_state": "a", "options": {}}), "machine", ["the field 'role' is missing"]),
    (content(machine={"role": "x", "options": {}}), "machine", ["the field 'initial_state' is missing"]),
    (content(machine={"role": "x", "initial_state": "a"}), "machine", ["the field 'options' is missing"]),
    (content(machine={**HEAD, "role": None}), "machine.role", ["expected a text, not null"]),
    (content(machine={**HEAD, "rôle": 1}), "machine", ["unknown field 'rôle'", "Did you mean 'role'"]),
    (
        content(machine={**HEAD, "initial_state": "c"}),
        "machine.initial_state",
        ["'c' is not a declared state"],
    ),
    (content(machine={**HEAD, "msg": 3}), "machine.msg", ["expected a text or null, not 3"]),
    (
        content(machine={**HEAD, "options": {"show_action_tick_after_messages": True}}),
        "machine.options",
        ["unknown field", "Did you mean 'show_action_ticks_after_messages'"],
    ),
    (
        content(states={"a": {"blocking": "false"}}),
        "states.a.blocking",
        ['expected true or false, not "false"'],
    ),
    (
        content(states={"a": {"blockng": True}}),
        "states.a",
        ["unknown field 'blockng'", "Did you mean 'blocking'"],
    ),
    (content(states={"a": None}), "states.a", ["expected an object {...}, not null"]),
    (
        content(states={"a": {"action_kwargs": []}}),
        "states.a.action_kwargs",
        ["expected an object {...}, not []"],
    ),
    (content(states={"a": {"action": 1}}), "states.a.action", ["expected a text or null, not 1"]),
    (
        content(states={"a": {"time_to_wait_before_acting": "2"}}),
        "states.a.time_to_wait_before_acting",
        ['expected a number of seconds, not "2"'],
    ),
    (
        content(states={"a": {"time_to_wait_before_acting": -1}}),
        "states.a.time_to_wait_before_acting",
        ["expected a number of seconds >= 0, not -1.0"],
    ),
    (
        content(states={"a": {"time_to_wait_before_acting": float("nan")}}),
        "states.a.time_to_wait_before_acting",
        ["expected a number of seconds >= 0, not nan"],
    ),
    (content(states={"a": {}, "all": {}}), "states.all", ["'all' stands for every state"]),
    (content(transitions=[]), "transitions", ["expected an object {...}, not []"]),
    (content(transitions={"a": {}}), "transitions.a", ["expected a list [...], not {}"]),
    (content(transitions={"c": []}), "transitions.c", ["'c' is not a declared state"]),
    (content(transitions={"all": []}), "transitions.all", ["'all' is not a declared state"]),
    (content(transitions={"a": [{"goto": "b"}]}), "transitions.a[0]", ["the field 'on' is missing"]),
    (
        content(transitions={"a": [{"on": {"action": "go"}}]}),
        "transitions.a[0]",
        ["the field 'goto' is missing"],
    ),
    (
        content(transitions={"a": [{"on": {}, "goto": "b"}]}),
        "transitions.a[0].on",
        ["the field 'action' is missing"],
    ),
    (
        content(transitions={"a": [edge("go", "bb")]}),
        "transitions.a[0].goto",
        ["'bb' is not a declared state"],
    ),
    (content(teleports={"a": [edge("go", "b"), edge("go", "?")]}), "teleports.a[1].goto", ["Known: a, b"]),
    (on(ready="no"), "transitions.a[0].on.ready", ['not "no"']),
    (on(high_priority=1), "transitions.a[0].on.high_priority", ["expected true or false, not 1"]),
    (
        on(retry_timout=3),
        "transitions.a[0].on",
        ["unknown field 'retry_timout'", "Did you mean 'retry_timeout'"],
    ),
    (on(delay="5"), "transitions.a[0].on.delay", ["expected a number of seconds, not the text '5'"]),
    (
        on(delay=None),
        "transitions.a[0].on.delay",
        ["a number of seconds, or a text with a wildcard, not null"],
    ),
    (on(delay=-1), "transitions.a[0].on.delay", ["expected a number of seconds >= 0, not -1.0"]),
    (
        on(max_duration=float("inf")),
        "transitions.a[0].on.max_duration",
        ["expected a number of seconds >= 0"],
    ),
]


@pytest.mark.parametrize(("wrong", "where", "says"), WRONG, ids=[f"{n}-{row[1]}" for n, row in enumerate(WRONG)])
def test_the_strict_reader_names_the_place_and_what_is_allowed(
    tmp_path: Path, wrong: Any, where: str, says: list[str]
) -> None:
    path = tmp_path / "guest.json"
    path.write_text(json.dumps(wrong), encoding="utf-8")
    with pytest.raises(BehaviorError) as caught:
        machine().load(path)
    assert caught.value.where == where
    assert caught.value.source == str(path)
    assert str(caught.value).startswith(f"{path}: ")
    for words in says:
        assert words in str(caught.value)


@pytest.mark.parametrize("key", ["a", "go", "blocking"])
def test_a_key_given_twice_is_refused(key: str) -> None:
    text = json.dumps(content(states={"a": {"blocking": True, "action": "go"}, "b": {}}))
    doubled = {
        "a": text.replace('"b": {}', '"b": {}, "a": {}'),
        "go": text.replace('"transitions": {', '"transitions": {"go": [], "go": [], '),
        "blocking": text.replace('"blocking": true', '"blocking": true, "blocking": false'),
    }[key]
    with pytest.raises(BehaviorError, match=f"the key '{key}' appears twice"):
        machine().load(doubled)


def test_text_that_is_not_json_says_where_it_breaks() -> None:
    with pytest.raises(BehaviorError, match=r"not valid JSON: .* \(line 2, column 1\)"):
        machine().load("{\n]")


def test_bytes_that_are_not_text(tmp_path: Path) -> None:
    path = tmp_path / "guest.json"
    path.write_bytes(b'{"machine": "\xff"}')
    with pytest.raises(BehaviorError, match=r"guest\.json: not UTF-8 text"):
        machine().load(path)


def test_a_file_that_does_not_exist() -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        machine().load("nowhere.json")


@pytest.mark.parametrize("kind", ["text", "path", "name", "file", "object"])
def test_sources(tmp_path: Path, kind: str) -> None:
    text = json.dumps(content())
    path = tmp_path / "guest.json"
    path.write_text(text, encoding="utf-8")
    source = {"text": text, "path": path, "name": str(path), "file": io.StringIO(text), "object": content()}[kind]
    hsm = machine()
    assert hsm.load(source) is hsm  # type: ignore[arg-type]
    assert (hsm.state, hsm.initial_state, hsm.role) == ("a", "a", "guest")


def test_defaults_and_derived_readiness() -> None:
    hsm = machine().load(
        content(transitions={"a": [edge("go", "b"), edge("serve", "b"), edge("serve", "a", ready=True)]})
    )
    assert [(e.name, e.ready) for e in hsm.machine.edges_from("a")] == [
        ("go", True),
        ("serve", False),
        ("serve", True),
    ]
    plain = hsm.transitions["a"]["b"][0]
    assert (plain.delay, plain.retry_timeout, plain.max_duration, plain.high_priority) == (
        0.0,
        0.0,
        0.0,
        False,
    )
    assert (hsm.states["a"].blocking, hsm.states["a"].waiting_time, hsm.states["a"].msg) == (True, 0.0, None)


def test_all_teleports_come_before_the_specific_ones_and_skip_their_destination() -> None:
    hsm = machine().load(content(teleports={"a": [edge("peek", "b")], "all": [edge("nop", "b")]}))
    assert [e.name for e in hsm.machine.edges_from("a")] == ["go", "nop", "peek"]
    assert [e.name for e in hsm.machine.edges_from("b")] == ["alt"]


def test_edges_to_the_same_state_are_tried_together() -> None:
    hsm = machine().load(content(transitions={"a": [edge("go", "b"), edge("alt", "a"), edge("nop", "b")]}))
    assert [e.name for e in hsm.machine.edges_from("a")] == ["go", "nop", "alt"]


@pytest.mark.parametrize("source", [Path("guest.json"), "text"])
def test_an_unknown_action_is_reported_with_its_place_only(tmp_path: Path, source: Any) -> None:
    wrong = content(transitions={"a": [edge("goo", "b")]})
    text = json.dumps(wrong)
    if isinstance(source, Path):
        source = tmp_path / source
        source.write_text(text, encoding="utf-8")
    with pytest.raises(BehaviorError) as caught:
        machine().load(text if source == "text" else source)
    start = "" if source == "text" else f"{source}: "
    assert str(caught.value).startswith(f"{start}a -> b: Actor has no action 'goo'. Did you mean 'go'")


def test_a_file_that_cannot_be_read_leaves_the_machine_as_it_was() -> None:
    hsm = machine().load(content())
    before = str(hsm)
    with pytest.raises(BehaviorError):
        hsm.load(content(transitions={"a": [edge("goo", "b")]}))
    assert str(hsm) == before and hsm.state == "a"


def test_loading_replaces_everything_that_was_there() -> None:
    hsm = machine()
    hsm.add_state("old", msg="old")
    hsm.add_transit("old", "older", "go", retry_timeout=5.0)
    hsm.limbo_state, hsm.prev_state, hsm.state = "old", "older", None
    hsm.load(content())
    assert list(hsm.get_states()) == ["a", "b"]
    assert (hsm.state, hsm.limbo_state, hsm.prev_state) == ("a", None, None)


# ---------------------------------------------------------------- tolerant


def tolerant(found: dict[str, Any] | str) -> Any:
    return machine(strict=False).load(found)


def test_tolerant_reading_takes_wrong_types_as_the_peer_does() -> None:
    hsm = tolerant(
        content(
            states={"a": {"blocking": "false", "time_to_wait_before_acting": "2"}, "b": {"blocking": 0}},
            transitions={"a": [edge("go", "b", ready="no", delay="5", retry_timout=3, max_duration=-2, msg=None)]},
            extra=1,
        )
    )
    found = hsm.transitions["a"]["b"][0]
    assert hsm.states["a"].blocking is True and hsm.states["b"].blocking is False
    assert hsm.states["a"].waiting_time == 2.0
    assert (found.ready, found.delay, found.retry_timeout, found.max_duration) == (True, 5.0, 0.0, 0.0)


@pytest.mark.parametrize("value", [None, -3, float("nan"), float("inf")])
def test_tolerant_reading_takes_strange_times_as_none(value: Any) -> None:
    hsm = tolerant(
        content(
            states={"a": {"time_to_wait_before_acting": value}},
            transitions={"a": [edge("go", "b", delay=value)]},
        )
    )
    assert (hsm.states["a"].waiting_time, hsm.transitions["a"]["b"][0].delay) == (0.0, 0.0)


def test_tolerant_reading_creates_undeclared_states() -> None:
    hsm = tolerant(content(states={"a": {}}, transitions={"a": [edge("go", "new")], "from": [edge("go", "a")]}))
    assert list(hsm.get_states()) == ["a", "new", "from"]
    assert hsm.states["new"].blocking


def test_tolerant_reading_lets_the_last_duplicate_win() -> None:
    text = json.dumps(content()).replace('"b": {}', '"b": {}, "b": {"blocking": false}')
    assert tolerant(text).states["b"].blocking is False


@pytest.mark.parametrize(
    "hopeless",
    [
        content(states={"a": 3}),
        content(states=[]),
        content(transitions={"a": 1}),
        content(transitions=[1]),
        content(transitions={"a": [edge("go", "b", delay=[1])]}),
        content(states={"a": {"time_to_wait_before_acting": "soon"}}),
        content(machine={**HEAD, "options": 1}),
        {
            "initial_state": "a",
            "state": "a",
            "prev_state": None,
            "limbo_state": None,
            "transitions": {"a": {"b": [[]]}},
        },
    ],
)
def test_even_tolerant_reading_ends_in_one_kind_of_error(hopeless: dict[str, Any]) -> None:
    with pytest.raises(BehaviorError):
        tolerant(hopeless)


@pytest.mark.parametrize("section", ["role", "initial_state", "options"])
def test_tolerant_reading_still_needs_the_head(section: str) -> None:
    with pytest.raises(BehaviorError, match=f"'{section}' is missing"):
        tolerant(content(machine={key: value for key, value in HEAD.items() if key != section}))


# ---------------------------------------------------------------- the format before the "machine" section

OLD = {
    "initial_state": "a",
    "state": "a",
    "prev_state": None,
    "limbo_state": None,
    "welcome_msg": "hello",
    "role": "guest",
    "state_actions": {
        "a": ["peek", {"depth": 2}, -1],
        "b": [None, None, -1, False],
        "c": [None, None, -1, 2.5],
        "d": [None, None, -1, False, 3.0],
        "e": [None, None, -1, True, 0.0, "at e"],
    },
    "transitions": {"a": {"b": [["go", {"a": 1}, True, -1], ["serve", {}, False, -1, "asked"]]}},
}


def test_the_old_format() -> None:
    hsm = machine().load(OLD)
    assert (hsm.role, hsm.welcome_msg, hsm.state) == ("guest", "hello", "a")
    assert [(s.blocking, s.waiting_time, s.msg) for s in hsm.get_all_states()] == [
        (True, 0.0, None),
        (False, 0.0, None),
        (True, 2.5, None),
        (False, 3.0, None),
        (True, 0.0, "at e"),
    ]
    assert hsm.states["a"].action is not None and hsm.states["a"].action.args == {"depth": 2}
    assert [(e.name, e.args, e.ready, e.msg) for e in hsm.transitions["a"]["b"]] == [
        ("go", {"a": 1}, True, None),
        ("serve", {}, False, "asked"),
    ]


@pytest.mark.parametrize("key", ["initial_state", "state", "prev_state", "limbo_state"])
def test_the_old_format_needs_its_keys(key: str) -> None:
    with pytest.raises(BehaviorError, match=f"for the old format, the key '{key}'"):
        machine().load({name: value for name, value in OLD.items() if name != key})
