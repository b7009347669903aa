"""Definitions in other forms: as decorated classes, as a world folder, and back from one."""

from __future__ import annotations

import ast
import builtins
import copy
import dis
import importlib
import inspect
import linecache
from collections.abc import Iterable, Mapping
from pathlib import Path
from pprint import pformat
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from unaiverse_lab.agents import Agent
from unaiverse_lab.core.declare import camel_case
from unaiverse_lab.notebook.cells import STATS, Definition
from unaiverse_lab.notebook.diagnostics import is_action, is_action_mark
from unaiverse_lab.runtime.launch import gather
from unaiverse_lab.world import World

if TYPE_CHECKING:
    from unaiverse_lab.notebook.registry import Registry


_MADE = {"role": {"WAgent"}, "world": {"WWorld"}, STATS: {"WStats"}}


class CannotWrite(ValueError):
    """A definition uses something that no file can hold."""


# ---------------------------------------------------------------------- as Python


def as_python(registry: Registry, definition: Definition) -> str:
    """A definition as a decorated class or function, with the actions that other cells added to it."""
    world = f", world={definition.world}" if definition.world is not None else ""
    kind, name = definition.kind, definition.name
    if kind == "role":
        fresh = ", fresh=True" if definition.options.get("fresh") else ""
        return f'@lab.role("{name}"{world}{fresh})\n{class_text(registry, definition)}'
    if kind == "world":
        options = [
            f"{key}={definition.options[key]!r}" for key in ("delta", "seed", "masters") if key in definition.options
        ]
        return f"@lab.world{'(' + ', '.join(options) + ')' if options else ''}\n{class_text(registry, definition)}"
    if kind == "stats":
        return f"@lab.stats{'(' + world[2:] + ')' if world else ''}\n{class_text(registry, definition)}"
    if kind == "behavior":
        missing = definition.options.get("on_missing")
        tail = f', on_missing="{missing}"' if missing else ""
        return f'@lab.behavior("{name}"{world}{tail})\n{builder_text(definition)}'
    if kind == "action":
        return action_text(definition)
    body = definition.source.partition("\n")[2]
    if kind == "event":
        made = definition.object
        head = f'    event_type = "{made.event_type}"\n    description = {made.description!r}\n'
        return f"class {name}(lab.Event):\n{head}{indented(body)}"
    base = {"agent": "lab.events.Agent", "user": "lab.User"}.get(definition.options.get("kind_of", ""), "lab.Object")
    return f"class {name}({base}):\n{indented(body)}"


def class_text(registry: Registry, definition: Definition, class_name: str | None = None) -> str:
    """The class of a world, a role or statistics, without decorator."""
    thing = definition.object
    base = thing.__mro__[1]
    named = {Agent: "lab.Agent", World: "lab.World"}.get(
        base, "lab.Stats" if definition.kind == STATS else base.__name__
    )
    if definition.form == "cell":
        body = definition.source.partition("\n")[2]
        if definition.kind == "role":
            body = marked(body, base)
        text = f"class {class_name or thing.__name__}({named}):\n{indented(body)}"
    else:
        text = _without_decorators(definition.source, class_name)
    if definition.kind == "role":
        for action in registry.names(definition.world, "action"):
            added = registry.now(definition.world, "action", action)
            method = action.removeprefix(f"{definition.name}.")
            if added is not None and action.startswith(f"{definition.name}.") and method not in definition.methods:
                text = f"{text.rstrip()}\n\n{indented(action_text(added))}"
    return f"{text.rstrip()}\n"


def action_text(definition: Definition) -> str:
    """The method that an ``%%action`` cell defines."""
    body = marked(definition.source.partition("\n")[2], Agent)
    name = definition.name.partition(".")[2]
    node = next(one for one in ast.parse(body).body if getattr(one, "name", "") == name)
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])  # type: ignore[attr-defined]
    return "\n".join(body.splitlines()[first - 1 : node.end_lineno]) + "\n"


def builder_text(definition: Definition) -> str:
    """The function that builds a behavior, without decorator."""
    if definition.form == "cell" and definition.object is not None:
        body = definition.source.partition("\n")[2]
        return f"def {definition.name}_behavior(behav, world, role):\n{indented(body).rstrip()}\n"
    if definition.form == "python":
        return _without_decorators(definition.source, None)
    assert definition.draft is not None
    data = pformat(definition.draft.to_dict(), sort_dicts=False, width=110)
    return f"def {definition.name}_behavior(behav):\n    behav.load(\n{indented(indented(data))}    )\n"


def _without_decorators(source: str, class_name: str | None) -> str:
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.ClassDef | ast.FunctionDef)
    lines = source.splitlines()[node.lineno - 1 :]
    if class_name is not None:
        lines[0] = lines[0].replace(f"class {node.name}", f"class {class_name}", 1)
    return "\n".join(lines) + "\n"


def indented(text: str) -> str:
    """A piece of Python four columns further right; texts over several lines stay as they are."""
    inside: set[int] = set()
    try:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno != node.lineno:
                inside.update(range(node.lineno + 1, (node.end_lineno or 0) + 1))
    except SyntaxError:
        pass
    lines = text.strip("\n").splitlines()
    skipped = len(text) - len(text.lstrip("\n"))
    return "".join(
        f"{'' if not line.strip() or number + skipped in inside else '    '}{line}\n"
        for number, line in enumerate(lines, start=1)
    )


def marked(body: str, base: type) -> str:
    """The body of a role with ``@lab.action`` above each action."""
    lines = body.splitlines()
    for node in reversed(ast.parse(body).body):
        if is_action(node, base, implicit=True) and not any(is_action_mark(one) for one in node.decorator_list):  # type: ignore[attr-defined]
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])  # type: ignore[attr-defined]
            lines.insert(first - 1, "@lab.action")
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------------- a world folder


def export(registry: Registry, world: str, folder: Path) -> list[str]:
    """Write a world folder: ``src/world.py``, a file and a behavior for each role, ``src/stats.py``, run scripts.

    Args:
        registry: the definitions.
        world: the world.
        folder: where; files of these names are overwritten.

    Returns:
        The files written.

    Raises:
        CannotWrite: a definition uses something that no file can hold.
    """
    definition = registry.now(None, "world", world)
    assert definition is not None
    names = registry.shell.user_ns
    files: dict[str, str] = {}
    locals_ = {
        camel_case(role): f"from .{role} import WAgent as {camel_case(role)}" for role in registry.names(world, "role")
    }
    for role in registry.names(world, "role"):
        found = registry.now(world, "role", role)
        behavior = registry.now(world, "behavior", role)
        assert found is not None
        others = {name: line for name, line in locals_.items() if name != found.object.__name__}
        files[f"src/{role}.py"] = _module(
            f"The role {role} of the world {world}.", class_text(registry, found, "WAgent"), found, names, others
        )
        if behavior is not None and behavior.machine is not None:
            files[f"src/{role}.json"] = behavior.machine
    stats = registry.now(world, STATS, STATS)
    text = class_text(registry, definition, "WWorld")
    if stats is not None:
        files["src/stats.py"] = _module(
            f"What the world {world} measures.", class_text(registry, stats, "WStats"), stats, names, locals_
        )
        text += "\n\nlab.stats(WStats, world=WWorld)\n"
        locals_["WStats"] = "from .stats import WStats"
    files["src/world.py"] = _module(f"The world {world}.", text, definition, names, locals_)
    files.update(_scripts(world, definition))
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return list(files)


def _scripts(world: str, definition: Definition) -> dict[str, str]:
    options = definition.options
    masters = list(options.get("masters", ()))
    given = [f'node_name="{world}"']
    if "delta" in options:
        given.append(f"clock_delta={options['delta']!r}")
    if masters:
        given.append(f"world_masters_node_names={masters!r}")
    takes = inspect.signature(definition.object).parameters
    folder = 'str(Path(__file__).parent / "src")'
    direct = "world_folder" in takes or any(one.kind is one.VAR_KEYWORD for one in takes.values())
    make = (
        [f"world = WWorld(world_folder={folder})"] if direct else ["world = WWorld()", f"world.world_folder = {folder}"]
    )
    lines = [
        '"""The world\'s own node."""', "", "from pathlib import Path", "", "from src.world import WWorld", "",
        "from unaiverse_lab import Node", "", *make, f"node = Node(world, {', '.join(given)})", "node.run()", "",
    ]  # fmt: skip
    files = {"run_w.py": "\n".join(lines)}
    for number, master in enumerate(masters, start=1):
        files[f"run_{number}.py"] = (
            f'"""The node {master}."""\n\nfrom unaiverse_lab import Agent, Node\n\n'
            f'node = Node(Agent(proc=None), node_name="{master}")\nnode.run(join_world="{world}")\n'
        )
    return files


def _module(title: str, text: str, definition: Definition, names: Mapping[str, Any], locals_: Mapping[str, str]) -> str:
    imports: dict[str, str] = {"lab": "import unaiverse_lab as lab"} if "lab." in text else {}
    pieces: dict[str, str] = {}
    _gather(text, definition.what, names, locals_, imports, pieces, _MADE[definition.kind])
    plain = sorted({line for line in imports.values() if not line.startswith("from .")})
    own = sorted({line for line in imports.values() if line.startswith("from .")})
    blocks = [f'"""{title}"""', "\n".join(plain), "\n".join(own), *pieces.values(), text]
    return "\n\n".join(block.strip("\n") for block in blocks if block) + "\n"


def _gather(
    text: str,
    what: str,
    names: Mapping[str, Any],
    locals_: Mapping[str, str],
    imports: dict[str, str],
    pieces: dict[str, str],
    known: Iterable[str],
) -> None:
    """Find what a piece of Python uses of the notebook: imports, and things that other cells made."""
    for name in global_names(compile(text, "<export>", "exec", dont_inherit=True)):
        if name in imports or name in pieces or name in known or hasattr(builtins, name):
            continue
        if name in locals_:
            imports[name] = locals_[name]
            continue
        if name not in names:
            raise CannotWrite(f"{what} uses {name}, which is not defined")
        value = names[name]
        line = _import_of(name, value)
        if line is not None:
            imports[name] = line
            continue
        source = _source_of(value) if isinstance(value, type) or inspect.isfunction(value) else f"{name} = {value!r}"
        try:
            if source is None or not (isinstance(value, type) or inspect.isfunction(value)):
                ast.literal_eval(repr(value))
        except (SyntaxError, ValueError):
            raise CannotWrite(f"{what} uses {name}, a {type(value).__name__}, which no file can hold") from None
        assert source is not None
        _gather(source, what, names, locals_, imports, pieces, [*known, name])
        pieces[name] = source


def global_names(code: CodeType) -> list[str]:
    """The names that a piece of Python takes from outside."""
    used: dict[str, None] = {}
    bound: set[str] = set()
    pending = [code]
    while pending:
        inner = pending.pop(0)
        stored = {step.argval for step in dis.get_instructions(inner) if step.opname in ("STORE_NAME", "STORE_GLOBAL")}
        bound |= stored if inner is code else set()
        for step in dis.get_instructions(inner):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and not (
                step.opname == "LOAD_NAME" and step.argval in stored
            ):
                used.setdefault(step.argval)
        pending += [one for one in inner.co_consts if isinstance(one, CodeType)]
    return [name for name in used if name not in bound and not (name.startswith("__") and name.endswith("__"))]


def _import_of(name: str, value: Any) -> str | None:
    if isinstance(value, ModuleType):
        return f"import {value.__name__}" if value.__name__ == name else f"import {value.__name__} as {name}"
    module, called = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if (
        module in (None, "__main__")
        or not called
        or getattr(importlib.import_module(module), called, None) is not value
    ):
        return None
    return f"from {module} import {called}" if called == name else f"from {module} import {called} as {name}"


def _source_of(value: Any) -> str | None:
    """The text of a function or class that a cell made."""
    functions = (
        [value] if inspect.isfunction(value) else [one for one in vars(value).values() if inspect.isfunction(one)]
    )
    for function in functions:
        lines = linecache.getlines(function.__code__.co_filename)
        try:
            tree = ast.parse("".join(lines))
        except SyntaxError:
            continue
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == value.__name__:
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                return "".join(lines[first - 1 : node.end_lineno])
    return None


# ---------------------------------------------------------------------- and back


def take_in(registry: Registry, folder: str) -> list[str]:
    """Take in the world of a world folder; its class can be made without arguments here.

    Raises:
        WorldError, BehaviorError: the folder or its behaviors are wrong.
    """
    node = gather(folder, world_only=True)[0]
    world = node.world
    assert world is not None
    world.prepare()
    name = camel_case("".join(letter if letter.isalnum() else "_" for letter in node.name))
    made = _without_folder(
        type(world), name, {key: value for key, value in vars(world).items() if key not in vars(World())}
    )
    registry.take_in("world", name, None, made, _text_of(type(world)))
    placed = registry.now(None, "world", name)
    assert placed is not None
    book = registry.book(name)
    options = {"delta": node.clock_delta, "masters": sorted(one.removeprefix("node-") for one in world.gate.masters)}
    placed.options.update({key: value for key, value in options.items() if value})
    if book is not None:
        book.options.update(placed.options)
    for role, cls in world.role_classes.items():
        registry.take_in("role", role, name, cls, _text_of(cls))
    for role, text in world.role_to_behav.items():
        registry.take_in("behavior", role, name, None, text, text)
    registry.take_in(STATS, STATS, name, type(world.stats), _text_of(type(world.stats)))
    return [f"world {name}, roles {', '.join(world.role_classes)}"]


def _without_folder(cls: type[World], name: str, attributes: Mapping[str, Any]) -> type[World]:
    def __init__(self: World) -> None:
        World.__init__(self)
        vars(self).update(copy.deepcopy(dict(attributes)))

    parts = {"__init__": __init__, "create_behav_files": World.create_behav_files, "__doc__": cls.__doc__}
    return type(name, (cls,), parts)


def _text_of(cls: type) -> str:
    for function in vars(cls).values():
        code = getattr(inspect.unwrap(function) if inspect.isfunction(function) else None, "__code__", None)
        if code is not None and Path(code.co_filename).is_file():
            return Path(code.co_filename).read_text(encoding="utf-8")
    return f"class {cls.__name__}: ...\n"
