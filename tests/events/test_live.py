"""A world of events that is live, over a hub in this process, runs as the synchronizer runs it."""

from __future__ import annotations

from itertools import zip_longest

import pytest
from live.rooms import HubWorld
from worlds.folders import failed_checks

import unaiverse_lab as lab
from unaiverse_lab.core.records import BehaviorSet, RoleSet
from unaiverse_lab.events import Agent, BaseWorld, Choice, Event, Object, ScriptedPlanner, User, action
from unaiverse_lab.events.planner import AgentState, as_planner
from unaiverse_lab.live.host import Host
from unaiverse_lab.live.member import Member
from unaiverse_lab.live.memory import MemoryHostPort, MemoryHub, MemoryPort
from unaiverse_lab.runtime.node import Node

TICKS = {"hello_world": 20, "roundtable": 60, "locations": 30, "collaboration": 30}


def alike(live: lab.Session, alone: lab.Session) -> None:
    for mine, theirs in zip_longest(live.trace, alone.trace):
        assert mine == theirs
    assert live.digest() == alone.digest()


@pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
@pytest.mark.parametrize("world", TICKS)
def test_members_elsewhere_change_nothing(world: str, together: bool) -> None:
    room = HubWorld(world, 3, together=together)
    room.session.step(TICKS[world])
    alone = lab.load(world, 3, strict=True)
    alone.step(TICKS[world])
    alike(room.session, alone)
    assert failed_checks(room.session, world) == failed_checks(alone, world) == []
    assert [node.dropped for node in room.session.nodes.values()] == [0] * len(room.session.nodes)
    alone.goto(6)
    alone.step(TICKS[world] - alone.tick - 1)
    alike(room.session, alone)


@pytest.mark.parametrize("world", TICKS)
def test_a_world_of_events_goes_live_and_comes_back(world: str) -> None:
    session, alone = lab.load(world, 3, strict=True), lab.load(world, 3, strict=True)
    alone.step(TICKS[world])
    session.step(5)
    host = Host(session, MemoryHostPort(MemoryHub(), "HOST"))
    session.step(5)
    host.release()
    session.step(TICKS[world] - 10)
    alike(session, alone)


class Moves(Event):
    event_type = "moves"
    to: str


class Look(Event):
    event_type = "look"
    times: int = 2


class Shone(Event):
    event_type = "shone"


class Town(BaseWorld):
    @action(on=Moves)
    def move(self, event: Moves) -> None:
        self.entities[event.sender_id or ""].properties["place"] = event.to

    def get_available_action_schemas(self, viewer_id: str) -> dict[str, str]:
        mine = {f"{self.id}:{one.name}": one.value for one in self.card().actions}
        return {**super().get_available_action_schemas(viewer_id), **mine}


class Lamp(Object):
    @action(on=Look)
    def shine(self, event: Look) -> None:
        self.send_event(Shone())


class Watcher(Agent):
    def planned(self, state: AgentState) -> None:
        place = state.available_entities["walker"].get("place")
        self.notes["seen"] = [*self.notes.get("seen", []), (state.tick, place)]


def members() -> list[Node]:
    """Walker goes to three places, and lights the lamp in between; Watcher then looks where Walker is.

    It does so in the very tick in which Walker arrives at the next place: the world's turn comes before its own.
    """
    steps = [
        Choice("world:move", {"to": "mill"}), Choice("lamp:shine", {"times": "3"}),
        Choice("world:move", {"to": "inn"}), Choice("lamp:shine"), Choice("world:move", {"to": "yard"}),
    ]  # fmt: skip
    watcher = Watcher("Watcher", "watcher", wakeups=["shone"])
    watcher.planner = as_planner(watcher.planned)
    entities = (watcher, Agent("Walker", "walker", planner=ScriptedPlanner(steps)), Lamp("Lamp", "lamp"), User("you"))
    return [Node(entity, entity.id) for entity in entities]


def test_everybody_sees_how_things_were_when_the_tick_began_wherever_they_are() -> None:
    alone = lab.Session(Town(), seed=3, name="world", strict=True)
    here = members()
    for node in here:
        alone.add(node)
    alone.step(15)

    hub = MemoryHub()
    live = lab.Session(Town(), seed=3, name="world")
    host = Host(live, MemoryHostPort(hub, "HOST"))
    hub.meanwhile.append(host.attend)
    there = members()
    for node in there:
        member = Member(MemoryPort(hub, f"M{node.name}"), [node])
        member.join()
        hub.meanwhile += [member.pump, member.port.pump]  # type: ignore[attr-defined]
    live.step(15)

    alike(live, alone)
    looked = [node.agent.notes.get("seen") for node in (here[0], there[0])]  # type: ignore[union-attr]
    assert looked == 2 * [[(1, None), (4, "mill"), (6, "inn")]]
    asked = [event for event in alone.world.events.wires if event["event_type"] == "look"]
    assert [event["times"] for event in asked] == [3, 2]


def test_who_leaves_and_comes_back_sees_its_world_again() -> None:
    def lamp() -> Node:
        return Node(Lamp("Lamp", "lamp", properties={"place": "yard"}), "lamp")

    def machines(session: lab.Session) -> list[tuple[str, str | None]]:
        return [(one.kind, getattr(one, "role", None)) for one in session.trace.of_kind(BehaviorSet, RoleSet)]

    alone = lab.Session(Town(), seed=3, name="world", strict=True)
    alone.add(lamp())
    alone.step(5)
    alone.remove("lamp", "enough")
    alone.step(2)
    back = lamp()
    alone.add(back)
    alone.step(5)

    hub = MemoryHub()
    live = lab.Session(Town(), seed=3, name="world")
    host = Host(live, MemoryHostPort(hub, "HOST"))
    hub.meanwhile.append(host.attend)

    def come(node: Node, nid: str) -> Member:
        member = Member(MemoryPort(hub, nid), [node])
        member.join()
        hub.meanwhile.extend([member.pump, member.port.pump])  # type: ignore[attr-defined]
        return member

    first = come(lamp(), "M1")
    live.step(5)
    first.leave("enough")
    live.step(2)
    again = lamp()
    come(again, "M2")
    live.step(5)

    assert machines(live) == machines(alone)
    assert back.agent.sight.properties == again.agent.sight.properties == {"place": "yard"}  # type: ignore[union-attr]
