"""What a world measures: the declared names, and which values fit them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from unaiverse_lab.core.errors import LabError, did_you_mean

Schema = dict[str, tuple[type, Any]]
WORLD, AGENT, OUTER = "world", "agent", "outer"
KINDS: tuple[type, ...] = (bool, int, float, str, list, dict)
LARGEST = 2**63
DEPTH = 64


class StatsError(LabError, ValueError):
    """A stat is not declared, or a value, a key or a time is not what was declared; the message names the stat."""


class Declared:
    """One name of a schema.

    Attributes:
        name: the name.
        scope: ``"world"``, ``"agent"`` or ``"outer"``.
        dynamic: whether it is a series (else its latest value counts).
        kind: the type of its values.
        core: whether every world has it.
    """

    __slots__ = ("_default", "core", "dynamic", "kind", "name", "scope")

    def __init__(self, name: str, scope: str, dynamic: bool, entry: Any, core: bool) -> None:
        if not (isinstance(entry, tuple | list) and len(entry) == 2 and entry[0] in KINDS):
            kinds = ", ".join(kind.__name__ for kind in KINDS)
            raise StatsError(
                f"the stat {name!r} is declared as {entry!r}: give (type, default), the type one of {kinds}"
            )
        self.name = name
        self.scope = scope
        self.dynamic = dynamic
        self.core = core
        self.kind: type = entry[0]
        self._default = None
        self._default = None if entry[1] is None else self.take(entry[1])

    @property
    def grouped(self) -> bool:
        """Whether there is one for each key (AGENT and OUTER names)."""
        return self.scope != WORLD

    @property
    def default(self) -> Any:
        """What a reader sees before anything was stored; a copy."""
        return copy.deepcopy(self._default) if self.kind in (list, dict) else self._default

    def take(self, value: Any) -> Any:
        """A value as it is stored: plain data of the declared type, nothing of it shared with what was given.

        Raises:
            StatsError: it does not fit.
        """
        kind = self.kind
        if type(value) is not kind:
            return self._fitted(value)
        if kind is bool or (kind is float and isfinite(value)):  # type: ignore[arg-type]
            return value
        try:
            return plain(value)
        except ValueError as error:
            raise self._unfit(value, str(error)) from None

    def _fitted(self, value: Any) -> Any:
        kind = self.kind
        if value is None:
            if self._default is None:
                return None
            raise self._unfit(value, "None, which only a stat may be whose default is None")
        value = number_of(value)
        is_bool = isinstance(value, bool)
        if kind is float and isinstance(value, int | float) and not is_bool:
            try:
                return self.take(float(value))
            except OverflowError:
                raise self._unfit(value, "too large") from None
        fits = (
            is_bool if kind is bool
            else isinstance(value, int) and not is_bool if kind is int
            else isinstance(value, list | tuple | set | frozenset) if kind is list
            else isinstance(value, kind)
        )  # fmt: skip
        if not fits:
            raise self._unfit(value, f"a {type(value).__name__}")
        try:
            return plain(value)
        except ValueError as error:
            raise self._unfit(value, str(error)) from None

    def _unfit(self, value: Any, what: str) -> StatsError:
        try:
            shown = f"{value!r:.60}"
        except Exception:
            shown = "the value"
        return StatsError(f"the stat {self.name!r} is a {self.kind.__name__}, and {shown} is {what}")


def number_of(value: Any) -> Any:
    """A tensor or an array without dimensions, or a scalar of numpy, as its number; anything else as it is."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    return value


def plain(value: Any, depth: int = 0) -> Any:
    """A copy of a value that JSON can hold: numbers, text, lists, mappings with text as keys. Sets become sorted lists.

    Raises:
        ValueError: JSON cannot hold it; the message is what it is: ``"a value that holds ..."``.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        text = str.__str__(value)
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise ValueError("text with half a character in it") from None
        return text
    value = number_of(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -LARGEST <= value < LARGEST:
            raise ValueError("a whole number beyond 64 bits")
        return int(value)
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError("a value that holds no finite number" if depth else "no finite number")
        return float(value)
    if depth > DEPTH:
        raise ValueError(f"nested more than {DEPTH} deep")
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, set | frozenset):
        items = [plain(item, depth + 1) for item in value]
        try:
            return sorted(items)
        except TypeError:
            return sorted(items, key=repr)
    if isinstance(value, dict):
        copied = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"a mapping with the key {key!r:.40}: keys are text")
            copied[plain(key)] = plain(item, depth + 1)
        return copied
    raise ValueError(f"something JSON cannot hold: a {type(value).__name__}")


def declarations(schemas: Mapping[str, Mapping[Any, Any]]) -> Iterator[Declared]:
    """What the schemas declare.

    Args:
        schemas: name of the schema (``CORE_WORLD_STATS_STATIC_SCHEMA``, ...) -> the schema.

    Raises:
        StatsError: a name is declared twice, or an entry is not ``(type, default)`` with a default of that type.
    """
    found: dict[str, str] = {}
    for title, schema in schemas.items():
        words = title.lower().split("_")
        for name, entry in schema.items():
            if name in found:
                raise StatsError(f"the stat {name!r} is declared twice: in {found[name]} and in {title}")
            if not isinstance(name, str) or not name:
                raise StatsError(f"{title} declares {name!r}: the name of a stat is text")
            found[name] = title
            yield Declared(name, words[1], words[3] == "dynamic", entry, words[0] == "core")


def declared_in(known: Mapping[str, Declared], name: Any) -> Declared:
    """The declaration of a name.

    Raises:
        StatsError: there is none; the message gives the nearest names.
    """
    found = known.get(name) if isinstance(name, str) else None
    if found is None:
        hint = did_you_mean(name, known) if isinstance(name, str) else ""
        raise StatsError(f"the stat {name!r:.80} is not declared.{hint}")
    return found


def milliseconds(name: str, timestamp: Any, latest: float | None) -> int:
    """A time as it is stored.

    Args:
        name: of the stat.
        timestamp: milliseconds of the session's clock, a whole number.
        latest: the latest time there can be; None: unknown.

    Raises:
        StatsError: no such number, negative, or in the future.
    """
    if type(timestamp) is not int:
        given, timestamp = timestamp, number_of(timestamp)
        if isinstance(timestamp, float) and timestamp.is_integer():
            timestamp = int(timestamp)
        if isinstance(timestamp, bool) or not isinstance(timestamp, int):
            raise StatsError(f"the time of the stat {name!r} is in whole milliseconds, not {given!r:.60}")
    if timestamp < 0:
        raise StatsError(f"the stat {name!r} has the time {timestamp} ms, before the beginning")
    if latest is not None and timestamp > latest:
        raise StatsError(f"the stat {name!r} has the time {timestamp} ms, in the future: it is {latest:.0f} ms at most")
    return timestamp
