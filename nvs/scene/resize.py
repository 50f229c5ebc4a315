"""Resizing posed images: cover the wanted size, then crop the centre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from nvs.cameras import Camera
from nvs.errors import ConfigError


@dataclass(frozen=True, slots=True)
class CoverCrop:
    """How an image becomes `height × width`: scaled to cover it, then cropped."""

    scaled_height: int
    scaled_width: int
    top: int
    left: int
    height: int
    width: int

    @staticmethod
    def plan(source: tuple[int, int], target: tuple[int, int]) -> CoverCrop:
        """The plan for a source and a target (height, width) in pixels."""
        scale = max(target[0] / source[0], target[1] / source[1])
        scaled_height = max(target[0], round(source[0] * scale))
        scaled_width = max(target[1], round(source[1] * scale))
        return CoverCrop(
            scaled_height,
            scaled_width,
            (scaled_height - target[0]) // 2,
            (scaled_width - target[1]) // 2,
            *target,
        )

    def camera(self, camera: Camera) -> Camera:
        """The camera of the result, exact to the rounding of the scaled size."""
        scaled = camera.resized(self.scaled_height, self.scaled_width)
        return scaled.cropped(self.top, self.left, self.height, self.width)

    def image(
        self, image: UInt8[np.ndarray, "source_height source_width channel"]
    ) -> Float32[np.ndarray, "height width 3"]:
        """The pixels of the result in [0, 1], Lanczos-filtered, alpha on white."""
        per_x = image.shape[1] / self.scaled_width
        per_y = image.shape[0] / self.scaled_height
        right, bottom = self.left + self.width, self.top + self.height
        # Only what the crop keeps is scaled: a thin image covers at an immense size.
        pixels = np.asarray(
            Image.fromarray(image).resize(
                (self.width, self.height),
                Image.Resampling.LANCZOS,
                box=(
                    self.left * per_x,
                    self.top * per_y,
                    right * per_x,
                    bottom * per_y,
                ),
            )
        )
        return on_white(pixels)


def on_white(
    pixels: UInt8[np.ndarray, "height width channel"],
) -> Float32[np.ndarray, "height width 3"]:
    """RGB in [0, 1]; straight alpha composited on white."""
    values = pixels.astype(np.float32) / 255
    if values.shape[-1] == 3:
        return values
    alpha = values[..., 3:]
    return values[..., :3] * alpha + (1 - alpha)


def fitting_size(
    source: tuple[int, int], *, longest_px: int | None, patch_size: int
) -> tuple[int, int]:
    """The (height, width) that keeps an aspect ratio, in multiples of the patch.

    Args:
        source: Height and width of the source image.
        longest_px: Length of the longer side; that of the source if absent.
        patch_size: Sides are rounded down to multiples of it.

    Raises:
        ConfigError: If a side would be smaller than one patch.
    """
    scale = 1.0 if longest_px is None else longest_px / max(source)
    height, width = (
        int(side * scale + 1e-6) // patch_size * patch_size for side in source
    )
    if not height or not width:
        raise ConfigError(
            f"an image of {source[0]}×{source[1]} at size {longest_px} is smaller than "
            f"one patch of {patch_size} pixels",
            remedy="Ask for a larger size.",
        )
    return height, width
