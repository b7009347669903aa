"""A run between the cells of a notebook: a task on the kernel's own loop, so that a cell is atomic for the world.

This is pacing only: the clock of the computer decides when a tick runs, never what happens in it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.core.faults import fault

if TYPE_CHECKING:
    from unaiverse_lab.runtime.navigation import Errand, Navigation, RunResult

SLICE = 0.02
"""Seconds after which a run lets the loop do other things."""

FRAME = 0.05
"""Seconds between two looks that watchers may take at a run."""

BREATH = 0.001
IDLE = 0.05
"""Seconds between two looks at a world in which nothing can happen."""


class Slices:
    """Tells when a slice of time is over."""

    def __init__(self, length: float = SLICE) -> None:
        self._length = length
        self._end = time.perf_counter() + length

    def over(self) -> bool:
        """Whether it is; then the next one begins at :meth:`begin`."""
        return time.perf_counter() >= self._end

    def begin(self) -> None:
        """Begin the next slice now."""
        self._end = time.perf_counter() + self._length


async def breathe() -> None:
    """Let the loop do whatever is waiting."""
    await asyncio.sleep(BREATH)


class Background:
    """A run that goes on while cells are executed. It can be awaited; the answer is how the run ended.

    Attributes:
        since: the tick at which it began.
        speed: ticks per second; 0: as many as possible.
        result: how it ended; None while it goes on, or if an error ended it.
    """

    def __init__(self, session: Navigation, errand: Errand, speed: float) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise WorldError(
                "start() needs a loop that runs, such as that of a notebook; elsewhere use run(), or await arun()"
            ) from None
        self.since = session.tick
        self.speed = speed
        self.result: RunResult | None = None
        self.active = True
        self._session = session
        self._errand = errand
        self._wake = asyncio.Event()
        self._due = time.perf_counter()
        self._frame = Slices(FRAME)
        self._shown = session.tick
        session.mailbox.attach(loop)
        self._task = loop.create_task(self._work())

    def __repr__(self) -> str:
        if self.active:
            pace = f"at {self.speed:g} ticks/s" if self.speed else "as fast as it can"
            return f"running in the background since tick {self.since}, {pace}; pause() stops it"
        error = self._session.error
        how = f"ended by an error: {error}" if self.result is None and error is not None else f"over: {self.result}"
        return f"a run in the background, from tick {self.since}, {how}"

    def __await__(self) -> Generator[Any, None, RunResult | None]:
        return self._ended().__await__()

    async def _ended(self) -> RunResult | None:
        await asyncio.wait([self._task])
        return self.result

    def _stopped(self) -> bool:
        return not self.active

    def hurry(self) -> None:
        """The speed has changed: the next tick is due now."""
        self._due = time.perf_counter()
        self._wake.set()

    def stop(self, reason: str = "paused") -> None:
        """No more ticks. Between two ticks; it holds at once."""
        if self.active:
            self.active = False
            self.result = self._errand.result(reason)
            self._wake.set()

    async def _work(self) -> None:
        session, errand = self._session, self._errand
        try:
            slices = Slices()
            while self.active:
                await self._rest(slices)
                if self._stopped():
                    return
                if self.speed:
                    self._due = max(self._due + 1 / self.speed, time.perf_counter())
                    ended = errand.one_tick(jump=False)
                else:
                    ended = None if errand.is_idle else errand.one_tick()
                if ended is not None:
                    self.stop(ended)
                    session.tell(ended)
        except KeyboardInterrupt:
            self.stop("interrupted")
            session.tell("interrupted")
        except Exception as error:
            self.active = False
            session.failed(error)
        finally:
            self.active = False

    async def _rest(self, slices: Slices) -> None:
        if self.speed and (pause := self._due - time.perf_counter()) > 0:
            self._tell(pause)
            await self._sleep(pause)
        elif not self.speed and self._errand.is_idle:
            self._tell(IDLE)
            await self._sleep(IDLE)
        elif slices.over():
            self._tell()
            await breathe()
        else:
            return
        slices.begin()

    def _tell(self, pause: float = 0.0) -> None:
        """Let the watchers look, not too often, and at last before a long pause."""
        tick = self._session.tick
        if tick != self._shown and (pause >= FRAME or self._frame.over()):
            self._shown = tick
            self._session.tell("running")
            self._frame.begin()

    async def _sleep(self, seconds: float) -> None:
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return


def show(session: Navigation, error: Exception) -> None:
    """Say once, in the output of the cell that started the run, why it ended."""
    found = fault(error, session.synchronizer.clock, "")
    where = f" ({found.where}: {found.code})" if found.where else ""
    print(
        f"the run in the background has ended at tick {session.tick}: {type(error).__name__}: {error}{where}",
        file=sys.stderr,
    )
