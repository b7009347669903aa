"""Events and the machine: which transitions an event arms, and how one is taken at once.

A transition is armed by the argument ``event``, the type, that is fixed in the machine; the event itself comes with the
interaction that asks for it. So behavior files with events are ordinary behavior files.
"""

from __future__ import annotations

from typing import Any

from unaiverse_lab.agents.surroundings import AgentSurroundings
from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.behavior.model import Transition
from unaiverse_lab.behavior.runstate import DONE, FAILED, Run
from unaiverse_lab.core.interaction import Interaction, Status

EVENT = "event"


def request_of(action: str, wire: dict[str, Any]) -> Interaction:
    """A delivered event as the request it is: its sender asks for the action it triggers."""
    return Interaction(
        action, {EVENT: wire}, requester=wire["sender_id"], uuid=wire["meta"]["id"], id=EVENT, volatile=True
    )


def is_event(interaction: Interaction) -> bool:
    """Whether an event stands behind a request."""
    return interaction.id == EVENT


def armed(machine: HybridStateMachine, event_type: str) -> list[Transition]:
    """The transitions of the current state that an event type triggers, in order."""
    state = machine.state or machine.limbo_state
    if state is None or not machine.enabled:
        return []
    return [edge for edge in machine.machine.edges_from(state) if edge.args.get(EVENT) == event_type]


async def fire(
    machine: HybridStateMachine, edge: Transition, request: Interaction, failed: list[Exception] | None = None
) -> bool:
    """Take a transition for a request now; False if its action did not accept it.

    What the action raised is added to ``failed``.

    While another action is under way, or this one asks to be called again, the request waits in the machine's queue.
    """
    machine.queue_request(edge, request)
    source = machine.state
    if source is None:
        return True
    run = Run(source, [edge])
    run.select(edge, request)
    if machine._entered_at is None:
        machine._entered_at = machine.surroundings.clock.now
    machine.limbo_state, machine.state, machine._run = source, None, run
    status = machine._prepare(run)
    if status is None:
        error = None
        try:
            result = await machine._call(edge, request)
        except Exception as raised:
            result, error = False, raised
            if failed is not None:
                failed.append(raised)
        status = machine._settle(run, result, error)
    if machine._run is not run:
        return True
    if status == DONE:
        machine.prev_state, machine.state = source, edge.target
        machine.limbo_state = machine._run = machine._entered_at = None
        machine._last_completed = edge.name
        if source != edge.target:
            machine._announced = False
            if machine._left_behind:
                machine._come_to(edge.target)
        machine._serve(run, request)
    elif status == FAILED:
        machine._give_up(run)
        machine.drop_request(request)
        return False
    return True


class EventSurroundings(AgentSurroundings):
    """An agent's machine where requests may be events: they need no handshake and get no answer of their own."""

    __slots__ = ()

    def is_doable(self, request: Interaction) -> bool:
        """Not over; other requests also need a known peer and fresh data."""
        return not request.is_completed if is_event(request) else super().is_doable(request)

    def served(self, interaction: Interaction, state: str) -> None:
        """It is over."""
        if is_event(interaction):
            interaction.status, interaction.destination_state = Status.COMPLETED, state
        else:
            super().served(interaction, state)

    def raised(self, interaction: Interaction, detail: str) -> None:
        """An event whose action raised is over."""
        if is_event(interaction):
            interaction.status, interaction.detail = Status.COMPLETED, detail
        else:
            super().raised(interaction, detail)

    def discarded(self, interaction: Interaction) -> None:
        """The machine was reset."""
        if is_event(interaction):
            interaction.status = Status.COMPLETED
        else:
            super().discarded(interaction)
