"""What the cameras that posing found say of how a capture was taken.

Angles are between cameras, or directions from what they look at, so that they depend
neither on the scale nor on the axes of COLMAP's world.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera
from nvs.cameras.aggregate import look_at_point
from nvs.errors import CameraError
from nvs.images import read_image
from nvs.scene.datasets import read_dataset

Kind = Literal["around", "forward-facing", "through"]

FORWARD_DEGREES = 30.0
"""Angle to the mean viewing direction within which all views face forward."""
THUMBNAIL_PX = 32
RIM_PX = 4
"""Rim of thumbnails in which a background that does not move is looked for."""
NUM_COMPARED = 16
"""Photographs compared, about, evenly over all."""
STILL = 6.0
"""Standard deviation over the photographs, of 255, below which a pixel stays the same:
noise and compression of thumbnails."""
TEXTURED = 12.0
"""Standard deviation within a rim above which it is no plain backdrop."""
MOVING_DEGREES = 20.0
"""Largest angle between views above which a still background cannot be the scene's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PosedCapture:
    """How a capture was taken."""

    kind: Kind
    """Around something, all facing forward, or otherwise through a place."""
    coverage: float
    """Share of a sphere about what the views look at that is within 45° of a view's
    direction; of the viewing directions where they look at nothing in common."""
    hfov_degrees: float
    """Median horizontal field of view."""
    focal_px: float
    """Median focal length in pixels of the photograph."""
    width: int
    """Of the photograph with that focal length, in pixels."""
    is_turntable: bool
    """Whether the background stays where it is in the photograph though the views
    differ: then the thing was turned, not the camera moved, and only the thing's own
    features tell so."""


def describe(folder: Path) -> PosedCapture:
    """How the capture in a posed folder was taken.

    Raises:
        DatasetError, CameraError: If it cannot be read.
    """
    dataset = read_dataset(folder)
    cameras = [frame.camera for frame in dataset.frames]
    forward = torch.stack([c.world_from_camera[0, :3, 2] for c in cameras]).double()
    center = torch.cat([camera.center for camera in cameras]).double()
    spread_degrees = _angles_degrees(forward, forward.mean(dim=0)).max().item()
    outward = _directions_outward(cameras, center)
    covered = forward if outward is None else outward
    focal = sorted(
        (float(camera.intrinsics[0, 0]), camera.width) for camera in cameras
    )[len(cameras) // 2]
    is_still = _has_still_rim(sorted((folder / "images").iterdir()))
    return PosedCapture(
        kind="forward-facing"
        if spread_degrees < FORWARD_DEGREES
        else "through"
        if outward is None
        else "around",
        coverage=_coverage(covered),
        hfov_degrees=math.degrees(2 * math.atan(focal[1] / (2 * focal[0]))),
        focal_px=focal[0],
        width=focal[1],
        is_turntable=spread_degrees > MOVING_DEGREES / 2 and is_still,
    )


def looked_at(cameras: Sequence[Camera]) -> Float[Tensor, "3"]:
    """The point that views of any sizes look at.

    Raises:
        CameraError: If they look at nothing in common.
    """
    posed = torch.cat([camera.world_from_camera for camera in cameras]).double()
    alike = Camera(
        world_from_camera=posed,
        intrinsics=torch.ones(len(cameras), 4, dtype=posed.dtype),
        height=1,
        width=1,
    )
    return look_at_point(alike)


def _directions_outward(
    cameras: Sequence[Camera], center: Float[Tensor, "view 3"]
) -> Float[Tensor, "view 3"] | None:
    """From what the views look at to each; None if they look at nothing in common."""
    try:
        outward = center - looked_at(cameras)
    except CameraError:
        return None
    return outward / outward.norm(dim=-1, keepdim=True)


def _angles_degrees(
    directions: Float[Tensor, "view 3"], axis: Float[Tensor, "3"]
) -> Float[Tensor, "view"]:
    cosine = torch.nn.functional.cosine_similarity(directions, axis[None], dim=-1)
    return torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))


def _coverage(directions: Float[Tensor, "view 3"]) -> float:
    """Share of the sphere within 45° of a direction."""
    index = torch.arange(1000, dtype=torch.float64)
    z = 1 - (2 * index + 1) / len(index)
    turn = math.pi * (1 + math.sqrt(5)) * index
    across = (1 - z.square()).sqrt()
    sphere = torch.stack([across * turn.cos(), across * turn.sin(), z], dim=-1)
    unit = directions / directions.norm(dim=-1, keepdim=True)
    nearest = (sphere @ unit.T).max(dim=-1).values
    return float((nearest > math.cos(math.pi / 4)).double().mean())


def _has_still_rim(photographs: Sequence[Path]) -> bool:
    """Whether most of a textured rim is the same in all photographs."""
    side = (THUMBNAIL_PX, THUMBNAIL_PX)
    small = [
        cv2.resize(read_image(file)[..., :3], side, interpolation=cv2.INTER_AREA)
        for file in photographs[:: max(1, len(photographs) // NUM_COMPARED)]
    ]
    stack = np.stack(small).astype(np.float64).mean(axis=-1)
    rim = np.ones(side, bool)
    rim[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX] = False
    is_still = stack.std(axis=0)[rim] < STILL
    return bool(is_still.mean() > 0.5 and stack.mean(axis=0)[rim].std() > TEXTURED)
