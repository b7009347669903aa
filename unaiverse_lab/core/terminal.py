"""Text on its way to a terminal."""

from __future__ import annotations

import re
import sys

_STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    """Keep names and messages, which come from anybody, from steering the terminal."""
    return _STEERING.sub("\ufffd", text)


def tell(text: str) -> None:
    """Say something on stderr."""
    print(plain(text), file=sys.stderr, flush=True)
