"""An executed notebook as one web page that shows every output without running anything."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Any

from nbconvert import HTMLExporter
from nbformat import NotebookNode
from traitlets import default
from traitlets.config import Config

FORMS = ["text/html", "image/svg+xml", "image/png", "image/jpeg", "text/markdown", "text/latex", "text/plain"]
"""Which form of an output a page shows, the best first: none of them needs a kernel, or a script from elsewhere."""

NOTHING = "data:text/javascript,"


class LabHTMLExporter(HTMLExporter):
    """The exporter ``unaiverse_lab_html``: HTML in which widgets and charts stand in their static form.

    The exporter ``html`` would show the widgets, which needs scripts from the network: without it they are blank.
    Only a notebook with formulas refers to something outside, MathJax.
    """

    export_from_notebook = "HTML (nothing to load)"

    @property
    def default_config(self) -> Config:
        """Prefer what stays."""
        config = Config({"NbConvertBase": {"display_data_priority": FORMS}})
        config.merge(super().default_config)
        return config

    @default("require_js_url")
    def _no_require(self) -> str:
        return NOTHING

    def from_notebook_node(self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        """The page of a notebook; the notebook itself is left as it is."""
        shown = copy(nb)
        shown.metadata = copy(nb.metadata)
        shown.metadata.pop("widgets", None)
        if not any(_has_formulas(cell.source) for cell in nb.cells if cell.cell_type == "markdown"):
            self.mathjax_url = NOTHING
        return super().from_notebook_node(shown, resources, **kwargs)


def _has_formulas(text: str) -> bool:
    return any(mark in text for mark in ("$", "\\(", "\\[", "\\begin{"))


def export_html(notebook: str | Path, page: str | Path) -> None:
    """Write an executed notebook as one HTML page that shows every output without running anything.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: it is no notebook.
    """
    exporter: Any = LabHTMLExporter
    content, _ = exporter().from_filename(str(notebook))
    Path(page).write_text(content, encoding="utf-8")
