"""What a batch of cameras has in common: a mean pose, a point all look at, a size."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras.camera import Camera
from nvs.cameras.se3 import rigid
from nvs.errors import CameraError

ONE_WAY = (
    "Choose views that look the same way, use object framing if they look at one "
    "thing, or none if they are around the origin already."
)
CANCELLED = 1e-5
"""Length of a mean of unit vectors under which its direction means nothing."""
OUTLIER, OUTLIER_ROUNDS = 6.0, 3
"""Distance of an axis from the common point, over the median, beyond which the view
looks elsewhere; and how often such views are looked for."""
LEVEL = 0.1
"""Mean squared slope of x axes over which cameras are not held level."""
TURNED = 0.01
"""Mean squared spread of x axes under which they do not span a plane."""
UNSURE = 0.05
"""Mean height of the −y axes under which they do not say which side is up."""
PARALLEL = 1e-5
"""Mean squared spread of axes (radians²) under which they meet nowhere."""
EXACTLY_PARALLEL = 1e-12
"""The same, of axes whose directions are exact but for rounding."""
MEETING = 0.65
"""Distance at which axes pass a point, over that of views from their middle, up to
which they meet there."""
AT_POINT = math.cos(math.radians(45))
"""Cosine of the angle from its axis within which a view looks at a point."""
FEWEST_AROUND = 4
"""Views of which it can be told that they surround something."""
ROUNDED = 1e-9
"""Distance of views, over their coordinates, that is rounding in float64."""
NEARLY = 0.15
"""Distance at which an optical axis passes what it looks at, over that of the view."""
ONE_SIDE, UPRIGHT = 0.95, 0.3
"""Length of the mean of the directions to one thing over which views are on one side of
it, as on an arc of 60°; and of the mean of their y axes over which they agree on up."""
AHEAD = 0.5
"""Level part of a viewing direction over which it says where ahead is."""


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
            remedy=ONE_WAY,
        )
    z = mean_z / mean_z.norm()
    right = torch.linalg.cross(mean_y, z)
    if right.norm() < CANCELLED:
        raise CameraError(
            f"the mean y axis of {len(camera)} views is parallel to their mean "
            "viewing direction or zero: the mean camera's roll is undefined",
            remedy=ONE_WAY,
        )
    x = right / right.norm()
    return rigid(torch.stack([x, torch.linalg.cross(z, x), z], dim=-1), center)


def look_at_point(camera: Camera, *, parallel: float = PARALLEL) -> Float[Tensor, "3"]:
    """The point with the least sum of squared distances to the optical axes.

    With Pᵢ = 1 − zᵢzᵢᵀ and centres cᵢ it solves (Σ Pᵢ) p = Σ Pᵢcᵢ. Axes that then pass
    it much farther away than most are left out, and it is solved again, so that a few
    views that look elsewhere do not move it. Computed in float64.

    Args:
        camera: The views.
        parallel: Mean squared spread of the axes (radians²) under which they count as
            parallel.

    Raises:
        CameraError: If the axes are parallel (one view is) or meet behind the cameras.
    """
    z, center = camera.forward.double(), camera.center.double()
    point = _nearest_to_axes(z, center, parallel)
    for _ in range(OUTLIER_ROUNDS):
        away = torch.linalg.cross(point - center, z).norm(dim=-1)
        kept = away <= OUTLIER * away.quantile(0.5)
        if kept.all() or 2 * int(kept.sum()) <= len(kept):
            break
        point = _nearest_to_axes(z[kept], center[kept], parallel)
    in_front = ((point - center) * z).sum(dim=-1) >= 0
    num_behind = len(camera) - int(in_front.sum())
    if 2 * num_behind >= len(camera):
        raise CameraError(
            f"the optical axes meet behind {num_behind} of {len(camera)} views: "
            "the capture looks outwards, not at an object",
            remedy="Use weights for scenes, which frame it by the mean camera.",
        )
    return point


def share_looking(camera: Camera) -> float:
    """Share of views that look at the point nearest to all optical axes, within 45°.

    1 for views of one thing, whichever side they are on; next to nothing for views that
    look about from one place or outwards; 0 where axes meet nowhere or behind.
    """
    try:
        offset = look_at_point(camera) - camera.center.double()
    except CameraError:
        return 0.0
    along = (offset * camera.forward.double()).sum(dim=-1)
    return float((along > AT_POINT * offset.norm(dim=-1)).double().mean())


def parallax_degrees(camera: Camera) -> float | None:
    """Widest angle between views, seen from the point at which their axes meet.

    None if they meet nowhere: if they pass that point at distances like those between
    the views, as where a camera is turned about in one place.
    """
    try:
        point = look_at_point(camera, parallel=EXACTLY_PARALLEL)
    except CameraError:
        return None
    center, z = camera.center.double(), camera.forward.double()
    offset = point - center
    passing = torch.linalg.cross(offset, z).norm(dim=-1)
    spread = (center - center.mean(dim=0)).norm(dim=-1)
    if passing.quantile(0.5) > MEETING * spread.quantile(0.5):
        return None
    return widest_degrees(offset)


def widest_degrees(direction: Float[Tensor, "view 3"]) -> float:
    """About the widest angle between some directions: twice that from their mean."""
    unit = torch.nn.functional.normalize(direction.double(), dim=-1)
    mean = unit.mean(dim=0)
    across = torch.linalg.cross(unit, mean.expand_as(unit)).norm(dim=-1)
    return 2 * float(torch.rad2deg(torch.atan2(across, unit @ mean)).max())


def surrounds(camera: Camera) -> bool:
    """Whether views look, the right way up, at one thing from clearly different sides.

    Stricter than `share_looking`: hardly any capture does so by chance.
    """
    if len(camera) < FEWEST_AROUND or share_looking(camera) < 1:
        return False
    center, z = camera.center.double(), camera.forward.double()
    offset = look_at_point(camera) - center
    distance = offset.norm(dim=-1)
    passing = torch.linalg.cross(offset, z).norm(dim=-1)
    sides = (offset / distance[:, None]).mean(dim=0).norm()
    upright = camera.world_from_camera[:, :3, 1].double().mean(dim=0).norm()
    return bool(
        distance.quantile(0.5) > ROUNDED * center.abs().max()
        and (passing / distance).quantile(0.5) < NEARLY
        and sides < ONE_SIDE
        and upright > UPRIGHT
    )


def level_forward(camera: Camera, up: Float[Tensor, "3"]) -> Float[Tensor, "view 3"]:
    """Viewing directions without what they have along the unit vector `up`."""
    forward = camera.forward.double()
    return forward - (forward @ up)[:, None] * up


def middle_pose(camera: Camera, up: Float[Tensor, "3"]) -> Float[Tensor, "4 4"]:
    """Level pose at the mean centre, ahead where the first view looks.

    For views all round, which have no mean viewing direction. Computed in float64.

    Args:
        camera: The views.
        up: Unit vector in the world.

    Raises:
        CameraError: If all views look along `up`.
    """
    level = level_forward(camera, up)
    ahead = level[level.norm(dim=-1) > AHEAD]
    if not len(ahead):
        raise CameraError(
            f"all {len(camera)} views look up or down: none says where ahead is",
            remedy="Frame them around their mean camera, or give another up axis.",
        )
    z, y = ahead[0] / ahead[0].norm(), -up
    axes = torch.stack([torch.linalg.cross(y, z), y, z], dim=-1)
    return rigid(axes, camera.center.double().mean(dim=0))


def _nearest_to_axes(
    z: Float[Tensor, "view 3"], center: Float[Tensor, "view 3"], parallel: float
) -> Float[Tensor, "3"]:
    origin = center.mean(dim=0)
    across = torch.eye(3, dtype=z.dtype, device=z.device) - z[:, :, None] * z[:, None]
    system = across.mean(dim=0)
    if torch.linalg.eigvalsh(system)[0] < parallel:
        raise CameraError(
            "the optical axis of one view meets no other"
            if len(z) == 1
            else f"the optical axes of {len(z)} views are parallel: "
            "they have no point in common",
            remedy="Use views from at least two directions, or frame it as a scene.",
        )
    target = (across @ (center - origin)[..., None]).mean(dim=0)
    return origin + torch.linalg.solve(system, target)[:, 0]


def common_up(camera: Camera) -> Float[Tensor, "3"]:
    """The direction that is up for most cameras, as a unit vector in the world.

    `level_up` where there is one; otherwise the mean of the −y axes, which leans where
    all cameras look down from one side. Computed in float64.

    Raises:
        CameraError: If the cameras have no direction in common.
    """
    level = level_up(camera)
    if level is not None:
        return level
    upward = -camera.world_from_camera[:, :3, 1].double().mean(dim=0)
    if upward.norm() < CANCELLED:
        raise CameraError(
            f"{len(camera)} views have no up axis in common",
            remedy="Give the world's up axis explicitly, such as 0 0 1.",
        )
    return upward / upward.norm()


def level_up(camera: Camera) -> Float[Tensor, "3"] | None:
    """The direction across the x axes of cameras that are held level.

    Its sign is that of the −y axes, or where those cancel, away from where the cameras
    look. None if the x axes span no plane, as those of one view, or more than one.
    """
    x, y, z = camera.world_from_camera[:, :3, :3].double().unbind(-1)
    values, vectors = torch.linalg.eigh((x[:, :, None] * x[:, None]).mean(dim=0))
    if values[0] > LEVEL or values[1] < TURNED:
        return None
    axis = vectors[:, 0]
    along = -float(axis @ y.mean(dim=0))
    if abs(along) < UNSURE:
        along = -float(axis @ z.mean(dim=0))
    if abs(along) < CANCELLED:
        return None
    return axis if along > 0 else -axis


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
