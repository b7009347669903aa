"""The log in this process: no thread, task, socket or file; everything moves only when somebody asks for it."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from unaiverse_lab.core.errors import LabError
from unaiverse_lab.live.port import (
    IN_LIMIT,
    OFFERS,
    OUT_LIMIT,
    Answer,
    Backpressure,
    BlobError,
    Caps,
    Checkpoint,
    Knock,
    LinkEvent,
    LogRecord,
    Offer,
    Refused,
    Ticket,
    answer_in,
    answer_to,
)
from unaiverse_lab.live.wire import (
    INLINE,
    MAX_BLOB,
    BlobRef,
    EventTooLarge,
    Frame,
    Grant,
    Join,
    Kind,
    Marker,
    Refusal,
    Sequence,
    body_in,
    decode_frame,
    encode_frame,
    frame_of,
    id_of,
)

MOST_WAITING = 2 * IN_LIMIT
"""Frames for a member that does not read: as many as wait at its port and are kept by a host on NATS."""


class MemoryHub:
    """Stands for the broker.

    ``meanwhile`` holds functions that are called while somebody waits: whoever shares the thread has its turn there.
    """

    def __init__(self, strict: bool = True) -> None:
        self.strict = strict
        self.log: list[LogRecord] = []
        self.inboxes: dict[str, deque[Frame]] = {}
        self.blobs: dict[str, bytes] = {}
        self.waiting: list[Knock] = []
        self.listening: list[MemoryPort] = []
        self.answers: list[dict[str, Answer]] = []
        self.checkpoint: Checkpoint | None = None
        self.epoch = 0
        self.marker = 0
        self.meanwhile: list[Callable[[], object]] = []
        self._busy = False

    def append(self, origin: str, frame: Frame) -> int:
        """Put a frame into the log; its number there."""
        self.log.append(LogRecord(len(self.log) + 1, origin, self.crossed(frame)))
        return len(self.log)

    def crossed(self, frame: Frame) -> Frame:
        """What comes out of a frame at the other end."""
        return decode_frame(encode_frame(frame)) if self.strict else frame

    def let_others_act(self) -> None:
        """Somebody waits."""
        if not self._busy:
            self._busy = True
            try:
                for act in list(self.meanwhile):
                    act()
            finally:
                self._busy = False


class MemoryPort:
    """A member's place at a :class:`MemoryHub`."""

    def __init__(self, hub: MemoryHub, nid: str, session: str = "1") -> None:
        self.hub = hub
        self.nid = nid
        self.session = session
        self.caps = Caps(False, False, True, INLINE, MAX_BLOB)
        self.events: deque[LinkEvent] = deque(maxlen=1024)
        self.closed = False
        self._n = 0
        self._out: deque[tuple[Ticket, Frame]] = deque()
        self._order = Sequence()
        self._offers: deque[Offer] = deque()
        self.lost = 0

    def poll(self, limit: int = 1024) -> list[Frame]:
        """What came, in order, each exactly once."""
        inbox = self.hub.inboxes.get(self.nid)
        ready: list[Frame] = []
        while inbox and len(ready) < limit:
            frame = inbox.popleft()
            ready += self._order.take(frame.n, frame)
        return ready

    @property
    def silence(self) -> float:
        """The host is always there."""
        return 0.0

    @property
    def received(self) -> int:
        """The number up to which everything came."""
        return self._order.next - 1

    def post(self, frame: Frame) -> Ticket:
        """Queue a frame for the log; see :class:`~.port.Port`."""
        if self.closed:
            raise LabError("the port is closed")
        if len(self._out) >= OUT_LIMIT:
            raise Backpressure(f"{OUT_LIMIT} frames wait to be stored")
        n = self._n + 1
        numbered = msgspec.structs.replace(frame, n=n, ack=self.received, id=id_of(self.nid, self.session, n))
        encode_frame(numbered)
        self._n = n
        self._out.append((Ticket(n), numbered))
        return self._out[-1][0]

    def pump(self) -> None:
        """Let everything posted reach the log."""
        while self._out:
            ticket, frame = self._out.popleft()
            ticket.seq, ticket.state = self.hub.append(self.nid, frame), "stored"

    def offer(self, frame: Frame) -> bool:
        """Send something that may be lost; see :class:`~.port.Port`."""
        crossed = decode_frame(encode_frame(frame))
        if self.closed:
            self.lost += 1
            return False
        for port in self.hub.listening:
            if port is not self:
                port._overhear(Offer(self.nid, crossed))
        return True

    def _overhear(self, offer: Offer) -> None:
        if len(self._offers) >= OFFERS:
            self._offers.popleft()
            self.lost += 1
        self._offers.append(offer)

    def offers(self) -> list[Offer]:
        """What others offered; see :class:`~.port.Port`."""
        if self not in self.hub.listening:
            self.hub.listening.append(self)
        found = list(self._offers)
        self._offers.clear()
        return found

    def query(self, name: str, body: dict[str, Any] | None = None, timeout: float = 2.0) -> dict[str, Any]:
        """Ask the host something; see :class:`~.port.Port`."""
        if not self.hub.answers:
            raise Refused("no_answer", f"nobody answered {name!r}")
        question = decode_frame(encode_frame(frame_of(Kind.QUESTION, body or {})))
        answer = answer_to(question, name, self.nid, self.hub.answers[-1])
        return answer_in(decode_frame(encode_frame(answer)))

    def wait(self, timeout: float) -> bool:
        """Let the others act."""
        self.pump()
        self.hub.let_others_act()
        return bool(self.hub.inboxes.get(self.nid) or self._offers)

    def flush(self, timeout: float = 30.0) -> None:
        """Let everything posted reach the log."""
        self.pump()

    def put_blob(self, data: bytes, media: str = "") -> BlobRef:
        """Store a long message."""
        if len(data) > MAX_BLOB:
            raise EventTooLarge(f"a blob holds {MAX_BLOB} bytes, not {len(data)}")
        digest = hashlib.sha256(data).hexdigest()
        self.hub.blobs[digest] = bytes(data)
        return BlobRef(digest, len(data), media, self.nid)

    def get_blob(self, ref: BlobRef, timeout: float = 10.0) -> bytes:
        """A long message."""
        data = self.hub.blobs.get(ref.sha256)
        if data is None or len(data) != ref.length or hashlib.sha256(data).hexdigest() != ref.sha256:
            raise BlobError(f"the blob {ref.sha256[:12]} is {'not there' if data is None else 'damaged'}")
        return data

    def join(self, request: Join, timeout: float = 30.0) -> Grant:
        """Ask to be let in."""
        answers: list[Frame] = []
        frame = msgspec.structs.replace(frame_of(Kind.JOIN, request), n=1, id=id_of(self.nid, request.nonce))
        asked = body_in(self.hub.crossed(frame), Join)
        self.hub.waiting.append(Knock(self.nid, asked, answers.append))
        self.hub.inboxes.setdefault(self.nid, deque(maxlen=MOST_WAITING))
        self.hub.let_others_act()
        if not answers:
            raise Refused("no_answer", "nobody answered")
        answer = self.hub.crossed(answers[0])
        if answer.kind == Kind.REFUSAL:
            no = body_in(answer, Refusal)
            raise Refused(no.reason, no.detail)
        return body_in(answer, Grant)

    def close(self, drain: bool = True, timeout: float = 5.0) -> None:
        """Give up the place."""
        if drain and not self.closed:
            self.pump()
        self.closed = True
        self._out.clear()
        self.hub.inboxes.pop(self.nid, None)
        if self in self.hub.listening:
            self.hub.listening.remove(self)


class MemoryHostPort(MemoryPort):
    """The host's place at a :class:`MemoryHub`."""

    def campaign(self) -> MemoryTerm | None:
        """Begin to lead."""
        self.hub.epoch += 1
        return MemoryTerm(self)


class MemoryTerm:
    """Leads until somebody else does."""

    def __init__(self, port: MemoryHostPort) -> None:
        self.port = port
        self.hub = port.hub
        self.epoch = self.hub.epoch
        self.name = f"{port.session}.{self.epoch}"
        self.lost = False
        self.answers: dict[str, Answer] = {}
        self.checkpoint = self.hub.checkpoint
        self.hub.answers.append(self.answers)
        self._read = 0
        self._marker = self.hub.marker
        markers = [record for record in self.hub.log if record.origin == "tick"]
        self.last_tick = body_in(markers[-1].frame, Marker).tick if markers else -1

    @property
    def caught_up(self) -> bool:
        """Whether everything before the last own marker was given out."""
        return self._read >= self._marker - 1

    def next_inputs(self, limit: int = 1024) -> list[LogRecord]:
        """What stands in the log after what was read before."""
        self.port.pump()
        fresh = self.hub.log[self._read : self._read + limit]
        self._read += len(fresh)
        return fresh

    def commit(self, tick: int, stamp_ns: int, digest: str) -> bool:
        """Write the marker of a tick, if nobody else wrote one since."""
        self.port.pump()
        if self.lost or self.hub.marker != self._marker:
            self.lost = True
            return False
        marker = Marker(tick, stamp_ns, self.epoch, self.name, digest)
        frame = frame_of(Kind.MARKER, marker, tick, stamp_ns)
        identity = id_of(self.port.nid, self.epoch, tick)
        self.hub.marker = self._marker = self.hub.append("tick", msgspec.structs.replace(frame, id=identity))
        return True

    def save(self, state: bytes, tick: int, log_seq: int) -> bool:
        """Save the state of the world, if nobody else saved one since."""
        if self.hub.checkpoint is not self.checkpoint:
            return False
        self.checkpoint = self.hub.checkpoint = Checkpoint(tick, log_seq, self.epoch, bytes(state))
        return True

    def emit(self, nid: str, token: str, frame: Frame) -> None:
        """Hand something to a member."""
        inbox = self.hub.inboxes.get(nid)
        if inbox is not None:
            inbox.append(self.hub.crossed(frame))

    def confirm(self, nid: str, n: int) -> None:
        """Nothing is kept here."""

    def forget(self, nid: str) -> None:
        """A member is gone."""
        self.hub.inboxes.pop(nid, None)

    def fact(self, frame: Frame) -> None:
        """Put a fact into the log."""
        self.hub.append("sys", msgspec.structs.replace(frame, id=id_of("sys", self.epoch, len(self.hub.log))))

    def knocks(self) -> list[Knock]:
        """Who asked to be let in."""
        waiting, self.hub.waiting = self.hub.waiting, []
        return waiting
