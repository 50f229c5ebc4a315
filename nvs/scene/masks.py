"""Masks: which part of a photograph is the thing to be shown.

One rule for every layout: a mask is white where the photograph counts, black where it
does not, and multiplies its transparency; what is transparent becomes white when the
image is resized. Undistortion and resizing treat it as transparency, smoothly.
"""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from nvs.errors import ImageError
from nvs.images import read_image

MASK_LIKE = re.compile("mask|segment|alpha|matte|silhouette|foreground|cutout", re.I)
"""In the name of a folder whose pictures may be meant as masks."""


def mask_stems(image_name: str) -> tuple[str, ...]:
    """What the mask of an image may be called in its folder, the suffix left out.

    For `x.png` these are COLMAP's `x.png.png`, RealityCapture's `x.png.mask.png`,
    Metashape's `x_mask.png`, instant-ngp's `x.alpha.png`, and `x.mask.png`.
    """
    stem = image_name.rpartition(".")[0] or image_name
    ends = (".mask", "_mask", ".alpha")
    return image_name, f"{image_name}.mask", *(stem + end for end in ends)


def masked(
    image: UInt8[np.ndarray, "height width channel"], mask: Path
) -> UInt8[np.ndarray, "height width 4"]:
    """RGBA of an image whose transparency is multiplied by a mask.

    Args:
        image: RGB, or RGBA with straight alpha.
        mask: Image file. Its alpha counts where it is transparent anywhere, else its
            brightness; in one of nothing but 0 and 1, 1 is white. Of another size than
            the image it is scaled, linearly.

    Raises:
        ImageError: If the mask cannot be read or is of another shape than the image.
    """
    values = _values(read_image(mask))
    height, width = image.shape[:2]
    if values.shape != (height, width):
        off_px = abs(width * values.shape[0] / height - values.shape[1])
        if off_px > max(1, values.shape[0] / height):
            raise ImageError(
                f"{values.shape[0]}×{values.shape[1]} pixels, its image is "
                f"{height}×{width}: another aspect ratio",
                remedy="Give a mask of the image's size, or take it away.",
                subject=mask,
            )
        values = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    alpha = values if image.shape[-1] == 3 else values * (image[..., 3] / 255)
    return np.dstack([image[..., :3], np.rint(alpha).astype(np.uint8)])


def _values(
    mask: UInt8[np.ndarray, "height width channel"],
) -> Float32[np.ndarray, "height width"]:
    """From 0, left out, to 255."""
    if mask.shape[-1] == 4 and mask[..., 3].min() < 255:
        values = mask[..., 3].astype(np.float32)
    else:
        values = mask[..., :3].mean(axis=-1, dtype=np.float32)
    return values * 255 if values.max() <= 1 else values
