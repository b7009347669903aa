"""Extractors without a model: stand-ins for a classifier, a captioner and a detector, with the same kinds of slots.

Put a real one in their place: anything that takes a picture and returns one value per output slot will do.
"""

from statistics import median
from typing import NamedTuple

import torch
from PIL import Image

from unaiverse_lab import StreamType

COLOURS = {
    "black": (20, 20, 20),
    "white": (240, 240, 240),
    "grey": (128, 128, 128),
    "red": (200, 50, 40),
    "green": (60, 150, 60),
    "blue": (60, 110, 200),
    "yellow": (230, 200, 90),
    "brown": (120, 75, 35),
}
KINDS = {"wedge": 0.45, "disc": 0.76, "block": 1.0}
"""How much of the box around it a blob of each kind fills."""


class Blob(NamedTuple):
    """A connected part of a picture that differs from its background; the box is left, top, right, bottom."""

    kind: str
    score: float
    box: tuple[int, int, int, int]
    area: int


def nearest_colour(colour) -> str:
    return min(COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(COLOURS[name], colour, strict=True)))


def mean_colour(picture: Image.Image) -> tuple[float, ...]:
    return picture.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))


def blobs_of(picture: Image.Image, contrast: int = 60, smallest: int = 12) -> list[Blob]:
    """The blobs of a picture, largest first. The background has the median colour of the border."""
    picture = picture.convert("RGB")
    width, height = picture.size
    pixels = picture.load()
    border = [pixels[x, y] for x in range(width) for y in (0, height - 1)]
    border += [pixels[x, y] for y in range(height) for x in (0, width - 1)]
    ground = [median(channel) for channel in zip(*border, strict=True)]
    left = {
        (x, y)
        for y in range(height)
        for x in range(width)
        if max(abs(a - b) for a, b in zip(pixels[x, y], ground, strict=True)) > contrast
    }
    found = []
    for start in sorted(left, key=lambda place: (place[1], place[0])):
        if start not in left:
            continue
        left.discard(start)
        blob, edge = [], [start]
        while edge:
            x, y = edge.pop()
            blob.append((x, y))
            for near in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
                if near in left:
                    left.discard(near)
                    edge.append(near)
        if len(blob) >= smallest:
            found.append(_measured(blob))
    return sorted(found, key=lambda blob: -blob.area)


def _measured(places: list[tuple[int, int]]) -> Blob:
    columns, rows = [x for x, _ in places], [y for _, y in places]
    box = (min(columns), min(rows), max(columns) + 1, max(rows) + 1)
    fill = len(places) / ((box[2] - box[0]) * (box[3] - box[1]))
    kind = min(KINDS, key=lambda name: abs(KINDS[name] - fill))
    return Blob(kind, 1.0 - abs(KINDS[kind] - fill), box, len(places))


class ColorNamer:
    """Names the colour of a picture: one score per colour, 1 for the nearest to the mean."""

    inputs = [StreamType("img")]
    outputs = [
        StreamType(
            data_type="tensor",
            tensor_shape=(1, len(COLOURS)),
            tensor_dtype=torch.float32,
            tensor_labels=list(COLOURS),
            data_desc="names colours",
        )
    ]

    def __call__(self, picture: Image.Image) -> torch.Tensor:
        named = nearest_colour(mean_colour(picture))
        return torch.tensor([[float(name == named) for name in COLOURS]])


class ShapeCaptioner:
    """Describes what stands out in a picture, in one sentence."""

    inputs = [StreamType("img")]
    outputs = [StreamType(data_type="text", data_desc="describes shapes")]

    def __call__(self, picture: Image.Image) -> str:
        blobs = blobs_of(picture)
        if not blobs:
            return "Nothing stands out."
        kind, _, (left, top, right, bottom), _ = blobs[0]
        what = f"one {kind}" if len(blobs) == 1 else f"{len(blobs)} shapes, the largest a {kind}"
        width, height = right - left, bottom - top
        form = "wide" if width > 1.5 * height else "tall" if height > 1.5 * width else "even"
        covered = round(100 * sum(blob.area for blob in blobs) / (picture.width * picture.height))
        ground = nearest_colour(picture.convert("RGB").getpixel((0, 0)))
        return f"On {ground}: {what} ({form}), {covered}% of the picture."


class BlobCounter:
    """Finds blobs: the number of the kind of each, how sure it is, where it is, and all kinds as words."""

    inputs = [StreamType("img")]
    outputs = [
        StreamType(data_type="tensor", tensor_shape=(None,), tensor_dtype=torch.int64, data_desc="kinds of blobs"),
        StreamType(data_type="tensor", tensor_shape=(None,), tensor_dtype=torch.float32, data_desc="scores of blobs"),
        StreamType(data_type="tensor", tensor_shape=(None, 4), tensor_dtype=torch.float32, data_desc="boxes of blobs"),
        StreamType(data_type="text", data_desc="counts blobs"),
    ]

    def __call__(self, picture: Image.Image) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, str]:
        blobs = blobs_of(picture)
        numbers = [list(KINDS).index(blob.kind) for blob in blobs]
        return (
            torch.tensor(numbers, dtype=torch.int64),
            torch.tensor([blob.score for blob in blobs], dtype=torch.float32),
            torch.tensor([blob.box for blob in blobs], dtype=torch.float32).reshape(-1, 4),
            ", ".join(blob.kind for blob in blobs) or "nothing",
        )
