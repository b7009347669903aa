"""Members in threads of this process, each with a link of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import zip_longest

import unaiverse_lab as lab
from live.rooms import apart, kit
from unaiverse_lab.live.member import Member
from unaiverse_lab.live.nats_port import NatsPort
from unaiverse_lab.live.promotion import Live


def alike(one: lab.Session, other: lab.Session) -> None:
    for mine, theirs in zip_longest(one.trace, other.trace):
        assert mine == theirs
    assert one.digest() == other.digest()


class MemberThread(threading.Thread):
    """A member that joins, and takes part until its world ends."""

    def __init__(self, member: Member) -> None:
        super().__init__(name="member")
        self.member = member
        self.error: BaseException | None = None
        self.start()

    @property
    def port(self) -> NatsPort:
        assert isinstance(self.member.port, NatsPort)
        return self.member.port

    def run(self) -> None:
        try:
            self.member.join()
            self.member.run(idle=30)
        except BaseException as error:
            self.error = error
        finally:
            self.member.port.close()

    def events(self, kind: str) -> int:
        return sum(event.kind == kind for event in self.port.events)


@contextmanager
def live_room(
    world: str,
    url: str,
    urls: Callable[[int], str] | None = None,
    host_url: str | None = None,
    home: int = 0,
    **options: str,
) -> Iterator[tuple[lab.Session, Live, list[MemberThread]]]:
    """A world that is live, its members in threads; each may have an address of its own for the broker.

    The first ``home`` members stay in the session.
    """
    node, nodes = apart(world)
    session = lab.Session(None, 3)
    for one in (node, *nodes[:home]):
        session.add(one)
    installed = kit(world)
    installed.roles_for(session.world.roles.custom)  # imports of world folders are for one thread
    live = asyncio.run(session.promote(host_url or url, **options))
    threads: list[MemberThread] = []
    try:
        for number, one in enumerate(nodes[home:]):
            port = NatsPort([urls(number) if urls else url], live.invite.wid)
            threads.append(MemberThread(Member(port, [one], installed)))
        live.wait_for(*(one.name for one in nodes[home:]))
        yield session, live, threads
    finally:
        session.close()
        for thread in threads:
            thread.join(15)
            thread.port.link.close()
    for thread in threads:
        if thread.error is not None:
            raise thread.error


def equals_the_synchronizer(session: lab.Session, world: str, ticks: int) -> None:
    """Whether so many ticks of a live world are those of a run in one process."""
    alone = lab.load(world, 3)
    alone.step(ticks)
    assert alone.trace[:] == session.trace[: len(alone.trace)]
