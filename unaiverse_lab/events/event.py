"""Events: what entities send each other. A pydantic model per kind; on the wire a JSON object."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache, reduce
from operator import or_
from types import NoneType
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from unaiverse_lab.behavior.model import copied
from unaiverse_lab.core.errors import LabError

MAX_BYTES = 1 << 20
"""The largest event, as JSON."""

ANY = "*"
"""The event type that stands for every type."""

HIDDEN = ("event_type", "description", "created_at", "sender_id", "summary")
"""Fields that nobody who triggers an event has to fill in."""

Fields = dict[str, Any]

FLAT: tuple[Any, ...] = (str, int, float, bool, str | None, int | None, float | None, bool | None)
"""Types of fields whose values nobody can change in place."""

_encode = msgspec.json.Encoder().encode


class EventTooLarge(LabError, ValueError):
    """An event has more than 1 MiB as JSON: large things travel on streams, an event may name a stream."""


class InvalidEvent(LabError, ValueError):
    """An event does not have the fields its type needs; the message names them."""


class Event(BaseModel):
    """Something that happens. Subclass it, name its type, and annotate its own fields.

    Args:
        sender_id: who sends it; left out, it is filled in when it is sent.
        target_id: for whom it is; None: for everybody whom the sender can reach.
        summary: a line about it, for readers.
        created_at: time of the world's clock at which it was sent; filled in when it is sent.
        meta: ``id``, ``cause`` (id of the event whose handling sent this one, or None), ``hops`` (how many events led
            to it) and ``tick``; filled in when it is sent.

    The idea and the fields are those of GenWorlds' events.
    """

    model_config = ConfigDict(extra="ignore")

    event_type: ClassVar[str] = ""
    """What selects the actions it triggers; class attribute in ``snake_case``."""

    description: ClassVar[str] = ""
    """Class attribute, for those who choose among actions."""

    summary: str | None = None
    created_at: datetime | None = None
    sender_id: str | None = None
    target_id: str | None = None
    meta: Fields | None = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if "|" in cls.event_type:
            raise InvalidEvent(f"{cls.__name__}.event_type is {cls.event_type!r}: '|' separates parts of a schema")
        cls._is_flat = cls.model_config.get("extra") != "allow" and all(
            field.annotation in FLAT for name, field in cls.model_fields.items() if name not in Event.model_fields
        )

    _is_flat: ClassVar[bool] = True
    """Whether its own fields hold nothing that could be changed in place."""

    @property
    def id(self) -> str | None:
        """Its identifier, ``"<sender>#<n>"``; None before it is sent."""
        return None if self.meta is None else self.meta.get("id")

    def wire(self) -> Fields:
        """The JSON object that is sent: its type, its description and all fields."""
        cls = type(self)
        return {
            "event_type": cls.event_type,
            "description": cls.description,
            **self.model_dump(mode="json", warnings=False),
        }

    # ------------------------------------------------------------------ GenWorlds' spelling

    def json(self, **options: Any) -> str:
        """The JSON text of :meth:`wire`."""
        return json.dumps(self.wire())

    def dict(self, **options: Any) -> Fields:
        """The same as :meth:`wire`."""
        return self.wire()

    @classmethod
    def parse_obj(cls, obj: Any) -> Any:
        """An event of this class from a JSON object; ``pydantic.ValidationError`` if it does not fit."""
        return cls.model_validate(obj)

    @classmethod
    def schema(cls, *_: Any, **__: Any) -> Any:
        """Its JSON Schema: ``meta`` left out, type and description as fields with a default."""
        found = cls.model_json_schema()
        fields = found.get("properties", {})
        fields.pop("meta", None)
        fixed = {
            "event_type": {"title": "Event Type", "default": cls.event_type, "type": "string"},
            "description": {"title": "Description", "default": cls.description, "type": "string"},
        }
        found["properties"] = {**fixed, **fields}
        found["description"] = (cls.__dict__.get("__doc__") or cls.description).strip()
        return found


class AnyEvent(Event):
    """An event of a type for which no class is known here: its fields are taken as they come."""

    model_config = ConfigDict(extra="allow")


def any_event(event_type: str, description: str = "") -> type[Event]:
    """A class for events of a type of which nothing else is known."""
    return type("AnyEvent", (AnyEvent,), {"event_type": event_type, "description": description, "__doc__": description})


@lru_cache(maxsize=256)
def class_of_schema(text: str) -> type[Event]:
    """A class for the events that a JSON Schema describes (:meth:`Event.schema`, as JSON text).

    It checks and converts what the schema says: types, defaults, choices, bounds; what is nested is taken as it comes.
    """
    schema = json.loads(text)
    fields = schema.get("properties", {})
    required = schema.get("required", ())
    kind, description = (str(fields.get(name, {}).get("default", "")) for name in ("event_type", "description"))
    own: dict[str, Any] = {
        name: (_type_in(one), _field_of(one, name in required))
        for name, one in fields.items()
        if name not in (*Event.model_fields, "event_type", "description")
    }
    base = AnyEvent if schema.get("additionalProperties") is True else Event
    told = {"event_type": kind, "description": description, "__doc__": description}
    return create_model(str(schema.get("title", "AnyEvent")), __base__=type("Described", (base,), told), **own)


_TYPES = {
    "string": str, "integer": int, "number": float, "boolean": bool, "array": list, "object": dict, "null": None,
}  # fmt: skip
_BOUNDS = {
    "minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt", "multipleOf": "multiple_of",
    "minLength": "min_length", "maxLength": "max_length", "pattern": "pattern", "minItems": "min_length",
    "maxItems": "max_length",
}  # fmt: skip
_EMPTY = {"array": list, "object": dict}


def _type_in(schema: dict[str, Any]) -> Any:
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if choices and all(isinstance(one, str | int | bool | None) for one in choices):
        return Literal[tuple(choices)]
    if "anyOf" in schema:
        return reduce(or_, (_type_in(one) or NoneType for one in schema["anyOf"]))
    if schema.get("type") == "string" and schema.get("format") == "date-time":
        return datetime
    return _TYPES.get(schema.get("type", ""), Any)


def _field_of(schema: dict[str, Any], is_required: bool) -> Any:
    bounds: Any = {ours: schema[theirs] for theirs, ours in _BOUNDS.items() if theirs in schema}
    if is_required:
        return Field(..., **bounds)
    if "default" not in schema and schema.get("type") in _EMPTY:
        return Field(default_factory=_EMPTY[schema["type"]], **bounds)
    return Field(schema.get("default"), **bounds)


def type_of(on: type[Event] | str) -> str:
    """The event type meant by a class or a text.

    Raises:
        InvalidEvent: a class without ``event_type``, or neither a class nor a text.
    """
    if isinstance(on, str):
        return on
    given: Any = on
    if isinstance(given, type) and issubclass(given, Event):
        if not on.event_type:
            raise InvalidEvent(f'{given.__name__} has no event_type: write event_type = "..." in its body')
        return given.event_type
    raise InvalidEvent(f"expected an Event class or an event type, not {on!r}")


def parsed(cls: type[Event], wire: dict[str, Any]) -> Event:
    """An event from the wire.

    Raises:
        InvalidEvent: fields are missing or wrong; the message names each.
    """
    try:
        return cls.model_validate(wire if cls._is_flat else copied(wire))
    except ValidationError as error:
        raise InvalidEvent(f"{cls.event_type or wire.get('event_type')}: {told(error)}") from None


def event_of(wire: dict[str, Any], classes: dict[str, type[Event]]) -> Event:
    """An event for readers: of the class last defined for its type if it fits, else with its fields as they came."""
    kind = str(wire.get("event_type"))
    known = classes.get(kind)
    if known is not None:
        try:
            return parsed(known, wire)
        except InvalidEvent:
            pass
    return any_event(kind, str(wire.get("description", ""))).model_construct(**copied(wire))


def told(error: ValidationError) -> str:
    """What is wrong with an event, in words."""
    return "; ".join(
        f"{'.'.join(str(part) for part in one['loc']) or 'the event'}: {one['msg']}" for one in error.errors()
    )


def size_of(wire: dict[str, Any]) -> int:
    """How many bytes it is as JSON.

    Raises:
        InvalidEvent: it holds something JSON cannot hold.
    """
    try:
        return len(_encode(wire))
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise InvalidEvent(f"{wire.get('event_type')}: it cannot be written as JSON: {error}") from None


class Mail(msgspec.Struct, frozen=True):
    """What the world knows of an event when it decides who gets it: the envelope, and the fields as data."""

    event_type: str
    sender_id: str
    target_id: str | None
    id: str
    hops: int
    fields: dict[str, Any]
