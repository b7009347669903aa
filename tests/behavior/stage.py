"""An actor with scripted outcomes, and a stage that plays a machine tick by tick and says what happened."""

from __future__ import annotations

from typing import Any

from unaiverse_lab.behavior import HybridStateMachine, action
from unaiverse_lab.behavior.surroundings import Surroundings
from unaiverse_lab.core.clock import VirtualClock
from unaiverse_lab.core.drive import drive
from unaiverse_lab.core.interaction import Interaction
from unaiverse_lab.core.records import Fault, Forced, InState, Moved, Record, Said, Tried


class Actor:
    """Each action returns the next of its scripted outcomes, the last one for ever; True without a script."""

    def __init__(self, **script: Any) -> None:
        self.script = {name: list(value) if isinstance(value, list) else [value] for name, value in script.items()}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def play(self, name: str, **given: Any) -> Any:
        self.calls.append((name, given))
        outcomes = self.script.get(name, [True])
        return outcomes.pop(0) if len(outcomes) > 1 else outcomes[0]

    @action
    async def go(self, a: Any = None, b: Any = None) -> Any:
        return self.play("go", a=a, b=b)

    @action
    async def alt(self) -> Any:
        return self.play("alt")

    @action
    async def peek(self, depth: int = 0) -> Any:
        return self.play("peek", depth=depth)

    @action
    async def nop(self) -> Any:
        return self.play("nop")

    @action
    async def serve(self, text: str = "", interaction: Interaction | None = None) -> Any:
        return self.play("serve", text=text, by=interaction.requester if interaction else None)

    @action
    async def need(self, value: Any) -> Any:
        return self.play("need", value=value)

    @action
    async def send(self, action_name: str | None = None, action_kwargs: dict[str, Any] | None = None) -> Any:
        return self.play("send", action_name=action_name)

    async def undecorated(self) -> bool:
        return True

    def plain_method(self) -> bool:
        return True

    attribute = 3


def machine(actor: Any = None, *, delta: float = 1.0, **options: Any) -> HybridStateMachine:
    around = Surroundings(clock=VirtualClock(delta))
    return HybridStateMachine(Actor() if actor is None else actor, surroundings=around, **options)


def words(record: Record) -> str:
    match record:
        case Said():
            return record.text
        case Moved():
            return f"{record.action} -> {record.target}"
        case Tried():
            return f"{record.action} {record.outcome}"
        case InState():
            return f"({record.action})"
        case Forced():
            return record.what
        case Fault():
            return f"! {record.error}"
        case _:
            return type(record).__name__


class Stage:
    """Plays a machine made by :func:`machine`, one tick a second."""

    def __init__(self, hsm: HybridStateMachine) -> None:
        self.hsm = hsm
        self.changed: bool | None = None

    def tick(self, count: int = 1) -> list[str]:
        """What happened in the last of ``count`` ticks."""
        around = self.hsm.surroundings
        for _ in range(count):
            around.records.clear()
            self.changed = drive(self.hsm.act())
            around.clock.move_to(around.clock.tick + 1)  # type: ignore[attr-defined]
        return [words(record) for record in around.records]

    @property
    def faults(self) -> list[Fault]:
        """Faults of the last tick."""
        return [record for record in self.hsm.surroundings.records if isinstance(record, Fault)]

    @property
    def where(self) -> str | None:
        """The state; in limbo ``~`` and the state being left."""
        return self.hsm.state or (f"~{self.hsm.limbo_state}" if self.hsm.limbo_state else None)


def request(name: str, by: str = "ann", id: str = "r1", **fields: Any) -> Interaction:
    return Interaction(name, fields.pop("args", {}), requester=by, id=id, **fields)


def edge(name: str, goto: str, **on: Any) -> dict[str, Any]:
    return {"on": {"action": name, **on}, "goto": goto}


def content(**changes: Any) -> dict[str, Any]:
    """A small right behavior: a -go-> b -alt-> a."""
    return {
        "machine": {"role": "guest", "initial_state": "a", "options": {}},
        "states": {"a": {}, "b": {}},
        "transitions": {"a": [edge("go", "b")], "b": [edge("alt", "a")]},
        "teleports": {},
        **changes,
    }
