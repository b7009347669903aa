"""All nodes of a world in one process, tick by tick, on one clock.

A tick: what was posted in the previous tick is delivered; each node has one turn, in order of joining, the world last.
The agenda gives turns only to nodes to which something can happen; a run is the same as if everybody had one.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.behavior.interpreter import NEVER
from unaiverse_lab.core.clock import VirtualClock
from unaiverse_lab.core.drive import drive
from unaiverse_lab.core.envelope import AgentRefusal, Body, Contact, Envelope, InteractionMessage, InteractionStatus
from unaiverse_lab.core.errors import WorldError, did_you_mean
from unaiverse_lab.core.faults import fault
from unaiverse_lab.runtime.node import DEFAULT_DELTA, LEFT, Node
from unaiverse_lab.runtime.trace import Trace
from unaiverse_lab.runtime.transport import InProcessTransport, Transport, body_of

LAST = 1 << 60


def answer_for_the_departed(envelope: Envelope) -> Body | None:
    """What somebody who waits for an answer gets when the target has left meanwhile."""
    try:
        body = body_of(envelope)
    except ValueError:
        return None
    if isinstance(body, Contact):
        return AgentRefusal("it has left")
    if isinstance(body, InteractionMessage) and body.interaction.get("action_name") is not None:
        return InteractionStatus(str(body.interaction.get("uuid")), "disconnected", detail="it has left")
    return None


class NodeSynchronizer:
    """Runs nodes synchronized.

    ``between_ticks`` holds functions that are called before each tick; ``in_tick`` says whether one is under way.

    Args:
        seed: seed of every random source of the run.
        delta: seconds per tick; default: what the world's node asks for.
        strict: pass every message through its encoded form.
        agenda: skip nodes to which nothing can happen; False gives everybody a turn at every tick.
        trace: where records go; default: a new one.
        stack_students: make the learning steps of students of one architecture together, as one batch.
    """

    _fleeting_fields = ("_stacks", "_templates", "between_ticks", "in_tick", "touched", "_left_as")
    """What is no part of the world's state."""

    def __init__(
        self,
        seed: int | str = 0,
        delta: float | None = None,
        strict: bool = False,
        agenda: bool = True,
        trace: Trace | None = None,
        stack_students: bool = True,
    ) -> None:
        self.seed = seed
        self.agenda = agenda
        self.trace = trace if trace is not None else Trace()
        self.clock = VirtualClock(delta if delta is not None else DEFAULT_DELTA)
        self.transport: Transport = InProcessTransport(strict)
        self.gap = 0.0
        self.nodes: dict[str, Node] = {}
        self.world_node: Node | None = None
        self._delta_given = delta is not None
        self._by_peer: dict[str, Node] = {}
        self._joined = 0
        self._started = False
        self._soon: list[Node] = []
        self._in_order = True
        self._later: list[tuple[int, int, Node]] = []
        self._stack_students = stack_students
        self._stacks: Any = None
        self._postponed: list[Node] = []
        self._templates: dict[str, tuple[str, type, HybridStateMachine]] = {}
        self.between_ticks: list[Callable[[], None]] = []
        self.in_tick = False
        self.touched = True
        self._left_as = (0, 0)

    # ------------------------------------------------------------------ nodes

    def add_node(self, node: Node) -> Node:
        """Add a node; agents ask to join as soon as there is a world.

        Raises:
            WorldError: the name is taken, or there is a world already.
            BehaviorError: a behavior of the world is wrong.
        """
        if node.state == LEFT:
            raise WorldError(f"{node.name!r} has left and does not come back: make a new Node")
        if node.name in self.nodes or node.peer_id in self._by_peer:
            raise WorldError(f"there is a node called {node.name!r} already")
        if node.world is not None:
            if self.world_node is not None:
                raise WorldError(f"there is a world already: {self.world_node.name!r}")
            if not self._delta_given:
                if self._started:
                    raise WorldError("add the world before the first tick")
                self.clock.delta = node.clock_delta
            self.world_node = node
        self._joined += 1
        self.nodes[node.name] = node
        self._by_peer[node.peer_id] = node
        self.transport.members.add(node.peer_id)
        node.start(self, LAST if node.world is not None else self._joined)
        if node.world is not None:
            for other in self.nodes.values():
                other.ask_to_join()
        elif self.world_node is not None:
            node.ask_to_join()
        self.wake(node)
        return node

    def remove_node(self, name: str, reason: str = "") -> Node:
        """Take a node out; everybody who knows it is told.

        Raises:
            WorldError: no such node.
        """
        node = self.node(name)
        if node is self.world_node:
            raise WorldError("the world cannot be removed from its own session: start another session")
        node.farewell(reason)
        self._soon = [one for one in self._soon if one is not node]
        self._later = [entry for entry in self._later if entry[2] is not node]
        heapq.heapify(self._later)
        del self.nodes[node.name], self._by_peer[node.peer_id]
        self.transport.members.discard(node.peer_id)
        return node

    def node(self, name: str) -> Node:
        """The node of that name.

        Raises:
            WorldError: there is none; the message gives the nearest names.
        """
        if name not in self.nodes:
            raise WorldError(f"there is no node {name!r}.{did_you_mean(name, self.nodes)}")
        return self.nodes[name]

    def peer_named(self, name: str) -> str | None:
        """Peer id of a node name."""
        node = self.nodes.get(name)
        return None if node is None else node.peer_id

    def identity_of(self, name: str) -> tuple[str, str] | None:
        """Peer id and node id that really belong to a node name."""
        node = self.nodes.get(name)
        return None if node is None else (node.peer_id, node.node_id)

    @property
    def world_name(self) -> str:
        """Name of the world's node; empty while there is none."""
        return self.world_node.name if self.world_node is not None else ""

    def fault(self, error: BaseException, action: str) -> None:
        """Put an error that concerns the run as a whole into the trace."""
        self.trace.append(fault(error, self.clock, self.world_name, None, action))

    @property
    def stacks(self) -> Any:
        """Where learning steps of many students are put together; None: each is made at once."""
        if self._stacks is None and self._stack_students:
            from unaiverse_lab.data.stacking import Stacks

            self._stacks = Stacks()
        return self._stacks

    def unstack(self) -> None:
        """Forget how students were put together: their weights were replaced."""
        self._stacks = None

    def postpone(self, node: Node) -> None:
        """Let a node finish its turn at the end of the tick, when all students have handed in their steps."""
        self._postponed.append(node)

    def template(self, role_name: str) -> HybridStateMachine | None:
        """The behavior of a role, loaded once for all the members that get it."""
        world = self.world_node.world if self.world_node is not None else None
        text = None if world is None else world.role_to_behav.get(role_name)
        if world is None or text is None:
            return None
        role_class = world.role_classes[role_name]
        known = self._templates.get(role_name)
        if known is None or known[0] != text or known[1] is not role_class:
            machine = HybridStateMachine(role_class(proc=None)).load(text)
            known = self._templates[role_name] = (text, role_class, machine)
        return known[2]

    # ------------------------------------------------------------------ the agenda

    @property
    def following(self) -> int:
        """The tick after the last one that ran."""
        return self.clock.tick + 1 if self._started else self.clock.tick

    def wake(self, node: Node) -> None:
        """Give a node a turn at the next tick."""
        self.touched = True
        following = self.following
        if node.next_tick != following:
            node.next_tick = following
            self._soon.append(node)
            self._in_order = False

    def _plan(self, node: Node) -> None:
        due = node.due()
        if due == NEVER:
            return
        following = self.following
        tick = max(following, self.clock.tick_at(due)) if due > self.clock.now else following
        if tick == following:
            self.wake(node)
        elif not following <= node.planned_tick <= tick:
            node.planned_tick = tick
            heapq.heappush(self._later, (tick, node.order, node))

    def next_tick(self) -> int | None:
        """The next tick at which anything can happen; None if only the outside can make something happen."""
        if self._soon or len(self.transport) or not self.agenda:
            return self.following
        return max(self.following, self._later[0][0]) if self._later else None

    def _turns(self, tick: int) -> list[Node]:
        """The nodes that have a turn in this tick, in order."""
        delivered = self.transport.deliver()
        turns, self._soon = self._soon, []
        in_order, self._in_order = self._in_order, True
        for envelope in delivered:
            node = self._by_peer.get(envelope.target)
            if node is None:
                answer = answer_for_the_departed(envelope)
                node = self._by_peer.get(envelope.sender)
                if answer is None or node is None:
                    continue
                envelope = Envelope(envelope.target, envelope.sender, answer)
            node.inbox.append(envelope)
            node.chores = True
            if node.next_tick != tick:
                node.next_tick = tick
                turns.append(node)
                in_order = False
        while self._later and self._later[0][0] <= tick:
            node = heapq.heappop(self._later)[2]
            if node.next_tick != tick:
                node.next_tick = tick
                turns.append(node)
                in_order = False
        if not self.agenda:
            turns, in_order = list(self.nodes.values()), False
        if not in_order:
            turns.sort(key=attrgetter("order"))
        return turns

    # ------------------------------------------------------------------ running

    @property
    def was_touched(self) -> bool:
        """Whether anybody did something to the world since the last tick, as far as that can be seen."""
        return self.touched or self._left_as != (len(self.trace), len(self.transport))

    async def _tick(self, tick: int) -> None:
        for duty in self.between_ticks:
            duty()
        before = self.clock.tick, self._started
        self.clock.move_to(tick)
        self._started = True
        try:
            turns = iter(self._turns(tick))
        except BaseException:  # a transport that waits for others may be interrupted: the tick has not begun
            self.clock.move_to(before[0])
            self._started = before[1]
            raise
        soon = self._soon
        following = tick + 1
        everybody = not self.agenda
        try:
            for node in turns:
                has_chores = node.chores
                if has_chores or everybody:
                    await node.turn()
                    self._plan(node)
                    continue
                behav = node.agent.behav  # type: ignore[union-attr]
                try:
                    moved = await behav.act()
                except Exception as error:
                    moved = False
                    node.stop_machine(error)
                if node.chores:
                    await node.finish_turn()
                if not moved:
                    self._plan(node)
                elif node.next_tick != following:
                    node.next_tick = following
                    soon.append(node)
            postponed, self._postponed = self._postponed, []
            for node in postponed:
                await node.finish_postponed()
                self._plan(node)
        except BaseException:
            for interrupted in (node, *turns, *self._postponed):
                self.wake(interrupted)
            self._postponed.clear()
            raise
        self.trace.trim()
        self.touched = False
        self._left_as = (len(self.trace), len(self.transport))

    def step(self, ticks: int = 1) -> None:
        """Run so many ticks, one by one.

        A KeyboardInterrupt leaves the world consistent: what had no turn yet has it at the next tick.
        """
        self.run_until(last_tick=self.following + ticks - 1, jump=False)

    def run_until(self, stop: Callable[[], bool] | None = None, last_tick: int | None = None, jump: bool = True) -> str:
        """Run until ``stop()`` is true after a tick, ``last_tick`` is reached, or nothing can happen any more.

        Args:
            stop: asked after each tick.
            last_tick: the last tick to run; None: no limit.
            jump: skip stretches of time in which nothing can happen.

        Returns:
            ``"until"``, ``"max_cycles"`` or ``"quiet"``.
        """
        while (ended := self.advance(last_tick, jump)) is None:
            if stop is not None and stop():
                return "until"
        return ended

    def advance(self, last_tick: int | None = None, jump: bool = True) -> str | None:
        """Run the next tick, if there is one.

        Args:
            last_tick, jump: see :meth:`run_until`.

        Returns:
            None, or why there is none: ``"max_cycles"`` or ``"quiet"``.
        """
        tick = self.next_tick() if jump else self.following
        if tick is None and last_tick is None:
            return "quiet"
        if tick is None or (last_tick is not None and tick > last_tick):
            assert last_tick is not None
            if last_tick > self.clock.tick:
                self.clock.move_to(last_tick)
                self._started = True
            return "max_cycles"
        self.in_tick = True
        try:
            drive(self._tick(tick))
        finally:
            self.in_tick = False
        return None

    def last_tick(self, cycles: int | None, max_time: float | None) -> int | None:
        """The last tick of a run of so many ticks and seconds from now on; None: no limit."""
        ends = [] if cycles is None else [self.following + cycles - 1]
        if max_time is not None:
            start = self.clock.now if self._started else self.clock.epoch
            ends.append(self.clock.tick_at(start + max_time))
        return min(ends, default=None)

    def run(self, addresses: Any = None, synch_cycles: int | None = None, max_time: float | None = None) -> str:
        """Run ``synch_cycles`` ticks, as the peer's synchronizer is called, at most ``max_time`` seconds of the clock.

        With None for both it runs until nothing can happen any more.

        ``addresses`` is accepted for compatibility. After each tick ``gap`` seconds (default 0) of real time pass.
        """
        last = self.last_tick(synch_cycles, max_time)
        if self.gap <= 0:
            return self.run_until(last_tick=last)

        def pause() -> bool:
            time.sleep(self.gap)
            return False

        return self.run_until(pause, last, jump=False)
