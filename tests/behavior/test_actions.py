"""Actions: what the decorator accepts, what a signature says, and what happens when one goes wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from unaiverse_lab.behavior import HybridStateMachine, action
from unaiverse_lab.behavior.actions import action_names, spec_of
from unaiverse_lab.behavior.surroundings import Surroundings
from unaiverse_lab.core.drive import drive
from unaiverse_lab.core.errors import BehaviorError
from unaiverse_lab.core.interaction import Interaction

from .stage import Actor, Stage, machine, request


class Troubled(Actor):
    @action
    async def raises(self) -> bool:
        wrong = {}["key"]  # type: ignore[var-annotated]
        return bool(wrong)

    @action
    async def forgets(self) -> None:
        self.calls.append(("forgets", {}))

    @action
    async def sleeps(self) -> bool:
        await asyncio.sleep(0.01)
        return True

    @action(outside=True)
    async def sleeps_outside(self) -> bool:
        await asyncio.sleep(0.01)
        return True

    @action(outside=True)
    async def fails_outside(self) -> bool:
        await asyncio.sleep(0)
        raise OSError("no network")

    @action
    async def yields(self) -> bool:
        await asyncio.sleep(0)
        return True

    @action
    async def calls_another(self) -> bool:
        return await self.raises()

    @action
    async def meets(self, agent: str | None = None, stream: Any = None) -> bool:
        return self.play("meets", agent=agent, stream=stream)

    def resolve_agents(self, value: Any) -> Any:
        return f"peer-{value}"

    def resolve_streams(self, value: Any) -> Any:
        return f"stream-{value}"


def trying(name: str, in_state: bool = False, **options: Any) -> Stage:
    hsm = machine(Troubled())
    if in_state:
        hsm.add_state("a", action=name)
    else:
        hsm.add_transit("a", "b", name, **options)
    return Stage(hsm)


FAULTS = [
    ("raises", "KeyError: 'key'", 'wrong = {}["key"]  # type: ignore[var-annotated]'),
    ("forgets", "returned None: return True or False", "async def forgets(self) -> None:"),
    ("sleeps", "mark it with @action(outside=True)", "await asyncio.sleep(0.01)"),
    ("fails_outside", "OSError: no network", 'raise OSError("no network")'),
    ("calls_another", "KeyError: 'key'", 'wrong = {}["key"]  # type: ignore[var-annotated]'),
]


@pytest.mark.parametrize(("name", "error", "code"), FAULTS)
def test_a_faulty_action_fails_and_points_at_the_users_own_line(name: str, error: str, code: str) -> None:
    stage = trying(name)
    assert stage.tick()[1:] == [f"{name} raised"]
    (fault,) = stage.faults
    assert error in fault.error
    assert (fault.state, fault.action, fault.code) == ("a", name, code)
    assert fault.where is not None and fault.where.startswith("test_actions.py:")
    assert stage.where == "a"


@pytest.mark.parametrize("name", ["raises", "sleeps", "fails_outside"])
def test_a_faulty_state_action_does_not_stop_the_machine(name: str) -> None:
    stage = trying(name, in_state=True)
    assert stage.tick()[1:] == [f"({name})"]
    assert stage.faults[0].action == name and stage.faults[0].code is not None


def test_a_faulty_action_is_tried_again_within_its_retry_timeout() -> None:
    stage = trying("raises", retry_timeout=1)
    assert stage.tick()[1:] == ["raises again"]
    assert stage.tick() == ["raises timeout"]


def test_a_fault_serving_a_request_tells_the_surroundings() -> None:
    told: list[str] = []

    class Listening(Surroundings):
        def raised(self, interaction: Interaction, detail: str) -> None:
            told.append(detail)

    stage = trying("raises")
    around = stage.hsm.surroundings
    stage.hsm.surroundings = Listening(around.clock, around.record, around.name)
    stage.hsm.request_action(request("raises"))
    stage.tick()
    assert told == ["KeyError: 'key'"]


@pytest.mark.parametrize("name", ["sleeps_outside", "yields"])
def test_waiting_that_is_fine(name: str) -> None:
    assert trying(name).tick() == [f"{name} -> b"]


@pytest.mark.parametrize(("value", "moves"), [(1, True), ("yes", True), (0, False), ("", False), ([], False)])
def test_results_count_by_truth(value: Any, moves: bool) -> None:
    hsm = machine(Actor(go=[value]))
    hsm.add_transit("a", "b", "go")
    assert Stage(hsm).tick() == (["go -> b"] if moves else ["go failed"])


def test_a_missing_argument_fails_the_attempt_only() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "need")
    hsm.add_transit("a", "c", "go", delay=1)
    stage = Stage(hsm)
    assert stage.tick() == ["! BehaviorError: the action 'need' needs a value for 'value'", "need raised"]
    hsm.request_action(request("need", args={"value": 3}))
    assert stage.tick() == ["need -> b"]
    assert hsm.agent.calls == [("need", {"value": 3})]


def test_arguments_given_by_the_machine_are_not_shared_between_calls() -> None:
    class Careless(Actor):
        @action
        async def fill(self, items: list[int]) -> bool:
            items.append(len(items))
            return False

    hsm = machine(Careless())
    hsm.add_transit("a", "b", "fill", {"items": [0]})
    Stage(hsm).tick(3)
    assert hsm.transitions["a"]["b"][0].args == {"items": [0]}


def test_names_of_agents_and_streams_are_resolved() -> None:
    actor = Troubled()
    hsm = HybridStateMachine(actor)
    hsm.add_transit("a", "b", "meets", {"agent": "ann", "stream": "text"})
    drive(hsm.act())
    assert actor.calls == [("meets", {"agent": "peer-ann", "stream": "stream-text"})]


# ---------------------------------------------------------------- the decorator and the signature


def test_an_action_is_a_coroutine_method() -> None:
    with pytest.raises(TypeError, match=r"an action is an 'async def' method: write 'async def late\(self, ...\)'"):

        @action  # type: ignore[type-var]
        def late(self: Any) -> bool:
            return True


class Odd:
    @action
    async def many(self, *args: Any) -> bool:
        return True

    @action
    async def keywords(self, **more: Any) -> bool:
        return True

    @action
    async def slow(self, delay: float = 0.0) -> bool:
        return True

    @action
    async def passing(self, action_kwargs: Any = None) -> bool:
        return True

    @action
    async def wander(self) -> bool:
        return True

    async def wonder(self) -> bool:
        return True

    def sync(self) -> bool:
        return True

    number = 1


@pytest.mark.parametrize("as_class", [True, False])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("many", "action 'many' has the parameter '*args': name its parameters instead"),
        ("keywords", "action 'keywords' has the parameter '*more': name its parameters instead"),
        ("slow", "action 'slow' has a parameter 'delay': that name is reserved"),
        ("passing", "action 'passing' has a parameter 'action_kwargs': that name is reserved"),
        ("wandr", "Odd has no action 'wandr'. Did you mean 'wander'?"),
        ("zzz", "Odd has no action 'zzz'. Known: keywords, many, passing, slow, wander."),
        ("wonder", "Odd.wonder is not an action: put '@action' above its definition"),
        ("sync", "Odd.sync cannot be an action: write it as 'async def sync(self, ...)'"),
        ("number", "Odd.number is not an action: it is not a method"),
    ],
)
def test_what_cannot_be_an_action(name: str, says: str, as_class: bool) -> None:
    with pytest.raises(BehaviorError) as caught:
        spec_of(Odd if as_class else Odd(), name)
    assert str(caught.value) == says


def test_what_a_signature_says() -> None:
    spec = spec_of(Actor, "serve")
    assert (spec.params, spec.required, spec.defaults) == (["text"], [], {"text": ""})
    assert spec.takes_interaction and not spec.outside
    assert {"text", "num_steps", "streams"} <= spec.allowed and "interaction" not in spec.allowed
    assert spec_of(Actor, "need").required == ["value"]
    assert spec_of(Troubled, "sleeps_outside").outside
    assert spec_of(Odd, "wonder", decorated_only=False).name == "wonder"


def test_names_of_actions() -> None:
    assert action_names(Odd) == ["keywords", "many", "passing", "slow", "wander"]
    assert "wonder" in action_names(Odd(), decorated_only=False)


def test_at_most_three_names_are_suggested() -> None:
    members = {f"walk_{n}": action(_walk(f"walk_{n}")) for n in range(6)}
    cls = type("Walker", (), members)
    with pytest.raises(BehaviorError) as caught:
        spec_of(cls, "walk_")
    assert str(caught.value).count(" or ") == 2


def _walk(name: str) -> Any:
    async def walk(self: Any) -> bool:
        return True

    walk.__name__ = name
    return walk
