"""Streams: what is written, who has read it, and what fits where."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unaiverse_lab import Agent, DataProps, Stream, StreamType
from unaiverse_lab.core.errors import StreamError
from unaiverse_lab.data.streams import StreamProxy


def text(name: str = "words", **fields: Any) -> Stream:
    return Stream(name=name, data_type="text", **fields)


def values(samples: Any) -> list[Any]:
    return [sample.value for sample in samples]


# ------------------------------------------------------------------ reading and writing


def test_each_reader_gets_a_value_once() -> None:
    stream = text()
    stream.set("one")
    assert [stream.get("ann"), stream.get("ann"), stream.get("bob")] == ["one", None, "one"]
    stream.set("one")
    assert [stream.get("ann"), stream.get("ann")] == ["one", None]


def test_without_a_reader_the_current_value_stays() -> None:
    stream = text()
    assert stream.get() is None
    stream.set("one")
    assert [stream.get(), stream.get(), stream.get("ann")] == ["one", "one", "one"]


def test_nothing_written_twice_in_a_tick_is_missed() -> None:
    stream = text()
    stream.set("one")
    assert values(stream.read("ann")) == ["one"]
    stream.set("two")
    stream.set("three")
    assert values(stream.read("ann")) == ["two", "three"]
    assert stream.read("ann") == []
    assert values(stream.read("bob")) == ["one", "two", "three"]


@given(st.lists(st.one_of(st.text(max_size=3), st.sampled_from([1, 2, 3]))))
def test_every_reader_reads_everything_in_order(story: list[str | int]) -> None:
    """A text is written; a number is the turn of that reader."""
    stream, written, read = text(), [], {1: [], 2: [], 3: []}  # type: ignore[var-annotated]
    for what in story:
        if isinstance(what, str):
            stream.set(what)
            written.append(what)
        else:
            assert stream.has_unread(str(what)) == (len(read[what]) < len(written))
            read[what] += values(stream.read(str(what)))
            assert read[what] == written


def test_interactions_are_kept_apart() -> None:
    stream = text()
    stream.set("a", uuid="A")
    stream.set("b", uuid="B")
    assert (stream.get("ann", "A"), stream.get("ann", "B"), stream.get("ann")) == ("a", "b", None)
    stream.set("c", data_tag=7, uuid="B")
    assert [(s.value, s.tag) for s in stream.get("ann", all_uuids=True)] == [("c", 7)]
    assert stream.get_data_uuids() == ["A", "B"]
    stream.clear_data("B")
    assert stream.get(uuid="B") is None
    stream.clear_all_data()
    assert stream.get_data_uuids() == []


def test_values_without_an_interaction_are_forgotten_read_ones_first() -> None:
    stream = text()
    for number in range(30):
        stream.set(str(number), uuid=f"u{number}")
    assert len(stream.get("ann", all_uuids=True)) == 30
    stream.set("last", uuid="last")
    assert len(stream.get_data_uuids()) < 15
    assert stream.get("ann", "last") == "last"


def test_a_disabled_stream_takes_forced_writes_only() -> None:
    stream = text()
    stream.disable()
    assert stream.set("one") is None
    assert stream.set("two", force=True) is not None
    assert stream.get() == "two"
    stream.enable()
    stream.set("three")
    assert stream.get() == "three"


@pytest.mark.parametrize("value", [3, b"x", ["x"], 1.5, True])
def test_a_text_stream_takes_text_and_says_its_name(value: Any) -> None:
    stream = text("diary")
    with pytest.raises(StreamError, match=r"'diary' carries text, not"):
        stream.set(value)
    assert stream.get() is None
    Stream(name="anything", data_type="all").set(value)


def test_create_renames() -> None:
    assert Stream.create(text("w"), name="images", group="teach").name == "images@teach"
    assert Stream.create(text("w"), group="teach").name == "w@teach"
    assert Stream.create(text("w"), name="images").name == "images"
    with pytest.raises(StreamError, match="a name, a group, or both"):
        Stream.create(text("w"))


# ------------------------------------------------------------------ proxies


def proxy(**streams: Stream) -> StreamProxy:
    bound = StreamProxy("stdin")
    bound.bind({f"ann:{name}": stream for name, stream in streams.items()}, "U")
    return bound


def test_a_proxy_reads_all_its_streams_in_order() -> None:
    one, two = text("one"), text("two")
    both = proxy(one=one, two=two)
    assert both.get() is None
    both.set(["a", "b"])
    assert both.get(requested_by="x") == ["a", "b"]
    two.set("c", uuid="U")
    assert both.get(requested_by="x") == [None, "c"]
    assert both.get(requested_by="x") is None
    assert (one.get(uuid="U"), one.get()) == ("a", None)


@pytest.mark.parametrize("key", ["two", "ann:two", 1])
def test_a_stream_of_a_proxy_is_named_by_name_hash_or_position(key: str | int) -> None:
    both = proxy(one=text("one"), two=text("two"))
    both.set(key, "b", data_tag=4)
    assert both.get(key) == "b"
    assert both.get_tag(key) == 4
    assert both.get_tag() == -1
    assert key == 1 or key in both


def test_wrong_uses_of_a_proxy_say_what_there_is() -> None:
    both = proxy(one=text("one"), two=text("two"))
    with pytest.raises(StreamError, match=r"no stream 'tow'.*'two'"):
        both.get("tow")
    with pytest.raises(StreamError, match="no stream number 2: it has 2"):
        both.get(2)
    with pytest.raises(StreamError, match="2 streams, 1 values"):
        both.set(["a"])
    with pytest.raises(StreamError, match="stdtar has no streams"):
        StreamProxy("stdtar").set(["a"])


def test_a_disabled_proxy_takes_forced_writes_only() -> None:
    one = proxy(one=text("one"))
    one.disable()
    one.set(["a"])
    assert one.get() is None
    one.set(["b"], force=True)
    assert one.get() == ["b"]


def test_process_waits_until_every_input_is_there() -> None:
    agent = Agent(proc=lambda a, b: a + b, proc_inputs=["text", "text"], proc_outputs=["text"])

    def process() -> bool:
        with pytest.raises(StopIteration) as stop:
            agent.process().send(None)
        return bool(stop.value.value)

    agent.stdin.set(0, "a")
    assert not process()
    agent.stdin.set(1, "b")
    assert process()
    assert agent.stdout.get() == ["ab"]
    assert not process()


# ------------------------------------------------------------------ what streams carry


def test_slots_are_named_by_position_unless_they_have_a_name() -> None:
    agent = Agent(
        proc=lambda *given: given,
        proc_inputs=["text", StreamType("img", name="photo"), StreamType(data_type="all")],
        proc_outputs=["text"],
    )
    assert agent.stdin.names == ["proc_input_0", "photo", "proc_input_2"]
    assert [slot.props.group for slot in agent.proc_inputs] == ["processor_in"] * 3
    assert [(slot.props.name, slot.props.group) for slot in agent.proc_outputs] == [("proc_output_0", "processor")]


def test_declaring_slots_leaves_the_declaration_alone() -> None:
    slot = StreamType("text")
    Agent(proc_inputs=[slot], proc_outputs=[slot])
    assert (slot.props.name, slot.props.group) == ("unk", "none")


@pytest.mark.parametrize(
    ("slots", "message"),
    [
        (("text",), "a list"),
        ("text", "a list"),
        (["txt"], "data_type 'txt' is unknown. Did you mean 'text'"),
        ([3], "slot 0 is neither"),
        (["tensor"], "tensor_shape and tensor_dtype"),
    ],
)
def test_wrong_slots_are_errors(slots: Any, message: str) -> None:
    with pytest.raises(StreamError, match=message):
        Agent(proc_inputs=slots)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"data_type": "text", "tensor_shape": (1,)}, "make no sense"),
        ({"name": "a~b"}, "without '~'"),
        ({"group": ""}, "without '~'"),
        (
            {"data_type": "tensor", "tensor_shape": (None, 2, 2), "tensor_dtype": "float", "tensor_labels": ["a"]},
            "two dim",
        ),
    ],
)
def test_wrong_properties_are_errors(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(StreamError, match=message):
        DataProps(**fields)
    with pytest.raises(StreamError, match="no 'public'"):
        StreamType("text", public=True)


names = st.text(st.characters(exclude_characters="~", codec="utf-8"), min_size=1, max_size=8)
shapes = st.lists(st.none() | st.integers(1, 9), min_size=2, max_size=2)


@st.composite
def properties(draw: st.DrawFn) -> DataProps:
    kind = draw(st.sampled_from(["tensor", "img", "text", "file", "all"]))
    tensor: dict[str, Any] = {}
    if kind == "tensor":
        labels = draw(st.none() | st.lists(names, min_size=1, max_size=3, unique=True))
        tensor = {
            "tensor_shape": draw(shapes) if labels is None else [None, draw(st.sampled_from([None, len(labels)]))],
            "tensor_dtype": "torch.float32" if labels else draw(st.sampled_from(["torch.float32", "torch.long"])),
            "tensor_labels": labels,
            "tensor_labeling_rule": draw(st.sampled_from(["max", "geq0.5"])),
        }
    return DataProps(draw(names), draw(names), kind, draw(names), pubsub=draw(st.booleans()), **tensor)


@given(properties())
def test_properties_survive_the_wire(props: DataProps) -> None:
    twin = DataProps.from_dict(props.to_dict())
    assert twin.to_dict() == props.to_dict()
    assert props.clone().to_dict() == props.to_dict()
    assert props.is_compatible(twin)


@given(properties(), properties())
def test_fitting_is_mutual_and_has_a_reason_when_it_fails(one: DataProps, other: DataProps) -> None:
    why = one.why_incompatible(other)
    assert one.is_compatible(other) == other.is_compatible(one) == (why is None)
    assert why is None or " vs " in why
    assert one.is_compatible(DataProps("x", data_type="all"))


@pytest.mark.parametrize(
    ("mine", "theirs", "why"),
    [
        ({"data_type": "text"}, {"data_type": "text"}, None),
        ({"data_type": "text"}, {"data_type": "all"}, None),
        ({"data_type": "text"}, {"data_type": "img"}, "text vs img"),
        ({"tensor_shape": (None, 3)}, {"tensor_shape": (5, 3)}, None),
        ({"tensor_shape": (2, 3)}, {"tensor_shape": (5, 3)}, "shape (2, 3) vs (5, 3)"),
        ({"tensor_shape": (3,)}, {"tensor_shape": (3, 3)}, "shape (3,) vs (3, 3)"),
        ({"tensor_shape": (3,), "tensor_dtype": "long"}, {"tensor_shape": (3,)}, "torch.int64 vs torch.float32"),
        (
            {"tensor_shape": (1, 2), "tensor_labels": ["a", "b"]},
            {"tensor_shape": (1, 2), "tensor_labels": ["a", "c"]},
            "labels ['a', 'b'] vs ['a', 'c']",
        ),
        ({"tensor_shape": (1, 2), "tensor_labels": ["a", "b"]}, {"tensor_shape": (1, 2)}, None),
    ],
)
def test_what_fits(mine: dict[str, Any], theirs: dict[str, Any], why: str | None) -> None:
    def props(fields: dict[str, Any]) -> DataProps:
        tensor = {"data_type": "tensor", "tensor_dtype": "float"} if "tensor_shape" in fields else {}
        return DataProps("x", **(tensor | fields))

    assert props(mine).why_incompatible(props(theirs)) == why


def test_references() -> None:
    alone, member = DataProps("words"), DataProps("words", "lesson", pubsub=True)
    assert (alone.net_hash("ann"), member.net_hash("ann")) == ("ann::dm:words", "ann::ps:lesson")
    assert (alone.user_hash("ann"), member.user_hash("ann")) == ("ann:words", "ann:words")


def test_streams_are_found_by_name_group_or_hash() -> None:
    agent = Agent(proc_inputs=["text"], proc_outputs=["text"])
    agent.add_stream(Stream(name="a", group="notes", data_type="text"))
    agent.add_stream(Stream(name="b", group="notes", data_type="img"))
    me = agent.get_peer_id()
    for ref in ("a", f"{me}:a"):
        assert [stream.name for stream in agent.find_streams(ref)] == ["a"]
    for ref in ("notes", f"{me}:notes", f"{me}::dm:notes"):
        assert [stream.name for stream in agent.find_streams(ref)] == ["a", "b"]
    assert agent.get_stream("notes") is None
    assert agent.get_stream("notes", data_type="img") is agent.get_stream("b")
    assert agent.get_stream("nothing") is None
