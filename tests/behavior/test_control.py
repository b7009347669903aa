"""Steering a machine from outside, and what it answers when asked."""

from __future__ import annotations

from typing import Any

import pytest

from unaiverse_lab.behavior import HybridStateMachine, action
from unaiverse_lab.core.drive import drive
from unaiverse_lab.core.errors import BehaviorError

from .stage import Actor, Stage, machine, request


def loop(actor: Any = None, **options: Any) -> HybridStateMachine:
    """a -go-> b -alt-> c -nop-> a; a has a message."""
    hsm = machine(actor)
    hsm.add_state("a", msg="at a")
    hsm.add_transit("a", "b", "go", **options)
    hsm.add_transit("b", "c", "alt")
    hsm.add_transit("c", "a", "nop")
    return hsm


def test_set_state_abandons_what_is_pending_and_keeps_the_timers_of_the_state_left() -> None:
    hsm = loop(Actor(go=False), retry_timeout=9)
    stage = Stage(hsm)
    assert stage.tick() == ["at a", "go again"] and stage.where == "~a"
    hsm.set_state("c")
    assert (hsm.state, hsm.limbo_state, hsm.prev_state, hsm.get_action()) == ("c", None, None, None)
    assert stage.tick() == ["nop -> a"]
    assert stage.tick() == ["go again"]
    hsm.set_state("a")
    assert hsm.get_time_spent_in_current_state() == 3.0


def test_set_state_of_no_state() -> None:
    with pytest.raises(BehaviorError, match=r"there is no state 'aa'\. Did you mean 'a'"):
        loop().set_state("aa")


def test_reset_state_starts_over_without_the_welcome() -> None:
    hsm = loop()
    hsm.set_welcome_message("hello")
    stage = Stage(hsm)
    assert stage.tick() == ["hello", "at a", "go -> b"]
    hsm.request_action(request("alt"))
    hsm.reset_state()
    assert (stage.where, hsm.prev_state, hsm.pending_requests()) == ("a", None, [])
    assert stage.tick() == ["at a", "go -> b"]


def test_a_disabled_machine_only_says_its_welcome() -> None:
    hsm = loop()
    hsm.set_welcome_message("hello")
    stage = Stage(hsm)
    hsm.enable(False)
    assert (stage.tick(), stage.tick(), hsm.is_enabled()) == (["disable", "hello"][1:], [], False)
    hsm.enable(True)
    assert stage.tick() == ["at a", "go -> b"]


def test_a_machine_disabled_in_limbo_goes_on_where_it_was() -> None:
    hsm = loop(Actor(go=[False, True]), retry_timeout=9)
    stage = Stage(hsm)
    stage.tick()
    hsm.enable(False)
    assert stage.tick() == [] and stage.where == "~a"
    hsm.enable(True)
    assert stage.tick() == ["go -> b"]


def test_a_ghost_transition() -> None:
    actor = Actor(go=False)
    hsm = loop(actor, retry_timeout=9)
    stage = Stage(hsm)
    stage.tick()
    assert drive(hsm.act_ghost_transition("c")) == 0
    assert (hsm.state, hsm.prev_state, hsm.get_last_completed_action_name()) == ("c", "a", "nop")
    assert actor.calls[-1] == ("nop", {}) and hsm.get_time_spent_in_current_state() == -1.0
    with pytest.raises(BehaviorError, match="there is no state 'zz'"):
        drive(hsm.act_ghost_transition("zz"))


def test_actions_made_to_wait_for_requests() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "go", {"a": 1})
    hsm.add_transit("a", "c", "go", {"b": 1})
    hsm.add_transit("a", "d", "alt")
    hsm.wait_for_all_actions_that_include_an_arg("a")
    assert [e.ready for e in hsm.machine.edges_from("a")] == [False, True, True]
    hsm.wait_for_all_actions_that_start_with("g")
    assert [e.ready for e in hsm.machine.edges_from("a")] == [False, False, True]
    assert Stage(hsm).tick() == ["alt -> d"]


def test_set_as_ready_and_not_ready() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "serve")
    found = hsm.transitions["a"]["b"][0]
    found.set_as_ready()
    assert (found.ready, found.accepts_requests) == (True, False)
    found.set_as_not_ready()
    assert (found.ready, found.accepts_requests) == (False, True)


def test_questions() -> None:
    hsm = loop()
    stage = Stage(hsm)
    assert (hsm.get_state_name(), hsm.get_action_name(), hsm.get_action_step_idx()) == ("a", None, -1)
    assert hsm.get_time_spent_in_current_state() == -1.0 and not hsm.is_busy_acting()
    assert list(hsm.get_states()) == ["a", "b", "c"] == [s.name for s in hsm.get_all_states()]
    assert [c.name for c in hsm.get_all_actions()] == ["go", "alt", "nop"]
    assert hsm.transition_exists("go") and not hsm.transition_exists("alt")
    stage.tick()
    assert hsm.get_last_completed_action_name() == "go" and hsm.get_state_changed()
    state = hsm.get_state()
    assert state is not None and state.name == "b"


def test_questions_in_limbo() -> None:
    hsm = machine(Actor(go=[True, False]))
    hsm.add_transit("a", "b", "go", {"num_steps": 3})
    stage = Stage(hsm)
    stage.tick()
    assert (hsm.get_state(), hsm.get_state_name(), hsm.get_state_name(consider_limbo=True)) == (
        None,
        None,
        "a",
    )
    assert (hsm.get_action_name(), hsm.get_action_step_idx(), hsm.is_busy_acting()) == ("go", 0, True)
    assert hsm.get_time_spent_in_current_state() == -1.0 and not hsm.must_wait()
    assert hsm.transition_exists("go") and not hsm.get_state_changed()


def test_on_request_only_is_no_ready_transition() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "serve")
    assert not hsm.transition_exists("serve") and hsm.transition_exists("serve", only_ready=False)


def test_must_wait() -> None:
    hsm = machine()
    hsm.add_state("a", waiting_time=2)
    stage = Stage(hsm)
    assert hsm.must_wait()
    stage.tick()
    assert hsm.must_wait()
    stage.tick()
    assert not hsm.must_wait()


def test_get_state_changed_after_a_chain() -> None:
    hsm = machine(Actor(alt=False))
    hsm.add_state("b", blocking=False)
    hsm.set_state("b")
    hsm.add_transit("a", "b", "go")
    hsm.add_transit("b", "a", "alt")
    hsm.set_state("a")
    stage = Stage(hsm)
    assert stage.tick() == ["go -> b", "alt failed"]
    assert hsm.get_state_changed() and stage.changed


def test_print_actions(capsys: pytest.CaptureFixture[str]) -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "go", {"a": 1})
    hsm.add_transit("a", "c", "serve")
    hsm.add_transit("a", "b", "alt")
    hsm.print_actions()
    assert capsys.readouterr().out.splitlines() == [
        "1. go(a=1) -> b",
        "2. alt() -> b",
        "3. serve() -> c (on request)",
    ]
    hsm.print_actions("b")
    assert capsys.readouterr().out == ""


class Restless(Actor):
    """Steers its own machine from inside an action."""

    hsm: HybridStateMachine

    @action
    async def jump(self) -> bool:
        self.hsm.set_state("c")
        return True

    @action
    async def stop(self) -> bool:
        self.hsm.enable(False)
        return True


def test_an_action_that_sets_the_state_overrules_its_own_transition() -> None:
    actor = Restless()
    hsm = actor.hsm = machine(actor)
    hsm.add_state("c")
    hsm.set_state("c")
    hsm.add_transit("a", "b", "jump")
    hsm.set_state("a")
    stage = Stage(hsm)
    assert stage.tick() == ["set_state"] and stage.where == "c"


def test_a_state_action_that_sets_the_state_leaves_at_once() -> None:
    actor = Restless()
    hsm = actor.hsm = machine(actor)
    hsm.add_state("a", action="jump")
    hsm.add_state("c", msg="at c")
    hsm.add_transit("a", "b", "go")
    stage = Stage(hsm)
    assert stage.tick() == ["set_state", "(jump)"] and stage.where == "c"
    assert stage.tick() == ["at c"]


def test_an_action_that_disables_its_machine_ends_the_chain() -> None:
    actor = Restless()
    hsm = actor.hsm = machine(actor)
    hsm.add_transit("a", "b", "stop")
    hsm.add_state("b", blocking=False)
    hsm.add_transit("b", "c", "go")
    stage = Stage(hsm)
    assert stage.tick() == ["disable", "stop -> b"] and stage.where == "b"
