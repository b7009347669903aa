"""What nodes send each other: one envelope, one typed body per kind of message.

On a wire an envelope is MessagePack; in one kernel the same objects are handed over. The names of the kinds are those
of the peer's messages.
"""

from __future__ import annotations

from typing import Any

import msgspec

from unaiverse_lab.core.limits import ENTRIES, MAX_MESSAGE, NotSendable, check_content


class Body(msgspec.Struct, tag_field="type", omit_defaults=True):
    """Base of all message bodies."""


class ProfileMessage(Body, tag="profile"):
    """A joiner asks to enter: its profile and the options of its request (``role_preference``, ...)."""

    profile: dict[str, Any]
    options: dict[str, Any] = {}


class WorldApproval(Body, tag="world_approval"):
    """The world lets a joiner in: its role, the behavior of that role as JSON text (None: no behavior), its streams.

    ``cv``: the badges the world has awarded to it at earlier times.
    """

    world_id: str
    role: int
    role_name: str
    behavior: str | None = None
    streams: list[dict[str, Any]] = []
    cv: list[dict[str, Any]] = []


class WorldRefusal(Body, tag="world_refusal"):
    """The world turns a joiner away."""

    reason: str


class RoleChange(Body, tag="role_suggestion"):
    """The world gives a member another role."""

    role: int
    role_name: str
    behavior: str | None = None


class RoleSuggestions(Body, tag="role_suggestions"):
    """A member suggests roles for others: a list of ``{"peer_id", "role"}`` with role names."""

    suggestions: list[dict[str, str]]


class BadgeSuggestion(msgspec.Struct, omit_defaults=True):
    """A badge that a member should get; the score is from 0 to 1."""

    peer_id: str
    score: float
    badge_type: str
    badge_description: str = ""


class BadgeSuggestions(Body, tag="badge_suggestions"):
    """A member suggests badges for others."""

    suggestions: list[BadgeSuggestion]


class SuggestionAnswer(msgspec.Struct, omit_defaults=True):
    """What the world did with one suggestion of the receiver.

    ``about`` is ``"role"`` or ``"badge"``, ``wanted`` the name of the role or the type of the badge, ``peer_id`` whom
    it was meant for. ``reason`` says why, always when it was refused.
    """

    about: str
    peer_id: str
    wanted: str
    accepted: bool
    reason: str | None = None


class SuggestionAnswers(Body, tag="suggestion_answers"):
    """The world answers suggestions of the receiver, one by one, in their order."""

    answers: list[SuggestionAnswer]


class MemberPurged(Body, tag="member_purged"):
    """The world took a member that cannot be reached off its lists; who knows it forgets it."""

    peer_id: str
    reason: str


class BadgeAwarded(Body, tag="badge"):
    """The world awarded a badge to the receiver: what to add to its CV."""

    badge: dict[str, Any]


class StatsUpdate(Body, tag="stats_update"):
    """Values the sender has stored, for the world: ``[name, value, key, ms]`` each, numbered from ``first`` on.

    ``oldest`` is the number of the first one that was not acknowledged to it.
    """

    first: int
    oldest: int
    entries: list[Any]


class StatsReceived(Body, tag="stats_received"):
    """The world has what the receiver reported, up to a number, and refused some of it: numbers and reasons.

    With a ``reason`` it takes nothing from the receiver at all.
    """

    upto: int
    refused: list[tuple[int, str]] = []
    reason: str | None = None


class StatsRequest(Body, tag="stats_request"):
    """Asks the world for statistics; ``filters`` are arguments of its ``query_history``."""

    filters: dict[str, Any] = {}


class StatsView(Body, tag="stats_view"):
    """The world tells what it has measured, or the ``reason`` why it does not."""

    view: dict[str, Any] | None = None
    reason: str | None = None


class Contact(Body, tag="contact"):
    """A member gets in touch with another."""

    profile: dict[str, Any]


class AgentApproval(Body, tag="agent_approval"):
    """The other one accepts."""

    profile: dict[str, Any]


class AgentRefusal(Body, tag="agent_refusal"):
    """The other one does not."""

    reason: str


class Farewell(Body, tag="farewell"):
    """The sender cuts the link to the receiver."""

    reason: str = ""


class InteractionMessage(Body, tag="interaction"):
    """A request, or the announcement of a data push."""

    interaction: dict[str, Any]


class InteractionStatus(Body, tag="interaction_status"):
    """How a request ended at its target."""

    uuid: str
    completion_reason: str
    destination_state: str | None = None
    detail: str | None = None
    data_tags: dict[str, int] = {}


class StreamSample(Body, tag="stream_sample"):
    """Samples of one group of streams of the sender: ``{name: [{"data", "data_tag", "data_uuid"}, ...]}``."""

    group: str
    samples: dict[str, list[dict[str, Any]]]


class StreamRequest(Body, tag="stream_request"):
    """Asks the owner of some sequences for their next samples, one a tick, ``count`` of each (0: no more).

    ``uuid`` is the interaction of the asking agent for which they are wanted.
    """

    names: list[str]
    uuid: str
    count: int


class SupplyEnded(Body, tag="supply_ended"):
    """The samples that were asked for with a :class:`StreamRequest` cannot be given."""

    uuid: str
    reason: str


class Subscription(Body, tag="subscription"):
    """The sender wants the samples of some live streams of the receiver from now on (or no longer)."""

    names: list[str]
    wanted: bool = True


class ProfileUpdate(Body, tag="profile_update"):
    """A member's profile changed (it has new streams, say)."""

    profile: dict[str, Any]


AnyBody = (
    ProfileMessage
    | WorldApproval
    | WorldRefusal
    | RoleChange
    | RoleSuggestions
    | BadgeSuggestions
    | SuggestionAnswers
    | MemberPurged
    | BadgeAwarded
    | StatsUpdate
    | StatsReceived
    | StatsRequest
    | StatsView
    | Contact
    | AgentApproval
    | AgentRefusal
    | Farewell
    | InteractionMessage
    | InteractionStatus
    | StreamSample
    | StreamRequest
    | SupplyEnded
    | Subscription
    | ProfileUpdate
)


class Envelope(msgspec.Struct):
    """A message from ``sender`` to ``target`` (peer ids). ``body`` may also be raw bytes that were not decoded yet."""

    sender: str
    target: str
    body: Any


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(AnyBody)
_plain_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder()

_UNTYPED: dict[type[Body], tuple[str, ...]] = {
    ProfileMessage: ("profile", "options"),
    WorldApproval: ("streams", "cv"),
    BadgeAwarded: ("badge",),
    StatsRequest: ("filters",),
    Contact: ("profile",),
    AgentApproval: ("profile",),
    ProfileUpdate: ("profile",),
}
"""Where anything may stand. What grows with a world or its age has no limit of its own but that of the message."""

_STATS_DEPTH = 80


def encode_body(body: Body) -> bytes:
    """The body as MessagePack.

    Raises:
        TypeError: it holds something that cannot cross the wire.
        NotSendable: it is too large, too deep or not finite; the message names the limit.
    """
    try:
        data = _encoder.encode(body)
    except OverflowError:
        problem = "a whole number beyond 64 bits"
    except UnicodeEncodeError:
        problem = "text with half a character in it"
    except RecursionError:
        problem = "lists and mappings without end inside each other"
    else:
        check_body(body, len(data))
        return data
    raise NotSendable(f"{_kind(body)}: {problem}")


def _kind(body: Body) -> str:
    return str(body.__struct_config__.tag)


def check_body(body: Body, length: int) -> None:
    """Refuse what no message may have in it; samples are left to those who know values.

    Args:
        body: what is to be sent, or what came.
        length: its bytes.

    Raises:
        NotSendable: it is beyond a limit, which the message names.
    """
    kind = type(body)
    if length > MAX_MESSAGE:
        raise NotSendable(f"{_kind(body)}: {length} bytes, and {MAX_MESSAGE} is the most a message may have")
    if kind is InteractionMessage:
        interaction = body.interaction  # type: ignore[attr-defined]
        targets = interaction.get("target")
        if type(targets) is list and len(targets) > ENTRIES:
            check_content(targets, "target", length, entries=length)
            interaction = {name: one for name, one in interaction.items() if name != "target"}
        check_content(interaction, "interaction", length)
    elif kind is StreamSample:
        for name, samples in body.samples.items():  # type: ignore[attr-defined]
            for sample in samples:
                about = {key: one for key, one in sample.items() if key != "data"}
                check_content(about, name, length)
    elif kind is StatsUpdate:
        check_content(body.entries, "entries", length, _STATS_DEPTH, length)  # type: ignore[attr-defined]
    elif kind is StatsView:
        check_content(body.view, "view", length, _STATS_DEPTH, length)  # type: ignore[attr-defined]
    else:
        for field in _UNTYPED.get(kind, ()):
            check_content(getattr(body, field), field, length)


def decode_body(data: bytes) -> Body:
    """The body of a message.

    Raises:
        ValueError: it is not a well-formed message of a known kind, or beyond a limit; the text says why.
    """
    try:
        body: Body = _decoder.decode(data)
        check_body(body, len(data))
        if len(_encoder.encode(body)) != len(data) and len(_encoder.encode(_plain_decoder.decode(data))) != len(data):
            raise NotSendable("a name stands twice in one mapping, or something is not in its shortest form")
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from None
    return body
