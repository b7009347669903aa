"""The trace: everything that happened, in order. The one source for everything that is shown or checked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, overload

import msgspec

from unaiverse_lab.core.records import AnyRecord, Record

CAPACITY = 1_000_000
_encoder = msgspec.json.Encoder(enc_hook=lambda value: f"<{type(value).__name__}>", order="deterministic")
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(AnyRecord)


class TraceMark(NamedTuple):
    """A moment of a trace: how many records there were, their digest so far, and how long its file was."""

    records: int
    digest: Any
    position: int


class Trace:
    """A growing sequence of records, kept in memory up to ``capacity`` and optionally written to a file as it grows.

    Args:
        capacity: how many records to keep; the oldest ones are let go beyond it (they stay in the digest and the file).
        path: a JSON Lines file to write every record to.

    ``path`` is that file, None while there is none.
    ``trace[i]`` counts from the first record ever; records let go raise IndexError.
    """

    def __init__(self, capacity: int = CAPACITY, path: str | Path | None = None) -> None:
        self.capacity = capacity
        self._records: list[Record] = []
        self._gone = 0
        self._digested = 0
        self._hash = hashlib.blake2b(digest_size=16)
        self._file: IO[bytes] | None = None
        self.path: Path | None = None
        self.append = self._records.append
        if path is not None:
            self.write_to(path)

    def __len__(self) -> int:
        return self._gone + len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...

    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            numbers = range(*index.indices(len(self)))
            return [self._records[number - self._gone] for number in numbers if number >= self._gone]
        position = index if index < 0 else index - self._gone
        if position < 0 <= index:
            raise IndexError(f"record {index} is gone: the trace keeps the last {self.capacity}")
        return self._records[position]

    @property
    def gone(self) -> int:
        """How many of the oldest records are no longer in memory."""
        return self._gone

    def since(self, index: int) -> list[Record]:
        """The records from number ``index`` on."""
        return self._records[max(0, index - self._gone) :]

    def of_kind(self, *kinds: type[Record]) -> list[Record]:
        """The records of some classes."""
        return [record for record in self._records if isinstance(record, kinds)]

    def trim(self) -> None:
        """Bring file and digest up to date, and let the oldest records go if there are too many."""
        if self._file is not None or len(self._records) > self.capacity + self.capacity // 4:
            self._take_in()
            excess = len(self._records) - self.capacity
            if excess > self.capacity // 4:
                del self._records[:excess]
                self._gone += excess

    def _take_in(self) -> None:
        fresh = self.since(self._digested)
        if fresh:
            lines = _lines(fresh)
            self._hash.update(lines)
            self._digested = len(self)
            if self._file is not None:
                self._file.write(lines)

    def digest(self) -> str:
        """A fingerprint (32 hex digits) of all the records so far: equal for equal runs."""
        self._take_in()
        return self._hash.hexdigest()

    def mark(self) -> TraceMark:
        """This moment, for :meth:`back_to`."""
        self._take_in()
        return TraceMark(len(self), self._hash.copy(), self._file.tell() if self._file is not None else 0)

    def back_to(self, mark: TraceMark) -> None:
        """Forget the records after an earlier moment, also in the file.

        Raises:
            IndexError: the records up to it are not all in memory any more.
        """
        if mark.records < self._gone:
            raise IndexError(f"record {mark.records} is gone: the trace keeps the last {self.capacity}")
        if self._file is not None:  # it may have been begun after that moment
            self._take_in()
            self._file.seek(self._file.tell() - len(_lines(self.since(mark.records))))
            self._file.truncate()
        del self._records[mark.records - self._gone :]
        self._digested, self._hash = mark.records, mark.digest.copy()

    def write_to(self, path: str | Path) -> None:
        """Write the records in memory to a JSON Lines file, and to the same file every one that follows."""
        self.close()
        self._take_in()
        self.path = Path(path)
        self._file = self.path.open("wb")
        self._file.write(_lines(self._records))

    def go_on(self, path: str | Path, count: int, position: int) -> None:
        """Take over the first records of a file in place of what is here, and write what follows behind them.

        Args:
            path: a JSON Lines file; what comes later in it is cut off.
            count: how many records.
            position: how many bytes they are.

        Raises:
            ValueError: a line is not a record.
        """
        self.close()
        lines = Path(path).read_bytes()[:position]
        self._records[:] = _records_in(lines, path)[-self.capacity :]
        self._gone, self._digested = count - len(self._records), count
        self._hash = hashlib.blake2b(lines, digest_size=16)
        self.path = Path(path)
        self._file = self.path.open("r+b")
        self._file.truncate(position)
        self._file.seek(position)

    def sync(self) -> None:
        """Bring the file to the disk, so that it outlives the process and the machine."""
        if self._file is not None:
            self._take_in()
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Finish the file, if there is one."""
        if self._file is not None:
            self._take_in()
            self._file.close()
            self._file = self.path = None

    def export(self, path: str | Path) -> None:
        """Write the records in memory to a JSON Lines file, one object a line."""
        Path(path).write_bytes(_lines(self._records))


def _lines(records: Iterable[Record]) -> bytes:
    return b"".join(_encoder.encode(record) + b"\n" for record in records)


def digest_of(records: Iterable[Record]) -> str:
    """The fingerprint of a sequence of records; the same as that of a trace holding them."""
    content = hashlib.blake2b(digest_size=16)
    for record in records:
        content.update(_encoder.encode(record) + b"\n")
    return content.hexdigest()


def load_trace(path: str | Path) -> list[Record]:
    """The records of a JSON Lines file.

    Raises:
        ValueError: a line is not a record; the message gives its number.
    """
    return _records_in(Path(path).read_bytes(), path)


def _records_in(lines: bytes, path: str | Path) -> list[Record]:
    records: list[Record] = []
    for number, line in enumerate(lines.splitlines(), start=1):
        try:
            records.append(_decoder.decode(line))
        except msgspec.MsgspecError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    return records
