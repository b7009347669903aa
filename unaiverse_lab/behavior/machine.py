"""The hybrid state machine: building it, reading and writing it, asking it, steering it from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unaiverse_lab.behavior import reading, writing
from unaiverse_lab.behavior.actions import TIMES, spec_of
from unaiverse_lab.behavior.control import ControlledMachine
from unaiverse_lab.behavior.model import (
    WILDCARDS,
    Call,
    Machine,
    State,
    Times,
    Transition,
    copy_edge,
    copy_state,
)
from unaiverse_lab.behavior.policy import PolicyFunction
from unaiverse_lab.behavior.surroundings import Surroundings
from unaiverse_lab.core.errors import BehaviorError, did_you_mean


class HybridStateMachine(ControlledMachine):
    """A directed graph of states whose edges carry actions (methods) of one agent.

    Args:
        agent: the object whose ``@action`` methods the machine calls.
        wildcards: texts to be replaced in arguments, messages and times; ``<world>``, ``<agent>``, ``<partner>`` and
            ``<role>`` are added. Used by reference.
        policy: which candidate goes first; default: high priority, then requests, then order.
        strict: refuse wrong behavior files; False takes what the peer takes.
        decorated_only: only methods marked with ``@action`` are actions; False accepts any ``async def`` method.
        surroundings: clock, records and requests; default: those of the agent, or a machine on its own.

    Raises:
        BehaviorError: no agent.

    The idea and the names are those of UNaIVERSE's state machines (behaviors bound to agents, requests from peers).
    """

    __slots__ = ("__dict__", "_quiet", "strict")

    def __init__(
        self,
        agent: Any,
        wildcards: dict[str, Any] | None = None,
        policy: PolicyFunction | None = None,
        *,
        strict: bool = True,
        decorated_only: bool = True,
        surroundings: Surroundings | None = None,
    ) -> None:
        if agent is None:
            raise BehaviorError("a machine needs an agent, whose methods are its actions")
        around = surroundings or getattr(agent, "surroundings", None) or Surroundings()
        super().__init__(agent, around, decorated_only)
        self.strict = strict
        self._quiet: tuple[dict[str, bool], list[tuple[Any, str | None]]] | None = None
        self.policy = policy
        self.wildcards = wildcards if wildcards is not None else {}
        for key in WILDCARDS:
            self.wildcards.setdefault(key, key)

    def _changed_from_outside(self) -> None:
        self.checked = False
        self.surroundings.wake()

    # ------------------------------------------------------------------ building

    def add_state(
        self,
        state: str,
        action: str | None = None,
        args: dict[str, Any] | None = None,
        state_id: int | None = None,
        waiting_time: float | None = None,
        blocking: bool | None = None,
        msg: str | None = None,
        msg_action: str | None = None,
    ) -> None:
        """Add a state, or change what is given of an existing one.

        Args:
            state: its name; the first state ever added is the initial one.
            action, args, msg_action: the state's own action, called at every tick spent there, and its message.
            state_id: accepted for compatibility, without effect.
            waiting_time: seconds during which only requests can move the machine; default 0.
            blocking: whether the tick ends on arrival; default True.
            msg: message shown on entry.

        Raises:
            BehaviorError: a reserved name, an unknown action, an argument the action does not have.
        """
        self._make_own()
        if state == "all":
            raise BehaviorError("'all' stands for every state and cannot be the name of one")
        call = None
        if action is not None:
            call = Call(action, self._plain_args(args)[0], reading.unescaped(msg_action))
            self._bind(call, f"state {state!r}")
        wait = _seconds(waiting_time or 0.0, f"state {state!r}")
        if isinstance(wait, str):
            raise BehaviorError(f"waiting_time is a number of seconds, not {wait!r}", where=f"state {state!r}")
        known = self.machine.states.get(state)
        if known is None:
            self.machine.add_state(
                State(
                    state,
                    call,
                    wait,
                    blocking if blocking is not None else True,
                    reading.unescaped(msg),
                )
            )
            if self.machine.initial_state is None:
                self.machine.initial_state = self.state = state
        else:
            changed = copy_state(known)
            changed.action = call or changed.action
            changed.waiting_time = wait if waiting_time is not None else changed.waiting_time
            changed.blocking = blocking if blocking is not None else changed.blocking
            changed.msg = reading.unescaped(msg) if msg is not None else changed.msg
            self.machine.add_state(changed)
        self._changed_from_outside()

    def add_transit(
        self,
        from_state: str,
        to_state: str,
        action: str,
        args: dict[str, Any] | None = None,
        ready: bool | None = None,
        act_id: int | None = None,
        msg: str | None = None,
        avoid_changing_ready: bool = False,
        teleport: bool = False,
        high_priority: bool = False,
        total_time: Times = 0.0,
        timeout: Times = 0.0,
        delay: Times = 0.0,
        *,
        max_duration: Times | None = None,
        retry_timeout: Times | None = None,
    ) -> None:
        """Add an edge: when ``action`` succeeds in ``from_state``, go to ``to_state``.

        Args:
            from_state: a state, or ``"all"`` for every state known now but ``to_state``.
            to_state: a state, or the path of a ``.json`` behavior whose states are plugged in (the edge then leads to
                its initial state). Unknown states are created, blocking.
            action, args: the action and the arguments fixed in the machine. ``max_duration``, ``retry_timeout`` and
                ``delay`` found among them are taken as the times.
            ready: True: the machine runs it by itself; False: only on request; None: False if the action has a
                parameter ``interaction``, else True.
            act_id: accepted for compatibility, without effect.
            msg: message shown at each attempt.
            avoid_changing_ready: with ``ready=None``: ready, whatever the signature.
            teleport: drawn lightly and saved apart; otherwise a transition like any other.
            high_priority: goes before everything else.
            total_time (or max_duration), timeout (or retry_timeout), delay: seconds, 0 for none: give up after so long
                in all; keep trying a failing action for so long; not before so long in ``from_state``. A text is a
                wildcard expression.

        Raises:
            BehaviorError: unknown action or argument, the same edge twice, a time that is not one.
            FileNotFoundError: no such behavior file.
        """
        if to_state.lower().endswith(".json"):
            to_state = self._plug(from_state, to_state)
        if from_state == "all":
            for source in [name for name in self.machine.states if name != to_state]:
                self.add_transit(
                    source, to_state, action, args, ready, act_id, msg, avoid_changing_ready, teleport,
                    high_priority, total_time, timeout, delay, max_duration=max_duration, retry_timeout=retry_timeout,
                )  # fmt: skip
            return
        self._make_own()
        given, times = self._plain_args(args)
        place = f"{from_state} -> {to_state}"
        edge = Transition(
            from_state,
            to_state,
            action,
            given,
            msg=reading.unescaped(msg),
            teleport=teleport,
            high_priority=high_priority,
            max_duration=_seconds(
                times.get("max_duration", max_duration if max_duration is not None else total_time), place
            ),
            retry_timeout=_seconds(
                times.get("retry_timeout", retry_timeout if retry_timeout is not None else timeout), place
            ),
            delay=_seconds(times.get("delay", delay), place),
        )
        self._bind(edge, place)
        assert edge.spec is not None
        if ready is not None:
            edge.ready = ready
        elif not avoid_changing_ready:
            edge.ready = not edge.spec.waits
        for known in self.machine.transitions.get(from_state, {}).get(to_state, ()):
            if known.equals(edge):
                raise BehaviorError(f"the transition by {action!r} with these arguments is there already", where=place)
        for name in (from_state, to_state):
            if name not in self.machine.states:
                self.add_state(name)
        self.machine.add(edge)
        self._changed_from_outside()

    def add_teleport(
        self,
        from_state: str,
        to_state: str,
        action: str,
        args: dict[str, Any] | None = None,
        ready: bool | None = None,
        act_id: int | None = None,
        msg: str | None = None,
        avoid_changing_ready: bool = False,
        high_priority: bool = False,
        total_time: Times = 0.0,
        timeout: Times = 0.0,
        delay: Times = 0.0,
        *,
        max_duration: Times | None = None,
        retry_timeout: Times | None = None,
    ) -> None:
        """:meth:`add_transit` with ``teleport=True``: an escape hatch, drawn lightly."""
        self.add_transit(
            from_state, to_state, action, args, ready, act_id, msg, avoid_changing_ready, True, high_priority,
            total_time, timeout, delay, max_duration=max_duration, retry_timeout=retry_timeout,
        )  # fmt: skip

    def add_global_teleport(
        self,
        to_state: str,
        action: str,
        args: dict[str, Any] | None = None,
        ready: bool | None = None,
        msg: str | None = None,
        high_priority: bool = False,
        total_time: Times = 0.0,
        timeout: Times = 0.0,
        delay: Times = 0.0,
        *,
        max_duration: Times | None = None,
        retry_timeout: Times | None = None,
    ) -> None:
        """A teleport to ``to_state`` from every other state known now."""
        self.add_teleport(
            "all", to_state, action, args, ready, None, msg, False, high_priority,
            total_time, timeout, delay, max_duration=max_duration, retry_timeout=retry_timeout,
        )  # fmt: skip

    def _bind(self, call: Call, place: str) -> None:
        try:
            spec = spec_of(self.agent, call.name, self.decorated_only)
            spec.check_args(call.args)
        except BehaviorError as error:
            raise error.at(where=place) from None
        call.bind(spec)
        steps = call.fields.get("num_steps")
        if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int | str) or steps == 0):
            raise BehaviorError(f"num_steps must be a positive whole number, not {steps!r}", where=place)

    @staticmethod
    def _plain_args(args: dict[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
        given = dict(args or {})
        return given, {name: given.pop(name) for name in TIMES if name in given}

    def _plug(self, from_state: str, path: str) -> str:
        plugged = self._sibling()
        plugged.load(Path(path))
        if from_state != "all" and from_state not in self.machine.states:
            self.add_state(from_state)
        names = self.include(plugged)
        return names[plugged.machine.initial_state or ""]

    def _sibling(self) -> HybridStateMachine:
        return HybridStateMachine(
            self.agent, strict=self.strict, decorated_only=self.decorated_only, surroundings=Surroundings()
        )

    def include(self, machine: HybridStateMachine, make_a_copy: bool = False) -> dict[str, str]:
        """Take over the states and transitions of another machine.

        Args:
            machine: the other machine; left untouched.
            make_a_copy: also take over role, welcome, options, current, previous and initial state: this is how the
                behavior of a role is installed on an agent.

        Returns:
            The name each of its states has here: a name already taken becomes ``name.1``, ``name.2``, ...

        Raises:
            BehaviorError: one of its actions does not exist on this machine's agent.
        """
        other = machine.machine
        if make_a_copy and not self.machine.states and type(self.agent) is type(machine.agent):
            self.machine, self.shared, machine.shared = other, True, True
            self._take_over(machine)
            return {name: name for name in other.states}
        self._make_own()
        names: dict[str, str] = {}
        for name in other.states:
            new, count = name, 0
            while new in self.machine.states or new in names.values():
                count += 1
                new = f"{name}.{count}"
            names[name] = new
        for name, state in other.states.items():
            twin = copy_state(state, names[name])
            if twin.action is not None:
                self._bind(twin.action, f"state {twin.name!r}")
            self.machine.add_state(twin)
        for edge in other.edges():
            moved = copy_edge(edge, names)
            self._bind(moved, f"{moved.source} -> {moved.target}")
            self.machine.add(moved)
        if self.machine.initial_state is None and names:
            self.machine.initial_state = self.state = next(iter(names.values()))
        if make_a_copy:
            self.machine.role = other.role
            self.machine.welcome = other.welcome
            self.machine.initial_state = names.get(other.initial_state or "", other.initial_state)
            self._take_over(machine)
        else:
            self.wildcards.update((key, value) for key, value in machine.wildcards.items() if key not in WILDCARDS)
        self._changed_from_outside()
        return names

    def _take_over(self, machine: HybridStateMachine) -> None:
        self.wildcards.update(machine.wildcards)
        self.state, self.prev_state, self.limbo_state = machine.state, machine.prev_state, machine.limbo_state
        self._set_options(machine._options())
        self._changed_from_outside()

    # ------------------------------------------------------------------ wildcards, role, messages

    def set_role(self, role: str) -> None:
        """Name the role and give ``<role>`` its value."""
        if role != self.machine.role:
            self._make_own()
            self.machine.role = role
        self.wildcards["<role>"] = role
        self.apply_wildcards()

    def set_welcome_message(self, msg: str | None) -> None:
        """Message shown once, the first time the machine is in its initial state."""
        self._make_own()
        self.machine.welcome = reading.unescaped(msg)

    def add_wildcards(self, wildcards: dict[str, Any], apply: bool = False) -> None:
        """Add or change wildcards."""
        self.wildcards.update(wildcards)
        if apply:
            self.apply_wildcards()

    def set_wildcards(self, wildcards: dict[str, Any] | None, apply: bool = False) -> None:
        """Replace all wildcards."""
        self.wildcards = wildcards if wildcards is not None else {}
        if apply:
            self.apply_wildcards()

    def update_wildcard(self, wildcard_from: str, wildcard_to: Any, apply: bool = False) -> bool:
        """Change a wildcard that exists; False (and nothing changed) if there is none of that name."""
        if wildcard_from not in self.wildcards:
            return False
        self.wildcards[wildcard_from] = wildcard_to
        if apply:
            self.apply_wildcards()
        return True

    def get_wildcards(self) -> dict[str, Any]:
        """The wildcards and their values."""
        return self.wildcards

    def apply_wildcards(self) -> None:
        """Replace wildcards in arguments, messages and times, always starting from the original texts.

        Raises:
            BehaviorError: a time does not become a number.
        """
        if not self.machine.resolved and not self.machine.mentions(self.wildcards):
            return
        self._make_own()
        try:
            self.machine.resolve(self.wildcards)
        except ValueError as error:
            raise BehaviorError(f"a time did not become a number of seconds: {error}") from None
        self._changed_from_outside()

    def generate_auto_messages(self, states: bool = True, actions: bool = True, force: bool = False) -> None:
        """Give a message to what has none: ``📍 State name``, ``🚀 Action name``.

        Args:
            states, actions: which of the two.
            force: also rewrite existing messages, as ``📍 State name [original]``.
        """
        self._make_own()
        for state in self.machine.states.values():
            if states:
                state.msg = _auto_message("📍", state.name, state.msg, force)
            if actions and state.action is not None:
                state.action.msg = _auto_message("📍", state.action.name, state.action.msg, force)
        if actions:
            for edge in self.machine.edges():
                edge.msg = _auto_message("🚀", edge.name, edge.msg, force)

    def show_ticks_in_action_messages(self, show: bool = True) -> None:
        """Follow each attempt of an action that has a message by its result (✅ 🔄 ❌)."""
        self.show_action_completion = show

    def show_marks_in_blocking_state_messages(self, show: bool = True) -> None:
        """Mark state messages: 🔴 blocking, 🟢 not."""
        self.show_blocking_states = show

    def show_request_info_in_action_messages(self, show: bool = True) -> None:
        """Say in action messages who asked and how many wait."""
        self.show_action_request_info = show

    def set_debug_messages_active(self, active: bool = True) -> None:
        """Show marks, ticks and request info, and give every state and action a message; False takes it all back."""
        self._make_own()
        if active and self._quiet is None:
            items: list[Any] = [*self.machine.states.values(), *self.machine.calls()]
            self._quiet = self._options(), [(item, item.msg) for item in items]
            self._set_options(dict.fromkeys(self._options(), True))
            self.generate_auto_messages(force=True)
        elif not active and self._quiet is not None:
            options, messages = self._quiet
            self._quiet = None
            self._set_options(options)
            for item, msg in messages:
                item.msg = msg

    def _options(self) -> dict[str, bool]:
        return {
            "highlight_blocking_states_in_messages": self.show_blocking_states,
            "show_action_ticks_after_messages": self.show_action_completion,
            "show_action_request_after_messages": self.show_action_request_info,
        }

    def _set_options(self, options: dict[str, bool]) -> None:
        self.show_blocking_states = options["highlight_blocking_states_in_messages"]
        self.show_action_completion = options["show_action_ticks_after_messages"]
        self.show_action_request_info = options["show_action_request_after_messages"]

    # ------------------------------------------------------------------ reading and writing

    def load(self, source: reading.Source) -> HybridStateMachine:
        """Replace the content by a behavior: a path, an open file, the JSON text or the decoded object.

        Raises:
            BehaviorError: wrong behavior; names file, state, field and what is allowed there.
            FileNotFoundError: the path of a ``.json`` file that does not exist.
        """
        data = reading.read(source, self.strict)
        kept = self.machine, self.state, self.shared
        self.machine, self.shared = Machine(), False
        try:
            self._fill(data)
        except BehaviorError as error:
            self.machine, self.state, self.shared = kept
            raise error.at(source=reading.name_of(source)) from None
        self._forget()
        self._welcomed = False
        self.prev_state = self.limbo_state = None
        return self

    def _fill(self, data: reading.MachineData) -> None:
        head = data.machine
        for name, state in data.states.items():
            self.add_state(
                name,
                state.action,
                state.action_kwargs,
                waiting_time=state.time_to_wait_before_acting,
                blocking=state.blocking,
                msg=state.msg,
            )
        for source, edges in data.transitions.items():
            for edge in edges:
                self._add_edge(source, edge, teleport=False)
        teleports = dict(data.teleports)
        for edge in teleports.pop("all", ()):
            self._add_edge("all", edge, teleport=True)
        for source, edges in teleports.items():
            for edge in edges:
                self._add_edge(source, edge, teleport=True)
        self.machine.initial_state = self.state = head.initial_state
        if head.initial_state not in self.machine.states:
            raise BehaviorError(
                f"{head.initial_state!r} is not a state.{did_you_mean(head.initial_state, self.machine.states)}",
                where="machine.initial_state",
            )
        self.machine.role = head.role
        self.wildcards["<role>"] = head.role
        self.machine.welcome = reading.unescaped(head.msg)
        self._set_options({name: getattr(head.options, name) for name in head.options.__struct_fields__})

    def _add_edge(self, source: str, edge: reading.EdgeData, teleport: bool) -> None:
        on = edge.on
        self.add_transit(
            source, edge.goto, on.action, on.action_kwargs, on.ready, msg=on.msg, teleport=teleport,
            high_priority=on.high_priority, total_time=on.max_duration, timeout=on.retry_timeout, delay=on.delay,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of this machine."""
        return writing.to_dict(self.machine, self._options())

    def __str__(self) -> str:
        return writing.to_text(self.to_dict())

    def save(self, path: str | Path, only_if_changed: Any = None) -> bool:
        """Write the behavior file.

        Args:
            path: where.
            only_if_changed: an agent: the file is left alone if it holds the same behavior for that agent.

        Returns:
            Whether it was written.
        """
        text = str(self)
        target = Path(path)
        if only_if_changed is not None and target.is_file():
            present = HybridStateMachine(
                only_if_changed, strict=False, decorated_only=self.decorated_only, surroundings=Surroundings()
            )
            try:
                if str(present.load(target)) == text:
                    return False
            except BehaviorError:
                pass
        target.write_text(text, encoding="ascii")
        return True

    def set_actionable(self, agent: Any) -> None:
        """Bind the machine to another agent object.

        Raises:
            BehaviorError: it lacks one of the actions.
        """
        self._make_own()
        self.agent = agent
        for call in self.machine.calls():
            self._bind(call, call.name)


def _auto_message(mark: str, name: str, msg: str | None, force: bool) -> str | None:
    text = f"{mark} {name.replace('_', ' ').capitalize()}"
    if msg is None:
        return text
    return f"{text} [{msg}]" if force and not msg.startswith(text) else msg


def _seconds(value: Any, place: str) -> Times:
    if isinstance(value, str):
        if not reading.is_number(value):
            return value
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise BehaviorError(f"a time is a number of seconds or a text with a wildcard, not {value!r}", where=place)
    return max(0.0, float(value))
