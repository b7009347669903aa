"""What carries the messages of a session whose world is live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from unaiverse_lab.core.envelope import Body, Envelope
from unaiverse_lab.runtime.codec import encode
from unaiverse_lab.runtime.freezing import CannotFreeze


class Entry(msgspec.Struct):
    """A message on its way; ``logged``: the log has it already, as a part of what a member did."""

    sender: str
    target: str
    body: bytes
    logged: bool = False


class LogTransport:
    """The transport of a session whose world is live: what is posted is delivered when the log has given it back.

    Args:
        members: peer ids that can be reached.
        send_out: called once for each tick with what was posted since the last.
        close_inputs: called then, maybe again when it was interrupted; returns when the log has closed the inputs of
            the tick, with what is to be delivered.
    """

    def __init__(
        self,
        members: set[str],
        send_out: Callable[[list[Entry]], None],
        close_inputs: Callable[[list[Entry]], list[Envelope]],
    ) -> None:
        self.members = members
        self._send_out, self._close_inputs = send_out, close_inputs
        self._entries: list[Entry] = []
        self._taken: list[Entry] | None = None

    def post(self, sender: str, target: str, body: Body | bytes) -> bool:
        """Take a message; False if there is no such target.

        Raises:
            TypeError, StreamError: it holds something that cannot cross the wire.
        """
        if target not in self.members:
            return False
        self._entries.append(Entry(sender, target, body if isinstance(body, bytes) else encode(body)))
        return True

    def relay(self, parcel: Entry) -> None:
        """Take a message that the log has already."""
        if parcel.target in self.members:
            self._entries.append(parcel)

    def deliver(self) -> list[Envelope]:
        """The messages to be taken in at this tick; returns when the log has closed the inputs of the tick."""
        if self._taken is None:
            self._taken, self._entries = self._entries, []
        self._send_out(self._taken)
        envelopes = self._close_inputs(self._taken)
        self._taken = None
        return envelopes

    def __getstate__(self) -> Any:
        raise CannotFreeze("the world is live: it can be noted down after 'await session.demote()'", passing=True)

    def __setstate__(self, state: Any) -> None:
        raise TypeError("a live transport is never put back")

    def reroute(self, takes: Callable[[Envelope], bool]) -> None:
        """Offer all waiting messages to a router; see :class:`~unaiverse_lab.runtime.transport.Transport`."""
        entries, self._entries = self._entries, []
        for entry in entries:
            if not takes(Envelope(entry.sender, entry.target, entry.body)):
                self._entries.append(entry)

    def waiting(self) -> list[Entry]:
        """What was posted and not delivered."""
        return [*(self._taken or ()), *self._entries]

    def __len__(self) -> int:
        return len(self._entries) + len(self._taken or ())
