"""Promoting: a session that runs in this process goes live on a broker, and comes back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.live.broker import Broker, reach
from unaiverse_lab.live.host import LOCKSTEP, Host
from unaiverse_lab.live.invite import Invite
from unaiverse_lab.live.link import without_secret
from unaiverse_lab.live.log import NatsHostPort
from unaiverse_lab.live.nats_port import new_wid
from unaiverse_lab.runtime.history import History

if TYPE_CHECKING:
    from unaiverse_lab.runtime.session import Session


class LivePast:
    """The history of a session while it is live: others live in the same time, there is no way back."""

    def __init__(self, history: History) -> None:
        self.history = history

    def __getattr__(self, name: str) -> Any:
        return getattr(self.history, name)

    def go_to(self, tick: int) -> NoReturn:
        """Refuse.

        Raises:
            WorldError: always.
        """
        raise WorldError(f"a live world does not go back to tick {tick}: take it back first, await session.demote()")

    def switch(self, name: Any) -> NoReturn:
        """Refuse.

        Raises:
            WorldError: always.
        """
        raise WorldError("a live world has one past: take it back first, await session.demote()")


class Live:
    """The live side of a session; ``session.live`` is one while the world is live.

    Attributes:
        host: what applies the log.
        urls: where the broker is.
        broker: the private one, if it was started for this world.
    """

    def __init__(
        self, session: Session, host: Host, port: NatsHostPort, urls: list[str], broker: Broker | None
    ) -> None:
        self.session = session
        self.host = host
        self.port = port
        self.urls = urls
        self.broker = broker
        if broker is not None:
            port.link.room = lambda: broker.room

    def __repr__(self) -> str:
        status = self.status()
        return f"live at {status['broker']}, {status['clock']}, members elsewhere: {len(status['members'])}"

    @property
    def invite(self) -> Invite:
        """What ``unaiverse-lab join`` needs; ``str(live.invite)`` is one line of text, which contains a secret."""
        urls = self.urls if self.broker is None else [self.broker.member_url]
        return Invite(urls, self.port.subjects.wid, self.session.synchronizer.world_name)

    def wait_for(self, *names: str, timeout: float = 60.0) -> None:
        """Wait until nodes of these names have come in; they do in this order.

        Raises:
            WorldError: they have not, after so many seconds.
        """
        self.host.wait_for(names, timeout)

    def status(self) -> dict[str, Any]:
        """Broker, link, clock, members in other processes, who is late, what was refused."""
        link = self.port.link
        return {
            "broker": ", ".join(map(without_secret, self.urls)),
            "up": link.is_up,
            "downs": link.counts["down"],
            "trouble": link.trouble,
            "durability": None if self.broker is None else self.broker.durability,
            **self.host.status(),
        }

    def stop(self) -> None:
        """Take the world back; see :meth:`~unaiverse_lab.Session.demote`."""
        session = self.session
        if session.live is not self:
            return
        session.live = None
        try:
            self.host.release()
        finally:
            past: Any = session._history
            if isinstance(past, LivePast):
                session._history = past.history
                if self.host.gone:
                    duties = session.synchronizer.between_ticks
                    duties[duties.index(past.history.consider)] = (fresh := History(session)).consider
                    session._history = fresh
            up = self.port.link.is_up
            if self.broker is None and not self.port.keep_log and up:
                with contextlib.suppress(Exception):
                    self.port.forget_world()
            self.port.close(drain=up)
            if self.broker is not None:
                self.broker.stop()


async def promote(
    session: Session,
    to: str | Path | None = "embedded",
    *,
    clock: str = LOCKSTEP,
    folder: str | Path | None = None,
    keep_log: bool = False,
    expect: Iterable[str] = (),
) -> Live:
    """Let a session's world go live; see :meth:`unaiverse_lab.Session.promote`."""
    if session.live is not None:
        raise WorldError("this world is live already: session.live")
    if session.synchronizer.world_node is None or session.in_tick:
        raise WorldError("a world goes live between two ticks, and this session has none: add it first")
    urls, broker = await asyncio.to_thread(reach, to, folder)
    try:
        port = await asyncio.to_thread(NatsHostPort, urls, new_wid(), None, keep_log)
        try:
            host = Host(session, port, clock)
        except BaseException:
            port.close(drain=False)
            raise
    except BaseException:
        if broker is not None:
            broker.stop()
        raise
    host.expected = list(expect)
    live = session.live = Live(session, host, port, urls, broker)
    if session._history is not None:
        session._history = LivePast(session._history)  # type: ignore[assignment]
    return live
