"""Owning streams: what a node publishes, and how samples of it reach partners in an interaction and subscribers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Generic, TypeVar

from unaiverse_lab.agents.link import Link
from unaiverse_lab.core.envelope import Body, StreamRequest, StreamSample, Subscription, SupplyEnded
from unaiverse_lab.core.errors import LabError, NotInWorld, did_you_mean
from unaiverse_lab.core.faults import fault
from unaiverse_lab.core.interaction import SYSTEM_UUID
from unaiverse_lab.core.ordered import OrderedSet
from unaiverse_lab.data.library import merge_flat_stream_labels
from unaiverse_lab.data.sequences import BufferedStream
from unaiverse_lab.data.streams import Stream

PROCESSOR_IN, PROCESSOR_OUT = "processor_in", "processor"
SENDER = "send_stream_samples"
SEQUENCE = "sequence"

AnyLink = TypeVar("AnyLink", bound=Link)
Handler = Callable[[Any, str, Any], Awaitable[None]]
"""Called with the owner, the sender's peer id and the body."""


class Supply:
    """A promise: the next samples of a sequence, one a tick, for one interaction of one agent."""

    __slots__ = ("index", "left", "recipient", "stream", "uuid")

    def __init__(self, stream: BufferedStream, recipient: str, uuid: str, count: int) -> None:
        self.stream = stream
        self.recipient = recipient
        self.uuid = uuid
        self.left = count
        self.index = 0


class StreamOwner(ABC, Generic[AnyLink]):
    """Streams of one node: live ones are sent as they are written, sequences as they are asked for.

    What is written for an interaction goes to those who take part in it. A live stream with ``pubsub=True`` also goes
    to its subscribers, whatever it is written for: an interaction of theirs, somebody else's, or none.

    ``owned_streams`` maps name -> stream, in order of addition; ``subscribers`` name -> peer ids. With
    ``merge_flat_stream_labels`` the streams that are no slots of a processor have one set of labels together
    (:func:`~unaiverse_lab.data.library.merge_flat_stream_labels`).
    """

    merge_flat_stream_labels = False
    _kind: ClassVar[str]
    """What it is, with its article."""

    def __init__(self) -> None:
        self.owned_streams: dict[str, Stream] = {}
        self.outgoing: dict[tuple[str, str | None], Stream] = {}
        self.supplies: list[Supply] = []
        self.subscribers: dict[str, OrderedSet[str]] = {}
        self.link: AnyLink | None = None

    def attach_to(self, link: AnyLink) -> None:
        """Tie it to the node that hosts it."""
        self.link = link
        for stream in self.owned_streams.values():
            stream.clock = link.clock

    def get_peer_id(self) -> str:
        """Its own peer id.

        Raises:
            NotInWorld: it has no node.
        """
        return self._need_link().peer_id

    def get_peer_ids(self) -> tuple[str, str]:
        """The public and the private peer id, which are the same here."""
        peer_id = self.get_peer_id()
        return peer_id, peer_id

    def _need_link(self) -> AnyLink:
        if self.link is None:
            raise NotInWorld(f"{self._kind} needs a node for this: give it to a Session or a Node")
        return self.link

    @abstractmethod
    def _is_member(self, peer_id: str) -> bool:
        """Whether a peer is in the same world."""

    async def receive(self, sender: str, body: Body) -> None:
        """Take in one message.

        Raises:
            LabError: a message it has no use for, or one its sender may not send.
        """
        handler = self._handlers.get(type(body))
        if handler is None:
            raise LabError(f"{self._kind} has no use for a {type(body).__name__}")
        await handler(self, sender, body)

    def own(self, stream: Stream) -> None:
        """Own a stream from now on.

        Raises:
            LabError: another stream has its name.
        """
        if self.owned_streams.get(stream.name, stream) is not stream:
            raise LabError(f"there is a stream {stream.name!r} already: names are unique, use Stream.create to rename")
        self.owned_streams[stream.name] = stream
        if self.link is not None:
            stream.clock = self.link.clock
        if stream.props.group != PROCESSOR_IN:
            stream.written = self._note_written
        if self.merge_flat_stream_labels:
            merge_flat_stream_labels(self._environment())

    def _environment(self) -> list[Stream]:
        """The streams that are no slots of a processor."""
        slots = (PROCESSOR_IN, PROCESSOR_OUT)
        return [stream for stream in self.owned_streams.values() if stream.props.group not in slots]

    def _note_written(self, stream: Stream, uuid: str | None) -> None:
        self.outgoing[stream.name, uuid] = stream
        if self.link is not None:
            self.link.wake()

    def published(self) -> list[dict[str, Any]]:
        """Properties of the streams that are no slots of a processor, as profiles list them.

        Sequences are marked, so that others know they have to be asked for.
        """
        return [
            {**stream.props.to_dict(), SEQUENCE: isinstance(stream, BufferedStream)} for stream in self._environment()
        ]

    # ------------------------------------------------------------------ sending

    def has_samples_to_send(self) -> bool:
        """Whether something was written, or a sequence is being supplied."""
        return bool(self.outgoing or self.supplies)

    async def _on_stream_request(self, sender: str, body: StreamRequest) -> None:
        """Supply samples from now on; a new request for the same interaction replaces the old one."""
        self._need_member(sender, "ask for streams")
        self.supplies = [one for one in self.supplies if (one.recipient, one.uuid) != (sender, body.uuid)]
        for name in body.names:
            stream = self._asked_for(name, sender)
            if isinstance(stream, BufferedStream) and body.count > 0:
                self.supplies.append(Supply(stream, sender, body.uuid, body.count))

    async def _on_subscription(self, sender: str, body: Subscription) -> None:
        """Let a peer have all samples of some live streams from now on, or no longer."""
        self._need_member(sender, "subscribe to streams")
        for name in body.names:
            if not self._asked_for(name, sender).props.pubsub:
                raise LabError(f"{sender} subscribed to the stream {name!r}, which is not for subscribers (pubsub)")
            if body.wanted and not self.may_subscribe(sender, name):
                raise LabError(f"{sender} may not subscribe to the stream {name!r}")
            listeners = self.subscribers.setdefault(name, OrderedSet())
            listeners.add(sender) if body.wanted else listeners.discard(sender)

    def may_subscribe(self, peer_id: str, name: str) -> bool:
        """Whether a member may follow a live stream of this owner; override it where not everybody may."""
        return True

    def _need_member(self, peer_id: str, what: str) -> None:
        if not self._is_member(peer_id):
            raise LabError(f"{peer_id} is not a member and may not {what}")

    def forget_subscriber(self, peer_id: str) -> None:
        """A peer is gone: nothing is sent to it any more."""
        for listeners in self.subscribers.values():
            listeners.discard(peer_id)

    def _asked_for(self, name: str, peer_id: str) -> Stream:
        stream = self.owned_streams.get(name)
        if stream is None:
            raise LabError(f"{peer_id} asked for the stream {name!r}.{did_you_mean(name, self.owned_streams)}")
        return stream

    def send_samples(self) -> None:
        """Send what was written since the last turn, and the next samples of what was asked for."""
        if self.link is None:
            return
        parcels: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = {}
        outgoing, self.outgoing = self.outgoing, {}
        for (_, uuid), stream in outgoing.items():
            subscribers = self._subscribers_of(stream)
            interaction = stream.get_interaction(uuid)
            if interaction is None and subscribers is None:
                continue
            for sample in stream.read(SENDER, uuid):
                if sample.value is None:
                    continue
                partners = interaction.recipients_of(stream.name) if interaction is not None else []
                for recipient in partners:
                    self._pack(parcels, recipient, stream, sample.value, sample.tag, uuid)
                for recipient in subscribers or ():
                    if recipient not in partners:
                        name = None if uuid == SYSTEM_UUID else uuid
                        self._pack(parcels, recipient, stream, sample.value, sample.tag, name)
        for supply in self.supplies:
            try:
                sample = supply.stream[supply.index]
            except Exception as error:
                self._give_up(supply, error)
                continue
            supply.index += 1
            supply.left -= 1
            self._pack(parcels, supply.recipient, supply.stream, sample.value, sample.tag, supply.uuid)
        self.supplies = [supply for supply in self.supplies if supply.left > 0]
        for (recipient, group), samples in parcels.items():
            if not self.link.post(recipient, StreamSample(group, samples)):
                self.supplies = [supply for supply in self.supplies if supply.recipient != recipient]
                self.forget_subscriber(recipient)

    def _subscribers_of(self, stream: Stream) -> OrderedSet[str] | None:
        """Who gets everything written to a stream; None: it is not for subscribers. Sequences have to be asked for."""
        if not stream.props.pubsub or isinstance(stream, BufferedStream):
            return None
        return self.subscribers.get(stream.name, OrderedSet())

    def _give_up(self, supply: Supply, error: Exception) -> None:
        """A sequence cannot go on; its reader is told, unless it has just come to its end after some samples."""
        supply.left = 0
        ended = isinstance(error, IndexError)
        if ended and supply.index:
            return
        link, name = self._need_link(), supply.stream.name
        if not ended:
            link.record(fault(error, link.clock, link.name))
        reason = str(error) if repr(name) in str(error) else f"stream {name!r}: {type(error).__name__}: {error}"
        link.post(supply.recipient, SupplyEnded(supply.uuid, reason))

    def _pack(
        self,
        parcels: dict[tuple[str, str], dict[str, list[dict[str, Any]]]],
        recipient: str,
        stream: Stream,
        value: Any,
        tag: int,
        uuid: str | None,
    ) -> None:
        key = (recipient, stream.props.net_hash(self._need_link().peer_id))
        parcel = parcels.setdefault(key, {})
        parcel.setdefault(stream.name, []).append({"data": value, "data_tag": tag, "data_uuid": uuid})

    _handlers: ClassVar[dict[type[Body], Handler]] = {
        StreamRequest: _on_stream_request,
        Subscription: _on_subscription,
    }
    """What it does with each kind of message it has a use for."""
