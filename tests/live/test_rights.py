"""What members may say and hear at a private broker, tried with a bare client."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nats
import pytest

from live.loads import in_time
from live.threads import equals_the_synchronizer, live_room
from unaiverse_lab.live.broker import Broker
from unaiverse_lab.live.log import NatsHostPort
from unaiverse_lab.live.nats_port import NatsPort, new_wid
from unaiverse_lab.live.wire import Kind, frame_of

ME, OTHER, TOKEN = "UME", "UOTHER", "0123456789abcdef"


class World:
    """An empty world at a broker: its host's port, and two bare clients."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.port = NatsHostPort([broker.url], new_wid(), keep_log=True)
        self.to = self.port.subjects
        self.direct = f"$JS.API.DIRECT.GET.{self.to.blobs}.{self.to.prefix}.blob.x.y.0"
        self.log: Counter[str] = Counter()

    async def clients(self) -> None:
        """A member and the host's own, without our code around them."""
        self.refusals: list[str] = []
        self.heard: list[str] = []

        async def refused(error: Exception) -> None:
            self.refusals.append(str(error).lower())

        async def hear(message: Any) -> None:
            self.heard.append(message.subject)

        self.member = await nats.connect(self.broker.member_url, error_cb=refused, allow_reconnect=False)
        self.host = await nats.connect(self.broker.url, allow_reconnect=False)
        await self.host.subscribe("uw1.>", cb=hear)
        await self.host.flush()

    async def close(self) -> None:
        await self.member.close()
        await self.host.close()

    async def logged(self) -> dict[str, int]:
        """How many records of the log have each subject."""
        info = await self.host.jetstream().stream_info(self.to.log, subjects_filter=">")
        return {name.removeprefix(f"{self.to.prefix}."): count for name, count in (info.state.subjects or {}).items()}

    async def settled(self) -> None:
        """Wait until what the member wrote has had its consequences."""
        await asyncio.sleep(0.05)
        await self.member.flush()
        await asyncio.sleep(0.2)
        await self.host.flush()


@contextmanager
def world_at(broker: Broker) -> Iterator[World]:
    world = World(broker)
    try:
        yield world
    finally:
        world.port.close()


@pytest.mark.live
def test_a_reply_subject_makes_nobody_write_where_members_may_not(any_broker: Broker) -> None:
    with world_at(any_broker) as world:
        asyncio.run(hijack(world))


async def hijack(world: World) -> None:
    """Name others' subjects as where the answer is to go: the broker's, the host's, a stored text of one's choice."""
    await world.clients()
    to = world.to

    async def answer(message: Any) -> None:
        await world.host.publish(message.reply, b"the host's answer")

    for asked in (f"{to.prefix}.q.*.*", to.join("*")):
        await world.host.subscribe(asked, cb=answer)
    await world.host.flush()
    blob = f"{to.prefix}.blob.x.y.0"
    await world.member.request(blob, b"the member's text", timeout=2)
    said = [to.out(ME), blob, world.direct, to.again(ME), to.join(ME)]
    purge = f"$JS.API.STREAM.PURGE.{to.log}"
    master, room = f"{to.prefix}.mst.{OTHER}", to.inbox(OTHER, TOKEN)
    foreign = [to.tick, to.sys, to.out(OTHER), master, room, f"{blob}1", to.join(OTHER), to.again(OTHER), purge]
    foreign.append(to.lossy(OTHER))
    rounds = 20
    for _ in range(rounds):
        for reply in foreign:
            for subject in said:
                await world.member.publish(subject, b"the member's text", reply=reply)
    await world.settled()
    everything = rounds * len(foreign)
    assert await world.logged() == {f"out.{ME}": everything}
    allowed = {to.out(ME), blob, to.again(ME), to.join(ME)}
    assert Counter(world.heard) == dict.fromkeys(allowed, everything) | {blob: everything + 1}
    assert world.refusals == []
    await world.close()


@pytest.mark.live
def test_what_members_may_not_is_refused_and_they_stay(any_broker: Broker) -> None:
    with world_at(any_broker) as world:
        asyncio.run(overstep(world))


async def overstep(world: World) -> None:
    """Say and listen to everything that is not for members."""
    await world.clients()
    to, api = world.to, "$JS.API."
    said = [
        to.tick, to.sys, f"{to.prefix}.mst.{ME}", to.inbox(ME, TOKEN), to.prefix, f"{to.prefix}.x", "x",
        "$SYS.REQ.ACCOUNT.INFO", "$SRV.PING", "$KV.x.y", "_R_.x", "_INBOX.x",
        f"{api}INFO", f"{api}STREAM.NAMES", f"{api}STREAM.CREATE.X",
        *(f"{api}STREAM.{verb}.{to.log}" for verb in ("UPDATE", "INFO", "DELETE", "PURGE", "MSG.GET", "MSG.DELETE")),
        f"{api}CONSUMER.CREATE.{to.log}", f"{api}CONSUMER.CREATE.{to.blobs}.x",
        f"{api}CONSUMER.DURABLE.CREATE.{to.log}.x", f"{api}CONSUMER.MSG.NEXT.{to.log}.x",
        f"{api}CONSUMER.DELETE.{to.log}.x", f"$JS.ACK.{to.log}.x",
        f"{api}DIRECT.GET.{to.log}", f"{api}DIRECT.GET.{to.blobs}", f"{api}DIRECT.GET.{to.log}.{to.tick}",
    ]  # fmt: skip
    heard = [
        ">", "uw1.>", f"{to.prefix}.>", to.out("*"), to.out(ME), to.tick, to.sys, to.join("*"), to.again("*"),
        f"{to.prefix}.*.*.*", f"{to.prefix}.blob.>", "$JS.>", "$SYS.>", "_R_.>",
    ]  # fmt: skip
    before = await world.host.jetstream().stream_info(to.log)
    for subject in said:
        await world.member.publish(subject, b"{}")
    for subject in heard:
        await world.member.subscribe(subject)
    await world.settled()
    for verb, subjects in (("publish", said), ("subscription", heard)):
        for subject in subjects:
            expected = f'permissions violation for {verb} to "{subject.lower()}"'
            assert any(expected in refusal for refusal in world.refusals), subject
    assert len(world.refusals) == len(said) + len(heard)
    after = await world.host.jetstream().stream_info(to.log)
    assert (after.state, after.config) == (before.state, before.config)
    assert world.heard == []
    assert world.member.is_connected
    await world.close()


@pytest.mark.live
def test_samples_that_may_be_lost_come_to_everybody_once(any_broker: Broker) -> None:
    with world_at(any_broker) as world:
        asyncio.run(shout(world))


async def shout(world: World) -> None:
    """Members and the host say something, and everybody else listens."""
    await world.clients()
    members = [world.member, *[await nats.connect(world.broker.member_url) for _ in range(2)]]
    prefix, came = f"{world.to.prefix}.lossy", Counter[tuple[str, str]]()

    def listener(name: str) -> Any:
        async def hear(message: Any) -> None:
            came[message.subject.rpartition(".")[2], name] += 1

        return hear

    everybody = {"HOST": world.host, **{f"M{number}": member for number, member in enumerate(members)}}
    for name, client in everybody.items():
        await client.subscribe(f"{prefix}.*", cb=listener(name))
    await world.settled()
    for _ in range(10):
        for name, client in everybody.items():
            await client.publish(f"{prefix}.{name}", b"sample")
    await world.settled()
    others = {(by, to): count for (by, to), count in came.items() if by != to}
    assert others == {(by, to): 10 for by in everybody for to in everybody if by != to}
    for member in members[1:]:
        await member.close()
    await world.close()


@pytest.mark.live
def test_long_messages_cross_the_accounts(any_broker: Broker) -> None:
    with world_at(any_broker) as world:
        member = NatsPort([any_broker.member_url], world.to.wid)
        try:
            data = bytes(range(256)) * 8192
            assert world.port.get_blob(member.put_blob(data)) == data
            assert member.get_blob(world.port.put_blob(data[1:])) == data[1:]
        finally:
            member.close()


@pytest.mark.live
def test_a_world_whose_members_have_members_rights_runs_as_in_one_process(any_broker: Broker) -> None:
    with live_room("chat", any_broker.url, lambda number: any_broker.member_url) as (session, live, threads):
        session.step(100)
        equals_the_synchronizer(session, "chat", 100)
        assert live.status()["refused"] == 0
        assert [thread.port.link.counts["errors"] for thread in threads] == [0] * 4


class OneAccount(Broker):
    """As somebody's own broker may be: everybody is the same user of the same account."""

    def _configuration(self) -> dict[str, Any]:
        configuration = super()._configuration()
        user = configuration.pop("accounts")["CORE"]["users"][0]
        return {**configuration, "authorization": {"users": [user]}}


@pytest.mark.live
def test_a_broker_with_one_account_serves_as_well(any_broker: Broker, tmp_path: Path) -> None:
    with OneAccount(tmp_path / "theirs", any_broker.server) as theirs:
        with live_room("chat", theirs.url) as (session, live, threads):
            data = bytes(100_000)
            assert threads[0].port.get_blob(threads[1].port.put_blob(data)) == data
            session.step(60)
            equals_the_synchronizer(session, "chat", 60)
            assert live.status()["refused"] == 0


@pytest.mark.live
def test_offers_cross_the_accounts_once(any_broker: Broker) -> None:
    with world_at(any_broker) as world:
        members = [NatsPort([any_broker.member_url], world.to.wid) for _ in range(2)]
        ports = [world.port, *members]
        came: dict[str, list[tuple[str, int]]] = {port.nid: [] for port in ports}

        def collect() -> bool:
            for port in ports:
                came[port.nid] += [(offer.origin, offer.frame.tick) for offer in port.offers()]
            return all(len(offers) >= 20 for offers in came.values())

        try:
            collect()
            for tick in range(10):
                for port in ports:
                    assert port.offer(frame_of(Kind.TURN, b"sample", tick))
            assert in_time(collect)
            for port in ports:
                others = [other.nid for other in ports if other is not port]
                assert sorted(came[port.nid]) == sorted((nid, tick) for nid in others for tick in range(10))
        finally:
            for member in members:
                member.close()
