"""Owning streams: what a node publishes, and how samples of it reach those who take part in an interaction."""

from __future__ import annotations

from typing import Any, Protocol

from unaiverse_lab.core.clock import Clock
from unaiverse_lab.core.envelope import Body, StreamRequest, StreamSample
from unaiverse_lab.core.errors import LabError, did_you_mean
from unaiverse_lab.data.sequences import BufferedStream
from unaiverse_lab.data.streams import Stream

PROCESSOR_IN, PROCESSOR_OUT = "processor_in", "processor"
SENDER = "send_stream_samples"
SEQUENCE = "sequence"


class Postbox(Protocol):
    """What an owner needs of its node."""

    peer_id: str
    clock: Clock

    def post(self, target: str, body: Body) -> bool:
        """Send a message; False if there is no such peer."""

    def wake(self) -> None:
        """Give the node a turn at the next tick."""


class Supply:
    """A promise: the next samples of a sequence, one a tick, for one interaction of one agent."""

    __slots__ = ("index", "left", "recipient", "stream", "uuid")

    def __init__(self, stream: BufferedStream, recipient: str, uuid: str, count: int) -> None:
        self.stream = stream
        self.recipient = recipient
        self.uuid = uuid
        self.left = count
        self.index = 0


class StreamOwner:
    """Streams of one node: live ones are sent as they are written, sequences as they are asked for.

    ``owned_streams`` maps name -> stream, in order of addition.
    """

    def __init__(self) -> None:
        self.owned_streams: dict[str, Stream] = {}
        self.outgoing: dict[tuple[str, str | None], Stream] = {}
        self.supplies: list[Supply] = []
        self._postbox: Postbox | None = None

    def _use_postbox(self, postbox: Postbox) -> None:
        self._postbox = postbox
        for stream in self.owned_streams.values():
            stream.clock = postbox.clock

    def own(self, stream: Stream) -> None:
        """Own a stream from now on.

        Raises:
            LabError: another stream has its name.
        """
        if self.owned_streams.get(stream.name, stream) is not stream:
            raise LabError(f"there is a stream {stream.name!r} already: names are unique, use Stream.create to rename")
        self.owned_streams[stream.name] = stream
        if self._postbox is not None:
            stream.clock = self._postbox.clock
        if stream.props.group != PROCESSOR_IN:
            stream.written = self._note_written

    def _note_written(self, stream: Stream, uuid: str | None) -> None:
        self.outgoing[stream.name, uuid] = stream
        if self._postbox is not None:
            self._postbox.wake()

    def published(self) -> list[dict[str, Any]]:
        """Properties of the streams that are no slots of a processor, as profiles list them.

        Sequences are marked, so that others know they have to be asked for.
        """
        return [
            {**stream.props.to_dict(), SEQUENCE: isinstance(stream, BufferedStream)}
            for stream in self.owned_streams.values()
            if stream.props.group not in (PROCESSOR_IN, PROCESSOR_OUT)
        ]

    # ------------------------------------------------------------------ sending

    def has_samples_to_send(self) -> bool:
        """Whether something was written, or a sequence is being supplied."""
        return bool(self.outgoing or self.supplies)

    def supply(self, recipient: str, body: StreamRequest) -> None:
        """Take a request for samples; a new one for the same interaction replaces the old one.

        Raises:
            LabError: there is no such stream.
        """
        self.supplies = [one for one in self.supplies if (one.recipient, one.uuid) != (recipient, body.uuid)]
        for name in body.names:
            stream = self.owned_streams.get(name)
            if stream is None:
                raise LabError(f"{recipient} asked for the stream {name!r}.{did_you_mean(name, self.owned_streams)}")
            if isinstance(stream, BufferedStream) and body.count > 0:
                self.supplies.append(Supply(stream, recipient, body.uuid, body.count))

    def send_samples(self) -> None:
        """Send what was written since the last turn, and the next samples of what was asked for."""
        if self._postbox is None:
            return
        parcels: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
        outgoing, self.outgoing = self.outgoing, {}
        for (_, uuid), stream in outgoing.items():
            interaction = stream.get_interaction(uuid)
            if interaction is None:
                continue
            recipients = interaction.target if interaction.side == "sent" else [interaction.requester]
            for sample in stream.read(SENDER, uuid):
                if sample.value is not None:
                    for recipient in recipients:
                        self._pack(parcels, recipient, stream, sample.value, sample.tag, uuid)
        for supply in self.supplies:
            try:
                sample = supply.stream[supply.index]
            except IndexError:
                supply.left = 0
                continue
            supply.index += 1
            supply.left -= 1
            self._pack(parcels, supply.recipient, supply.stream, sample.value, sample.tag, supply.uuid)
        self.supplies = [supply for supply in self.supplies if supply.left > 0]
        for (recipient, group), samples in parcels.items():
            if not self._postbox.post(recipient, StreamSample(group, samples)):
                self.supplies = [supply for supply in self.supplies if supply.recipient != recipient]

    def _pack(
        self,
        parcels: dict[tuple[str, str], dict[str, list[dict[str, Any]]]],
        recipient: str,
        stream: Stream,
        value: Any,
        tag: int,
        uuid: str | None,
    ) -> None:
        assert self._postbox is not None
        key = (recipient, stream.props.net_hash(self._postbox.peer_id))
        parcel = parcels.setdefault(key, {})
        parcel.setdefault(stream.name, []).append({"data": value, "data_tag": tag, "data_uuid": uuid})
