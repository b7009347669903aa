"""Stacked students: steps of many learners of one architecture run as one batched step, with the same results.

After `torch.func <https://pytorch.org/tutorials/intermediate/ensembling.html>`_: the parameters of all members are rows of
stacked tensors, and one ``vmap`` of the template's forward pass serves all of them.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
import types
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import chain
from operator import is_
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from unaiverse_lab.core.errors import LabError
from unaiverse_lab.data.learning import Learner, losses_of, outputs_of

CONV_LIMIT = 4096
"""Numbers in the inputs of one step up to which convolutions are stacked; with more, one by one is the faster way."""


class Deferred:
    """The result of a submitted step; reading it lets the step happen, if it has not yet."""

    __slots__ = ("_error", "_flush", "_losses", "_outputs")

    def __init__(self, flush: Callable[[], None]) -> None:
        self._flush: Callable[[], None] | None = flush
        self._outputs: tuple[Tensor, ...] = ()
        self._losses: list[float] = []
        self._error: Exception | None = None

    @property
    def done(self) -> bool:
        """Whether the step has happened, or failed; asking does not make it happen."""
        return self._flush is None

    @property
    def error(self) -> Exception | None:
        """Why the step failed; None if it did not."""
        if self._flush is not None:
            self._flush()
        return self._error

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """One detached tensor per output slot, from before the step.

        Raises:
            Exception: what made the step fail.
        """
        if self.error is not None:
            raise self.error
        return self._outputs

    @property
    def losses(self) -> list[float]:
        """One value per output slot, 0.0 where nothing was taught.

        Raises:
            Exception: what made the step fail.
        """
        if self.error is not None:
            raise self.error
        return self._losses

    def _give(self, outputs: tuple[Tensor, ...], losses: list[float]) -> None:
        self._outputs, self._losses, self._flush = outputs, losses, None

    def _fail(self, error: Exception) -> None:
        self._error, self._flush = error, None


class Stacks:
    """The learners of one session: takes their steps one by one and runs alike ones together.

    Two learners are alike when their modules have the same classes, layout and settings, their optimizers (SGD, Adam,
    AdamW) the same parameter groups, and their losses are the same; their steps run together when also learning rate and
    the like, and the shapes and types of inputs and targets are equal. Everything else runs at once, one by one: see
    :meth:`why_alone`. Results equal one-by-one learning up to rounding.

    A module's forward pass must be a function of its inputs and parameters: what it draws from generators other than
    torch's, prints or counts elsewhere happens once per batch. Inputs and targets must not be changed in place before
    the step has happened. Gradients (``parameter.grad``) are not kept.

    The parameters of a stacked module are views into its stack, as is the state of its optimizer: reading them, training
    them one by one, or assigning to them works as ever. To copy or pickle such a module by other means than
    :meth:`~unaiverse_lab.data.learning.Learner.state_dict`, :meth:`release` it first, or all of its stack goes along.
    """

    def __init__(self) -> None:
        self._members: dict[Learner, _Member] = {}
        self._owners: dict[int, _Member] = {}
        self._stacks: dict[Hashable, _Stack] = {}
        self._pending: dict[Hashable, list[_Step]] = {}

    def submit(self, learner: Learner, inputs: Sequence[Any], targets: Sequence[Any], **flags: Any) -> Deferred:
        """``learner.learn(inputs, targets, **flags)``, now or at the next :meth:`flush`.

        The first step of each new kind (architecture, shapes) runs at once, so that what does not fit is told here.

        Returns:
            The result; it is there already where the step could not wait for others.

        Raises:
            Exception: what :meth:`~unaiverse_lab.data.learning.Learner.learn` raises, if it ran at once.
        """
        learner.check(targets)
        if learner.awaited is not None:
            learner.awaited()
        member = self._members.get(learner)
        if member is None:
            member = self._members[learner] = _Member(learner)
        if not member.unchanged():
            self._place(member)
        stack = member.stack
        settings = None if stack is None else _settings(learner.optimizer)
        kind = None if settings is None else (_kinds(inputs), _kinds(targets))
        if stack is None or kind is None or not stack.takes(kind):
            return self._alone(member, inputs, targets, flags)
        if kind not in stack.tried:
            done = self._alone(member, inputs, targets, flags)
            stack.tried.add(kind)
            return done
        step = _Step(member, inputs, targets, Deferred(self.flush))
        self._pending.setdefault((stack, settings, kind), []).append(step)
        learner.awaited = self.flush
        return step.deferred

    def flush(self) -> None:
        """Run all that was submitted; a step that fails fails alone, and its :class:`Deferred` tells."""
        pending, self._pending = self._pending, {}
        for steps in pending.values():
            for step in steps:
                step.member.learner.awaited = None
        for (stack, settings, _), steps in pending.items():  # type: ignore[misc]
            if len(steps) == 1 or not stack.learn(steps, settings):
                for step in steps:
                    step.run_alone()

    def sync(self, learner: Learner) -> None:
        """Let the learner's last step happen: its parameters and the state of its optimizer are what they should be."""
        learner.settle()

    def release(self, learner: Learner) -> None:
        """Forget a learner: its last step happens, and parameters and optimizer state are its own again."""
        learner.settle()
        member = self._members.pop(learner, None)
        if member is not None:
            self._leave(member)

    def why_alone(self, learner: Learner) -> str | None:
        """Why a learner is not stacked with others like it; None if it would be."""
        member = self._members.get(learner) or _Member(learner)
        if not member.unchanged():
            self._place(member)
            if learner not in self._members:
                self._leave(member)
        return member.reason if member.stack is None else member.stack.refused

    def _alone(
        self, member: _Member, inputs: Sequence[Any], targets: Sequence[Any], flags: dict[str, Any]
    ) -> Deferred:
        if member.shares:
            self.flush()
        done = Deferred(self.flush)
        done._give(*member.learner.learn(inputs, targets, **flags))
        return done

    def _place(self, member: _Member) -> None:
        """Find the stack of a learner that is new or was changed behind our back."""
        previous = member.stack
        try:
            member.stack, member.reason = self._stack_of(member), ""
        except _Alone as reason:
            member.stack, member.reason = None, str(reason)
        if member.row is not None and member.stack is previous:
            member.stack.adopt(member)
        elif ...:
            pass

    def _leave(self, member: _Member) -> None: ...
