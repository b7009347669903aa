"""Sequences: streams whose samples are recorded, given in advance or computed from their index."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from unaiverse_lab.core.errors import StreamError
from unaiverse_lab.data.props import DataProps
from unaiverse_lab.data.streams import Sample, Stream


class BufferedStream(Stream):
    """A stream with an index: ``stream[i]`` is its sample number ``i``.

    Three uses: a recorder (each :meth:`set` appends), a fixed sequence (recorded and then read-only), and a generator
    (a subclass that overrides :meth:`sample`, :attr:`length` and :attr:`circular`).

    Each interaction reads it with a cursor of its own, one sample at a time (:meth:`advance`), from the beginning.

    Args:
        props, fields: as for :class:`~unaiverse_lab.data.streams.Stream`.
        is_static: one sample, always the same, with growing tags.
    """

    def __init__(self, props: DataProps | None = None, is_static: bool = False, **fields: Any) -> None:
        super().__init__(props, **fields)
        self.is_static = is_static
        self.is_read_only = False
        self._buffer: list[Sample] = []
        self._order: list[int] | None = None
        self._cursors: dict[str | None, int] = {}

    # ------------------------------------------------------------------ what a generator overrides

    @property
    def length(self) -> int | None:
        """Number of samples; None: endless."""
        return None if self.is_static else len(self._buffer)

    @property
    def circular(self) -> bool:
        """Whether it starts over at its end."""
        return False

    def sample(self, index: int) -> Any:
        """Value number ``index``, ``0 <= index < length``."""
        return self._buffer[0 if self.is_static else index][0]

    # ------------------------------------------------------------------ indexing

    def __len__(self) -> int:
        """Number of samples.

        Raises:
            StreamError: it has no end.
        """
        if self.length is None:
            raise StreamError(f"stream {self.name!r} has no end, so it has no length: read as many samples as you need")
        return self.length

    def __getitem__(self, index: int) -> Sample:
        """Sample number ``index``; its tag grows with the index also when a circular sequence starts over.

        Raises:
            IndexError: past the end.
        """
        length = self.length
        if index < 0 or (length is not None and index >= length and not (self.circular and length)):
            raise IndexError(f"stream {self.name!r} has {length} samples, there is no number {index}")
        position = index if length is None or not self.circular else index % length
        if self._order is not None:
            position = self._order[position]
        value = self.adapt(self.sample(position))
        tag = self._buffer[index][1] if index < len(self._buffer) and not self.is_static else index
        return Sample(value, tag, self.clock.now)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def take(self, count: int) -> list[Sample]:
        """The first ``count`` samples; fewer if it is shorter."""
        length = self.length
        return [self[index] for index in range(count if length is None or self.circular else min(count, length))]

    def adapt(self, value: Any) -> Any:
        """Fit a value to the stream as it is declared now (labels of several streams may have been merged)."""
        return self.props.check(value)

    # ------------------------------------------------------------------ recording

    def set(self, data: Any, data_tag: int = -1, uuid: str | None = None, force: bool = False) -> Sample | None:
        """Append a value (and make it the current one of its interaction).

        Returns:
            What was stored; None if the stream is read-only or disabled.
        """
        if self.is_read_only and not force:
            return None
        stored = super().set(data, data_tag, uuid, force)
        if stored is not None:
            if self._order is not None:
                self._order.append(len(self._buffer))
            self._buffer.append(Sample(data, data_tag if data_tag >= 0 else len(self._buffer), self.clock.now))
        return stored

    def clear_buffer(self) -> None:
        """Forget the recorded samples."""
        self._buffer.clear()
        self._cursors.clear()
        self._order = None

    def shuffle_buffer(self, seed: int = -1) -> None:
        """Permute the values; tags stay in order. The same seed gives the same permutation on streams of equal length.

        Args:
            seed: seed of the permutation; < 0: the order of recording again.

        Raises:
            StreamError: it has no end.
        """
        order = list(range(len(self)))
        if seed >= 0:
            random.Random(seed).shuffle(order)
        self._order = order if seed >= 0 else None

    # ------------------------------------------------------------------ reading in order

    def advance(self, uuid: str | None = None) -> Sample | None:
        """Make the next sample the current one of an interaction; None at the end."""
        index = self._cursors.get(uuid, 0)
        try:
            sample = self[index]
        except IndexError:
            return None
        self._cursors[uuid] = index + 1
        return self._store(sample.value, sample.tag, uuid)

    def restart(self, uuid: str | None = None) -> None:
        """Let an interaction read from the beginning again."""
        self._cursors.pop(uuid, None)

    def remove_data(self, uuid: str | None) -> None:
        """Forget one interaction altogether."""
        super().remove_data(uuid)
        self._cursors.pop(uuid, None)
