"""The agenda skips what cannot do anything, and nobody can tell: any run has the trace of the naive loop."""

from __future__ import annotations

from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from unaiverse_lab import Agent, HybridStateMachine, Interaction, Session, action

from .rooms import machine, room

STATES = ("a", "b", "c", "d")
DELTA = 0.1
TICKS = 60
NAMES = ("Ann", "Bob", "Cyd", "Dan", "Eve")


class Member(Agent):
    """Its actions draw from its own seeded randomness, ask others, and talk."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.answers = 0

    @action
    async def go(self) -> bool:
        return True

    @action
    async def maybe(self, odds: float = 0.3) -> bool:
        return self.rng.random() < odds or self.because("no luck")

    @action
    async def fails(self) -> bool:
        raise RuntimeError("this one always fails")

    @action
    async def greet(self) -> bool:
        return await self.connect_by_role("guest")

    @action
    async def work(self, share: float = 0.8, interaction: Interaction | None = None) -> bool:
        return self.rng.random() < share

    @action
    async def echo(self, interaction: Interaction | None = None) -> bool:
        return await self.process()

    @action
    async def ask(self, steps: int = -1, timeout: float = 1.0) -> bool:
        peers = list(self.all_agents)
        if not peers:
            return False
        data = {"streams": ["processor"], "num_steps": steps} if steps > 0 else {}
        self.stdout.set([f"line {self.rng.randrange(100)}"])
        return await self.send(
            "echo" if steps > 0 else "work", [self.rng.choice(peers)], timeout=timeout, callback="answered",
            copy_sys=steps > 0, **data,
        )  # fmt: skip

    @action
    async def talk(self) -> bool:
        return await self.send(target=list(self.all_agents), data_samples={"proc_output_0": f"{self.rng.random()}"})

    def answered(self, interaction: Interaction) -> None:
        self.answers += 1


class Edge(NamedTuple):
    """An edge, as hypothesis draws it."""

    target: str
    action: str
    options: dict[str, Any]
    teleport: bool


times = st.sampled_from((0.0, 0.0, 0.0, 0.1, 0.25, 0.5, 1.3))
ready_actions = st.sampled_from(("go", "maybe", "ask", "ask", "send", "talk", "nop", "greet", "fails"))
asked_actions = st.sampled_from(("work", "echo"))


@st.composite
def edges(draw: st.DrawFn, source: str) -> Edge:
    """An edge that may lead back only through a blocking state: ``a`` and ``b`` block, chains go forward."""
    asked = draw(st.integers(0, 2)) == 0
    name = draw(asked_actions if asked else ready_actions)
    target = draw(st.sampled_from(("a", "b", *[state for state in ("c", "d") if state > source])))
    options: dict[str, Any] = {"delay": draw(times), "high_priority": draw(st.integers(0, 5)) == 0}
    if not asked:
        options |= {"retry_timeout": draw(times), "max_duration": draw(times)}
    if name == "send":
        options["ready"] = True
        options["args"] = {"action_name": "work", "target": draw(st.sampled_from(NAMES)), "wait_completion": True} | {
            "require": draw(st.sampled_from(("done", "any", "all"))), "timeout": draw(st.sampled_from((0.3, 9.0)))
        }  # fmt: skip
    if name == "ask":
        steps, timeouts = st.sampled_from((-1, 1, 3)), st.sampled_from((0.3, 1.0, 9.0))
        options["args"] = {"steps": draw(steps), "timeout": draw(timeouts)}
    return Edge(target, name, options, draw(st.integers(0, 4)) == 0)


@st.composite
def behaviors(draw: st.DrawFn) -> HybridStateMachine:
    hsm = machine(Member, "lobby")
    hsm.add_transit("lobby", "a", "greet")
    hsm.add_teleport("lobby", "a", "nop", delay=0.3)
    for state in STATES:
        hsm.add_state(
            state,
            action=draw(st.sampled_from((None, None, None, "maybe", "talk"))) if state in "ab" else None,
            waiting_time=draw(times),
            blocking=state in "ab",
        )
    for state in STATES:
        drawn = st.lists(edges(state), min_size=1, max_size=4, unique_by=lambda one: repr(one[:3]))
        for edge in draw(drawn):
            add = hsm.add_teleport if edge.teleport else hsm.add_transit
            add(state, edge.target, edge.action, **edge.options)
    return hsm


class Plan(NamedTuple):
    """What is done to a session from outside, and when."""

    early: int
    late: list[tuple[int, str]]
    leaving: list[tuple[int, str]]
    typed: list[tuple[int, str]]
    seed: int


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    early = draw(st.integers(1, 4))
    ticks = st.integers(1, TICKS - 1)
    late = [(draw(ticks), name) for name in NAMES[early : draw(st.integers(early, 5))]]
    leaving = draw(st.lists(st.tuples(ticks, st.sampled_from(NAMES)), max_size=2, unique_by=lambda item: item[1]))
    typed = draw(st.lists(st.tuples(ticks, st.sampled_from(NAMES)), max_size=3))
    return Plan(early, late, leaving, typed, draw(st.integers(0, 99)))


def play(hsm: HybridStateMachine, plan: Plan, whole: bool = False, **options: Any) -> tuple[str, list[Any], Session]:
    """Run a plan: tick by tick, or (``whole``) as far as possible at once between the things done from outside."""
    session = Session(room(guest=hsm), seed=plan.seed, delta=DELTA, **options)
    for name in NAMES[: plan.early]:
        session.add(Agent(), name, role_preference="guest")
    for tick in range(TICKS):
        for _, name in (item for item in plan.late if item[0] == tick):
            session.add(Agent(), name, role_preference="guest")
        for _, name in (item for item in plan.leaving if item[0] == tick and item[1] in session.nodes):
            session.remove(name, "bored")
        for _, name in (item for item in plan.typed if item[0] == tick and item[1] in session.nodes):
            session.say(name, f"hello at {tick}")
        if not whole:
            session.step()
        elif any(item[0] == tick + 1 for item in (*plan.late, *plan.leaving, *plan.typed)) or tick == TICKS - 1:
            session.run(max_cycles=tick - session.tick)
    return session.digest(), list(session.trace), session


@settings(max_examples=60, deadline=None)
@given(behaviors(), plans())
def test_the_agenda_is_the_naive_loop(hsm: HybridStateMachine, plan: Plan) -> None:
    digest, trace, session = play(hsm, plan, agenda=False)
    for options in ({}, {"strict": True}, {"whole": True}):
        same, records, other = play(hsm, plan, **options)  # type: ignore[arg-type]
        assert records == trace, options
        assert same == digest
        assert other.status() == session.status()
        assert (other.tick, other.now) == (session.tick, session.now)


def test_time_in_which_nothing_can_happen_is_jumped_over() -> None:
    hsm = machine(Member, "a")
    hsm.add_transit("a", "b", "go", delay=3600.0)
    session = Session(room(guest=hsm), delta=DELTA)
    session.add(Agent(), "Ann", role_preference="guest")
    ran: list[int] = []
    result = session.run("b", on_tick=lambda one: ran.append(one.tick))
    assert result.reason == "until"
    assert 3600.0 < session.now < 3601.0
    assert len(ran) < 10


def test_a_run_ends_when_nothing_can_happen_any_more() -> None:
    hsm = machine(Member, "a")
    hsm.add_transit("a", "b", "go", delay=5.0)
    session = Session(room(guest=hsm), delta=DELTA)
    session.add(Agent(), "Ann", role_preference="guest")
    assert session.run().reason == "quiet"
    assert session.states_of("Ann") == ["b"]


def test_max_cycles_counts_the_ticks_that_were_jumped_over() -> None:
    hsm = machine(Member, "a")
    session = Session(room(guest=hsm), delta=DELTA)
    session.add(Agent(), "Ann", role_preference="guest")
    assert session.run(max_cycles=1000) == ("max_cycles", 1000)
    assert session.tick == 999
    assert session.run(max_cycles=0) == ("max_cycles", 0)
    session.step()
    assert session.tick == 1000
