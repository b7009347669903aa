"""Who is in a session: its nodes, its world, where everybody is, and what people and peers ask of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from unaiverse_lab.agents import Agent
from unaiverse_lab.core.envelope import InteractionMessage
from unaiverse_lab.core.errors import WorldError, did_you_mean
from unaiverse_lab.core.interaction import Interaction
from unaiverse_lab.core.records import Injected
from unaiverse_lab.core.roles import custom_part
from unaiverse_lab.runtime.node import MEMBER, Node
from unaiverse_lab.runtime.redefine import reassign
from unaiverse_lab.runtime.synchronizer import NodeSynchronizer
from unaiverse_lab.runtime.trace import Trace
from unaiverse_lab.world import World


class Members:
    """The part of a session that knows who is there.

    Args:
        synchronizer: what runs the nodes.
    """

    def __init__(self, synchronizer: NodeSynchronizer) -> None:
        self.synchronizer = synchronizer
        self._unnamed = 0

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

    # ------------------------------------------------------------------ time, records

    @property
    def tick(self) -> int:
        """The last tick that ran, -1 before the first."""
        return self.synchronizer.clock.tick if self.synchronizer._started else -1

    @property
    def now(self) -> float:
        """Time of the last tick, in seconds."""
        return self.synchronizer.clock.now

    @property
    def trace(self) -> Trace:
        """Everything that happened."""
        return self.synchronizer.trace

    def digest(self) -> str:
        """A fingerprint of the whole run: equal for equal runs."""
        return self.trace.digest()

    # ------------------------------------------------------------------ from outside

    def say(self, name: str, text: str) -> None:
        """Type a line as the person behind a node."""
        self.agent(name).say(text)

    def inject(
        self,
        name: str,
        action: str,
        args: Mapping[str, Any] | None = None,
        *,
        requester: str | None = None,
        from_state: str | None = None,
        to_state: str | None = None,
        num_steps: int = -1,
    ) -> str:
        """Ask an agent to do something, as if a peer had asked: it gets the request at the next tick.

        The trace says so, and says what becomes of it: whether it is accepted, served, or why not. The peer itself
        knows nothing of it and gets no answer.

        Args:
            name: the node of the agent that is asked.
            action: what it is asked to do: the action of a transition that takes requests.
            args: the arguments of that action: plain data.
            requester: the node that seems to ask; the agent must know it. Default: the first one it knows, a master
                before others.
            from_state, to_state: which transition is meant; default: any that leaves the state it is in.
            num_steps: steps of the action, each on fresh data; -1: one step without data.

        Returns:
            The number (uuid) of the request.

        Raises:
            WorldError: no such node or action, the agent does not know the peer, or arguments that are no plain data.
        """
        agent = self.agent(name)
        known = dict.fromkeys(call.name for call in agent.behav.machine.edges())
        if action not in known:
            raise WorldError(f"the machine of {name!r} has no transition with the action {action!r}."
                             f"{did_you_mean(action, known)}")  # fmt: skip
        peer = self._who_asks(name, agent, requester)
        request = Interaction(
            action, dict(args or {}), requester=peer.peer_id, target=self.node(name).peer_id, num_steps=num_steps,
            from_state=from_state, to_state=to_state, volatile=True, id=f"injected-{len(self.trace)}",
        )  # fmt: skip
        try:
            body = InteractionMessage(copy.deepcopy(request.to_dict()))
        except TypeError as error:
            raise WorldError(f"the arguments of {action!r} have to be plain data: {error}") from None
        clock = self.synchronizer.clock
        asked = ", ".join(f"{key}={value!r}" for key, value in (args or {}).items())
        self.trace.append(Injected(clock.tick, clock.now, name, "request", f"{action}({asked}), as if by {peer.name}"))
        self.synchronizer.transport.post(peer.peer_id, self.node(name).peer_id, body)
        return request.uuid

    def _who_asks(self, name: str, agent: Agent, requester: str | None) -> Node:
        by_peer = {node.peer_id: node for node in self.nodes.values()}
        known = [by_peer[peer] for peer in (*agent.world_masters, *agent.all_agents) if peer in by_peer]
        if requester is None:
            if not known:
                raise WorldError(f"{name!r} has met nobody so far who could ask it")
            return known[0]
        peer = self.node(requester)
        if peer not in known:
            raise WorldError(f"{name!r} does not know {requester!r}, and would not listen."
                             f"{did_you_mean(requester, [node.name for node in known])}")  # fmt: skip
        return peer
