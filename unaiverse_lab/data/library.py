"""Ready-made streams: pictures, labels, words, data sets and signals.

They are read-only and can be read by number (``stream[i]``). Those made of files or data are for subscribers
(``pubsub=True``); all are named after their class until :meth:`~unaiverse_lab.data.streams.Stream.create` names them.
Each takes further fields of :class:`~unaiverse_lab.data.props.DataProps` by keyword (``name=``, ``group=``, ...).
"""

from __future__ import annotations

import csv
import math
import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from unaiverse_lab.core.errors import StreamError, nearest
from unaiverse_lab.data.sequences import BufferedStream
from unaiverse_lab.data.streams import Stream
from unaiverse_lab.data.values import is_tensor, optional, vocab_transforms

STEP = 0.1
"""Seconds between two samples of the signals."""


class Source(BufferedStream):
    """A sequence that is there from the beginning.

    Args:
        values: what :meth:`sample` makes the samples of (by default they are the samples); None: an endless source,
            whose class computes them from their number.
        circular: start over at the end.
        fields: fields of :class:`~unaiverse_lab.data.props.DataProps`.

    Raises:
        StreamError: there are no values.
    """

    _constant_fields = ("values", "tensor_dataset")

    def __init__(self, values: Sequence[Any] | None, circular: bool = True, **fields: Any) -> None:
        fields.setdefault("name", type(self).__name__)
        super().__init__(**fields)
        if values is not None and not len(values):
            raise StreamError(f"stream {self.name!r} has no samples: give it at least one")
        self.values = values
        self.is_read_only = True
        self._circular = circular

    @property
    def length(self) -> int | None:
        """Number of samples; None: endless."""
        return None if self.values is None else len(self.values)

    @property
    def circular(self) -> bool:
        """Whether it starts over at its end."""
        return self._circular

    def sample(self, index: int) -> Any:
        """Value number ``index``; override it where samples are computed.

        Raises:
            StreamError: it is an endless source, and its class does not say what a sample is.
        """
        if self.values is None:
            raise StreamError(
                f"stream {self.name!r} has no values: give it some, or define {type(self).__name__}.sample"
            )
        return self.values[index]


# ---------------------------------------------------------------- files


def _find(stream: str, folder: str | Path, file: str | Path) -> Path:
    """The file itself, or in the folder.

    Raises:
        StreamError: it is in neither place.
    """
    path = Path(folder) / file
    if path.is_file():
        return path
    if Path(file).is_file():
        return Path(file)
    there = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    near = " or ".join(repr(one) for one in nearest(path.name, there))
    hint = f" Did you mean {near}?" if near else "" if there else f" There is no folder {str(path.parent)!r}."
    raise StreamError(f"stream {stream!r}: the file {str(path)!r} does not exist.{hint}")


def _rows(stream: str, path: Path) -> list[list[str]]:
    """The lines of a CSV file that are not empty, as stripped fields.

    Raises:
        StreamError: there is none, or the file is no text.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [[field.strip() for field in row] for row in csv.reader(file)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise StreamError(f"stream {stream!r}: {str(path)!r} is not a CSV file in UTF-8: {error}") from error
    rows = [row for row in rows if any(row)]
    if not rows:
        raise StreamError(f"stream {stream!r}: the file {str(path)!r} is empty: it needs one line per sample")
    return rows


class ImageFileStream(Source):
    """Pictures from files, as Pillow images.

    Args:
        image_dir: the folder the file names start from.
        list_of_image_files: the names, or the path of a CSV file whose first field is the name.
        circular: start over at the end.

    Raises:
        StreamError: a file is missing, or there is no name; the message names stream and file.
    """

    def __init__(
        self,
        image_dir: str | Path,
        list_of_image_files: str | Path | Sequence[str],
        circular: bool = True,
        **fields: Any,
    ) -> None:
        name = fields.get("name", type(self).__name__)
        if isinstance(list_of_image_files, str | Path):
            names = [row[0] for row in _rows(name, _find(name, image_dir, list_of_image_files))]
        else:
            names = list(list_of_image_files)
        self.image_dir = image_dir
        self.files = [_find(name, image_dir, one) for one in names]
        super().__init__(self.files, circular, **{"data_type": "img", "pubsub": True, **fields})

    def add(self, name: str) -> None:
        """Append a picture.

        Raises:
            StreamError: the file is missing.
        """
        self.files.append(_find(self.name, self.image_dir, name))

    def sample(self, index: int) -> Any:
        """Picture number ``index``.

        Raises:
            StreamError: the file is gone or is no picture.
        """
        path = self.files[index]
        try:
            with optional("PIL.Image").open(path) as image:
                return image.copy()
        except OSError as error:
            raise StreamError(f"stream {self.name!r}: {str(path)!r} cannot be read as a picture: {error}") from error


class LabelStream(Source):
    """Labels from a CSV file: float32 (1, labels), 1 for those of the line and 0 for the others.

    Args:
        label_dir: the folder the file name starts from.
        label_file_csv: one line per sample.
        circular: start over at the end.
        single_class: each line has one label, and a tensor means its largest component (rule ``"max"``); otherwise it
            means those that are at least 0.5.
        line_header: the first field of a line is not a label (it names the picture).

    The labels of the stream are those of all the lines, in order of appearance.

    Raises:
        StreamError: the file is missing or has no labels, or ``single_class`` does not hold; the message says where.
    """

    def __init__(
        self,
        label_dir: str | Path,
        label_file_csv: str | Path,
        circular: bool = True,
        single_class: bool = False,
        line_header: bool = True,
        **fields: Any,
    ) -> None:
        name = fields.get("name", type(self).__name__)
        path = _find(name, label_dir, label_file_csv)
        lines = [[label for label in row[line_header:] if label] for row in _rows(name, path)]
        labels = list(dict.fromkeys(label for line in lines for label in line))
        wrong = next((number for number, line in enumerate(lines, 1) if single_class and len(line) != 1), None)
        if not labels or wrong is not None:
            where = f"line {wrong} of {str(path)!r} has {len(lines[wrong - 1])} labels, not one" if wrong else ""
            hint = "" if line_header else " (the first field counts as a label: line_header=False)"
            raise StreamError(f"stream {name!r}: {where or f'there are no labels in {str(path)!r}'}{hint}")
        super().__init__(
            [[labels.index(label) for label in line] for line in lines],
            circular,
            **{
                "data_type": "tensor",
                "tensor_shape": (1, len(labels)),
                "tensor_dtype": "torch.float32",
                "tensor_labels": labels,
                "tensor_labeling_rule": "max" if single_class else "geq0.5",
                "pubsub": True,
                **fields,
            },
        )
        self._width = len(labels)

    def sample(self, index: int) -> Any:
        """Labels of line number ``index``, (1, labels)."""
        tensor = optional("torch").zeros(1, self._width)
        tensor[0, super().sample(index)] = 1.0
        return tensor


class StringStream(Source):
    """Texts from a list.

    Args:
        strings: the texts.
        circular: start over at the end.
    """

    def __init__(self, strings: Iterable[str], circular: bool = True, **fields: Any) -> None:
        super().__init__(list(strings), circular, **{"data_type": "text", "pubsub": True, **fields})


class TokensStream(Source):
    """Words from a CSV file, one per line; its transforms are the vocabulary, the sorted distinct words.

    Args:
        tokens_file_csv: the first field of each line is the word.
        circular: start over at the end.
        max_tokens: stop after that many; < 0: all.

    Raises:
        StreamError: the file is missing or empty.
    """

    def __init__(self, tokens_file_csv: str | Path, circular: bool = True, max_tokens: int = -1, **fields: Any) -> None:
        name = fields.get("name", type(self).__name__)
        words = [row[0] for row in _rows(name, _find(name, ".", tokens_file_csv))]
        words = words if max_tokens < 0 else words[:max_tokens]
        ids, vocabulary = vocab_transforms(words)
        super().__init__(
            words,
            circular,
            **{
                "data_type": "text",
                "stream_to_proc_transforms": ids,
                "proc_to_stream_transforms": vocabulary,
                "pubsub": True,
                **fields,
            },
        )


# ---------------------------------------------------------------- data sets


class Dataset(Source):
    """One element of the items of a data set, in batches; not circular.

    Args:
        tensor_dataset: anything with a length whose items are tuples (a torch data set, a list of pairs).
        shape: shape of a batch, batch dimension included; a declared batch size becomes "any" if the last batch is
            smaller.
        index: which element of the items: a tensor, or a number (int: ``torch.int64``, float: ``torch.float32``).
        batch_size: items per sample.

    Raises:
        StreamError: it is empty, or its items have no tensor or number at ``index``.
    """

    def __init__(
        self,
        tensor_dataset: Any,
        shape: Sequence[int | None],
        index: int = 0,
        batch_size: int = 1,
        **fields: Any,
    ) -> None:
        self._who = fields.get("name", type(self).__name__)
        self.tensor_dataset, self.index, self.batch_size = tensor_dataset, index, batch_size
        if batch_size < 1:
            raise StreamError(f"stream {self._who!r}: batch_size {batch_size} must be at least 1")
        if not len(tensor_dataset):
            raise StreamError(f"stream {self._who!r}: the data set is empty")
        if len(tensor_dataset) % batch_size and shape[0] == batch_size:
            shape = (None, *shape[1:])
        super().__init__(
            range(0, len(tensor_dataset), batch_size),
            False,
            **{
                "data_type": "tensor",
                "tensor_shape": shape,
                "tensor_dtype": self._element(0).dtype,
                "pubsub": True,
                **fields,
            },
        )

    def _element(self, number: int) -> Any:
        try:
            element = self.tensor_dataset[number][self.index]
            return element if is_tensor(element) else optional("torch").as_tensor(element)
        except (IndexError, TypeError, ValueError, RuntimeError) as error:
            raise StreamError(
                f"stream {self._who!r}: item {number} of the data set has no tensor or number at index "
                f"{self.index}: {error}"
            ) from error

    def sample(self, index: int) -> Any:
        """Batch number ``index``, (batch, ...)."""
        start = super().sample(index)
        stop = min(start + self.batch_size, len(self.tensor_dataset))
        return optional("torch").stack([self._element(number) for number in range(start, stop)])


# ---------------------------------------------------------------- generated


class AllHotLabelStream(Source):
    """The same tensor always, float32 (1, labels) of ones: all the labels at once; static.

    Args:
        labels: the labels; a tensor means those that are at least 0.5.
    """

    def __init__(self, labels: Sequence[str], **fields: Any) -> None:
        super().__init__(
            None,
            **{
                "is_static": True,
                "data_type": "tensor",
                "tensor_shape": (1, len(labels)),
                "tensor_dtype": "torch.float32",
                "tensor_labels": labels,
                "tensor_labeling_rule": "geq0.5",
                **fields,
            },
        )
        self._width = len(labels)

    def sample(self, index: int) -> Any:
        """Ones, (1, labels)."""
        return optional("torch").ones(1, self._width)


class Random(Source):
    """Endless noise, float32: uniform from 0 to ``std``.

    Args:
        std: the largest value (not a standard deviation; the name is the course's).
        shape: shape of a sample.
        seed: sample number ``i`` is a function of ``seed`` and ``i``.
        centered: uniform from ``-std`` to ``std`` instead.
    """

    def __init__(
        self, std: float, shape: Sequence[int] = (1,), seed: int = 0, centered: bool = False, **fields: Any
    ) -> None:
        super().__init__(
            None, **{"data_type": "tensor", "tensor_shape": shape, "tensor_dtype": "torch.float32", **fields}
        )
        self.std, self.shape, self.seed, self.centered = std, tuple(shape), seed, centered

    def sample(self, index: int) -> Any:
        """Noise number ``index``."""
        torch = optional("torch")
        generator = torch.Generator().manual_seed(random.Random(f"{self.seed}/{index}").getrandbits(63))
        uniform = torch.rand(self.shape, generator=generator)
        return self.std * (2 * uniform - 1 if self.centered else uniform)


class Signal(Source, ABC):
    """An endless function of time, float32 (1, 1); sample ``i`` is at time ``i * delta``.

    Args:
        delta: seconds between two samples.
    """

    def __init__(self, delta: float = STEP, **fields: Any) -> None:
        super().__init__(
            None, **{"data_type": "tensor", "tensor_shape": (1, 1), "tensor_dtype": "torch.float32", **fields}
        )
        self.step = delta

    @abstractmethod
    def at(self, time: float) -> float:
        """Value at a time, in seconds."""

    def sample(self, index: int) -> Any:
        """Value number ``index``, (1, 1)."""
        return optional("torch").tensor([[self.at(index * self.step)]])


class Sin(Signal):
    """A sine.

    Args:
        freq: frequency, in Hz.
        phase: where it starts, in periods.
        delta: seconds between two samples.
    """

    def __init__(self, freq: float, phase: float = 0.0, delta: float = STEP, **fields: Any) -> None:
        super().__init__(delta, **fields)
        self.freq, self.phase = freq, phase

    def at(self, time: float) -> float:
        """sin(2 pi (freq t + phase))."""
        return math.sin(2 * math.pi * (self.freq * time + self.phase))


class Square(Signal):
    """A square wave: ``ampl`` for half a period, ``-ampl`` for the other half.

    Args:
        freq: frequency, in Hz.
        ampl: amplitude.
        phase: where it starts, in periods.
        delta: seconds between two samples.
    """

    def __init__(self, freq: float, ampl: float = 1.0, phase: float = 0.0, delta: float = STEP, **fields: Any) -> None:
        super().__init__(delta, **fields)
        self.freq, self.ampl, self.phase = freq, ampl, phase

    def at(self, time: float) -> float:
        """``ampl`` in even half periods, ``-ampl`` in odd ones."""
        half_periods = math.floor(round(2 * (self.freq * time + self.phase), 9))
        return -self.ampl if half_periods % 2 else self.ampl


class CombSin(Signal):
    """A sum of sines.

    Args:
        f_cap: the frequencies, in Hz; a number: ``order`` of them drawn from 0 to it.
        c_cap: the amplitudes; a number: ``order`` of them drawn from 0 to it.
        order: how many sines.
        delta: seconds between two samples.
        seed: seed of what is drawn.

    Raises:
        StreamError: lists of another length than ``order``.
    """

    def __init__(
        self,
        f_cap: float | Sequence[float],
        c_cap: float | Sequence[float],
        order: int,
        delta: float = STEP,
        seed: int = 0,
        **fields: Any,
    ) -> None:
        super().__init__(delta, **fields)
        rng = random.Random(seed)
        self.freqs, self.coefficients = (
            [cap * rng.random() for _ in range(order)] if isinstance(cap, int | float) else list(cap)
            for cap in (f_cap, c_cap)
        )
        if not len(self.freqs) == len(self.coefficients) == order:
            raise StreamError(
                f"stream {self.name!r}: {len(self.freqs)} frequencies and {len(self.coefficients)} amplitudes for "
                f"{order} sines: give one of each for every sine"
            )

    def at(self, time: float) -> float:
        """The sum of c sin(2 pi f t)."""
        return math.fsum(
            c * math.sin(2 * math.pi * f * time) for f, c in zip(self.freqs, self.coefficients, strict=True)
        )


class _Smooth(CombSin):
    COEFFICIENTS: ClassVar[list[float]]

    def __init__(self, **fields: Any) -> None:
        super().__init__([0.11, 0.07, 0.05], self.COEFFICIENTS, 3, **fields)


class _Square(Square):
    FREQUENCY: ClassVar[float]
    AMPLITUDE: ClassVar[float]

    def __init__(self, **fields: Any) -> None:
        super().__init__(self.FREQUENCY, self.AMPLITUDE, 0.5, **fields)


class smoHfHa(_Smooth):
    """Three sines, the fastest the strongest, high amplitude."""

    FEATURES: ClassVar[list[str]] = ["3sin", "hf", "ha"]
    COEFFICIENTS = [0.8, 0.16, 0.16]


class smoHfLa(_Smooth):
    """Three sines, the fastest the strongest, low amplitude."""

    FEATURES: ClassVar[list[str]] = ["3sin", "hf", "la"]
    COEFFICIENTS = [0.4, 0.08, 0.08]


class smoLfHa(_Smooth):
    """Three sines, the slowest the strongest, high amplitude."""

    FEATURES: ClassVar[list[str]] = ["3sin", "lf", "ha"]
    COEFFICIENTS = [0.16, 0.16, 0.8]


class smoLfLa(_Smooth):
    """Three sines, the slowest the strongest, low amplitude."""

    FEATURES: ClassVar[list[str]] = ["3sin", "lf", "la"]
    COEFFICIENTS = [0.08, 0.08, 0.4]


class squHfHa(_Square):
    """A fast square wave of high amplitude."""

    FEATURES: ClassVar[list[str]] = ["square", "hf", "ha"]
    FREQUENCY, AMPLITUDE = 0.06, 1.0


class squHfLa(_Square):
    """A fast square wave of low amplitude."""

    FEATURES: ClassVar[list[str]] = ["square", "hf", "la"]
    FREQUENCY, AMPLITUDE = 0.06, 0.5


class squLfHa(_Square):
    """A slow square wave of high amplitude."""

    FEATURES: ClassVar[list[str]] = ["square", "lf", "ha"]
    FREQUENCY, AMPLITUDE = 0.03, 1.0


class squLfLa(_Square):
    """A slow square wave of low amplitude."""

    FEATURES: ClassVar[list[str]] = ["square", "lf", "la"]
    FREQUENCY, AMPLITUDE = 0.03, 0.5


# ---------------------------------------------------------------- one set of labels for several streams


def merge_flat_stream_labels(streams: Iterable[Stream]) -> list[str]:
    """Give all the streams of named components the same labels: those of all of them, in order of appearance.

    Their shapes become (., number of labels); what is written to (or made by) a stream keeps the components it had and
    is put at their places, with zeros elsewhere. Merging again with further streams is fine. Streams of ids
    (``torch.int64``) and all others stay as they are.

    Returns:
        The labels.

    Raises:
        StreamError: a stream has the same label twice, so that its components have no place.
    """
    own: dict[Stream, list[str]] = {}
    for stream in streams:
        props = stream.props
        if props.is_flat_tensor_with_labels() and not props.is_tensor_long():
            labels, places = props.tensor_labels or [], props.label_positions
            own[stream] = labels if places is None else [labels[place] for place in places]
            if len(set(own[stream])) < len(own[stream]):
                raise StreamError(f"stream {stream.name!r} has a label twice, its labels cannot be merged: {labels}")
    merged = list(dict.fromkeys(label for labels in own.values() for label in labels))
    for stream, labels in own.items():
        props = stream.props.clone()
        rows = (props.tensor_shape or (None,))[0]
        props.tensor_shape, props.tensor_labels = (rows, len(merged)), merged.copy()
        props.label_positions = None if labels == merged else tuple(merged.index(label) for label in labels)
        stream.props = props
    return merged
