"""What kind of data a stream carries, and what a processor slot takes or gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unaiverse_lab.core.errors import StreamError, did_you_mean

DATA_TYPES = ("tensor", "img", "text", "file", "all")
UNNAMED = "unk"
UNGROUPED = "none"


class DataProps:
    """Properties of the data of one stream.

    Args:
        name: name of the stream; without ``~``.
        group: streams of one group are addressed and sent together; ``"none"``: alone.
        data_type: ``"tensor"``, ``"img"``, ``"text"``, ``"file"`` or ``"all"`` (anything).
        data_desc: words for people.
        tensor_shape: tensors only, required there: sizes, batch dimension included, None = any.
        tensor_dtype: tensors only, required there: a ``torch.dtype`` or its name (``"torch.float32"``).
        tensor_labels: tensors of two dimensions only: names of the components.
        tensor_labeling_rule: ``"max"`` or ``"geq<number>"``: which labels a tensor means.
        stream_to_proc_transforms, proc_to_stream_transforms: local conversions at the processor's boundary; never sent.
        delta: minimum seconds between accepted writes; <= 0: none.
        pubsub: sent to subscribers instead of to the partners of an interaction.
        public: kept and reported by :meth:`is_public`; streams belong to their world either way.

    Raises:
        StreamError: a field does not fit the data type; the message names stream and field.
    """

    __slots__ = (
        "data_desc",
        "data_type",
        "delta",
        "group",
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
        stream_to_proc_transforms: Callable[..., Any] | list[Any] | dict[str, int] | None = None,
        proc_to_stream_transforms: Callable[..., Any] | list[str] | None = None,
        delta: float = -1.0,
        pubsub: bool = False,
        public: bool = False,
    ) -> None:
        if data_type not in DATA_TYPES:
            raise StreamError(
                f"stream {name!r}: data_type {data_type!r} is unknown.{did_you_mean(data_type, DATA_TYPES)}"
            )
        for field, text in (("name", name), ("group", group)):
            if "~" in text or not text:
                raise StreamError(f"stream {name!r}: {field} {text!r} must be a text without '~'")
        if data_type == "tensor":
            if tensor_shape is None or tensor_dtype is None:
                raise StreamError(f"stream {name!r}: a tensor needs tensor_shape and tensor_dtype")
            if tensor_labels is not None and len(tensor_shape) != 2:
                raise StreamError(f"stream {name!r}: only tensors of two dimensions can have labels")
        elif tensor_shape is not None or tensor_dtype is not None or tensor_labels is not None:
            raise StreamError(f"stream {name!r}: tensor_* fields make no sense for data of type {data_type!r}")
        self.name = name
        self.group = group
        self.data_type = data_type
        self.data_desc = data_desc
        self.tensor_shape = None if tensor_shape is None else tuple(tensor_shape)
        self.tensor_dtype = None if tensor_dtype is None else str(tensor_dtype)
        self.tensor_labels = None if tensor_labels is None else list(tensor_labels)
        self.tensor_labeling_rule = tensor_labeling_rule
        self.stream_to_proc_transforms = stream_to_proc_transforms
        self.proc_to_stream_transforms = proc_to_stream_transforms
        self.delta = delta
        self.pubsub = pubsub
        self.public = public

    def clone(self) -> DataProps:
        """A copy, transforms included."""
        twin = DataProps.__new__(DataProps)
        for field in DataProps.__slots__:
            setattr(twin, field, getattr(self, field))
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
            StreamError: a key is missing.
        """
        missing = [key for key in ("name", "group", "data_type") if key not in data]
        if missing:
            raise StreamError(f"stream properties without {', '.join(missing)}: {data!r}")
        labels = data.get("tensor_labels")
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
        return f"{peer_id}::{'ps' if self.pubsub else 'dm'}:{self.name_or_group()}"

    def user_hash(self, peer_id: str) -> str:
        """Identifier of the stream: ``peer:name``."""
        return f"{peer_id}:{self.name}"

    def why_incompatible(self, other: DataProps) -> str | None:
        """Why data of ``other`` cannot be taken here; None if it can."""
        if "all" in (self.data_type, other.data_type):
            return None
        if self.data_type != other.data_type:
            return f"{self.data_type} vs {other.data_type}"
        if self.is_tensor():
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

    def is_compatible(self, other: DataProps) -> bool:
        """Whether data of ``other`` can be taken here."""
        return self.why_incompatible(other) is None

    def check(self, value: Any) -> Any:
        """The value, if it may be written to this stream.

        Raises:
            StreamError: it is of another type; the message names the stream and what was expected.
        """
        if value is None or self.data_type == "all":
            return value
        if self.data_type == "text" and not isinstance(value, str):
            raise StreamError(f"stream {self.name!r} carries text, not {type(value).__name__} ({value!r:.60})")
        return value

    def to_text(self, value: Any) -> str:
        """A readable form of a value."""
        if isinstance(value, str):
            return value
        return f"<{type(value).__name__}>"


class StreamType:
    """What a processor slot declares: ``StreamType("text")`` or the fields of :class:`DataProps` by keyword.

    Args:
        data_type: the data type, if it is all there is to say.
        private_only: accepted for compatibility: streams live in their world only.
        fields: fields of :class:`DataProps`.

    Raises:
        StreamError: ``public`` was given, or a field is wrong.
    """

    def __init__(self, data_type: str | None = None, *, private_only: bool = False, **fields: Any) -> None:
        if "public" in fields:
            raise StreamError("a slot belongs to its world: it takes no 'public'")
        if data_type is not None:
            fields["data_type"] = data_type
        self.private_only = private_only
        self.props = DataProps(**fields)

    def clone(self) -> StreamType:
        """A copy."""
        twin = StreamType.__new__(StreamType)
        twin.private_only, twin.props = self.private_only, self.props.clone()
        return twin

    def to_list_of_dicts(self) -> list[dict[str, Any]]:
        """What the profile lists for this slot."""
        return [self.props.to_dict()]

    @staticmethod
    def slots(declared: list[StreamType | str] | None, default: str, prefix: str, group: str) -> list[StreamType]:
        """The slots of a processor: unnamed ones become ``<prefix>_<position>``, all join ``group``.

        Raises:
            StreamError: not a list, or something in it is neither a type name nor a :class:`StreamType`.
        """
        if declared is not None and not isinstance(declared, list):
            raise StreamError(f"slots are a list of type names or StreamType, not {type(declared).__name__}")
        slots = []
        for position, item in enumerate(declared if declared is not None else [default]):
            if not isinstance(item, str | StreamType):
                raise StreamError(f"slot {position} is neither a type name nor a StreamType: {item!r}")
            slot = StreamType(item, private_only=True) if isinstance(item, str) else item.clone()
            if slot.props.name == UNNAMED:
                slot.props.name = f"{prefix}_{position}"
            slot.props.group = group
            slots.append(slot)
        return slots
