"""What carries messages: the same promises in one process and on NATS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live.conftest import broker as broker
from live.rooms import HubWorld

from unaiverse_lab.core.envelope import AgentRefusal, Body, Contact, InteractionMessage, StreamSample
from unaiverse_lab.core.errors import LabError
from unaiverse_lab.live.log import NatsHostPort
from unaiverse_lab.live.memory import MemoryHostPort, MemoryHub, MemoryPort
from unaiverse_lab.live.nats_port import NatsPort, new_wid
from unaiverse_lab.live.port import OUT_LIMIT, Backpressure, BlobError, LogRecord, Refused
from unaiverse_lab.live.wire import (
    FRAME,
    MAX_BLOB,
    BlobRef,
    Candidate,
    Delivery,
    EventTooLarge,
    Fact,
    Frame,
    Grant,
    Join,
    Kind,
    Leave,
    Marker,
    Refusal,
    Sequence,
    Turn,
    WireError,
    body_in,
    decode_frame,
    encode_frame,
    frame_of,
)
from unaiverse_lab.runtime.codec import decode, encode
from unaiverse_lab.runtime.transport import InProcessTransport, body_of

JOIN = Join([Candidate({"static": {"node_name": "Ann"}}, {})], "s", "n")


class Place:
    """A host and its members, somewhere."""

    def __init__(self, host: Any, member: Callable[[str], Any]) -> None:
        self.host = host
        self.term = host.campaign()
        self.new = member
        self.ports: list[Any] = [host]

    def member(self, nid: str, admit: bool = True) -> Any:
        """A member that has asked to be let in, and was or was not."""
        port = self.new(nid)
        self.ports.append(port)
        hub = getattr(port, "hub", None)
        if hub is not None:
            hub.meanwhile.append(lambda: self.answer(admit))
            self.ask(port, admit)
            hub.meanwhile.clear()
        else:
            thread = threading.Thread(target=self.ask, args=(port, admit))
            thread.start()
            while thread.is_alive():
                self.answer(admit)
                self.host.wait(0.01)
        return port

    def ask(self, port: Any, admit: bool) -> None:
        if admit:
            assert port.join(msgspec.structs.replace(JOIN, nonce=port.nid), 20).seed == 7
        else:
            with pytest.raises(Refused, match="no room"):
                port.join(msgspec.structs.replace(JOIN, nonce=port.nid), 20)

    def answer(self, admit: bool) -> None:
        for knock in self.term.knocks():
            nonce = knock.join.nonce
            grant = Grant(nonce, "t" * 16, 7, 0.1, 0.0, "lockstep", 0, b"")
            refusal = Refusal(nonce, "full", "there is no room")
            frame = frame_of(Kind.GRANT, grant) if admit else frame_of(Kind.REFUSAL, refusal)
            knock.answer(msgspec.structs.replace(frame, n=1, id=b"i" * 16))

    def read(self, count: int) -> list[LogRecord]:
        records: list[LogRecord] = []
        for _ in range(2000):
            records += self.term.next_inputs()
            if len(records) >= count:
                return records
            self.host.wait(0.01)
        raise AssertionError(f"{len(records)} of {count} records")

    def send(self, nid: str, numbers: range) -> None:
        for n in numbers:
            frame = frame_of(Kind.DELIVERY, Delivery([]), n)
            self.term.emit(nid, "t" * 16, msgspec.structs.replace(frame, n=n, id=b"i" * 16))


def received(port: Any, count: int) -> list[Frame]:
    frames: list[Frame] = []
    for _ in range(2000):
        frames += port.poll()
        if len(frames) >= count:
            return frames
        port.wait(0.01)
    raise AssertionError(f"{len(frames)} of {count} frames")


@pytest.fixture(params=["memory", pytest.param("nats", marks=pytest.mark.live)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "memory":
        hub = MemoryHub()
        made = Place(MemoryHostPort(hub, "HOST"), lambda nid: MemoryPort(hub, nid))
    else:
        url, wid = request.getfixturevalue("broker").url, new_wid()
        made = Place(NatsHostPort([url], wid, "HOST"), lambda nid: NatsPort([url], wid, nid))
    yield made
    for port in made.ports:
        port.close(drain=False)


def turn(n: int = 0, size: int = 0) -> Frame:
    return frame_of(Kind.TURN, Turn([]) if not size else b"x" * size, n)


# ---------------------------------------------------------------------- both ports


def test_each_sender_is_read_in_its_order_and_the_log_has_one(place: Place) -> None:
    ports = [place.member(nid) for nid in ("A", "B")]
    tickets = [port.post(turn(n)) for n in range(150) for port in ports]
    for port in ports:
        port.flush()
    assert {ticket.state for ticket in tickets} == {"stored"}
    records = place.read(300)
    for nid in ("A", "B"):
        assert sorted(record.frame.n for record in records if record.origin == nid) == list(range(1, 151))
    seqs = [record.seq for record in records]
    assert seqs == list(range(seqs[0], seqs[0] + 300))
    assert sorted(ticket.seq for ticket in tickets) == seqs


def test_what_the_host_sends_comes_once_and_in_order_whatever_comes_twice(place: Place) -> None:
    port = place.member("A")
    place.send("A", range(1, 60))
    place.send("A", range(20, 80))
    place.send("A", range(1, 101))
    assert [frame.n for frame in received(port, 100)] == list(range(1, 101))
    port.wait(0.05)
    assert port.poll() == []


def test_who_is_refused_is_told_why(place: Place) -> None:
    place.member("A", admit=False)


def test_a_frame_is_as_long_as_it_may_be_and_no_longer(place: Place) -> None:
    port = place.member("A")
    longest = FRAME - 5  # MessagePack says in five bytes how long these are
    for size in (longest - 1, longest):
        port.post(turn(size=size))
    port.flush()
    assert [len(body_in(record.frame, bytes)) for record in place.read(2)] == [longest - 1, longest]
    with pytest.raises(EventTooLarge, match=str(FRAME)):
        port.post(turn(size=longest + 1))
    port.post(turn())
    port.flush()
    assert place.read(1)[0].frame.n == 3


def test_a_full_port_says_so_and_takes_more_when_there_is_room(place: Place) -> None:
    port = place.member("A")
    link = getattr(port, "link", None)
    if link is not None:
        link.call(hold(link), 5)
    for _ in range(OUT_LIMIT):
        port.post(turn())
    with pytest.raises(Backpressure, match=str(OUT_LIMIT)):
        port.post(turn())
    if link is not None:
        link.soon(link.up.set)
        place.term.link.call(place.term.link.js.purge_stream(place.host.subjects.log), 5)
        deadline = time.monotonic() + 20
        while port._unstored > OUT_LIMIT - 64 and time.monotonic() < deadline:
            time.sleep(0.01)
    else:
        port.pump()
    assert port.post(turn()).n == OUT_LIMIT + 1


async def hold(link: Any) -> None:
    link.up.clear()


def test_long_messages_are_the_same_at_the_other_end(place: Place) -> None:
    port = place.member("A")
    for data in (b"", b"x", bytes(range(256)) * 5000):
        ref = port.put_blob(data, "text/plain")
        assert place.host.get_blob(ref) == data
    with pytest.raises(EventTooLarge, match=str(MAX_BLOB)):
        port.put_blob(bytes(MAX_BLOB + 1))
    wrong = BlobRef(ref.sha256, ref.length - 1, "", "A")
    with pytest.raises(BlobError):
        place.host.get_blob(wrong)
    with pytest.raises(BlobError):
        place.host.get_blob(BlobRef("../" * 21 + "x", 5, "", "A"))


def test_only_one_marker_follows_another(place: Place) -> None:
    assert place.term.commit(0, 0, "")
    assert place.term.commit(1, 5, "x")
    other = place.host.campaign()
    assert (other.epoch, other.last_tick) == (place.term.epoch + 1, 1)
    assert other.commit(2, 7, "")
    assert not place.term.commit(2, 7, "")
    assert place.term.lost
    assert [body_in(one.frame, Marker).tick for one in place.read(3) if one.origin == "tick"] == [0, 1, 2]


def test_a_closed_port_leaves_nothing_and_takes_nothing(place: Place) -> None:
    port = place.member("A")
    ticket = port.post(turn())
    port.close()
    port.close()
    assert ticket.state == "stored"
    with pytest.raises(LabError, match="closed"):
        port.post(turn())


# ---------------------------------------------------------------------- order


@given(st.permutations(range(1, 40)), st.lists(st.integers(1, 39)))
def test_a_sequence_gives_each_number_once_and_in_order(order: list[int], again: list[int]) -> None:
    sequence = Sequence()
    out = [one for number in [*order[:20], *again, *order, *again] for one in sequence.take(number, number)]
    assert out == list(range(1, 40))
    assert not sequence.gap


def test_a_sequence_holds_so_many_and_no_more() -> None:
    sequence = Sequence(hold=3)
    assert [sequence.take(number, number) for number in (2, 3, 4, 5)] == [[]] * 4
    assert sequence.dropped == 1
    assert sequence.take(1, 1) == [1, 2, 3, 4]
    assert sequence.take(5, 5) == [5]


def test_whoever_answers_first_the_run_is_the_same() -> None:
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


def test_what_comes_three_times_and_out_of_order_is_applied_once() -> None:
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


# ---------------------------------------------------------------------- the wire

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
BODIES = (Turn, Delivery, Grant, Refusal, Leave, Fact, Join, Marker)


@given(values)
def test_messages_come_out_as_they_went_in(value: Any) -> None:
    for body in (
        Contact({"x": value}), AgentRefusal("no"), InteractionMessage({"a": value}),
        StreamSample("g", {"s": [{"data_tag": 1, "other": value}]}),
    ):  # fmt: skip
        assert decode(encode(body)) == body


@pytest.mark.parametrize("strict", [False, True])
def test_in_one_process_messages_come_in_the_order_of_posting(strict: bool) -> None:
    transport = InProcessTransport(strict)
    transport.members |= {"a", "b"}
    bodies: list[Body] = [AgentRefusal(str(number)) for number in range(20)]
    for number, body in enumerate(bodies):
        assert transport.post("a", "ab"[number % 2], body)
    assert not transport.post("a", "c", bodies[0])
    assert len(transport) == 20
    delivered = transport.deliver()
    assert [body_of(one) for one in delivered] == bodies
    assert all(isinstance(one.body, bytes) for one in delivered) == strict
    assert transport.deliver() == []
    if strict:
        with pytest.raises(TypeError):
            transport.post("a", "b", Contact({"x": object()}))


@settings(max_examples=400)
@given(st.binary(max_size=300), st.integers(0, 10_000), st.integers(0, 255))
def test_whatever_bytes_come_only_one_error_is_raised(noise: bytes, position: int, byte: int) -> None:
    frame = msgspec.structs.replace(frame_of(Kind.JOIN, JOIN), n=1, id=b"i" * 16)
    mutated = bytearray(encode_frame(frame))
    mutated[position % len(mutated)] = byte
    for data in (noise, bytes(mutated), bytes(mutated)[: position % len(mutated)]):
        try:
            read = decode_frame(data)
        except WireError:
            continue
        for cls in BODIES:
            try:
                body_in(read, cls)
            except WireError:
                continue


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_whatever_bytes_a_message_has_it_is_one_or_a_value_error(noise: bytes) -> None:
    try:
        decode(noise)
    except ValueError:
        return


def test_frames_of_other_versions_and_kinds_are_refused() -> None:
    good = msgspec.structs.replace(turn(), n=1, id=b"i" * 16)
    for wrong, reason in (
        ({"v": 2}, "unsupported"), ({"kind": 99}, "unsupported"), ({"flags": 128}, "unsupported"),
        ({"id": b"short"}, "malformed"), ({"n": -1}, "malformed"), ({"tick": -5}, "malformed"),
    ):  # fmt: skip
        with pytest.raises(WireError) as caught:
            decode_frame(encode_frame(msgspec.structs.replace(good, **wrong)))  # type: ignore[arg-type]
        assert caught.value.reason == reason
    with pytest.raises(WireError, match="too_large"):
        decode_frame(bytes(FRAME * 2))
    deep: Any = []
    for _ in range(3000):
        deep = [deep]
    with pytest.raises(WireError, match="malformed"):
        decode_frame(b"\x91" * 5000)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(Kind)), values), max_size=8))
def test_a_member_that_says_anything_stops_nobody(said: list[tuple[Kind, Any]]) -> None:
    world = HubWorld("chat", 3)
    world.session.step(2)
    port = world.members[0].port
    for kind, value in said:
        try:
            port.post(frame_of(kind, value, 3))
        except (EventTooLarge, OverflowError):
            continue
    world.hub.meanwhile.remove(world.members[0].pump)
    world.host.barrier = 0.0
    world.session.step(3)
    assert world.session.tick == 4
    assert world.host.refused <= len(said)
