"""Where a machine stands, which requests wait for it, and what it says of itself."""

from __future__ import annotations

from typing import Any

from unaiverse_lab.behavior.actions import definition_line
from unaiverse_lab.behavior.model import Machine, State, Transition, substitute_text
from unaiverse_lab.behavior.policy import FilterFunction, PolicyFunction
from unaiverse_lab.behavior.requests import find_edge
from unaiverse_lab.behavior.surroundings import Surroundings
from unaiverse_lab.core.errors import BehaviorError
from unaiverse_lab.core.faults import fault
from unaiverse_lab.core.interaction import SYSTEM, SYSTEM_UUID, Interaction, Status
from unaiverse_lab.core.records import Forced, Said, Tried

DONE, AGAIN, FAILED = 0, 1, 2
MARKS = ("   ✅ ", "   🔄 ", "   ❌ ")
MAX_TRANSITIONS = 1000


class Run:
    """The action in progress: for whom, which step, since when, and the candidates left if it fails."""

    __slots__ = (
        "candidates",
        "edge",
        "interaction",
        "retry_from",
        "source",
        "started_at",
        "step",
        "tried",
        "tries",
    )

    edge: Transition

    def __init__(self, source: str, candidates: list[Transition]) -> None:
        self.source = source
        self.candidates = candidates
        self.interaction: Interaction | None = None
        self.step = -1
        self.started_at: float | None = None
        self.retry_from: float | None = None
        self.tries: dict[Transition, int] | None = None
        self.tried: set[str] | None = None

    def select(self, edge: Transition, interaction: Interaction | None) -> None:
        """Start over with this edge."""
        self.edge = edge
        self.interaction = interaction
        self.step = -1
        self.started_at = self.retry_from = None


class RunState:
    """The run-time side of a machine: its place, its timers, its queues; the definition is in ``machine``.

    ``state`` is the current state, None while an action is pending ("in limbo"); ``limbo_state`` is then the state
    being left.
    """

    __slots__ = (
        "_announced",
        "_entered_at",
        "_in_state",
        "_last_completed",
        "_left_behind",
        "_origin",
        "_requests",
        "_run",
        "_simple",
        "_welcomed",
        "agent",
        "checked",
        "decorated_only",
        "enabled",
        "limbo_state",
        "machine",
        "max_transitions",
        "policy",
        "policy_filter",
        "policy_filter_opts",
        "prev_state",
        "reason",
        "shared",
        "show_action_completion",
        "show_action_request_info",
        "show_blocking_states",
        "state",
        "surroundings",
        "wildcards",
    )

    def __init__(self, agent: Any, surroundings: Surroundings, decorated_only: bool = True) -> None:
        self.agent = agent
        self.surroundings = surroundings
        self.decorated_only = decorated_only
        self.machine = Machine()
        self.shared = False
        self.wildcards: dict[str, Any] = {}
        self.state: str | None = None
        self.limbo_state: str | None = None
        self.prev_state: str | None = None
        self.enabled = True
        self.policy: PolicyFunction | None = None
        self.policy_filter: FilterFunction | None = None
        self.policy_filter_opts: dict[str, Any] = {}
        self.show_blocking_states = False
        self.show_action_completion = False
        self.show_action_request_info = False
        self.max_transitions = MAX_TRANSITIONS
        self.reason: str | None = None
        self.checked = False
        self._entered_at: float | None = None
        self._announced = False
        self._left_behind: dict[str, tuple[float | None, bool]] = {}
        self._welcomed = False
        self._run: Run | None = None
        self._simple = Run("", [])
        self._in_state: Interaction | None = None
        self._requests: dict[Transition, list[Interaction]] = {}
        self._last_completed: str | None = None
        self._origin: str | None = None

    # ------------------------------------------------------------------ requests

    def find_edge(self, request: Interaction) -> Transition:
        """The transition that will serve a request.

        Raises:
            Refused: there is none; the message says why.
        """
        return find_edge(self.machine, request.from_state or self.state or self.limbo_state, request)

    def queue_request(self, edge: Transition, request: Interaction) -> None:
        """Put a request at the end of an edge's queue; the same request again replaces itself, unless it is running."""
        queue = self._requests.setdefault(edge, [])
        for index, waiting in enumerate(queue):
            if waiting.uuid == request.uuid:
                if waiting.status != Status.RUNNING:
                    queue[index] = request
                break
        else:
            queue.append(request)
        self.surroundings.wake()

    def drop_request(self, request: Interaction) -> None:
        """Take a request out of its queue, if it is in one."""
        for edge, queue in self._requests.items():
            if request in queue:
                queue.remove(request)
                if not queue:
                    del self._requests[edge]
                return

    def pending_requests(self) -> list[tuple[Transition, Interaction]]:
        """The requests waiting to be served, with the transition each waits for."""
        return [(edge, request) for edge, queue in self._requests.items() for request in queue]

    # ------------------------------------------------------------------ words to the outside

    def _say(self, text: str) -> None:
        clock = self.surroundings.clock
        self.surroundings.record(Said(clock.tick, clock.now, self.surroundings.name, text))

    def _record_try(self, run: Run, outcome: str) -> None:
        clock = self.surroundings.clock
        edge, interaction = run.edge, run.interaction
        asked = interaction is not None and not interaction.is_system
        self.surroundings.record(
            Tried(
                clock.tick,
                clock.now,
                self.surroundings.name,
                run.source,
                edge.name,
                edge.target,
                outcome,
                edge.order,
                max(run.step, 0),
                interaction.requester if interaction is not None and asked else None,
                interaction.uuid if interaction is not None and asked else None,
                self.reason,
            )
        )

    def _raised(self, error: Exception, run: Run) -> None:
        self._fault(error, run.source, run.edge.name)
        self.reason = f"{type(error).__name__}: {error}"
        if run.interaction is not None and not run.interaction.is_system:
            self.surroundings.raised(run.interaction, self.reason)

    def _fault(self, error: Exception, state: str | None, action: str) -> None:
        around = self.surroundings
        found = fault(error, around.clock, around.name, state, action)
        if found.where is None:
            found.where, found.code = definition_line(self.agent, action)
        around.record(found)

    def _stop_endless_chain(self, crossed: int) -> None:
        names = list(self.machine.states)
        here = self.state
        chain: list[str] = []
        while here is not None and here not in chain:
            chain.append(here)
            following = [edge.target for edge in self.machine.edges_from(here) if edge.ready]
            here = following[0] if following else None
        cycle = " -> ".join([*chain, here] if here is not None else chain) or ", ".join(names)
        self._fault(
            BehaviorError(
                f"{crossed} transitions in one tick without reaching a blocking state ({cycle}): the machine is "
                "stopped. Make one of these states blocking; enable(True) lets it go on"
            ),
            self.state,
            self._last_completed or "",
        )
        self.stop()

    def stop(self) -> None:
        """Switch the machine off because of the fault recorded just before."""
        self.enabled = False
        around = self.surroundings
        where = self.state or self.limbo_state
        around.record(Forced(around.clock.tick, around.clock.now, around.name, "stop", where))

    def _welcome(self) -> None:
        self._welcomed = True
        if self.machine.welcome is not None:
            self._say(substitute_text(self.machine.welcome, self.wildcards) or "")

    def _announce(self, state: State) -> None:
        self._announced = True
        mark = (" 🔴" if state.blocking else " 🟢") if self.show_blocking_states else ""
        self._say(f"{state.msg}{mark}")

    def _show(self, edge: Transition, interaction: Interaction | None) -> None:
        text = edge.msg or ""
        if self.show_action_request_info:
            requester = SYSTEM if interaction is None else interaction.requester
            uuid = SYSTEM_UUID if interaction is None else interaction.uuid
            waiting = len(self._requests.get(edge, ()))
            text += f" (requester: {requester}, interaction uuid: {uuid}, #interactions: {waiting})"
        self._say(text)

    def _show_status(self, run: Run, status: int) -> None:
        if self.show_action_completion and run.edge.msg is not None:
            self._say(MARKS[status])

    def _come_to(self, state: str) -> None:
        """A state abandoned from outside goes on where it was left: its stay did not end by a transition."""
        self._entered_at, self._announced = self._left_behind.pop(state, (None, False))


def returned_nothing(action: str) -> BehaviorError:
    """An action ended without saying whether it succeeded."""
    return BehaviorError(f"the action {action!r} returned None: return True or False")
