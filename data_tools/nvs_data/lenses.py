"""Lens models: how a lens moves the picture of a point away from the pinhole's.

Notation:
    x, y         pinhole coordinates X/Z, Y/Z of a point in front of the camera
    r            distance of (x, y) from the optical axis; θ = atan(r)
    k, p         radial and tangential coefficients, as OpenCV names them
A pinhole camera images the point at (fx·x + cx, fy·y + cy) pixels; a camera with a lens
at the same intrinsics applied to `distort(x, y)`.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float64


class Lens(Hashable, Protocol):
    """A lens; a value, so that maps made for it can be kept."""

    def distort(
        self, xy: Float64[np.ndarray, "point 2"]
    ) -> Float64[np.ndarray, "point 2"]:
        """Where the lens images what a pinhole images at `xy`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class BrownLens:
    """OpenCV's perspective model: radial and tangential distortion."""

    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0

    def distort(
        self, xy: Float64[np.ndarray, "point 2"]
    ) -> Float64[np.ndarray, "point 2"]:
        """The equations of OpenCV's page "Camera Calibration and 3D Reconstruction"."""
        x, y = xy.T
        r2 = x * x + y * y
        radial = 1 + r2 * (self.k1 + r2 * (self.k2 + r2 * self.k3))
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
