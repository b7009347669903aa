"""Small worlds of events for the tests."""

from __future__ import annotations

from typing import Any

from unaiverse_lab.events import (
    Agent,
    BaseWorld,
    Event,
    Object,
    Run,
    User,
    action,
)


class Add(Event):
    event_type, description = "add", "Two numbers | to be added."
    a: float
    b: int


class Sum(Event):
    event_type, description = "sum", "Their sum."
    total: float


class Noise(Event):
    event_type, description = "noise", "For everybody."
    n: int = 0


class Calculator(Object):
    """Adds, and breaks when told to."""

    @action(on=Add, description="Adds two numbers.")
    def add(self, event: Add) -> None:
        if event.b == 13:
            raise RuntimeError("thirteen")
        self.send_event(Sum(target_id=event.sender_id, total=event.a + event.b))


class Ear(Object):
    """Hears noise."""

    heard = 0

    @action(on=Noise)
    async def hear(self, event: Noise) -> bool:
        self.heard += 1
        return event.n >= 0


def launched(*entities: Any, user: User | None = None, **options: Any) -> tuple[BaseWorld, User, Run]:
    """A world with these entities and a user, launched."""
    run_options = {name: options.pop(name) for name in ("strict", "encode", "history") if name in options}
    world, you = BaseWorld("Hello", "A world.", id="w", **options), user or User()
    for one in entities:
        world.add(one)
    world.add(you)
    return world, you, world.launch(**run_options)


def story(world: Any) -> list[tuple[str, str | None, str]]:
    """Sender, target and type of each event that was not local, in order."""
    return [(e.sender_id, e.target_id, e.event_type) for e in world.events if not e.meta.get("local")]


def reasons(world: Any) -> list[str]:
    """Why events were refused."""
    return [reason for _, reason in world.events.refusals()]


__all__ = ["Add", "Agent", "Calculator", "Ear", "Noise", "Sum", "launched", "reasons", "story"]
