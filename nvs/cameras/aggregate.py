"""What a batch of cameras has in common: a mean pose, a point all look at, a size."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras.camera import Camera
from nvs.cameras.se3 import rigid
from nvs.errors import CameraError

CANCELLED = 1e-5
"""Length of a mean of unit vectors under which its direction means nothing."""
PARALLEL = 1e-5
"""Mean squared spread of axes (radians²) under which they meet nowhere."""


def mean_pose(camera: Camera) -> Float[Tensor, "4 4"]:
    """Pose at the mean centre, along the mean z axis, level with the mean y axis.

    z = normalize(mean z), x = normalize(mean y × z), y = z × x: exact in z, while y is
    the mean y axis made orthogonal to it. Computed in float64.

    Raises:
        CameraError: If viewing directions cancel out, or the mean y axis vanishes or is
            parallel to the mean z axis, as in a full ring around an object.
    """
    poses = camera.world_from_camera.double()
    _, mean_y, mean_z, center = poses[:, :3].mean(dim=0).unbind(-1)
    if mean_z.norm() < CANCELLED:
        raise CameraError(
            f"the viewing directions of {len(camera)} views cancel out: "
            "they have no mean camera",
            remedy="Choose views that look the same way, or use object framing.",
        )
    z = mean_z / mean_z.norm()
    right = torch.linalg.cross(mean_y, z)
    if right.norm() < CANCELLED:
        raise CameraError(
            f"the mean y axis of {len(camera)} views is parallel to their mean "
            "viewing direction or zero: the mean camera's roll is undefined",
            remedy="Choose views that look the same way, or use object framing.",
        )
    x = right / right.norm()
    return rigid(torch.stack([x, torch.linalg.cross(z, x), z], dim=-1), center)


def look_at_point(camera: Camera) -> Float[Tensor, "3"]:
    """The point with the least sum of squared distances to all optical axes.

    With Pᵢ = 1 − zᵢzᵢᵀ and centres cᵢ it solves (Σ Pᵢ) p = Σ Pᵢcᵢ. Computed in float64.

    Raises:
        CameraError: If the axes are parallel (one view is) or meet behind the cameras.
    """
    z, center = camera.forward.double(), camera.center.double()
    origin = center.mean(dim=0)
    across = torch.eye(3, dtype=z.dtype, device=z.device) - z[:, :, None] * z[:, None]
    system = across.mean(dim=0)
    if torch.linalg.eigvalsh(system)[0] < PARALLEL:
        raise CameraError(
            f"the optical axes of {len(camera)} views are parallel: "
            "they have no point in common",
            remedy="Use views from at least two directions, or frame it as a scene.",
        )
    target = (across @ (center - origin)[..., None]).mean(dim=0)
    point = origin + torch.linalg.solve(system, target)[:, 0]
    in_front = ((point - center) * z).sum(dim=-1) >= 0
    num_behind = len(camera) - int(in_front.sum())
    if 2 * num_behind >= len(camera):
        raise CameraError(
            f"the optical axes meet behind {num_behind} of {len(camera)} views: "
            "the capture looks outwards, not at an object",
            remedy="Frame it as a scene, with the mean camera.",
        )
    return point


def check_extent(extent: float, camera: Camera) -> None:
    """Refuse an extent of the camera centres that is rounding, not distance.

    Raises:
        CameraError: If it is within rounding of zero, for centres of this size.
    """
    rounding = torch.finfo(camera.world_from_camera.dtype).eps
    if extent <= 8 * rounding * float(camera.center.abs().max()):
        raise CameraError(
            f"all {len(camera)} views are in one place: the scale is undefined",
            remedy="Check their translations, or choose views that differ.",
        )
