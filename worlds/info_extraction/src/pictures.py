"""Three pictures, drawn here: a stand-in for photographs of animals."""

from PIL import Image, ImageDraw

from unaiverse_lab import Stream
from unaiverse_lab.data.library import Source

SIZE = 64
SKY, SAND, MEADOW = (70, 120, 200), (222, 190, 130), (60, 150, 70)
FEATHERS, SPOTS, COAT, PATCHES = (245, 245, 240), (60, 40, 25), (235, 205, 80), (120, 75, 30)


def albatross() -> Image.Image:
    """Pale wings, spread over a blue sky."""
    picture, draw = _canvas(SKY)
    draw.polygon([(4, 14), (32, 30), (60, 14), (32, 42)], fill=FEATHERS)
    return picture


def cheetah() -> Image.Image:
    """Dark round spots on sand."""
    picture, draw = _canvas(SAND)
    for x, y in ((12, 14), (34, 10), (52, 20), (20, 34), (42, 36), (12, 52), (32, 54), (54, 50)):
        draw.ellipse([x - 5, y - 5, x + 5, y + 5], fill=SPOTS)
    return picture


def giraffe() -> Image.Image:
    """A tall yellow neck with brown patches, in front of a meadow."""
    picture, draw = _canvas(MEADOW)
    draw.rectangle([26, 4, 40, 60], fill=COAT)
    for y in range(8, 56, 12):
        draw.rectangle([29, y, 37, y + 6], fill=PATCHES)
    return picture


def _canvas(colour: tuple[int, int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("RGB", (SIZE, SIZE), colour)
    return picture, ImageDraw.Draw(picture)


def animal_stream() -> Stream:
    """The private stream a user offers: three pictures, once."""
    pictures = Source([albatross(), cheetah(), giraffe()], circular=False, data_type="img")
    return Stream.create(pictures, name="animals", group="animal_stream", public=False)
