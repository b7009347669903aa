"""Why is it stuck? What a node waits for at a tick, and what would let it go on, told by the trace alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from unaiverse_lab.core.errors import LabError, did_you_mean
from unaiverse_lab.core.records import InState, Record
from unaiverse_lab.view._drawing import clipped, escaped
from unaiverse_lab.view._headline import headline
from unaiverse_lab.view._moment import Moment, Verdict
from unaiverse_lab.view._past import Past, last_of
from unaiverse_lab.view._verdicts import verdicts, when
from unaiverse_lab.view._waits import Link, Web, circle_words
from unaiverse_lab.view.text import columns, html_table

_HEAD = ("transition", "verdict", "what it waits for")


class Pending(msgspec.Struct, frozen=True, omit_defaults=True):
    """An action in progress.

    Attributes:
        action: its name.
        since: the tick of its first attempt.
        attempts: how many attempts and steps there were.
        step: the index of the step that was tried last.
        requester: who asked for it; None: the machine runs it by itself.
        left: seconds until it is given up, or until its request expires; None: never.
    """

    action: str
    since: int
    attempts: int
    step: int = 0
    requester: str | None = None
    left: float | None = None


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a node waits for at the end of a tick.

    Attributes:
        node: its name.
        tick: the tick; ``t``: the same in seconds.
        code: what holds it: the code of a :class:`Verdict`, or ``NO_EDGE`` (nothing leaves the state), ``STUCK`` (no
            change for 10 ticks), ``OUTSIDE`` (no member), ``WORLD`` (it hosts the world), ``UNKNOWN`` (its machine is
            not in the trace).
        headline: one sentence: what it waits for and what would let it go on.
        role, state: where it is; None outside a world.
        since: the tick at which the state was reached; None outside a world.
        is_enabled: whether the machine is switched on.
        notes: what else is to be known of the machine: what the state does by itself, requests that wait elsewhere.
        pending: the action in progress.
        verdicts: one for each transition leaving the state, in evaluation order.
        chain: who waits for whom, beginning with this node.
        circles: circular waits: in each, everybody waits for the next one, and the last for the first.
        hints: what would let it go on, each once.

    It prints as text; :meth:`html` is safe to show, :meth:`to_dict` fit for JSON.
    """

    node: str
    tick: int
    t: float
    code: str
    headline: str
    role: str | None = None
    state: str | None = None
    since: int | None = None
    is_enabled: bool = True
    notes: list[str] = []
    pending: Pending | None = None
    verdicts: list[Verdict] = []
    chain: list[Link] = []
    circles: list[list[str]] = []
    hints: list[str] = []

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data, ready for JSON."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """The explanation as plain text: the headline, a line for each transition, the chain, what would help."""
        parts = [self.headline]
        if self.notes:
            parts.append("\n".join(self.notes))
        if self.verdicts:
            parts.append(columns(_HEAD, self._rows()))
        if self.chain or self.circles:
            parts.append("\n".join(["who waits for whom:", *self._lines()]))
        if self.hints:
            parts.append("\n".join(["what would let it go on:", *(f"  - {hint}" for hint in self.hints)]))
        return "\n\n".join(parts)

    def html(self) -> str:
        """The explanation as HTML without scripts, everything in it escaped."""
        parts = [f"<p>{escaped(self.headline)}</p>"]
        parts += [f"<p>{escaped(note)}</p>" for note in self.notes]
        if self.verdicts:
            parts.append(html_table(_HEAD, self._rows()))
        if self.chain or self.circles:
            parts.append(html_table(("who waits for whom",), [(line,) for line in self._lines()]))
        if self.hints:
            parts.append(html_table(("what would let it go on",), [(hint,) for hint in self.hints]))
        return f"<div>{''.join(parts)}</div>"

    def _rows(self) -> list[tuple[str, str, str]]:
        return [
            (f"{one.edge + 1}. {clipped(one.action, 60)} -> {one.target}", one.code, one.sentence)
            for one in self.verdicts
        ]

    def _lines(self) -> list[str]:
        lines = [f"{'  ' * (link.depth + 1)}{link.sentence}" for link in self.chain]
        return lines + [f"  {circle_words(circle)}" for circle in self.circles]


def why(
    records: Iterable[Record] | Past,
    node: str,
    upto_tick: int | None = None,
    *,
    machines: Mapping[str, Mapping[str, Any]] | None = None,
) -> Explanation:
    """Say what a node waits for, and what would let it go on.

    Args:
        records: a trace, in order, from its beginning; or a :class:`Past` that has followed one, which is much faster
            when asked again.
        node: name of the node.
        upto_tick: the end of this tick is looked at; default: the last one in the trace. It may also lie after it, when
            nothing happened since.
        machines: the machine of a node, in the JSON format of behaviors, where it is not the one offered for its role.

    What is said of the next tick (``next``) holds if nothing comes in before: no message, no sample, nothing from
    outside; and for machines without policy or filter of their own, which the trace does not show.

    Raises:
        LabError: the trace has no node of that name; the message gives the nearest ones.
    """
    past = records if isinstance(records, Past) else Past(records)
    if node not in past.lives:
        raise LabError(f"the trace has no node {node!r}.{did_you_mean(node, past.lives)}")
    tick = past.tick if upto_tick is None else upto_tick
    web = Web(past, tick, machines or {})
    at = web.moment(node)
    assert at is not None
    return _explained(at, web)


def _explained(at: Moment, web: Web) -> Explanation:
    found = verdicts(at)
    code, sentence = headline(at, found)
    circles = web.circles(at.name)
    if circles:
        sentence = f"{sentence}; {circle_words(circles[0])}"
    return Explanation(
        at.name,
        at.tick,
        at.t,
        code,
        f"{sentence}.",
        at.role if at.stay is not None else None,
        at.state,
        at.stay.tick if at.stay is not None else None,
        at.switch is None,
        _notes(at),
        _pending(at, found),
        found,
        web.chain(at.name),
        circles,
        list(dict.fromkeys(one.help for one in found if one.help)),
    )


def _pending(at: Moment, found: list[Verdict]) -> Pending | None:
    last = at.pending
    if last is None:
        return None
    first, count, _ = at.run
    exit_ = at.pending_exit
    left = found[exit_.order].left if exit_ is not None else None
    asked = None if last.requester is None else at.past.name_of(last.requester)
    return Pending(last.action, first.tick, count, last.step, asked, left)


def _notes(at: Moment) -> list[str]:
    """What else is to be known: the state's own action, its waiting time, requests that wait in other states."""
    if at.stay is None:
        return []
    notes = []
    did: InState | None = last_of(at.stay.in_state, at.tick)
    if did is not None and not did.ok:
        reason = f": {did.reason}" if did.reason else ""
        fault = last_of(at.life.faults, at.tick)
        if fault is not None and fault.tick == did.tick and fault.action == did.action:
            reason = f": {fault.error}{f' at {fault.where}' if fault.where else ''}"
        notes.append(
            f"{did.action}, which {at.state} does at every tick, had no success at {when(at, did.tick)}{reason}"
        )
    for ask in at.queue[:10]:
        if ask.record.source != at.state:
            who, where = at.past.name_of(ask.record.requester), ask.record.source
            notes.append(f"a request of {who} to {ask.record.action}, of {when(at, ask.tick)}, waits in state {where}")
    return notes
