"""What a live world asks of whatever carries it: a port for each member, one for the host, a term of leadership.

Both implementations, in this process (:mod:`.memory`) and on NATS (:mod:`.nats_port`), pass one set of tests.
All of it is synchronous: no ``await`` and no name of NATS above this line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from unaiverse_lab.core.errors import LabError, did_you_mean
from unaiverse_lab.live.wire import (
    BlobRef,
    EventTooLarge,
    Frame,
    Grant,
    Join,
    Kind,
    Refusal,
    body_in,
    encode_frame,
    frame_of,
)

IN_LIMIT = OUT_LIMIT = 4096
"""Frames that may wait on each side of a port."""

OFFERS = 4096
"""Frames that came past the log and wait to be looked at; of more, the newest."""

Answer = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Answers a question of a member: its node id and what it asks, what is answered."""


class Caps(NamedTuple):
    """What a port can do.

    Attributes:
        durable: what was stored outlives the process.
        enforced: the broker itself keeps members from speaking as others.
        ordered: all frames of a world have one order.
        max_inline, max_blob: bytes.
    """

    durable: bool
    enforced: bool
    ordered: bool
    max_inline: int
    max_blob: int


class LinkEvent(NamedTuple):
    """Something happened to a link: ``up``, ``down``, ``granted``, ``lagging``, ``broker_stuck``, ``error``."""

    kind: str
    detail: str = ""


class LogRecord(NamedTuple):
    """A frame in the log: its number there, who it is from (``"tick"``, ``"sys"`` or a node id), the frame."""

    seq: int
    origin: str
    frame: Frame


class Offer(NamedTuple):
    """A frame that came past the log: who it is from (a node id), the frame."""

    origin: str
    frame: Frame


class Backpressure(LabError):
    """The port is full: what was posted before has to leave first. Nothing was taken."""


class Refused(LabError):
    """The host does not let a member in; ``reason`` is one word for it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"the host refused: {detail} ({reason})")
        self.reason = reason
        self.detail = detail


class Lost(LabError):
    """Somebody else leads this world now; this host applies nothing any more."""


class BlobError(LabError):
    """A long message is not there, or is not what it should be."""


class Ticket:
    """What became of a frame: ``state`` is ``"queued"``, ``"stored"`` (``seq`` says where) or ``"refused"``."""

    __slots__ = ("n", "reason", "seq", "state")

    def __init__(self, n: int) -> None:
        self.n = n
        self.state = "queued"
        self.seq = 0
        self.reason: str | None = None


class Checkpoint(NamedTuple):
    """A state of the world that a host saved: after which tick and record of the log, in which epoch, its bytes."""

    tick: int
    log_seq: int
    epoch: int
    state: bytes


class Knock(NamedTuple):
    """A member asks to be let in: its node id, its request, and how to answer it (with a grant or a refusal)."""

    nid: str
    join: Join
    answer: Callable[[Frame], None]


def answer_to(question: Frame, name: str, nid: str, answers: Mapping[str, Answer]) -> Frame:
    """What is answered to a question: an answer, or a refusal that says why not."""
    known = answers.get(name)
    if known is None:
        detail = f"the host answers no question {name!r}.{did_you_mean(name, answers)}"
        return frame_of(Kind.REFUSAL, Refusal("", "unknown_question", detail))
    try:
        answer = frame_of(Kind.ANSWER, known(nid, body_in(question, dict)))
        encode_frame(answer)
        return answer
    except EventTooLarge as error:
        return frame_of(Kind.REFUSAL, Refusal("", "too_large", f"the answer is too long: {error}"))
    except Exception as error:
        return frame_of(Kind.REFUSAL, Refusal("", "malformed", f"{type(error).__name__}: {error}"))


def answer_in(frame: Frame) -> dict[str, Any]:
    """The answer to a question.

    Raises:
        Refused: there is none.
        WireError: it is something else.
    """
    if frame.kind == Kind.REFUSAL:
        no = body_in(frame, Refusal)
        raise Refused(no.reason, no.detail)
    return body_in(frame, dict)


class Port(Protocol):
    """A node's place at the log; called from the thread that gives the node its turns."""

    nid: str
    caps: Caps
    events: deque[LinkEvent]
    lost: int

    @property
    def silence(self) -> float:
        """Seconds since anything was heard of the host, be it that it still is there."""

    def poll(self, limit: int = 1024) -> list[Frame]:
        """What came for this member, in order, each exactly once."""

    def post(self, frame: Frame) -> Ticket:
        """Put a frame into the log, numbered by the port; never waits.

        Raises:
            Backpressure: too many are waiting.
            EventTooLarge: longer than a frame may be.
        """

    def offer(self, frame: Frame) -> bool:
        """Send something that may be lost to all others, past the log; never waits. False: it was dropped here.

        Raises:
            EventTooLarge: longer than a frame may be.
        """

    def offers(self) -> list[Offer]:
        """What others offered since the last call, the newest 4,096; the first call begins to listen.

        ``lost`` counts what was dropped here, on either side.
        """

    def query(self, name: str, body: dict[str, Any] | None = None, timeout: float = 2.0) -> dict[str, Any]:
        """Ask the host something, past the log: ``"time"``, ``"roster"`` or ``"status"``.

        Raises:
            Refused: the host does not answer such a question, or does not answer at all within so many seconds.
        """

    def wait(self, timeout: float) -> bool:
        """Wait until something came, at most so many seconds; whether something is there."""

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until everything posted is stored.

        Raises:
            LabError: it is not, after so many seconds.
        """

    def put_blob(self, data: bytes, media: str = "") -> BlobRef:
        """Store a long message."""

    def get_blob(self, ref: BlobRef, timeout: float = 10.0) -> bytes:
        """A long message, its length and SHA-256 checked.

        Args:
            ref: where it lies.
            timeout: seconds for which it is tried; while the link is down they do not count.

        Raises:
            BlobError: it is not there, or is not what it should be.
        """

    def join(self, request: Join, timeout: float = 30.0) -> Grant:
        """Ask the host to be let in, and wait for its answer.

        Raises:
            Refused: it says no, or says nothing.
        """

    def close(self, drain: bool = True, timeout: float = 5.0) -> None:
        """Give up the place; nothing is left of it: no thread, task or socket."""


class Term(Protocol):
    """One uninterrupted leadership.

    ``name`` is that of no other one. ``last_tick`` is that of the newest marker in the log, -1: there is none.
    ``answers`` has what answers the questions of members, by name; called at any time, by any thread. ``checkpoint`` is
    the newest state that a host of this world saved, None: there is none.
    """

    epoch: int
    lost: bool
    last_tick: int
    answers: dict[str, Answer]
    checkpoint: Checkpoint | None

    @property
    def name(self) -> str:
        """What no other leadership is called."""

    @property
    def caught_up(self) -> bool:
        """Whether everything before the last own marker was given out."""

    def next_inputs(self, limit: int = 1024) -> list[LogRecord]:
        """What stands in the log after what was read before, in its order."""

    def commit(self, tick: int, stamp_ns: int, digest: str) -> bool:
        """Write the marker of a tick; False: this host leads no more."""

    def save(self, state: bytes, tick: int, log_seq: int) -> bool:
        """Save the state of the world after a tick and a record of the log; False: another host saved one since."""

    def emit(self, nid: str, token: str, frame: Frame) -> None:
        """Send something to a member; the frame is numbered already. Sent again when the member asks for it."""

    def confirm(self, nid: str, n: int) -> None:
        """A member has everything up to a number: it need not be kept."""

    def forget(self, nid: str) -> None:
        """A member is gone."""

    def fact(self, frame: Frame) -> None:
        """Put a fact into the log, and wait until it is stored."""

    def knocks(self) -> list[Knock]:
        """Who asked to be let in since the last call."""


class HostPort(Port, Protocol):
    """The place of the node that hosts a world."""

    def campaign(self) -> Term | None:
        """Begin to lead; None: somebody else was faster."""
