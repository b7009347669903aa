"""What carries messages inside one process, and messages as bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unaiverse_lab.core.envelope import AgentRefusal, Body, Contact, InteractionMessage, StreamSample
from unaiverse_lab.runtime.codec import decode, encode
from unaiverse_lab.runtime.transport import InProcessTransport, body_of

numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(values)
def test_messages_come_out_as_they_went_in(value: Any) -> None:
    for body in (
        Contact({"x": value}), AgentRefusal("no"), InteractionMessage({"a": value}),
        StreamSample("g", {"s": [{"data_tag": 1, "other": value}]}),
    ):  # fmt: skip
        assert decode(encode(body)) == body


@pytest.mark.parametrize("strict", [False, True])
def test_messages_come_in_the_order_of_posting(strict: bool) -> None:
    transport = InProcessTransport(strict)
    transport.members |= {"a", "b"}
    bodies: list[Body] = [AgentRefusal(str(number)) for number in range(20)]
    for number, body in enumerate(bodies):
        assert transport.post("a", "ab"[number % 2], body)
    assert not transport.post("a", "c", bodies[0])
    assert len(transport) == 20
    delivered = transport.deliver()
    assert [body_of(one) for one in delivered] == bodies
    assert all(isinstance(one.body, bytes) for one in delivered) == strict
    assert transport.deliver() == []
    if strict:
        with pytest.raises(TypeError):
            transport.post("a", "b", Contact({"x": object()}))
