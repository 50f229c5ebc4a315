"""Camera trajectories that need no path: orbits and spirals, both loop seamlessly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras.aggregate import check_extent, look_at_point, mean_pose
from nvs.cameras.camera import Camera
from nvs.cameras.se3 import se3_inverse, so3_between
from nvs.errors import CameraError

SPIRAL_QUANTILE = 0.9
"""The spiral is as wide as this share of the given cameras, along each axis."""


def orbit(
    num_views: int,
    *,
    radius: float,
    elevation_radians: float,
    hfov_radians: float,
    height: int,
    width: int,
    azimuth_radians: float = 0.0,
    zoom: float = 1.0,
    center: Sequence[float] = (0.0, 0.0, 0.0),
    up: Sequence[float] = (0.0, 0.0, 1.0),
) -> Camera:
    """Views on one full turn around a point, looking at it.

    Args:
        num_views: Number of views, evenly spaced; the last is a step before the first.
        radius: Distance from `center`.
        elevation_radians: Angle above the plane through `center` across `up`, from −π/2
            to π/2.
        hfov_radians: Horizontal field of view at a zoom of 1.
        height: Image height in pixels.
        width: Image width in pixels.
        azimuth_radians: Angle of the first view about `up`, anticlockwise seen from
            above; 0 is +x where `up` is +z.
        zoom: Factor on the focal length; 2 shows half the width.
        center: Point to look at.
        up: Axis to turn about, of any length.

    Returns:
        float64 cameras with square pixels.

    Raises:
        CameraError: Naming the argument that is out of range.
    """
    axis = torch.tensor(up, dtype=torch.float64)
    for name, value, valid, allowed in [
        ("number of views", num_views, num_views >= 1, "at least 1"),
        ("radius", radius, 0 < radius < math.inf, "positive"),
        (
            "elevation",
            elevation_radians,
            abs(elevation_radians) <= math.pi / 2,
            "from −π/2 to π/2 radians",
        ),
        (
            "field of view",
            hfov_radians,
            0 < hfov_radians < math.pi,
            "between 0 and π radians",
        ),
        ("zoom", zoom, 0 < zoom < math.inf, "positive"),
        ("center", center, all(map(math.isfinite, center)), "finite"),
        ("up axis", up, 0 < float(axis.norm()) < math.inf, "finite and not zero"),
    ]:
        if not valid:
            raise CameraError(
                f"the {name} of an orbit is {value}", remedy=f"It must be {allowed}."
            )
    turn = torch.arange(num_views, dtype=torch.float64) * (2 * math.pi / num_views)
    azimuth = azimuth_radians + turn
    z = -direction_of(azimuth, torch.full_like(azimuth, elevation_radians))
    # Not from an up axis, so that it holds straight above too.
    x = torch.stack([-azimuth.sin(), azimuth.cos(), torch.zeros_like(azimuth)], dim=-1)
    local = torch.stack([x, torch.linalg.cross(z, x), z, -radius * z], dim=-1)
    pose = torch.eye(4, dtype=torch.float64).repeat(num_views, 1, 1)
    pose[:, :3] = (
        so3_between(axis.new_tensor([0.0, 0.0, 1.0]), axis / axis.norm()) @ local
    )
    pose[:, :3, 3] += axis.new_tensor(center)
    focal_px = zoom * width / (2 * math.tan(hfov_radians / 2))
    intrinsics = pose.new_tensor([focal_px, focal_px, width / 2, height / 2])
    return Camera(
        world_from_camera=pose,
        intrinsics=intrinsics.repeat(num_views, 1),
        height=height,
        width=width,
    )


def direction_of(
    azimuth_radians: Float[Tensor, "*batch"], elevation_radians: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch 3"]:
    """Unit vectors, z up; azimuth 0 is +x, a quarter turn +y."""
    reach = elevation_radians.cos()
    x, y = reach * azimuth_radians.cos(), reach * azimuth_radians.sin()
    return torch.stack([x, y, elevation_radians.sin()], dim=-1)


def spiral(
    camera: Camera,
    num_views: int,
    *,
    turns: int = 2,
    focus_distance: float | None = None,
) -> Camera:
    """Views on a spiral around the mean of given cameras, for forward-facing scenes.

    In the frame of the mean camera the views move on x = a cos θ, y = b sin θ,
    z = c sin(θ / turns), where a, b, c hold 90 % of the cameras' |x|, |y|, |z|. They
    look at one point on its z axis. Intrinsics are the cameras' mean, geometric for
    focal lengths.

    Args:
        camera: Cameras whose mean and spread shape the spiral.
        num_views: Number of views; the last is one step before the first.
        turns: Turns about the mean viewing direction, for one swing back and forth.
        focus_distance: Distance of the point in world units, infinity for parallel
            views. If absent, that of the point closest to all optical axes.

    Raises:
        CameraError: If the cameras have no mean or spread, their axes do not meet in
            front of the mean camera, or an argument is out of range.
    """
    if num_views < 1 or turns < 1:
        raise CameraError(
            f"a spiral of {num_views} views and {turns} turns",
            remedy="Ask for at least one view and one turn.",
        )
    mean = mean_pose(camera)
    mean_from_world = se3_inverse(mean)
    rotation, shift = mean_from_world[:3, :3], mean_from_world[:3, 3]
    if focus_distance is None:
        focus_distance = float((rotation @ look_at_point(camera) + shift)[2])
    offset = camera.center.double() @ rotation.T + shift
    size = offset.abs().quantile(SPIRAL_QUANTILE, dim=0)
    check_extent(float(size.max()), camera)
    if not focus_distance > float(size[2]):
        raise CameraError(
            f"the focus distance of a spiral is {focus_distance:g}, "
            f"within its swing of {float(size[2]):g} back and forth",
            remedy="Give a larger focus_distance, or infinity for parallel views.",
        )
    angle = torch.arange(num_views, dtype=size.dtype, device=size.device)
    angle = angle * (2 * math.pi * turns / num_views)
    eye = size * torch.stack([angle.cos(), angle.sin(), (angle / turns).sin()], dim=-1)
    forward = -eye / focus_distance
    forward[:, 2] += 1
    looking = Camera.look_at(
        eye,
        eye + forward,
        up=eye.new_tensor([[0.0, -1.0, 0.0]]),
        hfov_radians=math.pi / 2,
        height=camera.height,
        width=camera.width,
    )
    pose = mean @ looking.world_from_camera
    intrinsics = camera.intrinsics.double()
    focal_px = intrinsics[:, :2].log().mean(dim=0).exp()
    intrinsics = torch.cat([focal_px, intrinsics[:, 2:].mean(dim=0)])
    return replace(
        camera,
        world_from_camera=pose.to(camera.world_from_camera.dtype),
        intrinsics=intrinsics.repeat(num_views, 1).to(camera.intrinsics.dtype),
    )
