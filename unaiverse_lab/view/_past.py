"""What a trace says of each node, put in order once so that questions about any tick are answered fast."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, Protocol, TypeVar

import msgspec

from unaiverse_lab.core.records import (
    BehaviorSet,
    Completed,
    Fault,
    Forced,
    Injected,
    InState,
    Joined,
    Met,
    Moved,
    Pushed,
    Record,
    Requested,
    RoleSet,
    Sent,
    Tried,
)
from unaiverse_lab.view.graph import call_text, declared

NEVER = 1 << 60
PENDING = frozenset({"again", "step", "waiting"})
_LIFE = 301.0
_TICK: Callable[[Any], int] = attrgetter("tick")
R = TypeVar("R")


def upto(records: Sequence[R], tick: int) -> int:
    """How many of these records, in order, are not after ``tick``."""
    return bisect_right(records, tick, key=_TICK)


def last_of(records: Sequence[R], tick: int) -> R | None:
    """The last of these records, in order, that is not after ``tick``."""
    count = upto(records, tick)
    return records[count - 1] if count else None


# ---------------------------------------------------------------------- machines


class Exit:
    """A transition, as written; ``order`` is its place among those leaving the same state."""

    __slots__ = ("action", "args", "high_priority", "on", "order", "ready", "target")

    def __init__(self, order: int, target: str, on: Mapping[str, Any]) -> None:
        self.order = order
        self.target = target
        self.on = on
        self.action: str = on["action"]
        self.args: Mapping[str, Any] = on.get("action_kwargs") or {}
        self.ready = on.get("ready") is not False
        self.high_priority = bool(on.get("high_priority"))

    @property
    def call(self) -> str:
        """The action and its arguments, as a learner would write them."""
        return call_text(self.action, self.args)

    def seconds(self, key: str) -> float:
        """One of its times; 0 if there is none or it is still a text."""
        return seconds(self.on.get(key))


def seconds(value: Any) -> float:
    """A time of a machine: 0 where there is none, or where it is a wildcard without value."""
    try:
        return max(0.0, float(value or 0.0))
    except (TypeError, ValueError):
        return 0.0


class Plan:
    """A machine as data, read once."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.states: dict[str, Mapping[str, Any]] = dict(data.get("states", {}))

    @cached_property
    def exits(self) -> dict[str, list[Exit]]:
        """The transitions leaving each state, in evaluation order."""
        grouped: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
        for source, target, on, _ in declared(self.data, self.states):
            grouped.setdefault(source, {}).setdefault(target, []).append(on)
        found: dict[str, list[Exit]] = {}
        for source, targets in grouped.items():
            pairs = [(target, on) for target, group in targets.items() for on in group]
            found[source] = [Exit(order, target, on) for order, (target, on) in enumerate(pairs)]
        return found

    def blocks(self, state: str) -> bool:
        """Whether a tick ends on arriving in a state."""
        return bool(self.states.get(state, {}).get("blocking", True))

    def wait(self, state: str) -> float:
        """Seconds during which only requests move the machine out of a state."""
        return seconds(self.states.get(state, {}).get("time_to_wait_before_acting"))

    def leads(self, source: str, target: str) -> bool:
        """Whether some way leads from a state to another."""
        seen, open_ = {source}, [source]
        while open_ and target not in seen:
            fresh = {one.target for one in self.exits.get(open_.pop(), ())} - seen
            seen |= fresh
            open_ += sorted(fresh)
        return target in seen

    @cached_property
    def asks(self) -> dict[str, list[tuple[str, Mapping[str, Any]]]]:
        """For each action that the machine itself asks of others: the states it does so in, and the arguments."""
        found: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
        calls = [(state, one.action, one.args) for state, exits in self.exits.items() for one in exits]
        for state, data in self.states.items():
            if data.get("action"):
                calls.append((state, data["action"], data.get("action_kwargs") or {}))
        for state, action, args in calls:
            asked = args.get("action_name") if action == "send" else action.removeprefix("send_")
            if isinstance(asked, str) and (action == "send" or asked != action):
                found.setdefault(asked, []).append((state, args))
        return found


# ---------------------------------------------------------------------- what happened to a node


class Stay:
    """A stay in one state: from the record that led there to the next one."""

    __slots__ = ("attempts", "begin", "entered", "in_state", "loops", "runs", "state", "tick", "tries")

    def __init__(self, state: str | None, begin: Record, entered: int, loops: int = 0) -> None:
        self.state = state
        self.begin = begin
        self.tick = begin.tick
        self.entered = entered
        self.loops = loops
        self.attempts: list[Tried] = []
        self.tries: dict[tuple[int, str], list[Tried]] = {}
        self.runs: list[tuple[int, int]] = []
        self.in_state: list[InState] = []

    def add(self, record: Tried, number: int) -> None:
        """Take in an attempt; ``number`` is that of the machine's record before it."""
        before = self.attempts[-1] if self.attempts else None
        if record.outcome in PENDING and not (
            before is not None
            and before.outcome in PENDING
            and (before.edge, before.action, before.uuid) == (record.edge, record.action, record.uuid)
        ):
            self.runs.append((len(self.attempts), number))
        self.attempts.append(record)
        self.tries.setdefault((record.edge, record.action), []).append(record)


class Ask:
    """A request on one side: when it was made or arrived, and how it ended."""

    __slots__ = ("end", "number", "record", "tick")

    def __init__(self, record: Any, number: int) -> None:
        self.record = record
        self.tick: int = record.tick
        self.number = number
        self.end: Completed | None = None

    def is_open(self, tick: int) -> bool:
        """Whether it was under way at the end of a tick."""
        return self.tick <= tick and (self.end is None or self.end.tick > tick)


class Life:
    """Everything that the trace says of one node, in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.joins: list[Joined] = []
        self.roles: list[RoleSet] = []
        self.stays: list[Stay] = []
        self.switches: list[Forced | RoleSet] = []
        self.received: list[Ask] = []
        self.refused: list[Requested] = []
        self.rejected: set[str] = set()
        self.sent: list[Ask] = []
        self.arrivals: dict[str, list[Ask]] = {}
        self.faults: list[Fault] = []
        self.meetings: list[Met] = []
        self.typed: list[Injected] = []
        self.pushed: list[Pushed] = []
        self.asked: dict[str, Sent] = {}
        self.number = -1
        self._open: dict[tuple[str, str], Ask] = {}
        self._left: dict[str, int] = {}
        self._enabled = True

    # ------------------------------------------------------------------ taking records in

    def _arrive(self, state: str | None, record: Record, entered: int, loops: int = 0) -> None:
        self.stays.append(Stay(state, record, entered if self._enabled else NEVER, loops))

    def _acted(self, tick: int, number: int) -> None:
        self.number = number
        if self.stays and tick < self.stays[-1].entered:
            self.stays[-1].entered = tick

    def role(self, record: RoleSet, number: int) -> None:
        """A new machine, from its beginning."""
        self._enabled = True
        self._left.clear()
        self.number = number
        self.roles.append(record)
        self.switches.append(record)
        self._arrive(record.state, record, record.tick)

    def moved(self, record: Moved, number: int, at_once: bool) -> None:
        """The machine went to another state, or came back to the same."""
        before = self.stays[-1] if self.stays else None
        entered = record.tick if at_once and record.edge >= 0 else record.tick + 1
        loops = 0
        if record.source != record.target:
            entered = self._left.pop(record.target, entered)
        elif before is not None and isinstance(before.begin, Moved):
            same = (before.begin.edge, before.begin.source, before.begin.target)
            loops = before.loops + 1 if same == (record.edge, record.source, record.target) else 1
        self._acted(record.tick, number)
        self._arrive(record.target, record, entered, max(loops, int(record.source == record.target)))

    def forced(self, record: Forced, number: int) -> None:
        """It was moved, or switched on or off."""
        stay = self.stays[-1] if self.stays else None
        if record.what in ("enable", "disable", "stop"):
            self._enabled = record.what == "enable"
            self.switches.append(record)
            if stay is not None and stay.entered > record.tick:
                stay.entered = record.tick + 1 if self._enabled else NEVER
            return
        if record.what == "reset_state":
            self._left.clear()
        elif record.source is not None and stay is not None and stay.entered <= record.tick:
            self._left[record.source] = stay.entered
        elif record.source is not None:
            self._left.pop(record.source, None)
        entered = self._left.pop(record.target or "", record.tick + 1)
        self._arrive(record.target, record, entered)

    def tried(self, record: Tried, number: int) -> None:
        """An action was tried; one that was abandoned meanwhile does not count."""
        if not self.stays:
            self._arrive(record.source, record, record.tick)
        stay = self.stays[-1]
        if stay.state == record.source:
            before = self.number
            self._acted(record.tick, number)
            stay.add(record, before)

    def did(self, record: InState, number: int) -> None:
        """The state's own action ran."""
        if not self.stays:
            self._arrive(record.state, record, record.tick)
        if self.stays[-1].state == record.state:
            self._acted(record.tick, number)
            self.stays[-1].in_state.append(record)

    def requested(self, record: Requested, number: int) -> None:
        """A request reached it."""
        if record.action is None:
            return
        if not record.accepted:
            self.refused.append(record)
            self.rejected.add(record.uuid)
            return
        ask = self._open[record.uuid, "received"] = Ask(record, number)
        self.received.append(ask)
        self.arrivals.setdefault(record.uuid, []).append(ask)

    def asks(self, record: Sent, number: int) -> None:
        """It asked others."""
        self.asked[record.action or ""] = record
        ask = self._open[record.uuid, "sent"] = Ask(record, number)
        self.sent.append(ask)

    def completed(self, record: Completed, number: int) -> None:
        """A request is over, on its side."""
        ask = self._open.pop((record.uuid, record.side), None)
        if ask is not None:
            ask.end = record

    # ------------------------------------------------------------------ questions

    def stay_at(self, tick: int) -> Stay | None:
        """The stay that goes on at the end of a tick."""
        return last_of(self.stays, tick)

    def waiting(self, tick: int, t: float) -> list[Ask]:
        """The requests received and not over, the oldest first. None lives longer than 300 s."""
        return _open_at(self.received, tick, t)

    def open_sent(self, tick: int, t: float) -> list[Ask]:
        """The requests made and not over, the oldest first."""
        return _open_at(self.sent, tick, t)

    def arrival(self, uuid: str, tick: int) -> Ask | None:
        """A request as it reached this node."""
        return last_of(self.arrivals.get(uuid, ()), tick)


def _open_at(asks: Sequence[Ask], tick: int, t: float) -> list[Ask]:
    found: list[Ask] = []
    for index in range(upto(asks, tick) - 1, -1, -1):
        ask = asks[index]
        if ask.record.t < t - _LIFE:
            break
        if ask.is_open(tick):
            found.append(ask)
    return found[::-1]


# ---------------------------------------------------------------------- the whole trace


class Growing(Protocol):
    """A trace that grows: what :class:`~unaiverse_lab.runtime.trace.Trace` is."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Record: ...

    def since(self, index: int) -> list[Record]:
        """The records from a number on."""


class Past:
    """An index of a trace, kept up to date by :meth:`follow`: each record is looked at once.

    Args:
        records: what to begin with.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._reset()
        self.add(records)

    def _reset(self) -> None:
        self.lives: dict[str, Life] = {}
        self.plans: dict[str, list[tuple[int, Plan]]] = {}
        self.world: str | None = None
        self.requests: dict[str, Sent] = {}
        self._count = 0
        self._first: Record | None = None
        self._last: Record | None = None
        self._names: dict[str, str] = {}

    def follow(self, trace: Growing) -> Past:
        """Take in what is new in a trace; one that went back, or is another one, is read from its beginning."""
        seen = self._count
        same = seen <= len(trace)
        if same and seen:
            try:
                same = trace[seen - 1] is self._last
            except IndexError:
                same = False
        if not same:
            self._reset()
        fresh = trace.since(self._count)
        self._count = len(trace) - len(fresh)
        return self.add(fresh)

    def add(self, records: Iterable[Record]) -> Past:
        """Take in more records, in order."""
        lives, number, record = self.lives, self._count, None
        for record in records:
            taker = _TAKERS.get(type(record))
            if taker is not None:
                name = record.node
                life = lives.get(name)
                if life is None:
                    life = lives[name] = Life(name)
                taker(self, life, record, number)
            elif record.node not in lives:
                lives[record.node] = Life(record.node)
            if number == self._count and self._first is None:
                self._first = record
            number += 1
        self._count = number
        if record is not None:
            self._last = record
        return self

    def know(self, name: str) -> Life:
        """The life of a node, an empty one if the trace has no record of it."""
        return self.lives.setdefault(name, Life(name))

    # ------------------------------------------------------------------ time

    @property
    def tick(self) -> int:
        """The tick of the last record; -1 if there is none."""
        return self._last.tick if self._last is not None else -1

    @property
    def delta(self) -> float:
        """Seconds per tick, as far as the records tell; 0 if they are all of one tick."""
        first, last = self._first, self._last
        if first is None or last is None or last.tick == first.tick:
            return 0.0
        return (last.t - first.t) / (last.tick - first.tick)

    def time_of(self, tick: int) -> float:
        """The time of a tick in seconds."""
        last = self._last
        return 0.0 if last is None else round(last.t + (tick - last.tick) * self.delta, 6)

    # ------------------------------------------------------------------ names, machines

    def name_of(self, peer: str) -> str:
        """The node name of a peer id."""
        if peer in self.lives:
            return peer
        if len(self._names) != len(self.lives):
            self._names = {_as_peer(name): name for name in self.lives}
        return self._names.get(peer, peer)

    def args_of(self, ask: Ask) -> Mapping[str, Any]:
        """The arguments that were asked for; none where the trace does not tell."""
        sent = self.requests.get(ask.record.uuid)
        return {} if sent is None else sent.args or {}

    def plan_of(self, role: str | None, tick: int) -> Plan | None:
        """The machine of a role, as offered at a tick."""
        plans = self.plans.get(role or "", ())
        return next((plan for since, plan in reversed(plans) if since <= tick), None)

    def role_of(self, name: str, tick: int) -> str | None:
        """The role of a node at a tick."""
        life = self.lives.get(name)
        taken = None if life is None else last_of(life.roles, tick)
        return None if taken is None else taken.role


def _as_peer(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)


def _take_behavior(past: Past, life: Life, record: BehaviorSet, number: int) -> None:
    if not record.own:
        past.world = record.node
    past.plans.setdefault(record.role, []).append((record.tick, Plan(msgspec.json.decode(record.machine))))


def _take_sent(past: Past, life: Life, record: Sent, number: int) -> None:
    if record.action is not None:
        past.requests[record.uuid] = record
        life.asks(record, number)


def _take_move(past: Past, life: Life, record: Moved, number: int) -> None:
    plan = past.plan_of(life.roles[-1].role, record.tick) if life.roles else None
    life.moved(record, number, plan is not None and not plan.blocks(record.target))


_TAKERS: dict[type[Record], Callable[[Past, Life, Any, int], None]] = {
    BehaviorSet: _take_behavior,
    Moved: _take_move,
    Joined: lambda past, life, record, number: life.joins.append(record),
    RoleSet: lambda past, life, record, number: life.role(record, number),
    Forced: lambda past, life, record, number: life.forced(record, number),
    Tried: lambda past, life, record, number: life.tried(record, number),
    InState: lambda past, life, record, number: life.did(record, number),
    Requested: lambda past, life, record, number: life.requested(record, number),
    Sent: _take_sent,
    Completed: lambda past, life, record, number: life.completed(record, number),
    Fault: lambda past, life, record, number: life.faults.append(record),
    Met: lambda past, life, record, number: life.meetings.append(record),
    Injected: lambda past, life, record, number: life.typed.append(record),
    Pushed: lambda past, life, record, number: life.pushed.append(record),
}
