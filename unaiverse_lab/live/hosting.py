"""Hosting a world in a process of its own: what ``unaiverse-lab host``, the script of a world and run_asynch share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.core.terminal import tell
from unaiverse_lab.live.host import WALL
from unaiverse_lab.live.invite import FOLDER_VARIABLE, Invite, forget_invite, save_invite
from unaiverse_lab.live.stopping import Stopping
from unaiverse_lab.runtime.launch import gather, run_scripts
from unaiverse_lab.runtime.session import Session
from unaiverse_lab.world.folder import find_world

if TYPE_CHECKING:
    from unaiverse_lab.live.promotion import Live

SLOW = 1.0
"""Seconds after which it is said who is waited for."""

GONE_WITHIN = 5.0


def host_world(
    session: Session,
    say: Callable[[str], None],
    broker: str = "embedded",
    clock: str = WALL,
    expect: Iterable[str] = (),
    ticks: int | None = None,
    max_time: float | None = None,
    wait: float = 600.0,
    scripts: Iterable[Path] = (),
    show_invite: Callable[[Invite], None] = lambda invite: None,
    after_tick: Callable[[], None] = lambda: None,
) -> str | None:
    """Let a session's world go live, and run it until it is enough, Ctrl+C or SIGTERM; the session is closed then.

    Args:
        session: with a world, and whoever else lives here.
        say: told, in words, what happens.
        broker, clock: see :meth:`unaiverse_lab.Session.promote`.
        expect: the first tick waits for nodes of these names, at most ``wait`` seconds, and they come in in this order.
        ticks, max_time: end after so many ticks, or seconds.
        scripts: started as well, each in a process of its own; they join by the name of the world.
        show_invite: told the invite as soon as there is one.
        after_tick: called after each tick.

    Returns:
        What stopped it (``"stopped with Ctrl+C"``, say); None: it was enough.

    Raises:
        BrokerError: there is no broker, or it does not work.
        WorldError: who is expected does not come, or a script failed.
    """
    names = list(expect)
    with Stopping(lambda: say("stopping after this tick; Ctrl+C again: at once")) as stopping:
        members = Scripts(scripts, say)
        try:
            live = asyncio.run(session.promote(broker, clock=clock, expect=names))
            show_invite(live.invite)
            try:
                try:
                    save_invite(live.invite)
                    say(f"members on this machine: unaiverse-lab join {shlex.quote(live.invite.name)} SCRIPT")
                except OSError as error:
                    say(f"nobody can join by name, only by the invite: it could not be saved ({error})")
                members.start(live.invite)
                with Crier(live, say):
                    if names:
                        say(f"waiting for {', '.join(names)} ...")
                        live.wait_for(*names, timeout=wait)
                    stopping.gently = True
                    end = None if max_time is None else monotonic() + max_time
                    done = 0
                    while stopping.asked is None and (ticks is None or done < ticks):
                        if end is not None and monotonic() >= end:
                            break
                        session.step()
                        after_tick()
                        members.look()
                        done += 1
            finally:
                forget_invite(live.invite)
        except KeyboardInterrupt:
            stopping.asked = stopping.asked or "interrupted"
        finally:
            session.close()
            members.finish()
    return stopping.asked


def run_asynch(
    folder: str | Path,
    seed: int | str = 0,
    clock: str = WALL,
    expect: Iterable[str] = (),
    max_cycles: int | None = None,
    max_time: float | None = None,
) -> Session:
    """Run a world folder live on this machine, as the course's script of that name does: each node is its own process.

    The world is in this process, on a private broker; each ``run_*.py`` is started by itself and joins. What they print
    is passed on. If one of them fails, all are stopped.

    Args:
        folder: a path, or the name of a gallery world.
        seed, clock, expect: see :func:`host_world`.
        max_cycles, max_time: end after so many ticks, or seconds; default: until Ctrl+C.

    Returns:
        The session of the world, closed; its trace is that of the whole world.

    Raises:
        WorldError, BehaviorError: the folder or its behaviors are wrong, or a script failed.
        BrokerError: there is no broker.
    """
    root = find_world(folder)
    session = Session(None, seed, history=False)
    for node in gather(root, world_only=True):
        session.add(node)
    scripts = run_scripts(root)[1:]
    host_world(session, tell, "embedded", clock, expect, max_cycles, max_time, scripts=scripts)
    return session


class Scripts:
    """Scripts that join a world, each in a process of its own. What they print is passed on, their names before it."""

    def __init__(self, scripts: Iterable[Path], say: Callable[[str], None]) -> None:
        self._scripts = list(scripts)
        self._say = say
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._readers: list[threading.Thread] = []
        self._invites = tempfile.TemporaryDirectory(prefix="unaiverse-lab-invites-") if self._scripts else None

    def start(self, invite: Invite) -> None:
        """Start them all."""
        if self._invites is None:
            return
        save_invite(invite, Path(self._invites.name))
        environment = {**os.environ, FOLDER_VARIABLE: self._invites.name, "PYTHONUNBUFFERED": "1"}
        for script in self._scripts:
            started = subprocess.Popen(
                [sys.executable, str(script)], cwd=script.parent, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace",
                start_new_session=True,
            )  # fmt: skip
            self._running[script.name] = started
            reader = threading.Thread(target=self._pass_on, args=(script.stem, started), daemon=True)
            reader.start()
            self._readers.append(reader)

    def _pass_on(self, name: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._say(f"{name} | {line.rstrip()}")

    def look(self) -> None:
        """See whether they are well.

        Raises:
            WorldError: one of them failed.
        """
        for name, process in list(self._running.items()):
            code = process.poll()
            if code:
                raise WorldError(f"{name} ended with code {code}: the world and its other members are stopped")
            if code is not None:
                del self._running[name]

    def finish(self) -> None:
        """Wait until they have noticed that the world is over; who has not in time is ended."""
        deadline = monotonic() + GONE_WITHIN
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - monotonic()))
        for end in (subprocess.Popen.terminate, subprocess.Popen.kill):
            for process in self._running.values():
                if process.poll() is None:
                    end(process)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(1.0)
        self._running.clear()
        for reader in self._readers:
            reader.join(1.0)
        if self._invites is not None:
            self._invites.cleanup()


class Crier(threading.Thread):
    """Says who came and went, who is waited for, and whether the broker is there; also while a tick waits."""

    def __init__(self, live: Live, say: Callable[[str], None]) -> None:
        super().__init__(name="unaiverse-lab-crier", daemon=True)
        self._live, self._say = live, say
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
            self._say(f"{members[nid]} joined")
        for nid, name in self._members.items():
            if nid not in members:
                self._say(f"{name} left: {host.gone.get(nid) or 'it gave no reason'}")
        self._members = members
        late = [guest.name for guest in guests if guest.late]
        for name in [name for name in late if name not in self._late]:
            self._say(f"{name} is late: it has not answered for {host.barrier:g} s, and is not waited for any more")
        for name in [name for name in self._late if name not in late and name in members.values()]:
            self._say(f"{name} is heard again")
        self._late = late
        up = self._live.port.link.is_up
        if not up and self._down is None:
            self._down = monotonic()
            self._say("the broker cannot be reached: the world stands still until it is back ...")
        elif up and self._down is not None:
            self._say(f"the broker is back after {monotonic() - self._down:.1f} s")
            self._down = None
        slow = [guest.name for guest in guests if up and not guest.late and SLOW <= guest.silence < host.barrier]
        if slow and slow != self._awaited and host.pace is None:
            self._say(f"waiting for the answer of {', '.join(slow)} ...")
        self._awaited = slow
