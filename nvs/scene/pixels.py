"""Images that are in memory already: NumPy arrays, tensors and PIL images.

Arrays and tensors have their colours last (height, width, channel) or first (channel,
height, width), whichever side is 3 or 4 long, and are `uint8`, or in floating point
with 0 for black and 1 for white.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image
from torch import Tensor

from nvs.colours import eight_bit, srgb
from nvs.errors import ImageError

COLOURS = (3, 4)


def listed(images: Any) -> list[Any]:
    """One image or many, in a list or along the first side of an array, as a list.

    Raises:
        ImageError: If it is neither.
    """
    is_one = isinstance(images, np.ndarray | Tensor) and images.ndim in (2, 3)
    if is_one or isinstance(images, Image.Image):
        return [images]
    if isinstance(images, str) or not isinstance(images, Iterable):
        raise ImageError(
            f"images is a {type(images).__name__}",
            remedy="Give a list of arrays, tensors or PIL images, or one array of all.",
        )
    return list(images)


def pixels_of(image: Any) -> UInt8[np.ndarray, "height width channel"]:
    """RGB, or RGBA with straight alpha, of any image in memory.

    Args:
        image: A PIL image of any mode, whose EXIF orientation is not applied; or an
            array or tensor as this module says.

    Raises:
        ImageError: If it is none of these, its colours could be on more than one side
            or its values are on another scale.
    """
    if isinstance(image, Image.Image):
        return srgb(image)
    if isinstance(image, Tensor):
        image = image.detach().cpu()
        image = (image.float() if image.is_floating_point() else image).numpy()
    if not isinstance(image, np.ndarray):
        raise ImageError(
            f"is a {type(image).__name__}, not an image in memory",
            remedy="Give an array, a tensor or a PIL image; of a file PIL.Image.open, "
            "of a dataset load_views.",
        )
    return _scaled(_colours_last(_coloured(image)))


def _coloured(image: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """An image of one grey channel with three of it; any other as it is."""
    if image.ndim == 3 and 1 in (image.shape[0], image.shape[-1]):
        image = image[0] if image.shape[0] == 1 else image[..., 0]
    return np.stack([image] * 3, axis=-1) if image.ndim == 2 else image


def _colours_last(
    image: Shaped[np.ndarray, "..."],
) -> Shaped[np.ndarray, "height width channel"]:
    is_image = image.ndim == 3 and image.size > 0
    is_last = is_image and image.shape[-1] in COLOURS
    is_first = is_image and image.shape[0] in COLOURS
    if is_last and is_first:
        raise ImageError(
            f"has shape {image.shape}: colours may be first or last",
            remedy="Give a PIL image, which says it: Image.fromarray(array) of uint8.",
        )
    if not (is_last or is_first):
        raise ImageError(
            f"has shape {image.shape}, where no outer side has 3 or 4 colours",
            remedy="Give (height, width, 3) or (3, height, width), or grey alone.",
        )
    return image if is_last else np.moveaxis(image, 0, -1)


def _scaled(
    image: Shaped[np.ndarray, "height width channel"],
) -> UInt8[np.ndarray, "height width channel"]:
    if image.dtype != np.uint8 and not np.issubdtype(image.dtype, np.floating):
        raise ImageError(
            f"has values of type {image.dtype}",
            remedy="Give uint8 (0 to 255) or floating point (0 to 1).",
        )
    if image.dtype != np.uint8 and not (image.min() >= 0 and image.max() <= 1):
        raise ImageError(
            f"has floating-point values from {image.min():g} to {image.max():g}",
            remedy="Bring them to 0 to 1, or give uint8.",
        )
    return np.ascontiguousarray(eight_bit(image))
