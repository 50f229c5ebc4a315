"""Uploaded images: checked by decoding them."""

from __future__ import annotations

from pathlib import Path

from nvs.images import read_image
from nvs_server.backends.base import ImageSize


def inspect_image(path: Path, *, max_pixels: int) -> ImageSize:
    """Decode an image.

    Raises:
        ImageError: If it cannot be decoded or has more pixels.
    """
    height, width = read_image(path, max_pixels=max_pixels).shape[:2]
    return ImageSize(height=height, width=width)
