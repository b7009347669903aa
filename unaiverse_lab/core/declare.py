"""Worlds written as classes with decorators: what belongs to a world, and who takes it in.

Outside a notebook, a decorator writes into the class of the world it names. In a cell of a notebook that has loaded
this package, the registry of that notebook takes the definition: it checks it, gives it a version, and hands it to
the sessions that run.
"""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Callable, Iterable
from types import FrameType, ModuleType
from typing import Any, Literal, Protocol
from weakref import ref

from unaiverse_lab.core.errors import WorldError

OnMissing = Literal["initial", "pause", "keep-old"]
"""What becomes of an agent whose state a new behavior lacks."""


class Declared:
    """What was declared for one class of worlds.

    Attributes:
        roles: role name -> agent class.
        behaviors: role name -> function that builds its machine, or the machine itself in any form a world takes.
        stats: the class of its statistics, or None.
        options: what a session made from the class starts with: ``delta``, ``seed``, ``masters``.
    """

    def __init__(self) -> None:
        self.roles: dict[str, Any] = {}
        self.behaviors: dict[str, Any] = {}
        self.stats: Any = None
        self.options: dict[str, Any] = {}
        self._sessions: list[ref[Any]] = []

    def runs_in(self, session: Any) -> None:
        """Remember, weakly, a session in which a world of this class lives."""
        self._sessions = [known for known in self._sessions if known() is not None]
        if session not in self.sessions():
            self._sessions.append(ref(session))

    def sessions(self) -> list[Any]:
        """The sessions that still exist, oldest first."""
        return [session for known in self._sessions if (session := known()) is not None]


def declared(world_class: type) -> Declared:
    """What was declared for this very class."""
    own = world_class.__dict__.get("_declared")
    if own is None:
        own = Declared()
        world_class._declared = own  # type: ignore[attr-defined]
    return own


def inherited(world_class: type) -> Declared:
    """What holds for a class: its own declarations and those of the classes it derives from."""
    found = Declared()
    for base in reversed(world_class.__mro__):
        own = base.__dict__.get("_declared")
        if own is not None:
            found.roles.update(own.roles)
            found.behaviors.update(own.behaviors)
            found.stats = own.stats or found.stats
            found.options.update(own.options)
    return found


class Taker(Protocol):
    """Who takes definitions while a cell runs."""

    def declare(self, kind: str, name: str, thing: Any, world: Any, options: dict[str, Any], frame: FrameType) -> Any:
        """Check and keep a definition; what it returns takes the place of the decorated thing."""


def taker(frame: FrameType) -> Taker | None:
    """The registry of the shell whose cell a frame executes; None elsewhere, also in modules imported by a cell."""
    shell: Any = getattr(builtins, "get_ipython", lambda: None)()
    registry = getattr(shell, "unaiverse_lab", None)
    return registry() if callable(registry) and frame.f_globals is shell.user_ns else None


# ---------------------------------------------------------------------- the decorators


def world(
    cls: type | None = None,
    *,
    delta: float | None = None,
    seed: int | str | None = None,
    masters: Iterable[str] = (),
) -> Any:
    """Make a subclass of ``World`` known as a world: ``@lab.world``.

    Args:
        cls: the class (when used without parentheses).
        delta: seconds per tick of the sessions made from it; default: 1/25.
        seed: their seed; default: 0.
        masters: names of the nodes that may lead.

    Raises:
        WorldError: not a class.
    """
    options = {"delta": delta, "seed": seed, "masters": list(masters)}
    given = {name: value for name, value in options.items() if value not in (None, [])}
    frame = _caller()

    def taken(target: type) -> Any:
        _need_class(target, "@lab.world")
        registry = taker(frame)
        if registry is not None:
            return registry.declare("world", target.__name__, target, None, given, frame)
        declared(target).options.update(given)
        return target

    return taken if cls is None else taken(cls)


def role(name: str | type | None = None, *, world: Any = None, fresh: bool = False) -> Any:
    """Make a subclass of ``Agent`` the class of a role: ``@lab.role("teacher", world=School)``.

    Args:
        name: the role; default: the name of the class, ``StudentIsolated`` being ``student_isolated``.
        world: the class of the world (in a notebook also its name; default: the world defined last).
        fresh: in a running session, agents of the role start over instead of keeping their state.

    Raises:
        WorldError: not a class; no world outside a notebook.
    """
    frame = _caller()

    def taken(target: type) -> Any:
        _need_class(target, "@lab.role")
        called = name if isinstance(name, str) else snake_case(target.__name__)
        registry = taker(frame)
        if registry is not None:
            return registry.declare("role", called, target, world, {"fresh": fresh}, frame)
        declared(_need_world(world, f'@lab.role("{called}", world=...)')).roles[called] = target
        return target

    return taken(name) if isinstance(name, type) else taken


def behavior(role: str, *, world: Any = None, on_missing: OnMissing = "initial") -> Callable[[Any], Any]:
    """Make a function the builder of a role's machine: ``@lab.behavior("teacher") def build(behav): ...``.

    Args:
        role: whose behavior it is.
        world: as for :func:`role`.
        on_missing: in a running session, what becomes of agents in a state that is gone: ``"initial"`` (start over),
            ``"pause"`` (start over, switched off) or ``"keep-old"`` (go on with the old behavior).

    The function has a parameter ``behav`` and may have ``world`` (the world's class) and ``role`` (the name).

    Raises:
        WorldError: not a function; no world outside a notebook.
    """
    frame = _caller()

    def taken(builder: Any) -> Any:
        if not callable(builder) or isinstance(builder, type):
            raise WorldError(f'@lab.behavior("{role}") stands above a function: def build(behav): ...')
        registry = taker(frame)
        if registry is not None:
            return registry.declare("behavior", role, builder, world, {"on_missing": on_missing}, frame)
        declared(_need_world(world, f'@lab.behavior("{role}", world=...)')).behaviors[role] = builder
        return builder

    return taken


def stats(cls: type | None = None, *, world: Any = None, migrate: bool = False) -> Any:
    """Make a subclass of ``Stats`` the statistics of a world: ``@lab.stats(world=School)``.

    Args:
        cls: the class (when used without parentheses, in a notebook).
        world: as for :func:`role`.
        migrate: in a running session, accept that a name changes its type.

    Raises:
        WorldError: not a class; no world outside a notebook.
    """
    frame = _caller()

    def taken(target: type) -> Any:
        _need_class(target, "@lab.stats")
        registry = taker(frame)
        if registry is not None:
            return registry.declare("stats", target.__name__, target, world, {"migrate": migrate}, frame)
        declared(_need_world(world, "@lab.stats(world=...)")).stats = target
        return target

    return taken if cls is None else taken(cls)


def _caller() -> FrameType:
    """The frame outside this module that uses a decorator."""
    frame = sys._getframe(1)
    while frame.f_globals is globals() and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _need_class(target: Any, decorator: str) -> None:
    if not isinstance(target, type):
        raise WorldError(f"{decorator} stands above a class, not {target!r}")


def _need_world(world: Any, example: str) -> type:
    if not isinstance(world, type):
        raise WorldError(f"say to which world it belongs, by its class: {example}")
    return world


def snake_case(name: str) -> str:
    """``StudentIsolated`` -> ``student_isolated``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def camel_case(name: str) -> str:
    """``student_isolated`` -> ``StudentIsolated``."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


# ---------------------------------------------------------------------- packages that are decorators, too


class _CallableModule(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__decorator__(*args, **kwargs)


def make_callable(module: str, decorator: Callable[..., Any]) -> None:
    """Let the package ``unaiverse_lab.world`` (or ``behavior``, ``stats``) also be the decorator of that name.

    Importing a package binds its name in the package around it, so that the name cannot mean anything else there.
    """
    package: Any = sys.modules[module]
    package.__decorator__ = decorator
    package.__class__ = _CallableModule
