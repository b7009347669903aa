"""What crosses the wire of a live world: frames, and the typed bodies in them.

A frame is MessagePack; its body is decoded only by whom it is for. What members say to each other are the messages of
:mod:`unaiverse_lab.core.envelope`, as bytes, inside. No Python crosses: no names of methods, no pickles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import IntEnum
from itertools import chain, repeat
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from unaiverse_lab.core.errors import LabError
from unaiverse_lab.core.limits import MAX_MESSAGE, NotSendable, check_content
from unaiverse_lab.core.records import AnyRecord, Record

VERSION = 1
INLINE = 64 * 1024
"""Bytes of one message that travel in a frame; longer ones go by way of the blob store."""

FRAME = 68 * 1024
"""Bytes of the body of a frame; what is longer is spread over several."""

LONGEST_JOIN = FRAME - 2048
"""Bytes of the body of a request to be let in: the fact that somebody was repeats it, and says more."""

MAX_BLOB = MAX_MESSAGE
TOLD = 512
"""Characters of a reason in words; longer ones are cut."""

END_OF_TICK = 1
FLAGS = END_OF_TICK
NO_ID = bytes(16)

T = TypeVar("T")


class Kind(IntEnum):
    """What a frame is."""

    SAMPLE = 4
    MARKER = 9
    JOIN = 10
    FACT = 11
    REFUSAL = 21
    TURN = 24
    DELIVERY = 25
    GRANT = 26
    LEAVE = 27
    QUESTION = 28
    ANSWER = 29


KINDS = frozenset(int(kind) for kind in Kind)


class WireError(LabError, ValueError):
    """Bytes that are no frame, or a frame that may not be; ``reason`` is one word for it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class EventTooLarge(LabError):
    """A message is longer than anything that can be sent."""


Count = Annotated[int, Meta(ge=0)]


class Frame(msgspec.Struct, array_like=True, frozen=True):
    """One unit of the wire.

    Attributes:
        v: version of the format.
        kind: see :class:`Kind`.
        flags: 1: nothing more comes for this tick.
        n: number of the frame, from 1 on without gaps, for one sender and session (for one receiver: frames of a host).
        ack: the highest such number that the sender has received itself, without gaps.
        tick: the sender's tick.
        time_ns: the sender's logical time.
        id: 16 bytes that no other frame has.
        body: MessagePack.
    """

    v: int
    kind: int
    flags: int
    n: Count
    ack: Count
    tick: Count
    time_ns: int
    id: Annotated[bytes, Meta(min_length=16, max_length=16)]
    body: msgspec.Raw


class BlobRef(msgspec.Struct, array_like=True, frozen=True):
    """Where a long message lies: the SHA-256 of its bytes, how many they are, what they are, who put them there."""

    sha256: str
    length: int
    media: str
    owner: str


class Parcel(msgspec.Struct, array_like=True):
    """One message from ``sender`` to ``target`` (peer ids)."""

    sender: str
    target: str
    body: bytes | BlobRef


class Facts(msgspec.Struct, array_like=True):
    """What can be seen of a member from outside; ``more``: these ``peers`` come in addition to those told before."""

    status: str
    state: str | None
    shown: str | None
    action: str | None
    last_action: str | None
    peers: list[str]
    enabled: bool = True
    why: str | None = None
    more: bool = False

    def __post_init__(self) -> None:
        self.why = self.why if self.why is None else self.why[: 8 * TOLD]


class Doing(msgspec.Struct, array_like=True):
    """What one node did in a turn, or ``later``, at the end of the tick: messages, records, what it looks like now."""

    peer: str
    later: bool
    parcels: list[Parcel]
    records: list[bytes | BlobRef]
    facts: Facts | None = None


class Turn(msgspec.Struct, array_like=True):
    """What the nodes of one member did in a tick."""

    doings: list[Doing]


class View(msgspec.Struct, array_like=True):
    """What members know of their world: ``roster`` in order of admission, all the nodes as (name, peer id, node id)."""

    name: str
    peer: str
    roster: list[tuple[str, int]]
    nodes: list[tuple[str, str, str]]
    roles: list[str]
    behaviors: dict[str, str]


class Delivery(msgspec.Struct, array_like=True):
    """What the nodes of one member receive at the beginning of a tick; ``view`` and ``sights`` only when they are new.

    ``sights`` holds what the world shows to single nodes: from the world, to the node.
    """

    parcels: list[Parcel]
    view: bytes | BlobRef | None = None
    sights: list[Parcel] = []


class Candidate(msgspec.Struct, array_like=True):
    """A node that asks to enter: its profile, and the options of its request."""

    profile: dict[str, Any]
    options: dict[str, Any]


class Join(msgspec.Struct, array_like=True):
    """A member asks to bring in its nodes; ``nonce`` tells repeated requests from new ones."""

    nodes: list[Candidate]
    session: str
    nonce: str


class Grant(msgspec.Struct, array_like=True):
    """The host lets a member in: where its deliveries come (``token``), and what it needs to act as if it were here."""

    nonce: str
    token: str
    seed: int | str
    delta: float
    epoch_time: float
    clock: str
    tick: int
    view: bytes | BlobRef


class Refusal(msgspec.Struct, array_like=True):
    """The host does not."""

    nonce: str
    reason: str
    detail: str

    def __post_init__(self) -> None:
        self.detail = self.detail[:TOLD]


class Leave(msgspec.Struct, array_like=True):
    """A member leaves, and what its nodes say last; ``more``: they say more than this, it leaves with what follows."""

    reason: str
    parcels: list[Parcel]
    more: bool = False


class Fact(msgspec.Struct, array_like=True):
    """Something from outside that the host acts on before ``tick``: ``joined``, ``left``, ``lost``, with the node."""

    what: str
    node: str
    tick: int
    detail: str = ""
    join: Join | None = None

    def __post_init__(self) -> None:
        self.detail = self.detail[:TOLD]


class Marker(msgspec.Struct, array_like=True):
    """Closes the inputs of a tick.

    Attributes:
        tick, stamp_ns: the tick and the time of the world.
        epoch, term: which leadership wrote it.
        digest: of the trace up to here.
    """

    tick: int
    stamp_ns: int
    epoch: int
    term: str
    digest: str


_pack = msgspec.msgpack.Encoder()
_record_pack = msgspec.msgpack.Encoder(enc_hook=lambda value: f"<{type(value).__name__}>")
_frames: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)
_records: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(AnyRecord)
_bodies: dict[type, msgspec.msgpack.Decoder[Any]] = {}


def frame_of(kind: Kind, body: Any, tick: int = 0, time_ns: int = 0, flags: int = 0) -> Frame:
    """A frame that has no number and no identity: past the log it needs none, in the log it gets one.

    Raises:
        NotSendable: a profile in it, the options of a request, or a question are beyond a limit, which is named.
    """
    data = _pack.encode(body)
    if type(body) is Join:
        _check_join(body, len(data))
    elif kind == Kind.QUESTION:
        check_content(body, "question", len(data))
    return Frame(VERSION, int(kind), flags, 0, 0, tick, time_ns, NO_ID, msgspec.Raw(data))


def _check_join(join: Join, length: int) -> None:
    """Refuse what nobody may ask with.

    Raises:
        NotSendable: it is beyond a limit.
    """
    if length > LONGEST_JOIN:
        raise NotSendable(
            f"the profiles of {len(join.nodes)} nodes have {length} bytes, and {LONGEST_JOIN} is the most a request to "
            "join may have: let fewer nodes join at a time, or shorten their profiles"
        )
    for candidate in join.nodes:
        check_content(candidate.profile, "profile", length)
        check_content(candidate.options, "options", length)


def encode_frame(frame: Frame) -> bytes:
    """The bytes of a frame.

    Raises:
        EventTooLarge: its body is longer than a frame may be.
    """
    if len(frame.body) > FRAME:
        raise EventTooLarge(f"a frame holds {FRAME} bytes, not {len(frame.body)}")
    return _pack.encode(frame)


def decode_frame(data: bytes) -> Frame:
    """The frame in these bytes.

    Raises:
        WireError: they are none; nothing else is ever raised, whatever the bytes are.
    """
    if len(data) > FRAME + 256:
        raise WireError("too_large", f"{len(data)} bytes, a frame has {FRAME} at most")
    try:
        frame = _frames.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise WireError("malformed", str(error)) from None
    if frame.v != VERSION or frame.flags & ~FLAGS or frame.kind not in KINDS:
        raise WireError("unsupported", f"version {frame.v}, kind {frame.kind}, flags {frame.flags}")
    return frame


def body_in(frame: Frame, cls: type[T]) -> T:
    """The body of a frame.

    Raises:
        WireError: it is none of that class.
    """
    decoder = _bodies.get(cls)
    if decoder is None:
        decoder = _bodies[cls] = msgspec.msgpack.Decoder(cls)
    try:
        body: T = decoder.decode(frame.body)
        if frame.kind == Kind.QUESTION:
            check_content(body, "question", len(frame.body))
        if cls is Join:
            _check_join(body, len(frame.body))  # type: ignore[arg-type]
            if len(_pack.encode(body)) != len(frame.body):
                raise NotSendable("a name stands twice in one mapping, or something is not in its shortest form")
    except (msgspec.MsgspecError, NotSendable, RecursionError, UnicodeDecodeError) as error:
        raise WireError("malformed", f"{cls.__name__}: {error}") from None
    return body


def pack_record(record: Record) -> bytes:
    """A record of the trace as bytes; what cannot cross a wire in it is described."""
    try:
        return _record_pack.encode(record)
    except (OverflowError, RecursionError, UnicodeEncodeError):
        return _record_pack.encode(
            msgspec.structs.replace(
                record, **{name: _shown(getattr(record, name)) for name in record.__struct_fields__}
            )
        )


def _shown(value: Any) -> Any:
    """A field of a record, or a mapping or list of what its values look like."""
    try:
        _record_pack.encode(value)
    except (OverflowError, RecursionError, UnicodeEncodeError):
        if isinstance(value, dict):
            return {f"{key!a:.60}": f"{one!a:.200}" for key, one in value.items()}
        if isinstance(value, list):
            return [f"{one!a:.200}" for one in value]
        return f"{value!a:.200}"
    return value


def unpack_record(data: bytes) -> Record:
    """The record in these bytes.

    Raises:
        WireError: they are none.
    """
    try:
        return _records.decode(data)  # type: ignore[no-any-return]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise WireError("malformed", f"record: {error}") from None


def pack(body: Any) -> bytes:
    """A body as bytes."""
    return _pack.encode(body)


def unpack(data: bytes, cls: type[T]) -> T:
    """A body from bytes.

    Raises:
        WireError: they are none of that class.
    """
    return body_in(Frame(VERSION, 0, 0, 0, 0, 0, 0, b"", msgspec.Raw(data)), cls)


def split_delivery(
    parcels: list[Parcel], view: bytes | BlobRef | None = None, sights: Iterable[Parcel] = ()
) -> list[Delivery]:
    """A delivery in parts that fit into frames."""
    parts = [Delivery([], view)]
    room = FRAME - 64 - (len(view) if isinstance(view, bytes) else 256)
    for parcel, is_sight in chain(zip(sights, repeat(True)), zip(parcels, repeat(False))):
        size = _size(parcel)
        if size > room:
            parts.append(Delivery([]))
            room = FRAME - 64
        (parts[-1].sights if is_sight else parts[-1].parcels).append(parcel)
        room -= size
    return parts


def split_turn(doings: list[Doing]) -> list[Turn]:
    """A turn in parts that fit into frames; what a node did may be spread over several."""
    parts = [Turn([])]
    room = FRAME - 64
    for doing in chain.from_iterable(map(_few_facts, doings)):
        facts_size = 64 + len(doing.peer) + (len(_pack.encode(doing.facts)) if doing.facts is not None else 0)
        part = Doing(doing.peer, doing.later, [], [], None)
        things: list[Any] = [*doing.parcels, *doing.records]
        sizes = [_size(thing) for thing in things]
        for thing, size in zip([*things, None], [*sizes, facts_size], strict=True):
            if size + 128 > room:
                if part.parcels or part.records:
                    parts[-1].doings.append(part)
                    part = Doing(doing.peer, doing.later, [], [], None)
                parts.append(Turn([]))
                room = FRAME - 64
            room -= size
            if isinstance(thing, Parcel):
                part.parcels.append(thing)
            elif thing is not None:
                part.records.append(thing)
        part.facts = doing.facts
        parts[-1].doings.append(part)
        room -= 64 + len(doing.peer)
    return parts


def split_leave(reason: str, parcels: list[Parcel]) -> list[Leave]:
    """A farewell in parts that fit into frames."""
    reason = reason[:TOLD]
    parts = [Leave(reason, [], True)]
    room = empty = FRAME - 64 - len(reason.encode())
    for parcel in parcels:
        size = _size(parcel)
        if size > room:
            parts.append(Leave(reason, [], True))
            room = empty
        parts[-1].parcels.append(parcel)
        room -= size
    parts[-1].more = False
    return parts


def _few_facts(doing: Doing) -> list[Doing]:
    """The same, in several parts if the node knows more others than a frame has room for."""
    facts = doing.facts
    if facts is None or sum(map(len, facts.peers)) <= FRAME // 16:
        return [doing]
    lists: list[list[str]] = [[]]
    room = FRAME // 2
    for peer in facts.peers:
        size = len(peer.encode()) + 5
        if size > room:
            lists.append([])
            room = FRAME // 2
        room -= size
        lists[-1].append(peer)
    first = msgspec.structs.replace(facts, peers=lists[0])
    more = [
        Doing(doing.peer, doing.later, [], [], msgspec.structs.replace(facts, peers=peers, more=True))
        for peers in lists[1:]
    ]
    return [Doing(doing.peer, doing.later, doing.parcels, doing.records, first), *more]


def _size(thing: Any) -> int:
    if isinstance(thing, Parcel):
        return len(thing.sender.encode()) + len(thing.target.encode()) + _size(thing.body) + 16
    return len(thing) + 8 if isinstance(thing, bytes) else 256


def id_of(*parts: object) -> bytes:
    """16 bytes that follow from some values."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=16).digest()


class Sequence:
    """Puts numbered things in order: what came already is dropped, what came too early is held.

    Args:
        next: the number expected first.
        hold: how many may be held.
    """

    def __init__(self, next: int = 1, hold: int = 1024) -> None:
        self.next = next
        self.dropped = 0
        self._hold = hold
        self._held: dict[int, Any] = {}

    @property
    def gap(self) -> bool:
        """Whether something is held because something before it is missing."""
        return bool(self._held)

    def take(self, number: int, thing: T) -> list[T]:
        """The things that are in order now."""
        full = len(self._held) >= self._hold and number != self.next
        if number < self.next or number in self._held or full:
            self.dropped += 1
            return []
        self._held[number] = thing
        ready = []
        while self.next in self._held:
            ready.append(self._held.pop(self.next))
            self.next += 1
        return ready
