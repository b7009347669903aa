"""The one sentence on a node: what it waits for, and what would let it go on."""

from __future__ import annotations

from collections.abc import Sequence

from unaiverse_lab.core.records import Joined
from unaiverse_lab.view._drawing import clipped
from unaiverse_lab.view._moment import FIRST, Moment, Verdict
from unaiverse_lab.view._past import last_of
from unaiverse_lab.view._verdicts import is_unresolved, when, wildcard_help

LONG = 10
"""After so many ticks without change a machine is called stuck."""

_IDLE = frozenset({"FAILED", "NOT_REQUESTED", "NOT_DOABLE", "VETOED"})
_TIMED = frozenset({"WAITING", "DELAYED"})
_JOINING = {
    "asked": "has asked to join and has no answer yet",
    "admitted": "is admitted, and takes its role at the next tick",
    "refused": "was not let in",
    "left": "has left the world",
    "purged": "could not be reached, and is no member any more",
}


def headline(at: Moment, found: Sequence[Verdict]) -> tuple[str, str]:
    """A code and a sentence: what holds the node, and what would let it go on."""
    if at.past.world == at.name and at.stay is None:
        return "WORLD", f"{at.name} hosts the world: it has no behavior of its own"
    if at.stay is None or at.state is None:
        return "OUTSIDE", _outside(at)
    raised = next((one for one in found if one.code == "RAISED"), None)
    if raised is not None:
        return "RAISED", _sentence(at, f"is in {at.state}, and {raised.action} fails", raised)
    if at.plan is None and at.past.world is None:
        return "UNKNOWN", f"{at.name} is in {at.state}, but its machine is not in the trace"
    if is_unresolved(at):
        return "WILDCARD", f"{_off(at)}; what would let it go on: {wildcard_help(at)}"
    if not at.exits:
        return "NO_EDGE", _end(at)
    if at.switch is not None:
        return "DISABLED", f"{_off(at)}; what would let it go on: behav.enable(True)"
    if at.pending is not None:
        return _pending(at, found)
    first = next((one for one in found if one.next == FIRST), None)
    since = at.stay.tick if at.stay.entered > at.tick else at.stay.entered
    ago = f"since {when(at, since)}"
    timed = [one for one in found if one.code in _TIMED]
    if all(one.code in _IDLE or one.code in _TIMED for one in found):
        tried = next((one for one in found if one.code in _IDLE and one.code != "NOT_REQUESTED"), None)
        if timed and tried is None:
            soonest = min(timed, key=lambda one: (one.left or 0.0, one.edge))
            return soonest.code, _sentence(at, f"waits in {at.state} {ago}", soonest)
        is_stuck = not timed and at.tick - since >= LONG
        how = f"is stuck in {at.state} {ago}" if is_stuck else f"is in {at.state} {ago}"
        return "STUCK" if is_stuck else (tried or found[0]).code, _several(at, how, found)
    going = next(one for one in (first, *found) if one is not None and one.code not in (_IDLE | _TIMED))
    return going.code, _sentence(at, f"is in {at.state} {ago}", going)


def _sentence(at: Moment, where: str, one: Verdict) -> str:
    help = f"; what would let it go on: {one.help}" if one.help else ""
    return f"{at.name} {where}: {one.action}, {one.sentence}{help}"


def _several(at: Moment, where: str, found: Sequence[Verdict]) -> str:
    """All that an idle machine waits for, what was tried first."""
    ranked = sorted(found, key=lambda one: (one.code in _TIMED, one.code == "NOT_REQUESTED", one.edge))
    shown = [f"{one.action}, {clipped(one.sentence, 220)}" for one in ranked[:2]]
    more = f" (and {len(found) - 2} more)" if len(found) > 2 else ""
    helps = list(dict.fromkeys(one.help for one in ranked if one.help))[:2]
    rest = f"; what would let it go on: {', or '.join(helps)}" if helps else ""
    return f"{at.name} {where}: {'. '.join(shown)}{more}{rest}"


def _outside(at: Moment) -> str:
    last: Joined | None = last_of(at.life.joins, at.tick)
    if last is None:
        return f"{at.name} has not asked to join so far"
    reason = f": {last.reason}" if last.reason else ""
    words = _JOINING.get(last.stage, last.stage)
    return f"{at.name} {words}{reason} ({when(at, last.tick)})"


def _off(at: Moment) -> str:
    assert at.switch is not None
    since = when(at, at.switch.tick)
    if at.stopped_by is not None:
        return f"the machine of {at.name}, in {at.state}, was stopped at {since}: {clipped(at.stopped_by.error, 260)}"
    return f"the machine of {at.name}, in {at.state}, was switched off from outside at {since}"


def _end(at: Moment) -> str:
    assert at.stay is not None
    if at.plan is None:
        return f"{at.name} has nothing to do: this world offers no behavior for its role {at.role}"
    queue = [ask for ask in at.queue if ask.record.source == at.state]
    action = at.plan.states.get(at.state or "", {}).get("action")
    does = f" (it does {action} at every tick)" if action else ""
    asked = f"; {len(queue)} requests wait here in vain" if queue else ""
    return (
        f"{at.name} is in {at.state} since {when(at, at.stay.tick)}{does}, and no transition leaves it: the end{asked}"
    )


def _pending(at: Moment, found: Sequence[Verdict]) -> tuple[str, str]:
    assert at.pending is not None
    one = next((one for one in found if at.pending_exit is not None and one.edge == at.pending_exit.order), None)
    if one is None:
        return "LIMBO", f"{at.name} is in {at.state}, in the middle of {at.pending.action}"
    doing = "waits for an answer" if one.code == "AWAIT_REPLY" else "is in the middle of an action"
    return one.code, _sentence(at, f"is in {at.state} and {doing}", one)
