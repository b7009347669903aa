"""What happened in a world as one SVG picture: a lane for each node, time downwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

import msgspec

from unaiverse_lab.core.records import (
    BehaviorSet,
    Completed,
    Fault,
    Forced,
    Joined,
    Moved,
    Pushed,
    Record,
    Requested,
    RoleSet,
    Sent,
)
from unaiverse_lab.view._drawing import (
    ALERT,
    FAINT,
    INK,
    TINTS,
    clipped,
    document,
    escaped,
    text_at,
    text_width,
)

_GUTTER, _HEAD, _FOOT, _SLOT, _QUIET, _CHANNEL, _WORDS = 122.0, 62.0, 34.0, 17.0, 18.0, 26.0, 112.0
_GAP = 2 * _CHANNEL + _WORDS
_DATA = "#00735c"
_STATES = (Moved, RoleSet, Forced)


@dataclass(slots=True)
class _Arrow:
    """Something that went from a node to another."""

    source: str
    target: str
    left: int
    arrived: int
    words: str
    outcome: str | None = None
    data: bool = False
    slot: int = 0

    @property
    def failed(self) -> bool:
        return self.outcome not in (None, "ok")


@dataclass(slots=True)
class _Row:
    """What one tick shows: the states each node went through, and where the row is."""

    tick: int
    t: float
    visits: dict[str, list[str]] = field(default_factory=dict)
    slots: int = 1
    y: float = 0.0

    @property
    def height(self) -> float:
        return self.slots * _SLOT + 6


def timeline_svg(
    records: Iterable[Record], *, last: int = 60, machines: Mapping[str, Mapping[str, Any]] | None = None
) -> str:
    """Draw the ticks at which something happened.

    A block is a stay in a state. An arrow is a sample of a stream, or a request from the tick it was sent at
    to the one it arrived at: solid when it completed ok, dashed while open, red with the reason otherwise.

    Args:
        records: a trace, in order.
        last: how many ticks to show at most, the latest ones.
        machines: the machine of each node, in the JSON format of behaviors: it says what states are blocking.
            For nodes that are not in it the trace says it, see :func:`machines_of`.

    Returns:
        SVG text: no script, no style sheet, no reference to anything outside, no ids.
    """
    trace = list(records)
    arrows = [arrow for arrow in (*_requests(trace), *_pushes(trace)) if arrow.source != arrow.target]
    seen = [record for record in trace if isinstance(record, (*_STATES, Sent, Requested, Fault))]
    shown = {record.tick for record in seen} | {arrow.arrived for arrow in arrows}
    times = {record.tick: record.t for record in reversed(trace)}
    rows = {tick: _Row(tick, times[tick]) for tick in sorted(shown)[-last:]} if last > 0 else {}
    ends = (name for arrow in arrows for name in (arrow.source, arrow.target))
    lanes = list(dict.fromkeys([*(record.node for record in seen), *ends]))
    _visit(trace, rows, machines_of(trace) | dict(machines or {}))
    return _Picture(lanes, rows, [arrow for arrow in arrows if arrow.arrived in rows], trace).svg()


def machines_of(records: Iterable[Record]) -> dict[str, Mapping[str, Any]]:
    """Return the machine of each node, as far as the trace tells: the one offered for the role it took."""
    offered: dict[str, Mapping[str, Any]] = {}
    taken: dict[str, str] = {}
    for record in records:
        if isinstance(record, BehaviorSet):
            offered[record.role] = msgspec.json.decode(record.machine)
        elif isinstance(record, RoleSet):
            taken[record.node] = record.role
    return {node: offered[role] for node, role in taken.items() if role in offered}


def _requests(trace: Sequence[Record]) -> Iterator[_Arrow]:
    reasons: dict[tuple[str, str | None], str] = {}
    arrivals: dict[tuple[str, str], Requested] = {}
    for record in trace:
        if isinstance(record, Completed):
            member = record.node if record.side == "received" else record.peer
            reasons.setdefault((record.uuid, member), record.reason)
        elif isinstance(record, Requested):
            arrivals[record.uuid, record.node] = record
    for record in trace:
        if isinstance(record, Sent):
            for target in record.targets:
                arrival = arrivals.pop((record.uuid, target), None)
                reason = reasons.get((record.uuid, target), reasons.get((record.uuid, None)))
                words = record.action or "data"
                arrived = arrival.tick if arrival else record.tick
                outcome = reason if arrival is None or arrival.accepted else "refused"
                yield _Arrow(record.node, target, record.tick, arrived, words, outcome)
    for arrival in arrivals.values():
        outcome = reasons.get((arrival.uuid, arrival.node)) if arrival.accepted else "refused"
        words = arrival.action or "data"
        yield _Arrow(arrival.requester, arrival.node, arrival.tick, arrival.tick, words, outcome)


def _pushes(trace: Sequence[Record]) -> Iterator[_Arrow]:
    for record in trace:
        if isinstance(record, Pushed):
            words = record.stream if record.value is None else record.value
            yield _Arrow(record.owner, record.node, record.tick, record.tick, words, data=True)


def _visit(trace: Iterable[Record], rows: Mapping[int, _Row], machines: Mapping[str, Mapping[str, Any]]) -> None:
    """Write in each row the states that each node was in during that tick, in order."""
    stays: dict[str, dict[int, tuple[list[str], str | None]]] = {}
    for record in trace:
        move = _move(record, machines.get(record.node, {}).get("states", {}))
        if move is None:
            continue
        source, target, at_once = move
        mine = stays.setdefault(record.node, {})
        _, before = next(reversed(mine.values()), ([], None))
        states, _ = mine.get(record.tick, ([before] if before else [], None))
        for state in (source, target if at_once else None):
            if state and states[-1:] != [state]:
                states.append(state)
        mine[record.tick] = states, target
    for node, mine in stays.items():
        now: str | None = None
        for tick in sorted(mine.keys() | rows.keys()):
            states, after = mine.get(tick, ([now] if now else [], now))
            if tick in rows:
                rows[tick].visits[node] = states
            now = after


def _move(record: Record, states: Mapping[str, Any]) -> tuple[str | None, str | None, bool] | None:
    """Return the state left, the state reached, and whether that is entered at once; None if not a move."""
    if isinstance(record, Moved):
        return record.source, record.target, not states.get(record.target, {}).get("blocking", True)
    if isinstance(record, Forced) and record.target:
        return record.source, record.target, True
    if isinstance(record, RoleSet):
        return None, record.state, True
    if isinstance(record, Joined) and record.stage in ("left", "purged"):
        return None, None, True
    return None


class _Picture:
    """Places rows and lanes, and draws them."""

    def __init__(self, lanes: list[str], rows: dict[int, _Row], arrows: list[_Arrow], trace: list[Record]) -> None:
        self.lanes = {name: index for index, name in enumerate(lanes)}
        self.rows = rows
        self.arrows = arrows
        self.faults = [record for record in trace if isinstance(record, Fault) and record.tick in rows]
        names = dict.fromkeys(state for row in rows.values() for states in row.visits.values() for state in states)
        self.tints = {state: TINTS[index % len(TINTS)] for index, state in enumerate(names)}
        widest = max((text_width(name, 11) for name in (*names, *lanes)), default=0.0)
        self.lane = min(max(widest + 16, 70), 150)
        self._open_slots()
        self.height = self._stack()

    def svg(self) -> str:
        ticks = list(self.rows)
        span = f"ticks {ticks[0]} to {ticks[-1]}" if ticks else "nothing happened yet"
        width = max(_GUTTER + len(self.lanes) * (self.lane + _GAP) - _GAP + 24, 660)
        body = [
            text_at(18, 25, "Timeline", 'font-size="15" font-weight="bold"'),
            text_at(104, 25, span, f'fill="{FAINT}"'),
            *self._grid(width),
            *(block for name in self.lanes for block in self._blocks(name)),
            *map(self._draw, self.arrows),
            *map(self._fault, self.faults),
            _legend(self.height - _FOOT / 2),
        ]
        words = f"{span}; nodes: {', '.join(self.lanes) or 'none'}; {len(self.arrows)} arrows"
        return document(width, self.height, f"Timeline, {span}", words, body)

    def _open_slots(self) -> None:
        """Give each arrow a line of its own in every gap that it passes at its arrival."""
        used: dict[tuple[int, int], int] = defaultdict(int)
        for arrow in self.arrows:
            gaps = [
                (arrow.arrived, gap) for gap in range(*sorted((self.lanes[arrow.source], self.lanes[arrow.target])))
            ]
            arrow.slot = max(used[gap] for gap in gaps)
            free = arrow.slot + 1 + arrow.failed
            used.update(dict.fromkeys(gaps, free))
            self.rows[arrow.arrived].slots = max(self.rows[arrow.arrived].slots, free)
        for row in self.rows.values():
            row.slots = max(row.slots, *map(len, row.visits.values()), 1)

    def _stack(self) -> float:
        y, before = _HEAD, None
        for tick, row in self.rows.items():
            y += _QUIET if before is not None and tick > before + 1 else 0
            row.y = y
            y, before = y + row.height, tick
        return y + _FOOT

    def _x(self, name: str) -> float:
        return _GUTTER + self.lanes[name] * (self.lane + _GAP)

    def _grid(self, width: float) -> Iterator[str]:
        for name in self.lanes:
            x = self._x(name) + self.lane / 2
            attributes = 'font-size="12" font-weight="bold" text-anchor="middle"'
            yield text_at(x, _HEAD - 12, clipped(name, int(self.lane / 7)), attributes)
        for row in self.rows.values():
            yield f'<path d="M14 {row.y:.1f}H{width - 14:.0f}" stroke="#e4e7eb"/>'
            yield text_at(18, row.y + 14, f"tick {row.tick}")
            yield text_at(_GUTTER - 12, row.y + 14, f"{row.t:.6g} s", f'fill="{FAINT}" text-anchor="end"')
        for before, after in pairwise(self.rows.values()):
            if quiet := after.tick - before.tick - 1:
                words = f"⋮ {quiet} quiet tick{'s' if quiet > 1 else ''}"
                yield f'<path d="M14 {after.y - _QUIET:.1f}H{width - 14:.0f}" stroke="#e4e7eb"/>'
                yield text_at(18, after.y - 5, words, f'fill="{FAINT}" font-size="10"')

    def _blocks(self, name: str) -> Iterator[str]:
        pieces = []
        top = next(iter(self.rows.values())).y if self.rows else 0.0
        for row in self.rows.values():
            states = row.visits.get(name) or [""]
            for index, state in enumerate(states, 1):
                bottom = row.y + row.height * index / len(states)
                pieces.append((state, top, bottom))
                top = bottom
        x = self._x(name)
        for state, group in groupby(pieces, key=lambda piece: piece[0]):
            if not state:
                continue
            run = list(group)
            y, height = run[0][1], run[-1][2] - run[0][1]
            yield (
                f'<rect x="{x:.1f}" y="{y + 0.5:.1f}" width="{self.lane:.1f}" height="{height - 1:.1f}" '
                f'rx="3" fill="{self.tints[state]}" stroke="{FAINT}" stroke-width=".6"/>'
            )
            yield text_at(x + 7, y + 13, clipped(state, int((self.lane - 12) / 6.2)))

    def _draw(self, arrow: _Arrow) -> str:
        """An arrow leaves in the channel beside its source, then runs level to its target."""
        direction = 1 if self.lanes[arrow.target] > self.lanes[arrow.source] else -1
        start = self._x(arrow.source) + (self.lane if direction > 0 else 0)
        end = self._x(arrow.target) + (0 if direction > 0 else self.lane)
        y = self.rows[arrow.arrived].y + _SLOT * (arrow.slot + 1) - 1
        sent = self.rows.get(arrow.left)
        from_y = sent.y + sent.height / 2 if sent and arrow.left < arrow.arrived else y
        turn = start + direction * (_CHANNEL - 4)
        colour = _DATA if arrow.data else ALERT if arrow.failed else INK
        dashes = ' stroke-dasharray="5 3"' if arrow.outcome is None and not arrow.data else ""
        middle = end - direction * (_GAP / 2)
        style = f'font-size="10" text-anchor="middle" fill="{colour}"'
        reason = text_at(middle, y + 11, clipped(arrow.outcome, 19), style) if arrow.failed else ""
        return (
            f'<path d="M{start:.1f} {from_y:.1f}Q{turn:.1f} {from_y:.1f} {turn:.1f} {(from_y + y) / 2:.1f}'
            f'T{turn + direction * 4:.1f} {y:.1f}H{end - direction * 6:.1f}" fill="none" stroke="{colour}" '
            f'stroke-width="{1 if arrow.data else 1.4}"{dashes}/>'
            f'<path d="M{end:.1f} {y:.1f}l{-direction * 8} -4v8z" fill="{colour}"/>'
            + text_at(middle, y - 3, clipped(arrow.words, 19), style)
            + reason
        )

    def _fault(self, fault: Fault) -> str:
        x, y = self._x(fault.node) + self.lane - 11, self.rows[fault.tick].y + 11
        return (
            f"<g><title>{escaped(fault.error)}</title>"
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{ALERT}"/>'
            + text_at(x, y + 4, "!", 'fill="#fff" font-weight="bold" text-anchor="middle"')
            + "</g>"
        )


def _legend(y: float) -> str:
    signs = (
        (INK, "", "request, done"),
        (INK, ' stroke-dasharray="5 3"', "request, open"),
        (ALERT, "", "request, failed: reason below"),
        (_DATA, ' stroke-width=".8"', "data"),
    )
    parts = []
    x = 18.0
    for colour, style, word in signs:
        parts.append(f'<path d="M{x:.0f} {y:.1f}h24" stroke="{colour}"{style}/>')
        parts.append(text_at(x + 30, y + 3.5, word, f'font-size="10" fill="{FAINT}"'))
        x += 48 + text_width(word, 10)
    return "".join(parts)
