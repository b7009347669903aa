"""What the members of a world see of it: how things were when the tick began, wherever they live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from unaiverse_lab.behavior.model import copied
from unaiverse_lab.events.reacting import ASLEEP, EntityCard

if TYPE_CHECKING:
    from unaiverse_lab.events.world import EventWorld


class Sight(msgspec.Struct):
    """What a world shows one of its entities. Plain data, so that it travels.

    Attributes:
        shown_as: the role under which its own machine is drawn.
        draws: whether it is the first with that machine, and so the one that puts it into the trace.
        properties: what the world holds of it.
        about: the description of the world. This and what follows: for those who choose among what they see.
        entities, schemas: those available to it, and the actions.
        inventory: ids of what it holds.
    """

    shown_as: str
    draws: bool = False
    properties: dict[str, Any] = {}
    about: str = ""
    entities: dict[str, dict[str, Any]] = {}
    schemas: dict[str, str] = {}
    inventory: list[str] = []


class Sights:
    """Keeps what the members of a world see. ``new`` holds, by id, what may have changed since the last tick."""

    _fleeting_fields = ("new", "_properties")

    def __init__(self) -> None:
        self.new: dict[str, Sight] = {}
        self._machines: dict[str, str] = {}
        self._shown_as: dict[str, str] = {}
        self._drawn_by: dict[str, str] = {}
        self._properties: dict[str, dict[str, Any]] = {}
        self._entered: dict[str, None] = {}
        self._told: dict[str, None] = {}
        self._tick = -1

    def draw(self, role: str, machine: str) -> None:
        """A machine is drawn under this role."""
        self._machines[role] = machine

    def enter(self, card: EntityCard) -> None:
        """Choose the role under which an entity's own machine is drawn: its class, or its id if it differs there."""
        for role in (card.entity_class, card.id):
            if self._machines.setdefault(role, card.machine) == card.machine:
                break
        self._shown_as[card.id] = role
        self._entered[card.id] = None
        self._drawn_by.setdefault(role, card.id)

    def begin(self, tick: int) -> None:
        """From now on, what is told is for this tick."""
        if self._tick != tick:
            self._tick, self._told = tick, {}

    def tell(self, world: EventWorld, recipients: list[str], kind: str) -> None:
        """Some entities get an event of a type: who may think about it has to look first."""
        cards = world.entities
        for one in recipients:
            card = cards.get(one)
            if card is not None and card.looks and _may_think(world, one, kind):
                self._told[one] = None

    def look_around(self, world: EventWorld) -> None:
        """Note down how things are, for the tick that begins."""
        known, self.new = self._properties, {}
        entered, self._entered = self._entered, {}
        for card in (*world.entities.values(), *world.users.values()):
            changed = known.get(card.id) != card.properties
            if changed:
                known[card.id] = copied(card.properties)
            if changed or card.id in entered or (card.looks and (card.id in self._told or _may_think(world, card.id))):
                sight = self._sight(world, card, known[card.id])
                if sight is not None:
                    self.new[card.id] = sight

    def of(self, world: EventWorld, peer_id: str, in_tick: bool) -> Sight | None:
        """What one entity sees: during a tick how things were when it began, else how they are now."""
        if in_tick and peer_id in self.new:
            return self.new[peer_id]
        card = world.entities.get(peer_id) or world.users.get(peer_id)
        if card is None:
            return None
        return self._sight(world, card, self._properties.get(peer_id, {}) if in_tick else copied(card.properties))

    def _sight(self, world: EventWorld, card: EntityCard, properties: dict[str, Any]) -> Sight | None:
        me = card.id
        role = self._shown_as.get(me)
        if role is None:
            return None
        sight = Sight(role, self._drawn_by[role] == me, properties)
        if card.looks:
            sight.about = world.description
            sight.entities = {one.id: one.public() for one in world.get_available_entities(me).values()}
            sight.schemas = dict(world.get_available_action_schemas(me))
            sight.inventory = world.inventory(me)
        return sight


def _may_think(world: EventWorld, peer_id: str, told: str | None = None) -> bool:
    """Whether an entity may choose something in its next turn, when it is told of some type of events."""
    link: Any = world._need_link()
    node = link.synchronizer.nodes.get(peer_id)
    if node is None or node.agent is None:
        return False
    may_think = getattr(node.agent, "may_think", None)
    if may_think is not None:
        return bool(may_think(told))
    return told is not None or node.agent.behav.get_state_name(consider_limbo=True) != ASLEEP
