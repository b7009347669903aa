"""Figures as plain data in the JSON of plotly: one panel (several on a grid: ``dashes``).

Nothing here draws. Whatever shows a figure (a page, a notebook, a live view) gets the same description, and plotly
draws it. Names and values come from members of a world, so they are made harmless on their way in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from unaiverse_lab.core.errors import LabError
from unaiverse_lab.stats.style import (
    IN_A_DOMAIN,
    Json,
    axis_style,
    colour,
    dash_of,
    dressed,
    harmless,
    merged,
    paper,
    plain,
    texts,
    theme_named,
)


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
        self.theme = theme_named(theme)
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
                "x": texts(xs),
                "y": texts(ys),
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
            sides[0]: texts(labels),
            sides[1]: texts(values),
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
        self.layout = merged(self.layout, {key: value})

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
        layout = merged(paper(self.theme), self.layout)
        layout["margin"] = merged({"l": 60, "r": 24, "t": 56 if self.title else 24, "b": 48}, layout.get("margin", {}))
        if self.title:
            layout["title"] = {"text": plain(self.title), "font": {"size": 15}, "x": 0.02, "xanchor": "left"}
        if self.data and all(trace.get("type") in IN_A_DOMAIN for trace in self.data):
            del layout["xaxis"], layout["yaxis"]
        else:
            layout["xaxis"] = merged(axis_style(self.theme), layout["xaxis"])
            layout["yaxis"] = merged(axis_style(self.theme), layout["yaxis"])
        figure: Json = harmless({"data": [dressed(trace, self.theme) for trace in self.data], "layout": layout})
        return figure


# ---------------------------------------------------------------------- several panels


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
