"""The broker dies, links break, cells take long: nothing is lost, nothing comes twice, and the run is what it was."""

from __future__ import annotations

import asyncio
import random
import threading
import time

import pytest

import unaiverse_lab as lab
from live.threads import alike, equals_the_synchronizer, live_room
from live.wires import Wire
from unaiverse_lab.core.records import Joined
from unaiverse_lab.live.broker import Broker


def bystander(work: object) -> threading.Thread:
    assert callable(work)
    thread = threading.Thread(target=work, name="bystander")
    thread.start()
    return thread


@pytest.mark.live
def test_a_broker_that_is_killed_and_started_again_changes_nothing(broker: Broker) -> None:
    with live_room("chat", broker.url) as (session, live, threads):
        session.step(50)

        def outages() -> None:
            for _ in range(3):
                time.sleep(0.4)
                broker.kill()
                time.sleep(0.3)
                broker.start()

        killer = bystander(outages)
        ticks = 50
        while killer.is_alive():
            session.step()
            ticks += 1
        session.step(50)
        equals_the_synchronizer(session, "chat", ticks + 50)
        assert live.status()["downs"] == 3
        assert {thread.events("down") for thread in threads} == {thread.events("up") for thread in threads} == {3}
        assert live.status()["late"] == []


@pytest.mark.live
def test_links_that_are_reset_all_the_time_change_nothing(broker: Broker) -> None:
    wires = [Wire(broker.port) for _ in range(5)]
    try:
        with live_room("chat", broker.url, lambda number: wires[number].url(broker.url), wires[4].url(broker.url)) as (
            session,
            live,
            threads,
        ):
            chance = random.Random(1)
            ticks = 0
            for _ in range(15):
                session.step(4)
                chance.choice(wires).reset()
                session.step(4)
                ticks += 8
            equals_the_synchronizer(session, "chat", ticks)
            assert live.status()["downs"] + sum(thread.events("down") for thread in threads) >= 15
    finally:
        for wire in wires:
            wire.close()


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


@pytest.mark.live
def test_a_busy_cell_of_four_seconds_costs_no_connection(broker: Broker) -> None:
    session = lab.load("chat", 3)
    live = asyncio.run(session.promote(broker.url))
    session.step(20)
    end = time.monotonic() + 4.0
    while time.monotonic() < end:
        sum(range(10_000))
    session.step(20)
    assert live.status()["downs"] == 0
    assert list(live.port.events) == []
    session.close()
    alone = lab.load("chat", 3)
    alone.step(40)
    alike(session, alone)


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
