"""A world whose members live elsewhere runs as the synchronizer runs it, record for record. No broker is needed."""

from __future__ import annotations

from itertools import zip_longest

import pytest

import unaiverse_lab as lab
from live.rooms import HubWorld
from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.core.records import Joined
from unaiverse_lab.live.host import Host
from unaiverse_lab.live.member import Kit, Member
from unaiverse_lab.live.memory import MemoryHostPort, MemoryHub, MemoryPort
from unaiverse_lab.live.port import Knock, Lost, Refused
from unaiverse_lab.live.wire import (
    BlobRef,
    Candidate,
    Doing,
    Join,
    Kind,
    Parcel,
    Refusal,
    Turn,
    body_in,
    frame_of,
    pack_record,
)
from unaiverse_lab.runtime.node import Node

TICKS = {
    "chat": 500, "turing": 300, "info_extraction": 300, "cat_library": 200, "animal_school": 150, "signal_school": 150,
    "social_learning": 60, "class_incremental_learning": 40,
}  # fmt: skip


def alike(one: lab.Session, other: lab.Session) -> None:
    for mine, theirs in zip_longest(one.trace, other.trace):
        assert mine == theirs
    assert one.digest() == other.digest()


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize("world", TICKS)
def test_members_elsewhere_change_nothing(world: str, together: bool) -> None:
    live = HubWorld(world, 3, together=together)
    live.session.step(TICKS[world])
    alone = lab.load(world, 3, strict=True, history=False)
    alone.step(TICKS[world])
    assert len(alone.trace) > 50
    alike(live.session, alone)
    assert live.host.refused == 0
    assert [node.dropped for node in live.session.nodes.values()] == [0] * len(live.session.nodes)


def test_what_members_do_can_be_waited_for_and_seen() -> None:
    live = HubWorld("chat", 3)
    assert live.session.run(until="user:ready", max_cycles=200).reason == "until"
    roles = {name: role for name, role, _, _ in live.session.status()}
    assert roles == {
        "ChatRoom": "world",
        "Broadcaster": "broadcaster",
        "ChatAI": "user",
        "Polly": "user",
        "Ada": "user",
    }


def test_who_leaves_says_farewell_and_who_falls_silent_is_told_lost() -> None:
    live = HubWorld("chat", 3)
    live.session.step(50)
    polly = live.members[2]
    assert polly.nodes[0].name == "Polly"
    polly.leave("enough")
    live.host.grace = live.host.barrier = 0.0
    live.hub.meanwhile.remove(live.members[1].pump)
    live.session.step(5)
    left = {(record.node, record.reason) for record in live.session.trace.of_kind(Joined) if record.stage == "left"}
    assert left == {("Polly", "enough"), ("ChatAI", "lost")}
    assert list(live.session.nodes) == ["ChatRoom", "Broadcaster", "Ada"]
    live.session.step(50)
    assert live.host.status()["late"] == []


def test_who_asks_in_vain_is_told_why() -> None:
    live = HubWorld("chat", 3)
    double = Member(MemoryPort(live.hub, "X"), [Node(lab.Agent(), "Ada")])
    with pytest.raises(Refused, match="a node called 'Ada' already") as caught:
        double.join()
    assert caught.value.reason == "name_taken"
    stranger = Member(MemoryPort(live.hub, "Y"), [Node(lab.Agent(), "Eve")], Kit({"usr": lab.Agent}))
    with pytest.raises(WorldError, match="no class for it is installed here"):
        stranger.join()
    with pytest.raises(WorldError, match="a member brings agents"):
        Member(MemoryPort(live.hub, "Z"), [Node(lab.World(), "W")])


def test_a_host_that_was_replaced_applies_nothing() -> None:
    live = HubWorld("chat", 3)
    live.session.step(5)
    other = lab.Session(lab.World())
    Host(other, MemoryHostPort(live.hub, "OTHER"))
    other.step()
    before = len(live.session.trace)
    with pytest.raises(Lost, match="tick 5 was not run here"):
        live.session.step()
    assert (live.session.tick, len(live.session.trace)) == (4, before)


def test_the_inputs_of_a_run_stand_in_the_log() -> None:
    live = HubWorld("chat", 3)
    live.session.step(20)
    origins = [record.origin for record in live.hub.log]
    assert origins.count("tick") == 20
    assert origins.count("sys") == 4
    assert {origin for origin in origins if origin.startswith("M")} == {"M0", "M1", "M2", "M3"}
    assert [record.seq for record in live.hub.log] == list(range(1, len(origins) + 1))


def test_a_world_goes_live_and_comes_back() -> None:
    alone = lab.load("chat", 5, history=False)
    alone.step(300)
    session = lab.load("chat", 5, history=False)
    session.step(100)
    host = Host(session, MemoryHostPort(MemoryHub(), "HOST"))
    session.step(100)
    host.release()
    session.step(100)
    alike(session, alone)


def test_a_tick_that_is_interrupted_while_it_waits_is_begun_again() -> None:
    live = HubWorld("chat", 3)
    live.session.step(20)
    stopped = []

    def stop() -> None:
        if live.session.in_tick and len(stopped) < 3:
            stopped.append(live.session.tick)
            raise KeyboardInterrupt

    live.hub.meanwhile.insert(0, stop)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            live.session.step()
        assert live.session.tick == 19
    live.session.step(200)
    alone = lab.load("chat", 3, strict=True, history=False)
    alone.step(220)
    alike(live.session, alone)


def test_what_no_member_may_do_is_dropped_and_counted() -> None:
    live = HubWorld("chat", 3)
    live.session.step(20)
    ada, before = live.members[3], len(live.session.trace)
    forged = [Parcel("Polly", "ChatRoom", b"x"), Parcel("Ada", "ChatRoom", BlobRef("0" * 64, 5, "", "Ada"))]
    record = pack_record(Joined(1, 0.0, "ChatRoom", "admitted"))
    turn = Turn([Doing("Ada", False, forged[:1], [record, b"junk"]), Doing("Polly", False, [], [record])])
    ada.port.post(frame_of(Kind.TURN, turn, 20))
    ada.port.post(frame_of(Kind.TURN, Turn([Doing("Ada", False, forged[1:], [])]), 20))
    live.session.step()
    assert live.session.nodes["Ada"].dropped == 4
    assert live.host.refused == 1
    assert not any(one.kind == "join" for one in live.session.trace.since(before))


def test_of_too_many_who_wait_for_others_the_latest_are_turned_away() -> None:
    hub = MemoryHub()
    session = lab.Session(lab.World(), name="room")
    host = Host(session, MemoryHostPort(hub, "HOST"))
    host.expected = ["Nobody"]
    answers: list[str] = []
    for number in range(300):
        candidate = Candidate(Node(lab.Agent(), f"N{number}").profile.to_dict(), {})
        hub.waiting.append(
            Knock(
                f"M{number}",
                Join([candidate], "s", str(number)),
                lambda frame: answers.append(body_in(frame, Refusal).reason),
            )
        )
    host.attend()
    assert answers == ["full"] * 44
    assert list(session.nodes) == ["room"]
