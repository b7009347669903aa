"""A node hosts one agent or one world: it has a name, a profile, an inbox, and turns."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextvars import ContextVar
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar, Protocol

from unaiverse_lab.agents import Agent
from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.behavior.interpreter import NEVER
from unaiverse_lab.core.clock import Clock, VirtualClock
from unaiverse_lab.core.declare import declared
from unaiverse_lab.core.envelope import (
    BadgeAwarded,
    Body,
    Envelope,
    Farewell,
    MemberPurged,
    ProfileMessage,
    RoleChange,
    StatsReceived,
    StatsUpdate,
    StatsView,
    SuggestionAnswers,
    WorldApproval,
    WorldRefusal,
)
from unaiverse_lab.core.errors import LabError, WorldError
from unaiverse_lab.core.faults import fault
from unaiverse_lab.core.profile import NodeProfile
from unaiverse_lab.core.records import Dropped, Record
from unaiverse_lab.core.roles import RoleTable
from unaiverse_lab.runtime.observer import Observer
from unaiverse_lab.runtime.trace import Trace
from unaiverse_lab.runtime.transport import Transport, body_of
from unaiverse_lab.stats.stats import Stats
from unaiverse_lab.world import Gate, World

DEFAULT_DELTA = 1.0 / 25.0
OUTSIDE, ASKING, MEMBER, REFUSED, LEFT = "outside", "asking", "member", "refused", "left"
IGNORED = (
    "unaiverse_key", "hidden", "code_repo", "code_commit", "allow_connection_through_relay",
    "talk_to_relay_based_nodes",
)  # fmt: skip


gathering: ContextVar[list[Node] | None] = ContextVar("gathering", default=None)
"""While the scripts of a world folder are executed: the nodes they told to run."""

RUN_OPTIONS = (
    "keep_rejoining", "cycles", "max_time", "interact_mode", "resume_from_checkpoint", "join_world", "get_in_touch",
)  # fmt: skip


class Home(Protocol):
    """What a node needs of the session it lives in."""

    seed: int | str
    clock: VirtualClock
    trace: Trace
    transport: Transport
    nodes: dict[str, Node]
    world_node: Node | None

    @property
    def stacks(self) -> Any:
        """Where learning steps of many students are put together; None: each is made at once."""

    def wake(self, node: Node) -> None:
        """Give the node a turn at the next tick."""

    def postpone(self, node: Node) -> None:
        """Let the node finish its turn at the end of the tick."""

    def template(self, role_name: str) -> HybridStateMachine | None:
        """The behavior of a role."""

    def peer_named(self, name: str) -> str | None:
        """Peer id of a node name."""

    def identity_of(self, name: str) -> tuple[str, str] | None:
        """Peer id and node id of a node name."""


def peer_id_of(name: str) -> str:
    """The peer id of a node name: letters, digits, ``-`` and ``_`` stay, anything else becomes ``_``."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)


def node_id_of(name: str) -> str:
    """The node id (what allow-lists contain) of a node name."""
    return f"node-{peer_id_of(name)}"


class Node:
    """Hosts an :class:`~unaiverse_lab.Agent` or a :class:`~unaiverse_lab.World`.

    Args:
        hosted: the agent or the world.
        node_name: its name, unique in a session.
        node_id: default: made from the name.
        clock_delta: seconds per tick the node would like; the world's node decides. Default 1/25.
        allowed_node_ids, only_certified_agents: who may enter (worlds).
        world_masters_node_ids, world_masters_node_names: who may lead (worlds).
        certified: whether the profile carries the flag.
        run_hook: ``f(node)`` called at the end of each turn; its exceptions are recorded and contained.
        base_identity_dir: of the world's node: where :func:`~unaiverse_lab.run_synch` keeps checkpoints.
        save_checkpoint_every: seconds between checkpoints, where they are kept; -1, the default: only at the end.
        send_stats_every: kept for compatibility: what an agent measures is sent at the end of the turn.
        ignored: options of the peer that make no sense here; accepted with a warning.

    Raises:
        WorldError: neither an agent nor a world, no name, or seconds that are none.
    """

    __slots__ = (
        "__dict__",
        "agent",
        "chores",
        "clock",
        "clock_delta",
        "dropped",
        "hosted",
        "inbox",
        "join_options",
        "join_world",
        "name",
        "next_tick",
        "node_id",
        "order",
        "peer_id",
        "planned_tick",
        "profile",
        "record",
        "run_hook",
        "seed",
        "state",
        "synchronizer",
        "why_refused",
        "world",
    )

    def __init__(
        self,
        hosted: Agent | World,
        node_name: str | None = None,
        node_id: str | None = None,
        clock_delta: float | None = None,
        only_certified_agents: bool = False,
        allowed_node_ids: Iterable[str] | None = None,
        world_masters_node_ids: Iterable[str] | None = None,
        world_masters_node_names: Iterable[str] | None = None,
        certified: bool = False,
        run_hook: Callable[[Node], None] | None = None,
        base_identity_dir: str | Path | None = None,
        save_checkpoint_every: float = -1.0,
        send_stats_every: float = 30.0,
        **ignored: Any,
    ) -> None:
        if not isinstance(hosted, Agent | World):
            raise WorldError(f"a node hosts an Agent or a World, not a {type(hosted).__name__}")
        name = node_name or node_id
        if not name:
            raise WorldError("give the node a name: Node(..., node_name='Ada')")
        for option in ignored:
            if option not in IGNORED:
                raise TypeError(f"Node() has no option {option!r}")
            warnings.warn(f"Node(..., {option}=...) has no effect here", stacklevel=2)
        self.hosted = hosted
        self.name = name
        self.node_id = node_id or node_id_of(name)
        self.peer_id = peer_id_of(name)
        self.clock_delta = clock_delta if clock_delta is not None else DEFAULT_DELTA
        self.run_hook = run_hook
        self.base_identity_dir = None if base_identity_dir is None else str(base_identity_dir)
        self.save_checkpoint_every = _seconds("save_checkpoint_every", save_checkpoint_every, off=-1.0)
        self.send_stats_every = _seconds("send_stats_every", send_stats_every)
        self.join_options: dict[str, Any] = {}
        self.join_world: str | None = None
        self.state = OUTSIDE
        self.why_refused: str | None = None
        self.inbox: list[Envelope] = []
        self.clock: Clock = VirtualClock(self.clock_delta)
        self.synchronizer: Home | None = None
        self.record: Callable[[Record], None] = _nowhere
        self.order = 0
        self.next_tick = -1
        self.planned_tick = -1
        self.chores = True
        self.seed = ""
        self.dropped = 0
        self.world: World | None = hosted if isinstance(hosted, World) else None
        self.agent: Agent | None = hosted if isinstance(hosted, Agent) else None
        if self.world is not None:
            masters = {node_id_of(master) for master in world_masters_node_names or ()}
            self.world.gate = Gate(allowed_node_ids, only_certified_agents, masters | set(world_masters_node_ids or ()))
        human = self.agent is not None and self.agent.is_human()
        self.profile = NodeProfile(
            {
                "node_id": self.node_id,
                "node_type": "world" if self.world is not None else "human" if human else "agent",
                "node_name": name,
                "certified": certified,
            },
            {"peer_id": self.peer_id},
        )

    def __repr__(self) -> str:
        return f"Node({self.name!r}, {type(self.hosted).__name__})"

    # ------------------------------------------------------------------ what the hosted one asks for

    @property
    def world_id(self) -> str | None:
        """Peer id of the world the node is a member of."""
        return self._host.peer_id if self.state == MEMBER and self._host is not None else None

    @property
    def stacks(self) -> Any:
        """Where learning steps of many students are put together."""
        return self.synchronizer.stacks if self.synchronizer is not None else None

    @property
    def _host(self) -> Node | None:
        return self.synchronizer.world_node if self.synchronizer is not None else None

    @property
    def _world(self) -> World | None:
        return self._host.world if self._host is not None else None

    @property
    def stats_class(self) -> type[Stats]:
        """What the world of the node, as a member, measures."""
        return type(self._world.stats) if self.world_id is not None and self._world is not None else Stats

    @property
    def role_table(self) -> RoleTable:
        """Roles of the world."""
        return self._world.roles if self._world is not None else RoleTable()

    @property
    def roster(self) -> dict[str, int]:
        """Members of the world, by peer id, with their role bits."""
        return self._world.roster if self._world is not None else {}

    def post(self, target: str, body: Body) -> bool:
        """Send a message; False if there is no such peer."""
        return self.synchronizer is not None and self.synchronizer.transport.post(self.peer_id, target, body)

    def wake(self) -> None:
        """Ask for a turn at the next tick."""
        self.chores = True
        if self.synchronizer is not None:
            self.synchronizer.wake(self)

    def behavior_template(self, role_name: str) -> HybridStateMachine | None:
        """The behavior the world sent for a role, ready to be copied."""
        return self.synchronizer.template(role_name) if self.synchronizer is not None else None

    def peer_named(self, name: str) -> str | None:
        """Peer id of a node of this session."""
        return self.synchronizer.peer_named(name) if self.synchronizer is not None else None

    def identity_of(self, name: str) -> tuple[str, str] | None:
        """Peer id and node id of the node of that name, as the session knows it."""
        return self.synchronizer.identity_of(name) if self.synchronizer is not None else None

    # ------------------------------------------------------------------ life

    def start(self, synchronizer: Home, order: int) -> None:
        """Take a place in a session; an agent asks its world to let it in.

        Raises:
            WorldError, BehaviorError: the world is not ready to run.
        """
        self.synchronizer = synchronizer
        self.clock = synchronizer.clock
        self.record = synchronizer.trace.append
        self.order = order
        self.seed = f"{synchronizer.seed}:{self.name}"
        if self.world is not None:
            self.world.prepare()
            self.world.attach_to(self)
            self.world.stats.observer = Observer(synchronizer)
            declared(type(self.world)).runs_in(synchronizer)
            self.state = MEMBER
            return
        assert self.agent is not None
        self.agent.attach_to(self)
        self.profile.update_dynamic(self.agent.stream_profile())

    def ask_to_join(self) -> None:
        """Ask the world of the session to let the agent in."""
        host = self._host
        if host is not None and self.state == OUTSIDE:
            self.state = ASKING
            self.post(host.peer_id, ProfileMessage(self.profile.to_dict(), self.join_options))

    async def turn(self) -> None:
        """One tick of this node: messages, ``on_tick``, the machine, then samples and answers."""
        inbox, self.inbox = self.inbox, []
        for envelope in inbox:
            await self._take_in(envelope)
        if self.state == MEMBER and self._has_on_tick():
            await self._guarded(self.hosted.on_tick(), "on_tick")
        if self.agent is not None:
            self.agent.take_typed()
            try:
                await self.agent.behav.act()
            except Exception as error:
                self.stop_machine(error)
        await self.finish_turn()

    def stop_machine(self, error: Exception) -> None:
        """Switch off a machine that cannot run, and record why."""
        behav = self.agent.behav  # type: ignore[union-attr]
        self.record(fault(error, self.clock, self.name, behav.get_state_name(True)))
        behav.stop()

    async def finish_turn(self) -> None:
        """After the machine has acted: samples and answers leave, overdue interactions end."""
        agent = self.agent
        if agent is not None and agent.lessons and self.synchronizer is not None:
            self.synchronizer.postpone(self)
            return
        if agent is not None and (agent.has_samples_to_send() or len(agent.im) or agent.im.just_completed):
            await self._guarded(agent.end_turn(), "end of turn")
        if agent is not None and agent.has_scores():
            self._send_scores()
        if self.world is not None:
            if self.world.has_samples_to_send():
                await self._guarded(_call_hook(type(self.world).send_samples, self.world), "end of turn")
            self.world.end_turn()
        if self.run_hook is not None:
            await self._guarded(_call_hook(self.run_hook, self), "run_hook")
        self.chores = (
            self.world is not None
            or self.run_hook is not None
            or self._has_on_tick()
            or (
                agent is not None
                and bool(
                    agent.typed or agent.script or agent.has_samples_to_send() or len(agent.im) or agent.has_scores()
                )
            )
        )

    async def finish_postponed(self) -> None:
        """At the end of the tick: the lessons of this turn are learned, then it ends as others do."""
        if self.agent is not None:
            self.agent.finish_lessons()
        await self.finish_turn()

    def _has_on_tick(self) -> bool:
        return type(self.hosted).on_tick not in (Agent.on_tick, World.on_tick)

    async def _guarded(self, coroutine: Coroutine[Any, Any, None], what: str) -> None:
        try:
            await coroutine
        except Exception as error:
            self.record(fault(error, self.clock, self.name, None, what))

    def due(self) -> float:
        """When the node next has something to do: a time, 0 for the next tick, infinity when only a message can."""
        if self.run_hook is not None or (self.state == MEMBER and self._has_on_tick()):
            return 0.0
        if self.world is not None:
            return 0.0 if self.world.has_samples_to_send() else NEVER
        agent = self.agent
        if agent is None:
            return NEVER
        if agent.typed or agent.has_samples_to_send():
            return 0.0
        soonest = agent.behav.due()
        if agent.script:
            soonest = min(soonest, agent.script[0][0])
        if self.chores and agent.has_scores() and self.state == MEMBER:
            soonest = min(soonest, agent.stats.outbox.due(self.clock.tick))
        return min(soonest, agent.im.due()) if len(agent.im) else soonest

    # ------------------------------------------------------------------ messages

    async def _take_in(self, envelope: Envelope) -> None:
        try:
            body = body_of(envelope)
            handler = None if self.agent is None else self._words_of_the_world.get(type(body))
            if handler is not None:
                self._need_world(envelope.sender)
                await handler(self, envelope.sender, body)
            else:
                await self.hosted.receive(envelope.sender, body)
        except Exception as error:
            found = fault(error, self.clock, self.name)
            if found.where is not None:  # the learner's own code failed, e.g. in accept_new_role
                self.record(found)
                return
            self.dropped += 1
            reason = str(error) if isinstance(error, LabError) else f"it does not parse: {error}"
            self.record(Dropped(self.clock.tick, self.clock.now, self.name, envelope.sender, reason))

    def _need_world(self, sender: str) -> None:
        host = self._host
        if host is None or sender != host.peer_id:
            raise LabError(f"{sender} spoke as if it were the world")

    async def _on_approval(self, sender: str, body: WorldApproval) -> None:
        if self.state != ASKING:
            raise LabError("the world let in a node that was not asking")
        self.state = MEMBER
        assert self.agent is not None
        self.profile.set_cv(body.cv)
        self.agent.learn_streams(sender, body.streams)
        self.agent.keep_score_as(self.stats_class)
        if self.agent.has_scores():
            self._send_scores(everything=True)
        await self._adopt(body.role, body.role_name)

    async def _on_refusal(self, sender: str, body: WorldRefusal) -> None:
        if self.state != ASKING:
            raise LabError("the world refused a node that was not asking")
        self.state = REFUSED
        self.why_refused = body.reason

    async def _on_role_change(self, sender: str, body: RoleChange) -> None:
        if self.state != MEMBER:
            raise LabError(f"the world gave the role {body.role_name!r} to a node that is no member")
        await self._adopt(body.role, body.role_name)
        if self.agent is not None and self.state == MEMBER:
            self.agent.send_profile_to_all()

    async def _on_answers(self, sender: str, body: SuggestionAnswers) -> None:
        assert self.agent is not None
        for answer in body.answers:
            await self._guarded(_call_hook(self.agent.suggestion_answered, answer), "suggestion_answered")

    async def _on_purge(self, sender: str, body: MemberPurged) -> None:
        assert self.agent is not None
        await self.agent.lose(body.peer_id, body.reason)

    def _send_scores(self, everything: bool = False) -> None:
        """Bring the world what the agent has stored: what is new, what it did not acknowledge in time, or all."""
        host, agent = self._host, self.agent
        batch = agent.stats.batch(everything) if host is not None and self.world_id and agent is not None else None
        if host is not None and batch is not None:
            self.post(host.peer_id, StatsUpdate(*batch))

    async def _on_stats_received(self, sender: str, body: StatsReceived) -> None:
        assert self.agent is not None
        self.agent.stats.acknowledged(body.upto, body.refused, body.reason)

    async def _on_stats_view(self, sender: str, body: StatsView) -> None:
        assert self.agent is not None
        if body.reason is not None:
            raise LabError(f"the world did not tell its statistics: {body.reason}")
        self.agent.stats.update_view(body.view)

    async def _on_badge(self, sender: str, body: BadgeAwarded) -> None:
        assert self.agent is not None
        self.profile.add_badge(body.badge)
        self.agent.send_profile_to_all()

    _words_of_the_world: ClassVar[dict[type[Body], Callable[[Node, str, Any], Awaitable[None]]]] = {
        WorldApproval: _on_approval,
        WorldRefusal: _on_refusal,
        RoleChange: _on_role_change,
        SuggestionAnswers: _on_answers,
        MemberPurged: _on_purge,
        BadgeAwarded: _on_badge,
        StatsReceived: _on_stats_received,
        StatsView: _on_stats_view,
    }

    async def _adopt(self, role: int, role_name: str) -> None:
        """Take a role; a node whose role class fails leaves the world, rather than staying in it half changed."""
        agent, world = self.agent, self._world
        assert agent is not None and world is not None
        role_class, former = world.role_classes.get(role_name), type(agent)
        try:
            if role_class is not None:
                agent.become(role_class)
            self.profile.update_dynamic({"connections": {"role": world.roles.to_name.get(role)}})
            agent.accept_new_role(role)
            self.profile.update_dynamic(agent.stream_profile())
        except Exception as error:
            self.record(fault(error, self.clock, self.name, None, f"role {role_name}"))
            self.why_refused = f"it could not take the role {role_name!r}: {type(error).__name__}: {error}"
            self.farewell(self.why_refused)
            self.profile.update_dynamic({"connections": {"role": None}})
            await agent.give_up_role(former)

    def farewell(self, reason: str = "") -> None:
        """Tell everybody who knows this node that it is gone; the world gets first what it has not acknowledged."""
        if self.agent is not None and self.agent.has_scores():
            self._send_scores(everything=True)
        self.state = LEFT
        if self.agent is not None:
            self.agent.release_processor()
            listeners = [peer for peers in self.agent.subscribers.values() for peer in peers]
            for peer in dict.fromkeys([*self.agent.all_agents, *self.agent.contacting, *listeners]):
                self.post(peer, Farewell(reason))
        host = self._host
        if host is not None and host is not self:
            self.post(host.peer_id, Farewell(reason))

    # ------------------------------------------------------------------ running by itself

    def run(self, keep_rejoining: bool = True, **options: Any) -> None:
        """Run the node, as the scripts of a world folder do.

        Args:
            keep_rejoining: kept for compatibility.
            options: ``join_world`` (the name of a world that is hosted on this machine, or an invite to one),
                ``role_preference`` and other join options, ``cycles`` and ``max_time`` (leave after so many ticks, or
                seconds).

        Where a script is executed by somebody (``unaiverse-lab run``, ``host`` or ``join``), the node is only noted
        down. In a script that is started by itself, a world's node hosts its world live, until Ctrl+C, and an agent's
        node joins the live world and stays until it is over, or Ctrl+C; the classes of the roles are those in ``src/``
        beside the script.

        Raises:
            WorldError: there is no such world; or there is none to be joined.
            LabError: it does not let the node in, or goes on without it; or the world cannot be hosted.
        """
        self.join_world = options.get("join_world")
        self.join_options.update({name: value for name, value in options.items() if name not in RUN_OPTIONS})
        nodes = gathering.get()
        if nodes is not None:
            nodes.append(self)
        else:
            importlib.import_module("unaiverse_lab.cli.alone").run_alone(self, options)


def _nowhere(record: Record) -> None:
    """A node outside a session has no trace."""


async def _call_hook(hook: Callable[[Any], None], argument: Any) -> None:
    hook(argument)


def _seconds(option: str, value: Any, off: float | None = None) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and (value == off or (value > 0 and isfinite(value))):
        return float(value)
    instead = "" if off is None else f", or {off:g} for never"
    raise WorldError(f"Node(..., {option}=...) is a positive number of seconds{instead}, not {value!r}")
