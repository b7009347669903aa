"""The broker dies, links break, cells take long: nothing is lost, nothing comes twice, and the run is what it was."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from live.loads import COUNTING, NAMES, NUMBERS, Trouble, all_was_heard, in_time
from live.rooms import HubWorld
from live.threads import equals_the_synchronizer, live_room
from live.wires import Wire
from unaiverse_lab.core.records import Dropped, Fault, Joined
from unaiverse_lab.live import host, log
from unaiverse_lab.live.broker import Broker

TICKS = 2 + NUMBERS // 20 + 1
"""Of a run in lockstep in which everybody says and hears everything."""

TROUBLE = [10, 28, 46, 64, 82]
CLOCKS = pytest.mark.parametrize("clock", ["lockstep", "wall"])


class Hall:
    """The counting world on a broker: the host and one member here, four in threads; each has a wire of its own."""

    def __init__(self, broker: Broker, clock: str) -> None:
        self.broker, self.clock = broker, clock
        self.wires = [Wire(broker.port) for _ in range(5)]

    def __enter__(self) -> Hall:
        wires, url = self.wires, self.broker.url
        self.room = live_room(COUNTING, url, lambda one: wires[one].url(url), wires[4].url(url), 1, clock=self.clock)
        self.session, self.live, self.threads = self.room.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self.room.__exit__(*error)
        finally:
            for wire in self.wires:
                wire.close()

    def links(self) -> list[dict[str, int]]:
        return [self.live.port.link.counts, *(thread.port.link.counts for thread in self.threads)]

    def run_through(self, deed: Callable[[], None]) -> None:
        """Run with five troubles, until everything was heard."""
        trouble = Trouble(self.session, TROUBLE, deed)
        if self.clock == "lockstep":
            self.session.step(TICKS)
        else:
            give_up = time.monotonic() + 25
            while trouble.is_alive() or not all_was_heard(self.session.trace):
                assert time.monotonic() < give_up
                self.session.step(10)
        assert trouble.over() == 5

    def nothing_happened(self) -> None:
        """Each number came to each of the others once, in order; nobody is late, and nobody has left."""
        assert all_was_heard(self.session.trace)
        assert list(self.session.nodes) == ["Hall", *NAMES]
        assert self.live.status()["late"] == []
        assert self.live.status()["refused"] == 0
        assert [node.dropped for node in self.session.nodes.values()] == [0] * 6
        assert self.session.trace.of_kind(Dropped, Fault) == []
        if self.clock == "lockstep":
            equals_the_synchronizer(self.session, COUNTING, TICKS)


def restart(broker: Broker, after: float) -> None:
    broker.kill()
    time.sleep(after)
    broker.start()


@pytest.mark.live
@CLOCKS
def test_a_broker_that_is_killed_and_started_again_changes_nothing(broker: Broker, clock: str) -> None:
    with Hall(broker, clock) as hall:

        def deed() -> None:
            before = [link["up"] for link in hall.links()]
            restart(broker, 0.3)
            assert in_time(lambda: [link["up"] for link in hall.links()] == [count + 1 for count in before])

        hall.run_through(deed)
        assert [(link["down"], link["up"]) for link in hall.links()] == [(5, 5)] * 5
        assert [thread.events("down") for thread in hall.threads] == [5] * 4
        hall.nothing_happened()


@pytest.mark.live
def test_a_broker_that_is_away_for_longer_than_anybody_waits_for_an_answer(broker: Broker, monkeypatch: Any) -> None:
    monkeypatch.setattr(host, "FLUSHED_WITHIN", 0.1)
    monkeypatch.setattr(host, "PATIENCE", 3)
    with Hall(broker, "lockstep") as hall:
        hall.live.host.barrier, hall.live.host.grace = 3.5, 3.5
        trouble = Trouble(hall.session, [40], lambda: restart(broker, 4.0))
        hall.session.step(TICKS)
        assert trouble.over() == 1
        assert [(link["down"], link["up"]) for link in hall.links()] == [(1, 1)] * 5
        hall.nothing_happened()


@pytest.mark.live
def test_a_marker_that_is_read_back_while_the_newest_is_asked_for(broker: Broker, monkeypatch: Any) -> None:
    with Hall(broker, "lockstep") as hall:
        hall.session.step(10)
        term, js = hall.live.port.term, hall.live.port.link.js
        assert term is not None
        publish, newest, late = js.publish, term._newest_marker, []

        def not_at_once(data: bytes, identity: str) -> bool:
            term._writing = log.Writing(data)
            return False

        async def store(pause: float, *arguments: Any, **options: Any) -> Any:
            await asyncio.sleep(pause)
            return await publish(*arguments, **options)

        async def stored_late(*arguments: Any, **options: Any) -> Any:
            if len(late) >= 10:
                return await publish(*arguments, **options)
            late.append(asyncio.create_task(store(0.06, *arguments, **options)))
            raise TimeoutError

        async def told_late() -> Any:
            found = await newest()
            await asyncio.sleep(0.1)
            return found

        monkeypatch.setattr(term, "_commit_at_once", not_at_once)
        monkeypatch.setattr(js, "publish", stored_late)
        monkeypatch.setattr(term, "_newest_marker", told_late)
        hall.session.step(TICKS - 10)
        assert len(late) == 10
        assert not term.lost
        hall.nothing_happened()


def test_a_tick_that_is_interrupted_while_it_speaks_is_begun_again() -> None:
    room = HubWorld("chat", 3)
    flush, calls = room.host.port.flush, iter([1, 1, 0, 0, 1])

    def interrupted(timeout: float = 30.0) -> None:
        if next(calls, 0):
            raise KeyboardInterrupt
        flush(timeout)

    room.host.port.flush = interrupted  # type: ignore[method-assign]
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            room.session.step(10)
    room.session.step(60 - room.session.tick - 1)
    equals_the_synchronizer(room.session, "chat", 60)
    assert room.host.status()["late"] == []


def test_a_member_that_the_host_removes_is_told() -> None:
    room = HubWorld("chat", 3)
    room.session.step(50)
    room.session.remove("Polly", "enough of parrots")
    room.session.step(50)
    assert room.members[2].over == "the host removed it: enough of parrots"
    assert list(room.host.status()["members"].values()) == ["Broadcaster", "ChatAI", "Ada"]
    assert sorted(room.session.world.roster) == ["Ada", "Broadcaster", "ChatAI"]
    assert room.host.status()["late"] == []


@pytest.mark.live
@CLOCKS
def test_links_that_are_reset_change_nothing(broker: Broker, clock: str) -> None:
    with Hall(broker, clock) as hall:

        def deed() -> None:
            before = [link["up"] for link in hall.links()]
            for wire in hall.wires:
                time.sleep(0.01)
                wire.reset()
            assert in_time(lambda: [link["up"] for link in hall.links()] == [count + 1 for count in before])

        hall.run_through(deed)
        assert [(link["down"], link["up"]) for link in hall.links()] == [(5, 5)] * 5
        hall.nothing_happened()


@pytest.mark.live
@CLOCKS
def test_links_that_let_nothing_through_for_a_while_change_nothing(broker: Broker, clock: str) -> None:
    with Hall(broker, clock) as hall:

        def deed() -> None:
            for wire in hall.wires:
                wire.hold()
                time.sleep(0.15)
                wire.release()

        hall.run_through(deed)
        assert [(link["down"], link["up"]) for link in hall.links()] == [(0, 0)] * 5
        hall.nothing_happened()


@pytest.mark.live
@pytest.mark.parametrize(
    ("clock", "held"), [("lockstep", [0]), ("lockstep", [0, 1, 2, 3, 4]), ("wall", [4])], ids=["one", "all", "host"]
)
def test_links_that_are_cut_for_four_seconds_change_nothing(broker: Broker, clock: str, held: list[int]) -> None:
    with Hall(broker, clock) as hall:

        def deed() -> None:
            for one in held:
                hall.wires[one].hold()
            time.sleep(4.0)
            for one in held:
                hall.wires[one].release()

        trouble = Trouble(hall.session, [40], deed)
        if clock == "lockstep":
            hall.session.step(TICKS)
        while trouble.is_alive() or not all_was_heard(hall.session.trace):
            hall.session.step()
            assert hall.session.tick < 1000
        assert trouble.over() == 1
        assert in_time(lambda: all(link["down"] == link["up"] for link in hall.links()))
        cut = [(one + 1) % 5 for one in held]
        assert [link["down"] for link in hall.links()] == [int(one in cut) for one in range(5)]
        hall.nothing_happened()


@pytest.mark.live
@CLOCKS
def test_everything_at_once_changes_nothing(broker: Broker, clock: str) -> None:
    chance = random.Random(clock)
    with Hall(broker, clock) as hall:

        def resets(wire: Wire) -> None:
            for _ in range(5):
                time.sleep(chance.uniform(0.0, 0.15))
                wire.reset()
                time.sleep(chance.uniform(0.0, 0.05))
                wire.hold()
                time.sleep(chance.uniform(0.0, 0.1))
                wire.release()

        def deed() -> None:
            others = [threading.Thread(target=resets, args=(wire,)) for wire in hall.wires]
            for one in others:
                one.start()
            restart(broker, 0.2)
            for one in others:
                one.join()

        hall.run_through(deed)
        assert in_time(lambda: all(link["down"] == link["up"] >= 5 for link in hall.links()))
        hall.nothing_happened()


@pytest.mark.live
def test_a_member_behind_a_cut_wire_is_waited_for_and_catches_up(broker: Broker) -> None:
    wire = Wire(broker.port)
    try:
        with live_room("chat", broker.url, lambda number: wire.url(broker.url) if number == 2 else broker.url) as (
            session, live, threads,
        ):  # fmt: skip
            session.step(20)
            wire.hold()
            healer = threading.Timer(1.5, wire.release)
            healer.start()
            start = time.monotonic()
            session.step(20)
            assert time.monotonic() - start > 1.0
            equals_the_synchronizer(session, "chat", 40)
            assert live.status()["late"] == []
    finally:
        wire.close()


@pytest.mark.live
def test_a_member_that_was_late_does_what_it_missed(broker: Broker) -> None:
    with Hall(broker, "lockstep") as hall:
        hall.live.host.barrier = 0.3
        hall.session.step(30)
        hall.wires[1].hold()
        hall.session.step(5)
        assert hall.live.status()["late"] == ["Bob"]
        hall.session.step(10)
        hall.wires[1].release()
        assert in_time(lambda: hall.live.host.absorb() >= 0 and hall.live.status()["late"] == [])
        while not all_was_heard(hall.session.trace):
            hall.session.step()
            assert hall.session.tick < 1000
        assert list(hall.session.nodes) == ["Hall", *NAMES]
        assert hall.session.trace.of_kind(Dropped, Fault) == []


@pytest.mark.live
def test_a_member_that_does_not_come_back_is_lost_and_the_world_goes_on(broker: Broker) -> None:
    wire = Wire(broker.port)
    try:
        with live_room("chat", broker.url, lambda number: wire.url(broker.url) if number == 2 else broker.url) as (
            session, live, threads,
        ):  # fmt: skip
            session.step(20)
            live.host.barrier, live.host.grace = 0.3, 0.6
            wire.hold()
            session.step(1)
            assert live.status()["late"] == ["Polly"]
            time.sleep(0.5)
            session.step(3)
            assert "Polly" not in session.nodes
            ends = [(one.node, one.stage, one.reason) for one in session.trace.of_kind(Joined)]
            assert ends[-1] == ("Polly", "left", "lost")
            session.step(20)
            assert threads[2].is_alive()
            wire.release()
            threads[2].join(10)
            assert threads[2].member.over == "nothing was heard of it for 0.6 s"
    finally:
        wire.close()


def busy(seconds: float) -> None:
    """Compute, as a cell does that holds the interpreter."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(10_000))


@pytest.mark.live
@CLOCKS
def test_a_busy_cell_of_four_seconds_costs_nothing(broker: Broker, clock: str) -> None:
    with Hall(broker, clock) as hall:
        hall.live.host.barrier = hall.live.host.grace = 3.0
        hall.session.step(10)
        busy(4.0)
        if clock == "lockstep":
            hall.session.step(TICKS - 10)
        while not all_was_heard(hall.session.trace):
            hall.session.step(10)
            assert hall.session.tick < 1000
        assert [link["down"] for link in hall.links()] == [0] * 5
        hall.nothing_happened()


@pytest.mark.live
@CLOCKS
def test_a_call_that_lets_no_other_thread_work_breaks_links_and_loses_nobody(broker: Broker, clock: str) -> None:
    start = time.monotonic()
    sum(range(10_000_000))
    a_second = round(10_000_000 / (time.monotonic() - start))
    with Hall(broker, clock) as hall:
        hall.live.host.barrier = hall.live.host.grace = 2.0
        hall.session.step(10)
        sum(range(4 * a_second))
        if clock == "lockstep":
            hall.session.step(TICKS - 10)
        while not all_was_heard(hall.session.trace):
            hall.session.step(10)
            assert hall.session.tick < 1000
        assert all(link["down"] == link["up"] <= 1 for link in hall.links())
        hall.nothing_happened()


@pytest.mark.live
@CLOCKS
def test_a_member_here_that_computes_for_four_seconds_costs_nothing(broker: Broker, clock: str) -> None:
    with Hall(broker, clock) as hall:
        hall.live.host.barrier = hall.live.host.grace = 3.0
        hall.session.nodes["Ear"].run_hook = lambda node: busy(4.0 if node.clock.tick == 30 else 0.0)
        if clock == "lockstep":
            hall.session.step(TICKS)
        while not all_was_heard(hall.session.trace):
            hall.session.step(10)
            assert hall.session.tick < 1000
        assert [link["down"] for link in hall.links()] == [0] * 5
        hall.nothing_happened()


@pytest.mark.live
def test_a_broker_that_dies_during_a_busy_cell_of_a_member_loses_nothing(broker: Broker) -> None:
    with live_room("chat", broker.url) as (session, live, threads):
        session.step(20)
        agent = threads[1].member.nodes[0].agent
        assert agent is not None
        talk, asked = agent.proc, threading.Event()

        def slow(text: str) -> str:
            if not asked.is_set():
                asked.set()
                broker.kill()
                time.sleep(1.0)
                broker.start()
                time.sleep(1.0)
            return talk(text)

        agent.proc = slow
        session.step(200)
        assert asked.is_set()
        assert list(session.nodes) == ["ChatRoom", "Broadcaster", "ChatAI", "Polly", "Ada"]
        equals_the_synchronizer(session, "chat", 220)
        assert live.status()["downs"] == 1
