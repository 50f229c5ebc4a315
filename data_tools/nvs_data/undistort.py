"""Photographs through a lens to photographs of a pinhole camera.

Notation:
    x, y         pinhole coordinates X/Z, Y/Z of a point in front of the camera
    r            distance of (x, y) from the optical axis; θ = atan(r)
    k, p         radial and tangential coefficients, as OpenCV names them
A pinhole camera images the point at (fx·x + cx, fy·y + cy) pixels; a camera with a lens
at the same intrinsics applied to `distort(x, y)`.

The result has the size, principal point and pixel aspect of the photograph. Its focal
length is the shortest (so the view the widest) at which every pixel centre still falls
between pixel centres of the photograph: no black borders, nothing extrapolated. Views
are not opened wider than 120°, where a pinhole image of a fisheye is mostly stretched
edge.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from nvs.errors import CameraError

Intrinsics = tuple[float, float, float, float]
"""fx, fy, cx, cy in pixels; (0.5, 0.5) is the centre of the top-left pixel."""
LARGEST_HALF_ANGLE_RADIANS = math.radians(60)
LARGEST_MAGNIFICATION = 2.0
"""A lens that leaves less than half of the view cannot be as it is described."""
_SLACK_PX = 1e-6
_ROWS_AT_ONCE = 64


class Lens(Hashable, Protocol):
    """A lens; a value, so that maps made for it can be kept."""

    def distort(
        self, xy: Float64[np.ndarray, "point 2"]
    ) -> Float64[np.ndarray, "point 2"]:
        """Where the lens images what a pinhole images at `xy`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class BrownLens:
    """OpenCV's perspective model: radial (rational with k4 to k6) and tangential."""

    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    k5: float = 0.0
    k6: float = 0.0

    def distort(
        self, xy: Float64[np.ndarray, "point 2"]
    ) -> Float64[np.ndarray, "point 2"]:
        """The equations of OpenCV's page "Camera Calibration and 3D Reconstruction"."""
        x, y = xy.T
        r2 = x * x + y * y
        radial = 1 + r2 * (self.k1 + r2 * (self.k2 + r2 * self.k3))
        radial /= 1 + r2 * (self.k4 + r2 * (self.k5 + r2 * self.k6))
        dx = 2 * self.p1 * x * y + self.p2 * (r2 + 2 * x * x)
        dy = 2 * self.p2 * x * y + self.p1 * (r2 + 2 * y * y)
        return np.stack([x * radial + dx, y * radial + dy], axis=-1)


@dataclass(frozen=True, kw_only=True, slots=True)
class FisheyeLens:
    """OpenCV's fisheye model (Kannala–Brandt): r becomes θ(1 + k1θ² + … + k4θ⁸)."""

    k1: float = 0.0
    k2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0

    def distort(
        self, xy: Float64[np.ndarray, "point 2"]
    ) -> Float64[np.ndarray, "point 2"]:
        """The equations of `cv::fisheye`."""
        r = np.hypot(*xy.T)[:, None]
        theta = np.arctan(r)
        t2 = theta * theta
        bent = theta * (
            1 + t2 * (self.k1 + t2 * (self.k2 + t2 * (self.k3 + t2 * self.k4)))
        )
        return xy * np.divide(bent, r, out=np.ones_like(r), where=r > 0)


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
