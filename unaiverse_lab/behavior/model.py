"""A behavior as data: states, transitions, teleports, options. Nothing here runs anything."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from unaiverse_lab.behavior.actions import ActionSpec

Times = float | str
_IMMUTABLE = frozenset({str, int, float, bool, type(None)})
WILDCARDS = ("<world>", "<agent>", "<partner>", "<role>")


class Call:
    """An action to call: its name, the arguments fixed in the machine and the message shown at each attempt.

    ``spec`` is filled in when the machine is bound to an agent; ``given`` then holds the arguments passed to the
    method and ``fields`` those that configure the interaction (``num_steps``, ``streams``, ...).
    """

    __slots__ = ("_raw", "args", "fields", "given", "msg", "name", "plain", "spec")

    def __init__(self, name: str, args: dict[str, Any] | None = None, msg: str | None = None) -> None:
        self.name = name
        self.args: dict[str, Any] = dict(args or {})
        self.msg = msg
        self.spec: ActionSpec | None = None
        self._raw: dict[str, tuple[Any, Any]] = {}
        self.bind(None)

    def bind(self, spec: ActionSpec | None) -> None:
        """Split the arguments between the method and the interaction, as the signature says."""
        self.spec = spec = spec if spec is not None else self.spec
        self.given = self.args
        self.fields: dict[str, Any] = {}
        if spec is not None and not spec.own.issuperset(self.args):
            self.given = {name: value for name, value in self.args.items() if name in spec.own}
            self.fields = {name: value for name, value in self.args.items() if name not in spec.own}
            steps = self.fields.get("num_steps")
            if isinstance(steps, str) and steps.isdecimal():
                self.fields["num_steps"] = int(steps)
        self.plain = (
            self.spec is not None
            and not self.spec.takes_interaction
            and not self.spec.outside
            and not self.fields
            and all(name in self.given for name in self.spec.required)
            and not any(isinstance(value, dict | list) for value in self.given.values())
        )
        """Nothing to inject, copy or fill in: the method can be called with ``given`` as it stands."""

    def resolve(self, name: str, wildcards: dict[str, Any]) -> None:
        """Replace the wildcards in the attribute ``name``, starting from its original text.

        An attribute assigned directly since the last time is taken as the new original.
        """
        current = getattr(self, name)
        raw, resolved = self._raw.get(name, (current, current))
        if resolved is not current:
            raw = current
        value = substitute(raw, wildcards) if name != "msg" else substitute_text(raw, wildcards)
        self._raw[name] = (raw, value)
        setattr(self, name, value)

    def original(self, name: str) -> Any:
        """The attribute as written, wildcards unresolved."""
        current = getattr(self, name)
        raw, resolved = self._raw.get(name, (current, current))
        return raw if resolved is current else current


class State:
    """A state: its own action, how long to wait before acting, whether the tick ends on arrival, its message.

    ``waiting_time`` is in seconds (<= 0: none).
    """

    __slots__ = (
        "_raw_msg",
        "action",
        "blocking",
        "msg",
        "name",
        "only_exit",
        "waiting_time",
    )

    def __init__(
        self,
        name: str,
        action: Call | None = None,
        waiting_time: float = 0.0,
        blocking: bool = True,
        msg: str | None = None,
    ) -> None:
        self.name = name
        self.action = action
        self.waiting_time = waiting_time
        self.blocking = blocking
        self.msg = msg
        self.only_exit: Transition | None = None
        self._raw_msg: tuple[str | None, str | None] = (msg, msg)

    def set_blocking(self, blocking: bool) -> None:
        """Whether the tick ends on arriving here."""
        self.blocking = blocking

    def set_msg(self, msg: str | None) -> None:
        """Change or remove the message shown on entry."""
        self.msg = msg

    def resolve(self, wildcards: dict[str, Any]) -> None:
        """Replace wildcards in the message and in the state's action."""
        raw, resolved = self._raw_msg
        if resolved is not self.msg:
            raw = self.msg
        self.msg = substitute_text(raw, wildcards)
        self._raw_msg = (raw, self.msg)
        if self.action is not None:
            self.action.resolve("args", wildcards)
            self.action.resolve("msg", wildcards)
            self.action.bind(None)


class Transition(Call):
    """An edge: when ``name`` succeeds in state ``source``, the machine goes to ``target``.

    ``ready``: the machine may run it by itself; otherwise only on request. ``accepts_requests``: peers may ask for
    it. Times in seconds, <= 0 for none; a text is an expression with a wildcard, to be resolved before running.
    ``order`` is its position among the edges leaving ``source`` in evaluation order.
    """

    __slots__ = (
        "accepts_requests",
        "delay",
        "high_priority",
        "max_duration",
        "order",
        "ready",
        "retry_timeout",
        "source",
        "target",
        "teleport",
    )

    def __init__(
        self,
        source: str,
        target: str,
        name: str,
        args: dict[str, Any] | None = None,
        *,
        msg: str | None = None,
        ready: bool = True,
        teleport: bool = False,
        high_priority: bool = False,
        max_duration: Times = 0.0,
        retry_timeout: Times = 0.0,
        delay: Times = 0.0,
    ) -> None:
        self.source = source
        self.target = target
        self.ready = ready
        self.accepts_requests = True
        self.teleport = teleport
        self.high_priority = high_priority
        self.max_duration: Any = max_duration
        self.retry_timeout: Any = retry_timeout
        self.delay: Any = delay
        self.order = 0
        super().__init__(name, args, msg)

    def set_as_ready(self) -> None:
        """The machine may run it by itself, and peers may no longer ask for it."""
        self.ready = True
        self.accepts_requests = False

    def set_as_not_ready(self) -> None:
        """Only a request makes it run."""
        self.ready = False
        self.accepts_requests = True

    def same_as(self, name: str, args: dict[str, Any]) -> bool:
        """Whether a call of ``name(args)`` means this edge: same name, no unknown and no contradicting argument."""
        if name != self.name or (self.spec is not None and not self.spec.allowed.issuperset(args)):
            return False
        return all(self.args[key] == value for key, value in args.items() if key in self.args)

    def equals(self, other: Transition) -> bool:
        """Whether both are the very same edge, times and arguments included."""
        return self.signature() == other.signature() and self.source == other.source

    def signature(self) -> tuple[Any, ...]:
        """What two equal teleports from different states share."""
        return (
            self.target,
            self.name,
            self.args,
            self.ready,
            self.accepts_requests,
            self.high_priority,
            self.max_duration,
            self.retry_timeout,
            self.delay,
            self.msg,
        )

    def resolve_all(self, wildcards: dict[str, Any]) -> None:
        """Replace wildcards in arguments, message and times."""
        self.resolve("args", wildcards)
        self.resolve("msg", wildcards)
        for name in ("max_duration", "retry_timeout", "delay"):
            if isinstance(self.original(name), str):
                self._resolve_time(name, wildcards)
        self.bind(None)

    def _resolve_time(self, name: str, wildcards: dict[str, Any]) -> None:
        raw = self.original(name)
        value: Times = raw
        for key, replacement in wildcards.items():
            if key in raw and replacement != key:
                value = max(0.0, float(raw.replace(key, str(replacement))))
        self._raw[name] = (raw, value)
        setattr(self, name, value)


class Machine:
    """A whole behavior: the states in order, and for each source its destinations, each with its transitions.

    ``transitions[source][target]`` is a list: candidates are tried in this grouped order (all the edges to the
    destination mentioned first, then those to the next one, ...).
    """

    __slots__ = ("_edges", "_text", "initial_state", "resolved", "role", "states", "transitions", "welcome")

    def __init__(self) -> None:
        self.role = "unknown"
        self.initial_state: str | None = None
        self.welcome: str | None = None
        self.states: dict[str, State] = {}
        self.transitions: dict[str, dict[str, list[Transition]]] = {}
        self.resolved = False
        self._edges: dict[str, list[Transition]] = {}
        self._text: str | None = None

    def add(self, edge: Transition) -> None:
        """Append an edge to its (source, target) group."""
        self.transitions[edge.source].setdefault(edge.target, []).append(edge)
        self._edges.pop(edge.source, None)
        self._text = None
        self._note_only_exit(edge.source)

    def _note_only_exit(self, source: str) -> None:
        edges = self.edges_from(source)
        self.states[source].only_exit = edges[0] if len(edges) == 1 else None

    def add_state(self, state: State) -> None:
        """Append or replace a state."""
        self.states[state.name] = state
        self.transitions.setdefault(state.name, {})
        self._text = None
        self._note_only_exit(state.name)

    def edges_from(self, source: str) -> list[Transition]:
        """The edges leaving a state, in evaluation order."""
        edges = self._edges.get(source)
        if edges is None:
            edges = [edge for group in self.transitions.get(source, {}).values() for edge in group]
            for order, edge in enumerate(edges):
                edge.order = order
            self._edges[source] = edges
        return edges

    def edges(self) -> Iterator[Transition]:
        """All edges, by source in state order."""
        for source in self.transitions:
            yield from self.edges_from(source)

    def calls(self) -> Iterator[Call]:
        """All actions: those of the states first, then those of the edges."""
        for state in self.states.values():
            if state.action is not None:
                yield state.action
        yield from self.edges()

    def mentions(self, keys: Iterable[str]) -> bool:
        """Whether one of these texts occurs anywhere in arguments, messages or times."""
        if self._text is None:
            parts: list[Any] = [state.msg for state in self.states.values()]
            for call in self.calls():
                parts += [call.args, call.msg]
            for edge in self.edges():
                parts += [edge.max_duration, edge.retry_timeout, edge.delay]
            self._text = repr(parts)
        return any(key in self._text for key in keys)

    def resolve(self, wildcards: dict[str, Any]) -> None:
        """Replace wildcards everywhere but in the welcome, starting from the original texts."""
        self.resolved = True
        self._text = None
        for state in self.states.values():
            state.resolve(wildcards)
        for edge in self.edges():
            edge.resolve_all(wildcards)

    def unresolved(self) -> list[str]:
        """Descriptions of the times and numbers of steps that still are text."""
        found = [
            f"{edge.source} -> {edge.target} ({edge.name}): {name} is {getattr(edge, name)!r}"
            for edge in self.edges()
            for name in ("max_duration", "retry_timeout", "delay")
            if isinstance(getattr(edge, name), str)
        ]
        for call in self.calls():
            steps = call.fields.get("num_steps")
            if steps is not None and (not isinstance(steps, int) or steps == 0):
                found.append(f"{call.name}: num_steps is {steps!r}, not a positive whole number")
        return found

    def copy(self) -> Machine:
        """An independent copy."""
        twin = Machine()
        twin.role, twin.initial_state, twin.welcome = self.role, self.initial_state, self.welcome
        twin.resolved = self.resolved
        for state in self.states.values():
            twin.add_state(copy_state(state))
        for edge in self.edges():
            twin.add(copy_edge(edge))
        return twin


def copy_state(state: State, name: str | None = None) -> State:
    """A fresh state with the same definition."""
    action = None if state.action is None else _copy_call(state.action, Call.__new__(Call))
    twin = State(name or state.name, action, state.waiting_time, state.blocking, state.msg)
    twin._raw_msg = state._raw_msg
    return twin


def copy_edge(edge: Transition, rename: dict[str, str] | None = None) -> Transition:
    """The same edge, its two ends renamed."""
    twin = _copy_call(edge, Transition.__new__(Transition))
    for name in Transition.__slots__:
        setattr(twin, name, getattr(edge, name))
    if rename:
        twin.source = rename.get(edge.source, edge.source)
        twin.target = rename.get(edge.target, edge.target)
    return twin


C = TypeVar("C", bound=Call)


def _copy_call(call: Call, twin: C) -> C:
    twin.name, twin.msg, twin.spec, twin.plain = call.name, call.msg, call.spec, call.plain
    twin.args = dict(call.args)
    twin.given = twin.args if call.given is call.args else dict(call.given)
    twin.fields = call.fields
    raw, resolved = call._raw.get("args", (None, None))
    twin._raw = dict(call._raw)
    if resolved is call.args:
        twin._raw["args"] = (raw, twin.args)
    return twin


def copied(value: Any) -> Any:
    """A deep copy of an argument value, quick for what JSON has."""
    kind = type(value)
    if kind is dict:
        return {key: copied(item) for key, item in value.items()}
    if kind is list:
        return [copied(item) for item in value]
    return value if kind in _IMMUTABLE else copy.deepcopy(value)


def substitute(value: Any, wildcards: dict[str, Any]) -> Any:
    """Replace wildcards in an argument value, through dicts and lists (values, not keys).

    A text wildcard is replaced inside texts; any other value replaces an argument equal to its key.
    """
    if isinstance(value, dict):
        return {key: substitute(item, wildcards) for key, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, wildcards) for item in value]
    if isinstance(value, str):
        for key, replacement in wildcards.items():
            if isinstance(replacement, str):
                value = value.replace(key, replacement)
            elif value == key:
                return replacement
    return value


def substitute_text(text: str | None, wildcards: dict[str, Any]) -> str | None:
    """Replace every wildcard, as text, in a message."""
    if text is None:
        return None
    for key, replacement in wildcards.items():
        if key in text:
            text = text.replace(key, str(replacement))
    return text
