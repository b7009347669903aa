"""Torch's optimizers for rows: one step over stacked tensors is the step of each row. Needs the extra ``[learn]``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor


class Alone(Exception):
    """Why something cannot be stacked."""


class Rule(ABC):
    """The step of one of torch's optimizers, on rows."""

    names: tuple[str, ...]
    """The settings of a parameter group that a step uses."""
    unsupported: tuple[str, ...] = ("capturable", "differentiable", "amsgrad")
    """Options of a parameter group that must be off."""

    def settings(self, optimizer: Any) -> tuple[tuple[Any, ...], ...]:
        """What must be equal for steps to run together: the numbers of each parameter group."""
        return tuple(map(itemgetter(*self.names), optimizer.param_groups))

    @abstractmethod
    def slots(self, optimizer: Any) -> tuple[str, ...]:
        """The names of the tensors that the optimizer keeps for each parameter.

        Raises:
            Alone: its parameter groups cannot be stepped by rows; the message says why.
        """

    @abstractmethod
    def step(self, value: Tensor, slope: Tensor, state: list[Tensor], settings: Any, unborn: Tensor | None) -> None:
        """Update ``value`` and ``state`` in place.

        Args:
            value: a parameter of all members, one per row.
            slope: its gradient.
            state: what the optimizer keeps for it, in the order of :meth:`slots`.
            settings: those of its parameter group, from :meth:`settings`.
            unborn: for each row whether it has no state yet (then its state is all zeros); None: all have.
        """


class _SGD(Rule):
    names = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")

    def slots(self, optimizer: Any) -> tuple[str, ...]:
        uses = {group["momentum"] != 0 for group in optimizer.param_groups}
        if len(uses) > 1:
            raise Alone("its optimizer has momentum for some parameters only")
        return ("momentum_buffer",) if True in uses else ()

    def step(self, value: Tensor, slope: Tensor, state: list[Tensor], settings: Any, unborn: Tensor | None) -> None:
        rate, momentum, dampening, decay, nesterov, maximize = settings
        if maximize:
            slope = -slope
        if decay:
            slope = slope.add(value, alpha=decay)
        for buffer in state:
            moved = buffer.mul(momentum).add_(slope, alpha=1 - dampening)
            buffer.copy_(moved if unborn is None else torch.where(_column(unborn, slope), slope, moved))
            slope = slope.add(buffer, alpha=momentum) if nesterov else buffer
        value.add_(slope, alpha=-rate)


class _Adam(Rule):
    names = ("lr", "betas", "eps", "weight_decay", "maximize")

    def __init__(self, decoupled: bool) -> None:
        self.decoupled = decoupled

    def slots(self, optimizer: Any) -> tuple[str, ...]:
        groups = optimizer.param_groups
        if any(group.get("decoupled_weight_decay", self.decoupled) != self.decoupled for group in groups):
            raise Alone("its Adam decouples weight decay, as only AdamW does by itself")
        return "step", "exp_avg", "exp_avg_sq"

    def step(self, value: Tensor, slope: Tensor, state: list[Tensor], settings: Any, unborn: Tensor | None) -> None:
        rate, (keep, keep_square), eps, decay, maximize = settings
        steps, mean, square = state
        if maximize:
            slope = -slope
        if decay and self.decoupled:
            value.mul_(1 - rate * decay)
        elif decay:
            slope = slope.add(value, alpha=decay)
        steps.add_(1)
        mean.lerp_(slope, 1 - keep)
        square.mul_(keep_square).addcmul_(slope, slope, value=1 - keep_square)
        made = steps.double()
        scale = _column((1 - keep_square**made).sqrt().to(value.dtype), value)
        rates = _column((rate / (1 - keep**made)).to(value.dtype), value)
        value.sub_(mean.div(square.sqrt().div_(scale).add_(eps)).mul_(rates))


RULES: dict[type, Rule] = {
    torch.optim.SGD: _SGD(),
    torch.optim.Adam: _Adam(decoupled=False),
    torch.optim.AdamW: _Adam(decoupled=True),
}
"""The optimizers that can be stacked, by exact class."""


def _column(row_values: Tensor, like: Tensor) -> Tensor:
    """One value per row, shaped so that it meets all numbers of its row in ``like``."""
    return row_values.reshape(-1, *[1] * (like.dim() - 1))
