"""Where a world keeps what must last: rows that are only ever added, in one SQLite file or in memory.

Nothing is overwritten, so the whole can be taken back to an earlier moment (:meth:`Database.back_to`), which is what
going back in time and resuming from a checkpoint need.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from unaiverse_lab.core.errors import LabError

MEMORY = ":memory:"
BATCH = 10_000
MOST_WAITING = 1_000_000
PATIENCE = 1.0

TABLES: dict[str, dict[str, str]] = {
    "stats": {
        "name": "TEXT", "key": "TEXT", "reporter": "TEXT", "t": "INTEGER", "stored": "INTEGER", "value": "",
    },
    "badges": {
        "time": "REAL", "peer": "TEXT", "node_id": "TEXT", "name": "TEXT", "type": "TEXT", "score": "REAL",
        "description": "TEXT", "token": "TEXT", "proposer": "TEXT", "decided_by": "TEXT", "status": "TEXT",
        "reason": "TEXT", "epoch": "INTEGER",
    },
}  # fmt: skip
"""What a world keeps, and the columns of each table.

``stats``: one row for every value that was ever stored: whose it is (``key``, empty for WORLD names), who reported it
(a peer id), its own time and that of storing it, both in milliseconds; numbers and text as they are, the rest as JSON.
"""

INDEXES: dict[str, tuple[str, ...]] = {"stats": ("name", "key", "t", "value")}
"""By what the rows of a table are looked up."""


class DatabaseError(LabError):
    """The file cannot be used: it is no database, is in use by another process, or the disk is full."""


class Database:
    """Append-only tables, in an SQLite file (WAL) that survives a crash of the process, or in memory.

    Args:
        path: the file; its folder is made. None: memory.
        tables: name of each table -> names of its columns, each with its SQLite type, e.g. ``{"value": "TEXT"}``.
            Each gets the column ``seq``, one counter for all of them, in front.

    ``mark`` is the number of the last row. ``revision`` is another number whenever rows were taken away or taken over,
    so that whoever remembers what it has read knows when to read again.

    Rows are buffered: they are written by :meth:`flush`, by every reading, and when 10,000 are waiting. A buffer is
    given up only once its rows are committed.

    Raises:
        DatabaseError: the file cannot be used.
    """

    def __init__(
        self,
        path: str | Path | None,
        tables: dict[str, dict[str, str]],
        indexes: dict[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.path = None if path is None else Path(path)
        self.tables = tables
        self.indexes = indexes or {}
        self._waiting: dict[str, list[tuple[Any, ...]]] = {name: [] for name in tables}
        self._count = 0
        self._changed = False
        self.closed = False
        self.revision = 0
        self._connection = self._open(self.path)
        self.mark = self._last_seq()

    def _open(self, path: Path | None) -> sqlite3.Connection:
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(MEMORY if path is None else path, timeout=PATIENCE, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            for name, columns in self.tables.items():
                fields = "".join(f", {column} {kind}".rstrip() for column, kind in columns.items())
                connection.execute(f"CREATE TABLE IF NOT EXISTS {name} (seq INTEGER PRIMARY KEY{fields})")
                present = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
                if present != ["seq", *columns]:
                    raise sqlite3.DatabaseError(f"its table {name!r} has the columns {', '.join(present)}")
            for name, columns_of_it in self.indexes.items():
                by = ", ".join(columns_of_it)
                connection.execute(f"CREATE INDEX IF NOT EXISTS {name}_by_{columns_of_it[0]} ON {name} ({by})")
            connection.commit()
        except (OSError, sqlite3.Error) as error:
            raise DatabaseError(
                f"{path} cannot keep the records of a world: {error}. Give another path, or None to keep them in memory"
            ) from error
        return connection

    def _last_seq(self) -> int:
        return max(self._connection.execute(f"SELECT max(seq) FROM {name}").fetchone()[0] or 0 for name in self.tables)

    def add(self, table: str, *values: Any) -> int:
        """Add a row (one value per declared column); its number, larger than that of every row before.

        Raises:
            DatabaseError: it is closed, or a million rows are waiting, none of which could be written; this one was not
                taken.
        """
        if self.closed:
            raise DatabaseError(f"{self.path or 'the database'} was closed: nothing can be added to it")
        if self._count >= MOST_WAITING:
            self.flush()
        self.mark += 1
        self._waiting[table].append((self.mark, *values))
        self._count += 1
        if self._count % BATCH == 0:
            with suppress(DatabaseError):  # they wait on, and whoever calls flush() is told
                self.flush()
        return self.mark

    @property
    def waiting(self) -> int:
        """How many rows are not written yet."""
        return self._count

    def flush(self) -> None:
        """Write and commit what is waiting.

        Raises:
            DatabaseError: it could not be written; nothing is lost, and the next call tries again.
        """
        if not self._count:
            return
        try:
            with self._connection as connection:
                for name, rows in self._waiting.items():
                    if rows:
                        marks = ", ".join("?" * (len(self.tables[name]) + 1))
                        connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
        except sqlite3.IntegrityError as error:
            raise DatabaseError(f"{self._cannot()} another world writes to the same file ({error})") from error
        except sqlite3.Error as error:
            raise DatabaseError(f"{self._cannot()} {error}") from error
        self._drop_waiting()
        self._changed = True

    def _cannot(self) -> str:
        return f"{self._count} rows cannot be written to {self.path or 'memory'}, and are kept:"

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The answer to a SELECT, including everything added so far.

        Raises:
            DatabaseError: what is waiting cannot be written, or the file cannot be read.
        """
        self.flush()
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise DatabaseError(f"{self.path or 'the database'} cannot be read: {error}") from error

    def back_to(self, mark: int) -> None:
        """Forget every row added after the one of this number.

        Raises:
            DatabaseError: the rows up to it are not all here.
        """
        if mark > self.mark:
            raise DatabaseError(f"{self.path} ends at row {self.mark}: it cannot be taken to row {mark}")
        self.flush()
        if mark == self.mark:
            return
        with self._connection as connection:
            for name in self.tables:
                connection.execute(f"DELETE FROM {name} WHERE seq > ?", (mark,))
        self._changed = True
        self.mark = mark
        self.revision += 1

    def sync(self) -> None:
        """Bring everything to the disk, so that it outlives the process and the machine."""
        self.flush()
        self._connection.execute("PRAGMA wal_checkpoint(FULL)")

    def copy_to(self, path: str | Path) -> None:
        """Write all of it to another file."""
        self.flush()
        target = sqlite3.connect(path)
        try:
            self._connection.backup(target)
        finally:
            target.close()

    def load(self, path: str | Path) -> None:
        """Take over all of another file, in place of what is here."""
        source = sqlite3.connect(path)
        try:
            source.backup(self._connection)
        finally:
            source.close()
        self._drop_waiting()
        self.mark = self._last_seq()
        self.revision += 1

    def move_to(self, path: str | Path) -> None:
        """Go on in a file: what is there stays, and what is in memory here is added to an empty one.

        Raises:
            DatabaseError: the file cannot be used.
        """
        old, self.path = self._connection, Path(path)
        self.flush()
        self._connection = self._open(self.path)
        if not self._last_seq():
            old.backup(self._connection)
        old.close()
        self.mark = self._last_seq()
        self.revision += 1

    def _drop_waiting(self) -> None:
        for rows in self._waiting.values():
            rows.clear()
        self._count = 0

    def close(self) -> None:
        """Write what is waiting, and let the file go. It is the same, byte by byte, for the same rows.

        Raises:
            DatabaseError: it could not be written; the file stays open.
        """
        if self.closed:
            return
        self.flush()
        if self.path is not None and self._changed:
            with suppress(sqlite3.Error):  # the rows are there, only their order in the file depends on when they came
                self._connection.execute("VACUUM")
        self._connection.close()
        self.closed = True

    def __getstate__(self) -> dict[str, Any]:
        """What a snapshot holds of it: how far it had come."""
        self.flush()
        return {"mark": self.mark}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.back_to(state["mark"])
