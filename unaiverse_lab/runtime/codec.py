"""Messages as bytes: the typed bodies as MessagePack, the values on streams in their wire form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unaiverse_lab.core.envelope import Body, StreamSample, decode_body, encode_body
from unaiverse_lab.data.values import decode_value, encode_value


def encode(body: Body) -> bytes:
    """The bytes of a message.

    Raises:
        TypeError: it holds something that cannot cross the wire.
        NotSendable: it is too large, too deep or not finite; the message names the limit.
        StreamError: a sample is none of what streams carry.
    """
    return encode_body(_with_values(body, encode_value))


def decode(data: bytes) -> Body:
    """The message in these bytes.

    Raises:
        ValueError: it is not a well-formed message of a known kind, beyond a limit, or a sample in it is damaged.
    """
    return _with_values(decode_body(data), decode_value)


def _with_values(body: Body, convert: Callable[[Any], Any]) -> Body:
    if not isinstance(body, StreamSample):
        return body
    samples = {
        name: [{**sample, "data": convert(sample["data"])} if "data" in sample else sample for sample in given]
        for name, given in body.samples.items()
    }
    return StreamSample(body.group, samples)
