"""What the slots of a processor take and give."""

from __future__ import annotations

from typing import Any

from unaiverse_lab.core.errors import StreamError
from unaiverse_lab.data.props import UNNAMED, DataProps


class StreamType:
    """What a processor slot declares: ``StreamType("text")`` or the fields of :class:`DataProps` by keyword.

    Whatever else it is asked (``slot.is_tensor()``, ``slot.set_group("g")``) is asked of its :attr:`props`.

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

    def __getattr__(self, name: str) -> Any:
        if name == "props" or name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.props, name)

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
