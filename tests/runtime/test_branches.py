"""Futures that were given up by going back: they can be had again, exactly as they were."""

import warnings

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from unaiverse_lab import Agent, HybridStateMachine, Session, World, action, load
from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.core.records import Injected, Redefined
from unaiverse_lab.runtime import branches, history, redefine
from unaiverse_lab.runtime.trace import digest_of, load_trace


@pytest.fixture(autouse=True)
def exact():
    """No replay may differ from the first run."""
    with warnings.catch_warnings(action="error"):
        yield


def talked(session, *lines):
    """Steps, typed lines, steps."""
    for line in lines:
        session.say("Ada", line)
        session.step(10)
    return session


def lines_of(session):
    return [record.value for record in session.trace.of_kind(Injected) if record.value.startswith("line")]


def test_what_was_given_up_can_be_had_again():
    session = talked(load("chat", seed=0).step(50), "line 1", "line 2")
    first, tick = session.digest(), session.tick
    assert session.branch == "main" and session.branches == []
    session.restart(54)
    (main,) = session.branches
    assert (main.name, main.tick, main.last, main.length) == ("main", 54, tick, tick - 54)
    assert session.branch == "branch 1" and repr(main).startswith(f"Branch('main': ticks 55 to {tick}, ")
    talked(session, "line 3")
    second, end = session.digest(), session.tick
    assert session.switch("main").tick == tick and session.digest() == first
    assert lines_of(session) == ["line 1", "line 2"] and session.branch == "main"
    assert [one.name for one in session.branches] == ["branch 1"]
    assert session.switch(session.branches[0]).tick == end and session.digest() == second
    assert lines_of(session) == ["line 1", "line 3"]


def test_what_is_just_repeated_is_no_branch():
    session = load("chat", seed=0).step(100)
    session.back(50)
    assert [one.name for one in session.branches] == ["main"]
    session.back(10)
    assert [(one.name, one.tick) for one in session.branches] == [("main", 39)], "the same future, from further back"
    session.goto(70)
    assert [one.name for one in session.branches] == ["main"]
    session.goto(99)
    assert session.branches == [] and session.branch == "main"


def test_branches_of_branches():
    session = talked(load("chat", seed=0).step(40), "line 1")
    talked(session.goto(30), "line 2")
    talked(session.goto(35), "line 3")
    talked(session.goto(20), "line 4")
    assert [(one.name, one.tick) for one in session.branches] == [("main", 20), ("branch 1", 20), ("branch 2", 20)]
    for name, said in {"branch 2": ["line 2", "line 3"], "main": ["line 1"], "branch 3": ["line 4"],
                       "branch 1": ["line 2"]}.items():  # fmt: skip
        assert lines_of(session.switch(name)) == said


def test_a_branch_goes_on_and_back_as_if_it_had_never_been_left():
    session = talked(load("chat", seed=0).step(40), "line 1", "line 2", "line 3")
    whole, tick = session.digest(), session.tick
    talked(session.goto(30), "line 4").switch("main")
    for moment in (65, 45, 55):
        session.goto(moment)
        assert lines_of(session) == [f"line {number + 1}" for number in range((moment - 29) // 10)]
        session.switch("main")
    assert session.digest() == whole
    session.step(20)
    straight = talked(load("chat", seed=0, history=False).step(40), "line 1", "line 2", "line 3").step(20)
    assert session.digest() == straight.digest() and session.tick == tick + 20


@pytest.mark.parametrize(("name", "ticks"), [("turing", 150), ("animal_school", 100)])
def test_members_and_what_they_learned_come_with_it(name, ticks):
    session = load(name, seed=0).step(ticks)
    straight, nodes = session.digest(), list(session.nodes)
    session.goto(ticks // 2).remove(nodes[1])
    session.step(20)
    assert nodes[1] not in session.nodes
    session.switch("main")
    assert session.digest() == straight and list(session.nodes) == nodes
    session.step(30)
    assert session.digest() == load(name, seed=0, history=False).step(ticks + 30).digest()


def test_files_statistics_and_badges_come_with_it(tmp_path):
    session = load("chat", seed=0)
    session.keep_checkpoints(tmp_path)
    session.step(40)
    session.world.add_badge("Ada", 0.5, "completed", badge_description="first")
    session.step(30)
    badges, rows = session.world.get_all_badges(), session.world.stats.query_history()
    written = session.digest()
    session.goto(30)
    session.world.add_badge("Polly", 0.7, "pro", badge_description="another")
    session.step(60)
    assert "Ada" not in session.world.get_all_badges()
    session.switch("main")
    assert session.world.get_all_badges() == badges and "Polly" not in badges
    assert session.world.stats.query_history() == rows
    session.trace.sync()
    assert session.digest() == written and len(session.trace.path.read_bytes().splitlines()) == len(session.trace)
    session.close()


def test_the_file_of_the_trace_goes_back_to_before_it_was_begun(tmp_path):
    session = load("chat", seed=0)
    session.keep_checkpoints(tmp_path)
    session.step(30)
    before = session.digest()
    session.goto(-1)
    session.trace.sync()
    assert len(session.trace.path.read_bytes().splitlines()) == len(session.trace) > 0
    session.step(30)
    session.trace.sync()
    assert digest_of(load_trace(session.trace.path)) == before == session.digest()
    session.close()


def test_only_so_many_are_kept(monkeypatch):
    monkeypatch.setattr(history, "BRANCHES", 3)
    session = load("chat", seed=0).step(30)
    for number in range(5):
        talked(session.goto(20).step(), f"line {number}")
    assert [one.name for one in session.branches] == ["branch 2", "branch 3", "branch 4"]
    monkeypatch.setattr(branches, "SNAPSHOTS", 2)
    talked(session, *[f"line {number}" for number in range(10)])
    name = session.branch
    talked(session.goto(20).step(), "another line")
    assert len(session.branches[-1].snapshots) == 2
    assert len(lines_of(session.switch(name))) == 11
    with pytest.raises(WorldError, match="too long ago"):
        session.goto(100)


def test_there_is_no_such_branch():
    session = load("chat", seed=0).step(30)
    with pytest.raises(WorldError, match="nothing differs from the run as it is now"):
        session.switch("main")
    talked(session.back(10), "line 1")
    with pytest.raises(WorldError, match=r"there is no branch 'mian'\. Did you mean 'main'"):
        session.switch("mian")
    with pytest.raises(WorldError, match=r"tick 90 has not been yet.*goto\(90\)"):
        session.restart(90)
    session = load("chat", seed=0, history=False).step(30)
    assert session.branches == [] and session.branch == "main"
    with pytest.raises(WorldError, match="keeps no history"):
        session.switch("main")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("step"), st.integers(1, 15)),
            st.tuples(st.just("say"), st.sampled_from(["hello", "and you?", "?"])),
            st.tuples(st.just("back"), st.integers(1, 30)),
            st.tuples(st.just("switch"), st.integers(0, 7)),
        ),
        min_size=4,
        max_size=25,
    )
)
@example([("step", 1), ("back", 1), ("say", "hello"), ("step", 1), ("switch", 0)])
def test_every_branch_is_what_it_was(moves):
    session, ends = load("chat", seed=4), {}
    for what, how in moves:
        kept = session.branches
        assert all(ends[one.name][0] == one.last for one in kept)
        if what in ("back", "switch"):
            ends[session.branch] = session.tick, session.digest(), session.world.stats.query_history()
        if what == "step":
            session.step(how)
        elif what == "say":
            session.say("Ada", how)
        elif what == "back":
            session.back(how)
        elif kept:
            name = kept[how % len(kept)].name
            session.switch(name)
            assert (session.tick, session.digest(), session.world.stats.query_history()) == ends[name]


# ---------------------------------------------------------------------- actions that were replaced


class Pupil(Agent):
    @action
    async def learn(self) -> bool:
        self.known = getattr(self, "known", 0) + 1
        return True


class School(World):
    def assign_role(self, profile, is_world_master):
        return "pupil"


async def learn_much(self) -> bool:
    self.known = getattr(self, "known", 0) + 100
    return True


async def learn_all(self) -> bool:
    self.known = 1_000_000
    return True


@pytest.fixture
def school():
    yield from schools(type("Pupil", (Pupil,), {"learn": action(Pupil.learn)}))


def schools(pupil):
    behavior = HybridStateMachine(pupil(proc=None))
    behavior.add_transit("at school", "at school", action="learn")
    session = Session(School(roles={"pupil": pupil}, behaviors={"pupil": behavior}), seed=1)
    session.add(Agent(proc=None), "Ann")
    yield session


def replace(session, function, version):
    """As a cell does it."""
    session.world.role_classes["pupil"].learn = action(function)
    redefine.note(session.synchronizer, "action", "pupil.learn", version - 1, version)
    redefine.replace_action(session.synchronizer, "pupil", "learn")


def versions(session):
    return [(record.tick, record.before, record.after) for record in session.trace.of_kind(Redefined)]


def test_a_replay_runs_what_held_then_and_going_on_runs_the_latest(school):
    school.step(20)
    then = school.agent("Ann").known
    replace(school, learn_much, 2)
    school.step(20)
    assert school.agent("Ann").known == then + 2000
    school.goto(30)
    assert school.agent("Ann").known == then + 1100 and versions(school) == [(19, 1, 2)]
    school.goto(15)
    assert school.agent("Ann").known == then - 4, "up to here it learned with the first version"
    assert versions(school) == [(15, 1, 2)], "and from here on with the second one"
    school.step(1)
    assert school.agent("Ann").known == then + 96
    school.goto(18)
    school.goto(17)
    assert school.agent("Ann").known == then + 196


def test_a_branch_remembers_its_own_code_and_goes_on_with_the_latest(school):
    school.step(20)
    then = school.agent("Ann").known
    replace(school, learn_much, 2)
    school.step(10)
    school.goto(15)
    replace(school, learn_all, 3)
    school.step(10)
    assert school.agent("Ann").known == 1_000_000
    school.switch("main")
    assert school.agent("Ann").known == then + 1000
    assert versions(school) == [(19, 1, 2), (29, 2, 3)]
    school.step(1)
    assert school.agent("Ann").known == 1_000_000


def test_other_sessions_of_the_same_class_keep_the_latest(school):
    (other,) = schools(school.world.role_classes["pupil"])
    school.step(20)
    replace(school, learn_much, 2)
    school.step(5)
    school.goto(10)
    other.step(10)
    assert other.agent("Ann").known % 100 == 0
