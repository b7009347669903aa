"""One tick of a machine: what is tried, in which order, and what becomes of it.

The order of things follows the reference engine (see the manual, "Behaviors"); the code knows no agent, only the
methods named by the machine and its :class:`~unaiverse_lab.behavior.surroundings.Surroundings`.
"""

from __future__ import annotations

from typing import Any

from unaiverse_lab.behavior.model import Call, State, Transition, copied, substitute
from unaiverse_lab.behavior.policy import Candidate, FilterFunction, filter_words, policy_default
from unaiverse_lab.behavior.requests import Refused
from unaiverse_lab.behavior.runstate import AGAIN, DONE, FAILED, Run, RunState, returned_nothing
from unaiverse_lab.core.errors import BehaviorError, LabError
from unaiverse_lab.core.interaction import DEFAULT_RETRY, SYSTEM_UUID, Interaction, Status
from unaiverse_lab.core.records import InState, Moved

NEVER = float("inf")

CANNOT_RUN = "the machine cannot run"
"""How the error begins that stops a machine with values still to be filled in."""


class Interpreter(RunState):
    """Runs a :class:`~unaiverse_lab.behavior.model.Machine` on an agent, one tick at a time."""

    __slots__ = ()

    # ------------------------------------------------------------------ one tick

    async def act(self) -> bool:
        """One tick. Returns True if the state differs from the one before (limbo counts as no state).

        A blocking state ends the tick on arrival; non-blocking ones are crossed within it.

        Raises:
            BehaviorError: a time of the machine still is an unresolved wildcard.
        """
        if not self.checked:
            self._check()
        before = self.state
        origin = self.limbo_state if before is None else before
        around = self.surroundings
        clock = around.clock
        changed = False
        crossed = 0
        while True:
            moved = False
            run = self._run
            name = self.state
            if name is not None:
                if not self._welcomed and name == self.machine.initial_state:
                    self._welcome()
                if not self.enabled:
                    break
                state = self.machine.states[name]
                if self._entered_at is None:
                    self._entered_at = clock.now
                    if state.msg is not None and not self._announced:
                        self._announce(state)
                if state.action is not None:
                    await self._act_in_state(state)
                    if self.state != name or not self.enabled:
                        changed = changed or self.state != before
                        break
                edge = state.only_exit
                if (
                    edge is not None
                    and edge.plain
                    and edge.ready
                    and edge.msg is None
                    and not edge.delay
                    and not edge.retry_timeout
                    and not state.waiting_time
                    and not self._requests
                    and self.policy is None
                    and self.policy_filter is None
                ):
                    # Nothing to choose, to time or to show: what _start, _prepare and _settle come to in this case.
                    run = self._run = self._simple
                    run.source = self.limbo_state = name
                    run.edge = edge
                    run.step = 0
                    self.state = self.reason = error = None
                    try:
                        method = getattr(self.agent, edge.name)
                        result = await (method(**edge.given) if edge.given else method())
                    except Exception as raised:
                        result, error = False, raised
                    if self._run is not run:
                        run = None
                    elif result:
                        moved = True
                    else:
                        run = self._next(run, self._settle(run, result, error))
                else:
                    run = self._start(state)
            elif not self.enabled:
                break
            while run is not None and not moved:
                status = self._prepare(run)
                if status is None:
                    error = None
                    try:
                        if run.interaction is None:
                            result = await getattr(self.agent, run.edge.name)(**run.edge.given)
                        else:
                            result = await self._call(run.edge, run.interaction)
                    except Exception as raised:
                        result, error = False, raised
                    status = self._settle(run, result, error)
                if self._run is not run:
                    break
                moved = status == DONE
                if not moved:
                    run = self._next(run, status)
            if moved:
                edge, source = run.edge, run.source  # type: ignore[union-attr]
                self.prev_state = source
                self.state = target = edge.target
                self.limbo_state = self._run = self._entered_at = None
                self._last_completed = edge.name
                if source != target:
                    self._announced = False
                    if self._left_behind:
                        self._come_to(target)
                if run.interaction is None:  # type: ignore[union-attr]
                    around.record(Moved(clock.tick, clock.now, around.name, source, edge.name, target, edge.order))
                else:
                    self._serve(run, run.interaction)  # type: ignore[arg-type, union-attr]
                if self.show_action_completion:
                    self._show_status(run, DONE)  # type: ignore[arg-type]
                if target != before:
                    changed = True
                if not self.machine.states[target].blocking:
                    crossed += 1
                    if crossed < self.max_transitions:
                        continue
                    self._stop_endless_chain(crossed)
                break
            if self.state != before:
                changed = True
            break
        self._origin = origin
        return changed

    def due(self) -> float:
        """When the machine could next do something: a time, 0 for the next tick, infinity if only when woken."""
        if not self.enabled:
            return NEVER
        run, name = self._run, self.state
        if run is not None:
            holds = run.interaction is not None and run.interaction.held
            return NEVER if holds and not self.surroundings.is_answered(run.interaction) else 0.0  # type: ignore[arg-type]
        if name is None:
            return NEVER
        if any(edge.source == name for edge in self._requests):
            return 0.0
        state = self.machine.states[name]
        entered = self._entered_at
        if entered is None or state.action is not None:
            return 0.0
        soonest = NEVER
        for edge in self.machine.edges_from(name):
            if edge.ready:
                wait = edge.delay if edge.delay > state.waiting_time else state.waiting_time
                if wait <= 0:
                    return 0.0
                soonest = min(soonest, entered + wait)
        return soonest

    def _check(self) -> None:
        """Refuse to run a machine with values still to be filled in."""
        missing = self.machine.unresolved()
        if missing:
            raise BehaviorError(
                f"{CANNOT_RUN}: {'; '.join(missing)}. "
                "Give the wildcards their values with add_wildcards(...) and apply_wildcards()"
            )
        self.checked = True

    # ------------------------------------------------------------------ transitions

    def _start(self, state: State) -> Run | None:
        """Choose what to try in the current state; None when there is nothing."""
        edges = self.machine.edges_from(state.name)
        candidates = self._candidates(state, edges)
        return self._enter(Run(state.name, candidates)) if candidates else None

    def _enter(self, run: Run) -> Run | None:
        """Choose among the candidates that are left and enter limbo; None when nothing can be tried."""
        while run.candidates and self._choose(run):
            self.limbo_state, self.state, self._run = run.source, None, run
            if self.policy_filter is None or self._pass_filter(run, self.policy_filter):
                return run
            self._show_status(run, FAILED)
            self._give_up(run)
        return None

    def _next(self, run: Run, status: int) -> Run | None:
        """What to try in this tick after an attempt that did not succeed."""
        self._show_status(run, status)
        if status == AGAIN:
            return None
        self._give_up(run)
        return self._enter(run)

    def _candidates(self, state: State, edges: list[Transition]) -> list[Transition]:
        requests = self._requests
        stay = self.surroundings.clock.now - self._entered_at  # type: ignore[operator]
        waiting = stay < state.waiting_time
        found = []
        for edge in edges:
            if stay <= edge.delay > 0:
                continue
            if (edge.ready and not waiting) or (requests and self._doable(edge)):
                found.append(edge)
        return found

    def _doable(self, edge: Transition) -> list[Interaction]:
        is_doable = self.surroundings.is_doable
        return [request for request in self._requests.get(edge, ()) if is_doable(request)]

    def _choose(self, run: Run) -> bool:
        if self._requests or self.policy is not None:
            return self._ask_policy(run)
        chosen = None
        for edge in run.candidates:
            if edge.high_priority:
                chosen = edge
                break
            if chosen is None and edge.ready:
                chosen = edge
        if chosen is None:
            return False
        run.select(chosen, None if chosen.plain else self._own_interaction(chosen))
        return True

    def _views(self, run: Run) -> list[Candidate]:
        tried = run.tried or ()
        return [
            Candidate(edge, [request for request in self._doable(edge) if request.uuid not in tried])
            for edge in run.candidates
        ]

    def _ask_policy(self, run: Run) -> bool:
        views = self._views(run)
        index, request = policy_default(views)
        if self.policy is not None:
            try:
                index, request = self.policy(views)
            except Exception as error:
                self._fault(error, self.state, "policy")
        if index < 0:
            return False
        edge = run.candidates[index]
        run.select(edge, request or (None if edge.plain else self._own_interaction(edge)))
        return True

    def _pass_filter(self, run: Run, policy_filter: FilterFunction) -> bool:
        views = self._views(run)
        index = run.candidates.index(run.edge)
        request = run.interaction if run.interaction is not None and not run.interaction.is_system else None
        try:
            chosen, served = policy_filter(index, request, views, self.policy_filter_opts)
        except Exception as error:
            self._fault(error, run.source, "policy filter")
            return True
        if chosen < 0:
            self.reason = filter_words(policy_filter)
            self._record_try(run, "vetoed")
            return False
        if chosen != index or served is not request:
            edge = run.candidates[chosen]
            run.select(edge, served or (None if edge.plain else self._own_interaction(edge)))
        return True

    def _own_interaction(self, call: Call) -> Interaction:
        fields = copied(call.fields)
        return Interaction(
            call.name,
            num_steps=fields.get("num_steps", -1),
            timeout=fields.get("timeout", -1.0),
            streams=fields.get("streams"),
            data_samples=fields.get("data_samples"),
            target=fields.get("target"),
            volatile=fields.get("volatile", False),
            uuid=SYSTEM_UUID,
        )

    def _prepare(self, run: Run) -> int | None:
        """Get ready to call the action; a status when it is not to be called."""
        edge, interaction = run.edge, run.interaction
        multi = False
        if interaction is not None and interaction.held and not self.surroundings.is_answered(interaction):
            return AGAIN
        if interaction is not None:
            multi = interaction.num_steps > 1
            if not interaction.is_completed:
                interaction.status = Status.RUNNING
            elif not self.surroundings.is_wanted(interaction):
                self.reason = interaction.detail
                self._record_try(run, "failed")
                return FAILED
        if edge.msg is not None and run.step < 0:
            self._show(edge, interaction)
        own = interaction is not None and interaction.is_system and bool(interaction.streams)
        begins = run.started_at is None
        if run.started_at is None:
            if own and not self._start_own(run, interaction):  # type: ignore[arg-type]
                return FAILED
            run.started_at = self.surroundings.clock.now
            if edge.retry_timeout > 0 and not multi:
                run.retry_from = run.started_at
        elif self._timed_out(run, multi):
            self._record_try(run, "timeout")
            return DONE if multi and run.step >= 0 else FAILED
        if (own or (multi and run.step >= 0)) and not self.surroundings.has_fresh_data(interaction):  # type: ignore[arg-type]
            if run.retry_from is None:
                run.retry_from = run.started_at
            if begins:
                self.reason = None
                self._record_try(run, "waiting")
            return AGAIN
        run.step += 1
        self.reason = None
        return None

    def _start_own(self, run: Run, interaction: Interaction) -> bool:
        try:
            self.surroundings.start(interaction)
        except (Refused, LabError) as error:
            self.reason = str(error)
            self._record_try(run, "failed")
            return False
        return True

    def _settle(self, run: Run, result: Any, error: Exception | None) -> int:
        """What the result of a call means."""
        edge, interaction = run.edge, run.interaction
        multi = interaction is not None and interaction.num_steps > 1
        if result:
            if interaction is None:
                return DONE
            run.retry_from = self.surroundings.clock.now
            self.surroundings.consumed(interaction)
            if not multi or run.step >= interaction.num_steps - 1:
                return DONE
            self._record_try(run, "step")
            return AGAIN
        if error is None and result is None:
            error = returned_nothing(edge.name)
        if error is not None:
            self._raised(error, run)
            if interaction is not None and interaction.is_completed:
                self._record_try(run, "raised")
                return FAILED
        run.step -= 1
        if (interaction is not None and interaction.held) or (run.step >= 0 if multi else edge.retry_timeout > 0):
            self._record_try(run, "again")
            return AGAIN
        self._record_try(run, "raised" if error is not None else "failed")
        return FAILED

    def _timed_out(self, run: Run, multi: bool) -> bool:
        edge = run.edge
        if run.interaction is not None and run.interaction.held:
            return False
        now = self.surroundings.clock.now
        if 0 < edge.max_duration <= now - run.started_at:  # type: ignore[operator]
            return True
        patient = multi or (run.interaction is not None and run.interaction.is_system and run.interaction.streams)
        retry = edge.retry_timeout or (DEFAULT_RETRY if patient else 0.0)
        return run.retry_from is not None and 0 < retry <= now - run.retry_from

    async def _call(self, call: Call, interaction: Interaction) -> Any:
        spec = call.spec
        assert spec is not None
        kwargs = copied(call.given)
        if not interaction.is_system:
            asked = substitute(interaction.action_kwargs, self.wildcards)
            kwargs = {**{name: value for name, value in asked.items() if name in spec.params}, **kwargs}
        missing = [name for name in spec.required if name not in kwargs]
        if missing:
            raise BehaviorError(f"the action {call.name!r} needs a value for {', '.join(map(repr, missing))}")
        if spec.takes_interaction:
            kwargs["interaction"] = interaction
        self.surroundings.begin(interaction)
        try:
            coroutine = getattr(self.agent, call.name)(**kwargs)
            return self.surroundings.run_outside(coroutine) if spec.outside else await coroutine
        finally:
            self.surroundings.end(interaction)

    def _serve(self, run: Run, interaction: Interaction) -> None:
        """The action that served this interaction succeeded: record it, take it off the queue, answer."""
        edge, around = run.edge, self.surroundings
        requester, uuid = (None, None) if interaction.is_system else (interaction.requester, interaction.uuid)
        around.record(
            Moved(
                around.clock.tick, around.clock.now, around.name,
                run.source, edge.name, edge.target, edge.order, run.step, requester, uuid,
            )
        )  # fmt: skip
        self.drop_request(interaction)
        interaction.clear_mark()
        if interaction.is_system:
            around.release(interaction)
        around.served(interaction, edge.target)

    def _give_up(self, run: Run) -> None:
        edge, interaction = run.edge, run.interaction
        self.state, self.limbo_state, self._run = run.source, None, None
        if run.tries is None:
            run.tries, run.tried = {}, set()
        run.tries[edge] = run.tries.get(edge, 0) + 1
        queue = self._requests.get(edge, [])
        if interaction is not None and not interaction.is_system:
            run.tried.add(interaction.uuid)  # type: ignore[union-attr]
            if interaction in queue and len(queue) > 1:
                queue.remove(interaction)
                queue.append(interaction)
            if not interaction.is_completed:
                interaction.status = Status.PAUSED
            interaction.clear_mark()
        elif interaction is not None:
            self.surroundings.release(interaction)
        if run.tries[edge] >= len(queue) and edge in run.candidates:
            run.candidates.remove(edge)

    # ------------------------------------------------------------------ the state's own part

    async def _act_in_state(self, state: State) -> None:
        call = state.action
        assert call is not None
        if call.msg is not None:
            self._say(call.msg)
        self.reason = None
        interaction = None
        try:
            if call.plain:
                result = await getattr(self.agent, call.name)(**call.given)
            else:
                interaction = self._in_state = self._own_interaction(call)
                result = await self._call(call, interaction)
        except Exception as error:
            result = False
            self._fault(error, state.name, call.name)
        if result is None:
            self._fault(returned_nothing(call.name), state.name, call.name)
        self._in_state = None
        clock = self.surroundings.clock
        self.surroundings.record(
            InState(
                clock.tick,
                clock.now,
                self.surroundings.name,
                state.name,
                call.name,
                bool(result),
                self.reason,
            )
        )
