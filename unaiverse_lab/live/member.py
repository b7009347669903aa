"""A member of a live world: nodes in a process of their own, whose ticks are those of the world."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from unaiverse_lab.agents import Agent
from unaiverse_lab.core.drive import drive
from unaiverse_lab.core.envelope import Body, Envelope
from unaiverse_lab.core.errors import LabError, WorldError, did_you_mean
from unaiverse_lab.core.roles import RoleTable
from unaiverse_lab.live.distant import DistantWorld
from unaiverse_lab.live.port import BlobError, Port
from unaiverse_lab.live.wire import (
    END_OF_TICK,
    INLINE,
    BlobRef,
    Candidate,
    Delivery,
    Doing,
    Facts,
    Frame,
    Join,
    Kind,
    Leave,
    Parcel,
    Turn,
    View,
    WireError,
    body_in,
    frame_of,
    pack_record,
    split_leave,
    split_turn,
    unpack,
)
from unaiverse_lab.runtime.codec import encode
from unaiverse_lab.runtime.node import ASKING, Node
from unaiverse_lab.runtime.synchronizer import NodeSynchronizer
from unaiverse_lab.runtime.transport import InProcessTransport
from unaiverse_lab.stats.stats import Stats
from unaiverse_lab.world.folder import isolated_imports, role_classes

PAUSE = 0.1


class Kit:
    """The classes of a world that a member has installed: no code ever comes over the network.

    Args:
        roles: role name -> agent class.
        stats: what the world measures.
        folder: where classes of further roles are found: a world's ``src`` folder.
    """

    def __init__(
        self,
        roles: Mapping[str, type[Agent]] | None = None,
        stats: type[Stats] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._roles = dict(roles or {})
        self._folder = folder
        self.stats = stats or (Stats if folder is None else _stats_of(folder))

    def roles_for(self, names: list[str]) -> dict[str, type[Agent]]:
        """The class of each role.

        Raises:
            WorldError: a role for which nothing is installed.
        """
        missing = [name for name in names if name not in self._roles]
        if missing and self._folder is not None:
            self._roles.update(role_classes(self._folder, missing))
        elif missing:
            raise WorldError(
                f"this world has the role {missing[0]!r}, and no class for it is installed here."
                f"{did_you_mean(missing[0], self._roles)}"
            )
        return self._roles


def _stats_of(folder: Path) -> type[Stats]:
    if not (folder / "stats.py").is_file():
        return Stats
    import importlib

    with isolated_imports(folder.parent):
        module = importlib.import_module(f"{folder.name}.stats")
    found = getattr(module, "WStats", Stats)
    return found if isinstance(found, type) and issubclass(found, Stats) else Stats


class MemberTransport(InProcessTransport):
    """Takes what the nodes say in a tick, and gives them what came."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[Parcel] = []

    def take(self, came: list[Envelope]) -> None:
        """Take what came for the next tick."""
        self._queue += came

    def post(self, sender: str, target: str, body: Body | bytes) -> bool:
        """Take a message; False if there is no such target.

        Raises:
            TypeError, StreamError: it holds something that cannot cross the wire.
        """
        if target not in self.members:
            return False
        self.said.append(Parcel(sender, target, body if isinstance(body, bytes) else encode(body)))
        return True


class MemberHome(NodeSynchronizer):
    """Gives the nodes of a member their turns; who else is in the world it knows from the host."""

    def __init__(self, seed: int | str, delta: float, kit: Kit, first_tick: int) -> None:
        super().__init__(seed, delta)
        self.said = MemberTransport()
        self.transport = self.said
        self.kit = kit
        self.directory: dict[str, tuple[str, str]] = {}
        self.done: dict[tuple[str, bool], int] = {}
        self.clock.move_to(first_tick)
        self.postponed: dict[str, tuple[int, int]] = {}
        self.reported = 0

    def see(self, view: View) -> None:
        """Take in how the world looks now.

        Raises:
            WorldError: it has a role for which no class is installed here.
        """
        if self.world_node is None:
            self.world_node = Node(DistantWorld(self.kit.stats(is_world=True)), view.name)
        world_in = self.world_node.world
        assert isinstance(world_in, DistantWorld)
        if world_in.roles.custom != view.roles:
            world_in.roles = RoleTable(view.roles)
            world_in.role_classes = dict(self.kit.roles_for(view.roles)) if view.roles else {}
        world_in.role_to_behav = dict(view.behaviors)
        world_in.roster.clear()
        world_in.roster.update(view.roster)
        self.directory = {name: (peer, node_id) for name, peer, node_id in view.nodes}
        self.said.members = {peer for peer, _ in self.directory.values()}

    def look(self, peer: str, sight: Any) -> None:
        """Take in what the world shows one of the nodes."""
        assert self.world_node is not None and isinstance(self.world_node.world, DistantWorld)
        self.world_node.world.shown[peer] = sight

    def enter(self, node: Node) -> None:
        """Give a node its place; the host has asked the world in its name."""
        self._joined += 1
        self.nodes[node.name] = node
        self._by_peer[node.peer_id] = node
        node.start(self, self._joined)
        node.state = ASKING
        self.wake(node)

    def peer_named(self, name: str) -> str | None:
        """Peer id of a node name."""
        known = self.directory.get(name)
        return None if known is None else known[0]

    def identity_of(self, name: str) -> tuple[str, str] | None:
        """Peer id and node id of a node name."""
        return self.directory.get(name)

    def postpone(self, node: Node) -> None:
        """Let a node finish its turn at the end of the tick; what it does then stands apart."""
        self.postponed[node.peer_id] = (len(self.said.said), len(self.trace))
        super().postpone(node)

    def tick(self, tick: int, inbox: list[Envelope]) -> list[Doing]:
        """Let a tick pass; what the nodes did in it."""
        for node in self._soon:
            node.next_tick = tick
        self.said.take(inbox)
        self.postponed.clear()
        first = self.reported
        drive(self._tick(tick))
        said, self.said.said = self.said.said, []
        records = self.trace.since(first)
        self.reported = len(self.trace)
        now: dict[str, Doing] = {peer: Doing(peer, False, [], []) for peer in self._by_peer}
        later: dict[str, Doing] = {peer: Doing(peer, True, [], []) for peer in self.postponed}
        for position, parcel in enumerate(said):
            mark = self.postponed.get(parcel.sender)
            (later if mark is not None and position >= mark[0] else now)[parcel.sender].parcels.append(parcel)
        for number, record in enumerate(records, start=first):
            of = self.nodes.get(record.node)
            if of is None:
                continue
            mark = self.postponed.get(of.peer_id)
            (later if mark is not None and number >= mark[1] else now)[of.peer_id].records.append(pack_record(record))
        for node in self.nodes.values():
            (later.get(node.peer_id) or now[node.peer_id]).facts = facts_of(node)
        return [one for one in (*now.values(), *later.values()) if one.parcels or one.records or one.facts is not None]


def facts_of(node: Node) -> Facts:
    """What can be seen of a node from outside."""
    agent = node.agent
    assert agent is not None
    behav = agent.behav
    return Facts(
        node.state, behav.state, behav.get_state_name(True), behav.get_action_name(),
        behav.get_last_completed_action_name(), list(agent.all_agents), behav.is_enabled(), node.why_refused,
    )  # fmt: skip


class Member:
    """Nodes that take part in a world hosted elsewhere. ``over`` says why that world ended; None: it goes on.
    ``turns`` counts the ticks they have taken part in.

    Args:
        port: their place at the log.
        nodes: each hosts an agent.
        kit: the classes they may need.
        catch_up: with a wall clock: skip the ticks that were missed while this process was busy.
    """

    def __init__(self, port: Port, nodes: list[Node], kit: Kit | None = None, catch_up: bool = True) -> None:
        wrong = [node.name for node in nodes if node.agent is None]
        if wrong or not nodes:
            raise WorldError(f"{wrong[0]!r} hosts a world: a member brings agents" if wrong else "there is no node")
        self.port = port
        self.nodes = nodes
        self.kit = kit or Kit()
        self.catch_up = catch_up
        self.home: MemberHome | None = None
        self.dropped = 0
        self.over: str | None = None
        self.turns = 0
        self._clock = ""
        self._parcels: list[Parcel] = []
        self._facts: dict[str, Facts | None] = {}

    def join(self, timeout: float = 30.0) -> None:
        """Ask the host to be let in, and take a place in its world.

        Raises:
            Refused: the host says no, or nothing.
            WorldError: the world has a role for which no class is installed here.
        """
        candidates = []
        for node in self.nodes:
            assert node.agent is not None
            node.profile.update_dynamic(node.agent.stream_profile())
            candidates.append(Candidate(node.profile.to_dict(), dict(node.join_options)))
        grant = self.port.join(Join(candidates, secrets.token_hex(8), secrets.token_hex(16)), timeout)
        self._clock = grant.clock
        self.home = MemberHome(grant.seed, grant.delta, self.kit, grant.tick)
        self.home.clock.epoch = grant.epoch_time
        self.home.clock.move_to(grant.tick)
        self.home.see(unpack(self._bytes(grant.view), View))
        for node in self.nodes:
            self.home.enter(node)
        self.home.reported = len(self.home.trace)

    def pump(self) -> int:
        """Have the turns for which everything has come; how many these were."""
        turns = 0
        frames = self.port.poll()
        ends = [frame for frame in frames if frame.flags & END_OF_TICK]
        skip = len(ends) - 1 if self._clock == "wall" and self.catch_up else 0
        for frame in frames:
            try:
                self._take(frame, run=skip <= 0)
            except (BlobError, WireError):
                self.dropped += 1
                continue
            if frame.flags & END_OF_TICK:
                skip -= 1
                turns += 1
        self.turns += turns
        return turns

    def _take(self, frame: Frame, run: bool) -> None:
        home = self.home
        if frame.kind == Kind.LEAVE:
            self.over = body_in(frame, Leave).reason
            with contextlib.suppress(LabError):  # the host waits to hear that it was heard
                self.port.post(frame_of(Kind.TURN, Turn([]), frame.tick))
        if frame.kind != Kind.DELIVERY or home is None:
            return
        delivery = body_in(frame, Delivery)
        if delivery.view is not None:
            home.see(unpack(self._bytes(delivery.view), View))
        for one in delivery.sights:
            home.look(one.target, unpack(self._bytes(one.body), dict))
        self._parcels += delivery.parcels
        if not frame.flags & END_OF_TICK or not run:
            return
        parcels, self._parcels = self._parcels, []
        doings = home.tick(frame.tick, self._opened(parcels))
        for doing in doings:
            if doing.facts == self._facts.get(doing.peer):
                doing.facts = None
            elif doing.facts is not None:
                self._facts[doing.peer] = doing.facts
            for parcel in doing.parcels:
                parcel.body = self._inline(parcel.body)
            doing.records = [self._inline(one) for one in doing.records]
        home.trace.trim()
        self._post(split_turn([one for one in doings if one.parcels or one.records or one.facts]), frame.tick)

    def _opened(self, parcels: list[Parcel]) -> list[Envelope]:
        """With the long messages in place of what refers to them; one that is not there any more is dropped."""
        envelopes = []
        for one in parcels:
            try:
                envelopes.append(Envelope(one.sender, one.target, self._bytes(one.body)))
            except BlobError:
                self.dropped += 1
        return envelopes

    def _post(self, parts: list[Any], tick: int) -> None:
        assert self.home is not None
        time_ns = round(self.home.clock.now * 1e9)
        for position, part in enumerate(parts, start=1):
            flags = END_OF_TICK if position == len(parts) else 0
            self.port.post(frame_of(Kind.TURN, part, tick, time_ns, flags))

    def run(
        self,
        until: Callable[[Member], bool] | None = None,
        idle: float | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        """Take part until the world ends, ``until(self)`` is true, or the host was silent for ``idle`` seconds.

        A host that only does not step is not silent: its link answers. ``meanwhile`` is called again and again.
        """
        quiet = 0.0
        while self.over is None and (until is None or not until(self)):
            if meanwhile is not None:
                meanwhile()
            if self.pump() or self.port.wait(PAUSE):
                continue
            quiet = min(quiet + PAUSE, self.port.silence)  # while this process slept it could hear nothing
            if idle is not None and quiet >= idle:
                return

    def leave(self, reason: str = "", timeout: float = 30.0) -> None:
        """Leave the world: everybody who knows the nodes is told.

        Raises:
            BrokerError: the farewell could not be stored within so many seconds.
        """
        home = self.home
        if home is None:
            return
        for node in self.nodes:
            node.farewell(reason)
        said, home.said.said = home.said.said, []
        self.home = None
        for parcel in said:
            parcel.body = self._inline(parcel.body)
        for part in split_leave(reason, said):
            self.port.post(frame_of(Kind.LEAVE, part, home.clock.tick))
        self.port.flush(timeout)

    def withdraw(self, reason: str = "", timeout: float = 30.0) -> None:
        """Leave, or no longer ask to be let in.

        Raises:
            BrokerError: that could not be stored within so many seconds.
        """
        if self.home is not None:
            self.leave(reason, timeout)
        else:
            self.port.post(frame_of(Kind.LEAVE, Leave(reason, [])))
            self.port.flush(timeout)

    def _inline(self, data: bytes | BlobRef) -> bytes | BlobRef:
        return data if isinstance(data, BlobRef) or len(data) <= INLINE // 2 else self.port.put_blob(data)

    def _bytes(self, body: bytes | BlobRef) -> bytes:
        return self.port.get_blob(body) if isinstance(body, BlobRef) else body


__all__ = ["Kit", "LabError", "Member"]
