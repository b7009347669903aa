"""Members of a world that events reach: objects, which only react, and users, who are moved from outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from unaiverse_lab.agents import Agent as StateMachineAgent
from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.core.envelope import Body, ProfileUpdate
from unaiverse_lab.core.errors import LabError, WorldError
from unaiverse_lab.core.records import BehaviorSet, RoleSet
from unaiverse_lab.events.event import Event, parsed
from unaiverse_lab.events.reacting import (
    AGENT,
    OBJECT,
    USER,
    EntityCard,
    Mailbox,
    Reacting,
    event_in,
    mark_of,
    message_of,
)
from unaiverse_lab.events.serving import EventSurroundings
from unaiverse_lab.events.sights import Sight

LIMIT = 1000


class Entity(StateMachineAgent, Reacting):  # in this order, an agent of any class can become one with its role
    """A member of a world with a state machine, which sends events and reacts to them.

    It is an ordinary agent, too: give it a role with a behavior, and transitions with the argument ``event`` are
    triggered by events of that type.

    Args:
        name: for readers; default: its id.
        id: 1 to 64 letters, digits, ``_`` and ``-``, unique in its world; default: the name of its node.
        description: for those who choose whom to turn to.
        actions: :class:`~unaiverse_lab.events.Action` classes (or instances); the list is copied.
        properties: what the world is to hold of it at first, such as ``location``.
        options: those of :class:`unaiverse_lab.Agent`.

    Raises:
        WorldError: the id is not one, or something is no action.
    """

    entity_type = AGENT

    def __init__(
        self,
        name: str | None = None,
        id: str | None = None,
        description: str = "",
        *,
        actions: Iterable[Any] = (),
        properties: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        known = self.__dict__.get("_sent_events") is not None
        if not known:
            self._set_up(name, id, description, (), properties or {})
        StateMachineAgent.__init__(self, **options)
        if not isinstance(self.surroundings, EventSurroundings):
            self.surroundings = EventSurroundings(self)
            if self.link is not None:
                self.surroundings.attach(self.link)
                self._share_classes()
            else:
                self.behav = HybridStateMachine(self)
                self.behav.add_state("empty")
        if not known:
            self._know(*(self.doing(one).trigger for one in self.action_names()))
            for one in actions:
                self.register_action(one)

    _fleeting_fields = ("event_classes",)

    @property
    def host_world(self) -> Any:
        """The world it is in, when that is in the same process; None elsewhere."""
        home = getattr(self.link, "synchronizer", None)
        host = None if home is None else home.world_node
        world = None if host is None else host.world
        return world if isinstance(world, Reacting) else None

    @property
    def sight(self) -> Sight | None:
        """What the world shows it: how things were when the tick began; None: nothing yet."""
        home = getattr(self.link, "synchronizer", None)
        host = None if home is None else home.world_node
        told = None if host is None or host.world is None else host.world.sight_of(self.link.peer_id)  # type: ignore[union-attr]
        return told if told is None or isinstance(told, Sight) else msgspec.convert(told, Sight)

    @property
    def host_world_id(self) -> str | None:
        """The id of the world it is in."""
        return None if self.link is None else self.link.world_id

    def attach_to(self, link: Any) -> None:
        """Tie it to its node."""
        super().attach_to(link)
        self._share_classes()

    def _share_classes(self) -> None:
        """Know the events that the world knows, and let it know one's own."""
        world = self.host_world
        if isinstance(world, Reacting):
            world._know(*self.event_classes.values())
            self.event_classes = world.event_classes
            for box in self._mailboxes():
                box.classes = world.event_classes

    def _mailboxes(self) -> list[Mailbox]:
        """Where it keeps events."""
        return []

    def stream_profile(self) -> dict[str, Any]:
        """What the profile says of streams, and of the entity."""
        card = msgspec.to_builtins(self.card())
        if self._told is None:
            self._told = card
        return {**super().stream_profile(), "entity": card}

    _told: dict[str, Any] | None = None
    """What the world was told it is."""

    def accept_new_role(self, role: int) -> None:
        """Install the behavior of the role, or its own if the world has none for it."""
        link = self._need_link()
        if link.behavior_template(link.role_table.custom_name(role)) is not None:
            super().accept_new_role(role)
        else:
            previous = self.behav.role
            self.behav = self._own_machine()
            sight = self.sight
            shown = self.entity_class if sight is None else sight.shown_as
            if sight is not None and sight.draws:
                text = str(self.behav)
                link.record(BehaviorSet(self.clock.tick, self.clock.now, link.name, shown, text, own=True))
            self.behav.set_role(shown)
            if self.policy_filter is not None:
                self.set_policy_filter(self.policy_filter)
            former = None if previous == "unknown" else previous
            link.record(RoleSet(self.clock.tick, self.clock.now, link.name, shown, self.behav.state, former))
        self._find_listeners()
        known = link.profile.get_dynamic_profile().get("entity")
        if known is None or known != self._told:
            self._tell_profile()

    def _own_machine(self) -> HybridStateMachine:
        behav = HybridStateMachine(self)
        self.build_behavior(behav)
        behav.wildcards.update(self.behav_wildcards)
        behav.set_role(self.entity_class)
        return behav

    def card(self) -> EntityCard:
        """What the world may know of it."""
        return msgspec.structs.replace(super().card(), machine=mark_of(str(self._own_machine())))

    def _tell_profile(self) -> None:
        link = self._need_link()
        link.profile.update_dynamic(self.stream_profile())
        if link.world_id is not None:
            self._told = link.profile.get_dynamic_profile()["entity"]
            link.post(link.world_id, ProfileUpdate(link.profile.to_dict()))

    def _actions_changed(self, name: str) -> None:
        super()._actions_changed(name)
        self._tell_profile()

    def _post_to_world(self, wire: dict[str, Any]) -> None:
        link: Any = self._need_link()
        world, host = link.world_id, link.synchronizer.world_node
        if world is None and host is None:
            raise WorldError(f"there is no world to take the event of {self.id!r}")
        link.post(world or host.peer_id, message_of(wire, []))

    async def receive(self, sender: str, body: Body) -> None:
        """Take in one message: an event that the world delivers, or what any agent takes in.

        Raises:
            LabError: an event that somebody else brings, or a message it has no use for.
        """
        wire = event_in(body)
        if wire is None:
            await super().receive(sender, body)
        elif sender != self._need_link().world_id:
            raise LabError(f"{sender} brought an event itself: only the world delivers")
        else:
            await self.take_event(wire)


class Object(Entity):
    """Something that only reacts: its machine has one state, and each of its actions is a self-loop."""

    entity_type = OBJECT


class User(Entity):
    """Somebody outside: a person at a keyboard, a front end, a test. What is delivered is kept in ``received``.

    Args:
        id: its identifier.
        name: for readers.
        limit: how many events to keep.
        opening: events it sends as soon as it is in a world.
    """

    entity_type = USER
    keeps_mail = True

    def __init__(
        self,
        id: str = "test_user",
        name: str | None = None,
        description: str = "",
        *,
        limit: int = LIMIT,
        opening: Iterable[Event] = (),
        **options: Any,
    ) -> None:
        if "received" not in self.__dict__:
            self.received = Mailbox(limit)
            self.opening = [(type(one), one.wire()) for one in opening]
        super().__init__(name or id.replace("_", " ").title(), id, description, **options)

    def send(self, event: Event) -> Event:  # type: ignore[override]
        """Send an event, between two ticks or during one; see :meth:`send_event`."""
        return self.send_event(event)

    def accept_new_role(self, role: int) -> None:
        """Take its place in the world."""
        super().accept_new_role(role)
        opening, self.opening = self.opening, []
        for cls, wire in opening:
            self.send_event(parsed(cls, wire))

    def _mailboxes(self) -> list[Mailbox]:
        return [self.received]

    async def _listen(self, wire: dict[str, Any], link: Any) -> None:
        self.received.add(wire)
        await super()._listen(wire, link)
