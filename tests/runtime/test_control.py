"""Where runs stop: breakpoints, what they wait for, one agent's act, requests made by hand."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runtime.rooms import Room, machine, room
from unaiverse_lab import Agent, Session, Stats, action, load
from unaiverse_lab.core.errors import LabError, WorldError
from unaiverse_lab.core.records import Badge, Completed, Fault, Injected, InState, Moved, Requested, Stat, Tried
from unaiverse_lab.runtime.expressions import ExpressionError, compile_expression, holds


class Walker(Agent):
    """Goes from left to right and back, stumbles at each third step, and counts."""

    @action
    async def walk(self) -> bool:
        self.steps = getattr(self, "steps", 0) + 1
        self.stats.store_stat("steps", self.steps, self.get_peer_id(), self.clock.get_time_ms())
        return self.steps % 3 != 0 or self.because("I stumbled")

    @action
    async def greet(self, who: str = "you", times: int = 1) -> bool:
        self.greeted = [*getattr(self, "greeted", []), (who, times)]
        return True

    @action
    async def fall(self) -> bool:
        raise ValueError("ouch")


class Steps(Stats):
    CUSTOM_AGENT_STATS_DYNAMIC_SCHEMA = {"steps": (int, 0)}


def walkers(*names, **options):
    hsm = machine(Walker, "left")
    hsm.add_transit("left", "right", action="walk")
    hsm.add_transit("right", "left", action="walk")
    for side in ("left", "right"):
        hsm.add_transit(side, side, action="greet", ready=False, args={"who": "all"})
    world = Room(roles={"walker": Walker}, behaviors={"walker": hsm}, stats=Steps(is_world=True))
    session = Session(world, seed=3, **options)
    for name in names or ("Ann", "Ben"):
        session.add(Agent(proc=None), name, role_preference="walker")
    return session


@pytest.fixture
def session():
    return walkers()


# ---------------------------------------------------------------------- what can be named


def first(session, **wanted):
    """The tick of the first record of that kind with these attributes."""
    kind = wanted.pop("kind")
    for record in session.trace.of_kind(kind):
        if all(getattr(record, name) == value for name, value in wanted.items()):
            return record.tick
    raise AssertionError("there is none")


@pytest.fixture(scope="module")
def whole():
    """The whole run, to look things up."""
    session = walkers()
    session.step(60)
    return session


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("right", {"kind": Moved, "target": "right"}),
        ("Ben:right", {"kind": Moved, "target": "right", "node": "Ben"}),
        ("walker:right", {"kind": Moved, "target": "right"}),
        ("left -> right", {"kind": Moved, "source": "left", "target": "right"}),
        ("left-->right", {"kind": Moved, "source": "left", "target": "right"}),
        ("right --walk--> left", {"kind": Moved, "source": "right", "action": "walk"}),
        ("Ben: right -walk-> *", {"kind": Moved, "source": "right", "node": "Ben"}),
        ("* -> left", {"kind": Moved, "target": "left"}),
        ("walk()", {"kind": Moved, "action": "walk"}),
        ("Ben: walk() failed", {"kind": Tried, "outcome": "failed", "node": "Ben"}),
        ("attempt", {"kind": Tried}),
        ("Ben:attempt", {"kind": Tried, "node": "Ben"}),
        ("steps >= 7", {"kind": Stat, "stat": "steps", "value": 7}),
        ("Ben: steps == 8", {"kind": Stat, "stat": "steps", "value": 8, "key": "Ben"}),
    ],
)
def test_a_run_stops_after_the_tick_in_which_it_happens(session, whole, what, wanted):
    breakpoint = session.break_on(what)
    assert session.run(max_cycles=60).reason == "break"
    assert session.tick == first(whole, **wanted)
    (hit,) = session.hits
    assert hit.breakpoint == breakpoint.name == what and hit.tick == session.tick
    assert session.trace[hit.number] is hit.record and hit.record.tick == hit.tick


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"what": "right", "on": "state"}, {"kind": Moved, "target": "right"}),
        ({"what": "left -> right", "on": "transition"}, {"kind": Moved, "target": "right"}),
        ({"what": "Ben", "on": "transition"}, {"kind": Moved, "node": "Ben"}),
        ({"on": "transition"}, {"kind": Moved}),
        ({"what": "Ben:walk", "on": "action"}, {"kind": Moved, "node": "Ben", "action": "walk"}),
        ({"what": "Ben", "on": "stat", "if_": "value > 3"}, {"kind": Stat, "key": "Ben", "value": 4}),
        ({"on": "attempt", "if_": "reason == 'I stumbled' and node != 'Ann'"}, {"kind": Tried, "node": "Ben"}),
        ({"what": "Ben", "if_": "kind == 'attempt'"}, {"kind": Tried, "node": "Ben"}),
        ({"what": "Ben", "on": "record", "if_": "kind == 'attempt'"}, {"kind": Tried, "node": "Ben"}),
    ],
)
def test_what_it_is_can_be_said(session, whole, options, wanted):
    session.break_on(**options)
    assert session.run(max_cycles=60).reason == "break"
    assert session.tick == first(whole, **wanted)


def test_faults_badges_and_messages():
    session = load("chat", seed=0)
    session.break_on("'what do you think'")
    session.break_on("Ada", on="badge", name="badge for Ada")
    assert session.run(max_cycles=500).reason == "break"
    assert "what do you think" in (getattr(session.hits[0].record, "value", None) or session.hits[0].record.text)
    session.unbreak("'what do you think'")
    session.synchronizer.between_ticks.append(
        lambda: session.tick == 200 and session.world.add_badge("Ada", 1.0, "completed")
    )
    session.run(max_cycles=500)
    assert [(hit.breakpoint, type(hit.record)) for hit in session.hits] == [("badge for Ada", Badge)]
    hsm = machine(Walker, "up")
    hsm.add_transit("up", "down", action="fall")
    faulty = Session(room(walker=hsm))
    faulty.add(Agent(proc=None), "Ann", role_preference="walker")
    for on in ({"what": "error"}, {"on": "fault"}, {"what": "Ann", "on": "fault", "if_": "'ouch' in error"}):
        faulty.break_on(**on)
    assert faulty.run(max_cycles=50).reason == "break"
    assert len(faulty.hits) == 3 and isinstance(faulty.hits[0].record, Fault)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"what": "Bne:right"}, "there is no node or role 'Bne'. Did you mean 'Ben'"),
        ({"what": "rihgt"}, "has a state 'rihgt'. Did you mean 'right'"),
        ({"what": "left -> rihgt"}, "has a state 'rihgt'. Did you mean 'right'"),
        ({"what": "left --wlk--> right"}, "has an action 'wlk'. Did you mean 'walk'"),
        ({"what": "wlk()"}, "has an action 'wlk'. Did you mean 'walk'"),
        ({"what": "walk() faild"}, "'faild' is no result of an action. Did you mean 'failed'"),
        ({"what": "stps > 3"}, "has no stat 'stps'. Did you mean 'steps'"),
        ({"what": "steps > many"}, "'many' is no value to compare 'steps' with"),
        ({"what": "x", "on": "stat"}, "'x' is no stat"),
        ({"what": "Ben:x", "on": "badge"}, "there is no node or role 'Ben:x'"),
        ({"what": "Ann", "on": "bagde"}, "on='bagde' is nothing to stop at. Did you mean 'badge'"),
        ({"what": "Bne", "on": "badge"}, "there is no node or role 'Bne'"),
        ({"what": "right", "hits": 0}, "1 or more, not 0"),
        ({"what": "right", "when": "during"}, "not 'during'"),
        ({"what": 3}, "as a text"),
        ({}, "What one can name"),
        ({"on": "badge", "if_": "scor > 0.5"}, "uses the name 'scor'.* Did you mean 'score'"),
        ({"on": "badge", "if_": "score >"}, "cannot be read"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest_name(session, options, message):
    with pytest.raises(LabError, match=message):
        session.break_on(**options)
    assert not session.breakpoints


def test_without_a_world_there_is_nothing_to_name():
    with pytest.raises(WorldError, match="no world yet"):
        Session().break_on("right")


def test_only_from_the_nth_time_on(session):
    session.break_on("Ann:walk() failed", hits=3)
    session.run(max_cycles=60)
    assert [record.outcome for record in session.trace.of_kind(Tried) if record.node == "Ann"] == ["failed"] * 3
    assert session.run(max_cycles=60).reason == "break"
    assert len([record for record in session.trace.of_kind(Tried) if record.node == "Ann"]) == 4
    session.goto(3)
    assert session.run(max_cycles=60).reason == "break"
    assert len([record for record in session.trace.of_kind(Tried) if record.node == "Ann"]) == 3, "counted anew"


def test_before_the_tick_in_which_it_happens(session, whole):
    session.break_on("Ben: walk() failed", when="before")
    tick = first(whole, kind=Tried, node="Ben")
    assert session.run(max_cycles=60).reason == "break" and session.tick == tick - 1
    assert not [record for record in session.trace.of_kind(Tried) if record.node == "Ben"]
    assert session.hits[0].tick == tick
    again = first(walkers().step(60), kind=Tried, node="Ben")
    session.run(max_cycles=60)
    assert session.tick > again and session.hits[0].tick == session.tick + 1, "passed, and on to the next time"
    with pytest.raises(WorldError, match="history=True"):
        walkers(history=False).break_on("right", when="before")


def test_breakpoints_are_replaced_switched_off_and_forgotten(session):
    one = session.break_on("right", name="mine")
    assert session.break_on("left", name="mine") is not one and list(session.breakpoints) == ["mine"]
    session.breakpoints["mine"].enabled = False
    assert session.run(max_cycles=20) == ("max_cycles", 20) and session.hits == []
    session.breakpoints["mine"].enabled = True
    assert session.step(20).tick < 39 and session.hits
    with pytest.raises(WorldError, match=r"there is no breakpoint 'mien'\. Did you mean 'mine'"):
        session.unbreak("mien")
    session.unbreak("mine")
    session.break_on("right")
    session.unbreak()
    assert session.run(max_cycles=20).reason == "max_cycles"
    found = session.break_on("right", if_="tick > 3", hits=2).to_dict()
    assert found == {"name": "right if tick > 3", "what": "right", "on": None, "if": "tick > 3", "hits": 2,
                     "when": "after", "enabled": True}  # fmt: skip


def test_breakpoints_outlive_going_back_which_they_do_not_stop(session):
    session.break_on("Ann:right")
    session.run(max_cycles=60)
    tick = session.tick
    session.goto(40)
    assert session.tick == 40, "goto goes where it is told to"
    session.goto(0)
    assert session.run(max_cycles=60) == ("break", tick)


WHERE = [
    "right",
    "Ann:left",
    "left -> right",
    "walk()",
    "Ben:walk() failed",
    "stat",
    "steps >= 5",
    "Ben:record",
    "send",
]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(WHERE), st.integers(1, 3), st.sampled_from(["before", "after"])), max_size=4),
    st.sampled_from(["run", "step"]),
)
def test_a_run_with_breakpoints_that_goes_on_is_the_run_without(places, how):
    straight, session = walkers(history=False).step(40), walkers()
    for number, (what, hits, when) in enumerate(places):
        session.break_on(what, hits=hits, when=when, name=str(number))
    stops = 0
    with warnings.catch_warnings(action="error"):
        while session.tick < 39:
            left = 39 - session.tick
            session.step(left) if how == "step" else session.run(max_cycles=left)
            stops += 1
            assert stops < 300
    assert session.digest() == straight.digest() and session.branches == []


# ---------------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("tick > 3", True),
        ("3 < tick <= 5 < 9", True),
        ("node == 'Ann' and not (tick == 4)", True),
        ("node in ['Ann', 'Ben'] or missing", True),
        ("record.node == 'Ben'", False),
        ("args['who'] == 'all' and len(args) == 1", True),
        ("args['what'] == 'all'", False),
        ("tick / 0 > 1", False),
        ("node > 3", False),
        ("lower(node) == 'ann' and starts(node, 'A')", True),
        ("max(tick, 2) * 2 - 1 == 9 and -tick < 0 and tick % 2 == 1", True),
        ("tick is not None and args is None", False),
        ("node * 1000000000 == ''", False),
        ("missing == 3", False),
    ],
)
def test_conditions(text, value):
    class Thing:
        tick, node, args = 5, "Ann", {"who": "all"}

    assert holds(compile_expression(text, ["tick", "node", "args", "missing"]), Thing()) is value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nod == 3", "name 'nod', which no record it looks at has. Did you mean 'node'"),
        ("__import__('os').system('ls')", "calls"),
        ("().__class__", "cannot be used here. Usable: and, or"),
        ("node.__class__", "cannot be used here"),
        ("record.node.upper()", "calls 'record.node.upper'"),
        ("[x for x in node]", "cannot be used here"),
        ("lambda: 3", "cannot be used here"),
        ("node ** 9999", "cannot be used here"),
        ("f'{node}'", "cannot be used here"),
        ("max(node, key=len)", "calls 'max'"),
        ("(node := 3)", "cannot be used here"),
        ("b'3' == node", "cannot be used here"),
        ("node ==", "cannot be read"),
        ("", "cannot be read"),
        ("(" * 500 + ")" * 500, "cannot be read"),
        ("x" * 1001, "longer than 1000"),
    ],
)
def test_conditions_are_a_small_part_of_python_only(text, message):
    with pytest.raises(ExpressionError, match=message):
        compile_expression(text, ["node", "tick"])


# ---------------------------------------------------------------------- run until


@pytest.mark.parametrize(
    ("until", "wanted"),
    [
        ("Ben:right", {"kind": Moved, "node": "Ben", "target": "right"}),
        ("right -> left", {"kind": Moved, "source": "right"}),
        ("Ben:walk() failed", {"kind": Tried, "node": "Ben"}),
        ("Ben:steps >= 4", {"kind": Stat, "key": "Ben", "value": 4}),
        ("attempt", {"kind": Tried}),
    ],
)
def test_a_run_waits_for_it(session, whole, until, wanted):
    assert session.run(until=until, max_cycles=60).reason == "until"
    assert session.tick == first(whole, **wanted) and session.hits == []


def test_states_are_waited_for_as_ever(session):
    session.run(until="walker:right", max_cycles=60)
    assert session.states_of("walker") == ["right", "right"]
    assert session.run(until="walker:right") == ("until", 0)
    assert session.run(until="right -> left", max_cycles=60).ticks > 0, "what happens is waited for from now on"
    with pytest.raises(WorldError, match=r"no behavior of this world has a state 'rihgt'\. Did you mean 'right'"):
        session.run(until="rihgt")
    assert session.run(until="quiet", max_cycles=30) == ("max_cycles", 30)


@pytest.mark.parametrize("agenda", [True, False])
def test_quiet_is_when_only_vain_attempts_are_made(agenda):
    class Sleeper(Walker):
        @action
        async def walk(self) -> bool:
            return self.link.clock.tick < 20

    hsm = machine(Sleeper, "left")
    hsm.add_transit("left", "right", action="walk")
    hsm.add_transit("right", "left", action="walk")
    session = Session(room(walker=hsm), agenda=agenda)
    session.add(Agent(proc=None), "Ann", role_preference="walker")
    assert session.run(until="quiet", max_cycles=500) == ("until", 30)
    assert session.trace.of_kind(Moved)[-1].tick == 19
    assert session.run(until="quiet 25", max_cycles=500) == ("until", 25)


def test_a_breakpoint_ends_a_run_that_waits_for_something_else(session):
    session.break_on("Ann:walk() failed")
    assert session.run(until="steps >= 50", max_cycles=500).reason == "break"


# ---------------------------------------------------------------------- one agent, one tick


def test_until_an_agent_has_acted_once(session):
    for name in ("Ben", "Ann", "Ben"):
        before = len(session.trace)
        assert session.step_agent(name).reason == "until"
        acts = [one for one in session.trace.since(before) if isinstance(one, Moved | Tried | InState)]
        assert [one.tick for one in acts if one.node == name] == [session.tick]
    with pytest.raises(WorldError, match="hosts a world"):
        session.step_agent("World")
    idle = walkers("Ann")
    idle.step(3).agent("Ann").behav.enable(False)
    assert idle.step_agent("Ann", max_cycles=7) == ("max_cycles", 7)


def test_what_happened_inside_a_tick(session):
    session.step(20)
    records = session.micro_steps()
    assert records and {record.tick for record in records} == {19}
    assert [session.micro_steps(tick) for tick in range(20)] == [
        [record for record in session.trace if record.tick == tick] for tick in range(20)
    ]
    assert session.micro_steps(500) == []


# ---------------------------------------------------------------------- requests made by hand


def known_to_each_other():
    session = walkers()
    session.step(5)
    session.agent("Ann").contact("Ben")
    session.step(5)
    assert session.agent("Ann").knows("Ben") and session.agent("Ben").knows("Ann")
    return session


def test_a_request_as_if_a_peer_had_asked():
    session = known_to_each_other()
    uuid = session.inject("Ben", "greet", {"who": "all"})
    session.step(3)
    assert session.agent("Ben").greeted == [("all", 1)]
    assert [record.value for record in session.trace.of_kind(Injected)] == ["greet(who='all'), as if by Ann"]
    (request,) = session.trace.of_kind(Requested)
    assert (request.node, request.requester, request.uuid, request.accepted) == ("Ben", "Ann", uuid, True)
    (end,) = [record for record in session.trace.of_kind(Completed) if record.uuid == uuid]
    assert (end.node, end.side, end.reason) == ("Ben", "received", "ok")
    assert not [record for record in session.trace if record.kind == "dropped"]


def test_a_request_that_fits_nowhere_is_refused_by_the_agent_and_recorded():
    session = known_to_each_other()
    session.inject("Ben", "greet", {"who": "nobody"}, requester="Ann")
    session.step(2)
    (request,) = session.trace.of_kind(Requested)
    assert not request.accepted and "does not take these arguments" in request.reason


def test_requests_that_make_no_sense():
    session = known_to_each_other()
    with pytest.raises(WorldError, match=r"no transition with the action 'great'\. Did you mean 'greet'"):
        session.inject("Ben", "great")
    with pytest.raises(WorldError, match="there is no node 'Bne'"):
        session.inject("Bne", "greet")
    session.add(Agent(proc=None), "Cid", role_preference="walker")
    session.step(5)
    with pytest.raises(WorldError, match=r"'Ben' does not know 'Cid', and would not listen.*Ann"):
        session.inject("Ben", "greet", {"who": "all"}, requester="Cid")
    with pytest.raises(WorldError, match="'Cid' has met nobody"):
        session.inject("Cid", "greet", {"who": "all"})
    with pytest.raises(WorldError, match="plain data"):
        session.inject("Ben", "greet", {"who": (number for number in range(3))})
    assert not session.trace.of_kind(Injected)


def test_a_request_is_repeated_when_going_back_to_after_it():
    session = known_to_each_other()
    session.inject("Ben", "greet", {"who": "all"})
    session.step(10)
    digest, tick = session.digest(), session.tick
    with warnings.catch_warnings(action="error"):
        session.goto(12).goto(tick)
        assert session.digest() == digest and session.branches == []
        session.goto(5).goto(tick)
    assert not hasattr(session.agent("Ben"), "greeted") and [one.name for one in session.branches] == ["main"]
    assert session.switch("main").agent("Ben").greeted == [("all", 1)] and session.digest() == digest


# ---------------------------------------------------------------------- what is shown


def test_a_session_says_why_and_shows_its_dashboard(session):
    session.step(10).agent("Ben").behav.enable(False)
    session.step(2)
    assert (
        session.why("Ben").explanation.code == "DISABLED" and session.why("Ben", tick=5).explanation.code != "DISABLED"
    )
    session.goto(6)
    assert session.why("Ben").explanation.code != "DISABLED"
    with pytest.raises(LabError, match="Did you mean 'Ben'"):
        session.why("Bne")
    assert "walker" in repr(session.dashboard(tick=5))
