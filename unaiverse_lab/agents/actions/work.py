"""Built-in actions: doing things and asking others to do things."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from unaiverse_lab.agents.messaging import Messaging
from unaiverse_lab.behavior.actions import action
from unaiverse_lab.core.errors import LabError
from unaiverse_lab.core.interaction import Interaction

REQUIRE = ("done", "any", "all")
T = TypeVar("T")


class _Stepping:
    """A long computation under way, kept as the mark of its interaction."""

    def __init__(self, steps: Generator[Any, None, Any], started: float) -> None:
        self.steps = steps
        self.started = started


class WorkActions(Messaging):
    """``nop``, ``show``, ``process``, ``send``, ``all_sent_completed``; and :meth:`stepwise` for long computations."""

    @action
    async def nop(self, message: str | None = None) -> bool:
        """Do nothing.

        Args:
            message: shown as a message of the machine.

        True always. Sends nothing.
        """
        if message is not None:
            self.behav._say(message)
        return True

    @action
    async def show(self, interaction: Interaction | None = None) -> bool:
        """Tell who asked whom for what, and how it ended, as a message of the machine.

        Args:
            interaction: the request being served, or, as ``callback`` of :meth:`send`, the one that is over.

        Made to be given to ``send`` as ``callback``, or to be overridden.
        True when there is an interaction to show. False when there is none. Sends nothing.
        """
        if interaction is None:
            return self.because("there is no interaction to show")
        what = interaction.action_name or "data"
        whom = f" -> {', '.join(interaction.target)}" if interaction.target else ""
        how = "".join(f", {part}" for part in (interaction.completion_reason, interaction.detail) if part)
        self.behav._say(f"{interaction.requester}{whom}: {what}{how}")
        return True

    @action
    async def process(self, interaction: Interaction | None = None) -> bool:
        """Run the processor once: new values of stdin in, its outputs to stdout.

        Args:
            interaction: the request being served; its streams are then stdin, and the outputs are written for it.

        True when the processor ran. False when no input is new, an input is missing, or a hook withheld it. Sends
        nothing by itself: outputs written for a request reach the requester at the end of the turn.

        Raises:
            StreamError: an output is missing, or is not of the declared type.
        """
        taken = self.take_inputs()
        if taken is None:
            return False
        inputs, tag = taken
        self.give_outputs(self.processor(inputs, *self._first_and_last()), tag)
        if self.is_human():
            self.stdin.clear_data()
        return True

    def take_inputs(self) -> tuple[list[Any], int] | None:
        """New values for the processor and the largest of their tags; None, and a reason, if some are missing."""
        missing = [stream.name for stream in self.stdin.values() if not stream.has_unread("process", self.stdin.uuid)]
        if missing or not self.stdin:
            self.because(f"nothing new on {', '.join(missing) or 'stdin'}")
            return None
        tag = self.stdin.get_tag()
        inputs = self.hook_proc_tweak_inputs(self.stdin.get(requested_by="process"))
        if inputs is None or any(value is None for value in inputs):
            self.because("hook_proc_tweak_inputs withheld the inputs")
            return None
        return inputs, tag

    def give_outputs(self, outputs: tuple[Any, ...], tag: int, uuid: str | None = "") -> None:
        """Write what came out of the processor to stdout, for the interaction ``uuid`` (default: the one bound)."""
        self.stdout.set(list(self.hook_proc_tweak_outputs(outputs)), data_tag=tag, uuid=uuid)

    def _first_and_last(self) -> tuple[bool, bool]:
        return self.get_action_step() <= 0, self.is_last_action_step()

    def stepwise(
        self,
        interaction: Interaction | None,
        make_gen: Callable[..., Generator[Any, None, T]],
        *args: Any,
        retry_timeout: float = 60.0,
        **kwargs: Any,
    ) -> tuple[bool, T | None]:
        """A long computation inside an action, a piece at each tick, so that the world goes on meanwhile.

        Use: ``done, result = self.stepwise(interaction, self.grade, data)``, then ``if not done: return False``.

        Args:
            interaction: what the action was given; None: everything is computed at once.
            make_gen: generator function; each ``yield`` ends a piece, what it returns is the result.
            args, kwargs: its arguments.
            retry_timeout: seconds it may take.

        Returns:
            Whether it is done, and the result (None before). Meanwhile the action stays pending.

        Raises:
            LabError: it takes longer than it may.
        """
        under_way = interaction.get_mark() if interaction is not None else None
        if not isinstance(under_way, _Stepping):
            under_way = _Stepping(make_gen(*args, **kwargs), self.clock.now)
        if interaction is not None:
            interaction.clear_mark()
            interaction.held = False
        try:
            next(under_way.steps)
            while interaction is None:
                next(under_way.steps)
        except StopIteration as end:
            return True, end.value
        if self.clock.now - under_way.started >= retry_timeout:
            raise LabError(f"{make_gen.__name__} takes longer than {retry_timeout:g} s: give it more retry_timeout")
        interaction.set_mark(under_way)
        interaction.hold()
        self.because(f"{make_gen.__name__} is under way")
        return False, None

    def hook_proc_tweak_inputs(self, inputs: list[Any]) -> list[Any] | None:
        """Change what goes into the processor; None withholds it."""
        return inputs

    def hook_proc_tweak_outputs(self, outputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Change what comes out of the processor."""
        return outputs

    @action
    async def send(
        self,
        action_name: str | None = None,
        target: Any = None,
        action_kwargs: dict[str, Any] | None = None,
        streams: list[str] | dict[str, list[str]] | None = None,
        data_samples: dict[str, Any] | None = None,
        num_steps: int = -1,
        timeout: float = -1.0,
        from_state: str | None = None,
        to_state: str | None = None,
        callback: str | None = None,
        forced_uuid: str | None = None,
        id: str | None = None,
        copy_sys: bool = False,
        wait_completion: bool = False,
        require: str = "done",
        volatile: bool = False,
        num_samples_to_stream: int = -1,
        interaction: Interaction | None = None,
    ) -> bool:
        """Ask peers to do an action, or push data to them.

        Args:
            action_name: the action; None: only data is pushed, no machine moves.
            target: peer id(s) or node name(s); default: the engaged agents, else the found ones.
            action_kwargs: arguments for the action.
            streams: own streams whose samples go along, by name or group; or a mapping ``stdin``/``stdtar``/``stdext``
                -> list of names.
            data_samples: stream name -> value: written to the agent's own stream for this request.
            num_steps: steps of the action, one sample each; -1: a single step.
            timeout: seconds until the request expires (at most 300).
            from_state, to_state: where the target may serve it.
            callback: own method called with ``interaction=`` when all targets are done.
            forced_uuid, id: identifiers, instead of generated ones.
            copy_sys: send along what this agent has just produced by itself.
            wait_completion: succeed only when the request is over; meanwhile it is never sent again.
            require: with ``wait_completion``: ``"done"`` (over, however), ``"any"`` or ``"all"`` targets did it.
            volatile: no answer is wanted.
            num_samples_to_stream: stop after so many samples.
            interaction: filled in by the machine.

        True when at least one target was reached (or, waiting, when the request ended as required). False otherwise, or
        when a peer asks for it. Sends one request per target, then the samples.

        Raises:
            LabError: ``wait_completion`` outside a machine or with ``volatile``; an unknown ``require``.
        """
        if require not in REQUIRE:
            raise LabError(f"require is one of {', '.join(REQUIRE)}, not {require!r}")
        if wait_completion:
            if interaction is None or volatile:
                raise LabError("wait_completion works in a transition only, and not with volatile")
            if interaction.get_mark() is not None:
                return self._is_answered(interaction, interaction.get_mark(), require)
            timeout = self._capped(timeout)
        sent = self._send(
            action_name, target, action_kwargs, streams, data_samples, num_steps, timeout, from_state, to_state,
            callback, forced_uuid, id, copy_sys, volatile, num_samples_to_stream,
        )  # fmt: skip
        if sent is None or not wait_completion or interaction is None:
            return sent is not None
        interaction.set_mark(sent)
        interaction.hold()
        return self.because(f"waiting for {', '.join(sent.target)}")

    def _capped(self, timeout: float) -> float:
        edge = self.behav.get_action()
        limits = [timeout, edge.retry_timeout, edge.max_duration] if edge is not None else [timeout]
        return min((limit for limit in limits if limit > 0), default=-1.0)

    def _is_answered(self, interaction: Interaction, sent: Interaction, require: str) -> bool:
        if not sent.is_completed:
            return self.because(f"waiting for {', '.join(sent.target)}")
        interaction.held = False
        interaction.clear_mark()
        outcome = sent.outcome
        if require == "any" and not outcome.ok_targets:
            return self.because("none of the targets did it")
        if require == "all" and outcome.failed_targets:
            return self.because(f"not done by {', '.join(outcome.failed_targets)}")
        return True

    @action
    async def all_sent_completed(self, action_name: str | None = None) -> bool:
        """Check that nothing asked for is still open.

        Args:
            action_name: only requests for this action.

        True when no live request (for that action) is left, also when none was ever sent. False when one is still open.
        Sends nothing.
        """
        waiting = [i for i in self.im.sent.values() if action_name is None or i.action_name == action_name]
        if waiting:
            return self.because(f"{len(waiting)} requests are open, the oldest to {', '.join(waiting[0].target)}")
        return True
