"""A judge of drawings that knows nothing of how they were made."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

from unaiverse_lab.view.layout import Box, Layout, Point, Route

_SAMPLES = 24


def points(route: Route) -> list[Point]:
    """The path as it is drawn, sampled."""
    path = [route.curve[0]]
    for index in range(1, len(route.curve), 3):
        start, (one, two, end) = path[-1], route.curve[index : index + 3]
        for step in range(1, _SAMPLES + 1):
            u = step / _SAMPLES
            v = 1 - u
            x, y = (
                v**3 * a + 3 * v * v * u * b + 3 * v * u * u * c + u**3 * d
                for a, b, c, d in zip(start, one, two, end, strict=True)
            )
            path.append((x, y))
    return path


def overlap(one: Box, other: Box) -> bool:
    return (
        min(one.x + one.w, other.x + other.w) - max(one.x, other.x) > 0.01
        and min(one.y + one.h, other.y + other.h) - max(one.y, other.y) > 0.01
    )


def meets(start: Point, end: Point, box: Box) -> bool:
    """Whether the segment has a piece of some length inside the box (Liang and Barsky's clipping)."""
    enter, leave = 0.0, 1.0
    for near, far, low, high in zip(start, end, box[:2], (box.x + box.w, box.y + box.h), strict=True):
        step = far - near
        if step == 0:
            if not low + 0.01 < near < high - 0.01:
                return False
            continue
        first, second = sorted(((low + 0.01 - near) / step, (high - 0.01 - near) / step))
        enter, leave = max(enter, first), min(leave, second)
    return enter < leave


def faults(drawing: Layout) -> Iterator[str]:
    """Everything that a reader would stumble on."""
    boxes = {f"state {name}": spot.box for name, spot in drawing.spots.items()}
    labels = {f"label {route.edge.source}->{route.edge.target}": route.box for route in drawing.routes}
    for (name, box), (other, another) in combinations([*boxes.items(), *labels.items()], 2):
        if overlap(box, another):
            yield f"{name} on {other}"
    for name, box in (boxes | labels).items():
        if box.x < 0 or box.y < 0 or box.x + box.w > drawing.width or box.y + box.h > drawing.height:
            yield f"{name} outside"
    for route in drawing.routes:
        edge, path = route.edge, points(route)
        if any(not (0 <= x <= drawing.width and 0 <= y <= drawing.height) for x, y in path):
            yield f"path {edge.source}->{edge.target} outside"
        for name, box in (boxes | labels).items():
            if any(meets(start, end, box) for start, end in pairwise(path)):
                yield f"path {edge.source}->{edge.target} through {name}"
        for name, (x, y) in ((edge.source, path[0]), (edge.target, path[-1])):
            box = drawing.spots[name].box
            if not (box.x - 0.1 <= x <= box.x + box.w + 0.1 and box.y - 0.1 <= y <= box.y + box.h + 0.1):
                yield f"path {edge.source}->{edge.target} does not touch {name}"
