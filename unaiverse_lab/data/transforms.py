"""From images to tensors and back, with Pillow and torch only."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from unaiverse_lab.core.errors import StreamError, did_you_mean
from unaiverse_lab.data.values import describe, is_image, is_tensor, optional

_KINDS: dict[str, tuple[str, tuple[float, ...], tuple[float, ...]]] = {
    "rgb": ("RGB", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "gray": ("L", (0.45,), (0.225,)),
    "rgb-no_norm": ("RGB", (), ()),
    "gray-no_norm": ("L", (), ()),
    "gray_mnist": ("L", (0.1307,), (0.3081,)),
}
"""Mode of the image, mean and standard deviation per channel (empty: bytes, not normalized)."""


def transforms_factory(name: str, add_batch_dim: bool = True, return_inverse: bool = False) -> Callable[[Any], Any]:
    """A function from images to tensors, or back.

    Args:
        name: ``"rgb<N>"``, ``"gray<N>"``: the shorter side resized to N, the central N x N square, numbers from 0 to 1
            minus a mean, divided by a standard deviation (float32); ``"rgb-no_norm<N>"``, ``"gray-no_norm<N>"``: the
            same square as bytes (uint8, 0 to 255); any of the four without N: the whole image;
            ``"gray_mnist"``: 28 x 28, mean 0.1307, standard deviation 0.3081.
        add_batch_dim: tensors are (1, channels, height, width), not (channels, height, width).
        return_inverse: the function from tensors to images instead; sizes stay.

    Raises:
        StreamError: unknown name; the message gives the nearest ones.
    """
    match = re.fullmatch(r"(rgb|gray|rgb-no_norm|gray-no_norm)([1-9]\d*)?|gray_mnist", name)
    if match is None:
        names = [f"{kind}{size}" for kind in list(_KINDS)[:4] for size in ("", "32", "224")]
        raise StreamError(f"there is no transform {name!r}.{did_you_mean(name, [*names, 'gray_mnist'])}")
    mode, mean, deviation = _KINDS[match[1] or "gray_mnist"]
    size = int(match[2]) if match[2] else 28 if match[1] is None else None

    def channels(numbers: tuple[float, ...]) -> Any:
        return optional("torch").tensor(numbers).reshape(-1, 1, 1)

    def to_tensor(image: Any) -> Any:
        if not is_image(image):
            raise StreamError(f"the transform {name!r} takes images (PIL.Image.Image), not {describe(image)}")
        torch = optional("torch")
        image = image.convert(mode)
        if size is not None:
            image = _central_square(image, size)
        tensor = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
        tensor = tensor.reshape(image.height, image.width, -1).permute(2, 0, 1).contiguous()
        if mean:
            tensor = (tensor.to(torch.float32) / 255 - channels(mean)) / channels(deviation)
        return tensor.unsqueeze(0) if add_batch_dim else tensor

    def to_image(tensor: Any) -> Any:
        count = len(mode)
        given = tensor[0] if add_batch_dim and is_tensor(tensor) and tensor.ndim == 4 and len(tensor) == 1 else tensor
        if not is_tensor(given) or given.ndim != 3 or given.shape[0] != count:
            expected = f"{'(1, ' if add_batch_dim else '('}{count}, height, width)"
            raise StreamError(
                f"the inverse of the transform {name!r} takes tensors of shape {expected}, not {describe(tensor)}"
            )
        torch = optional("torch")
        given = given.detach().cpu()
        if mean:
            given = ((given * channels(deviation) + channels(mean)).clamp(0, 1) * 255).round()
        rows = given.to(torch.uint8).permute(1, 2, 0).contiguous()
        return optional("PIL.Image").frombytes(mode, (rows.shape[1], rows.shape[0]), rows.numpy().tobytes())

    return to_image if return_inverse else to_tensor


def _central_square(image: Any, size: int) -> Any:
    """Shorter side to ``size``, then the central square."""
    width, height = image.size
    wide, high = size * width // min(width, height), size * height // min(width, height)
    if (wide, high) != image.size:
        image = image.resize((wide, high), optional("PIL.Image").Resampling.BILINEAR)
    left, top = round((wide - size) / 2), round((high - size) / 2)
    return image.crop((left, top, left + size, top + size))
