"""A snapshot of a session: everything its future depends on. In memory it is the way back, on disk a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import CellType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from unaiverse_lab.agents import Agent
from unaiverse_lab.runtime.freezing import Frozen, freeze
from unaiverse_lab.runtime.trace import Trace
from unaiverse_lab.stats.database import Database
from unaiverse_lab.world import World

if TYPE_CHECKING:
    from unaiverse_lab.runtime.members import Members

OUTSIDE = (Trace,)
"""What has a way of its own to go back."""

CODE = (FunctionType, classmethod, staticmethod, property)


class Snapshot:
    """A session as it was between two ticks.

    Attributes:
        tick: the last tick that had run.
        mark: how far the trace was.
        rows: how far the database of statistics and badges was.
        code: the methods that its classes had.
        needed: whether no replay can take its place: something was done to the world just before.

    Args:
        session: the session.
        before: an earlier snapshot, with which weights that did not change are shared.

    Raises:
        CannotFreeze: something in it has contents that cannot be noted down, or is under way.
    """

    __slots__ = ("code", "frozen", "mark", "needed", "rows", "session", "tick")

    def __init__(self, session: Members, before: Snapshot | None = None, needed: bool = True) -> None:
        self.session = session
        self.frozen: Frozen = freeze([session], OUTSIDE, like=None if before is None else before.frozen)
        self.mark = session.trace.mark()
        self.tick = session.tick
        self.rows = rows_of(session)
        self.code = code_of(session)
        self.needed = needed

    def restore(self) -> None:
        """Make the session what it was, in place: whoever holds a node, an agent or a stream sees it as it was.

        Raises:
            IndexError: the trace no longer reaches back so far.
        """
        self.session.trace.back_to(self.mark)
        self.frozen.thaw()
        self.session.synchronizer.unstack()


def database_of(session: Members) -> Database | None:
    """Where the statistics and badges of the world are; None: there is no world."""
    host = session.synchronizer.world_node
    return None if host is None or host.world is None else host.world.ledger.database


def rows_of(session: Members) -> int:
    """The number of the last row in that database."""
    database = database_of(session)
    return 0 if database is None else database.mark


# ---------------------------------------------------------------------- code


class Code(NamedTuple):
    """The methods of some classes, and the class that ``super()`` means in them."""

    methods: dict[type, dict[str, Any]]
    owners: list[tuple[CellType, type]]

    @contextmanager
    def in_force(self) -> Iterator[set[str]]:
        """For a while, let the classes have these methods again; yields the names of those that differ.

        Classes are shared by all sessions of a process: that is why they are given back what they had.
        """
        now = _noted(self.methods)
        differing = {
            name
            for cls, methods in self.methods.items()
            for name in {*methods, *now.methods[cls]}
            if methods.get(name) is not now.methods[cls].get(name)
        }
        self._write()
        try:
            yield differing
        finally:
            now._write()

    def _write(self) -> None:
        for cls, methods in self.methods.items():
            for name, value in list(vars(cls).items()):
                if isinstance(value, CODE) and name not in methods:
                    delattr(cls, name)
            for name, value in methods.items():
                if vars(cls).get(name) is not value:
                    setattr(cls, name, value)
        for cell, owner in self.owners:
            cell.cell_contents = owner


def code_of(session: Members) -> Code:
    """The methods of the classes that the session's people have written."""
    host = session.synchronizer.world_node
    world = None if host is None else host.world
    used = [type(node.hosted) for node in session.nodes.values()]
    if world is not None:
        used += world.role_classes.values()
    ours = {*Agent.__mro__, *World.__mro__}
    return _noted({base: {} for cls in used for base in cls.__mro__ if base not in ours})


def _noted(classes: dict[type, dict[str, Any]]) -> Code:
    methods = {cls: {name: value for name, value in vars(cls).items() if isinstance(value, CODE)} for cls in classes}
    owners = []
    for cls in methods:
        for value in methods[cls].values():
            function = getattr(value, "__func__", value)
            while hasattr(function, "__wrapped__"):
                function = function.__wrapped__
            if isinstance(function, FunctionType) and "__class__" in function.__code__.co_freevars:
                cell = (function.__closure__ or ())[function.__code__.co_freevars.index("__class__")]
                owners.append((cell, cell.cell_contents))
    return Code(methods, owners)
