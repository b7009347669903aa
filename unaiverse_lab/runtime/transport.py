"""Carrying messages between nodes. In one kernel: queues, delivered at the next tick in a total order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from unaiverse_lab.core.envelope import Body, Envelope
from unaiverse_lab.runtime.codec import decode, encode


class Transport(Protocol):
    """What carries messages. The order of delivery is the order of posting, for all nodes together.

    ``members`` has the peer ids that can be reached; its length is how many messages wait for the next tick.
    """

    members: set[str]

    def post(self, sender: str, target: str, body: Body | bytes) -> bool:
        """Take a message; False if there is no such target."""

    def deliver(self) -> list[Envelope]:
        """The messages to be taken in at this tick, in order."""

    def reroute(self, takes: Callable[[Envelope], bool]) -> None:
        """Offer all waiting messages to a router; those that it takes are waiting no more, and what it posts is."""

    def __len__(self) -> int: ...


class InProcessTransport:
    """Hands messages over inside one process; opens no thread, task, socket or file.

    Args:
        strict: encode and decode every message, so that nothing that cannot cross a wire works here either.
    """

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict
        self.members: set[str] = set()
        self._queue: list[Envelope] = []

    def post(self, sender: str, target: str, body: Body | bytes) -> bool:
        """Queue a message for the next tick; False if there is no such target."""
        if target not in self.members:
            return False
        if self.strict and not isinstance(body, bytes):
            body = encode(body)
        self._queue.append(Envelope(sender, target, body))
        return True

    def deliver(self) -> list[Envelope]:
        """The messages posted since the last call, in order."""
        queue, self._queue = self._queue, []
        return queue

    def reroute(self, takes: Callable[[Envelope], bool]) -> None:
        """Offer all waiting messages to a router; see :class:`Transport`."""
        queue, self._queue = self._queue, []
        for envelope in queue:
            if not takes(envelope):
                self._queue.append(envelope)

    def __len__(self) -> int:
        return len(self._queue)


def body_of(envelope: Envelope) -> Body:
    """The decoded body of an envelope.

    Raises:
        ValueError: it does not parse.
    """
    body = envelope.body
    if isinstance(body, bytes):
        return decode(body)
    if not isinstance(body, Body):
        raise ValueError(f"{body!r:.80} is not a message")
    return body
