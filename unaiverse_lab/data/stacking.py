"""Stacked students: the steps of many learners of one architecture run as one batched step, with the same results.

After model ensembling in ``torch.func``: the parameters of all members are rows of stacked tensors, and one ``vmap`` over
one copy of the module serves them all. Needs the extra ``[learn]``.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
import types
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import chain
from operator import is_, itemgetter
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from unaiverse_lab.data.learning import Learner, losses_of, outputs_of

CONVOLVED = 4096
"""Numbers in the inputs of a step up to which a module with convolutions is stacked; beyond, one by one is faster."""

Kind: TypeAlias = tuple[tuple[Any, ...], tuple[Any, ...]]
"""Shape and type of each input and of each target, None for a None; only steps of one kind run together."""


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
        """Whether the step has happened or failed; asking does not make it happen."""
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
    AdamW) the same parameter groups, and their losses are the same. Their steps run together when also learning rate and
    the like, and the shapes and types of inputs and targets are equal. Every other step runs at once, by itself: see
    :meth:`why_alone`. Results equal one-by-one learning up to rounding.

    The forward pass must be a function of inputs, parameters and buffers: what it draws from generators other than
    torch's, prints, or counts elsewhere happens once per batch. Leave inputs, targets and parameters as they are between
    the submission of a step and its happening. Gradients (``parameter.grad``) are not kept.

    Parameters and buffers of a stacked module are views into its stack, as is the state of its optimizer: reading them,
    training them one by one and assigning to them works as ever. To copy or pickle such a module otherwise than by
    :meth:`~unaiverse_lab.data.learning.Learner.state_dict`, :meth:`release` it first, or all of its stack goes along.
    """

    def __init__(self) -> None:
        self._members: dict[Learner, _Member] = {}
        self._owners: dict[int, _Member] = {}
        self._stacks: dict[Hashable, _Stack] = {}
        self._pending: dict[tuple[_Stack, Any, Kind], list[_Step]] = {}

    def submit(self, learner: Learner, inputs: Sequence[Any], targets: Sequence[Any], **flags: Any) -> Deferred:
        """``learner.learn(inputs, targets, **flags)``, at once or at the next :meth:`flush`.

        The first step of each new kind (architecture, shapes) runs at once, so that what does not fit is told here.

        Returns:
            The result; it is there already if the step did not wait for others.

        Raises:
            Exception: what :meth:`~unaiverse_lab.data.learning.Learner.learn` raises, if it ran at once.
        """
        learner.check(targets)
        learner.settle()
        member = self._member(learner)
        stack = member.stack
        kind = None if stack is None or not learner.flags.isdisjoint(flags) else _kind_of(inputs, targets)
        if stack is None or kind is None or not stack.takes(kind):
            return self._alone(member, inputs, targets, flags)
        if kind not in stack.tried:
            first = self._alone(member, inputs, targets, flags)
            stack.tried.add(kind)
            return first
        step = _Step(member, inputs, targets, Deferred(self.flush))
        self._pending.setdefault((stack, stack.rule.settings(learner.optimizer), kind), []).append(step)
        learner.awaited = self.flush
        return step.deferred

    def flush(self) -> None:
        """Run all that was submitted. A step that fails fails alone: its :class:`Deferred` tells."""
        pending, self._pending = self._pending, {}
        for step in chain.from_iterable(pending.values()):
            step.member.learner.awaited = None
        for (stack, settings, kind), steps in pending.items():
            problem: Exception | None = None
            if len(steps) > 1 and stack.refused is None:
                problem = stack.learn(steps, settings, kind)
                if problem is None:
                    continue
            fine = [step.run_alone() for step in steps]
            if problem is not None and all(fine):
                stack.refused = f"it cannot be batched: {problem}"

    def sync(self, learner: Learner) -> None:
        """Let the learner's last step happen: afterwards its parameters and optimizer state are up to date."""
        learner.settle()

    def release(self, learner: Learner) -> None:
        """Forget a learner: its last step happens, and its parameters and optimizer state are its own again."""
        learner.settle()
        member = self._members.pop(learner, None)
        if member is not None:
            self._disown(member)
            if member.stack is not None and member.row is not None:
                member.stack.leave(member)

    def why_alone(self, learner: Learner) -> str | None:
        """Why a learner does not learn together with others like it; None if, given company, it does."""
        if learner.optimizer is None:
            return "it has no optimizer"
        learner.settle()
        member = self._member(learner)
        return member.reason if member.stack is None else member.stack.refused

    def _alone(self, member: _Member, inputs: Sequence[Any], targets: Sequence[Any], flags: dict[str, Any]) -> Deferred:
        if member.shares:
            self.flush()
        done = Deferred(self.flush)
        done._give(*member.learner.learn(inputs, targets, **flags))
        return done

    def _member(self, learner: Learner) -> _Member:
        """The entry of a learner that has nothing pending, brought up to date with what was done behind our back."""
        member = self._members.get(learner)
        if member is None:
            member = self._members[learner] = _Member(learner)
        if not member.unchanged():
            self._place(member)
        if member.stack is not None and member.row is not None and member.where() != member.addresses:
            member.stack.adopt(member)
        return member

    def _place(self, member: _Member) -> None:
        """Find the stack of a learner that is new or was changed."""
        learner = member.learner
        tensors = [*learner.module.parameters(), *learner.module.buffers()]
        self._disown(member)
        member.shares = any(id(tensor) in self._owners for tensor in tensors)
        stack, reason = None, ""
        try:
            if member.shares:
                raise _Alone("it shares parameters with another learner")
            design = _Design.of(learner)
            stack = self._stacks.get(design.key)
            if stack is None:
                stack = self._stacks[design.key] = _Stack(design)
        except _Alone as told:
            reason = str(told)
        as_before = (
            stack is member.stack
            and learner.optimizer is member.optimizer
            and len(tensors) == len(member.tensors)
            and all(map(is_, tensors, member.tensors))
        )
        if member.stack is not None and member.row is not None and not as_before:
            member.stack.leave(member)
        member.stack, member.reason, member.tensors = stack, reason, tensors
        for tensor in tensors:
            self._owners.setdefault(id(tensor), member)
        member.look()

    def _disown(self, member: _Member) -> None:
        for tensor in member.tensors:
            if self._owners.get(id(tensor)) is member:
                del self._owners[id(tensor)]


class _Alone(Exception):
    """Why something cannot be stacked."""


class _Member:
    """A learner, where it is stacked, and what it looked like when that was found out."""

    __slots__ = (
        "addresses",
        "flags",
        "learner",
        "live",
        "optimizer",
        "reason",
        "row",
        "seen",
        "shares",
        "stack",
        "tensors",
    )

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.optimizer: Any = None
        self.tensors: list[Tensor] = []
        self.stack: _Stack | None = None
        self.row: int | None = None
        self.reason = ""
        self.shares = False
        self.addresses: list[int] = []
        self.live: list[Iterable[object]] = []
        self.seen: list[object] = []
        self.flags: list[object] = []

    def look(self) -> None:
        """Remember what decides how the learner is stacked: modules, settings, hooks, groups; all by identity."""
        module, optimizer = self.learner.module, self.learner.optimizer
        self.optimizer = optimizer
        self.live = [self.learner.losses]
        for part in module.modules():
            self.live.append(part.__dict__.values())
            self.live += [table.values() for name, table in part.__dict__.items() if name in _TABLES]
        if isinstance(optimizer, torch.optim.Optimizer):
            self.live += [optimizer.__dict__.values(), optimizer.param_groups]
            self.live += [group["params"] for group in optimizer.param_groups]
            self.live += [table.values() for name, table in optimizer.__dict__.items() if name.endswith("_hooks")]
        self.live.append((_END,))
        self.seen = list(chain.from_iterable(self.live))
        self.flags = self._flags()

    def unchanged(self) -> bool:
        """Whether all that :meth:`look` saw is still the same."""
        learner = self.learner
        return (
            learner.optimizer is self.optimizer
            and all(map(is_, chain.from_iterable(self.live), self.seen))
            and self._flags() == self.flags
        )

    def _flags(self) -> list[object]:
        flags: list[object] = [type(self.learner.module)]
        for tensor in self.tensors:
            flags += tensor.requires_grad, tensor._backward_hooks is None
        if type(self.optimizer) is torch.optim.SGD:
            flags += [group["momentum"] != 0 for group in self.optimizer.param_groups]
        return flags

    def rows(self) -> list[Tensor | None]:
        """Its own tensors, in the order of the columns of its stack; None for optimizer state that is not there yet."""
        held: list[Tensor | None] = [*self.tensors]
        if self.stack is not None and self.stack.design.slots:
            state = self.optimizer.state
            for position in self.stack.design.trained:
                entry = state.get(self.tensors[position], _NOTHING)
                held += [entry.get(slot) for slot in self.stack.design.slots]
        return held

    def where(self) -> list[int]:
        """The addresses of :meth:`rows`, 0 for None."""
        return [0 if tensor is None else tensor.data_ptr() for tensor in self.rows()]


class _Step(NamedTuple):
    member: _Member
    inputs: Sequence[Any]
    targets: Sequence[Any]
    deferred: Deferred

    def run_alone(self) -> bool:
        """The step by itself; whether it went well."""
        try:
            self.deferred._give(*self.member.learner.learn(self.inputs, self.targets))
        except Exception as error:
            self.deferred._fail(error)
        return self.deferred.error is None


class _Stack:
    """The members of one design. Member ``i`` is row ``i`` of all columns; rows beyond the members are spare."""

    def __init__(self, design: _Design) -> None:
        self.design = design
        self.rule = design.rule
        self.members: list[_Member] = []
        self.columns: list[Tensor] = []
        self.template: nn.Module | None = None
        self.tried: set[Kind] = set()
        self.refused: str | None = None

    def takes(self, kind: Kind) -> bool:
        """Whether steps of this kind are worth stacking."""
        if self.refused is not None:
            return False
        return not self.design.convolves or sum(known[0].numel() for known in kind[0] if known) <= CONVOLVED

    # ------------------------------------------------------------------ members

    def join(self, newcomers: list[_Member]) -> None:
        """Give rows to members that have none."""
        needed = len(self.members) + len(newcomers)
        capacity = len(self.columns[0]) if self.columns else 0
        if needed > capacity:
            self._grow(needed if not capacity else max(needed, 2 * capacity), newcomers[0])
        for member in newcomers:
            member.row = len(self.members)
            self.members.append(member)
            self.adopt(member)

    def adopt(self, member: _Member) -> None:
        """Copy a member's tensors into its row and make them views of it."""
        held = member.rows()
        with torch.no_grad():
            for column, tensor in zip(self.columns, held, strict=True):
                row = column[member.row]
                if tensor is None:
                    row.zero_()
                else:
                    row.copy_(tensor)
        for tensor in member.tensors:
            tensor.grad = None
        member.addresses = [0] * len(held)
        self._point(member, [position for position, tensor in enumerate(held) if tensor is not None])

    def leave(self, member: _Member) -> None:
        """Give a member its tensors back, those that are still here; the last row moves into the hole."""
        with torch.no_grad():
            for position in self._here(member):
                self._put(member, position, self.columns[position][member.row].clone())
        hole, last = member.row, self.members.pop()
        member.row, member.addresses = None, []
        if last is not member:
            here = self._here(last)
            with torch.no_grad():
                for column in self.columns:
                    column[hole].copy_(column[last.row])
            self.members[hole], last.row = last, hole
            self._point(last, here)

    def _grow(self, capacity: int, pattern: _Member) -> None:
        here = [self._here(member) for member in self.members]
        shapes = self.columns or self.design.shapes(pattern)
        with torch.no_grad():
            grown = [torch.zeros((capacity, *shape.shape[1:]), dtype=shape.dtype, device=shape.device) for shape in shapes]
            for new, old in zip(grown, self.columns, strict=False):
                new[: len(old)].copy_(old)
        self.columns = grown
        for member, positions in zip(self.members, here, strict=True):
            self._point(member, positions)

    def _here(self, member: _Member) -> list[int]:
        """The columns whose row the member still has; the others were replaced behind our back."""
        pairs = zip(member.where(), member.addresses, strict=True)
        return [position for position, (now, known) in enumerate(pairs) if now == known != 0]

    def _point(self, member: _Member, positions: list[int]) -> None:
        for position in positions:
            view = self.columns[position][member.row]
            self._put(member, position, view)
            member.addresses[position] = view.data_ptr()

    def _put(self, member: _Member, position: int, value: Tensor) -> None:
        own = len(member.tensors)
        if position < own:
            member.tensors[position].data = value
        else:
            which, slot = divmod(position - own, len(self.design.slots))
            tensor = member.tensors[self.design.trained[which]]
            member.optimizer.state[tensor][self.design.slots[slot]] = value

    # ------------------------------------------------------------------ learning

    def learn(self, steps: list[_Step], settings: Any, kind: Kind) -> Exception | None:
        """Run steps of one kind as one. If that fails nothing has happened, and the reason is returned."""
        try:
            if self.template is None:
                self.template = copy.deepcopy(steps[0].member.learner.module)
            self.join([step.member for step in steps if step.member.row is None])
            steps = sorted(steps, key=lambda step: step.member.row or 0)
            rows = [step.member.row for step in steps]
            count = len(steps)
            everybody = count == len(self.members)
            which = None if everybody else torch.tensor(rows, device=self.columns[0].device)
            parts = [column[:count] if which is None else column[which] for column in self.columns]
            outputs, losses, gradients = self._derive(self.template, parts, steps, kind)
        except Exception as problem:
            self.template = None
            return problem
        with torch.no_grad():
            self.rule.step(self.design, parts, gradients, settings, [bool(s.member.addresses[-1]) for s in steps])
            if which is not None:
                for column, part in zip(self.columns, parts, strict=True):
                    column[which] = part
        for step in steps:
            pass
        return None
