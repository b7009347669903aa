"""One tick: the worked traces of the manual, and what each rule of the tick means alone."""

from __future__ import annotations

from typing import Any

import pytest

from unaiverse_lab.behavior import HybridStateMachine, action
from unaiverse_lab.core.errors import BehaviorError
from unaiverse_lab.core.interaction import Interaction
from unaiverse_lab.core.records import Moved, Tried

from .stage import Actor, Stage, content, edge, machine, request

# ---------------------------------------------------------------- the chat world's user


class User(Actor):
    @action
    async def connect(self) -> Any:
        return self.play("connect")

    @action
    async def connected(self) -> Any:
        return self.play("connected")

    @action
    async def disconnected(self) -> Any:
        return self.play("disconnected")

    @action
    async def check(self) -> Any:
        return self.play("check")

    @action
    async def generate(self) -> Any:
        return self.play("generate")


CHAT: dict[str, Any] = {
    "machine": {"role": "user", "initial_state": "init", "msg": "w", "options": {}},
    "states": {
        "init": {},
        "handshake": {"blocking": False},
        "ready": {"action": "check", "msg": "r"},
        "sent": {"blocking": False},
    },
    "transitions": {
        "init": [edge("connect", "handshake", msg="c")],
        "handshake": [edge("connected", "ready"), edge("disconnected", "init", delay=5)],
        "ready": [edge("disconnected", "init", delay=5), edge("generate", "sent")],
        "sent": [edge("nop", "ready")],
    },
    "teleports": {"handshake": [edge("nop", "init", delay=15)]},
}

T, F = True, False

CHAT_TICKS = [
    # t, outcomes of this tick, what happens, state after, changed
    (0, {"connect": F}, ["w", "c", "connect failed"], "init", F),
    (1, {"connected": F}, ["c", "connect -> handshake", "connected failed"], "handshake", T),
    (2, {"connected": F}, ["connected failed"], "handshake", F),
    (3, {}, ["connected -> ready"], "ready", T),
    (4, {"generate": F}, ["r", "(check)", "generate failed"], "ready", F),
    (5, {"generate": F}, ["(check)", "generate failed"], "ready", F),
    (6, {}, ["(check)", "generate -> sent", "nop -> ready"], "ready", T),
    (7, {"generate": F}, ["r", "(check)", "generate failed"], "ready", F),
    *[(t, {"generate": F}, ["(check)", "generate failed"], "ready", F) for t in range(8, 13)],
    *[
        (
            t,
            {"generate": F, "disconnected": F},
            ["(check)", "disconnected failed", "generate failed"],
            "ready",
            F,
        )
        for t in (13, 14)
    ],
    (15, {"generate": F}, ["(check)", "disconnected -> init"], "init", T),
    (16, {"connect": F}, ["c", "connect failed"], "init", F),
    (17, {}, ["c", "connect -> handshake", "connected -> ready"], "ready", T),
    (18, {"generate": F}, ["r", "(check)", "generate failed"], "ready", F),
]


def test_chat_user() -> None:
    user = User()
    stage = Stage(machine(user).load(CHAT))
    for t, outcomes, happens, state, changed in CHAT_TICKS:
        user.script = {name: [outcome] for name, outcome in outcomes.items()}
        assert (t, stage.tick(), stage.where) == (t, happens, state)
        # a tick that ends where it began has not changed the state, chains included
        assert stage.changed is changed


def test_chat_user_when_the_handshake_never_completes() -> None:
    stage = Stage(machine(User(connected=F, disconnected=F)).load(CHAT))
    assert stage.tick() == ["w", "c", "connect -> handshake", "connected failed"]
    for _ in range(1, 6):
        assert stage.tick() == ["connected failed"]
    for _ in range(6, 16):
        assert stage.tick() == ["connected failed", "disconnected failed"]
    assert stage.tick() == ["connected failed", "disconnected failed", "nop -> init"]
    assert stage.tick()[:2] == ["c", "connect -> handshake"]


# ---------------------------------------------------------------- the chat world's broadcaster


def test_chat_broadcaster_serves_one_request_a_tick() -> None:
    actor = Actor(serve=[True, True, False, True])
    hsm = machine(actor)
    hsm.add_transit("ready", "ready", "serve", ready=False)
    stage = Stage(hsm)
    asked = {name: request("serve", by, name) for name, by in zip("1234", ["ann", "ann", "bob", "eve"], strict=True)}
    table = [
        # intake, what happens, queue after
        ("", [], ""),
        ("1", ["serve -> ready"], ""),
        ("23", ["serve -> ready"], "3"),
        ("", ["serve failed"], "3"),
        ("", ["serve -> ready"], ""),
        ("4", ["serve -> ready"], ""),
    ]
    for intake, happens, queue in table:
        for name in intake:
            assert hsm.request_action(asked[name])
        assert stage.tick() == happens and stage.changed is False
        assert "".join(waiting.id for _, waiting in hsm.pending_requests()) == queue
    assert [given["by"] for _, given in actor.calls] == ["ann", "ann", "bob", "bob", "eve"]
    assert asked["4"].destination_state == "ready"


# ---------------------------------------------------------------- retry and limbo


def test_retry_and_limbo() -> None:
    hsm = machine(Actor(go=False, alt=False))
    hsm.add_state("a", action="peek")
    hsm.add_transit("a", "b", "go", retry_timeout=3)
    hsm.add_transit("a", "c", "alt")
    stage = Stage(hsm)
    table = [
        (["(peek)", "go again"], "~a", True),
        (["go again"], "~a", False),
        (["go again"], "~a", False),
        (["go timeout", "alt failed"], "a", True),
        (["(peek)", "go again"], "~a", True),
    ]
    for happens, where, changed in table:
        assert (stage.tick(), stage.where, stage.changed) == (happens, where, changed)
    assert hsm.get_action_name() == "go" and hsm.get_action_step_idx() == -1


def test_max_duration_alone_does_nothing_to_a_single_step() -> None:
    hsm = machine(Actor(go=False))
    hsm.add_transit("a", "b", "go", max_duration=1)
    stage = Stage(hsm)
    assert [stage.tick() for _ in range(3)] == [["go failed"]] * 3


@pytest.mark.parametrize(("most", "retry", "gives_up_at"), [(2, 5, 2), (5, 2, 2), (0, 3, 3)])
def test_whichever_limit_comes_first(most: float, retry: float, gives_up_at: int) -> None:
    hsm = machine(Actor(go=False))
    hsm.add_transit("a", "b", "go", max_duration=most, retry_timeout=retry)
    stage = Stage(hsm)
    for _ in range(gives_up_at):
        assert stage.tick() == ["go again"]
    assert stage.tick() == ["go timeout"]


# ---------------------------------------------------------------- waiting, delays, blocking


def test_waiting_time_starts_at_the_first_tick_in_the_state_and_ends_on_the_dot() -> None:
    hsm = machine()
    hsm.add_state("a", action="peek", waiting_time=2)
    hsm.add_transit("a", "b", "go")
    stage = Stage(hsm)
    assert [stage.tick() for _ in range(3)] == [["(peek)"], ["(peek)"], ["(peek)", "go -> b"]]


def test_a_request_interrupts_the_waiting_but_not_the_delay() -> None:
    hsm = machine()
    hsm.add_state("a", waiting_time=9)
    hsm.add_transit("a", "b", "go")
    hsm.add_transit("a", "c", "alt", delay=1)
    stage = Stage(hsm)
    hsm.request_action(request("alt"))
    assert [stage.tick() for _ in range(3)] == [[], [], ["alt -> c"]]


def test_a_tie_of_a_delay_is_still_too_early() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "go", delay=2)
    stage = Stage(hsm)
    assert [stage.tick() for _ in range(4)] == [[], [], [], ["go -> b"]]


def test_a_self_loop_restarts_waiting_and_delays_and_does_not_repeat_the_message() -> None:
    hsm = machine()
    hsm.add_state("a", waiting_time=1, msg="here")
    hsm.add_transit("a", "a", "go")
    hsm.add_transit("a", "b", "alt", delay=1)
    stage = Stage(hsm)
    assert [stage.tick() for _ in range(5)] == [["here"], ["go -> a"], [], ["go -> a"], []]


def test_a_non_blocking_state_is_entered_and_left_in_the_same_tick() -> None:
    hsm = machine()
    hsm.add_state("a")
    hsm.add_state("b", action="peek", blocking=False, msg="b!")
    hsm.add_state("c", msg="c!")
    hsm.add_transit("a", "b", "go")
    hsm.add_transit("b", "c", "alt")
    stage = Stage(hsm)
    assert stage.tick() == ["go -> b", "b!", "(peek)", "alt -> c"]
    assert stage.tick() == ["c!"]
    assert stage.tick() == [] and stage.where == "c"


def test_candidates_of_a_pending_action_are_not_chosen_anew() -> None:
    hsm = machine(Actor(go=False))
    hsm.add_transit("a", "b", "go", retry_timeout=1)
    hsm.add_transit("a", "c", "alt", delay=0.5)
    stage = Stage(hsm)
    assert [stage.tick() for _ in range(2)] == [["go again"], ["go timeout"]]
    assert stage.tick() == ["go again"]


def test_marks_ticks_and_request_info() -> None:
    hsm = machine(Actor(go=[False, True], serve=[True]))
    hsm.add_state("a", msg="at a")
    hsm.add_state("b", msg="at b", blocking=False)
    hsm.add_transit("a", "b", "go", msg="going")
    hsm.add_transit("b", "a", "serve", msg="serving", ready=False)
    hsm.show_ticks_in_action_messages()
    hsm.show_marks_in_blocking_state_messages()
    hsm.show_request_info_in_action_messages()
    stage = Stage(hsm)
    system = "going (requester: system, interaction uuid: sys_system, #interactions: 0)"
    assert stage.tick() == ["at a 🔴", system, "go failed", "   ❌ "]
    assert stage.tick() == [system, "go -> b", "   ✅ ", "at b 🟢"]
    hsm.request_action(request("serve"))
    served = "serving (requester: ann, interaction uuid: r1_ann, #interactions: 1)"
    assert stage.tick() == [served, "serve -> a", "   ✅ "]


# ---------------------------------------------------------------- steps


def steps(actor: Actor, **options: Any) -> HybridStateMachine:
    hsm = machine(actor)
    hsm.add_transit("a", "b", "go", {"num_steps": 3}, **options)
    return hsm


def test_an_action_of_several_steps_takes_one_a_tick() -> None:
    stage = Stage(steps(Actor()))
    assert [stage.tick() for _ in range(3)] == [["go step"], ["go step"], ["go -> b"]]


def test_a_failing_first_step_is_an_ordinary_failure() -> None:
    stage = Stage(steps(Actor(go=[False, True]), retry_timeout=5))
    assert [stage.tick() for _ in range(2)] == [["go failed"], ["go step"]]


def test_a_later_step_is_tried_again_and_running_out_of_time_counts_as_done() -> None:
    stage = Stage(steps(Actor(go=[True, False]), retry_timeout=2))
    assert [stage.tick() for _ in range(3)] == [["go step"], ["go again"], ["go timeout", "go -> b"]]


def test_the_default_retry_of_steps_is_ten_seconds_and_does_not_stick() -> None:
    hsm = steps(Actor(go=[True, False]))
    stage = Stage(hsm)
    assert stage.tick() == ["go step"]
    for _ in range(9):
        assert stage.tick() == ["go again"]
    assert stage.tick() == ["go timeout", "go -> b"]
    assert hsm.transitions["a"]["b"][0].retry_timeout == 0.0


# ---------------------------------------------------------------- requests


def test_a_request_waits_for_its_state() -> None:
    hsm = machine(Actor(go=[False, True]))
    hsm.add_transit("a", "b", "go")
    hsm.add_transit("b", "c", "serve", ready=False)
    stage = Stage(hsm)
    assert hsm.request_action(request("serve", from_state="b", args={"text": "hi"}))
    assert [stage.tick() for _ in range(3)] == [["go failed"], ["go -> b"], ["serve -> c"]]
    assert hsm.agent.calls[-1] == ("serve", {"text": "hi", "by": "ann"})


def test_a_request_gives_the_arguments_the_machine_does_not_fix() -> None:
    actor = Actor()
    hsm = machine(actor, wildcards={"<x>": "wild"})
    hsm.add_transit("a", "a", "go", {"a": 1})
    stage = Stage(hsm)
    hsm.request_action(request("go", args={"b": "<x>", "a": 1}))
    assert stage.tick() == ["go -> a"]
    assert actor.calls == [("go", {"a": 1, "b": "wild"})]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (request("fly"), "there is no action 'fly' in state 'a'"),
        (request("go", args={"a": 2}), "the action 'go' in state 'a' does not take these arguments"),
        (request("go", args={"z": 2}), "the action 'go' in state 'a' does not take these arguments"),
        (request("go", from_state="z"), "there is no state 'z'"),
        (request("go", to_state="z"), "no transition leads from 'a' to 'z'"),
        (request("go", num_steps=0), "num_steps is 0: nothing to do"),
        (request("alt"), "the action 'alt' does not accept requests in state 'a'"),
    ],
)
def test_requests_that_nothing_can_serve_are_told_why(asked: Interaction, why: str) -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "go", {"a": 1})
    hsm.add_transit("a", "b", "alt")
    hsm.transitions["a"]["b"][1].set_as_ready()
    assert hsm.request_action(asked) is False
    assert asked.detail == why and hsm.pending_requests() == []


def test_the_same_request_again_replaces_itself() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "serve", ready=False)
    for by, text in (("ann", "1"), ("bob", "2"), ("ann", "3")):
        hsm.request_action(request("serve", by, args={"text": text}))
    assert [waiting.action_kwargs["text"] for _, waiting in hsm.pending_requests()] == ["3", "2"]


def test_a_failed_request_leaves_room_for_the_others_in_the_same_tick() -> None:
    hsm = machine(Actor(serve=False))
    hsm.add_transit("a", "b", "serve", ready=False)
    hsm.add_transit("a", "c", "go")
    stage = Stage(hsm)
    for by in ("ann", "bob"):
        hsm.request_action(request("serve", by))
    assert stage.tick() == ["serve failed", "serve failed", "go -> c"]
    tried = [r.requester for r in hsm.surroundings.records if isinstance(r, Tried)]
    assert tried == ["ann", "bob"]


def test_what_ran_only_on_request_does_not_run_once_the_request_is_gone() -> None:
    hsm = machine(Actor(go=False))
    hsm.add_transit("a", "b", "go", retry_timeout=2)
    hsm.add_transit("a", "c", "serve", ready=False)
    hsm.set_policy(lambda candidates: (0, None))
    stage = Stage(hsm)
    asked = request("serve")
    hsm.request_action(asked)
    assert stage.tick() == ["go again"]
    hsm.set_policy(None)
    hsm.drop_request(asked)
    assert [stage.tick() for _ in range(2)] == [["go again"], ["go timeout"]]


def test_the_record_of_a_served_request_names_it() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "serve", ready=False)
    hsm.request_action(request("serve"))
    Stage(hsm).tick()
    (moved,) = hsm.surroundings.records
    assert isinstance(moved, Moved)
    assert (moved.requester, moved.uuid, moved.source, moved.target, moved.edge) == (
        "ann",
        "r1_ann",
        "a",
        "b",
        0,
    )


# ---------------------------------------------------------------- what stops a machine


def test_an_endless_chain_is_stopped_and_explained() -> None:
    hsm = machine()
    hsm.add_state("a", blocking=False)
    hsm.add_state("b", blocking=False)
    hsm.add_transit("a", "b", "go")
    hsm.add_transit("b", "a", "alt")
    stage = Stage(hsm)
    stage.tick()
    (fault,) = stage.faults
    assert "1000 transitions in one tick without reaching a blocking state (a -> b -> a)" in fault.error
    assert "Make one of these states blocking" in fault.error
    assert not hsm.is_enabled() and stage.tick() == []
    hsm.states["b"].set_blocking(True)
    hsm.enable(True)
    assert stage.tick() == ["go -> b"]


def test_the_bound_is_generous_but_can_be_changed() -> None:
    hsm = machine(Actor(go=[True] * 40 + [False]))
    hsm.add_state("a", blocking=False)
    hsm.add_transit("a", "a", "go")
    hsm.max_transitions = 50
    stage = Stage(hsm)
    assert len(stage.tick()) == 41 and hsm.is_enabled()


@pytest.mark.parametrize("name", ["delay", "retry_timeout", "max_duration"])
def test_a_machine_with_a_time_without_a_value_does_not_run_and_lists_it(name: str) -> None:
    hsm = machine(Actor(go=False))
    hsm.add_transit("a", "b", "go", **{"retry_timeout": 9, name: "<pause>"})  # type: ignore[arg-type]
    stage = Stage(hsm)
    with pytest.raises(BehaviorError, match=rf"cannot run: a -> b \(go\): {name} is '<pause>'"):
        stage.tick()
    assert stage.where == "a"
    hsm.add_wildcards({"<pause>": 0}, apply=True)
    assert stage.tick() in (["go again"], ["go failed"])


def test_a_state_without_transitions_is_a_dead_end_not_an_error() -> None:
    hsm = machine()
    hsm.add_state("a", action="peek")
    stage = Stage(hsm)
    assert stage.tick() == ["(peek)"] and stage.faults == []


def test_an_empty_machine_does_nothing() -> None:
    assert Stage(machine()).tick() == []


def test_a_machine_loaded_in_the_middle_starts_over() -> None:
    hsm = machine(Actor(go=False))
    hsm.load(content(transitions={"a": [edge("go", "b", retry_timeout=3)]}))
    stage = Stage(hsm)
    assert stage.tick() == ["go again"]
    hsm.load(content(machine={"role": "x", "initial_state": "b", "msg": "again", "options": {}}))
    assert stage.where == "b" and stage.tick() == ["again", "alt -> a"]
