"""``unaiverse-lab demo``: a tutorial executed from end to end."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from unaiverse_lab.cli._shared import FAILED, explained, fail, plain, version_of

DEMO = "07_chat_line_by_line.ipynb"


def demo(
    out: Annotated[Path, typer.Option(help="Where the executed notebook, its page and the trace go.")] = Path("out"),
) -> None:
    """Execute the tutorial on the chat room from end to end, and print who moved from which state to which and why."""
    from unaiverse_lab.core.errors import WorldError
    from unaiverse_lab.runtime.trace import load_trace
    from unaiverse_lab.view.text import transitions_text
    from unaiverse_lab.world.folder import content_folder

    needed = ("papermill", "nbconvert", "ipykernel")
    missing = [name for name in needed if version_of(name) is None]
    if missing:
        fail(f"the demo needs {', '.join(missing)}: pip install 'unaiverse-lab[notebook]'")
    with explained():
        source = content_folder("tutorials") / DEMO
        if not source.is_file():
            raise WorldError(f"the tutorial {source} is missing: install unaiverse-lab again")
        out.mkdir(parents=True, exist_ok=True)
        notebook, page, trace = out / DEMO, out / Path(DEMO).with_suffix(".html"), out / "trace.jsonl"
        trace.unlink(missing_ok=True)
        from unaiverse_lab.notebook.execution import CellFailed, execute_notebook
        from unaiverse_lab.notebook.export import export_html

        typer.echo(f"executing {source.name} ...", err=True)
        try:
            execute_notebook(source, notebook, {"TRACE": trace.name}, progress=sys.stderr.isatty())
        except CellFailed as failure:
            if os.environ.get("UNAIVERSE_LAB_DEBUG"):
                raise
            fail(str(failure), FAILED)
        export_html(notebook, page)
        if not trace.is_file():
            raise WorldError(f"the notebook ran, but wrote no trace to {trace}")
        typer.echo(plain(transitions_text(load_trace(trace))))
    typer.echo(f"\nexecuted notebook: {notebook}\nas a page:         {page}\ntrace:             {trace}")
