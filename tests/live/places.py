"""A host and its members in this thread, by way of a hub or of a broker: ports alone, or a whole world."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
import torch
from PIL import Image

from unaiverse_lab import Agent, HybridStateMachine, NodeProfile, Session, World
from unaiverse_lab.core.envelope import AgentRefusal, Body
from unaiverse_lab.core.records import Said
from unaiverse_lab.data.values import DTYPES, FileContainer
from unaiverse_lab.live.host import Host
from unaiverse_lab.live.log import NatsHostPort
from unaiverse_lab.live.member import Kit, Member
from unaiverse_lab.live.memory import MemoryHostPort, MemoryHub, MemoryPort
from unaiverse_lab.live.nats_port import NatsPort, new_wid
from unaiverse_lab.live.port import Backpressure, LogRecord, Refused, Ticket
from unaiverse_lab.live.wire import Candidate, Delivery, Frame, Grant, Join, Kind, Refusal, Turn, frame_of, id_of
from unaiverse_lab.runtime.node import Node

JOIN = Join([Candidate({"static": {"node_name": "Ann"}}, {})], "s", "n")
CARRIERS = ["memory", pytest.param("nats", marks=pytest.mark.live)]


def ports(url: str | None) -> tuple[Any, Callable[[str], Any]]:
    """The port of a host, and how to make those of members: on a hub, or on a broker at that address."""
    if url is None:
        hub = MemoryHub()
        return MemoryHostPort(hub, "HOST"), lambda nid: MemoryPort(hub, nid)
    wid = new_wid()
    return NatsHostPort([url], wid, "HOST"), lambda nid: NatsPort([url], wid, nid)


def while_it_waits(port: Any, work: Callable[[], Any], attend: Callable[[], Any], wait: Callable[[float], Any]) -> Any:
    """Do something that waits for the host, which attends to it meanwhile."""
    hub: MemoryHub | None = getattr(port, "hub", None)
    if hub is not None:
        hub.meanwhile.append(attend)
        try:
            return work()
        finally:
            hub.meanwhile.remove(attend)
    done: list[Any] = []

    def run() -> None:
        try:
            done.append((work(), None))
        except BaseException as error:
            done.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        attend()
        wait(0.01)
    result, error = done[0]
    if error is not None:
        raise error
    return result


class Place:
    """Ports without a world: what the host says is up to the test."""

    def __init__(self, url: str | None) -> None:
        self.host, self.new = ports(url)
        self.term = self.host.campaign()
        self.ports: list[Any] = [self.host]

    def member(self, nid: str, admit: bool = True) -> Any:
        """A member that has asked to be let in, and was or was not."""
        port = self.new(nid)
        self.ports.append(port)
        while_it_waits(port, lambda: self.ask(port, admit), lambda: self.answer(admit), self.host.wait)
        return port

    def ask(self, port: Any, admit: bool) -> None:
        if admit:
            assert port.join(msgspec.structs.replace(JOIN, nonce=port.nid), 20).seed == 7
        else:
            with pytest.raises(Refused, match="no room"):
                port.join(msgspec.structs.replace(JOIN, nonce=port.nid), 20)

    def answer(self, admit: bool) -> None:
        for knock in self.term.knocks():
            nonce = knock.join.nonce
            grant = Grant(nonce, "t" * 16, 7, 0.1, 0.0, "lockstep", 0, b"")
            refusal = Refusal(nonce, "full", "there is no room")
            frame = frame_of(Kind.GRANT, grant) if admit else frame_of(Kind.REFUSAL, refusal)
            knock.answer(msgspec.structs.replace(frame, n=1, id=b"i" * 16))

    def read(self, count: int) -> list[LogRecord]:
        return gathered(self.term.next_inputs, count, self.host.wait)

    def send(self, nid: str, numbers: range) -> None:
        for n in numbers:
            frame = frame_of(Kind.DELIVERY, Delivery([]), n)
            self.term.emit(nid, "t" * 16, msgspec.structs.replace(frame, n=n, id=b"i" * 16))

    def close(self) -> None:
        for port in self.ports:
            port.close(drain=False)


def gathered(take: Callable[[], list[Any]], count: int, wait: Callable[[float], Any]) -> list[Any]:
    """So many things, as they come."""
    things: list[Any] = []
    give_up = time.monotonic() + 20
    while len(things) < count:
        things += take()
        assert time.monotonic() < give_up, f"{len(things)} of {count}"
        if len(things) < count:
            wait(0.01)
    return things


def received(port: Any, count: int) -> list[Frame]:
    """So many frames that came for a member."""
    return gathered(port.poll, count, port.wait)


def turn(n: int = 0, size: int = 0) -> Frame:
    """A frame of a member, its body of no meaning if a size is given."""
    return frame_of(Kind.TURN, Turn([]) if not size else b"x" * size, n)


def things() -> list[Any]:
    """Values of every type that streams carry."""
    tensors = [
        torch.arange(6).reshape(shape).to(getattr(torch, dtype.removeprefix("torch.")))
        for dtype in DTYPES
        for shape in ((2, 3), (1, 6, 1))
    ]
    return [
        *tensors, torch.zeros(()), torch.zeros((0, 3)), torch.tensor([float("nan"), float("inf")]),
        *(Image.new(mode, (3, 2)) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        FileContainer(b"\0x", "a.bin"), FileContainer("text", "a.txt", "text/plain"), "tëxt", "", b"\0", None, True,
        -(2**63), 2**64 - 1, 0.1, float("inf"), [1, ["a"], {}], {"type": "mine", "x": [torch.ones(2)]},
    ]  # fmt: skip


def look(value: Any) -> Any:
    """What can be compared of a value."""
    if isinstance(value, list | tuple):
        return [look(one) for one in value]
    if isinstance(value, dict):
        return {key: look(one) for key, one in value.items()}
    if type(value).__name__ == "Tensor":
        return str(value.dtype), tuple(value.shape), str(value.tolist())
    if hasattr(value, "tobytes"):
        return value.mode, value.size, value.tobytes()
    return type(value), value


def post_when_there_is_room(port: Any) -> Any:
    give_up = time.monotonic() + 10
    while True:
        try:
            return port.post(turn())
        except Backpressure:
            assert time.monotonic() < give_up
            time.sleep(0.01)


async def hold(link: Any) -> None:
    link.up.clear()


def traces(folder: Path) -> tuple[set[str], set[str], list[str]]:
    """What a process has open: threads, files and sockets; and what lies in a folder."""
    gc.collect()
    threads = {thread.name for thread in threading.enumerate()}
    handles = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if alive(fd)}
    return threads, handles, sorted(str(path) for path in folder.iterdir())


def alive(fd: str) -> bool:
    try:
        os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return False
    return True


# ---------------------------------------------------------------------- a world


class Ear(Agent):
    """Notes who said what, in the order in which it comes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.heard: list[tuple[int, str, str]] = []

    async def receive(self, sender: str, body: Body) -> None:
        if not isinstance(body, AgentRefusal):
            await super().receive(sender, body)
            return
        self.heard.append((self.clock.tick, sender, body.reason))
        link = self._need_link()
        link.record(Said(self.clock.tick, self.clock.now, link.name, f"{sender}: {body.reason[:20]}"))


class Mouth(Agent):
    """Says ``words`` to the ear at each tick."""

    words: tuple[str, ...] = ("a", "b", "c")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.more: list[tuple[str, bytes]] = []

    async def on_tick(self) -> None:
        more, self.more = self.more, []
        for target, data in more:
            self._need_link().post(target, data)
        for word in self.words:
            self._need_link().post("Ear", AgentRefusal(f"{word}{self.clock.tick}"))


class Hall(World):
    """Gives everybody the role it prefers; who prefers none stays outside."""

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str | None:
        return profile.get_dynamic_profile().get("tmp_role_preference")


ROLES: dict[str, type[Agent]] = {"ear": Ear, "mouth": Mouth}
PEOPLE = {"Ear": "ear", "M0": "mouth", "M1": "mouth", "M2": "mouth", "M3": "mouth"}


def _silent(role: type[Agent]) -> HybridStateMachine:
    hsm = HybridStateMachine(role(proc=None))
    hsm.add_state("ready")
    return hsm


def hall() -> World:
    return Hall(roles=ROLES, behaviors={name: _silent(role) for name, role in ROLES.items()})


def person(name: str, role: str | None = None) -> Node:
    node = Node(Agent(), name)
    role = PEOPLE.get(name) if role is None else role
    if role:
        node.join_options["role_preference"] = role
    return node


def alone(ticks: int) -> Session:
    """The hall in the synchronizer."""
    session = Session(hall(), 3, strict=True, history=False)
    for name, role in PEOPLE.items():
        session.add(Agent(), name, role_preference=role)
    session.step(ticks)
    return session


class Live:
    """A live world and its members, all in this thread: members act whenever the host waits, in ``order``.

    Args:
        url: of a broker; None: a hub.
        node: hosts the world; default: the hall.
        nodes: of the members, each of which has a port of its own.
        kit: what they have installed.
    """

    def __init__(
        self,
        url: str | None,
        node: Node | None = None,
        nodes: list[Node] | None = None,
        kit: Kit | None = None,
        clock: str = "lockstep",
    ) -> None:
        self.session = Session(None, 3)
        self.session.add(node or Node(hall(), "World"))
        self.kit = kit or Kit(ROLES)
        port, self.new = ports(url)
        self.made: list[Any] = [port]
        self.members: list[Member] = []
        self.turns: list[int] = []
        self.order: list[int] = []
        self.host = Host(self.session, port, clock)
        self._wait = port.wait
        port.wait = self.wait
        try:
            for number, one in enumerate(nodes if nodes is not None else [person(name) for name in PEOPLE]):
                self.add(Member(self.port(f"N{number}"), [one], self.kit))
        except BaseException:
            self.close()
            raise

    def port(self, nid: str) -> Any:
        self.made.append(self.new(nid))
        return self.made[-1]

    def add(self, member: Member) -> None:
        self.meanwhile(member.port, lambda: member.join(20))
        self.order.append(len(self.members))
        self.members.append(member)
        self.turns.append(-1)

    def meanwhile(self, port: Any, work: Callable[[], Any]) -> Any:
        """Do something that waits for the host."""
        return while_it_waits(port, work, self.host.attend, self._wait)

    def wait(self, timeout: float) -> bool:
        tick = self.session.synchronizer.clock.tick
        for number in self.order:
            member = self.members[number]
            if self.turns[number] != tick and member.port.wait(0.5) and member.pump():
                self.turns[number] = tick
                member.port.flush()
        return bool(self._wait(min(timeout, 0.002)))

    def agent(self, name: str) -> Any:
        """The agent of a member."""
        return next(node.agent for member in self.members for node in member.nodes if node.name == name)

    def inject(self, nid: str, data: list[bytes]) -> None:
        """Put bytes into the log in a member's name, past its port."""
        port = self.host.port
        if isinstance(port, MemoryHostPort):
            for one in data:
                try:
                    frame = msgspec.msgpack.decode(one, type=Frame)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    continue
                port.hub.append(nid, frame)
        else:
            assert isinstance(port, NatsHostPort)
            subject = port.subjects.out(nid)
            port.link.call(self._publish([(subject, one) for one in data]), 20)

    async def _publish(self, messages: list[tuple[str, bytes]]) -> None:
        link = self.host.port.link  # type: ignore[attr-defined]
        for subject, data in messages:
            await link.nats.publish(subject, data)
        await link.barrier()

    def close(self) -> None:
        for port in reversed(self.made):
            port.close(drain=False)


def scrambled(things: list[Any], rng: Random, times: int = 3, window: int = 8) -> list[Any]:
    """Each several times, all out of order: by less than a window."""
    copies = [one for one in things for _ in range(times)]
    places = sorted(range(len(copies)), key=lambda place: place + rng.random() * window)
    return [copies[place] for place in places]


class Scrambler:
    """Stands between a live world's ports and what carries their frames."""

    def __init__(self, live: Live, seed: int) -> None:
        self.live, self.rng = live, Random(seed)
        self.sent = self.emitted = 0
        self.live.host.port.wait = self.wait  # type: ignore[method-assign]
        self._emit = live.host.term.emit
        self._to_emit: list[tuple[str, str, Frame]] = []
        live.host.term.emit = lambda *given: self._to_emit.append(given)  # type: ignore[method-assign]
        for member in live.members:
            self.take_over(member.port)

    def take_over(self, port: Any) -> None:
        held: list[Frame] = []
        n = 0

        def post(frame: Frame) -> Ticket:
            nonlocal n
            n += 1
            held.append(msgspec.structs.replace(frame, n=n, id=id_of(port.nid, "scrambled", n)))
            return Ticket(n)

        def flush(timeout: float = 0) -> None:
            copies = scrambled(held, self.rng)
            self.sent += len(copies)
            self.live.inject(port.nid, [msgspec.msgpack.encode(one) for one in copies])
            del held[:-4]

        port.post, port.flush = post, flush

    def wait(self, timeout: float) -> bool:
        frames, self._to_emit = self._to_emit, []
        for given in scrambled(frames, self.rng):
            self.emitted += 1
            self._emit(*given)
        return self.live.wait(timeout)


# ---------------------------------------------------------------------- fixtures


@pytest.fixture(params=CARRIERS)
def url(request: pytest.FixtureRequest) -> str | None:
    """The address of a broker, or None: a hub."""
    return None if request.param == "memory" else request.getfixturevalue("broker").url  # type: ignore[no-any-return]


@pytest.fixture
def place(url: str | None) -> Iterator[Place]:
    made = Place(url)
    yield made
    made.close()


@pytest.fixture
def live(url: str | None) -> Iterator[Live]:
    made = Live(url)
    yield made
    made.close()
