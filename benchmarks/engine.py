"""The engine: what a transition costs, what waiting agents cost, jumps over empty time, growth with the agents."""

from __future__ import annotations

import contextlib
import gc
import statistics
from typing import Any

from report import Result, at_least, at_most, cpu_of, main, median_ratio
from transitions import Machine as PeerMachine

from unaiverse_lab import Agent, HybridStateMachine, NodeProfile, Session, Trace, World, action
from unaiverse_lab.core.records import Moved

RING = {"a": "b", "b": "c", "c": "a"}
DELTA = 0.04
SMALL_CROWD = 1_000
GROWTH = 3.0
SETUP_GROWTH = 3.0
JOINED = 3
"""Ticks after which a whole crowd that was added at once is in its machines: asked, admitted, first move."""


class Runner(Agent):
    """Runs round the ring, one state per tick."""

    @action
    async def go(self) -> bool:
        return True


class Course(World):
    """Gives everybody the role asked for."""

    def __init__(self) -> None:
        ring, waiting, sleeping = (HybridStateMachine(Runner(proc=None)) for _ in range(3))
        for state, following in RING.items():
            ring.add_transit(state, following, action="go")
        waiting.add_transit("idle", "idle", action="go", ready=False)
        sleeping.add_transit("asleep", "awake", action="go", delay=1_000_000 * DELTA)
        behaviors = {"runner": ring, "waiter": waiting, "sleeper": sleeping}
        super().__init__(roles=dict.fromkeys(behaviors, Runner), behaviors=behaviors)

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str:
        return str(profile.get_dynamic_profile()["tmp_role_preference"])


def crowd(runners: int = 0, waiters: int = 0, sleepers: int = 0) -> Session:
    """A session in which so many agents have joined; the trace is on."""
    session = Session(Course(), delta=DELTA)
    for role, count in (("runner", runners), ("waiter", waiters), ("sleeper", sleepers)):
        for number in range(count):
            session.add(Agent(), f"{role}{number}", role_preference=role)
    session.step(JOINED)
    return session


# ---------------------------------------------------------------- (a) a ring, against a bare loop and against a peer


def bare_loop(agents: int, ticks: int) -> float:
    """CPU seconds of a hand-written loop: look up, await the action, append the record."""
    table = {state: ("go", following) for state, following in RING.items()}
    runners: list[Any] = [Runner() for _ in range(agents)]
    states = dict.fromkeys(runners, "a")
    names = {runner: f"runner{number}" for number, runner in enumerate(runners)}
    append = Trace().append

    async def run() -> None:
        for tick in range(ticks):
            now = tick * DELTA
            for runner in runners:
                state = states[runner]
                name, following = table[state]
                if await getattr(runner, name)():
                    append(Moved(tick, now, names[runner], state, name, following))
                    states[runner] = following

    def drive() -> None:
        with contextlib.suppress(StopIteration):
            run().send(None)

    return cpu_of(drive)


def engine_loop(agents: int, ticks: int) -> float:
    """CPU seconds of the same ring in a session."""
    session = crowd(runners=agents)
    return cpu_of(lambda: session.step(ticks))


def peer_loop(agents: int, ticks: int) -> float:
    """CPU seconds of the same ring in the ``transitions`` package: one machine, a model per agent, no trace."""

    class Model:
        go: Any

    models = [Model() for _ in range(agents)]
    machine = PeerMachine(models, states=list(RING), initial="a", auto_transitions=False)
    for state, following in RING.items():
        machine.add_transition("go", state, following)

    def run() -> None:
        for _ in range(ticks):
            for model in models:
                model.go()

    return cpu_of(run)


def ring(quick: bool) -> list[Result]:
    """The three loops in turns, so that each round compares them in the same weather."""
    rounds, ticks, agents = (7, 500, 100) if quick else (21, 1000, 100)
    loops = (bare_loop, engine_loop, peer_loop)
    spent: list[list[float]] = [[], [], []]
    for _ in range(rounds):
        for loop, times in zip(loops, spent, strict=True):
            gc.collect()
            times.append(loop(agents, ticks))
    bare, engine, peer = spent
    each = 1e9 / (agents * ticks)
    return [
        Result("ring of 3, 100 agents: bare loop", statistics.median(bare) * each, "ns/transition"),
        Result("ring of 3, 100 agents: engine", statistics.median(engine) * each, "ns/transition"),
        Result("ring of 3, 100 agents: transitions package", statistics.median(peer) * each, "ns/transition"),
        at_least("rate, against the bare loop", median_ratio(bare, engine), "x", 0.25),
        at_least("rate, against the transitions package", median_ratio(peer, engine), "x", 4.0),
    ]


# ---------------------------------------------------------------- (b) waiting agents cost nothing


def waiting(quick: bool) -> list[Result]:
    """A tick of 100 active agents, alone and among those who wait to be asked."""
    rounds, ticks, total = (9, 100, 100_000) if quick else (15, 200, 100_000)
    gc.disable()  # what is measured starts after the crowd has come
    alone, among = crowd(runners=100), crowd(runners=100, waiters=total - 100)
    gc.enable()
    gc.collect()
    single, many = [], []
    for _ in range(rounds):
        single.append(cpu_of(lambda: alone.step(ticks)))
        many.append(cpu_of(lambda: among.step(ticks)))
    return [
        Result("a tick of 100 active agents, alone", statistics.median(single) / ticks * 1e6, "us"),
        Result(f"a tick of 100 active agents among {total:,}", statistics.median(many) / ticks * 1e6, "us"),
        at_most("cost of those who wait", median_ratio(many, single), "x", 3.0),
    ]


# ---------------------------------------------------------------- (c) empty time is jumped over


def jump(quick: bool) -> list[Result]:
    """One agent with a delay of a million ticks."""
    spent = []
    for _ in range(7 if quick else 21):
        session = crowd(sleepers=1)
        before = session.tick
        spent.append(cpu_of(lambda s=session: s.run("awake")))  # type: ignore[misc]
        assert session.tick - before > 999_990, "the agent woke up too early"
    return [at_most("an idle stretch of 1,000,000 ticks", statistics.median(spent) * 1e3, "ms", 1.0)]


# ---------------------------------------------------------------- (d) growth


def growth(quick: bool) -> list[Result]:
    """Time per transition, and to set an agent up, at each decade."""
    sizes = (10, 100, 1_000, 10_000) if quick else (10, 100, 1_000, 10_000, 100_000)
    each, setup = {}, {}
    for size in sizes:
        each[size], setup[size] = ring_of(size, rounds=5 if quick else 9)
    results = []
    for size in sizes:
        results.append(Result(f"{size:,} agents: a transition", each[size] * 1e9, "ns"))
        if size != 100:
            results.append(at_most(f"{size:,} agents: against 100", each[size] / each[100], "x", GROWTH))
    for size in sizes[2:]:
        results.append(Result(f"{size:,} agents: to set one up (add, join)", setup[size] * 1e6, "us"))
        if size > SMALL_CROWD:
            against = setup[size] / setup[SMALL_CROWD]
            results.append(at_most(f"{size:,} agents: set-up, against {SMALL_CROWD:,}", against, "x", SETUP_GROWTH))
    return results


def ring_of(size: int, rounds: int) -> tuple[float, float]:
    """CPU seconds of one transition among ``size`` runners (median of the rounds), and of setting one of them up."""
    made: list[Session] = []
    setup = cpu_of(lambda: made.append(crowd(runners=size)))
    [session] = made
    ticks = max(1, 30_000 // size)
    session.step(2)
    gc.collect()
    spent = statistics.median(cpu_of(lambda: session.step(ticks)) for _ in range(rounds))
    return spent / (ticks * size), setup / size


def measure(quick: bool) -> list[Result]:
    """Benchmarks of the engine: virtual time, one thread, trace on."""
    return [*ring(quick), *waiting(quick), *jump(quick), *growth(quick)]


if __name__ == "__main__":
    main(measure)
