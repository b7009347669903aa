"""What ``%lab`` does."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unaiverse_lab.notebook import forms, versions
from unaiverse_lab.notebook.cells import Definition
from unaiverse_lab.notebook.registry import Entry, Key, Misused
from unaiverse_lab.view.text import columns

if TYPE_CHECKING:
    from unaiverse_lab.notebook.registry import Registry


def run(registry: Registry, command: str, words: list[str]) -> Any:
    """Do what a line says.

    Args:
        registry: the definitions.
        command: ``"status"``, ``"show"``, ...; ``"next"``: status, and what to do next.
        words: the rest of the line.

    Raises:
        Misused: it makes no sense.
    """
    if command in ("next", "status"):
        print(status(registry))
        if command == "next":
            print("\n".join(["", "next:", *(f"    {step}" for step in next_steps(registry))]))
    elif command == "show":
        name, style = _show_words(words)
        print(show(registry, name, style))
    elif command == "undo":
        for line in versions.undo(registry, _one(command, words, "NAME")):
            print(line)
    elif command == "rename":
        if len(words) != 2:
            raise Misused("%lab rename takes two names: %lab rename teacher:exam teacher:exam_time")
        print(versions.rename(registry, *words))
    elif command == "check":
        problems = versions.problems(registry)
        print("\n".join(problems) if problems else "nothing keeps the worlds from running")
    elif command == "explain":
        explain(registry)
    elif command == "export":
        _export(registry, words)
    elif command == "import":
        print("taken in: " + "; ".join(forms.take_in(registry, _one(command, words, "DIR"))))
    else:
        registry.reset()
        print("forgotten: there are no definitions now; sessions that run go on")
    return None


def _one(command: str, words: list[str], what: str) -> str:
    if len(words) != 1:
        raise Misused(f"%lab {command} takes one word: %lab {command} {what}")
    return words[0]


def _show_words(words: list[str]) -> tuple[str, str]:
    styles = [word for word in words if word.startswith("--")]
    names = [word for word in words if not word.startswith("--")]
    if len(names) != 1 or len(styles) > 1 or any(one not in ("--python", "--json") for one in styles):
        raise Misused("%lab show takes a name, and perhaps --python or --json: %lab show teacher --python")
    return names[0], styles[0] if styles else ""


def status(registry: Registry) -> str:
    """What there is: a line for each definition, and for each session that runs."""
    rows = [_row(key, entry) for key, entry in registry.all()]
    if not rows:
        return "nothing is defined yet"
    parts = [columns(("world", "what", "name", "version", "status"), rows)]
    for world in registry.worlds():
        for home in registry.sessions(world):
            agents = sum(1 for node in home.nodes.values() if node.agent is not None)
            when = f"tick {home.clock.tick}" if home._started else "not started"
            parts.append(f"a session runs {world}: {agents} agents, {when}")
    return "\n".join(parts)


def _row(key: Key, entry: Entry) -> tuple[str, ...]:
    world, kind, name = key
    version = str(entry.current.version) if entry.current is not None else ""
    words = entry.status
    if entry.broken is not None and entry.current is not None:
        words = f"broken (version {version} is in place)"
    return world or "", kind, name, version, words


def next_steps(registry: Registry) -> list[str]:
    """The five most likely next steps."""
    worlds = registry.worlds()
    if not worlds:
        return ["%%world NAME           define a world", "%lab import DIR         take in a world folder"]
    world = registry.world_of() or worlds[-1]
    roles = registry.names(world, "role")
    steps = [f"{problem}" for problem in versions.problems(registry)]
    if not roles:
        steps.append("%%role NAME             define a role")
    steps += [f"%%behavior {role}" for role in roles if role not in registry.names(world, "behavior")]
    if roles and not steps:
        if not registry.sessions(world):
            steps.append(f"s = lab.Session({world})    run it")
        steps += [f"%lab show {roles[0]} --python", "%lab check", "%lab export DIR"]
    return list(dict.fromkeys(steps))[:5]


def show(registry: Registry, name: str, style: str = "") -> str:
    """A definition in words.

    Args:
        registry: the definitions.
        name: see :meth:`Registry.find`.
        style: ``""`` (as its cell has it), ``"--python"`` or ``"--json"``.

    Raises:
        Misused: there is none, or it has no such form.
    """
    found = [entry.current or entry.broken for entry in registry.find(name)]
    definitions = [one for one in found if one is not None]
    if style == "--json":
        texts = [one.machine for one in definitions if one.machine is not None]
        if not texts:
            raise Misused(f"{name} is no behavior: only behaviors have a file")
        return "\n".join(texts)
    if style == "--python":
        return "\n\n".join(forms.as_python(registry, one).rstrip() for one in definitions)
    return "\n\n".join(f"{_headline(one)}\n{one.source.rstrip()}" for one in definitions)


def _headline(definition: Definition) -> str:
    where = f", world {definition.world}" if definition.world is not None else ""
    return f"# {definition.what}, version {definition.version}{where} ({definition.status})"


def explain(registry: Registry) -> None:
    """Print the traceback behind the last error of a definition."""
    error = registry.error
    if error is None:
        print("no definition had an error")
    elif error.hidden is None:
        print(f"{error}\nno exception is behind it: it was found by looking at the text")
    else:
        traceback.print_exception(error.hidden, file=sys.stdout)


def _export(registry: Registry, words: list[str]) -> None:
    world = None
    if "--world" in words[:-1]:
        place = words.index("--world")
        world = words[place + 1]
        words = [*words[:place], *words[place + 2 :]]
    folder = Path(_one("export", words, "DIR"))
    name = registry.world_of(world)
    if name is None:
        raise Misused("there is no world to export: %%world NAME")
    try:
        written = forms.export(registry, name, folder)
    except forms.CannotWrite as error:
        raise Misused(f"{error}.") from None
    print(f"written to {folder}: {', '.join(written)}")
