"""Images of materials: checked, then turned into pixels."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from nvs.errors import DatasetError, MissingExtraError

if TYPE_CHECKING:
    from PIL import Image

MAX_TEXTURE_PIXELS = 1 << 26
MAX_TEXTURE_SIDE_PX = 4096


def check_texture(data: bytes, place: str) -> None:
    """Check that an image is of a sensible size, then that it can be decoded.

    Args:
        data: The encoded image.
        place: What to call it in messages.

    Raises:
        DatasetError: If it is no image, is damaged or has more than 2²⁶ pixels.
        MissingExtraError: Without Pillow.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pillow", "data") from error
    smaller = f"Resize it; at most {MAX_TEXTURE_PIXELS} pixels are read."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
        if image.width * image.height > MAX_TEXTURE_PIXELS:
            raise DatasetError(
                f"{place} has {image.height}×{image.width} pixels", remedy=smaller
            )
        image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DatasetError(f"{place} is too large ({error})", remedy=smaller) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise DatasetError(
            f"{place} is not an image that can be read ({error})",
            remedy="Download the model again, or convert the image to PNG or JPEG.",
        ) from error


def texture_pixels(
    image: Image.Image, *, opaque: bool
) -> UInt8[np.ndarray, "height width 4"]:
    """RGBA pixels, top row first, at most 4096 on the longer side.

    Args:
        image: As opened by Pillow.
        opaque: Whether to ignore the image's alpha channel.
    """
    rgba = image.convert("RGBA")
    rgba.thumbnail((MAX_TEXTURE_SIDE_PX, MAX_TEXTURE_SIDE_PX))
    if opaque:
        rgba.putalpha(255)
    return np.asarray(rgba)
