"""Static checks of a behavior: what can be said about a machine without running it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from unaiverse_lab.behavior import reading
from unaiverse_lab.behavior.actions import TIMES, ActionSpec, spec_of
from unaiverse_lab.behavior.interpreter import Interpreter
from unaiverse_lab.behavior.model import (
    WILDCARDS,
    Call,
    Machine,
    State,
    Transition,
    substitute,
    substitute_text,
)
from unaiverse_lab.core.errors import BehaviorError, did_you_mean

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")

_WILDCARD = re.compile(r"<[A-Za-z_]\w*>")
_HTML = re.compile(r"<(a|b|br|code|div|em|h[1-6]|hr|i|li|ol|p|pre|small|span|strong|sub|sup|table|td|th|tr|u|ul)>")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at in a behavior.

    Attributes:
        level: ``"error"`` (it cannot run as written), ``"warning"`` (it probably does not do what is meant)
            or ``"note"`` (good to know).
        code: short name of the check, e.g. ``"unreachable"``.
        where: place in the behavior, e.g. ``states.ready`` or ``ready -> done (nop)``.
        problem: what is the matter.
        hint: what to do about it; may be empty.
    """

    level: Level
    code: str
    where: str
    problem: str
    hint: str = ""

    def __str__(self) -> str:
        text = " ".join(part for part in (self.problem, self.hint) if part)
        return f"{self.level} [{self.code}] {self.where}: {text}"


def lint(
    machine: Machine | Interpreter,
    agent: Any = None,
    *,
    requestable: set[str] | None = None,
    wildcards: Mapping[str, Any] | None = None,
    decorated_only: bool = True,
) -> list[Finding]:
    """Check a machine without running it.

    Args:
        machine: the data of a machine, or a machine bound to an agent (whose actions and wildcards are used).
        agent: the agent (object or class) whose methods are the actions; None: actions are not checked.
        requestable: names of the actions somebody may request (:func:`requested_names`); None: not known.
        wildcards: the wildcards that have a value, besides those of a bound machine.
        decorated_only: only methods marked with ``@action`` are actions.

    Returns:
        The findings, errors first; empty when there is nothing to say.
    """
    known: dict[str, Any] = {}
    if isinstance(machine, Interpreter):
        agent = agent if agent is not None else machine.agent
        decorated_only = decorated_only and machine.decorated_only
        known.update(machine.wildcards)
        machine = machine.machine
    known.update(wildcards or {})
    known = {key: value for key, value in known.items() if value != key}
    return _sorted(
        [
            *_actions(machine, agent, decorated_only),
            *_duplicates(machine),
            *_wildcards(machine, known),
            *_reachability(machine),
            *_dead_ends(machine),
            *_never_requested(machine, requestable),
            *_endless_chains(machine),
        ]
    )


def lint_file(
    path: str | Path,
    agent_class: Any = None,
    *,
    requestable: set[str] | None = None,
    wildcards: Mapping[str, Any] | None = None,
    decorated_only: bool = True,
) -> list[Finding]:
    """Check a behavior file, the form of the file included.

    A mistake that would stop the file from loading is an error among the findings; the other checks go on
    with what can be read all the same.

    Args:
        path: the ``.json`` file.
        agent_class: the agent (class or object) of that role; None: actions are not checked.
        requestable, wildcards, decorated_only: as for :func:`lint`.

    Raises:
        OSError: the file cannot be opened.
    """
    findings: list[Finding] = []
    try:
        data = reading.read(Path(path))
    except BehaviorError as error:
        findings.append(_finding(error, "file"))
        try:
            data = reading.read(Path(path), strict=False)
        except BehaviorError:
            return findings
    machine = _machine(data, agent_class, decorated_only)
    findings += lint(machine, agent_class, requestable=requestable, wildcards=wildcards, decorated_only=decorated_only)
    return _sorted([*findings, *_reordered(data, machine)])


IMPLIED = {"send_engage": "engage", "send_disengage": "disengage", "send_subscribe": "subscribe"}
"""Built-in actions that request another one of their targets."""

RUN_TIME_REFERENCES = ("<playlist>", "<valid_cmp>")
"""They look like wildcards, and are understood by the actions that take them."""


def requested_names(machines: Iterable[Machine | Interpreter]) -> set[str] | None:
    """The names of the actions that machines request: by ``send``, ``send_engage``, ``send_disengage``, ...

    A ``send`` without ``action_name`` only pushes data and requests nothing. Requests made from Python code
    are not seen: add their names to the set.

    Returns:
        The names; None when they cannot be known, because one of them is left to a wildcard.
    """
    names: set[str] = set()
    for machine in machines:
        data = machine.machine if isinstance(machine, Interpreter) else machine
        for call in data.calls():
            name = call.args.get("action_name") if call.name == "send" else IMPLIED.get(call.name)
            if name is None:
                continue
            if not isinstance(name, str) or _WILDCARD.search(name):
                return None
            names.add(name)
    return names


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))


def _finding(error: BehaviorError, code: str, where: str = "") -> Finding:
    for mark in (" Did you mean ", " Known: "):
        problem, found, rest = error.problem.partition(mark)
        if found:
            return Finding("error", code, where or error.where, problem, (mark + rest).strip())
    return Finding("error", code, where or error.where, error.problem)


def _place(edge: Transition) -> str:
    return f"{edge.source} -> {edge.target} ({edge.name})"


def _placed_calls(machine: Machine) -> Iterator[tuple[str, Call]]:
    for state in machine.states.values():
        if state.action is not None:
            yield f"states.{state.name}", state.action
    for edge in machine.edges():
        yield _place(edge), edge


# ---------------------------------------------------------------- from a file, without an agent


def _machine(data: reading.MachineData, agent: Any, decorated_only: bool) -> Machine:
    """The machine of a file whose actions may not exist; undeclared states are created."""
    machine = Machine()
    machine.role, machine.initial_state = data.machine.role, data.machine.initial_state
    machine.welcome = reading.unescaped(data.machine.msg)
    for name, state in data.states.items():
        call = None
        if state.action is not None:
            call = Call(state.action, state.action_kwargs)
        machine.add_state(
            State(name, call, state.time_to_wait_before_acting, state.blocking, reading.unescaped(state.msg))
        )
    for source, edge, teleport in _in_load_order(data):
        for name in (source, edge.goto):
            if name not in machine.states and name != "all":
                machine.add_state(State(name))
        sources = [name for name in machine.states if name != edge.goto] if source == "all" else [source]
        for name in sources:
            machine.add(_transition(name, edge, teleport, agent, decorated_only))
    return machine


def _transition(source: str, edge: reading.EdgeData, teleport: bool, agent: Any, decorated_only: bool) -> Transition:
    on = edge.on
    args = {name: value for name, value in on.action_kwargs.items() if name not in TIMES}
    times = {name: on.action_kwargs.get(name, getattr(on, name)) for name in TIMES}
    ready = on.ready
    if ready is None:
        spec = _spec(agent, on.action, decorated_only)
        ready = spec is None or not spec.waits
    return Transition(
        source,
        edge.goto,
        on.action,
        args,
        msg=reading.unescaped(on.msg),
        ready=ready,
        teleport=teleport,
        high_priority=on.high_priority,
        **times,
    )


def _in_load_order(data: reading.MachineData) -> Iterator[tuple[str, reading.EdgeData, bool]]:
    """Source, edge, whether it is a teleport: transitions, teleports of ``"all"``, the other teleports."""
    everywhere = {source: edges for source, edges in data.teleports.items() if source == "all"}
    others = {source: edges for source, edges in data.teleports.items() if source != "all"}
    for section in (data.transitions, everywhere, others):
        for source, edges in section.items():
            for edge in edges:
                yield source, edge, section is not data.transitions


def _reordered(data: reading.MachineData, machine: Machine) -> Iterator[Finding]:
    """States whose edges are not tried in the order in which the file lists them."""
    for source in machine.states:
        written = [
            (edge.on.action, edge.goto)
            for section in (data.transitions, data.teleports)
            for name, edges in section.items()
            for edge in edges
            if name == source or (name == "all" and section is data.teleports and edge.goto != source)
        ]
        effective = [(edge.name, edge.target) for edge in machine.edges_from(source)]
        if effective != written:
            listed = ", ".join(f"{count}. {name} -> {goto}" for count, (name, goto) in enumerate(effective, 1))
            yield Finding(
                "note",
                "order",
                f"transitions.{source}",
                f"the effective order is {listed}.",
                "Transitions to the same state are tried together, at the place of the first of them.",
            )


# ---------------------------------------------------------------- actions


def _spec(agent: Any, name: str, decorated_only: bool) -> ActionSpec | None:
    if agent is None:
        return None
    try:
        return spec_of(agent, name, decorated_only)
    except BehaviorError:
        return None


def _actions(machine: Machine, agent: Any, decorated_only: bool) -> Iterator[Finding]:
    if agent is None:
        return
    for place, call in _placed_calls(machine):
        try:
            spec = spec_of(agent, call.name, decorated_only)
        except BehaviorError as error:
            yield _finding(error, "unknown-action", place)
            continue
        try:
            spec.check_args(call.args)
        except BehaviorError as error:
            yield _finding(error, "unknown-argument", place)
        missing = [name for name in spec.required if name not in call.args]
        if missing and (not isinstance(call, Transition) or call.ready):
            yield Finding(
                "warning",
                "missing-argument",
                place,
                f"the machine itself runs {call.name!r}, with no value for {', '.join(map(repr, missing))}.",
                "Give it in action_kwargs, or a default in the method"
                + (", or set ready to false." if isinstance(call, Transition) else "."),
            )


def _duplicates(machine: Machine) -> Iterator[Finding]:
    for groups in machine.transitions.values():
        for group in groups.values():
            for index, edge in enumerate(group):
                if any(edge.equals(earlier) for earlier in group[:index]):
                    yield Finding(
                        "error",
                        "duplicate",
                        _place(edge),
                        "the same transition is there twice.",
                        "Remove one.",
                    )


# ---------------------------------------------------------------- wildcards


def _wildcards(machine: Machine, known: dict[str, Any]) -> Iterator[Finding]:
    for edge in machine.edges():
        for name in TIMES:
            yield from _time(_place(edge), name, getattr(edge, name), known)
    for place, call in _placed_calls(machine):
        for found in _open_wildcards(substitute(call.args, known)):
            yield _unresolved("warning", place, f"the arguments of {call.name!r}", found)
        for found in _open_wildcards(substitute_text(call.msg, known)):
            yield _unresolved("note", place, f"the message of {call.name!r}", found)
    for state in machine.states.values():
        for found in _open_wildcards(substitute_text(state.msg, known)):
            yield _unresolved("note", f"states.{state.name}", "the message", found)
    for found in _open_wildcards(substitute_text(machine.welcome, known)):
        yield _unresolved("note", "machine.msg", "the message", found)


def _time(place: str, name: str, value: Any, known: dict[str, Any]) -> Iterator[Finding]:
    if not isinstance(value, str):
        return
    text = substitute_text(value, known) or ""
    if not reading.is_number(text):
        yield Finding(
            "error",
            "wildcard",
            place,
            f"{name} is the text {text!r}, not a number of seconds.",
            "Give its wildcard a number with add_wildcards(..., apply=True), or write a number.",
        )


def _open_wildcards(value: Any) -> list[str]:
    """The wildcards without a value in an argument or a message, in order; HTML tags inside texts are not."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return list(dict.fromkeys(found for item in value for found in _open_wildcards(item)))
    if not isinstance(value, str):
        return []
    return [
        found
        for found in dict.fromkeys(_WILDCARD.findall(value))
        if found not in WILDCARDS
        and found not in RUN_TIME_REFERENCES
        and (found == value or not _HTML.fullmatch(found))
    ]


def _unresolved(level: Level, place: str, what: str, found: str) -> Finding:
    return Finding(
        level,
        "wildcard",
        place,
        f"{found} in {what} has no value.",
        f"Use add_wildcards({{{found!r}: ...}}, apply=True).",
    )


# ---------------------------------------------------------------- the graph


def _reachability(machine: Machine) -> Iterator[Finding]:
    start = machine.initial_state
    if start is None or start not in machine.states:
        names = did_you_mean(start or "", machine.states).strip()
        problem = "there is no initial state." if start is None else f"{start!r} is not a state."
        yield Finding("error", "initial-state", "machine.initial_state", problem, names)
        return
    reached, queue = {start}, deque([start])
    while queue:
        for edge in machine.edges_from(queue.popleft()):
            if edge.target not in reached:
                reached.add(edge.target)
                queue.append(edge.target)
    for name in machine.states:
        if name not in reached:
            yield Finding(
                "warning",
                "unreachable",
                f"states.{name}",
                f"no way leads here from the initial state {start!r}.",
                "Add a transition to it, or remove it.",
            )


def _dead_ends(machine: Machine) -> Iterator[Finding]:
    for name, state in machine.states.items():
        if machine.edges_from(name):
            continue
        final = state.action is not None or state.msg is not None
        yield Finding(
            "note" if final else "warning",
            "dead-end",
            f"states.{name}",
            "no transition leaves this state.",
            "" if final else "If it is the end, give it a message that says so; if not, add a transition.",
        )


def _never_requested(machine: Machine, requestable: set[str] | None) -> Iterator[Finding]:
    if requestable is None:
        return
    for edge in machine.edges():
        if not edge.ready and edge.name not in requestable:
            yield Finding(
                "warning",
                "never-requested",
                _place(edge),
                f"it runs only on request, and nobody requests {edge.name!r}.",
                "Set ready to true, or send the request from another role." + did_you_mean(edge.name, requestable),
            )


def _takes_ticks(edge: Transition) -> bool:
    """Whether its action cannot succeed in the tick it begins in: it waits for an answer, or has several steps."""
    waits = edge.name == "send_engage" or (edge.name == "send" and bool(edge.args.get("wait_completion")))
    return waits or edge.fields.get("num_steps", 1) not in (1, -1)


def _endless_chains(machine: Machine) -> Iterator[Finding]:
    """Cycles of non-blocking states that one tick could follow for ever."""

    def passes(name: str) -> bool:
        state = machine.states[name]
        return not state.blocking and state.waiting_time <= 0

    following = {
        name: [
            edge
            for edge in machine.edges_from(name)
            if edge.ready and not _is_delayed(edge) and not _takes_ticks(edge) and passes(edge.target)
        ]
        for name in machine.states
        if passes(name)
    }
    seen: set[str] = set()
    for name in following:
        cycle = _shortest_cycle(name, following)
        if not cycle or not seen.isdisjoint(edge.source for edge in cycle):
            continue
        seen.update(edge.source for edge in cycle)
        path = "".join(f"{edge.source} -({edge.name})-> " for edge in cycle) + name
        yield Finding(
            "warning",
            "endless-chain",
            f"states.{name}",
            f"these states do not block: as long as the actions succeed, one tick goes round {path}.",
            "Make one of them blocking.",
        )


def _is_delayed(edge: Transition) -> bool:
    return isinstance(edge.delay, str) or edge.delay > 0


def _shortest_cycle(start: str, following: dict[str, list[Transition]]) -> list[Transition]:
    """The edges of a shortest way from a state back to itself; empty when there is none."""
    ways: dict[str, list[Transition]] = {start: []}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for edge in following[here]:
            if edge.target == start:
                return [*ways[here], edge]
            if edge.target not in ways:
                ways[edge.target] = [*ways[here], edge]
                queue.append(edge.target)
    return []
