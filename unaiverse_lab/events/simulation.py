"""Running a world of events: the session behind it, and the handle one steps it with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.events.reacting import ActionFailed
from unaiverse_lab.runtime.session import RunResult, Session

MAX_TICKS = 10_000


class Run:
    """A world that runs, synchronized, in this process.

    ``session`` is the :class:`unaiverse_lab.Session` behind it: stepping back, checkpoints, drawings are there.

    Args:
        world: the world.
        options: those of the session (``seed``, ``delta``, ``strict`` as ``encode``, ...).
    """

    def __init__(self, world: Any, strict: bool = False, encode: bool = False, **options: Any) -> None:
        self.world = world
        self.stopped = False
        self.paused = False
        for one in (world, *world.members.values()):
            one.strict = strict
        self._strict = strict
        self.session = Session(world, name=world.id, strict=encode, **options)
        for entity in world.members.values():
            self.session.add(entity, entity.id)
        self.session.step()

    @property
    def tick(self) -> int:
        """The last tick that ran; the first one only lets the entities in."""
        return self.session.tick

    def step(self, ticks: int = 1) -> Run:
        """Run so many ticks."""
        self._go(lambda: self.session.step(ticks))
        return self

    def run(self, max_ticks: int | None = None, until: str | Callable[[Session], bool] | None = "idle") -> RunResult:
        """Run until nothing can happen any more (``"idle"``), or as :meth:`unaiverse_lab.Session.run`.

        Args:
            max_ticks: at most so many; default 10,000.
            until: ``"idle"``, or a condition of the session.
        """
        self.paused = False
        limit = max_ticks or MAX_TICKS
        if until is None or until == "idle":
            return self._go(lambda: self._until_idle(limit))  # type: ignore[no-any-return]
        return self._go(lambda: self.session.run(until, max_cycles=limit))  # type: ignore[no-any-return]

    def _until_idle(self, limit: int) -> RunResult:
        home, start = self.session.synchronizer, self.session.tick
        if home.next_tick() is None:
            return RunResult("idle", 0)
        reason = home.run_until(lambda: home.next_tick() is None, home.last_tick(limit, None))
        return RunResult("idle" if reason == "until" else reason, self.session.tick - start)

    def _go(self, work: Callable[[], Any]) -> Any:
        if self.stopped:
            raise WorldError(f"the run of {self.world.id!r} was stopped: launch the world again")
        try:
            return work()
        except ActionFailed as failed:
            raise failed.__cause__ or RuntimeError(str(failed)) from None

    def pause(self) -> None:
        """A synchronized run stands still by itself between two calls; kept for symmetry."""
        self.paused = True

    def stop(self) -> None:
        """End the run: files are closed, and the world can be launched no further. There is nothing else to end."""
        if not self.stopped:
            self.stopped = True
            self.session.close()

    def __repr__(self) -> str:
        return f"Run({self.world.id!r}, tick {self.tick})"


def start(world: Any, *args: Any, **options: Any) -> Run:
    """Launch a world: see :meth:`EventWorld.launch`. ``host`` and ``port`` are accepted, nothing is opened."""
    for name in ("host", "port"):
        options.pop(name, None)
    return Run(world, **options)


class Simulation:
    """A world with its members, as GenWorlds starts it.

    Args:
        name, description: for readers.
        world: the world.
        objects, agents: pairs of an entity and the properties the world is to hold of it, or entities.
        stop_event: something with ``is_set()``; once it is set, the run ends after the tick.
    """

    def __init__(
        self,
        name: str,
        description: str,
        world: Any,
        objects: Iterable[Any] | None = None,
        agents: Iterable[Any] | None = None,
        stop_event: Any = None,
    ) -> None:
        self.name = name
        self.description = description
        self.world = world
        self.stop_event = stop_event
        for given in (*(agents or ()), *(objects or ())):
            entity, properties = given if isinstance(given, tuple) else (given, {})
            world.add(entity, **properties)

    def add_agent(self, agent: Any, **properties: Any) -> Any:
        """Let an agent take part."""
        return self.world.add_agent(agent, **properties)

    def add_object(self, obj: Any, **properties: Any) -> Any:
        """Let an object take part."""
        return self.world.add_object(obj, **properties)

    def launch(self, max_ticks: int | None = None, **options: Any) -> Run:
        """Launch the world and run it until nothing can happen any more, or the stop event is set."""
        run: Run = self.world.launch(**options)
        stop = self.stop_event
        run.run(max_ticks, until="idle" if stop is None else lambda _: bool(stop.is_set()))
        return run
