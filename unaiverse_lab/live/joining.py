"""Joining by name, and taking part from a process of one's own: what ``unaiverse-lab join`` and ``node.run`` share."""

from __future__ import annotations

import codecs
import contextlib
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote, unquote

from unaiverse_lab.core.errors import LabError, WorldError, did_you_mean
from unaiverse_lab.core.records import Pushed, Said
from unaiverse_lab.core.terminal import plain, tell
from unaiverse_lab.data.processors import ScriptedHuman
from unaiverse_lab.live.broker import BrokerError
from unaiverse_lab.live.host import OVER
from unaiverse_lab.live.invite import PREFIX, Invite, read_invite
from unaiverse_lab.live.link import without_secret
from unaiverse_lab.live.member import Kit, Member
from unaiverse_lab.live.nats_port import NatsPort
from unaiverse_lab.live.port import Refused
from unaiverse_lab.runtime.node import MEMBER, Node

FOLDER_VARIABLE = "UNAIVERSE_LAB_INVITES"
SUFFIX = ".invite"
SILENT = 5.0
GOODBYE_WITHIN = 5.0


# ---------------------------------------------------------------------- invites that are saved on this machine


def invites_folder() -> Path:
    """Where hosts of this user save their invites: ``~/.unaiverse-lab/invites``, or what UNAIVERSE_LAB_INVITES says."""
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given) if given else Path.home() / ".unaiverse-lab" / "invites"


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, as a whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def save_invite(invite: Invite, folder: Path | None = None) -> Path:
    """Save an invite for this user, so that scripts on this machine can join the world by its name.

    Args:
        invite: the invite.
        folder: default: :func:`invites_folder`.

    Returns:
        The file, to be removed with :func:`forget_invite` when the world is live no more.
    """
    folder = folder or invites_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{quote(invite.name, safe=' ')}{SUFFIX}"
    write_secret(path, str(invite))
    return path


def forget_invite(invite: Invite) -> None:
    """Remove a saved invite, unless another host of that name has put its own in its place."""
    path = invites_folder() / f"{quote(invite.name, safe=' ')}{SUFFIX}"
    with contextlib.suppress(OSError):
        if path.read_text(encoding="utf-8") == str(invite):
            path.unlink()


def find_invite(text: str) -> Invite:
    """The invite that is meant.

    Args:
        text: the invite itself, a file that holds it, or the name of a world that is hosted on this machine.

    Raises:
        WorldError: it is none of these; the message says what was looked at.
    """
    if text.strip().startswith(PREFIX):
        return read_invite(text)
    folder = invites_folder()
    for path in (folder / f"{quote(text, safe=' ')}{SUFFIX}", Path(text)):
        try:
            told = path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        return read_invite(told)
    saved = sorted(unquote(path.stem) for path in folder.glob(f"*{SUFFIX}"))
    raise WorldError(
        f"there is no live world {text!r}: it is no invite ({PREFIX}...), no host on this machine has saved one of "
        f"that name in {folder} ({', '.join(saved) or 'there is none'}), and it is no file.{did_you_mean(text, saved)} "
        "A world goes live with 'unaiverse-lab host FOLDER'"
    )


# ---------------------------------------------------------------------- Ctrl+C


class Stopping:
    """Takes Ctrl+C and SIGTERM: while work is under way the first is only noted, a second one stops it.

    ``gently`` says whether it is under way; otherwise the first one stops at once, too. ``asked``: why, or None.
    Outside the main thread signals are left alone.
    """

    WORDS = {signal.SIGINT: "stopped with Ctrl+C", signal.SIGTERM: "told to end"}

    def __init__(self, note: Callable[[], None]) -> None:
        self.asked: str | None = None
        self.gently = False
        self._note = note
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._stop) for number in self.WORDS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        again, self.asked = self.asked is not None, self.WORDS[signal.Signals(number)]
        if again or not self.gently:
            raise KeyboardInterrupt
        self._note()


# ---------------------------------------------------------------------- taking part


class Parted(LabError):
    """A world goes on without a member, or turned it away."""


class Teller:
    """Says in words what happens to a member, once each."""

    def __init__(self, member: Member, say: Callable[[str], None], idle: float) -> None:
        assert isinstance(member.port, NatsPort)
        self._member, self._port, self._say, self._idle = member, member.port, say, idle
        self._refused: list[str] = []
        self._downs = self._ups = 0
        self._since = 0.0
        self._silent = False

    def __call__(self) -> None:
        """Look, and say what is new."""
        counts = self._port.link.counts
        if counts["down"] > self._downs:
            self._downs = counts["down"]
            self._since = time.monotonic()
            self._say("the broker cannot be reached, trying again ...")
        if counts["up"] > self._ups and self._downs:
            self._ups = counts["up"]
            self._say(f"the broker is back after {time.monotonic() - self._since:.1f} s")
        if self._port.silence >= SILENT and self._port.link.is_up and not self._silent:
            self._silent = True
            self._say(f"nothing is heard of the host; leaving when that lasts {self._idle:g} s")
        elif self._port.silence < SILENT and self._silent:
            self._silent = False
            self._say("the host is heard again")
        for node in self._member.nodes:
            if node.why_refused is not None and node.name not in self._refused:
                self._refused.append(node.name)
                self._say(f"{node.name}: {node.why_refused}")


class Keyboard(threading.Thread):
    """What a person types behind a node, line by line; what reaches the node is printed.

    It reads as long as there is something to read; the end of the input ends nothing else.
    """

    def __init__(self, member: Member, node: Node) -> None:
        super().__init__(name="unaiverse-lab-keyboard", daemon=True)
        self._member, self._node = member, node
        self._lines: deque[str] = deque()
        self._seen = 0
        self._file = -1
        if sys.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                self._file = sys.stdin.fileno()
                self.start()

    def run(self) -> None:
        """Read; not from ``sys.stdin`` itself, which would then not be free when the process ends."""
        decoder, line = codecs.getincrementaldecoder("utf-8")("replace"), ""
        while data := os.read(self._file, 4096):
            *whole, line = (line + decoder.decode(data)).split("\n")
            self._lines.extend(filter(None, (one.strip() for one in whole)))

    def __call__(self) -> None:
        """Hand over what was typed, and print what is new."""
        home, agent = self._member.home, self._node.agent
        if home is None or agent is None:
            return
        if self._node.state == MEMBER:
            while self._lines:
                agent.say(self._lines.popleft())
        for record in home.trace.since(self._seen):
            if record.node == self._node.name and isinstance(record, Pushed) and record.value is not None:
                print(f"{record.owner}: {plain(record.value)}", flush=True)
            elif record.node == self._node.name and isinstance(record, Said):
                print(f"({plain(record.text)})", flush=True)
        self._seen = len(home.trace)


def people(nodes: list[Node]) -> list[Node]:
    """The nodes behind which a person sits who does not follow a script."""
    return [
        node
        for node in nodes
        if node.agent is not None and node.agent.is_human() and not isinstance(node.agent.proc, ScriptedHuman)
    ]


def take_part(
    nodes: list[Node],
    invite: Invite,
    kit: Kit,
    say: Callable[[str], None],
    timeout: float = 60.0,
    idle: float = 60.0,
    until: Callable[[Member], bool] | None = None,
) -> str | None:
    """Join a live world with some nodes, and stay until it is over; Ctrl+C and SIGTERM leave it with a farewell.

    Where a person sits behind a node (``proc="human"``), what is typed here is what that node says.

    Args:
        nodes: each hosts an agent.
        invite: where the world is.
        kit: the classes they may need.
        say: told, in words, what happens.
        timeout: seconds to wait for the host's answer.
        idle: leave when nothing came from the host for so many seconds.
        until: asked after each turn whether to leave.

    Returns:
        What made it leave (``"stopped with Ctrl+C"``, say); None: nothing did, the world is over, or ``until`` said so.

    Raises:
        WorldError: a node wants to join another world, or a class is not installed here.
        Refused: the host does not let them in.
        Parted: the world turned one of them away, or goes on without them.
        BrokerError: the broker cannot be reached.
    """
    for node in nodes:
        if node.join_world not in (None, invite.name) and not is_invite_to(node.join_world, invite):
            raise WorldError(f"{node.name} wants to join {node.join_world!r}, and the invite leads to {invite.name!r}")
    names = ", ".join(node.name for node in nodes)
    with Stopping(lambda: say("leaving after this turn; Ctrl+C again: at once")) as stopping:
        try:
            try:
                port = NatsPort(invite.urls, invite.wid)
            except BrokerError as error:
                raise BrokerError(f"{error}. Is {invite.name!r} still hosted there?") from None
            try:
                member = Member(port, nodes, kit)
                try:
                    _come_in(member, names, invite, say, timeout)
                except KeyboardInterrupt:
                    with contextlib.suppress(LabError):
                        member.withdraw(stopping.asked or "", 2.0)
                    raise
                return _stay(member, names, invite, say, idle, until, stopping)
            finally:
                port.close(timeout=0.5)
        except KeyboardInterrupt:
            why = stopping.asked or "interrupted"
            say(f"{names}: {why}, {'without a farewell' if stopping.gently else 'before it was let in'}")
            return why


def _come_in(member: Member, names: str, invite: Invite, say: Callable[[str], None], timeout: float) -> None:
    patience = threading.Timer(2.0, say, [f"{names}: waiting to be let into {invite.name} ..."])
    patience.daemon = True
    patience.start()
    try:
        member.join(timeout)
    except Refused as refusal:
        if refusal.reason != "name_taken":
            raise
        hint = "if that is one that was killed just now, try again in some seconds"
        raise Refused(refusal.reason, f"{refusal.detail}; {hint}") from None
    finally:
        patience.cancel()
    urls = member.port.link.urls  # type: ignore[attr-defined]
    say(f"{names}: in {invite.name}, at {', '.join(map(without_secret, urls)).removeprefix('nats://')}")


def _stay(
    member: Member,
    names: str,
    invite: Invite,
    say: Callable[[str], None],
    idle: float,
    until: Callable[[Member], bool] | None,
    stopping: Stopping,
) -> str | None:
    def enough(member: Member) -> bool:
        return stopping.asked is not None or (until is not None and until(member))

    stopping.gently = True
    tell = Teller(member, say, idle)
    keyboards = [Keyboard(member, node) for node in people(member.nodes)[:1]]

    def meanwhile() -> None:
        tell()
        for keyboard in keyboards:
            keyboard()

    member.run(enough, idle, meanwhile)
    if member.over is None:
        if stopping.asked is None and (until is None or not until(member)):
            raise Parted(f"{names} left {invite.name}: nothing came from the host for {idle:g} s")
        try:
            member.leave(stopping.asked or "", GOODBYE_WITHIN)
            say(f"{names}: left {invite.name}")
        except LabError:
            say(f"{names}: left {invite.name}, without a farewell: the broker cannot be reached")
        return stopping.asked
    if member.over != OVER:
        raise Parted(f"{invite.name} goes on without {names}: {member.over}")
    for node in member.nodes:
        if node.why_refused is not None:
            raise Parted(f"{node.name}: {node.why_refused}")
    say(f"over: {member.over}")
    return stopping.asked


def is_invite_to(text: str | None, invite: Invite) -> bool:
    """Whether a line of text is an invite to the same world."""
    with contextlib.suppress(WorldError):
        return text is not None and read_invite(text).wid == invite.wid
    return False


def kit_beside(folders: Iterable[Path]) -> Kit:
    """The classes in ``src/`` of the first folder that has it."""
    for folder in folders:
        if (folder / "src").is_dir():
            return Kit(folder=folder / "src")
    return Kit()


def run_node(node: Node, cycles: int | None = None, max_time: float | None = None) -> None:
    """Let a node of a script that was started by itself join the live world it wants to, and stay in it.

    Args:
        node: hosts an agent; its ``join_world`` is an invite, or the name of a world hosted on this machine.
        cycles, max_time: leave after so many ticks, or seconds.

    Raises:
        WorldError, Refused, Parted, BrokerError: see :func:`find_invite` and :func:`take_part`.
    """
    if not isinstance(node.join_world, str):
        raise WorldError(f"join_world is the name of a world or an invite, not {node.join_world!r}")
    invite = find_invite(node.join_world)
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    end = None if max_time is None else time.monotonic() + max_time

    def enough(member: Member) -> bool:
        return (cycles is not None and member.turns >= cycles) or (end is not None and time.monotonic() >= end)

    kit = kit_beside([Path(script).resolve().parent] if script is not None else [Path.cwd()])
    take_part([node], invite, kit, tell, until=enough)
