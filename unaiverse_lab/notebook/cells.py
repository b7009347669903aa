"""From the text of a cell, or a decorated class, to a definition: compiled at its own lines, checked before it runs."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import linecache
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from unaiverse_lab.agents import Agent
from unaiverse_lab.behavior import HybridStateMachine, action
from unaiverse_lab.behavior.actions import action_names, spec_of
from unaiverse_lab.behavior.drafting import Draft, build
from unaiverse_lab.behavior.lint import lint
from unaiverse_lab.core.declare import camel_case, snake_case
from unaiverse_lab.core.errors import BehaviorError, LabError, did_you_mean
from unaiverse_lab.notebook import diagnostics as say
from unaiverse_lab.notebook.diagnostics import DefinitionError, Diagnostic
from unaiverse_lab.runtime.redefine import Refusal, check_layout
from unaiverse_lab.stats import Stats
from unaiverse_lab.world import World

KINDS = ("world", "role", "action", "behavior", "stats", "event", "entity")
STATS = "stats"
"""The name under which the statistics of a world are kept."""


@dataclass
class Definition:
    """One version of something that a cell defines.

    Attributes:
        kind: one of :data:`KINDS`.
        name: its name; of an action ``role.action``.
        world: the world it belongs to; None as long as there is none.
        source: the text, as it stands in the cell.
        filename: what tracebacks call that cell.
        lines: first and last line of ``source`` in the cell.
        form: ``"cell"`` (a magic), ``"python"`` (a decorated class or function) or ``"folder"``.
        version: from 1; 0 before it is taken.
        digest: equal for definitions that say the same; comments and blank lines do not count.
        object: the class or the function.
        machine: of behaviors, the JSON text.
        status: ``"ok"``, ``"stale"`` (what it relies on has changed, run its cell again) or ``"broken"``.
        diagnostics: what there was to say about it.
        options: of its magic line or decorator.
        cell_id: the notebook's name for the cell; None when it is executed without a front end.
        execution_count: number of the execution.
        replaced_at_tick: tick of the (last) running session at which a later version took its place.
        methods: of roles, what the class itself held when it was made.
        bases: of classes, what they derive from.
        draft: of behaviors, the machine and the lines of its pieces.
    """

    kind: str
    name: str
    world: str | None = None
    source: str = ""
    filename: str = ""
    lines: tuple[int, int] = (1, 1)
    form: str = "cell"
    version: int = 0
    digest: str = ""
    object: Any = None
    machine: str | None = None
    status: str = "ok"
    diagnostics: list[Diagnostic] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    cell_id: str | None = None
    execution_count: int | None = None
    replaced_at_tick: int | None = None
    methods: dict[str, Any] = field(default_factory=dict)
    bases: tuple[Any, ...] = ()
    draft: Draft | None = None

    @property
    def what(self) -> str:
        """``"role teacher"``."""
        return self.kind if self.name == STATS == self.kind else f"{self.kind} {self.name}"

    @property
    def code_hash(self) -> str:
        """A fingerprint of the text, as it stands."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    def same_as(self, other: Definition | None) -> bool:
        """Whether both say the same."""
        return other is not None and self.digest == other.digest and self.bases == other.bases


class Cell:
    """The text of a cell being executed.

    Args:
        text: all of it; line 1 may be a magic.
        filename: what tracebacks call it.
        names: the names that its code can use.
    """

    def __init__(self, text: str, filename: str, names: dict[str, Any]) -> None:
        self.text = text
        self.filename = filename
        self.names = names

    def parse(self, what: str) -> ast.Module:
        """The body of a cell whose first line is a magic.

        Raises:
            DefinitionError: it is not Python.
        """
        body = "\n" + self.text.partition("\n")[2]
        try:
            return ast.parse(body, self.filename)
        except SyntaxError as error:
            raise DefinitionError(what, [say.syntax(error)], self.text, error) from None

    def fail(self, definition: Definition, found: Iterable[Diagnostic], error: BaseException | None = None) -> Any:
        """Give up a definition."""
        definition.diagnostics = sorted(found, key=lambda one: ("error", "warning", "note").index(one.severity))
        definition.status = "broken"
        raise DefinitionError(definition.what, definition.diagnostics, self.text, error) from None

    def execute(self, tree: ast.Module, definition: Definition, hidden: dict[str, Any]) -> dict[str, Any]:
        """Execute statements; what they bind is returned, and not given to the notebook.

        Raises:
            DefinitionError: an exception came out of them.
        """
        for node in tree.body:
            if "type_params" in node._fields:  # from Python 3.12 on
                vars(node).setdefault("type_params", [])
        ast.fix_missing_locations(tree)
        try:
            code = compile(tree, self.filename, "exec")
        except SyntaxError as error:
            return self.fail(definition, [say.syntax(error)], error)  # type: ignore[no-any-return]
        definition.diagnostics += say.unknown_names(
            code, self.names, [*hidden, *(getattr(node, "name", "") for node in tree.body)]
        )
        try:
            exec(code, self.names, hidden)
        except Exception as error:
            found = say.raised(error, self.filename, tree)
            return self.fail(definition, [*definition.diagnostics, found], error)  # type: ignore[no-any-return]
        return hidden

    def tried(self, definition: Definition, tree: ast.AST | None, make: Callable[[], Any]) -> Any:
        """What ``make()`` gives; its exceptions are told at the lines of this cell.

        Raises:
            DefinitionError: it raised something.
        """
        try:
            return make()
        except DefinitionError:
            raise
        except Exception as error:
            self.fail(definition, [*definition.diagnostics, say.raised(error, self.filename, tree)], error)


def cell_of(frame: FrameType) -> Cell:
    """The cell (or file) that a frame executes."""
    filename = frame.f_code.co_filename
    return Cell("".join(linecache.getlines(filename)), filename, frame.f_globals)


def digest_of(definition: Definition, body: Iterable[ast.AST], *more: Any) -> str:
    """A fingerprint that comments, blank lines and quotation marks do not change."""
    parts = [definition.kind, definition.name, *(ast.dump(node) for node in body), *map(repr, more)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def plain_attributes(cls: type) -> list[tuple[str, Any]]:
    """The values a class holds, for its fingerprint: they may come from names of other cells."""
    plain = (int, float, str, bool, bytes, tuple, list, dict, set, frozenset, type(None))
    return [
        (name, value) for name, value in vars(cls).items() if isinstance(value, plain) and not name.startswith("__")
    ]


# ---------------------------------------------------------------------- classes


def class_of_cell(
    cell: Cell, definition: Definition, class_name: str, base: type, role: bool = True
) -> tuple[type, list[ast.stmt]]:
    """The class whose body is the body of the cell, and that body.

    Args:
        cell: the cell.
        definition: what it defines.
        class_name, base: of the class.
        role: whether a subclass of ``Agent`` is a role, whose coroutine methods are actions.

    Raises:
        DefinitionError: it is not Python, or executing it raised something.
    """
    body = cell.parse(definition.what).body
    if not body:
        cell.fail(definition, [Diagnostic(say.HOW_MANY, "error", "the cell defines nothing.", "", 1)])
    if role:
        check_methods(cell, definition, body, base, implicit=True)
    whole = ast.ClassDef(
        class_name,
        [ast.Name("__base", ast.Load())],
        [],
        body,
        [],
        lineno=1,
        col_offset=0,
        end_lineno=1,
        end_col_offset=0,
    )
    made = cell.execute(ast.Module([whole], []), definition, {"__base": base})[class_name]
    if role and issubclass(base, Agent):
        for node in body:
            if say.is_action(node, base, implicit=True):
                name = node.name  # type: ignore[attr-defined]
                if not getattr(made.__dict__[name], "_is_action", False):
                    setattr(made, name, action(made.__dict__[name]))
    return made, body


def check_methods(cell: Cell, definition: Definition, body: list[ast.stmt], base: type, implicit: bool) -> None:
    """Check the methods of an agent class before it is made.

    Raises:
        DefinitionError: an action that cannot be one.
    """
    if issubclass(base, Agent):
        definition.diagnostics += say.method_checks(body, base, implicit, cell.text)
        stop_at_errors(cell, definition)


def stop_at_errors(cell: Cell, definition: Definition) -> None:
    """Give up a definition with errors.

    Raises:
        DefinitionError: it has some.
    """
    if any(one.severity == "error" for one in definition.diagnostics):
        cell.fail(definition, definition.diagnostics)


def source_of_object(
    cell: Cell, definition: Definition, thing: Any, line: int
) -> ast.ClassDef | ast.FunctionDef | None:
    """Where a decorated class or function stands; None if its text is not known."""
    definition.filename, definition.form = cell.filename, "python"
    try:
        tree = ast.parse(cell.text)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == thing.__name__:
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            last = node.end_lineno or node.lineno
            if first <= line <= last:
                definition.lines = (first, last)
                definition.source = "\n".join(cell.text.splitlines()[first - 1 : last]) + "\n"
                return node
    return None


def class_of_decorator(cell: Cell, definition: Definition, cls: type, line: int) -> list[ast.stmt]:
    """The body of a decorated class, checked like that of a cell.

    Raises:
        DefinitionError: an action that cannot be one.
    """
    node = source_of_object(cell, definition, cls, line)
    body = list(node.body) if node is not None else []
    check_methods(cell, definition, body, cls.__mro__[1], implicit=False)
    return body


def finish_role(cell: Cell, definition: Definition, cls: type, body: list[ast.stmt]) -> None:
    """What holds for the class of a role, however it was written.

    Raises:
        DefinitionError: no agent could be one of this class.
    """
    if not issubclass(cls, Agent):
        hint = "Write 'class X(lab.Agent):', or give --base a class that derives from it."
        cell.fail(definition, [Diagnostic(say.NAME, "error", f"{cls.__name__} is not an Agent.", hint, 1)])
    try:
        check_layout(cls)
    except Refusal as refusal:
        cell.fail(
            definition, [*definition.diagnostics, Diagnostic(say.REFUSED, "error", f"{refusal}.", "", 1)], refusal
        )
    cell.tried(definition, None, lambda: cls(proc=None))
    definition.object, definition.bases = cls, cls.__bases__
    definition.methods = {name: value for name, value in vars(cls).items() if inspect.isfunction(value)}
    definition.digest = digest_of(definition, body, plain_attributes(cls))


def finish_world(
    cell: Cell, definition: Definition, cls: type, body: list[ast.stmt], roles: Mapping[str, bool]
) -> None:
    """What holds for the class of a world.

    Args:
        cell, definition, cls, body: the class.
        roles: the roles known, and whether each has a behavior.

    Raises:
        DefinitionError: it cannot be made, or assigns roles that do not exist.
    """
    if not issubclass(cls, World):
        cell.fail(
            definition,
            [Diagnostic(say.NAME, "error", f"{cls.__name__} is not a World.", "Write 'class X(lab.World):'.", 1)],
        )
    definition.diagnostics += say.role_checks(body, roles, cell.text)
    stop_at_errors(cell, definition)
    if not needs_arguments(cls):
        cell.tried(definition, None, cls)
    definition.diagnostics += [
        Diagnostic(say.NO_BEHAVIOR, "note", f"the role {role} has no behavior so far.", f"Define it: %%behavior {role}")
        for role, has in roles.items()
        if not has
    ]
    definition.object, definition.bases = cls, cls.__bases__
    definition.digest = digest_of(definition, body, plain_attributes(cls), sorted(definition.options.items(), key=str))


def needs_arguments(cls: type) -> bool:
    """Whether a class cannot be made without arguments."""
    parameters = list(inspect.signature(cls).parameters.values())
    return any(
        one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
        for one in parameters
    )


def finish_stats(cell: Cell, definition: Definition, cls: type, body: list[ast.stmt]) -> None:
    """What holds for the class of a world's statistics.

    Raises:
        DefinitionError: its schemas are wrong.
    """
    if not issubclass(cls, Stats):
        cell.fail(
            definition,
            [Diagnostic(say.NAME, "error", f"{cls.__name__} is not a Stats.", "Write 'class X(lab.Stats):'.", 1)],
        )
    try:
        cls(is_world=True)
    except LabError as error:
        found = Diagnostic(say.STATS, "error", *say.split_hint(str(error)), 1)
        for word in say.quoted(str(error)):
            if place := literal(body, word):
                found = say.at(place, say.STATS, "error", found.message, found.hint)
                break
        cell.fail(definition, [*definition.diagnostics, found], error)
    definition.object, definition.bases = cls, cls.__bases__
    definition.digest = digest_of(definition, body)


def literal(body: Iterable[ast.AST], word: str) -> ast.AST | None:
    """Where a text stands in a piece of source."""
    found = (node for part in body for node in ast.walk(part) if isinstance(node, ast.Constant) and node.value == word)
    return next(found, None)


# ---------------------------------------------------------------------- actions


def actions_of_cell(cell: Cell, role: str, role_class: type[Agent], name: str | None, many: bool) -> list[Definition]:
    """The actions that a cell adds to a role: exactly one, unless ``many``.

    Raises:
        DefinitionError: another number of them, or what cannot be an action.
    """
    whole = Definition("action", f"{role}.{name}" if name else role)
    body = cell.parse(whole.what).body
    functions = [node for node in body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)]
    others = [node for node in body if node not in functions]
    found: list[Diagnostic] = []
    if others:
        found.append(
            say.at(others[0], say.HOW_MANY, "error", "an %%action cell holds an 'async def' and nothing else.",
                   "Put other things into a cell of their own.")
        )  # fmt: skip
    elif not functions or (len(functions) > 1 and not many):
        found.append(
            Diagnostic(say.HOW_MANY, "error", f"an %%action cell holds one 'async def', this one {len(functions)}.",
                       "Give --many if that is meant." if functions else "", 1)
        )  # fmt: skip
    elif name is not None and functions[0].name != name:
        found.append(
            say.at_name(functions[0], functions[0].name, cell.text, say.NAME, "error",
                        f"line 1 calls it {name!r}, its definition {functions[0].name!r}.", "Use one name.")
        )  # fmt: skip
    for node in functions:
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = node.decorator_list or [
                ast.Name("action", ast.Load(), lineno=node.lineno, col_offset=0)
            ]
        if node.name.startswith("_"):
            message = f"an action's name does not begin with _: {node.name!r}."
            found.append(say.at_name(node, node.name, cell.text, say.NAME, "error", message))
    if found:
        cell.fail(whole, found)
    return [_action(cell, role, role_class, node) for node in functions]


def _action(cell: Cell, role: str, role_class: type[Agent], node: ast.AsyncFunctionDef | ast.FunctionDef) -> Definition:
    definition = Definition("action", f"{role}.{node.name}", filename=cell.filename)
    definition.source = cell.text
    definition.lines = (1, len(cell.text.splitlines()))
    check_methods(cell, definition, [node], role_class, implicit=True)
    whole = ast.ClassDef(
        role_class.__name__, [], [], [node], [], lineno=1, col_offset=0, end_lineno=1, end_col_offset=0
    )
    made = cell.execute(ast.Module([whole], []), definition, {})[role_class.__name__].__dict__[node.name]
    definition.object = made if getattr(made, "_is_action", False) else action(made)
    definition.digest = digest_of(definition, [node])
    return definition


def attach(cls: type, name: str, function: Any) -> None:
    """Make a function a method of a class, as if it had been written there (``super()`` works)."""
    inner = inspect.unwrap(function)
    inner.__qualname__ = f"{cls.__qualname__}.{name}"
    for free, place in zip(inner.__code__.co_freevars, inner.__closure__ or (), strict=True):
        if free == "__class__":
            place.cell_contents = cls
    setattr(cls, name, function)


# ---------------------------------------------------------------------- behaviors


def behavior_of_cell(cell: Cell, definition: Definition, role_class: type[Agent], world: Any) -> None:
    """The machine that the body of a cell builds.

    Raises:
        DefinitionError: it cannot be built.
    """
    tree = cell.parse(definition.what)
    if not tree.body:
        cell.fail(
            definition, [Diagnostic(say.HOW_MANY, "error", "the cell builds nothing.", "behav.add_state('init')", 1)]
        )
    arguments = ast.arguments([], [ast.arg(name) for name in ("behav", "world", "role")], None, [], [], None, [])
    function = ast.FunctionDef(
        "build", arguments, tree.body, [], None, lineno=1, col_offset=0, end_lineno=1, end_col_offset=0
    )
    made = cell.execute(ast.Module([function], []), definition, {})["build"]
    draft_with(cell, definition, made, role_class, world, tree)


def draft_with(
    cell: Cell, definition: Definition, builder: Any, role_class: type[Agent], world: Any, tree: ast.AST | None
) -> None:
    """Let a builder build, and keep what it built.

    Raises:
        DefinitionError: it cannot.
    """
    draft = cell.tried(
        definition, tree, lambda: build(builder, role_class(proc=None), definition.name, world, cell.filename)
    )
    definition.object = builder
    take_draft(definition, draft, [tree] if tree is not None else [])


def behavior_of_json(cell: Cell, definition: Definition, role_class: type[Agent], text: str) -> None:
    """The machine in the text of a behavior file; its first line is line 2 of the cell.

    Raises:
        DefinitionError: it is not one.
    """
    draft = Draft(role_class(proc=None))
    try:
        json.loads(text)
        draft.load(json.loads(text))
    except json.JSONDecodeError as error:
        found = Diagnostic(
            say.SYNTAX, "error", f"this is not JSON: {error.msg}.", "", error.lineno + 1, error.colno - 1
        )
        cell.fail(definition, [found], error)
    except BehaviorError as error:
        problem, hint = say.split_hint(error.problem)
        words = [*say.quoted(error.problem), *error.where.replace("(", ".").replace(")", "").split(".")[::-1]]
        cell.fail(definition, [_in_json(Diagnostic(say.BEHAVIOR, "error", problem, hint, 1), cell.text, words)], error)
    draft.machine.role = definition.name
    take_draft(definition, draft, [])


def _in_json(found: Diagnostic, text: str, words: Iterable[str]) -> Diagnostic:
    for word in words:
        for number, line in enumerate(text.splitlines(), start=1):
            col = line.find(f'"{word.strip()}"')
            if number > 1 and word.strip() and col >= 0:
                end = col + len(word.strip()) + 2
                return Diagnostic(found.code, found.severity, found.message, found.hint, number, col, end)
    return found


def take_draft(definition: Definition, draft: Draft, body: Iterable[ast.AST]) -> None:
    """Keep a machine that was built."""
    definition.draft, definition.machine = draft, str(draft)
    definition.digest = digest_of(definition, body, definition.machine)


def behavior_findings(
    cell: Cell, definition: Definition, requestable: set[str] | None, tree: ast.AST | None
) -> list[Diagnostic]:
    """What the static checks say about a machine."""
    assert definition.draft is not None
    findings = lint(definition.draft, requestable=requestable)
    return say.of_findings(findings, definition.draft.lines, tree, definition.lines[0])


def words_of(cls: type) -> set[str]:
    """The texts in the methods of a class: names of actions that it may request from others are among them."""
    found: set[str] = set()
    for name in action_names(cls):
        pending = [inspect.unwrap(getattr(cls, name)).__code__]
        while pending:
            for constant in pending.pop().co_consts:
                if isinstance(constant, str):
                    found.add(constant)
                elif inspect.iscode(constant):
                    pending.append(constant)
                elif isinstance(constant, tuple):
                    found.update(one for one in constant if isinstance(one, str))
    return found


def uses(
    machine: HybridStateMachine, role_class: type[Agent], only: str | None = None
) -> list[tuple[str, BehaviorError]]:
    """The actions of a machine that a class cannot do (any more), with the reason."""
    found = []
    for call in machine.machine.calls():
        if only is None or call.name == only:
            try:
                spec_of(role_class, call.name).check_args(call.args)
            except BehaviorError as error:
                found.append((call.name, error))
    return found


# ---------------------------------------------------------------------- events


def event_of_cell(cell: Cell, definition: Definition) -> None:
    """An event class: the cell holds its fields, annotated names, and perhaps a docstring.

    Its ``event_type`` is the name of the class in ``snake_case``, its description the first line of the docstring.

    Raises:
        DefinitionError: anything else.
    """
    from unaiverse_lab.events import Event

    body = cell.parse(definition.what).body
    fields = {}
    for number, node in enumerate(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            fields[node.target.id] = ast.unparse(node.annotation)
        elif not (number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            found = say.at(node, say.FIELDS, "error", "an event holds annotated names: 'text: str'.", "")
            cell.fail(definition, [found])
    definition.options["fields"] = fields
    name = definition.name
    made: Any = class_of_cell(cell, definition, name, Event)[0] if body else type(name, (Event,), {})
    words = made.__dict__.get("__doc__") or ""
    made.event_type, made.description = snake_case(name), words.strip().partition("\n")[0]
    definition.object = made
    definition.digest = digest_of(definition, body)


def entity_of_cell(cell: Cell, definition: Definition) -> None:
    """A class of entities: objects, agents that plan, or users; the cell holds its body.

    Raises:
        DefinitionError: it is not Python, or executing it raised something.
    """
    from unaiverse_lab import events

    kind = definition.options.get("kind_of", "object")
    base = {"object": events.Object, "agent": events.Agent, "user": events.User}[kind]
    made, body = class_of_cell(cell, definition, definition.name, base, role=False)
    definition.object = made
    definition.digest = digest_of(definition, body, kind)


def class_name_of(kind: str, name: str) -> str:
    """The class that a cell makes: ``Chat`` for a world, ``StudentIsolated`` for a role, ``WStats``."""
    return {"role": camel_case(name), "stats": "WStats"}.get(kind, name)


def hint_for(name: str, known: Iterable[str], what: str) -> str:
    """The nearest names, or how to define one."""
    return did_you_mean(name, known).strip() or f"Define it first: %%{what} {name}"
