"""Small things every drawing needs: text that fits, text that is safe, one palette."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from html import escape as _escape

INK = "#1f2933"
"""Colour of text and lines."""

FAINT = "#52606d"
"""Colour of secondary text; 4.5:1 against the card and more."""

ALERT = "#b3261e"
"""Colour of what went wrong (always with a word beside it)."""

ACCENT = "#d55e00"
"""Colour of the current state."""

TINTS = ("#cfe3f5", "#fbe3b5", "#cdebdd", "#f3d3e4", "#d9ecfb", "#f9d9c5", "#f7f3b8", "#dedede")
"""Pale backgrounds after Okabe and Ito, told apart by colour-blind readers; dark text is legible on all."""

FONT = "'DejaVu Sans',Verdana,'Segoe UI',Helvetica,Arial,sans-serif"

_NARROW = frozenset("iIjl.,:;'|!()[]{}tfr/ -\"")
_BROAD = frozenset("mwMW@%&<>=+~#")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def escaped(text: object) -> str:
    """Return ``str(text)`` fit for XML and HTML, as content or as a quoted attribute.

    Characters that XML cannot carry become U+FFFD.
    """
    return _escape(_ILLEGAL.sub("\ufffd", str(text)))


def one_line(text: object) -> str:
    """Return ``str(text)`` with every run of white space as one space."""
    return " ".join(str(text).split())


def clipped(text: object, limit: int) -> str:
    """Return ``text`` on one line of at most ``limit`` characters, the last one an ellipsis where cut."""
    line = one_line(text)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def wrapped(text: object, limit: int, lines: int) -> tuple[str, ...]:
    """Break ``text`` in at most ``lines`` lines of ``limit`` characters at most, best at a space."""
    rest = one_line(text)
    result: list[str] = []
    while len(rest) > limit and len(result) < lines - 1:
        cuts = [rest.rfind(" ", 0, limit + 1), max(rest.rfind(mark, 0, limit) + 1 for mark in "_(=,:")]
        cut = next((cut for cut in cuts if cut > limit / 2.5), limit)
        result.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return (*result, clipped(rest, limit))


def text_width(text: str, size: float) -> float:
    """Return a generous estimate of the width of ``text`` in a sans-serif font, both sizes in pixels."""
    return size * sum(map(_advance, text))


def _advance(char: str) -> float:
    if char in _NARROW:
        return 0.42
    if char in _BROAD or unicodedata.east_asian_width(char) in "WF":
        return 1.0
    return 0.72 if char.isupper() else 0.64


def text_at(x: float, y: float, text: str, attributes: str = "") -> str:
    """Return an SVG text element with its baseline at ``y``; ``attributes`` is markup, ``text`` is not."""
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes and " " + attributes}>{escaped(text)}</text>'


def document(width: float, height: float, title: str, description: str, body: Iterable[str]) -> str:
    """Return a self-contained SVG: ``body`` on a light card of ``width`` x ``height`` pixels."""
    w, h = f"{width:.0f}", f"{height:.0f}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {w} {h}" '
        f'width="{w}" height="{h}" font-family="{FONT}" font-size="11" fill="{INK}">'
        f"<title>{escaped(title)}</title><desc>{escaped(description)}</desc>"
        f'<rect width="{w}" height="{h}" rx="10" fill="#fff" stroke="#cbd2d9"/>'
        f"{''.join(body)}</svg>"
    )
