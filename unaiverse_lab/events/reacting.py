"""What everything that events reach has in common, the world included: actions, sending, and reacting."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.behavior.model import Transition
from unaiverse_lab.core.envelope import InteractionMessage
from unaiverse_lab.core.errors import LabError, NotInWorld, WorldError, did_you_mean
from unaiverse_lab.core.faults import fault
from unaiverse_lab.core.records import Completed, InState, Moved, Requested, Tried
from unaiverse_lab.events.actions import Action, ActionCard, Doing, method_of
from unaiverse_lab.events.event import (
    ANY,
    MAX_BYTES,
    Event,
    EventTooLarge,
    InvalidEvent,
    event_of,
    parsed,
    size_of,
    type_of,
)
from unaiverse_lab.events.serving import armed, fire, request_of
from unaiverse_lab.events.standard import STANDARD, EventRefused

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
READY = "ready"

WORLD, AGENT, OBJECT, USER = "WORLD", "AGENT", "OBJECT", "USER"
AWAKE, ASLEEP = "awake", "asleep"


class ActionFailed(BaseException):
    """An action raised, in a run that is to stop then (``strict=True``); the cause is the error."""


class EntityCard(msgspec.Struct):
    """What a world knows of an entity: plain data that travels in its profile.

    Attributes:
        properties: what the world holds of it, such as ``location`` and ``held_by``; also read as attributes.
        looks: whether it chooses among what it sees.
        machine: tells its own machine from others.
    """

    id: str
    entity_type: str
    entity_class: str
    name: str
    description: str = ""
    properties: dict[str, Any] = {}
    actions: list[ActionCard] = []
    looks: bool = False
    machine: str = ""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self.properties[name]
        except KeyError:
            raise AttributeError(f"the entity {self.id!r} has no property {name!r}") from None

    def public(self) -> dict[str, Any]:
        """As an event holds it: the fields and the properties, the actions left out."""
        return {
            "id": self.id,
            "entity_type": self.entity_type,
            "entity_class": self.entity_class,
            "name": self.name,
            "description": self.description,
            **self.properties,
        }


class Mailbox:
    """The events somebody got or sent, newest last, at most ``limit``; kept as data, given as events.

    Args:
        limit: how many to keep.
    """

    _fleeting_fields = ("classes",)

    def __init__(self, limit: int, classes: dict[str, type[Event]] | None = None) -> None:
        self.limit = limit
        self.wires: list[dict[str, Any]] = []
        self.classes: dict[str, type[Event]] = classes if classes is not None else {}

    def add(self, wire: dict[str, Any]) -> None:
        """Append one; the oldest goes when there are too many."""
        self.wires.append(wire)
        if len(self.wires) > self.limit + self.limit // 4:
            del self.wires[: -self.limit]

    def clear(self) -> None:
        """Forget them all."""
        self.wires.clear()

    def __len__(self) -> int:
        return min(len(self.wires), self.limit)

    def __iter__(self) -> Any:
        return (self._event(wire) for wire in self.wires[-self.limit :])

    def __getitem__(self, index: Any) -> Any:
        found = self.wires[-self.limit :][index]
        return [self._event(wire) for wire in found] if isinstance(index, slice) else self._event(found)

    def __repr__(self) -> str:
        return repr(list(self))

    def _event(self, wire: dict[str, Any]) -> Event:
        return event_of(wire, self.classes)


class Reacting:
    """A thing with actions that events trigger.

    ``actions`` are those written as classes; those written as methods belong to the class.
    """

    entity_type = OBJECT
    keeps_mail = False
    """Whether it takes note of every event it gets."""

    _handling: dict[str, Any] | None
    behav: Any

    def _set_up(
        self, name: str | None, id: str | None, description: str, actions: Iterable[Any], properties: dict[str, Any]
    ) -> None:
        chosen = id if id is not None else None
        if chosen is not None and not NAME.fullmatch(chosen):
            raise WorldError(
                f"{chosen!r} cannot be the id of an entity: 1 to 64 letters, digits, '_' and '-' "
                "(ids become parts of keys and of addresses)"
            )
        self._id = chosen
        self._name = name
        self.description = description
        self.properties = dict(properties)
        self.actions: list[Action] = []
        self.reactions: dict[str, list[str]] = {}
        self.event_classes: dict[str, type[Event]] = {one.event_type: one for one in STANDARD}
        self._sent_events = 0
        self._handling = None
        self.strict = False
        self.listeners: list[str] = []
        for one in actions:
            self.register_action(one)

    # ------------------------------------------------------------------ who it is

    @property
    def id(self) -> str:
        """Its identifier in the world."""
        link = getattr(self, "link", None)
        return self._id or (str(link.peer_id) if link is not None else type(self).__name__)

    @property
    def name(self) -> str:
        """Its name for readers; default: its id."""
        return self._name or self.id

    looks: ClassVar[bool] = False
    """Whether it chooses among what it sees."""

    @property
    def entity_class(self) -> str:
        """The name of its class, which is its role."""
        return type(self).__name__

    def card(self) -> EntityCard:
        """What the world may know of it."""
        doings = [self.doing(name).card for name in self.action_names()]
        return EntityCard(
            self.id, self.entity_type, self.entity_class, self.name, self.description, dict(self.properties), doings,
            self.looks,
        )  # fmt: skip

    # ------------------------------------------------------------------ actions

    def register_action(self, action: Any) -> Action:
        """Give it an action: an :class:`Action` subclass or an instance of one. It is listed from then on.

        Raises:
            WorldError: not an action, or it has one of that name.
        """
        if isinstance(action, type) and issubclass(action, Action):
            action = action(self)
        if not isinstance(action, Action):
            raise WorldError(f"an action is a subclass of Action, or an instance of one, not {action!r}")
        name = type(action).__name__
        if name in self.action_names():
            raise WorldError(f"{self.id!r} has an action {name!r} already")
        doing = Doing.of_class(type(action))
        action.host_object = self
        self.actions.append(action)
        self._know(doing.trigger)
        self._find_listeners()
        if getattr(self, "link", None) is not None:
            self._actions_changed(name)
        return action

    add_action = register_action

    def _actions_changed(self, name: str) -> None:
        """Another action came while it is in a world: arm it in every state."""
        doing = self.doing(name)
        if doing.card.event_type == ANY or doing.card.local:
            return
        for state in list(self.behav.machine.states):
            self._arm(self.behav, state, name)

    def __getattr__(self, name: str) -> Any:
        for one in self.__dict__.get("actions", ()):
            if type(one).__name__ == name:
                return method_of(one)
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def action_names(self) -> list[str]:
        """Names of the actions that events trigger, in order: methods as they are written, then classes."""
        names: dict[str, None] = {}
        for cls in reversed(type(self).__mro__):
            names.update((name, None) for name, one in vars(cls).items() if hasattr(one, "_doing"))
        return [
            *(name for name in names if hasattr(getattr(type(self), name, None), "_doing")),
            *(type(one).__name__ for one in self.__dict__.get("actions", ())),
        ]

    def _find_listeners(self) -> None:
        """Note down which actions listen to every event."""
        self.listeners = [one for one in self.action_names() if self.doing(one).card.event_type == ANY]

    def doing(self, name: str) -> Doing:
        """One of its actions.

        Raises:
            WorldError: it has none of that name.
        """
        known: Doing | None = getattr(getattr(type(self), name, None), "_doing", None)
        if known is not None:
            return known
        for one in self.actions:
            if type(one).__name__ == name:
                return Doing.of_class(type(one))
        raise WorldError(f"{self.id!r} has no action {name!r}.{did_you_mean(name, self.action_names())}")

    def on(self, event: type[Event] | str, action: str) -> None:
        """Let an action of its own react to a type of events in every state of its machine.

        Raises:
            WorldError: it has no such action that takes an event.
        """
        self.doing(action)
        if isinstance(event, type):
            self._know(event)
        self.reactions.setdefault(type_of(event), []).append(action)

    def _know(self, *classes: type[Event]) -> None:
        self.event_classes.update((one.event_type, one) for one in classes if one.event_type)

    def build_behavior(self, behav: HybridStateMachine) -> None:
        """Write its machine, when the world has none for its role. Default: one state, one self-loop per action."""
        behav.add_state(READY)
        self.arm_actions(behav, READY)

    def arm_actions(self, behav: HybridStateMachine, *states: str) -> None:
        """Give states a self-loop for each action that mail may trigger."""
        self._find_listeners()
        for name in self.action_names():
            card = self.doing(name).card
            if not card.local and card.event_type != ANY:
                for state in states:
                    self._arm(behav, state, name)

    def _arm(self, behav: HybridStateMachine, state: str, name: str) -> None:
        doing = self.doing(name)
        behav.add_transit(
            state, state, action=name, args={"event": doing.card.event_type}, ready=False, timeout=doing.timeout
        )

    # ------------------------------------------------------------------ sending

    def send_event(self, event: Event) -> Event:
        """Send an event: to its ``target_id``, or to everybody the world lets it reach.

        Returns:
            The event as sent, with its sender, time and id.

        Raises:
            NotInWorld: it is in no world.
            PermissionError: the event names another sender.
            InvalidEvent: a class without type, or something JSON cannot hold.
            EventTooLarge: more than 1 MiB.
        """
        link = self._sender()
        type_of(type(event))
        if event.sender_id is not None and event.sender_id != self.id:
            raise PermissionError(f"{self.id!r} cannot send an event of {event.sender_id!r}: leave sender_id out")
        handling = self._handling
        self._sent_events += 1
        event.sender_id = self.id
        wire = event.wire()
        wire["created_at"] = link.clock.get_time_as_string()
        wire["meta"] = meta = {
            "id": f"{self.id}#{self._sent_events}",
            "cause": None if handling is None else handling["id"],
            "hops": 0 if handling is None else handling["hops"] + 1,
            "tick": link.clock.tick,
        }
        size = size_of(wire)
        if size > MAX_BYTES:
            raise EventTooLarge(
                f"{wire['event_type']} has {size:,} bytes as JSON, at most {MAX_BYTES:,} are sent: put large things on "
                "a stream and let the event name it"
            )
        self._know(type(event))
        event.meta = dict(meta)
        self._post_to_world(wire)
        self._was_sent(wire)
        return event

    def _sender(self) -> Any:
        link = getattr(self, "link", None)
        if link is None or link.synchronizer is None:
            raise NotInWorld(f"{self.id!r} is in no world: add it to one, and launch that")
        return link

    def _post_to_world(self, wire: dict[str, Any]) -> None:
        raise NotImplementedError

    def _was_sent(self, wire: dict[str, Any]) -> None:
        """It has sent an event."""

    # ------------------------------------------------------------------ reacting

    async def take_event(self, wire: dict[str, Any]) -> None:
        """React to a delivered event: all self-loops it arms, at most one change of state, then what listens to all."""
        link: Any = self.__dict__["link"]
        kind = wire["event_type"]
        meta = self._handling = wire["meta"]
        clock = link.clock
        try:
            behav = self.behav
            edges, names = armed(behav, kind), self.reactions.get(kind)
            if edges:
                state, uuid = edges[0].source, meta["id"]
                link.record(Requested(clock.tick, clock.now, link.name, uuid, wire["sender_id"], kind, state))
            if (edges or names) and not await self._offer(edges, names or [], wire, link):
                return
            if self.keeps_mail or self.listeners:
                await self._listen(wire, link)
        finally:
            self._handling = None

    async def _offer(self, edges: list[Transition], names: list[str], wire: dict[str, Any], link: Any) -> bool:
        """Let the actions do their work that an event triggers; False if it lacks what they need."""
        if len(edges) == 1 and not names and edges[0].source == edges[0].target and edges[0].retry_timeout <= 0:
            name = edges[0].name  # the usual case, at once
            try:
                event = parsed(self.doing(name).trigger, wire)
            except InvalidEvent as error:
                self.refuse(wire, str(error))
                return False
            await self._react(name, edges[0].order, event, wire, link)
            return True
        made: dict[type[Event], Event] = {}
        moves: list[Transition] = []
        try:
            for name in [*(edge.name for edge in edges), *names]:
                trigger = self.doing(name).trigger
                if trigger not in made:
                    made[trigger] = parsed(trigger, wire)
        except InvalidEvent as error:
            self.refuse(wire, str(error))
            return False
        for edge in edges:
            if edge.source != edge.target or edge.retry_timeout > 0:
                moves.append(edge)
            else:
                await self._react(edge.name, edge.order, made[self.doing(edge.name).trigger], wire, link)
        for name in names:
            await self._react(name, -1, made[self.doing(name).trigger], wire, link)
        for edge in moves:
            failed: list[Exception] = []
            taken = await fire(self.behav, edge, request_of(edge.name, wire), failed)
            if failed and self.strict:
                raise ActionFailed(f"{link.name}: {edge.name}") from failed[0]
            if taken:
                break
            self._over(edge.name, wire, link, "rejected", self.behav.reason)
        return True

    async def _listen(self, wire: dict[str, Any], link: Any) -> None:
        """What listens to every event."""
        for name in self.listeners:
            await self._react(name, -1, event_of(wire, self.event_classes), wire, link)

    async def _react(self, name: str, order: int, event: Event, wire: dict[str, Any], link: Any) -> bool:
        """Run an action for an event in the state the machine is in; whether it accepted it."""
        behav, clock = self.behav, link.clock
        state = behav.state or behav.limbo_state or ""
        behav.reason = None
        try:
            doing = getattr(getattr(type(self), name, None), "_doing", None)
            if doing is None:
                done = await getattr(self, name)(event=event)
            else:
                done = doing.function(self, event=event) if doing.takes_event else doing.function(self)
                if done is not None and inspect.isawaitable(done):
                    done = await done
                done = done is None or done
        except Exception as error:
            link.record(fault(error, clock, link.name, state, name))
            self._tried(name, order, wire, link, state, "raised", f"{type(error).__name__}: {error}")
            if self.strict:
                raise ActionFailed(f"{link.name}: {name}") from error
            return False
        if not done:
            self._tried(name, order, wire, link, state, "failed", behav.reason)
            return False
        if order < 0:
            link.record(InState(clock.tick, clock.now, link.name, state, name))
            return True
        link.record(
            Moved(
                clock.tick, clock.now, link.name, state, name, state, order, 0, wire["sender_id"], wire["meta"]["id"]
            )
        )  # fmt: skip
        return True

    def _tried(
        self, name: str, order: int, wire: dict[str, Any], link: Any, state: str, outcome: str, reason: str | None
    ) -> None:
        clock = link.clock
        if order < 0:
            link.record(InState(clock.tick, clock.now, link.name, state, name, False, reason))
            return
        link.record(
            Tried(
                clock.tick, clock.now, link.name, state, name, state, outcome, order, 0, wire["sender_id"],
                wire["meta"]["id"], reason,
            )
        )  # fmt: skip
        self._over(name, wire, link, "error" if outcome == "raised" else "rejected", reason)

    def _over(self, name: str, wire: dict[str, Any], link: Any, reason: str, detail: str | None) -> None:
        """An action has not done what an event asked for, and will not."""
        clock, uuid, sender = link.clock, wire["meta"]["id"], wire["sender_id"]
        link.record(
            Completed(clock.tick, clock.now, link.name, uuid, "received", reason, name, sender, None, detail)
        )  # fmt: skip

    def refuse(self, event: Event | dict[str, Any], reason: str) -> bool:
        """Refuse an event: its sender is told why, and the trace says so. Always False, for actions to return.

        Args:
            event: what was delivered.
            reason: words for people.
        """
        link = self._sender()
        wire = event.wire() if isinstance(event, Event) else event
        uuid, sender, kind = wire["meta"]["id"], wire["sender_id"], wire["event_type"]
        clock = link.clock
        link.record(Requested(clock.tick, clock.now, link.name, uuid, sender, kind, None, False, reason))
        if kind != EventRefused.event_type:
            self.send_event(EventRefused(target_id=sender, event_id=uuid, reason=reason))
        return False


def event_in(body: Any) -> dict[str, Any] | None:
    """The event a message carries; None if it is another message."""
    if type(body) is not InteractionMessage or body.interaction.get("id") != "event":
        return None
    kwargs = body.interaction.get("action_kwargs")
    wire = kwargs.get("event") if isinstance(kwargs, dict) else None
    if not isinstance(wire, dict) or not isinstance(wire.get("event_type"), str):
        raise LabError("an event without a type")
    return wire


def mark_of(machine: str) -> str:
    """What tells the text of a machine from others."""
    return hashlib.blake2b(machine.encode(), digest_size=8).hexdigest()


def message_of(wire: dict[str, Any], to: list[str]) -> InteractionMessage:
    """The message that carries an event; ``to``: who gets it, as the world decided (empty: it has still to)."""
    return InteractionMessage(
        {
            "id": "event",
            "uuid": wire["meta"]["id"],
            "requester": wire["sender_id"],
            "action_name": wire["event_type"],
            "action_kwargs": {"event": wire},
            "target": to,
        }
    )
