"""Who waits for whom: the chain of waits that begins at a node, and the circles in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from unaiverse_lab.view._drawing import clipped
from unaiverse_lab.view._headline import headline
from unaiverse_lab.view._moment import NO, Moment, Verdict
from unaiverse_lab.view._past import Ask, Past
from unaiverse_lab.view._verdicts import askers, missing, verdicts, waited_for, when
from unaiverse_lab.view.graph import call_text

DEPTH = 8
WIDTH = 4
MOST = 64
LONG = 300


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """One wait of a chain.

    Attributes:
        node: who waits.
        on: for whom; None at the end of a chain.
        kind: ``"answer"`` (to a request it made), ``"request"`` (that it be asked), ``"data"`` or ``"end"``.
        sentence: the same for people.
        depth: 0 for the node the question was about, 1 for the ones it waits for, ...
    """

    node: str
    on: str | None
    kind: str
    sentence: str
    depth: int = 0


class Need(NamedTuple):
    """Something that a node waits for: of all these peers, or of any of them."""

    kind: str
    peers: list[str]
    of_all: bool
    words: Callable[[str], str]
    moving: frozenset[str] = frozenset()
    """Those of the peers that a message is on its way to."""


class Stand(NamedTuple):
    """Where a node stands: whether it can go on without others, and else what it needs."""

    at: Moment
    found: list[Verdict]
    free: bool
    needs: list[Need]


class Web:
    """The waits of one tick, looked up node by node."""

    def __init__(self, past: Past, tick: int, machines: Mapping[str, Mapping[str, Any]]) -> None:
        self.past = past
        self.tick = tick
        self.machines = machines
        self._stands: dict[str, Stand | None] = {}

    def moment(self, name: str) -> Moment | None:
        """A node at this tick; None if the trace does not know it."""
        life = self.past.lives.get(name)
        return None if life is None else Moment(self.past, life, self.tick, self.machines.get(name))

    def stand(self, name: str) -> Stand | None:
        """Where a node stands; None if nothing is known of it."""
        if name not in self._stands:
            at = self.moment(name)
            self._stands[name] = None if at is None or len(self._stands) >= MOST else _stand(at)
        return self._stands[name]

    # ------------------------------------------------------------------ the chain

    def chain(self, name: str) -> list[Link]:
        """The waits that begin at a node, depth first."""
        links: list[Link] = []
        self._follow(name, 0, {name}, links)
        return links

    def _follow(self, name: str, depth: int, seen: set[str], links: list[Link]) -> None:
        stand = self.stand(name)
        if stand is None or depth > DEPTH:
            return
        if stand.free or not any(need.peers for need in stand.needs):
            if depth:
                links.append(Link(name, None, "end", clipped(headline(stand.at, stand.found)[1], LONG), depth))
            return
        for need in stand.needs:
            for peer in need.peers[:WIDTH]:
                links.append(Link(name, peer, need.kind, need.words(peer), depth))
                if peer not in seen:
                    seen.add(peer)
                    self._follow(peer, depth + 1, seen, links)

    # ------------------------------------------------------------------ circles

    def circles(self, name: str) -> list[list[str]]:
        """The circular waits that a node is in or waits for.

        In each, everybody waits for the next one, and the last for the first. Nobody in them can go on without the
        others, as far as the trace tells.
        """
        blocked = self._blocked(name)
        found: list[list[str]] = []
        self._search(name, [], set(), blocked, found)
        return found

    def _search(
        self, name: str, path: list[str], done: set[str], blocked: Mapping[str, list[str]], found: list[list[str]]
    ) -> None:
        if name in path:
            circle = path[path.index(name) :]
            start = circle.index(min(circle))
            circle = circle[start:] + circle[:start]
            if circle not in found:
                found.append(circle)
            return
        if name in done or name not in blocked:
            return
        for peer in blocked[name]:
            self._search(peer, [*path, name], done, blocked, found)
        done.add(name)

    def _blocked(self, name: str) -> dict[str, list[str]]:
        """The nodes that cannot go on, among those reached from a node, each with the blocked ones it waits for."""
        reached: dict[str, Stand] = {}
        open_ = [name]
        while open_:
            one = open_.pop()
            stand = self.stand(one)
            if one not in reached and stand is not None:
                reached[one] = stand
                open_ += [peer for need in stand.needs for peer in need.peers]
        blocked = {one for one, stand in reached.items() if not stand.free}
        before = -1
        while before != len(blocked):
            before = len(blocked)
            blocked = {one for one in blocked if all(_holds(need, blocked) for need in reached[one].needs)}
        return {
            one: [peer for need in stand.needs for peer in need.peers if peer in blocked and peer not in need.moving]
            for one, stand in reached.items()
            if one in blocked
        }


def _holds(need: Need, blocked: set[str]) -> bool:
    of = any if need.of_all else all
    return of(peer in blocked and peer not in need.moving for peer in need.peers)


def _stand(at: Moment) -> Stand:
    found = verdicts(at)
    if at.stay is None or at.switch is not None or not found:
        return Stand(at, found, False, [])
    if at.asked:
        return Stand(at, found, False, [_answer(at, ask) for ask in at.asked])
    needs: list[Need] = []
    for one, exit_ in zip(found, at.exits, strict=True):
        if one.code == "NOT_REQUESTED" or (one.code == "RAISED" and one.next == NO):
            needs.append(_request(at, one, one.peers or askers(at, exit_)))
        elif one.code == "NOT_DOABLE":
            needs.append(_data(at, one))
        elif one.code == "FAILED" and exit_.action == "all_sent_completed":
            needs += [_answer(at, ask) for ask in waited_for(at, exit_)]
        else:
            return Stand(at, found, True, [])
    return Stand(at, found, False, needs)


def _data(at: Moment, one: Verdict) -> Need:
    return Need("data", one.peers, False, lambda peer: f"{at.name} waits for data of {peer} for {one.action}")


def _answer(at: Moment, ask: Ask) -> Need:
    def words(peer: str) -> str:
        call = clipped(call_text(ask.record.action, ask.record.args), 80)
        asked = f"{at.name} waits for {peer} to do {call}, asked at {when(at, ask.tick)}"
        return f"{asked}: {_whereabouts(at, ask, peer)}"

    peers = missing(at, ask)
    lives = at.past.lives
    moving = {peer for peer in peers if peer in lives and lives[peer].arrival(ask.record.uuid, at.tick) is None}
    return Need("answer", peers, True, words, frozenset(moving))


def _whereabouts(at: Moment, ask: Ask, peer: str) -> str:
    """What has become of a request at the node it was made to."""
    life = at.past.lives.get(peer)
    there = None if life is None else Moment(at.past, life, at.tick)
    arrival = None if life is None else life.arrival(ask.record.uuid, at.tick)
    if there is None or there.stay is None:
        return f"{peer} is not there"
    if arrival is None:
        return f"it reaches {peer} at the next tick"
    pending = there.pending
    if pending is not None and pending.uuid == ask.record.uuid:
        return f"{peer} is in the middle of it"
    where = arrival.record.source
    if where == there.state:
        return f"it waits there, and {peer} is in {where}"
    words = f"it waits in state {where}, and {peer} is in {there.state}"
    if there.plan is not None and not there.plan.leads(there.state or "", where or ""):
        words = f"{words}, from which no way leads there: it will not be served"
    return words


def _request(at: Moment, one: Verdict, peers: Sequence[str]) -> Need:
    def words(peer: str) -> str:
        return f"{at.name} waits in {at.state} to be asked for {one.action}; {peer} could ask"

    return Need("request", list(peers), False, words)


def circle_words(circle: Sequence[str]) -> str:
    """``"Ada waits for Ben, Ben waits for Ada"``."""
    pairs = zip(circle, [*circle[1:], circle[0]], strict=True)
    return f"circular wait: {', '.join(f'{one} waits for {other}' for one, other in pairs)}"
