"""How a session goes on: step by step, until something happens, between the cells of a notebook, and back."""

from __future__ import annotations

import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, NamedTuple, Self

from unaiverse_lab.core.errors import WorldError, did_you_mean
from unaiverse_lab.core.records import InState, Moved, Record, Tried
from unaiverse_lab.runtime.background import FRAME, Background, Slices, breathe, show
from unaiverse_lab.runtime.branches import Branch
from unaiverse_lab.runtime.control import Breakpoint, Goal, Hit, goal_of, new_breakpoint, was_called
from unaiverse_lab.runtime.history import History
from unaiverse_lab.runtime.mailbox import Mailbox
from unaiverse_lab.runtime.members import Members
from unaiverse_lab.runtime.synchronizer import NodeSynchronizer

Until = str | Callable[[Any], bool]
"""What a run waits for: words, or a function of the session."""

PATIENCE = 1000


class RunResult(NamedTuple):
    """How a run ended.

    ``reason`` is ``"until"``, ``"break"`` (``session.hits`` says where), ``"max_cycles"`` (also for ``max_time``),
    ``"quiet"`` or ``"paused"``; ``ticks``: how far it went.
    """

    reason: str
    ticks: int


class Errand:
    """One run: when it ends, and what is looked at after each tick.

    Args:
        session: the session.
        goal: what it waits for.
        last: the last tick to run; None: no limit.
        jump: skip stretches of time in which nothing can happen.
        on_tick: called after each tick.
        breaks: stop at breakpoints.
    """

    def __init__(
        self,
        session: Navigation,
        goal: Goal,
        last: int | None,
        jump: bool = True,
        on_tick: Callable[[Any], None] | None = None,
        breaks: bool = True,
    ) -> None:
        self._session = session
        self._goal = goal
        self._last = last
        self._jump = jump and goal.jump
        self._on_tick = on_tick
        self._breaks = breaks
        self._start = session.tick
        self._seen = len(session.trace)
        session.hits = []
        session._pause_asked = False

    def result(self, reason: str) -> RunResult:
        """How it ended."""
        return RunResult(reason, self._session.tick - self._start)

    @property
    def is_idle(self) -> bool:
        """Whether nothing can happen any more, unless somebody does something from outside."""
        return self._last is None and self._jump and self._session.synchronizer.next_tick() is None

    def one_tick(self, jump: bool = True) -> str | None:
        """Run the next tick; how the run ends with it, or None."""
        session = self._session
        ended = session.synchronizer.advance(self._last, jump and self._jump)
        if ended is not None:
            return ended
        if self._on_tick is not None:
            self._on_tick(session)
        first, self._seen = self._seen, len(session.trace)
        records = session.trace.since(first)
        if self._breaks and session.breakpoints:
            looks = (one.look(session, records, first) for one in session.breakpoints.values() if one.enabled)
            session.hits = [hit for hit in looks if hit is not None]
        if session.mailbox:
            session.mailbox.obey()
        if self._goal.reached(records):
            return "until"
        if session.hits:
            session._stop_before()
            return "break"
        return "paused" if session._pause_asked else None


class Navigation(Members):
    """The part of a session that moves it through time.

    Attributes:
        breakpoints: by name, see :meth:`break_on`.
        hits: where the last run was stopped by breakpoints; empty if it ended for another reason.
        mailbox: commands of buttons and other threads.
        error: what ended the last run in the background, if an error did.
        watchers: functions called with a word when there is something new to show: ``"running"`` (at most 20 times a
            second during a run), how a run ended, ``"moved"`` (to another time), ``"commands"``, ``"breakpoints"``,
            ``"error"``. Always on the session's own thread, never inside a tick.
    """

    def __init__(self, synchronizer: NodeSynchronizer) -> None:
        super().__init__(synchronizer)
        self._history: History | None = None
        self.breakpoints: dict[str, Breakpoint] = {}
        self.hits: list[Hit] = []
        self.mailbox = Mailbox(self)
        self.error: Exception | None = None
        self.watchers: list[Callable[[str], None]] = []
        self._background: Background | None = None
        self._occupation = ""
        self._pause_asked = False

    # ------------------------------------------------------------------ one at a time

    @property
    def running(self) -> bool:
        """Whether a run is under way, in the background or in a cell."""
        return bool(self.busy)

    @property
    def busy(self) -> str:
        """What is under way, as the end of a sentence that begins with "the session"; empty at rest."""
        run = self._background
        if run is not None and run.active:
            return f"runs in the background since tick {run.since} (start())"
        return self._occupation

    @property
    def in_tick(self) -> bool:
        """Whether a tick is under way at this moment."""
        return self.synchronizer.in_tick

    def _need_rest(self) -> None:
        if self.busy:
            raise WorldError(f"the session {self.busy}: pause it first, with pause()")

    @contextmanager
    def _occupied(self, how: str) -> Iterator[None]:
        self._need_rest()
        self._occupation = how
        try:
            yield
        finally:
            self._occupation = ""

    def tell(self, what: str) -> None:
        """Let the watchers know that there is something new to show; their errors become warnings."""
        for watcher in list(self.watchers):
            try:
                watcher(what)
            except Exception as error:
                warnings.warn(f"a watcher of the session failed: {type(error).__name__}: {error}", stacklevel=2)

    # ------------------------------------------------------------------ forward

    def step(self, ticks: int = 1) -> Self:
        """Run so many ticks; fewer if a breakpoint is reached (``hits`` says which)."""
        self._need_rest()
        last = self.synchronizer.last_tick(ticks, None)
        self._go("is running (step())", Errand(self, goal_of(self, None), last, jump=False))
        return self

    def step_agent(self, name: str, max_cycles: int = PATIENCE) -> RunResult:
        """Run until an agent has acted once: an action of its machine was called, whatever came of it.

        Args:
            name: its node; the others have their turns, too.
            max_cycles: at most so many ticks.

        Raises:
            WorldError: no such agent.
        """
        self._need_rest()
        self.agent(name)

        def acted(records: list[Record]) -> bool:
            return any(
                record.node == name and isinstance(record, Moved | Tried | InState) and was_called(record)
                for record in records
            )

        last = self.synchronizer.last_tick(max_cycles, None)
        return self._go("is running (step_agent())", Errand(self, Goal(acted, lambda: False), last))

    def run(
        self,
        until: Until | None = None,
        max_cycles: int | None = None,
        max_time: float | None = None,
        on_tick: Callable[[Any], None] | None = None,
    ) -> RunResult:
        """Run until a condition holds, or a breakpoint is reached.

        Args:
            until: ``"STATE"`` (some agent is in it), ``"NAME:STATE"`` (the node of that name, or all nodes with that
                role); ``"quiet"`` (for 10 ticks there were only vain attempts; ``"quiet 50"``: for 50); anything else
                that :meth:`break_on` takes, e.g. ``"teacher:exam() failed"`` or ``"accuracy >= 0.9"``: it happens from
                now on; or a function of the session.
            max_cycles: at most so many ticks; None: no limit.
            max_time: at most so many seconds of the session's clock; None: no limit.
            on_tick: called after each tick that did something, e.g. to print.

        Without the first three, it ends when nothing can happen any more.

        Raises:
            WorldError: ``until`` names what does not exist, or a run is under way already.
        """
        self._need_rest()
        goal = goal_of(self, until)
        last = self.synchronizer.last_tick(max_cycles, max_time)
        return self._go("is running (run())", Errand(self, goal, last, on_tick=on_tick), goal)

    def _go(self, how: str, errand: Errand, goal: Goal | None = None) -> RunResult:
        ended: str | None = None
        try:
            with self._occupied(how):
                ended = "until" if goal is not None and goal.at_once() else None
                frame = Slices(FRAME)
                while ended is None and (ended := errand.one_tick()) is None:
                    if self.watchers and frame.over():
                        self.tell("running")
                        frame.begin()
        finally:
            self.tell(ended or "interrupted")
        return errand.result(ended)

    async def arun(
        self,
        until: Until | None = None,
        max_cycles: int | None = None,
        max_time: float | None = None,
        on_tick: Callable[[Any], None] | None = None,
    ) -> RunResult:
        """Like :meth:`run`, and the same ticks; between them, every 20 ms, the loop may do other things."""
        self._need_rest()
        goal = goal_of(self, until)
        last = self.synchronizer.last_tick(max_cycles, max_time)
        errand = Errand(self, goal, last, on_tick=on_tick)
        self.mailbox.attach()
        ended: str | None = None
        try:
            with self._occupied("is running (await arun())"):
                ended = "until" if goal.at_once() else None
                slices, frame = Slices(), Slices(FRAME)
                while ended is None and (ended := errand.one_tick()) is None:
                    if slices.over():
                        if frame.over():
                            self.tell("running")
                            frame.begin()
                        await breathe()
                        slices.begin()
        finally:
            self.tell(ended or "interrupted")
        return errand.result(ended)

    def start(
        self,
        speed: float = 0,
        until: Until | None = None,
        max_cycles: int | None = None,
        max_time: float | None = None,
    ) -> Background:
        """Run while other cells are executed, until :meth:`pause`.

        The ticks are those of :meth:`run`; a cell is never interrupted by one. When nothing can happen, it waits until
        somebody does something to the world. An error ends the run: it is kept in ``error``, and shown once.

        Args:
            speed: ticks per second, empty ones included; 0: as fast as it can, skipping empty time.
            until, max_cycles, max_time: as for :meth:`run`.

        Returns:
            The run, which can be awaited.

        Raises:
            WorldError: no loop runs (outside notebooks), or a run is under way already.
        """
        self._need_rest()
        goal, speed = goal_of(self, until), _speed(speed)
        self.error = None
        errand = Errand(self, goal, self.synchronizer.last_tick(max_cycles, max_time))
        self._background = Background(self, errand, speed)
        return self._background

    def pause(self) -> Self:
        """Stop the run that is under way, at the end of its tick; at rest, nothing happens."""
        run = self._background
        if run is not None and run.active:
            run.stop()
            self.tell("paused")
        elif self._occupation:
            self._pause_asked = True
        return self

    def set_speed(self, speed: float) -> None:
        """Let the run in the background go at so many ticks per second; 0: as fast as it can."""
        speed = _speed(speed)
        if self._background is not None:
            self._background.speed = speed
            self._background.hurry()

    def failed(self, error: Exception) -> None:
        """The run in the background has ended with an error."""
        self.error = error
        show(self, error)
        self.tell("error")

    # ------------------------------------------------------------------ breakpoints

    def break_on(
        self,
        what: str = "",
        *,
        on: str | None = None,
        if_: str | None = None,
        hits: int = 1,
        when: str = "after",
        name: str | None = None,
    ) -> Breakpoint:
        """Let runs stop after the tick in which something happens, or before it.

        ``what`` is one of these; with ``NAME:`` before it, only at that node, or at those who have that role::

            "exam_time"                  gets into the state
            "init -> ready"              takes a transition; * for any state
            "init --connect--> ready"    the same, by that action
            "greet()"                    calls the action
            "greet() failed"             ... with this result: ok, failed, again, step, waiting, timeout, vetoed, raised
            "accuracy >= 0.9"            reports such a value
            "'hello'"                    says, gets or is typed a text that contains this one
            "error", "badge", "request"  has a record of this kind, see unaiverse_lab.core.records

        Args:
            what: see above; with ``on``, just the name of the state, the action or the node.
            on: what it is, if its form does not tell: ``"state"``, ``"transition"``, ``"action"``, ``"fault"``,
                ``"record"`` (any), or a kind of record.
            if_: a condition on the record, e.g. ``"value > 0.5 and node != 'Ada'"``: comparisons of its attributes.
            hits: stop from the so many-th time on.
            when: ``"before"``: the session goes back to the end of the tick before; going on, it happens.
            name: what to call it; default: made from the rest. One of the same name is replaced.

        Raises:
            WorldError: it names what does not exist; the message gives the nearest names.
            ExpressionError: the condition cannot be used.
        """
        found = new_breakpoint(self, what, on, if_, hits, when, name)
        if when == "before" and self._history is None:
            raise WorldError("this session keeps no history to stop before something: Session(..., history=True)")
        self.breakpoints[found.name] = found
        self.tell("breakpoints")
        return found

    def _stop_before(self) -> None:
        """Go back to before the tick that was reached, if a breakpoint wants that."""
        reached = [self.breakpoints.get(hit.breakpoint) for hit in self.hits]
        if self._history is not None and any(one is not None and one.when == "before" for one in reached):
            try:
                self._history.go_to(self.tick - 1)
            except WorldError as error:
                warnings.warn(f"stopped after tick {self.tick}, not before it: {error}", stacklevel=2)

    def unbreak(self, name: str | None = None) -> None:
        """Forget a breakpoint, or all of them.

        Raises:
            WorldError: there is none of that name.
        """
        if name is None:
            self.breakpoints.clear()
        elif self.breakpoints.pop(name, None) is None:
            raise WorldError(f"there is no breakpoint {name!r}.{did_you_mean(name, self.breakpoints)}")
        self.tell("breakpoints")

    # ------------------------------------------------------------------ back

    def back(self, ticks: int = 1) -> Self:
        """Go back so many ticks, at most to before the first one; see :meth:`goto`."""
        return self.goto(max(-1, self.tick - ticks))

    def goto(self, tick: int) -> Self:
        """Make everything what it was after a tick (-1: before the first one), or run on to it.

        Running on repeats what happened later, unless something is done differently now: then what happened the first
        time is kept as a branch, see :meth:`switch`. Actions that a cell has replaced stay the latest ones. Nodes,
        agents and streams stay the same objects. Files, pictures on the screen and the like stay as they are.

        Raises:
            WorldError: there is no such tick, or no way back to it.
        """
        if tick < -1:
            raise WorldError(f"there is no tick {tick}: the first one is 0, and -1 is before it")
        self._need_rest()
        if tick > self.tick:
            last = self.synchronizer.last_tick(tick - self.tick, None)
            self._go("is running (goto())", Errand(self, goal_of(self, None), last, breaks=False))
            return self
        with self._occupied("is going back (goto())"):
            if self._history is None:
                raise WorldError("this session keeps no history: Session(..., history=True)")
            if tick < self.tick:
                self._history.go_to(tick)
        self.tell("moved")
        return self

    def restart(self, tick: int) -> Self:
        """Go back to a tick to go on from there; see :meth:`goto`, which it is but for ticks still to come.

        Raises:
            WorldError: there is no such tick, or no way back to it.
        """
        if tick > self.tick:
            raise WorldError(f"tick {tick} has not been yet, this is tick {self.tick}: goto({tick}) runs on to it")
        return self.goto(tick)

    @property
    def branch(self) -> str:
        """The name of the run as it is now: ``"main"``, or that of a branch."""
        return "main" if self._history is None else self._history.branch

    @property
    def branches(self) -> list[Branch]:
        """The futures that were given up by going back, and that differ from the run as it is now; oldest first.

        At most 8 are kept, with no more records in all than the trace keeps.
        """
        return [] if self._history is None else self._history.branches

    def switch(self, branch: str | Branch) -> Self:
        """Take up a future that was given up, at its end. The run as it is now becomes a branch instead.

        Args:
            branch: one of ``branches``, or its name.

        Raises:
            WorldError: there is none of that name, or no way to its end.
        """
        with self._occupied("is going to another branch (switch())"):
            if self._history is None:
                raise WorldError("this session keeps no history: Session(..., history=True)")
            self._history.switch(branch)
        self.tell("moved")
        return self

    # ------------------------------------------------------------------ inside a tick

    def micro_steps(self, tick: int | None = None) -> list[Record]:
        """The records of one tick, in order: what happened inside it, one by one.

        Args:
            tick: default: the last one that ran.
        """
        trace, wanted = self.trace, self.tick if tick is None else tick
        first = trace.gone
        kept = range(first, len(trace))
        when = attrgetter("tick")
        start = bisect_left(kept, wanted, key=lambda number: when(trace[number]))
        end = bisect_right(kept, wanted, key=lambda number: when(trace[number]))
        return trace[first + start : first + end]


def _speed(speed: float) -> float:
    if type(speed) not in (int, float) or not 0 <= speed < float("inf"):
        raise WorldError(f"the speed is a number of ticks per second, or 0 for as fast as possible, not {speed!r}")
    return float(speed)
