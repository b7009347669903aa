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
from unaiverse_lab.live.wire import Delivery, Kind, Parcel, body_in, encode_frame, frame_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CROWD, SAID = 50, 20
BATCH = 64
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


def listener(url: str, wid: str, what: str) -> None:
    """Count the samples that come past the log, in a process of its own: prints how many, and in how many seconds."""
    times: list[float] = []
    count = 0
    if what == "raw":
        import nats

        async def listen() -> None:
            async def heard(message: object) -> None:
                nonlocal count
                count += 1
                times.append(time.perf_counter())

            client = await nats.connect(url)
            await client.subscribe(f"raw.{wid}", cb=heard)
            await client.flush()
            print("ready", flush=True)
            while not times or time.perf_counter() - times[-1] < 0.5:
                await asyncio.sleep(0.1)
            await client.close()

        asyncio.run(listen())
    else:
        port = NatsPort([url], wid)
        port.offers()
        print("ready", flush=True)
        while not times or time.perf_counter() - times[-1] < 0.5:
            came = port.offers()
            if what == "batched":
                count += sum(len(body_in(one.frame, Delivery).parcels) for one in came)
            else:
                count += len(came)
            if came:
                times.append(time.perf_counter())
            else:
                port.wait(0.1)
        port.close()
    print(count, times[-1] - times[0], flush=True)


def past_the_log(url: str, count: int, what: str) -> tuple[float, float]:
    """Samples of 400 bytes a second, from one process to another, and which share came.

    ``what``: ``"raw"`` (nats-py alone), ``"single"`` (each in a frame of its own), ``"batched"`` (64 in a frame).
    """
    wid = new_wid()
    started = subprocess.Popen(
        [sys.executable, __file__, "--listener", url, wid, what], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )  # fmt: skip
    assert started.stdout is not None and started.stdout.readline() == "ready\n"
    if what == "raw":
        import nats

        async def send() -> None:
            client = await nats.connect(url)
            for _ in range(count):
                await client.publish(f"raw.{wid}", FRAME)
            await client.drain()

        asyncio.run(send())
    else:
        port = NatsPort([url], wid)
        size = BATCH if what == "batched" else 1
        for _ in range(count // size):
            frame = frame_of(Kind.SAMPLE, Delivery([Parcel("Ann", "Bob", FRAME) for _ in range(size)]))
            while not port.offer(frame):
                time.sleep(0.0005)
        port.link.call(port.settle(), 30)
        port.close()
    came, seconds = started.communicate(timeout=60)[0].split()
    return int(came) / float(seconds), int(came) / (count // BATCH * BATCH if what == "batched" else count)


@contextmanager
def hosted(*members: str, expect: list[str]) -> Iterator[tuple[Session, list[subprocess.Popen[str]]]]:
    """A session that is live, with members in processes."""
    session = Session(World(), history=False)
    live = asyncio.run(session.promote())
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


def posting(broker: Broker, count: int) -> tuple[float, float]:
    """Frames a second from a member's ``post`` to stored, through the service import of the members' account.

    And the same bytes with nats-py's own ``publish_async``, in the account that has the log.
    """
    host = NatsHostPort([broker.url], new_wid(), keep_log=True)
    port = NatsPort([broker.member_url], host.subjects.wid)
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
        js = host.link.nats.jetstream()
        begun = time.perf_counter()
        for first in range(0, count, 2000):
            acks = [
                await js.publish_async(port.subjects.out("RAW"), data, headers={"Nats-Msg-Id": f"raw{number}"})
                for number in range(first, min(count, first + 2000))
            ]
            await asyncio.gather(*acks)
        return count / (time.perf_counter() - begun)

    theirs = host.link.call(raw(), 120)
    port.close()
    host.forget_world()
    host.close()
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


def crowd(ticks: int) -> tuple[float, float]:
    """Messages a second through a world in which 50 members in another process say 20 things a tick; ticks a second."""
    with hosted("crowd", expect=[f"N{number}" for number in range(CROWD)]) as (session, _):
        session.step(5)
        start = time.perf_counter()
        session.step(ticks)
        rate = ticks / (time.perf_counter() - start)
    return rate * CROWD * SAID, rate


def answers(ticks: int) -> list[float]:
    """Seconds from asking to having the answer, of two members in two processes; two ticks of a lockstep world."""
    with hosted("Asker", "Answerer", expect=["Asker", "Answerer"]) as (session, started):
        session.step(ticks)
    return [float(word) for word in started[0].communicate(timeout=30)[0].split()]


def raw_member(url: str, wid: str, name: str) -> None:
    """What a member of a lockstep world cannot do without, with nats-py alone: hear of a tick, say something."""
    import nats

    async def take_part() -> None:
        client = await nats.connect(url)
        over = asyncio.Event()

        async def on_tick(message: Any) -> None:
            if message.data == b"over":
                over.set()
            else:
                await client.publish(f"bare.{wid}.out.{name}", FRAME)

        await client.subscribe(f"bare.{wid}.in", cb=on_tick)
        await client.flush()
        print("ready", flush=True)
        await over.wait()
        await client.close()

    asyncio.run(take_part())


def bare_answers(url: str, ticks: int) -> list[float]:
    """Seconds that two ticks of a lockstep world of two members take with nats-py alone, in one thread and loop each.

    In a tick the host tells the members, reads in a stream what both say, and writes and reads back a marker there.
    """
    import nats

    wid = new_wid()
    members = [
        subprocess.Popen([sys.executable, __file__, "--raw-member", url, wid, name], stdout=subprocess.PIPE, text=True)
        for name in "AB"
    ]
    for one in members:
        assert one.stdout is not None and one.stdout.readline() == "ready\n"

    async def host() -> list[float]:
        client = await nats.connect(url)
        js = client.jetstream()
        await js.add_stream(name=f"BARE_{wid}", subjects=[f"bare.{wid}.out.*", f"bare.{wid}.tick"])
        read: asyncio.Queue[str] = asyncio.Queue()

        async def on_record(message: Any) -> None:
            read.put_nowait(message.subject)

        await js.subscribe(f"bare.{wid}.*.*", stream=f"BARE_{wid}", cb=on_record, ordered_consumer=True)
        await js.subscribe(f"bare.{wid}.tick", stream=f"BARE_{wid}", cb=on_record, ordered_consumer=True)
        times = [time.perf_counter()]
        for _ in range(ticks):
            await client.publish(f"bare.{wid}.in", FRAME)
            for _ in members:
                await read.get()
            await client.publish(f"bare.{wid}.tick", FRAME)
            await read.get()
            times.append(time.perf_counter())
        await client.publish(f"bare.{wid}.in", b"over")
        await js.delete_stream(f"BARE_{wid}")
        await client.close()
        return [later - before for before, later in zip(times, times[2:], strict=False)]

    took = asyncio.run(host())
    for one in members:
        one.communicate(timeout=10)
    return took


def alone(ticks: int) -> float:
    """Milliseconds that a tick of a live world costs whose members all live in this process."""
    session = Session(World(), history=False)
    session.add(Agent(), "A")
    asyncio.run(session.promote())
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
        samples = [
            tuple(past_the_log(url, 20_000 if quick else 60_000, what) for what in ("raw", "single", "batched"))
            for _ in range(rounds)
        ]
        posts = [posting(broker, 4_000 if quick else 20_000) for _ in range(rounds)]
        long = [blobs(url, 16 << 20) for _ in range(rounds)]
        crowds = [crowd(20 if quick else 100) for _ in range(rounds)]
        took = sorted(answers(300 if quick else 1500))
        bare = sorted(bare_answers(url, 300 if quick else 1500))
        tick = alone(300)

    def middle(pairs: list[Any], place: int) -> float:
        return statistics.median(pair[place] for pair in pairs)

    def share(place: int) -> float:
        return 100 * statistics.median(one[place][0] / one[0][0] for one in samples)

    return [
        Result("N1 samples past the log, each in a frame", statistics.median(one[1][0] for one in samples), "/s"),
        at_least("N1 ... against nats-py alone", share(1), "%", 70),
        Result("N1 ... of which came", 100 * statistics.median(one[1][1] for one in samples), "%"),
        Result("N2 samples past the log, 64 in a frame", statistics.median(one[2][0] for one in samples), "/s"),
        at_least("N2 ... against nats-py alone", share(2), "%", 100),
        at_most("N14 a private broker is ready", starting(rounds), "ms", 200),
        Result("N3 posted and stored", middle(posts, 0), "frames/s"),
        at_least("N3 ... against nats-py alone", 100 * statistics.median(a / b for a, b in posts), "%", 90),
        at_least("N4 through a world of 50, in another process", middle(crowds, 0), "messages/s", 15_000),
        Result("N4 ... ticks", middle(crowds, 1), "ticks/s"),
        at_most("N5 ask to answer, median", 1000 * took[len(took) // 2], "ms", 2),
        at_most("N5 ask to answer, 99 of 100", 1000 * took[int(len(took) * 0.99)], "ms", 10),
        Result("N5 ... the same two ticks with nats-py alone", 1000 * bare[len(bare) // 2], "ms"),
        at_least("N6 a long message put", middle(long, 0), "MB/s", 150),
        at_least("N6 a long message got", middle(long, 1), "MB/s", 150),
        Result("a tick of a world that is live alone", tick, "ms"),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--member"]:
        member(*sys.argv[2:])
    elif sys.argv[1:2] == ["--raw-member"]:
        raw_member(*sys.argv[2:])
    elif sys.argv[1:2] == ["--listener"]:
        listener(*sys.argv[2:])
    else:
        main(measure)
