"""Steering a machine from outside, and asking it where it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from unaiverse_lab.behavior.interpreter import Interpreter
from unaiverse_lab.behavior.model import Call, State, Transition
from unaiverse_lab.behavior.policy import FilterFunction, PolicyFunction
from unaiverse_lab.behavior.requests import Refused
from unaiverse_lab.core.errors import BehaviorError, did_you_mean
from unaiverse_lab.core.interaction import Interaction
from unaiverse_lab.core.records import Forced, Moved


class ControlledMachine(Interpreter):
    """An interpreter with a steering wheel and gauges."""

    __slots__ = ()

    # ------------------------------------------------------------------ what worlds read

    @property
    def states(self) -> dict[str, State]:
        """The states by name, in order."""
        self._make_own()
        return self.machine.states

    @property
    def transitions(self) -> dict[str, dict[str, list[Transition]]]:
        """``transitions[source][target]`` = list of transitions, all orders meaningful."""
        self._make_own()
        return self.machine.transitions

    @property
    def initial_state(self) -> str | None:
        """Where the machine starts."""
        return self.machine.initial_state

    @property
    def role(self) -> str:
        """The role this behavior is for."""
        return self.machine.role

    @property
    def welcome_msg(self) -> str | None:
        """Message shown once, the first time the machine is in its initial state."""
        return self.machine.welcome

    def _make_own(self) -> None:
        """Before anybody may change the definition: agents of one role share it until then."""
        self.surroundings.wake()
        if not self.shared:
            return
        old, self.machine, self.shared = self.machine, self.machine.copy(), False
        twin = dict(zip(old.edges(), self.machine.edges(), strict=True))
        self._requests = {twin[edge]: queue for edge, queue in self._requests.items()}
        run = self._run
        if run is not None:
            run.edge = twin[run.edge]
            run.candidates = [twin[edge] for edge in run.candidates]
            run.tries = {twin[edge]: count for edge, count in (run.tries or {}).items()}

    # ------------------------------------------------------------------ steering from outside

    def set_state(self, state: str) -> None:
        """Put the machine in a state; a pending action is abandoned.

        Raises:
            BehaviorError: there is no such state.
        """
        if state not in self.machine.states:
            raise BehaviorError(f"there is no state {state!r}.{did_you_mean(state, self.machine.states)}")
        left = self.state or self.limbo_state
        self._abandon()
        if left is not None:
            self._left_behind[left] = (self._entered_at, self._announced)
        self._come_to(state)
        self.prev_state = self.state
        self.state, self.limbo_state = state, None
        if self.machine.initial_state is None:
            self.machine.initial_state = state
        self._forced("set_state", left, state)

    def reset_state(self) -> None:
        """Start over: initial state, timers and shown messages forgotten, requests dropped."""
        left = self.state or self.limbo_state
        self._forget()
        self.state = self.machine.initial_state
        self.prev_state = self.limbo_state = None
        self._entered_at, self._announced = None, False
        self._left_behind.clear()
        self._forced("reset_state", left, self.state)

    def enable(self, enabled: bool = True) -> None:
        """Switch the machine on or off; timers go on while it is off."""
        if enabled != self.enabled:
            self.enabled = enabled
            self._forced("enable" if enabled else "disable", self.state or self.limbo_state, None)

    def is_enabled(self) -> bool:
        """Whether it acts."""
        return self.enabled

    async def act_ghost_transition(self, to_state: str) -> int:
        """Force a move to ``to_state``, as if a transition by ``nop`` had succeeded. Returns 0.

        Raises:
            BehaviorError: there is no such state.
        """
        if to_state not in self.machine.states:
            raise BehaviorError(f"there is no state {to_state!r}.{did_you_mean(to_state, self.machine.states)}")
        source = self.state or self.limbo_state or ""
        self._abandon()
        await self.agent.nop()
        self._entered_at = None
        if source != to_state:
            self._come_to(to_state)
        self.prev_state, self.state, self.limbo_state = source, to_state, None
        self._last_completed = "nop"
        clock = self.surroundings.clock
        self.surroundings.record(Moved(clock.tick, clock.now, self.surroundings.name, source, "nop", to_state, edge=-1))
        self.surroundings.wake()
        return 0

    def wait_for_all_actions_that_start_with(self, prefix: str) -> None:
        """From now on, actions whose name starts so run only on request."""
        self._make_own()
        for edge in self.machine.edges():
            if edge.name.startswith(prefix):
                edge.ready = False

    def wait_for_all_actions_that_include_an_arg(self, arg_name: str) -> None:
        """From now on, actions with this argument in the machine run only on request."""
        self._make_own()
        for edge in self.machine.edges():
            if arg_name in edge.args:
                edge.ready = False

    def set_policy(self, policy: PolicyFunction | None) -> None:
        """Use another policy; None is the default one."""
        self.policy = policy
        self.surroundings.wake()

    def set_policy_filter(self, policy_filter: FilterFunction | None, opts: dict[str, Any] | None = None) -> None:
        """Use a filter: it confirms, replaces or vetoes each choice of the policy; ``opts`` is cleared."""
        self.policy_filter = policy_filter
        self.policy_filter_opts = opts if opts is not None else {}
        self.policy_filter_opts.clear()
        self.surroundings.wake()

    def request_action(self, interaction: Interaction) -> bool:
        """Queue a request; False if no transition can serve it, with the reason in ``interaction.detail``."""
        try:
            edge = self.find_edge(interaction)
        except Refused as refusal:
            interaction.detail = str(refusal)
            return False
        self.queue_request(edge, interaction)
        return True

    def _abandon(self) -> None:
        run = self._run
        if run is not None and run.interaction is not None:
            run.interaction.clear_mark()
            if run.interaction.is_system:
                self.surroundings.release(run.interaction)
        self._run = None

    def _forget(self) -> None:
        self._abandon()
        thrown = [request for _, request in self.pending_requests()]
        self._requests.clear()
        for request in thrown:
            self.surroundings.discarded(request)

    def _forced(self, what: str, source: str | None, target: str | None) -> None:
        clock = self.surroundings.clock
        self.surroundings.record(Forced(clock.tick, clock.now, self.surroundings.name, what, source, target))
        self.surroundings.wake()

    # ------------------------------------------------------------------ questions

    def must_wait(self) -> bool:
        """Whether the waiting time of the current state still runs."""
        if self.state is None:
            return False
        state = self.machine.states[self.state]
        entered = self._entered_at if self._entered_at is not None else self.surroundings.clock.now
        return self.surroundings.clock.now - entered < state.waiting_time

    def get_state_name(self, consider_limbo: bool = False) -> str | None:
        """Name of the current state; in limbo None, or the state being left with ``consider_limbo``."""
        return self.state or (self.limbo_state if consider_limbo else None)

    def get_state(self) -> State | None:
        """The current state object; None in limbo."""
        return self.states[self.state] if self.state is not None else None

    def get_states(self) -> Iterable[str]:
        """Names of the states, in order."""
        return list(self.machine.states)

    def get_all_states(self) -> list[State]:
        """The state objects, in order."""
        return list(self.states.values())

    def get_all_actions(self) -> list[Call]:
        """All actions, those of the states first."""
        self._make_own()
        return list(self.machine.calls())

    def get_action(self) -> Transition | None:
        """The pending transition, None if there is none."""
        return self._run.edge if self._run is not None else None

    def get_action_name(self) -> str | None:
        """Name of the pending action."""
        return self._run.edge.name if self._run is not None else None

    def get_current_interaction(self) -> Interaction | None:
        """The interaction being served, None if the machine acts by itself without one."""
        return self._in_state or (self._run.interaction if self._run is not None else None)

    def get_last_completed_action_name(self) -> str | None:
        """Name of the last action that moved the machine."""
        return self._last_completed

    def get_action_step_idx(self) -> int:
        """Index of the step being run, -1 if none is."""
        return self._run.step if self._run is not None else -1

    def is_busy_acting(self) -> bool:
        """Whether an action is in the middle of its steps."""
        return self.get_action_step_idx() >= 0

    def get_state_changed(self) -> bool:
        """Whether the last tick ended in another state than it began in."""
        return self._origin is not None and self.get_state_name(consider_limbo=True) != self._origin

    def get_time_spent_in_current_state(self) -> float:
        """Seconds since the first tick in the current state, -1 if not entered."""
        entered = self._entered_at if self.state is not None else None
        return self.surroundings.clock.now - entered if entered is not None else -1.0

    def transition_exists(self, name: str, only_ready: bool = True) -> bool:
        """Whether an action of that name can leave the current state."""
        source = self.state or self.limbo_state
        edges = self.machine.edges_from(source) if source is not None else []
        return any(edge.name == name and (edge.ready or not only_ready) for edge in edges)

    def print_actions(self, state: str | None = None) -> None:
        """Print the transitions leaving a state (default: the current one), in evaluation order."""
        source = state or self.state or self.limbo_state
        for edge in self.machine.edges_from(source) if source is not None else ():
            args = ", ".join(f"{name}={value!r}" for name, value in edge.args.items())
            print(f"{edge.order + 1}. {edge.name}({args}) -> {edge.target}{'' if edge.ready else ' (on request)'}")
