"""Camera paths: the content of the JSON files that `nvs.cameras` reads and writes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

from nvs.api.cameras import PosedCamera, check_rigid
from nvs.api.values import Number, Schema
from nvs.errors import CameraError

Pixels = Annotated[Number, Field(ge=1, le=16384)]
FramesPerSecond = Annotated[Number, Field(gt=0)]


class OwnCameraPath(Schema):
    """This project's form: cameras with OpenCV axes, in pixels of its own size."""

    model_config = ConfigDict(extra="ignore")

    format: Literal["lact-nvs camera path"]
    version: Literal[1]
    fps: FramesPerSecond
    height: Pixels
    """Height in pixels that the intrinsics are for."""
    width: Pixels
    """Width in pixels that the intrinsics are for."""
    frames: list[PosedCamera] = Field(min_length=1)
    """One camera a picture."""

    @property
    def num_frames(self) -> int:
        """Pictures of the path."""
        return len(self.frames)


class NerfstudioKeyframe(Schema):
    """One picture of a path that the nerfstudio viewer exported."""

    model_config = ConfigDict(extra="ignore")

    camera_to_world: list[Number] = Field(min_length=16, max_length=16)
    """Pose with OpenGL axes (y up, z backward), row by row."""
    fov: Number = Field(gt=0, lt=180)
    """Vertical field of view in degrees."""

    @field_validator("camera_to_world")
    @classmethod
    def _rigid(cls, values: list[float]) -> list[float]:
        check_rigid([values[row : row + 4] for row in range(0, 16, 4)])
        return values


class NerfstudioCameraPath(Schema):
    """The nerfstudio viewer's form."""

    model_config = ConfigDict(extra="ignore")

    camera_type: Literal["perspective"] = "perspective"
    render_height: Pixels
    render_width: Pixels
    fps: FramesPerSecond
    camera_path: list[NerfstudioKeyframe] = Field(min_length=1)
    """One camera a picture."""

    @property
    def num_frames(self) -> int:
        """Pictures of the path."""
        return len(self.camera_path)


def _as_path(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    if not isinstance(value, dict):
        return handler(value)
    if "camera_path" in value:
        return NerfstudioCameraPath.model_validate(value)
    if "frames" in value:
        return OwnCameraPath.model_validate(value)
    raise CameraError(
        f"not a camera path, its keys are {sorted(map(str, value))[:8]}",
        remedy="Give the content of a file that `nvs` wrote (with `format` and "
        "`frames`) or that the nerfstudio viewer exported (with `camera_path`).",
    )


CameraPath = Annotated[OwnCameraPath | NerfstudioCameraPath, WrapValidator(_as_path)]
"""Either form."""
