"""What makes learners alike, and their steps, so that they can run as one. Needs the extra ``[learn]``."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import enum
import types
from collections.abc import Hashable, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from unaiverse_lab.data.learning import Learner, Loss, class_ids, is_cross_entropy
from unaiverse_lab.data.row_optimizers import RULES, Alone, Rule

PLUMBING = nn.Module().__dict__.keys() - {"training"}
"""The attributes that torch gives to every module; all others, and ``training``, are settings."""

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
"""Those of them that hold hooks."""

Kind: TypeAlias = tuple[tuple[Any, ...], tuple[Any, ...]]
"""Shape and type of each input and of each target, None for a None; only steps of one kind run together."""

_RANDOM = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase)
_PLAIN = (bool, int, float, complex, str, bytes, range, slice, enum.Enum, torch.dtype, torch.device)


class Design(NamedTuple):
    """What the members of a stack have in common."""

    key: Hashable
    """Equal for learners that are alike."""
    architecture: Hashable
    """That of the module, from :func:`architecture_of`."""
    names: tuple[str, ...]
    """Parameters, then buffers."""
    parameters: int
    """How many of them are parameters."""
    trained: tuple[int, ...]
    """Positions of the parameters that learn."""
    groups: tuple[int, ...]
    """The parameter group of each of these."""
    rule: Rule
    """The step of their optimizers."""
    slots: tuple[str, ...]
    """What the optimizer keeps for each parameter that learns."""
    losses: tuple[Any, ...]
    """One per output slot, None where nothing is taught; to be called on one row."""
    outputs: tuple[str, ...]
    """The names of the output slots."""
    convolves: bool
    """Whether the module has convolutions."""

    @staticmethod
    def of(learner: Learner, largest: int) -> Design:
        """The design of a learner.

        Args:
            learner: one with an optimizer.
            largest: bytes of parameters beyond which it is not stacked.

        Raises:
            Alone: it cannot be stacked; the message says why.
        """
        module, optimizer = learner.module, learner.optimizer
        if not learner.flags.isdisjoint(("first", "last")):
            raise Alone("its forward pass takes first or last: it remembers")
        if hasattr(module, "y"):
            raise Alone("it has an attribute y: it remembers its last target")
        rule = RULES.get(type(optimizer))
        if rule is None:
            raise Alone(f"its optimizer is {type(optimizer).__name__}, not SGD, Adam or AdamW")
        if any(table for name, table in vars(optimizer).items() if name.endswith("_hooks")):
            raise Alone("its optimizer has hooks")
        if "step" in vars(optimizer) and not hasattr(optimizer.step, "_wrapped_by_lr_sched"):
            raise Alone("the step of its optimizer was replaced")
        for group in optimizer.param_groups:
            odd = [name for name in rule.unsupported if group.get(name)]
            if odd or any(isinstance(number, Tensor) for name in rule.names for number in _flat(group[name])):
                raise Alone(f"its optimizer uses {odd[0] if odd else 'tensors for settings'}")
        size = sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())
        if size > largest:
            raise Alone(f"its parameters take {size:,} bytes: beyond {largest:,} one by one is faster")
        architecture = architecture_of(module)
        own = dict(module.named_parameters())
        places = {id(parameter): position for position, parameter in enumerate(own.values())}
        trained, groups = [], []
        for number, group in enumerate(optimizer.param_groups):
            for parameter in group["params"]:
                if id(parameter) not in places:
                    raise Alone("its optimizer has parameters that are not the module's")
                if parameter.requires_grad:
                    trained.append(places[id(parameter)])
                    groups.append(number)
        names = (*own, *(name for name, _ in module.named_buffers()))
        slots = rule.slots(optimizer)
        losses, kinds = zip(*map(_loss_of, learner.losses), strict=True) if learner.losses else ((), ())
        key = (architecture, tuple(trained), tuple(groups), type(optimizer), slots, kinds, learner.outputs)
        return Design(
            key,
            architecture,
            names,
            len(own),
            tuple(trained),
            tuple(groups),
            rule,
            slots,
            losses,
            learner.outputs,
            any(isinstance(part, nn.modules.conv._ConvNd) for part in module.modules()),
        )

    def rows(self, tensors: list[Tensor]) -> list[Tensor]:
        """Examples of a row of each column: tensors, then optimizer state."""
        state = [
            torch.zeros((), device=tensors[position].device) if slot == "step" else tensors[position].detach()
            for position in self.trained
            for slot in self.slots
        ]
        return [*(tensor.detach() for tensor in tensors), *state]


def architecture_of(module: nn.Module) -> Hashable:
    """Classes, layout and settings of a module and its parts, to be compared.

    Raises:
        Alone: some of it cannot be compared or stacked; the message says what.
    """
    seen: dict[int, int] = {}
    parts: list[Hashable] = []
    for path, part in module.named_modules(remove_duplicate=False):
        if isinstance(part, _RANDOM) and part.training:
            raise Alone(f"{path or 'it'} is {type(part).__name__} in training mode")
        if isinstance(part, torch.jit.ScriptModule) or any(part.__dict__[name] for name in HOOKS):
            raise Alone(f"{path or 'it'} is compiled or has hooks")
        layout: list[Any] = [path, type(part)]
        for table in ("_parameters", "_buffers"):
            for name, tensor in part.__dict__[table].items():
                if tensor is None:
                    layout.append((name, None))
                    continue
                if type(tensor) not in (Tensor, nn.Parameter) or tensor._backward_hooks:
                    raise Alone(f"{path}.{name} is a {type(tensor).__name__} of its own kind, or has hooks")
                number = seen.setdefault(id(tensor), len(seen))
                layout.append((name, number, tensor.shape, tensor.dtype, str(tensor.device), tensor.requires_grad))
        for name in sorted(part.__dict__.keys() - PLUMBING):
            layout.append((name, _setting(part.__dict__[name], f"{path}.{name}".lstrip("."))))
        parts.append(tuple(layout))
    return tuple(parts)


def kind_of(inputs: Sequence[Any], targets: Sequence[Any]) -> Kind | None:
    """The kind of a step; None if a value is neither a plain tensor without gradient nor None: it runs by itself."""
    known: list[Any] = []
    for value in (*inputs, *targets):
        if type(value) is Tensor and not value.requires_grad:
            known.append((value.shape, value.dtype))
        elif value is None:
            known.append(None)
        else:
            return None
    return tuple(known[: len(inputs)]), tuple(known[len(inputs) :])


def _setting(value: Any, where: str) -> Hashable:
    """A plain value, to be compared by content; functions and classes are themselves."""
    kind = type(value)
    if value is None or isinstance(value, _PLAIN):
        return kind, repr(value)
    if isinstance(value, list | tuple):
        return kind, tuple(_setting(item, where) for item in value)
    if isinstance(value, dict):
        return kind, tuple((_setting(key, where), _setting(item, where)) for key, item in value.items())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return kind, tuple(_setting(getattr(value, field.name), where) for field in dataclasses.fields(value))
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType | types.ModuleType):
        return value
    raise Alone(f"{where} is a {kind.__name__}: only plain settings can be compared")


def _loss_of(loss: Any) -> tuple[Any, Hashable]:
    """A loss for a stack, and its key: modules without tensors are compared by settings, all others by identity."""
    kind: Hashable = None if loss is None else id(loss)
    if isinstance(loss, nn.Module) and not any(True for _ in chain(loss.parameters(), loss.buffers())):
        with contextlib.suppress(Alone):
            kind, loss = architecture_of(loss), copy.deepcopy(loss)
    return _columnwise(loss) if is_cross_entropy(loss) else loss, kind


def _columnwise(loss: Loss) -> Loss:
    """The same cross entropy with the classes in columns: along rows of few classes it takes many times as long."""

    def turned(output: Tensor, *target: Tensor) -> Tensor:
        ids = class_ids(output, *target)
        if output.dim() == 2 and ids.dim() == 1:
            return loss(output.t().contiguous()[None], ids[None])
        return loss(output, ids)

    return turned


def _flat(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
