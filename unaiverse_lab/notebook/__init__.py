"""Sessions, machines and traces in a notebook: what a cell shows, and what a learner asks to see.

Importing this package loads neither IPython nor the engine: both wait until something is shown.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unaiverse_lab.notebook.checks import read_result as read_result
    from unaiverse_lab.notebook.checks import result as result
    from unaiverse_lab.notebook.dashboard import LiveDashboard as LiveDashboard
    from unaiverse_lab.notebook.display import Drawn as Drawn
    from unaiverse_lab.notebook.display import Shown as Shown
    from unaiverse_lab.notebook.display import display_dashboard as display_dashboard
    from unaiverse_lab.notebook.display import figure_bundle as figure_bundle
    from unaiverse_lab.notebook.display import graph as graph
    from unaiverse_lab.notebook.display import machine_bundle as machine_bundle
    from unaiverse_lab.notebook.display import session_bundle as session_bundle
    from unaiverse_lab.notebook.display import table as table
    from unaiverse_lab.notebook.display import timeline as timeline
    from unaiverse_lab.notebook.display import trace_bundle as trace_bundle
    from unaiverse_lab.notebook.display import why as why
    from unaiverse_lab.notebook.export import export_html as export_html
    from unaiverse_lab.notebook.human import HumanPanel as HumanPanel
    from unaiverse_lab.notebook.stepper import Stepper as Stepper

_HOMES = {
    "Drawn": "display",
    "HumanPanel": "human",
    "LiveDashboard": "dashboard",
    "Shown": "display",
    "Stepper": "stepper",
    "display_dashboard": "display",
    "export_html": "export",
    "figure_bundle": "display",
    "graph": "display",
    "machine_bundle": "display",
    "read_result": "checks",
    "result": "checks",
    "session_bundle": "display",
    "table": "display",
    "timeline": "display",
    "trace_bundle": "display",
    "why": "display",
}
_BUNDLES = {
    ("unaiverse_lab.runtime.session", "Session"): "session_bundle",
    ("unaiverse_lab.behavior.machine", "HybridStateMachine"): "machine_bundle",
    ("unaiverse_lab.runtime.trace", "Trace"): "trace_bundle",
    ("unaiverse_lab.stats.figures", "UIPlot"): "figure_bundle",
    ("unaiverse_lab.stats.dashes", "Dash"): "figure_bundle",
}

__all__ = [*_HOMES, "install", "is_notebook"]


def install(shell: Any) -> None:
    """Let an IPython shell draw sessions, machines, traces and figures, and know the cells that define a world.

    Calling it again changes nothing.

    The classes are named, not imported: nothing is loaded before the first one is shown.

    Args:
        shell: what ``get_ipython()`` returns.
    """
    formatter = shell.display_formatter.mimebundle_formatter
    for (module, name), function in _BUNDLES.items():
        formatter.for_type_by_name(module, name, _Bundle(function))
    importlib.import_module(f"{__name__}.magics").load(shell)


def is_notebook() -> bool:
    """Whether cells are executed here, and widgets can be made."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and find_spec("anywidget") is not None


class _Bundle:
    """A function of ``display``, found when it is first called."""

    def __init__(self, function: str) -> None:
        self.function = function

    def __call__(self, shown: Any) -> dict[str, str]:
        bundle: dict[str, str] = __getattr__(self.function)(shown)
        return bundle


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
