"""Pictures: one, several, or a video."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from nvs.api.camera_paths import CameraPath
from nvs.api.cameras import Camera
from nvs.api.jobs import Side
from nvs.api.values import Integer, Number, Schema, examples
from nvs.errors import ConfigError

ImageFormat = Literal["png", "jpeg", "webp", "float32"]
Quality = Annotated[Integer, Field(ge=1, le=100)]
Background = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^(model|transparent|#[0-9a-fA-F]{6})$"),
]
"""`model` (as the network paints it), `transparent`, or a colour such as `#ffffff`."""
NumFrames = Annotated[Integer, Field(ge=1)]

LOOK_AT = {
    "eye": [2.5, 0.0, 1.0],
    "target": [0.0, 0.0, 0.0],
    "up": [0.0, 0.0, 1.0],
    "vertical_fov_degrees": 50.0,
}


class PictureOptions(Schema):
    """How a picture is to be: size and encoding."""

    height: Side
    """Height in pixels: a multiple of the model's patch size."""
    width: Side
    """Width in pixels: a multiple of the model's patch size."""
    format: ImageFormat = "png"
    """`float32` is raw little-endian height × width × 3 in [0, 1]."""
    quality: Quality = 90
    """Of jpeg and webp."""
    background: Background = "model"
    """`transparent` needs png or webp."""

    @model_validator(mode="after")
    def _has_alpha(self) -> PictureOptions:
        if self.background == "transparent" and self.format not in ("png", "webp"):
            raise ConfigError(
                f"background is transparent, which {self.format} cannot hold",
                remedy="Ask for png or webp, or for a colour.",
            )
        return self


class RenderRequest(PictureOptions):
    """One picture."""

    model_config = examples(
        {"camera": LOOK_AT, "height": 256, "width": 256, "format": "jpeg"}
    )

    camera: Camera
    """Where it is taken."""


class RendersRequest(PictureOptions):
    """Several pictures of one size."""

    model_config = examples(
        {"cameras": [LOOK_AT, LOOK_AT], "height": 256, "width": 256}
    )

    cameras: list[Camera] = Field(min_length=1)
    """Where they are taken, in the order of the answer; as many as the operator
    allows (64, unless set otherwise)."""


class _Turn(Schema):
    """What an orbit takes."""

    num_frames: NumFrames
    """Pictures of the video."""
    elevation_degrees: Annotated[Number, Field(ge=-90, le=90)] | None = None
    """Angle above the horizon; the inputs' median if absent."""
    zoom: Annotated[Number, Field(ge=0.1, le=10)] = 1.0
    """Factor on the inputs' focal length."""


class AsCaptured(_Turn):
    """An orbit where the inputs surround what they look at, otherwise a walk."""

    kind: Literal["auto"]


class Orbit(_Turn):
    """One turn around what the inputs look at."""

    kind: Literal["orbit"]


class Spiral(Schema):
    """A spiral around the mean input camera, for forward-facing scenes."""

    kind: Literal["spiral"]
    num_frames: NumFrames
    """Pictures of the video."""


class Walk(Schema):
    """A smooth path through the input cameras, in their order."""

    kind: Literal["walk"]
    num_frames: NumFrames
    """Pictures of the video."""


class FollowPath(Schema):
    """A camera path in this project's form or as the nerfstudio viewer exports it."""

    camera_path: CameraPath
    """The content of its JSON file."""


FORMS: dict[str, type[Schema]] = {
    "auto": AsCaptured,
    "orbit": Orbit,
    "spiral": Spiral,
    "walk": Walk,
}
DEFAULT_FRAMES = 120


def _as_trajectory(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    if not isinstance(value, dict):
        return handler(value)
    if "camera_path" in value:
        return FollowPath.model_validate(value)
    form = FORMS.get(str(value.get("kind")))
    if form is None:
        raise ConfigError(
            f"the kind of the trajectory is {value.get('kind')!r}",
            remedy=f"Use {', '.join(FORMS)}, or give camera_path.",
        )
    return form.model_validate(value)


Trajectory = Annotated[
    AsCaptured | Orbit | Spiral | Walk | FollowPath, WrapValidator(_as_trajectory)
]


class VideoRequest(Schema):
    """A video of a built scene."""

    model_config = examples(
        {
            "trajectory": {"kind": "orbit", "num_frames": 120},
            "height": 256,
            "width": 256,
            "fps": 30,
        }
    )

    trajectory: Trajectory = Field(
        default_factory=lambda: AsCaptured(kind="auto", num_frames=DEFAULT_FRAMES)
    )
    """The way of the camera; one that follows the capture if absent."""
    height: Side
    """Height in pixels: a multiple of the model's patch size."""
    width: Side
    """Width in pixels: a multiple of the model's patch size."""
    fps: Annotated[Number, Field(gt=0, le=120)] | None = None
    """Pictures a second; those of the camera path, or 30, if absent."""

    @property
    def num_frames(self) -> int:
        """Pictures of the video."""
        trajectory = self.trajectory
        if isinstance(trajectory, FollowPath):
            return trajectory.camera_path.num_frames
        return trajectory.num_frames
