"""A session: one world with its members, in this process, on a virtual clock, to be stepped, run and looked at."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from unaiverse_lab.core.declare import inherited
from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.runtime.checkpoint import KEEP, Checkpoints, Resumed
from unaiverse_lab.runtime.history import CROWD, History
from unaiverse_lab.runtime.navigation import Navigation, RunResult, Until
from unaiverse_lab.runtime.node import Node
from unaiverse_lab.runtime.synchronizer import NodeSynchronizer
from unaiverse_lab.runtime.trace import Trace
from unaiverse_lab.world import World

__all__ = ["RunResult", "Session", "Until"]


class Session(Navigation):
    """One world and its members, run synchronized.

    Args:
        world: the world, its class, or the node that hosts it; it can also be added later.
        seed: seed of every random source; default: what the class was declared with, or 0.
        delta: seconds per tick; default: what the class was declared with, or the ``clock_delta`` of the world's node
            (1/25).
        name: name of the world's node, when ``world`` is a world.
        strict: pass every message through its encoded form.
        agenda: skip nodes to which nothing can happen (the run is the same).
        trace: where records go.
        stack_students: train students of one architecture together, as one batch.
        history: whether one can go back in time; default: up to 200 nodes.
        checkpoints: a folder for checkpoints; see :meth:`keep_checkpoints`.
        save_checkpoint_every: seconds between two of them.
        options: further options of the world's :class:`~unaiverse_lab.Node`.

    Raises:
        WorldError, BehaviorError: the world is not ready to run.
    """

    _fleeting_fields = (
        "_background", "_history", "_occupation", "_pause_asked", "breakpoints", "checkpoints", "error", "hits",
        "live", "mailbox", "watchers", "_past",
    )  # fmt: skip
    """What is no part of the world's state."""

    def __init__(
        self,
        world: World | Node | type[World] | None = None,
        seed: int | str | None = None,
        delta: float | None = None,
        name: str = "World",
        strict: bool = False,
        agenda: bool = True,
        trace: Trace | None = None,
        stack_students: bool = True,
        history: bool | None = None,
        checkpoints: str | Path | None = None,
        save_checkpoint_every: float | None = None,
        **options: Any,
    ) -> None:
        if isinstance(world, type):
            world = world()
        of_class = inherited(type(world)).options if isinstance(world, World) else {}
        seed = of_class.get("seed", 0) if seed is None else seed
        delta = of_class.get("delta") if delta is None else delta
        if "masters" in of_class:
            options.setdefault("world_masters_node_names", of_class["masters"])
        super().__init__(NodeSynchronizer(seed, delta, strict, agenda, trace, stack_students))
        self.checkpoints: Checkpoints | None = None
        self._past: Any = None
        self.live: Any = None
        if history is not False:
            self._history = History(self, at_most=CROWD if history is None else None)
            self.synchronizer.between_ticks.append(self._history.consider)
        if isinstance(world, World):
            world = Node(world, name, **options)
        if world is not None:
            self.synchronizer.add_node(world)
        if checkpoints is not None:
            self.keep_checkpoints(checkpoints, save_checkpoint_every)

    # ------------------------------------------------------------------ what survives the process

    def keep_checkpoints(self, folder: str | Path, every: float | None = None, keep: int = KEEP) -> Checkpoints:
        """Write checkpoints into a folder while the session runs.

        Args:
            folder: made when needed. What another run left there is moved aside, unless :meth:`resume` takes it up.
            every: seconds of the session's clock; <= 0: only when told to; default: the least ``save_checkpoint_every``
                of the nodes.
            keep: how many generations to keep.
        """
        if self.checkpoints is not None:
            self.synchronizer.between_ticks.remove(self.checkpoints.consider)
        if every is None:
            wishes = [node.save_checkpoint_every for node in self.nodes.values() if node.save_checkpoint_every > 0]
            every = min(wishes, default=-1.0)
        self.checkpoints = Checkpoints(self, folder, every, keep)
        self.synchronizer.between_ticks.append(self.checkpoints.consider)
        return self.checkpoints

    def checkpoint(self, folder: str | Path | None = None) -> Path:
        """Write a checkpoint now: weights, optimizers, machines, queues, streams, stats, badges, the trace.

        Args:
            folder: default: that of :meth:`keep_checkpoints`.

        Returns:
            The folder of the new generation.

        Raises:
            WorldError: no folder was ever named.
            CheckpointError, CannotFreeze: something can not be written, or is under way; the message says where it is.
        """
        return self._checkpoints(folder).save()

    def resume(self, folder: str | Path | None = None) -> Resumed | None:
        """Take up the newest whole checkpoint, in a session just built in the same way as the one that wrote it.

        Args:
            folder: default: that of :meth:`keep_checkpoints`.

        Returns:
            What was found, and which generations were passed over because they are damaged; None: there is nothing.

        Raises:
            WorldError: no folder was ever named.
            CheckpointError: nothing in the folder can be read, or it does not fit this session.
        """
        return self._checkpoints(folder).resume()

    def _checkpoints(self, folder: str | Path | None) -> Checkpoints:
        if folder is not None:
            mine = self.checkpoints
            return mine if mine is not None and mine.folder == Path(folder) else Checkpoints(self, folder)
        if self.checkpoints is None:
            raise WorldError("name a folder for the checkpoints: Session(..., checkpoints='folder')")
        return self.checkpoints

    def close(self) -> None:
        """End a run in the background, and finish files: those of the trace and of the world's stats and badges."""
        self.pause()
        if self.live is not None:
            self.live.stop()
        self.trace.close()
        if self.synchronizer.world_node is not None:
            self.world.stats.shutdown()

    # ------------------------------------------------------------------ what is shown of it

    def why(self, agent: str, tick: int | None = None) -> Any:
        """Why an agent does not go on, and what would let it; see :func:`unaiverse_lab.notebook.why`.

        Args:
            agent: its node.
            tick: the end of this tick is looked at; default: now.

        Raises:
            LabError: no such node; the message gives the nearest names.
        """
        if self._past is None:
            self._past = importlib.import_module("unaiverse_lab.view").Past()
        return importlib.import_module("unaiverse_lab.notebook.display").why(self, agent, tick, self._past)

    def dashboard(self, tick: int | None = None, theme: str | None = None) -> Any:
        """The dashboard of the world: in a notebook one that keeps up with the run, elsewhere the same in words.

        Args:
            tick: as it was at the end of that tick, once and for all; None: as it is, and will be.
            theme: ``"light"`` or ``"dark"``; default: in a notebook as the page around it.

        See :class:`unaiverse_lab.notebook.LiveDashboard` and :func:`unaiverse_lab.notebook.display_dashboard`.
        """
        notebook = importlib.import_module("unaiverse_lab.notebook")
        if tick is None and notebook.is_notebook():
            return notebook.LiveDashboard(self, theme=theme)
        return notebook.display_dashboard(self, tick, theme)

    def stepper(self, **options: Any) -> Any:
        """A widget to go through the run, forward and back; see :class:`unaiverse_lab.notebook.stepper.Stepper`."""
        return importlib.import_module("unaiverse_lab.notebook.stepper").Stepper(self, **options)

    # ------------------------------------------------------------------ live

    async def promote(self, to: Any = "embedded", **options: Any) -> Any:
        """Let the world go live on NATS, between two ticks; from here on members may join from other processes.

        ``step``, ``run`` and ``start`` go on as before, and so does the run: the world, its members and their code stay
        what they are, only transport and clock change.

        Args:
            to: ``"embedded"`` (a private broker on this machine, started and stopped with the live world), the address
                of one (``nats://HOST:4222``), or the path of a nats-server program.
            options: ``clock`` (``"lockstep"``, the default, or ``"wall"``), ``folder`` (where a private broker keeps
                its log), ``keep_log``, ``expect`` (the order in which members shall come in).

        Returns:
            The live side (``session.live``): ``invite``, ``wait_for``, ``status``.

        Raises:
            WorldError: it is live already, or there is no world.
            BrokerError: there is no broker; the message says what was tried.
        """
        return await importlib.import_module("unaiverse_lab.live.promotion").promote(self, to, **options)

    async def demote(self) -> Session:
        """Take a live world back into this process, at the same tick. Members in other processes have to leave.

        Raises:
            WorldError: the world is not live.
        """
        if self.live is None:
            raise WorldError("this world is not live: await session.promote()")
        self.live.stop()
        return self
