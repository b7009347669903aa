"""The verdict on each transition: which of the reasons holds, in the order they are looked at, in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from unaiverse_lab.behavior.interpreter import CANNOT_RUN
from unaiverse_lab.core.interaction import DEFAULT_RETRY, MAX_LIFE
from unaiverse_lab.core.records import Moved, Pushed, Requested, Tried
from unaiverse_lab.view._drawing import clipped
from unaiverse_lab.view._moment import FIRST, LATER, NO, Moment, Verdict
from unaiverse_lab.view._past import Ask, Exit, last_of, upto
from unaiverse_lab.view.graph import call_text

_WILDCARD = re.compile(r"<[^<>\s]+>")
_NEXT = {FIRST: "it is tried first at the next tick", LATER: "it is tried at the next tick, after others"}
_BACK = 1000
MANY = 6


def verdicts(at: Moment) -> list[Verdict]:
    """One verdict for each transition leaving the state of the machine, in evaluation order."""
    return [_verdict(at, one) for one in at.exits]


def _verdict(at: Moment, one: Exit) -> Verdict:
    tries = at.tries_of(one)
    last = tries[-1] if tries else None
    queue = at.queue_of(one)
    if at.switch is not None:
        return _switched_off(at, one)
    if at.pending is not None and one is at.pending_exit:
        return _in_progress(at, one, at.pending)
    if last is not None and last.outcome == "raised":
        return _raised(at, one, last)
    wait = at.plan.wait(at.state or "") if at.plan is not None else 0.0
    delay = one.seconds("delay")
    if one.ready and not queue and at.is_waiting() and wait > delay:
        return _waiting(at, one, wait)
    if at.is_delayed(one) and (one.ready or queue):
        return _delayed(at, one, delay)
    if not one.ready and not queue:
        return _not_requested(at, one, delay)
    if at.pending is None:
        by_itself = one.ready and last is not None and last.tick == at.tick
        if queue and at.was_free and not by_itself and not any(_is_tried(at, one, ask) for ask in queue):
            return _not_doable(at, one, queue)
        if last is not None:
            return _vetoed(at, one, last) if last.outcome == "vetoed" else _failed(at, one, tries, queue)
    first = _went_first(at, one, queue)
    if first is not None:
        return _said(at, one, "OUTRANKED", first, at.stay.tick if at.stay is not None else None)
    return _next_tick(at, one, queue)


def _said(
    at: Moment,
    one: Exit,
    code: str,
    sentence: str,
    since: int | None = None,
    *,
    left: float | None = None,
    peers: Iterable[str] = (),
    help: str | None = None,
) -> Verdict:
    plan = at.plans.get(one.order, NO)
    if plan in _NEXT and code not in ("NEXT_TICK", "LIMBO"):
        sentence = f"{sentence}; {_NEXT[plan]}"
    tries = len(at.tries_of(one))
    names = list(dict.fromkeys(peers))
    return Verdict(one.order, one.call, one.target, code, sentence, plan, since, left, tries, names, help)


# ---------------------------------------------------------------------- the machine is off, or busy


def _switched_off(at: Moment, one: Exit) -> Verdict:
    assert at.switch is not None
    if is_unresolved(at):
        mine = _unresolved(" ".join(map(str, one.on.values())), at)
        what = f"{', '.join(mine)} has no value" if mine else "the machine cannot run before all wildcards have values"
        return _said(at, one, "WILDCARD", what, at.switch.tick, help=wildcard_help(at))
    return _said(at, one, "DISABLED", f"the machine is off since {when(at, at.switch.tick)}", at.switch.tick)


def is_unresolved(at: Moment) -> bool:
    """Whether the machine was stopped because wildcards have no value."""
    return at.stopped_by is not None and CANNOT_RUN in at.stopped_by.error


def known(at: Moment) -> dict[str, str]:
    """The wildcards that every agent of a world has values for."""
    return {"<agent>": at.name, "<role>": at.role or "", "<world>": at.past.world or ""}


def wildcard_help(at: Moment) -> str:
    """How a wildcard gets its value."""
    names = _unresolved(at.stopped_by.error if at.stopped_by is not None else "", at) or ["<name>"]
    values = ", ".join(f"{name!r}: ..." for name in names)
    return (
        f"values for them, behav.add_wildcards({{{values}}}, apply=True), and behav.enable(True); "
        f"those that have one here: {', '.join(known(at))}"
    )


def _unresolved(text: str, at: Moment) -> list[str]:
    return sorted(set(_WILDCARD.findall(text)) - known(at).keys())


def _in_progress(at: Moment, one: Exit, last: Tried) -> Verdict:
    first, count, _ = at.run
    since = first.tick
    if at.asked:
        return _awaits_reply(at, one, since)
    fault = at.fault_of(last)
    if fault is not None and last.outcome == "again":
        place = f" ({fault.where})" if fault.where else ""
        words = f"it raised {clipped(fault.error, 160)}{place} at {when(at, last.tick)}, and is tried again"
        return _said(at, one, "RAISED", f"{words}{_gives_up(at, one)[0]}", since, help=_mend(fault.where))
    gives_up, left = _gives_up(at, one)
    if last.outcome == "waiting" or (last.outcome == "step" and last.tick < at.tick):
        return _stale(at, one, last, since, gives_up, left)
    done = f"steps done: {last.step + 1}" if last.outcome == "step" else f"attempt {count}"
    reason = f", {last.reason}" if last.reason else ""
    words = f"it is in the middle of it since {when(at, since)} ({done}{reason}){gives_up}"
    return _said(at, one, "LIMBO", words, since, left=left)


def _gives_up(at: Moment, one: Exit) -> tuple[str, float | None]:
    """When an action in progress is given up: words, and seconds left."""
    assert at.stay is not None
    first, count, _ = at.run
    end = upto(at.stay.attempts, at.tick)
    recent = (at.stay.attempts[index] for index in range(end - 1, end - 1 - min(count, _BACK), -1))
    step = next((attempt for attempt in recent if attempt.outcome == "step"), None)
    retry = one.seconds("retry_timeout")
    if not retry and (step is not None or first.outcome == "waiting"):
        retry = DEFAULT_RETRY
    ends = [] if not retry else [(step or first).t + retry]
    if one.seconds("max_duration"):
        ends.append(first.t + one.seconds("max_duration"))
    if not ends:
        return ", and it is not given up before it is done", None
    left = max(0.0, round(min(ends) - at.t, 6))
    return f", and it gives up in {left:g} s", left


def _stale(at: Moment, one: Exit, last: Tried, since: int, gives_up: str, left: float | None) -> Verdict:
    streams = one.args.get("streams")
    newest = _newest(at, last.uuid)
    if isinstance(streams, dict):
        streams = [name for names in streams.values() for name in ([names] if isinstance(names, str) else names)]
    names = [streams] if isinstance(streams, str) else [str(name) for name in streams or ()]
    where = f" on {', '.join(names)}" if names else ""
    whom = "" if last.requester is None else f" that goes with the request of {at.past.name_of(last.requester)}"
    sample = "; no sample has come so far"
    peers = [] if last.requester is None else [at.past.name_of(last.requester)]
    if newest is not None:
        peers.append(at.past.name_of(newest.owner))
        sample = f"; the last sample came at {when(at, newest.tick)}, on {peers[-1]}:{newest.stream}"
    words = f"it waits for fresh data{where}{whom} since {when(at, max(since, last.tick))}{sample}{gives_up}"
    return _said(at, one, "STALE", words, since, left=left, peers=peers, help="a new sample on each of its streams")


def _newest(at: Moment, uuid: str | None) -> Pushed | None:
    """The newest sample that came with a request, or with anything."""
    pushed = at.life.pushed
    end = upto(pushed, at.tick)
    recent = (pushed[index] for index in range(end - 1, max(end - 1 - _BACK, -1), -1))
    return next((push for push in recent if uuid is None or push.uuid == uuid), None)


def _awaits_reply(at: Moment, one: Exit, since: int) -> Verdict:
    waits = [open_words(at, ask) for ask in at.asked]
    peers = [peer for ask in at.asked for peer in missing(at, ask)]
    ends = [limit(at, one, ask) for ask in at.asked]
    left = max(0.0, round(max(ends) - at.t, 6))
    words = f"it {'; '.join(waits)}. The request expires in {left:g} s at the latest"
    help = f"an answer of {listed(peers)}" if peers else "the answer arrives at the next tick"
    return _said(at, one, "AWAIT_REPLY", words, since, left=left, peers=peers, help=help)


def limit(at: Moment, one: Exit, ask: Ask) -> float:
    """When a request that an action made expires at the latest."""
    timeout = one.args.get("timeout") if one.action == "send" else None
    times = [one.seconds("retry_timeout"), one.seconds("max_duration")] if one.action == "send" else []
    if isinstance(timeout, int | float):
        times.append(timeout)
    return float(ask.record.t + min([time for time in times if time > 0] + [MAX_LIFE]))


def missing(at: Moment, ask: Ask) -> list[str]:
    """The nodes whose answer to a request is not there."""
    found = []
    for peer in ask.record.targets:
        name = at.past.name_of(peer)
        life = at.past.lives.get(name)
        arrival = life.arrival(ask.record.uuid, at.tick) if life is not None else None
        if (life is None or ask.record.uuid not in life.rejected) and (arrival is None or arrival.is_open(at.tick)):
            found.append(name)
    return found


def open_words(at: Moment, ask: Ask) -> str:
    """``"asked Bob to grade(n=1) at tick 3 (0.3 s): it has not done it yet"``."""
    record = ask.record
    whom = listed([at.past.name_of(peer) for peer in record.targets])
    call = clipped(call_text(record.action, record.args), 80)
    late = missing(at, ask)
    have = "has" if len(late) == 1 else "have"
    rest = f"{listed(late)} {have} not done it yet" if late else "the answer is on its way"
    return f"asked {whom} to {call} at {when(at, record.tick)}, and {rest}"


# ---------------------------------------------------------------------- it cannot be chosen yet


def _waiting(at: Moment, one: Exit, wait: float) -> Verdict:
    left = at.left_of(wait)
    words = f"the state waits {wait:g} s before it acts: possible in {left:g} s; only a request passes before"
    return _said(at, one, "WAITING", words, at.entered, left=left)


def _delayed(at: Moment, one: Exit, delay: float) -> Verdict:
    left = at.left_of(delay)
    words = f"its delay of {delay:g} s runs: possible in more than {left:g} s"
    loop = at.stay.loops if at.stay is not None else 0
    if loop > 1:
        words = f"{words}; each of the last {loop} self loops of {at.state} started it again"
    return _said(at, one, "DELAYED", words, at.entered, left=left)


def askers(at: Moment, one: Exit) -> list[str]:
    """The nodes that could ask for a transition: their machine does so in some state, or they did so before."""
    found = []
    for name, life in at.past.lives.items():
        if name == at.name or not life.roles:
            continue
        before = life.asked.get(one.action)
        plan = at.past.plan_of(at.past.role_of(name, at.tick), at.tick)
        asks = plan.asks.get(one.action, []) if plan is not None else []
        by_plan = any(_may_mean(at, args.get("target")) for _, args in asks)
        if by_plan or (
            before is not None and before.tick <= at.tick and at.name in map(at.past.name_of, before.targets)
        ):
            found.append(name)
    return found


def _may_mean(at: Moment, target: object) -> bool:
    names = [target] if isinstance(target, str) else target
    if not isinstance(names, list):
        return True
    return any("<" in str(name) or at.past.name_of(str(name)) == at.name for name in names)


def _asking_roles(at: Moment, one: Exit) -> list[str]:
    return [role for role in at.past.plans if (plan := at.past.plan_of(role, at.tick)) and one.action in plan.asks]


def _not_requested(at: Moment, one: Exit, delay: float) -> Verdict:
    peers, roles = askers(at, one), _asking_roles(at, one)
    words = "only on request, and nobody asks for it"
    if peers:
        words = f"{words}; {listed(peers)} could"
    elif roles:
        words = f"{words}; the role {listed(roles)} could, but nobody here has it"
    else:
        words = f"{words}: no behavior of this world does, and nobody did so far"
    if delay and at.is_delayed(one):
        words = f"{words}; it would be possible in {at.left_of(delay):g} s only"
    elsewhere = [ask for ask in at.queue if ask.record.action == one.action and ask.record.source != at.state]
    if elsewhere:
        ask = elsewhere[0]
        words = f"{words}; the request of {at.past.name_of(ask.record.requester)} waits in state {ask.record.source}"
    refused = _refused(at, one)
    if refused is not None:
        who = at.past.name_of(refused.requester)
        why = clipped(refused.reason or "no reason given", 160)
        words = f"{words}; nearest: {who} asked at {when(at, refused.tick)} and was refused, {why}"
    help = f"a request to {one.call} from an agent that {at.name} knows"
    return _said(at, one, "NOT_REQUESTED", words, at.entered, peers=peers, help=help)


def _refused(at: Moment, one: Exit) -> Requested | None:
    refused = at.life.refused
    for index in range(upto(refused, at.tick) - 1, -1, -1):
        if refused[index].action == one.action:
            return refused[index]
    return None


def _is_tried(at: Moment, one: Exit, ask: Ask) -> bool:
    tries = at.tries_of(one)
    return any(attempt.uuid == ask.record.uuid for attempt in tries[upto(tries, at.tick - 1) :])


def _not_doable(at: Moment, one: Exit, queue: Sequence[Ask]) -> Verdict:
    ask = queue[0].record
    who = at.past.name_of(ask.requester)
    newest = _newest(at, ask.uuid)
    came = f"the last came at {when(at, newest.tick)}" if newest is not None else "none has come so far"
    more = f" ({len(queue)} requests wait)" if len(queue) > 1 else ""
    words = f"{who} asked for it at {when(at, ask.tick)}, and it cannot be served without a new sample: {came}{more}"
    left = max(0.0, round(ask.t + MAX_LIFE - at.t, 6))
    help = f"a sample of {who} for its request"
    return _said(at, one, "NOT_DOABLE", words, ask.tick, left=left, peers=[who], help=help)


# ---------------------------------------------------------------------- it was tried, or something else was


def _vetoed(at: Moment, one: Exit, last: Tried) -> Verdict:
    words = f"the policy filter held it back at {when(at, last.tick)}: {last.reason or 'it gave no reason'}"
    return _said(at, one, "VETOED", words, last.tick)


def _raised(at: Moment, one: Exit, last: Tried) -> Verdict:
    fault = at.fault_of(last)
    what = fault.error if fault is not None else last.reason or "an error"
    place = f" at {fault.where}" if fault is not None and fault.where else ""
    code = f" ({fault.code.strip()})" if fault is not None and fault.code else ""
    words = f"it raised {clipped(what, 200)}{place}{code}, at {when(at, last.tick)}"
    if last.requester is not None:
        words = f"{words}; {at.past.name_of(last.requester)}, who asked for it, was told"
    return _said(at, one, "RAISED", words, last.tick, help=_mend(fault.where if fault is not None else None))


def _mend(where: str | None) -> str:
    return f"mend the action{f' ({where})' if where else ''}"


def _failed(at: Moment, one: Exit, tries: Sequence[Tried], queue: Sequence[Ask]) -> Verdict:
    last = tries[-1]
    times = "once" if len(tries) == 1 else f"{len(tries)} times since {when(at, tries[0].tick)}"
    if last.outcome == "timeout":
        reason = f"its time was over{f', {last.reason}' if last.reason else ''}"
    else:
        reason = last.reason or "it returned False and gave no reason"
    asked = ""
    if last.requester is not None:
        asked = f", asked by {at.past.name_of(last.requester)}"
    words = f"tried {times}{asked}, last at {when(at, last.tick)}: {clipped(reason, 200)}"
    peers: list[str] = []
    help = None
    if one.action == "all_sent_completed":
        open_ = waited_for(at, one)
        peers = [peer for ask in open_ for peer in missing(at, ask)]
        words = f"{words}: {'; '.join(open_words(at, ask) for ask in open_[:3])}" if open_ else words
    elif last.reason and last.reason.startswith("nothing new on"):
        help = _input_help(at)
    elif not last.reason:
        help = f"let {one.action} say why: return self.because('...')"
    return _said(at, one, "FAILED", words, tries[0].tick, peers=peers, help=help)


def waited_for(at: Moment, one: Exit) -> list[Ask]:
    """The open requests that ``all_sent_completed`` waits for."""
    name = one.args.get("action_name")
    return [ask for ask in at.life.open_sent(at.tick, at.t) if name is None or ask.record.action == name]


def _input_help(at: Moment) -> str:
    typed = last_of(at.life.typed, at.tick)
    if typed is not None:
        last = f"the last one was typed at {when(at, typed.tick)}"
        return f"a line typed by its person, session.say({at.name!r}, ...); {last}"
    return "a new value on its input: a sample of a peer, or a line typed by its person, session.say(...)"


def _went_first(at: Moment, one: Exit, queue: Sequence[Ask]) -> str | None:
    """Which other action had its turn instead, and why; None if none had."""
    if at.pending is not None and at.pending_exit is not one:
        busy = f"{at.pending.action} went first at {when(at, at.run[0].tick)}"
        return f"{busy} and is still in progress: nothing else is tried meanwhile"
    begin = at.stay.begin if at.stay is not None else None
    if not isinstance(begin, Moved) or begin.source != begin.target or begin.edge == one.order or begin.edge < 0:
        return None
    same = [other for other in at.exits if other.order == begin.edge and other.action == begin.action]
    if not same or at.stay is None or at.stay.loops < 1:
        return None
    other = same[0]
    if other.high_priority and not one.high_priority:
        why = "it has high priority"
    elif begin.requester is not None and not one.high_priority:
        why = f"{at.past.name_of(begin.requester)} asked for it"
    elif other.order < one.order and other.high_priority == one.high_priority and not queue:
        why = "it comes first in order"
    else:
        return None
    times = f", for the {ordinal(at.stay.loops)} time in a row" if at.stay.loops > 1 else ""
    return f"{other.action} went first at {when(at, begin.tick)}{times}: {why}, and it leads back to {at.state}"


def _next_tick(at: Moment, one: Exit, queue: Sequence[Ask]) -> Verdict:
    asked = f", for {at.past.name_of(queue[0].record.requester)}, who asked for it" if queue else ""
    entered = f"{at.state} is entered at the next tick" if at.entered is None else "its turn comes at the next tick"
    rest = {FIRST: "it is tried first then", LATER: "it is tried then if those before it do not succeed"}
    how = rest.get(at.plans.get(one.order, NO), "it may be tried then")
    return _said(at, one, "NEXT_TICK", f"{entered}: {how}{asked}")


# ---------------------------------------------------------------------- words


def when(at: Moment, tick: int) -> str:
    """``"tick 3 (0.3 s)"``."""
    return f"tick {tick} ({at.past.time_of(tick):g} s)"


def listed(names: Sequence[str]) -> str:
    """``"Ada, Ben and Cyd"``; of many, the first and a number."""
    names = list(dict.fromkeys(names))
    if len(names) > MANY:
        return f"{', '.join(names[: MANY - 1])} and {len(names) - MANY + 1} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def ordinal(number: int) -> str:
    """``"1st"``, ``"2nd"``, ..."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
