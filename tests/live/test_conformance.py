"""What both carriers of a live world promise: a hub in this process, and a real broker.

====  ================================================================================================
C1    What one member posts has one order in the log, and the log has one order for all.
C2    What comes several times and out of order counts once and in order, to the log and from the host.
C3    In a tick, messages come in the order of (joining, posting), whoever was faster.
C4    Who is refused is told why; who asks nobody is told that, too.
C5    Frames, messages and blobs are as long as they may be and no longer: in ``test_sizes``.
C6    Whatever may cross comes out as it went in: frames and messages of every kind, values of every type.
C7    A full port says so, takes more when there is room, and loses nothing.
C8    Closing leaves no thread, task, socket or file.
C9    A world folder runs on both as in the synchronizer.
====  ================================================================================================

What goes past the log has its own, in ``test_past_the_log``.
"""

from __future__ import annotations

import asyncio
import os
import time
from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unaiverse_lab as lab
from live.anything import BODIES, MESSAGES, frames, made, values
from live.conftest import broker as broker
from live.places import (
    JOIN,
    PEOPLE,
    Live,
    Mouth,
    Place,
    Scrambler,
    alone,
    hall,
    hold,
    look,
    person,
    post_when_there_is_room,
    received,
    things,
    traces,
    turn,
)  # fmt: skip
from live.places import live as live
from live.places import place as place
from live.places import url as url
from live.rooms import HubWorld, apart, kit
from live.threads import alike
from unaiverse_lab.core.envelope import StreamSample
from unaiverse_lab.core.errors import LabError, WorldError
from unaiverse_lab.core.limits import NotSendable
from unaiverse_lab.live.member import Kit, Member
from unaiverse_lab.live.nats_port import WINDOW
from unaiverse_lab.live.port import IN_LIMIT, OUT_LIMIT, Backpressure, LogRecord, Refused
from unaiverse_lab.live.wire import (
    FRAME,
    LONGEST_JOIN,
    Candidate,
    Delivery,
    Frame,
    Join,
    Kind,
    Marker,
    Parcel,
    Sequence,
    WireError,
    body_in,
    decode_frame,
    encode_frame,
    frame_of,
    split_delivery,
)
from unaiverse_lab.runtime.codec import decode, encode
from unaiverse_lab.runtime.node import Node

# ---------------------------------------------------------------------- C1


def test_c1_each_sender_is_read_in_its_order_and_the_log_has_one(place: Place) -> None:
    ports = [place.member(nid) for nid in ("A", "B")]
    tickets = [port.post(turn(n)) for n in range(150) for port in ports]
    for port in ports:
        port.flush()
    assert {ticket.state for ticket in tickets} == {"stored"}
    records = place.read(300)
    for nid in ("A", "B"):
        assert [record.frame.n for record in records if record.origin == nid] == list(range(1, 151))
    seqs = [record.seq for record in records]
    assert seqs == list(range(seqs[0], seqs[0] + 300))
    assert sorted(ticket.seq for ticket in tickets) == seqs


def test_c1_only_one_marker_follows_another(place: Place) -> None:
    assert place.term.commit(0, 0, "")
    assert place.term.commit(1, 5, "x")
    other = place.host.campaign()
    assert (other.epoch, other.last_tick) == (place.term.epoch + 1, 1)
    assert other.commit(2, 7, "")
    assert not place.term.commit(2, 7, "")
    assert place.term.lost
    assert [body_in(one.frame, Marker).tick for one in place.read(3) if one.origin == "tick"] == [0, 1, 2]


# ---------------------------------------------------------------------- C2


def test_c2_what_the_host_sends_comes_once_and_in_order(place: Place) -> None:
    port = place.member("A")
    place.send("A", range(1, 60))
    place.send("A", range(20, 80))
    place.send("A", range(1, 101))
    assert [frame.n for frame in received(port, 100)] == list(range(1, 101))
    port.wait(0.05)
    assert port.poll() == []


def test_c2_a_world_whose_frames_all_come_three_times_and_out_of_order_is_what_it_is(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mouth, "words", ("a", "b" * 30_000, "c" * 31_000, "d" * 32_000))
    scrambler = Scrambler(live, 1)
    live.session.step(12)
    expected = alone(12)
    alike(live.session, expected)
    assert live.agent("Ear").heard == expected.agent("Ear").heard  # type: ignore[attr-defined]
    assert len(live.agent("Ear").heard) > 120
    assert (live.host.refused, [member.dropped for member in live.members]) == (0, [0] * 5)
    assert scrambler.sent > 12 * 4 * 6 and scrambler.emitted >= 12 * 5 * 3


@settings(deadline=None)
@given(st.permutations(range(1, 40)), st.lists(st.integers(1, 39)))
def test_c2_a_sequence_gives_each_number_once_and_in_order(order: list[int], again: list[int]) -> None:
    sequence = Sequence()
    out = [one for number in [*order[:20], *again, *order, *again] for one in sequence.take(number, number)]
    assert out == list(range(1, 40))
    assert not sequence.gap


def test_c2_a_sequence_holds_so_many_and_no_more() -> None:
    sequence = Sequence(hold=3)
    assert [sequence.take(number, number) for number in (2, 3, 4, 5)] == [[]] * 4
    assert sequence.dropped == 1
    assert sequence.take(1, 1) == [1, 2, 3, 4]
    assert sequence.take(5, 5) == [5]


def test_c2_what_comes_three_times_and_out_of_order_is_applied_once() -> None:
    plain, noisy = HubWorld("chat", 3), HubWorld("chat", 3)
    append, kept = noisy.hub.append, []

    def thrice(origin: str, frame: Frame) -> int:
        seq = append(origin, frame)
        if origin.startswith("M"):
            kept.append((origin, frame))
            for old in kept[-8:]:
                append(*old)
        return seq

    noisy.hub.append = thrice  # type: ignore[method-assign]
    for world in (plain, noisy):
        world.session.step(100)
    assert noisy.session.digest() == plain.session.digest()
    assert len(noisy.hub.log) > 2 * len(plain.hub.log)


# ---------------------------------------------------------------------- C3


def test_c3_whoever_is_first_the_order_in_a_tick_is_that_of_joining_and_posting(live: Live) -> None:
    live.session.step(4)
    arrived: list[str] = []
    term = live.host.term
    read = term.next_inputs

    def noted(limit: int = 1024) -> list[LogRecord]:
        records = read(limit)
        arrived.extend(record.origin for record in records)
        return records

    term.next_inputs = noted  # type: ignore[method-assign]
    for order in permutations((1, 2, 3, 4)):
        live.order = [0, *order]
        arrived.clear()
        live.session.step()
        assert [origin for origin in arrived if origin in ("N1", "N2", "N3", "N4")] == [f"N{one}" for one in order]
    expected = alone(28)
    heard = live.agent("Ear").heard
    assert heard == expected.agent("Ear").heard  # type: ignore[attr-defined]
    alike(live.session, expected)
    ticks = {tick for tick, _, _ in heard}
    assert len(ticks) >= 24
    for tick in sorted(ticks)[1:]:
        said = [(sender, words[0]) for when, sender, words in heard if when == tick]
        assert said == [(f"M{number}", word) for number in range(4) for word in "abc"]


def test_c3_whoever_answers_first_a_run_of_chat_is_the_same() -> None:
    digests = set()
    for order in permutations(range(4)):
        world = HubWorld("chat", 3)
        world.hub.meanwhile[1:] = [
            act
            for number in order
            for act in (world.members[number].pump, world.members[number].port.pump)  # type: ignore[attr-defined]
        ]
        world.session.step(60)
        digests.add(world.session.digest())
    assert len(digests) == 1


# ---------------------------------------------------------------------- C4


def test_c4_who_is_refused_is_told_why(place: Place) -> None:
    place.member("A", admit=False)


def test_c4_a_host_tells_why_it_lets_nobody_in(live: Live) -> None:
    def refusal(port: Any, nodes: list[Candidate], nonce: str = "x") -> tuple[str, str]:
        with pytest.raises(Refused) as caught:
            live.meanwhile(port, lambda: port.join(Join(nodes, "s", nonce), 10))
        return caught.value.reason, caught.value.detail

    static = {"node_name": "Eve", "node_id": "Eve", "node_type": "agent"}
    port = live.port("X")
    taken = person("M0", "mouth").profile.to_dict()
    for number, (nodes, reason, detail) in enumerate(
        [
            ([Candidate(taken, {})], "name_taken", "there is a node called 'M0' already"),
            ([Candidate(person("Eve").profile.to_dict(), {})] * 2, "name_taken", "called 'Eve' already"),
            ([], "malformed", "at least one node"),
            ([Candidate({}, {})], "malformed", "static"),
            ([Candidate({"static": 3}, {})], "malformed", "profile is a mapping"),
            ([Candidate({"static": static, "dynamic": {"peer_id": "M0"}}, {})], "malformed", "the peer id of 'Eve'"),
            ([Candidate({"static": {**static, "node_name": "\0" * 10_000}}, {})], "malformed", "peer id"),
        ]
    ):
        told = refusal(port, nodes, f"x{number}")
        assert told[0] == reason
        assert detail in told[1]
    assert refusal(live.members[1].port, [Candidate(person("Eve").profile.to_dict(), {})])[0] == "already_joined"
    assert live.host.refused == 8
    assert len(live.session.nodes) == 1 + len(PEOPLE)
    live.session.step(3)
    assert len(live.agent("Ear").heard) > 0


def test_c4_a_request_beyond_the_limits_does_not_even_leave(place: Place) -> None:
    port = place.new("A")
    place.ports.append(port)
    for wrong, problem in (
        ({"x": float("nan")}, r"options\.x: nan is no finite number"),
        ({"x": [0] * 5000}, "a list of 5000 entries"),
        ({"x": "y" * LONGEST_JOIN}, f"{LONGEST_JOIN} is the most a request to join may have"),
    ):
        with pytest.raises(NotSendable, match=problem):
            port.join(Join([Candidate({}, wrong)], "s", "n"), 5)


def test_c4_the_longest_request_comes_through_to_the_log(live: Live) -> None:
    node = person("Eve" + "x" * 10_000, "mouth")
    room = LONGEST_JOIN - len(msgspec.msgpack.encode(Join([Candidate(node.profile.to_dict(), {})], "s", "n"))) - 7
    profile = node.profile.to_dict()
    profile["static"]["motto"] = "x" * (room - 2)
    join = Join([Candidate(profile, {})], "s", "n")
    assert len(msgspec.msgpack.encode(join)) in (LONGEST_JOIN - 1, LONGEST_JOIN)
    port = live.port("X")
    live.meanwhile(port, lambda: port.join(join, 10))
    live.host.barrier = 0.2
    live.session.step(2)
    assert node.name in live.session.nodes


def test_c4_what_a_host_cannot_ask_of_a_member_is_its_own_fault(live: Live) -> None:
    stranger = Member(live.port("Y"), [person("Eve", "mouth")], Kit({"ears": lab.Agent}))
    with pytest.raises(WorldError, match=r"the role 'ear', and no class for it is installed here. Did you mean 'ears'"):
        live.meanwhile(stranger.port, lambda: stranger.join(10))
    with pytest.raises(WorldError, match="a member brings agents"):
        Member(live.port("Z"), [Node(hall(), "W")])


def test_c4_the_world_itself_turns_somebody_away(live: Live) -> None:
    unwanted = person("Eve")
    live.add(Member(live.port("X"), [unwanted], live.kit))
    live.session.step(4)
    assert unwanted.state == "refused"
    assert unwanted.why_refused
    assert {name: role for name, role, _, _ in live.session.status()}["Eve"] != "mouth"
    assert "Eve" not in live.session.world.roster


def test_c4_nobody_answers_where_nobody_hosts(place: Place) -> None:
    port = place.new("A")
    place.ports.append(port)
    began = time.monotonic()
    with pytest.raises(Refused, match="answered") as caught:
        port.join(JOIN, 1)
    assert caught.value.reason == "no_answer"
    assert time.monotonic() - began < 8


# ---------------------------------------------------------------------- C6


@settings(max_examples=100, deadline=None)
@given(frames)
def test_c6_frames_of_every_kind_come_out_as_they_went_in(frame: Frame) -> None:
    read = decode_frame(encode_frame(frame))
    assert read == frame
    body = body_in(read, BODIES[Kind(frame.kind)])
    assert msgspec.msgpack.encode(body) == bytes(frame.body)


@pytest.mark.parametrize("cls", MESSAGES)
def test_c6_messages_of_every_kind_come_out_as_they_went_in(cls: Any) -> None:
    @settings(max_examples=15, deadline=None)
    @given(made(cls))
    def comes_out(body: Any) -> None:
        assert decode(encode(body)) == body

    comes_out()


def test_c6_values_of_every_type_cross(place: Place) -> None:
    port = place.member("A")
    said = [StreamSample("g", {"s": [{"data": value, "data_tag": 3, "data_uuid": "u"}]}) for value in things()]
    parcels = [Parcel("a", "b", encode(body)) for body in said]
    parts = split_delivery(parcels)
    for part in parts:
        port.post(frame_of(Kind.TURN, part))
    port.flush()
    came = [one for record in place.read(len(parts)) for one in body_in(record.frame, Delivery).parcels]
    assert len(came) == len(said)
    for parcel, body in zip(came, said, strict=True):
        assert isinstance(parcel.body, bytes)
        assert look(decode(parcel.body).samples) == look(body.samples)  # type: ignore[attr-defined]


@settings(max_examples=60, deadline=None)
@given(st.lists(values, max_size=5))
def test_c6_whatever_else_is_a_value_crosses(given_values: list[Any]) -> None:
    body = StreamSample("g", {"s": [{"data": value, "data_tag": 1, "more": value} for value in given_values]})
    assert decode(encode(body)) == body


def test_c6_frames_of_every_kind_cross(place: Place) -> None:
    port = place.member("A")
    sent = [frame_of(kind, [int(kind), "x", b"\0", None, 0.5], tick=5, time_ns=-7, flags=1) for kind in Kind]
    for frame in sent:
        port.post(frame)
    port.flush()
    came = [record.frame for record in place.read(len(sent))]
    assert [frame.n for frame in came] == list(range(1, len(sent) + 1))
    assert len({frame.id for frame in came}) == len(sent)
    for mine, theirs in zip(sent, came, strict=True):
        assert msgspec.structs.replace(theirs, n=0, ack=0, id=mine.id) == mine


def test_c6_frames_of_other_versions_and_kinds_are_refused() -> None:
    good = msgspec.structs.replace(turn(), n=1, id=b"i" * 16)
    for wrong, reason in (
        ({"v": 2}, "unsupported"), ({"kind": 99}, "unsupported"), ({"flags": 128}, "unsupported"),
        ({"id": b"short"}, "malformed"), ({"n": -1}, "malformed"), ({"tick": -5}, "malformed"),
    ):  # fmt: skip
        with pytest.raises(WireError) as caught:
            decode_frame(encode_frame(msgspec.structs.replace(good, **wrong)))  # type: ignore[arg-type]
        assert caught.value.reason == reason
    deep = encode_frame(good)[:-1] + b"\x91" * 5000 + b"\x90"
    for data, problem in ((bytes(FRAME * 2), "too_large"), (b"\x91" * 5000, "malformed"), (deep, "malformed")):
        with pytest.raises(WireError, match=problem):
            decode_frame(data)


# ---------------------------------------------------------------------- C7


def test_c7_a_full_port_says_so_and_takes_more_when_there_is_room(place: Place) -> None:
    port = place.member("A")
    link = getattr(port, "link", None)
    if link is not None:
        link.call(hold(link), 5)
    for number in range(OUT_LIMIT):
        assert port.post(turn(number)).n == number + 1
    with pytest.raises(Backpressure, match=str(OUT_LIMIT)):
        port.post(turn())
    if link is not None:
        link.soon(link.up.set)
    else:
        port.pump()
    order = Sequence(hold=WINDOW)  # as the host reads: of a full log, some frames are taken later than others
    frames: list[Frame] = []
    give_up = time.monotonic() + 20
    while len(frames) < OUT_LIMIT + 1:
        assert time.monotonic() < give_up, f"{len(frames)} frames"
        fresh = place.read(1)
        if link is not None:  # the log holds so many of each writer: what was read may go
            place.term.link.call(place.term.link.js.purge_stream(place.host.subjects.log, seq=fresh[-1].seq), 5)
        if not frames:
            assert post_when_there_is_room(port).n == OUT_LIMIT + 1
            port.wait(0.0)
        for record in fresh:
            frames += order.take(record.frame.n, record.frame)
    assert [frame.n for frame in frames] == list(range(1, OUT_LIMIT + 2))
    assert [frame.tick for frame in frames[:-1]] == list(range(OUT_LIMIT))
    assert order.dropped == 0


def test_c7_a_member_that_does_not_read_loses_nothing(place: Place) -> None:
    port = place.member("A")
    count = IN_LIMIT + 500
    place.send("A", range(1, count + 1))
    if hasattr(place.term, "settle"):
        place.term.link.call(place.term.settle(), 20)
        time.sleep(0.3)
    assert [frame.n for frame in received(port, count)] == list(range(1, count + 1))


# ---------------------------------------------------------------------- C8


def test_c8_a_closed_port_leaves_nothing_and_takes_nothing(place: Place) -> None:
    port = place.member("A")
    ticket = port.post(turn())
    port.close()
    port.close()
    assert ticket.state == "stored"
    with pytest.raises(LabError, match="closed"):
        port.post(turn())


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="looks at what Linux tells of a process")
@pytest.mark.parametrize("drain", [False, True])
def test_c8_a_world_that_ends_leaves_nothing(
    url: str | None, drain: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = traces(tmp_path)
    live = Live(url)
    live.session.step(5)
    live.members[4].leave()
    live.session.step(2)
    live.members[1].port.post(turn())
    for port in reversed(live.made):
        port.close(drain=drain)
    live.session.close()
    for _ in range(50):
        after = traces(tmp_path)
        if after == before:
            break
        time.sleep(0.02)
    assert after == before
    links = [port.link for port in live.made if hasattr(port, "link")]
    assert [link._loop.is_closed() and not asyncio.all_tasks(link._loop) for link in links] == [True] * len(links)


# ---------------------------------------------------------------------- C9


def test_c9_a_world_folder_runs_as_in_the_synchronizer(url: str | None) -> None:
    node, nodes = apart("chat")
    live = Live(url, node, nodes, kit("chat"))
    try:
        live.session.step(120)
        expected = lab.load("chat", 3, strict=True, history=False)
        expected.step(120)
        alike(live.session, expected)
        assert len(expected.trace) > 50
        assert live.host.refused == 0
        assert [member.dropped for member in live.members] == [0] * 4
    finally:
        live.close()
