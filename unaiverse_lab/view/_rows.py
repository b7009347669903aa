"""Rows of things that are linked from row to row: in what order they stand, and how far apart."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

_GAP = 16.0
_SWEEPS = 4
_EFFORT = 3000


@dataclass(eq=False, slots=True)
class Item:
    """Something that takes place in a row: a state, a label, or a path passing by."""

    row: int
    left: float
    right: float
    height: float = 0.0
    x: float = 0.0
    place: int = 0
    above: list[Link] = field(default_factory=list)
    below: list[Link] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Link:
    """A piece of a path between two rows; ``start`` and ``end`` are its offsets from the items' ``x``."""

    upper: Item
    lower: Item
    weight: float
    start: float = 0.0
    end: float = 0.0

    @property
    def top(self) -> float:
        """Where it leaves the upper item."""
        return self.upper.x + self.start

    @property
    def bottom(self) -> float:
        """Where it reaches the lower item."""
        return self.lower.x + self.end


def untangle(rows: list[list[Item]]) -> None:
    """Order the items of each row so that few links cross.

    The best order found from several starts, the more of them the fewer the items are.
    """
    chance = Random(0)
    best, fewest = [list(row) for row in rows], _crossings(rows)
    for sweep in range(max(_SWEEPS, _EFFORT // sum(map(len, rows)))):
        if not fewest:
            break
        if sweep and sweep % _SWEEPS == 0:
            for row in rows:
                chance.shuffle(row)
                _number(row)
        downwards = sweep % 2 == 0
        for row in rows if downwards else rows[::-1]:
            row.sort(key=lambda item: _barycentre(item, downwards))
            _number(row)
        _transpose(rows)
        crossings = _crossings(rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    for row, order in zip(rows, best, strict=True):
        row[:] = order
        _number(row)


def _number(row: list[Item]) -> None:
    for place, item in enumerate(row):
        item.place = place


def _barycentre(item: Item, downwards: bool) -> float:
    places = _places(item, downwards)
    return sum(places) / len(places) if places else item.place


def _places(item: Item, above: bool) -> list[int]:
    return [link.upper.place for link in item.above] if above else [link.lower.place for link in item.below]


def _crossings(rows: list[list[Item]]) -> int:
    count = 0
    for row in rows:
        passed: list[int] = []
        for item in row:
            for place in sorted(_places(item, False), reverse=True):
                count += len(passed) - bisect_right(passed, place)
            for place in _places(item, False):
                insort(passed, place)
    return count


def _transpose(rows: list[list[Item]]) -> None:
    """Swap neighbours as long as that takes crossings away."""
    improved = True
    while improved:
        improved = False
        for row in rows:
            for index in range(len(row) - 1):
                left, right = row[index : index + 2]
                if _inversions(left, right) > _inversions(right, left):
                    row[index : index + 2] = right, left
                    left.place, right.place = index + 1, index
                    improved = True


def _inversions(left: Item, right: Item) -> int:
    return sum(
        one > other for above in (True, False) for one in _places(left, above) for other in _places(right, above)
    )


def spread(rows: list[list[Item]], paths: Iterable[list[Item]]) -> None:
    """Give each item its ``x``: as near as the row allows to where its links and ``paths`` are straight."""
    paths = list(paths)
    ends = dict.fromkeys(item for path in paths for item in (path[0], path[-1]))
    for row in rows:
        _settle(row, [(0.0, 1.0)] * len(row))
    for sweep in range(3 * _SWEEPS):
        above, below = sweep % 3 != 1, sweep % 3 != 0
        for row in reversed(rows) if below and not above else rows:
            _settle(row, [_wish(item, above, below) for item in row])
    for _ in range(_SWEEPS):
        for item in ends:
            low, high = _room(item, rows)
            item.x = min(max(_wish(item, True, True)[0], low), high)
        for path in paths:
            _straighten(path[1:-1], rows)


def _wish(item: Item, above: bool, below: bool) -> tuple[float, float]:
    """Return the weighted median of the places where a link of ``item`` would be straight, and its weight."""
    wishes = [(link.top - link.end, link.weight) for link in item.above if above]
    wishes += [(link.bottom - link.start, link.weight) for link in item.below if below]
    total = sum(weight for _, weight in wishes)
    passed = 0.0
    for x, weight in sorted(wishes):
        passed += weight
        if 2 * passed >= total:
            return x, total
    return item.x, 0.01


def _settle(row: list[Item], wishes: Iterable[tuple[float, float]]) -> None:
    """Place a row by isotonic regression: least squares to the wishes, order and distances kept."""
    offset = 0.0
    offsets: list[float] = []
    blocks: list[tuple[float, float, int]] = []
    for index, (item, (x, weight)) in enumerate(zip(row, wishes, strict=True)):
        offset += _distance(row[index - 1], item) if index else 0.0
        offsets.append(offset)
        mean, count = x - offset, 1
        while blocks and blocks[-1][0] >= mean:
            before, heft, size = blocks.pop()
            mean = (before * heft + mean * weight) / (heft + weight)
            weight, count = heft + weight, count + size
        blocks.append((mean, weight, count))
    means = (mean for mean, _, count in blocks for _ in range(count))
    for item, mean, own in zip(row, means, offsets, strict=True):
        item.x = mean + own


def _distance(left: Item, right: Item) -> float:
    return left.right + _GAP + right.left


def _straighten(path: list[Item], rows: list[list[Item]]) -> None:
    """Align the items of a path, as many in a row as their neighbours let."""
    while path:
        low, high = _room(path[0], rows)
        size = 1
        for item in path[1:]:
            lowest, highest = _room(item, rows)
            if max(low, lowest) > min(high, highest):
                break
            low, high, size = max(low, lowest), min(high, highest), size + 1
        run, path = path[:size], path[size:]
        ends = [link.top for link in run[0].above] + [link.bottom for link in run[-1].below]
        x = min((min(max(end, low), high) for end in ends), key=lambda x: min(abs(x - end) for end in ends))
        for item in run:
            item.x = x


def _room(item: Item, rows: list[list[Item]]) -> tuple[float, float]:
    """Return the least and the greatest ``x`` that its neighbours leave to ``item``."""
    row = rows[item.row]
    low = row[item.place - 1].x + _distance(row[item.place - 1], item) if item.place else float("-inf")
    after = row[item.place + 1] if item.place + 1 < len(row) else None
    return low, after.x - _distance(item, after) if after else float("inf")
