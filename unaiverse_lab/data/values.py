"""The values of streams: whether they fit, how they cross the processor's boundary, how they travel.

A value is a text, a tensor, an image, a file, or (on streams of type ``"all"``) also plain data made of these.
torch and Pillow are imported only where a value of theirs has to be made.
"""

from __future__ import annotations

import functools
import importlib
import io
import math
import mimetypes
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unaiverse_lab.core.errors import StreamError, nearest
from unaiverse_lab.core.limits import DEPTH, ENTRIES, NotSendable, check_size

if TYPE_CHECKING:
    from unaiverse_lab.data.props import DataProps

DTYPES = {
    "torch.float32": 4,
    "torch.float64": 8,
    "torch.float16": 2,
    "torch.bfloat16": 2,
    "torch.int64": 8,
    "torch.int32": 4,
    "torch.int16": 2,
    "torch.int8": 1,
    "torch.uint8": 1,
    "torch.bool": 1,
}
"""The tensors a stream may carry, and the bytes of one number."""

CLASS_IDS_DTYPE = "torch.int64"
MOST_PIXELS = 40_000_000
"""Of an image that goes to another process, or comes from there."""

_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def optional(module: str) -> Any:
    """Import torch or Pillow.

    Raises:
        StreamError: it is not installed; the message says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = {"PIL": "pillow"}.get(module.partition(".")[0], module)
        raise StreamError(f"this needs {name}, which is not installed: pip install {name}") from error


def is_tensor(value: Any) -> bool:
    """Whether it is a torch tensor (without importing torch)."""
    return isinstance(value, getattr(sys.modules.get("torch"), "Tensor", ()))


def is_image(value: Any) -> bool:
    """Whether it is a Pillow image (without importing Pillow)."""
    return isinstance(value, getattr(sys.modules.get("PIL.Image"), "Image", ()))


@dataclass
class FileContainer:
    """A file as a value.

    Args:
        content: what is in it.
        filename: its name; a path is cut to its last part.
        mime_type: what kind of file it is.
    """

    content: bytes | str = field(repr=False)
    filename: str
    mime_type: str = "application/octet-stream"

    def __post_init__(self) -> None:
        self.filename = re.split(r"[/\\]", self.filename)[-1]

    @staticmethod
    def from_path(path: str | Path) -> FileContainer:
        """Read a file; its kind is guessed from its name.

        Raises:
            StreamError: there is no such file.
        """
        path = Path(path)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise StreamError(f"the file {str(path)!r} cannot be read: {error.strerror or error}") from error
        return FileContainer(content, path.name, mimetypes.guess_type(path.name)[0] or "application/octet-stream")


def describe(value: Any) -> str:
    """Type and beginning of a value, for messages."""
    if is_tensor(value):
        return f"a tensor {value.dtype} of shape {tuple(value.shape)}"
    return f"{type(value).__name__} ({value!r:.60})"


# ---------------------------------------------------------------- does it fit?

_CARRIES = {
    "text": "text",
    "tensor": "tensors",
    "img": "images (PIL.Image.Image)",
    "file": "files (FileContainer; FileContainer.from_path(path) reads one)",
    "all": "texts, numbers, tensors, images, files, and lists and dictionaries of these",
}


def check(props: DataProps, value: Any) -> Any:
    """The value as a stream stores it; None passes.

    The components of a tensor are put at their places if the labels of the stream were merged with those of others.

    Raises:
        StreamError: the value is of another type, or a tensor of another dtype or shape, or with ids beyond the labels,
            or lists and dictionaries that are too long or too deep inside each other to be sent.
    """
    kind = props.data_type
    if value is None or (kind == "text" and isinstance(value, str)):
        return value
    if kind == "tensor" and is_tensor(value):
        return _fit(props, value)
    if (
        (kind == "img" and is_image(value))
        or (kind == "file" and isinstance(value, FileContainer))
        or (kind == "all" and _can_travel(props.name, value))
    ):
        return value
    raise StreamError(f"stream {props.name!r} carries {_CARRIES[kind]}, not {describe(value)}")


def _fit(props: DataProps, value: Any) -> Any:
    labels, places, shape = props.tensor_labels, props.label_positions, props.tensor_shape or ()
    if places is not None and value.ndim == 2 and value.shape[1] == len(places):
        merged = value.new_zeros((value.shape[0], len(labels or ())))
        value = merged.index_copy_(1, _columns(places, value.device), value)
    fits = str(value.dtype) == props.tensor_dtype and (
        value.shape == shape
        or (
            value.ndim == len(shape)
            and all(size is None or size == given for size, given in zip(shape, value.shape, strict=True))
        )
    )
    if not fits:
        expected = ", ".join("any" if size is None else str(size) for size in shape)
        raise StreamError(
            f"stream {props.name!r} carries tensors {props.tensor_dtype} of shape ({expected}), not {describe(value)}"
        )
    if labels is not None and props.is_tensor_long():
        if value.numel() and not 0 <= int(value.min()) <= int(value.max()) < len(labels):
            raise StreamError(f"stream {props.name!r} has {len(labels)} labels, but its ids are {value.tolist()!r:.60}")
    elif labels is not None and value.shape[1] != len(labels):
        raise StreamError(f"stream {props.name!r} has {len(labels)} labels, not {value.shape[1]} components")
    return value


@functools.cache
def _columns(places: tuple[int, ...], device: Any) -> Any:
    return optional("torch").tensor(places, device=device)


def _can_travel(name: str, value: Any, left: int = DEPTH) -> bool:
    if isinstance(value, list | tuple | dict):
        _check_size(f"stream {name!r}", value, left)
        if isinstance(value, list | tuple):
            return all(_can_travel(name, one, left - 1) for one in value)
        return all(isinstance(key, str) and _can_travel(name, one, left - 1) for key, one in value.items())
    plain = value is None or isinstance(value, str | bytes | int | float | FileContainer)
    return plain or is_image(value) or (is_tensor(value) and str(value.dtype) in DTYPES)


def _check_size(name: str, value: list[Any] | tuple[Any, ...] | dict[str, Any], left: int) -> None:
    try:
        check_size(len(value), left, ENTRIES, "dictionary" if isinstance(value, dict) else "list")
    except NotSendable as error:
        raise StreamError(f"{name}: {error.problem}") from None


# ---------------------------------------------------------------- the processor's boundary


def to_processor(props: DataProps, value: Any, targets: bool = False, allow_class_ids: bool = False) -> Any:
    """What the processor gets for a value of a stream; None passes.

    With ``stream_to_proc_transforms``: a function is called with the value; a dictionary turns a word into its id, of
    shape (1, 1) for inputs and (1,) for targets; of a pair, the second is for targets.

    Args:
        props: properties of the slot.
        value: the value.
        targets: it is a target, not an input.
        allow_class_ids: a tensor of integers of one dimension (class ids) is taken as it is.

    Raises:
        StreamError: the value does not fit the slot, or a word is not in the dictionary.
    """
    if value is None or (allow_class_ids and props.is_tensor() and _are_class_ids(value)):
        return value
    value = check(props, value)
    transform = props.stream_to_proc_transforms
    if isinstance(transform, list | tuple):
        transform = transform[-1 if targets else 0]
    if isinstance(transform, Mapping):
        if value not in transform:
            near = " or ".join(repr(word) for word in nearest(value, transform))
            raise StreamError(
                f"stream {props.name!r}: {value!r} is not among the {len(transform)} words of its dictionary."
                + (f" Did you mean {near}?" if near else " Build the dictionary from all the words it may meet.")
            )
        torch = optional("torch")
        return torch.tensor([transform[value]] if targets else [[transform[value]]], dtype=torch.int64)
    return transform(value) if callable(transform) else value


def _are_class_ids(value: Any) -> bool:
    return is_tensor(value) and value.ndim == 1 and str(value.dtype) == CLASS_IDS_DTYPE


def from_processor(props: DataProps, value: Any) -> Any:
    """What a stream gets for an output of the processor; None passes.

    Tensors are detached and moved to the CPU. With ``proc_to_stream_transforms``: a function is called with the output
    (of a text or image stream: unless it is a text or an image already); words by id decode a tensor of a text stream
    (real numbers: the word of the largest component; integers: the words of the ids; several are joined by spaces).
    A file stream also takes a path, which is read, and bytes.

    Raises:
        StreamError: the output does not fit the stream and no transform makes it fit.
    """
    if is_tensor(value):
        value = value.detach()
    transform = props.proc_to_stream_transforms
    done = value is None or (props.is_text() and isinstance(value, str)) or (props.is_img() and is_image(value))
    if not done and transform is not None:
        value = transform(value) if callable(transform) else _words(props, transform, value)
    elif not done and (props.is_text() or props.is_img()):
        raise StreamError(
            f"stream {props.name!r} carries {_CARRIES[props.data_type]}, the processor gave {describe(value)}: "
            "give the slot proc_to_stream_transforms, a function of the output"
            + (" or the list of words" if props.is_text() else "")
        )
    if props.is_file() and isinstance(value, str | Path):
        value = FileContainer.from_path(value)
    elif props.is_file() and isinstance(value, bytes):
        value = FileContainer(value, props.name)
    return check(props, value.detach().cpu() if is_tensor(value) else value)


def _words(props: DataProps, words: Any, output: Any) -> str:
    if not is_tensor(output):
        raise StreamError(
            f"stream {props.name!r}: words are decoded from tensors, the processor gave {describe(output)}"
        )
    ids = (output.argmax(dim=-1) if output.is_floating_point() else output).flatten().tolist()
    known = words if isinstance(words, Mapping) else range(len(words))
    unknown = [i for i in ids if i not in known]
    if unknown:
        raise StreamError(f"stream {props.name!r}: there is no word number {unknown[0]}, only {len(words)} words")
    return " ".join(words[i] for i in ids)


def vocab_transforms(words: Iterable[str]) -> tuple[dict[str, int], list[str]]:
    """The two transforms of a text stream over a vocabulary: word -> id and id -> word; sorted distinct words."""
    vocabulary = sorted(set(words))
    return {word: number for number, word in enumerate(vocabulary)}, vocabulary


# ---------------------------------------------------------------- travelling


def encode_value(value: Any) -> Any:
    """A value as texts, numbers, bytes, lists and dictionaries: what MessagePack can carry.

    Texts and numbers are themselves. Every dictionary says its ``"type"``: ``"tensor"`` (dtype, shape, raw bytes),
    ``"img"`` (PNG; modes that PNG has not are converted to RGB), ``"file"`` or ``"dict"``. A tuple becomes a list.

    Raises:
        StreamError: it is none of what streams carry, or too large or too deep.
    """
    return _encode(value, DEPTH)


def _encode(value: Any, left: int) -> Any:
    if value is None or isinstance(value, str | bytes | int | float):
        return value
    if is_tensor(value) and str(value.dtype) in DTYPES:
        torch = optional("torch")
        raw = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return {"type": "tensor", "dtype": str(value.dtype), "shape": list(value.shape), "data": raw}
    if is_image(value):
        _check_pixels(value)
        png = io.BytesIO()
        (value if value.mode in _PNG_MODES else value.convert("RGB")).save(png, "PNG", compress_level=1)
        return {"type": "img", "data": png.getvalue()}
    if isinstance(value, FileContainer):
        return {"type": "file", "data": value.content, "filename": value.filename, "mime_type": value.mime_type}
    if isinstance(value, list | tuple):
        _check_size("a value", value, left)
        return [_encode(one, left - 1) for one in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        _check_size("a value", value, left)
        return {"type": "dict", "data": {key: _encode(one, left - 1) for key, one in value.items()}}
    raise StreamError(f"streams carry {_CARRIES['all']}, not {describe(value)}")


def decode_value(data: Any) -> Any:
    """The value that :func:`encode_value` wrote. Nothing in ``data`` is ever executed.

    Raises:
        StreamError: it was not written by it, or is damaged.
    """
    try:
        return _decode(data, DEPTH)
    except StreamError:
        raise
    except Exception as error:
        raise StreamError(f"a value cannot be decoded: {type(error).__name__}: {error}") from error


def _decode(data: Any, left: int) -> Any:
    if data is None or isinstance(data, str | bytes | int | float):
        return data
    if isinstance(data, list):
        _check_size("a value", data, left)
        return [_decode(one, left - 1) for one in data]
    if not isinstance(data, dict):
        raise TypeError(f"a {type(data).__name__} is no value of streams")
    match data["type"]:
        case "tensor":
            return _decode_tensor(data["dtype"], list(data["shape"]), data["data"])
        case "img":
            return _decode_image(data["data"])
        case "file":
            if not isinstance(data["data"], str | bytes) or not isinstance(data["mime_type"], str):
                raise TypeError("a file consists of text or bytes, and its type is a text")
            return FileContainer(data["data"], data["filename"], data["mime_type"])
        case "dict":
            _check_size("a value", data["data"], left)
            if not all(isinstance(key, str) for key in data["data"]):
                raise TypeError("the keys of a dictionary are texts")
            return {key: _decode(one, left - 1) for key, one in data["data"].items()}
        case other:
            raise ValueError(f"unknown type {other!r}")


def _decode_image(data: bytes) -> Any:
    pillow = optional("PIL.Image")
    try:
        with pillow.open(io.BytesIO(data), formats=["PNG"]) as image:
            _check_pixels(image)
            return image.copy()
    except pillow.UnidentifiedImageError:  # its own message has an address in memory
        raise ValueError(f"{len(data)} bytes are no PNG image") from None


def _check_pixels(image: Any) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise StreamError(f"an image of {image.width} x {image.height} pixels, and {MOST_PIXELS} are the most")


def _decode_tensor(dtype: str, shape: list[int], raw: bytes) -> Any:
    size = DTYPES.get(dtype)
    if size is None:
        raise ValueError(f"unknown dtype {dtype!r}")
    if min(shape, default=0) < 0 or math.prod(shape) * size != len(raw):
        raise ValueError(f"{len(raw)} bytes are no tensor {dtype} of shape {tuple(shape)}")
    torch = optional("torch")
    kind = getattr(torch, dtype.removeprefix("torch."))
    return torch.frombuffer(bytearray(raw), dtype=kind).reshape(shape) if raw else torch.empty(shape, dtype=kind)
