"""Rendered images to the bytes that a client asked for."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float32

from nvs.api.renders import ImageFormat, PictureOptions
from nvs.api.system import Model
from nvs.errors import ConfigError
from nvs_server.worker import matte

MEDIA_TYPES: dict[ImageFormat, str] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "float32": "application/octet-stream",
}


def check_background(options: PictureOptions, model: Model) -> None:
    """Refuse to replace a background that there is not.

    Raises:
        ConfigError: If the model renders whole scenes.
    """
    if options.background != "model" and model.poses == "scene":
        raise ConfigError(
            f"background is {options.background!r}, but {model.id} renders whole "
            "scenes, which have no white background to replace",
            remedy="Use the background `model`, or weights for objects.",
        )


def encode(
    image: Float32[np.ndarray, "height width 3"], options: PictureOptions
) -> bytes:
    """The bytes of an image in [0, 1]."""
    if options.background == "transparent":
        image = matte.on_nothing(image)
    elif options.background != "model":
        red, green, blue = bytes.fromhex(options.background[1:])
        image = matte.on_colour(image, (red / 255, green / 255, blue / 255))
    if options.format == "float32":
        return np.ascontiguousarray(image, dtype="<f4").tobytes()
    pixels = np.rint(image.clip(0, 1) * 255).astype(np.uint8)
    swap = cv2.COLOR_RGBA2BGRA if pixels.shape[-1] == 4 else cv2.COLOR_RGB2BGR
    settings: list[int] = []
    if options.format == "jpeg":
        settings = [cv2.IMWRITE_JPEG_QUALITY, options.quality]
    elif options.format == "webp":
        settings = [cv2.IMWRITE_WEBP_QUALITY, options.quality]
    _, encoded = cv2.imencode(
        f".{options.format}", cv2.cvtColor(pixels, swap), settings
    )
    return encoded.tobytes()
