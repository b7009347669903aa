"""Checks of a definition against the other ones, and against what is running."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from unaiverse_lab.agents import Agent
from unaiverse_lab.behavior.lint import requested_names
from unaiverse_lab.notebook import cells
from unaiverse_lab.notebook import diagnostics as say
from unaiverse_lab.notebook.cells import STATS, Cell, Definition
from unaiverse_lab.notebook.diagnostics import Diagnostic
from unaiverse_lab.runtime import redefine

if TYPE_CHECKING:
    from unaiverse_lab.notebook.registry import Registry


def finish_role(registry: Registry, cell: Cell, definition: Definition, body: list[ast.stmt]) -> None:
    """Give the class the actions of other cells, and look whether machines can still use it."""
    world, role, cls = definition.world, definition.name, definition.object
    prefix = f"{role}."
    for name in registry.names(world, "action"):
        found = registry.now(world, "action", name)
        method = name.removeprefix(prefix)
        if found is not None and name.startswith(prefix) and method not in definition.methods:
            cells.attach(cls, method, found.object)
    defined = {getattr(node, "name", ""): node for node in body}
    _check_users(registry, cell, definition, cls, role, defined)


def check_action(registry: Registry, cell: Cell, definition: Definition) -> None:
    """Look whether machines can still use an action that is defined again."""
    role, _, method = definition.name.partition(".")
    nodes = {
        node.name: node for node in ast.walk(cell.parse(definition.what)) if isinstance(node, ast.AsyncFunctionDef)
    }
    _check_users(registry, cell, definition, registry.with_action(definition), role, dict(nodes), method)


def _check_users(
    registry: Registry,
    cell: Cell,
    definition: Definition,
    cls: type[Agent],
    role: str,
    defined: dict[str, Any],
    only: str | None = None,
) -> None:
    """Refuse what a running machine cannot do without; of a behavior nobody runs now, say so."""
    trouble: list[tuple[str, str]] = []
    behavior = registry.now(definition.world, "behavior", role)
    if behavior is not None and behavior.draft is not None:
        trouble += [(name, error.problem) for name, error in cells.uses(behavior.draft, cls, only)]
    runs = any(True for home in registry.sessions(definition.world) for _ in redefine.members(home, role))
    for home in registry.sessions(definition.world):
        try:
            redefine.check_actions(home, role, cls, only)
        except redefine.Refusal as refusal:
            trouble.append((only or "", str(refusal)))
    if not trouble:
        return
    name, problem = trouble[0]
    message, hint = say.split_hint(problem)
    node = defined.get(name)
    if runs:
        advice = "Agents are using it: change the behavior first, or define both in one cell."
        found = (say.REFUSED, "error", f"{message} The old definition runs on.", f"{hint} {advice}".strip())
    else:
        found = (
            say.REFUSED,
            "warning",
            message,
            f"{hint} The behavior of {role} needs it: change that, too.".strip(),
        )
    definition.diagnostics.append(
        say.at_name(node, name, cell.text, *found) if node is not None else Diagnostic(*found, definition.lines[0])  # type: ignore[arg-type]
    )
    cells.stop_at_errors(cell, definition)


def finish_behavior(registry: Registry, cell: Cell, definition: Definition, tree: ast.AST | None) -> None:
    """Look at a machine, knowing what the other roles may ask of it."""
    definition.diagnostics += cells.behavior_findings(cell, definition, _requestable(registry, definition), tree)
    cells.stop_at_errors(cell, definition)


def _requestable(registry: Registry, definition: Definition) -> set[str] | None:
    """What members of the world may request of each other; None while some role has no behavior."""
    machines = []
    words: set[str] = set()
    for role in registry.names(definition.world, "role"):
        behavior = registry.now(definition.world, "behavior", role)
        draft = definition.draft if role == definition.name else behavior.draft if behavior is not None else None
        if draft is None:
            return None
        machines.append(draft)
        words |= cells.words_of(registry.need_role(definition.world, role))
    named = requested_names(machines)
    return None if named is None else named | words


def check_stats(registry: Registry, cell: Cell, definition: Definition) -> None:
    """Refuse another type for a stat that may have values already, unless that is meant."""
    old = registry.now(definition.world, "stats", STATS)
    if old is None or not registry.sessions(definition.world):
        return
    _, _, retyped = redefine.stats_changes(old.object, definition.object)
    if retyped and not definition.options.get("migrate"):
        place = cells.literal(ast.walk(ast.parse("\n" + cell.text.partition("\n")[2])), retyped[0])
        words = (
            say.REFUSED, "error", f"the stat {retyped[0]!r} has values of another type already.",
            "Give it another name, or accept it with --migrate.",
        )  # fmt: skip
        definition.diagnostics.append(
            say.at(place, *words) if place is not None else Diagnostic(*words, definition.lines[0])  # type: ignore[arg-type]
        )
        cells.stop_at_errors(cell, definition)
