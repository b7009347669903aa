"""Taking part in a live world from a process of one's own: what ``unaiverse-lab join`` and ``node.run`` share."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from unaiverse_lab.core.errors import LabError, WorldError
from unaiverse_lab.core.terminal import tell
from unaiverse_lab.live.broker import BrokerError
from unaiverse_lab.live.host import OVER
from unaiverse_lab.live.invite import Invite, find_invite, is_invite_to
from unaiverse_lab.live.link import without_secret
from unaiverse_lab.live.member import Kit, Member
from unaiverse_lab.live.nats_port import NatsPort
from unaiverse_lab.live.port import Refused
from unaiverse_lab.live.stopping import Stopping
from unaiverse_lab.live.terminal import Keyboard, Teller, people
from unaiverse_lab.runtime.node import Node

GOODBYE_WITHIN = 5.0


class Parted(LabError):
    """A world goes on without a member, or turned it away."""


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
