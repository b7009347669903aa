"""One engine: machines of objects as files, events that fire transitions of roles, stepping back, checkpoints."""

from __future__ import annotations

import json

import pytest

from events.kit import Add, Calculator, Ear, Noise, Sum, launched
from unaiverse_lab import Agent as StateMachineAgent
from unaiverse_lab import HybridStateMachine, Session, World, action
from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.core.records import BehaviorSet, Dropped, InState, Moved, Sent
from unaiverse_lab.events import (
    Action,
    Entity,
    Event,
    EventWorld,
    LocationWorld,
    Object,
    User,
)
from unaiverse_lab.events import action as on_event
from unaiverse_lab.view import records_text, timeline_svg


class BellRings(Event):
    event_type, description = "bell_rings", "The break begins, or ends."


class Pull(Event):
    event_type = "pull"


class Bell(Object):
    """A bell with a rope."""

    @on_event(on=Pull)
    def ring(self, event: Pull) -> None:
        self.send_event(BellRings())


class Teacher(StateMachineAgent):
    """Knows nothing of events."""

    @action
    async def teach(self) -> bool:
        return True


class Student(Entity):
    """Works until the bell rings."""

    @action
    async def work(self) -> bool:
        return True

    @on_event(on=BellRings)
    def leave(self, event: BellRings) -> bool:
        return event.sender_id == "bell"


def school() -> tuple[EventWorld, Session]:
    class School(EventWorld):
        def assign_role(self, profile, is_world_master):
            wish = profile.get_dynamic_profile().get("tmp_role_preference")
            return wish or super().assign_role(profile, is_world_master)

    teacher, student = HybridStateMachine(Teacher(proc=None)), HybridStateMachine(Student(proc=None))
    teacher.add_transit("class", "class", action="teach")
    student.add_transit("desk", "desk", action="work")
    student.add_transit("desk", "yard", action="leave", args={"event": "bell_rings"}, ready=False)
    student.add_transit("yard", "desk", action="leave", args={"event": "bell_rings"}, ready=False)
    world = School(
        id="school", roles={"teacher": Teacher, "student": Student}, behaviors={"teacher": teacher, "student": student}
    )
    session = Session(world, name="school")
    session.add(StateMachineAgent(), "tom", role_preference="teacher")
    session.add(StateMachineAgent(), "sue", role_preference="student")
    session.add(Entity(), "sam", role_preference="student")
    session.add(Bell(), "bell")
    session.add(User(), "test_user")
    session.step(4)
    return world, session


def test_machines_and_events_live_in_one_world_and_one_trace() -> None:
    world, session = school()
    you = session.agent("test_user")
    you.send(Pull(target_id="bell"))
    session.step(3)
    assert [session.agent(name).behav.state for name in ("tom", "sue", "sam")] == ["class", "yard", "yard"]
    moves = [(r.node, r.action, r.target, r.requester) for r in session.trace.of_kind(Moved) if r.requester]
    assert moves == [
        ("bell", "ring", "ready", "test_user"),
        ("sue", "leave", "yard", "bell"),
        ("sam", "leave", "yard", "bell"),
    ]
    assert {"tom", "sue", "bell"} <= {record.node for record in session.trace.of_kind(Moved)}
    you.send(Pull(target_id="bell"))
    session.step(4)
    assert session.agent("sue").behav.state == "desk"
    told = records_text(session.trace, last=200)
    assert "bell_rings" in told and "sue went from desk to yard: leave succeeded" in told
    assert timeline_svg(session.trace).startswith("<svg")


def test_the_files_of_roles_are_ordinary_behavior_files() -> None:
    world, session = school()
    texts = {r.role: json.loads(r.machine) for r in session.trace.of_kind(BehaviorSet)}
    assert set(texts) == {"School", "teacher", "student", "Bell", "User"}
    assert "event" not in json.dumps(texts["teacher"])
    on = texts["student"]["transitions"]["desk"][1]["on"]
    assert on["action_kwargs"] == {"event": "bell_rings"} and on["ready"] is False


def test_an_event_whose_action_returns_false_moves_nobody() -> None:
    world, session = school()
    session.agent("tom")
    you = session.agent("test_user")
    you.send(BellRings())
    session.step(3)
    assert session.agent("sue").behav.state == "desk"
    assert session.agent("sue").behav.pending_requests() == []


def test_the_machine_of_an_object_is_a_file_that_loads_to_the_same_object() -> None:
    class Doubles(Action):
        trigger_event_class = Add

        def __call__(self, event: Add) -> None:
            self.host_object.send_event(Sum(target_id=event.sender_id, total=2 * event.a))

    def totals(make) -> list[float]:
        calc = Calculator(id="calc", actions=[Doubles])
        if make is not None:
            calc.build_behavior = lambda behav: behav.load(make)
        world, you, run = launched(calc)
        you.send(Add(target_id="calc", a=1, b=2))
        run.run()
        return [event.total for event in you.received], str(calc.behav)

    first, text = totals(None)
    content = json.loads(text)
    assert list(content["states"]) == ["ready"]
    assert [(one["goto"], one["on"]["ready"]) for one in content["transitions"]["ready"]] == [("ready", False)] * 2
    assert [one["on"]["action_kwargs"]["event"] for one in content["transitions"]["ready"]] == ["add", "add"]
    assert totals(text) == (first, text) and first == [3.0, 2.0]


def test_reactions_hold_in_every_state_and_actions_may_come_later() -> None:
    class Late(Action):
        trigger_event_class = Noise
        seen = 0

        def __call__(self, event: Noise) -> None:
            self.host_object.properties["late"] = event.n

    ear = Ear(id="ear")
    world, you, run = launched(ear)
    ear.on(BellRings, "hear")
    with pytest.raises(WorldError, match=r"has no action 'heer'. Did you mean 'hear'"):
        ear.on(BellRings, "heer")
    ear.register_action(Late)
    you.send(Noise(n=4))
    run.run()
    assert ear.heard == 1 and ear.properties["late"] == 4
    assert "ear:Late" in world.get_available_action_schemas("test_user")
    you.send(BellRings())
    run.run()
    assert ear.heard == 2 and [record.action for record in run.session.trace.of_kind(InState)] == ["hear"]


def test_going_back_takes_back_events_inventories_memories_and_repeats_them() -> None:
    ear, calc = Ear(id="ear"), Calculator(id="calc", properties={"held_by": "ear"})
    world, you, run = launched(ear, calc)
    digests, session = {}, run.session
    for n in range(6):
        you.send(Noise(n=n))
        you.send(Add(target_id="calc", a=n, b=1))
        if n == 3:
            world.give("calc", None)
        session.step()
        digests[session.tick] = session.digest()
    last = session.tick
    heard, received = ear.heard, len(you.received)
    for tick in (last - 1, 2, last - 3):
        session.goto(tick)
        assert session.digest() == digests[tick]
        assert ear.heard == len([r for r in session.trace.of_kind(Moved) if r.action == "hear"])
        assert world.held_by("calc") == ("ear" if tick < 4 else None)
    session.goto(2)
    assert len(world.events) == len(session.trace.of_kind(Sent))
    assert ear.heard < heard and len(you.received) < received


def test_places_decide_who_sees_and_who_hears() -> None:
    bag, coin = Object("Bag", "bag"), Object("Coin", "coin")
    a, b, lost = Ear(id="a"), Ear(id="b"), Ear(id="lost")
    places = ["here", "there"]
    world = LocationWorld("Land", "", places, id="w")
    world.add(a, location="here"), world.add(b, location="there"), world.add(lost)
    world.add(bag, held_by="a"), world.add(coin, held_by="bag")
    world.add_location("beyond")
    assert places == ["here", "there"]
    you = User()
    world.add(you)
    run = world.launch()
    assert set(world.get_available_entities("a")) == {"w", "a", "bag", "coin"}
    assert set(world.get_available_entities("lost")) == {"w", "lost"}
    assert world.location_of("coin") == "here" and world.inventory("bag") == ["coin"]
    a.send_event(Noise())
    run.run()
    assert (b.heard, lost.heard, len(you.received)) == (0, 0, 1)
    world.move("a", "there")
    run.run()
    assert you.received[-1].location == "there" and world.location_of("coin") == "there"
    a.send_event(Noise())
    run.run()
    assert b.heard == 1
    for wrong, why in (
        (lambda: world.move("a", "their"), "Did you mean 'there'"),
        (lambda: world.remove_location("there"), "cannot stay"),
        (lambda: world.add(Ear(id="c"), location="nowhere"), "there is no place 'nowhere'"),
    ):
        with pytest.raises(WorldError, match=why):
            wrong()
    world.remove_location("here")
    assert world.locations == ["there", "beyond"]


def test_an_ordinary_world_drops_events_and_goes_on() -> None:
    session = Session(World())
    session.add(Ear(), "ear")
    session.step(3)
    session.agent("ear").send_event(Noise())
    session.step(3)
    assert [record.node for record in session.trace.of_kind(Dropped)] == ["World"]


class Fragile(Object):
    """Works in slices, and breaks."""

    @on_event(on=Pull, timeout=5.0)
    def pull(self, event: Pull) -> bool:
        raise RuntimeError("it tore")


@pytest.mark.parametrize("strict", [False, True])
def test_an_action_in_slices_that_raises_is_over_and_strict_runs_raise_it(strict: bool) -> None:
    world, you, run = launched(Fragile(id="rope"), Ear(id="ear"), strict=strict)
    run.step(2)
    you.send(Pull(target_id="rope"))
    if strict:
        with pytest.raises(RuntimeError, match="it tore"):
            run.run()
        return
    assert run.run(max_ticks=300).reason == "idle"
    assert world.members["rope"].behav.pending_requests() == []
    you.send(Noise())
    run.run()
    assert world.members["ear"].heard == 1
