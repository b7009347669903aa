"""What no message may have in it is refused where it would go out, and where it comes in, in the same words."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import msgspec
import pytest
from PIL import Image

from unaiverse_lab import Agent, Session
from unaiverse_lab.core.envelope import (
    BadgeSuggestion,
    BadgeSuggestions,
    Body,
    Contact,
    InteractionMessage,
    StatsUpdate,
    StatsView,
    StreamSample,
)
from unaiverse_lab.core.errors import StreamError
from unaiverse_lab.core.limits import DEPTH, ENTRIES, MAX_MESSAGE, TEXT, NotSendable
from unaiverse_lab.data.props import DataProps
from unaiverse_lab.data.values import check
from unaiverse_lab.runtime.codec import decode, encode

from .rooms import Fault, Room, machine, room


def nested(levels: int, kind: type = list) -> Any:
    value: Any = kind()
    for _ in range(levels - 1):
        value = [value] if kind is list else {"a": value}
    return value


class Colour(Enum):
    RED = "red"


AT_THE_LIMIT: list[Any] = [
    nested(DEPTH - 1), nested(DEPTH - 1, dict), [0] * ENTRIES, dict.fromkeys(map(str, range(ENTRIES))), "x" * TEXT,
    "é" * (TEXT // 2), 2**64 - 1, -(2**63), 1e308, b"x" * (TEXT + 1), {3: "x"}, (1, 2), {5}, Colour.RED,
]  # fmt: skip
BEYOND: list[tuple[Any, str]] = [
    (nested(DEPTH), f"more than {DEPTH} deep"),
    (nested(DEPTH, dict), f"more than {DEPTH} deep"),
    ([0] * (ENTRIES + 1), f"profile.x: a list of {ENTRIES + 1} entries, and {ENTRIES} is the most"),
    ({"y": dict.fromkeys(range(ENTRIES + 1))}, f"profile.x.y: a mapping of {ENTRIES + 1} entries"),
    ("x" * (TEXT + 1), f"a text of {TEXT + 1} bytes, and {TEXT} is the most"),
    ("é" * (TEXT // 2 + 1), f"a text of {TEXT + 2} bytes"),
    ({"x" * (TEXT + 1): 1}, "a text of"),
    ([1, {"y": float("nan")}], r"profile\.x\.1\.y: nan is no finite number"),
    (float("inf"), "inf is no finite number"),
    ({float("inf"): 1}, "inf is no finite number"),
    (datetime.now(UTC), "a datetime does not travel"),
    (msgspec.msgpack.Ext(5, b"x"), "a Ext does not travel"),
]


def short(value: Any) -> str:
    return f"{value!r:.20}"


@pytest.mark.parametrize("value", AT_THE_LIMIT, ids=short)
def test_what_is_within_the_limits_travels(value: Any) -> None:
    message = Contact({"x": value})
    assert encode(decode(encode(message))) == encode(message)


@pytest.mark.parametrize(("value", "problem"), BEYOND, ids=short)
def test_what_is_beyond_them_does_not_and_the_limit_is_named(value: Any, problem: str) -> None:
    message = Contact({"x": value})
    with pytest.raises(NotSendable, match=problem):
        encode(message)
    with pytest.raises(NotSendable, match=problem):
        decode(msgspec.msgpack.encode(message))


@pytest.mark.parametrize(
    ("value", "problem"),
    [(2**64, "beyond 64 bits"), ("\ud800", "half a character"), (nested(5000), "without end")],
    ids=["number", "text", "deep"],
)
def test_what_cannot_be_written_says_so(value: Any, problem: str) -> None:
    with pytest.raises(NotSendable, match=f"contact: .*{problem}"):
        encode(Contact({"x": value}))


def test_a_mapping_that_contains_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["x"] = endless
    with pytest.raises(NotSendable, match="without end"):
        encode(Contact(endless))


@pytest.mark.parametrize(
    "data",
    [
        b"\x82\xa4type\xa7contact\xa7profile\x82\xa1x\x01\xa1x\x02",
        b"\x83\xa4type\xa7contact\xa7profile\x80\xa7profile\x81\xa1x\x02",
        b"\x82\xa4type\xa7contact\xa7profile\x81\xa1x\xcd\x00\x01",
        b"\x82\xa4type\xa7contact\xa7profile\x80\xc0",
    ],
)
def test_names_twice_long_forms_and_what_trails_are_refused(data: bytes) -> None:
    assert decode(b"\x82\xa4type\xa7contact\xa7profile\x81\xa1x\x01") == Contact({"x": 1})
    with pytest.raises(ValueError, match=r"twice in one mapping|trailing"):
        decode(data)


def test_a_message_that_says_what_goes_without_saying_is_taken() -> None:
    said = {"type": "badge_suggestions", "suggestions": [
        {"peer_id": "a", "score": 1, "badge_type": "b", "badge_description": ""}]}  # fmt: skip
    expected = BadgeSuggestions([BadgeSuggestion("a", 1.0, "b")])
    assert decode(msgspec.msgpack.encode(said)) == expected
    assert decode(encode(BadgeSuggestions([BadgeSuggestion("a", 1, "b")]))) == expected


@pytest.mark.parametrize(
    "body",
    [
        InteractionMessage({"uuid": "u", "target": [f"peer{n}" for n in range(20_000)], "action_kwargs": {"x": 1}}),
        StatsUpdate(1, 1, [["name", nested(60), None, n] for n in range(10_000)]),
        StatsView({"world": {"x": [[n, 0.5] for n in range(10_000)]}, "peers": {str(n): {} for n in range(10_000)}}),
    ],
    ids=["target", "stats_update", "stats_view"],
)
def test_what_grows_with_a_world_and_its_age_is_not_limited(body: Body) -> None:
    assert decode(encode(body)) == body


@pytest.mark.parametrize(
    "body",
    [
        InteractionMessage({"uuid": "u", "action_kwargs": {"x": [0] * (ENTRIES + 1)}}),
        InteractionMessage({"uuid": "u", "target": [float("nan")] * (ENTRIES + 1)}),
        StreamSample("g", {"s": [{"data": 1}, {"data_tag": float("inf")}]}),
        StatsUpdate(1, 1, [["name", nested(100), None, 1]]),
    ],
)
def test_all_that_may_hold_anything_is_looked_at(body: Body) -> None:
    with pytest.raises(NotSendable):
        encode(body)
    with pytest.raises(NotSendable):
        decode(msgspec.msgpack.encode(body))


def test_no_message_is_longer_than_what_can_be_sent() -> None:
    assert len(encode(Contact({"x": b"x" * (MAX_MESSAGE - 64)}))) <= MAX_MESSAGE
    with pytest.raises(NotSendable, match=f"contact: .* and {MAX_MESSAGE} is the most"):
        encode(Contact({"x": bytes(MAX_MESSAGE)}))


# ---------------------------------------------------------------------- samples

EVERYTHING = DataProps("s", data_type="all")


def sample(value: Any) -> StreamSample:
    return StreamSample("g", {"s": [{"data": value, "data_tag": 1}]})


@pytest.mark.parametrize("value", [nested(DEPTH), nested(DEPTH, dict), [0] * ENTRIES, "x" * (TEXT + 1), 1e999])
def test_samples_are_data_and_may_be_long_texts_and_any_number(value: Any) -> None:
    assert check(EVERYTHING, value) is value
    assert decode(encode(sample(value))) == sample(value)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (nested(DEPTH + 1), f"more than {DEPTH} deep"),
        (nested(DEPTH + 1, dict), f"more than {DEPTH} deep"),
        ([[0] * (ENTRIES + 1)], f"a list of {ENTRIES + 1} entries"),
        (dict.fromkeys(map(str, range(ENTRIES + 1))), f"a dictionary of {ENTRIES + 1} entries"),
    ],
    ids=short,
)
def test_a_stream_takes_nothing_that_could_not_be_sent(value: Any, problem: str) -> None:
    with pytest.raises(StreamError, match=f"stream 's': .*{problem}"):
        check(EVERYTHING, value)
    with pytest.raises(StreamError, match=problem):
        encode(sample(value))


@pytest.mark.parametrize(
    "value",
    [
        [0] * (ENTRIES + 1), datetime.now(UTC), msgspec.msgpack.Ext(5, b"x"), [msgspec.msgpack.Ext(5, b"x")],
        {"type": "dict", "data": dict.fromkeys(map(str, range(ENTRIES + 1)))}, nested(DEPTH + 1),
        {"type": "dict", "data": {5: 1}}, {"type": "dict", "data": {b"x": 1}},
        {"type": "file", "data": [1], "filename": "f", "mime_type": "m"},
        {"type": "file", "data": "x", "filename": "f", "mime_type": 5},
    ],
    ids=short,
)  # fmt: skip
def test_a_sample_that_no_stream_would_have_sent_is_refused(value: Any) -> None:
    with pytest.raises(StreamError):
        decode(msgspec.msgpack.encode(sample(value)))


def test_an_image_has_so_many_pixels_and_no_more() -> None:
    assert decode(encode(sample(Image.new("1", (8000, 5000))))).samples["s"][0]["data"].size == (8000, 5000)  # type: ignore[attr-defined]
    with pytest.raises(StreamError, match="8000 x 5001 pixels"):
        encode(sample(Image.new("1", (8000, 5001))))


def test_what_is_wrong_with_an_image_is_said_in_the_same_words_each_time() -> None:
    told = set()
    for _ in range(3):
        with pytest.raises(StreamError, match="7 bytes are no PNG image") as caught:
            decode(msgspec.msgpack.encode(sample({"type": "img", "data": b"\x89PNG\r\n\x1a"})))
        told.add(str(caught.value))
    assert len(told) == 1


class Shouting(Room):
    """Sends more at a time than a message holds."""

    def has_samples_to_send(self) -> bool:
        return True

    def send_samples(self) -> None:
        self._need_link().post("Ann", sample("x" * MAX_MESSAGE))


def test_a_world_that_sends_too_much_goes_on_and_its_trace_says_so() -> None:
    session = Session(room(Shouting, worker=machine(Agent)), strict=True)
    session.add(Agent(), "Ann", role_preference="worker")
    session.step(2)
    [fault, *_] = session.trace.of_kind(Fault)
    assert (fault.node, fault.action) == ("World", "end of turn")  # type: ignore[attr-defined]
    assert f"bytes, and {MAX_MESSAGE} is the most a message may have" in fault.error  # type: ignore[attr-defined]
