"""How large and how deep the content of a message may be, wherever nothing else says what it consists of."""

from __future__ import annotations

from datetime import datetime
from math import isfinite
from typing import Any

import msgspec

from unaiverse_lab.core.errors import LabError

DEPTH = 16
"""Lists and mappings inside each other."""

ENTRIES = 4096
"""Entries of one list or mapping."""

TEXT = 1 << 20
"""Bytes of one text."""

MAX_MESSAGE = 64 << 20
"""Bytes of one message."""

_SURELY_SHORT = TEXT // 4
_FREE = frozenset((str, int, bool, type(None), bytes))


class NotSendable(LabError, ValueError):
    """A message has content that none may have: too deep, too long, not finite, of a type that cannot cross.

    Attributes:
        problem: what is wrong, without the place.
        place: the names and positions that lead to it, innermost first.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.place: list[object] = []

    def __str__(self) -> str:
        shown = [f"{one}"[:60] for one in reversed(self.place)]
        return ": ".join(part for part in (".".join(shown), self.problem) if part)


def check_content(value: Any, name: str, length: int, depth: int = DEPTH, entries: int = ENTRIES) -> None:
    """Refuse what no message may have in it. Of an object that msgspec can write, it looks at what is written.

    Args:
        value: what is to be sent, or what came.
        name: what it is called in the error.
        length: bytes of the message in which it is, or more.
        depth: how many lists and mappings may be inside each other.
        entries: how many entries each of them may have.

    Raises:
        NotSendable: it is beyond a limit, which the message names.
        TypeError: it holds something that cannot cross a wire.
    """
    if length <= ENTRIES and _is_plain(value, depth):
        return
    try:
        _look_at(value, depth, entries)
    except NotSendable as error:
        error.place.append(name)
        raise


def _is_plain(value: Any, left: int) -> bool:
    """Whether there is nothing to refuse in it, apart from lengths."""
    kind = type(value)
    if kind is dict:
        for key, one in value.items():
            if type(key) is not str or (type(one) not in _FREE and not _is_plain(one, left - 1)):
                return False
        return left > 0
    if kind is list:
        for one in value:
            if type(one) not in _FREE and not _is_plain(one, left - 1):
                return False
        return left > 0
    return kind in _FREE or (kind is float and isfinite(value))


def _look_at(value: Any, left: int, entries: int) -> None:
    kind = type(value)
    if kind is str:
        check_text(value)
    elif kind in _FREE:
        return
    elif kind is dict:
        check_size(len(value), left, entries, "mapping")
        for key, one in value.items():
            try:
                _look_at(key, left - 1, entries)
                _look_at(one, left - 1, entries)
            except NotSendable as error:
                error.place.append(key)
                raise
    elif kind is list or isinstance(value, list | tuple | set | frozenset):
        check_size(len(value), left, entries, "list")
        for position, one in enumerate(value):
            try:
                _look_at(one, left - 1, entries)
            except NotSendable as error:
                error.place.append(position)
                raise
    elif kind is float:
        if not isfinite(value):
            raise NotSendable(f"{value} is no finite number, and only samples of streams may hold such")
    elif isinstance(value, msgspec.msgpack.Ext | datetime):
        raise NotSendable(f"a {kind.__name__} does not travel: give it as a text or as seconds")
    elif isinstance(value, str):
        check_text(value)
    elif isinstance(value, float):
        _look_at(float(value), left, entries)
    elif isinstance(value, dict):
        _look_at(dict(value), left, entries)
    elif not isinstance(value, int | bytearray | memoryview):
        _look_at(msgspec.to_builtins(value), left, entries)


def check_size(count: int, left: int, entries: int, what: str) -> None:
    """Refuse a list or mapping that is too deep inside others (``left``: how many more may be) or too long.

    Raises:
        NotSendable: it is.
    """
    if left <= 0:
        raise NotSendable(f"lists and mappings are more than {DEPTH} deep inside each other")
    if count > entries:
        raise NotSendable(
            f"a {what} of {count} entries, and {entries} is the most; large data travels as a tensor or as a file"
        )


def check_text(value: str) -> None:
    """Refuse a text that is too long.

    Raises:
        NotSendable: it is.
    """
    if len(value) > _SURELY_SHORT and (count := len(value.encode(errors="surrogatepass"))) > TEXT:
        raise NotSendable(f"a text of {count} bytes, and {TEXT} is the most; a longer one travels as a file")
