"""A machine as one self-contained SVG picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unaiverse_lab.view._drawing import ACCENT, FAINT, INK, document, text_at, text_width
from unaiverse_lab.view.graph import graph_of, machine_text
from unaiverse_lab.view.layout import LEADING, NAME_SIZE, Layout, Point, Route, Spot, layout_of

_HEAD, _FOOT = 34, 30
_FILLED, _HOLLOW, _LIT = "#dceaf7", "#ffffff", "#ffe0b8"


def machine_svg(
    machine: Mapping[str, Any],
    *,
    current: str | None = None,
    limbo: bool = False,
    title: str | None = None,
    teleports: bool = True,
) -> str:
    """Draw ``machine``, a dict in the JSON format of behaviors.

    Args:
        machine: what to draw.
        current: the state to highlight; one that is not a state of the machine highlights nothing.
        limbo: the machine is in the middle of an action that started in ``current``; drawn half lit.
        title: heading of the drawing (default: the machine's role).
        teleports: False leaves them out.

    Returns:
        SVG text: no script, no style sheet, no reference to anything outside, no ids; its description is the
        machine in words.

    Raises:
        KeyError: a required key of the machine is missing.
    """
    heading = title or machine["machine"].get("role") or "machine"
    graph = graph_of(machine, teleports)
    drawing = layout_of(graph)
    caption = "" if drawing.spots else "no states yet"
    if current in drawing.spots:
        caption = f"in the middle of an action of {current}" if limbo else f"now in {current}"
    legend, legend_width = _legend(drawing, graph.initial is not None, current in drawing.spots, limbo)
    width = max(drawing.width, 46 + text_width(heading, 16) + text_width(caption, 11), legend_width)
    body = [
        text_at(18, 25, heading, 'font-size="15" font-weight="bold"'),
        text_at(30 + text_width(heading, 16), 25, caption, f'fill="{FAINT}"') if caption else "",
        f'<g transform="translate({(width - drawing.width) / 2:.1f} {_HEAD})">',
        *map(_path, drawing.routes),
        *(_state(spot, name == graph.initial, name == current, limbo) for name, spot in drawing.spots.items()),
        *map(_words, drawing.routes),
        f'</g><g transform="translate(18 {_HEAD + drawing.height + 12:.1f})" font-size="10" fill="{FAINT}">',
        legend,
        "</g>",
    ]
    words = f"{heading}, {caption}" if caption else heading
    return document(width, drawing.height + _HEAD + _FOOT, words, machine_text(machine, teleports), body)


def _path(route: Route) -> str:
    (x, y), *rest = route.curve
    pieces = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
    data = f"M{x:.1f} {y:.1f}" + "".join("C" + " ".join(f"{a:.1f} {b:.1f}" for a, b in piece) for piece in pieces)
    dashes = "" if route.edge.ready else ' stroke-dasharray="5 4"'
    return (
        f'<g opacity="{_opacity(route.edge.teleport)}">'
        f'<path d="{data}" fill="none" stroke="{INK}" stroke-width="1.3"{dashes}/>'
        f'<path d="{_arrow(rest[-2], rest[-1])}"/></g>'
    )


def _opacity(teleport: bool) -> str:
    return ".35" if teleport else ".85"


def _arrow(control: Point, tip: Point) -> str:
    """Return the path of an arrow head that ends at ``tip``, coming along an axis from ``control``."""
    x, y = tip
    if abs(control[0] - x) > abs(control[1] - y):
        return f"M{x:.1f} {y:.1f}l8 -4v8z"
    return f"M{x:.1f} {y:.1f}l-4 {-8 if control[1] < y else 8}h8z"


def _words(route: Route) -> str:
    x, y = route.box.x, route.box.y - 3.5
    lines = []
    for number, (label, text) in enumerate(route.lines, 1):
        style = ' font-style="italic"' if not label.ready else ""
        faint = f' fill="{FAINT}"' if label.teleport else ""
        lines.append(text_at(x, y + LEADING * number, text, (style + faint).strip()))
    return "<g>" + "".join(lines) + "</g>"


def _state(spot: Spot, initial: bool, current: bool, limbo: bool) -> str:
    x, y, w, h = spot.box
    parts = [_shape(x, y, w, h, spot.node.blocking, initial, current, limbo)]
    if current:
        parts.append(_mark(x + 11, y + 15, limbo))
    middle, baseline = x + w / 2, y + 5.5
    for line in spot.name:
        baseline += LEADING
        parts.append(text_at(middle, baseline, line, f'font-size="{NAME_SIZE:g}" font-weight="bold"'))
    for line in spot.detail:
        baseline += LEADING
        parts.append(text_at(middle, baseline, line, f'fill="{FAINT}"'))
    return f'<g text-anchor="middle">{"".join(parts)}</g>'


def _shape(x: float, y: float, w: float, h: float, blocking: bool, initial: bool, current: bool, limbo: bool) -> str:
    radius = 4 if blocking else min(h / 2, 17)
    fill = _LIT if current and not limbo else _FILLED if blocking else _HOLLOW
    stroke = f'stroke="{ACCENT if current else INK}" stroke-width="{2.6 if current else 1.3}"'
    dashes = ' stroke-dasharray="7 4"' if current and limbo else ""
    outer = (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="{radius:g}" '
        f'fill="{fill}" {stroke}{dashes}/>'
    )
    if not initial:
        return outer
    return outer + (
        f'<rect x="{x + 3.5:.1f}" y="{y + 3.5:.1f}" width="{w - 7:.1f}" height="{h - 7:.1f}" '
        f'rx="{max(radius - 3, 2):g}" fill="none" stroke="{INK}"/>'
    )


def _mark(x: float, y: float, limbo: bool) -> str:
    """Return the sign of the current state: a disc, half empty in the middle of an action."""
    disc = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{"#fff" if limbo else ACCENT}" stroke="{ACCENT}"/>'
    half = f'<path d="M{x:.1f} {y - 4.5:.1f}a4.5 4.5 0 0 0 0 9z" fill="{ACCENT}"/>'
    return disc + half if limbo else disc


def _legend(drawing: Layout, initial: bool, marked: bool, limbo: bool) -> tuple[str, float]:
    """Return the key to the signs that the drawing uses, and its width in pixels."""
    nodes = [spot.node for spot in drawing.spots.values()]
    edges = [route.edge for route in drawing.routes]
    line = f'<path d="M0 0h20" stroke="{INK}" stroke-width="1.3" '
    signs = []
    if initial:
        signs.append((_shape(0, -7, 20, 14, True, True, False, False), "initial"))
    if any(node.blocking for node in nodes):
        signs.append((_shape(0, -7, 20, 14, True, False, False, False), "blocking"))
    if not all(node.blocking for node in nodes):
        signs.append((_shape(0, -7, 20, 14, False, False, False, False), "not blocking"))
    if not all(label.ready for edge in edges for label in edge.labels):
        signs.append((line + 'stroke-dasharray="5 4"/>', "on request (italic)"))
    if any(label.teleport for edge in edges for label in edge.labels):
        signs.append((line + f'opacity="{_opacity(True)}"/>', "teleport (grey)"))
    if marked:
        signs.append((_mark(14, 0, limbo), "in the middle of an action" if limbo else "now"))
    x, parts = 0.0, []
    for sign, word in signs:
        parts.append(f'<g transform="translate({x:.1f} 0)">{sign}{text_at(26, 3.5, word)}</g>')
        x += 42 + text_width(word, 10)
    return "".join(parts), x + 20
