"""Keeping score: statistics of a world, where they are kept, and the figures that show them."""

from unaiverse_lab.stats.figures import THEME, THEMES, Dash, DefaultBaseDash, UIPlot, WorldSidebarDash
from unaiverse_lab.stats.page import render_plotly_html
from unaiverse_lab.stats.stats import Stats

__all__ = [
    "THEME",
    "THEMES",
    "Dash",
    "DefaultBaseDash",
    "Stats",
    "UIPlot",
    "WorldSidebarDash",
    "render_plotly_html",
]
