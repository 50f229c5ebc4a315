"""Cameras to render from, in the user's world. OpenCV axes: x right, y down, z forward.

Poses may be nested sequences or NumPy arrays; the service checks them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = Sequence[Sequence[float]] | NDArray[Any]
Vector = Sequence[float] | NDArray[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class PosedCamera:
    """A pose with a focal length and a principal point."""

    world_from_camera: Matrix
    """Rigid 4×4 transform; columns are the x, y, z axes and the position."""
    fx: float
    """Focal length in pixels of the requested image, like fy, cx and cy."""
    fy: float
    cx: float
    cy: float

    def scaled(self, *, height: float = 1.0, width: float = 1.0) -> PosedCamera:
        """The same view of an image that is `height` and `width` times as large."""
        return PosedCamera(
            world_from_camera=self.world_from_camera,
            fx=self.fx * width,
            fy=self.fy * height,
            cx=self.cx * width,
            cy=self.cy * height,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PosedCameraFov:
    """A pose with a vertical field of view; square pixels, centred."""

    world_from_camera: Matrix
    vertical_fov_degrees: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LookAt:
    """A camera at a point that looks at another; square pixels, centred."""

    eye: Vector
    target: Vector
    vertical_fov_degrees: float
    up: Vector = (0.0, 0.0, 1.0)


Camera = PosedCamera | PosedCameraFov | LookAt | Mapping[str, Any]
"""One of the three forms, or the same fields as a mapping."""


def camera_to_json(camera: Camera) -> dict[str, Any]:
    """The fields of a camera as the service reads them."""
    if isinstance(camera, Mapping):
        return dict(camera)
    fields = {name: getattr(camera, name) for name in camera.__slots__}
    return {name: np.asarray(value).tolist() for name, value in fields.items()}
