"""``unaiverse-lab demo``: a tutorial executed from end to end."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

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
        _execute(source, notebook, TRACE=trace.name)
        from unaiverse_lab.notebook.display import export_html

        export_html(notebook, page)
        if not trace.is_file():
            raise WorldError(f"the notebook ran, but wrote no trace to {trace}")
        typer.echo(plain(transitions_text(load_trace(trace))))
    typer.echo(f"\nexecuted notebook: {notebook}\nas a page:         {page}\ntrace:             {trace}")


def _execute(source: Path, target: Path, **parameters: Any) -> None:
    """Execute a notebook in the folder of ``target``, by a kernel of this very interpreter."""
    import papermill

    typer.echo(f"executing {source.name} ...", err=True)
    try:
        with _own_kernel():
            papermill.execute_notebook(
                source.resolve(),
                target.resolve(),
                parameters,
                kernel_name="python3",
                progress_bar=sys.stderr.isatty(),
                cwd=target.resolve().parent,
                store_widget_state=False,
            )
    except papermill.PapermillExecutionError as error:
        if os.environ.get("UNAIVERSE_LAB_DEBUG"):
            raise
        fail(f"cell {error.cell_index} of {target} failed: {error.ename}: {error.evalue}", FAILED)


@contextmanager
def _own_kernel() -> Iterator[None]:
    """Make ``python3`` the kernel of this interpreter, whatever kernels the user has, with static outputs."""
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder, "kernels", "python3", "kernel.json")
        spec.parent.mkdir(parents=True)
        spec.write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}), encoding="utf-8")
        paths = os.pathsep.join(filter(None, (folder, os.environ.get("JUPYTER_PATH"))))
        with _environment(JUPYTER_PATH=paths, UNAIVERSE_LAB_DISPLAY="static"):
            yield


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
