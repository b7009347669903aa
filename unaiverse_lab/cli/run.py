"""``unaiverse-lab run``: a world synchronized, told as it goes."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unaiverse_lab.cli._shared import FAILED, INTERRUPTED, blamed, explained, plain

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from unaiverse_lab.core.records import Record
    from unaiverse_lab.runtime.session import Session, Until


STOPPED = ("interrupted", "aborted")
SAVE_EVERY = 10.0
MOST_EXPLAINED = 3
"""Of how many agents it is explained why they did not get where ``--until`` wants them."""


def run(
    folder: Annotated[str, typer.Argument(help="A world folder, or the name of a gallery world.")],
    ticks: Annotated[int | None, typer.Option(min=1, help="Run at most so many ticks.")] = None,
    until: Annotated[
        str | None,
        typer.Option(help="Stop at STATE (some agent is in it), NAME:STATE or ROLE:STATE (all of that role are)."),
    ] = None,
    max_time: Annotated[
        float | None, typer.Option(min=0, help="Run at most so many seconds of the world's clock.")
    ] = None,
    seed: Annotated[str, typer.Option(help="Seed of every random source.")] = "0",
    trace: Annotated[Path | None, typer.Option(help="Write every record to this JSON Lines file.")] = None,
    checkpoints: Annotated[Path | None, typer.Option(help="Keep checkpoints, trace and scores in this folder.")] = None,
    save_every: Annotated[
        float | None, typer.Option(help="Seconds of the world's clock between checkpoints (default: its own, else 10).")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest whole checkpoint.")] = False,
    dashboard: Annotated[
        Path | None, typer.Option(help="Write the dashboard at the end of the run to this HTML page.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Pass every message through its encoded form.")] = False,
    why: Annotated[
        list[str] | None,
        typer.Option(help="At the end, explain what the agent NAME waits for; may be given several times."),
    ] = None,
    every: Annotated[bool, typer.Option("--every", help="Print a line for each record, attempts included.")] = False,
) -> None:
    """Run a world synchronized, and print who moved from which state to which and why.

    When --until is not reached, what those wait for who are not there is explained, as --why NAME does for anybody.
    Without --ticks and --until it runs until nothing can happen any more, or Ctrl+C; if the world's folder says what
    has to come out of such a run (acceptance.py), that is checked. With --checkpoints, the first Ctrl+C ends the run
    after the tick and saves it, a second one ends it at once; --resume takes up what was saved. The last line is the
    digest of the run: equal for equal runs.
    """
    from unaiverse_lab.runtime.launch import load
    from unaiverse_lab.runtime.trace import Trace
    from unaiverse_lab.world.folder import find_world

    with explained():
        root = find_world(folder)
        records = Trace()
        with blamed(root):
            session = load(root, _number(seed), strict, trace=records)
            whole = until is None and ticks is None and max_time is None
            acceptance = acceptance_of(root) if whole else None
        if trace is not None:
            records.write_to(trace)
        if checkpoints is not None:
            _keep_checkpoints(session, checkpoints, save_every, resume)
        elif resume or save_every is not None:
            raise typer.BadParameter("--resume and --save-every need --checkpoints FOLDER")
        asked = [session.node(name).name for name in why or ()]
        if dashboard is not None:
            _check_page(dashboard)
        try:
            end = until if acceptance is None else getattr(acceptance, "UNTIL", None)
            reason = _run(session, end, ticks, max_time, Printer(session, every))
            if checkpoints is not None and reason != "aborted":
                _save(session)
            passed = True
            if acceptance is not None and reason not in STOPPED:
                with blamed(root):
                    passed = _accepted(session, acceptance)
            digest = records.digest()
            if dashboard is not None:
                with blamed(root):
                    page = _page(session)
                dashboard.write_text(page, encoding="utf-8")
        finally:
            session.close()
    if reason in STOPPED:
        typer.secho(f"stopped by Ctrl+C at tick {session.tick} ({session.now:g} s)", err=True)
    elif until is not None and reason != "until":
        limit = f"{ticks} ticks are" if max_time is None else f"{max_time:g} s are"
        cause = "nothing can happen any more" if reason == "quiet" else f"{limit} over"
        typer.secho(f"{until} was not reached: {cause} (tick {session.tick})", fg="red", err=True)
        asked += [name for name in _not_there(session, until) if name not in asked]
    if asked:
        typer.echo(plain(_explanations(session, asked)))
    typer.echo(f"digest: {digest}")
    if reason in STOPPED:
        raise typer.Exit(INTERRUPTED)
    if not passed or (until is not None and reason != "until"):
        raise typer.Exit(FAILED)


def acceptance_of(root: Path) -> ModuleType | None:
    """What a world folder says about its own run, in ``acceptance.py`` or ``src/acceptance.py``; None if it does not.

    The module may define ``UNTIL``, when the run is over (as for :meth:`Session.run`: ``"STATE"``, ``"NAME:STATE"`` or
    a function of the session; default: when nothing can happen any more), and it defines what must hold then::

        def checks(session: Session) -> list[tuple[str, bool, str]]:
            lessons = ...
            return [("five lessons", len(lessons) == 5, f"{len(lessons)} lessons")]

    Each check is what is expected, whether it holds, and what was found. They apply to runs without ``--ticks`` and
    ``--until``, on any seed; the command prints them as a table and ends with exit code 1 if one does not hold.
    """
    from unaiverse_lab.world.folder import isolated_imports

    for name in ("acceptance", "src.acceptance"):
        if (root / f"{name.replace('.', '/')}.py").is_file():
            with isolated_imports(root):
                return importlib.import_module(name)
    return None


def _keep_checkpoints(session: Session, folder: Path, every: float | None, resume: bool) -> None:
    kept = session.keep_checkpoints(folder, every)
    if every is None and kept.every <= 0:
        kept.every = SAVE_EVERY
    found = session.resume() if resume else None
    if found is not None:
        for problem in found.skipped:
            typer.secho(f"passed over: {problem}", fg="yellow", err=True)
        typer.secho(f"resumed generation {found.generation} at tick {found.tick} ({session.now:g} s)", err=True)
    elif resume:
        typer.secho(f"starting fresh: there is no checkpoint in {folder}", err=True)


def _save(session: Session) -> None:
    """The last checkpoint of a run; what is halfway then is left to the one before."""
    from unaiverse_lab.runtime.freezing import CannotFreeze

    try:
        session.checkpoint()
    except CannotFreeze as problem:
        typer.secho(f"the end of this run is not saved: {problem}", fg="yellow", err=True)


def _accepted(session: Session, acceptance: ModuleType) -> bool:
    """Print what was expected and what was found, and the weights of those who learn; whether all of it holds."""
    from unaiverse_lab.view.text import columns

    checks = acceptance.checks(session)
    rows = [("yes" if holds else "NO", what, found) for what, holds, found in checks]
    for node in session.nodes.values():
        learner = node.agent.processor.learner if node.agent is not None else None
        if learner is not None:
            rows.append(("", f"weights of {node.name}", learner.digest()))
    typer.echo(plain(columns(("holds", "expected", "found"), rows)))
    return all(holds for _, holds, _ in checks)


def _check_page(path: Path) -> None:
    """Say before a long run, rather than after it, that no page can be written."""
    from unaiverse_lab.core.errors import LabError
    from unaiverse_lab.stats.page import plotly_js

    plotly_js()
    if path.is_dir() or not path.parent.is_dir():
        raise LabError(f"the dashboard cannot be written to {path}: give the name of a file in a folder that exists")


def _page(session: Session) -> str:
    """The dashboard that the world's own statistics draw; the one that every world has if they draw none."""
    from unaiverse_lab.stats import Stats, render_plotly_html
    from unaiverse_lab.view.dashboard import core_dashboard

    stats = session.world.stats
    own = stats.plot() if type(stats).plot is not Stats.plot else None
    return own or render_plotly_html(core_dashboard(session.trace), title=f"{type(session.world).__name__}")


def _not_there(session: Session, until: str) -> list[str]:
    """The first of those that ``until`` is about and that are not in its state."""
    name, _, state = until.rpartition(":")
    return [
        node
        for node, role, now, _ in session.status()
        if session.nodes[node].agent is not None and name in ("", node, role) and now != state
    ][:MOST_EXPLAINED]


def _explanations(session: Session, names: Iterable[str]) -> str:
    from unaiverse_lab.notebook.display import why
    from unaiverse_lab.view import Past

    past = Past()
    return "".join(f"\n{why(session, name, past=past).text}\n" for name in dict.fromkeys(names))


def _number(seed: str) -> int | str:
    return int(seed) if seed.removeprefix("-").isdecimal() else seed


class _Stopped(Exception):
    """Ends a run between two ticks."""


def _run(
    session: Session, until: Until | None, ticks: int | None, max_time: float | None, printer: Callable[[], None]
) -> str:
    """Run, printing after each tick. The first Ctrl+C (or SIGTERM) ends the run after the tick, a second one at once.

    Returns:
        How the run ended; ``"interrupted"`` after a tick, ``"aborted"`` within one.
    """
    asked_to_stop = False

    def interrupt(signum: int, frame: Any) -> None:
        nonlocal asked_to_stop
        if asked_to_stop:
            raise KeyboardInterrupt
        asked_to_stop = True

    def after_tick(session: Session) -> None:
        printer()
        if asked_to_stop:
            raise _Stopped

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with _progress(session, ticks):
            reason = session.run(until, ticks, max_time, after_tick).reason
    except _Stopped:
        reason = "interrupted"
    except KeyboardInterrupt:
        reason = "aborted"
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    printer()
    return reason


class Printer:
    """Prints the records that came since it was last called."""

    def __init__(self, session: Session, every: bool) -> None:
        from unaiverse_lab.core.records import Badge, Dropped, Fault, Moved, Said
        from unaiverse_lab.view.text import sentence

        self._trace = session.trace
        self._seen = 0
        self._every = every
        self._told = (Moved, Said, Fault, Dropped, Badge)
        self._sentence = sentence

    def __call__(self) -> None:
        fresh = self._trace.since(self._seen)
        self._seen = len(self._trace)
        lines = [
            f"{record.tick:>7} {record.t:>10.3f}  {plain(self._sentence(record))}\n"
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
