"""Commands from outside the run: buttons, other threads. They are posted at any time and obeyed between two ticks."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from unaiverse_lab.core.errors import LabError, did_you_mean

if TYPE_CHECKING:
    from unaiverse_lab.runtime.navigation import Navigation

ALWAYS = ("pause", "set_speed", "break_on", "unbreak", "inject", "say")
"""Obeyed also while the session runs."""

AT_REST = ("start", "step", "step_agent", "back", "goto", "restart", "switch")
"""Refused while it runs."""

REMEMBERED = 64

Command = tuple[int, str, tuple[Any, ...], dict[str, Any]]


class Reply(NamedTuple):
    """What became of a command: ``error`` is None if it was obeyed, and then ``value`` is what it returned."""

    id: int
    op: str
    error: str | None
    value: Any = None


class Mailbox:
    """The commands waiting for one session.

    ``handled`` is the id of the last command obeyed or refused, -1 before the first; ``replies`` holds the last 64
    answers, oldest first.

    Args:
        session: the session.
    """

    def __init__(self, session: Navigation) -> None:
        self.handled = -1
        self.replies: deque[Reply] = deque(maxlen=REMEMBERED)
        self._session = session
        self._waiting: deque[Command] = deque()
        self._ids = itertools.count()
        self._obeying = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """From now on let a loop obey what is posted while nothing runs.

        Args:
            loop: that of the session's thread; default: the one that runs now.

        Raises:
            RuntimeError: no loop runs.
        """
        self._loop = loop if loop is not None else asyncio.get_running_loop()

    def post(self, op: str, *args: Any, **kwargs: Any) -> int:
        """Leave a command; any thread may, at any time, also while a cell runs. Nothing else is done here.

        Args:
            op: the name of a method of the session: one of ``ALWAYS`` and ``AT_REST``.
            args, kwargs: its arguments.

        Returns:
            The command's number: ``handled`` reaches it as soon as the command was obeyed.

        Raises:
            LabError: there is no such command.
        """
        if op not in ALWAYS and op not in AT_REST:
            raise LabError(f"there is no command {op!r}.{did_you_mean(op, (*ALWAYS, *AT_REST))}")
        number = next(self._ids)
        self._waiting.append((number, op, args, kwargs))
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self.obey)
        return number

    def __len__(self) -> int:
        return len(self._waiting)

    def obey(self) -> None:
        """Do what was asked, in order. For the session's own thread, between two ticks; inside one nothing is done."""
        session = self._session
        if session.in_tick or not self._waiting:
            return
        outer, self._obeying = self._obeying, True
        later: list[Command] = []
        try:
            while self._waiting:
                command = self._waiting.popleft()
                if outer and command[1] in AT_REST:
                    later.append(command)  # its turn comes when the command under way is done
                else:
                    self._do(*command)
        finally:
            self._obeying = outer
            self._waiting.extendleft(reversed(later))
        session.tell("commands")

    def _do(self, number: int, op: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        session, error, value = self._session, None, None
        if op in AT_REST and session.busy:
            error = f"{op}: the session {session.busy}; pause it first"
        else:
            try:
                value = getattr(session, op)(*args, **kwargs)
            except Exception as problem:
                error = str(problem) if isinstance(problem, LabError) else f"{type(problem).__name__}: {problem}"
        self.replies.append(Reply(number, op, error, None if value is session else value))
        self.handled = max(self.handled, number)
