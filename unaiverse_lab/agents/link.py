"""What agents and worlds need of the node that hosts them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.core.clock import Clock
from unaiverse_lab.core.envelope import Body
from unaiverse_lab.core.profile import NodeProfile
from unaiverse_lab.core.records import Record
from unaiverse_lab.core.roles import RoleTable
from unaiverse_lab.stats.stats import Stats


class Link(Protocol):
    """What a node gives to whatever it hosts."""

    name: str
    peer_id: str
    clock: Clock
    seed: str
    profile: NodeProfile
    record: Callable[[Record], None]

    def post(self, target: str, body: Body) -> bool:
        """Send a message; False if there is no such peer."""

    def wake(self) -> None:
        """Give the node a turn at the next tick."""

    def identity_of(self, name: str) -> tuple[str, str] | None:
        """Peer id and node id that really belong to a node name, whatever its profile says; None: no such node."""


class AgentLink(Link, Protocol):
    """What a node gives to an agent."""

    @property
    def stacks(self) -> Any:
        """Where learning steps of many students are put together; None: each is made at once."""

    @property
    def world_id(self) -> str | None:
        """Peer id of the world the node is in."""

    @property
    def stats_class(self) -> type[Stats]:
        """What that world measures; outside a world the core statistics."""

    @property
    def role_table(self) -> RoleTable:
        """Roles of that world."""

    @property
    def roster(self) -> dict[str, int]:
        """Its members, by peer id, with their role bits."""

    def behavior_template(self, role_name: str) -> HybridStateMachine | None:
        """The behavior the world sent for a role, ready to be copied."""

    def peer_named(self, name: str) -> str | None:
        """Peer id of a node name."""
