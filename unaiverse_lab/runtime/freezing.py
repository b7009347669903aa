"""Freezing the state of a graph of Python objects, and putting it back into the very same objects.

:func:`freeze` notes the contents of everything that can be reached; :meth:`Frozen.thaw` writes these contents back in
place, so that whoever holds one of the objects sees it as it was. Snapshots of a session are made of it: kept in memory
they are the way back in time, written to disk they are checkpoints.

Contents follow the protocol of :mod:`copy`: ``__dict__`` and ``__slots__``, or what ``__getstate__`` gives. What has no
contents of its own stays as it is: functions, classes, modules, files, locks.
"""

from __future__ import annotations

import enum
import functools
import io
import logging
import operator
import random
import reprlib
import sys
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from threading import Lock, RLock
from typing import Any

import msgspec

from unaiverse_lab.core.errors import LabError
from unaiverse_lab.data.streams import Sample

ATOM, TUPLE, REFUSED = "atom", "tuple", "refused"
LIST, DICT, SET, DEQUE, OBJECT, STATEFUL, STRUCT = "list", "dict", "set", "deque", "object", "stateful", "struct"
RANDOM, METHOD, TENSOR, ARRAY, DICE, CELL = "random", "method", "tensor", "array", "dice", "cell"

PLAIN: tuple[type, ...] = (type(None), bool, int, float, complex, str, bytes)
UNCHANGING = (
    *PLAIN, type, range, slice, date, timedelta, tzinfo, Decimal, Fraction, PurePath, enum.Enum,
    types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType,
    types.MethodWrapperType, types.ClassMethodDescriptorType, types.ModuleType, types.GenericAlias, types.UnionType,
    types.MappingProxyType, functools.partial, operator.itemgetter, operator.attrgetter, operator.methodcaller,
    type(Ellipsis), type(NotImplemented), weakref.ref, logging.Logger, io.IOBase, type(Lock()), type(RLock()),
)  # fmt: skip
CONTAINERS: dict[type, str] = {
    list: LIST, dict: DICT, set: SET, deque: DEQUE, tuple: TUPLE, random.Random: RANDOM, types.MethodType: METHOD,
    types.CellType: CELL,
}  # fmt: skip
OBJECT_STATE = getattr(object, "__getstate__")  # noqa: B009
UNDER_WAY = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)


class CannotFreeze(LabError):
    """Something has contents that cannot be noted down; the message says where it is.

    Attributes:
        passing: whether that is so for the moment only: a computation is under way.
    """

    def __init__(self, problem: str, passing: bool = False) -> None:
        super().__init__(problem)
        self.passing = passing


class Entry:
    """One object and its contents.

    Attributes:
        live: the object itself.
        kind: how its contents are noted.
        state: its contents, in which entries stand for the objects they are of.
        content: of subclasses of list, dict and the like: their items.
        parent, label: where it was found first: in another entry, as ``".attribute"`` or ``(key or position,)``.
    """

    __slots__ = ("content", "kind", "label", "live", "number", "parent", "state")

    def __init__(self, live: Any, kind: str, number: int, parent: Entry | None, label: Any) -> None:
        self.live = live
        self.kind = kind
        self.number = number
        self.parent = parent
        self.label = label
        self.state: Any = None
        self.content: Any = None

    def path(self) -> str:
        """Where it is, for people."""
        parts: list[str] = []
        entry: Entry | None = self
        while entry is not None and entry.label is not None:
            parts.append(entry.label if isinstance(entry.label, str) else f"[{reprlib.repr(entry.label[0])}]")
            entry = entry.parent
        return "".join(reversed(parts)).lstrip(".")


class Group:
    """A tuple that holds entries."""

    __slots__ = ("cls", "parts")

    def __init__(self, cls: type, parts: list[Any]) -> None:
        self.cls = cls
        self.parts = parts


class Frozen:
    """The contents of a graph of objects at one moment.

    ``copied`` is how many bytes of tensors and arrays had to be copied for it.
    """

    __slots__ = ("copied", "entries", "roots")

    def __init__(self, entries: list[Entry], roots: list[Any], copied: int = 0) -> None:
        self.entries = entries
        self.roots = roots
        self.copied = copied

    def things(self) -> Iterator[Any]:
        """The objects, and the values in them that have no contents of their own."""
        for entry in self.entries:
            yield entry.live
            waiting = [entry.state, entry.content]
            while waiting:
                value = waiting.pop()
                if type(value) is Group:
                    waiting += value.parts
                elif isinstance(value, list | tuple):
                    waiting += value
                elif type(value) is not Entry:
                    yield value

    def thaw(self) -> None:
        """Write the contents back into the objects. It can be done any number of times."""
        for entry in self.entries:
            if entry.kind != STATEFUL:
                WRITERS[entry.kind](entry)
        for entry in reversed(self.entries):
            if entry.kind == STATEFUL:
                entry.live.__setstate__(live(entry.state))


def freeze(
    roots: Iterable[Any],
    outside: tuple[type, ...] = (),
    whole: bool = False,
    like: Frozen | None = None,
) -> Frozen:
    """Note the contents of everything that can be reached from some objects.

    Args:
        roots: where to start.
        outside: classes whose instances are left as they are.
        whole: also note what never changes once it is made: samples of streams, pictures, and the attributes that a
            class names in ``_constant_fields``. Needed for what another process has to read.
        like: an earlier state of the same graph; tensors and arrays that are still the same share its copies.

    Raises:
        CannotFreeze: something has contents that cannot be noted down.
    """
    return _Freezer(outside, whole, like).freeze(roots)


class _Freezer:
    def __init__(self, outside: tuple[type, ...], whole: bool, like: Frozen | None) -> None:
        self._kinds: dict[type, str] = dict.fromkeys(PLAIN, ATOM) | CONTAINERS
        self._outside = UNCHANGING + outside
        self._whole = whole
        self._entries: list[Entry] = []
        self._known: dict[int, Entry] = {}
        before = () if like is None else like.entries
        self._copies = {id(entry.live): entry.state for entry in before if entry.kind in (TENSOR, ARRAY)}
        self._copied = 0
        self._fields: dict[type, tuple[str, ...]] = {}
        self._skipped: dict[type, frozenset[str]] = {}

    def freeze(self, roots: Iterable[Any]) -> Frozen:
        frozen = [self._note(root, None, None) for root in roots]
        done = 0
        while done < len(self._entries):
            entry = self._entries[done]
            done += 1
            self._fill(entry)
        return Frozen(self._entries, frozen, self._copied)

    def _note(self, value: Any, parent: Entry | None, label: Any) -> Any:
        kind = self._kinds.get(type(value))
        if kind is None:
            kind = self._kinds[type(value)] = self._kind_of(value)
        if kind == ATOM:
            return value
        if kind == TUPLE:
            parts = [self._note(part, parent, label) for part in value]
            if all(part is old for part, old in zip(parts, value, strict=True)):
                return value
            return Group(type(value), parts)
        known = self._known.get(id(value))
        if known is not None:
            return known
        entry = Entry(value, kind, len(self._entries), parent, label)
        if kind == REFUSED:
            passing = isinstance(value, UNDER_WAY)
            why = "it is under way" if passing else "its contents cannot be read"
            raise CannotFreeze(f"{entry.path()} is a {type(value).__name__}: {why}", passing)
        self._known[id(value)] = entry
        self._entries.append(entry)
        return entry

    def _kind_of(self, value: Any) -> str:
        cls = type(value)
        if isinstance(value, Sample) and not self._whole:
            return ATOM
        if isinstance(value, self._outside) or cls.__module__ == "typing":
            return ATOM
        if isinstance(value, tuple | frozenset):
            return TUPLE
        foreign = _kind_of_foreign(value)
        if foreign is not None:
            return foreign
        if isinstance(value, msgspec.Struct):
            return STRUCT
        if getattr(cls, "__getstate__") is not OBJECT_STATE:  # noqa: B009 (mypy takes it for the instance's)
            return STATEFUL if hasattr(cls, "__setstate__") else OBJECT
        if isinstance(value, dict | list | set | deque):
            return OBJECT
        if isinstance(value, BaseException) or _is_plain_class(cls):
            return OBJECT
        return REFUSED

    # ------------------------------------------------------------------ contents

    def _fill(self, entry: Entry) -> None:
        kind, value, note = entry.kind, entry.live, self._note
        if kind == DICT:
            entry.state = [(note(key, entry, (key,)), note(item, entry, (key,))) for key, item in value.items()]
        elif kind == OBJECT:
            self._fill_object(entry)
        elif kind in (LIST, SET, DEQUE):
            entry.state = [note(item, entry, (number,)) for number, item in enumerate(value)]
        elif kind == STATEFUL:
            entry.state = note(value.__getstate__(), entry, "")
        elif kind == STRUCT:
            entry.state = [note(getattr(value, name), entry, f".{name}") for name in value.__struct_fields__]
        elif kind == METHOD:
            entry.state = note(value.__self__, entry, ".__self__")
        elif kind == RANDOM:
            entry.state = value.getstate()
        elif kind == CELL:
            entry.state = note(value.cell_contents, entry, ".cell_contents")
        elif kind == TENSOR:
            entry.state = self._copy_of(value, value.detach().clone, sys.modules["torch"].equal)
        elif kind == ARRAY:
            entry.state = self._copy_of(value, value.copy, sys.modules["numpy"].array_equal)
        elif kind == DICE:
            entry.state = value.get_state()

    def _copy_of(self, value: Any, copy: Callable[[], Any], equal: Callable[[Any, Any], bool]) -> Any:
        known = self._copies.get(id(value))
        if known is not None and known.dtype == value.dtype and known.shape == value.shape and equal(known, value):
            return known
        self._copied += value.nbytes
        return copy()

    def _fill_object(self, entry: Entry) -> None:
        value = entry.live
        cls = type(value)
        fields = self._fields.get(cls)
        if fields is None:
            fields = self._fields[cls] = tuple(slots_of(cls))
            constant = () if self._whole else getattr(cls, "_constant_fields", ())
            self._skipped[cls] = frozenset((*getattr(cls, "_fleeting_fields", ()), *constant))
        skipped = self._skipped[cls]
        note = self._note
        names: list[str] = []
        contents: list[Any] = []
        for name, item in getattr(value, "__dict__", {}).items():
            if name not in skipped:
                names.append(name)
                contents.append(note(item, entry, f".{name}"))
        for name in fields:
            if name not in skipped and hasattr(value, name):
                names.append(name)
                contents.append(note(getattr(value, name), entry, f".{name}"))
        entry.state = (cls, names, contents)
        if isinstance(value, dict):
            entry.content = [(note(key, entry, (key,)), note(item, entry, (key,))) for key, item in value.items()]
        elif isinstance(value, list | set | deque):
            entry.content = [note(item, entry, (number,)) for number, item in enumerate(value)]
        elif isinstance(value, BaseException):
            entry.content = note(value.args, entry, ".args")


def _kind_of_foreign(value: Any) -> str | None:
    """Kinds of the libraries that worlds may use, none of which is imported for it."""
    torch, numpy, image = (sys.modules.get(name) for name in ("torch", "numpy", "PIL.Image"))
    if torch is not None:
        if isinstance(value, torch.Tensor):
            return TENSOR
        if isinstance(value, torch.Generator):
            return DICE
        if isinstance(value, torch.dtype | torch.device | torch.Size | torch.layout | torch.memory_format):
            return ATOM
    if numpy is not None:
        if isinstance(value, numpy.ndarray):
            return ARRAY
        if isinstance(value, numpy.generic | numpy.dtype):
            return ATOM
    if image is not None and isinstance(value, image.Image):
        return ATOM
    return None


def _is_plain_class(cls: type) -> bool:
    """Whether all there is to an instance are attributes set by Python code."""
    layout = next(base for base in cls.__mro__ if not base.__flags__ & (1 << 9))  # the first that is no heap type
    return layout is object


def slots_of(cls: type) -> Iterator[str]:
    """Names of the attributes that instances keep in slots."""
    for base in cls.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                mangled = name.startswith("__") and not name.endswith("__")
                yield f"_{base.__name__.lstrip('_')}{name}" if mangled else name


def live(value: Any) -> Any:
    """What stands for a value in the contents of an entry, as the value itself."""
    if type(value) is Entry:
        return value.live
    if type(value) is Group:
        parts = [live(part) for part in value.parts]
        return value.cls(*parts) if hasattr(value.cls, "_fields") else value.cls(parts)
    return value


# ---------------------------------------------------------------------- writing contents back


def _write_list(entry: Entry) -> None:
    entry.live[:] = [live(item) for item in entry.state]


def _write_dict(entry: Entry) -> None:
    entry.live.clear()
    entry.live.update([(live(key), live(item)) for key, item in entry.state])


def _write_set(entry: Entry) -> None:
    entry.live.clear()
    entry.live.update([live(item) for item in entry.state])


def _write_deque(entry: Entry) -> None:
    entry.live.clear()
    entry.live.extend([live(item) for item in entry.state])


def _write_object(entry: Entry) -> None:
    value = entry.live
    cls, names, contents = entry.state
    if type(value) is not cls:
        value.__class__ = cls
    kept = (*getattr(cls, "_fleeting_fields", ()), *getattr(cls, "_constant_fields", ()))
    present = getattr(value, "__dict__", {})
    for name in [name for name in present if name not in kept]:
        del present[name]
    for name in slots_of(cls):
        if name not in kept and name not in names and hasattr(value, name):
            object.__delattr__(value, name)
    for name, item in zip(names, contents, strict=True):
        object.__setattr__(value, name, live(item))
    if isinstance(value, dict):
        dict.clear(value)
        dict.update(value, [(live(key), live(item)) for key, item in entry.content])
    elif isinstance(value, list):
        list.__setitem__(value, slice(None), [live(item) for item in entry.content])
    elif isinstance(value, set | deque):
        value.clear()
        (value.update if isinstance(value, set) else value.extend)([live(item) for item in entry.content])
    elif isinstance(value, BaseException):
        value.args = live(entry.content)


def _write_struct(entry: Entry) -> None:
    for name, item in zip(entry.live.__struct_fields__, entry.state, strict=True):
        msgspec.structs.force_setattr(entry.live, name, live(item))


def _write_random(entry: Entry) -> None:
    entry.live.setstate(entry.state)


def _write_cell(entry: Entry) -> None:
    entry.live.cell_contents = live(entry.state)


def _write_tensor(entry: Entry) -> None:
    entry.live.data = entry.state.clone()
    entry.live.grad = None


def _write_array(entry: Entry) -> None:
    entry.live[...] = entry.state


def _write_dice(entry: Entry) -> None:
    entry.live.set_state(entry.state)


def _write_nothing(entry: Entry) -> None:
    """A bound method is what it is."""


WRITERS: dict[str, Callable[[Entry], None]] = {
    LIST: _write_list,
    DICT: _write_dict,
    SET: _write_set,
    DEQUE: _write_deque,
    OBJECT: _write_object,
    STRUCT: _write_struct,
    RANDOM: _write_random,
    METHOD: _write_nothing,
    CELL: _write_cell,
    TENSOR: _write_tensor,
    ARRAY: _write_array,
    DICE: _write_dice,
}
