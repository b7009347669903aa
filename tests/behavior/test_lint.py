"""Static checks: each finding with its level, its place and what to do, and silence about what is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.behavior.lint import Finding, lint, lint_file, requested_names
from unaiverse_lab.behavior.model import Machine

from .stage import Actor, content, edge, machine


def found(findings: list[Finding], *codes: str) -> list[tuple[str, str, str]]:
    return [(f.level, f.code, f.where) for f in findings if not codes or f.code in codes]


def checked(tmp_path: Path, behavior: Any, agent: Any = Actor, **options: Any) -> list[Finding]:
    path = tmp_path / "guest.json"
    path.write_text(behavior if isinstance(behavior, str) else json.dumps(behavior), encoding="utf-8")
    return lint_file(path, agent, **options)


def test_nothing_to_say_about_a_right_machine(tmp_path: Path) -> None:
    assert lint(machine().load(content())) == []
    assert lint(machine().load(content()).machine) == []
    assert checked(tmp_path, content()) == []


def test_a_finding_is_readable() -> None:
    finding = Finding("warning", "dead-end", "states.b", "no transition leaves this state.", "Add one.")
    assert str(finding) == "warning [dead-end] states.b: no transition leaves this state. Add one."
    assert str(Finding("note", "x", "here", "so it is.")) == "note [x] here: so it is."


# ---------------------------------------------------------------- files


def test_a_mistake_of_form_is_a_finding_and_the_other_checks_go_on(tmp_path: Path) -> None:
    wrong = content(states={"a": {"blockng": 1}, "b": {}, "c": {}})
    findings = checked(tmp_path, wrong)
    assert found(findings) == [
        ("error", "file", "states.a"),
        ("warning", "unreachable", "states.c"),
        ("warning", "dead-end", "states.c"),
    ]
    assert findings[0].problem == "unknown field 'blockng'." and findings[0].hint == "Did you mean 'blocking'?"


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"machine": {}, "states": 1}'])
def test_what_cannot_be_read_at_all_is_one_finding(tmp_path: Path, text: str) -> None:
    assert [f.code for f in checked(tmp_path, text)] == ["file"]


def test_a_duplicated_state_is_reported(tmp_path: Path) -> None:
    text = json.dumps(content()).replace('"b": {}', '"b": {}, "b": {}')
    assert [str(f) for f in checked(tmp_path, text)] == [
        "error [file] b: the key 'b' appears twice: the first one would be lost"
    ]


def test_a_missing_file_is_the_callers_mistake() -> None:
    with pytest.raises(OSError):
        lint_file("nowhere.json")


def test_unknown_actions_do_not_hide_the_rest(tmp_path: Path) -> None:
    wrong = content(
        states={"a": {"action": "peak"}, "b": {"action": "peek", "action_kwargs": {"deph": 1}}, "c": {}},
        transitions={"a": [edge("goo", "b")], "b": [edge("go", "a", action_kwargs={"c": 1, "delay": 2})]},
    )
    findings = checked(tmp_path, wrong)
    assert found(findings) == [
        ("error", "unknown-action", "states.a"),
        ("error", "unknown-argument", "states.b"),
        ("error", "unknown-action", "a -> b (goo)"),
        ("error", "unknown-argument", "b -> a (go)"),
        ("warning", "unreachable", "states.c"),
        ("warning", "dead-end", "states.c"),
    ]
    assert (findings[0].problem, findings[0].hint) == ("Actor has no action 'peak'.", "Did you mean 'peek'?")
    assert (findings[3].problem, findings[3].hint) == ("action 'go' has no argument 'c'.", "Known: a, b.")
    assert "unknown-action" not in {f.code for f in checked(tmp_path, wrong, None)}


def test_undecorated_methods_by_choice(tmp_path: Path) -> None:
    behavior = content(transitions={"a": [edge("undecorated", "b")], "b": [edge("go", "a")]})
    assert [f.code for f in checked(tmp_path, behavior)] == ["unknown-action"]
    assert checked(tmp_path, behavior, decorated_only=False) == []


def test_the_effective_order_is_noted_where_it_is_not_the_order_of_the_file(tmp_path: Path) -> None:
    behavior = content(transitions={"a": [edge("go", "b"), edge("alt", "a"), edge("nop", "b")], "b": [edge("go", "a")]})
    (finding,) = checked(tmp_path, behavior)
    assert (finding.level, finding.code, finding.where) == ("note", "order", "transitions.a")
    assert finding.problem == "the effective order is 1. go -> b, 2. nop -> b, 3. alt -> a."


def test_teleports_take_their_place_in_the_effective_order(tmp_path: Path) -> None:
    behavior = content(
        states={"a": {}, "b": {}, "c": {}},
        transitions={
            "a": [edge("go", "b"), edge("alt", "c")],
            "b": [edge("go", "c")],
            "c": [edge("go", "a")],
        },
        teleports={"a": [edge("peek", "b")], "all": [edge("nop", "c")]},
    )
    problems = {f.where: f.problem for f in checked(tmp_path, behavior) if f.code == "order"}
    assert problems == {"transitions.a": "the effective order is 1. go -> b, 2. peek -> b, 3. alt -> c, 4. nop -> c."}


def test_the_same_edge_twice(tmp_path: Path) -> None:
    behavior = content(transitions={"a": [edge("go", "b"), edge("go", "b")], "b": [edge("go", "a")]})
    assert found(checked(tmp_path, behavior)) == [("error", "duplicate", "a -> b (go)")]


def test_a_file_that_lints_without_errors_loads(tmp_path: Path) -> None:
    behavior = content(teleports={"all": [edge("serve", "a")], "b": [edge("nop", "b")]})
    assert all(f.level != "error" for f in checked(tmp_path, behavior))
    HybridStateMachine(Actor()).load(tmp_path / "guest.json")


# ---------------------------------------------------------------- the graph


def test_an_empty_machine() -> None:
    assert found(lint(Machine())) == [("error", "initial-state", "machine.initial_state")]


def test_unreachable_states(tmp_path: Path) -> None:
    behavior = content(
        states={"a": {}, "b": {}, "c": {}, "d": {}},
        transitions={
            "a": [edge("serve", "b")],
            "b": [edge("go", "a")],
            "c": [edge("go", "d")],
            "d": [edge("go", "c")],
        },
    )
    findings = checked(tmp_path, behavior)
    assert found(findings) == [("warning", "unreachable", "states.c"), ("warning", "unreachable", "states.d")]
    assert findings[0].problem == "no way leads here from the initial state 'a'."


def test_an_initial_state_that_does_not_exist(tmp_path: Path) -> None:
    wrong = content(machine={"role": "x", "initial_state": "aa", "options": {}})
    assert found(checked(tmp_path, wrong)) == [
        ("error", "file", "machine.initial_state"),
        ("error", "initial-state", "machine.initial_state"),
    ]


def test_dead_ends(tmp_path: Path) -> None:
    behavior = content(
        states={"a": {}, "b": {}, "c": {"action": "peek"}, "d": {"msg": "the end"}},
        transitions={"a": [edge("go", "b"), edge("go", "c"), edge("go", "d")]},
    )
    assert found(checked(tmp_path, behavior)) == [
        ("warning", "dead-end", "states.b"),
        ("note", "dead-end", "states.c"),
        ("note", "dead-end", "states.d"),
    ]


def test_endless_chains() -> None:
    hsm = machine()
    for name in "abcd":
        hsm.add_state(name, blocking=False)
    hsm.add_transit("a", "b", "go")
    hsm.add_transit("b", "c", "alt")
    hsm.add_transit("c", "a", "nop")
    hsm.add_transit("c", "d", "go")
    hsm.add_transit("d", "d", "go")
    findings = lint(hsm)
    assert found(findings) == [
        ("warning", "endless-chain", "states.a"),
        ("warning", "endless-chain", "states.d"),
    ]
    assert findings[0].problem.endswith("one tick goes round a -(go)-> b -(alt)-> c -(nop)-> a.")


@pytest.mark.parametrize(
    "change",
    [
        {"blocking": True},
        {"waiting_time": 1.0},
    ],
)
def test_a_chain_that_stops_somewhere_is_fine(change: dict[str, Any]) -> None:
    hsm = machine()
    for name in "ab":
        hsm.add_state(name, blocking=False)
    hsm.add_transit("a", "b", "go")
    hsm.add_transit("b", "a", "alt")
    assert found(lint(hsm)) == [("warning", "endless-chain", "states.a")]
    hsm.add_state("b", **change)
    assert lint(hsm) == []


@pytest.mark.parametrize("change", [{"delay": 1.0}, {"ready": False}])
def test_a_chain_whose_edges_do_not_fire_at_once_is_fine(change: dict[str, Any]) -> None:
    hsm = machine()
    for name in "ab":
        hsm.add_state(name, blocking=False)
    hsm.add_transit("a", "b", "go")
    hsm.add_transit("b", "a", "alt", **change)
    assert lint(hsm) == []


# ---------------------------------------------------------------- requests and arguments


def test_edges_that_nobody_can_request() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "serve")
    hsm.add_transit("b", "a", "go", ready=False)
    assert lint(hsm) == []
    findings = lint(hsm, requestable={"server"})
    assert found(findings) == [
        ("warning", "never-requested", "a -> b (serve)"),
        ("warning", "never-requested", "b -> a (go)"),
    ]
    assert findings[0].hint.endswith("Did you mean 'server'?")
    assert lint(hsm, requestable={"serve", "go"}) == []


def test_requested_names() -> None:
    first, second = machine(), machine()
    first.add_transit("a", "b", "send", {"action_name": "serve"})
    second.add_state("a", action="send", args={"action_name": "go"})
    second.add_transit("a", "b", "send")
    assert requested_names([first, second.machine]) == {"serve", "go"}
    assert requested_names([]) == set()
    second.add_transit("a", "b", "send", {"action_name": "<what>"})
    assert requested_names([first, second]) is None
    second.add_wildcards({"<what>": "alt"}, apply=True)
    assert requested_names([first, second]) == {"serve", "go", "alt"}


def test_an_argument_without_a_value() -> None:
    hsm = machine()
    hsm.add_state("a", action="need")
    hsm.add_transit("a", "b", "need")
    hsm.add_transit("b", "a", "need", ready=False)
    findings = lint(hsm)
    assert found(findings) == [
        ("warning", "missing-argument", "states.a"),
        ("warning", "missing-argument", "a -> b (need)"),
    ]
    assert "with no value for 'value'" in findings[0].problem and "ready" not in findings[0].hint
    assert findings[1].hint.endswith("or set ready to false.")


# ---------------------------------------------------------------- wildcards


def test_wildcards_without_a_value() -> None:
    hsm = machine()
    hsm.set_welcome_message("hi <who>, <agent>")
    hsm.add_state("a", msg="in <where>", action="go", args={"a": ["<what>", {"k": "say <what>"}]})
    hsm.add_transit("a", "b", "go", {"b": "<b>"}, msg="<b>go</b> to <where>", delay="<pause>")
    hsm.add_transit("b", "a", "go", {"a": "<partner> <role> <world>"}, retry_timeout="1<pause>")
    assert found(lint(hsm)) == [
        ("error", "wildcard", "a -> b (go)"),
        ("error", "wildcard", "b -> a (go)"),
        ("warning", "wildcard", "states.a"),
        ("warning", "wildcard", "a -> b (go)"),
        ("note", "wildcard", "a -> b (go)"),
        ("note", "wildcard", "states.a"),
        ("note", "wildcard", "machine.msg"),
    ]
    values = {"<who>": "Ann", "<where>": "here", "<what>": 1, "<b>": "x", "<pause>": 2}
    hsm.add_wildcards(values)
    assert found(lint(hsm)) == [("warning", "wildcard", "states.a")], "a number is no part of a text"
    hsm.add_wildcards({"<what>": "1"}, apply=True)
    assert lint(hsm) == []


def test_wildcards_of_a_file(tmp_path: Path) -> None:
    behavior = content(transitions={"a": [edge("go", "b", delay="<pause>")], "b": [edge("go", "a")]})
    (finding,) = checked(tmp_path, behavior)
    assert finding.problem == "delay is the text '<pause>', not a number of seconds."
    assert [f.problem for f in checked(tmp_path, behavior, wildcards={"<pause>": "soon"})] == [
        "delay is the text 'soon', not a number of seconds."
    ]
    assert checked(tmp_path, behavior, wildcards={"<pause>": 2}) == []


def test_the_playlist_and_the_valid_agents_are_no_wildcards_and_engaging_is_a_request() -> None:
    from unaiverse_lab import Agent, HybridStateMachine
    from unaiverse_lab.behavior.lint import lint, requested_names

    hsm = HybridStateMachine(Agent(proc=None))
    hsm.add_transit("a", "b", "send_engage")
    hsm.add_transit("b", "a", "send", args={"action_name": "learn", "streams": ["<playlist>"], "target": "<valid_cmp>"})
    assert requested_names([hsm]) == {"engage", "learn"}
    assert not [finding for finding in lint(hsm.machine) if finding.code == "wildcard"]
