"""How statistics are drawn: helpers that fill a panel, and the dashboard of a world that has none of its own."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from unaiverse_lab.stats.dashes import DefaultBaseDash
from unaiverse_lab.stats.figures import UIPlot, steps, thinned, whole
from unaiverse_lab.stats.page import render_plotly_html
from unaiverse_lab.stats.style import SYMBOLS, colour, dash_of, plain, squeezed

View = Mapping[str, Any]

NOTHING = "no data yet"
MOST_LABELS = 20
"""With more members than this, a network is drawn without their names (they appear under the pointer)."""

MOST_CENTERED = 8
"""With more members than this, their names are beside their marks, where those of neighbours do not meet."""

NEUTRAL = "#71859c"
"""The colour of what is no member and no role."""

_COUNTERS = {
    "world_masters": "masters",
    "world_agents": "agents",
    "human_agents": "people",
    "artificial_agents": "artificial agents",
}

CORE_NAMES = frozenset({*_COUNTERS, "graph", "connected_peers", "state", "action", "last_action"})
"""Names that every world has."""


class Member(NamedTuple):
    """A member of a network: ``name``, ``role``, and ``lines``: what else to say of it, as label -> value."""

    name: str
    role: str
    lines: Mapping[str, Any]


class Plots:
    """What :class:`~unaiverse_lab.stats.Stats` can draw, given a view as ``get_view`` makes it.

    The helpers fill a panel; where there is nothing to show, the panel says so.
    """

    if TYPE_CHECKING:
        is_world: bool
        _world_view: Any

        def get_view(self, since_timestamp: int = 0) -> Any:
            """What is known since a moment."""

    def plot(self, since_timestamp: int = 0) -> str | None:
        """The dashboard as a web page: who is there, how many, in which states, what they did last.

        Override it to show more, with the helpers below, :class:`UIPlot` and a dash.

        Args:
            since_timestamp: only what is later, in milliseconds; 0: everything.

        Returns:
            HTML; None: nothing is known yet.
        """
        view = self.get_view(since_timestamp) if self.is_world else self._world_view
        if not view:
            return None
        dash = DefaultBaseDash()
        network, counters = UIPlot(title="Who is connected to whom"), UIPlot(title="Members over time")
        states, actions = UIPlot(title="States"), UIPlot(title="Last actions")
        self._populate_graph(network, view, "graph")
        _draw_counters(counters, view)
        self._populate_distribution(states, view, "state")
        self._populate_distribution(actions, view, "last_action")
        for panel, position in zip((network, counters, states, actions), dash.slots, strict=True):
            dash.add_panel(panel, position)
        return render_plotly_html(dash.to_json())

    # ------------------------------------------------------------------ one statistic, one panel

    def _populate_time_series(
        self,
        panel: UIPlot,
        view: View,
        stat_name: str,
        peer_ids: Iterable[str] | None = None,
        color_override: str | None = None,
        show_legend: bool = True,
        title_override: str | None = None,
    ) -> None:
        """Draw a series: a line for the world's, one for each member's; time in seconds since the start.

        Args:
            panel: where.
            view: as ``get_view`` gives it.
            stat_name: a DYNAMIC name.
            peer_ids: only these members; None: all of them.
            color_override: one colour for all lines; default: each member has its own, the same in every panel.
            show_legend: whether the legend names the lines.
            title_override: what the world's line is called (default: ``"World"``).
        """
        before = len(panel.data)
        _time_axis(panel)
        of_world = _series((view.get("world") or {}).get(stat_name))
        if of_world:
            x, y = _points(of_world)
            panel.add_line(x, y, title_override or "World", color_override, "World", show_legend)
        peers, order, labels = view.get("peers") or {}, _order(view), _labels(view)
        for key in order if peer_ids is None else peer_ids:
            series = _series((peers.get(key) or {}).get(stat_name))
            if series:
                x, y = _points(series)
                number = order.index(key) if key in order else len(panel.data)
                panel.add_line(x, y, labels.get(key, _short(key)), color_override or colour(number), key, show_legend)
                panel.data[-1]["line"]["dash"] = dash_of(number)
        if len(panel.data) == before and not panel.data:
            panel.add_note(NOTHING)

    def _populate_distribution(self, panel: UIPlot, view: View, stat_name: str) -> None:
        """Draw how many members have each value now, as bars; ``"Unknown"``: those of whom nothing is known."""
        peers = view.get("peers") or {}
        counts = Counter(_word(_last((peers.get(key) or {}).get(stat_name))) for key in _order(view))
        draw_counts(panel, counts)

    def _populate_graph(self, panel: UIPlot, view: View, stat_name: str = "graph") -> None:
        """Draw who is connected to whom: members on a circle in order of joining, marked by role."""
        members, edges = _graph((view.get("world") or {}).get(stat_name))
        draw_network(panel, members, edges)

    def _populate_indicator(self, panel: UIPlot, view: View, stat_name: str) -> None:
        """Show the latest value as one large number: the world's, else that of the first member who has one."""
        value = next((value for _, value in _values(view, stat_name)), None)
        panel.add_indicator(value, panel.title or stat_name)
        panel.title = ""

    def _populate_table(self, panel: UIPlot, view: View, stat_name: str) -> None:
        """Show the latest value of the world and of each member as a table."""
        rows = [(who, _shown(value)) for who, value in _values(view, stat_name)]
        if not rows:
            panel.add_note(NOTHING)
            return
        panel.add_table(["Entity", "Value"], [[_folded(who) for who, _ in rows], [_folded(value) for _, value in rows]])

    def _get_last_val_from_view(self, view: View, name: str) -> str:
        """The latest value of a WORLD name as text: numbers with three decimals, ``"-"`` if there is none."""
        return _shown(_last((view.get("world") or {}).get(name)))


def _draw_counters(panel: UIPlot, view: View) -> None:
    """Draw how many members of each kind there were, each number holding until the next."""
    world = view.get("world") or {}
    found = {label: _series(world.get(name)) for name, label in _COUNTERS.items()}
    end = max((series[-1][0] for series in found.values() if series), default=0)
    _time_axis(panel)
    for index, (label, series) in enumerate(found.items()):
        if series:
            x, y = steps([(t / 1000, value) for t, value in series], end / 1000)
            panel.add_line(x, y, label, colour(index), step=True)
    counts = [value for series in found.values() for _, value in series if isinstance(value, int)]
    panel.set_layout_opt("yaxis", whole(max(counts, default=1)))
    if not panel.data:
        panel.add_note(NOTHING)


# ---------------------------------------------------------------------- drawings that need no statistics


def draw_counts(panel: UIPlot, counts: Mapping[str, int]) -> None:
    """Draw how often each word occurs, as bars from the top in alphabetical order, each under its word."""
    if not counts:
        panel.set_axes(None, None)
        panel.add_note(NOTHING)
        return
    words = sorted(counts)
    panel.add_bar(words, [counts[word] for word in words], [f"{word}: {counts[word]}" for word in words], NEUTRAL, True)
    panel.data[-1].update(width=0.36, offset=0.08)
    panel.set_axes("", "")
    panel.set_layout_opt("xaxis", whole(max(counts.values())))
    rows = max(len(words), 3)
    panel.set_layout_opt("yaxis", {"range": [rows - 0.4, -0.6], "showticklabels": False, "showgrid": False})
    for number, word in enumerate(words):
        panel.add_note(f"{word}: {counts[word]}", 0.0, number, "y")
        panel.layout["annotations"][-1].update(xanchor="left", yanchor="bottom", xshift=4, font={"size": 11})


def draw_network(
    panel: UIPlot,
    members: Mapping[str, Member],
    edges: Iterable[tuple[str, str]],
    roles: Sequence[str] = (),
    show_legend: bool = True,
) -> None:
    """Draw members on a circle, in the order given, with a line between those who are connected.

    Args:
        panel: where.
        members: by key.
        edges: pairs of keys; those of unknown members are left out.
        roles: in which order they get colours and marks; those not named follow.
        show_legend: whether the legend names the roles.
    """
    panel.set_axes(None, None)
    if not members:
        panel.add_note(NOTHING)
        return
    spots = _circle(list(members))
    lines: list[tuple[float, float] | tuple[None, None]] = []
    for one, other in sorted({(min(pair), max(pair)) for pair in edges if pair[0] != pair[1]}):
        if one in spots and other in spots:
            lines += [spots[one], spots[other], (None, None)]
    panel.add_trace(
        {
            "type": "scatter",
            "mode": "lines",
            "x": [x for x, _ in lines],
            "y": [y for _, y in lines],
            "line": {"color": "#8b97a5", "width": 1.2},
            "hoverinfo": "skip",
            "showlegend": False,
        }
    )
    known = list(dict.fromkeys([*roles, *(member.role for member in members.values())]))
    for index, role in enumerate(known):
        of_role = [key for key, member in members.items() if member.role == role]
        if of_role:
            _add_members(panel, of_role, members, spots, role, index, show_legend)
    panel.set_layout_opt("xaxis", {"range": [-18, 18]})
    panel.set_layout_opt("yaxis", {"range": [-13, 13]})


def _add_members(
    panel: UIPlot,
    keys: list[str],
    members: Mapping[str, Member],
    spots: Mapping[str, tuple[float, float]],
    role: str,
    index: int,
    show_legend: bool,
) -> None:
    panel.add_trace(
        {
            "type": "scatter",
            "mode": "markers+text" if len(members) <= MOST_LABELS else "markers",
            "x": [spots[key][0] for key in keys],
            "y": [spots[key][1] for key in keys],
            "text": [plain(squeezed(members[key].name, 14)) for key in keys],
            "textposition": [_side(*spots[key], len(members)) for key in keys],
            "textfont": {"size": 11},
            "marker": {"size": 14, "color": colour(index), "symbol": SYMBOLS[index % len(SYMBOLS)]},
            "hoverinfo": "text",
            "hovertext": [_hover(members[key]) for key in keys],
            "name": plain(role or "no role"),
            "legendgroup": plain(f"role {role}"),
            "showlegend": show_legend,
            "cliponaxis": False,
        }
    )


def _hover(member: Member) -> str:
    lines = [f"{plain(label)}: {plain(value, 60)}" for label, value in member.lines.items()]
    return "<br>".join([f"<b>{plain(member.name, 60)}</b>", *lines])


def _circle(keys: list[str], radius: float = 10.0) -> dict[str, tuple[float, float]]:
    """Places on a circle, clockwise from the top; one member alone is in the middle."""
    if len(keys) == 1:
        return {keys[0]: (0.0, 0.0)}
    turns = {key: 2 * math.pi * number / len(keys) for number, key in enumerate(keys)}
    return {key: (round(radius * math.sin(turn), 3), round(radius * math.cos(turn), 3)) for key, turn in turns.items()}


def _side(x: float, y: float, members: int) -> str:
    if abs(x) < 1 or members <= MOST_CENTERED:
        return "top center" if y > 1 or members == 1 else "bottom center"
    return "middle right" if x > 0 else "middle left"


# ---------------------------------------------------------------------- reading views


def _series(value: Any) -> list[tuple[float, Any]]:
    """The points of a series; empty for anything else."""
    if not isinstance(value, list | tuple) or not all(_is_point(point) for point in value):
        return []
    return [(point[0], point[1]) for point in value]


def _is_point(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], int | float)


def _points(series: list[tuple[float, Any]]) -> tuple[list[float], list[Any]]:
    return thinned([t / 1000 for t, _ in series], [_plottable(value) for _, value in series])


def _plottable(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float) else _shown(value)


def _last(value: Any) -> Any:
    """The latest value, of a series or a single one; None: there is none."""
    series = _series(value)
    if series:
        return series[-1][1]
    return None if isinstance(value, list | tuple | dict | set) and not value else value


def _values(view: View, name: str) -> list[tuple[str, Any]]:
    """Who has which value now: the world first, then the members."""
    labels, peers = _labels(view), view.get("peers") or {}
    found = [("World", _last((view.get("world") or {}).get(name)))]
    found += [(labels[key], _last((peers.get(key) or {}).get(name))) for key in _order(view)]
    return [(who, value) for who, value in found if value is not None]


def _order(view: View) -> list[str]:
    """Keys of the members: first as in the graph (by joining), then the others as they come."""
    return list(dict.fromkeys([*_nodes((view.get("world") or {}).get("graph")), *(view.get("peers") or {})]))


def _labels(view: View) -> dict[str, str]:
    """What the members are called: their names where the graph has them, else the end of their keys."""
    nodes = _nodes((view.get("world") or {}).get("graph"))
    names = {key: str((nodes.get(key) or {}).get("Name") or "") for key in _order(view)}
    shared = {name for name, count in Counter(names.values()).items() if count > 1}
    return {
        key: _short(key) if name in ("", "~") else f"{name} ({_short(key)})" if name in shared else name
        for key, name in names.items()
    }


def _short(key: str) -> str:
    return str(key)[-6:]


def _nodes(graph: Any) -> Mapping[str, Any]:
    if not isinstance(graph, Mapping):
        return {}
    nodes = graph.get("nodes", {} if "edges" in graph else graph)
    return {key: info if isinstance(info, Mapping) else {} for key, info in nodes.items()}


def _graph(graph: Any) -> tuple[dict[str, Member], list[tuple[str, str]]]:
    """Members and connections of a graph: ``{"nodes": ..., "edges": ...}``, or only ``{key: [keys]}``."""
    if not isinstance(graph, Mapping):
        return {}, []
    connected = graph.get("edges", {}) if "nodes" in graph or "edges" in graph else graph
    edges = [(str(key), str(peer)) for key, peers in connected.items() for peer in sorted(peers, key=str)]
    nodes = {**{key: {} for edge in edges for key in edge}, **_nodes(graph)} if "nodes" not in graph else _nodes(graph)
    labels = _labels({"world": {"graph": {"nodes": nodes, "edges": {}}}})
    members = {
        key: Member(labels[key], str(info.get("Role") or ""), {k: v for k, v in info.items() if k != "Name"})
        for key, info in nodes.items()
    }
    return members, edges


# ---------------------------------------------------------------------- words


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _folded(text: str, room: int = 16) -> str:
    """Text in lines short enough for a narrow table, broken after underscores or spaces where there are any."""
    lines = []
    while len(text) > room:
        cut = max(text.rfind(mark, 0, room) for mark in "_ -") + 1
        lines.append(text[: cut or room])
        text = text[cut or room :]
    return "\n".join([*lines, text])


def _word(value: Any) -> str:
    return "Unknown" if value is None else _shown(value)


def _time_axis(panel: UIPlot) -> None:
    panel.set_axes("seconds since the start", "")
