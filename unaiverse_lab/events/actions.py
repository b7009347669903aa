"""Actions that events trigger: a class with ``trigger_event_class``, or a method under ``@action(on=...)``."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from unaiverse_lab.behavior.actions import action as state_action
from unaiverse_lab.core.errors import BehaviorError
from unaiverse_lab.events.event import ANY, Event, any_event, event_of, parsed, type_of


class ActionCard(msgspec.Struct, frozen=True):
    """What others may know of an action: plain data, part of the profile of an entity.

    ``listed``: it appears among the available actions. ``local``: only its own agent may choose it, mail never
    triggers it.
    """

    name: str
    description: str
    event_type: str
    schema: str
    listed: bool = True
    local: bool = False

    @property
    def value(self) -> str:
        """``"<description>|<event type>|<JSON schema>"``; readers split it at most twice."""
        return f"{self.description}|{self.event_type}|{self.schema}"


class Action:
    """An action as a class: what triggers it, what it is good for, and what it does.

    Subclass it and write ``__call__(self, event)``, as a ``def`` or an ``async def``. It is done unless it returns
    False.

    Args:
        host_object: the entity that has it; filled in when the action is given to one as a class.
    """

    trigger_event_class: ClassVar[type[Event]]
    description: ClassVar[str] = ""
    listed: ClassVar[bool] = True
    local: ClassVar[bool] = False
    timeout: ClassVar[float] = 0.0
    """Seconds during which an action that returned False is called again at every tick."""

    def __init__(self, host_object: Any) -> None:
        self.host_object = host_object

    def __call__(self, event: Any, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} needs a method __call__(self, event)")

    @property
    def action_schema(self) -> tuple[str, str]:
        """Its key, ``"<id of its entity>:<class name>"``, and its value as in :class:`ActionCard`."""
        return f"{self.host_object.id}:{type(self).__name__}", Doing.of_class(type(self)).card.value


class ThoughtAction(Action):
    """An action some of whose parameters are filled by thoughts, not by the planner.

    ``required_thoughts`` maps a parameter to a :class:`Thought` class or to any function of the agent's state.
    """

    required_thoughts: ClassVar[dict[str, Any]] = {}


class Thought:
    """Something an agent works out before it acts; ``run()`` gives the value.

    Args:
        agent_state: the state of the agent, a copy.
    """

    def __init__(self, agent_state: Any) -> None:
        self.agent_state = agent_state

    def run(self) -> Any:
        """The value. Override it."""
        raise NotImplementedError(f"{type(self).__name__} needs a method run(self)")


class Doing:
    """How an entity sees one of its actions, however it was written."""

    __slots__ = ("card", "function", "takes_event", "thoughts", "timeout", "trigger")

    def __init__(
        self,
        card: ActionCard,
        trigger: type[Event],
        timeout: float,
        thoughts: dict[str, Any],
        function: Callable[..., Any] | None = None,
        takes_event: bool = True,
    ) -> None:
        self.function = function
        self.takes_event = takes_event
        self.card = card
        self.trigger = trigger
        self.timeout = timeout
        self.thoughts = thoughts

    @staticmethod
    def of_class(cls: type[Action]) -> Doing:
        """The class form.

        Raises:
            BehaviorError: no trigger, or a ``|`` in the description.
        """
        known: Doing | None = cls.__dict__.get("_doing_of_class")
        if known is not None:
            return known
        trigger = getattr(cls, "trigger_event_class", None)
        if trigger is None:
            raise BehaviorError(f"{cls.__name__} says not what triggers it: trigger_event_class = SomeEvent")
        thoughts = getattr(cls, "required_thoughts", {})
        card = _card(cls.__name__, cls.description, trigger, cls.listed, cls.local)
        made = cls._doing_of_class = Doing(card, trigger, cls.timeout, dict(thoughts))  # type: ignore[attr-defined]
        return made


def _card(name: str, description: str, trigger: type[Event], listed: bool, local: bool) -> ActionCard:
    if "|" in description:
        raise BehaviorError(f"the description of the action {name!r} contains '|', which separates parts of a schema")
    schema = json.dumps(trigger.schema())
    return ActionCard(name, description, type_of(trigger), schema, listed and trigger.event_type != ANY, local)


def action(
    method: Callable[..., Any] | None = None,
    *,
    on: type[Event] | str | None = None,
    description: str = "",
    listed: bool = True,
    local: bool = False,
    timeout: float = 0.0,
    outside: bool = False,
    waits: bool | None = None,
) -> Any:
    """Mark a method as an action: with ``on``, one that an event triggers, else as :func:`unaiverse_lab.action` does.

    Args:
        method: the method (when used as ``@action``).
        on: the class, or the type, of the events that trigger it. The method, ``def`` or ``async def``, takes the
            event as ``event``, or nothing. It is done unless it returns False.
        description: for those who choose among actions; default: the first line of its docstring.
        listed: whether others see it among the available actions.
        local: whether only its own agent's planner may choose it.
        timeout: seconds during which, having returned False, it is called again at every tick: work in slices.
        outside, waits: see :func:`unaiverse_lab.action`.
    """
    if on is None:
        return state_action(outside=outside, waits=waits) if method is None else state_action(method)

    def marked(function: Callable[..., Any]) -> Any:
        trigger = on if isinstance(on, type) else any_event(on)
        words = description or (inspect.getdoc(function) or "").partition("\n")[0]
        takes_event = "event" in inspect.signature(function).parameters

        @functools.wraps(function)
        async def performed(self: Any, event: Any) -> bool:
            if isinstance(event, str):
                event = event_being_served(self, trigger)
            result = function(self, event=event) if takes_event else function(self)
            if result is not None and inspect.isawaitable(result):
                result = await result
            return result is None or bool(result)

        done: Any = performed
        done.__signature__ = SIGNATURE
        done._is_action, done._outside, done._waits = True, outside, True
        card = _card(function.__name__, words, trigger, listed, local)
        done._doing = Doing(card, trigger, timeout, {}, function, takes_event)
        return done

    return marked if method is None else marked(method)


SIGNATURE = inspect.Signature(
    [
        inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        inspect.Parameter("event", inspect.Parameter.POSITIONAL_OR_KEYWORD),
    ]
)


def event_being_served(entity: Any, trigger: type[Event]) -> Event:
    """The event for which the machine of an entity runs an action now."""
    interaction = entity.behav.get_current_interaction()
    wire = None if interaction is None else interaction.action_kwargs.get("event")
    if not isinstance(wire, dict):
        raise BehaviorError("this action needs the event that triggers it: make its transition wait (ready=False)")
    return event_of(wire, entity.event_classes) if trigger.event_type == ANY else parsed(trigger, wire)


def method_of(performer: Action) -> Callable[..., Any]:
    """The class form as something a machine can call by name: it has the event's parameter, and returns a bool."""

    async def performed(performer: Action, _: Any = None, *, event: Any) -> bool:
        if isinstance(event, str):
            event = event_being_served(performer.host_object, performer.trigger_event_class)
        result = performer(event)
        if result is not None and inspect.isawaitable(result):
            result = await result
        return result is None or bool(result)

    bound: Any = functools.partial(performed, performer)
    bound._is_action, bound._outside, bound._waits = True, False, True
    bound.__wrapped__ = type(performer).__call__
    return bound  # type: ignore[no-any-return]
