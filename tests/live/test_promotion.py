"""A session goes live on a real broker, and comes back, and nobody in the world notices."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

import unaiverse_lab as lab
from live.threads import alike, equals_the_synchronizer, live_room
from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.live import log
from unaiverse_lab.live.broker import Broker, BrokerError
from unaiverse_lab.live.invite import Invite, read_invite
from unaiverse_lab.live.log import NatsHostPort
from unaiverse_lab.live.nats_port import NatsPort
from unaiverse_lab.live.port import Lost
from unaiverse_lab.live.wire import Kind, Turn, frame_of
from unaiverse_lab.runtime.freezing import CannotFreeze


@pytest.mark.live
def test_fifty_ticks_live_then_fifty_at_home_are_a_hundred(broker: Broker) -> None:
    alone = lab.load("chat", 5)
    alone.step(150)
    session = lab.load("chat", 5)
    session.step(50)

    async def there_and_back() -> None:
        live = await session.promote(broker.url)
        assert session.live is live
        with pytest.raises(WorldError, match="live already"):
            await session.promote(broker.url)
        session.step(50)
        assert live.status()["up"]
        assert "@" not in repr(live)
        assert live.port.term is not None
        with pytest.raises(WorldError, match="does not go back to tick 90"):
            session.back(9)
        with pytest.raises(CannotFreeze, match="the world is live"):
            session.checkpoint("nowhere")
        await session.demote()

    asyncio.run(there_and_back())
    assert session.live is None
    session.step(50)
    alike(session, alone)
    with pytest.raises(WorldError, match="is not live"):
        asyncio.run(session.demote())
    session.goto(120)
    session.goto(149)
    alike(session, alone)


@pytest.mark.live
def test_a_private_broker_comes_and_goes_with_the_live_world(broker: Broker) -> None:
    session = lab.load("chat", 5)
    live = asyncio.run(session.promote())
    mine = live.broker
    assert mine is not None
    session.step(5)
    session.close()
    assert mine.pid is None
    with pytest.raises(BrokerError, match=r"no broker answers at nats://127.0.0.1:1\b"):
        asyncio.run(session.promote("nats://secret@127.0.0.1:1"))
    assert session.live is None
    session.step(5)


@pytest.mark.live
def test_members_over_the_broker_change_nothing(broker: Broker) -> None:
    with live_room("chat", broker.url) as (session, live, threads):
        assert read_invite(str(live.invite)) == live.invite
        session.step(300)
        assert live.status()["refused"] == 0
    for thread in threads:
        assert thread.member.over == "the world is live no more"
        assert thread.member.dropped == thread.port.refused == 0
    equals_the_synchronizer(session, "chat", 300)


@pytest.mark.live
def test_the_log_is_purged_and_the_run_goes_on(broker: Broker) -> None:
    session = lab.load("chat", 5, history=False)
    asyncio.run(session.promote(broker.url))
    session.step(1400)
    port: NatsHostPort = session.live.port
    state = port.link.call(port.link.js.stream_info(port.subjects.log), 5).state
    assert 256 <= state.messages < 1400
    session.close()
    alone = lab.load("chat", 5, history=False)
    alone.step(1400)
    alike(session, alone)


@pytest.mark.live
def test_a_log_is_asked_for_records_no_more_often_than_it_gives_them(broker: Broker, monkeypatch: Any) -> None:
    monkeypatch.setattr(log, "PULL", 16)
    monkeypatch.setattr(log, "PULL_SECONDS", 0.3)
    session = lab.load("chat", 5, history=False)
    live = asyncio.run(session.promote(broker.url))
    port, term = live.port, live.port.term
    assert term is not None
    for _ in range(3):
        session.step(100)
        time.sleep(0.7)
    waiting = port.link.call(port.link.js.consumer_info(port.subjects.log, term._reader), 5).num_waiting
    assert 1 <= waiting <= 2
    assert 0 < term._asked <= 32
    assert term.restarts == 1
    session.close()


@pytest.mark.live
def test_a_record_that_looks_like_the_end_of_a_request_is_one_like_others(broker: Broker) -> None:
    session = lab.load("chat", 5, history=False)
    live = asyncio.run(session.promote(broker.url))
    session.step(5)
    port = live.port
    port.link.call(port.link.js.publish(port.subjects.out("X"), b"", headers={"Status": "404"}), 5)
    session.step(5)
    assert session.tick == 9
    assert port.refused == 1
    session.close()


@pytest.mark.live
def test_a_wall_clock_holds_ticks_to_real_time(broker: Broker) -> None:
    with live_room("chat", broker.url, clock="wall") as (session, _, _):
        start = time.monotonic()
        session.step(41)
        assert 40 / 20 <= time.monotonic() - start < 3.5
        assert len(session.world.roster) == 4


@pytest.mark.live
def test_two_hosts_of_one_world_cannot_both_lead(broker: Broker) -> None:
    session = lab.load("chat", 5, history=False)
    live = asyncio.run(session.promote(broker.url))
    session.step(5)
    other = NatsHostPort([broker.url], live.invite.wid)
    term = other.campaign()
    assert term is not None
    assert term.epoch == 2
    assert term.last_tick == 4
    assert term.commit(5, 0, "")
    with pytest.raises(Lost):
        session.step()
    assert session.tick == 4
    other.close()
    session.close()


@pytest.mark.live
def test_members_of_a_private_broker_cannot_do_what_only_the_host_does(broker: Broker) -> None:
    session = lab.load("chat", 5, history=False)
    live = asyncio.run(session.promote())
    session.step(3)
    names, term = live.port.subjects, live.port.term
    port = NatsPort(live.invite.urls, names.wid)
    assert live.invite.urls != live.urls
    port.post(frame_of(Kind.TURN, Turn([])))
    port.flush()
    ref = port.put_blob(b"x" * 100_000)
    assert port.get_blob(ref) == b"x" * 100_000

    async def attempts() -> None:
        nats = port.link.nats
        for subject in (
            names.tick, names.sys, names.inbox("A", "t"), f"$JS.API.STREAM.DELETE.{names.log}",
            f"$JS.API.STREAM.PURGE.{names.log}", f"$JS.API.CONSUMER.CREATE.{names.log}", "_INBOX.x",
        ):  # fmt: skip
            await nats.publish(subject, b"x")
        for subject in (names.again("A"), names.join("A")):
            await nats.publish(subject, b"1", reply=names.tick)
        for subject in (">", names.out("*"), names.tick, "$SYS.>"):
            await nats.subscribe(subject)
        await port.link.barrier()

    port.link.call(attempts(), 10)
    session.step(5)
    assert port.link.counts["errors"] == 11
    assert port.link.is_up
    assert term is not None
    newest = live.port.link.call(term._newest_marker(), 5)
    assert newest is not None
    assert newest[1] is not None
    assert newest[1].tick == session.tick == 7
    assert live.status()["refused"] == 0
    assert live.port.refused == 1
    assert not term.lost
    assert term.foreign == 0
    port.close()
    session.close()


@pytest.mark.live
def test_a_live_session_runs_in_the_background_too(broker: Broker) -> None:
    session = lab.load("chat", 5)

    async def between_cells() -> None:
        await session.promote(broker.url)
        session.start()
        while session.tick < 100:
            await asyncio.sleep(0.01)
        session.pause()
        await session.demote()

    asyncio.run(between_cells())
    alone = lab.load("chat", 5)
    alone.run(max_cycles=session.tick + 1)
    alike(session, alone)


def test_an_invite_is_read_as_a_whole_or_not_at_all() -> None:
    text = str(Invite(["nats://secret@h:1"], "a" * 16, "Room"))
    assert read_invite(f" {text}\n").name == "Room"
    assert "secret" not in repr(read_invite(text))
    for wrong in ("nats://h", text[:-5], text[:-5] + "!!!!!", str(Invite(["http://x"], "a" * 16, "")),
                  str(Invite([], "a" * 16, "")), str(Invite(["nats://h"], "*.>", ""))):  # fmt: skip
        with pytest.raises(WorldError, match="invite"):
            read_invite(wrong)
