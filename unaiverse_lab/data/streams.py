"""Streams: named, typed slots that hold values for each interaction, read once by each reader."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from unaiverse_lab.core.clock import Clock, VirtualClock
from unaiverse_lab.core.errors import StreamError, did_you_mean
from unaiverse_lab.core.interaction import SYSTEM_UUID
from unaiverse_lab.data.props import UNGROUPED, UNNAMED, DataProps

KEPT = 256
MAX_ORPHANS = 10


class Sample(NamedTuple):
    """A value with its tag (its order within the interaction) and the time it was written."""

    value: Any
    tag: int
    timestamp: float


class _Channel:
    """The recent samples of one interaction; ``count`` is how many were ever written, ``read`` whether anybody read."""

    __slots__ = ("count", "read", "samples")

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=KEPT)
        self.count = 0
        self.read = False

    def append(self, sample: Sample) -> None:
        self.samples.append(sample)
        self.count += 1

    def after(self, seen: int) -> list[Sample]:
        fresh = min(self.count - seen, len(self.samples))
        return list(self.samples)[len(self.samples) - fresh :] if fresh > 0 else []


class Stream:
    """One named, typed slot. It holds values per interaction uuid; ``None`` is the generic one.

    Args:
        props: the properties; or give the fields of :class:`~unaiverse_lab.data.props.DataProps` by keyword.

    Each reader (a name) sees each value once; "seen" is a position, never a time, so that nothing written twice in a
    tick is missed. The last 256 values of each interaction are kept.
    """

    text, tensor, img, file = "text", "tensor", "img", "file"

    def __init__(self, props: DataProps | None = None, **fields: Any) -> None:
        self.props = props if props is not None else DataProps(**fields)
        self.clock: Clock = VirtualClock()
        self.written: Callable[[Stream, str | None], None] | None = None
        self.enabled = True
        self.on_request = False
        self._channels: dict[str | None, _Channel] = {}
        self._seen: dict[str, dict[str | None, int]] = {}
        self._interactions: dict[str, Any] = {}

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"Stream({self.props.name!r}, {self.props.data_type!r})"

    @staticmethod
    def create(
        stream: Stream,
        name: str | None = None,
        group: str = UNGROUPED,
        public: bool = False,
        pubsub: bool = True,
    ) -> Stream:
        """Rename and re-flag a stream: ``name@group``, ``<its name>@group`` or ``name``.

        Raises:
            StreamError: neither name nor group.
        """
        if name is None and group == UNGROUPED:
            raise StreamError("give the stream a name, a group, or both")
        base = name if name is not None else stream.props.name
        props = stream.props
        props.name = f"{base}@{group}" if group != UNGROUPED else base
        props.group, props.public, props.pubsub = group, public, pubsub
        if props.tensor_labels == [UNNAMED]:
            props.tensor_labels = [group if group != UNGROUPED else base]
        return stream

    @property
    def name(self) -> str:
        """Name of the stream."""
        return self.props.name

    def get_props(self) -> DataProps:
        """Properties of its data."""
        return self.props

    def is_public(self) -> bool:
        """Declared public?"""
        return self.props.public

    def is_pubsub(self) -> bool:
        """Sent to subscribers?"""
        return self.props.pubsub

    def enable(self) -> None:
        """Accept writes."""
        self.enabled = True

    def disable(self) -> None:
        """Refuse writes that are not forced."""
        self.enabled = False

    # ------------------------------------------------------------------ writing

    def set(self, data: Any, data_tag: int = -1, uuid: str | None = None, force: bool = False) -> Sample | None:
        """Write a value.

        Args:
            data: the value.
            data_tag: its tag; < 0: the number of the tick.
            uuid: the interaction it belongs to.
            force: also when the stream is disabled.

        Returns:
            What was stored; None if the stream is disabled.

        Raises:
            StreamError: the value is not of the declared type.
        """
        if not self.enabled and not force:
            return None
        return self._store(self.props.check(data), data_tag, uuid)

    def _store(self, value: Any, data_tag: int, uuid: str | None) -> Sample:
        """Make a value that fits the current one of its interaction."""
        sample = Sample(value, data_tag if data_tag >= 0 else self.clock.tick, self.clock.now)
        channel = self._channels.get(uuid)
        if channel is None:
            channel = self._channels[uuid] = _Channel()
            self._drop_orphans()
        channel.append(sample)
        if self.written is not None:
            self.written(self, uuid)
        return sample

    def _drop_orphans(self) -> None:
        """Forget old values that belong to no live interaction: beyond 10 that were read, or 256 that were not."""
        if len(self._channels) <= MAX_ORPHANS + len(self._interactions):
            return
        orphans: dict[bool, list[str]] = {True: [], False: []}
        for uuid, channel in self._channels.items():
            if uuid is not None and uuid != SYSTEM_UUID and uuid not in self._interactions:
                orphans[channel.read].append(uuid)
        for uuid in (*orphans[True][:-MAX_ORPHANS], *orphans[False][:-KEPT]):
            self.remove_data(uuid)

    def clear_data(self, uuid: str | None = None) -> None:
        """Forget the values of one interaction, read or not."""
        self.remove_data(uuid)

    def clear_all_data(self) -> None:
        """Forget all values."""
        self._channels.clear()
        self._seen.clear()

    def remove_data(self, uuid: str | None) -> None:
        """Forget one interaction altogether."""
        self._channels.pop(uuid, None)
        for marks in self._seen.values():
            marks.pop(uuid, None)

    # ------------------------------------------------------------------ reading

    def get(self, requested_by: str | None = None, uuid: str | None = None, all_uuids: bool = False) -> Any:
        """The newest value, once per reader.

        Args:
            requested_by: name of the reader; None: always the current value, without marking it read.
            uuid: the interaction.
            all_uuids: every unread sample of every interaction, as a list of ``(value, tag, timestamp)``.

        Returns:
            The value, or None if there is nothing (new).
        """
        if all_uuids:
            return [sample for key in list(self._channels) for sample in self.read(requested_by, key)]
        channel = self._channels.get(uuid)
        if channel is None or not channel.samples:
            return None
        if requested_by is not None:
            seen = self._seen.setdefault(requested_by, {})
            if seen.get(uuid, 0) >= channel.count:
                return None
            seen[uuid] = channel.count
            channel.read = True
        return channel.samples[-1].value

    def read(self, requested_by: str | None, uuid: str | None = None) -> list[Sample]:
        """All the samples of an interaction that the reader has not seen, oldest first."""
        channel = self._channels.get(uuid)
        if channel is None:
            return []
        if requested_by is None:
            return list(channel.samples)
        seen = self._seen.setdefault(requested_by, {})
        fresh = channel.after(seen.get(uuid, 0))
        seen[uuid] = channel.count
        channel.read = True
        return fresh

    def has_unread(self, requested_by: str, uuid: str | None = None) -> bool:
        """Whether the reader has something to read."""
        channel = self._channels.get(uuid)
        return channel is not None and self._seen.get(requested_by, {}).get(uuid, 0) < channel.count

    def last(self, uuid: str | None = None) -> Sample | None:
        """The newest sample of an interaction."""
        channel = self._channels.get(uuid)
        return channel.samples[-1] if channel is not None and channel.samples else None

    def get_tag(self, uuid: str | None = None) -> int | None:
        """Tag of the newest value."""
        sample = self.last(uuid)
        return None if sample is None else sample.tag

    def get_timestamp(self, uuid: str | None = None) -> float | None:
        """Time of the newest value."""
        sample = self.last(uuid)
        return None if sample is None else sample.timestamp

    def get_data_uuids(self) -> list[str | None]:
        """Interactions that have values."""
        return list(self._channels)

    # ------------------------------------------------------------------ interactions

    def add_interaction(self, interaction: Any) -> None:
        """Keep (and, if owned, send) the values of this interaction."""
        self._interactions[interaction.uuid] = interaction

    def remove_interaction(self, interaction: Any) -> None:
        """The interaction is over: its values become orphans."""
        self._interactions.pop(interaction.uuid, None)
        self._drop_orphans()

    def get_interaction(self, uuid: str | None) -> Any:
        """The interaction of that uuid, if it was added."""
        return self._interactions.get(uuid) if uuid is not None else None


class StreamProxy:
    """What ``stdin``, ``stdtar``, ``stdext`` and ``stdout`` are: streams bound in order, and a default interaction.

    Keys are stream names, user hashes (``peer:name``) or positions.
    """

    __slots__ = ("_streams", "enabled", "label", "uuid")

    def __init__(self, label: str) -> None:
        self.label = label
        self.uuid: str | None = SYSTEM_UUID
        self.enabled = True
        self._streams: dict[str, Stream] = {}

    def bind(self, streams: dict[str, Stream], uuid: str | None) -> None:
        """Show these streams, for this interaction."""
        self._streams = streams
        self.uuid = uuid

    @property
    def names(self) -> list[str]:
        """Keys of the bound streams."""
        return list(self._streams)

    def __len__(self) -> int:
        return len(self._streams)

    def __bool__(self) -> bool:
        return bool(self._streams)

    def __contains__(self, key: object) -> bool:
        return key in self._streams or any(stream.name == key for stream in self._streams.values())

    def items(self) -> Iterator[tuple[str, Stream]]:
        """Keys and streams, in order."""
        return iter(self._streams.items())

    def values(self) -> Iterator[Stream]:
        """The streams, in order."""
        return iter(self._streams.values())

    def stream(self, key: str | int) -> Stream:
        """One of the bound streams.

        Raises:
            StreamError: there is no such stream; the message lists those there are.
        """
        if isinstance(key, int):
            if 0 <= key < len(self._streams):
                return list(self._streams.values())[key]
            raise StreamError(f"{self.label} has no stream number {key}: it has {len(self._streams)}")
        if key in self._streams:
            return self._streams[key]
        for stream in self._streams.values():
            if stream.name == key:
                return stream
        names = [stream.name for stream in self._streams.values()]
        raise StreamError(f"{self.label} has no stream {key!r}.{did_you_mean(key, names)}")

    def get(
        self,
        key: str | int | None = None,
        requested_by: str | None = None,
        uuid: str | None = "",
        all_uuids: bool = False,
        data_type: str | None = None,
    ) -> Any:
        """Values of the bound streams.

        Args:
            key: one stream; None: all of them (or those of ``data_type``), as a list with None where nothing is new.
            requested_by: name of the reader; None: current values, not marked read.
            uuid: interaction; default: the bound one.
            all_uuids: every unread sample, as ``(value, tag, timestamp)``; needs ``key`` or ``data_type``.
            data_type: only the streams of this type.

        Returns:
            One value, or a list, or None if nothing at all is new.

        Raises:
            StreamError: unknown key.
        """
        which = self.uuid if uuid == "" else uuid
        if key is not None:
            return self.stream(key).get(requested_by, which, all_uuids)
        streams = [stream for stream in self.values() if data_type is None or stream.props.data_type == data_type]
        if all_uuids:
            return [sample for stream in streams for sample in stream.get(requested_by, which, True)]
        values = [stream.get(requested_by, which) for stream in streams]
        return values if any(value is not None for value in values) else None

    def set(
        self,
        key: str | int | list[Any] | tuple[Any, ...],
        value: Any = None,
        data_tag: int = -1,
        uuid: str | None = "",
        force: bool = False,
    ) -> None:
        """Write to the bound streams: ``set([v0, v1, ...])`` one value each, or ``set(name, value)``.

        Raises:
            StreamError: nothing is bound, unknown key, another number of values, a value of the wrong type.
        """
        if not self._streams:
            raise StreamError(f"{self.label} has no streams to write to")
        if not self.enabled and not force:
            return
        which = self.uuid if uuid == "" else uuid
        if isinstance(key, list | tuple):
            if len(key) != len(self._streams):
                raise StreamError(f"{self.label} has {len(self._streams)} streams, {len(key)} values were given")
            for stream, item in zip(self._streams.values(), key, strict=True):
                stream.set(item, data_tag, which, force)
            return
        self.stream(key).set(value, data_tag, which, force)

    def get_tag(self, key: str | int | None = None, uuid: str | None = "") -> int:
        """Largest tag of the current values; -1 if one of them has none."""
        which = self.uuid if uuid == "" else uuid
        streams = [self.stream(key)] if key is not None else list(self.values())
        tags = [stream.get_tag(which) for stream in streams]
        return max((tag if tag is not None else -1 for tag in tags), default=-1) if None not in tags else -1

    def clear_data(self, uuid: str | None = "") -> None:
        """Forget the values of an interaction."""
        for stream in self.values():
            stream.clear_data(self.uuid if uuid == "" else uuid)

    def clear_all_data(self) -> None:
        """Forget all values."""
        for stream in self.values():
            stream.clear_all_data()

    def enable(self) -> None:
        """Accept writes."""
        self.enabled = True

    def disable(self) -> None:
        """Refuse writes that are not forced."""
        self.enabled = False
