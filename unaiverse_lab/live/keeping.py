"""Where a host keeps the state of its world at the broker: a bucket in which only the newest leader can write."""

from __future__ import annotations

import contextlib
import hashlib
from typing import Any

import msgspec

from unaiverse_lab.live.link import Link
from unaiverse_lab.live.port import Checkpoint

CHUNK = 512 * 1024
KEY = "ckpt"


class Entry(msgspec.Struct):
    """What stands under the key: which state is the newest, and who wrote it."""

    tick: int
    log_seq: int
    epoch: int
    sha256: str
    length: int


_entries = msgspec.json.Decoder(Entry)


class Keeping:
    """The bucket of one world. Its coroutines belong to the link's thread.

    A state is written in chunks under its SHA-256; then the entry that names it replaces the one that was read last, by
    its revision. Who was replaced meanwhile cannot write (compare-and-set).
    """

    def __init__(self, link: Link, bucket: str) -> None:
        self.link = link
        self.bucket = bucket
        self._revision = 0
        self._state = ""

    async def _open(self, create: bool) -> Any:
        from nats.js.errors import NotFoundError

        try:
            return await self.link.js.key_value(self.bucket)
        except NotFoundError:
            return await self.link.js.create_key_value(bucket=self.bucket, history=1) if create else None

    async def newest(self) -> Checkpoint | None:
        """The newest state that is whole; None: there is none."""
        from nats.js.errors import KeyNotFoundError

        kept = await self._open(create=False)
        if kept is None:
            return None
        try:
            found = await kept.get(KEY)
            self._revision = found.revision
            entry = _entries.decode(found.value)
            self._state = entry.sha256
            count = -(-entry.length // CHUNK)
            state = b"".join([(await kept.get(_part(entry.sha256, index))).value for index in range(count)])
        except (KeyNotFoundError, msgspec.MsgspecError):
            return None
        if hashlib.sha256(state).hexdigest() != entry.sha256:
            return None
        return Checkpoint(entry.tick, entry.log_seq, entry.epoch, state)

    async def save(self, state: bytes, tick: int, log_seq: int, epoch: int) -> bool:
        """Write a state; False: somebody else wrote one since."""
        from nats.js.errors import KeyWrongLastSequenceError

        kept = await self._open(create=True)
        digest = hashlib.sha256(state).hexdigest()
        for index in range(-(-len(state) // CHUNK)):
            await kept.put(_part(digest, index), state[index * CHUNK : (index + 1) * CHUNK])
        entry = msgspec.json.encode(Entry(tick, log_seq, epoch, digest, len(state)))
        try:
            self._revision = await kept.update(KEY, entry, last=self._revision)
        except KeyWrongLastSequenceError:
            return False
        before, self._state = self._state, digest
        if before and before != digest:
            with contextlib.suppress(Exception):
                await self.link.js.purge_stream(f"KV_{self.bucket}", subject=f"$KV.{self.bucket}.state.{before}.*")
        return True

    async def forget(self) -> None:
        """Delete the bucket."""
        with contextlib.suppress(Exception):
            await self.link.js.delete_key_value(self.bucket)


def _part(digest: str, index: int) -> str:
    return f"state.{digest}.{index}"
