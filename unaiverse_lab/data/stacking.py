"""Stacked students: the steps of many learners of one architecture run as one batched step, with the same results.

After model ensembling in ``torch.func``: the parameters of all members are rows of stacked tensors, and one ``vmap``
over one copy of the module serves them all. Needs the extra ``[learn]``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import chain
from operator import is_, itemgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from unaiverse_lab.data.learning import Learner, losses_of, outputs_of
from unaiverse_lab.data.likeness import HOOKS, PLUMBING, Design, Kind, architecture_of, kind_of
from unaiverse_lab.data.row_optimizers import Alone

FEW = 5
"""Fewer steps than these run one by one: the overhead of a batch is that of about four steps."""

TOGETHER = 256
"""At most so many steps run in one go: more would win nothing, and take memory."""

LARGE = 400_000
"""Bytes of parameters beyond which a module is not stacked: alone it fits the processor's cache, a stack does not."""

CONVOLVED = 4096
"""Numbers in the inputs of a step beyond which a module with convolutions is not stacked: one by one is faster."""

RESTLESS = 3
"""So many stacks in a row, each for one step, and a learner stays alone until it has kept its settings for a step."""

PATIENCE = 16
"""One that is alone and changes with every step is looked at again after so many of them."""

_END = object()
_NOTHING: dict[str, Any] = {}
_TABLES = ("_parameters", "_buffers", "_modules", *HOOKS)


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
    AdamW) the same parameter groups, and their losses are the same. Their steps run together when also learning rate
    and the like, and the shapes and types of inputs and targets are equal. Every other step runs by itself: see
    :meth:`why_alone`. So do the steps of modules that are large, and of too few: there one by one is faster. Results
    equal one-by-one learning up to rounding.

    Forward passes and losses must be functions of inputs, parameters and buffers: what they draw from generators other
    than torch's, print, or count elsewhere happens once per batch. Leave inputs, targets and parameters as they are
    between the submission of a step and its happening. Gradients (``parameter.grad``) are not kept.

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

        A learner's first step of each kind (shapes) runs at once, so that what does not fit is told here.

        Returns:
            The result; it is there already if the step did not wait for others.

        Raises:
            Exception: what :meth:`~unaiverse_lab.data.learning.Learner.learn` raises, if it ran at once.
        """
        learner.check(targets)
        learner.settle()
        member = self._member(learner)
        stack = member.stack
        told = flags and not learner.flags.isdisjoint(flags)
        kind = None if stack is None or told else kind_of(inputs, targets)
        if stack is None or kind is None:
            return self._alone(member, inputs, targets, flags)
        batch = stack, stack.rule.settings(learner.optimizer), kind
        if not stack.takes(kind):
            return self._alone(member, inputs, targets, flags)
        if kind not in learner.tried:
            first = self._alone(member, inputs, targets, flags)
            learner.tried.add(kind)
            return first
        steps = self._pending.get(batch)
        if steps is None:
            steps = self._pending[batch] = []
        step = _Step(member, inputs, targets, Deferred(self.flush))
        steps.append(step)
        learner.awaited = self.flush
        return step.deferred

    def flush(self) -> None:
        """Run all that was submitted. A step that fails fails alone: its :class:`Deferred` tells."""
        pending, self._pending = self._pending, {}
        for step in chain.from_iterable(pending.values()):
            step.member.learner.awaited = None
        for (stack, settings, kind), steps in pending.items():
            for batch in stack.batches(steps):
                some = len(batch) >= FEW and stack.refused is None
                problem = stack.learn(batch, settings, kind) if some else None
                fine = [step.run_alone() for step in batch if not step.deferred.done]
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
            if member.stack is not None and member.row >= 0:
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
        if member.unchanged():
            member.moves = member.changes = 0
            return member
        member.changes += 1
        if member.stack is not None or member.changes <= RESTLESS or member.changes % PATIENCE == 0:
            self._place(member)
        return member

    def _place(self, member: _Member) -> None:
        """Find the stack of a learner that is new or was changed; it joins when it first runs there."""
        learner = member.learner
        tensors = [*learner.module.parameters(), *learner.module.buffers()]
        self._disown(member)
        member.shares = any(id(tensor) in self._owners for tensor in tensors)
        stack, reason = None, ""
        try:
            if member.shares:
                raise Alone("it shares parameters with another learner")
            if member.moves > RESTLESS:
                raise Alone("it changes from step to step")
            design = Design.of(learner, LARGE)
            stack = self._stacks.get(design.key)
            if stack is None:
                stack = self._stacks[design.key] = _Stack(design)
        except Alone as told:
            reason = str(told)
        same = learner.optimizer is member.optimizer and [*map(id, tensors)] == [*map(id, member.tensors)]
        if member.stack is not None and member.row >= 0 and not (same and stack is member.stack):
            member.stack.leave(member)
        member.moves += stack is not None and stack is not member.stack
        member.stack, member.reason, member.tensors = stack, reason, tensors
        for tensor in tensors:
            self._owners.setdefault(id(tensor), member)
        member.look()
        if stack is not None and member.row >= 0:
            stack.adopt(member)

    def _disown(self, member: _Member) -> None:
        for tensor in member.tensors:
            if self._owners.get(id(tensor)) is member:
                del self._owners[id(tensor)]


class _Member:
    """A learner, where it is stacked, and what it looked like when that was found out."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.optimizer: Any = None
        self.tensors: list[Tensor] = []
        self.stack: _Stack | None = None
        self.row = -1
        self.reason = ""
        self.shares = False
        self.moves = 0
        self.changes = 0
        self.groups: list[Any] = []
        self.empty: list[Any] = []

    def look(self) -> None:
        """Remember what decides how the learner is stacked: its parts and their settings, hooks, parameter groups."""
        self.optimizer = optimizer = self.learner.optimizer
        roots = [self.learner.module, *(loss for loss in self.learner.losses if isinstance(loss, nn.Module))]
        parts = [part.__dict__ for root in roots for part in root.modules()]
        tables = [part[table] for part in parts for table in _TABLES]
        remembers = not self.learner.flags.isdisjoint(("first", "last"))  # stays alone, whatever its settings are
        watched = [] if remembers else parts
        self.settings = [(part, itemgetter("training", *sorted(part.keys() - PLUMBING))) for part in watched]
        self.groups = []
        if isinstance(optimizer, torch.optim.Optimizer):
            optimizer._opt_called = True  # else its scheduler, if any, warns that no step has been made
            tables += [table for name, table in vars(optimizer).items() if name.endswith("_hooks")]
            self.groups = optimizer.param_groups
        self.empty = [table for table in tables if not table]
        self.full = [table.values() for table in tables if table]
        self.full += [self.groups, *(group["params"] for group in self.groups), (_END,)]
        self.content = [*chain.from_iterable(self.full)]
        self.sight = self._sight()
        self.addresses = self.where()

    def unchanged(self) -> bool:
        """Whether all that :meth:`look` saw is the same, and all tensors are where they were put."""
        if self.learner.optimizer is not self.optimizer or any(self.empty):
            return False
        try:
            return (
                self._sight() == self.sight
                and all(map(is_, chain.from_iterable(self.full), self.content))
                and self.where() == self.addresses
            )
        except (KeyError, RuntimeError, ValueError):  # an attribute has gone; an array has been compared
            return False

    def _sight(self) -> list[object]:
        learner = self.learner
        sight: list[object] = [id(learner.module), type(learner.module), id(learner.losses)]
        for part, chosen in self.settings:
            sight += len(part), chosen(part)
        for tensor in self.tensors:
            sight += tensor.requires_grad, tensor._backward_hooks is None
        if self.groups:
            sight += id(self.optimizer.param_groups), len(vars(self.optimizer))
            if type(self.optimizer) is torch.optim.SGD:
                sight += [group["momentum"] != 0 for group in self.groups]
        return sight

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

    def __init__(self, design: Design) -> None:
        self.design = design
        self.rule = design.rule
        self.members: list[_Member] = []
        self.columns: list[Tensor] = []
        self.template: nn.Module | None = None
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
        member.row = -1
        if last is not member:
            here = self._here(last)
            with torch.no_grad():
                for column in self.columns:
                    column[hole].copy_(column[last.row])
            self.members[hole], last.row = last, hole
            self._point(last, here)
        if not self.members:
            self.columns, self.template = [], None

    def _grow(self, capacity: int, example: _Member) -> None:
        here = [self._here(member) for member in self.members]
        rows = [column[0] for column in self.columns] or self.design.rows(example.tensors)
        grown = [torch.zeros((capacity, *row.shape), dtype=row.dtype, device=row.device) for row in rows]
        for new, old in zip(grown, self.columns, strict=False):
            new[: len(old)] = old
        self.columns = grown
        for member, positions in zip(self.members, here, strict=True):
            self._point(member, positions)

    def _here(self, member: _Member) -> list[int]:
        """The columns whose row the member still has; what else it has was put there behind our back."""
        pairs = zip(member.where(), member.addresses, strict=True)
        return [position for position, (now, known) in enumerate(pairs) if now == known != 0]

    def _point(self, member: _Member, positions: Iterable[int]) -> None:
        for position in positions:
            view = self.columns[position][member.row]
            self._put(member, position, view)
            member.addresses[position] = view.data_ptr()

    def _put(self, member: _Member, position: int, value: Tensor) -> None:
        own = len(member.tensors)
        if position < own:
            member.tensors[position].data = value
        else:
            trained, slot = divmod(position - own, len(self.design.slots))
            tensor = member.tensors[self.design.trained[trained]]
            member.optimizer.state[tensor][self.design.slots[slot]] = value

    # ------------------------------------------------------------------ learning

    def batches(self, steps: list[_Step]) -> list[list[_Step]]:
        """The steps in the order of the rows of their members, in portions that suit the memory."""
        if len(steps) >= FEW:
            self.join([step.member for step in steps if step.member.row < 0])
        steps = sorted(steps, key=lambda step: step.member.row)
        return [steps[start : start + TOGETHER] for start in range(0, len(steps), TOGETHER)]

    def learn(self, steps: list[_Step], settings: Any, kind: Kind) -> Exception | None:
        """Run steps of one kind as one. If that fails nothing has been learned, and the reason is returned."""
        first, last = steps[0].member.row, steps[-1].member.row
        rows: Any = slice(first, last + 1)
        if last - first >= len(steps):
            rows = torch.tensor([step.member.row for step in steps], device=self.columns[0].device)
        parts = [column[rows] for column in self.columns]
        try:
            if self.template is None:
                self.template = _copy_of(steps[0].member.learner.module)
            outputs, losses, gradients = self._derive(self.template, parts, steps, kind)
        except Exception as problem:
            self.template = None
            return problem
        with torch.no_grad():
            self._update(parts, gradients, settings, [step.member for step in steps])
            if not isinstance(rows, slice):
                for column, part in zip(self.columns, parts, strict=True):
                    column[rows] = part
        for step, each, values in zip(steps, zip(*outputs, strict=True), losses, strict=True):
            step.deferred._give(each, values)
        return None

    def _derive(
        self, template: nn.Module, parts: list[Tensor], steps: list[_Step], kind: Kind
    ) -> tuple[list[tuple[Tensor, ...]], list[list[float]], list[Tensor]]:
        """Of all members at once: outputs per slot and member, losses per member and slot, gradients of the trained."""
        design = self.design
        taught: list[int] = []

        def one(given: list[Tensor], inputs: list[Tensor], targets: list[Tensor]) -> Any:
            own = dict(zip(design.names, given, strict=True))
            result = functional_call(template, own, tuple(_with_nones(inputs, kind[0])))
            if not all(map(is_, own.values(), given)):
                raise Alone("its forward pass replaces a buffer")
            outputs = outputs_of(result, design.outputs)
            losses = losses_of(outputs, _with_nones(targets, kind[1]), design.losses, design.outputs)
            taught[:] = [slot for slot, loss in enumerate(losses) if loss is not None]
            return outputs, [loss for loss in losses if loss is not None]

        values = [part.detach() for part in parts[: len(design.names)]]
        trained = [values[position].requires_grad_() for position in design.trained]
        kept = {position: values[position].clone() for position in range(design.parameters, len(values))}
        values = [kept.get(position, value) for position, value in enumerate(values)]
        versions = [value._version for value in values]
        with torch.enable_grad():
            inputs = _stacked([step.inputs for step in steps])
            outputs, losses = vmap(one)(values, inputs, _stacked([step.targets for step in steps]))
            gradients = torch.autograd.grad(sum(loss.sum() for loss in losses), trained, allow_unused=True)
        if any(gradient is None for gradient in gradients):
            raise Alone("some of its parameters take no part in what it learns")
        if versions != [value._version for value in values] or architecture_of(template) != design.architecture:
            raise Alone("its forward pass changes the module")
        told = torch.stack([loss.detach() for loss in losses], 1).tolist()
        if len(taught) < len(design.outputs):
            order = [taught.index(slot) if slot in taught else -1 for slot in range(len(design.outputs))]
            told = [[row[place] if place >= 0 else 0.0 for place in order] for row in told]
        return [output.detach().unbind() for output in outputs], told, list(gradients)

    def _update(self, parts: list[Tensor], gradients: list[Tensor], settings: Any, members: list[_Member]) -> None:
        """One step of the optimizer, as torch's own does it, with a step count for each row."""
        design = self.design
        first, width = len(design.names), len(design.slots)
        fresh = [member for member in members if 0 in member.addresses[first:]] if width else []
        for number, (position, gradient) in enumerate(zip(design.trained, gradients, strict=True)):
            start = first + number * width
            unborn = None
            if fresh:
                flags = [not member.addresses[start] for member in members]
                unborn = torch.tensor(flags, device=gradient.device)
            state, group = parts[start : start + width], settings[design.groups[number]]
            design.rule.step(parts[position], gradient, state, group, unborn)
        for member in fresh:
            self._point(member, [at for at in range(first, len(parts)) if not member.addresses[at]])


def _copy_of(module: nn.Module) -> nn.Module:
    """A copy with tensors of its own, also of a module whose tensors are rows of a stack."""
    tensors: list[Tensor] = [*module.parameters(), *module.buffers()]
    own = {id(tensor): tensor.detach().clone() for tensor in tensors}
    own |= {id(old): nn.Parameter(own[id(old)], old.requires_grad) for old in module.parameters()}
    return copy.deepcopy(module, own)


def _stacked(values: list[Sequence[Any]]) -> list[Tensor]:
    """The members' values of each slot, one below the other; slots of None are left out."""
    return [torch.stack(slot) for slot in zip(*values, strict=True) if slot[0] is not None]


def _with_nones(tensors: Iterable[Tensor], known: tuple[Any, ...]) -> list[Tensor | None]:
    """What :func:`_stacked` left out, put back."""
    given = iter(tensors)
    return [None if one is None else next(given) for one in known]
