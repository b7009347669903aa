"""Who gets into a world, and as what."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from runtime.rooms import Room, machine, moves, records, room

from unaiverse_lab import Agent, Node, NodeProfile, Session, World, action
from unaiverse_lab.core.errors import BehaviorError, WorldError
from unaiverse_lab.core.records import Fault, Joined


class Pupil(Agent):
    """One of two roles."""

    @action
    async def study(self) -> bool:
        return True


class Teacher(Agent):
    """The other one."""


class School(World):
    """The first master teaches, everybody else learns."""

    def __init__(self, **options: Any) -> None:
        teacher, pupil = machine(Teacher, "teaching"), machine(Pupil, "fresh")
        pupil.add_transit("fresh", "learned", action="study", delay=0.1)
        super().__init__(
            roles={"teacher": Teacher, "pupil": Pupil}, behaviors={"teacher": teacher, "pupil": pupil}, **options
        )

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str | None:
        return "teacher" if is_world_master and len(self.world_masters) <= 1 else "pupil"


class Polite(School):
    """The same for the other convention: the joining master is not counted yet."""

    count_joining_master = False

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str | None:
        return "teacher" if is_world_master and len(self.world_masters) < 1 else "pupil"


def stages(session: Session, node: str) -> list[str]:
    return [record.stage for record in records(session, Joined, node)]


def refusal(session: Session, node: str) -> str | None:
    """Why a node was refused; the trace and the node agree."""
    told = [record.reason for record in records(session, Joined, node) if record.stage == "refused"]
    assert told == [session.node(node).why_refused]
    assert session.node(node).peer_id not in session.world.roster
    return told[0]


# ------------------------------------------------------------------ the handshake


def test_a_joiner_asks_is_admitted_takes_its_role_and_acts() -> None:
    session = Session(School())
    session.add(Agent(), "Ann")
    session.step(5)
    story = [
        (record.tick, record.kind, getattr(record, "stage", None) or getattr(record, "role", None))
        for record in session.trace
        if record.node == "Ann"
    ]
    assert story[:3] == [(0, "join", "asked"), (0, "join", "admitted"), (1, "role", "pupil")]
    assert isinstance(session.agent("Ann"), Pupil)
    assert session.agent("Ann").get_current_role() == "pupil"
    session.run(max_cycles=20)
    assert moves(session, "Ann") == ["fresh -study-> learned"]


def test_who_comes_before_the_world_waits_for_it() -> None:
    session = Session()
    session.add(Agent(), "Ann")
    session.add(School(), "School")
    session.step(3)
    assert stages(session, "Ann") == ["asked", "admitted"]


def test_a_late_joiner_gets_in_too() -> None:
    session = Session(School())
    session.step(50)
    session.add(Agent(), "Ann")
    session.step(3)
    assert stages(session, "Ann") == ["asked", "admitted"]


def test_leaving_and_coming_back() -> None:
    session = Session(School())
    session.add(Agent(), "Ann", master=True)
    session.step(3)
    session.remove("Ann", "home time")
    session.step(2)
    assert records(session, Joined, "Ann")[-1].reason == "home time"
    assert not session.world.roster
    assert not session.world.world_masters
    session.add(Agent(), "Ann", master=True)
    session.step(3)
    assert stages(session, "Ann") == ["asked", "admitted", "left", "asked", "admitted"]
    assert session.world.get_role("Ann") == "teacher"


def test_leaving_while_still_asking() -> None:
    session = Session(School())
    session.add(Agent(), "Ann")
    session.remove("Ann")
    session.step(3)
    assert "Ann" not in session.world.roster


def test_two_nodes_cannot_have_one_name() -> None:
    session = Session(School())
    session.add(Agent(), "Ann")
    with pytest.raises(WorldError, match="'Ann' already"):
        session.add(Agent(), "Ann")
    with pytest.raises(WorldError, match="already"):
        session.add(Agent(), "World")


def test_there_is_one_world_in_a_session() -> None:
    session = Session(School())
    with pytest.raises(WorldError, match="there is a world already"):
        session.add(School(), "Other")


def test_nodes_without_a_name_get_one_each() -> None:
    session = Session(School())
    assert [session.add(Agent()).name for _ in range(3)] == ["Agent1", "Agent2", "Agent3"]


# ------------------------------------------------------------------ refusals


def test_who_is_not_on_the_list_is_refused() -> None:
    session = Session(School(), allowed_node_ids=["node-Ann"])
    session.add(Agent(), "Ann")
    session.add(Agent(), "Bob")
    session.step(3)
    assert stages(session, "Ann") == ["asked", "admitted"]
    assert "not on the list" in (refusal(session, "Bob") or "")


def test_who_is_not_certified_is_refused() -> None:
    session = Session(School(), only_certified_agents=True)
    session.add(Agent(), "Ann", certified=True)
    session.add(Agent(), "Bob")
    session.step(3)
    assert stages(session, "Ann") == ["asked", "admitted"]
    assert "not certified" in (refusal(session, "Bob") or "")


class Strange(School):
    """Its assign_role does what it is told."""

    answer: Any = None

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "reason", "error"),
    [
        (None, "no role for you", None),
        (RuntimeError("out of chairs"), "out of chairs", "RuntimeError: out of chairs"),
        ("pupl", "no role 'pupl'", "Did you mean 'pupil'?"),
        ("xyz", "no role 'xyz'", "Known: pupil, teacher."),
    ],
)
def test_a_world_that_assigns_no_role_refuses_and_says_why(answer: Any, reason: str, error: str | None) -> None:
    world = Strange()
    world.answer = answer
    session = Session(world)
    session.add(Agent(), "Ann")
    session.step(3)
    assert stages(session, "Ann") == ["asked", "refused"]
    assert reason in (refusal(session, "Ann") or "")
    assert [fault.action for fault in records(session, Fault)] == ([] if error is None else ["assign_role"])
    assert all(error in fault.error for fault in records(session, Fault) if error)
    assert ("Ann", "", "empty", f"refused: {refusal(session, 'Ann')}") in session.status()


def test_an_error_in_assign_role_shows_the_line_of_the_world() -> None:
    world = Strange()
    world.answer = RuntimeError("out of chairs")
    session = Session(world)
    session.add(Agent(), "Ann")
    session.step(3)
    [fault] = records(session, Fault)
    assert (fault.node, fault.code) == ("World", "raise self.answer")
    assert (fault.where or "").startswith("test_joining.py:")


def test_a_refused_master_is_counted_no_more() -> None:
    world = Strange()
    session = Session(world)
    session.add(Agent(), "Ann", master=True)
    session.step(3)
    assert not world.world_masters


# ------------------------------------------------------------------ masters and roles


@pytest.mark.parametrize("options", [{"world_masters_node_names": ["Ann"]}, {"world_masters_node_ids": ["node-Ann"]}])
def test_masters_are_named_by_the_host(options: dict[str, Any]) -> None:
    session = Session(School(), **options)
    for name in ("Bob", "Ann"):
        session.add(Agent(), name)
    session.step(3)
    assert list(session.world.world_masters) == ["Ann"]
    assert session.world.get_role("Ann") == "teacher"


@pytest.mark.parametrize("world", [School, Polite])
@pytest.mark.parametrize("order", list(permutations(["Ann", "Bob", "Cyd"])))
@pytest.mark.parametrize("together", [True, False])
def test_of_three_who_may_lead_exactly_the_first_does(world: type[World], order: Any, together: bool) -> None:
    session = Session(world())
    for name in order:
        session.add(Agent(), name, master=True)
        if not together:
            session.step(4)
    session.step(4)
    assert [session.world.get_role(name) for name in order] == ["teacher", "pupil", "pupil"]
    assert list(session.world.world_masters) == list(order)


def test_roles_are_bits_with_augmented_names() -> None:
    session = Session(School())
    session.add(Agent(), "Ann", master=True)
    session.add(Agent(), "Bob")
    session.step(3)
    world = session.world
    assert world.CUSTOM_ROLES == ["pupil", "teacher"]
    assert world.ROLE_STR_TO_BITS["pupil"] == 4
    assert world.ROLE_STR_TO_BITS["world_master~teacher"] == 8 | 3
    assert world.ROLE_BITS_TO_STR[4 | 1] == "world_agent~pupil"
    assert world.roster == {"Ann": 8 | 3, "Bob": 4 | 1}
    ann, bob = session.agent("Ann"), session.agent("Bob")
    assert ann.get_current_role(return_int=True) == 11
    assert ann.get_current_role(ignore_base_role=False) == "world_master~teacher"
    assert ann.get_profile().role == "world_master~teacher"
    assert bob.get_profile().role == "world_agent~pupil"
    assert bob.role_bits == 4


def test_who_has_a_role_is_found_by_it() -> None:
    session = Session(School())
    for name, master in (("Ann", True), ("Bob", False), ("Cyd", True)):
        session.add(Agent(), name, master=master)
    session.step(3)
    bob = session.agent("Bob")
    assert bob.get_agents_by_role("pupil", handshake_completed=False) == ["Bob", "Cyd"]
    assert bob.get_agents_by_role(["teacher", "pupil"], handshake_completed=False) == ["Ann", "Bob", "Cyd"]
    assert bob.get_agents_by_role("world_master~pupil", handshake_completed=False) == ["Cyd"]
    assert bob.get_agents_by_role("world_master", handshake_completed=False) == ["Ann", "Cyd"]
    assert bob.get_agents_by_role("pupil") == []
    with pytest.raises(WorldError, match="'pupil'"):
        bob.get_agents_by_role("pupill")


def test_join_options_reach_assign_role_and_are_not_kept() -> None:
    seen: list[dict[str, Any]] = []

    class Curious(School):
        def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str:
            seen.append(profile.get_dynamic_profile())
            return "pupil"

    session = Session(Curious())
    session.add(Agent(), "Ann", role_preference="teacher", desk=3)
    session.step(3)
    assert (seen[0]["tmp_role_preference"], seen[0]["tmp_desk"]) == ("teacher", 3)
    kept = session.world.all_agents["Ann"].get_dynamic_profile()
    assert not [key for key in kept if key.startswith("tmp_")]


def test_worlds_of_one_process_have_their_own_roles() -> None:
    one, other = Session(School()), Session(room(a=machine(Pupil), z=machine(Pupil)))
    assert one.world.ROLE_STR_TO_BITS["teacher"] == 8
    assert "teacher" not in other.world.ROLE_STR_TO_BITS
    assert other.world.ROLE_BITS_TO_STR[4] == "a"


def test_roles_without_a_rule_to_assign_them_are_an_error() -> None:
    with pytest.raises(WorldError, match="assign_role"):
        Session(World(roles={"pupil": Pupil}, behaviors={"pupil": machine(Pupil)}))


def test_a_behavior_without_a_class_is_an_error() -> None:
    with pytest.raises(WorldError, match="'pupil' has a behavior but no class"):
        Session(Room(behaviors={"pupil": machine(Pupil)}))


def test_a_behavior_with_an_action_its_class_does_not_have_is_an_error() -> None:
    with pytest.raises(BehaviorError, match=r"behavior of role 'teacher'.*study"):
        Session(Room(roles={"teacher": Teacher}, behaviors={"teacher": str(pupil_machine())}))


def pupil_machine() -> Any:
    hsm = machine(Pupil)
    hsm.add_transit("ready", "ready", action="study")
    return hsm


def test_a_node_hosts_an_agent_or_a_world_and_has_a_name() -> None:
    with pytest.raises(WorldError, match="hosts an Agent or a World"):
        Node(object(), "thing")  # type: ignore[arg-type]
    with pytest.raises(WorldError, match="name"):
        Node(Agent())
    with pytest.raises(TypeError, match="no option 'colour'"):
        Node(Agent(), "Ann", colour="red")
