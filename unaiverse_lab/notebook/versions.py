"""What a learner asks of definitions: to undo one, to rename a state, to say what is missing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from unaiverse_lab.core.errors import LabError, did_you_mean
from unaiverse_lab.notebook import diagnostics as say
from unaiverse_lab.notebook.cells import Definition, needs_arguments
from unaiverse_lab.notebook.forms import indented
from unaiverse_lab.notebook.registry import Misused
from unaiverse_lab.world import World

if TYPE_CHECKING:
    from unaiverse_lab.notebook.registry import Registry


def undo(registry: Registry, name: str) -> list[str]:
    """Put the version before in place again, in running sessions, too.

    Args:
        registry: the definitions.
        name: see :meth:`Registry.find`; of several entries, the one that was defined last.

    Returns:
        What there is to tell.

    Raises:
        Misused: there is none, or no version before.
        Refusal: running agents cannot do with it.
    """
    placed = [(entry, entry.current) for entry in registry.find(name) if entry.current is not None]
    if not placed:
        raise Misused(f"{name} has errors and is not in place: there is nothing to undo")
    entry, current = max(placed, key=lambda one: one[1].execution_count or 0)
    position = entry.versions.index(current)
    if position == 0:
        if current.kind != "action":
            raise Misused(f"{current.what} has no version before {current.version}")
        return registry.forget_action(current)
    before = entry.versions[position - 1]
    role, _, method = before.name.partition(".")
    if before.kind == "role":
        registry.check_running(before.world, role, before.object)
    elif before.kind == "action":
        registry.check_running(before.world, role, registry.with_action(before), method)
    entry.broken = None
    return registry.put(before)


def rename(registry: Registry, old: str, new: str) -> str:
    """Say that a state is called otherwise in the next version of a behavior: agents in it stay in it.

    Args:
        registry: the definitions.
        old: ``role:state``, or a state that only one behavior has.
        new: its name to come.

    Returns:
        What there is to tell.

    Raises:
        Misused: there is no such state, or several behaviors have it.
    """
    role, _, state = old.rpartition(":")
    behaviors = [
        (key, list(entry.current.draft.machine.states))
        for key, entry in registry.all()
        if key[1] == "behavior" and entry.current is not None and entry.current.draft is not None
    ]
    found = [key for key, states in behaviors if (not role or key[2] == role) and state in states]
    if not found:
        known = [name for _, states in behaviors for name in states]
        raise Misused(f"no behavior has a state {state!r}.{did_you_mean(state, known)}")
    if len(found) > 1:
        raise Misused(f"several behaviors have it: say {' or '.join(f'{key[2]}:{state}' for key in found)}")
    world, _, role = found[0]
    registry.renamed.setdefault((world, role), {})[state] = new = new.rpartition(":")[2]
    return f"a {role} in {state} will be in {new} when the behavior of {role} is defined again, with that state"


def problems(registry: Registry) -> list[str]:
    """What keeps the worlds from running, in words; empty when nothing does."""
    told = []
    for (_, kind, name), entry in registry.all():
        if entry.broken is not None:
            in_place = f"; version {entry.current.version} is in place" if entry.current is not None else ""
            told.append(f"{kind} {name}: its last version has errors (%lab explain){in_place}")
        elif entry.status == "stale":
            told.append(f"{kind} {name}: uses actions that are gone or take other arguments; run its cell again")
    for world in registry.worlds():
        told += [f"world {world}: {problem}" for problem in _problems_of(registry, world)]
    if not registry.worlds() and registry.entries:
        told.append("there is no world: %%world NAME")
    return told


def _problems_of(registry: Registry, world: str) -> Iterator[str]:
    definition = registry.now(None, "world", world)
    assert definition is not None
    cls: type[World] = definition.object
    roles = registry.names(world, "role")
    silent = [role for role in roles if role not in registry.names(world, "behavior")]
    for role in silent:
        yield f"the role {role} has no behavior: %%behavior {role}"
    if roles and cls.assign_role is World.assign_role:
        yield "it has roles, and no rule to assign them: define assign_role(self, profile, is_world_master)"
        return
    for one in say.role_checks(_body_of(definition), roles, ""):
        yield one.message
    if roles and not silent and not needs_arguments(cls):
        try:
            cls().prepare()
        except LabError as error:
            yield str(error)


def _body_of(definition: Definition) -> list[ast.stmt]:
    text = definition.source
    if definition.form == "cell":
        text = f"class World:\n{indented(text.partition(chr(10))[2])}"
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return []
    return next((node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef)), [])
