"""Roles: who gets which at joining, how they change, who decides, and what becomes of work that is under way."""

from __future__ import annotations

from typing import Any

import pytest
from runtime.rooms import Completed, Dropped, Fault, Room, Tried, ends, machine, moves, records, room

from unaiverse_lab import Agent, DataProps, HybridStateMachine, Interaction, Node, NodeProfile, Session, World, action
from unaiverse_lab.core.envelope import RoleChange, RoleSuggestions, decode_body, encode_body
from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.core.records import Joined, Met, RoleSet, RoleSuggested
from unaiverse_lab.core.roles import RoleProposal
from unaiverse_lab.view.text import sentence

from .courts import Clerk, Judge, court, do, heard, suggest_role

ONLY_MASTERS = "only masters may suggest roles here, and Bob is none"

NO_CUSTOM_ROLE = "'world_master' is not a role to be given: the roles of this world are clerk, judge"


class Worker(Agent):
    """A role without much to do."""


def set_role(session: Session, peer: str, role: Any) -> None:
    """What a world does in one of its own methods."""
    bits = session.world.ROLE_STR_TO_BITS[role] if isinstance(role, str) else role
    with pytest.raises(StopIteration):
        session.world.set_role(peer, bits).send(None)


def suggestions(session: Session) -> list[tuple[str, str, str, bool, str | None]]:
    """What the trace says of suggested roles."""
    return [(r.node, r.role, r.by, r.accepted, r.reason) for r in records(session, RoleSuggested)]


# ------------------------------------------------------------------ at joining: three patterns


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_by_master_status_the_first_of_three_masters_broadcasts(counted: bool, together: bool) -> None:
    class Chat(World):
        count_joining_master = counted

        def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str:
            first = len(self.world_masters) <= 1 if counted else len(self.world_masters) < 1
            return "broadcaster" if is_world_master and first else "user"

    session = Session(room(Chat, broadcaster=machine(Worker), user=machine(Worker)))
    for name in ("Eve", "Ann", "Bob", "Cyd"):
        session.add(Agent(), name, master=name != "Eve")
        if not together:
            session.step(4)
    session.step(4)
    roles = {name: session.world.get_role(name) for name in ("Eve", "Ann", "Bob", "Cyd")}
    assert roles == {"Eve": "user", "Ann": "broadcaster", "Bob": "user", "Cyd": "user"}
    assert list(session.world.world_masters) == ["Ann", "Bob", "Cyd"]


def test_by_capability_the_shape_of_a_processor_decides() -> None:
    class Studio(World):
        def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str | None:
            dynamic = profile.get_dynamic_profile()
            inputs = [DataProps.from_dict(slot) for slot in dynamic["proc_inputs"] or []]
            outputs = [DataProps.from_dict(slot) for slot in dynamic["proc_outputs"] or []]
            reads = any(props.is_text() for props in inputs)
            draws = any(props.is_img() for props in outputs)
            if reads:
                return "painter" if draws else "writer"
            return None

    session = Session(room(Studio, painter=machine(Worker), writer=machine(Worker)))
    session.add(Agent(proc_inputs=["text"], proc_outputs=["img"]), "Ann")
    session.add(Agent(proc_inputs=["text"], proc_outputs=["text"]), "Bob")
    session.add(Agent(proc_inputs=["img"], proc_outputs=["text"]), "Cyd", master=True)
    session.step(3)
    assert [session.world.get_role(name) for name in ("Ann", "Bob", "Cyd")] == ["painter", "writer", None]
    assert session.node("Cyd").why_refused == "this world has no role for you"


@pytest.mark.parametrize(
    ("options", "role"),
    [
        ({"role_preference": "student_isolated"}, "student_isolated"),
        ({"role_preference": "student"}, "student"),
        ({"role_preference": "teacher"}, "student"),
        ({"role_preference": "world_master"}, "student"),
        ({}, "student"),
    ],
)
def test_by_preference_the_world_grants_what_it_recognises(options: dict[str, Any], role: str) -> None:
    class Social(World):
        def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str:
            if is_world_master:
                return "teacher" if len(self.world_masters) <= 1 else "student"
            preference = profile.get_dynamic_profile().get("tmp_role_preference")
            return "student_isolated" if preference == "student_isolated" else "student"

    names = ("teacher", "student", "student_isolated")
    session = Session(room(Social, **{name: machine(Worker) for name in names}))
    session.add(Agent(), "Tea", master=True, role_preference="student_isolated")
    session.add(Agent(), "Ann", **options)
    session.step(3)
    assert [session.world.get_role(name) for name in ("Tea", "Ann")] == ["teacher", role]


@pytest.mark.parametrize("counted", [True, False])
def test_without_a_rule_the_first_master_leads_and_everybody_else_is_an_agent(counted: bool) -> None:
    class Plain(World):
        count_joining_master = counted

    session = Session(Plain())
    for name in ("Ann", "Bob", "Cyd"):
        session.add(Agent(), name, master=name != "Ann")
    session.step(3)
    assert session.world.roster == {"Ann": 1, "Bob": 3, "Cyd": 1}
    assert session.agent("Bob").get_current_role(ignore_base_role=False) == "world_master"
    session.remove("Bob")
    session.step(2)
    session.add(Agent(), "Dan", master=True)
    session.step(3)
    assert list(session.world.world_masters) == ["Dan"]


@pytest.mark.parametrize(
    ("name", "master", "bits"),
    [
        ("worker", True, 7),
        ("worker", False, 5),
        ("world_agent~worker", True, 5),
        ("world_master~worker", True, 7),
        ("world_master~worker", False, 5),
        ("world_master", False, 1),
        ("world_agent", True, 1),
    ],
)
def test_a_rule_may_make_less_of_a_master_but_never_more_of_an_agent(name: str, master: bool, bits: int) -> None:
    class Namer(World):
        def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str:
            return name

    session = Session(room(Namer, worker=machine(Worker)))
    session.add(Agent(), "Ann", master=master)
    session.step(3)
    assert session.world.roster == {"Ann": bits}


def test_the_role_of_who_is_outside_is_no_role_in_a_world() -> None:
    class Odd(World):
        def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str:
            return "public_agent"

    session = Session(room(Odd, worker=machine(Worker)))
    session.add(Agent(), "Ann")
    session.step(3)
    assert "assign_role returns None" in (session.node("Ann").why_refused or "")


# ------------------------------------------------------------------ set_role


def test_a_new_role_keeps_the_base_bits_and_starts_its_machine() -> None:
    session = court()
    clerk, judge = (session.world.ROLE_STR_TO_BITS[name] for name in ("clerk", "judge"))
    set_role(session, "Ann", "clerk")
    set_role(session, "Bob", clerk | 3)
    session.step(2)
    assert session.world.roster == {"Ann": clerk | 3, "Bob": clerk | 1, "Cyd": judge | 1}
    assert isinstance(session.agent("Bob"), Clerk)
    assert session.states_of("Bob") == ["filing"]
    assert session.agent("Ann").get_profile().role == "world_master~clerk"
    assert session.world.world_masters["Ann"].role == session.world.all_agents["Ann"].role == "world_master~clerk"
    last = records(session, RoleSet, "Bob")[-1]
    assert (last.role, last.previous, last.state) == ("clerk", "judge", "filing")


def test_the_same_role_again_changes_nothing() -> None:
    session = court()
    set_role(session, "Bob", "judge")
    session.step(2)
    assert len(records(session, RoleSet, "Bob")) == 1


def test_a_role_given_back_starts_from_the_beginning() -> None:
    session = court()
    session.agent("Bob").behav.set_state("ready")
    for role, state in (("clerk", "filing"), ("judge", "ready"), ("clerk", "filing")):
        set_role(session, "Bob", role)
        session.step(2)
        assert session.states_of("Bob") == [state]
    assert [r.role for r in records(session, RoleSet, "Bob")] == ["judge", "clerk", "judge", "clerk"]


@pytest.mark.parametrize(
    ("peer", "role", "said"),
    [
        ("Bob", 64, "64 are not the bits of a custom role; known: clerk, judge"),
        ("Bob", 3, "3 are not the bits"),
        ("Bob", 0, "0 are not the bits"),
        ("Bob", 12, "12 are not the bits"),
        ("Bob", "clerk", r"takes the bits of a role, not 'clerk': use self.ROLE_STR_TO_BITS"),
        ("Bob", True, "not True"),
        ("Eve", 4, "'Eve' is not a member"),
    ],
)
def test_unknown_bits_and_strangers_are_errors_that_change_nothing(peer: str, role: Any, said: str) -> None:
    session = court()
    roster, books = dict(session.world.roster), dict(session.world.all_agents)
    with pytest.raises(WorldError, match=said):
        session.world.set_role(peer, role).send(None)
    assert session.world.roster == roster
    assert session.world.all_agents == books
    session.step(2)
    assert len(records(session, RoleSet)) == 3


def test_the_behavior_travels_as_data_and_the_class_is_the_one_installed() -> None:
    session = court(strict=True)
    sent: list[Any] = []
    post = session.world.link.post  # type: ignore[union-attr]
    session.world.link = Listening(session.world.link, sent, post)  # type: ignore[assignment]
    set_role(session, "Bob", "clerk")
    [body] = sent
    assert isinstance(body, RoleChange)
    assert (body.role_name, body.behavior) == ("clerk", session.world.role_to_behav["clerk"])
    assert decode_body(encode_body(body)) == body
    session.step(2)
    assert type(session.agent("Bob")) is session.world.role_classes["clerk"] is Clerk


class Listening:
    """A link that notes what is posted."""

    def __init__(self, link: Any, sent: list[Any], post: Any) -> None:
        self.inner, self.sent = link, sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def post(self, target: str, body: Any) -> bool:
        self.sent.append(body)
        return bool(self.inner.post(target, body))


def test_a_role_change_brings_the_behavior_of_today_not_the_one_of_joining() -> None:
    session = court()
    other = machine(Clerk, "stamping")
    session.world.role_to_behav["clerk"] = str(other)
    set_role(session, "Bob", "clerk")
    session.step(2)
    assert session.states_of("Bob") == ["stamping"]


def test_peers_see_the_new_role() -> None:
    session = court()
    session.agent("Cyd").contact("Bob")
    session.step(3)
    set_role(session, "Bob", "clerk")
    session.step(3)
    cyd = session.agent("Cyd")
    assert cyd.get_role("Bob") == "clerk"
    assert cyd.all_agents["Bob"].role == cyd.world_agents["Bob"].role == "world_agent~clerk"
    assert session.world.all_agents["Bob"].role == "world_agent~clerk"


def test_who_cannot_be_told_of_its_new_role_is_purged_everywhere() -> None:
    session = court()
    session.agent("Cyd").contact("Bob")
    session.agent("Bob").contact("Cyd")
    session.step(3)
    asked = session.agent("Cyd")._send("nop", "Bob")
    session.synchronizer.transport.members.discard("Bob")
    set_role(session, "Bob", "clerk")
    session.step(3)
    world = session.world
    books = (world.roster, world.all_agents, world.world_agents, world.artificial_agents)
    assert not [book for book in books if "Bob" in book]
    last = records(session, Joined, "Bob")[-1]
    assert (last.stage, last.reason) == ("purged", "it could not be told of its new role 'clerk'")
    assert sentence(last) == "Bob was taken off the lists: it could not be told of its new role 'clerk'."
    assert "Bob" not in session.agent("Cyd").all_agents
    assert records(session, Met, "Cyd")[-1].stage == "parted"
    assert asked is not None and asked.is_completed
    assert [r.role for r in records(session, RoleSet, "Bob")] == ["judge"]
    session.node("Bob").post("World", RoleSuggestions([{"peer_id": "Cyd", "role": "clerk"}]))
    session.step(2)
    assert records(session, Dropped, "World")[-1].reason == "Bob is not a member and may not suggest roles"


# ------------------------------------------------------------------ suggesting


def test_masters_are_followed_and_told_so() -> None:
    session = court()
    suggest_role(session, "Ann", ["Bob", "Cyd"], "clerk")
    assert [session.world.get_role(name) for name in ("Ann", "Bob", "Cyd")] == ["judge", "clerk", "clerk"]
    assert suggestions(session) == [("Bob", "clerk", "Ann", True, None), ("Cyd", "clerk", "Ann", True, None)]
    assert heard(session, "Ann") == [("role", "Bob", "clerk", True, None), ("role", "Cyd", "clerk", True, None)]
    assert sentence(records(session, RoleSuggested)[0]) == "Bob is to be clerk, as Ann suggested."


def test_each_of_several_masters_is_followed() -> None:
    session = court()
    session.add(Agent(), "Dan", master=True, role_preference="judge")
    session.step(3)
    suggest_role(session, "Dan", "Ann", "clerk")
    suggest_role(session, "Ann", "Dan", "clerk")
    assert [session.world.get_role(name) for name in ("Ann", "Dan")] == ["clerk", "clerk"]
    assert list(session.world.world_masters) == ["Ann", "Dan"]


@pytest.mark.parametrize("whom", ["Bob", "Cyd"])
def test_others_are_not_followed_and_told_why(whom: str) -> None:
    session = court()
    suggest_role(session, "Bob", whom, "clerk")
    assert session.world.get_role(whom) == "judge"
    assert suggestions(session) == [(whom, "clerk", "Bob", False, ONLY_MASTERS)]
    assert heard(session, "Bob") == [("role", whom, "clerk", False, ONLY_MASTERS)]
    assert sentence(records(session, RoleSuggested)[0]).endswith(
        f"is not to be clerk, as Bob suggested: {ONLY_MASTERS}."
    )


def test_a_world_may_decide_otherwise() -> None:
    seen: list[RoleProposal] = []

    class Open(Room):
        def decide_role(self, proposal: RoleProposal) -> bool | str:
            seen.append(proposal)
            return proposal.peer_id == "Bob" or "Bob alone is promoted here"

    session = court(Open)
    suggest_role(session, "Ann", "Cyd", "clerk")
    suggest_role(session, "Bob", "Bob", "clerk")
    assert [session.world.get_role(name) for name in ("Bob", "Cyd")] == ["clerk", "judge"]
    assert [(r[0], r[3], r[4]) for r in suggestions(session)] == [
        ("Cyd", False, "Bob alone is promoted here"),
        ("Bob", True, None),
    ]
    assert seen == [RoleProposal("Ann", "Cyd", "clerk", True), RoleProposal("Bob", "Bob", "clerk", False)]


@pytest.mark.parametrize("answer", [None, RuntimeError("no quorum")])
def test_a_rule_that_is_broken_refuses_and_the_world_goes_on(answer: Any) -> None:
    class Broken(Room):
        def decide_role(self, proposal: RoleProposal) -> Any:
            if answer is not None:
                raise answer
            return answer

    session = court(Broken)
    suggest_role(session, "Ann", ["Bob", "Cyd"], "clerk")
    assert [accepted for _, _, _, accepted, _ in suggestions(session)] == [False, False]
    assert all("could not decide" in (reason or "") for *_, reason in heard(session, "Ann"))
    assert [fault.action for fault in records(session, Fault, "World")] == ["decide_role"] * 2


@pytest.mark.parametrize("strict", [False, True])
def test_suggestions_that_make_no_sense_are_refused_one_by_one(strict: bool) -> None:
    session = court(strict=strict)
    cases = [
        ("Bob", "clrk", False, "there is no role 'clrk' in this world. Did you mean 'clerk'?"),
        ("Eve", "clerk", False, "'Eve' is not a member of this world"),
        ("Bob", "judge", True, "it has this role already"),
        ("Bob", "world_master", False, NO_CUSTOM_ROLE),
        ("", "", False, "'' is not a member of this world"),
        ("Bob", "world_master~clerk", True, None),
    ]  # fmt: skip
    session.node("Ann").post("World", RoleSuggestions([{"peer_id": peer, "role": role} for peer, role, *_ in cases]))
    session.step(3)
    assert [(peer, wanted, yes, why) for _, peer, wanted, yes, why in heard(session, "Ann")] == cases
    assert [(r[0], r[1], r[3], r[4]) for r in suggestions(session)] == cases
    assert session.world.get_role("Bob") == "clerk"
    assert not session.world.is_master("Bob")
    assert session.world.roster.keys() == {"Ann", "Bob", "Cyd"}
    assert not records(session, Dropped) and not records(session, Fault)


@pytest.mark.parametrize(
    ("role", "said"), [("clrk", "Did you mean 'clerk'?"), ("world_master", "not a role to be given")]
)
def test_the_action_refuses_roles_that_do_not_exist(role: str, said: str) -> None:
    session = court()
    suggest_role(session, "Ann", "Bob", role)
    assert said in records(session, Fault, "Ann")[0].error
    assert [r.outcome for r in records(session, Tried, "Ann") if r.outcome == "raised"] == ["raised"]
    assert suggestions(session) == []


def test_a_suggestion_for_somebody_who_has_just_gone_is_refused() -> None:
    session = court()
    session.agent("Ann").task = lambda me: me.suggest_role_to_world("Bob", "clerk")  # type: ignore[attr-defined]
    session.remove("Bob")
    session.step(4)
    [(whom, _, _, accepted, reason)] = suggestions(session)
    assert (whom, accepted, reason) == ("Bob", False, "'Bob' is not a member of this world")


def test_an_answer_that_upsets_its_reader_is_shown_and_nothing_else_happens() -> None:
    session = court()
    session.agent("Ann").answers_heard = None  # type: ignore[attr-defined]
    suggest_role(session, "Ann", ["Bob", "Cyd"], "clerk")
    assert [fault.action for fault in records(session, Fault, "Ann")] == ["suggestion_answered"] * 2
    assert session.world.get_role("Cyd") == "clerk"
    assert session.node("Ann").state == "member"


@pytest.mark.parametrize("options", [{"strict": True}, {"agenda": False}])
def test_deciding_is_the_same_over_a_wire_and_when_everybody_has_a_turn(options: dict[str, Any]) -> None:
    def digest(**given: Any) -> str:
        session = court(**given)
        suggest_role(session, "Ann", ["Bob", "Eve"], "clerk")
        suggest_role(session, "Bob", "Ann", "clerk")
        do(session, "Ann", lambda me: me.suggest_badges_to_world(["Bob", "Ann"], 0.5))
        return session.digest()

    assert digest(**options) == digest()


# ------------------------------------------------------------------ work under way


class Clockmaker(Agent):
    """Serves requests slowly, or not at all, and asks others."""

    heard_of: Interaction | None = None

    @action
    async def wind(self, interaction: Interaction | None = None) -> bool:
        return True

    @action
    async def wait(self, interaction: Interaction | None = None) -> bool:
        return self.because("not yet")

    def hear(self, interaction: Interaction) -> None:
        self.heard_of = interaction


class Painter(Agent):
    """What clockmakers become."""


def workshop(**transitions: dict[str, Any]) -> Session:
    """Ann and Bob are clockmakers who know each other; each transition is a way to serve a request."""
    maker = machine(Clockmaker)
    for name, options in transitions.items():
        maker.add_transit("ready", "ready", action=name, ready=False, **options)
    session = Session(room(maker=maker, painter=machine(Painter, "painting")), delta=0.1)
    for name in ("Ann", "Bob"):
        session.add(Agent(), name, role_preference="maker")
    session.step(3)
    session.agent("Ann").contact("Bob")
    session.step(3)
    return session


@pytest.mark.parametrize(
    ("transitions", "name", "steps", "before"),
    [
        ({"wind": {"delay": 5.0}}, "wind", -1, 3),  # waiting in the queue
        ({"wait": {"retry_timeout": 50.0}}, "wait", -1, 3),  # tried again and again
        ({"wind": {}}, "wind", 50, 5),  # being served, in many steps
        ({"wind": {}}, "wind", 1, 0),  # still in the post
    ],
)
def test_requests_to_who_changes_its_role_are_answered(
    transitions: dict[str, Any], name: str, steps: int, before: int
) -> None:
    session = workshop(**transitions)
    asked = session.agent("Ann")._send(name, "Bob", num_steps=steps, callback="hear")
    assert asked is not None
    session.step(before)
    assert not asked.is_completed
    set_role(session, "Bob", "painter")
    session.step(5)
    assert asked.is_completed
    [(reason, detail)] = ends(session, "Ann")
    if before:
        assert (reason, detail) == ("rejected", "I have another role now")
    assert session.agent("Ann").heard_of is asked  # type: ignore[attr-defined]
    assert session.states_of("Bob") == ["painting"]
    assert not session.agent("Bob").im.received
    assert not records(session, Fault)


def test_requests_of_who_changes_its_role_are_answered_too() -> None:
    session = workshop(wind={"delay": 1.0})
    asked = session.agent("Ann")._send("wind", "Bob")
    session.step(2)
    set_role(session, "Ann", "painter")
    session.step(20)
    assert asked is not None and asked.is_completed
    assert ends(session, "Ann") == [("ok", "")]
    assert [r.reason for r in records(session, Completed, "Bob") if r.side == "received"] == ["ok"]


# ------------------------------------------------------------------ role classes that fail


class Clumsy(Judge):
    """Fails where it is told to."""

    where = ""

    def __init__(self, proc: Any = None, **options: Any) -> None:
        known = "surroundings" in self.__dict__
        super().__init__(proc, **options)
        if known and self.where == "init":
            raise ValueError("I fell off my chair")

    def accept_new_role(self, role: int) -> None:
        super().accept_new_role(role)
        if self.where == "accept":
            raise ValueError("I fell off my chair")
        if self.where == "own error":
            raise WorldError("there is no chair")


@pytest.fixture(params=["init", "accept", "own error"])
def clumsy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A court where who becomes a clerk fails."""
    monkeypatch.setattr(Clumsy, "where", request.param)
    judge, clerk = machine(Judge), machine(Clumsy, "filing")
    judge.add_transit("ready", "ready", action="judge")
    judge.add_transit("ready", "ready", action="nop", ready=False, delay=100.0)
    session = Session(Room(roles={"judge": Judge, "clerk": Clumsy}, behaviors={"judge": judge, "clerk": clerk}))
    for name in ("Ann", "Bob"):
        session.add(Agent(), name, master=name == "Ann", role_preference="judge")
    session.step(3)
    return session


def gone(session: Session, name: str) -> None:
    """The node is in a clear state, outside, and everybody knows."""
    node = session.node(name)
    assert node.state == "left"
    assert (node.why_refused or "").startswith("it could not take the role 'clerk': ")
    assert name not in session.world.roster and name not in session.world.all_agents
    last = records(session, Joined, name)[-1]
    assert (last.stage, last.reason) == ("left", node.why_refused)
    [fault] = records(session, Fault, name)
    assert "chair" in fault.error and fault.action == "role clerk"
    assert not isinstance(session.agent(name), Clumsy)
    assert session.states_of(name) == ["empty"]
    assert node.profile.role is None
    assert not records(session, Fault, "World")


def test_a_joiner_whose_role_class_fails_is_out_and_the_world_goes_on(clumsy: Session) -> None:
    clumsy.add(Agent(), "Cyd", role_preference="clerk")
    clumsy.step(4)
    gone(clumsy, "Cyd")
    assert type(clumsy.agent("Cyd")) is Agent
    assert [r.stage for r in records(clumsy, Joined, "Cyd")] == ["asked", "admitted", "left"]
    clumsy.add(Agent(), "Dan", role_preference="judge")
    clumsy.step(3)
    assert clumsy.world.get_role("Dan") == "judge"
    assert clumsy.agent("Cyd").im.due() == float("inf")


def test_a_member_whose_new_role_class_fails_leaves_and_nobody_waits_for_it(clumsy: Session) -> None:
    clumsy.agent("Ann").contact("Bob")
    clumsy.step(3)
    asked = clumsy.agent("Ann")._send("nop", "Bob")
    own = clumsy.agent("Bob")._send("nop", "Ann")
    assert asked is not None and own is not None
    clumsy.step(3)
    assert not asked.is_completed and not own.is_completed
    suggest_role(clumsy, "Ann", "Bob", "clerk")
    gone(clumsy, "Bob")
    assert type(clumsy.agent("Bob")) is Judge
    assert asked.is_completed and own.is_completed
    assert [end.reason for end in records(clumsy, Completed, "Ann")] == ["disconnected", "disconnected"]
    assert "Bob" not in clumsy.agent("Ann").all_agents
    assert not clumsy.agent("Bob").all_agents
    clumsy.agent("Ann").contact("Bob")
    clumsy.step(3)
    last = records(clumsy, Met, "Ann")[-1]
    assert (last.peer, last.stage, last.reason) == ("Bob", "refused", "I am in no world")


def test_who_failed_can_be_replaced(clumsy: Session) -> None:
    clumsy.add(Agent(), "Cyd", role_preference="clerk")
    clumsy.step(4)
    clumsy.remove("Cyd")
    clumsy.add(Agent(), "Cyd", role_preference="judge")
    clumsy.step(4)
    assert clumsy.world.get_role("Cyd") == "judge"


def test_a_role_class_that_can_never_be_made_is_an_error_of_the_world() -> None:
    class Never(Agent):
        def __init__(self, proc: Any = None) -> None:
            raise ValueError("I was never born")

    hsm = HybridStateMachine(Worker(proc=None))
    hsm.add_state("ready")
    with pytest.raises(WorldError, match=r"role 'x': Never\(proc=None\) raised ValueError: I was never born"):
        Session(Room(roles={"x": Never}, behaviors={"x": hsm}))


# ------------------------------------------------------------------ options of nodes


def test_a_node_keeps_how_often_to_save_and_to_report() -> None:
    node = Node(Agent(), "Ann", save_checkpoint_every=300, send_stats_every=5, base_identity_dir="somewhere")
    assert (node.save_checkpoint_every, node.send_stats_every, node.base_identity_dir) == (300.0, 5.0, "somewhere")
    node = Node(Agent(), "Ann")
    assert (node.save_checkpoint_every, node.send_stats_every, node.base_identity_dir) == (-1.0, 30.0, None)


@pytest.mark.parametrize("value", [0, -2.0, float("nan"), float("inf"), "5", True])
@pytest.mark.parametrize("option", ["save_checkpoint_every", "send_stats_every"])
def test_seconds_that_are_none_are_refused(option: str, value: Any) -> None:
    with pytest.raises(WorldError, match=f"{option}=.* is a positive number of seconds"):
        Node(Agent(), "Ann", **{option: value})
    with pytest.raises(WorldError, match="send_stats_every"):
        Node(Agent(), "Ann", send_stats_every=-1.0)


def test_moving_to_another_role_ends_engagements() -> None:
    session = court()
    agent = session.agent("Bob")
    agent._engaged_agents.add("Ann")
    agent._available = False
    set_role(session, "Bob", "clerk")
    session.step(2)
    assert not agent._engaged_agents and agent._available
    assert moves(session, "Bob") == []
    do(session, "Bob", lambda me: me.nop())
    assert moves(session, "Bob") == ["filing -judge-> filing"]
