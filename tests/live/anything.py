"""Strategies for all that crosses a wire: values, messages of every kind, bodies of frames; and for what is damaged."""

from __future__ import annotations

import types
import typing
from typing import Any

import msgspec
from hypothesis import strategies as st

from unaiverse_lab.core import envelope
from unaiverse_lab.core.envelope import Body
from unaiverse_lab.live import wire
from unaiverse_lab.live.wire import Kind, frame_of

finite = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(max_size=6)
numbers = st.integers(-(2**63), 2**64 - 1)
plain = st.none() | st.booleans() | numbers | finite | st.text(max_size=20) | st.binary(max_size=20)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=8
)
"""All that may stand where nothing says what does."""

MESSAGES: list[type[Body]] = list(typing.get_args(envelope.AnyBody))
BODIES: dict[Kind, type] = {
    Kind.MARKER: wire.Marker, Kind.JOIN: wire.Join, Kind.FACT: wire.Fact, Kind.REFUSAL: wire.Refusal,
    Kind.TURN: wire.Turn, Kind.DELIVERY: wire.Delivery, Kind.GRANT: wire.Grant, Kind.LEAVE: wire.Leave,
}  # fmt: skip


def of(hint: Any) -> st.SearchStrategy[Any]:
    """Whatever fits a type hint."""
    plainly: dict[Any, st.SearchStrategy[Any]] = {
        str: names, int: st.integers(-(2**63), 2**63 - 1), float: finite, bool: st.booleans(), bytes: st.binary(),
        type(None): st.none(), Any: values,
    }  # fmt: skip
    if hint in plainly:
        return plainly[hint]
    origin, given = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(of, given))
    if origin is list:
        return st.lists(of(given[0]), max_size=3)
    if origin is tuple:
        return st.tuples(*map(of, given))
    if origin is dict:
        return st.dictionaries(of(given[0]), of(given[1]), max_size=3)
    assert issubclass(hint, msgspec.Struct), hint
    return made(hint)


def made(cls: type[Any]) -> st.SearchStrategy[Any]:
    """Any instance of a struct."""
    hints = typing.get_type_hints(cls)
    return st.builds(cls, **{name: of(hints[name]) for name in cls.__struct_fields__})


frames = st.sampled_from(list(BODIES)).flatmap(
    lambda kind: st.builds(
        msgspec.structs.replace,
        made(BODIES[kind]).map(lambda body: frame_of(kind, body)),
        n=st.integers(0, 2**63), ack=st.integers(0, 2**63), tick=st.integers(0, 2**63),
        time_ns=st.integers(-(2**63), 2**63 - 1), flags=st.integers(0, 1), id=st.binary(min_size=16, max_size=16),
    )
)  # fmt: skip
messages = st.sampled_from(MESSAGES).flatmap(made)

# ---------------------------------------------------------------------- damage

NASTY = [
    b"\xc1", b"\xc7\x00\xff", b"\xd6\xff\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xcb\x7f\xf8\0\0\0\0\0\0", b"\xcf" + b"\xff" * 8,
    b"\xd3\x80" + b"\0" * 7, b"\x91" * 40, b"\x91" * 1200,
    b"\x81\xa1x" * 20, b"\xc0", b"\x80", b"\x90", b"\xa1\xff", b"\xca\0\0\0\0",
]  # fmt: skip
"""Beginnings of what MessagePack has of too much, too deep, not finite, of other types, or nothing."""

programs = st.binary(min_size=2, max_size=34)
"""How to damage something: :func:`damaged` reads it."""


def damaged(whole: list[bytes], program: bytes) -> bytes:
    """One of these, with bytes changed, inserted, taken out, repeated, cut off: four bytes of the program each."""
    data = bytearray(whole[int.from_bytes(program[:2]) % len(whole)])
    for start in range(2, len(program) - 3, 4):
        deed, high, low, value = program[start : start + 4]
        place = (high << 8 | low) % (len(data) + 1)
        if deed % 6 == 0:
            data[place : place + 1] = bytes([value])
        elif deed % 6 == 1:
            data[place:place] = bytes([value])
        elif deed % 6 == 2:
            del data[place : place + value % 8 + 1]
        elif deed % 6 == 3:
            data[place:place] = data[place : place + value % 32]
        elif deed % 6 == 4:
            data[place : place + value % 3] = NASTY[value % len(NASTY)]
        else:
            del data[place:]
    return bytes(data)
