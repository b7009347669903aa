"""How figures look, and how what members of a world write is made harmless before it is shown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from unaiverse_lab.core.errors import LabError, did_you_mean

Json = dict[str, Any]

PALETTE = (
    "#1f77b4",
    "#d55e00",
    "#138a5e",
    "#b8509b",
    "#9a7400",
    "#7b61d1",
    "#c7403d",
    "#1e8a99",
    "#7a7f87",
    "#5f8a1f",
    "#a8653a",
    "#4f74e0",
)
"""Colours of members, roles and states, by order of appearance; legible on light and on dark paper."""

DASHES = ("solid", "dot", "dash", "dashdot")
"""Line styles: one for each round through the palette, so that 48 lines differ."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "pentagon", "star", "hexagon", "cross")
"""Marks of roles, so that they differ not by colour alone."""

_FONT = "'DejaVu Sans',Verdana,'Segoe UI',Helvetica,Arial,sans-serif"

THEMES: dict[str, Json] = {
    "light": {
        "paper": "#ffffff",
        "ink": "#1f2933",
        "faint": "#52606d",
        "line": "#cbd2d9",
        "grid": "#e4e7eb",
        "head": "#eef2f6",
        "alert": "#b3261e",
        "peers": PALETTE,
    },
    "dark": {
        "paper": "#161b22",
        "ink": "#e6edf3",
        "faint": "#9aa7b4",
        "line": "#3d4652",
        "grid": "#2a313b",
        "head": "#222a35",
        "alert": "#ff8a80",
        "peers": PALETTE,
    },
}
"""Colours by what they are for. Both bring their own paper, so that they read well wherever they are put."""

THEME = THEMES["light"]
"""The default."""

IN_A_DOMAIN = frozenset(
    {"table", "indicator", "pie", "sunburst", "treemap", "icicle", "funnelarea", "sankey", "parcats", "parcoords"}
)
ON_AXES = frozenset(
    {"scatter", "scattergl", "bar", "box", "violin", "waterfall", "funnel", "candlestick", "ohlc", "image"}
    | {"heatmap", "contour", "histogram", "histogram2d", "histogram2dcontour"}
)
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_MARKUP = re.compile(r"<(?!(?:/?(?:b|i|em|strong|sub|sup|extra)|br ?/?)>)")


def plain(text: object, limit: int | None = None) -> str:
    """``str(text)`` for a figure: shown as it is, no part of it taken for markup.

    Args:
        text: anything, e.g. the name of a member.
        limit: at most so many characters (the last one an ellipsis where cut), on one line; None: all of it.
    """
    words = _ILLEGAL.sub("\ufffd", str(text))
    if limit is not None:
        words = " ".join(words.split())
        words = words if len(words) <= limit else words[: limit - 1].rstrip() + "…"
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def squeezed(text: object, limit: int = 17) -> str:
    """``str(text)`` on one line, its middle left out where it is too long: names often differ at their end."""
    line = " ".join(str(text).split())
    keep = limit // 2
    return line if len(line) <= limit else f"{line[:keep]}…{line[keep + 1 - limit :]}"


def colour(index: int, theme: Json = THEME) -> str:
    """The colour of the member, role or state number ``index``, from 0; they repeat after the twelfth."""
    colours: Sequence[str] = theme["peers"]
    return colours[index % len(colours)]


def dash_of(index: int) -> str:
    """The style of the line of the member number ``index``, from 0: another one after each twelve."""
    return DASHES[index // len(PALETTE) % len(DASHES)]


def theme_named(name: str | None) -> Json:
    if name is None:
        return THEME
    if name not in THEMES:
        raise LabError(f"there is no theme {name!r}, only {', '.join(THEMES)}.{did_you_mean(str(name), THEMES)}")
    return THEMES[name]


def paper(theme: Json) -> Json:
    return {
        "paper_bgcolor": theme["paper"],
        "plot_bgcolor": theme["paper"],
        "colorway": list(theme["peers"]),
        "font": {"family": _FONT, "size": 12, "color": theme["ink"]},
        "hoverlabel": {"bgcolor": theme["head"], "bordercolor": theme["line"], "font": {"color": theme["ink"]}},
        "legend": legend_style(theme),
        "bargap": 0.35,
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": theme["line"], "activecolor": theme["faint"]},
    }


def legend_style(theme: Json) -> Json:
    return {"orientation": "h", "font": {"size": 11, "color": theme["ink"]}, "bgcolor": "rgba(0,0,0,0)"}


def axis_style(theme: Json) -> Json:
    return {
        "showline": True,
        "mirror": True,
        "linecolor": theme["line"],
        "gridcolor": theme["grid"],
        "griddash": "dot",
        "zeroline": False,
        "ticks": "",
        "tickfont": {"size": 11, "color": theme["faint"]},
        "title": {"font": {"size": 11, "color": theme["faint"]}, "standoff": 8},
    }


def dressed(trace: Json, theme: Json) -> Json:
    """A trace in the colours of a theme, where it has none of its own."""
    if trace.get("type") != "table":
        return dict(trace)
    text, line = {"color": theme["ink"], "size": 11}, {"color": theme["line"], "width": 1}
    style: Json = {
        "header": {"fill": {"color": theme["head"]}, "font": text, "line": line},
        "cells": {"fill": {"color": theme["paper"]}, "font": text, "line": line},
    }
    return merged(style, trace)


def texts(values: Iterable[Any]) -> list[Any]:
    return [value if is_number(value) else plain(value) for value in map(bare, values)]


def is_number(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float)


def bare(value: Any) -> Any:
    """The number inside a tensor or an array of one element."""
    if not is_number(value) and not isinstance(value, str) and callable(getattr(value, "item", None)):
        try:
            return value.item()
        except (RuntimeError, ValueError):
            return value
    return value


def merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> Json:
    """``base`` with ``more`` in it, dicts merged; neither is changed."""
    result = dict(base)
    for key, value in more.items():
        if isinstance(value, Mapping):
            before = result.get(key)
            if key == "title" and isinstance(before, str):
                before = {"text": before}
            value = merged(before if isinstance(before, Mapping) else {}, value)
        elif key == "title" and isinstance(value, str) and isinstance(result.get(key), Mapping):
            value = merged(result[key], {"text": value})
        result[key] = value
    return result


def harmless(value: Any) -> Any:
    """``value`` as JSON, nothing in its texts taken for more than the simplest markup."""
    value = bare(value)
    if isinstance(value, str):
        return _MARKUP.sub("&lt;", _ILLEGAL.sub("\ufffd", value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_number(value):
        return value
    if isinstance(value, Mapping):
        return {str(key): harmless(one) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((harmless(one) for one in value), key=str)
    if hasattr(value, "tolist"):
        return harmless(value.tolist())
    if isinstance(value, Iterable):
        return [harmless(one) for one in value]
    return plain(value)
