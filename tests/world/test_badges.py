"""Badges: who may propose, who decides, what is kept, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from runtime.rooms import Dropped, Fault, Room, Tried, machine, records

import unaiverse_lab as lab
from unaiverse_lab.core.badges import BadgeProposal
from unaiverse_lab.core.envelope import BadgeAwarded, BadgeSuggestion, BadgeSuggestions, ProfileUpdate
from unaiverse_lab.core.errors import BadgeError, WorldError
from unaiverse_lab.core.records import Badge
from unaiverse_lab.runtime.trace import load_trace
from unaiverse_lab.stats.database import TABLES, Database, DatabaseError
from unaiverse_lab.stats.stats import Stats
from unaiverse_lab.view.text import sentence
from unaiverse_lab.world.ledger import AWARDED, REFUSED, Entry, Ledger

from .courts import court, heard, suggest

ONLY_MASTERS = "only masters may suggest badges here, and Bob is none"


def held(session: lab.Session) -> dict[str, list[tuple[str, float]]]:
    """Type and score of all badges; world, ledger, member and trace agree about them."""
    badges = session.world.get_all_badges()
    for name in session.nodes:
        if name in session.world.roster:
            assert badges.get(name, []) == session.agent(name).get_profile().get_cv()
            assert badges.get(name, []) == session.world.all_agents[name].get_cv()
    found = {peer: [(badge["badge_type"], badge["score"]) for badge in given] for peer, given in badges.items()}
    assert sum(map(len, found.values())) == sum(record.awarded for record in records(session, Badge))
    told = [(record.node, record.badge_type, record.score, record.reason) for record in records(session, Badge)]
    assert told == [(entry.name, entry.type, entry.score, entry.reason) for entry in session.world.ledger.entries()]
    return found


# ------------------------------------------------------------------ proposing and deciding


@pytest.mark.parametrize("strict", [False, True])
def test_a_master_suggests_badges_and_they_add_up(strict: bool) -> None:
    session = court(strict=strict)
    suggest(session, "Ann", ["Bob", "Cyd"], 0.5, badge_type="attended")
    suggest(session, "Ann", "Bob", badge_description="Well done")
    assert held(session) == {"Bob": [("attended", 0.5), ("completed", 1.0)], "Cyd": [("attended", 0.5)]}
    assert [sentence(record) for record in records(session, Badge)] == [
        "Bob was awarded the badge 'attended' (score 0.5), as Ann suggested.",
        "Cyd was awarded the badge 'attended' (score 0.5), as Ann suggested.",
        "Bob was awarded the badge 'completed' (score 1), as Ann suggested: Well done.",
    ]
    assert heard(session, "Ann") == [
        ("badge", "Bob", "attended", True, None),
        ("badge", "Cyd", "attended", True, None),
        ("badge", "Bob", "completed", True, None),
    ]


@pytest.mark.parametrize(
    ("score", "kind", "said"),
    [
        (-1.0, "completed", "from 0 to 1, not -1.0"),
        (1.01, "completed", "from 0 to 1, not 1.01"),
        (float("nan"), "completed", "from 0 to 1, not nan"),
        (float("inf"), "completed", "from 0 to 1, not inf"),
        (True, "completed", "from 0 to 1, not True"),
        ("1", "completed", "from 0 to 1, not '1'"),
        (1.0, "complete", "no badge of type 'complete'. Did you mean 'completed'?"),
    ],
)
def test_there_is_no_such_badge(score: Any, kind: str, said: str) -> None:
    session = court()
    suggest(session, "Ann", "Bob", score, badge_type=kind)
    assert any(said in (record.reason or "") for record in records(session, Tried, "Ann"))
    with pytest.raises(BadgeError, match=said.replace(".", r"\.").replace("?", r"\?")) as raised:
        session.world.add_badge("Bob", score, kind)
    assert isinstance(raised.value, ValueError)
    assert held(session) == {}


@pytest.mark.parametrize("strict", [False, True])
def test_a_suggestion_that_slipped_through_is_refused_and_the_others_are_followed(tmp_path: Path, strict: bool) -> None:
    session = court(strict=strict)
    wrong = [
        BadgeSuggestion("Bob", float("nan"), "pro"), BadgeSuggestion("Bob", 2.0, "pro"),
        BadgeSuggestion("Eve", 1.0, "pro"),
    ]  # fmt: skip
    right = [BadgeSuggestion("Bob", 1.0, "pro")]
    session.node("Ann").post("World", BadgeSuggestions([*wrong, *right]))
    session.step(3)
    assert held(session) == {"Bob": [("pro", 1.0)]}
    assert [sentence(record) for record in records(session, Badge) if not record.awarded] == [
        "Bob was refused the badge 'pro', as Ann suggested: the score of a badge is a number from 0 to 1, not nan.",
        "Bob was refused the badge 'pro' (score 2), as Ann suggested: the score of a badge is a number from 0 to 1, "
        "not 2.0.",
        "Eve was refused the badge 'pro' (score 1), as Ann suggested: it is not a member of this world.",
    ]
    assert [(peer, accepted) for _, peer, _, accepted, _ in heard(session, "Ann")] == [
        ("Bob", False), ("Bob", False), ("Eve", False), ("Bob", True),
    ]  # fmt: skip
    session.trace.export(tmp_path / "out.jsonl")
    assert [record for record in load_trace(tmp_path / "out.jsonl") if isinstance(record, Badge)] == records(
        session, Badge
    )


def test_a_score_that_is_no_number_of_this_machine_is_refused_too() -> None:
    session = court()
    session.node("Ann").post("World", BadgeSuggestions([BadgeSuggestion("Bob", 10**400, "pro")]))
    session.step(3)
    [record] = records(session, Badge)
    assert (record.awarded, record.score) == (False, None)
    assert held(session) == {}


def test_nobody_awards_a_badge_to_itself() -> None:
    session = court()
    suggest(session, "Ann", ["Ann", "Bob"])
    suggest(session, "Bob", "Bob")
    assert held(session) == {"Bob": [("completed", 1.0)]}
    assert [(r.node, r.by, r.reason) for r in records(session, Badge) if not r.awarded] == [
        ("Ann", "Ann", "nobody awards a badge to itself"),
        ("Bob", "Bob", "nobody awards a badge to itself"),
    ]


def test_who_is_no_master_may_suggest_and_is_told_why_not() -> None:
    session = court()
    suggest(session, "Bob", "Cyd")
    assert held(session) == {}
    assert [(r.node, r.by, r.reason) for r in records(session, Badge)] == [("Cyd", "Bob", ONLY_MASTERS)]
    assert heard(session, "Bob") == [("badge", "Cyd", "completed", False, ONLY_MASTERS)]
    [entry] = session.world.ledger.entries()
    assert (entry.status, entry.proposer, entry.decided_by, entry.reason) == (REFUSED, "Bob", "World", ONLY_MASTERS)


def test_strangers_may_not_even_suggest() -> None:
    session = court()
    session.synchronizer.transport.post("Eve", "World", BadgeSuggestions([BadgeSuggestion("Bob", 1.0, "pro")]))
    session.step(2)
    assert records(session, Dropped)[-1].reason == "Eve is not a member and may not suggest badges"
    assert session.world.ledger.entries() == []


def test_the_world_has_the_last_word() -> None:
    seen: list[BadgeProposal] = []

    class Strict(Room):
        def decide_badge(self, proposal: BadgeProposal) -> bool | str:
            seen.append(proposal)
            return proposal.score > 0.5 if proposal.by_master else "ask Ann"

    session = court(Strict)
    suggest(session, "Ann", "Bob", 0.5)
    suggest(session, "Ann", "Bob", 0.6, badge_description="Good")
    suggest(session, "Bob", "Bob")
    assert held(session) == {"Bob": [("completed", 0.6)]}
    assert [r.reason for r in records(session, Badge)] == ["the world decided otherwise", None, "ask Ann"]
    assert seen[1] == BadgeProposal("Ann", "Bob", 0.6, "completed", "Good", True)
    with pytest.raises(AttributeError):
        seen[1].score = 1.0  # type: ignore[misc]


def test_a_world_may_let_everybody_award_even_to_itself() -> None:
    class Generous(Room):
        def decide_badge(self, proposal: BadgeProposal) -> bool:
            return True

    session = court(Generous)
    suggest(session, "Bob", ["Bob", "Cyd"])
    assert held(session) == {"Bob": [("completed", 1.0)], "Cyd": [("completed", 1.0)]}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (KeyError("x"), "KeyError: 'x'"),
        (None, "decide_badge returned None: return True"),
        (0.7, "decide_badge returned 0.7"),
    ],
)
def test_a_rule_that_is_broken_refuses_and_the_world_goes_on(answer: Any, error: str) -> None:
    class Broken(Room):
        def decide_badge(self, proposal: BadgeProposal) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

    session = court(Broken)
    suggest(session, "Ann", ["Bob", "Cyd"])
    assert held(session) == {}
    assert ["could not decide" in (r.reason or "") for r in records(session, Badge)] == [True, True]
    assert [fault.action for fault in records(session, Fault, "World")] == ["decide_badge"] * 2
    assert error in records(session, Fault, "World")[0].error


def test_a_world_awards_badges_on_its_own() -> None:
    session = court()
    session.world.add_badge("Bob", 0, "intermediate", "token", "Half way")
    session.step(2)
    assert held(session) == {"Bob": [("intermediate", 0.0)]}
    assert session.world.get_all_badges()["Bob"][0]["agent_token"] == "token"
    [record] = records(session, Badge)
    assert sentence(record) == "Bob was awarded the badge 'intermediate' (score 0): Half way."
    with pytest.raises(WorldError, match="'Eve' is not a member"):
        session.world.add_badge("Eve", 1.0, "pro")
    assert len(session.world.ledger.entries()) == 1


# ------------------------------------------------------------------ in profiles


def test_peers_hear_of_a_badge() -> None:
    session = court()
    session.agent("Cyd").contact("Bob")
    session.step(3)
    assert session.agent("Cyd").all_agents["Bob"].get_cv() == []
    suggest(session, "Ann", "Bob")
    assert [badge["score"] for badge in session.agent("Cyd").all_agents["Bob"].get_cv()] == [1.0]


def test_a_member_cannot_write_its_own_badges() -> None:
    session = court()
    suggest(session, "Ann", "Bob")
    real = session.world.all_agents["Bob"].get_cv()
    forged = {**session.node("Bob").profile.to_dict(), "cv": [{"badge_type": "pro", "score": 1.0}] * 3}
    session.node("Bob").post("World", ProfileUpdate(forged))
    session.step(2)
    assert session.world.all_agents["Bob"].get_cv() == real
    session.node("Bob").post("Cyd", BadgeAwarded({"badge_type": "pro", "score": 1.0}))
    session.step(2)
    assert session.agent("Cyd").get_profile().get_cv() == []
    assert records(session, Dropped, "Cyd")[-1].reason == "Bob spoke as if it were the world"
    assert held(session) == {"Bob": [("completed", 1.0)]}


def test_badges_brought_along_are_not_believed() -> None:
    session = court()
    node = lab.Node(lab.Agent(), "Dan")
    node.profile.set_cv([{"badge_type": "pro", "score": 1.0}])
    session.add(node, role_preference="judge")
    session.step(3)
    assert session.world.all_agents["Dan"].get_cv() == []
    assert node.profile.get_cv() == []
    assert held(session) == {}


def test_badges_are_remembered_when_their_holder_has_left() -> None:
    session = court()
    suggest(session, "Ann", "Bob")
    session.remove("Bob")
    suggest(session, "Ann", "Bob")
    assert {peer: len(badges) for peer, badges in session.world.get_all_badges().items()} == {"Bob": 1}


def test_who_comes_back_has_its_badges_again() -> None:
    session = court()
    suggest(session, "Ann", "Bob", 0.25)
    session.remove("Bob")
    session.step(2)
    session.add(lab.Agent(), "Bob", role_preference="judge")
    session.step(3)
    assert held(session) == {"Bob": [("completed", 0.25)]}
    suggest(session, "Ann", "Bob", 0.75)
    assert held(session) == {"Bob": [("completed", 0.25), ("completed", 0.75)]}


def test_another_node_of_the_same_name_has_none_of_them() -> None:
    session = court()
    suggest(session, "Ann", "Bob")
    session.remove("Bob")
    session.step(2)
    session.add(lab.Node(lab.Agent(), "Bob", node_id="another"), role_preference="judge")
    session.step(3)
    assert session.world.all_agents["Bob"].get_cv() == []


def test_the_profile_of_the_world_tells_of_badges_and_members() -> None:
    session = court()
    suggest(session, "Ann", ["Bob", "Cyd"])
    suggest(session, "Ann", "Bob", 0.5)
    summary = session.world.get_profile().get_dynamic_profile()["world_summary"]
    assert summary == {
        "world_title": "World",
        "world_agents": ["Bob", "Cyd"],
        "world_masters": ["Ann"],
        "world_agents_count": 2,
        "world_masters_count": 1,
        "total_agents": 3,
        "agent_badges_count": 3,
        "agent_badges": session.world.get_all_badges(),
        "streams_count": 0,
    }


# ------------------------------------------------------------------ the ledger


def test_clearing_begins_a_new_epoch_and_deletes_nothing() -> None:
    session = court()
    live = session.world.get_all_badges()
    suggest(session, "Ann", "Bob", 0.5)
    assert list(live) == ["Bob"]
    session.world.clear_badges()
    assert live == {} == session.world.get_all_badges()
    suggest(session, "Ann", "Cyd", 1.0)
    assert list(live) == ["Cyd"]
    assert session.world.ledger.epoch == 1
    assert [(entry.status, entry.peer, entry.epoch) for entry in session.world.ledger.entries()] == [
        ("awarded", "Bob", 0), ("cleared", "", 1), ("awarded", "Cyd", 1),
    ]  # fmt: skip
    assert [badge["score"] for badge in session.world.all_agents["Bob"].get_cv()] == [0.5]


def test_a_world_that_is_started_again_knows_what_it_awarded(tmp_path: Path) -> None:
    file = tmp_path / "stats" / "world.db"
    first = court(stats=Stats(is_world=True, db_path=file))
    suggest(first, "Ann", "Bob", 0.5, badge_description="Ada’s «prize» \ud83d")
    suggest(first, "Bob", "Cyd")
    before = first.world.ledger.entries()
    told = first.world.get_all_badges()
    assert file.exists()
    del first  # as after a crash: nobody closed anything

    again = court(stats=Stats(is_world=True, db_path=file))
    assert again.world.ledger.entries() == before
    assert again.world.get_all_badges() == told
    assert again.world.all_agents["Bob"].get_cv() == told["Bob"] == again.node("Bob").profile.get_cv()
    assert [entry.status for entry in before] == [AWARDED, REFUSED]
    again.world.clear_badges()
    third = court(stats=Stats(is_world=True, db_path=file))
    assert (third.world.ledger.epoch, third.world.get_all_badges()) == (1, {})
    assert third.world.all_agents["Bob"].get_cv() == told["Bob"]


def test_the_ledger_follows_the_database_back_in_time() -> None:
    session = court()
    suggest(session, "Ann", "Bob", 0.25)
    world = session.world
    mark = world.stats.database.mark
    live, before = world.get_all_badges(), {peer: list(given) for peer, given in world.get_all_badges().items()}
    world.clear_badges()
    suggest(session, "Ann", "Cyd", 0.75)
    assert list(world.get_all_badges()) == ["Cyd"]
    world.stats.database.back_to(mark)
    assert world.get_all_badges() == before
    assert world.get_all_badges() is live
    assert (world.ledger.epoch, len(world.ledger.entries())) == (0, 1)


class Examiner(lab.Agent):
    """Suggests a badge for Bob, and later one for itself and Bob, and a role."""

    @lab.action
    async def judge(self) -> bool:
        if self.clock.tick == 10:
            return await self.suggest_badges_to_world("Bob", 0.25)
        if self.clock.tick == 20:
            await self.suggest_role_to_world("Bob", "clerk")
            return await self.suggest_badges_to_world(["Ann", "Bob"], 0.75)
        return False


@pytest.mark.parametrize("file", [False, True])
def test_going_back_takes_badges_back_and_the_same_happens_again(file: bool, tmp_path: Path) -> None:
    examiner = machine(Examiner)
    examiner.add_transit("ready", "ready", action="judge")
    stats = Stats(is_world=True, db_path=tmp_path / "world.db") if file else Stats(is_world=True)
    roles = {"examiner": Examiner, "pupil": lab.Agent, "clerk": lab.Agent}
    behaviors = {"examiner": examiner, "pupil": machine(lab.Agent), "clerk": machine(lab.Agent, "filing")}
    session = lab.Session(Room(roles=roles, behaviors=behaviors, stats=stats))
    session.add(lab.Agent(), "Ann", master=True, role_preference="examiner")
    session.add(lab.Agent(), "Bob", role_preference="pupil")

    def story() -> tuple[Any, str]:
        session.goto(30)
        return [*session.world.ledger.entries()], session.digest()

    told = story()
    assert held(session) == {"Bob": [("completed", 0.25), ("completed", 0.75)]}
    for tick in (15, 5, 23, 13):
        session.goto(tick)
        badges = 2 if tick > 20 else 1 if tick > 11 else 0
        assert sum(map(len, held(session).values())) == badges
        assert session.world.get_role("Bob") == ("clerk" if tick > 20 else "pupil")
        assert story() == told


def test_a_full_disk_delays_the_ledger_and_loses_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    session = court(stats=Stats(is_world=True, db_path=tmp_path / "world.db"))

    def full() -> None:
        raise DatabaseError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(session.world.stats.database, "flush", full)
        suggest(session, "Ann", "Bob")
        assert any("the disk is full" in fault.error for fault in records(session, Fault, "World"))
        assert list(session.world.get_all_badges()) == ["Bob"]
    assert held(session) == {"Bob": [("completed", 1.0)]}


def test_a_ledger_costs_a_world_without_badges_no_question_to_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    session = court()
    monkeypatch.setattr(session.world.stats.database, "rows", lambda *_: pytest.fail("asked the database"))
    session.add(lab.Agent(), "Dan", role_preference="judge")
    session.step(3)
    assert session.world.get_role("Dan") == "judge"


def test_lines_of_the_ledger_are_what_was_entered() -> None:
    ledger = Ledger(Database(None, TABLES))
    entry = Entry(1.5, "Bob", "node-Bob", "Bob", "pro", 0.5, "Fine", "t", "Ann", "World", AWARDED)
    assert ledger.add(entry) == {
        "agent_node_id": "node-Bob",
        "agent_token": "t",
        "badge_type": "pro",
        "score": 0.5,
        "badge_description": "Fine",
        "last_edit_utc": "1970-01-01T00:00:01.500+00:00",
    }
    assert ledger.entries() == [entry]
    assert ledger.earned("node-Bob") == ledger.held["Bob"]
    assert ledger.earned("node-Eve") == []
