"""Finding the cameras of photographs or a video: what is asked for, and the report."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from nvs.api.cameras import PosedCamera
from nvs.api.values import Integer, Schema, examples

POSING_EXAMPLE: dict[str, Any] = {
    "num_photographs": 24,
    "num_posed": 23,
    "left_out": [
        {"name": "images/0007.jpg", "reason": "matches no other photograph"},
    ],
    "reprojection_error_px": 0.62,
    "kind": "around",
    "coverage": 0.71,
    "hfov_degrees": 63.2,
    "focal_px": 1561.0,
    "width": 1920,
    "is_turntable": False,
    "notes": [],
}


class PoseRequest(Schema):
    """How to find the cameras of a scene's photographs, or of frames of its video."""

    model_config = examples({}, {"camera_model": "PINHOLE", "num_frames": 40})

    matching: Literal["auto", "exhaustive", "sequential"] = "auto"
    """Photographs to compare: all pairs, or those close in the order of names; `auto`
    is all pairs of up to 150."""
    camera_model: Literal["PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV"] = "OPENCV"
    """Lens; PINHOLE is for renders, which have no distortion."""
    max_image_px: Annotated[Integer, Field(ge=64, le=8192)] = 1600
    """Longer side at which features are found."""
    num_frames: Annotated[Integer, Field(ge=3, le=1024)] = 60
    """Frames that are chosen of a video, evenly spread in time; half of all at most."""
    use_masks: bool = True
    """Whether features count only where the masks of photographs are white: needed
    where the thing was turned before a still room. Around one that stays the room
    helps."""


class LeftOutPhoto(Schema):
    """A photograph without a camera."""

    name: str
    """Its path in the scene."""
    reason: str
    """Why, and so what to do about it."""


class PlacedPhoto(Schema):
    """A photograph and the camera that was found for it so far."""

    name: str
    """Its path in the scene; of a frame of a video, the one that it will have."""
    camera: PosedCamera
    """In the world as it is so far; that of the result may be turned and scaled."""
    height: int
    """Of the photograph, in pixels."""
    width: int
    """Of the photograph, in pixels."""


class PosingSketch(Schema):
    """What is known of the cameras while they are looked for."""

    photographs: list[str]
    """All that are to be posed, by their paths in the scene."""
    placed: list[PlacedPhoto]
    """Those that have a camera so far."""
    left_out: list[LeftOutPhoto]
    """Those that will have none, once that is known."""


class Posing(Schema):
    """What came of finding cameras."""

    model_config = examples(POSING_EXAMPLE)

    num_photographs: int
    """Photographs, frames of a video among them."""
    num_posed: int
    """Those that have a camera."""
    left_out: list[LeftOutPhoto]
    """Those that have none."""
    reprojection_error_px: float
    """Mean over all points seen, in pixels of the photographs: about 1 is usual."""
    kind: Literal["around", "forward-facing", "through"]
    """Around something, all views in one direction, or otherwise through a place."""
    coverage: float
    """From 0 to 1: share of the directions about what the views look at that are within
    45° of a view's; of their own directions where they look at nothing in common."""
    hfov_degrees: float
    """Median horizontal field of view."""
    focal_px: float
    """Median focal length in pixels of a photograph of this `width`."""
    width: int
    """Of that photograph, in pixels."""
    is_turntable: bool
    """Whether the thing seems to have been turned before a background that stayed."""
    notes: list[str]
    """What to know before a build, a sentence each."""
