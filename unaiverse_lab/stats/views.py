"""Views: what a world has measured, as one mapping that may be sent, merged and drawn.

``{"world": {name: value or [[t, v], ...]}, "peers": {key: {name: value or [[t, v], ...]}}}``, t in ms and in order.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Any

from unaiverse_lab.stats.schema import Declared, StatsError

View = dict[str, Any]


def empty_view() -> View:
    """A view of nothing."""
    return {"world": {}, "peers": {}}


def check_view(view: Any, known: Mapping[str, Declared]) -> None:
    """Whether it has the form of a view of these stats.

    Raises:
        StatsError: it has not; says where.
    """
    if not isinstance(view, dict) or not isinstance(view.get("peers"), dict) or not isinstance(view.get("world"), dict):
        raise StatsError(f"a view is a mapping with the mappings 'world' and 'peers', not {view!r:.60}")
    for place, group in _groups(view):
        if not isinstance(group, dict):
            raise StatsError(f"{place} of a view is a mapping of names to values, not {group!r:.60}")
        for name, value in group.items():
            declared = known.get(name)
            if declared is not None and declared.dynamic and not _is_series(value):
                raise StatsError(f"{place} of a view has {value!r:.60} for {name!r}: a series is a list of [ms, value]")


def _groups(view: View) -> Iterator[tuple[str, Any]]:
    yield "the world", view["world"]
    for key, group in view["peers"].items():
        yield f"the peer {key!r}", group


def _is_series(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(point, list | tuple) and len(point) == 2 and isinstance(point[0], int | float) for point in value
    )


def merge_view(into: View, view: View, known: Mapping[str, Declared]) -> None:
    """Add a view to another: series grow by the points they do not have, other values are replaced."""
    _merge_group(into["world"], view["world"], known)
    for key, group in view["peers"].items():
        _merge_group(into["peers"].setdefault(key, {}), group, known)


def _merge_group(into: dict[str, Any], group: Mapping[str, Any], known: Mapping[str, Declared]) -> None:
    for name, value in group.items():
        declared = known.get(name)
        if declared is not None and declared.dynamic:
            into[name] = _merged(into.get(name, []), value)
        else:
            into[name] = copy.deepcopy(value)


def _merged(points: list[Any], others: list[Any]) -> list[Any]:
    if not points or (others and others[0][0] > points[-1][0]):
        return [*points, *copy.deepcopy(others)]
    present = Counter((t, repr(value)) for t, value in points)
    fresh = []
    for t, value in others:
        mark = (t, repr(value))
        if present[mark] > 0:
            present[mark] -= 1
        else:
            fresh.append([t, copy.deepcopy(value)])
    return sorted([*points, *fresh], key=itemgetter(0)) if fresh else points


def later(view: View, since: float, known: Mapping[str, Declared]) -> View:
    """A copy of a view in which series begin after ``since`` ms, if that is above 0."""

    def cut(group: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: [point for point in value if point[0] > since or since <= 0]
            if name in known and known[name].dynamic
            else value
            for name, value in group.items()
        }

    peers = {key: cut(group) for key, group in view["peers"].items()}
    return copy.deepcopy({"world": cut(view["world"]), "peers": peers})
