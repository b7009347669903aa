"""The states of a machine on a plane, top-down from the initial one, with room for every label.

Layered drawing after Sugiyama, Tagawa and Toda (1981): cycles are broken from the initial state, states get
rows, and between two rows of states lies a row of labels. A path runs straight down (or up) through a place
of its own in each row and bends only in the empty bands between rows: it never meets a label, nor a state
other than the two that it joins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from unaiverse_lab.view._drawing import text_width, wrapped
from unaiverse_lab.view._rows import Item, Link, spread, untangle
from unaiverse_lab.view.graph import Edge, Graph, Label, Node

NAME_SIZE, TEXT_SIZE, LEADING = 13.0, 11.0, 14.0
_PORT, _STUB, _LOOP, _MARGIN = 18.0, 9.0, 24.0, 18.0

Point = tuple[float, float]


class Box(NamedTuple):
    """A rectangle: left, top, width and height in pixels."""

    x: float
    y: float
    w: float
    h: float


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a state is drawn, with the lines of its name and of its detail."""

    node: Node
    box: Box
    name: tuple[str, ...]
    detail: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """How an edge is drawn.

    Attributes:
        edge: what is drawn.
        curve: a start, then three points (two controls and an end) for each cubic Bezier piece.
        box: where its labels are.
        lines: the lines of text in ``box``, from the top, each with the label that it is a part of.
    """

    edge: Edge
    curve: tuple[Point, ...]
    box: Box
    lines: tuple[tuple[Label, str], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A drawing of ``width`` x ``height`` pixels: the states by name, and the edges."""

    width: float
    height: float
    spots: dict[str, Spot]
    routes: tuple[Route, ...]


def layout_of(graph: Graph) -> Layout:
    """Place ``graph`` on a plane. The same graph is always drawn the same way.

    Raises:
        KeyError: the initial state (unless it is None), or an end of an edge, is not among the states.
    """
    return _Drawing(graph).result() if graph.nodes else Layout(2 * _MARGIN, 2 * _MARGIN, {}, ())


def layers(graph: Graph) -> dict[str, int]:
    """Return the row of each state: below those that lead to it, but for the edges that close a cycle.

    The initial state, if there is one, is alone in row 0.
    """
    leaving: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for edge in sorted(graph.edges, key=lambda edge: edge.teleport):
        if edge.target not in (edge.source, graph.initial):
            leaving[edge.source].append(edge.target)
    finished: dict[str, list[str]] = {}
    first = [] if graph.initial is None else [graph.initial]
    for root in (*first, *leaving):
        path = {} if root in finished else {root: iter(leaving[root])}
        while path:
            name, targets = next(reversed(path.items()))
            target = next((each for each in targets if each not in finished and each not in path), None)
            if target is None:
                finished[name] = [each for each in leaving[name] if each not in path]
                del path[name]
            else:
                path[target] = iter(leaving[target])
    rows = dict.fromkeys(leaving, len(first)) | dict.fromkeys(first, 0)
    entered = {target for targets in finished.values() for target in targets}.union(first)
    for name, onwards in reversed(finished.items()):
        for target in onwards:
            rows[target] = max(rows[target], rows[name] + 1)
    for name, onwards in finished.items():
        if onwards and name not in entered:
            rows[name] = min(rows[target] for target in onwards) - 1
    return rows


class _Drawing:
    """The layout under way: items in rows (even: states, odd: labels), linked from row to row."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.rank = layers(graph)
        self.rows: list[list[Item]] = [[] for _ in range(2 * max(self.rank.values(), default=0) + 1)]
        self.states: dict[str, Item] = {}
        self.halves: dict[str, float] = {}
        self.texts = {node.name: (wrapped(node.name, 24, 3), _detail(node)) for node in graph.nodes}
        self.labels = {edge: _lines(edge) for edge in graph.edges}
        self.chains: dict[Edge, list[Item]] = {}
        self._fill()
        untangle(self.rows)
        self._open_ports()
        spread(self.rows, self.chains.values())
        self.heights = [max((item.height for item in row), default=0.0) for row in self.rows]
        self.tops = self._tops()

    def result(self) -> Layout:
        shift = _MARGIN - min(item.x - item.left for row in self.rows for item in row)
        for row in self.rows:
            for item in row:
                item.x += shift
        spots = {}
        for node in self.graph.nodes:
            item, half = self.states[node.name], self.halves[node.name]
            titles, details = self.texts[node.name]
            h = _state_height(titles, details)
            middle = self.tops[item.row] + self.heights[item.row] / 2
            spots[node.name] = Spot(node, Box(item.x - half, middle - h / 2, 2 * half, h), titles, details)
        routes = [
            self._loop(edge, spots[edge.source].box)
            if edge.source == edge.target
            else self._route(edge, spots[edge.source].box, spots[edge.target].box)
            for edge in self.graph.edges
        ]
        width = max(item.x + item.right for row in self.rows for item in row) + _MARGIN
        height = self.tops[-1] + self.heights[-1] + _MARGIN
        return Layout(width, height, spots, tuple(routes))

    def _fill(self) -> None:
        loops = {edge.source: edge for edge in self.graph.edges if edge.source == edge.target}
        paths = [edge for edge in self.graph.edges if edge.source != edge.target]
        for name in sorted(self.rank, key=self.rank.__getitem__):
            titles, details = self.texts[name]
            ends = [
                self.rank[edge.source] + self.rank[edge.target] for edge in paths if name in (edge.source, edge.target)
            ]
            down = sum(end > 2 * self.rank[name] for end in ends)
            ports = max(down, len(ends) - down)
            half = max(
                _widest(titles, NAME_SIZE) / 2 + 22,
                _widest(details, TEXT_SIZE) / 2 + 12,
                ports * _PORT / 2 + 6,
            )
            item = Item(2 * self.rank[name], half, half, _state_height(titles, details) + 2 * _STUB)
            if name in loops:
                w, h = self._label_size(loops[name])
                item.right += _LOOP + w
                item.height = max(item.height, h)
            self.halves[name] = half
            self.states[name] = self._added(item)
        for edge in sorted(paths, key=lambda edge: abs(self.rank[edge.source] - self.rank[edge.target])):
            self._add_chain(edge)

    def _added(self, item: Item) -> Item:
        item.place = len(self.rows[item.row])
        self.rows[item.row].append(item)
        return item

    def _add_chain(self, edge: Edge) -> None:
        source, target = self.states[edge.source], self.states[edge.target]
        upper, lower = sorted((source, target), key=lambda item: item.row)
        weight = 0.5 if edge.teleport else 1.0 if upper is target else 2.0
        labelled = min(
            range(upper.row + 1, lower.row, 2),
            key=lambda row: (sum(item.left + item.right for item in self.rows[row]), abs(row - source.row)),
        )
        chain = [upper]
        for row in range(upper.row + 1, lower.row):
            item = Item(row, 4, 4)
            if row == labelled:
                w, item.height = self._label_size(edge)
                item.right += w
            chain.append(self._added(item))
        chain.append(lower)
        for one, other in pairwise(chain):
            inner = one is not upper and other is not lower
            link = Link(one, other, weight * (8 if inner else 1))
            one.below.append(link)
            other.above.append(link)
        self.chains[edge] = chain

    def _label_size(self, edge: Edge) -> tuple[float, float]:
        lines = self.labels[edge]
        return _widest((text for _, text in lines), TEXT_SIZE) + 6, LEADING * len(lines)

    def _open_ports(self) -> None:
        for item in self.states.values():
            item.below.sort(key=lambda link: link.lower.place)
            item.above.sort(key=lambda link: link.upper.place)
            for index, link in enumerate(item.below):
                link.start = _PORT * (index - (len(item.below) - 1) / 2)
            for index, link in enumerate(item.above):
                link.end = _PORT * (index - (len(item.above) - 1) / 2)

    def _tops(self) -> list[float]:
        tops, y = [], _MARGIN
        for row, height in zip(self.rows, self.heights, strict=True):
            tops.append(y)
            bend = max((abs(link.top - link.bottom) for item in row for link in item.below), default=0.0)
            y += height + min(10 + bend / 7, 56)
        return tops

    def _route(self, edge: Edge, source: Box, target: Box) -> Route:
        chain = self.chains[edge]
        down = chain[0] is self.states[edge.source]
        first, last = (source, target) if down else (target, source)
        corners: list[Point] = []
        for one, other in pairwise(chain):
            link = next(link for link in one.below if link.lower is other)
            corners.append((link.top, self.tops[one.row] + self.heights[one.row]))
            corners.append((link.bottom, self.tops[other.row]))
        corners = [(corners[0][0], first.y + first.h), *corners, (corners[-1][0], last.y)]
        label = next(item for item in chain[1:-1] if item.height)
        w, h = self._label_size(edge)
        box = Box(label.x + 5, self.tops[label.row] + (self.heights[label.row] - h) / 2, w, h)
        return Route(edge, _curve(corners if down else corners[::-1]), box, self.labels[edge])

    def _loop(self, edge: Edge, state: Box) -> Route:
        x, y, reach = state.x + state.w, state.y + state.h / 2, _LOOP - 2
        w, h = self._label_size(edge)
        curve = ((x, y - 8), (x + reach, y - 16), (x + reach, y + 8), (x, y + 8))
        return Route(edge, curve, Box(x + _LOOP, y - h / 2, w, h), self.labels[edge])


def _lines(edge: Edge) -> tuple[tuple[Label, str], ...]:
    return tuple((label, line) for label in edge.labels for line in _broken(label))


def _broken(label: Label) -> tuple[str, ...]:
    if len(label.text) <= 30:
        return (label.text,)
    return wrapped(label.call, 30, 3) + (wrapped(label.marks, 30, 2) if label.marks else ())


def _widest(lines: Iterable[str], size: float) -> float:
    return max((text_width(line, size) for line in lines), default=0.0)


def _state_height(titles: Sequence[str], details: Sequence[str]) -> float:
    return LEADING * (len(titles) + len(details)) + 16


def _curve(corners: Sequence[Point]) -> tuple[Point, ...]:
    """Join ``corners`` by pieces that start and end vertically, one for each run that can be straight."""
    kept = [corners[0]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        if not before[0] == corner[0] == after[0]:
            kept.append(corner)
    curve = [kept[0]]
    for (x, y), (to_x, to_y) in pairwise([*kept, corners[-1]]):
        middle = (y + to_y) / 2
        curve += [(x, middle), (to_x, middle), (to_x, to_y)]
    return tuple(curve)


def _detail(node: Node) -> tuple[str, ...]:
    return wrapped(node.detail, 34, 3) if node.detail else ()
