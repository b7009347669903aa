"""What is wrong with a definition, and where: found before it runs, shown at the learner's own line.

Lines count as the reader of the cell counts them: line 1 is the magic line, if the cell begins with one.
"""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any, Literal

from unaiverse_lab.behavior.actions import TIMES
from unaiverse_lab.behavior.lint import Finding
from unaiverse_lab.core.errors import BehaviorError, LabError, did_you_mean, nearest

Severity = Literal["error", "warning", "note"]
PAGE = "docs/cells.md"

SYNTAX, NAME, UNKNOWN_NAME, BODY = "UL001", "UL002", "UL003", "UL004"
NOT_ASYNC, NO_VERDICT, RESERVED, NO_AWAIT, HOW_MANY = "UL010", "UL011", "UL012", "UL013", "UL014"
BEHAVIOR = "UL020"
ROLES, NO_BEHAVIOR = "UL030", "UL031"
REFUSED, STATS, FIELDS = "UL040", "UL050", "UL060"

CODES = {
    "unknown-action": "UL021",
    "unknown-argument": "UL022",
    "unreachable": "UL023",
    "dead-end": "UL024",
    "wildcard": "UL025",
    "never-requested": "UL026",
    "duplicate": "UL027",
    "missing-argument": "UL028",
    "initial-state": "UL029",
    "endless-chain": "UL029",
}
"""Codes of what the checks of behaviors find."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to look at in a cell.

    Attributes:
        code: ``"UL..."``, explained in the manual.
        severity: ``"error"`` (the definition is not taken), ``"warning"`` or ``"note"``.
        message: what is the matter.
        hint: what to do about it; may be empty.
        line: line of the cell, from 1; 0 if it is about the whole.
        col, end_col: columns of that line, from 0; equal if it is about the line.
    """

    code: str
    severity: Severity
    message: str
    hint: str = ""
    line: int = 0
    col: int = 0
    end_col: int = 0


class DefinitionError(LabError):
    """A cell defines something that cannot work. The definition before it, if there is one, stays.

    Attributes:
        diagnostics: everything that was found, errors first.
        hidden: the exception behind it, if any (``%lab explain`` shows its traceback).
    """

    def __init__(
        self, what: str, diagnostics: Iterable[Diagnostic], text: str = "", hidden: BaseException | None = None
    ) -> None:
        self.diagnostics = list(diagnostics)
        self.hidden = hidden
        super().__init__(render(what, self.diagnostics, text))

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback."""
        return str(self).splitlines()


def render(what: str, diagnostics: Iterable[Diagnostic], text: str) -> str:
    """Diagnostics in words: a headline, the line with a caret, the hint.

    Args:
        what: what they are about, e.g. ``"role teacher"``.
        diagnostics: the diagnostics.
        text: the whole cell.
    """
    lines = text.splitlines()
    blocks = []
    for one in diagnostics:
        place = f", line {one.line}" if one.line else ""
        block = [f"{one.severity} {one.code} in {what}{place}: {one.message}"]
        if 0 < one.line <= len(lines):
            source = lines[one.line - 1].expandtabs(1)
            block.append(f"{one.line:>5} | {source}")
            start, end = one.col, one.end_col
            if end <= start:
                start, end = len(source) - len(source.lstrip()), max(len(source.rstrip()), 1)
            block.append(f"      | {' ' * start}{'^' * max(1, min(end, len(source) or end) - start)}")
        if one.hint:
            block.append(f"        {one.hint}")
        blocks.append("\n".join(block))
    if any(one.severity == "error" for one in diagnostics):
        blocks.append(f"(the codes are explained in {PAGE})")
    return "\n".join(blocks)


def at(node: ast.AST, code: str, severity: Severity, message: str, hint: str = "") -> Diagnostic:
    """A diagnostic at a piece of source; of a longer piece, at its first line."""
    line, col = getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
    end = getattr(node, "end_col_offset", 0) if getattr(node, "end_lineno", line) == line else col
    return Diagnostic(code, severity, message, hint, line, col, end or col)


def at_name(node: ast.AST, name: str, text: str, *rest: Any) -> Diagnostic:
    """A diagnostic at the name that a ``def`` or a ``class`` introduces."""
    line = node.lineno  # type: ignore[attr-defined]
    col = text.splitlines()[line - 1].find(name, node.col_offset) if text else -1  # type: ignore[attr-defined]
    found = at(node, *rest)
    return replace(found, col=col, end_col=col + len(name)) if col >= 0 else found


# ---------------------------------------------------------------------- syntax


def syntax(error: SyntaxError) -> Diagnostic:
    """A syntax error, at its place."""
    col = max(0, (error.offset or 1) - 1)
    end = (error.end_offset or 0) - 1 if error.end_lineno == error.lineno else 0
    return Diagnostic(
        SYNTAX, "error", f"this is not Python: {error.msg}.", "", error.lineno or 1, col, max(end, col + 1)
    )


def not_a_name(name: str, what: str) -> Diagnostic | None:
    """A name that cannot be the name of a definition."""
    if name.isidentifier() and name.isascii():
        return None
    hint = "Use letters, digits and _, and do not begin with a digit."
    return Diagnostic(NAME, "error", f"{name!r} cannot be the name of a {what}.", hint, 1)


# ---------------------------------------------------------------------- names


def unknown_names(code: CodeType, known: Mapping[str, Any], names: Iterable[str] = ()) -> Iterator[Diagnostic]:
    """Names used inside functions that mean nothing yet: they may come in a later cell, or be mistyped."""
    here = {*known, *names, *vars(builtins), "__class__"}
    told: set[str] = set()
    for inner in _codes(code):
        if inner.co_name == "<module>":
            continue
        for step in dis.get_instructions(inner):
            name = step.argval
            if step.opname not in ("LOAD_GLOBAL", "LOAD_NAME") or name in here or name in told:
                continue
            if step.opname == "LOAD_NAME" and name in inner.co_names and _stored(inner, name):
                continue
            told.add(name)
            at_ = step.positions
            line, col, end = (at_.lineno, at_.col_offset, at_.end_col_offset) if at_ is not None else (0, 0, 0)
            close = nearest(name, here)
            hint = did_you_mean(name, here).strip() if close else "Define or import it before the world runs."
            yield Diagnostic(
                UNKNOWN_NAME, "warning", f"{name} is not defined (so far).", hint, line or 0, col or 0, end or 0
            )


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _stored(code: CodeType, name: str) -> bool:
    return any(
        step.opname in ("STORE_NAME", "IMPORT_NAME") and step.argval == name for step in dis.get_instructions(code)
    )


# ---------------------------------------------------------------------- methods


def is_action_mark(decorator: ast.expr) -> bool:
    """``@action``, ``@lab.action``, ``@action(...)``."""
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
    return name == "action"


def is_action(node: ast.stmt, base: type, implicit: bool) -> bool:
    """Whether a statement of a class body defines an action.

    Args:
        node: the statement.
        base: the class it derives from: its other coroutine methods are hooks.
        implicit: whether every ``async def`` without leading underscore is one, marked or not.
    """
    if not isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
        return False
    if any(is_action_mark(one) for one in node.decorator_list):
        return True
    known = getattr(base, node.name, None)
    hook = known is not None and not getattr(known, "_is_action", False)
    return implicit and isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_") and not hook


def method_checks(body: Iterable[ast.stmt], base: type, implicit: bool, text: str) -> Iterator[Diagnostic]:
    """Check the methods of an agent class.

    Args:
        body: the statements of the class.
        base: the class it derives from.
        implicit: as for :func:`is_action`.
        text: the whole cell.
    """
    body = list(body)
    own = {node.name for node in body if isinstance(node, ast.AsyncFunctionDef)}
    for node in body:
        if not isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
            continue
        if is_action(node, base, implicit):
            yield from _action_checks(node, text)
        yield from _awaits(node, own, base)


def _action_checks(node: ast.AsyncFunctionDef | ast.FunctionDef, text: str) -> Iterator[Diagnostic]:
    if isinstance(node, ast.FunctionDef):
        yield at_name(
            node, node.name, text, NOT_ASYNC, "error", f"the action {node.name!r} is not an 'async def'.",
            f"Write 'async def {node.name}(self, ...) -> bool:'.",
        )  # fmt: skip
    if not (isinstance(node.returns, ast.Name | ast.Constant) and ast.unparse(node.returns).strip("'\"") == "bool"):
        yield at_name(
            node, node.name, text, NO_VERDICT, "warning", f"the action {node.name!r} does not say it returns a bool.",
            "Write '-> bool', and return True (done: the transition is taken) or False (not now).",
        )  # fmt: skip
    arguments = node.args
    for extra in (arguments.vararg, arguments.kwarg):
        if extra is not None:
            yield at(
                extra,
                RESERVED,
                "error",
                f"the action {node.name!r} takes '*{extra.arg}'.",
                "Name its arguments instead.",
            )
    for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if one.arg in TIMES or one.arg == "action_kwargs":
            yield replace(
                at(
                    one, RESERVED, "error", f"the argument name {one.arg!r} is reserved: transitions have it.",
                    "Use another name.",
                ),
                end_col=one.col_offset + len(one.arg),
            )  # fmt: skip


def _awaits(function: ast.AST, own: set[str], base: type) -> Iterator[Diagnostic]:
    awaited = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Await)}
    inner = {
        id(argument)
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        for argument in (*node.args, *(one.value for one in node.keywords))
    }
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or id(node) in awaited or id(node) in inner:
            continue
        called = node.func
        if not (isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "self"):
            continue
        if called.attr in own or inspect.iscoroutinefunction(getattr(base, called.attr, None)):
            yield at(
                node, NO_AWAIT, "error", f"self.{called.attr}(...) is not awaited: nothing of it would happen.",
                f"Write 'await self.{called.attr}(...)'.",
            )  # fmt: skip


# ---------------------------------------------------------------------- errors of a body, findings about a machine


def raised(error: BaseException, filename: str, tree: ast.AST | None) -> Diagnostic:
    """An exception that came out of a cell's body, at the line of the cell."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == filename]
    line = frames[-1].lineno or 0 if frames else 0
    if isinstance(error, BehaviorError):
        problem, hint = split_hint(error.problem)
        code = BEHAVIOR
        if " has no action " in problem:
            code = CODES["unknown-action"]
        elif " has no argument " in problem:
            code = CODES["unknown-argument"]
        elif "there already" in problem:
            code = CODES["duplicate"]
        elif "is not an action" in problem or "cannot be an action" in problem:
            code = NOT_ASYNC
        found = Diagnostic(code, "error", problem, hint, line)
        return pointed(found, tree, quoted(problem))
    if isinstance(error, LabError):
        return Diagnostic(BODY, "error", *split_hint(str(error)), line)
    name = type(error).__name__
    found = Diagnostic(BODY, "error", f"{name}: {error}", "", line)
    if frames and frames[-1].colno is not None and frames[-1].end_lineno == line:
        return replace(found, col=frames[-1].colno, end_col=frames[-1].end_colno or 0)
    return found


def split_hint(problem: str) -> tuple[str, str]:
    """The sentence, and the hint that follows it."""
    for mark in (" Did you mean ", " Known: ", " Give it ", " Remove "):
        head, found, rest = problem.partition(mark)
        if found:
            return _sentence(head), (mark + rest).strip()
    return _sentence(problem), ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."


def quoted(problem: str) -> list[str]:
    """What stands in quotation marks, last first: the nearer to the end, the nearer to the matter."""
    return problem.split("'")[1::2][::-1]


def pointed(found: Diagnostic, tree: ast.AST | None, words: Iterable[str]) -> Diagnostic:
    """The same diagnostic at the text or name in its statement that is one of ``words``."""
    if tree is None or not found.line:
        return found
    statement = next(
        (
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr | ast.Assign) and node.lineno <= found.line <= (node.end_lineno or 0)
        ),
        None,
    )
    if statement is None:
        return found
    for word in words:
        for node in ast.walk(statement):
            if isinstance(node, ast.Constant) and node.value == word and node.end_lineno == node.lineno:
                return replace(found, line=node.lineno, col=node.col_offset, end_col=node.end_col_offset or 0)
            if isinstance(node, ast.keyword) and node.arg == word:
                return replace(found, line=node.lineno, col=node.col_offset, end_col=node.col_offset + len(word))
    return found


def of_findings(
    findings: Iterable[Finding], lines: Mapping[str, int], tree: ast.AST | None, whole: int
) -> list[Diagnostic]:
    """What the checks of a behavior found, at the lines that made each piece.

    Args:
        findings: what they found.
        lines: place in the behavior -> line.
        tree: the source that made it.
        whole: the line of what is about the whole.
    """
    found = []
    for one in findings:
        severity: Severity = one.level
        diagnostic = Diagnostic(
            CODES.get(one.code, BEHAVIOR), severity, one.problem, one.hint, lines.get(one.where, whole)
        )
        words = [*quoted(one.problem), one.where.removeprefix("states.")]
        found.append(pointed(diagnostic, tree, words) if one.where in lines else diagnostic)
    return found


# ---------------------------------------------------------------------- worlds


def role_checks(body: Iterable[ast.stmt], roles: Iterable[str], text: str) -> Iterator[Diagnostic]:
    """Role names that ``assign_role`` returns literally and that nobody has defined.

    A name close to one that exists is taken for a mistake; one that resembles none may still come.
    """
    roles = list(roles)
    for node in body:
        if not (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "assign_role"):
            continue
        if isinstance(node, ast.AsyncFunctionDef):
            yield at_name(
                node, node.name, text, ROLES, "error", "assign_role is not awaited: it cannot be an 'async def'.",
                "Write 'def assign_role(self, profile, is_world_master):'.",
            )  # fmt: skip
        for one in _returned(node):
            name = one.value.partition("~")[2] or one.value
            if name in roles or name in ("world_master", "world_agent"):
                continue
            close = nearest(name, roles)
            yield at(
                one, ROLES, "error" if close else "warning", f"assign_role returns {name!r}, and there is no such role"
                + ("." if close else " so far."),
                did_you_mean(name, roles).strip() if close else f"Define it in a cell: %%role {name}",
            )  # fmt: skip


def _returned(function: ast.AST) -> Iterator[Any]:
    pending = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None]
    while pending:
        value = pending.pop(0)
        if isinstance(value, ast.IfExp):
            pending += [value.body, value.orelse]
        elif isinstance(value, ast.BoolOp):
            pending += value.values
        elif isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value
