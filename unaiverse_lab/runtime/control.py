"""Where a run is to stop: breakpoints, and what ``run(until=...)`` waits for. Both look at new records only."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from unaiverse_lab.core.errors import WorldError, did_you_mean
from unaiverse_lab.core.records import (
    AnyRecord,
    Fault,
    Forced,
    Injected,
    InState,
    Moved,
    Pushed,
    Record,
    RoleSet,
    Said,
    Stat,
    Tried,
)
from unaiverse_lab.runtime.expressions import COMPARE, Expression, compile_expression, holds

if TYPE_CHECKING:
    from unaiverse_lab.runtime.members import Members

Test = Callable[[Record], bool]

KINDS: dict[str, type[Record]] = {kind.kind: kind for kind in get_args(AnyRecord)} | {"fault": Fault, "record": Record}
RESULTS = ("ok", "failed", "again", "waiting", "step", "timeout", "vetoed", "raised")
QUIET = 10
"""Ticks without anything but vain attempts after which a world is called quiet."""

FORMED = ("transition", "message", "stat")
"""Kinds of records of which more can be said than where they are."""

_ARROWS = (
    re.compile(r"(?P<source>\S.*?)\s*--?(?P<action>[A-Za-z_]\w*)(?:\(.*\))?--?>\s*(?P<target>\S.*)"),
    re.compile(r"(?P<source>\S.*?)\s*--?>\s*(?P<target>\S.*)"),
)
_ACTION = re.compile(r"(?P<action>[A-Za-z_]\w*)\(\)\s*(?P<result>\w+)?")
_STAT = re.compile(r"(?P<stat>\S.*?)\s*(?P<sign><=|>=|==|!=|<|>)\s*(?P<value>\S.*)")
_QUOTED = re.compile(r"(?P<quote>[\"'])(?P<text>.+)(?P=quote)")
_QUIET = re.compile(r"quiet(?:\s+(?P<ticks>\d+))?")
_SIGNS = {"<": ast.Lt, "<=": ast.LtE, ">": ast.Gt, ">=": ast.GtE, "==": ast.Eq, "!=": ast.NotEq}
FORMS = (
    "'STATE', 'STATE -> STATE', 'STATE --action--> STATE', 'action()', 'action() failed', 'stat >= 0.9', "
    "'\"part of a message\"' or a kind of record such as 'error' or 'badge'; also as 'NODE:...', 'ROLE:...'"
)


class Condition(NamedTuple):
    """What is looked for in records: their classes, at which nodes, and a test.

    ``name`` is a node or a role; empty: any. ``what`` is ``"state"``, ``"transition"``, ``"action"``, ``"stat"``,
    ``"message"`` or ``"record"``; ``subject`` the state, the action, the stat, ...
    """

    what: str
    name: str
    subject: str
    kinds: tuple[type[Record], ...]
    test: Test


class Hit(NamedTuple):
    """A breakpoint was reached: its name, the tick, the record that did it and its number in the trace."""

    breakpoint: str
    tick: int
    record: Record
    number: int


@dataclass
class Breakpoint:
    """Where a run stops, after the tick in which it happens. It refers to names only, so it outlives what they name.

    Attributes:
        name: what it is called; the key of ``session.breakpoints``.
        what: what is looked for, see :meth:`Session.break_on`.
        on: what ``what`` is; None: its form tells.
        if_: a condition on the record.
        hits: stop at the so many-th time, and at each time after it.
        when: ``"after"`` the tick in which it happens, or ``"before"`` it.
        enabled: False: it is passed over.
        matches: numbers of the records at which it was met.
    """

    name: str
    what: str
    on: str | None = None
    if_: str | None = None
    hits: int = 1
    when: str = "after"
    enabled: bool = True
    matches: list[int] = field(default_factory=list)
    condition: Condition = field(default=None, repr=False, compare=False)  # type: ignore[assignment]
    expression: Expression | None = field(default=None, repr=False, compare=False)
    passing: int | None = field(default=None, repr=False, compare=False)

    def look(self, session: Members, records: Iterable[Record], first: int) -> Hit | None:
        """The first of some new records at which to stop; ``first`` is its number in the trace."""
        while self.matches and self.matches[-1] >= first:
            self.matches.pop()
        found = None
        for number, record in enumerate(records, start=first):
            if matches(session, self.condition, record) and (self.expression is None or holds(self.expression, record)):
                self.matches.append(number)
                if found is None and len(self.matches) >= self.hits and self.passing != record.tick:
                    found = Hit(self.name, record.tick, record, number)
        self.passing = found.tick if found is not None and self.when == "before" else None
        return found

    def to_dict(self) -> dict[str, Any]:
        """What :meth:`Session.break_on` made it from, fit for JSON."""
        return {"name": self.name, "what": self.what, "on": self.on, "if": self.if_, "hits": self.hits,
                "when": self.when, "enabled": self.enabled}  # fmt: skip


def new_breakpoint(
    session: Members, what: str, on: str | None, if_: str | None, hits: int, when: str, name: str | None
) -> Breakpoint:
    """A breakpoint, checked against what the session has.

    Raises:
        WorldError: no such node, role, state, action or kind of record.
        ExpressionError: the condition cannot be used.
    """
    if type(hits) is not int or hits < 1:
        raise WorldError(f"hits is the number of times it has to happen, 1 or more, not {hits!r}")
    if when not in ("after", "before"):
        raise WorldError(f"when is 'after' or 'before' (the tick), not {when!r}")
    condition = read_condition(session, what, on)
    expression = None
    if if_ is not None:
        fields = {field: None for kind in condition.kinds for field in kind.__struct_fields__}
        expression = compile_expression(if_, ("kind", *fields))
    title = name or ": ".join(filter(None, (on, what))) + (f" if {if_}" if if_ else "")
    return Breakpoint(title, what, on, if_, hits, when, condition=condition, expression=expression)


# ---------------------------------------------------------------------- conditions


def matches(session: Members, condition: Condition, record: Record) -> bool:
    """Whether a record is what is looked for."""
    return isinstance(record, condition.kinds) and condition.test(record) and _is_at(session, condition, record)


def _is_at(session: Members, condition: Condition, record: Record) -> bool:
    name = condition.name
    if not name or record.node == name:
        return True
    if isinstance(record, Stat) and record.key is not None:
        node = session.nodes.get(name)
        if node is not None:
            return record.key == node.peer_id
    node = session.nodes.get(record.node)
    return node is not None and session.world.get_role(node.peer_id) == name


def read_condition(session: Members, what: str, on: str | None = None) -> Condition:
    """Read what is looked for.

    Args:
        session: knows which names there are.
        what: see :meth:`Session.break_on`.
        on: what it is; None: its form tells.

    Raises:
        WorldError: no such node, role, state, action or kind of record.
    """
    if not isinstance(what, str):
        raise WorldError(f"say where as a text: {FORMS}; not {what!r}")
    if on is not None and on not in ("state", "action", *KINDS):
        raise WorldError(f"on={on!r} is nothing to stop at.{did_you_mean(on, ['state', 'action', *KINDS])}")
    name, rest = _split(session, what.strip())
    if on in KINDS and (on not in FORMED or not rest or rest in names_of(session)):
        return _any_record(session, what.strip() if name and rest else name or rest, on)
    if name:
        check_name(session, name)
    return _by_form(session, name, rest, on)


def _by_form(session: Members, name: str, rest: str, on: str | None) -> Condition:
    if on in (None, "transition"):
        for arrow in _ARROWS:
            if (found := arrow.fullmatch(rest)) is not None:
                return _transition(session, name, found["source"], found["target"], found.groupdict().get("action"))
    if on in (None, "action"):
        found = _ACTION.fullmatch(rest)
        if found is not None or on == "action":
            return _action(session, name, found["action"] if found else rest, found["result"] if found else None)
    if on in (None, "message"):
        found = _QUOTED.fullmatch(rest)
        if found is not None or on == "message":
            return _message(name, found["text"] if found else rest)
    states = states_of_behaviors(session)
    if on in (None, "stat") and rest not in states and (found := _STAT.fullmatch(rest)) is not None:
        return _stat(session, name, found["stat"], found["sign"], found["value"])
    if on is None and rest not in states and rest in KINDS:
        return _any_record(session, name, rest)
    if on is None and rest not in states and not name and rest in names_of(session):
        return _any_record(session, rest, "record")
    if on in ("transition", "stat"):
        raise WorldError(f"{rest!r} is no {on}. What one can name: {FORMS}")
    if not rest or (states and rest not in states):
        hint = did_you_mean(rest, states) if rest else ""
        raise WorldError(f"no behavior of this world has a state {rest!r}.{hint} What one can name: {FORMS}")
    return _state(name, rest)


def _any_record(session: Members, name: str, kind: str) -> Condition:
    if name:
        check_name(session, name)
    return Condition("record", name, kind, (KINDS[kind],), lambda record: True)


def _state(name: str, state: str) -> Condition:
    def test(record: Record) -> bool:
        if isinstance(record, Moved):
            return record.target == state and record.source != state
        if isinstance(record, Forced):
            return record.target == state
        return isinstance(record, RoleSet) and record.state == state

    return Condition("state", name, state, (Moved, Forced, RoleSet), test)


def _transition(session: Members, name: str, source: str, target: str, action: str | None) -> Condition:
    states = states_of_behaviors(session)
    for state in (source, target):
        if state != "*" and states and state not in states:
            raise WorldError(f"no behavior of this world has a state {state!r}.{did_you_mean(state, states)}")
    if action is not None:
        _check_action(session, action)

    def test(record: Record) -> bool:
        return (
            isinstance(record, Moved)
            and source in ("*", record.source)
            and target in ("*", record.target)
            and action in (None, record.action)
        )

    middle = f"--{action}-->" if action else "->"
    return Condition("transition", name, f"{source} {middle} {target}", (Moved,), test)


def _action(session: Members, name: str, action: str, result: str | None) -> Condition:
    _check_action(session, action)
    if result is not None and result not in RESULTS:
        raise WorldError(f"{result!r} is no result of an action.{did_you_mean(result, RESULTS)}")

    def test(record: Record) -> bool:
        if not isinstance(record, Moved | Tried | InState) or record.action != action:
            return False
        if result is not None:
            return result_of(record) == result
        return was_called(record)

    return Condition("action", name, action, (Moved, Tried, InState), test)


def result_of(record: Moved | Tried | InState) -> str:
    """How an action ended: one of ``RESULTS``."""
    if isinstance(record, Tried):
        return record.outcome
    return "failed" if isinstance(record, InState) and not record.ok else "ok"


def was_called(record: Moved | Tried | InState) -> bool:
    """Whether the action was really called."""
    return not isinstance(record, Tried) or record.outcome not in ("waiting", "timeout", "vetoed")


def _message(name: str, text: str) -> Condition:
    def test(record: Record) -> bool:
        said = record.text if isinstance(record, Said) else getattr(record, "value", None)
        return isinstance(said, str) and text in said

    return Condition("message", name, text, (Said, Pushed, Injected), test)


def _stat(session: Members, name: str, stat: str, sign: str, text: str) -> Condition:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise WorldError(
            f"{text!r} is no value to compare {stat!r} with: write a number, or a text in quotes"
        ) from None
    known = list(session.world.stats.known)
    if stat not in known:
        raise WorldError(f"this world has no stat {stat!r}.{did_you_mean(stat, known)}")
    compare = COMPARE[_SIGNS[sign]]

    def test(record: Record) -> bool:
        try:
            return isinstance(record, Stat) and record.stat == stat and record.accepted and compare(record.value, value)
        except TypeError:
            return False

    return Condition("stat", name, f"{stat} {sign} {text}", (Stat,), test)


# ---------------------------------------------------------------------- names


def names_of(session: Members) -> list[str]:
    """Names of nodes and roles."""
    return [*session.nodes, *session.world.roles.custom]


def check_name(session: Members, name: str) -> None:
    """Refuse a name that neither a node nor a role has.

    Raises:
        WorldError: with the nearest names.
    """
    known = names_of(session)
    if name not in known:
        raise WorldError(f"there is no node or role {name!r}.{did_you_mean(name, known)}")


def states_of_behaviors(session: Members) -> list[str]:
    """The states of all behaviors of the world."""
    return [state for machine in _templates(session) for state in machine.get_states()]


def _check_action(session: Members, action: str) -> None:
    known = dict.fromkeys(call.name for machine in _templates(session) for call in machine.machine.calls())
    if known and action not in known:
        raise WorldError(f"no behavior of this world has an action {action!r}.{did_you_mean(action, known)}")


def _templates(session: Members) -> Iterator[Any]:
    for role in session.world.role_to_behav:
        template = session.synchronizer.template(role)
        if template is not None:
            yield template


def _split(session: Members, text: str) -> tuple[str, str]:
    """The part before a colon, if there is one, and the rest."""
    if text[:1] in "\"'":
        return "", text
    name, colon, rest = text.partition(":")
    if colon and name.strip() not in names_of(session):
        other, _, last = text.rpartition(":")
        if other in names_of(session):
            return other, last.strip()
    return (name.strip(), rest.strip()) if colon else ("", text)


# ---------------------------------------------------------------------- run until


class Goal(NamedTuple):
    """What a run waits for: asked after each tick with the records of that tick; ``jump``: empty time may be skipped.

    ``at_once`` is asked before the first tick.
    """

    reached: Callable[[list[Record]], bool]
    at_once: Callable[[], bool]
    jump: bool = True


def goal_of(session: Members, until: Any) -> Goal:
    """What ``run(until=...)`` waits for.

    Raises:
        WorldError: it names what does not exist.
    """
    if until is None:
        return Goal(lambda records: False, lambda: False)
    if callable(until):
        return Goal(lambda records: bool(until(session)), lambda: bool(until(session)), jump=False)
    found = _QUIET.fullmatch(until.strip()) if isinstance(until, str) else None
    if found is not None and until not in states_of_behaviors(session):
        return _quiet(session, int(found["ticks"] or QUIET))
    condition = read_condition(session, until)
    if condition.what == "state":
        whole = all if condition.name and condition.name not in session.nodes else any

        def there() -> bool:
            states = session.states_of(condition.name)
            return bool(states) and whole(one == condition.subject for one in states)

        return Goal(lambda records: there(), there)
    return Goal(lambda records: any(matches(session, condition, record) for record in records), lambda: False)


def _quiet(session: Members, ticks: int) -> Goal:
    last = session.tick

    def reached(records: list[Record]) -> bool:
        nonlocal last
        if any(not isinstance(record, InState | Tried) for record in records):
            last = session.tick
        return session.tick - last >= ticks

    return Goal(reached, lambda: False, jump=False)
