"""Planners: what an agent does next. All but one need no model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from unaiverse_lab.core.errors import LabError
from unaiverse_lab.events.event import Event, type_of
from unaiverse_lab.events.memory import News

SLEEP = "AgentGoesToSleep"


class PlannerError(LabError):
    """A planner raised, or chose what it may not; the agent sleeps, and the trace has the reason."""


@dataclass
class AgentState:
    """What a planner knows: a copy, made anew for each decision.

    Attributes:
        available_action_schemas: key -> ``description|event type|schema``.
        available_entities: id -> what is known of it.
        news: the delivered events with their numbers, oldest first, as far as they are remembered.
        last_event: the newest delivered one.
        memory: what was delivered and sent, oldest first.
        other_thoughts_filled_parameters: what thoughts came to, by parameter.
        inventory: ids of what the agent holds.
    """

    id: str
    name: str
    description: str
    host_world_prompt: str = ""
    goals: list[str] = field(default_factory=list)
    plan: list[str] = field(default_factory=list)
    available_action_schemas: dict[str, str] = field(default_factory=dict)
    available_entities: dict[str, Any] = field(default_factory=dict)
    action_schema_chains: list[list[Any]] = field(default_factory=list)
    current_action_chain: list[Any] = field(default_factory=list)
    other_thoughts_filled_parameters: dict[str, Any] = field(default_factory=dict)
    last_retrieved_memory: str = ""
    is_asleep: bool = False
    tick: int = 0
    inventory: list[str] = field(default_factory=list)
    last_event: Event | None = None
    memory: Sequence[Any] = ()
    news: News = field(default_factory=lambda: News([], {}))
    own: dict[str, Any] = field(default_factory=dict)
    """A copy of what the agent keeps for itself in ``agent.notes``."""


@dataclass
class Choice:
    """An action to do now.

    Args:
        action: its key ``"<owner>:<name>"``, its name where that is clear, or the event class that triggers it.
        params: fields of the event; a value may be a function of the state.
        target: the receiver; default: the owner of the action; None for own actions.
        plan: what to intend from now on.
    """

    action: Any
    params: dict[str, Any] = field(default_factory=dict)
    target: Any = None
    plan: list[str] | None = None


class Wait:
    """Sleep until an event was delivered that matches; it need not be one that wakes the agent otherwise."""

    def __init__(self, event_type: str, equals: dict[str, Any]) -> None:
        self.event_type = event_type
        self.equals = equals

    def matches(self, event: Any) -> bool:
        """Whether an event, or its data, is what is waited for."""
        return matches(event, self.event_type, self.equals)


def wait(event: type[Event] | str, **equals: Any) -> Wait:
    """A step of a script: sleep until an event of that type, with these values, was delivered."""
    return Wait(type_of(event), equals)


def matches(event: Any, event_type: str | None, equals: dict[str, Any]) -> bool:
    """Whether an event (or its data) is of a type and has these values."""

    def get(name: str) -> Any:
        return event.get(name) if isinstance(event, dict) else getattr(event, name, None)

    return (event_type is None or get("event_type") == event_type) and all(get(k) == v for k, v in equals.items())


class Planner:
    """Decides what an agent does. Override :meth:`plan_next_action`, or its two steps.

    It is asked once a tick while the agent is awake, after the agent has reacted to its events.
    """

    def plan_next_action(self, state: AgentState) -> Any:
        """What to do: a :class:`Choice`, a pair of key and event, a :class:`Wait`, or None to sleep. May be async."""
        key = self.select_next_action_schema(state)
        return None if key is None else (key, self.fill_triggering_event(key, state))

    def select_next_action_schema(self, state: AgentState) -> str | None:
        """The key of the next action; None: sleep."""
        return None

    def fill_triggering_event(self, key: str, state: AgentState) -> Any:
        """The event, or its own fields, that trigger an action that was chosen."""
        return {}

    def wakeup_types(self) -> list[str]:
        """Types of events on which the agent has to be awake."""
        return []


class ScriptedPlanner(Planner):
    """Does one step after another.

    Args:
        steps: :class:`Choice` objects, and what :func:`wait` gives.
    """

    def __init__(self, steps: Iterable[Choice | Wait]) -> None:
        self.steps = list(steps)
        self.position = 0
        self.seen = 0

    def plan_next_action(self, state: AgentState) -> Any:
        """The next step, when what it waits for has come."""
        while self.position < len(self.steps):
            step = self.steps[self.position]
            if not isinstance(step, Wait):
                self.position += 1
                return step
            number = next((number for number, event in state.news.since(self.seen) if step.matches(event)), None)
            if number is None:
                return step
            self.seen = number
            self.position += 1
        return None

    def fill_triggering_event(self, key: str, state: AgentState) -> Any:
        """A step of a chain is filled by the next step of the script, if that is a choice of the same action."""
        step = self.steps[self.position] if self.position < len(self.steps) else None
        if isinstance(step, Choice) and key.endswith(str(step.action)):
            self.position += 1
            return step
        return {}

    def assert_done(self) -> None:
        """AssertionError if steps are left; it names the next one."""
        left = self.steps[self.position :]
        assert not left, f"{len(left)} steps were not done, the next one is {left[0]!r}"


@dataclass
class Rule:
    """When something holds, do something.

    Args:
        when: an event class or type, a mapping of fields to values (of a delivered event), or a function of the state.
        do: an action as in :class:`Choice`, or several, done one a tick.
        fill: fields of the triggering event; a value may be a function of the state, whose ``last_event`` then is the
            event that made the rule apply.
        target: the receiver, or a function of the state.
        once: apply it only once.
        cooldown: ticks before it applies again.
    """

    when: Any
    do: Any
    fill: dict[str, Any] = field(default_factory=dict)
    target: Any = None
    once: bool = False
    cooldown: int = 0


class RulePlanner(Planner):
    """Applies rules: each delivered event, oldest first, makes at most one rule apply, the first that fits.

    Args:
        rules: in order.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = list(rules)
        self.dealt = 0
        self.used: dict[int, int] = {}
        self.queue: list[tuple[int, Any, int]] = []

    def plan_next_action(self, state: AgentState) -> Any:
        """What the next rule says; it does not sleep over an event that a rule is about."""
        if self.queue and self.queue[0][1] == SLEEP:
            asleep, self.queue = self.queue, []
            self._find(state, events_only=True)
            self.queue = self.queue or asleep
        if not self.queue:
            self._find(state)
        if not self.queue:
            return None
        index, action, about = self.queue.pop(0)
        rule = self.rules[index]
        if about:
            state.last_event = next(
                (event for number, event in state.news.since(about - 1) if number == about), state.last_event
            )
        if action == SLEEP:
            return Choice(SLEEP)
        return Choice(action, filled(rule.fill, state), rule.target(state) if callable(rule.target) else rule.target)

    def _find(self, state: AgentState, events_only: bool = False) -> None:
        for number, event in state.news.since(self.dealt):
            self.dealt = number
            for index, rule in enumerate(self.rules):
                if self._may(index, state) and _fits(rule.when, event):
                    self._apply(index, state, number)
                    return
        if events_only:
            return
        for index, rule in enumerate(self.rules):
            is_test = callable(rule.when) and not isinstance(rule.when, type)
            if is_test and self._may(index, state) and rule.when(state):
                self._apply(index, state, 0)
                return

    def _may(self, index: int, state: AgentState) -> bool:
        rule, last = self.rules[index], self.used.get(index)
        return last is None or (not rule.once and state.tick - last >= rule.cooldown)

    def _apply(self, index: int, state: AgentState, number: int) -> None:
        self.used[index] = state.tick
        do = self.rules[index].do
        self.queue = [(index, one, number) for one in (do if isinstance(do, list | tuple) else [do])]

    def wakeup_types(self) -> list[str]:
        """The types its rules are about."""
        found = []
        for rule in self.rules:
            if isinstance(rule.when, str | type):
                found.append(type_of(rule.when))
            elif isinstance(rule.when, dict) and isinstance(rule.when.get("event_type"), str):
                found.append(rule.when["event_type"])
        return found


def _fits(when: Any, event: Event) -> bool:
    if isinstance(when, dict):
        return matches(event, None, when)
    if isinstance(when, str | type):
        return matches(event, type_of(when), {})
    return False


def filled(params: dict[str, Any], state: AgentState) -> dict[str, Any]:
    """Parameters with functions of the state replaced by their values."""
    return {name: value(state) if callable(value) else value for name, value in params.items()}


class CallablePlanner(Planner):
    """Asks a function of the state. Any function given as ``planner=`` is wrapped in one.

    Args:
        function: what :meth:`Planner.plan_next_action` does; may be async.
    """

    def __init__(self, function: Callable[[AgentState], Any]) -> None:
        self.function = function

    def plan_next_action(self, state: AgentState) -> Any:
        """What the function says."""
        return self.function(state)


class ReplayPlanner(Planner):
    """Sends what an agent sent in a recorded log, each event after the one that caused it.

    Args:
        log: the events of the log as data (``world.events.wires``).
        agent_id: whose part it takes.
    """

    def __init__(self, log: Sequence[dict[str, Any]], agent_id: str) -> None:
        wires = list(log)
        by_id = {wire["meta"]["id"]: wire for wire in wires}
        self.left: list[tuple[dict[str, Any], str | None, str | None]] = []
        for wire in wires:
            if wire["sender_id"] == agent_id and not wire["meta"].get("local"):
                cause = by_id.get(wire["meta"]["cause"] or "")
                while cause is not None and cause["meta"].get("local"):
                    cause = by_id.get(cause["meta"]["cause"] or "")
                self.left.append(
                    (
                        wire,
                        None if cause is None else cause["event_type"],
                        None if cause is None else cause["sender_id"],
                    )
                )
        self.seen = 0

    def plan_next_action(self, state: AgentState) -> Any:
        """The next event, once what caused it has come again."""
        if not self.left:
            return None
        wire, kind, sender = self.left[0]
        if kind is not None:
            rule = Wait(kind, {"sender_id": sender})
            number = next((number for number, event in state.news.since(self.seen) if rule.matches(event)), None)
            if number is None:
                return rule
            self.seen = number
        self.left.pop(0)
        own = {key: value for key, value in wire.items() if key not in ("meta", "sender_id", "created_at")}
        return Repeat(own)


class Repeat:
    """An event to be sent again as it was."""

    def __init__(self, wire: dict[str, Any]) -> None:
        self.wire = wire


class InteractivePlanner(Planner):
    """Takes its decisions from a list of answers: the way a person's part is played without a front end.

    Args:
        answers: :class:`Choice` objects, or None to sleep. Without any left it raises: it never waits for a keyboard.
    """

    def __init__(self, answers: Iterable[Choice | None] = ()) -> None:
        self.answers = list(answers)

    def plan_next_action(self, state: AgentState) -> Any:
        """The next answer.

        Raises:
            PlannerError: there is none left.
        """
        if not self.answers:
            known = ", ".join(state.available_action_schemas)
            raise PlannerError(f"nobody has said what {state.id!r} does; it may choose among {known}")
        return self.answers.pop(0)


def as_planner(given: Any) -> Planner:
    """A planner: as it is, a function wrapped, or one that always sleeps for None.

    Raises:
        PlannerError: none of these.
    """
    if given is None:
        return Planner()
    if isinstance(given, Planner) or hasattr(given, "plan_next_action"):
        return given  # type: ignore[no-any-return]
    if callable(given):
        return CallablePlanner(given)
    raise PlannerError(f"a planner is a Planner or a function of the state, not {given!r}")
