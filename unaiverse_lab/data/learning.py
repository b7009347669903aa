"""Learning: a torch module with its optimizer and its losses, one per output slot. Needs the extra ``[learn]``."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from unaiverse_lab.core.errors import LabError, StreamError
from unaiverse_lab.core.ordered import OrderedSet

Loss: TypeAlias = Callable[..., Tensor]
"""``loss(raw, target)``, or ``loss(raw)`` where nothing is taught; a tensor of one number."""


class Learner:
    """A torch module that can be run and taught, one step at a time.

    Args:
        module: any module; its outputs are tensors, one or a tuple (or list) of them.
        optimizer: anything with ``zero_grad()`` and ``step()`` over the module's parameters; None: it can only be run.
        losses: one per output slot, None where an output is not taught; default: None for each.
            ``cross_entropy`` and ``CrossEntropyLoss`` take class ids (1-D, long) also with a leading dimension of 1.
        outputs: names of the output slots; default ``proc_output_0``, ... as many as there are losses (one if none).

    Attributes:
        raw: the outputs of the last :meth:`forward`, before any conversion; empty before it.
        tried: kinds of steps (shapes of inputs and targets) it has made.
        awaited: set by :class:`~unaiverse_lab.data.stacking.Stacks` while a submitted step has not run yet.

    Raises:
        LabError: the number of losses is not the number of outputs, or the optimizer is none.
    """

    def __init__(
        self,
        module: nn.Module,
        optimizer: Any = None,
        losses: Sequence[Loss | None] | None = None,
        outputs: Sequence[str] | None = None,
    ) -> None:
        if outputs is None:
            outputs = [f"proc_output_{slot}" for slot in range(len(losses) if losses else 1)]
        if losses is None:
            losses = [None] * len(outputs)
        if len(losses) != len(outputs):
            raise LabError(
                f"{len(outputs)} outputs ({', '.join(outputs)}) need as many losses (None: not taught), "
                f"{len(losses)} were given"
            )
        if optimizer is not None and not (hasattr(optimizer, "zero_grad") and hasattr(optimizer, "step")):
            raise LabError(
                f"an optimizer has zero_grad() and step(), {optimizer!r:.60} has not: "
                f"give one like torch.optim.SGD(module.parameters(), lr=0.1)"
            )
        self.module = module
        self.optimizer = optimizer
        self.losses = tuple(losses)
        self.outputs = tuple(outputs)
        self.flags = frozenset(inspect.signature(module.forward).parameters)
        self.raw: tuple[Tensor, ...] = ()
        self.tried: OrderedSet[Any] = OrderedSet()
        self.awaited: Callable[[], None] | None = None

    def forward(self, *inputs: Any, **flags: Any) -> tuple[Tensor, ...]:
        """Run the module; its raw outputs are kept for :meth:`learn_backward`.

        Args:
            inputs: what the module takes, in order.
            flags: ``first``, ``last``, ...: passed on where ``module.forward`` names them.

        Returns:
            One tensor per output slot, detached; outputs beyond the slots are ignored.

        Raises:
            StreamError: the module gave fewer outputs than there are slots, or something that is not a tensor.
        """
        self.settle()
        passed = {name: value for name, value in flags.items() if name in self.flags}
        self.raw = outputs_of(self.module(*inputs, **passed), self.outputs)
        return tuple(output.detach() for output in self.raw)

    def learn_backward(self, targets: Sequence[Any]) -> list[float]:
        """One step of the optimizer on the outputs of the last :meth:`forward`.

        Args:
            targets: one per output slot, None where nothing is taught. All None: unsupervised, ``loss(raw)``.

        Returns:
            The value of each loss, before the step; 0.0 where there is no loss or no target.
            With no loss at all nothing is learned.

        Afterwards a module that has an attribute ``y`` gets ``targets[0]`` there (teacher forcing).

        Raises:
            LabError: there is no optimizer, no :meth:`forward` to learn from, or a loss failed (its slot is named).
            StreamError: the number of targets is not the number of outputs.
        """
        self.check(targets)
        if not self.raw:
            raise LabError("there is nothing to learn from yet: call forward() first")
        losses = losses_of(self.raw, targets, self.losses, self.outputs)
        self.raw, values = tuple(output.detach() for output in self.raw), [0.0] * len(losses)
        active = [loss for loss in losses if loss is not None]
        if active:
            total: Tensor = sum(active[1:], active[0])
            if not total.requires_grad:
                raise LabError(
                    "the losses depend on no parameter that could learn: was forward() called under torch.no_grad(), "
                    "or learn_backward() twice, or is everything frozen?"
                )
            self.optimizer.zero_grad()
            total.backward()
            self.optimizer.step()
            values = [0.0 if loss is None else loss.item() for loss in losses]
        if hasattr(self.module, "y"):
            self.module.y = targets[0]
        return values

    def learn(
        self, inputs: Sequence[Any], targets: Sequence[Any], **flags: Any
    ) -> tuple[tuple[Tensor, ...], list[float]]:
        """:meth:`forward` and :meth:`learn_backward`: the outputs (before the step) and the losses.

        Raises:
            LabError, StreamError: as there; what the module itself raises is passed on.
        """
        self.check(targets)
        with torch.enable_grad():
            outputs = self.forward(*inputs, **flags)
            return outputs, self.learn_backward(targets)

    def check(self, targets: Sequence[Any]) -> None:
        """Raise what :meth:`learn` would raise for these targets before anything is computed."""
        if self.optimizer is None:
            raise LabError("this processor has no optimizer, so it cannot learn: give it one with its losses")
        if len(targets) != len(self.outputs):
            raise StreamError(
                f"{len(self.outputs)} outputs ({', '.join(self.outputs)}) need as many targets (None: not taught), "
                f"{len(targets)} were given"
            )

    def settle(self) -> None:
        """Let a step happen that was submitted to :class:`~unaiverse_lab.data.stacking.Stacks` and has not run yet."""
        if self.awaited is not None:
            self.awaited()

    def digest(self) -> str:
        """A fingerprint (32 hex digits) of the module's parameters and buffers: equal for equal weights."""
        self.settle()
        content = hashlib.blake2b(digest_size=16)
        for name, tensor in self.module.state_dict().items():
            content.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            content.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return content.hexdigest()

    def state_dict(self) -> dict[str, Any]:
        """Copies of all that was learned: ``{"module": ..., "optimizer": ... or None}``, for a checkpoint."""
        self.settle()
        optimizer = None if self.optimizer is None else self.optimizer.state_dict()
        return {"module": _copied(self.module.state_dict()), "optimizer": _copied(optimizer)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` gave."""
        self.settle()
        self.module.load_state_dict(state["module"])
        if self.optimizer is not None and state["optimizer"] is not None:
            self.optimizer.load_state_dict(_copied(state["optimizer"]))


def outputs_of(result: Any, names: Sequence[str]) -> tuple[Tensor, ...]:
    """What a module returned, as one tensor per named output slot.

    Raises:
        StreamError: too few, or not a tensor; the message names the slot.
    """
    given = tuple(result) if isinstance(result, tuple | list) else (result,)
    if len(given) < len(names):
        raise StreamError(f"the processor gave {len(given)} outputs for {len(names)} slots ({', '.join(names)})")
    for name, output in zip(names, given, strict=False):
        if not isinstance(output, Tensor):
            raise StreamError(f"output {name!r} of the processor is no tensor but {type(output).__name__}")
    return given[: len(names)]


def losses_of(
    outputs: Sequence[Tensor], targets: Sequence[Any], losses: Sequence[Loss | None], names: Sequence[str]
) -> list[Tensor | None]:
    """The loss of each output slot; None where there is no loss or no target. All targets None: ``loss(output)``.

    Raises:
        LabError: a loss raised, or gave something else than one number; the message names the slot.
    """
    supervised = any(target is not None for target in targets)
    values: list[Tensor | None] = []
    for name, loss, output, target in zip(names, losses, outputs, targets, strict=True):
        if loss is None or (supervised and target is None):
            values.append(None)
            continue
        try:
            if supervised:
                value = loss(output, class_ids(output, target) if is_cross_entropy(loss) else target)
            else:
                value = loss(output)
        except Exception as error:
            taught = f" with target {_described(target)}" if supervised else ""
            raise LabError(f"the loss of output {name!r} ({_described(output)}){taught} failed: {error}") from error
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise LabError(f"the loss of output {name!r} must be one number in a tensor, not {_described(value)}")
        values.append(value.reshape(()) if value.dim() else value)
    return values


def is_cross_entropy(loss: Any) -> bool:
    """Whether it is torch's own, as a function or as a module."""
    return loss is nn.functional.cross_entropy or type(loss) is nn.CrossEntropyLoss


def class_ids(output: Tensor, target: Any) -> Any:
    """A target of cross entropy; class ids lose the leading dimension of 1 that they may have in a stream."""
    if isinstance(target, Tensor) and target.dtype == torch.long and target.dim() == output.dim() > 1:
        return target.squeeze(0)
    return target


def _described(value: Any) -> str:
    return f"{tuple(value.shape)} {value.dtype}" if isinstance(value, Tensor) else type(value).__name__


def _copied(state: Any) -> Any:
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {key: _copied(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(_copied(value) for value in state)
    return state
