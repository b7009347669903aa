"""Ready-made streams, and one set of labels for several of them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from unaiverse_lab.core.errors import StreamError
from unaiverse_lab.data import library
from unaiverse_lab.data.library import (
    AllHotLabelStream,
    CombSin,
    Dataset,
    ImageFileStream,
    LabelStream,
    Random,
    Sin,
    Source,
    Square,
    StringStream,
    TokensStream,
    merge_flat_stream_labels,
    smoHfHa,
    squLfLa,
)
from unaiverse_lab.data.sequences import BufferedStream
from unaiverse_lab.data.streams import Stream

PRESETS = ["smoHfHa", "smoHfLa", "smoLfHa", "smoLfLa", "squHfHa", "squHfLa", "squLfHa", "squLfLa"]


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """Three small pictures and a list of them with their labels."""
    rows = [("b/cat.png", "cat", "mammal"), ("b/gull.png", "bird"), ("b/dog.png", "mammal", "dog")]
    (tmp_path / "animals.csv").write_text("".join(", ".join(row) + "\n" for row in rows) + "\n")
    (tmp_path / "b").mkdir()
    for number, (file, *_) in enumerate(rows):
        try:
            from PIL import Image
        except ImportError:
            (tmp_path / file).touch()
        else:
            Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / file)
    return tmp_path


def numbers(stream: BufferedStream, count: int) -> list[Any]:
    return [sample.value.squeeze().tolist() for sample in stream.take(count)]


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


# ------------------------------------------------------------------ what all have in common


def test_they_are_named_after_their_class_and_renamed_by_create() -> None:
    assert StringStream(["a"]).name == "StringStream"
    assert (
        Sin(1.0).name == "Sin" and smoHfHa().name == "smoHfHa" and AllHotLabelStream(["a"]).name == "AllHotLabelStream"
    )
    stream = Stream.create(StringStream(["a"]), group="g", name="says")
    assert stream.name == "says@g"
    assert StringStream(["a"], name="says", group="g", data_desc="d").props.data_desc == "d"


def test_data_is_for_subscribers_and_nothing_is_public() -> None:
    dataset = Dataset([(torch.zeros(1),)], (1, 1))
    assert dataset.is_pubsub() and StringStream(["a"]).is_pubsub()
    assert not StringStream(["a"], pubsub=False).is_pubsub()
    assert not Sin(1.0).is_pubsub() and not AllHotLabelStream(["a"]).is_pubsub()
    for stream in (dataset, StringStream(["a"]), Sin(1.0)):
        assert not stream.is_public()
    assert not Stream.create(StringStream(["a"]), name="n").is_public()


def test_they_cannot_be_written_to() -> None:
    stream = StringStream(["a", "b"])
    assert stream.set("c") is None
    assert len(stream) == 2


def test_circular_or_not_and_tags_that_grow() -> None:
    around = [stream.advance("u") for stream in [StringStream(["a", "b"])] for _ in range(5)]
    assert [(sample.value, sample.tag) for sample in around if sample] == [
        ("a", 0),
        ("b", 1),
        ("a", 2),
        ("b", 3),
        ("a", 4),
    ]
    once = StringStream(["a", "b"], circular=False)
    assert [once.advance("u") is None for _ in range(3)] == [False, False, True]
    assert once.get(uuid="u") == "b"


def test_each_interaction_reads_from_the_beginning() -> None:
    stream = StringStream(["a", "b"])
    stream.advance("u")
    stream.advance("u")
    stream.advance("v")
    assert (stream.get(uuid="u"), stream.get(uuid="v")) == ("b", "a")


def test_endless_ones_have_no_length_but_are_true() -> None:
    for stream in (Sin(1.0), Random(1.0), AllHotLabelStream(["a"]), smoHfHa()):
        assert stream
        with pytest.raises(StreamError, match=f"'{stream.name}' has no end"):
            len(stream)


def test_nothing_to_give_is_an_error() -> None:
    with pytest.raises(StreamError, match="'StringStream' has no samples"):
        StringStream([])
    with pytest.raises(StreamError, match="'mine' has no samples"):
        Source([], name="mine")
    with pytest.raises(StreamError, match=r"'Source' has no values: give it some, or define Source\.sample"):
        Source(None).take(1)


# ------------------------------------------------------------------ files


def test_pictures(animals: Path) -> None:
    stream = ImageFileStream(animals, animals / "animals.csv")
    assert stream.props.is_img() and stream.props.is_pubsub() and len(stream) == 3
    assert [sample.value.getpixel((0, 0))[0] for sample in stream.take(5)] == [0, 1, 2, 0, 1]
    assert [sample.tag for sample in stream.take(5)] == [0, 1, 2, 3, 4]
    short = ImageFileStream(animals, ["b/dog.png"], circular=False)
    short.add("b/gull.png")
    assert [sample.value.getpixel((0, 0))[0] for sample in short] == [2, 1]


def test_missing_files_are_named(animals: Path) -> None:
    with pytest.raises(StreamError, match=r"'ImageFileStream': the file '.*none.csv' does not exist"):
        ImageFileStream(animals, "none.csv")
    with pytest.raises(StreamError, match=r"'zoo': the file '.*cats.png' does not exist. Did you mean 'cat.png'"):
        ImageFileStream(animals, ["b/cats.png"], name="zoo")
    with pytest.raises(StreamError, match=r"'LabelStream': the file .*There is no folder"):
        LabelStream(animals / "nowhere", "labels.csv")
    with pytest.raises(StreamError, match=r"'TokensStream': the file 'words.csv' does not exist"):
        TokensStream("words.csv")
    with pytest.raises(StreamError, match=r"'ImageFileStream': the file '.*cow.png' does not exist"):
        ImageFileStream(animals, "animals.csv").add("b/cow.png")


def test_damaged_files_are_named(animals: Path) -> None:
    (animals / "b" / "cat.png").write_bytes(b"no picture")
    stream = ImageFileStream(animals, "animals.csv")
    with pytest.raises(StreamError, match=r"'ImageFileStream': '.*cat.png' cannot be read as a picture"):
        stream.advance("u")
    for content, problem in ((b"", "is empty"), (b"\n \n", "is empty"), (b"\xff\xfe", "is not a CSV file in UTF-8")):
        (animals / "animals.csv").write_bytes(content)
        with pytest.raises(StreamError, match=rf"'LabelStream'.*animals.csv' {problem}"):
            LabelStream(animals, "animals.csv")


def test_labels_of_lines(animals: Path) -> None:
    stream = LabelStream(label_dir=animals, label_file_csv=animals / "animals.csv")
    props = stream.props
    assert (props.tensor_labels, props.tensor_labeling_rule) == (["cat", "mammal", "bird", "dog"], "geq0.5")
    assert (props.tensor_shape, props.tensor_dtype) == ((1, 4), "torch.float32")
    assert numbers(stream, 4) == [[1, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]]
    assert [props.to_text(sample.value) for sample in stream] == ["cat, mammal", "bird", "mammal, dog"]


def test_lines_without_a_header(tmp_path: Path) -> None:
    written(tmp_path / "labels.csv", "cat\ndog\ncat\n")
    stream = LabelStream(tmp_path, "labels.csv", line_header=False, single_class=True, circular=False)
    assert (stream.props.tensor_labels, stream.props.tensor_labeling_rule) == (["cat", "dog"], "max")
    assert numbers(stream, 9) == [[1, 0], [0, 1], [1, 0]]


def test_lines_that_are_wrong(animals: Path) -> None:
    with pytest.raises(StreamError, match=r"line 1 of '.*animals.csv' has 2 labels, not one"):
        LabelStream(animals, "animals.csv", single_class=True)
    written(animals / "only.csv", "a.png\nb.png\n")
    with pytest.raises(StreamError, match=r"'LabelStream': there are no labels in '.*only.csv'"):
        LabelStream(animals, "only.csv")


def test_pictures_and_labels_shuffle_alike(animals: Path) -> None:
    pictures, labels = ImageFileStream(animals, "animals.csv"), LabelStream(animals, "animals.csv")
    expected = {0: [1, 1, 0, 0], 1: [0, 0, 1, 0], 2: [0, 1, 0, 1]}
    for seed in range(4):
        pictures.shuffle_buffer(seed)
        labels.shuffle_buffer(seed)
        pairs = list(zip(pictures.take(3), labels.take(3), strict=True))
        assert [picture.tag for picture, _ in pairs] == [0, 1, 2]
        for picture, label in pairs:
            assert label.value.squeeze().tolist() == expected[picture.value.getpixel((0, 0))[0]]


def test_words_and_their_vocabulary(tmp_path: Path) -> None:
    path = written(tmp_path / "cats.csv", "the,1\ncat,2\nsat,3\non,4\nthe,5\n")
    stream = TokensStream(tokens_file_csv=path, max_tokens=3)
    assert [sample.value for sample in stream.take(5)] == ["the", "cat", "sat", "the", "cat"]
    assert stream.props.proc_to_stream_transforms == ["cat", "sat", "the"]
    assert stream.props.stream_to_proc_transforms == {"cat": 0, "sat": 1, "the": 2}
    assert len(TokensStream(path)) == 5
    once = TokensStream(path, circular=False)
    assert len(once.take(9)) == 5
    with pytest.raises(StreamError, match="'TokensStream' has no samples"):
        TokensStream(path, max_tokens=0)


# ------------------------------------------------------------------ data sets


def test_a_data_set_in_batches() -> None:
    items = [(torch.full((1, 2, 2), float(i)), i, i / 2) for i in range(5)]
    images = Dataset(items, shape=(2, 1, 2, 2), batch_size=2)
    assert (len(images), images.props.tensor_shape, images.circular) == (3, (None, 1, 2, 2), False)
    assert [tuple(sample.value.shape) for sample in images] == [(2, 1, 2, 2), (2, 1, 2, 2), (1, 1, 2, 2)]
    assert [(sample.value[0, 0, 0, 0].item(), sample.tag) for sample in images] == [(0, 0), (2, 1), (4, 2)]
    labels = Dataset(items, shape=(1,), index=1)
    assert (labels.props.tensor_dtype, labels.props.is_tensor_target_id()) == ("torch.int64", True)
    assert [sample.value.tolist() for sample in labels] == [[0], [1], [2], [3], [4]]
    assert Dataset(items, shape=(1,), index=2).props.tensor_dtype == "torch.float32"
    assert Dataset(items[:4], shape=(2, 1, 2, 2), batch_size=2).props.tensor_shape == (2, 1, 2, 2)


def test_a_data_set_of_torch() -> None:
    data = torch.utils.data.TensorDataset(torch.rand(4, 3), torch.arange(4))
    assert numbers(Dataset(data, (1,), index=1), 9) == [0, 1, 2, 3]
    assert numbers(Dataset(torch.utils.data.Subset(data, [3, 1]), (1,), index=1), 9) == [3, 1]


def test_images_and_labels_of_a_data_set_shuffle_alike() -> None:
    items = [(torch.tensor([float(i)]), i) for i in range(10)]
    images, labels = Dataset(items, (1, 1)), Dataset(items, (1,), index=1)
    for stream in (images, labels):
        stream.shuffle_buffer(seed=3)
    assert numbers(images, 10) == numbers(labels, 10) != list(range(10))
    images.shuffle_buffer()
    assert numbers(images, 10) == list(range(10))


def test_the_declared_shape_is_verified() -> None:
    stream = Dataset([(torch.zeros(3),)], (1, 4), name="digits")
    with pytest.raises(StreamError, match=r"'digits' carries tensors torch.float32 of shape \(1, 4\), not a tensor"):
        stream.take(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tensor_dataset": []}, "the data set is empty"),
        ({"batch_size": 0}, "batch_size 0 must be at least 1"),
        ({"index": 5}, "item 0 of the data set has no tensor or number at index 5"),
        ({"index": 1}, "item 0 of the data set has no tensor or number at index 1"),
    ],
)
def test_a_wrong_data_set_names_the_stream(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(StreamError, match=f"'Dataset': {message}"):
        Dataset(**{"tensor_dataset": [(1, "one")], "shape": (1,), **arguments})


# ------------------------------------------------------------------ signals


def test_the_first_samples() -> None:
    assert numbers(smoHfHa(), 3) == pytest.approx([0.0, 0.0673, 0.1343], abs=5e-5)
    assert numbers(squLfLa(), 2) == [-0.5, -0.5]
    sample = smoHfHa()[7]
    assert (tuple(sample.value.shape), str(sample.value.dtype), sample.tag) == ((1, 1), "torch.float32", 7)


@pytest.mark.parametrize(
    ("name", "features", "power"),
    [
        ("smoHfHa", "3sin hf ha", 0.346),
        ("smoHfLa", "3sin hf la", 0.086),
        ("smoLfHa", "3sin lf ha", 0.346),
        ("smoLfLa", "3sin lf la", 0.086),
    ],
)
def test_smooth_presets(name: str, features: str, power: float) -> None:
    stream = getattr(library, name)()
    assert features.split() == stream.FEATURES
    assert sum(value**2 for value in numbers(stream, 1000)) / 1000 == pytest.approx(power, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "features", "freq", "ampl"),
    [
        ("squHfHa", "square hf ha", 0.06, 1.0),
        ("squHfLa", "square hf la", 0.06, 0.5),
        ("squLfHa", "square lf ha", 0.03, 1.0),
        ("squLfLa", "square lf la", 0.03, 0.5),
    ],
)
def test_square_presets(name: str, features: str, freq: float, ampl: float) -> None:
    stream = getattr(library, name)()
    assert features.split() == stream.FEATURES
    values = numbers(stream, 1000)
    assert set(values) == {ampl, -ampl} and values[0] == -ampl
    assert sum(a != b for a, b in pairwise(values)) == int(2 * freq * 99.9)


def test_sine_and_square() -> None:
    assert numbers(Sin(freq=2.5, phase=0.25), 4) == pytest.approx([1, 0, -1, 0], abs=1e-6)
    assert numbers(Square(freq=1.0, ampl=2.0, delta=0.25), 6) == [2, 2, -2, -2, 2, 2]
    assert numbers(Square(freq=1.0, phase=0.5, delta=0.5), 3) == [-1, 1, -1]


def test_sums_of_sines() -> None:
    assert numbers(CombSin([1.0], [2.0], 1, delta=0.25), 2) == pytest.approx([0, 2], abs=1e-6)
    one, same, other = (CombSin(0.5, 2.0, 4, seed=seed) for seed in (1, 1, 2))
    assert numbers(one, 5) == numbers(same, 5) != numbers(other, 5)
    assert all(0 <= f <= 0.5 for f in one.freqs) and all(0 <= c <= 2 for c in one.coefficients)
    with pytest.raises(StreamError, match="'CombSin': 2 frequencies and 1 amplitudes for 2 sines"):
        CombSin([1.0, 2.0], [1.0], 2)


def test_noise() -> None:
    stream = Random(2.0, (1, 500), seed=7)
    value = stream[0].value
    assert tuple(value.shape) == (1, 500) and value.min() >= 0 and value.max() <= 2
    assert value.mean().item() == pytest.approx(1, abs=0.1)
    assert torch.equal(value, Random(2.0, (1, 500), seed=7)[0].value)
    assert not torch.equal(value, stream[1].value)
    assert not torch.equal(value, Random(2.0, (1, 500), seed=8)[0].value)
    centred = Random(2.0, (1, 500), centered=True)[0].value
    assert centred.mean().item() == pytest.approx(0, abs=0.2) and centred.abs().max() <= 2 and centred.min() < -1.5


def test_noise_leaves_the_random_state_of_torch_alone() -> None:
    state = torch.get_rng_state()
    Random(1.0).take(3)
    assert torch.equal(state, torch.get_rng_state())


def test_all_labels_at_once() -> None:
    stream = AllHotLabelStream(smoHfHa.FEATURES)
    assert [(sample.value.tolist(), sample.tag) for sample in stream.take(2)] == [([[1, 1, 1]], 0), ([[1, 1, 1]], 1)]
    assert stream.props.to_text(stream[0].value) == "3sin, hf, ha"
    first, second = stream.advance("u"), stream.advance("u")
    assert first is not None and second is not None and (first.tag, second.tag) == (0, 1)


# ------------------------------------------------------------------ merged labels


def test_features_of_all_signals() -> None:
    features = [AllHotLabelStream(getattr(library, name).FEATURES) for name in PRESETS]
    signals = [getattr(library, name)() for name in PRESETS]
    labels = merge_flat_stream_labels([stream for pair in zip(signals, features, strict=True) for stream in pair])
    assert labels == ["3sin", "hf", "ha", "la", "lf", "square"]
    assert [numbers(stream, 1)[0] for stream in features[:3]] == [
        [1, 1, 1, 0, 0, 0],
        [1, 1, 0, 1, 0, 0],
        [1, 0, 1, 0, 1, 0],
    ]
    for name, stream in zip(PRESETS, features, strict=True):
        assert (stream.props.tensor_labels, stream.props.tensor_shape) == (labels, (1, 6))
        sample = stream.advance("u")
        assert sample is not None
        assert set(stream.props.to_text(sample.value).split(", ")) == set(getattr(library, name).FEATURES)
    assert all(stream.props.tensor_shape == (1, 1) for stream in signals)


def labelled(*labels: str, shape: tuple[int | None, ...] | None = None) -> Stream:
    shape = shape or (None, len(labels))
    return Stream(data_type="tensor", tensor_shape=shape, tensor_dtype="torch.float32", tensor_labels=list(labels))


def test_what_is_written_is_put_in_its_place() -> None:
    one, two = labelled("a", "b"), labelled("c", "b")
    assert merge_flat_stream_labels([one, two]) == ["a", "b", "c"]
    two.set(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert two.get().tolist() == [[0, 2, 1], [0, 4, 3]]
    two.set(torch.tensor([[5.0, 6.0, 7.0]]))
    assert two.get().tolist() == [[5, 6, 7]]
    with pytest.raises(StreamError, match=r"of shape \(any, 3\)"):
        two.set(torch.tensor([[5.0]]))


def test_the_same_labels_in_another_order() -> None:
    one, two = labelled("a", "b"), labelled("b", "a")
    merge_flat_stream_labels([one, two])
    two.set(torch.tensor([[1.0, 2.0]]))
    assert two.get().tolist() == [[2, 1]]
    assert two.props.is_compatible(one.props)


def test_generated_samples_are_put_in_their_place_once(animals: Path) -> None:
    first = labelled("dog", "bird", "mammal", "cat")
    stream = LabelStream(animals, "animals.csv")
    merge_flat_stream_labels([first, stream])
    expected = [[0, 0, 1, 1], [0, 1, 0, 0], [1, 0, 1, 0]]
    assert numbers(stream, 3) == expected
    advanced = [stream.advance("u") for _ in range(3)]
    assert [sample.value.squeeze().tolist() for sample in advanced if sample] == expected


def test_recorded_samples_survive_merging_again() -> None:
    tape = BufferedStream(labelled("b").props)
    merge_flat_stream_labels([labelled("a"), tape])
    tape.set(torch.tensor([[1.0]]))
    merge_flat_stream_labels([labelled("c"), labelled("a"), tape])
    assert numbers(tape, 1) == [[0, 0, 1]]


def test_merging_again_with_more_streams() -> None:
    one, two, three = labelled("a", "b"), labelled("b"), labelled("c", "a")
    merge_flat_stream_labels([one, two])
    assert merge_flat_stream_labels([one, two, three]) == ["a", "b", "c"]
    for stream, expected in ((one, [1, 2, 0]), (two, [0, 1, 0]), (three, [2, 0, 1])):
        own = 1 if stream is two else 2
        stream.set(torch.arange(1.0, own + 1).reshape(1, own))
        assert stream.get().tolist() == [expected]


def test_a_copy_carries_the_merged_labels_and_takes_merged_values() -> None:
    one, two = labelled("a", "b"), labelled("b", "a")
    merge_flat_stream_labels([one, two])
    copy = Stream(two.props.clone())
    copy.set(torch.tensor([[1.0, 2.0]]))
    assert copy.get().tolist() == [[1, 2]]


def test_only_named_components_are_merged() -> None:
    ids = Stream(data_type="tensor", tensor_shape=(None, None), tensor_dtype="long", tensor_labels=["the", "cat"])
    text, one = Stream(data_type="text"), labelled("a")
    before = [ids.props, text.props]
    assert merge_flat_stream_labels([ids, text, one]) == ["a"]
    assert [ids.props, text.props] == before
    assert merge_flat_stream_labels([]) == []
    with pytest.raises(StreamError, match="has a label twice"):
        merge_flat_stream_labels([labelled("a", "a")])
