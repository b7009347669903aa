"""Whatever bytes come, from whomever: they are applied, refused or counted, and nobody's loop ends.

Three times: at the codec, in ten thousand examples; in a world on a hub, by way of all that others can reach; and in a
world on a broker, with thousands of messages of a stranger.
"""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import tracemalloc
from collections import deque
from functools import cache
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from live.anything import BODIES, MESSAGES, damaged, made, names, programs
from live.conftest import broker as broker
from live.places import Live, alone, person, things
from live.threads import alike
from unaiverse_lab.core.envelope import AgentRefusal, Body, Contact, InteractionMessage, StreamSample
from unaiverse_lab.core.errors import LabError
from unaiverse_lab.core.interaction import Interaction
from unaiverse_lab.core.records import AnyRecord, Dropped, Fault, Sent
from unaiverse_lab.live.broker import Broker
from unaiverse_lab.live.distant import DistantNode
from unaiverse_lab.live.link import Link
from unaiverse_lab.live.log import KNOCKS, RING
from unaiverse_lab.live.member import Member
from unaiverse_lab.live.memory import MemoryHub
from unaiverse_lab.live.port import Knock
from unaiverse_lab.live.wire import (
    BlobRef,
    Candidate,
    Delivery,
    Doing,
    Fact,
    Facts,
    Frame,
    Grant,
    Join,
    Kind,
    Leave,
    Marker,
    Parcel,
    Refusal,
    Turn,
    WireError,
    body_in,
    decode_frame,
    encode_frame,
    frame_of,
    pack,
    pack_record,
    unpack_record,
)
from unaiverse_lab.runtime.codec import decode, encode

MANY = settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck), database=None)


# ---------------------------------------------------------------------- what is whole


def bodies() -> dict[Kind, Any]:
    """A body of each kind with something in it."""
    parcels = [Parcel("M0", "Ear", encode(AgentRefusal("a"))), Parcel("M0", "Ear", BlobRef("0" * 64, 5, "", "M0"))]
    facts = Facts("member", "ready", "ready", None, "nop", ["Ear", "World"])
    record = pack_record(Sent(3, 0.1, "M0", "u", ["Ear"], "work", {"x": [1, 0.5, "y", None, {"z": b"w"}]}))
    doings = [Doing("M0", False, parcels, [record, BlobRef("1" * 64, 7, "", "M0")], facts), Doing("M0", True, [], [])]
    join = Join([Candidate(person("M0", "mouth").profile.to_dict(), {"role_preference": "mouth"})], "s", "n")
    return {
        Kind.MARKER: Marker(3, 100, 1, "t", "d"), Kind.JOIN: join, Kind.FACT: Fact("joined", "N1", 3, "M0", join),
        Kind.REFUSAL: Refusal("n", "full", "no room"), Kind.TURN: Turn(doings),
        Kind.DELIVERY: Delivery(parcels, BlobRef("2" * 64, 9, "", "N0")), Kind.LEAVE: Leave("enough", parcels),
        Kind.GRANT: Grant("n", "t" * 16, 7, 0.1, 0.0, "lockstep", 3, b"view"),
    }  # fmt: skip


@cache
def whole_frames() -> list[bytes]:
    """A frame of each kind."""
    return [
        encode_frame(msgspec.structs.replace(frame_of(kind, body, 3, 5, 1), id=b"i" * 16))
        for kind, body in bodies().items()
    ]


@cache
def whole_messages() -> list[bytes]:
    """Messages of each kind, and samples of each type."""
    request = Interaction("work", {"x": [1, {"y": 0.5}]}, requester="Ann", target="Bob", id="1").to_dict()
    found: list[Body] = [InteractionMessage(request), Contact(person("M0", "mouth").profile.to_dict())]
    found += [StreamSample("g", {"s": [{"data": value, "data_tag": 1, "data_uuid": "u"}]}) for value in things()]
    samples: dict[Any, Any] = {
        str: "x", int: 3, float: 0.5, bool: True, "str | None": "y", "list[str]": ["a"], "dict[str, Any]": {"a": [1]},
    }  # fmt: skip
    return [encode(body) for body in found] + [
        pack({"type": cls.__struct_config__.tag} | dict.fromkeys(cls.__struct_fields__, samples[str]))
        for cls in MESSAGES
    ]


# ---------------------------------------------------------------------- at the codec


@MANY
@given(programs)
def test_a_frame_is_one_or_a_wire_error(program: bytes) -> None:
    for data in (program, damaged(whole_frames(), program)):
        try:
            frame = decode_frame(data)
        except WireError as error:
            assert error.reason in ("malformed", "unsupported", "too_large")
            continue
        for cls in BODIES.values():
            try:
                body = body_in(frame, cls)
            except WireError as error:
                assert error.reason == "malformed"
            else:
                pack(body)


@MANY
@given(programs)
def test_a_message_is_one_that_could_be_sent_or_a_value_error(program: bytes) -> None:
    for data in (program, damaged(whole_messages(), program)):
        try:
            body = decode(data)
        except ValueError as error:
            assert str(error)
        else:
            encode(body)


@settings(MANY, max_examples=2_000)
@given(programs)
def test_a_record_is_one_or_a_wire_error(program: bytes) -> None:
    records = [bodies()[Kind.TURN].doings[0].records[0], pack_record(Dropped(1, 0.5, "a", "b", "c"))]
    for data in (program, damaged(records, program)):
        try:
            record = unpack_record(data)
        except WireError as error:
            assert error.reason == "malformed"
        else:
            assert unpack_record(pack_record(record)) is not None


@settings(MANY, max_examples=1_000)
@given(programs)
def test_what_a_stranger_asks_is_refused_in_few_words_or_fits_into_the_log(program: bytes) -> None:
    candidate = pack(bodies()[Kind.JOIN])
    try:
        join = body_in(Frame(1, Kind.JOIN, 0, 1, 0, 0, 0, b"", msgspec.Raw(damaged([candidate], program))), Join)
    except WireError:
        return
    encode_frame(frame_of(Kind.FACT, Fact("joined", "N" * 56, 3, "x" * 100_000, join)))
    for one in join.nodes:
        try:
            node = DistantNode(one, None)  # type: ignore[arg-type]
        except (LabError, AttributeError, LookupError, TypeError, ValueError) as error:
            encode_frame(frame_of(Kind.REFUSAL, Refusal(join.nonce, "malformed", str(error))))
        else:
            assert node.name == node.peer_id


# ---------------------------------------------------------------------- a world on a hub


def harmless(data: bytes, origin: str, past: dict[str, int]) -> tuple[str, Frame] | None:
    """What comes of bytes in somebody's name: no frame, or one; a stranger's, unless its number has passed."""
    try:
        frame = decode_frame(data)
    except WireError:
        return None
    return ("X" if frame.n > past.get(origin, 0) else origin), frame


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(programs, min_size=30, max_size=60), st.randoms(use_true_random=False))
def test_what_others_throw_at_a_world_changes_nothing(given_programs: list[bytes], rng: random.Random) -> None:
    live = Live(None)
    hub = live.host.port.hub  # type: ignore[attr-defined]
    todo = list(given_programs)
    act = live.host.port.wait

    def wait(timeout: float) -> bool:
        for _ in range(min(3, len(todo))):
            throw(hub, todo.pop(), rng)
        return act(timeout)

    live.host.port.wait = wait  # type: ignore[method-assign]
    while todo:
        live.session.step()
    live.session.step()
    expected = alone(live.session.tick + 1)
    alike(live.session, expected)
    assert live.agent("Ear").heard == expected.agent("Ear").heard  # type: ignore[attr-defined]
    assert all(len(guest.order._held) == 0 for guest in live.host.guests.values())


def throw(hub: MemoryHub, program: bytes, rng: random.Random) -> None:
    """Something damaged, somewhere."""
    past: dict[str, int] = {}
    for record in hub.log:
        past[record.origin] = max(past.get(record.origin, 0), record.frame.n)
    whole = whole_frames() + [encode_frame(record.frame) for record in hub.log[-20:]]
    data = damaged(whole, program)
    match rng.randrange(4):
        case 0:
            found = harmless(data, rng.choice(["N0", "N1", "N2", "sys", "HOST", "X", "", "a.b"]), past)
            if found is not None:
                hub.append(*found)
        case 1:
            with_marker = msgspec.structs.replace(frame_of(Kind.MARKER, rng.randbytes(20)), id=rng.randbytes(16))
            hub.append("tick", with_marker)
        case 2:
            try:
                frame = decode_frame(data)
                join = body_in(frame, Join)
            except WireError:
                return
            hub.waiting.append(Knock(rng.choice(["X", "N1"]), join, lambda answer: encode_frame(answer)))
        case 3:
            try:
                frame = decode_frame(data)
            except WireError:
                return
            for nid, inbox in hub.inboxes.items():
                if frame.n < 2 and nid != "X":
                    inbox.append(msgspec.structs.replace(frame, n=frame.n and 1))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(programs, min_size=10, max_size=30))
def test_a_member_may_say_anything(said: list[bytes]) -> None:
    live = Live(None)
    live.session.step(3)
    live.host.barrier = 0.0
    live.order = [0, 1, 2, 4]
    port = live.members[3].port
    for program in said:
        data = damaged([pack(body) for body in bodies().values()], program)
        try:
            msgspec.msgpack.decode(data, type=msgspec.Raw)
        except (msgspec.MsgspecError, RecursionError):
            data = pack(data)
        kind = list(Kind)[program[0] % len(Kind)]
        if kind != Kind.LEAVE or program[1] % 8 == 0:
            port.post(msgspec.structs.replace(frame_of(kind, None, program[1] % 8), body=msgspec.Raw(data)))
        if program[0] % 4 == 0:
            port.flush()
            live.session.step()
    port.flush()
    live.session.step(3)
    expected = alone(live.session.tick + 1)
    others = [one for one in live.agent("Ear").heard if one[1] != "M2"]
    assert others == [one for one in expected.agent("Ear").heard if one[1] != "M2"]  # type: ignore[attr-defined]
    live.session.digest()


facts = st.builds(
    Facts, status=names | st.sampled_from(["member", "left", "outside", "refused", "asking"]),
    state=st.none() | names, shown=st.none() | names, action=st.none() | names, last_action=st.none() | names,
    peers=st.lists(names | st.sampled_from(["Ear", "World", "M1"]), max_size=3), enabled=st.booleans(),
    why=st.none() | names,
)  # fmt: skip
references = st.builds(BlobRef, sha256=names, length=st.integers(-5, 2**40), media=names, owner=names)
parcels = st.builds(
    Parcel, sender=st.just("M2") | names, target=st.sampled_from(["Ear", "World", "M1", "M2", "nobody"]),
    body=programs.map(lambda program: damaged(whole_messages(), program)) | references,
)  # fmt: skip
records = st.sampled_from(get_args(AnyRecord)).flatmap(made).map(
    lambda record: pack_record(msgspec.structs.replace(record, node="M2"))
)  # fmt: skip
doings = st.builds(
    Doing, peer=st.just("M2") | names, later=st.booleans(), parcels=st.lists(parcels, max_size=3),
    records=st.lists(records | references, max_size=3), facts=st.none() | facts,
)  # fmt: skip
turns = st.builds(Turn, doings=st.lists(doings, max_size=3))
leaves = st.builds(Leave, reason=names, parcels=st.lists(parcels, max_size=2))


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.one_of(turns, turns, turns, leaves), st.integers(0, 1)), min_size=2, max_size=8))
def test_a_member_may_say_nonsense_in_the_right_form(said: list[tuple[Any, int]]) -> None:
    live = Live(None)
    live.session.step(3)
    live.host.barrier = 0.0
    live.order = [0, 1, 2, 4]
    port = live.members[3].port
    for body, flags in said:
        port.post(frame_of(Kind.TURN if isinstance(body, Turn) else Kind.LEAVE, body, live.session.tick, flags=flags))
        port.flush()
        live.session.step()
    live.session.step(3)
    live.session.digest()
    expected = alone(live.session.tick + 1)
    others = [one for one in live.agent("Ear").heard if one[1] != "M2"]
    assert others == [one for one in expected.agent("Ear").heard if one[1] != "M2"]  # type: ignore[attr-defined]


def test_who_leaves_with_words_that_are_not_there_leaves() -> None:
    live = Live(None)
    live.session.step(3)
    gone = live.members[3].port
    gone.post(frame_of(Kind.LEAVE, Leave("enough", [Parcel("M2", "Ear", BlobRef("0" * 64, 5, "", "M2"))])))
    gone.flush()
    live.order = [0, 1, 2, 4]
    live.session.step(2)
    assert "M2" not in live.session.nodes
    assert live.host.refused == 1


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(programs, min_size=5, max_size=30))
def test_messages_of_any_bytes_are_dropped_here_as_there(said: list[bytes]) -> None:
    live, expected = Live(None), alone(3)
    live.session.step(3)
    more = [(target, damaged(whole_messages(), program)) for program in said for target in ("Ear", "World", "M2")]
    for session, agent in ((expected, expected.agent("M1")), (live.session, live.agent("M1"))):
        agent.more = list(more)  # type: ignore[attr-defined]
        session.step(4)
    alike(live.session, expected)
    assert not [one for one in live.session.trace.of_kind(Fault) if one.where is None]


# ---------------------------------------------------------------------- a world on a broker


class Stranger:
    """Publishes all sorts of things to the subjects of a live world, in a thread of its own."""

    def __init__(self, live: Live, url: str, seed: int) -> None:
        self.live, self.rng = live, random.Random(seed)
        self.link = Link([url], "stranger", deque(maxlen=100))
        self.subjects = live.host.port.subjects  # type: ignore[attr-defined]
        self.tokens = [(guest.nid, guest.token) for guest in live.host.guests.values()]
        self.published = 0

    def messages(self, count: int) -> list[tuple[str, bytes, str]]:
        """So many messages: subject, bytes, reply subject. None of them is a valid word of a member or a host."""
        rng, names, found = self.rng, self.subjects, []
        questions = ["resync", "time", "roster", "status", "stats", "x"]
        for _ in range(count):
            program = rng.randbytes(rng.randrange(2, 34))
            data = rng.choice([program, damaged(whole_frames(), program), damaged(whole_messages(), program)])
            if rng.random() < 0.01:
                data = rng.randbytes(rng.choice([70_000, 200_000]))
            nid, token = rng.choice(self.tokens)
            stranger = f"X{rng.randrange(20)}"
            subject = rng.choice(
                [
                    names.out(nid), names.out(stranger), names.inbox(nid, token), names.inbox(nid, "t" * 16),
                    names.join(nid), names.join(stranger), f"{names.prefix}.q.{nid}.{rng.choice(questions)}",
                    f"{names.prefix}.q.{stranger}.{rng.choice(questions)}", names.chunk("0" * 64, rng.randrange(3)),
                    f"{names.prefix}.mst.{stranger}", f"{names.prefix}.lossy.{nid}.x", names.sys, names.tick,
                    f"{names.prefix}.{rng.choice('abc')}.{rng.randrange(9)}", f"uw1.{rng.randrange(9)}.out.{nid}",
                ]
            )  # fmt: skip
            if subject in (names.out(nid), names.inbox(nid, token), names.tick) and is_a_word(data):
                subject = names.out(stranger)
            if rng.random() < 0.2:
                data = str(rng.randrange(-5, 50)).encode()
            reply = rng.choice(["", "", "_INBOX.x.y", "_R_.x", names.tick if rng.random() < 0.01 else "a.b"])
            found.append((subject, data, reply))
        return found

    def throw(self, messages: list[tuple[str, bytes, str]]) -> None:
        self.link.call(self._publish(messages), 60)

    async def _publish(self, messages: list[tuple[str, bytes, str]]) -> None:
        for number, (subject, data, reply) in enumerate(messages):
            await self.link.nats.publish(subject, data, reply=reply)
            if number % 50 == 0:
                await self.link.barrier()
                await asyncio.sleep(0.01)
        await self.link.barrier()
        self.published += len(messages)


def is_a_word(data: bytes) -> bool:
    """Whether a member or a host could have said it, as far as one can see."""
    try:
        return decode_frame(data).n > 0 or decode_frame(data).kind == Kind.MARKER
    except WireError:
        return False


@pytest.mark.live
def test_what_a_stranger_throws_at_a_world_on_a_broker_changes_nothing(broker: Broker) -> None:
    live = Live(broker.url)
    stranger = Stranger(live, broker.url, 5)
    try:
        live.session.step(3)
        for counted in (False, True):
            messages = stranger.messages(4000)
            if counted:
                gc.collect()
                tracemalloc.start()
            thread = threading.Thread(target=stranger.throw, args=(messages,))
            thread.start()
            while thread.is_alive():
                live.session.step()
            live.session.step(5)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        expected = alone(live.session.tick + 1)
        alike(live.session, expected)
        assert live.agent("Ear").heard == expected.agent("Ear").heard  # type: ignore[attr-defined]
        assert stranger.published == 8000
        port: Any = live.host.port
        term: Any = live.host.term
        assert port.refused > 1000
        assert term.foreign > 10
        assert all(member.port.refused > 10 for member in live.members)  # type: ignore[attr-defined]
        assert not live.host.status()["late"]
        assert [one.link.counts["errors"] for one in live.made] == [0] * 6  # nothing was raised in what is called back
        assert held < 2_000_000
    finally:
        tracemalloc.stop()
        stranger.link.close()
        live.close()


@pytest.mark.live
def test_a_crowd_at_the_door_is_not_kept(broker: Broker) -> None:
    live = Live(broker.url)
    stranger = Stranger(live, broker.url, 5)
    port: Any = live.host.port
    term: Any = live.host.term
    try:
        requests = []
        for number in range(6000):
            frame = frame_of(Kind.JOIN, Join([Candidate({}, {})], "s", f"{number}"))
            data = encode_frame(msgspec.structs.replace(frame, id=b"i" * 16))
            requests.append((stranger.subjects.join("X"), data, "_INBOX.x.y"))
        while requests:
            some, requests = requests[-1000:] if len(requests) == 6000 else requests[-250:], requests[:-250]
            stranger.throw(some)
            port.link.call(term.link.barrier(), 5)
            assert len(term._knocks) <= KNOCKS
            live.host.attend()
        assert len(term._answers) <= RING + 1
        assert port.refused >= 1000 - KNOCKS
        assert live.host.refused > RING
        live.add(Member(live.port("N9"), [person("Eve", "mouth")], live.kit))
        live.session.step(3)
        assert live.session.world.roster.keys() >= {"Eve"}
    finally:
        stranger.link.close()
        live.close()
