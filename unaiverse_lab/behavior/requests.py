"""Which transition serves a request, or why none does."""

from __future__ import annotations

from unaiverse_lab.behavior.model import Machine, Transition
from unaiverse_lab.core.interaction import Interaction


class Refused(Exception):
    """A request cannot be served; the text is the reason sent to the requester."""


def find_edge(machine: Machine, source: str | None, request: Interaction) -> Transition:
    """The first transition leaving ``source`` that means what is asked.

    Raises:
        Refused: there is none; the message says why.
    """
    if source is None or source not in machine.states:
        raise Refused(f"there is no state {source!r}")
    targets = machine.transitions[source]
    if request.to_state is not None and request.to_state not in targets:
        raise Refused(f"no transition leads from {source!r} to {request.to_state!r}")
    if request.num_steps == 0:
        raise Refused("num_steps is 0: nothing to do")
    groups = targets.values() if request.to_state is None else [targets[request.to_state]]
    edges = [edge for group in groups for edge in group]
    for edge in edges:
        if edge.same_as(request.action_name or "", request.action_kwargs):
            if not edge.accepts_requests:
                raise Refused(f"the action {edge.name!r} does not accept requests in state {source!r}")
            return edge
    if any(edge.name == request.action_name for edge in edges):
        raise Refused(f"the action {request.action_name!r} in state {source!r} does not take these arguments")
    raise Refused(f"there is no action {request.action_name!r} in state {source!r}")
