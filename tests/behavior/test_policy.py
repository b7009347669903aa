"""Who goes first: the default policy, one's own, filters that confirm, replace, hold back or fail."""

from __future__ import annotations

import random
import statistics
from typing import Any

import pytest

from unaiverse_lab.behavior.policy import (
    Candidate,
    PolicyFilterDelayAction,
    PolicyHumanLikeDelay,
    policy_default,
)
from unaiverse_lab.core.clock import VirtualClock

from .stage import Actor, Stage, machine, request


def fork(**script: Any) -> Stage:
    """a -go-> b, a -alt-> c, a -nop-> d, a -serve-> e (on request)."""
    hsm = machine(Actor(**script))
    for name, target in (("go", "b"), ("alt", "c"), ("nop", "d"), ("serve", "e")):
        hsm.add_transit("a", target, name)
    return Stage(hsm)


def candidates(stage: Stage, *asked: str) -> list[Candidate]:
    return [
        Candidate(e, [request(e.name, id="r1"), request(e.name, id="r2")] if e.name in asked else [])
        for e in stage.hsm.machine.edges_from("a")
    ]


@pytest.mark.parametrize(
    ("urgent", "asked", "chosen"),
    [
        ([], [], ("go", None)),
        ([], ["nop"], ("nop", "r1")),
        ([], ["serve", "alt"], ("alt", "r1")),
        (["nop"], [], ("nop", None)),
        (["nop"], ["go"], ("nop", None)),
        (["nop", "serve"], ["go", "nop"], ("nop", "r1")),
        (["serve"], [], ("serve", None)),
    ],
)
def test_the_default_policy(urgent: list[str], asked: list[str], chosen: tuple[str, str | None]) -> None:
    stage = fork()
    for e in stage.hsm.machine.edges_from("a"):
        e.high_priority = e.name in urgent
    found = candidates(stage, *asked)
    index, served = policy_default(found)
    assert (found[index].name, served.id if served else None) == chosen


def test_the_default_policy_with_nothing_to_do() -> None:
    assert policy_default([]) == (-1, None)
    assert policy_default(candidates(fork())[3:]) == (-1, None)


def test_high_priority_goes_first_and_the_rest_follows_in_order() -> None:
    stage = fork(go=False, alt=False, nop=False)
    stage.hsm.transitions["a"]["d"][0].high_priority = True
    assert stage.tick() == ["nop failed", "go failed", "alt failed"]


def test_a_policy_of_ones_own_sees_candidates_and_is_asked_after_each_failure() -> None:
    stage = fork(go=False, alt=False, nop=False)
    seen: list[list[tuple[Any, ...]]] = []

    def last(found: list[Candidate]) -> tuple[int, None]:
        seen.append([(c.name, c.target, c.args, c.ready, c.high_priority) for c in found])
        return len(found) - 1, None

    stage.hsm.set_policy(last)
    assert stage.tick() == ["nop failed", "alt failed", "go failed"]
    assert [len(found) for found in seen] == [3, 2, 1]
    assert seen[2] == [("go", "b", {}, True, False)]


def test_a_policy_may_choose_nothing() -> None:
    stage = fork()
    stage.hsm.set_policy(lambda found: (-1, None))
    assert stage.tick() == [] and stage.where == "a"


def test_a_policy_that_raises_is_reported_and_replaced_by_the_default() -> None:
    stage = fork()

    def broken(found: list[Candidate]) -> Any:
        raise KeyError("mine")

    stage.hsm.set_policy(broken)
    assert stage.tick() == ["! KeyError: 'mine'", "go -> b"]
    (fault,) = stage.faults
    assert fault.action == "policy" and fault.code == 'raise KeyError("mine")'
    assert fault.where is not None and fault.where.startswith("test_policy.py:")


# ---------------------------------------------------------------- filters


def test_a_filter_confirms_replaces_and_vetoes() -> None:
    stage = fork(go=False, alt=False, nop=False)

    def rule(index: int, served: Any, found: list[Candidate], opts: dict[str, Any]) -> Any:
        names = [c.name for c in found]
        if names[index] == "go" and "nop" in names:
            return names.index("nop"), None
        return (-1, None) if names[index] == "alt" else (index, served)

    stage.hsm.set_policy_filter(rule)
    assert stage.tick() == ["nop failed", "go failed", "alt vetoed"]


def test_a_vetoed_request_gives_way_to_the_next_one() -> None:
    actor = Actor()
    hsm = machine(actor)
    hsm.add_transit("a", "a", "serve", ready=False)
    hsm.set_policy_filter(
        lambda index, served, found, opts: (-1, None) if served.requester == "ann" else (index, served)
    )  # type: ignore[union-attr]
    for by in ("ann", "bob"):
        hsm.request_action(request("serve", by))
    assert Stage(hsm).tick() == ["serve vetoed", "serve -> a"]
    assert actor.calls == [("serve", {"text": "", "by": "bob"})]


def test_a_filter_that_raises_is_reported_and_the_choice_stands() -> None:
    stage = fork()
    stage.hsm.set_policy_filter(lambda index, served, found, opts: 1 / 0)  # type: ignore[arg-type,return-value]
    assert stage.tick() == ["! ZeroDivisionError: division by zero", "go -> b"]


def test_a_filter_is_not_asked_while_an_action_is_pending() -> None:
    hsm = machine(Actor(go=False))
    hsm.add_transit("a", "b", "go", retry_timeout=3)
    asked: list[int] = []
    hsm.set_policy_filter(lambda index, served, found, opts: asked.append(index) or (index, served))
    Stage(hsm).tick(3)
    assert asked == [0]


def test_options_of_a_filter_are_cleared() -> None:
    hsm, opts = machine(), {"old": 1}
    hsm.set_policy_filter(lambda index, served, found, opts: (index, served), opts)
    assert hsm.policy_filter_opts is opts and opts == {}
    hsm.set_policy_filter(None)
    assert hsm.policy_filter is None


def test_a_delaying_filter_holds_back_and_re_arms() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "go")
    hsm.add_transit("b", "a", "alt")
    hsm.set_policy_filter(PolicyFilterDelayAction({"go"}, 2.0, clock=hsm.surroundings.clock, rng=random.Random(1)))
    stage = Stage(hsm)
    assert [stage.tick() for _ in range(4)] == [["go vetoed"], ["go vetoed"], ["go -> b"], ["alt -> a"]]
    assert [stage.tick() for _ in range(3)] == [["go vetoed"], ["go vetoed"], ["go -> b"]]


def test_a_held_back_action_lets_the_others_through() -> None:
    stage = fork(alt=False)
    stage.hsm.set_policy_filter(
        PolicyFilterDelayAction({"go", "nop"}, 1.0, clock=stage.hsm.surroundings.clock, rng=random.Random(1))
    )
    assert stage.tick() == ["go vetoed", "alt failed", "nop vetoed"]
    assert stage.tick() == ["go -> b"]


def test_a_delaying_filter_takes_clock_and_randomness_of_its_agent() -> None:
    class Someone:
        clock = VirtualClock(1.0)
        rng = random.Random(3)

    hold = PolicyFilterDelayAction({"go"}, 1.0, add_random_up_to=4.0)
    found = candidates(fork())
    waits = []
    for _ in range(200):
        start = Someone.clock.now
        while hold(0, None, found, {"agent": Someone}) == (-1, None):
            Someone.clock.move_to(Someone.clock.tick + 1)
        waits.append(Someone.clock.now - start)
    assert min(waits) == 2.0 and max(waits) == 5.0
    assert hold(1, None, found, {}) == (1, None)


@pytest.mark.parametrize("wait", [0.0, -1.0, float("nan")])
def test_a_delay_is_positive(wait: float) -> None:
    with pytest.raises(ValueError, match="wait must be > 0 seconds"):
        PolicyFilterDelayAction({"go"}, wait)


def test_a_human_like_delay_has_the_median_asked_for_and_a_long_tail() -> None:
    hold = PolicyHumanLikeDelay({"go"}, median_delay=5.0, variability=0.6)
    rng = random.Random(11)
    delays = [hold.duration(rng) for _ in range(4000)]
    assert 5.0 < statistics.median(delays) < 6.5
    assert min(delays) > 0.5 and max(delays) > 20.0
    again = PolicyHumanLikeDelay({"go"}, median_delay=5.0, variability=0.6)
    rng = random.Random(11)
    assert [again.duration(rng) for _ in range(10)] == delays[:10]


def test_a_human_like_delay_without_variability_is_a_plain_one() -> None:
    hsm = machine()
    hsm.add_transit("a", "b", "go")
    hsm.set_policy_filter(PolicyHumanLikeDelay({"go"}, 2.0, 0.0, clock=hsm.surroundings.clock, rng=random.Random(1)))
    assert [Stage(hsm).tick() for _ in range(3)] == [["go vetoed"], ["go vetoed"], ["go -> b"]]
