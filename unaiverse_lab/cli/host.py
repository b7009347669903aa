"""``unaiverse-lab host``: a world that members in other processes can join."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from unaiverse_lab.cli._shared import INTERRUPTED, blamed, explained, fail, plain, version_of

if TYPE_CHECKING:
    from unaiverse_lab.live.joining import Stopping
    from unaiverse_lab.live.promotion import Live
    from unaiverse_lab.runtime.session import Session

SLOW = 1.0
"""Seconds after which it is said who is waited for."""


def host(
    folder: Annotated[str, typer.Argument(help="A world folder, or the name of a gallery world.")],
    broker: Annotated[
        str, typer.Option(help="'embedded' starts one on this machine; nats://HOST:PORT uses one that is there.")
    ] = "embedded",
    expect: Annotated[
        str, typer.Option(help="Names of nodes, with commas: the first tick waits for them, and they come in so.")
    ] = "",
    clock: Annotated[
        str, typer.Option(help="'wall': ticks follow real time; 'lockstep': each waits for all members.")
    ] = "wall",
    ticks: Annotated[int | None, typer.Option(min=1, help="Run so many ticks (default: until Ctrl+C).")] = None,
    seed: Annotated[str, typer.Option(help="Seed of every random source.")] = "0",
    trace: Annotated[Path | None, typer.Option(help="Write every record to this JSON Lines file.")] = None,
    invite_file: Annotated[Path | None, typer.Option(help="Write the invite to this file, for you alone.")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for those who are expected.")] = 600.0,
    every: Annotated[bool, typer.Option("--every", help="Print a line for each record, attempts included.")] = False,
) -> None:
    """Host a world: print an invite, let members join with 'unaiverse-lab join INVITE SCRIPT', and run it live.

    The invite is one line of text; who has it can join. On this machine the world's name will do instead, as long as it
    is hosted. The first Ctrl+C ends the run after the tick, a second one at once; either way the members are told. The
    last line is the digest of the run.
    """
    from unaiverse_lab.cli.run import _number, _Printer
    from unaiverse_lab.runtime.launch import gather
    from unaiverse_lab.runtime.session import Session
    from unaiverse_lab.runtime.trace import Trace
    from unaiverse_lab.world.folder import find_world

    if version_of("nats-py") is None:
        fail("hosting needs nats-py: pip install 'unaiverse-lab[live]'")
    from unaiverse_lab.live.joining import Stopping, forget_invite, save_invite, write_secret

    with explained():
        root = find_world(folder)
        names = [name.strip() for name in expect.split(",") if name.strip()]
        with blamed(root):
            session = Session(None, _number(seed), trace=Trace(path=trace), history=False)
            for node in gather(root, world_only=True):
                session.add(node)
        with Stopping(lambda: _say("stopping after this tick; Ctrl+C again: at once")) as stopping:
            try:
                live = asyncio.run(session.promote(broker, clock=clock, expect=names))
                typer.echo(f"invite: {live.invite}")
                sys.stdout.flush()
                try:
                    save_invite(live.invite)
                    if invite_file is not None:
                        write_secret(invite_file, str(live.invite))
                    _say(f"members on this machine: unaiverse-lab join {shlex.quote(live.invite.name)} SCRIPT")
                    with Crier(live):
                        if names:
                            _say(f"waiting for {', '.join(names)} ...")
                            live.wait_for(*names, timeout=wait)
                        stopping.gently = True
                        _run(session, ticks, _Printer(session, every), stopping)
                finally:
                    forget_invite(live.invite)
            except KeyboardInterrupt:
                stopping.asked = stopping.asked or "interrupted"
            finally:
                session.close()
        typer.echo(f"digest: {session.digest()}")
    if stopping.asked is not None:
        _say(f"{stopping.asked} at tick {session.tick} ({session.now:g} s)")
        raise typer.Exit(INTERRUPTED)


def _say(text: str) -> None:
    typer.echo(plain(text), err=True)


def _run(session: Session, ticks: int | None, printer: Callable[[], None], stopping: Stopping) -> None:
    done = 0
    while (ticks is None or done < ticks) and stopping.asked is None:
        session.step()
        printer()
        done += 1


class Crier(threading.Thread):
    """Says on stderr who came and went, who is waited for, and whether the broker is there; also while a tick waits."""

    def __init__(self, live: Live) -> None:
        super().__init__(name="unaiverse-lab-crier", daemon=True)
        self._live = live
        self._over = threading.Event()
        self._members: dict[str, str] = {}
        self._late: list[str] = []
        self._awaited: list[str] = []
        self._down: float | None = None

    def __enter__(self) -> Crier:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self.join()
        self._look()

    def run(self) -> None:
        """Look around, again and again."""
        while not self._over.wait(0.1):
            with contextlib.suppress(RuntimeError):  # what is looked at changed meanwhile
                self._look()

    def _look(self) -> None:
        host = self._live.host
        guests = list(host.guests.values())
        members = {guest.nid: guest.name for guest in guests}
        for nid in [nid for nid in members if nid not in self._members]:
            _say(f"{members[nid]} joined")
        for name in [name for nid, name in self._members.items() if nid not in members]:
            _say(f"{name} left: {self._why(name)}")
        self._members = members
        late = [guest.name for guest in guests if guest.late]
        for name in [name for name in late if name not in self._late]:
            _say(f"{name} is late: it has not answered for {host.barrier:g} s, and is not waited for any more")
        for name in [name for name in self._late if name not in late and name in members.values()]:
            _say(f"{name} is heard again")
        self._late = late
        up = self._live.port.link.is_up
        if not up and self._down is None:
            self._down = monotonic()
            _say("the broker cannot be reached: the world stands still until it is back ...")
        elif up and self._down is not None:
            _say(f"the broker is back after {monotonic() - self._down:.1f} s")
            self._down = None
        slow = [guest.name for guest in guests if up and not guest.late and SLOW <= guest.silence < host.barrier]
        if slow and slow != self._awaited and host.pace is None:
            _say(f"waiting for the answer of {', '.join(slow)} ...")
        self._awaited = slow

    def _why(self, name: str) -> str:
        from unaiverse_lab.core.records import Joined

        node = name.partition(", ")[0]
        ends = [
            one.reason
            for one in self._live.session.trace
            if isinstance(one, Joined) and one.node == node and one.stage == "left"
        ]
        if ends and ends[-1] == "lost":
            return f"nothing was heard of it for {self._live.host.grace:g} s"
        return (ends[-1] if ends else None) or "it gave no reason"
