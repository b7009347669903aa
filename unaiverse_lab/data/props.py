"""What kind of data a stream carries, and what fits it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, overload

from unaiverse_lab.core.errors import StreamError, did_you_mean
from unaiverse_lab.data.identifiers import Identifiers
from unaiverse_lab.data.values import CLASS_IDS_DTYPE, DTYPES, check, is_tensor

DATA_TYPES = ("tensor", "img", "text", "file", "all")
UNNAMED = "unk"
UNGROUPED = "none"
TEXT_LIMIT = 110

ToProcessor = Callable[..., Any] | Mapping[str, int]
"""A function of the value, or word -> id."""
ToStream = Callable[..., Any] | Sequence[str] | Mapping[int, str]
"""A function of the output, or id -> word."""

_ALIASES = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "long": "int64",
    "int": "int32",
    "short": "int16",
}


def read_rule(rule: str, owner: str) -> float | None:
    """The threshold of a rule ``"geq<number>"``; None for ``"max"``.

    A negative threshold is read without its sign, with a warning (peers write ``"geq-0.5"`` for 0.5).

    Args:
        rule: the rule.
        owner: whose rule it is, for the messages.

    Raises:
        StreamError: it is neither.
    """
    if rule == "max":
        return None
    try:
        threshold = float(rule.removeprefix("geq")) if rule.startswith("geq") else math.nan
    except (ValueError, AttributeError):
        threshold = math.nan
    if not math.isfinite(threshold):
        raise StreamError(f"{owner}: the rule {rule!r} is neither 'max' nor 'geq<number>' (for example 'geq0.5')")
    if threshold < 0:
        warnings.warn(f"{owner}: {rule!r} is read as 'geq{-threshold:g}'", stacklevel=3)
    return abs(threshold)


class DataProps(Identifiers):
    """Properties of the data of one stream.

    Args:
        name: name of the stream; without ``~``.
        group: streams of one group are addressed and sent together; ``"none"``: alone.
        data_type: ``"tensor"``, ``"img"``, ``"text"``, ``"file"`` or ``"all"`` (anything).
        data_desc: words for people.
        tensor_shape: tensors only, required there: sizes, batch dimension included, None = any.
        tensor_dtype: tensors only, required there: a ``torch.dtype`` or its name (``"torch.float32"``).
        tensor_labels: tensors of two dimensions only: names of the components (of the ids, for ``torch.int64``).
        tensor_labeling_rule: ``"max"`` or ``"geq<number>"``: which labels a tensor means.
        stream_to_proc_transforms: local, never sent: a function of the value, or, for text, a dictionary word -> id;
            a pair of these: one for inputs, one for targets (:func:`~unaiverse_lab.data.values.to_processor`).
        proc_to_stream_transforms: local, never sent: a function of the output, or, for text, the words by id
            (:func:`~unaiverse_lab.data.values.from_processor`).
        delta: minimum seconds between accepted writes; <= 0: none.
        pubsub: sent to subscribers instead of to the partners of an interaction.
        public: kept and reported by :meth:`is_public`; streams belong to their world either way.

    Attributes:
        label_positions: where the components that are written to the stream stand among its labels; None: as they come.
            Set when the labels of several streams were merged
            (:func:`~unaiverse_lab.data.library.merge_flat_stream_labels`).

    Raises:
        StreamError: a field does not fit the data type; the message names stream and field.
    """

    __slots__ = (
        "data_desc",
        "data_type",
        "delta",
        "group",
        "label_positions",
        "name",
        "proc_to_stream_transforms",
        "public",
        "pubsub",
        "stream_to_proc_transforms",
        "tensor_dtype",
        "tensor_labeling_rule",
        "tensor_labels",
        "tensor_shape",
    )

    def __init__(
        self,
        name: str = UNNAMED,
        group: str = UNGROUPED,
        data_type: str = "text",
        data_desc: str = UNNAMED,
        tensor_shape: tuple[int | None, ...] | list[int | None] | None = None,
        tensor_dtype: Any = None,
        tensor_labels: list[str] | None = None,
        tensor_labeling_rule: str = "max",
        stream_to_proc_transforms: ToProcessor | Sequence[ToProcessor | None] | None = None,
        proc_to_stream_transforms: ToStream | None = None,
        delta: float = -1.0,
        pubsub: bool = False,
        public: bool = False,
    ) -> None:
        if data_type not in DATA_TYPES:
            raise StreamError(
                f"stream {name!r}: data_type {data_type!r} is unknown.{did_you_mean(data_type, DATA_TYPES)}"
            )
        self.name = name
        self.data_type = data_type
        self.set_name(name)
        self.set_group(group)
        self.set_description(data_desc)
        self._set_tensor(tensor_shape, tensor_dtype)
        self.label_positions: tuple[int, ...] | None = None
        self.set_tensor_labels(tensor_labels, tensor_labeling_rule)
        self.set_stream_to_proc_transforms(stream_to_proc_transforms)
        self.set_proc_to_stream_transforms(proc_to_stream_transforms)
        self.set_delta(delta)
        self.set_pubsub(pubsub)
        self.set_public(public)

    def __repr__(self) -> str:
        return f"DataProps({self.name!r}, {self.data_type!r})"

    # ------------------------------------------------------------------ changing them

    def _name(self, field: str, text: str) -> str:
        if not text or "~" in text:
            raise StreamError(f"stream {self.name!r}: {field} {text!r} must be a text without '~'")
        return text

    def set_name(self, name: str) -> None:
        """Rename the stream; no ``~``."""
        self.name = self._name("name", name)

    def set_group(self, group: str) -> None:
        """Put it into a group; no ``~``."""
        self.group = self._name("group", group)

    def set_description(self, data_desc: str) -> None:
        """Words for people."""
        self.data_desc = data_desc

    def set_public(self, public: bool) -> None:
        """Declare it public, or not."""
        self.public = public

    def set_pubsub(self, pubsub: bool) -> None:
        """Send it to subscribers, or to the partners of an interaction."""
        self.pubsub = pubsub

    def set_delta(self, delta: float) -> None:
        """Minimum seconds between accepted writes; <= 0: none."""
        self.delta = delta

    def _set_tensor(self, shape: Sequence[int | None] | None, dtype: Any) -> None:
        who = f"stream {self.name!r}"
        self.tensor_shape: tuple[int | None, ...] | None = None
        self.tensor_dtype: str | None = None
        if self.data_type != "tensor":
            if shape is not None or dtype is not None:
                raise StreamError(f"{who}: tensor_* fields make no sense for data of type {self.data_type!r}")
            return
        if shape is None or dtype is None:
            raise StreamError(f"{who}: a tensor needs tensor_shape and tensor_dtype")
        if any(size is not None and size < 0 for size in shape):
            raise StreamError(f"{who}: tensor_shape {tuple(shape)} must hold sizes, or None for any size")
        name = str(dtype).removeprefix("torch.")
        name = f"torch.{_ALIASES.get(name, name)}"
        if name not in DTYPES:
            raise StreamError(f"{who}: tensor_dtype {str(dtype)!r} is unknown.{did_you_mean(name, DTYPES)}")
        self.tensor_shape, self.tensor_dtype = tuple(shape), name

    def set_tensor_labels(self, labels: Sequence[str] | None, rule: str = "max") -> None:
        """Name the components of a tensor of two dimensions.

        Args:
            labels: one per component; for ids (``torch.int64``), one per id. None: no names.
            rule: ``"max"``: a tensor means its largest component; ``"geq<number>"``: those not below the number.

        Raises:
            StreamError: not a tensor of two dimensions, another number of labels than components, an unknown rule.
        """
        who = f"stream {self.name!r}"
        read_rule(rule, who)
        if labels is not None:
            if self.tensor_shape is None:
                raise StreamError(f"{who}: tensor_* fields make no sense for data of type {self.data_type!r}")
            if len(self.tensor_shape) != 2:
                raise StreamError(f"{who}: only tensors of two dimensions can have labels")
            if isinstance(labels, str):
                raise StreamError(f"{who}: tensor_labels must be a list of words, not {labels!r}")
            width = self.tensor_shape[1]
            if width is not None and width != len(labels) and not self.is_tensor_long():
                raise StreamError(f"{who}: {len(labels)} labels for {width} components: give one label for each")
        self.tensor_labels = None if labels is None else list(labels)
        self.tensor_labeling_rule = rule.replace("geq-", "geq")
        self.label_positions = None

    def set_stream_to_proc_transforms(self, transforms: ToProcessor | Sequence[ToProcessor | None] | None) -> None:
        """Convert values on their way to the processor; see :func:`~unaiverse_lab.data.values.to_processor`.

        Raises:
            StreamError: neither a function nor, for text, a dictionary word -> id, nor a pair (inputs, targets).
        """
        pair = tuple(transforms) if isinstance(transforms, list | tuple) else (transforms,)
        if len(pair) not in (1, 2) or not all(
            one is None or callable(one) or (self.is_text() and isinstance(one, Mapping)) for one in pair
        ):
            raise StreamError(
                f"stream {self.name!r}: stream_to_proc_transforms must be a function of the value"
                f"{', a dictionary word -> id' if self.is_text() else ''}, or two of them (inputs, targets), not "
                f"{transforms!r:.60}. Wrap a tokenizer: lambda text: tokenizer(text, return_tensors='pt').input_ids"
            )
        self.stream_to_proc_transforms = transforms

    def set_proc_to_stream_transforms(self, transforms: ToStream | None) -> None:
        """Convert outputs of the processor; see :func:`~unaiverse_lab.data.values.from_processor`.

        Raises:
            StreamError: neither a function nor, for text, the words by id.
        """
        words = self.is_text() and isinstance(transforms, list | tuple | Mapping)
        if words and isinstance(transforms, Mapping) and not all(isinstance(key, int) for key in transforms):
            raise StreamError(
                f"stream {self.name!r}: proc_to_stream_transforms goes from ids to words: give the list of words"
            )
        if transforms is not None and not words and not callable(transforms):
            raise StreamError(
                f"stream {self.name!r}: proc_to_stream_transforms must be a function of the output"
                f"{', or the list of words' if self.is_text() else ''}, not {transforms!r:.60}"
            )
        self.proc_to_stream_transforms = transforms

    # ------------------------------------------------------------------ copies

    def clone(self) -> DataProps:
        """A copy, transforms included: what the stream carries, not how its writer's components were placed in it."""
        twin = DataProps.__new__(DataProps)
        for field in DataProps.__slots__:
            setattr(twin, field, getattr(self, field))
        twin.label_positions = None
        return twin

    def to_dict(self) -> dict[str, Any]:
        """What profiles list and the wire carries; transforms stay at home."""
        labels = self.tensor_labels
        return {
            "name": self.name,
            "group": self.group,
            "data_type": self.data_type,
            "data_desc": self.data_desc,
            "tensor_shape": None if self.tensor_shape is None else list(self.tensor_shape),
            "tensor_dtype": self.tensor_dtype,
            "tensor_labels": None
            if labels is None
            else {"labels": list(labels), "labeling_rule": self.tensor_labeling_rule},
            "delta": self.delta,
            "pubsub": self.pubsub,
            "public": self.public,
        }

    @staticmethod
    def from_dict(data: dict[str, Any]) -> DataProps:
        """Rebuild from :meth:`to_dict`.

        Raises:
            StreamError: a key is missing, or a field makes no sense.
        """
        missing = [key for key in ("name", "group", "data_type") if key not in data]
        if missing:
            raise StreamError(f"stream properties without {', '.join(missing)}: {data!r}")
        labels = data.get("tensor_labels")
        try:
            return DataProps(
                data["name"],
                data["group"],
                data["data_type"],
                data.get("data_desc", UNNAMED),
                data.get("tensor_shape"),
                data.get("tensor_dtype"),
                labels["labels"] if labels else None,
                labels["labeling_rule"] if labels else "max",
                delta=data.get("delta", -1.0),
                pubsub=data.get("pubsub", False),
                public=data.get("public", False),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise StreamError(f"stream properties that make no sense ({error}): {data!r}") from error

    # ------------------------------------------------------------------ questions

    def is_tensor(self) -> bool:
        """Tensors?"""
        return self.data_type == "tensor"

    def is_img(self) -> bool:
        """Images?"""
        return self.data_type == "img"

    def is_text(self) -> bool:
        """Texts?"""
        return self.data_type == "text"

    def is_file(self) -> bool:
        """Files?"""
        return self.data_type == "file"

    def is_all(self) -> bool:
        """Anything?"""
        return self.data_type == "all"

    def is_public(self) -> bool:
        """Declared public?"""
        return self.public

    def is_pubsub(self) -> bool:
        """Sent to subscribers?"""
        return self.pubsub

    def has_tensor_labels(self) -> bool:
        """Are the components named?"""
        return self.tensor_labels is not None

    def is_tensor_long(self) -> bool:
        """Tensors of integers (``torch.int64``)?"""
        return self.tensor_dtype == CLASS_IDS_DTYPE

    def is_tensor_float(self) -> bool:
        """Tensors of real numbers, of any precision?"""
        return self.tensor_dtype is not None and "float" in self.tensor_dtype

    def is_tensor_img(self) -> bool:
        """Images as tensors: (batch, 1 or 3, height, width)?"""
        shape = self.tensor_shape
        return shape is not None and len(shape) == 4 and shape[1] in (1, 3)

    def is_tensor_token_ids(self) -> bool:
        """Tensors of token ids: integers, (batch, length)?"""
        return self.is_tensor_long() and len(self.tensor_shape or ()) == 2

    def is_tensor_target_id(self) -> bool:
        """Tensors of class ids: integers, (batch,)?"""
        return self.is_tensor_long() and len(self.tensor_shape or ()) == 1

    def is_flat_tensor_with_labels(self) -> bool:
        """Tensors (batch, components) whose components are named?"""
        return self.has_tensor_labels() and len(self.tensor_shape or ()) == 2

    def get_name(self) -> str:
        """Name of the stream."""
        return self.name

    def get_group(self) -> str:
        """Name of its group, ``"none"`` if it is alone."""
        return self.group

    def get_description(self) -> str:
        """Words for people."""
        return self.data_desc

    def get_tensor_labels(self) -> list[str] | None:
        """Names of the components."""
        return self.tensor_labels

    def name_or_group(self) -> str:
        """The group, or the name of a stream that is alone."""
        return self.name if self.group == UNGROUPED else self.group

    def net_hash(self, peer_id: str) -> str:
        """Identifier of the group: ``peer::dm:group`` (direct) or ``peer::ps:group`` (subscribers)."""
        return self.build_net_hash(peer_id, self.pubsub, self.name_or_group())

    def user_hash(self, peer_id: str) -> str:
        """Identifier of the stream: ``peer:name``."""
        return self.build_user_hash(peer_id, self.name)

    # ------------------------------------------------------------------ compatibility

    def why_incompatible(self, other: DataProps, class_ids: bool = False) -> str | None:
        """Why data of ``other`` cannot be taken here; None if it can.

        Args:
            other: properties of the offered data.
            class_ids: a tensor slot also takes targets that are class ids (integers of one dimension), as an output
                learnt with a cross-entropy does.
        """
        if "all" in (self.data_type, other.data_type):
            return None
        if self.data_type != other.data_type:
            return f"{self.data_type} vs {other.data_type}"
        if self.is_tensor():
            if class_ids and other.is_tensor_target_id():
                return None
            mine, theirs = self.tensor_shape or (), other.tensor_shape or ()
            if len(mine) != len(theirs) or any(
                a is not None and b is not None and a != b for a, b in zip(mine, theirs, strict=True)
            ):
                return f"shape {mine} vs {theirs}"
            if self.tensor_dtype != other.tensor_dtype:
                return f"{self.tensor_dtype} vs {other.tensor_dtype}"
            if self.tensor_labels and other.tensor_labels and self.tensor_labels != other.tensor_labels:
                return f"labels {self.tensor_labels} vs {other.tensor_labels}"
        return None

    def is_compatible(self, other: DataProps, class_ids: bool = False) -> bool:
        """Whether data of ``other`` can be taken here; see :meth:`why_incompatible`."""
        return self.why_incompatible(other, class_ids) is None

    # ------------------------------------------------------------------ values

    def check(self, value: Any) -> Any:
        """The value as it is stored, if it may be written to this stream; see :func:`~unaiverse_lab.data.values.check`.

        Raises:
            StreamError: it may not; the message names the stream, what it carries and what was given.
        """
        return check(self, value)

    @overload
    def to_text(self, value: Any, ignore_raw_tensors: Literal[False] = False) -> str: ...

    @overload
    def to_text(self, value: Any, ignore_raw_tensors: bool) -> str | None: ...

    def to_text(self, value: Any, ignore_raw_tensors: bool = False) -> str | None:
        """A readable form of a value.

        Text is itself; a tensor whose components are named is the labels it means (rows separated by ``"; "``); any
        other tensor is its first numbers, at most 110 characters; any other value is ``<type>``.

        Args:
            value: the value.
            ignore_raw_tensors: None instead of numbers.
        """
        if isinstance(value, str):
            return value
        if not is_tensor(value):
            return f"<{type(value).__name__}>"
        labels = self.tensor_labels
        if labels is not None and value.ndim == 2:
            if self.is_tensor_long():
                return "; ".join(" ".join(labels[i] for i in row) for row in value.tolist())
            if value.shape[1] == len(labels):
                return "; ".join(self._meant(labels, row) for row in value.tolist())
        if ignore_raw_tensors:
            return None
        flat = value.flatten()
        few = flat if flat.numel() <= TEXT_LIMIT else flat[:TEXT_LIMIT]
        numbers = ", ".join(f"{number:.4g}" for number in few.tolist())
        text = f"tensor{tuple(value.shape)} {numbers}"
        return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"

    def _meant(self, labels: list[str], row: list[float]) -> str:
        threshold = read_rule(self.tensor_labeling_rule, f"stream {self.name!r}")
        if threshold is None:
            return labels[row.index(max(row))]
        return ", ".join(label for label, number in zip(labels, row, strict=True) if number >= threshold)
