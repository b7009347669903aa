"""Actions: the coroutine methods that a machine may call, and what their signatures say.

An action is an ``async def`` method returning True (done: the transition is taken) or False (not now).
"""

from __future__ import annotations

import functools
import inspect
import linecache
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar, overload

from unaiverse_lab.core.errors import BehaviorError, did_you_mean
from unaiverse_lab.core.interaction import FIELD_NAMES

TIMES = ("max_duration", "retry_timeout", "delay")
AGENT_NAMES = frozenset({"agent", "agents", "partner", "partners", "target", "targets"})
STREAM_NAMES = frozenset({"stream", "streams"})

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


@overload
def action(method: F) -> F: ...


@overload
def action(*, outside: bool = False, waits: bool | None = None) -> Callable[[F], F]: ...


def action(method: F | None = None, *, outside: bool = False, waits: bool | None = None) -> F | Callable[[F], F]:
    """Mark an ``async def`` method as an action, so that behaviors may name it.

    Arguments called ``agent(s)``, ``partner(s)``, ``target(s)`` and ``stream(s)`` may be given by name: they are
    turned into identifiers before the method runs.

    Args:
        method: the method (when used as ``@action``).
        outside: the method awaits something outside the world (a network reply, ``asyncio.sleep``). It then runs
            on an event loop of its own and the tick waits for it.
        waits: whether its transitions wait for a request unless ``ready`` is given; default: if it takes
            ``interaction``.

    Raises:
        TypeError: not an ``async def``.
    """
    if method is None:
        return lambda function: _marked(function, outside, waits)
    return _marked(method, outside, waits)


def _marked(method: F, outside: bool, waits: bool | None) -> F:
    if not inspect.iscoroutinefunction(method):
        name = getattr(method, "__qualname__", repr(method))
        raise TypeError(f"an action is an 'async def' method: write 'async def {name.rsplit('.', 1)[-1]}(self, ...)'")
    marked: Any = method
    if method.__name__ != "send" and _names_peers_or_streams(method):
        marked = _resolving(method)
    marked._is_action = True
    marked._outside = outside
    marked._waits = waits
    return marked  # type: ignore[no-any-return]


def _names_peers_or_streams(method: Callable[..., Any]) -> bool:
    return not (AGENT_NAMES | STREAM_NAMES).isdisjoint(inspect.signature(method).parameters)


def _resolving(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(method)
    async def resolved(self: Any, *args: Any, **kwargs: Any) -> Any:
        for name, value in kwargs.items():
            if value is None:
                continue
            if name in AGENT_NAMES:
                kwargs[name] = self.resolve_agents(value)
            elif name in STREAM_NAMES:
                kwargs[name] = self.resolve_streams(value)
        return await method(self, *args, **kwargs)

    return resolved


class ActionSpec:
    """What the signature of an action says: parameters in order, defaults, what it must be given."""

    __slots__ = ("allowed", "defaults", "name", "outside", "own", "params", "required", "takes_interaction", "waits")

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        self.params: list[str] = []
        self.required: list[str] = []
        self.defaults: dict[str, Any] = {}
        self.takes_interaction = False
        self.outside = bool(getattr(function, "_outside", False))
        parameters = list(inspect.signature(function).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise BehaviorError(
                    f"action {name!r} has the parameter '*{parameter.name}': name its parameters instead"
                )
            if parameter.name == "interaction":
                self.takes_interaction = True
                continue
            if parameter.name in TIMES or (parameter.name == "action_kwargs" and name != "send"):
                raise BehaviorError(f"action {name!r} has a parameter {parameter.name!r}: that name is reserved")
            self.params.append(parameter.name)
            if parameter.default is parameter.empty:
                self.required.append(parameter.name)
            else:
                self.defaults[parameter.name] = parameter.default
        waits = getattr(function, "_waits", None)
        self.waits: bool = self.takes_interaction if waits is None else waits
        self.own = frozenset(self.params)
        self.allowed = self.own | FIELD_NAMES

    def check_args(self, args: dict[str, Any]) -> None:
        """Refuse arguments the action cannot take.

        Raises:
            BehaviorError: an unknown or reserved name; the message lists the valid ones.
        """
        for name in args:
            if name not in self.allowed:
                hint = did_you_mean(name, self.params)
                if name == "interaction":
                    hint = " It is filled in by the machine."
                raise BehaviorError(f"action {self.name!r} has no argument {name!r}.{hint}")


def action_names(agent: object, decorated_only: bool = True) -> list[str]:
    """Names of the actions of an agent (object or class), sorted."""
    cls = agent if isinstance(agent, type) else type(agent)
    return sorted(
        name
        for name in dir(cls)
        if not name.startswith("_")
        and inspect.iscoroutinefunction(getattr(cls, name, None))
        and (not decorated_only or getattr(getattr(cls, name), "_is_action", False))
    )


def definition_line(agent: object, name: str) -> tuple[str | None, str | None]:
    """Where an action is written: ``("file:line", "async def ...")``."""
    function: Any = getattr(agent, name, None)
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return None, None
    line: int = code.co_firstlineno
    while (text := linecache.getline(code.co_filename, line)) and "def " not in text:
        line += 1
    return f"{Path(code.co_filename).name}:{line}", text.strip() or None


def spec_of(agent: object, name: str, decorated_only: bool = True) -> ActionSpec:
    """The specification of the action ``name`` of ``agent``.

    Raises:
        BehaviorError: there is no such action (the three closest names are given), it is not an ``async def``, it is
            not decorated with ``@action``, or its signature cannot be used by a machine.
    """
    cls = agent if isinstance(agent, type) else type(agent)
    function = getattr(cls, name, None) or getattr(agent, name, None)
    if function is None:
        known = action_names(agent, decorated_only)
        raise BehaviorError(f"{cls.__name__} has no action {name!r}.{did_you_mean(name, known)}")
    cached = getattr(function, "_action_spec", None)
    if cached is not None and cached.name == name:
        return cached  # type: ignore[no-any-return]
    if not callable(function):
        raise BehaviorError(f"{cls.__name__}.{name} is not an action: it is not a method")
    if not inspect.iscoroutinefunction(function):
        raise BehaviorError(f"{cls.__name__}.{name} cannot be an action: write it as 'async def {name}(self, ...)'")
    if decorated_only and not getattr(function, "_is_action", False):
        raise BehaviorError(f"{cls.__name__}.{name} is not an action: put '@action' above its definition")
    spec = ActionSpec(name, function)
    if getattr(function, "_is_action", False):
        function._action_spec = spec
    return spec
