"""Processors: what stands behind an agent and turns its inputs into outputs.

Any callable is one, a torch module can also learn; the small classes here are for agents without a model and for
people.
"""

from __future__ import annotations

import inspect
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from unaiverse_lab.core.errors import LabError, StreamError
from unaiverse_lab.data.slots import StreamType

if TYPE_CHECKING:
    from unaiverse_lab.data.learning import Learner
    from unaiverse_lab.data.stacking import Deferred, Stacks


class Identity:
    """Gives back its input (all of them, as a tuple, if there are several)."""

    def __call__(self, *inputs: Any) -> Any:
        return inputs[0] if len(inputs) == 1 else inputs


class Human(Identity):
    """A person: what is typed is what comes out."""


class ScriptedHuman(Human):
    """A person who follows a script, for runs without a keyboard.

    Args:
        lines: ``(seconds, text)``: each text is typed at that time of the session's clock, or as soon after as the line
            before it has been taken.
    """

    def __init__(self, lines: Iterable[tuple[float, str]]) -> None:
        self.lines: deque[tuple[float, str]] = deque(sorted(lines, key=lambda line: line[0]))


def is_genuine_model(processor: Any) -> bool:
    """Whether something is computed, rather than passed on or typed."""
    return processor is not None and not isinstance(processor, Identity)


def is_module(function: Any) -> bool:
    """Whether something is a torch module (without importing torch)."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(function, torch.nn.Module)


class Learned(NamedTuple):
    """What came of a learning step: raw outputs, and one loss per output slot."""

    outputs: tuple[Any, ...]
    losses: list[float]


class Processor:
    """A callable between the input slots and the output slots of an agent.

    Args:
        function: takes one value per input slot, gives one value per output slot (a tuple if there are several). It may
            also take ``first`` and ``last``: whether this is the first or last step of several.
        inputs, outputs: the slots.
        opts: for torch modules ``{"optimizer": ..., "losses": [one per output slot]}``.

    Raises:
        LabError: options for learning that make no sense.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: Sequence[StreamType],
        outputs: Sequence[StreamType],
        opts: dict[str, Any],
    ) -> None:
        self.function = function
        self.inputs = [slot.props for slot in inputs]
        self.outputs = [slot.props for slot in outputs]
        self.flags = _flags_of(function)
        self.learner: Learner | None = None
        if is_module(function):
            from unaiverse_lab.data.learning import Learner

            self.learner = Learner(
                function, opts.get("optimizer"), opts.get("losses"), [props.name for props in self.outputs]
            )

    def __call__(self, values: Sequence[Any], first: bool = True, last: bool = True) -> tuple[Any, ...]:
        """Outputs for one value per input slot, as they go to the streams.

        Raises:
            StreamError: a value or an output is not what its slot declares, or outputs are missing.
        """
        from unaiverse_lab.data.values import to_processor

        ready = [to_processor(props, value) for props, value in zip(self.inputs, values, strict=True)]
        flags = {name: value for name, value in (("first", first), ("last", last)) if name in self.flags}
        if self.learner is not None:
            return self.to_streams(self.learner.forward(*ready, **flags))
        return self.to_streams(self.function(*ready, **flags))

    def learn(
        self,
        values: Sequence[Any],
        targets: Sequence[Any],
        first: bool = True,
        last: bool = True,
        stacks: Stacks | None = None,
    ) -> Learned | Deferred:
        """One learning step.

        Args:
            values, targets: one per input and per output slot; a target may be None.
            first, last: whether this is the first or last step of several.
            stacks: where steps of many students are put together; None: the step is made at once.

        Returns:
            Something with ``outputs`` (raw, to be passed to :meth:`to_streams`) and ``losses``; with ``stacks``,
            reading them makes all the steps that were put together.

        Raises:
            LabError: this processor cannot learn.
            StreamError: a value, target or output is not what its slot declares.
        """
        if self.learner is None:
            raise LabError("this processor cannot learn: it is no torch module")
        from unaiverse_lab.data.values import to_processor

        ready = [to_processor(props, value) for props, value in zip(self.inputs, values, strict=True)]
        wanted = [
            None if value is None else to_processor(props, value, targets=True, allow_class_ids=True)
            for props, value in zip(self.outputs, targets, strict=True)
        ]
        flags = {name: value for name, value in (("first", first), ("last", last)) if name in self.flags}
        if stacks is not None:
            return stacks.submit(self.learner, ready, wanted, **flags)
        return Learned(*self.learner.learn(ready, wanted, **flags))

    def takes_class_ids(self, output: str) -> bool:
        """Whether an output slot may be taught with class ids: it is learnt with a cross entropy."""
        if self.learner is None:
            return False
        from unaiverse_lab.data.learning import is_cross_entropy

        return is_cross_entropy(self.learner.losses[self.learner.outputs.index(output)])

    def to_streams(self, raw: Any) -> tuple[Any, ...]:
        """What the function returned, as it goes to the streams.

        Raises:
            StreamError: an output is missing, or is not what its slot declares.
        """
        from unaiverse_lab.data.values import from_processor

        outputs = raw if isinstance(raw, tuple) else (raw,)
        if len(outputs) < len(self.outputs):
            names = ", ".join(props.name for props in self.outputs)
            raise StreamError(f"the processor returned {len(outputs)} values, the slots are {names}")
        return tuple(from_processor(props, value) for props, value in zip(self.outputs, outputs, strict=False))


def _flags_of(function: Callable[..., Any]) -> frozenset[str]:
    called = function.forward if is_module(function) else function  # type: ignore[attr-defined]
    try:
        return frozenset(inspect.signature(called).parameters) & {"first", "last"}
    except (TypeError, ValueError):
        return frozenset()
