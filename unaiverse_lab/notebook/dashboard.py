"""A dashboard that is drawn anew while the world runs."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import traitlets

from unaiverse_lab.core.errors import LabError, did_you_mean
from unaiverse_lab.notebook.live import PLOTLY, LiveView
from unaiverse_lab.runtime.session import Session
from unaiverse_lab.stats.dashes import Dash
from unaiverse_lab.stats.page import Page, plotly_js
from unaiverse_lab.stats.stats import Stats
from unaiverse_lab.stats.style import THEMES
from unaiverse_lab.view import core_dash, figure_html, figure_text
from unaiverse_lab.view.dashboard import Overview

_HERE = Path(__file__).parent / "static"
PAGES = ("overview", "statistics")


class LiveDashboard(LiveView):
    """The dashboard of a world, kept up to date while it runs.

    Its pages: *overview*, which every world has, and *statistics*, what the world's own ``plot`` draws, if it has one.
    It is drawn by plotly, which a page is handed once, from the installed package: nothing is fetched, and a saved
    notebook holds the figure and its tables, never the library. Where there is no front end, the tables are what
    is seen.

    Args:
        session: the session.
        page: the page to begin with; default: the world's own statistics if it draws any.
        theme: ``"light"`` or ``"dark"``; default: as the page around it.

    Raises:
        LabError: no such page or theme, or plotly is not installed.
    """

    _esm = _HERE / "dashboard.js"
    _css = _HERE / "dashboard.css"

    figure = traitlets.Dict().tag(sync=True)
    pages = traitlets.List(traitlets.Unicode()).tag(sync=True)
    page = traitlets.Unicode().tag(sync=True)

    def __init__(self, session: Session, page: str | None = None, theme: str | None = None) -> None:
        for given, known, what in ((page, PAGES, "page"), (theme, THEMES, "theme")):
            if given is not None and given not in known:
                raise LabError(f"there is no {what} {given!r}, only {', '.join(known)}.{did_you_mean(given, known)}")
        if find_spec("plotly") is None:
            plotly_js()
        self.tick: int | None = None
        self._fixed = theme
        self._theme = theme or "light"
        self._overview = Overview()
        super().__init__(session)
        self.pages = list(PAGES if draws_itself(session) else PAGES[:1])
        self.page = page or self.pages[-1]

    def show(self, tick: int | None = None) -> LiveDashboard:
        """Show the overview as it was at the end of a tick; None: as it is, from now on."""
        self.tick = None if tick is None or tick >= self.session.tick else tick
        self.refresh()
        return self

    # ------------------------------------------------------------------ what there is to see

    def _figure(self) -> dict[str, Any]:
        """The page chosen, as a figure; the overview while the world has nothing to draw yet."""
        if self.page == "statistics" and self.tick is None and draws_itself(self.session):
            drawn = self.session.world.stats.plot()
            if isinstance(drawn, Page):
                return drawn.figure
            if drawn is not None:  # a page of another making
                self.pages, self.page = [*PAGES[:1]], PAGES[0]
        return self._dash().to_json()

    def _dash(self) -> Dash:
        if self.tick is not None:
            return core_dash(self.session.trace, self.tick, theme=self._theme)
        return self._overview.follow(self.session.trace).dash(theme=self._theme)

    def _moment(self) -> Any:
        """What decides whether there is anything new to show."""
        return *super()._moment(), self.tick, self.page, self._theme

    def look(self) -> int:
        """Send the figure."""
        self.figure = self._figure()
        return len(json.dumps(self.figure))

    def static(self) -> dict[str, Any]:
        """The figure as data; all values, those of the statistics too, in tables and in words."""
        dash = self._dash()
        return {PLOTLY: self._figure(), "text/html": figure_html(dash), "text/plain": figure_text(dash)}

    # ------------------------------------------------------------------ a person

    def answer(self, message: dict[str, Any]) -> None:
        """Hand over the library."""
        if message.get("kind") == "library":
            self.wire.send({"kind": "library"}, buffers=[plotly_js().encode()])

    def take(self, message: dict[str, Any]) -> None:
        """Another page, another theme."""
        match message:
            case {"kind": "page", "page": str(page)} if page in self.pages:
                self.page = page
            case {"kind": "theme", "theme": str(theme)} if theme in THEMES and self._fixed is None:
                self._theme = theme


def draws_itself(session: Session) -> bool:
    """Whether the world's own statistics draw a dashboard."""
    node = session.synchronizer.world_node
    return node is not None and node.world is not None and type(node.world.stats).plot is not Stats.plot
