"""Who gets an event, who is refused and told why, and that the world goes on."""

from __future__ import annotations

import threading

import pytest

from events.kit import Add, Calculator, Ear, Noise, Sum, launched, reasons, story
from unaiverse_lab import Session
from unaiverse_lab.core.errors import NotInWorld, WorldError
from unaiverse_lab.core.records import Fault, Requested
from unaiverse_lab.events import (
    AgentWantsUpdatedStateEvent,
    BaseWorld,
    Event,
    EventRefused,
    EventTooLarge,
    EventWorld,
    InvalidEvent,
    Object,
    Undeliverable,
    User,
    action,
)
from unaiverse_lab.events.reacting import message_of


class Echo(Object):
    """Sends on what it gets, to its partner."""

    @action(on=Noise)
    def repeat(self, event: Noise) -> None:
        self.send_event(Noise(target_id=self.properties["partner"], n=event.n + 1))


def heard_by(run, event_type: str) -> list[str]:
    return [r.node for r in run.session.trace.of_kind(Requested) if r.action == event_type and r.accepted]


def test_an_event_with_a_target_is_handled_by_it_alone_and_stands_in_the_log_once() -> None:
    world, you, run = launched(Calculator(id="calc"), Calculator(id="other"))
    you.send(Add(target_id="calc", a=2.45, b=7))
    assert run.run().reason == "idle"
    assert story(world) == [("test_user", "calc", "add"), ("calc", "test_user", "sum")]
    assert heard_by(run, "add") == ["calc"]
    assert you.received[-1].total == 9.45 and isinstance(you.received[-1], Sum)


def test_a_request_and_its_answer_take_two_ticks_whatever_the_order_of_joining() -> None:
    for first in (True, False):
        calc, user = Calculator(id="calc"), User()
        world = BaseWorld(id="w")
        for one in (calc, user) if first else (user, calc):
            world.add(one)
        run = world.launch()
        run.step(3)
        user.send(Add(target_id="calc", a=1, b=1))
        start = run.tick
        run.run(until=lambda _, user=user: bool(user.received))
        assert run.tick - start == 2


def test_who_tells_everybody_does_not_hear_itself_and_who_writes_to_itself_does() -> None:
    ears = [Ear(id=f"ear{i}") for i in range(3)]
    world, you, run = launched(*ears)
    ears[0].send_event(Noise())
    run.run()
    assert [ear.heard for ear in ears] == [0, 1, 1]
    ears[0].send_event(Noise(target_id="ear0"))
    run.run()
    assert [ear.heard for ear in ears] == [1, 1, 1]
    assert len(you.received) == 1


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (Noise(target_id="eer0"), "there is no entity 'eer0'. Did you mean 'ear0'"),
        (Add(target_id="calc", a=1, b=1).model_copy(update={"b": 9.7}), "b: Input should be a valid integer"),
        (Add(target_id="calc", a=1, b=1).model_copy(update={"a": "many"}), "a: Input should be a valid number"),
    ],
)
def test_what_cannot_be_delivered_or_used_is_refused_to_its_sender_and_the_world_goes_on(
    event: Event, why: str
) -> None:
    world, you, run = launched(Ear(id="ear0"), Calculator(id="calc"))
    sent = you.send(event)
    run.run()
    answer = you.received[-1]
    assert isinstance(answer, EventRefused) and answer.event_id == sent.id and why in answer.reason
    assert any(why in reason for reason in reasons(world))
    assert [e.event_type for e in world.events].count(event.event_type) == 1
    you.send(Add(target_id="calc", a="3", b="4"))
    run.run()
    assert you.received[-1].total == 7


def test_an_event_that_is_too_large_or_no_json_is_refused_at_once() -> None:
    class Blob(Event):
        event_type = "blob"
        data: object = None

    world, you, run = launched()
    with pytest.raises(EventTooLarge, match="1,048,576"):
        you.send(Blob(data="x" * (1 << 20)))
    with pytest.raises((InvalidEvent, ValueError)):
        you.send(Blob(data=object()))
    assert story(world) == [] and run.run().reason == "idle"


def test_nobody_sends_in_the_name_of_another_one() -> None:
    ear, calc = Ear(id="ear"), Calculator(id="calc")
    world, you, run = launched(ear, calc)
    with pytest.raises(PermissionError, match="'ear' cannot send an event of 'calc'"):
        ear.send_event(Noise(sender_id="calc"))
    forged = Noise(sender_id="calc").wire()
    forged["meta"] = {"id": "calc#1", "cause": None, "hops": 0, "tick": 0}
    ear.link.post("w", message_of(forged, []))
    ear.link.post("calc", message_of(forged, ["calc"]))
    run.run()
    assert "'ear' sent it in the name of 'calc'" in reasons(world)
    assert heard_by(run, "noise") == [] and calc.link.dropped == 1
    assert ("w", "ear", "event_refused") in story(world)


def test_what_is_no_event_harms_nobody() -> None:
    ear = Ear(id="ear")
    world, you, run = launched(ear)
    ear.link.post("w", message_of({"event_type": "noise", "sender_id": "ear", "meta": {"id": "x"}}, []))
    broken = message_of({"event_type": 3, "sender_id": "ear", "meta": {"id": "x"}}, [])
    ear.link.post("w", broken)
    run.run()
    you.send(Noise())
    run.run()
    assert ear.heard == 1


def test_two_that_echo_each_other_are_stopped_and_named() -> None:
    one, two = Echo(id="one", properties={"partner": "two"}), Echo(id="two", properties={"partner": "one"})
    world, you, run = launched(one, two, max_hops=10)
    you.send(Noise(target_id="one"))
    assert run.run().reason == "idle"
    assert [e.event_type for e in world.events].count("noise") == 12
    (reason,) = reasons(world)
    assert "more than 10 events" in reason and "one noise" in reason and "two noise" in reason


def test_an_action_that_fails_keeps_no_later_one_from_running() -> None:
    class Both(Calculator):
        seen = 0

        @action(on=Add)
        def count(self, event: Add) -> None:
            self.seen += 1

    both = Both(id="both")
    world, you, run = launched(both)
    you.send(Add(target_id="both", a=1, b=13))
    run.run()
    assert both.seen == 1
    assert any("thirteen" in fault.error for fault in run.session.trace.of_kind(Fault))


def test_strict_runs_raise_what_an_action_raises() -> None:
    world, you, run = launched(Calculator(id="calc"), strict=True)
    you.send(Add(target_id="calc", a=1, b=13))
    with pytest.raises(RuntimeError, match="thirteen"):
        run.run()


def test_a_full_inbox_is_told() -> None:
    ear = Ear(id="ear")
    world, you, run = launched(ear)
    for n in range(1030):
        you.send(Noise(target_id="ear", n=n))
    run.run()
    assert ear.heard == 1024 and len(reasons(world)) == 6
    assert "the inbox of ear is full" in you.received[-1].reason


@pytest.mark.parametrize("name", ["a:b", "a.b", "a b", "", "x" * 65, "é"])
def test_an_id_is_made_of_letters_digits_and_dashes(name: str) -> None:
    with pytest.raises(WorldError, match="cannot be the id"):
        Ear(id=name)


def test_ids_are_unique_and_nobody_sends_outside_a_world() -> None:
    world = BaseWorld(id="w")
    world.add(Ear(id="ear"))
    with pytest.raises(WorldError, match="already"):
        world.add(Ear(id="ear"))
    with pytest.raises(WorldError, match="already"):
        world.add(Ear(id="w"))
    with pytest.raises(NotInWorld, match="'alone' is in no world"):
        Ear(id="alone").send_event(Noise())
    with pytest.raises(InvalidEvent, match="no event_type"):
        launched()[1].send(Event())


def test_launching_opens_nothing_returns_and_is_harmless_twice() -> None:
    before = threading.active_count()
    world = BaseWorld(id="w", objects=[Ear(id="a"), Ear(id="b")])
    run = world.launch(port=7456)
    assert world.launch() is run and run.run().reason == "idle"
    run.stop()
    assert threading.active_count() == before
    with pytest.raises(WorldError, match="was stopped"):
        run.step()


def test_two_worlds_with_equal_ids_share_nothing() -> None:
    first, you, run = launched(Ear(id="ear"))
    second, other, run2 = launched(Ear(id="ear"))
    you.send(Noise())
    run.run(), run2.run()
    assert len(first.events) == 1 and len(second.events) == 0
    assert first.members["ear"].heard == 1 and second.members["ear"].heard == 0
    assert first.event_classes is not second.event_classes
    assert BaseWorld().actions is not BaseWorld().actions
    given: list[Object] = [Ear(id="x")]
    BaseWorld(objects=given).add(Ear(id="y"))
    assert len(given) == 1


def test_two_runs_give_one_log_also_when_messages_are_encoded() -> None:
    def log(**options):
        world, you, run = launched(Calculator(id="calc"), Ear(id="ear"), **options)
        you.send(Add(target_id="calc", a=1, b=2))
        you.send(Noise())
        you.send(Noise(target_id="nobody"))
        run.run()
        return run.session.digest()

    assert log() == log() == log(encode=True)


def test_the_world_answers_what_is_available_to_the_asker_only() -> None:
    ear, calc = Ear("Ear", "ear", "hears"), Calculator("Calculator", "calc", "adds")
    world, you, run = launched(ear, calc)
    ear.send_event(AgentWantsUpdatedStateEvent())
    run.run()
    assert [one.targets for one in world.events.sent if one.action.startswith("world_sends")] == [["ear"]] * 2
    entities, schemas = [e for e in world.events if e.event_type.startswith("world_sends")]
    assert set(entities.available_entities) == {"w", "ear", "calc"}
    assert set(schemas.available_action_schemas) == {"ear:hear", "calc:add"}
    description, kind, schema = schemas.available_action_schemas["calc:add"].split("|", 2)
    assert (description, kind) == ("Adds two numbers.", "add") and '"Two numbers | to be added."' in schema


def test_availability_is_a_method_to_be_redefined() -> None:
    class Shy(EventWorld):
        def get_available_entities(self, viewer_id: str):
            return {one: card for one, card in self.entities.items() if one == viewer_id or one.startswith("open")}

    for enforce in (True, False):
        ears = [Ear(id="ear"), Ear(id="open1"), Ear(id="hidden")]
        world = Shy(id="w", objects=ears, enforce=enforce)
        run = world.launch()
        ears[0].send_event(Noise())
        ears[0].send_event(Noise(target_id="hidden"))
        run.run()
        assert [ear.heard for ear in ears] == ([0, 1, 0] if enforce else [0, 1, 2])
        assert reasons(world) == (["'hidden' is not within reach of 'ear'"] if enforce else [])


def test_a_rule_for_who_gets_what_may_refuse_or_fail() -> None:
    class Odd(EventWorld):
        def route(self, event):
            if event.event_type == "noise" and event.fields["n"] == 1:
                raise Undeliverable("not that one")
            if event.event_type == "noise" and event.fields["n"] == 2:
                raise KeyError("n")
            return super().route(event)

    you, ear = User(), Ear(id="ear")
    world = Odd(id="w", objects=[ear])
    world.add(you)
    run = world.launch()
    for n in range(3):
        you.send(Noise(n=n))
    run.run()
    assert ear.heard == 1
    assert reasons(world) == ["not that one", "the world could not route it: KeyError: 'n'"]


def test_gifts_go_by_who_holds_them() -> None:
    from unaiverse_lab.events import AgentGivesObjectToAgentEvent

    mic, a, b = Object("Microphone", "mic"), Ear(id="a"), Ear(id="b")
    world, you, run = launched(a, b)
    world.add_object(mic, held_by="a")
    run.step(3)
    assert world.inventory("a") == ["mic"] and world.held_by("mic") == "a"
    b.send_event(AgentGivesObjectToAgentEvent(target_id="w", object_id="mic", recipient_agent_id="b"))
    run.run()
    assert world.held_by("mic") == "a" and "held by a" in list(world.events)[-1].reason
    a.send_event(AgentGivesObjectToAgentEvent(target_id="w", object_id="mic", recipient_agent_id="b"))
    run.run()
    assert world.inventory("b") == ["mic"] and world.inventory("a") == []
    with pytest.raises(WorldError, match="there is nobody 'c'"):
        world.give("mic", "c")


def test_whoever_is_taken_out_is_reached_no_more() -> None:
    ear = Ear(id="ear")
    world, you, run = launched(ear)
    world.remove("ear")
    run.step(2)
    you.send(Noise(target_id="ear"))
    run.run()
    assert "there is no entity 'ear'" in you.received[-1].reason
    world.add(Ear(id="ear"))
    run.step(3)
    you.send(Noise(target_id="ear"))
    run.run()
    assert world.members["ear"].heard == 1


def test_observers_see_everything() -> None:
    world, you, run = launched(Ear(id="ear"))
    seen = []
    world.observe(lambda event, recipients: seen.append((event.event_type, recipients)))
    you.send(Noise())
    you.send(Noise(target_id="nobody"))
    run.run()
    assert seen == [("noise", ["ear", "w"]), ("noise", []), ("event_refused", ["test_user"])]


def test_such_a_world_also_runs_in_a_plain_session() -> None:
    session = Session(BaseWorld(id="w"), name="w")
    ear, you = Ear(), User()
    session.add(ear, "ear"), session.add(you, "test_user")
    session.step(3)
    you.send(Noise())
    session.run()
    assert ear.heard == 1 and ear.id == "ear"
    with pytest.raises(WorldError, match="has to have its id as name"):
        Session(BaseWorld(id="w"), name="other")


class Changeable(Event):
    event_type = "changeable"
    anything: dict
    numbers: list[list[int]] = []


class Meddler(Object):
    """Changes what it gets."""

    @action(on=Changeable)
    def meddle(self, event: Changeable) -> None:
        event.anything["deep"]["more"] = 1
        event.numbers[0].append(2)
        event.meta["id"] = "another"


def test_who_changes_an_event_changes_it_for_itself_alone() -> None:
    world, you, run = launched(Meddler(id="one"), Meddler(id="two"))
    given = {"deep": {}}
    you.send(Changeable(anything=given, numbers=[[1]]))
    run.run()
    assert not run.session.trace.of_kind(Fault) and given == {"deep": {}}
    (event,) = world.events
    assert (event.anything, event.numbers, event.id) == ({"deep": {}}, [[1]], "test_user#1")
    event.anything["deep"]["more"] = 3
    assert list(world.events)[0].anything == {"deep": {}}


@pytest.mark.parametrize("target", [5, ["ear"], {"id": "ear"}])
def test_a_target_that_is_no_id_is_refused(target: object) -> None:
    world, you, run = launched(Ear(id="ear"))
    you.send(Noise.model_construct(target_id=target, n=1))
    run.run()
    assert "the id of an entity, or None for everybody" in you.received[-1].reason


def test_a_cell_that_is_run_again_puts_another_one_in_its_place() -> None:
    world = BaseWorld(id="w")
    world.add(Ear(id="ear"), held_by="somebody")
    world.add(Ear(id="ear"), replace=True)
    you, last = User(), Ear(id="ear")
    world.add(you)
    run = world.launch()
    run.step(2)
    world.add_object(last, replace=True)
    you.send(Noise())
    run.step(3)
    you.send(Noise(target_id="ear"))
    run.run()
    assert last.heard >= 1 and world.members["ear"] is last and world.held_by("ear") == "somebody"
