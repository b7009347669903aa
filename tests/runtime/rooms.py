"""Small worlds for the tests of everything above the machine."""

from __future__ import annotations

from typing import Any, TypeVar

from unaiverse_lab import Agent, HybridStateMachine, NodeProfile, Session, World
from unaiverse_lab.core.records import Completed, Dropped, Fault, Moved, Record, Requested, Tried

R = TypeVar("R", bound=Record)


class Room(World):
    """Gives everybody the role it prefers."""

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str | None:
        return profile.get_dynamic_profile().get("tmp_role_preference")


def machine(role: type[Agent], state: str = "ready", **options: Any) -> HybridStateMachine:
    """A machine for a role class, with its first state."""
    hsm = HybridStateMachine(role(proc=None))
    hsm.add_state(state, **options)
    return hsm


def room(world: type[World] = Room, **behaviors: HybridStateMachine) -> World:
    """A world whose roles are those of the machines, played by the classes they were made for."""
    return world(roles={name: type(hsm.agent) for name, hsm in behaviors.items()}, behaviors=behaviors)


def records(session: Session, kind: type[R], node: str | None = None) -> list[R]:
    """The records of one kind, of one node or all."""
    return [record for record in session.trace.of_kind(kind) if node in (None, record.node)]  # type: ignore[misc]


def moves(session: Session, node: str | None = None) -> list[str]:
    """``"from -action-> to"`` for every transition taken."""
    return [f"{move.source} -{move.action}-> {move.target}" for move in records(session, Moved, node)]


def ends(session: Session, node: str) -> list[tuple[str, str]]:
    """How the requests of a node ended: ``(reason, detail)``."""
    return [(end.reason, end.detail or "") for end in records(session, Completed, node) if end.side == "sent"]


__all__ = [
    "Completed", "Dropped", "Fault", "Moved", "Requested", "Room", "Tried", "ends", "machine", "moves", "records",
    "room",
]  # fmt: skip
