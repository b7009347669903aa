"""Checkpoints: snapshots of a session on disk, in generations, which survive the death of the process.

A folder holds::

    trace.jsonl             what happened so far (unless the trace has a file of its own)
    world.db                stats and badges (unless the world has a file of its own)
    generation-000012/      manifest.json, state.json, blobs.bin; trace.jsonl, world.db if these were kept in memory

A generation is written beside the others under another name, brought to the disk (fsync) and then renamed, so that it
is there as a whole or not at all; its manifest has the SHA-256 of all of its files. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from unaiverse_lab.core.errors import did_you_mean
from unaiverse_lab.runtime.filing import CheckpointError, Reader, Writer
from unaiverse_lab.runtime.freezing import CannotFreeze, Frozen, freeze
from unaiverse_lab.runtime.snapshot import OUTSIDE

if TYPE_CHECKING:
    from unaiverse_lab.runtime.session import Session

FORMAT = 1
KEEP = 3
PREFIX = "generation-"
MANIFEST, STATE, BLOBS, TRACE, DATABASE = "manifest.json", "state.json", "blobs.bin", "trace.jsonl", "world.db"


class Manifest(msgspec.Struct):
    """What a generation says of itself.

    Attributes:
        tick, time: when it was taken.
        world: name of the world's node.
        records, digest: how many records the trace had, and their digest.
        trace: the file they are in, and how many bytes of it; relative to the folder of the checkpoints.
        rows: how many rows the database had.
        files: SHA-256 of each file of the generation.
    """

    format: int
    generation: int
    tick: int
    time: float
    world: str
    records: int
    digest: str
    trace: tuple[str, int]
    rows: int
    files: dict[str, str]


class Resumed(NamedTuple):
    """What :meth:`Checkpoints.resume` found: the generation, its tick, and why newer ones were passed over."""

    generation: int
    tick: int
    skipped: list[str]


class Checkpoints:
    """The checkpoints of one session, in one folder.

    Args:
        session: the session.
        folder: made when something is written.
        every: seconds of the session's clock between two checkpoints; <= 0: only when told to.
        keep: how many generations to keep.
    """

    def __init__(self, session: Session, folder: str | Path, every: float = -1.0, keep: int = KEEP) -> None:
        self._session = session
        self.folder = Path(folder)
        self.every = every
        self.keep = max(1, keep)
        self.problem: str | None = None
        self._last: float | None = None
        self._fresh: Frozen | None = None
        self._ready = False

    # ------------------------------------------------------------------ writing

    def consider(self) -> None:
        """Write a checkpoint if one is due; one that cannot be written now is tried again at the next tick.

        ``problem`` then says why; what can never be written is told once, as a fault of the world.
        """
        self.begin()
        now = self._session.now if self._session.tick >= 0 else None
        if self.every <= 0 or now is None:
            return
        if self._last is None:
            self._last = 0.0
        if now - self._last < self.every:
            return
        try:
            self.save()
        except (CannotFreeze, CheckpointError) as error:
            told, self.problem = self.problem, str(error)
            if not getattr(error, "passing", False) and told != self.problem:
                self._session.synchronizer.fault(error, "checkpoint")

    def begin(self) -> None:
        """Before the first tick: what is in the folder already is moved aside, trace and database go there."""
        if self._ready:
            return
        self._ready = True
        if self._session.tick < 0:
            self._fresh = self._freeze()
        if self.generations():
            self._move_aside()
        self.folder.mkdir(parents=True, exist_ok=True)
        trace, database = self._session.trace, self._session.world.ledger.database
        if trace.path is None:
            trace.write_to(self.folder / TRACE)
        if database.path is None:
            database.move_to(self.folder / DATABASE)

    def _freeze(self) -> Frozen:
        return freeze([self._session], OUTSIDE, whole=True)

    def _move_aside(self) -> None:
        number = 1
        while (aside := self.folder / f"before-{number:03}").exists():
            number += 1
        aside.mkdir()
        for path in [*self.generations(), *self.folder.glob(f"{TRACE}*"), *self.folder.glob(f"{DATABASE}*")]:
            path.rename(aside / path.name)

    def generations(self) -> list[Path]:
        """The generations in the folder, oldest first."""
        return sorted(path for path in self.folder.glob(f"{PREFIX}*") if path.suffix != ".new" and path.is_dir())

    def save(self) -> Path:
        """Write a checkpoint of the session as it is now, between two ticks; the oldest ones go.

        Returns:
            The folder of the new generation.

        Raises:
            CannotFreeze: something is under way, or has contents that cannot be noted down.
            CheckpointError: something can neither be written nor be found in a session built anew.
            OSError: the disk refuses.
        """
        session = self._session
        frozen = self._freeze()
        writer = Writer(self._fresh)
        files = {STATE: writer.write(frozen), BLOBS: writer.blobs}
        number = 1 + max((_number(path) for path in self.generations()), default=0)
        target = self.folder / f"{PREFIX}{number:06}"
        fresh = target.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        trace, database = session.trace, session.world.ledger.database
        mark = trace.mark()
        position = mark.position
        if trace.path is None:
            if trace.gone:
                raise CheckpointError("the oldest records of the trace are gone: give the trace a file to be kept in")
            trace.export(fresh / TRACE)
            place, position = f"{target.name}/{TRACE}", (fresh / TRACE).stat().st_size
        else:
            trace.sync()
            place = os.path.relpath(trace.path.resolve(), self.folder.resolve())
        if database.path is None:
            database.copy_to(fresh / DATABASE)
        else:
            database.sync()
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        manifest = Manifest(
            FORMAT, number, session.tick, session.now, session.synchronizer.world_name, mark.records,
            mark.digest.hexdigest(), (place, position), database.mark,
            {path.name: _sha256(path) for path in sorted(fresh.iterdir())},
        )  # fmt: skip
        (fresh / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        for path in fresh.iterdir():
            _to_disk(path)
        _to_disk(fresh)
        fresh.rename(target)
        _to_disk(self.folder)
        self._last, self.problem = session.now, None
        for old in self.generations()[: -self.keep]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    # ------------------------------------------------------------------ reading

    def resume(self) -> Resumed | None:
        """Make a session that was just built what the newest whole generation says.

        Returns:
            None: there is no generation at all. Damaged ones are passed over, and the answer says so; they stay where
            they are.

        Raises:
            CheckpointError: all generations are damaged, or the world was changed so much that they do not fit.
        """
        if self._session.tick >= 0:
            raise CheckpointError("this session has run already: resume in one that was just built")
        self._fresh = self._freeze()
        skipped: list[str] = []
        for path in reversed(self.generations()):
            try:
                manifest = self._verify(path)
            except CheckpointError as error:
                skipped.append(str(error))
                continue
            self._load(path, manifest)
            for newer in self.generations():
                if _number(newer) > manifest.generation:
                    newer.rename(self.folder / f"damaged-{newer.name}")
            return Resumed(manifest.generation, manifest.tick, skipped)
        if skipped:
            raise CheckpointError(f"no checkpoint in {self.folder} can be read: {'; '.join(skipped)}")
        return None

    def _verify(self, path: Path) -> Manifest:
        try:
            manifest = msgspec.json.decode((path / MANIFEST).read_bytes(), type=Manifest)
        except (OSError, msgspec.MsgspecError) as error:
            raise CheckpointError(f"{path.name} is damaged: {MANIFEST}: {error}") from None
        if manifest.format != FORMAT:
            raise CheckpointError(f"{path.name} has format {manifest.format}, this version reads format {FORMAT}")
        for name, expected in manifest.files.items():
            file = path / name
            if not file.is_file() or _sha256(file) != expected:
                raise CheckpointError(f"{path.name} is damaged: {name} is not what was written")
        try:
            lines = (self.folder / manifest.trace[0]).read_bytes()[: manifest.trace[1]]
        except OSError as error:
            raise CheckpointError(f"{path.name} is of no use: its trace is gone ({error})") from None
        if hashlib.blake2b(lines, digest_size=16).hexdigest() != manifest.digest:
            raise CheckpointError(f"{path.name} is of no use: its trace {manifest.trace[0]} is not what was written")
        return manifest

    def _load(self, path: Path, manifest: Manifest) -> None:
        session = self._session
        if manifest.world != session.synchronizer.world_name:
            raise CheckpointError(
                f"{path} is a checkpoint of the world {manifest.world!r}, not of {session.synchronizer.world_name!r}."
                f"{did_you_mean(session.synchronizer.world_name, [manifest.world])}"
            )
        world, database = session.world, session.world.ledger.database
        classes = [*world.role_classes.values(), type(world), *(type(node.hosted) for node in session.nodes.values())]
        content = (path / STATE).read_bytes(), (path / BLOBS).read_bytes()
        frozen = Reader(*content, self._fresh or self._freeze(), classes).frozen()
        if (path / DATABASE).is_file():
            database.load(path / DATABASE)
        elif database.path is None:
            database.move_to(self.folder / DATABASE)
        if database.mark < manifest.rows:
            raise CheckpointError(
                f"{path.name} is of no use: {database.path} holds {database.mark} rows, it needs {manifest.rows}"
            )
        frozen.thaw()
        session.trace.go_on(self.folder / manifest.trace[0], manifest.records, manifest.trace[1])
        if session.trace.path is not None and session.trace.path.parent.name.startswith(PREFIX):
            session.trace.write_to(self.folder / TRACE)
        session.synchronizer.unstack()
        session.synchronizer.touched = True
        self._last, self._ready = manifest.time, True


def _number(path: Path) -> int:
    digits = path.name.removeprefix(PREFIX)
    return int(digits) if digits.isdecimal() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
