"""Cameras as clients give them: a pose with intrinsics, with a view angle, or look-at.

Axes are OpenCV's (x right, y down, z forward), as everywhere in the project. Every
check is plain Python, so that no request reaches a worker with an unusable camera.

Made by hand, they also take NumPy arrays, tensors and tuples. What cannot be a camera
raises pydantic.ValidationError, a ValueError that names the field and says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic.functional_validators import field_validator, model_validator

from nvs.api.values import Number, Schema, examples
from nvs.errors import CameraError

ORTHONORMAL_TOLERANCE = 1e-3
MIN_FLOAT32, MAX_FLOAT32 = 2.0**-149, 2.0**128 - 2.0**104
"""Smallest and largest positive float32. The renderer computes in them, in whatever
units the user's world has."""
PARALLEL_TOLERANCE = 1e-6
"""Sine of the angle between viewing direction and up axis that is too small."""
MIN_DISTANCE = 1e-9
"""Shortest distance between the eye and its target, in units of the user's world."""
MIN_FOV_DEGREES, MAX_FOV_DEGREES = 1.0, 170.0


def _plain(value: Any) -> Any:
    """Arrays, tensors and their scalars as lists and numbers; all else as it is."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _listed(value: Any) -> list[Any]:
    plain = _plain(value)
    if not isinstance(plain, list):
        raise CameraError(
            f"it is {type(value).__name__}, not a list",
            remedy="Give a list of numbers.",
        )
    return plain


def _holdable(value: float) -> float:
    if abs(value) > MAX_FLOAT32 or 0 < abs(value) < MIN_FLOAT32:
        raise CameraError(
            f"float32 does not hold {value:g}", remedy="Give it in pixels of the image."
        )
    return value


Focal = Annotated[
    Number, Field(gt=0), AfterValidator(_holdable), BeforeValidator(_plain)
]
Offset = Annotated[Number, AfterValidator(_holdable), BeforeValidator(_plain)]
Fov = Annotated[
    Number, Field(gt=MIN_FOV_DEGREES, lt=MAX_FOV_DEGREES), BeforeValidator(_plain)
]
Vector3 = Annotated[
    Sequence[Number], Field(min_length=3, max_length=3), BeforeValidator(_listed)
]
"""Three numbers in the user's world."""
Row4 = Annotated[
    Sequence[Number], Field(min_length=4, max_length=4), BeforeValidator(_listed)
]
"""One row of a 4×4 matrix."""
Matrix4x4 = Annotated[
    Sequence[Row4], Field(min_length=4, max_length=4), BeforeValidator(_listed)
]
"""A 4×4 matrix, row by row."""

Vector = Sequence[float]
IDENTITY = [
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.0, 1.0, -2.5],
    [0.0, 0.0, 0.0, 1.0],
]


def check_rigid(rows: Sequence[Vector]) -> None:
    """Refuse a matrix that is not the pose of a camera.

    Args:
        rows: The 4×4 world_from_camera, finite numbers.

    Raises:
        CameraError: If the last row is not 0 0 0 1, the rotation is not orthonormal
            within 1e-3 or is a reflection, or no float32 holds the centre.
    """
    if any(
        abs(a - b) > 1e-6 for a, b in zip(rows[3], (0.0, 0.0, 0.0, 1.0), strict=True)
    ):
        raise CameraError(
            f"the last row of the pose is {_shown(rows[3])}",
            remedy="It must be 0 0 0 1; is the matrix transposed?",
        )
    columns = [[rows[i][j] for i in range(3)] for j in range(3)]
    error = max(
        abs(_dot(columns[i], columns[j]) - (i == j)) for i in range(3) for j in range(3)
    )
    if not error <= ORTHONORMAL_TOLERANCE:
        raise CameraError(
            f"the rotation is not orthonormal (off by {error:.2g})",
            remedy="Remove scale and shear from the pose.",
        )
    if _dot(_cross(columns[0], columns[1]), columns[2]) < 0:
        raise CameraError(
            "the rotation is left-handed (a reflection)",
            remedy="Axes must be x right, y down, z forward; check for a flipped axis.",
        )
    _check_near([rows[i][3] for i in range(3)], "the camera centre")


class PosedCamera(Schema):
    """A pose with a focal length and a principal point."""

    model_config = examples(
        {
            "world_from_camera": IDENTITY,
            "fx": 280.0,
            "fy": 280.0,
            "cx": 128.0,
            "cy": 128.0,
        }
    )

    world_from_camera: Matrix4x4
    """Rigid 4×4 transform; columns are the x, y, z axes and the position."""
    fx: Focal
    """Focal length along x in pixels of the requested image."""
    fy: Focal
    """Focal length along y in pixels of the requested image."""
    cx: Offset
    """Principal point in pixels; (0.5, 0.5) is the centre of the top-left pixel."""
    cy: Offset
    """Principal point in pixels."""

    @field_validator("world_from_camera")
    @classmethod
    def _rigid(cls, rows: Sequence[Vector]) -> Sequence[Vector]:
        check_rigid(rows)
        return rows

    def at_size(self, height: int, width: int) -> PosedCamera:
        """Itself: the intrinsics are already those of the requested image."""
        del height, width
        return self

    def scaled(self, *, height: float = 1.0, width: float = 1.0) -> PosedCamera:
        """The same view of an image that is `height` and `width` times as large."""
        return PosedCamera(
            world_from_camera=self.world_from_camera,
            fx=self.fx * width,
            fy=self.fy * height,
            cx=self.cx * width,
            cy=self.cy * height,
        )


class PosedCameraFov(Schema):
    """A pose with a vertical field of view; square pixels, centred."""

    model_config = examples(
        {"world_from_camera": IDENTITY, "vertical_fov_degrees": 50.0}
    )

    world_from_camera: Matrix4x4
    """Rigid 4×4 transform; columns are the x, y, z axes and the position."""
    vertical_fov_degrees: Fov
    """Angle between the top and the bottom edge of the image."""

    @field_validator("world_from_camera")
    @classmethod
    def _rigid(cls, rows: Sequence[Vector]) -> Sequence[Vector]:
        check_rigid(rows)
        return rows

    def at_size(self, height: int, width: int) -> PosedCamera:
        """The same camera with intrinsics in pixels of an image size."""
        focal_px = height / (2 * math.tan(math.radians(self.vertical_fov_degrees) / 2))
        return PosedCamera(
            world_from_camera=self.world_from_camera,
            fx=focal_px,
            fy=focal_px,
            cx=width / 2,
            cy=height / 2,
        )


class LookAt(Schema):
    """A camera at a point that looks at another; square pixels, centred."""

    model_config = examples(
        {
            "eye": [2.5, 0.0, 1.0],
            "target": [0.0, 0.0, 0.0],
            "up": [0.0, 0.0, 1.0],
            "vertical_fov_degrees": 50.0,
        }
    )

    eye: Vector3
    """Where the camera is."""
    target: Vector3
    """What it looks at: the point at the centre of the image."""
    up: Vector3 = Field(default=[0.0, 0.0, 1.0])
    """Direction that is up in the image, of any length."""
    vertical_fov_degrees: Fov
    """Angle between the top and the bottom edge of the image."""

    @field_validator("eye", "target")
    @classmethod
    def _near(cls, point: Vector) -> Vector:
        _check_near(point, "the point")
        return point

    @field_validator("up")
    @classmethod
    def _direction(cls, up: Vector) -> Vector:
        length = max(map(abs, up))
        if length == 0:
            raise CameraError(
                "the up axis has no length", remedy="Give a direction such as 0 0 1."
            )
        return [value / length for value in up]

    @model_validator(mode="after")
    def _looks_somewhere(self) -> LookAt:
        _look_at_axes(self.eye, self.target, self.up)
        return self

    def at_size(self, height: int, width: int) -> PosedCamera:
        """The same camera as a pose, with intrinsics for an image size."""
        x, y, z = _look_at_axes(self.eye, self.target, self.up)
        rows = [[x[i], y[i], z[i], self.eye[i]] for i in range(3)]
        return PosedCameraFov(
            world_from_camera=[*rows, [0.0, 0.0, 0.0, 1.0]],
            vertical_fov_degrees=self.vertical_fov_degrees,
        ).at_size(height, width)


def _as_camera(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Pick the form by its fields, so that messages are about the form meant."""
    if not isinstance(value, dict):
        if isinstance(value, PosedCamera | PosedCameraFov | LookAt):
            return value
        raise CameraError(
            f"the camera is {type(value).__name__}, not an object",
            remedy="Give world_from_camera with fx, fy, cx, cy or with "
            "vertical_fov_degrees, or eye and target with vertical_fov_degrees.",
        )
    if "world_from_camera" not in value:
        return LookAt.model_validate(value)
    form = PosedCameraFov if "vertical_fov_degrees" in value else PosedCamera
    return form.model_validate(value)


Camera = Annotated[PosedCamera | PosedCameraFov | LookAt, WrapValidator(_as_camera)]
"""A camera in any of the three forms."""


def _look_at_axes(
    eye: Vector, target: Vector, up: Vector
) -> tuple[list[float], list[float], list[float]]:
    """Axes x right, y down and z forward, of unit length."""
    forward = [b - a for a, b in zip(eye, target, strict=True)]
    distance = math.hypot(*forward)
    if distance <= MIN_DISTANCE:
        raise CameraError(
            "eye and target are the same point", remedy="Move one of them."
        )
    z = [value / distance for value in forward]
    right = _cross(z, up)
    across = math.hypot(*right)
    if across <= PARALLEL_TOLERANCE * math.hypot(*up):
        raise CameraError(
            "the camera looks straight along its up axis",
            remedy="Give another up axis, such as 0 1 0.",
        )
    x = [value / across for value in right]
    return x, _cross(z, x), z


def _check_near(point: Vector, what: str) -> None:
    if max(map(abs, point)) > MAX_FLOAT32:
        raise CameraError(
            f"{what} is at {_shown(point)}",
            remedy=f"Coordinates must be within ±{MAX_FLOAT32:g}, which float32 holds.",
        )


def _dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _cross(a: Vector, b: Vector) -> list[float]:
    return [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]


def _shown(values: Vector) -> str:
    return " ".join(f"{value:g}" for value in values)
