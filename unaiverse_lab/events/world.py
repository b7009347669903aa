"""Worlds whose members send each other events: who can reach whom, who may choose what, and the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.behavior.surroundings import Surroundings
from unaiverse_lab.core.envelope import Envelope, InteractionMessage, ProfileUpdate
from unaiverse_lab.core.errors import LabError, NotInWorld, WorldError, did_you_mean
from unaiverse_lab.core.profile import NodeProfile
from unaiverse_lab.core.records import BehaviorSet, Requested, Sent
from unaiverse_lab.events.actions import Action
from unaiverse_lab.events.entity import Entity, Object
from unaiverse_lab.events.event import Event, Mail, event_of
from unaiverse_lab.events.reacting import (
    NAME,
    OBJECT,
    USER,
    WORLD,
    EntityCard,
    Mailbox,
    Reacting,
    event_in,
    mark_of,
    message_of,
)
from unaiverse_lab.events.sights import Sight, Sights
from unaiverse_lab.events.simulation import Run, start
from unaiverse_lab.events.standard import (
    AgentGivesObjectToAgentEvent,
    AgentWantsUpdatedStateEvent,
    EventRefused,
    WorldSendsAvailableActionSchemasEvent,
    WorldSendsAvailableEntitiesEvent,
    WorldSetsHolderEvent,
)
from unaiverse_lab.runtime.transport import body_of
from unaiverse_lab.world import World as StateMachineWorld

MAX_HOPS = 64
INBOX = 1024
MAX_ROLES = 30
REFUSED = EventRefused.event_type


class Undeliverable(LabError):
    """The world does not deliver an event; the text is the reason its sender gets."""


class EventLog:
    """Every event of a world, refused ones included, in the order in which the world took them; read from the trace.

    Iterating gives events; ``wires`` the same as data.
    """

    def __init__(self, world: EventWorld) -> None:
        self._world = world

    @property
    def sent(self) -> list[Sent]:
        """Their records: sender (``node``), recipients (``targets``), tick."""
        trace = self._world._sender().synchronizer.trace
        return [one for one in trace if type(one) is Sent and one.args is not None and "event" in one.args]

    @property
    def wires(self) -> list[dict[str, Any]]:
        """The events as data."""
        return [one.args["event"] for one in self.sent if one.args is not None]

    def refusals(self) -> list[tuple[str, str]]:
        """Id and reason of each refusal, by the world or by a receiver."""
        trace = self._world._sender().synchronizer.trace
        return [(one.uuid, one.reason or "") for one in trace if type(one) is Requested and not one.accepted]

    def __len__(self) -> int:
        return len(self.sent)

    def __iter__(self) -> Any:
        return (event_of(wire, self._world.event_classes) for wire in self.wires)

    def __getitem__(self, index: int) -> Event:
        return event_of(self.wires[index], self._world.event_classes)


class EventWorld(Reacting, StateMachineWorld):
    """A world that routes events. Its policy: everybody is available to everybody, and all listed actions are.

    Redefine :meth:`get_available_entities` and :meth:`get_available_action_schemas` for another one.

    Args:
        name: for readers.
        description: for agents.
        agents, objects: who is in it from the start; the lists are copied.
        actions: the world's own actions; the list is copied.
        id: default: ``"world"``.
        enforce: whether events reach only who is available to their sender; False: availability is advice.
        max_hops: how many events may lead to one another.
        options: those of :class:`unaiverse_lab.World`.

    Raises:
        WorldError: an id that is taken, or is not one.
    """

    entity_type = WORLD
    _fleeting_fields = ("_watchers", "event_classes")

    def __init__(
        self,
        name: str = "World",
        description: str = "",
        agents: Iterable[Entity] | None = None,
        objects: Iterable[Entity] | None = None,
        actions: Iterable[type[Action] | Action] | None = None,
        id: str | None = None,
        *,
        enforce: bool = True,
        max_hops: int = MAX_HOPS,
        **options: Any,
    ) -> None:
        self._set_up(name, id if id is not None else "world", description, (), {})
        StateMachineWorld.__init__(self, **options)
        self.enforce = enforce
        self.max_hops = max_hops
        self.behav: Any = None
        self.link = None
        self.members: dict[str, Entity] = {}
        self.users: dict[str, EntityCard] = {}
        self.entities: dict[str, EntityCard] = {}
        self._seeing = Sights()
        self._counts: dict[str, int] = {}
        self._watchers: list[Callable[[Event, list[str]], Any]] = []
        self._run: Run | None = None
        for action in actions or ():
            self.register_action(action)
        self.entities[self.id] = self.card()
        for one in (*(agents or ()), *(objects or ())):
            self.add(one)

    # ------------------------------------------------------------------ who is in it

    def add(self, entity: Entity, replace: bool = False, **properties: Any) -> Entity:
        """Let an entity take part; in a launched world from the next tick on.

        Args:
            entity: it joins as others do, and the world may turn it away.
            replace: take the place of the entity of that id, if there is one, with what the world holds of it; for
                cells that are run again.
            properties: what the world is to hold of it, such as ``location``.

        Raises:
            WorldError: its id is taken, or it is not an entity.
        """
        if not isinstance(entity, Entity):
            raise WorldError(
                f"{type(entity).__name__} is not an entity: derive it from Agent, Object or User of events"
            )
        if replace and entity.id in self.members:
            known = self.entities.get(entity.id) or self.users.get(entity.id)
            kept = known.properties if known is not None else self.members[entity.id].properties
            entity.properties = {**entity.properties, **kept}
            self.remove(entity.id, "another one takes its place")
        if entity.id in self.members or entity.id == self.id:
            raise WorldError(f"there is an entity {entity.id!r} in the world {self.id!r} already: ids are unique")
        entity.properties.update(properties)
        self.event_classes.update(entity.event_classes)
        self.members[entity.id] = entity
        if self._run is not None:
            self._run.session.add(entity, entity.id)
        return entity

    def add_agent(self, agent: Any, profile: NodeProfile | None = None, **properties: Any) -> Any:  # type: ignore[override]
        """:meth:`add`, for agents; with a peer id and a profile, what :meth:`unaiverse_lab.World.add_agent` does."""
        if profile is not None:
            return super().add_agent(agent, profile)
        if isinstance(agent, Object):
            raise WorldError(f"{agent.id!r} is an object: add_object(...)")
        return self.add(agent, **properties)

    def add_object(self, obj: Entity, **properties: Any) -> Entity:
        """:meth:`add`, for objects."""
        if not isinstance(obj, Object):
            raise WorldError(f"{getattr(obj, 'id', obj)!r} is no object: add_agent(...)")
        return self.add(obj, **properties)

    def remove(self, entity_id: str, reason: str = "") -> None:
        """Let an entity leave; what is under way to it is lost.

        Raises:
            WorldError: there is no such entity.
        """
        if entity_id not in self.members:
            raise WorldError(f"there is no entity {entity_id!r}.{did_you_mean(entity_id, self.members)}")
        if self._run is not None:
            self._run.session.remove(entity_id, reason)
        del self.members[entity_id]
        self._forget(entity_id)

    def get_entity_by_id(self, entity_id: str) -> EntityCard:
        """What the world knows of an entity.

        Raises:
            KeyError: nothing.
        """
        return self.entities.get(entity_id) or self.users[entity_id]

    def _forget(self, entity_id: str) -> None:
        self.entities.pop(entity_id, None)
        self.users.pop(entity_id, None)

    def _take_card(self, peer_id: str, profile: NodeProfile) -> None:
        """A member tells what it is."""
        told = profile.get_dynamic_profile().get("entity")
        if not isinstance(told, dict):
            return
        card = msgspec.convert({**told, "id": peer_id}, EntityCard)
        known = self.entities.get(peer_id) or self.users.get(peer_id)
        if known is not None:
            card.properties = known.properties
        self._seeing.enter(card)
        (self.users if card.entity_type == USER else self.entities)[peer_id] = card

    async def remove_agent(self, peer_id: str) -> None:
        """Strike a member off every list."""
        await super().remove_agent(peer_id)
        self._forget(peer_id)

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str | None:
        """The class of an entity is its role."""
        told = profile.get_dynamic_profile().get("entity")
        name = told.get("entity_class") if isinstance(told, dict) else None
        return name if name in self.roles.custom else super().assign_role(profile, is_world_master)

    def prepare(self) -> None:
        """Build roles and behaviors; the classes of the first entities are roles."""
        kinds: dict[str, type[Entity]] = {}
        for one in self.members.values():
            kinds.setdefault(one.entity_class, type(one))
        for cls in self.role_classes.values():
            self._know(*(one._doing.trigger for one in vars(cls).values() if hasattr(one, "_doing")))
        for name, cls in kinds.items():
            if len(self.role_classes) < MAX_ROLES and all(
                type(one) is cls for one in self.members.values() if one.entity_class == name
            ):
                self.role_classes.setdefault(name, cls)
        super().prepare()

    def sights(self) -> dict[str, Any]:
        """What may be new to whom in the tick that begins."""
        return self._seeing.new

    def sight_of(self, peer_id: str) -> Sight | None:
        """What one entity sees: during a tick how things were when it began, else how they are; None: no member."""
        link: Any = self._need_link()
        return self._seeing.of(self, peer_id, link.synchronizer.in_tick)

    # ------------------------------------------------------------------ what holds of them

    def inventory(self, holder_id: str) -> list[str]:
        """Ids of what an entity holds."""
        return [one.id for one in self.entities.values() if one.properties.get("held_by") == holder_id]

    def held_by(self, object_id: str) -> str | None:
        """Who holds an object; None: nobody."""
        held: str | None = self.get_entity_by_id(object_id).properties.get("held_by")
        return held

    def give(self, object_id: str, to: str | None, by: str | None = None) -> None:
        """Put an object into other hands; everybody is told.

        Args:
            object_id: the object.
            to: who holds it from now on; None: nobody.
            by: who gives it away; only who holds it can. None: the world itself.

        Raises:
            WorldError: no such object or recipient, or ``by`` does not hold it.
        """
        known = [one for one in self.entities if one != self.id]
        card = self.entities.get(object_id)
        if card is None or card.entity_type != OBJECT:
            raise WorldError(f"there is no object {object_id!r}.{did_you_mean(object_id, known)}")
        if to is not None and (to not in known or to == object_id):
            raise WorldError(f"there is nobody {to!r} to hold it.{did_you_mean(to, known)}")
        holder = card.properties.get("held_by")
        if by is not None and holder != by:
            raise WorldError(f"{by!r} cannot give {object_id!r} away: it is held by {holder or 'nobody'}")
        card.properties["held_by"] = to
        if self.link is not None:
            self.send_event(WorldSetsHolderEvent(object_id=object_id, held_by=to))

    # ------------------------------------------------------------------ the policy

    def get_available_entities(self, viewer_id: str) -> Mapping[str, EntityCard]:
        """The entities that an entity can see and reach; override it. Users are reached by all, and listed nowhere."""
        return self.entities

    def get_available_action_schemas(self, viewer_id: str) -> dict[str, str]:
        """The actions that an entity may choose: key -> ``description|event type|schema``; override it.

        Default: its own, and those of the objects it can see.
        """
        found = {}
        for card in self.get_available_entities(viewer_id).values():
            mine = card.id == viewer_id
            if mine or card.entity_type == OBJECT:
                for one in card.actions:
                    if one.listed and (mine or not one.local):
                        found[f"{card.id}:{one.name}"] = one.value
        return found

    def route(self, event: Mail) -> list[str]:
        """Who gets an event; override it for another rule.

        Args:
            event: ``sender_id``, ``target_id`` (None: all it can reach), ``event_type`` and the ``fields``.

        Raises:
            Undeliverable: nobody does; the text is told to the sender.
        """
        sender, target = event.sender_id, event.target_id
        if target is not None:
            if target == sender or target == self.id:
                return [target]
            if target not in self.entities and target not in self.users:
                known = [*self.get_available_entities(sender), *self.users] if sender != self.id else self.entities
                raise Undeliverable(f"there is no entity {target!r}.{did_you_mean(target, known)}")
            if (
                self.enforce
                and target not in self.users
                and sender not in self.users
                and sender != self.id
                and event.event_type != REFUSED
                and target not in self.get_available_entities(sender)
            ):
                raise Undeliverable(f"{target!r} is not within reach of {sender!r}")
            return [target]
        everybody = not self.enforce or sender in self.users or sender == self.id
        reached = self.entities if everybody else self.get_available_entities(sender)
        me = self.id
        found = [one for one in reached if one != sender and one != me]
        found += [one for one in self.users if one != sender]
        if sender != me:
            found.append(me)
        return found

    # ------------------------------------------------------------------ the hub

    def attach_to(self, link: Any) -> None:
        """Tie the world to its node: from now on it routes what was sent during a tick, at its end."""
        if not NAME.fullmatch(self.id) or link.peer_id != self.id:
            raise WorldError(f"the node of the world {self.id!r} has to have its id as name, not {link.name!r}")
        StateMachineWorld.attach_to(self, link)
        self.surroundings = Surroundings(link.clock, link.record, link.name)
        self.behav = HybridStateMachine(self)
        self.build_behavior(self.behav)
        self.behav.set_role(self.entity_class)
        text = str(self.behav)
        self._seeing.draw(self.entity_class, mark_of(text))
        link.record(BehaviorSet(link.clock.tick, link.clock.now, link.name, self.entity_class, text))
        self._know(*(self.doing(one).trigger for one in self.action_names()))
        duties = getattr(link.synchronizer, "between_ticks", None)
        if duties is not None:
            duties.append(self._exchange)

    def _exchange(self) -> None:
        """Between two ticks: hand what was sent to those who get it."""
        link: Any = self._need_link()
        transport = link.synchronizer.transport
        self._seeing.begin(link.synchronizer.following)
        if len(transport):
            self._counts = {}
            transport.reroute(self._takes)
        self._seeing.look_around(self)

    def _takes(self, envelope: Envelope) -> bool:
        """Whether a message is an event that was not routed yet; it is then."""
        if envelope.target != self.id:
            return False
        try:
            body = body_of(envelope)
            wire = event_in(body)
        except (LabError, ValueError):
            return False
        if wire is None or (envelope.sender == self.id and body.interaction.get("target")):  # type: ignore[attr-defined]
            return False
        self.deliver(envelope.sender, wire)
        return True

    def deliver(self, sender: str, wire: dict[str, Any]) -> None:
        """Route an event that ``sender`` handed in, and put it into the log.

        Args:
            sender: who it really comes from, as the transport knows.
            wire: the event as data.
        """
        link = self._need_link()
        meta = wire.get("meta")
        if not isinstance(meta, dict) or not isinstance(meta.get("id"), str) or not isinstance(meta.get("hops"), int):
            self._sent_events += 1
            meta = wire["meta"] = {
                "id": f"{sender}#w{self._sent_events}",
                "cause": None,
                "hops": 0,
                "tick": link.clock.tick,
            }
        kind, target, claimed = wire["event_type"], wire.get("target_id"), wire.get("sender_id")
        recipients: list[str] = []
        reason = None
        wire["sender_id"] = sender
        mail = Mail(kind, sender, target, meta["id"], meta["hops"], wire)
        if claimed != sender:
            reason = f"{sender!r} sent it in the name of {claimed!r}"
        elif sender != self.id and sender not in self.entities and sender not in self.users:
            reason = f"{sender!r} is no entity of this world"
        elif target is not None and not isinstance(target, str):
            reason = f"its target is {target!r:.60}: the id of an entity, or None for everybody"
        elif meta["hops"] > self.max_hops:
            reason = f"more than {self.max_hops} events led to one another: {self._cycle(mail)}"
        else:
            try:
                recipients = list(self.route(mail))
            except Undeliverable as error:
                reason = str(error)
            except Exception as error:
                self._fault(error, "route")
                reason = f"the world could not route it: {type(error).__name__}: {error}"
        link.record(Sent(link.clock.tick, link.clock.now, sender, meta["id"], recipients, kind, {"event": wire}))
        if self._watchers:
            self._show(wire, recipients)
        if reason is not None:
            self._turn_down(mail, reason)
            return
        counts, full = self._counts, []
        message = None
        for one in recipients:
            count = counts[one] = counts.get(one, 0) + 1
            if count > INBOX:
                full.append(one)
                continue
            if message is None:
                message = message_of(wire, recipients)
            if not link.post(one, message):
                full.append(one)
        self._seeing.tell(self, recipients, kind)
        if full:
            self._turn_down(mail, f"the inbox of {', '.join(full)} is full: at most {INBOX} events a tick")

    def _turn_down(self, mail: Mail, reason: str) -> None:
        link = self._need_link()
        tick, now = link.clock.tick, link.clock.now
        link.record(
            Requested(tick, now, link.name, mail.id, mail.sender_id, mail.event_type, None, False, reason)
        )  # fmt: skip
        if mail.sender_id != self.id and mail.event_type != REFUSED:
            self._handling = {"id": mail.id, "hops": 0}
            try:
                refusal = EventRefused(target_id=mail.sender_id, event_id=mail.id, reason=reason)
                refusal.sender_id = self.id
                self._send_now(refusal)
            finally:
                self._handling = None

    def _send_now(self, event: Event) -> None:
        """Send between two ticks, after the messages of the tick."""
        link = self._need_link()
        self._sent_events += 1
        wire = event.wire()
        wire["created_at"] = link.clock.get_time_as_string()
        cause = None if self._handling is None else self._handling["id"]
        wire["meta"] = {"id": f"{self.id}#{self._sent_events}", "cause": cause, "hops": 0, "tick": link.clock.tick}
        self.deliver(self.id, wire)

    def _cycle(self, mail: Mail) -> str:
        """Who sent what, in the chain that led to an event."""
        by_id = {one.args["event"]["meta"]["id"]: one for one in self.events.sent[-4 * self.max_hops :] if one.args}
        steps, cause = [f"{mail.sender_id} {mail.event_type}"], mail.fields["meta"].get("cause")
        while cause in by_id and len(steps) < 8:
            sent = by_id[cause]
            step = f"{sent.node} {sent.action}"
            if step in steps:
                break
            steps.append(step)
            cause = (sent.args or {})["event"]["meta"]["cause"]
        return " <- ".join(steps)

    def _post_to_world(self, wire: dict[str, Any]) -> None:
        link = self._need_link()
        link.post(link.peer_id, message_of(wire, []))

    async def _on_message(self, sender: str, body: InteractionMessage) -> None:
        wire = event_in(body)
        if wire is None:
            raise LabError("a world has no use for a request that is no event")
        await self.take_event(wire)

    async def _on_update(self, sender: str, body: ProfileUpdate) -> None:
        await self._on_profile_update(sender, body)
        self._take_card(sender, self.all_agents[sender])

    _handlers = {**StateMachineWorld._handlers, InteractionMessage: _on_message, ProfileUpdate: _on_update}

    async def _enrol(self, sender: str, profile: NodeProfile, bits: int) -> str:
        reason = await super()._enrol(sender, profile, bits)
        if not reason:
            self._take_card(sender, profile)
        return reason

    # ------------------------------------------------------------------ seeing and running it

    @property
    def events(self) -> EventLog:
        """The log.

        Raises:
            NotInWorld: the world is not in a session yet.
        """
        if self.link is None:
            raise NotInWorld(f"the world {self.id!r} has no log yet: launch it")
        return EventLog(self)

    def observe(self, watcher: Callable[[Event, list[str]], Any]) -> None:
        """Call ``watcher(event, recipients)`` for every event, refused ones included, when the world takes it."""
        self._watchers.append(watcher)

    def _show(self, wire: dict[str, Any], recipients: list[str]) -> None:
        for watcher in self._watchers:
            try:
                watcher(event_of(wire, self.event_classes), recipients)
            except Exception as error:
                self._fault(error, "observe")

    def launch(self, *args: Any, **options: Any) -> Run:
        """Start a synchronized run in this process: no thread, no port; see :func:`~unaiverse_lab.events.launch`."""
        if self._run is None:
            self._run = start(self, *args, **options)
        return self._run


class BaseWorld(EventWorld):
    """GenWorlds' base world: every entity is available, and of the actions one's own and those of all objects.

    It answers ``agent_wants_updated_state`` with both lists, and ``agent_gives_object_to_agent_event`` by
    :meth:`~EventWorld.give`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for one in (WorldSendsAvailableEntities, WorldSendsAvailableActionSchemas, WorldGivesObject):
            self.register_action(one)
        self.entities[self.id] = self.card()


class WorldSendsAvailableEntities(Action):
    trigger_event_class = AgentWantsUpdatedStateEvent
    description = "Sends the available entities."

    def __call__(self, event: AgentWantsUpdatedStateEvent) -> None:
        world = self.host_object
        found = world.get_available_entities(event.sender_id)
        told = {one.id: one.public() for one in found.values()}
        world.send_event(WorldSendsAvailableEntitiesEvent(target_id=event.sender_id, available_entities=told))


class WorldSendsAvailableActionSchemas(Action):
    trigger_event_class = AgentWantsUpdatedStateEvent
    description = "Sends the available actions."

    def __call__(self, event: AgentWantsUpdatedStateEvent) -> None:
        world = self.host_object
        world.send_event(
            WorldSendsAvailableActionSchemasEvent(
                target_id=event.sender_id,
                world_name=world.name,
                world_description=world.description,
                available_action_schemas=world.get_available_action_schemas(event.sender_id),
            )
        )


class WorldGivesObject(Action):
    trigger_event_class = AgentGivesObjectToAgentEvent
    description = "Puts an object that the sender holds into other hands."

    def __call__(self, event: AgentGivesObjectToAgentEvent) -> bool:
        world = self.host_object
        try:
            world.give(event.object_id, event.recipient_agent_id, by=event.sender_id)
        except WorldError as error:
            return bool(world.refuse(event, str(error)))
        return True


__all__ = ["BaseWorld", "EventLog", "EventWorld", "Mailbox", "Undeliverable"]
