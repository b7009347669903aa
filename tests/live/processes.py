"""Members in processes of their own, by the command line."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import unaiverse_lab as lab
from live.rooms import apart
from unaiverse_lab.live.promotion import Live
from unaiverse_lab.world.folder import find_world

ROOT = Path(lab.__file__).parents[1]


class Command:
    """A process of ours; what it prints goes to files."""

    def __init__(self, folder: Path, *arguments: str, program: tuple[str, ...] = ("-m", "unaiverse_lab")) -> None:
        folder.mkdir(exist_ok=True)
        name = f"{len(list(folder.iterdir()))}-{Path(arguments[0]).stem}"
        self._files = folder / f"{name}.out", folder / f"{name}.err"
        with self._files[0].open("w") as out, self._files[1].open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, *program, *arguments], stdin=subprocess.PIPE, stdout=out, stderr=err,
                env={
                    **os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1",
                    "UNAIVERSE_LAB_INVITES": str(folder.parent / "invites"),
                },
            )  # fmt: skip

    @property
    def out(self) -> str:
        return self._files[0].read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self._files[1].read_text(encoding="utf-8")

    def ends(self, seconds: float = 30.0) -> int:
        """Wait for its end; its exit code."""
        return self.process.wait(seconds)

    def says(self, text: str, seconds: float = 30.0) -> None:
        """Wait until it has printed something."""
        give_up = time.monotonic() + seconds
        while text not in self.out + self.err:
            assert time.monotonic() < give_up, f"{text!r} was not said: {self.out}{self.err}"
            time.sleep(0.01)

    def types(self, text: str) -> None:
        """Say something to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()


@contextmanager
def commands(folder: Path) -> Iterator[Callable[..., Command]]:
    """A function that starts one; in the end none is left."""
    started: list[Command] = []

    def start(*arguments: str, **options: tuple[str, ...]) -> Command:
        started.append(Command(folder / "said", *arguments, **options))
        return started[-1]

    try:
        yield start
    finally:
        for one in started:
            one.stop()


@contextmanager
def scattered(
    world: str | Path,
    url: str,
    folder: Path,
    here: Iterable[str] = (),
    idle: float = 60.0,
    address: Callable[[str, Live], str] | None = None,
    **options: str,
) -> Iterator[tuple[lab.Session, Live, dict[str, Command]]]:
    """A world that is live, its node and the members ``here`` in this process, each of the others in one of its own.

    They leave when the host is silent for ``idle`` seconds; ``address`` gives a member its own invite.
    """
    root = find_world(str(world))
    node, nodes = apart(str(root))
    session = lab.Session(None, 3)
    session.add(node)
    others: dict[str, Command] = {}
    with commands(folder) as start:
        live = asyncio.run(session.promote(url, expect=[one.name for one in nodes], **options))
        try:
            for number, one in enumerate(nodes, start=1):
                if one.name not in here:
                    invite = address(one.name, live) if address is not None else str(live.invite)
                    others[one.name] = start("join", invite, str(root / f"run_{number}.py"), "--idle", str(idle))
            for one in nodes:
                if one.name in here:
                    session.add(one)
                else:
                    live.wait_for(one.name)
            yield session, live, others
        finally:
            session.close()
        for name, one in others.items():
            assert one.ends() is not None, name


def appeared(path: Path, seconds: float = 30.0) -> str:
    """Wait for a file; what is in it."""
    give_up = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < give_up:
        time.sleep(0.02)
    return path.read_text()
