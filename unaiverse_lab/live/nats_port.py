"""A member's place at a log on NATS."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
import time
from base64 import b32encode
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from unaiverse_lab.core.errors import LabError
from unaiverse_lab.live.broker import BrokerError
from unaiverse_lab.live.link import Link
from unaiverse_lab.live.port import (
    IN_LIMIT,
    OFFERS,
    OUT_LIMIT,
    Backpressure,
    BlobError,
    Caps,
    LinkEvent,
    Offer,
    Refused,
    Ticket,
    answer_in,
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
    Refusal,
    Sequence,
    WireError,
    body_in,
    decode_frame,
    encode_frame,
    frame_of,
    id_of,
)

T = TypeVar("T")
WINDOW = 256
"""Frames on their way to the log at one time."""

RESYNC = "resync"
"""The question that asks for what was missed; the port itself answers it."""

CHUNK = 512 * 1024
GAP = 0.1
"""Seconds a member waits for what is missing before it asks for it."""

PATIENCE = 60.0
"""Seconds for which it is tried to store a long message while the link is up."""

STORED_WITHIN = 2.0
LONGEST_RETRY = 1.0


class Stored(msgspec.Struct):
    """What the broker says of a frame: its number in the log, or why it did not take it."""

    seq: int = 0
    error: dict[str, Any] | None = None


stored_in = msgspec.json.Decoder(Stored).decode


class Subjects:
    """The names of one world on a broker.

    Args:
        wid: its identifier: 16 lower-case letters and digits.
    """

    def __init__(self, wid: str) -> None:
        self.wid = wid
        self.prefix = f"uw1.{wid}"
        self.log = f"UW1_{wid.upper()}_LOG"
        self.blobs = f"UW1_{wid.upper()}_BLOB"
        self.state = f"UW1_{wid.upper()}_STATE"
        self.tick = f"{self.prefix}.tick"
        self.sys = f"{self.prefix}.sys"

    def out(self, nid: str) -> str:
        """What a member says."""
        return f"{self.prefix}.out.{nid}"

    def inbox(self, nid: str, token: str) -> str:
        """What a member is told."""
        return f"{self.prefix}.in.{nid}.{token}"

    def lossy(self, nid: str) -> str:
        """What it offers past the log."""
        return f"{self.prefix}.lossy.{nid}"

    def question(self, nid: str, name: str) -> str:
        """Where it asks something."""
        return f"{self.prefix}.q.{nid}.{name}"

    def join(self, nid: str) -> str:
        """Where it asks to be let in."""
        return f"{self.prefix}.join.{nid}"

    def again(self, nid: str) -> str:
        """Where it asks for what it missed."""
        return self.question(nid, RESYNC)

    def chunk(self, sha256: str, index: int) -> str:
        """One part of a long message."""
        return f"{self.prefix}.blob.{sha256[:2]}.{sha256}.{index}"


def new_wid() -> str:
    """An identifier for a world."""
    return b32encode(secrets.token_bytes(10)).decode().lower()


def new_nid() -> str:
    """An identifier for a node, as long as the keys that will be in its place."""
    return "U" + b32encode(secrets.token_bytes(35)).decode()[:55]


class NatsPort:
    """A place at a log on NATS; see :class:`~.port.Port`.

    Args:
        urls: addresses of the broker.
        wid: which world.
        nid: the member's node id; default: a new one.

    Raises:
        BrokerError: nobody answers there.
    """

    def __init__(self, urls: list[str], wid: str, nid: str | None = None) -> None:
        self.nid = nid or new_nid()
        self.session = secrets.token_hex(8)
        self.subjects = Subjects(wid)
        self.caps = Caps(True, False, True, INLINE, MAX_BLOB)
        self.events: deque[LinkEvent] = deque(maxlen=1024)
        self.refused = 0
        self.resends = 0
        self.lost = 0
        self._offered: deque[bytes] = deque()
        self._came: deque[Any] = deque()
        self._hears = self._told = False
        self._lossy = self.subjects.lossy(self.nid)
        self._n = 0
        self._waiting: deque[tuple[Ticket, bytes, str]] = deque()
        self._stored = 0  # counted by the link's thread, _n by the one that posts
        self._window: dict[int, tuple[Ticket, bytes, str]] = {}
        self._kicked = False
        self._full = False
        self._in: deque[Frame] = deque()
        self._order = Sequence()
        self._token = ""
        self._heard = time.monotonic()
        self.link = Link(urls, f"unaiverse-lab {self.nid[:8]}", self.events)
        try:
            self.link.call(self._begin(), 15.0)
        except BaseException:
            self.link.close()
            raise

    async def _begin(self) -> None:
        self._moved = asyncio.Event()
        self._again = asyncio.Event()
        self.link.on_up.append(self._came_back)
        await self.link.start(self._send(), "sending")

    async def _came_back(self) -> None:
        self._again.set()
        self._moved.set()
        if self._token:
            await self._ask_again()

    # ------------------------------------------------------------------ to the log

    def post(self, frame: Frame) -> Ticket:
        """Put a frame into the log; never waits."""
        if self.link.closed:
            raise LabError("the port is closed")
        if self._unstored >= OUT_LIMIT:
            raise Backpressure(f"{OUT_LIMIT} frames wait to be stored")
        n = self._n + 1
        identity = id_of(self.nid, self.session, n)
        data = encode_frame(msgspec.structs.replace(frame, n=n, ack=self._order.next - 1, id=identity))
        ticket = Ticket(n)
        self._n = n
        self._waiting.append((ticket, data, identity.hex()))
        if not self._kicked:
            self._kicked = True
            self.link.soon(self._kick)
        return ticket

    async def _send(self) -> None:
        """Bring what was posted into the log, so many at a time; what is not confirmed goes again, with the same id."""
        nats, subject = self.link.nats, self.subjects.out(self.nid)
        inbox = nats.new_inbox()
        await nats.subscribe(f"{inbox}.*", cb=self._on_stored)
        await self.link.barrier()
        pause = 0.05
        while True:
            await self.link.up.wait()
            if self._again.is_set():
                self._again.clear()
                self.resends += len(self._window)
                fresh = list(self._window.values())
            else:
                fresh = []
            self._moved.clear()
            while self._waiting and len(self._window) < WINDOW:
                item = self._waiting.popleft()
                self._window[item[0].n] = item
                fresh.append(item)
            for ticket, data, identity in fresh:
                with contextlib.suppress(Exception):  # the link is down: it goes again
                    await nats.publish(subject, data, reply=f"{inbox}.{ticket.n}", headers={"Nats-Msg-Id": identity})
            try:
                async with asyncio.timeout(STORED_WITHIN if self._window else None):
                    await self._moved.wait()
            except TimeoutError:
                self._again.set()
                self.link.not_stored()
            if self._full:
                self._full = False
                await asyncio.sleep(pause)
                pause = min(LONGEST_RETRY, 2 * pause)
                self._again.set()
            elif not self._again.is_set():
                pause = 0.05

    async def _on_stored(self, message: Any) -> None:
        try:
            n = int(message.subject.rpartition(".")[2])
            told = stored_in(message.data)
        except (ValueError, msgspec.MsgspecError):
            self.refused += 1  # nobody stores this world's log now
            self.link.not_stored()
            self._full = True
            self._moved.set()
            return
        if told.error is not None:
            self.link.not_stored(told.error.get("err_code", 0), told.error.get("description", ""))
            self._full = True
            self._moved.set()
            return
        item = self._window.pop(n, None)
        if item is None:
            return
        self.link.stored()
        item[0].seq, item[0].state = told.seq, "stored"
        self._stored += 1
        if not self._window or len(self._window) <= WINDOW // 2:
            self._moved.set()
        if not self._unstored or self._unstored == OUT_LIMIT - 1:
            self.link.notify()

    @property
    def _unstored(self) -> int:
        return self._n - self._stored

    def _kick(self) -> None:
        self._kicked = False
        self._moved.set()

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until everything posted is stored."""
        with self.link.news:
            if not self.link.news.wait_for(lambda: not self._unstored or self.link.closed, timeout):
                raise BrokerError(f"{self._unstored} frames could not be stored within {timeout:g} s")
        if self._unstored:
            raise BrokerError("the link was closed before everything was stored")

    # ------------------------------------------------------------------ what comes

    def poll(self, limit: int = 1024) -> list[Frame]:
        """What came for this member, in order, each exactly once."""
        frames: list[Frame] = []
        while self._in and len(frames) < limit:
            frames.append(self._in.popleft())
        return frames

    # ------------------------------------------------------------------ past the log

    def offer(self, frame: Frame) -> bool:
        """Send something that may be lost; see :class:`~.port.Port`."""
        data = encode_frame(frame)
        if not self.link.is_up or len(self._offered) >= OUT_LIMIT:
            self.lost += 1
            return False
        self._offered.append(data)
        if len(self._offered) == 1:
            self.link.soon(self.link.begin, self._send_offers)
        return True

    async def _send_offers(self) -> None:
        while self._offered:
            await self.link.nats.publish(self._lossy, self._offered.popleft())

    def offers(self) -> list[Offer]:
        """What others offered; see :class:`~.port.Port`."""
        if not self._hears:
            self.link.call(self._hear(), 5.0)
            self._hears = True
        found: list[Offer] = []
        while self._came:
            message = self._came.popleft()
            origin = message.subject.rpartition(".")[2]
            try:
                found.append(Offer(origin, decode_frame(message.data)))
            except WireError:
                self.refused += 1
        return found

    async def settle(self) -> None:
        """Return when the broker has everything that was offered."""
        while self._offered:
            await asyncio.sleep(0.001)
        await self.link.barrier()

    async def _hear(self) -> None:
        await self.link.nats.subscribe(self.subjects.lossy("*"), cb=self._on_offer)
        await self.link.barrier()

    async def _on_offer(self, message: Any) -> None:
        if message.subject == self._lossy:
            return
        if len(self._came) >= OFFERS:
            self.lost += 1
            with contextlib.suppress(IndexError):
                self._came.popleft()
        self._came.append(message)
        if not self._told:
            self._told = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._told = False
        self.link.notify()

    def query(self, name: str, body: dict[str, Any] | None = None, timeout: float = 2.0) -> dict[str, Any]:
        """Ask the host something; see :class:`~.port.Port`."""
        data = encode_frame(frame_of(Kind.QUESTION, body or {}))
        return self.link.call(self._query(name, data, timeout), timeout + 5.0)

    async def _query(self, name: str, data: bytes, timeout: float) -> dict[str, Any]:
        if not name.isidentifier():
            raise Refused("unknown_question", f"{name!r} is no question")
        try:
            message = await self.link.nats.request(self.subjects.question(self.nid, name), data, timeout=timeout)
            return answer_in(decode_frame(message.data))
        except LabError:
            raise
        except Exception as error:
            raise Refused("no_answer", f"nobody answered {name!r} within {timeout:g} s") from error

    # ------------------------------------------------------------------ waiting

    def wait(self, timeout: float) -> bool:
        """Wait until something came."""
        with self.link.news:
            if not self._something():
                self.link.news.wait(timeout)
        return self._something()

    @property
    def silence(self) -> float:
        """Seconds since anything was heard of the host, be it that it still is there."""
        return time.monotonic() - self._heard

    def _something(self) -> bool:
        return bool(self._in or self._came)

    async def _listen(self, token: str) -> None:
        self._token = token
        await self.link.nats.subscribe(self.subjects.inbox(self.nid, token), cb=self._on_frame)
        await self.link.barrier()
        await self._ask_again()
        await self.link.start(self._watch(), "watching")

    async def _on_frame(self, message: Any) -> None:
        try:
            frame = decode_frame(message.data)
        except WireError:
            self.refused += 1
            return
        if len(self._in) >= IN_LIMIT:
            return  # asked for again when there is room
        self._heard = time.monotonic()
        ready = self._order.take(frame.n, frame)
        if ready:
            self._in.extend(ready)
            self.link.notify()

    async def _watch(self) -> None:
        """Ask for what is missing."""
        last, since = -1, 0.0
        self._heard = time.monotonic()
        while True:
            await asyncio.sleep(GAP)
            since = since + GAP if self._order.next == last else 0.0
            last = self._order.next
            if self._order.gap or since >= 1.0:
                since = 0.0
                await self._ask_again()

    async def _ask_again(self) -> None:
        """Have everything from the first missing number on sent once more."""
        if self.link.is_up and len(self._in) < IN_LIMIT:
            with contextlib.suppress(Exception):
                await self.link.nats.request(self.subjects.again(self.nid), str(self._order.next).encode(), timeout=1.0)
                self._heard = time.monotonic()

    # ------------------------------------------------------------------ coming and going

    def join(self, request: Join, timeout: float = 30.0) -> Grant:
        """Ask the host to be let in, and wait for its answer."""
        frame = frame_of(Kind.JOIN, request)
        data = encode_frame(msgspec.structs.replace(frame, n=1, id=id_of(self.nid, request.nonce)))
        answer = self.link.call(self._ask_to_join(data, request.nonce, timeout), timeout + 5.0)
        if isinstance(answer, Refusal):
            raise Refused(answer.reason, answer.detail)
        self.link.call(self._listen(answer.token), 15.0)
        self.link.tell("granted")
        return answer

    async def _ask_to_join(self, data: bytes, nonce: str, timeout: float) -> Grant | Refusal:
        subject = self.subjects.join(self.nid)
        for _ in range(max(1, round(timeout))):
            await self.link.up.wait()
            try:
                message = await self.link.nats.request(subject, data, timeout=1.0)
                frame = decode_frame(message.data)
                answer: Grant | Refusal = (
                    body_in(frame, Refusal) if frame.kind == Kind.REFUSAL else body_in(frame, Grant)
                )
            except WireError:
                self.refused += 1
                continue
            except Exception as error:  # nobody listens (yet), or the answer takes longer
                if "responders" in type(error).__name__.lower():
                    await asyncio.sleep(1.0)
                continue
            if answer.nonce == nonce:
                return answer
        return Refusal(nonce, "no_answer", f"no host answered within {timeout:g} s; is the world running?")

    def close(self, drain: bool = True, timeout: float = 5.0) -> None:
        """Give up the place."""
        if drain and not self.link.closed:
            with contextlib.suppress(LabError):
                self.flush(timeout)
        self.link.close()

    # ------------------------------------------------------------------ long messages

    def put_blob(self, data: bytes, media: str = "") -> BlobRef:
        """Store a long message."""
        if len(data) > MAX_BLOB:
            raise EventTooLarge(f"a blob holds {MAX_BLOB} bytes, not {len(data)}")
        digest = hashlib.sha256(data).hexdigest()
        self.link.call(self._put(digest, data), None)
        return BlobRef(digest, len(data), media, self.nid)

    async def _put(self, digest: str, data: bytes) -> None:
        for first in range(0, len(data), 16 * CHUNK):
            chunks = range(first, min(len(data), first + 16 * CHUNK), CHUNK)
            await asyncio.gather(
                *(self._put_chunk(digest, start // CHUNK, data[start : start + CHUNK]) for start in chunks)
            )

    async def _put_chunk(self, digest: str, index: int, chunk: bytes) -> None:
        subject = self.subjects.chunk(digest, index)

        async def put() -> None:
            await self.link.js.publish(subject, chunk, timeout=STORED_WITHIN)

        try:
            await self._patiently(put, PATIENCE)
        except Exception as error:
            raise BrokerError(f"a long message could not be stored: {error}") from error

    async def _patiently(self, work: Callable[[], Awaitable[T]], seconds: float) -> T:
        """Try until it works: for so many seconds in which the link is up, or until the broker has said no three times.

        Raises:
            Exception: what was wrong with the last try.
        """
        from nats.js.errors import NotFoundError

        tried, denied = 0.0, 0
        while True:
            await self.link.up.wait()
            began = time.monotonic()
            try:
                return await work()
            except Exception as error:
                denied += isinstance(error, NotFoundError)
                if self.link.is_up:
                    tried += time.monotonic() - began + 0.05
                if tried >= seconds or denied >= 3:
                    raise
            await asyncio.sleep(0.05)

    def get_blob(self, ref: BlobRef, timeout: float = 10.0) -> bytes:
        """A long message, its length and SHA-256 checked."""
        if not 0 <= ref.length <= MAX_BLOB or len(ref.sha256) != 64 or not ref.sha256.isalnum():
            raise BlobError(f"{ref!r:.80} is no reference to a long message")
        data = self.link.call(self._get(ref, timeout), None)
        if len(data) != ref.length or hashlib.sha256(data).hexdigest() != ref.sha256:
            raise BlobError(f"the blob {ref.sha256[:12]} is damaged")
        return data

    async def _get(self, ref: BlobRef, timeout: float) -> bytes:
        chunks = (self._get_chunk(ref.sha256, index, timeout) for index in range(-(-ref.length // CHUNK)))
        return b"".join(await asyncio.gather(*chunks))

    async def _get_chunk(self, digest: str, index: int, timeout: float) -> bytes:
        subject = self.subjects.chunk(digest, index)

        async def get() -> bytes:
            found = await self.link.js.get_last_msg(self.subjects.blobs, subject, direct=True)
            return bytes(found.data or b"")

        try:
            return await self._patiently(get, timeout)
        except Exception as error:
            raise BlobError(f"the blob {digest[:12]} is not there: {error}") from error
