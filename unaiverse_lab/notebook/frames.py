"""What a front end is sent of a trace: numbered batches of records, and where everybody stands before the first.

A batch holds every distinct content once, in a table, and for each record the row of that table; the times are
told tick by tick. Ten thousand ticks of waiting are so a few rows and a list of small numbers.
"""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Protocol, get_args

import msgspec

from unaiverse_lab.core.records import (
    AnyRecord,
    BehaviorSet,
    Completed,
    Fault,
    Forced,
    InState,
    Joined,
    Moved,
    Record,
    Requested,
    RoleSet,
    Sent,
    Tried,
)
from unaiverse_lab.view import Layout, graph_of, layout_of, sentence

BACKLOG = 12_000
"""When more records than this are waiting, the front end is sent the latest ones only, behind a new key frame."""

WINDOW = 5_000
"""How many records a key frame is followed by."""

KEPT = 64
"""How many batches can be sent again."""

MOST_RECORDS, MOST_LETTERS = 4_000, 85_000
MOST_TARGETS = 40
MOST_WORDS = 400
_PENDING = frozenset({"again", "step", "waiting"})
_LONG = frozenset({"text", "value", "reason", "error", "code", "detail", "description"})
_SAID = {("send", "args"), ("push", "value")}
"""Fields that are not sent: the sentence says them."""

_OUTSIDE = ("tick", "t", "node")
_FIELDS: dict[type[Record], tuple[str, ...]] = {
    kind: tuple(name for name in kind.__struct_fields__ if name not in _OUTSIDE) for kind in get_args(AnyRecord)
}
_KEYS: dict[type[Record], Callable[[Record], Any]] = {
    kind: attrgetter("node", *fields) for kind, fields in _FIELDS.items()
}

Json = dict[str, Any]


class Growing(Protocol):
    """A trace: what :class:`~unaiverse_lab.runtime.trace.Trace` is."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Record: ...

    def since(self, index: int) -> list[Record]:
        """The records from a number on."""

    @property
    def gone(self) -> int:
        """How many of the oldest are no longer there."""


# ---------------------------------------------------------------------- machines


def digest_of(machine: str) -> str:
    """The name under which a machine is sent, equal for equal texts."""
    return hashlib.blake2b(machine.encode(), digest_size=6).hexdigest()


class Machines:
    """The machines that a trace shows, drawn once each.

    Attributes:
        drawings: what a front end needs to draw them, by digest.
    """

    def __init__(self) -> None:
        self.drawings: dict[str, Json] = {}
        self._digests: dict[str, str] = {}

    def know(self, machine: str) -> str:
        """Its digest; it is laid out if it was never seen before."""
        digest = self._digests.get(machine)
        if digest is None:
            digest = self._digests[machine] = digest_of(machine)
            self.drawings[digest] = drawing_of(msgspec.json.decode(machine))
        return digest


def drawing_of(machine: Mapping[str, Any]) -> Json:
    """A machine as numbers and words: where its states, paths and labels are, and all that is to be said of them.

    Args:
        machine: in the JSON format of behaviors.

    Returns:
        ``w``, ``h`` (pixels), ``role``, ``initial``, ``states`` and ``edges``. Boxes are left, top, width, height; a
        curve is a start, then three points for each cubic Bezier piece. A label's ``edge`` counts, from 0, the
        transitions that leave the state, in evaluation order, as records do.
    """
    graph = graph_of(machine)
    layout: Layout = layout_of(graph)
    states = [
        {
            "name": name,
            "box": _rounded(spot.box),
            "lines": list(spot.name),
            "more": list(spot.detail),
            "does": spot.node.detail,
            "blocking": spot.node.blocking,
        }
        for name, spot in layout.spots.items()
    ]
    edges = [
        {
            "from": route.edge.source,
            "to": route.edge.target,
            "curve": _rounded(number for point in route.curve for number in point),
            "box": _rounded(route.box),
            "lines": [[label.order - 1, text] for label, text in route.lines],
            "labels": [
                {
                    "edge": label.order - 1,
                    "text": label.text,
                    **({} if label.ready else {"asked": True}),
                    **({"teleport": True} if label.teleport else {}),
                }
                for label in route.edge.labels
            ],
        }
        for route in layout.routes
    ]
    return {
        "role": machine["machine"].get("role") or "",
        "initial": graph.initial,
        "w": round(layout.width, 1),
        "h": round(layout.height, 1),
        "states": states,
        "edges": edges,
    }


def _rounded(numbers: Iterable[float]) -> list[float]:
    return [round(number, 1) for number in numbers]


# ---------------------------------------------------------------------- where everybody stands


class Fold:
    """Where everybody stands after so many records of a trace; a front end goes on from there by itself.

    Args:
        machines: where the machines that are met go.

    Attributes:
        at: how many records were taken in.
    """

    def __init__(self, machines: Machines) -> None:
        self.machines = machines
        self.at = 0
        self.world: str | None = None
        self.offered: dict[str, str] = {}
        self.nodes: dict[str, Json] = {}

    def take(self, records: Iterable[Record]) -> Fold:
        """Go on by some records."""
        nodes = self.nodes
        for record in records:
            node = nodes.get(record.node)
            if node is None:
                node = nodes[record.node] = {}
            taker = _TAKERS.get(type(record))
            if taker is not None:
                taker(self, node, record)
            self.at += 1
        return self

    def key_frame(self) -> Json:
        """A copy of it, as plain data without what is empty."""
        nodes = {name: {key: _copied(value) for key, value in one.items() if value} for name, one in self.nodes.items()}
        return {"at": self.at, "world": self.world, "offered": dict(self.offered), "nodes": nodes}


def _copied(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value


def _arrive(node: Json, state: str | None, tick: int, is_new: bool = True) -> None:
    node["state"] = state
    node["pending"] = None
    if is_new:
        node["since"] = tick
    if state is not None:
        visits = node.setdefault("visits", {})
        visits[state] = visits.get(state, 0) + 1


def _behavior(fold: Fold, node: Json, record: BehaviorSet) -> None:
    if not record.own:
        fold.world = record.node
    fold.offered[record.role] = fold.machines.know(record.machine)


def _joined(fold: Fold, node: Json, record: Joined) -> None:
    node["stage"] = record.stage
    if record.stage in ("left", "purged"):
        node.update(role=None, state=None, pending=None, queue=None, sent=None)


def _role(fold: Fold, node: Json, record: RoleSet) -> None:
    node.update(role=record.role, off=False, visits={})
    _arrive(node, record.state, record.tick)


def _moved(fold: Fold, node: Json, record: Moved) -> None:
    _arrive(node, record.target, record.tick, record.source != record.target)


def _forced(fold: Fold, node: Json, record: Forced) -> None:
    if record.what in ("enable", "disable", "stop"):
        node["off"] = record.what != "enable"
    else:
        _arrive(node, record.target, record.tick)


def _tried(fold: Fold, node: Json, record: Tried) -> None:
    if node.get("state") is None:
        _arrive(node, record.source, record.tick)
    pending = record.outcome in _PENDING and node["state"] == record.source
    node["pending"] = [record.edge, record.action] if pending else None


def _in_state(fold: Fold, node: Json, record: InState) -> None:
    if node.get("state") is None:
        _arrive(node, record.state, record.tick)


def _requested(fold: Fold, node: Json, record: Requested) -> None:
    if record.accepted and record.action is not None:
        queue = node["queue"] = node.get("queue") or {}
        queue[record.uuid] = [record.action, record.requester, record.tick, record.source]


def _sent(fold: Fold, node: Json, record: Sent) -> None:
    if record.action is not None:
        sent = node["sent"] = node.get("sent") or {}
        sent[record.uuid] = [record.action, record.targets[:MOST_TARGETS], record.tick]


def _completed(fold: Fold, node: Json, record: Completed) -> None:
    (node.get("sent" if record.side == "sent" else "queue") or {}).pop(record.uuid, None)


def _fault(fold: Fold, node: Json, record: Fault) -> None:
    node["errors"] = node.get("errors", 0) + 1


_TAKERS: dict[type[Record], Callable[[Fold, Json, Any], None]] = {
    BehaviorSet: _behavior,
    Joined: _joined,
    RoleSet: _role,
    Moved: _moved,
    Forced: _forced,
    Tried: _tried,
    InState: _in_state,
    Requested: _requested,
    Sent: _sent,
    Completed: _completed,
    Fault: _fault,
}


# ---------------------------------------------------------------------- batches


def batches_of(records: Sequence[Record], machines: Machines) -> Iterator[tuple[int, Json]]:
    """Put records into batches of some 100 kB at most.

    Args:
        records: in order.
        machines: where the machines that are met go.

    Yields:
        How many records the batch holds, and the batch: ``ticks`` (for each tick that has records: its number, its
        seconds, how many), ``rows`` (the distinct contents) and ``of`` (for each record its row). A row has ``k``
        (the kind), ``n`` (the node), ``x`` (one sentence), and the record's own fields, without those that are None.
    """
    rows: list[Json] = []
    known: dict[Any, int] = {}
    of: list[int] = []
    ticks: list[list[Any]] = []
    letters, now = 0, None
    for record in records:
        try:
            key = (type(record), _KEYS[type(record)](record))
            row = known.get(key)
        except TypeError:
            key, row = None, None
        if row is None:
            row = len(rows)
            if key is not None:
                known[key] = row
            rows.append(_row(record, machines))
            letters += sum(len(value) if type(value) is str else 8 for value in rows[-1].values()) + 40
        of.append(row)
        if record.tick == now:
            ticks[-1][2] += 1
        else:
            now = record.tick
            ticks.append([now, round(record.t, 6), 1])
        if len(of) >= MOST_RECORDS or letters >= MOST_LETTERS:
            yield len(of), {"ticks": ticks, "rows": rows, "of": of}
            rows, known, of, ticks, letters, now = [], {}, [], [], 0, None
    if of:
        yield len(of), {"ticks": ticks, "rows": rows, "of": of}


def _row(record: Record, machines: Machines) -> Json:
    row: Json = {"k": record.kind, "n": record.node, "x": sentence(record)}
    for name in _FIELDS[type(record)]:
        value = getattr(record, name)
        if value is None or (record.kind, name) in _SAID:
            continue
        if name in _LONG or not isinstance(value, (str, int, list)):
            value = _short(value)
        elif name == "machine":
            value = machines.know(str(value))
        elif isinstance(value, list):
            value = value[:MOST_TARGETS]
        row[name] = value
    return row


def _short(value: Any) -> Any:
    if isinstance(value, float) and math.isfinite(value):
        return round(value, 6)
    text = str(value)
    return text if len(text) <= MOST_WORDS else text[: MOST_WORDS - 1] + "…"


# ---------------------------------------------------------------------- what one front end has


class Feed:
    """What one front end was sent of a trace, and what it is to be sent next.

    Args:
        trace: the trace.

    Attributes:
        machines: the machines met so far.
        seq: number of the last message.
        branch: how often the trace went back.
    """

    def __init__(self, trace: Growing) -> None:
        self.trace = trace
        self.machines = Machines()
        self.seq = 0
        self.branch = 0
        self.is_live = True
        self._fold = Fold(self.machines)
        self._tail_fold = Fold(self.machines)
        self._present = Fold(self.machines)
        self._latest: Record | None = None
        self._end = 0
        self._last: Record | None = None
        self._begun = False
        self._kept: deque[Json] = deque(maxlen=KEPT)

    @property
    def waiting(self) -> int:
        """How many records were not sent so far."""
        return len(self.trace) - self._end

    def fresh(self) -> list[Json]:
        """The messages with what is new; nothing while the front end looks at an older part of the trace."""
        if self._went_back():
            self.branch += 1
            self._fold = Fold(self.machines)
            self._begun, self.is_live = False, True
        self.present()
        if not self.is_live:
            return []
        if not self._begun or self.waiting > BACKLOG:
            return self._window(max(0, len(self.trace) - WINDOW), len(self.trace))
        return self._messages(self.trace.since(self._end), None)

    def again(self) -> list[Json]:
        """Everything anew, for a front end that has nothing: a key frame and the latest records."""
        self._begun, self.is_live = False, True
        return self.fresh()

    def resend(self, seq: int) -> list[Json]:
        """The messages after number ``seq``, or everything anew if they are not there any more."""
        missed = [message for message in self._kept if message["seq"] > seq]
        if missed and missed[0]["seq"] == seq + 1:
            return missed + self.fresh()
        return self.again()

    def around(self, tick: int) -> list[Json]:
        """A part of the trace with a tick in it, for a front end that looks at the past.

        Until :meth:`again` is called, nothing new is sent.
        """
        low, high = self.trace.gone, len(self.trace)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self.trace[middle].tick < tick else (low, middle)
        start = max(0, low - WINDOW // 2)
        end = min(len(self.trace), start + WINDOW)
        if end == len(self.trace):
            return self.again()
        self.is_live = False
        return self._window(start, end)

    def tail(self, most: int) -> Json:
        """The latest records that fit into ``most`` bytes, with the key frame before them: to be looked at later."""
        self.present()
        count, end = MOST_RECORDS, len(self.trace)
        while True:
            start = self._start_of_tick(max(0, end - count))
            base = self._at(start, self._tail_fold).key_frame()
            batches = [batch for _, batch in batches_of(self.trace.since(start), self.machines)]
            tail = {"base": base, "from": start, "to": end, "batches": batches}
            size = len(msgspec.json.encode(tail))
            if size <= most or count < 8:
                return tail if size <= most else {}
            count = min(count // 2, end // 2)

    def present(self) -> Fold:
        """Where everybody stands now; not to be changed."""
        if self._is_another(self._present.at, self._latest):
            self._present, self._tail_fold = Fold(self.machines), Fold(self.machines)
        end = len(self.trace)
        self._at(end, self._present)
        self._latest = self.trace[end - 1] if end > self.trace.gone else None
        return self._present

    # ------------------------------------------------------------------ pieces

    def _went_back(self) -> bool:
        return self._is_another(self._end, self._last)

    def _is_another(self, count: int, last: Record | None) -> bool:
        """Whether the trace is no longer the one whose record before number ``count`` was ``last``."""
        if count == 0 or last is None:
            return False
        if count > len(self.trace):
            return True
        return count > self.trace.gone and self.trace[count - 1] is not last

    def _start_of_tick(self, start: int) -> int:
        """The number of the first record of a tick, at ``start`` or soon after it."""
        end = len(self.trace)
        start = max(start, self.trace.gone)
        while 0 < start < end and start > self.trace.gone and self.trace[start].tick == self.trace[start - 1].tick:
            start += 1
        return start

    def _at(self, start: int, fold: Fold) -> Fold:
        """Bring a fold to a record; one that is beyond it begins anew."""
        if fold.at > start:
            fold.__init__(self.machines)  # type: ignore[misc]
        if fold.at < self.trace.gone:
            self._remember(fold)
        return fold.take(self.trace.since(fold.at)[: start - fold.at])

    def _remember(self, fold: Fold) -> None:
        """The records that a fold needs are gone: roles and machines are what they were last known to be."""
        known = self._present
        fold.at, fold.world, fold.offered = self.trace.gone, known.world, dict(known.offered)
        if fold is not known:
            roles = {name: node["role"] for name, node in known.nodes.items() if node.get("role")}
            fold.nodes = {name: {"role": role} for name, role in roles.items()}

    def _window(self, start: int, end: int) -> list[Json]:
        start = self._start_of_tick(start)
        base = self._at(start, self._fold).key_frame()
        self._begun = True
        self._end = start
        return self._messages(self.trace.since(start)[: max(0, end - start)], base)

    def _messages(self, records: list[Record], base: Json | None) -> list[Json]:
        messages: list[Json] = []
        batches: Iterable[tuple[int, Json]] = batches_of(records, self.machines)
        if base is not None and not records:
            batches = [(0, {"ticks": [], "rows": [], "of": []})]
        for count, batch in batches:
            self.seq += 1
            message: Json = {"k": "frames", "seq": self.seq, "from": self._end, "to": self._end + count, "d": batch}
            if base is not None:
                message |= {"base": base, "branch": self.branch, "upto": self._end + len(records)}
                base = None
            self._end += count
            self._kept.append(message)
            messages.append(message)
        if records:
            self._last = records[-1]
        return messages
