"""The building API: states, transitions, teleports, plugged behaviors, wildcards, automatic messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.core.errors import BehaviorError

from .stage import Actor, Stage, content, edge, machine


def names(hsm: HybridStateMachine, source: str) -> list[tuple[str, str]]:
    return [(e.name, e.target) for e in hsm.machine.edges_from(source)]


def only(hsm: HybridStateMachine, source: str = "a", target: str = "b") -> Any:
    (found,) = hsm.transitions[source][target]
    return found


# ---------------------------------------------------------------- states


def test_the_first_state_is_the_initial_one() -> None:
    hsm = machine()
    assert (hsm.state, hsm.initial_state) == (None, None)
    hsm.add_state("a")
    hsm.add_state("b")
    assert (hsm.state, hsm.initial_state) == ("a", "a")


def test_a_state_is_updated_only_where_something_is_given() -> None:
    hsm = machine()
    hsm.add_state("a", action="peek", args={"depth": 1}, waiting_time=2, blocking=False, msg="here", msg_action="look")
    hsm.add_state("a", msg="there")
    state = hsm.states["a"]
    assert (state.msg, state.blocking, state.waiting_time) == ("there", False, 2.0)
    assert state.action is not None and (state.action.args, state.action.msg) == ({"depth": 1}, "look")
    hsm.add_state("a", action="nop", waiting_time=0.0, blocking=True)
    assert (hsm.states["a"].action.name, hsm.states["a"].waiting_time, hsm.states["a"].blocking) == (
        "nop",
        0.0,
        True,
    )  # type: ignore[union-attr]
    assert hsm.states["a"].msg == "there"


def test_updating_a_state_keeps_its_transitions() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "go")
    hsm.add_state("a", blocking=False)
    assert names(hsm, "a") == [("go", "b")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"state": "all"}, "'all' stands for every state"),
        ({"state": "a", "action": "peak"}, "state 'a': Actor has no action 'peak'. Did you mean 'peek'"),
        (
            {"state": "a", "action": "peek", "args": {"deep": 1}},
            "action 'peek' has no argument 'deep'. Did you mean 'depth'",
        ),
        (
            {"state": "a", "waiting_time": "soon"},
            "state 'a': waiting_time is a number of seconds, not 'soon'",
        ),
        ({"state": "a", "waiting_time": float("nan")}, "state 'a': a time is a number of seconds"),
    ],
)
def test_wrong_states(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(BehaviorError) as caught:
        machine().add_state(**arguments)
    assert says in str(caught.value)


def test_a_machine_needs_an_agent() -> None:
    with pytest.raises(BehaviorError, match="needs an agent"):
        HybridStateMachine(None)


# ---------------------------------------------------------------- transitions


@pytest.mark.parametrize(
    ("action", "options", "ready"),
    [
        ("go", {}, True),
        ("serve", {}, False),
        ("go", {"ready": False}, False),
        ("serve", {"ready": True}, True),
        ("serve", {"ready": False, "avoid_changing_ready": True}, False),
        ("serve", {"avoid_changing_ready": True}, True),
        ("go", {"avoid_changing_ready": True}, True),
    ],
)
def test_ready(action: str, options: dict[str, bool], ready: bool) -> None:
    hsm = machine()
    hsm.add_transit("a", "b", action, **options)  # type: ignore[arg-type]
    hsm.add_teleport("a", "c", action, **options)  # type: ignore[arg-type]
    assert only(hsm).ready is only(hsm, target="c").ready is ready


@pytest.mark.parametrize(
    "times",
    [
        {"total_time": 1, "timeout": 2, "delay": 3},
        {"max_duration": 1, "retry_timeout": 2, "delay": 3},
        {"args": {"max_duration": 1, "retry_timeout": "2", "delay": 3.0}},
        {
            "args": {"max_duration": 1, "retry_timeout": 2, "delay": 3},
            "total_time": 9,
            "timeout": 9,
            "delay": 9,
        },
        {"total_time": 9, "max_duration": 1, "timeout": 9, "retry_timeout": 2, "delay": 3},
    ],
)
@pytest.mark.parametrize("method", ["add_transit", "add_teleport", "add_global_teleport"])
def test_times_by_either_name(times: dict[str, Any], method: str) -> None:
    hsm = machine()
    hsm.add_state("a")
    hsm.add_state("b")
    ends = ("b",) if method == "add_global_teleport" else ("a", "b")
    getattr(hsm, method)(*ends, "go", **times)
    found = only(hsm)
    assert (found.max_duration, found.retry_timeout, found.delay) == (1.0, 2.0, 3.0)
    assert found.args == {}


@pytest.mark.parametrize(("given", "kept"), [(-1, 0.0), ("-2", 0.0), ("<pause>", "<pause>"), (2, 2.0)])
def test_times_are_clamped_or_left_to_wildcards(given: Any, kept: Any) -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "go", delay=given)
    assert only(hsm).delay == kept


@pytest.mark.parametrize("value", [float("nan"), True, None, [1]])
def test_what_is_no_time(value: Any) -> None:
    with pytest.raises(BehaviorError, match="a -> b: a time is a number of seconds or a text with a wildcard"):
        machine().add_transit("a", "b", "go", delay=value)


@pytest.mark.parametrize(
    ("action", "args", "says"),
    [
        ("goo", {}, "a -> b: Actor has no action 'goo'. Did you mean 'go'"),
        ("undecorated", {}, "Actor.undecorated is not an action: put '@action' above its definition"),
        ("plain_method", {}, "write it as 'async def plain_method(self, ...)'"),
        ("attribute", {}, "Actor.attribute is not an action: it is not a method"),
        ("go", {"c": 1}, "action 'go' has no argument 'c'. Known: a, b."),
        ("serve", {"interaction": 1}, "has no argument 'interaction'. It is filled in by the machine."),
        ("go", {"action_kwargs": {}}, "action 'go' has no argument 'action_kwargs'"),
        ("go", {"num_steps": 0}, "num_steps must be a positive whole number, not 0"),
        ("go", {"num_steps": True}, "num_steps must be a positive whole number, not True"),
        ("go", {"num_steps": 1.5}, "num_steps must be a positive whole number, not 1.5"),
    ],
)
def test_wrong_transitions(action: str, args: dict[str, Any], says: str) -> None:
    hsm = machine()
    with pytest.raises(BehaviorError) as caught:
        hsm.add_transit("a", "b", action, args)
    assert says in str(caught.value)
    assert list(hsm.get_states()) == []


def test_interaction_fields_are_arguments_of_every_action() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "go", {"a": 1, "num_steps": 3, "streams": ["x"], "volatile": True})
    assert only(hsm).given == {"a": 1}
    assert only(hsm).fields == {"num_steps": 3, "streams": ["x"], "volatile": True}


def test_send_may_fix_the_arguments_of_the_request() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "send", {"action_name": "go", "action_kwargs": {"a": 1}})
    assert only(hsm).args["action_kwargs"] == {"a": 1}


def test_undecorated_methods_by_choice() -> None:
    hsm = machine(decorated_only=False)
    hsm.add_transit("a", "b", "undecorated")
    assert names(hsm, "a") == [("undecorated", "b")]


def test_only_truly_equal_transitions_are_refused() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "go", {"a": 3})
    hsm.add_transit("a", "b", "go", {"b": 4})
    hsm.add_transit("a", "b", "go", {"a": 3}, delay=1)
    hsm.add_transit("a", "c", "go", {"a": 3})
    hsm.add_transit("a", "b", "go", {"a": 3}, high_priority=True)
    with pytest.raises(BehaviorError, match="a -> b: the transition by 'go' with these arguments is there already"):
        hsm.add_transit("a", "b", "go", {"a": 3})


def test_unknown_states_are_created_blocking() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "go")
    assert list(hsm.get_states()) == ["a", "b"] and hsm.states["b"].blocking and hsm.state == "a"


def test_from_all_means_all_known_now_but_the_destination() -> None:
    hsm = machine()
    for name in "abc":
        hsm.add_state(name)
    hsm.add_transit("all", "b", "go")
    hsm.add_global_teleport("c", "nop", high_priority=True)
    hsm.add_state("d")
    assert [names(hsm, name) for name in "abcd"] == [
        [("go", "b"), ("nop", "c")],
        [("nop", "c")],
        [("go", "b")],
        [],
    ]
    assert [e.teleport for e in hsm.machine.edges_from("a")] == [False, True]
    assert only(hsm, "a", "c").high_priority


# ---------------------------------------------------------------- plugging


@pytest.fixture
def part(tmp_path: Path) -> str:
    path = tmp_path / "part.JSON"
    plugged = content(
        machine={"role": "part", "initial_state": "a", "msg": "welcome", "options": {}},
        states={"a": {"msg": "part a", "blocking": False, "action": "peek"}, "b": {}},
        teleports={"b": [edge("nop", "b")]},
    )
    path.write_text(json.dumps(plugged), encoding="utf-8")
    return str(path)


def test_a_plugged_behavior(part: str) -> None:
    hsm = machine()
    hsm.set_role("host")
    hsm.add_state("start")
    hsm.add_transit("start", part, "go", {"a": 1}, retry_timeout=2)
    assert list(hsm.get_states()) == ["start", "a", "b"]
    assert names(hsm, "start") == [("go", "a")] and only(hsm, "start", "a").retry_timeout == 2.0
    assert names(hsm, "a") == [("go", "b")] and names(hsm, "b") == [("alt", "a"), ("nop", "b")]
    assert (hsm.state, hsm.initial_state, hsm.role, hsm.welcome_msg) == ("start", "start", "host", None)
    assert hsm.get_wildcards()["<role>"] == "host"


def test_names_taken_already_are_renamed_with_all_that_belongs_to_them(part: str) -> None:
    hsm = machine()
    hsm.add_state("a", msg="host a")
    hsm.add_transit("a", part, "go")
    hsm.add_transit("a", part, "alt")
    assert list(hsm.get_states()) == ["a", "a.1", "b", "a.2", "b.1"]
    assert hsm.states["a"].msg == "host a" and hsm.states["a"].blocking and hsm.states["a"].action is None
    for first, second in (("a.1", "b"), ("a.2", "b.1")):
        state = hsm.states[first]
        assert (state.msg, state.blocking) == ("part a", False)
        assert state.action is not None and state.action.name == "peek"
        assert names(hsm, first) == [("go", second)]
        assert names(hsm, second) == [("alt", first), ("nop", second)]
    assert names(hsm, "a") == [("go", "a.1"), ("alt", "a.2")]


@pytest.mark.parametrize("started", [False, True])
def test_the_state_it_is_plugged_into_may_be_new(part: str, started: bool) -> None:
    hsm = machine()
    if started:
        hsm.add_state("start")
    hsm.add_transit("a", part, "go")
    assert list(hsm.get_states()) == [*(["start"] if started else []), "a", "a.1", "b"]
    assert names(hsm, "a") == [("go", "a.1")]


def test_plugging_the_same_part_into_its_own_part_does_not_share_anything(part: str) -> None:
    hsm = machine()
    hsm.add_transit("s", part, "go")
    hsm.add_transit("s", part, "alt")
    hsm.states["a"].set_msg("changed")
    hsm.transitions["a"]["b"][0].delay = 7.0
    assert hsm.states["a.1"].msg == "part a" and only(hsm, "a.1", "b.1").delay == 0.0


def test_include_as_a_copy_takes_everything_over() -> None:
    other = machine().load(content(machine={"role": "guest", "initial_state": "a", "msg": "hello", "options": {}}))
    other.set_state("b")
    other.show_ticks_in_action_messages(True)
    hsm = machine()
    assert hsm.include(other, make_a_copy=True) == {"a": "a", "b": "b"}
    assert (hsm.role, hsm.welcome_msg, hsm.initial_state, hsm.state) == ("guest", "hello", "a", "b")
    assert hsm.show_action_completion and str(hsm) == str(other)
    hsm.states["a"].set_blocking(False)
    assert other.states["a"].blocking


def test_include_checks_the_actions_on_its_own_agent() -> None:
    class Other:
        async def go(self) -> bool:
            return True

    hsm = HybridStateMachine(Other())
    with pytest.raises(BehaviorError, match=r"Other\.go is not an action: put '@action'"):
        hsm.include(machine().load(content()))


# ---------------------------------------------------------------- wildcards


def test_the_four_defaults_stand_for_themselves_and_the_dict_is_used_by_reference() -> None:
    mine: dict[str, Any] = {"<x>": 1, "<agent>": "me"}
    hsm = machine(wildcards=mine)
    assert hsm.get_wildcards() is mine
    assert mine == {
        "<x>": 1,
        "<agent>": "me",
        "<world>": "<world>",
        "<partner>": "<partner>",
        "<role>": "<role>",
    }


@pytest.mark.parametrize(
    ("wildcards", "given", "value"),
    [
        ({"<x>": "1"}, "a<x>b<x>", "a1b1"),
        ({"<x>": 5}, "<x>", 5),
        ({"<x>": 5}, "a<x>", "a<x>"),
        ({"<x>": ["p", "q"]}, {"k": ["<x>", "<x>!"]}, {"k": [["p", "q"], "<x>!"]}),
        ({"<x>": "<y>", "<y>": "z"}, "<x>", "z"),
        ({"<x>": "1"}, {"<x>": "<x>"}, {"<x>": "1"}),
        ({"<x>": "1"}, 3, 3),
    ],
)
def test_wildcards_in_arguments(wildcards: dict[str, Any], given: Any, value: Any) -> None:
    hsm = machine(wildcards=wildcards)
    hsm.add_transit("a", "b", "go", {"a": given})
    hsm.add_state("a", action="go", args={"a": given})
    hsm.apply_wildcards()
    assert only(hsm).args == only(hsm).given == {"a": value}
    assert hsm.states["a"].action is not None and hsm.states["a"].action.args == {"a": value}


def test_wildcards_in_messages_and_times_always_start_from_the_original() -> None:
    hsm = machine(wildcards={"<n>": 2})
    hsm.add_state("a", msg="wait <n> s", action="peek", msg_action="<n>?")
    hsm.add_transit("a", "b", "go", msg="<n>!", delay="<n>", max_duration="<n>0", retry_timeout="1<n>")
    for number in (2, 3):
        hsm.add_wildcards({"<n>": number}, apply=True)
        found = only(hsm)
        assert (found.delay, found.max_duration, found.retry_timeout) == (
            number,
            number * 10.0,
            10.0 + number,
        )
        assert (hsm.states["a"].msg, found.msg) == (f"wait {number} s", f"{number}!")
        assert hsm.states["a"].action is not None and hsm.states["a"].action.msg == f"{number}?"


def test_a_text_assigned_later_is_the_new_original() -> None:
    hsm = machine(wildcards={"<n>": 2})
    hsm.add_state("a", msg="<n>")
    hsm.apply_wildcards()
    hsm.states["a"].set_msg("now <n>")
    hsm.add_wildcards({"<n>": 3}, apply=True)
    assert hsm.states["a"].msg == "now 3"


def test_a_time_that_does_not_become_a_number() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "go", delay="<n>")
    with pytest.raises(BehaviorError, match=r"a time did not become a number of seconds: .*'soon'"):
        hsm.add_wildcards({"<n>": "soon"}, apply=True)


def test_changing_wildcards() -> None:
    hsm = machine(wildcards={"<x>": "1"})
    hsm.add_transit("a", "b", "go", {"a": "<x><role>"})
    hsm.set_role("guest")
    assert only(hsm).args == {"a": "1guest"}
    assert hsm.update_wildcard("<y>", "2") is False and "<y>" not in hsm.get_wildcards()
    assert hsm.update_wildcard("<x>", "2", apply=True) is True
    assert only(hsm).args == {"a": "2guest"}
    hsm.set_wildcards(None, apply=True)
    assert only(hsm).args == {"a": "<x><role>"}


def test_another_agent_takes_the_machine_over() -> None:
    first, second = Actor(), Actor()
    hsm = machine(first).load(content())
    hsm.set_actionable(second)
    Stage(hsm).tick()
    assert (first.calls, second.calls) == ([], [("go", {"a": None, "b": None})])


# ---------------------------------------------------------------- automatic messages


def test_automatic_messages() -> None:
    hsm = machine()
    hsm.add_state("wait_here", action="peek")
    hsm.add_state("b", msg="at B")
    hsm.add_transit("wait_here", "b", "go", msg="off")
    hsm.add_transit("b", "wait_here", "alt")
    for _ in range(2):
        hsm.generate_auto_messages()
        assert [s.msg for s in hsm.get_all_states()] == ["📍 Wait here", "at B"]
        assert [c.msg for c in hsm.get_all_actions()] == ["📍 Peek", "off", "🚀 Alt"]
    for _ in range(2):
        hsm.generate_auto_messages(force=True)
        assert [s.msg for s in hsm.get_all_states()] == ["📍 Wait here", "📍 B [at B]"]
        assert [c.msg for c in hsm.get_all_actions()] == ["📍 Peek", "🚀 Go [off]", "🚀 Alt"]


def test_debug_messages_come_and_go() -> None:
    hsm = machine()
    hsm.add_state("a", action="peek", msg="<b>old</b>")
    hsm.add_transit("a", "b", "go")
    before = str(hsm)
    for _ in range(2):
        hsm.set_debug_messages_active(True)
    assert hsm.show_blocking_states and hsm.show_action_completion and hsm.show_action_request_info
    assert [s.msg for s in hsm.get_all_states()] == ["📍 A [<b>old</b>]", "📍 B"]
    for _ in range(2):
        hsm.set_debug_messages_active(False)
    assert str(hsm) == before
