"""Going back in time: the session is what it was, and going on from there repeats what happened."""

import random
import warnings
from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unaiverse_lab import Agent, HybridStateMachine, Session, World, action, gallery, load
from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.core.records import Injected, Moved
from unaiverse_lab.data.files import KeptFile
from unaiverse_lab.runtime import history

TICKS = {
    "chat": 400,
    "info_extraction": 250,
    "turing": 220,
    "cat_library": 300,
    "animal_school": 160,
    "signal_school": 300,
    "class_incremental_learning": 100,
    "social_learning": 120,
    "hello_world": 8,
    "collaboration": 12,
    "locations": 10,
    "roundtable": 40,
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", gallery())
def test_back_and_on_again_is_the_same_run_in_every_world_of_the_gallery(name):
    ticks = TICKS.get(name, 150)
    session, rng = load(name, seed=0), random.Random(name)
    session.step(ticks)
    digest = session.digest()
    for _ in range(20):
        steps = rng.randint(1, ticks)
        session.back(steps)
        assert session.tick == ticks - 1 - steps
        session.run(max_cycles=steps)
        assert session.digest() == digest


@dataclass
class Purse:
    coins: list[int] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)


class Keeper(Agent):
    """Has something of every kind, and changes all of it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.purse = Purse()
        self.count = Counter()
        self.last = deque(maxlen=3)
        self.table = {(1, "a"): np.zeros(2), None: torch.zeros(2)}
        self.dice = random.Random(3)
        self.torch_dice = torch.Generator().manual_seed(5)
        self.twin = self.purse
        self.change = self.spend

    def spend(self):
        self.purse.coins.append(self.dice.randint(0, 9))
        self.purse.kinds.add(str(len(self.purse.coins)))
        self.count[self.rng.randint(0, 3)] += 1
        self.last.append(len(self.purse.coins))
        self.table[1, "a"] += 1
        self.table[None] += torch.rand(2, generator=self.torch_dice)

    @action
    async def live(self) -> bool:
        self.change()
        return True

    def all_of_it(self):
        return (
            list(self.purse.coins), set(self.purse.kinds), dict(self.count), list(self.last),
            self.table[1, "a"].tolist(), self.table[None].tolist(), self.dice.getstate(),
        )  # fmt: skip


class Home(World):
    def assign_role(self, profile, is_world_master):
        return "keeper"


def keepers(count=2, **options):
    behavior = HybridStateMachine(Keeper(proc=None))
    behavior.add_transit("day", "night", action="live")
    behavior.add_transit("night", "day", action="live")
    session = Session(Home(roles={"keeper": Keeper}, behaviors={"keeper": behavior}), seed=1, **options)
    for number in range(count):
        session.add(Agent(proc=None), f"K{number}")
    return session


def test_whatever_agents_keep_is_taken_back():
    session = keepers()
    seen = []
    for _ in range(30):
        session.step()
        agents = [session.agent(name) for name in ("K0", "K1")]
        seen.append([agent.all_of_it() if isinstance(agent, Keeper) else None for agent in agents])
    for tick in (29, 12, 20, 3, 5, 25):
        session.goto(tick)
        assert [agent.all_of_it() for agent in agents] == seen[tick]
        assert agents[0].twin is agents[0].purse and agents[0].last.maxlen == 3


def test_nodes_agents_and_streams_stay_the_same_objects():
    session = load("chat", seed=0)
    session.step(100)
    before = {name: (node, node.agent, node.profile) for name, node in session.nodes.items()}
    streams = dict(session.agent("ChatAI").owned_streams)
    session.back(60)
    assert {name: (node, node.agent, node.profile) for name, node in session.nodes.items()} == before
    assert all(session.agent("ChatAI").owned_streams[name] is stream for name, stream in streams.items())


def test_before_the_first_tick_nobody_has_joined():
    session = keepers()
    session.step(20)
    session.goto(-1)
    assert session.tick == -1 and not session.world.roster and not session.trace.of_kind(Moved)
    assert all(type(session.agent(name)) is Agent for name in ("K0", "K1"))


def test_what_was_done_between_two_ticks_is_repeated():
    session = load("chat", seed=0)
    session.step(60)
    session.say("Ada", "what was that?")
    session.step(40)
    digest = session.digest()
    session.goto(80)
    assert [record.value for record in session.trace.of_kind(Injected)].count("what was that?") == 1
    session.goto(99)
    assert session.digest() == digest


def test_going_on_otherwise_makes_another_future():
    session = load("chat", seed=0)
    session.step(100)
    digest = session.digest()
    session.goto(50)
    session.say("Ada", "let us talk of something else")
    session.step(49)
    assert session.tick == 99 and session.digest() != digest
    changed = session.digest()
    session.goto(70)
    session.goto(99)
    assert session.digest() == changed


def test_members_that_came_or_left_later_are_not_there_or_back():
    session = keepers()
    session.step(10)
    session.add(Agent(proc=None), "Late")
    session.step(10)
    session.remove("K0")
    session.step(10)
    digest = session.digest()
    session.goto(5)
    assert list(session.nodes) == ["World", "K0", "K1"]
    session.goto(15)
    assert list(session.nodes) == ["World", "K0", "K1"], "forgotten: nobody added it in this future"
    again = keepers()
    again.step(10)
    again.add(Agent(proc=None), "Late")
    again.step(10)
    again.goto(15)
    assert "Late" in again.nodes
    again.goto(19)
    again.remove("K0")
    again.step(10)
    assert again.digest() == digest


def test_scores_and_badges_are_taken_back():
    session = keepers()
    session.step(10)
    session.world.add_badge("K0", 0.5, "completed", badge_description="first")
    session.step(5)
    session.world.add_badge("K0", 0.9, "pro", badge_description="second")
    session.step(5)
    session.goto(12)
    assert [badge["badge_description"] for badge in session.world.get_all_badges()["K0"]] == ["first"]
    assert len(session.agent("K0").get_profile().get_cv()) == 1
    session.goto(3)
    assert not session.world.get_all_badges().get("K0")


def test_files_that_are_kept_go_back_too(tmp_path):
    session = keepers()
    session.agent("K0").diary = KeptFile(tmp_path / "diary.txt")
    session.step(5)
    (tmp_path / "diary.txt").write_text("monday")
    session.agent("K0").link.wake()
    session.step(5)
    (tmp_path / "diary.txt").write_text("tuesday")
    session.goto(7)
    assert (tmp_path / "diary.txt").read_text() == "monday"
    session.goto(2)
    assert not (tmp_path / "diary.txt").exists()


def test_a_run_that_cannot_be_repeated_is_told():
    class Moody(Keeper):
        @action
        async def live(self) -> bool:
            return next(moods)

    moods = iter([True, False] * 20 + [False, True] * 40)
    behavior = HybridStateMachine(Moody(proc=None))
    behavior.add_transit("day", "night", action="live")
    behavior.add_transit("night", "day", action="live")
    session = Session(Home(roles={"keeper": Moody}, behaviors={"keeper": behavior}), seed=1)
    session.add(Agent(proc=None), "K0")
    session.step(30)
    with pytest.warns(UserWarning, match=r"differs from the first run at tick \d+, in 'K0'"):
        session.goto(25)


def test_what_cannot_be_noted_down_is_named():
    session = keepers()
    session.step(10)
    session.agent("K0").numbers = (number for number in range(3))
    session.agent("K0").link.wake()
    session.step(10)
    assert session.goto(9).tick == 9
    session = keepers()
    session.agent("K0").numbers = (number for number in range(3))
    session.step(10)
    with pytest.raises(WorldError, match=r"nodes\['K0'\].*numbers is a generator"):
        session.goto(5)


def test_no_history_no_way_back():
    session = keepers(history=False)
    session.step(10)
    with pytest.raises(WorldError, match=r"Session\(\.\.\., history=True\)"):
        session.back()
    with pytest.raises(WorldError, match="the first one is 0"):
        session.goto(-2)
    crowd = keepers(count=201)
    crowd.step(2)
    with pytest.raises(WorldError, match="so many nodes"):
        crowd.back()
    assert keepers(count=201, history=True).step(2).back().tick == 0


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("step"), st.integers(1, 30)),
            st.tuples(st.just("say"), st.sampled_from(["hello", "and you?", "?"])),
            st.tuples(st.just("back"), st.integers(1, 40)),
        ),
        max_size=12,
    )
)
def test_any_walk_through_time_ends_where_a_straight_run_would(moves):
    session, done = load("chat", seed=4), []
    for what, how in moves:
        if what == "step":
            session.step(how)
        elif what == "say":
            session.say("Ada", how)
            done.append((session.tick, how))
        else:
            with warnings.catch_warnings(action="error"):
                session.back(how)
            done = [one for one in done if one[0] <= session.tick]
    session.step(20)
    straight = load("chat", seed=4, history=False)
    for tick, text in done:
        straight.step(tick - straight.tick)
        straight.say("Ada", text)
    straight.step(session.tick - straight.tick)
    assert session.digest() == straight.digest()


def test_what_was_done_long_ago_is_repeated_or_said_to_be_out_of_reach(monkeypatch):
    monkeypatch.setattr(history, "KEPT", 8)
    session = load("chat", seed=0)
    for number in range(30):
        session.say("Ada", f"number {number}")
        session.step(5)
    digest, unreachable = session.digest(), 0
    for tick in (140, 3, 77, 120, 31, 149, 60):
        with warnings.catch_warnings(action="error"):
            try:
                session.goto(tick)
            except WorldError as error:
                assert "too long ago" in str(error) or "does not reach back" in str(error)
                unreachable += 1
                continue
        said = [record.value for record in session.trace.of_kind(Injected) if record.value.startswith("number")]
        assert said == [f"number {number}" for number in range(len(said))]
        assert len(said) - (tick + 5) // 5 in (0, 1), "what was said right after that tick may be included"
        assert len(session._history._snapshots) <= 8
        session = load("chat", seed=0)
        for number in range(30):
            session.say("Ada", f"number {number}")
            session.step(5)
        assert session.digest() == digest
    assert 0 < unreachable < 7


def test_weights_that_do_not_change_are_noted_once():
    big = torch.nn.Linear(300, 300)
    session = keepers()
    session.agent("K0").model = big
    session.step(3)
    for _ in range(5):
        session.agent("K0").link.wake()
        session.step(1)
    copied = [snapshot.frozen.copied for snapshot in session._history._snapshots]
    assert copied[0] > 300 * 300 * 4 and max(copied[2:]) < 1000
    with torch.no_grad():
        big.weight += 1
    session.agent("K0").link.wake()
    session.step(1)
    assert session._history._snapshots[-1].frozen.copied >= 300 * 300 * 4
    kept = big.weight.detach().clone()
    with torch.no_grad():
        big.weight.zero_()
    session.back(1)
    assert torch.equal(big.weight, kept)
