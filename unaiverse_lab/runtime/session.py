"""A session: one world with its members, in this process, on a virtual clock, to be stepped, run and looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from unaiverse_lab.agents import Agent
from unaiverse_lab.core.declare import inherited
from unaiverse_lab.core.errors import WorldError, did_you_mean
from unaiverse_lab.core.roles import custom_part
from unaiverse_lab.runtime.checkpoint import KEEP, Checkpoints, Resumed
from unaiverse_lab.runtime.history import CROWD, History
from unaiverse_lab.runtime.node import MEMBER, Node
from unaiverse_lab.runtime.redefine import reassign
from unaiverse_lab.runtime.synchronizer import NodeSynchronizer
from unaiverse_lab.runtime.trace import Trace
from unaiverse_lab.world import World

Until = str | Callable[["Session"], bool]


class RunResult(NamedTuple):
    """How a run ended.

    ``reason`` is ``"until"``, ``"max_cycles"`` (also for ``max_time``) or ``"quiet"``; ``ticks``: how far it went.
    """

    reason: str
    ticks: int


class Session:
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

    _fleeting_fields = ("_history", "checkpoints")
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
        self._unnamed = 0
        if isinstance(world, type):
            world = world()
        of_class = inherited(type(world)).options if isinstance(world, World) else {}
        seed = of_class.get("seed", 0) if seed is None else seed
        delta = of_class.get("delta") if delta is None else delta
        if "masters" in of_class:
            options.setdefault("world_masters_node_names", of_class["masters"])
        self.synchronizer = NodeSynchronizer(seed, delta, strict, agenda, trace, stack_students)
        self.checkpoints: Checkpoints | None = None
        self._history: History | None = None
        if history is not False:
            self._history = History(self, at_most=CROWD if history is None else None)
            self.synchronizer.between_ticks.append(self._history.consider)
        if isinstance(world, World):
            world = Node(world, name, **options)
        if world is not None:
            self.synchronizer.add_node(world)
        if checkpoints is not None:
            self.keep_checkpoints(checkpoints, save_checkpoint_every)

    # ------------------------------------------------------------------ members

    def add(
        self,
        agent: Agent | World | Node,
        node_name: str | None = None,
        *,
        master: bool = False,
        role_preference: str | None = None,
        certified: bool = False,
        **options: Any,
    ) -> Node:
        """Add a member; it asks to join at the next tick.

        Args:
            agent: the agent, or the node that hosts it.
            node_name: its name; default: the class's name and a number.
            master: let it lead.
            role_preference: the role it would like.
            certified: whether its profile carries the flag.
            options: further join options, seen by ``assign_role`` as ``tmp_<option>``.

        Raises:
            WorldError: the name is taken.
        """
        if isinstance(agent, Node):
            node = agent
        else:
            node = Node(agent, node_name or self._free_name(type(agent).__name__), certified=certified)
        if role_preference is not None:
            options["role_preference"] = role_preference
        node.join_options.update(options)
        if master:
            self.world.gate.masters.add(node.node_id)
        return self.synchronizer.add_node(node)

    def reassign(self) -> list[str]:
        """Ask the world's ``assign_role`` again for all members, in order of joining; returns who has another role now.

        Raises:
            WorldError: the rule names a role that does not exist.
        """
        return reassign(self.synchronizer)

    def _free_name(self, base: str) -> str:
        while True:
            self._unnamed += 1
            if (name := f"{base}{self._unnamed}") not in self.nodes:
                return name

    def remove(self, name: str, reason: str = "") -> Node:
        """Let a member leave; everybody who knows it is told."""
        return self.synchronizer.remove_node(name, reason)

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes by name, in order of joining."""
        return self.synchronizer.nodes

    def node(self, name: str) -> Node:
        """The node of that name; WorldError with the nearest names if there is none."""
        return self.synchronizer.node(name)

    def agent(self, name: str) -> Agent:
        """The agent hosted by a node; WorldError if there is none."""
        agent = self.node(name).agent
        if agent is None:
            raise WorldError(f"{name!r} hosts a world, not an agent")
        return agent

    @property
    def world(self) -> World:
        """The world; WorldError if there is none yet."""
        node = self.synchronizer.world_node
        if node is None or node.world is None:
            raise WorldError("this session has no world yet: Session(MyWorld()) or session.add(world)")
        return node.world

    # ------------------------------------------------------------------ time

    @property
    def tick(self) -> int:
        """The last tick that ran, -1 before the first."""
        return self.synchronizer.clock.tick if self.synchronizer._started else -1

    @property
    def now(self) -> float:
        """Time of the last tick, in seconds."""
        return self.synchronizer.clock.now

    def step(self, ticks: int = 1) -> Session:
        """Run so many ticks."""
        self.synchronizer.step(ticks)
        return self

    def run(
        self,
        until: Until | None = None,
        max_cycles: int | None = None,
        max_time: float | None = None,
        on_tick: Callable[[Session], None] | None = None,
    ) -> RunResult:
        """Run until a condition holds.

        Args:
            until: ``"STATE"`` (some agent is in it), ``"NAME:STATE"`` (the node of that name, or all nodes with that
                role), or a function of the session.
            max_cycles: at most so many ticks; None: no limit.
            max_time: at most so many seconds of the session's clock; None: no limit.
            on_tick: called after each tick that did something, e.g. to print.

        Without these three, it ends when nothing can happen any more.

        Raises:
            WorldError: ``until`` names a state, node or role that does not exist.
        """
        start = self.tick
        reached = self._condition(until)
        if until is not None and reached():
            return RunResult("until", 0)

        def stop() -> bool:
            if on_tick is not None:
                on_tick(self)
            return reached()

        last = self.synchronizer.last_tick(max_cycles, max_time)
        reason = self.synchronizer.run_until(stop, last, jump=not callable(until))
        return RunResult(reason, self.tick - start)

    def back(self, ticks: int = 1) -> Session:
        """Go back so many ticks, at most to before the first one; see :meth:`goto`."""
        return self.goto(max(-1, self.tick - ticks))

    def goto(self, tick: int) -> Session:
        """Make everything what it was after a tick (-1: before the first one), or run on to it.

        What happened later is forgotten; running on repeats it, unless something is done differently now. Nodes, agents
        and streams stay the same objects. Files, pictures on the screen and the like stay as they are.

        Raises:
            WorldError: there is no such tick, or no way back to it.
        """
        if tick < -1:
            raise WorldError(f"there is no tick {tick}: the first one is 0, and -1 is before it")
        if tick > self.tick:
            self.run(max_cycles=tick - self.tick)
        elif self._history is None:
            raise WorldError("this session keeps no history: Session(..., history=True)")
        elif tick < self.tick:
            self._history.go_to(tick)
        return self

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
        """Finish files: those of the trace and of the world's stats and badges."""
        self.trace.close()
        if self.synchronizer.world_node is not None:
            self.world.stats.shutdown()

    def _condition(self, until: Until | None) -> Callable[[], bool]:
        if until is None:
            return lambda: False
        if callable(until):
            return lambda: bool(until(self))
        name, _, state = until.rpartition(":")
        self._check_names(name, state)

        def reached() -> bool:
            states = self.states_of(name)
            return bool(states) and (all if name else any)(one == state for one in states)

        return reached

    def _check_names(self, name: str, state: str) -> None:
        world = self.world
        known = [*self.nodes, *world.roles.custom]
        if name and name not in known:
            raise WorldError(f"there is no node or role {name!r}.{did_you_mean(name, known)}")
        states = [s for role in world.role_to_behav for s in self._states(role)]
        if states and state not in states:
            raise WorldError(f"no behavior of this world has a state {state!r}.{did_you_mean(state, states)}")

    def _states(self, role: str) -> list[str]:
        template = self.synchronizer.template(role)
        return [] if template is None else list(template.get_states())

    def states_of(self, name: str = "") -> list[str | None]:
        """Current states of the node, or of all nodes with the role, of that name (``""``: of all members)."""
        node = self.nodes.get(name)
        if node is not None:
            return [node.agent.behav.state] if node.agent is not None else []
        roster, roles = self.world.roster, self.world.roles
        return [
            one.agent.behav.state
            for one in self.nodes.values()
            if one.agent is not None
            and one.state == MEMBER
            and (not name or custom_part(roster.get(one.peer_id, 0)) == roles.to_bits.get(name))
        ]

    # ------------------------------------------------------------------ people, records

    def say(self, name: str, text: str) -> None:
        """Type a line as the person behind a node."""
        self.agent(name).say(text)

    @property
    def trace(self) -> Trace:
        """Everything that happened."""
        return self.synchronizer.trace

    def digest(self) -> str:
        """A fingerprint of the whole run: equal for equal runs."""
        return self.trace.digest()

    def status(self) -> list[tuple[str, str, str, str]]:
        """One row per node: name, role, state, what it is doing."""
        rows = []
        for node in self.nodes.values():
            if node.agent is None:
                rows.append((node.name, "world", "", f"{len(node.world.roster) if node.world else 0} members"))
                continue
            behav = node.agent.behav
            pending = behav.get_action_name()
            doing = f"trying {pending}" if pending else "" if behav.is_enabled() else "stopped"
            if node.state != MEMBER:
                doing = node.state + (f": {node.why_refused}" if node.why_refused else "")
            role = self.world.get_role(node.peer_id) or "" if self.synchronizer.world_node is not None else ""
            rows.append((node.name, role, behav.get_state_name(consider_limbo=True) or "", doing))
        return rows
