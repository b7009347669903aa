"""Several figures on a grid: a dash, described like a figure as plain data in the JSON of plotly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from unaiverse_lab.core.errors import LabError, did_you_mean
from unaiverse_lab.stats.figures import UIPlot
from unaiverse_lab.stats.style import (
    IN_A_DOMAIN,
    ON_AXES,
    Json,
    axis_style,
    dressed,
    harmless,
    legend_style,
    merged,
    paper,
    plain,
    theme_named,
)


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
        self.theme = theme_named(theme)
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
            if kind in IN_A_DOMAIN:
                continue
            if kind not in ON_AXES:
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
        self.options = merged(self.options, {key: value})

    def to_json(self) -> Json:
        """The figure, ready for plotly: ``{"data": [...], "layout": {...}}``, JSON values only.

        Raises:
            LabError: a panel got a trace that its place cannot show.
        """
        data: list[Json] = []
        named: set[tuple[Any, ...]] = set()
        layout = paper(self.theme)
        layout.update(height=self.height, margin={"l": 48, "r": 28, "t": 84 if self.title else 44, "b": 56})
        layout["legend"] = legend_style(self.theme) | {"x": 0, "y": -0.05, "xanchor": "left", "yanchor": "top"}
        if self.title:
            layout["title"] = {"text": f"<b>{plain(self.title)}</b>", "x": 0.02, "xanchor": "left", "y": 0.985}
            layout["title"] |= {"yanchor": "top", "font": {"size": 19}}
        layout["annotations"], layout["shapes"] = [], []
        for position, slot in self.slots.items():
            panel = self.panels.get(position)
            if panel is not None:
                self._check(panel, position)
                self._place(panel, slot, data, layout, named)
        figure: Json = harmless({"data": data, "layout": merged(layout, self.options)})
        return figure

    def _place(self, panel: UIPlot, slot: Slot, data: list[Json], layout: Json, named: set[tuple[Any, ...]]) -> None:
        """Add a panel to a figure; ``named``: what its legends name already."""
        options = dict(panel.layout)
        own_legend = options.get("legend")
        legend = f"legend{len(data) + 2}" if own_legend and panel.data else None
        if own_legend and legend is not None:
            layout[legend] = legend_style(self.theme) | own_legend | _inside(own_legend, slot)
        for trace in panel.data:
            placed = dressed(trace, self.theme)
            if trace.get("type") in IN_A_DOMAIN:
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
        cartesian = not panel.data or any(trace.get("type") not in IN_A_DOMAIN for trace in panel.data)
        if slot.axis is not None and cartesian:
            for letter, side, other in (("x", slot.x, "y"), ("y", slot.y, "x")):
                style = merged(axis_style(self.theme), {"visible": False} if slot.bare else {})
                axis = merged(style, options.get(f"{letter}axis", {}))
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
