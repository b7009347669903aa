"""Streams for subscribers: heard by those who asked for them, whatever they are written for."""

from __future__ import annotations

from typing import Any

import pytest
from runtime.rooms import Dropped, Fault, Room, ends, machine, records, room

from unaiverse_lab import Agent, Session, Stream
from unaiverse_lab.core.drive import drive
from unaiverse_lab.core.records import Pushed
from unaiverse_lab.data.library import Source


class Reader(Agent):
    """Notes what arrives on the station's streams, under every uuid."""

    def heard(self, name: str = "news") -> list[Any]:
        stream = self.get_stream(name, "Station")
        return [] if stream is None else [value for value, _, _ in stream.get("me", all_uuids=True)]


def newsroom(readers: int = 3, *, strict: bool = False, subscribed: bool = True) -> Session:
    """A station with a live stream, an editor who knows everybody, and readers who know the editor only."""
    hsm = machine(Reader)
    for name in ("subscribe", "process"):
        hsm.add_transit("ready", "ready", action=name)
    plain = machine(Agent)
    plain.add_transit(
        "ready", "ready", action="record", args={"streams": ["Station:news"], "num_steps": 2}, ready=False
    )
    session = Session(room(reader=hsm, plain=plain), delta=0.1, strict=strict)
    station = Agent(proc_inputs=["text"], proc_outputs=["text"])
    station.add_stream(Stream(name="news", pubsub=True))
    station.add_stream(Stream.create(Source(["a", "b"], circular=False, data_type="text"), "archive"))
    session.add(station, "Station", role_preference="plain")
    session.add(Agent(), "Editor", role_preference="plain")
    for number in range(readers):
        session.add(Agent(proc_inputs=["text"], proc_outputs=["text"]), f"R{number}", role_preference="reader")
    session.step(3)
    for name in list(session.nodes)[1:]:
        if name != "Editor":
            session.agent("Editor").contact(name)
    session.step(3)
    if subscribed:
        subscribe(session)
    return session


def subscribe(session: Session, agent: Any = None, unsubscribe: bool = False, stream: str = "Station:news") -> bool:
    """The editor asks readers (default: all) to subscribe to the station."""
    editor = session.agent("Editor")
    agent = agent or [name for name in session.nodes if name.startswith("R")]
    done = drive(editor.send_subscribe(agent=agent, stream_hashes=[stream], unsubscribe=unsubscribe))
    session.step(4)
    return bool(done)


def publish(session: Session, *values: str, uuid: str | None = None, name: str = "news") -> None:
    stream = session.agent("Station").owned_streams[name]
    for value in values:
        stream.set(value, uuid=uuid)
        session.step()
    session.step(2)


def heard(session: Session, name: str = "news") -> list[list[Any]]:
    readers = [node.agent for key, node in session.nodes.items() if key.startswith("R")]
    return [reader.heard(name) for reader in readers]  # type: ignore[union-attr]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("uuid", [None, "sys_system", "of_somebody_else"])
def test_what_is_published_reaches_every_subscriber_once_whatever_it_is_for(uuid: str | None, strict: bool) -> None:
    session = newsroom(strict=strict)
    assert ends(session, "Editor") == [("ok", "")]
    publish(session, "one", "two", uuid=uuid)
    assert heard(session) == [["one", "two"]] * 3
    assert heard(session) == [[]] * 3
    kept = session.agent("R0").get_stream("news", "Station")
    assert kept is not None
    assert kept.get_data_uuids() == [None if uuid == "sys_system" else uuid]
    assert not records(session, Dropped)


def test_who_subscribes_hears_what_is_published_from_then_on() -> None:
    session = newsroom(subscribed=False)
    publish(session, "early")
    subscribe(session, ["R0", "R1"])
    publish(session, "late")
    assert heard(session) == [["late"], ["late"], []]


def test_who_gives_its_subscription_up_hears_no_more() -> None:
    session = newsroom()
    publish(session, "one")
    assert subscribe(session, "R1", unsubscribe=True)
    publish(session, "two")
    assert heard(session) == [["one", "two"], ["one"], ["one", "two"]]
    assert not session.agent("R1").subscriptions
    subscribe(session, "R1", unsubscribe=True)
    assert ends(session, "Editor")[-1] == ("rejected", "I am not subscribed to Station")


def test_a_relay_feeds_the_requests_of_others_under_their_uuid() -> None:
    """The editor asks the readers to work on the station's stream; the station fills it under that uuid."""
    session = newsroom()
    sent = session.agent("Editor")._send("process", ["R0", "R2"], streams={"stdin": ["Station:news"]}, num_steps=2)
    assert sent is not None
    session.step(3)
    publish(session, "lesson 1", "lesson 2", uuid=sent.uuid)
    session.step(4)
    assert sent.outcome.reason_of == {"R0": "ok", "R2": "ok"}
    answers = [(push.node, push.owner, push.value) for push in records(session, Pushed, "Editor")]
    assert answers == [
        ("Editor", "R0", "lesson 1"), ("Editor", "R2", "lesson 1"),
        ("Editor", "R0", "lesson 2"), ("Editor", "R2", "lesson 2"),
    ]  # fmt: skip


def test_a_partner_who_also_subscribes_gets_a_sample_once() -> None:
    session = newsroom(1)
    session.agent("Station").contact("R0")
    session.step(3)
    session.agent("Station")._send(target="R0", data_samples={"news": "for you"})
    session.step(3)
    assert heard(session) == [["for you"]]


def test_a_machine_of_ones_own_reads_what_is_published_to_all() -> None:
    session = newsroom(0)
    editor = session.agent("Editor")
    [described] = [one for one in session.agent("Station").published() if one["name"] == "news"]
    assert editor.follow("Station", [described])
    [edge] = editor.behav.machine.transitions["ready"]["ready"]
    edge.ready = True
    session.node("Editor").wake()
    session.step(2)
    publish(session, "one", "two")
    assert [sample.value for sample in editor.owned_streams["news@recorded1"]] == ["one", "two"]  # type: ignore[attr-defined]


def test_a_sequence_becomes_known_and_is_sent_when_it_is_asked_for() -> None:
    session = newsroom(1, subscribed=False)
    assert subscribe(session, stream="Station:archive")
    session.agent("Station").owned_streams["archive"].advance()  # type: ignore[attr-defined]
    session.step(3)
    assert heard(session, "archive") == [[]]
    session.agent("Editor")._send("process", "R0", streams={"stdin": ["Station:archive"]}, num_steps=2)
    session.step(8)
    assert [push.value for push in records(session, Pushed, "Editor")] == ["a", "b"]


def test_a_subscriber_who_leaves_costs_nothing_and_an_owner_who_leaves_is_forgotten() -> None:
    session = newsroom()
    session.remove("R1")
    publish(session, "one")
    assert list(session.agent("Station").subscribers["news"]) == ["R0", "R2"]
    session.remove("Station")
    session.step(3)
    for name in ("R0", "R2"):
        assert not session.agent(name).subscriptions
        assert "Station" not in session.agent(name).known_streams
    assert subscribe(session) is False
    assert not records(session, Fault)


def test_who_parts_from_the_owner_is_no_subscriber_any_more() -> None:
    session = newsroom()
    session.agent("R0").contact("Station")
    session.step(3)
    drive(session.agent("R0").disconnect("Station"))
    session.step(3)
    publish(session, "one")
    assert list(session.agent("Station").subscribers["news"]) == ["R1", "R2"]
    assert [push.node for push in records(session, Pushed)] == ["R1", "R2"]


@pytest.mark.parametrize("name", ["news", "proc_output_0"])
def test_owners_refuse_subscriptions_that_make_no_sense(name: str) -> None:
    session = newsroom(1, subscribed=False)
    described = {"name": name.replace("news", "gnus"), "group": "none", "data_type": "text", "pubsub": True}
    assert session.agent("R0").follow("Station", [described])
    session.step(2)
    [dropped] = records(session, Dropped, "Station")
    wanted = "Did you mean 'news'" if name == "news" else "not for subscribers"
    assert wanted in dropped.reason


class Editorial(Agent):
    """Publishes for some readers only."""

    def may_subscribe(self, peer_id: str, name: str) -> bool:
        return peer_id == "R1"


def test_an_owner_may_choose_its_subscribers() -> None:
    session = newsroom(subscribed=False)
    session.agent("Station").__class__ = Editorial
    subscribe(session)
    assert session.agent("Station").subscribers["news"] == {"R1"}
    reasons = [dropped.reason for dropped in records(session, Dropped, "Station")]
    assert reasons == [f"{reader} may not subscribe to the stream 'news'" for reader in ("R0", "R2")]
    publish(session, "news for one")
    assert heard(session) == [[], ["news for one"], []]


def test_a_world_publishes_too() -> None:
    class Tower(Room):
        async def on_tick(self) -> None:
            if self.owned_streams and self.link is not None and self.link.clock.tick == 10:
                self.owned_streams["bell"].set("ding")

    hsm = machine(Reader)
    world = room(Tower, reader=hsm)
    world.add_stream(Stream(name="bell", pubsub=True))
    session = Session(world)
    for name in ("Ann", "Bob", "Cyd"):
        session.add(Agent(), name, role_preference="reader")
    session.step(3)
    for name in ("Ann", "Bob"):
        assert session.agent(name).follow("World", world.published())
    session.step(3)
    session.remove("Bob")
    session.step(12)
    assert [(push.node, push.value) for push in records(session, Pushed)] == [("Ann", "ding")]
    assert list(world.subscribers["bell"]) == ["Ann"]
