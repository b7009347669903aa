"""The gate and the books of a world: who may enter, who is who, whose messages count, and who is forgotten."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from runtime.rooms import Dropped, Fault, Room, machine, records, room

from unaiverse_lab import Agent, Node, NodeProfile, Session, Stream, World
from unaiverse_lab.core.envelope import (
    BadgeSuggestion,
    BadgeSuggestions,
    Body,
    Contact,
    Farewell,
    ProfileMessage,
    ProfileUpdate,
    RoleChange,
    RoleSuggestions,
    StreamRequest,
    Subscription,
    WorldApproval,
    WorldRefusal,
)
from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.core.records import Joined, RoleSet

from .courts import court


class Listener:
    """Stands between a world and its node, and notes what the world posts."""

    def __init__(self, world: World) -> None:
        self.inner: Any = world.link
        self.sent: list[tuple[str, Any]] = []
        world.link = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def post(self, target: str, body: Body) -> bool:
        self.sent.append((target, body))
        return bool(self.inner.post(target, body))


def post(session: Session, sender: str, target: str, body: Body | bytes) -> list[str]:
    """Post a message past the agents; the reasons for which it was dropped."""
    before = len(records(session, Dropped))
    session.synchronizer.transport.post(sender, target, body)
    session.step(3)
    return [record.reason for record in records(session, Dropped)[before:]]


def profile_of(session: Session, name: str, static: dict[str, Any] | None = None, **dynamic: Any) -> dict[str, Any]:
    """A node's profile with some fields forged."""
    told = session.node(name).profile.to_dict()
    return {"static": {**told["static"], **(static or {})}, "dynamic": {**told["dynamic"], **dynamic}, "cv": told["cv"]}


def goes_on(session: Session) -> None:
    """The world still works: somebody can join, get a role, and be given another one."""
    session.add(Agent(), "Zoe", role_preference="judge")
    session.step(3)
    assert session.world.get_role("Zoe") == "judge"
    assert not records(session, Fault)


# ------------------------------------------------------------------ whatever arrives


@pytest.mark.parametrize("sender", ["Bob", "Eve"])
@pytest.mark.parametrize(
    "message",
    [
        {"type": "profile", "profile": {}},
        {"type": "profile", "profile": []},
        {"type": "profile", "profile": {"static": None}},
        {"type": "profile", "profile": {"static": {"node_id": 1, "node_type": "agent", "node_name": "Eve"}}},
        {"type": "profile", "profile": {"static": {"node_name": "Eve"}}},
        {"type": "profile_update", "profile": {"dynamic": {}}},
        {"type": "badge_suggestions", "suggestions": {"peer_id": "Bob"}},
        {"type": "badge_suggestions", "suggestions": [{"peer_id": "Bob"}]},
        {"type": "badge_suggestions", "suggestions": [{"peer_id": "Bob", "score": "high", "badge_type": "pro"}]},
        {"type": "role_suggestions", "suggestions": [["Bob", "clerk"]]},
        {"type": "role_suggestions", "suggestions": [{"peer_id": "Bob", "role": 4}]},
        {"type": "hsm", "method": "set_state", "args": ["ready"]},
        {"type": "get_cv_from_root"},
    ],
)
def test_one_malformed_message_is_dropped_with_a_reason_and_ends_nothing(message: Any, sender: str) -> None:
    session = court()
    roster = dict(session.world.roster)
    [reason] = post(session, sender, "World", msgspec.msgpack.encode(message))
    assert reason
    assert session.world.roster == roster
    assert session.node("World").dropped == 1
    goes_on(session)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("dynamic", [1], "'dynamic' of a profile is a mapping"),
        ("cv", 3, "'cv' of a profile is a list"),
    ],
)
def test_fields_of_a_profile_are_what_they_should_be(field: str, value: Any, said: str) -> None:
    session = court()
    told = {**session.node("Bob").profile.to_dict(), field: value}
    with pytest.raises(WorldError, match=said):
        NodeProfile.from_dict(told)
    [reason] = post(session, "Bob", "World", ProfileUpdate(told))
    assert said in reason


@pytest.mark.parametrize("dynamic", [{"connections": None}, {"streams": "all"}, {"proc_inputs": {}}])
def test_the_live_half_of_a_profile_is_checked_too(dynamic: dict[str, Any]) -> None:
    session = court()
    [reason] = post(session, "Bob", "World", ProfileUpdate(profile_of(session, "Bob", **dynamic)))
    assert f"the field {next(iter(dynamic))!r} of a profile is a" in reason
    assert session.world.all_agents["Bob"].role == "world_agent~judge"
    goes_on(session)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (RoleSuggestions([{"peer_id": "Bob", "role": "clerk"}]), "suggest roles"),
        (BadgeSuggestions([BadgeSuggestion("Bob", 1.0, "pro")]), "suggest badges"),
        (StreamRequest(["s"], "1", 5), "ask for streams"),
        (Subscription(["s"]), "subscribe to streams"),
        (None, "change a profile here"),
    ],
)
@pytest.mark.parametrize("who", ["stranger", "asking", "refused", "departed"])
def test_who_is_no_member_is_not_heard(body: Body | None, what: str, who: str) -> None:
    session = court()
    if who == "refused":
        session.add(Agent(), "Eve")
        session.step(3)
        assert session.node("Eve").state == "refused"
    if who == "departed":
        session.add(Agent(), "Eve", role_preference="judge")
        session.step(3)
        session.remove("Eve")
        session.step(2)
    sent = body or ProfileUpdate({"static": {"node_id": "x", "node_type": "agent", "node_name": "Eve"}})
    if who == "asking":
        session.synchronizer.transport.post("Eve", "World", sent)
        session.add(Agent(), "Eve", role_preference="judge")
        session.step(3)
        reasons = [record.reason for record in records(session, Dropped)]
    else:
        reasons = post(session, "Eve", "World", sent)
    assert reasons == [f"Eve is not a member and may not {what}"]
    assert session.world.get_role("Bob") == "judge"
    assert session.world.get_all_badges() == {}
    goes_on(session)


# ------------------------------------------------------------------ who is who


@pytest.mark.parametrize(
    ("static", "dynamic"),
    [
        ({}, {"peer_id": "Ann"}),
        ({"node_id": "node-Ann"}, {}),
        ({"node_name": "Ann"}, {}),
        ({"node_name": "Ann", "node_id": "node-Ann"}, {}),
        ({"node_name": "Ann", "node_id": "node-Ann"}, {"peer_id": "Ann"}),
    ],
)
def test_nobody_joins_as_somebody_else(static: dict[str, Any], dynamic: dict[str, Any]) -> None:
    """Eve has a node of her own, and says she is Ann, who leads."""
    session = court(allowed_node_ids=["node-Ann", "node-Bob", "node-Cyd"])
    roster, master = dict(session.world.roster), session.world.world_masters["Ann"]
    node = Node(Agent(), "Eve")
    session.synchronizer.add_node(node)
    session.step(3)
    assert "not on the list of allowed nodes" in (node.why_refused or "")
    node.state = "asking"
    [reason] = post(session, "Eve", "World", ProfileMessage(profile_of(session, "Eve", static, **dynamic)))
    assert reason.startswith("Eve asked to join")
    assert (node.state, node.why_refused) == ("refused", reason)
    assert session.world.roster == roster
    assert session.world.world_masters == {"Ann": master}


def test_a_member_that_asks_again_changes_nothing() -> None:
    session = court()
    session.world.gate.masters.add("node-Bob")
    [reason] = post(session, "Bob", "World", ProfileMessage(profile_of(session, "Bob"), {"role_preference": "clerk"}))
    assert reason == "Bob is a member already"
    assert (session.world.get_role("Bob"), session.node("Bob").state) == ("judge", "member")
    assert not session.world.is_master("Bob")


def test_a_member_can_tell_what_it_offers_but_not_who_it_is() -> None:
    session = court()
    forged = profile_of(
        session, "Bob", {"node_name": "Ann", "node_id": "node-Ann", "certified": True, "node_type": "human"},
        peer_id="Ann", connections={"role": "world_master~clerk"}, streams=[{"name": "news"}], tmp_desk=3,
    )  # fmt: skip
    assert post(session, "Bob", "World", ProfileUpdate(forged)) == []
    known = session.world.all_agents["Bob"]
    assert (known.name, known.node_id, known.peer_id, known.role) == ("Bob", "node-Bob", "Bob", "world_agent~judge")
    assert (known.get_static_profile()["certified"], known.is_human) == (False, False)
    assert known.get_dynamic_profile()["streams"] == [{"name": "news"}]
    assert "tmp_desk" not in known.get_dynamic_profile()
    assert session.world.world_agents["Bob"] is known


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (WorldRefusal("go away"), "refused a node that was not asking"),
        (WorldApproval("World", 7, "clerk"), "let in a node that was not asking"),
    ],
)
def test_a_member_is_not_admitted_or_refused_once_more(body: Body, said: str) -> None:
    session = court()
    [reason] = post(session, "World", "Bob", body)
    assert said in reason
    assert session.node("Bob").state == "member"
    assert len(records(session, RoleSet, "Bob")) == 1


def test_who_is_no_member_takes_no_role() -> None:
    session = court()
    session.add(Agent(), "Eve")
    session.step(3)
    [reason] = post(session, "World", "Eve", RoleChange(5, "judge"))
    assert reason == "the world gave the role 'judge' to a node that is no member"
    assert session.states_of("Eve") == ["empty"]


def test_who_is_in_no_world_meets_nobody() -> None:
    session = court()
    session.add(Agent(), "Eve")
    session.step(3)
    post(session, "Bob", "Eve", Contact(session.node("Bob").profile.to_dict()))
    assert session.agent("Eve").all_agents == {}


def test_a_joiner_learns_nothing_of_lists_and_other_members() -> None:
    session = court(allowed_node_ids=["node-Ann", "node-Bob", "node-Cyd", "node-Dan"])
    listener = Listener(session.world)
    session.add(Agent(), "Dan", role_preference="judge")
    session.step(3)
    [(target, approval)] = listener.sent
    assert target == "Dan"
    assert isinstance(approval, WorldApproval)
    text = msgspec.json.encode(approval).decode()
    assert not [name for name in ("node-Ann", "Ann", "Bob", "Cyd", "clerk", "import ", "class ") if name in text]


# ------------------------------------------------------------------ certified


@pytest.mark.parametrize("certified", [None, "yes", 1, "True"])
def test_the_world_itself_asks_for_the_flag_and_takes_nothing_else_for_it(certified: Any) -> None:
    session = court(only_certified_agents=True)
    assert session.world.roster == {}
    node = Node(Agent(), "Eve", certified=certified)
    session.add(node, role_preference="judge")
    session.step(3)
    assert "is not certified" in (node.why_refused or "")
    session.add(Agent(), "Dan", certified=True, role_preference="judge")
    session.step(3)
    assert list(session.world.roster) == ["Dan"]


# ------------------------------------------------------------------ nothing half done


@pytest.mark.parametrize("how", ["raises", "refuses", "half"])
def test_who_could_not_be_enrolled_is_refused_and_on_no_list(how: str) -> None:
    class Choosy(Room):
        async def add_agent(self, peer_id: str, profile: NodeProfile) -> bool:
            if profile.name != "Eve":
                return await super().add_agent(peer_id, profile)
            if how == "half":
                await super().add_agent(peer_id, profile)
            if how == "refuses":
                return False
            raise KeyError("no chair for Eve")

    session = court(Choosy)
    session.add(Agent(), "Eve", role_preference="judge")
    session.step(3)
    world = session.world
    assert session.node("Eve").state == "refused"
    assert "enrol" in (session.node("Eve").why_refused or "")
    assert [r.stage for r in records(session, Joined, "Eve")] == ["asked", "refused"]
    books = (world.roster, world.all_agents, world.world_agents, world.artificial_agents)
    assert not [book for book in books if "Eve" in book]
    assert [fault.action for fault in records(session, Fault)] == ([] if how == "refuses" else ["add_agent"])


def test_who_cannot_be_told_that_it_was_admitted_is_no_ghost_member() -> None:
    session = court()
    session.add(Agent(), "Eve", role_preference="judge")
    session.synchronizer.transport.members.discard("Eve")
    session.step(3)
    assert "Eve" not in session.world.roster and "Eve" not in session.world.all_agents
    assert [r.stage for r in records(session, Joined, "Eve")] == ["asked", "admitted", "purged"]


@pytest.mark.parametrize("master", [False, True])
def test_who_leaves_is_on_no_list_any_more(master: bool) -> None:
    world = room(judge=machine(Agent))
    world.add_stream(Stream(name="news", pubsub=True))
    session = Session(world)
    session.add(Agent(), "Ann", role_preference="judge", master=master)
    session.step(3)
    post(session, "Ann", "World", Subscription(["news"]))
    assert list(world.subscribers["news"]) == ["Ann"]
    session.remove("Ann")
    session.step(3)
    assert world.roster == world.all_agents == world.world_agents == world.world_masters == {}
    assert world.artificial_agents == world.human_agents == {}
    assert list(world.subscribers["news"]) == []
    assert world.get_agents_by_role("judge") == []
    assert world.get_role("Ann") is None
    assert world.get_profile().get_dynamic_profile()["world_summary"]["total_agents"] == 0


def test_a_farewell_of_a_stranger_is_nothing() -> None:
    session = court()
    assert post(session, "Eve", "World", Farewell("bye")) == []
    assert session.world.roster.keys() == {"Ann", "Bob", "Cyd"}


@pytest.mark.parametrize("static", [{"node_name": "Ann"}, {"node_id": "node-Ann"}, {}])
def test_a_member_meets_others_only_as_itself(static: dict[str, Any]) -> None:
    session = court()
    forged = profile_of(session, "Bob", static, **({} if static else {"peer_id": "Ann"}))
    [reason] = post(session, "Bob", "Cyd", Contact(forged))
    assert "and is somebody else" in reason
    assert session.agent("Cyd").all_agents == {}
    session.agent("Cyd").contact("Bob")
    session.step(3)
    [reason] = post(session, "Bob", "Cyd", ProfileUpdate(forged))
    assert "and is somebody else" in reason
    assert session.agent("Cyd").all_agents["Bob"].name == "Bob"


def test_a_member_does_not_say_which_role_it_has() -> None:
    session = court()
    forged = profile_of(session, "Bob", connections={"role": "world_master~clerk"})
    post(session, "Bob", "Cyd", Contact(forged))
    cyd = session.agent("Cyd")
    assert cyd.all_agents["Bob"].role == "world_agent~judge"
    assert (list(cyd.world_agents), list(cyd.world_masters)) == (["Bob"], [])
