"""Running notebooks from top to bottom without a front end."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unaiverse_lab.core.errors import LabError


class CellFailed(LabError):
    """A cell of an executed notebook raised an error; the text says which and what."""


def execute_notebook(
    source: str | Path, target: str | Path, parameters: dict[str, Any] | None = None, progress: bool = False
) -> None:
    """Execute a notebook in the folder of ``target``, by a kernel of this very interpreter.

    Args:
        source: the notebook; left as it is.
        target: where the executed copy goes.
        parameters: values for its cell tagged ``parameters``.
        progress: show a progress bar.

    Raises:
        CellFailed: a cell raised an error; ``target`` then holds the run up to there.
    """
    import papermill

    try:
        with _own_kernel():
            papermill.execute_notebook(
                Path(source).resolve(),
                Path(target).resolve(),
                parameters or {},
                kernel_name="python3",
                progress_bar=progress,
                cwd=Path(target).resolve().parent,
                store_widget_state=False,
            )
    except papermill.PapermillExecutionError as error:
        raise CellFailed(f"cell {error.cell_index} of {target} failed: {error.ename}: {error.evalue}") from error


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
