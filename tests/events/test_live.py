"""A world of events that is live, over a hub in this process: its members here, and elsewhere."""

from __future__ import annotations

from live.rooms import HubWorld
from worlds.folders import failed_checks

from unaiverse_lab import Session
from unaiverse_lab.core.records import Dropped, Fault
from unaiverse_lab.live.host import Host
from unaiverse_lab.live.memory import MemoryHostPort, MemoryHub
from unaiverse_lab.runtime.launch import gather

STORY = [
    "user_speaks_with_agent_event",
    "agent_wants_to_add_two_numbers_event",
    "send_added_numbers_to_agent_event",
    "agent_speaks_with_user_event",
    "agent_goes_to_sleep",
]


def kinds(session: Session) -> list[str]:
    asking = ("agent_wants_updated_state", "world_sends_available")
    return [
        event.event_type
        for event in session.world.events
        if not event.meta.get("local") and not event.event_type.startswith(asking)
    ]


def test_a_live_world_routes_what_its_log_gives_back() -> None:
    session = Session(None, 0)
    for node in gather("hello_world"):
        session.add(node)
    Host(session, MemoryHostPort(MemoryHub(), "HOST"), "lockstep")
    session.step(20)
    assert kinds(session) == STORY and failed_checks(session, "hello_world") == []


def test_members_elsewhere_send_react_and_plan() -> None:
    room = HubWorld("hello_world")
    room.session.step(25)
    assert kinds(room.session) == STORY
    assert room.session.trace.of_kind(Fault, Dropped) == []
