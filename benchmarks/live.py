"""What a live world costs on NATS: posting, ticks with members in another process, an answer, long messages.

A private broker on this machine; members in processes of their own. ``raw`` is nats-py alone with the same bytes.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.report import Result, at_least, at_most, main
from unaiverse_lab import Agent, Node, Session, World
from unaiverse_lab.core.envelope import AgentRefusal, Body, Farewell
from unaiverse_lab.live.broker import Broker
from unaiverse_lab.live.invite import read_invite
from unaiverse_lab.live.log import NatsHostPort
from unaiverse_lab.live.member import Member
from unaiverse_lab.live.nats_port import NatsPort, new_wid
from unaiverse_lab.live.wire import Kind, encode_frame, frame_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CROWD, SAID = 50, 20
FRAME = b"x" * 400


class Echo(Agent):
    """Answers whatever comes, at once, and notes how long an answer took."""

    took: list[float]
    asked = 0.0

    async def receive(self, sender: str, body: Body) -> None:
        """Take a ping, or its answer."""
        link = self._need_link()
        if isinstance(body, AgentRefusal) and body.reason == "ping":
            link.post(sender, AgentRefusal("pong"))
        elif isinstance(body, AgentRefusal) and body.reason == "pong":
            self.took.append(time.perf_counter() - self.asked)
            self.ask(sender)

    def ask(self, peer: str) -> None:
        """Send a ping."""
        now = time.perf_counter()
        if self._need_link().post(peer, AgentRefusal("ping")):
            self.asked = now


def member(invite: str, what: str) -> None:
    """Be a member, in a process of its own."""
    to = read_invite(invite)
    if what == "crowd":
        names = [f"N{number}" for number in range(CROWD)]

        def chatter(node: Node) -> None:
            for step in range(1, SAID + 1):
                node.post(names[(node.order + step) % CROWD], Farewell())

        nodes = [Node(Agent(), name, run_hook=chatter) for name in names]
    else:

        def begin(node: Node) -> None:
            if what == "Asker" and isinstance(node.agent, Echo) and not node.agent.asked:
                node.agent.ask("Answerer")

        nodes = [Node(Echo(), what, run_hook=begin)]
    taking = Member(NatsPort(to.urls, to.wid), nodes)
    for node in nodes:
        if isinstance(node.agent, Echo):
            node.agent.took = []
    taking.join()
    echo = nodes[0].agent
    taking.run(idle=20)
    if what == "Asker" and isinstance(echo, Echo):
        print(" ".join(f"{seconds:.6f}" for seconds in echo.took[20:]))
    taking.port.close()


@contextmanager
def hosted(url: str, *members: str, expect: list[str]) -> Iterator[tuple[Session, list[subprocess.Popen[str]]]]:
    """A session that is live, with members in processes."""
    session = Session(World(), history=False)
    live = asyncio.run(session.promote(url))
    started = [
        subprocess.Popen(
            [sys.executable, __file__, "--member", str(live.invite), one], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        )
        for one in members
    ]  # fmt: skip
    try:
        live.wait_for(*expect)
        yield session, started
    finally:
        session.close()


def posting(url: str, count: int) -> tuple[float, float]:
    """Frames a second from ``post`` to stored, and the same bytes with nats-py's own ``publish_async``."""
    port = NatsHostPort([url], new_wid(), keep_log=True)
    frame = frame_of(Kind.TURN, FRAME)
    start = time.perf_counter()
    posted = 0
    while posted < count:
        for _ in range(min(2000, count - posted)):
            port.post(frame)
            posted += 1
        port.flush()
    ours = count / (time.perf_counter() - start)
    data = encode_frame(frame)

    async def raw() -> float:
        js = port.link.nats.jetstream()
        begun = time.perf_counter()
        for first in range(0, count, 2000):
            acks = [
                await js.publish_async(port.subjects.out("RAW"), data, headers={"Nats-Msg-Id": f"raw{number}"})
                for number in range(first, min(count, first + 2000))
            ]
            await asyncio.gather(*acks)
        return count / (time.perf_counter() - begun)

    theirs = port.link.call(raw(), 120)
    port.forget_world()
    port.close()
    return ours, theirs


def blobs(url: str, size: int) -> tuple[float, float]:
    """Megabytes a second, put and got."""
    port = NatsHostPort([url], new_wid())
    data = os.urandom(size)
    start = time.perf_counter()
    ref = port.put_blob(data)
    middle = time.perf_counter()
    assert port.get_blob(ref, 60) == data
    end = time.perf_counter()
    port.forget_world()
    port.close()
    return size / 1e6 / (middle - start), size / 1e6 / (end - middle)


def crowd(url: str, ticks: int) -> tuple[float, float]:
    """Messages a second through a world in which 50 members in another process say 20 things a tick; ticks a second."""
    with hosted(url, "crowd", expect=[f"N{number}" for number in range(CROWD)]) as (session, _):
        session.step(5)
        start = time.perf_counter()
        session.step(ticks)
        rate = ticks / (time.perf_counter() - start)
    return rate * CROWD * SAID, rate


def answers(url: str, ticks: int) -> list[float]:
    """Seconds from asking to having the answer, of two members in two processes; three ticks of a lockstep world."""
    with hosted(url, "Asker", "Answerer", expect=["Asker", "Answerer"]) as (session, started):
        session.step(ticks)
    return [float(word) for word in started[0].communicate(timeout=30)[0].split()]


def alone(url: str, ticks: int) -> float:
    """Milliseconds that a tick of a live world costs whose members all live in this process."""
    session = Session(World(), history=False)
    session.add(Agent(), "A")
    asyncio.run(session.promote(url))
    session.step(20)
    start = time.perf_counter()
    session.step(ticks)
    cost = 1000 * (time.perf_counter() - start) / ticks
    session.close()
    return cost


def starting(rounds: int) -> float:
    """Milliseconds until a private broker is ready."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        with Broker():
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def measure(quick: bool) -> list[Result]:
    """Live worlds on NATS."""
    rounds = 1 if quick else 5
    with Broker() as broker:
        url = broker.url
        posts = [posting(url, 4_000 if quick else 20_000) for _ in range(rounds)]
        long = [blobs(url, 16 << 20) for _ in range(rounds)]
        crowds = [crowd(url, 20 if quick else 100) for _ in range(rounds)]
        took = sorted(answers(url, 300 if quick else 1500))
        tick = alone(url, 300)

    def middle(pairs: list[Any], place: int) -> float:
        return statistics.median(pair[place] for pair in pairs)

    return [
        at_most("N14 a private broker is ready", starting(rounds), "ms", 200),
        Result("N3 posted and stored", middle(posts, 0), "frames/s"),
        at_least("N3 ... against nats-py alone", 100 * statistics.median(a / b for a, b in posts), "%", 90),
        at_least("N4 through a world of 50, in another process", middle(crowds, 0), "messages/s", 15_000),
        Result("N4 ... ticks", middle(crowds, 1), "ticks/s"),
        at_most("N5 ask to answer, median", 1000 * took[len(took) // 2], "ms", 2),
        at_most("N5 ask to answer, 99 of 100", 1000 * took[int(len(took) * 0.99)], "ms", 10),
        at_least("N6 a long message put", middle(long, 0), "MB/s", 150),
        at_least("N6 a long message got", middle(long, 1), "MB/s", 150),
        Result("a tick of a world that is live alone", tick, "ms"),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--member"]:
        member(*sys.argv[2:])
    else:
        main(measure)
