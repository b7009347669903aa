"""One node at the end of one tick: what each transition of its state waits for, and what is tried next."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import msgspec

from unaiverse_lab.core.records import Fault, Forced, Tried
from unaiverse_lab.view._past import PENDING, Ask, Exit, Life, Past, Plan, Stay, last_of, upto

TOLERANCE = 2e-6
FIRST, LATER, PERHAPS, NO = "first", "later", "perhaps", "no"


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is the matter with one transition.

    Attributes:
        edge: its place among those leaving the state, in evaluation order, from 0.
        action: the action and its arguments, as written in the machine.
        target: the state it leads to.
        code: one of ``DISABLED``, ``LIMBO``, ``STALE``, ``AWAIT_REPLY``, ``WAITING``, ``DELAYED``, ``NOT_REQUESTED``,
            ``NOT_DOABLE``, ``OUTRANKED``, ``VETOED``, ``FAILED``, ``RAISED``, ``WILDCARD``, ``NEXT_TICK``.
        sentence: the same for people.
        next: whether it is tried at the next tick if nothing comes in before (no message, no word from outside):
            ``"first"``, ``"later"`` (if those before it do not succeed), ``"perhaps"`` (the trace does not tell) or
            ``"no"``. It is said for the default policy, without filter.
        since: the tick from which on it is so; None if it does not apply.
        left: seconds until it may be tried, or is given up; None if no time runs.
        tries: how often it was tried in this stay, without success.
        peers: the nodes it depends on.
        help: what would let it go on; None if time alone, or nothing, does.
    """

    edge: int
    action: str
    target: str
    code: str
    sentence: str
    next: str = NO
    since: int | None = None
    left: float | None = None
    tries: int = 0
    peers: list[str] = []
    help: str | None = None


class Moment:
    """A node at the end of a tick.

    Args:
        past: what the trace says.
        life: the node.
        tick: the tick.
        machine: its machine, if it is not the one offered for its role.
    """

    def __init__(self, past: Past, life: Life, tick: int, machine: Mapping[str, Any] | None = None) -> None:
        self.past = past
        self.life = life
        self.name = life.name
        self.tick = tick
        self.t = past.time_of(tick)
        self.after = past.time_of(tick + 1)
        self.role = past.role_of(life.name, tick)
        self.plan = Plan(machine) if machine is not None else past.plan_of(self.role, tick)
        join = last_of(life.joins, tick)
        gone = join is not None and join.stage in ("left", "purged")
        self.stay: Stay | None = None if gone else life.stay_at(tick)
        self.state = self.stay.state if self.stay is not None else None

    # ------------------------------------------------------------------ facts

    @cached_property
    def exits(self) -> list[Exit]:
        """The transitions leaving the state, in evaluation order."""
        return self.plan.exits.get(self.state or "", []) if self.plan is not None else []

    @cached_property
    def switch(self) -> Forced | None:
        """The record that switched the machine off; None while it is on."""
        last = last_of(self.life.switches, self.tick)
        return last if isinstance(last, Forced) and last.what != "enable" else None

    @cached_property
    def stopped_by(self) -> Fault | None:
        """The error that switched the machine off."""
        if self.switch is None or self.switch.what != "stop":
            return None
        return last_of(self.life.faults, self.switch.tick)

    @cached_property
    def entered(self) -> int | None:
        """The tick at which the state was entered; None if that is still to come."""
        return self.stay.entered if self.stay is not None and self.stay.entered <= self.tick else None

    @cached_property
    def attempt(self) -> Tried | None:
        """The last attempt of this stay."""
        return last_of(self.stay.attempts, self.tick) if self.stay is not None else None

    @cached_property
    def pending(self) -> Tried | None:
        """The last attempt of the action in progress; None if there is none."""
        return self.attempt if self.attempt is not None and self.attempt.outcome in PENDING else None

    @cached_property
    def run(self) -> tuple[Tried, int, int]:
        """Of the action in progress: its first attempt, how many there were, the number of the record before it."""
        assert self.stay is not None
        count = upto(self.stay.attempts, self.tick)
        begin, number = next(run for run in reversed(self.stay.runs) if run[0] < count)
        return self.stay.attempts[begin], count - begin, number

    @cached_property
    def asked(self) -> list[Ask]:
        """The requests that the action in progress made and that are not over."""
        if self.pending is None:
            return []
        return [ask for ask in self.life.open_sent(self.tick, self.t) if ask.number > self.run[2]]

    @cached_property
    def queue(self) -> list[Ask]:
        """The requests that wait to be served, in whatever state, or are being served."""
        return self.life.waiting(self.tick, self.t)

    def tries_of(self, one: Exit) -> list[Tried]:
        """The attempts at a transition in this stay."""
        tries = self.stay.tries.get((one.order, one.action), []) if self.stay is not None else []
        return tries[: upto(tries, self.tick)] if tries and tries[-1].tick > self.tick else tries

    def queue_of(self, one: Exit) -> list[Ask]:
        """The requests that wait for a transition of this state."""
        return self._queues.get(one.order, [])

    @cached_property
    def _queues(self) -> dict[int, list[Ask]]:
        found: dict[int, list[Ask]] = {}
        for ask in self.queue:
            if ask.record.source == self.state:
                one = self._serving(ask)
                if one is not None:
                    found.setdefault(one.order, []).append(ask)
        return found

    def _serving(self, ask: Ask) -> Exit | None:
        same = [one for one in self.exits if one.action == ask.record.action]
        args = self.past.args_of(ask)
        fits = [one for one in same if all(one.args[key] == value for key, value in args.items() if key in one.args)]
        return next(iter(fits or same), None)

    def fault_of(self, tried: Tried) -> Fault | None:
        """The error that an attempt met."""
        faults = self.life.faults
        for index in range(upto(faults, tried.tick) - 1, -1, -1):
            if faults[index].tick < tried.tick:
                return None
            if faults[index].action == tried.action:
                return faults[index]
        return None

    @cached_property
    def was_free(self) -> bool:
        """Whether, in this tick, the machine looked at all the transitions of the state it is in."""
        if self.stay is None or self.entered is None or self.switch is not None:
            return False
        switched = last_of(self.life.switches, self.tick)
        if isinstance(switched, Forced) and switched.tick == self.tick:
            return False
        before = last_of(self.stay.attempts, self.tick - 1)
        return before is None or before.outcome not in PENDING

    # ------------------------------------------------------------------ times

    @cached_property
    def entered_at(self) -> float:
        """When the state was entered, or will be."""
        return self.after if self.entered is None else self.past.time_of(self.entered)

    def left_of(self, duration: float) -> float:
        """Seconds until the stay has lasted ``duration``."""
        return max(0.0, round(self.entered_at + duration - self.t, 6))

    def is_waiting(self) -> bool:
        """Whether the waiting time of the state still runs at the next tick."""
        wait = self.plan.wait(self.state or "") if self.plan is not None else 0.0
        return self.after - self.entered_at < wait - TOLERANCE

    def is_delayed(self, one: Exit) -> bool:
        """Whether the delay of a transition still runs at the next tick."""
        delay = one.seconds("delay")
        return delay > 0 and self.after - self.entered_at <= delay - TOLERANCE

    def is_close(self, one: Exit) -> bool:
        """Whether some time of a transition is over just about the next tick, so that rounding decides."""
        wait = self.plan.wait(self.state or "") if self.plan is not None and one.ready else 0.0
        stay = self.after - self.entered_at
        return any(time > 0 and abs(stay - time) <= TOLERANCE for time in (one.seconds("delay"), wait))

    # ------------------------------------------------------------------ what is tried at the next tick

    @cached_property
    def plans(self) -> dict[int, str]:
        """For each transition whether it is tried at the next tick: see :class:`Verdict`."""
        turns = {one.order: NO for one in self.exits}
        if self.switch is not None or self.stay is None:
            return turns
        if self.pending is not None:
            called = self.pending.outcome == "again" and self.pending.tick == self.tick and not self.asked
            for one in self.exits:
                if one is self.pending_exit:
                    turns[one.order] = FIRST if called else PERHAPS
                elif one.ready or one.order in self._queues:
                    turns[one.order] = PERHAPS
            return turns
        waiting = self.is_waiting()
        sure: list[Exit] = []
        unsure: list[Exit] = []
        for one in self.exits:
            doable = self._doable(one)
            by_itself = one.ready and not waiting
            if self.is_delayed(one) and not self.is_close(one):
                continue
            if self.is_close(one) or (doable is None and not by_itself):
                unsure.append(one)
                turns[one.order] = PERHAPS
            elif by_itself or doable:
                sure.append(one)
                turns[one.order] = LATER
            if doable is None and one not in unsure:
                unsure.append(one)
        least, most = self._first(sure, False), self._first([*sure, *unsure], True)
        if least is not None and (not unsure or least is most):
            turns[least.order] = FIRST
        elif unsure:
            turns.update((one.order, PERHAPS) for one in sure)
        return turns

    def _first(self, candidates: list[Exit], unsure: bool) -> Exit | None:
        candidates = sorted(set(candidates), key=lambda one: one.order)
        ranked = [one for one in candidates if one.high_priority]
        ranked += [one for one in candidates if self._doable(one) or (unsure and self._doable(one) is None)]
        return next(iter(ranked + [one for one in candidates if one.ready]), None)

    def _doable(self, one: Exit) -> bool | None:
        """Whether a request for a transition can be served at the next tick; None: the trace does not tell."""
        queue = self._queues.get(one.order)
        if not queue:
            return False
        tried = self.tries_of(one)
        served = {attempt.uuid for attempt in tried[upto(tried, self.tick - 1) :]}
        return True if any(ask.record.uuid in served for ask in queue) else None

    @cached_property
    def pending_exit(self) -> Exit | None:
        """The transition whose action is in progress."""
        pending = self.pending
        if pending is None:
            return None
        same = [one for one in self.exits if one.action == pending.action]
        return next((one for one in same if one.order == pending.edge), next(iter(same), None))
