"""``unaiverse-lab export``: an executed notebook as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unaiverse_lab.cli._shared import explained, fail, version_of


def export(
    notebook: Annotated[Path, typer.Argument(help="An executed notebook.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The page; default: beside the notebook, ending in .html.")
    ] = None,
) -> None:
    """Write an executed notebook as one HTML page that shows every output without running anything."""
    missing = [name for name in ("nbconvert", "anywidget") if version_of(name) is None]
    if missing:
        fail(f"export needs {', '.join(missing)}: pip install 'unaiverse-lab[notebook]'")
    if not notebook.is_file():
        fail(f"there is no notebook {notebook}")
    page = out if out is not None else notebook.with_suffix(".html")
    with explained():
        from nbformat.reader import NotJSONError
        from nbformat.validator import ValidationError

        from unaiverse_lab.notebook.export import export_html

        try:
            export_html(notebook, page)
        except (NotJSONError, ValidationError, AttributeError, KeyError) as error:
            fail(f"{notebook} is no notebook: {error}")
    typer.echo(str(page))
