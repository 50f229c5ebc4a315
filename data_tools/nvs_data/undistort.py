"""Photographs through a lens to photographs of a pinhole camera.

The result has the size, principal point and pixel aspect of the photograph. Its focal
length is the shortest (so the view the widest) at which every pixel centre still falls
between pixel centres of the photograph: no black borders, nothing extrapolated. Views
are not opened wider than 120°, where a pinhole image of a fisheye is mostly stretched
edge.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from nvs.errors import CameraError
from nvs_data.lenses import Lens

Intrinsics = tuple[float, float, float, float]
"""fx, fy, cx, cy in pixels; (0.5, 0.5) is the centre of the top-left pixel."""

LARGEST_HALF_ANGLE_RADIANS = math.radians(60)
LARGEST_MAGNIFICATION = 2.0
"""A lens that leaves less than half of the view cannot be as it is described."""
_SLACK_PX = 1e-6
_ROWS_AT_ONCE = 64


@lru_cache(maxsize=256)
def pinhole_intrinsics(
    intrinsics: Intrinsics, lens: Lens, height: int, width: int
) -> Intrinsics:
    """Intrinsics of the undistorted photograph.

    Args:
        intrinsics: Of the photograph through the lens.
        lens: Its lens.
        height: Of both images, in pixels.
        width: Of both images, in pixels.

    Raises:
        CameraError: If no pinhole image fits in the photograph: the distortion folds
            the image over or the principal point is outside.
    """
    fx, fy, cx, cy = intrinsics

    def fits(scale: float) -> bool:
        pinhole = (fx * scale, fy * scale, cx, cy)
        return _fits(pinhole, intrinsics, lens, height, width)

    if not (all(map(math.isfinite, intrinsics)) and fx > 0 and fy > 0):
        raise _unusable(intrinsics, lens, height, width)
    farthest = max(cx, width - cx) / fx, max(cy, height - cy) / fy
    widest = max(farthest) / math.tan(LARGEST_HALF_ANGLE_RADIANS)
    if not 0 < widest < math.inf:
        raise _unusable(intrinsics, lens, height, width)
    if fits(widest):
        return fx * widest, fy * widest, cx, cy
    low, high = widest, max(1.0, 2 * widest)
    while not fits(high):
        low, high = high, 1.25 * high
        if high > LARGEST_MAGNIFICATION:
            raise _unusable(intrinsics, lens, height, width)
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return fx * high, fy * high, cx, cy


def undistort(
    image: UInt8[np.ndarray, "height width channel"],
    *,
    pinhole: Intrinsics,
    intrinsics: Intrinsics,
    lens: Lens,
) -> UInt8[np.ndarray, "height width channel"]:
    """The photograph as the pinhole camera sees it (bicubic; alpha premultiplied).

    Args:
        image: RGB, or RGBA with straight alpha.
        pinhole: Intrinsics of the result, from `pinhole_intrinsics`.
        intrinsics: Of the photograph.
        lens: Of the photograph.
    """
    x, y = _source_maps(pinhole, intrinsics, lens, *image.shape[:2])
    if image.shape[-1] == 3:
        return _remap(image, x, y)
    alpha = image[..., 3:].astype(np.float32) / 255
    weighted = np.concatenate([image[..., :3] * alpha, image[..., 3:]], axis=-1)
    values = _remap(weighted.astype(np.float32), x, y)
    alpha = values[..., 3:] / 255
    colour = np.divide(
        values[..., :3], alpha, out=np.zeros_like(values[..., :3]), where=alpha > 0
    )
    straight = np.concatenate([colour, values[..., 3:]], axis=-1)
    return np.rint(straight.clip(0, 255)).astype(np.uint8)


def distort_pixels(
    xy_px: Float64[np.ndarray, "point 2"],
    *,
    pinhole: Intrinsics,
    intrinsics: Intrinsics,
    lens: Lens,
) -> Float64[np.ndarray, "point 2"]:
    """Where the photograph shows what the pinhole image shows at `xy_px`, in pixels."""
    focal, center = np.array(pinhole[:2]), np.array(pinhole[2:])
    bent = lens.distort((xy_px - center) / focal)
    return bent * np.array(intrinsics[:2]) + np.array(intrinsics[2:])


def _remap(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


@lru_cache(maxsize=1)
def _source_maps(
    pinhole: Intrinsics, intrinsics: Intrinsics, lens: Lens, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows to sample, in OpenCV's pixels: (0, 0) is a centre."""
    maps = np.empty((2, height, width), np.float32)
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = np.arange(top, min(top + _ROWS_AT_ONCE, height))
        xy = np.stack(np.meshgrid(np.arange(width), rows), axis=-1) + 0.5
        source = distort_pixels(
            xy.reshape(-1, 2), pinhole=pinhole, intrinsics=intrinsics, lens=lens
        )
        maps[:, rows] = (source.T - 0.5).reshape(2, len(rows), width)
    return maps[0], maps[1]


def _fits(
    pinhole: Intrinsics, intrinsics: Intrinsics, lens: Lens, height: int, width: int
) -> bool:
    """Whether a grid over the pinhole image falls inside the photograph, unfolded."""
    size = np.array([width, height])
    steps = np.minimum(size - 1, 64) + 1
    x, y = (np.linspace(0.5, n - 0.5, k) for n, k in zip(size, steps, strict=True))
    xy = np.stack(np.meshgrid(x, y), axis=-1)
    with np.errstate(all="ignore"):
        source = distort_pixels(
            xy.reshape(-1, 2), pinhole=pinhole, intrinsics=intrinsics, lens=lens
        )
        inside = (source >= 0.5 - _SLACK_PX) & (source <= size - 0.5 + _SLACK_PX)
        if not inside.all():
            return False
        source = source.reshape(xy.shape)
        across = np.diff(source, axis=1)[:-1]
        down = np.diff(source, axis=0)[:, :-1]
        area = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
        return bool((area > 0).all())


def _unusable(
    intrinsics: Intrinsics, lens: Lens, height: int, width: int
) -> CameraError:
    return CameraError(
        f"no pinhole image fits in a photograph of {height}×{width} pixels with "
        f"fx, fy, cx, cy = {intrinsics} and {lens}",
        remedy="Check the distortion coefficients and the principal point.",
    )
