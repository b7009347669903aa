"""The dashboard that every world has without asking for it: made from a trace, for any of its moments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from unaiverse_lab.core.records import (
    Badge,
    BehaviorSet,
    Completed,
    Dropped,
    Fault,
    Forced,
    Joined,
    Met,
    Moved,
    Record,
    RoleSet,
    Stat,
)
from unaiverse_lab.stats.dashes import Dash, Slot
from unaiverse_lab.stats.figures import UIPlot, steps, thinned, whole
from unaiverse_lab.stats.plots import CORE_NAMES, NOTHING, Member, draw_network
from unaiverse_lab.stats.style import Json, colour, dash_of, plain, squeezed
from unaiverse_lab.view._drawing import wrapped
from unaiverse_lab.view._past import Growing

MOST_ROWS = 200
"""How many rows a table has at most."""

_CHART, _TALL, _AXIS, _GAP, _HEAD, _FOOT, _ROW, _LINE = 250, 420, 36, 46, 104, 30, 24, 14.5
"""Heights in pixels: of a chart, of one with many lines, below it for its axis, between two rows of panels, above and
below all, of a row of a table with one line, of each further line."""

_SEEN, _WIDTH = 8, 860
"""Rows of a table seen without scrolling; pixels that the panels have across, on a narrow page."""

_LABELS, _ACTIONS, _TROUBLES = 0.13, 0.55, 0.41
"""Shares of the width: of words left of a chart, of the table of actions, of that of refusals."""

_LETTER = 0.58
"""Width of a letter on average, as a share of the size of the font."""

_FEW_STATES, _MOST_STATES, _MOST_MARKERS, _MOST_LINES = 4, 12, 60, 5
_REFUSED = {
    "join": "not admitted",
    "role-suggestion": "suggested roles not followed",
    "contact": "did not get to meet",
    "request": "requests refused",
    "badge": "badges refused",
    "stat": "values refused",
}


@dataclass(slots=True)
class _Story:
    """What is known of a world after some of its records."""

    world: str = "World"
    tick: int = -1
    now: float = 0.0
    known: dict[str, None] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    actions: dict[str, Moved] = field(default_factory=dict)
    counts: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    met: dict[tuple[str, str], None] = field(default_factory=dict)
    badges: list[Badge] = field(default_factory=list)
    stats: dict[str, dict[tuple[str, str], list[tuple[float, Any]]]] = field(default_factory=dict)
    troubles: dict[str, tuple[int, str]] = field(default_factory=dict)

    def take(self, record: Record) -> None:
        """Learn from a record."""
        self.tick, self.now = max(self.tick, record.tick), max(self.now, record.t)
        match record:
            case Moved():
                self.states[record.node] = record.target
                self.actions[record.node] = record
            case Joined(stage="admitted"):
                self._role(record, record.role or "")
            case Joined(stage="left" | "purged"):
                self._role(record, None)
            case RoleSet():
                self._role(record, record.role)
                if record.state is not None:
                    self.states[record.node] = record.state
            case Forced() if record.target is not None:
                self.states[record.node] = record.target
            case Met(stage="met"):
                self.met[_pair(record)] = None
            case Met(stage="parted"):
                self.met.pop(_pair(record), None)
            case Badge():
                self.badges.append(record)
            case BehaviorSet(own=False):
                self.world = record.node
            case Stat():
                self._stat(record)
        trouble = _trouble(record)
        if trouble is not None:
            what, why = trouble
            words = f"tick {record.tick}, {record.node}" + (f": {why}" if why else "")
            self.troubles[what] = (self.troubles.get(what, (0, ""))[0] + 1, words)

    def _role(self, record: Record, role: str | None) -> None:
        before = self.roles.pop(record.node, None) if role is None else self.roles.get(record.node)
        if role is None:
            self.states.pop(record.node, None)
            self.actions.pop(record.node, None)
            self.met = {pair: None for pair in self.met if record.node not in pair}
        else:
            self.roles[record.node] = role
            self.known[record.node] = None
        for one, change in ((before, -1), (role, 1)):
            if one is not None and before != role:
                points = self.counts.setdefault(one, [])
                points.append((record.t, (points[-1][1] if points else 0) + change))

    def _stat(self, record: Stat) -> None:
        if record.accepted and record.stat not in CORE_NAMES:
            series = self.stats.setdefault(record.stat, {})
            series.setdefault((record.key or "", record.node), []).append((record.t, record.value))


def core_dashboard(
    records: Iterable[Record], upto_tick: int | None = None, title: str | None = None, theme: str | None = None
) -> Json:
    """The state of a world as one figure in the JSON of plotly; everything as in :func:`core_dash`."""
    return core_dash(records, upto_tick, title, theme).to_json()


def core_dash(
    records: Iterable[Record], upto_tick: int | None = None, title: str | None = None, theme: str | None = None
) -> Dash:
    """The state of a world as panels, made from its records alone.

    It shows the members by role over time, in which states they are, who has met whom, what each did last, what was
    refused or went wrong, the values that were recorded (a panel for each name), and the badges.

    Args:
        records: a trace, or the records of a file, in order.
        upto_tick: as it was at the end of that tick; None: after the last record.
        title: default: the name of the world, the tick and the time.
        theme: ``"light"`` (the default) or ``"dark"``.

    Raises:
        LabError: there is no such theme.
    """
    overview = Overview()
    overview.add(record for record in records if upto_tick is None or record.tick <= upto_tick)
    return overview.dash(title, theme)


class Overview:
    """The dashboard of a trace that grows: each record is read once."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._story = _Story()
        self._count = 0
        self._last: Record | None = None

    def follow(self, trace: Growing) -> Overview:
        """Take in what is new in a trace; one that went back, or is another one, is read from its beginning."""
        try:
            same = self._count <= len(trace) and (not self._count or trace[self._count - 1] is self._last)
        except IndexError:
            same = False
        if not same:
            self._forget()
        fresh = trace.since(self._count)
        self._count = len(trace)
        self.add(fresh)
        return self

    def add(self, records: Iterable[Record]) -> None:
        """Take in more records, in order."""
        for record in records:
            self._story.take(record)
            self._last = record

    def dash(self, title: str | None = None, theme: str | None = None) -> Dash:
        """The panels; arguments and errors as in :func:`core_dash`."""
        story = self._story
        when = "not started yet" if story.tick < 0 else f"tick {story.tick}, {story.now:g} s"
        return _grid(story, title or f"{story.world}: {when}", theme)


_Row = tuple[int, int, list[tuple[UIPlot, float, float, float]]]
"""A row of panels: height of their charts and of what is below these; panels with left and right end, and room left."""


def _grid(story: _Story, title: str, theme: str | None) -> Dash:
    """All the panels, row by row; how many rows there are depends on what was recorded."""
    roles = list(story.counts)
    stats = [_stat_panel(name, series, story) for name, series in story.stats.items()]
    actions, troubles, badges = _actions(story), _troubles(story), _badges(story)
    rows: list[_Row] = [
        (
            _CHART,
            _AXIS,
            [
                (_members(story), 0, 0.28, 0),
                (_states(story, roles), 0.47, 0.69, _LABELS),
                (_network(story, roles), 0.72, 1, 0),
            ],
        ),
        (max(_height(actions), _height(troubles)), 0, [(actions, 0, _ACTIONS, 0), (troubles, 1 - _TROUBLES, 1, 0)]),
        *(_side_by_side(stats[i : i + 2]) for i in range(0, len(stats), 2)),
        (_height(badges), 0, [(badges, 0, 1, 0)]),
    ]
    inner = sum(height + below for height, below, _ in rows) + _GAP * (len(rows) - 1)
    slots: dict[str, Slot] = {}
    placed: dict[str, UIPlot] = {}
    top = float(inner)
    for height, below, panels in rows:
        for panel, left, right, indent in panels:
            name = f"panel {len(slots) + 1}"
            across, upwards = (left, right), ((top - height) / inner, top / inner)
            slots[name] = Slot(across, upwards, len(slots) + 1, indent=indent)
            placed[name] = panel
        top -= height + below + _GAP
    dash = Dash(title, theme, round(inner + _HEAD + _FOOT), slots)
    for name, panel in placed.items():
        dash.add_panel(panel, name)
    dash.set_layout_opt("margin", {"t": _HEAD, "b": _FOOT})
    dash.set_layout_opt("barmode", "stack")
    dash.set_layout_opt("legend", {"x": 0, "xanchor": "left", "y": 1 + 30 / inner, "yanchor": "bottom"})
    dash.set_layout_opt("title", {"y": 1 - 14 / dash.height})
    return dash


def _side_by_side(panels: list[tuple[UIPlot, bool]]) -> _Row:
    """One or two panels, each with room for its legend on its right, and for words on its left if it shows words."""
    sides = [(0, 0.35), (0.54, 0.87)] if len(panels) > 1 else [(0, 0.85)]
    placed: list[tuple[UIPlot, float, float, float]] = []
    for (panel, words), (left, right) in zip(panels, sides, strict=True):
        indent = _LABELS if words else 0
        placed.append((panel, left + indent, right, indent))
    lines = max(len(panel.data) for panel, _ in panels)
    height = min(max(_CHART, 20 * lines), _TALL)
    for panel, _ in panels:
        panel.set_layout_opt("legend", {"font": {"size": 10}, "tracegroupgap": 0, "maxheight": height + _AXIS})
    return height, _AXIS, placed


# ---------------------------------------------------------------------- panels


def _members(story: _Story) -> UIPlot:
    panel = UIPlot("Members over time, by role")
    panel.set_axes("seconds since the start", "")
    start = min((points[0][0] for points in story.counts.values()), default=0.0)
    # Stacked areas need one value of each at every moment.
    moments = sorted({t for points in story.counts.values() for t, _ in points} | {start, story.now})
    highest = 0
    for index, (role, points) in enumerate(story.counts.items()):
        held = _held(points, moments)
        highest += max(held)
        x, y = steps(list(zip(moments, held, strict=True)), story.now)
        panel.add_area(x, y, role or "no role", colour(index), f"role {role}", step=True, stacked=True)
    panel.set_layout_opt("yaxis", whole(highest))
    if not story.counts:
        panel.add_note(NOTHING)
    return panel


def _held(points: list[tuple[float, int]], moments: list[float]) -> list[int]:
    values, current, rest = [], 0, iter([*points, (float("inf"), 0)])
    following = next(rest)
    for moment in moments:
        while following[0] <= moment:
            current, following = following[1], next(rest)
        values.append(current)
    return values


def _states(story: _Story, roles: list[str]) -> UIPlot:
    panel = UIPlot("Who is in which state")
    panel.set_axes("members", "")
    inside = {name: state for name, state in story.states.items() if name in story.roles}
    totals = Counter(inside.values())
    shown = sorted(sorted(totals), key=lambda state: -totals[state])[:_MOST_STATES]
    if not shown:
        panel.add_note(NOTHING)
        return panel
    for index, role in enumerate(roles):
        counts = Counter(state for name, state in inside.items() if story.roles[name] == role)
        bars = [(state, counts[state]) for state in shown if counts[state]]
        if bars:
            panel.add_bar([state for state, _ in bars], [n for _, n in bars], role or "no role", colour(index), True)
            panel.data[-1].update(legendgroup=plain(f"role {role}"), showlegend=False)
    more = len(totals) - len(shown)
    if more:
        panel.title += f" ({more} more)"
    panel.set_layout_opt(
        "yaxis",
        {
            "categoryorder": "array",
            "categoryarray": [plain(state) for state in shown],
            "range": [max(len(shown), _FEW_STATES) - 0.5, -0.5],
            "tickvals": [plain(state) for state in shown],
            "ticktext": [plain(squeezed(state)) + " " for state in shown],
        },
    )
    panel.set_layout_opt("yaxis", {"tickfont": {"size": 10}})
    panel.set_layout_opt("xaxis", whole(max(totals.values())))
    return panel


def _network(story: _Story, roles: list[str]) -> UIPlot:
    panel = UIPlot("Who has met whom")
    members = {
        name: Member(name, role, {"role": role, "state": story.states.get(name, "–")})
        for name, role in story.roles.items()
    }
    draw_network(panel, members, story.met, roles, show_legend=False)
    return panel


def _actions(story: _Story) -> UIPlot:
    panel = UIPlot("What each did last")
    rows = []
    for name, role in story.roles.items():
        done = story.actions.get(name)
        when, action = ("", "–") if done is None else (f"{done.t:g}", done.action)
        rows.append((name, role, story.states.get(name, "–"), action, when))
    _fill(panel, ["member", "role", "state", "last action", "at (s)"], rows, [3, 2.6, 4.4, 5, 1.8], _ACTIONS)
    return panel


def _troubles(story: _Story) -> UIPlot:
    panel = UIPlot("What was refused or went wrong")
    rows = [(what, str(count), last) for what, (count, last) in sorted(story.troubles.items())]
    _fill(panel, ["what", "times", "the latest"], rows, [4.6, 1.6, 7], _TROUBLES)
    return panel


def _badges(story: _Story) -> UIPlot:
    panel = UIPlot("Badges")
    rows = []
    for badge in story.badges:
        score = "" if badge.score is None else f"{badge.score:g}"
        decision = "awarded" if badge.awarded else f"refused{': ' if badge.reason else ''}{badge.reason or ''}"
        rows.append((f"{badge.t:g}", badge.node, badge.badge_type, score, badge.by or "–", decision, badge.description))
    head = ["at (s)", "to", "type", "score", "suggested by", "decision", "for"]
    _fill(panel, head, rows, [1.8, 3, 3, 1.8, 3, 6, 9], 1)
    return panel


def _fill(panel: UIPlot, head: list[str], rows: Sequence[tuple[str, ...]], widths: list[float], share: float) -> None:
    """Make a table that takes a share of the width, its lines broken by us: so it is known how high it is."""
    if not rows:
        rows = [("none", *[""] * (len(head) - 1))]
    elif len(rows) > MOST_ROWS:
        panel.title += f" (the latest {MOST_ROWS} of {len(rows)})"
        rows = rows[-MOST_ROWS:]
    rooms = [int((_WIDTH * share * width / sum(widths) - 14) / (_LETTER * 11)) for width in widths]
    cells = [
        ["\n".join(wrapped(cell, max(room, 4), _MOST_LINES)) for cell in column]
        for column, room in zip(zip(*rows, strict=True), rooms, strict=True)
    ]
    panel.add_table(head, cells, widths)


def _height(panel: UIPlot) -> int:
    """Pixels that a table takes; further rows are scrolled to."""
    rows = islice(zip(*panel.data[0]["cells"]["values"], strict=True), _SEEN)
    lines: list[int] = [max(cell.count("<br>") for cell in row) for row in rows]
    return round(40 + sum(_ROW + _LINE * more + (6 if more else 0) for more in lines))


def _stat_panel(
    name: str, series: Mapping[tuple[str, str], list[tuple[float, Any]]], story: _Story
) -> tuple[UIPlot, bool]:
    """The panel of a value that was recorded, and whether it shows words."""
    panel = UIPlot(name)
    panel.set_axes("seconds since the start", "")
    reporters = Counter(key for key, _ in series)
    order = list(dict.fromkeys([*story.known, *(key for key, _ in series)]))
    words = False
    for (key, reporter), points in series.items():
        label = key if key in story.known else key[-6:] if key and key != story.world else "World"
        label += f", by {reporter}" if reporters[key] > 1 else ""
        values = [value if isinstance(value, int | float) else squeezed(value) for _, value in points]
        in_words = any(isinstance(value, str) for value in values)
        words = words or in_words
        x, values = thinned([t for t, _ in points], values)
        panel.add_line(x, values, squeezed(label), colour(order.index(key)), f"stat {key}", step=in_words)
        panel.data[-1]["line"]["dash"] = dash_of(order.index(key))
        panel.data[-1]["mode"] = "lines+markers" if len(x) <= _MOST_MARKERS else "lines"
    panel.set_legend("v", 1.02, 1.0, "left", "top")
    return panel, words


# ---------------------------------------------------------------------- reading records


def _pair(record: Met) -> tuple[str, str]:
    return (min(record.node, record.peer), max(record.node, record.peer))


def _trouble(record: Record) -> tuple[str, str | None] | None:
    """What kind of refusal or failure a record tells of, and its reason."""
    if isinstance(record, Fault):
        return "errors", record.error
    if isinstance(record, Dropped):
        return "messages not taken", f"from {record.sender}: {record.reason}"
    if isinstance(record, Completed):
        failed = record.side == "sent" and record.reason not in ("ok", "rejected", "discarded")
        return ("requests without success", f"{record.action or 'data'}: {record.reason}") if failed else None
    what = _REFUSED.get(record.kind)
    if what is None:
        return None
    if record.kind in ("join", "contact"):
        refused = getattr(record, "stage", "") == "refused"
    else:
        refused = not getattr(record, "awarded" if record.kind == "badge" else "accepted", True)
    return (what, getattr(record, "reason", None)) if refused else None
