"""Rendered images to the bytes that a client asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32

from nvs.errors import ConfigError
from nvs_server.backends.base import ImageFormat, ModelInfo
from nvs_server.worker import matte

MEDIA_TYPES: dict[ImageFormat, str] = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "float32": "application/octet-stream",
}
WITH_ALPHA = ("png", "webp")


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """How images are to be returned, checked on construction.

    Raises:
        ConfigError: If there is no such quality or background, or the model's images
            have no background to replace.
    """

    format: ImageFormat
    quality: int
    """Of JPEG and WebP, 1 to 100."""
    background: str
    """`model`, `transparent` or `#rrggbb`."""
    model: ModelInfo

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise ConfigError(
                f"the quality is {self.quality}", remedy="Use a number from 1 to 100."
            )
        if self.background == "model":
            return
        if self.model.poses == "scene":
            raise ConfigError(
                f"background is {self.background!r}, but {self.model.id} renders whole "
                "scenes, which have no white background to replace",
                remedy="Use the background `model`, or weights for objects.",
            )
        if self.background == "transparent":
            if self.format not in WITH_ALPHA:
                raise ConfigError(
                    f"{self.format} images cannot be transparent",
                    remedy=f"Use the format {' or '.join(WITH_ALPHA)}.",
                )
        elif not re.fullmatch("#[0-9a-fA-F]{6}", self.background):
            raise ConfigError(
                f"background is {self.background!r}",
                remedy="Use model, transparent or a colour such as #336699.",
            )

    @property
    def media_type(self) -> str:
        """Media type of the result."""
        return MEDIA_TYPES[self.format]

    def encode(self, image: Float32[np.ndarray, "height width 3"]) -> bytes:
        """The bytes of an image in [0, 1]."""
        if self.background == "transparent":
            image = matte.on_nothing(image)
        elif self.background != "model":
            red, green, blue = bytes.fromhex(self.background[1:])
            image = matte.on_colour(image, (red / 255, green / 255, blue / 255))
        if self.format == "float32":
            return np.ascontiguousarray(image, dtype="<f4").tobytes()
        pixels = np.rint(image.clip(0, 1) * 255).astype(np.uint8)
        swap = cv2.COLOR_RGBA2BGRA if pixels.shape[-1] == 4 else cv2.COLOR_RGB2BGR
        options: list[int] = []
        if self.format == "jpeg":
            options = [cv2.IMWRITE_JPEG_QUALITY, self.quality]
        elif self.format == "webp":
            options = [cv2.IMWRITE_WEBP_QUALITY, self.quality]
        _, encoded = cv2.imencode(
            f".{self.format}", cv2.cvtColor(pixels, swap), options
        )
        return encoded.tobytes()
