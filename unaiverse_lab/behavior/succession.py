"""A machine that runs gets a new definition: what can stay stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from unaiverse_lab.behavior.machine import HybridStateMachine
from unaiverse_lab.behavior.model import Machine, Transition
from unaiverse_lab.behavior.runstate import Run
from unaiverse_lab.behavior.surroundings import Surroundings
from unaiverse_lab.core.declare import OnMissing


class Succession(NamedTuple):
    """What became of one machine.

    Attributes:
        before: the state it was in, or was leaving.
        after: the state it is in now, or is leaving.
        discarded: how many requests were thrown away.
        kept_old: whether it goes on with the old definition.
    """

    before: str | None
    after: str | None
    discarded: int = 0
    kept_old: bool = False


def succeed(
    behav: HybridStateMachine,
    template: HybridStateMachine,
    on_missing: OnMissing = "initial",
    renamed: Mapping[str, str] | None = None,
) -> Succession:
    """Give a running machine a new definition, between two ticks.

    It stays in its state, with the time it has spent there, as long as a state of that name exists. A pending action
    goes on, and requests keep waiting, where the new definition has the same transition; others are discarded.

    Args:
        behav: the machine that runs.
        template: the new definition, bound to an agent of the same class.
        on_missing: what to do if its state is gone.
        renamed: old name -> new name of states.
    """
    names = dict(renamed or {})
    before = behav.state or behav.limbo_state
    place = names.get(before or "", before)
    if place is not None and place not in template.machine.states and on_missing == "keep-old":
        return Succession(before, before, kept_old=True)
    fresh = _prepared(behav, template)
    old, new = behav.machine, fresh.machine
    twins = {edge: twin for edge in old.edges() if (twin := _twin(edge, new, names)) is not None}
    run = behav._run
    if run is not None and run.edge not in twins:
        behav._abandon()
        behav.state, behav.limbo_state, run = behav.limbo_state, None, None
    thrown = [request for edge, request in behav.pending_requests() if edge not in twins]
    waiting = {twins[edge]: queue for edge, queue in behav._requests.items() if edge in twins}
    behav.machine, behav.shared = new, fresh.shared
    behav.wildcards.update((key, value) for key, value in fresh.wildcards.items() if key not in behav.wildcards)
    behav._set_options(fresh._options())
    behav._quiet = None
    behav._requests = waiting
    behav._left_behind = {names.get(name, name): kept for name, kept in behav._left_behind.items()}
    behav.prev_state = names.get(behav.prev_state or "", behav.prev_state)
    for request in thrown:
        behav.surroundings.discarded(request)
    if place is None or place in new.states:
        if run is not None:
            _follow(run, twins, names)
        behav.state = None if behav.state is None else place
        behav.limbo_state = None if behav.limbo_state is None else place
    else:
        _start_over(behav, before)
        if on_missing == "pause":
            behav.enable(False)
    behav._changed_from_outside()
    return Succession(before, behav.state or behav.limbo_state, len(thrown))


def rebind(behav: HybridStateMachine, action: str | None = None) -> None:
    """Look at the signatures again, after a method (or all of them) has been replaced.

    Raises:
        BehaviorError: an action does not exist any more, or does not take its arguments.
    """
    for call in behav.machine.calls():
        if action is None or call.name == action:
            behav._bind(call, call.name)
    behav._changed_from_outside()


def abort(behav: HybridStateMachine, action: str) -> bool:
    """Abandon a pending action; the request it serves is discarded. False if it is not pending."""
    run = behav._run
    if run is None or run.edge.name != action:
        return False
    request = run.interaction
    behav._abandon()
    behav.state, behav.limbo_state = behav.limbo_state, None
    if request is not None and not request.is_system:
        behav.drop_request(request)
        behav.surroundings.discarded(request)
    behav._changed_from_outside()
    return True


def _prepared(behav: HybridStateMachine, template: HybridStateMachine) -> HybridStateMachine:
    fresh = HybridStateMachine(
        behav.agent, strict=behav.strict, decorated_only=behav.decorated_only, surroundings=Surroundings()
    )
    fresh.include(template, make_a_copy=True)
    role = template.machine.role
    fresh.wildcards.update(behav.wildcards)
    fresh.set_role(role)
    return fresh


def _twin(edge: Transition, new: Machine, names: Mapping[str, str]) -> Transition | None:
    """The transition of the new definition that is the same as an old one."""
    source, target = names.get(edge.source, edge.source), names.get(edge.target, edge.target)
    same = [other for other in new.edges_from(source) if other.target == target and other.same_as(edge.name, edge.args)]
    exact = [other for other in same if other.args == edge.args]
    return next(iter(exact or same), None)


def _follow(run: Run, twins: Mapping[Transition, Transition], names: Mapping[str, str]) -> None:
    run.edge = twins[run.edge]
    run.source = names.get(run.source, run.source)
    run.candidates = [twins[edge] for edge in run.candidates if edge in twins]
    if run.tries is not None:
        run.tries = {twins[edge]: count for edge, count in run.tries.items() if edge in twins}


def _start_over(behav: HybridStateMachine, before: str | None) -> None:
    behav._abandon()
    behav.state, behav.limbo_state, behav.prev_state = behav.machine.initial_state, None, None
    behav._entered_at, behav._announced = None, False
    behav._forced("redefine", before, behav.state)
