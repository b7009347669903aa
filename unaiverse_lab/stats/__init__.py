"""Keeping score: statistics of a world, where they are kept, and the figures that show them.

The package is also the decorator ``@lab.stats``.
"""

from unaiverse_lab.core.declare import make_callable
from unaiverse_lab.core.declare import stats as _stats
from unaiverse_lab.stats.dashes import Dash, DefaultBaseDash, WorldSidebarDash
from unaiverse_lab.stats.database import DatabaseError
from unaiverse_lab.stats.figures import UIPlot
from unaiverse_lab.stats.page import render_plotly_html
from unaiverse_lab.stats.schema import StatsError
from unaiverse_lab.stats.stats import Stats
from unaiverse_lab.stats.style import THEME, THEMES

__all__ = [
    "THEME",
    "THEMES",
    "Dash",
    "DatabaseError",
    "DefaultBaseDash",
    "Stats",
    "StatsError",
    "UIPlot",
    "WorldSidebarDash",
    "render_plotly_html",
]

make_callable(__name__, _stats)
