"""The host of a live world: every tick it takes its inputs from the log, and then does what it always does.

What a session posts goes into the log and is read back from there; what members in other processes do is read from it,
and takes its place in the order of the tick. The tick itself is that of the synchronizer, unchanged.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from unaiverse_lab.core.clock import Pace
from unaiverse_lab.core.envelope import Envelope
from unaiverse_lab.core.errors import LabError, WorldError
from unaiverse_lab.live.distant import DistantNode
from unaiverse_lab.live.guest import Guest
from unaiverse_lab.live.port import BlobError, HostPort, Knock, LogRecord, Lost, Term
from unaiverse_lab.live.transport import Entry, LogTransport
from unaiverse_lab.live.wire import (
    END_OF_TICK,
    INLINE,
    BlobRef,
    Candidate,
    Delivery,
    Doing,
    Fact,
    Frame,
    Grant,
    Kind,
    Leave,
    Marker,
    Parcel,
    Refusal,
    Sequence,
    Turn,
    View,
    body_in,
    frame_of,
    id_of,
    pack,
    split_delivery,
)
from unaiverse_lab.runtime.codec import encode
from unaiverse_lab.runtime.synchronizer import answer_for_the_departed

if TYPE_CHECKING:
    from unaiverse_lab.runtime.session import Session

LOCKSTEP, WALL = "lockstep", "wall"
BARRIER, GRACE = 5.0, 10.0
MOST_WAITING = 256
"""Members that may wait to be let in, while others are expected before them."""

MOST_GONE = 256
"""Members that left, of which it is remembered why."""

FAREWELL = 2.0
"""Seconds to wait at most until all members have heard that a world is over."""

LAST_CHANCE = 0.5
OVER = "the world is live no more"
FLUSHED_WITHIN, PATIENCE = 5.0, 6


class NameTaken(WorldError):
    """A node of that name is in the world."""


class Host:
    """Lets a session's world be live.

    Args:
        session: the session; what it holds goes on here, members in other processes come in addition.
        port: its place at the log.
        clock: ``"lockstep"`` (each tick waits until all members have had their turn; the run is that of the
            synchronizer) or ``"wall"`` (ticks follow real time; what members do counts in the tick in which it comes).
        barrier: seconds a tick of a lockstep run waits for a silent member, which is then late and no longer waited
            for.
        grace: seconds after which a silent member is lost, and leaves the world.

    Raises:
        Lost: somebody else leads this world.
    """

    def __init__(
        self,
        session: Session,
        port: HostPort,
        clock: str = LOCKSTEP,
        barrier: float = BARRIER,
        grace: float = GRACE,
    ) -> None:
        if clock not in (LOCKSTEP, WALL):
            raise WorldError(f"the clock of a live world is 'lockstep' or 'wall', not {clock!r}")
        self.session = session
        self.port = port
        self.clock = clock
        self.barrier, self.grace = barrier, grace
        term = port.campaign()
        if term is None:
            raise Lost("somebody else leads this world")
        self.term: Term = term
        term.answers.update(time=self._tell_time, roster=self._tell_roster, status=lambda nid, asked: self.status())
        self.guests: dict[str, Guest] = {}
        self.gone: dict[str, str] = {}
        self.expected: list[str] = []
        self.refused = 0
        self.home = session.synchronizer
        before = self.home.transport
        self.transport = LogTransport(before.members, self.send_out, self.close_inputs)
        for envelope in before.deliver():
            self.transport.post(envelope.sender, envelope.target, envelope.body)
        self.before = before
        self.home.transport = self.transport
        self.home.between_ticks.insert(0, self.attend)
        self.pace = Pace(self.home.clock) if clock == WALL else None
        self._knocks: list[Knock] = []
        self._withdrawn: deque[str] = deque(maxlen=1024)
        self._back: deque[Parcel] = deque()
        self._order = Sequence()
        self._in_tick = False
        self._posted = -1
        self._seen: tuple[Any, bytes] | None = None

    # ------------------------------------------------------------------ between two ticks

    def attend(self) -> None:
        """Before a tick: who left, who is lost, who comes in."""
        if self._in_tick:
            return
        self.absorb()
        chance = monotonic() + LAST_CHANCE
        while overdue := self._overdue():
            if monotonic() >= chance:
                break
            if not self._link_is_up():
                self._excuse()
            elif not self.absorb():  # perhaps it was this host that was busy
                self.port.wait(0.05)
        for guest in list(self.guests.values()):
            if guest.leave is not None:
                self._fact("left", guest, guest.leave.reason)
                self._part(guest, guest.leave.reason, guest.leave)
            elif guest in overdue:
                reason = f"nothing was heard of it for {self.grace:g} s"
                self._fact("lost", guest, f"silent for {self.grace:g} s")
                self._dismiss(guest, reason)
                self._part(guest, reason)
            elif not any(self._has(node) for node in guest.nodes):
                reason = f"the host removed it{': ' if guest.nodes[0].parting else ''}{guest.nodes[0].parting}"
                self._fact("left", guest, reason)
                self._dismiss(guest, reason)
                self._part(guest, reason)
        self._knocks += self.term.knocks()
        waiting, self._knocks = [knock for knock in self._knocks if knock.nid not in self._withdrawn], []
        while (knock := self._next_of(waiting)) is not None:
            waiting.remove(knock)
            self._admit(knock)
        for knock in waiting[MOST_WAITING:]:
            self._refuse(knock, "full", f"{MOST_WAITING} others wait to be let in already")
        self._knocks = waiting[:MOST_WAITING]

    def _overdue(self) -> list[Guest]:
        """Who has been silent for too long."""
        return [
            guest
            for guest in self.guests.values()
            if guest.leave is None and guest.silence >= self.grace and (guest.late or self.pace is not None)
        ]

    def _next_of(self, waiting: list[Knock]) -> Knock | None:
        """Who comes in next; while certain nodes are expected, in their order."""
        self.expected = [name for name in self.expected if name not in self.home.nodes]
        for knock in waiting:
            names = [_name_in(one) for one in knock.join.nodes]
            if not self.expected or self.expected[: len(names)] == names:
                return knock
        return None

    def wait_for(self, names: Iterable[str], timeout: float = 60.0) -> None:
        """Wait until nodes of these names are here; they come in in this order, whatever order they ask in.

        Raises:
            WorldError: they are not, after so many seconds.
        """
        wanted = [name for name in names if name not in self.home.nodes]
        self.expected = [*(name for name in wanted if name not in self.expected), *self.expected]
        deadline = monotonic() + timeout
        while True:
            self.attend()
            missing = [name for name in wanted if name not in self.home.nodes]
            if not missing:
                return
            if monotonic() >= deadline:
                raise WorldError(f"nobody called {', '.join(missing)} joined within {timeout:g} s")
            self.port.wait(0.05)

    def _admit(self, knock: Knock) -> None:
        nonce = knock.join.nonce
        guest = self.guests.get(knock.nid)
        if guest is not None:
            self._refuse(knock, "already_joined", "this member is here already")
            return
        try:
            nodes = [DistantNode(candidate, self.transport) for candidate in knock.join.nodes]
            self._check_names(nodes)
        except (LabError, AttributeError, LookupError, TypeError, ValueError) as error:
            self._refuse(knock, "name_taken" if isinstance(error, NameTaken) else "malformed", str(error))
            return
        guest = Guest(knock.nid, nodes, secrets.token_hex(8))
        tick = self.home.following
        self.term.fact(frame_of(Kind.FACT, Fact("joined", knock.nid, tick, guest.name, knock.join), tick))
        self.guests[knock.nid] = guest
        for node in nodes:
            self.session.add(node)
        guest.view = self._view()
        clock = self.home.clock
        grant = Grant(
            nonce, guest.token, self.home.seed, clock.delta, clock.epoch, self.clock, tick, self._inline(guest.view)
        )
        knock.answer(self._numbered(frame_of(Kind.GRANT, grant, tick), 1, knock.nid))

    def _check_names(self, nodes: list[DistantNode]) -> None:
        if not nodes:
            raise WorldError("a member brings at least one node")
        seen = {*self.home.nodes, *(node.peer_id for node in self.home.nodes.values())}
        for node in nodes:
            if node.name in seen or node.peer_id in seen:
                raise NameTaken(f"there is a node called {node.name!r} already")
            seen |= {node.name, node.peer_id}

    def _refuse(self, knock: Knock, reason: str, detail: str) -> None:
        self.refused += 1
        refusal = Refusal(knock.join.nonce, reason, detail)
        knock.answer(self._numbered(frame_of(Kind.REFUSAL, refusal), 1, knock.nid))

    def _fact(self, what: str, guest: Guest, detail: str) -> None:
        tick = self.home.following
        self.term.fact(frame_of(Kind.FACT, Fact(what, guest.nid, tick, detail), tick))

    def _part(self, guest: Guest, reason: str, leave: Leave | None = None) -> None:
        """A member's nodes leave: with what they said last, or with a farewell in their name."""
        for parcel in leave.parcels if leave is not None else ():
            if any(node.peer_id == parcel.sender for node in guest.nodes):
                try:
                    self.transport.relay(Entry(parcel.sender, parcel.target, self._bytes(parcel.body), True))
                except LabError:
                    self.refused += 1
        for node in filter(self._has, guest.nodes):
            node.silently = leave is not None
            self.session.remove(node.name, leave.reason if leave is not None else "lost")
        self.gone[guest.nid] = reason
        if len(self.gone) > MOST_GONE:
            del self.gone[next(iter(self.gone))]
        del self.guests[guest.nid]
        if leave is not None:
            self.term.forget(guest.nid)

    def _has(self, node: DistantNode) -> bool:
        return self.home.nodes.get(node.name) is node

    def _dismiss(self, guest: Guest, reason: str) -> None:
        """Tell a member that this world goes on without it, now or when it can be reached again."""
        guest.sent += 1
        over = frame_of(Kind.LEAVE, Leave(reason, []), self.home.clock.tick)
        self.term.emit(guest.nid, guest.token, self._numbered(over, guest.sent, guest.nid))

    def _view(self) -> bytes:
        world_node = self.home.world_node
        assert world_node is not None and world_node.world is not None
        world = world_node.world
        nodes = [(node.name, node.peer_id, node.node_id) for node in self.home.nodes.values()]
        roster = list(world.roster.items())
        now = (roster, nodes, dict(world.role_to_behav))
        if self._seen is None or self._seen[0] != now:
            view = View(world_node.name, world_node.peer_id, roster, nodes, world.roles.custom, world.role_to_behav)
            self._seen = (now, pack(view))
        return self._seen[1]

    def _sights(self) -> dict[str, Any]:
        world_node = self.home.world_node
        assert world_node is not None and world_node.world is not None
        return world_node.world.sights()

    def _sight(self, guest: Guest, peer: str, sight: Any) -> Parcel | None:
        """What the world shows a node, if it is not what it was."""
        packed = pack(sight)
        if guest.sights.get(peer) == packed:
            return None
        parcel = Parcel("", peer, self._inline(packed))
        guest.sights[peer] = packed
        return parcel

    # ------------------------------------------------------------------ a tick

    def send_out(self, entries: list[Entry]) -> None:
        """Put what the session posted into the log, and hand the members what is for them.

        Called again for a tick in which it was interrupted, it does what is left to be done.
        """
        tick = self.home.clock.tick
        if self._posted != tick:
            self._redirect(entries)
            own = [Parcel(one.sender, one.target, self._inline(one.body)) for one in entries if not one.logged]
            for part in split_delivery(own) if own else ():
                self._post(frame_of(Kind.DELIVERY, part, tick, self._time_ns))
            self._posted = tick
        self._flush()
        if not self.guests:
            return
        view, sights = self._view(), self._sights()
        for guest in self.guests.values():
            if guest.told == tick:
                continue
            peers = dict.fromkeys(node.peer_id for node in guest.nodes)
            parcels = [Parcel(one.sender, one.target, self._inline(one.body)) for one in entries if one.target in peers]
            fresh, guest.view = None if guest.view == view else self._inline(view), view
            seen = [self._sight(guest, peer, sights[peer]) for peer in peers if peer in sights]
            self._emit(guest, split_delivery(parcels, fresh, [one for one in seen if one is not None]), tick)

    def _flush(self) -> None:
        """Wait until the log has what was posted, as long as that takes while the broker is away."""
        patience = PATIENCE
        while True:
            try:
                self.port.flush(FLUSHED_WITHIN)
                return
            except LabError:
                patience = patience - 1 if self._link_is_up() else PATIENCE
                if not patience:
                    raise
                self.port.wait(0.05)

    def _redirect(self, entries: list[Entry]) -> None:
        """What is for somebody who has left is answered to its sender, as the synchronizer would."""
        by_peer = {node.peer_id for node in self.home.nodes.values()}
        for position, one in reversed(list(enumerate(entries))):
            if one.target in by_peer:
                continue
            answer = answer_for_the_departed(Envelope(one.sender, one.target, one.body))
            if answer is None or one.sender not in by_peer:
                del entries[position]
            else:
                entries[position] = Entry(one.target, one.sender, encode(answer))

    def _emit(self, guest: Guest, parts: list[Delivery], tick: int) -> None:
        guest.told = tick
        if guest.unanswered is None:
            guest.unanswered = monotonic()
        for position, part in enumerate(parts, start=1):
            guest.sent += 1
            flags = END_OF_TICK if position == len(parts) else 0
            frame = frame_of(Kind.DELIVERY, part, tick, self._time_ns, flags)
            self.term.emit(guest.nid, guest.token, self._numbered(frame, guest.sent, guest.nid, guest.order.next - 1))

    def close_inputs(self, entries: list[Entry]) -> list[Envelope]:
        """Wait for whom this tick waits for, write its marker, and give what the log holds for it."""
        tick = self.home.clock.tick
        self._in_tick = True
        try:
            if self.pace is not None:
                self.pace.hold(self.port.wait)
            else:
                self._await_turns(tick)
            if not self.term.commit(tick, self._time_ns, self.session.digest()):
                raise Lost(f"somebody else leads this world: tick {tick} was not run here")
            while not self.term.caught_up:
                if not self.absorb():
                    self.port.wait(0.05)
        finally:
            self._in_tick = False
        for guest in self.guests.values():
            doings, guest.doings = guest.doings, []
            for node in guest.nodes:
                node.mailbox += [doing for doing in doings if doing.peer == node.peer_id]
        return [Envelope(one.sender, one.target, one.body if one.logged else self._given_back()) for one in entries]

    def _given_back(self) -> bytes:
        if not self._back:
            raise LabError("the log lost a message of this host")
        return self._bytes(self._back.popleft().body)

    def _await_turns(self, tick: int) -> None:
        """Until all members that are not late have had their turn."""
        since = monotonic()
        while behind := [guest for guest in self.guests.values() if guest.done < tick and guest.leave is None]:
            if self.absorb():
                continue
            behind = [guest for guest in behind if not guest.late]
            if not behind:
                return
            if self.port.wait(0.05):
                continue
            if not self._link_is_up():
                since = monotonic()
                self._excuse()
            elif monotonic() - since >= self.barrier:
                for guest in behind:
                    guest.late = True

    def _excuse(self) -> None:
        """Nobody is silent while nothing can be heard."""
        for guest in self.guests.values():
            guest.unanswered = None if guest.unanswered is None else monotonic()

    def _link_is_up(self) -> bool:
        downs = [event.kind for event in self.port.events if event.kind in ("up", "down")]
        return not downs or downs[-1] == "up"

    # ------------------------------------------------------------------ reading the log

    def absorb(self) -> int:
        """Read what is new in the log; how much that was."""
        records = self.term.next_inputs()
        for record in records:
            self._take(record)
        return len(records)

    def _take(self, record: LogRecord) -> None:
        frame = record.frame
        try:
            if record.origin == "tick":
                body_in(frame, Marker)
            elif record.origin == self.port.nid:
                for one in self._order.take(frame.n, frame):
                    self._back += body_in(one, Delivery).parcels
            elif (guest := self.guests.get(record.origin)) is not None:
                for one in guest.order.take(frame.n, frame):
                    self._hear(guest, one)
            elif frame.kind == Kind.LEAVE:
                self._withdrawn.append(record.origin)
        except LabError:
            self.refused += 1

    def _hear(self, guest: Guest, frame: Frame) -> None:
        guest.late = False
        guest.heard = max(guest.heard, frame.ack)
        self.term.confirm(guest.nid, frame.ack)
        if frame.kind == Kind.TURN:
            guest.doings += [self._opened(doing) for doing in body_in(frame, Turn).doings]
            if frame.flags & END_OF_TICK:
                guest.done = max(guest.done, frame.tick)
        guest.unanswered = None if guest.done >= guest.told else monotonic()
        if frame.kind == Kind.TURN:
            return
        if frame.kind == Kind.LEAVE:
            leave = body_in(frame, Leave)
            guest.words += leave.parcels
            guest.leave = None if leave.more else Leave(leave.reason, guest.words)
        else:
            self.refused += 1

    def _opened(self, doing: Doing) -> Doing:
        """With the long messages in place of what refers to them."""
        for parcel in doing.parcels:
            parcel.body = self._there(parcel.body)
        doing.records = [self._there(one) for one in doing.records]
        return doing

    def _there(self, body: bytes | BlobRef) -> bytes | BlobRef:
        """A long message in place of what refers to it, if it is there."""
        try:
            return self._bytes(body)
        except BlobError:
            self.refused += 1
            return body

    # ------------------------------------------------------------------ questions

    def _tell_time(self, nid: str, asked: dict[str, Any]) -> dict[str, Any]:
        clock = self.home.clock
        return {"tick": clock.tick, "time": clock.now, "clock": self.clock, "delta": clock.delta}

    def _tell_roster(self, nid: str, asked: dict[str, Any]) -> dict[str, Any]:
        return {name: role for name, role, _, _ in self.session.status()}

    # ------------------------------------------------------------------ small things

    @property
    def _time_ns(self) -> int:
        return round(self.home.clock.now * 1e9)

    def _post(self, frame: Frame) -> None:
        self.port.post(frame)

    def _inline(self, data: bytes) -> bytes | BlobRef:
        return data if len(data) <= INLINE // 2 else self.port.put_blob(data)

    def _bytes(self, body: bytes | BlobRef) -> bytes:
        return self.port.get_blob(body) if isinstance(body, BlobRef) else body

    def _numbered(self, frame: Frame, n: int, nid: str, ack: int = 0) -> Frame:
        identity = id_of(self.term.epoch, frame.tick, n, nid)
        return msgspec.structs.replace(frame, n=n, ack=ack, id=identity)

    def status(self) -> dict[str, Any]:
        """What can be said of the live side: clock, tick, members, who is late, what was refused."""
        return {
            "clock": self.clock,
            "tick": self.session.tick,
            "epoch": self.term.epoch,
            "members": {guest.nid[:8]: guest.name for guest in self.guests.values()},
            "late": [guest.name for guest in self.guests.values() if guest.late],
            "refused": self.refused,
            "enforced": self.port.caps.enforced,
        }

    def release(self) -> None:
        """Give the session its own transport back, with what was on its way."""
        for guest in self.guests.values():
            self._dismiss(guest, OVER)
        self._await_farewells()
        for guest in list(self.guests.values()):
            if not self.term.lost and self._link_is_up():
                self._fact("left", guest, OVER)
            self._part(guest, OVER)
        self.home.between_ticks.remove(self.attend)
        for one in self.transport.waiting():
            self.before.post(one.sender, one.target, one.body)
        self.home.transport = self.before

    def _await_farewells(self) -> None:
        """Until the members that can hear have heard that it is over: a private broker ends next."""
        deadline = monotonic() + FAREWELL
        while not self.term.lost and self._link_is_up() and monotonic() < deadline:
            if not any(guest.heard < guest.sent for guest in self.guests.values() if not guest.late):
                return
            if not self.absorb():
                self.port.wait(0.05)


def _name_in(candidate: Candidate) -> str:
    static = candidate.profile.get("static")
    return str(static.get("node_name", "")) if isinstance(static, dict) else ""
