"""Values: properties in full, what fits, the processor's boundary, travelling, images and tensors."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unaiverse_lab import DataProps, StreamType
from unaiverse_lab.core.errors import StreamError
from unaiverse_lab.data import values as data_values
from unaiverse_lab.data.streams import Stream
from unaiverse_lab.data.transforms import transforms_factory
from unaiverse_lab.data.values import (
    DTYPES,
    FileContainer,
    decode_value,
    encode_value,
    from_processor,
    to_processor,
    vocab_transforms,
)


def tensors(*shape: int | None, dtype: str = "torch.float32", **fields: Any) -> DataProps:
    return DataProps("numbers", data_type="tensor", tensor_shape=shape, tensor_dtype=dtype, **fields)


def words(**fields: Any) -> DataProps:
    return DataProps("words", data_type="text", **fields)


# ------------------------------------------------------------------ importing


def test_nothing_heavy_is_imported() -> None:
    modules = "props, streams, sequences, values, transforms, library, comparison"
    code = (
        f"from unaiverse_lab.data import {modules}; import sys; print({{'torch', 'PIL', 'sklearn'}} & set(sys.modules))"
    )
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root)}
    assert subprocess.check_output([sys.executable, "-c", code], text=True, env=env).strip() == "set()"


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(module: str) -> Any:
        raise ImportError(module)

    monkeypatch.setattr(data_values.importlib, "import_module", nothing)
    with pytest.raises(StreamError, match="pip install torch"):
        data_values.optional("torch")
    with pytest.raises(StreamError, match="pip install pillow"):
        data_values.optional("PIL.Image")


# ------------------------------------------------------------------ properties


@pytest.mark.parametrize(
    ("props", "true"),
    [
        (tensors(None, 3, 32, 32), {"float", "img"}),
        (tensors(None, 1, 28, 28, dtype="torch.uint8"), {"img"}),
        (tensors(None, 2, 28, 28), {"float"}),
        (tensors(None, None, dtype="torch.int64"), {"long", "token_ids"}),
        (tensors(1, dtype="torch.int64"), {"long", "target_id"}),
        (tensors(1, 2, tensor_labels=["a", "b"]), {"float", "labelled"}),
        (tensors(None, 2, dtype="torch.bfloat16"), {"float"}),
        (words(), set()),
    ],
)
def test_predicates(props: DataProps, true: set[str]) -> None:
    assert true == {
        name
        for name, yes in {
            "long": props.is_tensor_long(),
            "float": props.is_tensor_float(),
            "img": props.is_tensor_img(),
            "token_ids": props.is_tensor_token_ids(),
            "target_id": props.is_tensor_target_id(),
            "labelled": props.is_flat_tensor_with_labels(),
        }.items()
        if yes
    }


def test_setters() -> None:
    props = tensors(None, 2)
    props.set_name("n")
    props.set_group("g")
    props.set_description("d")
    props.set_public(True)
    props.set_pubsub(True)
    props.set_delta(0.5)
    props.set_tensor_labels(["a", "b"], "geq0.25")
    props.set_stream_to_proc_transforms(abs)
    props.set_proc_to_stream_transforms(abs)
    assert props.to_dict() == {
        "name": "n",
        "group": "g",
        "data_type": "tensor",
        "data_desc": "d",
        "tensor_shape": [None, 2],
        "tensor_dtype": "torch.float32",
        "tensor_labels": {"labels": ["a", "b"], "labeling_rule": "geq0.25"},
        "delta": 0.5,
        "pubsub": True,
        "public": True,
    }
    assert DataProps.from_dict(props.to_dict()).to_dict() == props.to_dict()
    with pytest.raises(StreamError, match="'n': group 'a~b'"):
        props.set_group("a~b")


def test_a_slot_answers_for_its_properties() -> None:
    slot = StreamType("text")
    slot.set_group("g")
    assert slot.is_text() and not slot.is_public() and slot.props.group == "g" == slot.group
    with pytest.raises(AttributeError):
        _ = slot.colour


@pytest.mark.parametrize(("given_dtype", "name"), [("float", "torch.float32"), ("torch.long", "torch.int64")])
def test_names_of_dtypes(given_dtype: str, name: str) -> None:
    assert tensors(1, dtype=given_dtype).tensor_dtype == name


def test_a_torch_dtype_is_its_name() -> None:
    assert tensors(1, dtype=torch.long).tensor_dtype == "torch.int64"
    assert all(str(getattr(torch, name.removeprefix("torch."))) == name for name in DTYPES)


def test_a_dtype_of_a_peer_is_never_evaluated() -> None:
    code = "torch.zeros(__import__('os').getpid())"
    data = {**tensors(1).to_dict(), "tensor_dtype": code}
    with pytest.raises(StreamError, match=r"'numbers': tensor_dtype .* is unknown"):
        DataProps.from_dict(data)
    with pytest.raises(StreamError, match=r"Did you mean 'torch\.float32'"):
        tensors(1, dtype="torch.float23")


@pytest.mark.parametrize(
    "field",
    [
        {"name": 3},
        {"tensor_shape": "ab"},
        {"tensor_shape": 3},
        {"tensor_labels": ["a"]},
        {"tensor_labels": {"labels": []}},
    ],
)
def test_nonsense_from_a_peer_is_an_error_of_the_stream(field: dict[str, Any]) -> None:
    with pytest.raises(StreamError):
        DataProps.from_dict({**tensors(None, 2).to_dict(), **field})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tensor_labels": ["a"]}, "1 labels for 2 components"),
        ({"tensor_labels": "AutoTokenizer:gpt2"}, "must be a list of words"),
        ({"tensor_labels": ["a", "b"], "tensor_labeling_rule": "geq"}, "rule 'geq' is neither"),
        ({"tensor_labels": ["a", "b"], "tensor_labeling_rule": "geq-x"}, "rule 'geq-x' is neither"),
        ({"tensor_labels": ["a", "b"], "tensor_labeling_rule": "most"}, "rule 'most' is neither"),
        ({"stream_to_proc_transforms": {"a": 1}}, "must be a function"),
        ({"stream_to_proc_transforms": [abs, abs, abs]}, "two of them"),
        ({"proc_to_stream_transforms": ["a"]}, "must be a function"),
    ],
)
def test_wrong_tensor_properties_name_the_stream(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(StreamError, match=f"'numbers': .*{message}"):
        tensors(None, 2, **fields)


def test_a_negative_threshold_is_read_without_its_sign() -> None:
    with pytest.warns(UserWarning, match=r"'numbers': 'geq-0.5' is read as 'geq0.5'"):
        props = tensors(1, 2, tensor_labels=["a", "b"], tensor_labeling_rule="geq-0.5")
    assert props.tensor_labeling_rule == "geq0.5"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        props.clone()


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        ({"stream_to_proc_transforms": "AutoTokenizer:gpt2"}, "Wrap a tokenizer"),
        ({"proc_to_stream_transforms": "AutoTokenizer:gpt2"}, "or the list of words"),
        ({"proc_to_stream_transforms": {"cat": 0}}, "from ids to words: give the list of words"),
    ],
)
def test_wrong_transforms_of_text_name_the_stream(transforms: dict[str, Any], message: str) -> None:
    with pytest.raises(StreamError, match=f"'words': .*{message}"):
        words(**transforms)


def test_hashes() -> None:
    net = DataProps.build_net_hash("Ann", False, "g")
    assert net == "Ann::dm:g" == DataProps("x", "g").net_hash("Ann")
    assert DataProps.build_net_hash("Ann", True, "x") == DataProps("x", pubsub=True).net_hash("Ann") == "Ann::ps:x"
    assert DataProps.build_user_hash("Ann", "x") == DataProps("x", "g").user_hash("Ann") == "Ann:x"
    assert (DataProps.peer_id_from_net_hash(net), DataProps.name_or_group_from_net_hash(net)) == ("Ann", "g")
    assert (DataProps.peer_id_from_user_hash("Ann:x"), DataProps.name_from_user_hash("Ann:x")) == ("Ann", "x")
    assert DataProps.user_hash_from_net_hash(net, "x") == "Ann:x"
    assert DataProps.is_pubsub_from_net_hash("Ann::ps:g") and not DataProps.is_pubsub_from_net_hash(net)
    assert DataProps.is_net_hash(net) and not DataProps.is_net_hash("Ann:x") and not DataProps.is_net_hash("x")
    assert DataProps.is_user_hash("Ann:x") and not DataProps.is_user_hash(net) and not DataProps.is_user_hash("x")
    assert DataProps.name_or_group_from_net_hash("Ann::dm:a:b") == "a:b"


@pytest.mark.parametrize(
    ("channel", "net_hash"),
    [("A::dm:B-stream_sample~g", "A::dm:g"), ("A::dm:B", "A::dm:B"), ("A::ps:g", "A::ps:g")],
)
def test_channels_and_net_hashes(channel: str, net_hash: str) -> None:
    assert DataProps.normalize_net_hash(channel) == net_hash


@pytest.mark.parametrize("text", ["", "Ann", "Ann:x", "Ann::", "Ann::dm:", "Ann::xx:g", "::dm:g"])
def test_what_is_no_net_hash(text: str) -> None:
    with pytest.raises(StreamError, match="is not a net hash: '<peer>::dm:<group>'"):
        DataProps.peer_id_from_net_hash(text)


@pytest.mark.parametrize("text", ["", "Ann", "Ann:", ":x", "Ann::dm:g"])
def test_what_is_no_user_hash(text: str) -> None:
    with pytest.raises(StreamError, match="is not a user hash"):
        DataProps.name_from_user_hash(text)


def test_fitting_of_all_and_of_class_ids() -> None:
    anything, text = DataProps(data_type="all"), words()
    assert anything.is_compatible(text) and text.is_compatible(anything)
    logits, ids = tensors(None, 10), tensors(1, dtype="torch.int64")
    assert not logits.is_compatible(ids) and logits.is_compatible(ids, class_ids=True)
    assert not logits.is_compatible(words(), class_ids=True)
    assert tensors(None, 2).why_incompatible(tensors(1, 2, dtype="torch.int64")) == "torch.float32 vs torch.int64"


# ------------------------------------------------------------------ readable forms


def test_text_of_labelled_tensors() -> None:
    best = tensors(None, 3, tensor_labels=["a", "b", "c"])
    several = tensors(None, 3, tensor_labels=["a", "b", "c"], tensor_labeling_rule="geq0.5")
    ids = tensors(None, None, dtype="torch.int64", tensor_labels=["the", "cat"])
    numbers = torch.tensor([[0.5, 0.1, 0.9]])
    assert best.to_text(numbers) == best.to_text(numbers, ignore_raw_tensors=True) == "c"
    assert several.to_text(numbers) == "a, c"
    assert best.to_text(torch.eye(3)) == "a; b; c"
    assert ids.to_text(torch.tensor([[0, 1, 1]])) == "the cat cat"


def test_text_of_other_values() -> None:
    props = tensors(None, 2)
    assert props.to_text(torch.tensor([[0.5, 2.0]])) == "tensor(1, 2) 0.5, 2"
    assert props.to_text(torch.tensor([[0.5, 2.0]]), ignore_raw_tensors=True) is None
    assert len(props.to_text(torch.rand(100, 100))) == 110
    assert words(proc_to_stream_transforms=["a"]).to_text(torch.tensor([0])) == "tensor(1,) 0"
    assert words().to_text("hi", ignore_raw_tensors=True) == "hi"
    assert words().to_text(b"hi") == "<bytes>"


# ------------------------------------------------------------------ what fits


def test_a_stream_takes_what_it_declares_only() -> None:
    examples = {
        "text": "hi",
        "tensor": torch.zeros(1, 2),
        "img": Image.new("RGB", (2, 2)),
        "file": FileContainer(b"x", "x.bin"),
    }
    given = {"text": "str", "tensor": "a tensor", "img": "Image", "file": "FileContainer"}
    for kind in examples:
        shape = {"tensor_shape": (1, 2), "tensor_dtype": torch.float32} if kind == "tensor" else {}
        stream = Stream(name=f"my_{kind}", data_type=kind, **shape)
        for other, value in examples.items():
            if other == kind:
                stored = stream.set(value)
                assert stored is not None and stored.value is value
            else:
                with pytest.raises(StreamError, match=rf"'my_{kind}' carries .*, not {given[other]}"):
                    stream.set(value)
    anything = Stream(name="any", data_type="all")
    for value in (*examples.values(), 3, 2.5, None, b"x", [1, "a"], {"a": (examples["tensor"], None)}):
        assert anything.set(value) is not None
    for value in (object(), {1: 2}, [object()], {1}):
        with pytest.raises(StreamError, match="'any' carries texts, numbers"):
            anything.set(value)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((1, 3), "float32"), ((2,), "float32"), ((1, 1, 2), "float32"), ((1, 2), "int64")]
)
def test_a_tensor_of_another_kind_is_refused(shape: tuple[int, ...], dtype: str) -> None:
    message = r"'numbers' carries tensors torch.float32 of shape \(any, 2\), not a tensor torch"
    with pytest.raises(StreamError, match=message):
        tensors(None, 2).check(torch.zeros(shape, dtype=getattr(torch, dtype)))


def test_labels_are_counted() -> None:
    loose = tensors(None, None, tensor_labels=["a", "b"])
    with pytest.raises(StreamError, match="'numbers' has 2 labels, not 3 components"):
        loose.check(torch.zeros(1, 3))
    ids = tensors(None, None, dtype="torch.int64", tensor_labels=["a", "b"])
    assert ids.check(torch.tensor([[0, 1, 1, 0]])) is not None
    for wrong in (2, -1):
        with pytest.raises(StreamError, match="'numbers' has 2 labels, but its ids are"):
            ids.check(torch.tensor([[0, wrong]]))


# ------------------------------------------------------------------ the processor's boundary


def test_words_and_ids() -> None:
    ids, vocabulary = vocab_transforms(["the", "cat", "the"])
    assert (ids, vocabulary) == ({"cat": 0, "the": 1}, ["cat", "the"])
    slot = words(stream_to_proc_transforms=ids, proc_to_stream_transforms=vocabulary)
    assert to_processor(slot, "the").tolist() == [[1]]
    assert to_processor(slot, "the", targets=True).tolist() == [1]
    assert from_processor(slot, torch.tensor([[0.1, 0.9]])) == "the"
    assert from_processor(slot, torch.tensor([[1, 0, 1]])) == "the cat the"
    assert from_processor(slot, "free text") == "free text"
    assert from_processor(words(proc_to_stream_transforms=dict(enumerate(vocabulary))), torch.tensor([0])) == "cat"


def test_an_unknown_word_is_named() -> None:
    slot = words(stream_to_proc_transforms={"cat": 0, "the": 1}, proc_to_stream_transforms=["cat", "the"])
    with pytest.raises(StreamError, match=r"'words': 'cats' is not among the 2 words .* Did you mean 'cat'\?"):
        to_processor(slot, "cats")
    with pytest.raises(StreamError, match="'words': 'zzz' is not among"):
        to_processor(slot, "zzz")
    for number in (2, -1):
        with pytest.raises(StreamError, match=f"'words': there is no word number {number}, only 2"):
            from_processor(slot, torch.tensor([number]))


@pytest.mark.parametrize("pair", [list, tuple])
def test_a_pair_of_transforms_is_for_inputs_and_targets(pair: Any) -> None:
    slot = words(stream_to_proc_transforms=pair([str.upper, None]))
    assert (to_processor(slot, "hi"), to_processor(slot, "hi", targets=True)) == ("HI", "hi")
    both = words(stream_to_proc_transforms=str.upper)
    assert (to_processor(both, "hi"), to_processor(both, "hi", targets=True)) == ("HI", "HI")


def test_the_processor_gets_only_what_its_slot_declares() -> None:
    slot, ids = tensors(None, 10), torch.tensor([3])
    with pytest.raises(StreamError, match="'numbers' carries"):
        to_processor(slot, ids)
    assert to_processor(slot, ids, targets=True, allow_class_ids=True) is ids
    with pytest.raises(StreamError, match="'numbers' carries"):
        to_processor(slot, torch.tensor([[3]]), targets=True, allow_class_ids=True)
    assert to_processor(slot, None) is None and from_processor(slot, None) is None


def test_outputs_are_converted_detached_and_checked() -> None:
    argmax = tensors(None, dtype="torch.int64", proc_to_stream_transforms=lambda logits: logits.argmax(dim=1))
    assert from_processor(argmax, torch.tensor([[0.0, 1.0]])).tolist() == [1]
    plain = tensors(None, 2)
    assert not from_processor(plain, torch.zeros(1, 2, requires_grad=True)).requires_grad
    with pytest.raises(StreamError, match="'numbers' carries tensors"):
        from_processor(plain, torch.zeros(1, 3))
    with pytest.raises(StreamError, match=r"'words' carries text, the processor gave a tensor .*the list of words"):
        from_processor(words(), torch.zeros(1, 3))
    with pytest.raises(StreamError, match="'words' carries text, not int"):
        from_processor(words(proc_to_stream_transforms=len), [1])


def test_images_at_the_boundary() -> None:
    picture = Image.new("RGB", (8, 8), (255, 0, 0))
    slot = DataProps(
        "eye",
        data_type="img",
        stream_to_proc_transforms=transforms_factory("rgb-no_norm"),
        proc_to_stream_transforms=transforms_factory("rgb-no_norm", return_inverse=True),
    )
    tensor = to_processor(slot, picture)
    assert tensor.shape == (1, 3, 8, 8)
    assert from_processor(slot, tensor).tobytes() == picture.tobytes()
    assert from_processor(slot, picture) is picture
    with pytest.raises(StreamError, match=r"'eye' carries images .*the processor gave a tensor"):
        from_processor(DataProps("eye", data_type="img"), tensor)


def test_files_at_the_boundary(tmp_path: Path) -> None:
    path = tmp_path / "poem.txt"
    path.write_text("miaow")
    slot = DataProps("doc", data_type="file")
    expected = FileContainer(b"miaow", "poem.txt", "text/plain")
    assert from_processor(slot, path) == from_processor(slot, str(path)) == expected == FileContainer.from_path(path)
    assert from_processor(slot, b"miaow").content == b"miaow"
    assert to_processor(slot, expected) is expected
    with pytest.raises(StreamError, match=r"the file '.*none.txt' cannot be read"):
        FileContainer.from_path(tmp_path / "none.txt")


def test_a_path_written_to_a_stream_is_not_read() -> None:
    with pytest.raises(StreamError, match=r"'doc' carries files .*FileContainer.from_path"):
        Stream(name="doc", data_type="file").set("/etc/passwd")


# ------------------------------------------------------------------ travelling

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def over_the_wire(value: Any) -> Any:
    return decode_value(msgspec.msgpack.decode(msgspec.msgpack.encode(encode_value(value))))


@given(plain)
def test_plain_data_travels(value: Any) -> None:
    assert over_the_wire(value) == value


def test_text_travels_as_it_is() -> None:
    assert encode_value("hi") == "hi" == decode_value("hi")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)])
def test_tensors_travel(dtype: str, shape: tuple[int, ...]) -> None:
    kind = getattr(torch, dtype.removeprefix("torch."))
    value = (torch.arange(6).reshape(2, 3) if shape == (2, 3) else torch.zeros(shape)).to(kind)
    encoded = encode_value(value)
    assert len(encoded["data"]) == value.numel() * DTYPES[dtype]
    back = over_the_wire(value)
    assert back.dtype == value.dtype and back.shape == value.shape and torch.equal(back, value)
    back.zero_()


def test_tensors_with_strides_or_gradients_travel() -> None:
    value = torch.arange(6.0, requires_grad=True).reshape(2, 3).T
    assert torch.equal(over_the_wire(value), value.detach())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_images_travel(mode: str) -> None:
    value = Image.new(mode, (3, 2))
    value.putpixel((1, 1), value.getpixel((0, 0)) if mode == "P" else 1 if len(mode) != 3 else (1, 2, 3))
    back = over_the_wire(value)
    assert (back.mode, back.size, back.tobytes()) == (value.mode, value.size, value.tobytes())


def test_images_of_other_modes_travel_as_rgb() -> None:
    assert over_the_wire(Image.new("CMYK", (3, 2))).mode == "RGB"


def test_files_travel_without_their_folder() -> None:
    for content in (b"\x00x", "text"):
        assert over_the_wire(FileContainer(content, "a.txt", "text/plain")) == FileContainer(
            content, "a.txt", "text/plain"
        )
    assert (
        decode_value({"type": "file", "data": b"", "filename": "../../a\\b.txt", "mime_type": ""}).filename == "b.txt"
    )


def test_values_inside_others_travel() -> None:
    back = over_the_wire({"type": "mine", "list": (torch.ones(1), FileContainer(b"", "f"))})
    assert back["type"] == "mine" and torch.equal(back["list"][0], torch.ones(1)) and back["list"][1].filename == "f"


@pytest.mark.parametrize("value", [object(), {1: 2}, [{"a": object()}], {1, 2}])
def test_what_cannot_travel_says_so(value: Any) -> None:
    with pytest.raises(StreamError, match="streams carry texts, numbers, tensors"):
        encode_value(value)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": "pickle", "data": b"\x80\x04."},
        {"type": ["tensor"]},
        {"type": "tensor", "dtype": "torch.float32", "shape": [2], "data": b"1234"},
        {"type": "tensor", "dtype": "torch.float32", "shape": [-1], "data": b""},
        {"type": "tensor", "dtype": "torch.load", "shape": [0], "data": b""},
        {"type": "tensor", "dtype": "torch.uint8", "shape": [1.0], "data": b"1"},
        {"type": "tensor", "dtype": "torch.float32", "shape": 4, "data": b"1234"},
        {"type": "img", "data": b"no picture"},
        {"type": "img", "data": None},
        {"type": "file", "data": b""},
        {"type": "dict", "data": 3},
    ],
)
def test_damaged_data_is_an_error_that_says_so(data: Any) -> None:
    with pytest.raises(StreamError, match="a value cannot be decoded: "):
        decode_value(data)


@settings(max_examples=200)
@given(plain, st.sampled_from(["tensor", "img", "file", "dict"]), plain, plain)
def test_any_data_gives_a_value_or_an_error(data: Any, kind: str, shape: Any, more: Any) -> None:
    crafted = {"type": kind, "data": data, "shape": shape, "dtype": more, "filename": more, "mime_type": more}
    for one in (data, crafted):
        try:
            decode_value(one)
        except StreamError as error:
            assert str(error)


# ------------------------------------------------------------------ images and tensors


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("rgb8", (1, 3, 8, 8), "torch.float32"),
        ("gray8", (1, 1, 8, 8), "torch.float32"),
        ("rgb-no_norm8", (1, 3, 8, 8), "torch.uint8"),
        ("gray-no_norm8", (1, 1, 8, 8), "torch.uint8"),
        ("rgb", (1, 3, 10, 20), "torch.float32"),
        ("gray", (1, 1, 10, 20), "torch.float32"),
        ("rgb-no_norm", (1, 3, 10, 20), "torch.uint8"),
        ("gray-no_norm", (1, 1, 10, 20), "torch.uint8"),
        ("gray_mnist", (1, 1, 28, 28), "torch.float32"),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_transforms(name: str, shape: tuple[int, ...], dtype: str, mode: str) -> None:
    picture = Image.linear_gradient("L").resize((20, 10)).convert(mode)
    tensor = transforms_factory(name)(picture)
    assert (tuple(tensor.shape), str(tensor.dtype)) == (shape, dtype)
    assert torch.equal(transforms_factory(name, add_batch_dim=False)(picture), tensor[0])
    back = transforms_factory(name, return_inverse=True)(tensor)
    assert back.size == (shape[3], shape[2]) and back.mode == ("RGB" if shape[1] == 3 else "L")
    assert torch.equal(transforms_factory(name.rstrip("8") if name != "gray_mnist" else name)(back), tensor)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("rgb", [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], [0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225]),
        ("gray", [-2.0], [0.55 / 0.225]),
        ("gray_mnist", [-0.1307 / 0.3081], [0.8693 / 0.3081]),
        ("rgb-no_norm", [0, 0, 0], [255, 255, 255]),
    ],
)
def test_normalization(name: str, low: list[float], high: list[float]) -> None:
    transform = transforms_factory(name)
    assert transform(Image.new("L", (28, 28), 0))[0, :, 0, 0].tolist() == pytest.approx(low)
    assert transform(Image.new("L", (28, 28), 255))[0, :, 0, 0].tolist() == pytest.approx(high)


def test_the_square_is_central() -> None:
    picture = Image.new("L", (30, 10), 0)
    picture.paste(200, (10, 0, 20, 10))
    assert transforms_factory("gray-no_norm10")(picture).unique().tolist() == [200]


@pytest.mark.parametrize(
    ("name", "near"), [("rbg32", "rgb32"), ("gray-nonorm", "gray-no_norm"), ("mnist", "gray_mnist")]
)
def test_an_unknown_transform_gives_the_nearest(name: str, near: str) -> None:
    with pytest.raises(StreamError, match=f"no transform '{name}'.*'{near}'"):
        transforms_factory(name)


def test_transforms_refuse_other_things() -> None:
    with pytest.raises(StreamError, match="'rgb' takes images"):
        transforms_factory("rgb")("cat.png")
    with pytest.raises(StreamError, match=r"'rgb' takes tensors of shape \(1, 3, height, width\)"):
        transforms_factory("rgb", return_inverse=True)(torch.zeros(1, 1, 4, 4))
