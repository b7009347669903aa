"""Every value reaches the world once, whatever happens to the messages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unaiverse_lab.core.clock import VirtualClock
from unaiverse_lab.stats import StatsError
from unaiverse_lab.stats.outbox import AGAIN_AFTER
from unaiverse_lab.stats.stats import Reporter

from .desk import Desk, School, at_member


def pair() -> tuple[School, School, VirtualClock]:
    """A member and its world, on one clock."""
    clock = VirtualClock(1.0)
    world = School()
    world.attach_to(Desk("World", clock))
    member, _ = at_member("Ann", clock=clock)
    return member, world, clock


def deliver(world: School, batch: tuple[int, int, list[Any]]) -> tuple[int, list[tuple[int, str]]]:
    return world.take_in(Reporter("Ann", "Ann", False), *batch)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("store"), st.integers(1, 3)),
        st.tuples(st.just("send"), st.booleans()),
        st.tuples(st.just("deliver"), st.integers(0, 5)),
        st.tuples(st.just("lose"), st.integers(0, 5)),
        st.tuples(st.just("repeat"), st.integers(0, 5)),
        st.tuples(st.just("acknowledge"), st.integers(0, 5)),
        st.tuples(st.just("lose answer"), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.integers(1, 12)),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_any_loss_doubling_and_disorder_of_messages_stores_each_point_once(steps: list[tuple[str, int]]) -> None:
    member, world, clock = pair()
    on_the_way: list[Any] = []
    answers: list[Any] = []
    count = 0
    for what, number in steps:
        if what == "store":
            for _ in range(number):
                member.store_stat("steps", count, None, clock.get_time_ms())
                count += 1
        elif what == "send":
            batch = member.batch(everything=bool(number))
            if batch is not None:
                on_the_way.append(batch)
        elif what == "wait":
            clock.move_to(clock.tick + number)
        elif what == "deliver" and on_the_way:
            answers.append(deliver(world, on_the_way.pop(number % len(on_the_way))))
        elif what == "repeat" and on_the_way:
            answers.append(deliver(world, on_the_way[number % len(on_the_way)]))
        elif what == "lose" and on_the_way:
            on_the_way.pop(number % len(on_the_way))
        elif what == "acknowledge" and answers:
            member.acknowledged(*answers[number % len(answers)])
        elif what == "lose answer" and answers:
            answers.pop(number % len(answers))
    clock.move_to(clock.tick + int(AGAIN_AFTER))
    for batch in on_the_way:  # some arrive late
        deliver(world, batch)
    for _ in range(3):
        batch = member.batch()
        if batch is not None:
            member.acknowledged(*deliver(world, batch))
    assert member.get_payload_for_world() == []
    assert [value for _, value in world.get_series("steps", "Ann")] == list(range(count))


def test_a_batch_that_is_not_acknowledged_is_sent_again_after_ten_seconds() -> None:
    member, world, clock = pair()
    member.store_stat("steps", 1, None, 0)
    first = member.batch()
    assert first is not None and member.batch() is None
    clock.move_to(9)
    member.store_stat("steps", 2, None, 0)
    second = member.batch()
    assert second is not None and [entry[1] for entry in second[2]] == [2]
    assert deliver(world, second) == (first[1] - 1, [])  # the first one is missing
    clock.move_to(10)
    again = member.batch()
    assert again is not None and [entry[1] for entry in again[2]] == [1, 2]
    member.acknowledged(*deliver(world, again))
    deliver(world, first)
    clock.move_to(100)
    assert member.batch() is None
    assert world.get_series("steps", "Ann") == [(0, 1), (0, 2)]


def test_what_is_new_goes_out_while_something_is_on_its_way() -> None:
    member, world, clock = pair()
    for number in range(3):
        member.store_stat("steps", number, None, 0)
        batch = member.batch()
        assert batch is not None
        assert deliver(world, batch)[1] == []
    assert [value for _, value in world.get_series("steps", "Ann")] == [0, 1, 2]
    assert len(member.get_payload_for_world()) == 3


def test_a_later_member_of_the_same_name_is_not_taken_for_the_earlier_one() -> None:
    member, world, clock = pair()
    for number in range(5):
        member.store_stat("steps", number, None, 0)
    batch = member.batch()
    assert batch is not None
    deliver(world, batch)
    clock.move_to(1)
    other, _ = at_member("Ann", clock=clock)
    other.store_stat("steps", 5, None, 0)
    batch = other.batch()
    assert batch is not None
    other.acknowledged(*deliver(world, batch))
    assert [value for _, value in world.get_series("steps", "Ann")] == [0, 1, 2, 3, 4, 5]


def test_what_was_refused_comes_back_once_with_its_reason() -> None:
    member, world, clock = pair()
    desk = world.link
    assert isinstance(desk, Desk)
    member.store_stat("exam", 0.5, "Bob", 0)
    member.store_stat("steps", 1, None, 0)
    batch = member.batch()
    assert batch is not None
    answer = deliver(world, batch)
    assert deliver(world, batch) == (answer[0], [])
    member.acknowledged(*answer)
    assert member.refused == [("exam", "Bob", "the stat 'exam' is for masters to report; Ann is none")]
    assert [(one.stat, one.accepted) for one in desk.stats()] == [("exam", False), ("steps", True)]


def test_what_nobody_takes_is_not_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unaiverse_lab.stats.outbox.MOST_PENDING", 10)
    member, _ = at_member()
    for number in range(10):
        member.store_stat("steps", number, None, 0)
    with pytest.raises(StatsError, match="10 values wait for a world"):
        member.store_stat("steps", 10, None, 0)


@pytest.mark.parametrize(
    "entry",
    [None, 3, [], ["steps"], ["steps", 1, "Ann"], ["ghost", 1, "Ann", 0], [["steps"], 1, "Ann", 0],
     ["steps", 1, ["Ann"], 0],
     ["steps", 1, "Ann", "now"], ["steps", 1, "Ann", -1], ["steps", 1, "Ann", 10**15], ["steps", "1", "Ann", 0],
     ["steps", 1, "Bob", 0], ["steps", 1, None, 0], [{}, {}, {}, {}], ["world_agents", 7, None, 0],
     ["rounds", 7, None, 0],
     ["graph", {}, None, 0], b"steps", {"name": "steps"}],
)  # fmt: skip
def test_a_malformed_entry_is_refused_and_the_others_are_taken(entry: Any) -> None:
    _, world, _ = pair()
    desk = world.link
    assert isinstance(desk, Desk)
    good = ["steps", 1, "Ann", 0]
    upto, refused = deliver(world, (1, 1, [good, entry, good]))
    assert upto == 3
    [(number, reason)] = refused
    assert number == 2 and reason
    assert [record.accepted for record in desk.stats()] == [True, False, True]
    assert world.get_series("steps", "Ann") == [(0, 1), (0, 1)]
