"""Uploaded images: checked by decoding them."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image

from nvs.images import FORMATS, read_image
from nvs_server.backends.base import ImageInfo


def inspect_image(path: Path, *, max_pixels: int) -> ImageInfo:
    """Decode an image; its size and format.

    Raises:
        ImageError: If it cannot be decoded or has more pixels.
    """
    pixels = read_image(path, max_pixels=max_pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path, formats=FORMATS) as image:
            format = str(image.format).lower()
    height, width = pixels.shape[:2]
    return ImageInfo(height=height, width=width, format=format)
