"""Stand-ins: at the host for a node that lives in another process, and there for the world."""

from __future__ import annotations

from typing import Any

from unaiverse_lab.agents import Agent
from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.core.envelope import Farewell
from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.core.profile import NodeProfile
from unaiverse_lab.live.transport import Entry, LogTransport
from unaiverse_lab.live.wire import Candidate, Doing, Facts, WireError, unpack_record
from unaiverse_lab.runtime.node import LEFT, Home, Node
from unaiverse_lab.stats.stats import Stats
from unaiverse_lab.world import World


class DistantMachine(HybridStateMachine):
    """Shows what was told of a machine elsewhere."""

    told: Facts | None = None

    def show(self, facts: Facts) -> None:
        """Take in what is told."""
        self.told = facts
        self.state = facts.state
        self.enabled = facts.enabled

    def get_state_name(self, consider_limbo: bool = False) -> str | None:
        """Name of the state it is in."""
        if self.told is None:
            return None
        return self.told.shown if consider_limbo else self.told.state

    def get_action_name(self) -> str | None:
        """Name of the pending action."""
        return self.told.action if self.told is not None else None

    def get_last_completed_action_name(self) -> str | None:
        """Name of the last action that moved it."""
        return self.told.last_action if self.told is not None else None


class DistantWorld(World):
    """A member's copy of what it may know of the world."""

    def __init__(self, stats: Stats) -> None:
        super().__init__(stats=stats)
        self.shown: dict[str, Any] = {}

    def sight_of(self, peer_id: str) -> Any:
        """What the world shows one of the nodes here."""
        return self.shown.get(peer_id)


class DistantNode(Node):
    """A member's node as the host sees it: its turn is what was read of it in the log.

    Args:
        candidate: what it says of itself.
        transport: where its messages go on.

    Raises:
        WorldError: its profile is none.
    """

    _fleeting_fields = ("_transport",)

    def __init__(self, candidate: Candidate, transport: LogTransport) -> None:
        profile = NodeProfile.from_dict(candidate.profile)
        agent = Agent(proc="human" if profile.is_human else None)
        super().__init__(agent, profile.name, profile.node_id)
        if profile.peer_id != self.peer_id:
            raise WorldError(f"the peer id of {self.name!r} is {self.peer_id!r}, not {profile.peer_id!r}")
        self.profile = profile
        self.join_options = dict(candidate.options)
        self.mailbox: list[Doing] = []
        self.silently = False
        self.parting = ""
        self._later: list[Doing] = []
        self._transport = transport
        agent.behav = self._machine = DistantMachine(agent)

    def start(self, synchronizer: Home, order: int) -> None:
        """Take a place in the session."""
        self.synchronizer = synchronizer
        self.clock = synchronizer.clock
        self.record = synchronizer.trace.append
        self.order = order
        self.seed = f"{synchronizer.seed}:{self.name}"

    async def turn(self) -> None:
        """Do what the node did."""
        self.inbox.clear()
        mailbox, self.mailbox = self.mailbox, []
        last = max((position for position, doing in enumerate(mailbox) if not doing.later), default=-1)
        for doing in mailbox[: last + 1]:
            self._do(doing)
        self._later = mailbox[last + 1 :]
        if self._later and self.synchronizer is not None:
            self.synchronizer.postpone(self)
        self.chores = True

    async def finish_postponed(self) -> None:
        """Do what it did at the end of the tick."""
        later, self._later = self._later, []
        for doing in later:
            self._do(doing)
        self.chores = True

    def _do(self, doing: Doing) -> None:
        for parcel in doing.parcels:
            if parcel.sender == self.peer_id and isinstance(parcel.body, bytes):
                self._transport.relay(Entry(parcel.sender, parcel.target, parcel.body, True))
            else:
                self.dropped += 1
        for data in doing.records:
            try:
                record = unpack_record(data) if isinstance(data, bytes) else None
            except WireError:
                record = None
            if record is not None and record.node == self.name:
                self.record(record)
            else:
                self.dropped += 1
        if doing.facts is not None:
            self.state = doing.facts.status
            self.why_refused = doing.facts.why
            self._machine.show(doing.facts)
            agent = self.agent
            assert agent is not None
            known = agent.all_agents if doing.facts.more else {}
            agent.all_agents = {**known, **dict.fromkeys(doing.facts.peers, self.profile)}

    def due(self) -> float:
        """At each tick."""
        return 0.0

    def farewell(self, reason: str = "") -> None:
        """It is gone; if it could not say so itself, everybody is told in its name."""
        self.state, self.parting = LEFT, reason
        host = self._host
        if self.silently or host is None or host.world is None:
            return
        for peer in [*host.world.roster, host.peer_id]:
            if peer != self.peer_id:
                self.post(peer, Farewell(reason))
