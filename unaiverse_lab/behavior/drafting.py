"""A behavior while it is being written: its machine knows on which line each piece stands, and reads arrows."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from unaiverse_lab.behavior.machine import HybridStateMachine
from unaiverse_lab.behavior.surroundings import Surroundings
from unaiverse_lab.core.errors import BehaviorError

_ARROW = re.compile(
    r"^\s*(?P<source>\S+)\s+--\s*(?P<call>[A-Za-z_]\w*)\s*(?P<args>\(.*\))?\s*-->\s*(?P<target>\S+)\s*$"
)


class Draft(HybridStateMachine):
    """A machine that a builder fills.

    ``behav << "init --connect(role='hub')--> ready"`` is short for ``add_transit``; several lines make several edges.

    Args:
        agent: an agent of the role, which never acts.
        source: the file (the cell) that is being executed; lines of it are remembered in ``lines``.
    """

    __slots__ = ()

    def __init__(self, agent: Any, source: str | None = None) -> None:
        super().__init__(agent, surroundings=Surroundings())
        self.source = source
        self.lines: dict[str, int] = {}

    def add_state(self, state: str, *args: Any, **kwargs: Any) -> None:
        """As for any machine."""
        super().add_state(state, *args, **kwargs)
        self._note(f"states.{state}")

    def add_transit(self, from_state: str, to_state: str, action: str, *args: Any, **kwargs: Any) -> None:
        """As for any machine."""
        known = {id(edge) for edge in self.machine.edges()}
        super().add_transit(from_state, to_state, action, *args, **kwargs)
        for edge in self.machine.edges():
            if id(edge) not in known:
                self._note(f"{edge.source} -> {edge.target} ({edge.name})")

    def __lshift__(self, arrows: str) -> Draft:
        for arrow in filter(str.strip, arrows.splitlines()):
            found = _ARROW.match(arrow)
            if found is None:
                raise BehaviorError(f"an arrow is written 'state --action(name=value)--> state', not {arrow.strip()!r}")
            self.add_transit(found["source"], found["target"], found["call"], _arguments(found["args"] or "()"))
        return self

    def _note(self, place: str) -> None:
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and self.source is not None:
            if frame.f_code.co_filename == self.source:
                self.lines.setdefault(place, frame.f_lineno)
                return
            frame = frame.f_back


def _arguments(text: str) -> dict[str, Any]:
    try:
        call = ast.parse(f"call{text}", mode="eval").body
        if not isinstance(call, ast.Call) or call.args or any(one.arg is None for one in call.keywords):
            raise ValueError
        return {one.arg: ast.literal_eval(one.value) for one in call.keywords if one.arg is not None}
    except (SyntaxError, ValueError):
        raise BehaviorError(f"the arguments of an arrow are written (name=value, ...), not {text}") from None


def build(builder: Callable[..., Any], agent: Any, role: str, world: Any = None, source: str | None = None) -> Draft:
    """The machine that a builder makes.

    Args:
        builder: a function with a parameter ``behav``, and perhaps ``world`` and ``role``.
        agent: an agent of the role, whose methods are the actions.
        role: the name of the role.
        world: the class of the world.
        source: see :class:`Draft`.

    Raises:
        BehaviorError: the builder takes something else, or what it builds is wrong.
    """
    names = list(inspect.signature(builder).parameters)
    wrong = [name for name in names[1:] if name not in ("world", "role")]
    if not names or wrong:
        raise BehaviorError(
            f"the builder of a behavior takes (behav, world, role), the last two if it likes: not {names}"
        )
    draft = Draft(agent, source)
    draft.set_role(role)
    builder(draft, **{name: value for name, value in (("world", world), ("role", role)) if name in names[1:]})
    if not draft.machine.states:
        raise BehaviorError("this behavior has no state: behav.add_state('init')")
    return draft
