"""Frozen sessions as files: JSON for what can be read, one file of bytes for tensors and the like. Nothing is pickled.

Reading never runs code from the file: it fills the objects of a session that was built anew, and makes only instances
of classes of this package and of the world's own modules, without calling them. What cannot be written (a function made
inside another one, an open file, a model of some library) is taken from the new session, where it has the same place.
"""

from __future__ import annotations

import enum
import math
import random
import reprlib
import sys
import sysconfig
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import Any

import msgspec

from unaiverse_lab.core.errors import LabError
from unaiverse_lab.runtime.freezing import (
    ARRAY,
    DEQUE,
    DICE,
    DICT,
    LIST,
    METHOD,
    OBJECT,
    RANDOM,
    SET,
    STATEFUL,
    STRUCT,
    TENSOR,
    Entry,
    Frozen,
    Group,
)  # fmt: skip

BUILTINS = {kind.__name__: kind for kind in (object, bool, int, float, complex, str, bytes, list, dict, set, tuple)}
LIBRARY = {f"{kind.__module__}:{kind.__qualname__}": kind for kind in (OrderedDict, defaultdict, Counter)} | {
    f"types:{types.SimpleNamespace.__qualname__}": types.SimpleNamespace
}
MISSING = object()
PACKAGE = __name__.partition(".")[0]
_INSTALLED = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))


class CheckpointError(LabError):
    """A checkpoint cannot be written or read; the message says what stands in the way."""


def name_of(thing: Any) -> str | None:
    """How a class or function of the world's own code, or of this package, is written; None if it is neither."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or "<" in name:
        return None
    if thing is BUILTINS.get(name):
        return f"builtins:{name}"
    full = f"{module}:{name}"
    if thing is LIBRARY.get(full):
        return full
    return full if _is_ours(module) else None


def _is_ours(module: str) -> bool:
    top = module.partition(".")[0]
    if top == PACKAGE or top == "__main__":
        return True
    if top in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is None or not file.startswith(_INSTALLED)


# ---------------------------------------------------------------------- writing


class Writer:
    """Turns a frozen graph into JSON values, and collects the bytes they refer to.

    Args:
        fresh: the session when it was just built, frozen; None: not known. Only what it has too may be something that
            cannot be written.
    """

    def __init__(self, fresh: Frozen | None = None) -> None:
        self._known = None if fresh is None else {id(thing) for thing in fresh.things()}
        self._blobs: list[bytes] = []
        self._length = 0

    @property
    def blobs(self) -> bytes:
        """What :meth:`write` referred to."""
        return b"".join(self._blobs)

    def write(self, frozen: Frozen) -> bytes:
        """The graph as JSON.

        Raises:
            CheckpointError: something can neither be written nor be taken from a session built anew.
        """
        entries = [self._entry(entry) for entry in frozen.entries]
        return msgspec.json.encode({"roots": [self._value(root, None) for root in frozen.roots], "entries": entries})

    def _entry(self, entry: Entry) -> list[Any]:
        kind, state, value = entry.kind, entry.state, entry.live
        head: list[Any] = [kind]
        if kind in (LIST, SET):
            return [*head, [self._value(item, entry) for item in state]]
        if kind == DEQUE:
            return [*head, [self._value(item, entry) for item in state], value.maxlen]
        if kind == DICT:
            return [*head, [[self._value(key, entry), self._value(item, entry)] for key, item in state]]
        if kind == OBJECT:
            _, names, contents = state
            parts = {name: self._value(item, entry, f".{name}") for name, item in zip(names, contents, strict=True)}
            return [*head, self._class(entry), parts, self._content(entry)]
        if kind == STRUCT:
            return [*head, self._class(entry), [self._value(item, entry) for item in state]]
        if kind == STATEFUL:
            return [*head, self._class(entry), self._value(state, entry)]
        if kind == METHOD:
            return [*head, self._value(state, entry), value.__name__]
        if kind == RANDOM:
            return [*head, self._value(state, entry)]
        if kind == TENSOR:
            flat = state.contiguous().reshape(-1)
            content = flat.view(sys.modules["torch"].uint8).numpy().tobytes() if flat.numel() else b""
            is_parameter = isinstance(value, sys.modules["torch"].nn.Parameter)
            return [
                *head, str(state.dtype).removeprefix("torch."), list(state.shape), self._blob(content), is_parameter,
                value.requires_grad,
            ]  # fmt: skip
        if kind == ARRAY:
            if state.dtype.hasobject:
                raise CheckpointError(f"{entry.path()} is an array of objects: use a list")
            return [*head, state.dtype.str, list(state.shape), self._blob(state.tobytes())]
        if kind == DICE:
            return [*head, self._blob(state.numpy().tobytes())]
        raise CheckpointError(f"{entry.path()} cannot be written")

    def _content(self, entry: Entry) -> Any:
        if isinstance(entry.live, dict):
            return [[self._value(key, entry), self._value(item, entry)] for key, item in entry.content]
        if isinstance(entry.live, BaseException):
            return self._value(entry.content, entry)
        return None if entry.content is None else [self._value(item, entry) for item in entry.content]

    def _class(self, entry: Entry) -> str:
        cls = type(entry.live)
        name = name_of(cls)
        if name is None:
            self._must_be_known(entry.live, entry, f"an instance of {cls.__module__}.{cls.__qualname__}")
        return name or f"{cls.__module__}:{cls.__qualname__}"

    def _must_be_known(self, thing: Any, entry: Entry | None, what: str, label: str = "") -> None:
        if self._known is not None and id(thing) not in self._known:
            place = entry.path() if entry is not None else ""
            raise CheckpointError(
                f"{place}{label} is {what}, which no checkpoint can hold: keep plain data there, or objects of classes "
                "and functions defined at the top of a module of the world"
            )

    def _blob(self, content: bytes) -> list[int]:
        place = [self._length, len(content)]
        self._blobs.append(content)
        self._length += len(content)
        return place

    def _value(self, value: Any, entry: Entry | None, label: str = "") -> Any:
        kind = type(value)
        if kind in (str, bool, int, type(None)):
            return value
        if kind is Entry:
            return {"r": value.number}
        if kind is float:
            return value if math.isfinite(value) else {"f": repr(value)}
        if kind is Group or isinstance(value, tuple | frozenset):
            cls: type = value.cls if kind is Group else kind
            parts = value.parts if kind is Group else value
            name = "" if cls is tuple else "frozenset" if cls is frozenset else name_of(cls) or ""
            encoded = [self._value(part, entry, label) for part in parts]
            return {"t": [name, sorted(encoded, key=repr) if name == "frozenset" else encoded]}
        special = self._special(value)
        if special is not None:
            return special
        what = f"{kind.__name__} {reprlib.repr(value):.60}"
        self._must_be_known(value, entry, what, label)
        return {"k": what}

    def _special(self, value: Any) -> Any:
        if isinstance(value, bytes):
            return {"b": self._blob(value)}
        if isinstance(value, enum.Enum):
            name = name_of(type(value))
            return name and {"e": [name, value.name]}
        if isinstance(value, PurePath):
            return {"p": str(value)}
        if isinstance(value, complex):
            return {"c": [value.real, value.imag]}
        if isinstance(value, range):
            return {"range": [value.start, value.stop, value.step]}
        if isinstance(value, type | types.FunctionType):
            name = name_of(value)
            return name and {"n": name}
        torch, numpy, image = (sys.modules.get(name) for name in ("torch", "numpy", "PIL.Image"))
        if torch is not None and isinstance(value, torch.dtype):
            return {"torch": str(value).removeprefix("torch.")}
        if torch is not None and isinstance(value, torch.Size):
            return {"t": ["", list(value)]}
        if numpy is not None and isinstance(value, numpy.generic) and not value.dtype.hasobject:
            return {"number": [value.dtype.str, self._blob(value.tobytes())]}
        if image is not None and isinstance(value, image.Image):
            return {"i": [value.mode, list(value.size), self._blob(value.tobytes())]}
        return None


# ---------------------------------------------------------------------- reading


class Reader:
    """Fills a session that was built anew from what a :class:`Writer` wrote.

    Args:
        written: the JSON.
        blobs: the bytes it refers to.
        fresh: the session's own graph, frozen whole.
        classes: where the world's own classes can be looked up: classes of the modules that define them.

    Raises:
        CheckpointError: something the file refers to is not there.
    """

    def __init__(self, written: bytes, blobs: bytes, fresh: Frozen, classes: Iterable[type]) -> None:
        content = msgspec.json.decode(written)
        self._entries: list[list[Any]] = content["entries"]
        self._blobs = blobs
        self._fresh = fresh
        self._twins: list[Entry | None] = [None] * len(self._entries)
        self._live: list[Any] = [MISSING] * len(self._entries)
        self._parents: list[int] = [-1] * len(self._entries)
        self._names = _Names(classes)
        self._match(content["roots"])
        self._make()

    # -------------------------------------------------------------- which object is which

    def _match(self, roots: list[Any]) -> None:
        waiting: deque[tuple[Any, Any, int]] = deque(zip(roots, self._fresh.roots, [-1] * len(roots), strict=False))
        taken: set[int] = set()
        seen = [False] * len(self._entries)
        while waiting:
            value, twin, parent = waiting.popleft()
            if not isinstance(value, dict):
                continue
            if "t" in value:
                parts = twin.parts if type(twin) is Group else ()
                waiting.extend((one, _at(parts, n), parent) for n, one in enumerate(value["t"][1]))
                continue
            number = value.get("r")
            if number is None:
                continue
            fits = self._twins[number] is None and type(twin) is Entry and id(twin.live) not in taken
            if fits and self._fits(self._entries[number], twin):
                self._twins[number] = twin
                self._live[number] = twin.live
                taken.add(id(twin.live))
            elif seen[number]:
                continue
            if not seen[number]:
                self._parents[number] = parent
            seen[number] = True
            waiting.extend((one, other, number) for one, other in self._pairs(number))

    def _fits(self, entry: list[Any], twin: Entry) -> bool:
        if entry[0] != twin.kind:
            return False
        if twin.kind in (OBJECT, STATEFUL, STRUCT):
            cls = type(twin.live)
            if entry[1] == f"{cls.__module__}:{cls.__qualname__}":
                return True
            wanted = (self._names.find(entry[1], cls) or self._names.find(entry[1])) if twin.kind == OBJECT else None
            return isinstance(wanted, type) and issubclass(wanted, cls) and cls not in LIBRARY.values()
        if twin.kind == ARRAY:
            return bool(entry[1] == twin.live.dtype.str and entry[2] == list(twin.live.shape))
        return twin.kind != METHOD

    def _pairs(self, number: int) -> Iterator[tuple[Any, Any]]:
        """The values in an entry, each with what stands at the same place in the new session."""
        entry, twin = self._entries[number], self._twins[number]
        kind = entry[0]
        if kind in (LIST, DEQUE, SET):
            state = twin.state if twin is not None and kind != SET else ()
            yield from ((value, _at(state, n)) for n, value in enumerate(entry[1]))
        elif kind == DICT:
            yield from self._pairs_of_items(entry[1], twin.state if twin is not None else ())
        elif kind == OBJECT:
            _, names, contents = twin.state if twin is not None else (None, (), ())
            there = dict(zip(names, contents, strict=True))
            yield from ((value, there.get(name, MISSING)) for name, value in entry[2].items())
            if isinstance(entry[3], list):
                pairs = bool(entry[3]) and isinstance(entry[3][0], list)
                content = twin.content if twin is not None and isinstance(twin.content, list) else ()
                if pairs:
                    yield from self._pairs_of_items(entry[3], content)
                else:
                    yield from ((value, _at(content, n)) for n, value in enumerate(entry[3]))
            else:
                yield entry[3], MISSING if twin is None else twin.content
        elif kind == STRUCT:
            yield from ((value, _at(twin.state if twin is not None else (), n)) for n, value in enumerate(entry[2]))
        elif kind == STATEFUL:
            yield entry[2], twin.state if twin is not None else MISSING
        elif kind in (METHOD, RANDOM):
            yield entry[1], twin.state if twin is not None else MISSING

    def _pairs_of_items(self, items: list[Any], state: Any) -> Iterator[tuple[Any, Any]]:
        there = {key: (key, item) for key, item in state if isinstance(key, str | int | None)}
        for key, item in items:
            twin = there.get(key, (MISSING, MISSING)) if isinstance(key, str | int | None) else (MISSING, MISSING)
            yield key, twin[0]
            yield item, twin[1]

    # -------------------------------------------------------------- objects that the new session has not

    def _make(self) -> None:
        for number, entry in enumerate(self._entries):
            if self._live[number] is MISSING and entry[0] != METHOD:
                self._live[number] = self._new(number, entry)
        for number, entry in enumerate(self._entries):
            if entry[0] == METHOD:
                self._live[number] = self._method(number, entry[1], entry[2])

    def _method(self, number: int, owner: Any, name: str) -> Any:
        bound = self._read(owner, MISSING, number)
        written = self._entries[owner["r"]] if isinstance(owner, dict) and "r" in owner else [None]
        cls = self._class(owner["r"], str(written[1])) if written[0] == OBJECT else type(bound)
        found = getattr(cls, name, None)
        if not isinstance(found, types.FunctionType):
            raise CheckpointError(f"{self._place(number)} is the method {name!r} of a {cls.__name__}, which has none")
        return types.MethodType(found, bound)

    def _new(self, number: int, entry: list[Any]) -> Any:
        kind = entry[0]
        if kind in (OBJECT, STATEFUL, STRUCT):
            cls = self._class(number, entry[1])
            if kind == STRUCT:
                return cls(**dict.fromkeys(cls.__struct_fields__))
            return cls.__new__(cls)
        if kind == DEQUE:
            return deque(maxlen=entry[2])
        if kind == TENSOR:
            return self._tensor(entry)
        if kind == ARRAY:
            return self._array(entry)
        if kind == DICE:
            import torch

            return torch.Generator()
        return {LIST: list, DICT: dict, SET: set, RANDOM: random.Random}[kind]()

    def _class(self, number: int, name: str) -> Any:
        near = number
        while near >= 0:
            twin = self._live[near]
            if twin is not MISSING and (found := self._names.find(name, type(twin))) is not None:
                return found
            near = self._parents[near]
        found = self._names.find(name)
        if not isinstance(found, type):
            raise CheckpointError(
                f"{self._place(number)} is an instance of {name}, which this session does not know: was the world "
                "changed since the checkpoint was written?"
            )
        return found

    def _place(self, number: int) -> str:
        parts = []
        while number >= 0:
            parent = self._parents[number]
            if parent >= 0:
                entry, ref = self._entries[parent], {"r": number}
                if entry[0] == OBJECT:
                    parts += [f".{name}" for name, value in entry[2].items() if value == ref][:1]
                elif entry[0] == DICT:
                    parts += [f"[{key!r}]" for key, value in entry[1] if value == ref][:1]
            number = parent
        return "".join(reversed(parts)).lstrip(".") or "the session"

    # -------------------------------------------------------------- contents

    def frozen(self) -> Frozen:
        """The graph as it was written, on the objects of the new session; to be thawed."""
        entries = [
            Entry(live, written[0], number, None, None)
            for number, (live, written) in enumerate(zip(self._live, self._entries, strict=True))
        ]
        for entry, written in zip(entries, self._entries, strict=True):
            self._fill(entry, written)
        return Frozen(entries, [])

    def _fill(self, entry: Entry, written: list[Any]) -> None:
        kind = entry.kind
        values = iter([self._read(value, twin, entry.number) for value, twin in self._pairs(entry.number)])
        if kind in (LIST, DEQUE, SET):
            entry.state = list(values)
        elif kind == DICT:
            entry.state = list(zip(values, values, strict=True))
        elif kind == OBJECT:
            names = list(written[2])
            cls = type(entry.live)
            if f"{cls.__module__}:{cls.__qualname__}" != written[1]:
                cls = self._class(entry.number, written[1])
            entry.state = (cls, names, [next(values) for _ in names])
            rest = list(values)
            if isinstance(entry.live, dict):
                entry.content = list(zip(rest[::2], rest[1::2], strict=True))
            else:
                entry.content = rest[0] if isinstance(entry.live, BaseException) else rest
        elif kind == STRUCT:
            entry.state = list(values)
        elif kind in (STATEFUL, RANDOM):
            entry.state = next(values)
        elif kind == TENSOR:
            entry.state = self._tensor(written).detach()
        elif kind == ARRAY:
            entry.state = self._array(written)
        elif kind == DICE:
            import torch

            entry.state = torch.frombuffer(bytearray(self._blob(written[1])), dtype=torch.uint8)

    def _blob(self, place: list[int]) -> bytes:
        return self._blobs[place[0] : place[0] + place[1]]

    def _tensor(self, written: list[Any]) -> Any:
        import torch

        _, dtype, shape, place, is_parameter, requires_grad = written
        kind = getattr(torch, dtype)
        content = bytearray(self._blob(place))
        flat = torch.frombuffer(content, dtype=kind) if content else torch.empty(0, dtype=kind)
        tensor = flat.reshape(shape)
        if is_parameter:
            return torch.nn.Parameter(tensor, requires_grad)
        return tensor.requires_grad_() if requires_grad else tensor

    def _array(self, written: list[Any]) -> Any:
        import numpy

        return numpy.frombuffer(self._blob(written[3]), dtype=written[1]).reshape(written[2]).copy()

    def _read(self, value: Any, twin: Any, number: int = -1) -> Any:
        if not isinstance(value, dict):
            return value
        (mark, content), *_ = value.items()
        if mark == "r":
            return self._live[content]
        if mark == "t":
            name, parts = content
            twins = twin.parts if type(twin) is Group else twin if isinstance(twin, tuple) else ()
            read = [self._read(part, _at(twins, n), number) for n, part in enumerate(parts)]
            if name in ("", "frozenset"):
                return (frozenset if name else tuple)(read)
            return self._class(number, name)(*read)
        if mark == "k":
            if twin is MISSING or type(twin) in (Entry, Group):
                raise CheckpointError(f"{self._place(number)} holds {content}, which this session has not")
            return twin
        if mark == "n" and isinstance(twin, type | types.FunctionType) and name_of(twin) == content:
            return twin
        return self._special(mark, content, number)

    def _special(self, mark: str, content: Any, number: int) -> Any:
        if mark == "f":
            return float(content)
        if mark == "b":
            return self._blob(content)
        if mark == "e":
            return self._class(number, content[0])[content[1]]
        if mark == "p":
            return Path(content)
        if mark == "c":
            return complex(*content)
        if mark == "range":
            return range(*content)
        if mark == "n":
            return self._class_or_function(number, content)
        if mark == "torch":
            return getattr(sys.modules["torch"], content)
        if mark == "number":
            import numpy

            return numpy.frombuffer(self._blob(content[1]), dtype=content[0])[0]
        if mark == "i":
            from PIL import Image

            return Image.frombytes(content[0], tuple(content[1]), self._blob(content[2]))
        raise CheckpointError(f"{self._place(number)} holds {mark!r}, which this version cannot read")

    def _class_or_function(self, number: int, name: str) -> Any:
        near = number
        while near >= 0:
            found = self._names.find(name, type(self._live[near]))
            if found is not None:
                return found
            near = self._parents[near]
        found = self._names.find(name)
        if found is None:
            raise CheckpointError(f"{self._place(number)} refers to {name}, which this session does not know")
        return found


def _at(sequence: Any, position: int) -> Any:
    return sequence[position] if position < len(sequence) else MISSING


class _Names:
    """Finds classes and functions by name, in the modules that some classes come from.

    The modules of a world folder are not in ``sys.modules``: they are found through the functions that are defined in
    them, and through what these modules imported from each other.
    """

    def __init__(self, classes: Iterable[type]) -> None:
        self._roots = list(classes)
        self._spaces: dict[int, dict[str, dict[str, Any]]] = {}

    def find(self, name: str, near: type | None = None) -> Any:
        """What goes by that name in the modules around a class (None: around any of the known ones)."""
        module, _, path = name.partition(":")
        if module == "builtins":
            return BUILTINS.get(path)
        if name in LIBRARY:
            return LIBRARY[name]
        if not _is_ours(module):
            return None
        for cls in self._roots if near is None else [near]:
            found = _follow(self._around(cls).get(module), path)
            if found is not None:
                return found
        if module.partition(".")[0] in (PACKAGE, "__main__") or near is None:
            return _follow(vars(sys.modules[module]) if module in sys.modules else None, path)
        return None

    def _around(self, cls: type) -> dict[str, dict[str, Any]]:
        known = self._spaces.get(id(cls))
        if known is not None:
            return known
        spaces: dict[str, dict[str, Any]] = {}
        waiting: list[Any] = [cls]
        while waiting:
            thing = waiting.pop()
            module = getattr(thing, "__module__", None)
            if isinstance(thing, types.ModuleType):
                space: dict[str, Any] | None = vars(thing)
            elif not isinstance(module, str) or not _is_ours(module) or module.partition(".")[0] == PACKAGE:
                continue
            else:
                space = _globals_of(thing)
            if space is None:
                continue
            name = space.get("__name__")
            if not isinstance(name, str) or name in spaces or not _is_ours(name) or name.partition(".")[0] == PACKAGE:
                continue
            spaces[name] = space
            waiting += [one for one in space.values() if isinstance(one, type | types.FunctionType | types.ModuleType)]
        self._spaces[id(cls)] = spaces
        return spaces


def _globals_of(thing: Any) -> dict[str, Any] | None:
    if isinstance(thing, types.FunctionType):
        return thing.__globals__
    for member in vars(thing).values():
        function = getattr(member, "fget", None) or getattr(member, "__func__", None) or member
        function = getattr(function, "__wrapped__", function)
        if isinstance(function, types.FunctionType) and function.__module__ == thing.__module__:
            return function.__globals__
    return None


def _follow(space: dict[str, Any] | None, path: str) -> Any:
    if space is None:
        return None
    first, *rest = path.split(".")
    found = space.get(first)
    for name in rest:
        found = getattr(found, name, None)
    return found if isinstance(found, type | types.FunctionType) else None
