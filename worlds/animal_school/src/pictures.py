"""Pictures of animals, drawn instead of photographed: nothing to download, and another seed draws other ones.

Whoever has photographs uses :class:`~unaiverse_lab.data.library.ImageFileStream` in place of :class:`DrawnPictures`,
with the same lists of files.
"""

import csv
import random
from pathlib import Path

from PIL import Image, ImageDraw

from unaiverse_lab.data.library import Source

SIZE = 32


def shade(rng: random.Random, colour: tuple[int, int, int], by: int = 20) -> tuple[int, ...]:
    """A colour like this one."""
    return tuple(max(0, min(255, part + rng.randint(-by, by))) for part in colour)


def canvas(rng: random.Random, colour: tuple[int, int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A picture of one colour, and what draws on it."""
    picture = Image.new("RGB", (SIZE, SIZE), shade(rng, colour))
    return picture, ImageDraw.Draw(picture)


def albatross(rng: random.Random) -> Image.Image:
    """A pale V of wings on blue."""
    picture, draw = canvas(rng, (90, 150, 215))
    x, y, span, rise = rng.randint(12, 20), rng.randint(15, 23), rng.randint(8, 12), rng.randint(5, 10)
    wings = [(x - span, y - rise), (x, y), (x + span, y - rise)]
    draw.line(wings, fill=shade(rng, (240, 240, 235), 12), width=rng.randint(2, 4))
    return picture


def cheetah(rng: random.Random) -> Image.Image:
    """Dark round spots on tan."""
    picture, draw = canvas(rng, (205, 170, 115))
    for _ in range(rng.randint(9, 16)):
        x, y, r = rng.randint(2, 29), rng.randint(2, 29), rng.randint(1, 3)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=shade(rng, (45, 32, 25), 12))
    return picture


def giraffe(rng: random.Random) -> Image.Image:
    """A tall yellow band with brown patches on green."""
    picture, draw = canvas(rng, (95, 150, 70))
    left, width = rng.randint(8, 17), rng.randint(6, 10)
    draw.rectangle((left, rng.randint(0, 5), left + width, SIZE), fill=shade(rng, (225, 190, 85)))
    for _ in range(rng.randint(5, 9)):
        x, y, side = rng.randint(left, left + width - 2), rng.randint(4, 29), rng.randint(1, 3)
        draw.rectangle((x, y, min(x + side, left + width), y + side), fill=shade(rng, (120, 70, 35)))
    return picture


ANIMALS = {"albatross": albatross, "cheetah": cheetah, "giraffe": giraffe}


def drawn(name: str, seed: int | str = 0) -> Image.Image:
    """The picture called ``<animal>_<number>.png``: 32 x 32, RGB, with some noise."""
    rng = random.Random(f"{seed}:{name}")
    picture = ANIMALS[name.partition("_")[0]](rng)
    noise = Image.frombytes("RGB", picture.size, rng.randbytes(SIZE * SIZE * 3))
    return Image.blend(picture, noise, rng.uniform(0.1, 0.3))


class DrawnPictures(Source):
    """The pictures that a CSV file lists (first field: the name), drawn when they are asked for.

    ``seed`` decides how they look; it may be set until the first one is read.
    """

    def __init__(self, list_of_image_files: str | Path, seed: int | str = 0, **fields):
        with Path(list_of_image_files).open(newline="", encoding="utf-8") as lines:
            names = [row[0] for row in csv.reader(lines) if row]
        super().__init__(names, **{"data_type": "img", "pubsub": True, **fields})
        self.seed = seed

    def sample(self, index: int) -> Image.Image:
        return drawn(super().sample(index), self.seed)
