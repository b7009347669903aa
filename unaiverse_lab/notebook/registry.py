"""The definitions of one notebook: what was defined, in which versions, and how a session that runs gets a new one.

A definition is checked when its cell is executed, and *staged*. It is put in place when the cell has ended well, or
before the next tick if the cell itself steps on. A cell that fails takes back what it staged; a definition with errors
is not taken at all, and the one before it stays.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from unaiverse_lab.agents import Agent
from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.behavior.actions import action_names, spec_of
from unaiverse_lab.behavior.drafting import Draft
from unaiverse_lab.core.declare import Declared, OnMissing, declared
from unaiverse_lab.core.errors import LabError, did_you_mean
from unaiverse_lab.notebook import cells, fitting
from unaiverse_lab.notebook import diagnostics as say
from unaiverse_lab.notebook.cells import KINDS, STATS, Cell, Definition
from unaiverse_lab.notebook.diagnostics import DefinitionError
from unaiverse_lab.runtime import redefine
from unaiverse_lab.runtime.synchronizer import NodeSynchronizer
from unaiverse_lab.stats import Stats
from unaiverse_lab.world import World

Key = tuple[str | None, str, str]


class Misused(LabError):
    """A magic was used in a way that makes no sense; the message says how it is used."""


@dataclass
class Entry:
    """Everything that was defined under one name.

    Attributes:
        versions: all that were in place, oldest first.
        current: the one in place.
        broken: a later one with errors, if there is one.
        latest: the highest version number given.
    """

    versions: list[Definition] = field(default_factory=list)
    current: Definition | None = None
    broken: Definition | None = None
    latest: int = 0

    @property
    def status(self) -> str:
        """``"ok"``, ``"stale"`` or ``"broken"``."""
        return "broken" if self.broken is not None else self.current.status if self.current is not None else "undone"


class Registry:
    """The definitions of one shell.

    Args:
        shell: what ``get_ipython()`` returns.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.entries: dict[Key, Entry] = {}
        self.last_world: str | None = None
        self.error: DefinitionError | None = None
        self._staged: list[Definition] = []
        self.renamed: dict[tuple[str | None, str], dict[str, str]] = {}
        self._cell_id: str | None = None
        shell.events.register("pre_run_cell", self._before_cell)
        shell.events.register("post_run_cell", self._after_cell)

    # ------------------------------------------------------------------ questions

    def worlds(self) -> list[str]:
        """Names of the worlds, in order of definition."""
        return [name for _, kind, name in self.entries if kind == "world" and self.now(None, "world", name)]

    def names(self, world: str | None, kind: str) -> list[str]:
        """Names of the definitions of a kind in a world."""
        staged = [one.name for one in self._staged if one.world == world and one.kind == kind]
        placed = [key[2] for key in self.entries if key[:2] == (world, kind) and self.entries[key].current]
        return list(dict.fromkeys([*placed, *staged]))

    def now(self, world: str | None, kind: str, name: str) -> Definition | None:
        """The definition that holds: staged, or else in place."""
        for one in reversed(self._staged):
            if (one.world, one.kind, one.name) == (world, kind, name):
                return one
        entry = self.entries.get((world, kind, name))
        return None if entry is None else entry.current

    def all(self) -> Iterator[tuple[Key, Entry]]:
        """Everything that was defined: by world, then by kind, then in order."""
        worlds = [None, *self.worlds()]
        order = {key: number for number, key in enumerate(self.entries)}
        for key in sorted(
            self.entries,
            key=lambda one: (
                worlds.index(one[2] if one[1] == "world" else one[0])
                if (one[2] if one[1] == "world" else one[0]) in worlds
                else 0,
                KINDS.index(one[1]),
                order[one],
            ),
        ):
            yield key, self.entries[key]

    def world_of(self, given: Any = None) -> str | None:
        """The name of the world that a definition belongs to.

        Args:
            given: a name, a class, or None: the only world, or else the one defined last. With no world at all: None.

        Raises:
            Misused: no such world.
        """
        worlds = self.worlds()
        if isinstance(given, type):
            if given.__name__ not in worlds:
                self._adopt(given)
            return given.__name__
        if given is not None:
            if given not in worlds:
                raise Misused(
                    f"there is no world {given!r}.{did_you_mean(given, worlds) or ' Define it: %%world ' + given}"
                )
            return str(given)
        if self.last_world in worlds:
            return self.last_world
        if len(worlds) > 1:
            raise Misused(f"there are several worlds: say which one with --world ({', '.join(worlds)})")
        return worlds[0] if worlds else None

    def world_class(self, world: str | None) -> type[World] | None:
        """The class of a world."""
        found = self.now(None, "world", world) if world is not None else None
        return None if found is None else found.object

    def role_class(self, world: str | None, role: str) -> type[Agent] | None:
        """The class of a role, as it will be after what is staged."""
        found = self.now(world, "role", role)
        return None if found is None else found.object

    def sessions(self, world: str | None) -> list[NodeSynchronizer]:
        """The sessions that run a world."""
        world_class = self.world_class(world)
        return [] if world_class is None else redefine.running(world_class)

    # ------------------------------------------------------------------ definitions from cells

    def define(self, kind: str, name: str, text: str, world: Any = None, **options: Any) -> list[str]:
        """Take the definition in a cell whose first line is a magic.

        Args:
            kind: one of the kinds of definitions.
            name: its name; of actions the role.
            text: the whole cell.
            world: see :meth:`world_of`.
            options: of the magic line.

        Returns:
            What there is to tell.

        Raises:
            DefinitionError: it has errors; the one before it stays.
            Misused: no such world, or the role does not exist.
        """
        filename = self.shell.compile.cache(text, self.shell.execution_count, raw_code=text)
        cell = Cell(text, filename, self.shell.user_ns)
        where = None if kind == "world" else self.world_of(world)
        definition = Definition(kind, name, where, text, filename, (1, len(text.splitlines())))
        definition.options = {key: value for key, value in options.items() if value not in (None, False, [], "")}
        wrong = say.not_a_name(name, kind)
        try:
            if wrong is not None:
                cell.fail(definition, [wrong])
            made = self._made(kind, cell, definition, options)
            told = []
            for one in made:
                told += self._take(cell, one)
            return told
        except DefinitionError as error:
            self._broke(definition, error)
            raise

    def _made(self, kind: str, cell: Cell, definition: Definition, options: dict[str, Any]) -> list[Definition]:
        where, name = definition.world, definition.name
        if kind == "world":
            made, body = cells.class_of_cell(cell, definition, name, World)
            cells.finish_world(cell, definition, made, body, self._roles(name))
        elif kind == "role":
            made, body = cells.class_of_cell(
                cell, definition, cells.class_name_of(kind, name), options.get("base") or Agent
            )
            cells.finish_role(cell, definition, made, body)
            fitting.finish_role(self, cell, definition, body)
        elif kind == "action":
            role_class = self.need_role(where, name)
            made_ = cells.actions_of_cell(cell, name, role_class, options.get("method"), bool(options.get("many")))
            for one in made_:
                one.world, one.options = where, definition.options
                fitting.check_action(self, cell, one)
            return made_
        elif kind == "behavior":
            role_class = self.need_role(where, name)
            tree: ast.AST | None = None
            if options.get("json") is not None:
                cells.behavior_of_json(cell, definition, role_class, options["json"])
                definition.options.pop("json", None)
            else:
                tree = cell.parse(definition.what)
                cells.behavior_of_cell(cell, definition, role_class, self.world_class(where))
            fitting.finish_behavior(self, cell, definition, tree)
        elif kind == "stats":
            definition.name = STATS
            made, body = cells.class_of_cell(cell, definition, cells.class_name_of(kind, name), Stats)
            cells.finish_stats(cell, definition, made, body)
            fitting.check_stats(self, cell, definition)
        elif kind == "event":
            cells.event_of_cell(cell, definition)
        else:
            cells.entity_of_cell(cell, definition)
        return [definition]

    def declare(self, kind: str, name: str, thing: Any, world: Any, options: dict[str, Any], frame: FrameType) -> Any:
        """Take a decorated class or function; see :mod:`unaiverse_lab.core.declare`.

        Raises:
            DefinitionError: it has errors; the one before it stays.
            Misused: no such world, or the role does not exist.
        """
        cell, line = cells.cell_of(frame), frame.f_lineno
        definition = Definition(kind, STATS if kind == "stats" else name)
        definition.options = {key: value for key, value in options.items() if value not in (None, False, [], "initial")}
        if kind != "world":
            definition.world = self.world_of(world)
        try:
            if kind == "behavior":
                role_class = self.need_role(definition.world, name)
                node = cells.source_of_object(cell, definition, thing, line)
                cells.draft_with(cell, definition, thing, role_class, self.world_class(definition.world), node)
                fitting.finish_behavior(self, cell, definition, node)
            else:
                body = cells.class_of_decorator(cell, definition, thing, line)
                if kind == "world":
                    cells.finish_world(cell, definition, thing, body, self._roles(name))
                elif kind == "role":
                    cells.finish_role(cell, definition, thing, body)
                    fitting.finish_role(self, cell, definition, body)
                else:
                    cells.finish_stats(cell, definition, thing, body)
                    fitting.check_stats(self, cell, definition)
            for words in self._take(cell, definition):
                print(words)
        except DefinitionError as error:
            self._broke(definition, error)
            raise
        found = self.now(definition.world, kind, definition.name)
        return thing if found is None else found.object

    def _adopt(self, world_class: type) -> None:
        """A world that was written without decorator, named by a role."""
        definition = Definition("world", world_class.__name__, form="python", object=world_class)
        definition.bases, definition.digest = world_class.__bases__, repr(world_class)
        self.put(definition)

    def _roles(self, world: str) -> dict[str, bool]:
        """The roles of a world that is being defined, and whether each has a behavior."""
        places = (world, None) if not self.worlds() or world not in self.worlds() else (world,)
        return {
            role: self.now(place, "behavior", role) is not None
            for place in places
            for role in self.names(place, "role")
        }

    def need_role(self, world: str | None, role: str) -> type[Agent]:
        """The class of a role.

        Raises:
            Misused: there is none; the message gives the nearest names.
        """
        found = self.role_class(world, role)
        if found is None:
            known = self.names(world, "role")
            hint = did_you_mean(role, known) or f" Define it first, in a cell: %%role {role}"
            raise Misused(f"there is no role {role!r}{'' if world is None else f' in the world {world}'}.{hint}")
        return found

    # ------------------------------------------------------------------ taking and staging

    def _broke(self, definition: Definition, error: DefinitionError) -> None:
        definition.status = "broken"
        definition.diagnostics = error.diagnostics
        self.error = error
        if definition.kind == "action":
            method = definition.options.get("method")
            if method is None:
                return
            definition.name = f"{definition.name}.{method}"
        if definition.name.isidentifier() or definition.kind == "action":
            self.entries.setdefault((definition.world, definition.kind, definition.name), Entry()).broken = definition

    def _take(self, cell: Cell, definition: Definition) -> list[str]:
        key = (definition.world, definition.kind, definition.name)
        before = self.now(*key)
        told = [say.render(definition.what, definition.diagnostics, cell.text)] if definition.diagnostics else []
        if definition.options.pop("check_only", False):
            return [*told, f"{definition.what}: checked, and not taken"]
        if key in self.entries:
            self.entries[key].broken = None
        if before is not None and definition.same_as(before):
            before.diagnostics = definition.diagnostics
            before.lines, before.source = definition.lines, definition.source
            if all(
                self._version_in(home, before) == before.version for home in self.sessions(self._world_name(before))
            ):
                return [*told, f"{definition.what} unchanged (version {before.version})"]
            self._stage(before)
            return told
        definition.cell_id, definition.execution_count = self._cell_id, self.shell.execution_count
        if self.sessions(self._world_name(definition)) and definition.kind not in ("event", "entity"):
            definition.version = self._next_version(key)
            self._stage(definition)
            return told
        return [*told, *self.put(definition)]

    @staticmethod
    def _world_name(definition: Definition) -> str | None:
        return definition.name if definition.kind == "world" else definition.world

    def _next_version(self, key: Key) -> int:
        entry = self.entries.setdefault(key, Entry())
        entry.latest += 1
        return entry.latest

    def _stage(self, definition: Definition) -> None:
        self._staged.append(definition)
        for home in self.sessions(self._world_name(definition)):
            if self.commit not in home.between_ticks:
                home.between_ticks.insert(0, self.commit)

    def commit(self) -> None:
        """Put in place what is staged, and print what there is to tell; called between two ticks."""
        while self._staged:
            for words in self.put(self._staged.pop(0)):
                print(words)

    def discard(self) -> list[str]:
        """Take back what is staged; returns what that was."""
        taken, self._staged = self._staged, []
        return [one.what for one in taken]

    def _before_cell(self, info: Any) -> None:
        self._cell_id = getattr(info, "cell_id", None)

    def _after_cell(self, result: Any) -> None:
        if result.success:
            self.commit()
        elif discarded := self.discard():
            print(f"the cell failed, and what it defined is not taken: {', '.join(discarded)}")

    # ------------------------------------------------------------------ putting in place

    def put(self, definition: Definition) -> list[str]:
        """Put a definition in place, here and in every session that runs its world; returns what there is to tell."""
        key = (definition.world, definition.kind, definition.name)
        entry = self.entries.setdefault(key, Entry())
        old = entry.current
        if not definition.version:
            definition.version = self._next_version(key)
        sessions = [] if definition.kind in ("event", "entity") else self.sessions(self._world_name(definition))
        where = f" in the world {definition.world}" if definition.world is not None else ""
        told = [f"{definition.what}: version {definition.version}{where}{self._summary(definition)}"]
        try:
            self._fits(definition)
            self._place(definition, old)
            for home in sessions:
                if self._concerns(home, definition):
                    was = self._version_in(home, old) if old is not None else 0
                    redefine.note(home, definition.kind, definition.name, was, definition.version)
                    told += [f"    {words}" for words in self._replace(home, definition)]
                else:
                    told.append(f"    the role {definition.name.partition('.')[0]} is new: sessions to come have it")
        except LabError as error:
            if old is not None:
                self._place(old, definition)
            return [f"{definition.what}: version {definition.version} could not be put in place: {error}"]
        if old is not None:
            old.replaced_at_tick = sessions[-1].clock.tick if sessions else None
        if definition not in entry.versions:
            entry.versions.append(definition)
        definition.status = "ok"
        entry.current = definition
        self._bind(definition)
        if definition.kind == "world":
            self.last_world = definition.name
            self._give_homes(definition.name)
        self._look_for_stale(definition)
        return [*told, *self._written(self._world_name(definition))]

    def _written(self, world: str | None) -> list[str]:
        """Bring the folder of a world up to date, if it has one."""
        from unaiverse_lab.notebook.forms import CannotWrite, export

        placed = self.entries.get((None, "world", world or ""))
        folder = placed.current.options.get("folder") if placed is not None and placed.current is not None else None
        if world is None or folder is None:
            return []
        try:
            export(self, world, Path(folder))
        except (CannotWrite, OSError) as error:
            return [f"    {folder} is not up to date: {error}"]
        return []

    def _fits(self, definition: Definition) -> None:
        if definition.draft is not None:
            cls = self.need_role(definition.world, definition.name)
            for _, error in cells.uses(definition.draft, cls):
                raise redefine.Refusal(error.problem)

    def with_action(self, definition: Definition) -> type[Agent]:
        """The class of a role as it would be with an action, to look at."""
        role, _, method = definition.name.partition(".")
        cls = self.need_role(definition.world, role)
        return type(cls.__name__, (cls,), {method: definition.object})

    def check_running(self, world: str | None, role: str, cls: type[Agent], only: str | None = None) -> None:
        """Refuse a class that the agents of running sessions cannot do with.

        Raises:
            Refusal: an action they need is gone, or takes other arguments.
        """
        for home in self.sessions(world):
            redefine.check_actions(home, role, cls, only)

    def forget_action(self, current: Definition) -> list[str]:
        """Take the first version of an action back: what the class itself says holds again.

        Raises:
            Refusal: agents of running sessions need it.
        """
        role, _, method = current.name.partition(".")
        found = self.now(current.world, "role", role)
        assert found is not None
        own = found.methods.get(method, getattr(found.object.__mro__[1], method, None))
        self.check_running(current.world, role, type(role, (found.object,), {method: own}), method)
        if method in found.methods:
            setattr(found.object, method, own)
        else:
            delattr(found.object, method)
        told = [f"{current.what}: taken away"]
        for home in self.sessions(current.world):
            redefine.note(home, "action", current.name, current.version, 0)
            told += [f"    {words}" for words in redefine.replace_action(home, role, method)]
        entry = self.entries[(current.world, "action", current.name)]
        entry.versions.remove(current)
        entry.current = None
        self._look_for_stale(current)
        return told

    def _version_in(self, home: NodeSynchronizer, current: Definition) -> int:
        """The version of a definition that a session has: an earlier one, if it went back in time."""
        world = redefine.world_in(home)
        name = current.name
        held: Any = {
            "world": type(world),
            "stats": type(world.stats),
            "role": world.role_classes.get(name),
            "behavior": world.role_to_behav.get(name),
        }.get(current.kind)
        for one in self.entries[(current.world, current.kind, name)].versions:
            if held is not None and held == (one.machine if current.kind == "behavior" else one.object):
                return one.version
        return current.version

    @staticmethod
    def _concerns(home: NodeSynchronizer, definition: Definition) -> bool:
        roles = redefine.world_in(home).roles
        return definition.kind not in ("role", "action", "behavior") or definition.name.partition(".")[0] in roles

    def _place(self, definition: Definition, old: Definition | None) -> None:
        """Write a definition where new sessions find it."""
        kind, name, thing = definition.kind, definition.name, definition.object
        if kind == "world":
            if old is not None and old.object is not thing:
                thing._declared = declared(old.object)
            declared(thing).options = {
                key: definition.options[key] for key in ("delta", "seed", "masters") if key in definition.options
            }
            return
        book = self.book(definition.world)
        if kind == "action":
            role, _, method = name.partition(".")
            cells.attach(self.need_role(definition.world, role), method, thing)
        elif kind == "role":
            for action in self.names(definition.world, "action"):
                found = self.now(definition.world, "action", action)
                method = action.removeprefix(f"{name}.")
                if found is not None and action.startswith(f"{name}.") and method not in definition.methods:
                    cells.attach(thing, method, found.object)
            if book is not None:
                book.roles[name] = thing
        elif kind == "behavior" and book is not None:
            book.behaviors[name] = definition.machine
        elif kind == "stats" and book is not None:
            book.stats = thing

    def book(self, world: str | None) -> Declared | None:
        """Where new sessions find what belongs to a world."""
        world_class = self.world_class(world)
        return None if world_class is None else declared(world_class)

    def _replace(self, home: NodeSynchronizer, definition: Definition) -> list[str]:
        kind, name, options = definition.kind, definition.name, definition.options
        fresh = bool(options.get("fresh"))
        if kind == "world":
            return redefine.replace_world(home, definition.object)
        if kind == "role":
            versions = self.entries[(definition.world, kind, name)].versions
            return redefine.replace_role(home, name, definition.object, fresh, [one.object for one in versions])
        if kind == "action":
            role, _, method = name.partition(".")
            return redefine.replace_action(home, role, method, fresh)
        if kind == "behavior":
            assert definition.machine is not None
            on_missing: OnMissing = options.get("on_missing", "initial")
            renamed = self.renamed.pop((definition.world, name), {})
            return redefine.replace_behavior(home, name, definition.machine, on_missing, renamed)
        if kind == "stats":
            return redefine.replace_stats(home, definition.object)
        return []

    def _bind(self, definition: Definition) -> None:
        """Give the class to the notebook."""
        if definition.kind in ("world", "role", "stats", "event", "entity") and definition.form != "python":
            self.shell.user_ns[definition.object.__name__] = definition.object

    def _give_homes(self, world: str) -> None:
        """What was defined before there was any world belongs to the first one."""
        for key in [key for key in self.entries if key[0] is None and key[1] != "world"]:
            entry = self.entries.pop(key)
            for one in entry.versions:
                one.world = world
            self.entries[(world, *key[1:])] = entry
            if entry.current is not None:
                self._place(entry.current, None)

    def _look_for_stale(self, definition: Definition) -> None:
        """Behaviors that cannot be used any more, or can again."""
        if definition.kind not in ("role", "action", "behavior"):
            return
        role = definition.name.partition(".")[0]
        behavior = self.now(definition.world, "behavior", role)
        cls = self.role_class(definition.world, role)
        if behavior is not None and behavior.draft is not None and cls is not None:
            behavior.status = "stale" if cells.uses(behavior.draft, cls) else "ok"

    def _summary(self, definition: Definition) -> str:
        if definition.kind == "role":
            own = [name for name in action_names(definition.object) if name not in action_names(Agent)]
            return f", actions: {', '.join(own) or 'none of its own'}"
        if definition.kind == "behavior" and definition.draft is not None:
            machine = definition.draft.machine
            return f", {len(machine.states)} states, {len(list(machine.edges()))} transitions"
        if definition.kind == "event":
            return f', event_type "{definition.object.event_type}"'
        return ""

    # ------------------------------------------------------------------ what a learner asks for

    def find(self, name: str) -> list[Entry]:
        """The entries of a name: ``teacher`` (the role and its behavior), ``teacher.greet``, ``behavior:teacher``.

        Raises:
            Misused: there is none.
        """
        kind, colon, rest = name.partition(":")
        wanted, only = (rest, kind) if colon else (name, None)
        found = [
            entry
            for key, entry in self.all()
            if key[2] == wanted and (only is None or key[1] == only) and (entry.current is not None or entry.broken)
        ]
        if not found:
            known = [key[2] for key in self.entries]
            raise Misused(f"nothing is called {name!r}.{did_you_mean(wanted, known)}")
        return found

    def version(self, kind: str, name: str, world: Any = None) -> int:
        """The version of a definition; 0 if there is none."""
        found = self.now(self.world_of(world), kind, name)
        return 0 if found is None else found.version

    def machine(self, role: str, world: Any = None) -> HybridStateMachine | None:
        """The machine of a role, as its behavior builds it."""
        found = self.now(self.world_of(world), "behavior", role)
        return None if found is None else found.draft

    def states(self, world: Any = None) -> dict[str, list[str]]:
        """The states of the behaviors of a world, by role."""
        where = self.world_of(world)
        found = {}
        for role in self.names(where, "behavior"):
            machine = self.machine(role, where)
            if machine is not None:
                found[role] = list(machine.machine.states)
        return found

    def actions(self, role: str | None, world: Any = None) -> list[str]:
        """The actions of a role, its own first."""
        cls = self.role_class(self.world_of(world), role or "")
        known = action_names(Agent)
        own = [] if cls is None else [name for name in action_names(cls) if name not in known]
        return [*own, *known]

    def arguments(self, role: str | None, world: Any, action: str) -> list[str]:
        """The arguments of an action of a role."""
        cls = self.role_class(self.world_of(world), role or "") or Agent
        return spec_of(cls, action).params if action in action_names(cls) else []

    def forget(self, world: str) -> None:
        """Forget what belongs to a world.

        Raises:
            Misused: a session runs it.
        """
        if self.sessions(world):
            raise Misused(f"a session runs the world {world}: its roles cannot be forgotten now")
        for key in [key for key in self.entries if key[0] == world or key == (None, "world", world)]:
            del self.entries[key]

    def reset(self) -> None:
        """Forget everything; sessions that run go on with what they have."""
        for world in self.worlds():
            cls = self.world_class(world)
            if cls is not None:
                for home in redefine.running(cls):
                    while self.commit in home.between_ticks:
                        home.between_ticks.remove(self.commit)
        self.entries.clear()
        self._staged.clear()
        self.renamed.clear()
        self.last_world = self.error = None

    def take_in(
        self, kind: str, name: str, world: str | None, thing: Any, source: str, machine: str | None = None
    ) -> None:
        """Put a definition in place that was read from a folder."""
        definition = Definition(kind, name, world, source, form="folder", object=thing, machine=machine)
        if kind == "behavior":
            role_class = self.need_role(world, name)
            definition.draft = Draft(role_class(proc=None))
            definition.draft.load(machine or "")
            definition.machine = str(definition.draft)
        if kind == "role":
            definition.methods = dict(vars(thing))
        definition.bases = getattr(thing, "__bases__", ())
        definition.digest = cells.digest_of(definition, [], source, machine)
        self.put(definition)
