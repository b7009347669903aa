"""The host's place at a log on NATS: the streams, the reader, and markers that only one host can write."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any

import msgspec

from unaiverse_lab.core.errors import LabError
from unaiverse_lab.live.broker import BrokerError
from unaiverse_lab.live.keeping import Keeping
from unaiverse_lab.live.nats_port import RESYNC, NatsPort
from unaiverse_lab.live.port import Answer, Checkpoint, Knock, LogRecord, Lost, answer_to
from unaiverse_lab.live.wire import (
    Frame,
    Join,
    Kind,
    Marker,
    WireError,
    body_in,
    decode_frame,
    encode_frame,
    frame_of,
    id_of,
)

PULL = 256
PULL_SECONDS = 5.0
QUOTA = 1024
"""Messages of one writer that the log holds at most; more are refused until it was purged."""

PURGE_EVERY = 256
COMMIT_WITHIN = 1.0
WRONG_LAST = 10071
NO_ROOM, LEAST = 10047, 16 << 20
RING = 4096
KNOCKS = 256
"""Requests to be let in that wait for the host to look at them."""

INBOX = ("_INBOX.", "_R_.")
"""Where answers go: to who asked, or by way of a subject the server made for the answer to another account."""


class NatsHostPort(NatsPort):
    """The place of the node that hosts a world; see :class:`~.port.HostPort`.

    Args:
        urls, wid, nid: see :class:`NatsPort`.
        keep_log: let the log grow up to its limit, rather than forgetting what no tick needs any more.
    """

    def __init__(self, urls: list[str], wid: str, nid: str | None = None, keep_log: bool = False) -> None:
        self.keep_log = keep_log
        self.term: NatsTerm | None = None
        super().__init__(urls, wid, nid)

    async def _begin(self) -> None:
        await super()._begin()
        try:
            await self._make_streams()
        except Exception as error:
            raise BrokerError(f"the broker has no room for a world (JetStream): {error}") from error

    async def _make_streams(self) -> None:
        from nats.js import api

        subjects, prefix = self.subjects, self.subjects.prefix
        log = [f"{prefix}.out.*", f"{prefix}.mst.*", subjects.sys, subjects.tick]
        await self._add(
            api.StreamConfig(
                name=subjects.log, subjects=log, storage=api.StorageType.FILE, discard=api.DiscardPolicy.NEW,
                max_msg_size=72 * 1024, max_msgs_per_subject=-1 if self.keep_log else QUOTA,
                discard_new_per_subject=not self.keep_log, duplicate_window=60, max_bytes=2 << 30, deny_delete=True,
            )
        )  # fmt: skip
        await self._add(
            api.StreamConfig(
                name=subjects.blobs, subjects=[f"{prefix}.blob.*.*.*"], storage=api.StorageType.FILE,
                max_msgs_per_subject=1, max_age=3600, max_bytes=4 << 30, allow_direct=True,
            )
        )  # fmt: skip

    async def _add(self, stream: Any) -> None:
        """Make a stream, as large as the broker has room for, up to what is asked for."""
        from nats.js.errors import APIError

        while True:
            try:
                await self.link.js.add_stream(stream)
                return
            except APIError as error:
                if error.err_code != NO_ROOM or stream.max_bytes < LEAST:
                    raise
                stream = stream.evolve(max_bytes=stream.max_bytes // 2)

    def campaign(self) -> NatsTerm | None:
        """Begin to lead this world."""
        self.term = NatsTerm(self)
        return self.term

    def _something(self) -> bool:
        return bool(self._in) or (self.term is not None and self.term.has_news)

    def close(self, drain: bool = True, timeout: float = 5.0) -> None:
        """Give up the place, when everything said to the members has gone out."""
        if drain and self.term is not None and not self.link.closed and self.link.is_up:
            with contextlib.suppress(LabError, TimeoutError):
                self.link.call(self.term.settle(), timeout)
        super().close(drain, timeout)

    def forget_world(self) -> None:
        """Delete the world's streams from the broker."""
        self.link.call(self._delete_streams(), 10.0)

    async def _delete_streams(self) -> None:
        for stream in (self.subjects.log, self.subjects.blobs):
            with contextlib.suppress(Exception):
                await self.link.js.delete_stream(stream)
        await Keeping(self.link, self.subjects.state).forget()


class Writing:
    """A marker on its way into the log: whether it was read back, and whether another one was."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.committed = False
        self.contested = False


class NatsTerm:
    """One leadership; see :class:`~.port.Term`."""

    def __init__(self, port: NatsHostPort) -> None:
        self.port = port
        self.link, self.subjects = port.link, port.subjects
        self.lost = False
        self.epoch = 1
        self.last_tick = -1
        self.answers: dict[str, Answer] = {}
        self.checkpoint: Checkpoint | None = None
        self._keeping = Keeping(self.link, self.subjects.state)
        self.foreign = 0
        self.restarts = 0
        self._marker_seq = 0
        self._marker_seqs: deque[int] = deque()
        self._writing = Writing(b"")
        self._read: deque[LogRecord] = deque()
        self._next_seq = 1
        self._asked = 0
        self._stirred = False
        self._sub: Any = None
        self._reader = ""
        self._knocks: list[Knock] = []
        self._facts = 0
        self._answers: dict[str, tuple[str, bytes | None]] = {}
        self._rings: dict[str, dict[int, tuple[str, bytes]]] = {}
        self._to_emit: deque[tuple[str, bytes]] = deque()
        self.link.call(self._begin(), 20.0)

    @property
    def name(self) -> str:
        """What no other leadership is called."""
        return f"{self.port.session}.{self.epoch}"

    @property
    def has_news(self) -> bool:
        """Whether something was read, or somebody asks to be let in."""
        return bool(self._read or self._knocks)

    async def _begin(self) -> None:
        self._emitting = asyncio.Event()
        newest = await self._newest_marker()
        if newest is not None:
            seq, marker = newest
            self._marker_seq = seq
            if marker is not None:
                self.epoch, self.last_tick = marker.epoch + 1, marker.tick
        self.checkpoint = await self._keeping.newest()
        self._next_seq = (await self.link.js.stream_info(self.subjects.log)).state.last_seq + 1
        nats = self.link.nats
        await nats.subscribe(self.subjects.join("*"), cb=self._on_knock)
        await nats.subscribe(self.subjects.question("*", "*"), cb=self._on_question)
        await self.link.barrier()
        await self._read_on()
        self.link.on_up.append(self._came_back)
        await self.link.start(self._emit_all(), "emitting")
        await self.link.start(self._keep_reading(), "reading")

    async def _came_back(self) -> None:
        await self._read_on()
        for ring in self._rings.values():
            self._to_emit.extend(ring.values())
        self._emitting.set()

    # ------------------------------------------------------------------ reading

    async def _read_on(self) -> None:
        """A new consumer, from the first record that was not read; the old one may have lost what was on its way."""
        from nats.js import api

        self.restarts += 1
        if self._sub is not None:
            with contextlib.suppress(Exception):
                await self._sub.unsubscribe()
        name = self._reader = f"r{self.restarts}e{self.epoch}{self.port.session}"

        async def take(message: Any) -> None:
            await self._on_record(message, name)

        self._sub = await self.link.nats.subscribe(self.link.nats.new_inbox(), cb=take)
        await self.link.js.add_consumer(
            self.subjects.log,
            api.ConsumerConfig(
                name=name, deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self._next_seq,
                ack_policy=api.AckPolicy.NONE, mem_storage=True, inactive_threshold=30.0, num_replicas=1,
            ),
        )  # fmt: skip
        self._asked = 0
        await self._pull()

    async def _pull(self) -> None:
        """Ask for more records."""
        self._asked += PULL
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.subjects.log}.{self._reader}"
        request = msgspec.json.encode({"batch": PULL, "expires": int(PULL_SECONDS * 1e9)})
        await self.link.nats.publish(subject, request, reply=self._sub.subject)

    async def _keep_reading(self) -> None:
        """Even an idle log says something as often as requests for records expire; if it does not, one was lost."""
        while True:
            self._stirred = False
            await asyncio.sleep(1.5 * PULL_SECONDS)
            if not self._stirred and self.link.is_up:
                try:
                    await self._read_on()
                except Exception as error:
                    self.link.tell("error", f"the log cannot be read: {error}")

    async def _on_record(self, message: Any, name: str) -> None:
        if name != self._reader:
            return
        self._stirred = True
        if not message.reply.startswith("$JS.ACK."):  # a request for records is over
            told = message.headers or {}
            if told.get("Status") == "409" and "deleted" in told.get("Description", "").lower():
                await self._read_on()
                return
            unused = told.get("Nats-Pending-Messages", "")
            self._asked = max(0, self._asked - int(unused)) if unused.isdigit() else 0
            if self._asked <= PULL // 2 and told.get("Status") != "100":
                await self._pull()
            return
        parts = message.reply.split(".")
        seq = int(parts[-4])
        if seq < self._next_seq:
            return
        if seq > self._next_seq:  # nothing is purged that was not read: something was lost on its way
            await self._read_on()
            return
        self._asked -= 1
        origin = message.subject[len(self.subjects.prefix) + 1 :]
        kind, _, nid = origin.partition(".")
        try:
            self._read.append(LogRecord(seq, nid if kind in ("out", "mst") else kind, decode_frame(message.data)))
        except WireError:
            self.port.refused += 1
        self._next_seq = seq + 1  # only now: caught_up looks at it from another thread
        if kind == "tick":
            writing = self._writing  # the thread that commits may go on to the next one at any time
            if message.data != writing.data:
                writing.contested = True
            elif not writing.committed:
                self._note_marker(seq)
                writing.committed = True
        self.link.notify()
        if self._asked <= PULL // 2:
            await self._pull()

    @property
    def caught_up(self) -> bool:
        """Whether everything before the last own marker was given out."""
        return self._next_seq >= self._marker_seq and not self._read

    def next_inputs(self, limit: int = 1024) -> list[LogRecord]:
        """What stands in the log after what was read before."""
        records: list[LogRecord] = []
        while self._read and len(records) < limit:
            records.append(self._read.popleft())
        return records

    # ------------------------------------------------------------------ markers

    async def _newest_marker(self) -> tuple[int, Marker | None] | None:
        """The last record of the markers' subject, and the marker in it if it is one."""
        from nats.js.errors import NotFoundError

        try:
            found = await self.link.js.get_last_msg(self.subjects.log, self.subjects.tick)
        except NotFoundError:
            return None
        try:
            return found.seq, body_in(decode_frame(found.data), Marker)
        except WireError:
            return found.seq, None

    def commit(self, tick: int, stamp_ns: int, digest: str) -> bool:
        """Write the marker of a tick; False: somebody else wrote one since."""
        if self.lost:
            return False
        marker = Marker(tick, stamp_ns, self.epoch, self.name, digest)
        frame = frame_of(Kind.MARKER, marker, tick, stamp_ns)
        identity = id_of(self.port.nid, self.name, "marker", tick)
        data = encode_frame(msgspec.structs.replace(frame, id=identity))
        if not self._commit_at_once(data, identity.hex()):
            self.lost = not self.link.call(self._commit(data, marker, identity.hex()), None)
        return not self.lost

    def _commit_at_once(self, data: bytes, identity: str) -> bool:
        """Write a marker and wait until it is read back; False: it is not known whether it is stored."""
        writing = self._writing = Writing(data)
        self.link.soon(self._write_marker, data, identity)
        with self.link.news:
            self.link.news.wait_for(lambda: writing.committed or writing.contested or self.link.closed, COMMIT_WITHIN)
        return writing.committed

    def _write_marker(self, data: bytes, identity: str) -> None:
        headers = self._marker_headers(identity)
        self.link.begin(lambda: self.link.nats.publish(self.subjects.tick, data, headers=headers))

    def _marker_headers(self, identity: str) -> dict[str, str]:
        return {"Nats-Msg-Id": identity, "Nats-Expected-Last-Subject-Sequence": str(self._marker_seq)}

    async def _commit(self, data: bytes, marker: Marker, identity: str) -> bool:
        from nats.js.errors import APIError

        while not self._writing.committed:  # it may be read back meanwhile
            await self.link.up.wait()
            headers = self._marker_headers(identity)
            try:
                ack = await self.link.js.publish(self.subjects.tick, data, timeout=COMMIT_WITHIN, headers=headers)
            except APIError as error:
                if error.err_code != WRONG_LAST:
                    self.link.not_stored(error.err_code or 0, error.description or "")
                    await asyncio.sleep(0.05)
                    continue
            except Exception:  # no answer: it may be stored or not
                self.link.not_stored()
                await asyncio.sleep(0.02)
            else:
                self.link.stored()
                self._note_marker(ack.seq)
                return True
            known = self._marker_seq
            try:
                newest = await self._newest_marker()
            except Exception:
                await asyncio.sleep(0.05)
                continue
            if self._marker_seq != known:  # it was read back while that was asked
                continue
            if newest is None:
                self._marker_seq = 0
                continue
            seq, found = newest
            if found is not None and found.term == marker.term and found.tick == marker.tick:
                self._note_marker(seq)
                return True
            if seq == self._marker_seq:
                continue
            if found is not None:
                return False
            self.foreign += 1
            self._marker_seq = seq
        return True

    def _note_marker(self, seq: int) -> None:
        if seq == self._marker_seq:
            return
        self._marker_seq = seq
        self._marker_seqs.append(seq)
        if len(self._marker_seqs) >= 2 * PURGE_EVERY and not self.port.keep_log:
            for _ in range(PURGE_EVERY):
                first = self._marker_seqs.popleft()
            asyncio.get_running_loop().create_task(self._purge(first))

    async def _purge(self, seq: int) -> None:
        with contextlib.suppress(Exception):
            await self.link.js.purge_stream(self.subjects.log, seq=seq)

    def save(self, state: bytes, tick: int, log_seq: int) -> bool:
        """Save the state of the world, if nobody else saved one since."""
        saved = self.link.call(self._keeping.save(state, tick, log_seq, self.epoch), 60.0)
        if saved:
            self.checkpoint = Checkpoint(tick, log_seq, self.epoch, state)
        return saved

    # ------------------------------------------------------------------ to the members

    def emit(self, nid: str, token: str, frame: Frame) -> None:
        """Send something to a member, and keep it until it has it."""
        parcel = (self.subjects.inbox(nid, token), encode_frame(frame))
        ring = self._rings.setdefault(nid, {})
        ring[frame.n] = parcel
        if len(ring) > RING:
            self.link.tell("lagging", nid)
            ring.pop(next(iter(ring)))
        self._to_emit.append(parcel)
        if len(self._to_emit) == 1:
            self.link.soon(self._emitting.set)

    async def _emit_all(self) -> None:
        while True:
            while self._to_emit:
                await self.link.up.wait()
                subject, data = self._to_emit.popleft()
                with contextlib.suppress(Exception):
                    await self.link.nats.publish(subject, data)
            self._emitting.clear()
            if not self._to_emit:
                await self._emitting.wait()

    async def settle(self) -> None:
        """Return when the broker has everything that was emitted."""
        while self._to_emit:
            await asyncio.sleep(0.002)
        await self.link.barrier()

    def confirm(self, nid: str, n: int) -> None:
        """A member has everything up to a number."""
        ring = self._rings.get(nid, {})
        for number in [one for one in ring if one <= n]:
            del ring[number]

    def forget(self, nid: str) -> None:
        """A member is gone."""
        self._rings.pop(nid, None)

    async def _on_resync(self, message: Any, nid: str) -> None:
        try:
            first = int(message.data[:20])
        except ValueError:
            self.port.refused += 1
            return
        if len(self._to_emit) < RING:  # who asks all the time is answered when the others have theirs
            self._to_emit.extend(parcel for n, parcel in list(self._rings.get(nid, {}).items()) if n >= first)
            self._emitting.set()
        if message.reply.startswith(INBOX):
            await self.link.nats.publish(message.reply, b"here")

    async def _on_question(self, message: Any) -> None:
        *_, nid, name = message.subject.split(".")
        if name == RESYNC:
            await self._on_resync(message, nid)
            return
        try:
            question = decode_frame(message.data)
        except WireError:
            self.port.refused += 1
            return
        if not message.reply.startswith(INBOX):
            self.port.refused += 1
            return
        await self.link.nats.publish(message.reply, encode_frame(answer_to(question, name, nid, self.answers)))

    # ------------------------------------------------------------------ facts, and who asks to be let in

    def fact(self, frame: Frame) -> None:
        """Put a fact into the log, and wait until it is stored."""
        self._facts += 1
        identity = id_of(self.name, "fact", self._facts)
        data = encode_frame(msgspec.structs.replace(frame, id=identity))
        self.link.call(self._store_fact(data, identity.hex()), 60.0)

    async def _store_fact(self, data: bytes, identity: str) -> None:
        while True:
            await self.link.up.wait()
            try:
                await self.link.js.publish(
                    self.subjects.sys, data, timeout=COMMIT_WITHIN, headers={"Nats-Msg-Id": identity}
                )
                self.link.stored()
                return
            except Exception:
                self.link.not_stored()
                await asyncio.sleep(0.05)

    async def _on_knock(self, message: Any) -> None:
        nid = message.subject.split(".")[-1]
        try:
            join = body_in(decode_frame(message.data), Join)
        except WireError:
            self.port.refused += 1
            return
        if not message.reply.startswith(INBOX):  # whoever answers writes there with its own rights
            self.port.refused += 1
            return
        before = self._answers.get(join.nonce)
        if before is not None and before[1] is not None:
            await self.link.nats.publish(message.reply, before[1])
            return
        if before is None and len(self._knocks) >= KNOCKS:
            self.port.refused += 1  # who is in earnest asks again
            return
        self._answers[join.nonce] = (message.reply, None)
        if before is None:
            while len(self._answers) > RING:
                self._answers.pop(next(iter(self._answers)))
            self._knocks.append(Knock(nid, join, lambda frame: self._answer(join.nonce, frame)))
            self.link.notify()

    def _answer(self, nonce: str, frame: Frame) -> None:
        self.link.call(self._send_answer(nonce, encode_frame(frame)), 10.0)

    async def _send_answer(self, nonce: str, data: bytes) -> None:
        reply, _ = self._answers.get(nonce, ("", None))
        if reply:
            self._answers[nonce] = (reply, data)
            await self.link.nats.publish(reply, data)

    def knocks(self) -> list[Knock]:
        """Who asked to be let in since the last call."""
        knocks, self._knocks = self._knocks, []
        return knocks


__all__ = ["Lost", "NatsHostPort", "NatsTerm"]
