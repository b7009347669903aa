"""Figures as plain data in the JSON of plotly: one panel (:class:`UIPlot`), or several on a grid (a dash).

Nothing here draws. Whatever shows a figure (a page, a notebook, a live view) gets the same description, and plotly
draws it. Names and values come from members of a world, so they are made harmless on their way in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

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

_DOMAIN = frozenset(
    {"table", "indicator", "pie", "sunburst", "treemap", "icicle", "funnelarea", "sankey", "parcats", "parcoords"}
)
_CARTESIAN = frozenset(
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


class UIPlot:
    """One panel of a dashboard: what it shows (``data``) and how (``layout``), as plotly knows them.

    Args:
        title: shown above it.
        height: pixels, when it is shown by itself.
        theme: ``"light"`` or ``"dark"``, when it is shown by itself.

    Text given to the methods is shown as it is. Only :meth:`add_trace` and :meth:`set_layout_opt` keep the simplest
    markup (``<b>``, ``<i>``, ``<br>``, ``<sub>``, ``<sup>``); use :func:`plain` for names put into such text.

    Raises:
        LabError: there is no such theme.
    """

    def __init__(self, title: str = "", height: int = 400, theme: str | None = None) -> None:
        self.title = title
        self.theme = _theme(theme)
        self.data: list[Json] = []
        self.layout: Json = {
            "height": height,
            "xaxis": {"title": {"text": "Time"}},
            "yaxis": {"title": {"text": "Value"}},
        }

    # ------------------------------------------------------------------ what it shows

    def add_line(
        self,
        x: Iterable[Any],
        y: Iterable[Any],
        name: str = "",
        color: str | None = None,
        legend_group: str | None = None,
        show_legend: bool = True,
        step: bool = False,
    ) -> None:
        """Add a line.

        Args:
            x: positions, e.g. seconds.
            y: as many values.
            name: what the legend and the hover say.
            color: default: the next of the palette.
            legend_group: lines of one group are shown and hidden together.
            show_legend: whether the legend names it.
            step: a value holds until the next one.
        """
        self._add_scatter(x, y, name, color, legend_group, show_legend, step, {})

    def add_area(
        self,
        x: Iterable[Any],
        y: Iterable[Any],
        name: str = "",
        color: str | None = None,
        legend_group: str | None = None,
        show_legend: bool = True,
        step: bool = False,
        stacked: bool = False,
    ) -> None:
        """Add a line with the area below it filled; arguments as in :meth:`add_line`.

        Args:
            stacked: on top of the stacked areas added before.
        """
        fill = {"stackgroup": "areas"} if stacked else {"fill": "tozeroy"}
        self._add_scatter(x, y, name, color, legend_group, show_legend, step, fill)

    def _add_scatter(
        self,
        x: Iterable[Any],
        y: Iterable[Any],
        name: str,
        color: str | None,
        legend_group: str | None,
        show_legend: bool,
        step: bool,
        more: Json,
    ) -> None:
        xs, ys = list(x), list(y)
        if len(xs) != len(ys):
            raise LabError(f"the line {name!r} has {len(xs)} positions but {len(ys)} values: give as many of each")
        line: Json = {"width": 2, "dash": dash_of(len(self.data))}
        line["color"] = color or colour(len(self.data))
        if step:
            line["shape"] = "hv"
        self.data.append(
            {
                "type": "scatter",
                # A single point makes no line.
                "mode": "lines" if len(xs) > 1 else "lines+markers",
                "x": _texts(xs),
                "y": _texts(ys),
                "name": plain(name),
                "line": line,
                "showlegend": show_legend and bool(name),
                "hoverlabel": {"namelength": 30},
                **({"legendgroup": plain(legend_group)} if legend_group is not None else {}),
                **more,
            }
        )

    def add_bar(
        self,
        xs: Iterable[Any],
        ys: Iterable[Any],
        names: str | Iterable[Any] | None = None,
        colors: str | Iterable[str] | None = None,
        horizontal: bool = False,
    ) -> None:
        """Add bars.

        Args:
            xs: what is counted or measured: words, or numbers.
            ys: as many values.
            names: what the hover says of each bar; or one text: the name of them all in the legend.
            colors: one for each bar, or one for all; default: the palette.
            horizontal: ``xs`` downwards, the bars to the right.
        """
        labels, values = list(xs), list(ys)
        if len(labels) != len(values):
            raise LabError(f"there are {len(labels)} bars but {len(values)} values: give as many of each")
        if colors is None:
            colors = colour(len(self.data)) if isinstance(names, str) else [colour(i) for i in range(len(labels))]
        sides = ("y", "x") if horizontal else ("x", "y")
        trace: Json = {
            "type": "bar",
            sides[0]: _texts(labels),
            sides[1]: _texts(values),
            "orientation": "h" if horizontal else "v",
            "marker": {"color": colors if isinstance(colors, str) else list(colors)},
            "showlegend": isinstance(names, str),
        }
        if isinstance(names, str):
            trace["name"] = plain(names)
        elif names is not None:
            trace.update(hovertext=[plain(name) for name in names], hoverinfo="text")
        if any(isinstance(label, str) for label in labels):
            self.set_layout_opt(f"{sides[0]}axis", {"type": "category"})
        self.data.append(trace)

    def add_indicator(self, value: Any, title: str = "") -> None:
        """Add one large number (or a dash, when ``value`` is no number), with its ``title``; 300 pixels high."""
        number = value if isinstance(value, int | float) and math.isfinite(value) else None
        shown = {"text": plain(title, 60)}
        if number is None:
            shown["text"] += f"<br>{'–' if value is None else plain(value, 40)}"
        self.data.append(
            {"type": "indicator", "mode": "number" if number is not None else "delta", "value": number, "title": shown}
        )
        self.layout["height"] = 300

    def add_table(
        self,
        headers: Sequence[Any] | None,
        columns: Sequence[Iterable[Any]],
        widths: Sequence[float] | None = None,
    ) -> None:
        """Add a table.

        Args:
            headers: one text above each column; None: no such row.
            columns: the cells of each column, from the top; a line break in a text is one in the cell.
            widths: of the columns, relative to one another; default: equal.

        Raises:
            LabError: there are not as many headers as columns.
        """
        cells = [["<br>".join(map(plain, str(cell).split("\n"))) for cell in column] for column in columns]
        if headers is not None and len(headers) != len(cells):
            raise LabError(f"the table has {len(headers)} headers but {len(cells)} columns: give as many of each")
        trace: Json = {
            "type": "table",
            "header": {"values": [f"<b>{plain(one)}</b>" for one in headers or [""] * len(cells)], "align": "left"},
            "cells": {"values": cells, "align": "left", "height": 24},
        }
        if headers is None:
            trace["header"]["height"] = 0
        if widths is not None:
            trace["columnwidth"] = list(widths)
        self.data.append(trace)

    def add_trace(self, trace: Mapping[str, Any]) -> None:
        """Add anything that plotly can draw, e.g. ``{"type": "heatmap", "z": [[...]], "x": [...], "y": [...]}``."""
        self.data.append(dict(trace))

    def add_note(self, text: str, x: float = 0.5, y: float = 0.5, yref: str = "paper") -> None:
        """Write something, e.g. why there is nothing to see.

        Args:
            text: what to write, cut after 80 characters.
            x: where, as a share of the width.
            y: where, as a share of the height, or with ``yref="y"`` on the axis.
            yref: ``"paper"`` or ``"y"``.
        """
        note = {"text": plain(text, 80), "xref": "paper", "yref": yref, "x": x, "y": y}
        note |= {"xanchor": "center", "yanchor": "middle", "showarrow": False}
        self.layout["annotations"] = [*self.layout.get("annotations", ()), note]

    # ------------------------------------------------------------------ how it shows it

    def set_y_range(self, low: float, high: float) -> None:
        """Show values from ``low`` to ``high``, whatever they are."""
        self.set_layout_opt("yaxis", {"range": [low, high]})

    def set_layout_opt(self, key: str, value: Any) -> None:
        """Set an option of plotly's layout; a dict is merged with what is there, anything else replaces it."""
        self.layout = _merged(self.layout, {key: value})

    def set_axes(self, x: str | None, y: str | None) -> None:
        """Say what the axes show; ``""``: nothing is said; None: the axis is hidden."""
        for key, title in (("xaxis", x), ("yaxis", y)):
            self.set_layout_opt(key, {"visible": False} if title is None else {"title": {"text": plain(title)}})

    def set_legend(
        self, orientation: str = "h", x: float = 0.0, y: float = 1.0, xanchor: str = "left", yanchor: str = "bottom"
    ) -> None:
        """Give this panel a legend of its own.

        Args:
            orientation: ``"h"`` (names side by side) or ``"v"`` (one below the other).
            x, y: where, as shares of the panel: (0, 0) is the left lower corner, (1, 1) the right upper one.
            xanchor: which side of the legend is there: ``"left"``, ``"center"`` or ``"right"``.
            yanchor: the same: ``"top"``, ``"middle"`` or ``"bottom"``.
        """
        legend = {"orientation": orientation, "x": x, "y": y, "xanchor": xanchor, "yanchor": yanchor}
        self.set_layout_opt("legend", legend)

    def to_json(self) -> Json:
        """The figure, ready for plotly: ``{"data": [...], "layout": {...}}``, JSON values only."""
        layout = _merged(_paper(self.theme), self.layout)
        layout["margin"] = _merged({"l": 60, "r": 24, "t": 56 if self.title else 24, "b": 48}, layout.get("margin", {}))
        if self.title:
            layout["title"] = {"text": plain(self.title), "font": {"size": 15}, "x": 0.02, "xanchor": "left"}
        if self.data and all(trace.get("type") in _DOMAIN for trace in self.data):
            del layout["xaxis"], layout["yaxis"]
        else:
            layout["xaxis"] = _merged(_axis(self.theme), layout["xaxis"])
            layout["yaxis"] = _merged(_axis(self.theme), layout["yaxis"])
        figure: Json = _harmless({"data": [_dressed(trace, self.theme) for trace in self.data], "layout": layout})
        return figure


# ---------------------------------------------------------------------- several panels


class Slot(NamedTuple):
    """Where a panel of a dash is: from-to, as shares of the whole width and height.

    Attributes:
        x: from the left.
        y: from below.
        axis: number of its axes; None: the place is for tables and numbers only.
        bare: its axes are not shown.
        indent: room for long labels left of ``x``; the heading begins there.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    axis: int | None
    bare: bool = False
    indent: float = 0.0


class Dash:
    """Several panels as one figure. A subclass, or ``slots``, says which places there are.

    Args:
        title: shown above all of it.
        theme: ``"light"`` (the default) or ``"dark"``.
        height: pixels; default: that of the class.
        slots: places by name; default: those of the class.

    Raises:
        LabError: there is no such theme.
    """

    SLOTS: ClassVar[Mapping[str, Slot]] = {}
    HEIGHT: ClassVar[int] = 800

    def __init__(
        self,
        title: str = "",
        theme: str | None = None,
        height: int | None = None,
        slots: Mapping[str, Slot] | None = None,
    ) -> None:
        self.title = title
        self.theme = _theme(theme)
        self.height = height or self.HEIGHT
        self.slots = self.SLOTS if slots is None else slots
        self.panels: dict[str, UIPlot] = {}
        self.options: Json = {}

    def add_panel(self, panel: UIPlot, position: str) -> None:
        """Put a panel in its place.

        Args:
            panel: what to show; it may still change afterwards.
            position: one of the names in ``slots``.

        Raises:
            LabError: no such place, it is taken, or it is for tables and the panel is none.
        """
        if position not in self.slots:
            places = ", ".join(self.slots)
            hint = did_you_mean(str(position), self.slots)
            raise LabError(f"{type(self).__name__} has no position {position!r}; it has {places}.{hint}")
        if position in self.panels:
            free = ", ".join(one for one in self.slots if one not in self.panels) or "none"
            raise LabError(
                f"{position!r} already shows {self.panels[position].title!r}, so {panel.title!r} needs another "
                f"position. Still free: {free}"
            )
        self._check(panel, position)
        self.panels[position] = panel

    def _check(self, panel: UIPlot, position: str) -> None:
        for trace in panel.data:
            kind = trace.get("type", "scatter")
            if kind in _DOMAIN:
                continue
            if kind not in _CARTESIAN:
                raise LabError(
                    f"a trace of type {kind!r} cannot be one of several panels; show {panel.title!r} by itself: "
                    "render_plotly_html(panel.to_json())"
                )
            if self.slots[position].axis is None:
                places = ", ".join(name for name, slot in self.slots.items() if slot.axis is not None)
                raise LabError(
                    f"the position {position!r} has no axes: it is for tables and numbers, and {panel.title!r} has a "
                    f"{kind}. Places for lines and bars: {places}"
                )

    def set_layout_opt(self, key: str, value: Any) -> None:
        """Set an option of plotly's layout for the whole; a dict is merged with what is there."""
        self.options = _merged(self.options, {key: value})

    def to_json(self) -> Json:
        """The figure, ready for plotly: ``{"data": [...], "layout": {...}}``, JSON values only.

        Raises:
            LabError: a panel got a trace that its place cannot show.
        """
        data: list[Json] = []
        named: set[tuple[Any, ...]] = set()
        layout = _paper(self.theme)
        layout.update(height=self.height, margin={"l": 48, "r": 28, "t": 84 if self.title else 44, "b": 56})
        layout["legend"] = _legend(self.theme) | {"x": 0, "y": -0.05, "xanchor": "left", "yanchor": "top"}
        if self.title:
            layout["title"] = {"text": f"<b>{plain(self.title)}</b>", "x": 0.02, "xanchor": "left", "y": 0.985}
            layout["title"] |= {"yanchor": "top", "font": {"size": 19}}
        layout["annotations"], layout["shapes"] = [], []
        for position, slot in self.slots.items():
            panel = self.panels.get(position)
            if panel is not None:
                self._check(panel, position)
                self._place(panel, slot, data, layout, named)
        figure: Json = _harmless({"data": data, "layout": _merged(layout, self.options)})
        return figure

    def _place(self, panel: UIPlot, slot: Slot, data: list[Json], layout: Json, named: set[tuple[Any, ...]]) -> None:
        """Add a panel to a figure; ``named``: what its legends name already."""
        options = dict(panel.layout)
        own_legend = options.get("legend")
        legend = f"legend{len(data) + 2}" if own_legend and panel.data else None
        if own_legend and legend is not None:
            layout[legend] = _legend(self.theme) | own_legend | _inside(own_legend, slot)
        for trace in panel.data:
            placed = _dressed(trace, self.theme)
            if trace.get("type") in _DOMAIN:
                placed["domain"] = {"x": list(slot.x), "y": list(slot.y)}
            else:
                placed.update(xaxis=f"x{slot.axis}", yaxis=f"y{slot.axis}")
                if legend is not None:
                    placed["legend"] = legend
            if placed.get("showlegend") and "legendgroup" in placed:
                entry = (legend, placed["legendgroup"], placed.get("name"))
                placed["showlegend"] = entry not in named
                named.add(entry)
            if "stackgroup" in placed:
                placed["stackgroup"] = f"{placed['stackgroup']} {slot.axis}"
            data.append(placed)
        cartesian = not panel.data or any(trace.get("type") not in _DOMAIN for trace in panel.data)
        if slot.axis is not None and cartesian:
            for letter, side, other in (("x", slot.x, "y"), ("y", slot.y, "x")):
                style = _merged(_axis(self.theme), {"visible": False} if slot.bare else {})
                axis = _merged(style, options.get(f"{letter}axis", {}))
                axis.update(domain=list(side), anchor=f"{other}{slot.axis}")
                layout[f"{letter}axis{slot.axis}"] = axis
        if options.get("barmode"):
            layout["barmode"] = options["barmode"]
        if panel.title:
            layout["annotations"].append(self._heading(panel.title, slot))
        for key in ("annotations", "shapes"):
            layout[key] += [_moved(one, slot) for one in options.get(key, ())]

    def _heading(self, title: str, slot: Slot) -> Json:
        room = max(12, round((slot.x[1] - slot.x[0] + slot.indent) * 110))
        return {
            "text": f"<b>{_folded(title, room)}</b>",
            "xref": "paper",
            "yref": "paper",
            "x": slot.x[0] - slot.indent,
            "y": slot.y[1],
            "xanchor": "left",
            "yanchor": "bottom",
            "yshift": 6,
            "align": "left",
            "showarrow": False,
            "font": {"size": 13},
        }


class DefaultBaseDash(Dash):
    """Four panels: ``top_left``, ``top_right``, ``bot_left``, ``bot_right``."""

    SLOTS = {
        "top_left": Slot((0.0, 0.48), (0.56, 1.0), 1),
        "top_right": Slot((0.52, 1.0), (0.56, 1.0), 2),
        "bot_left": Slot((0.0, 0.48), (0.0, 0.44), 3),
        "bot_right": Slot((0.52, 1.0), (0.0, 0.44), 4),
    }

    def __init__(self, title: str = "Network Overview", theme: str | None = None, height: int | None = None) -> None:
        super().__init__(title, theme, height)


class WorldSidebarDash(Dash):
    """Two large panels between narrow ones.

    ``center_top`` and ``center_bot`` are the large ones, ``right_top`` and ``right_bot`` narrow ones; ``left_top`` is
    for a graph, ``left_mid`` and ``left_bot`` are for tables.
    """

    SLOTS = {
        "left_top": Slot((0.0, 0.18), (0.60, 1.0), 1, bare=True),
        "left_mid": Slot((0.0, 0.20), (0.35, 0.55), None),
        "left_bot": Slot((0.0, 0.20), (0.0, 0.30), None),
        "center_top": Slot((0.23, 0.78), (0.55, 1.0), 2),
        "center_bot": Slot((0.23, 0.78), (0.0, 0.45), 4),
        "right_top": Slot((0.82, 1.0), (0.55, 0.90), 5),
        "right_bot": Slot((0.82, 1.0), (0.0, 0.45), 6),
    }
    HEIGHT = 900

    def __init__(self, title: str = "World Overview", theme: str | None = None, height: int | None = None) -> None:
        super().__init__(title, theme, height)


# ---------------------------------------------------------------------- pieces


def _theme(name: str | None) -> Json:
    if name is None:
        return THEME
    if name not in THEMES:
        raise LabError(f"there is no theme {name!r}, only {', '.join(THEMES)}.{did_you_mean(str(name), THEMES)}")
    return THEMES[name]


def _paper(theme: Json) -> Json:
    return {
        "paper_bgcolor": theme["paper"],
        "plot_bgcolor": theme["paper"],
        "colorway": list(theme["peers"]),
        "font": {"family": _FONT, "size": 12, "color": theme["ink"]},
        "hoverlabel": {"bgcolor": theme["head"], "bordercolor": theme["line"], "font": {"color": theme["ink"]}},
        "legend": _legend(theme),
        "bargap": 0.35,
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": theme["line"], "activecolor": theme["faint"]},
    }


def _legend(theme: Json) -> Json:
    return {"orientation": "h", "font": {"size": 11, "color": theme["ink"]}, "bgcolor": "rgba(0,0,0,0)"}


def _axis(theme: Json) -> Json:
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


def _dressed(trace: Json, theme: Json) -> Json:
    """A trace in the colours of a theme, where it has none of its own."""
    if trace.get("type") != "table":
        return dict(trace)
    text, line = {"color": theme["ink"], "size": 11}, {"color": theme["line"], "width": 1}
    style: Json = {
        "header": {"fill": {"color": theme["head"]}, "font": text, "line": line},
        "cells": {"fill": {"color": theme["paper"]}, "font": text, "line": line},
    }
    return _merged(style, trace)


def _inside(legend: Json, slot: Slot) -> Json:
    (left, right), (low, high) = slot.x, slot.y
    return {"x": left + legend.get("x", 0.0) * (right - left), "y": low + legend.get("y", 1.0) * (high - low)}


def _moved(thing: Json, slot: Slot) -> Json:
    """An annotation or a shape of a panel, where the panel is."""
    moved = dict(thing)
    for letter, (start, end) in (("x", slot.x), ("y", slot.y)):
        reference = thing.get(f"{letter}ref", "paper")
        if reference != "paper":
            moved[f"{letter}ref"] = str(reference).replace(letter, f"{letter}{slot.axis}", 1)
            continue
        moved[f"{letter}ref"] = "paper"
        for key in (letter, f"{letter}0", f"{letter}1"):
            if isinstance(thing.get(key), int | float):
                moved[key] = start + thing[key] * (end - start)
    return moved


def _folded(text: str, room: int) -> str:
    """Text in two lines of ``room`` characters at most."""
    words = " ".join(text.split())
    if len(words) <= room:
        return plain(words)
    cut = words.rfind(" ", 0, room + 1)
    cut = cut if cut > 0 else room
    return f"{plain(words[:cut])}<br>{plain(words[cut:], room)}"


def _texts(values: Iterable[Any]) -> list[Any]:
    return [value if _is_number(value) else plain(value) for value in map(_bare, values)]


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float)


def _bare(value: Any) -> Any:
    """The number inside a tensor or an array of one element."""
    if not _is_number(value) and not isinstance(value, str) and callable(getattr(value, "item", None)):
        try:
            return value.item()
        except (RuntimeError, ValueError):
            return value
    return value


def _merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> Json:
    """``base`` with ``more`` in it, dicts merged; neither is changed."""
    result = dict(base)
    for key, value in more.items():
        if isinstance(value, Mapping):
            before = result.get(key)
            if key == "title" and isinstance(before, str):
                before = {"text": before}
            value = _merged(before if isinstance(before, Mapping) else {}, value)
        elif key == "title" and isinstance(value, str) and isinstance(result.get(key), Mapping):
            value = _merged(result[key], {"text": value})
        result[key] = value
    return result


def _harmless(value: Any) -> Any:
    """``value`` as JSON, nothing in its texts taken for more than the simplest markup."""
    value = _bare(value)
    if isinstance(value, str):
        return _MARKUP.sub("&lt;", _ILLEGAL.sub("\ufffd", value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if _is_number(value):
        return value
    if isinstance(value, Mapping):
        return {str(key): _harmless(one) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_harmless(one) for one in value), key=str)
    if hasattr(value, "tolist"):
        return _harmless(value.tolist())
    if isinstance(value, Iterable):
        return [_harmless(one) for one in value]
    return plain(value)


def whole(highest: float) -> Json:
    """Options of an axis that counts: from 0, about five ticks, all of them whole numbers."""
    tick = max(1, math.ceil(highest / 5))
    magnitude = 10 ** (len(str(tick)) - 1)
    return {"rangemode": "tozero", "tick0": 0, "dtick": math.ceil(tick / magnitude) * magnitude, "tickformat": ",d"}


def steps(points: Sequence[tuple[float, Any]], end: float) -> tuple[list[float], list[Any]]:
    """Positions and values of a line that holds each value until the next, and the last one until ``end``."""
    kept = [early for early, late in pairwise(points) if early[0] != late[0]] + list(points[-1:])
    if kept and kept[-1][0] < end:
        kept.append((end, kept[-1][1]))
    return [x for x, _ in kept], [y for _, y in kept]


def thinned(x: Sequence[float], y: Sequence[Any], most: int = 2000) -> tuple[list[float], list[Any]]:
    """A line with about ``most`` points at most that looks the same: of each stretch its lowest and highest value.

    Lines with anything but numbers are left alone.
    """
    if len(x) <= most or not all(isinstance(value, int | float) for value in y):
        return list(x), list(y)
    kept: list[int] = [0]
    length = 2 * len(x) / most
    edges = [round(number * length) for number in range(most // 2)] + [len(x)]
    for start, end in pairwise(edges):
        stretch = range(start, end)
        kept += sorted({min(stretch, key=y.__getitem__), max(stretch, key=y.__getitem__)})
    kept.append(len(x) - 1)
    chosen = sorted(set(kept))
    return [x[index] for index in chosen], [y[index] for index in chosen]
