"""``unaiverse-lab lint``: behaviors checked without running them."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from unaiverse_lab.cli._shared import FAILED, blamed, explained, plain

if TYPE_CHECKING:
    from unaiverse_lab.agents import Agent
    from unaiverse_lab.behavior.lint import Finding
    from unaiverse_lab.world import World


class _Checked(NamedTuple):
    """The findings about one behavior, under the name of its file."""

    name: str
    findings: list[Finding]


def lint(
    paths: Annotated[
        list[Path], typer.Argument(help="World folders (or names of gallery worlds) and behavior files (.json).")
    ],
) -> None:
    """Check behaviors without running them: what cannot work, what is probably not meant, what to do about it.

    Files that a world's create_behav_files would change are checked in both forms, and left as they are.
    """
    with explained():
        checked = [one for path in paths for one in (_lint_file(path) if path.suffix == ".json" else _lint_world(path))]
    colours = {"error": "red", "warning": "yellow", "note": "blue"}
    counts = dict.fromkeys(colours, 0)
    for name, findings in checked:
        if findings:
            typer.secho(plain(name), bold=True)
        for finding in findings:
            counts[finding.level] += 1
            level = typer.style(f"{finding.level:<8}", fg=colours[finding.level])
            typer.echo(f"  {level} {plain(f'{finding.where}: {finding.problem}')} [{finding.code}]")
            if finding.hint:
                typer.echo(f"{'':11}{plain(finding.hint)}")
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
    with blamed(root):
        world = next((node.world for node in gather(root, world_only=True) if node.world is not None), None)
    if world is None:
        raise WorldError(f"{root.name}: run_w.py runs no node that hosts a World")
    if world.world_folder is None:
        return [_Checked(f"{root.name}: {role}", _lint_role(world, role)) for role in world.behaviors]
    source = Path(world.world_folder)
    present = _texts(source)
    checked = _lint_roles(source, list(present))
    try:
        with blamed(root):
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
    from unaiverse_lab.behavior.lint import IMPLIED, requested_names
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
            method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if asked is None and method == "send" and call.args:
                asked = call.args[0]
            if method in IMPLIED:
                names.add(IMPLIED[method])
            elif isinstance(asked, ast.Constant):
                names.add(str(asked.value))
            elif asked is not None:
                names = None
    return names
