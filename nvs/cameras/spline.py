"""A smooth path through given cameras.

Each segment between neighbours is a cubic Bézier curve on SE(3): de Casteljau's
construction with screw motions in place of straight lines (Park and Ravani, Bézier
Curves on Riemannian Manifolds and Lie Groups with Kinematics Applications, 1995). As in
a Catmull-Rom spline the velocity at a camera is the mean of the two chords that meet
there, so the path passes through every camera and its velocity is continuous.

Rotations never leave the sphere; the path does not depend on the choice of world; and
through evenly spaced cameras of an orbit it is that orbit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras.camera import Camera
from nvs.cameras.se3 import (
    nearest_rigid,
    se3_exp,
    se3_interpolate,
    se3_inverse,
    se3_log,
)
from nvs.errors import CameraError


def through(camera: Camera, num_views: int, *, closed: bool = False) -> Camera:
    """Views along a smooth path through all cameras in order, first to last.

    Every segment from camera to camera takes the same time. The given cameras are among
    the views where those fall on them: for (len(camera) − 1)·k + 1 views of an open
    path, or len(camera)·k of a closed one. Focal lengths are interpolated in log.

    Args:
        camera: Cameras to pass through; one camera is repeated.
        num_views: Views on the path, both ends included. On a closed path the last view
            is one step before the first, so that a video loops.
        closed: Return from the last camera to the first.

    Raises:
        CameraError: If there is no camera or no view.
    """
    num_cameras = len(camera)
    if num_cameras < 1 or num_views < 1:
        raise CameraError(
            f"a path of {num_views} views through {num_cameras} cameras",
            remedy="Give at least one camera and ask for at least one view.",
        )
    if num_cameras == 1:
        return camera[[0] * num_views]
    poses = nearest_rigid(camera.world_from_camera.double())
    parameters = camera.intrinsics.double()
    parameters = torch.cat([parameters[:, :2].log(), parameters[:, 2:]], dim=-1)

    start = torch.arange(num_cameras if closed else num_cameras - 1)
    end = (start + 1) % num_cameras
    steps = num_views if closed else max(num_views - 1, 1)
    position = torch.arange(num_views, device=poses.device) * len(start)
    segment = (position // steps).clamp(max=len(start) - 1)
    fraction = (position - segment * steps).double() / steps

    velocity = _velocities(se3_log(se3_inverse(poses[start]) @ poses[end]), closed)
    controls = [
        poses[start],
        poses[start] @ se3_exp(velocity[start] / 3),
        poses[end] @ se3_exp(-velocity[end] / 3),
        poses[end],
    ]
    path = _de_casteljau(
        [pose[segment] for pose in controls], fraction, se3_interpolate
    )

    velocity = _velocities(parameters[end] - parameters[start], closed)
    controls = [
        parameters[start],
        parameters[start] + velocity[start] / 3,
        parameters[end] - velocity[end] / 3,
        parameters[end],
    ]
    smooth = _de_casteljau([value[segment] for value in controls], fraction, _line)
    smooth = torch.cat([smooth[:, :2].exp(), smooth[:, 2:]], dim=-1)
    return replace(
        camera,
        world_from_camera=path.to(camera.world_from_camera.dtype),
        intrinsics=smooth.to(camera.intrinsics.dtype),
    )


def _velocities(
    chord: Float[Tensor, "segment dim"], closed: bool
) -> Float[Tensor, "camera dim"]:
    """Velocity at each camera: mean of the chords before and after it."""
    if closed:
        return (chord + chord.roll(1, dims=0)) / 2
    return torch.cat([chord[:1], (chord[1:] + chord[:-1]) / 2, chord[-1:]])


def _line(
    start: Float[Tensor, "view dim"],
    end: Float[Tensor, "view dim"],
    fraction: Float[Tensor, "view"],
) -> Float[Tensor, "view dim"]:
    return torch.lerp(start, end, fraction[:, None])


def _de_casteljau(
    points: Sequence[Tensor],
    fraction: Float[Tensor, "view"],
    blend: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> Tensor:
    """The Bézier curve with these control points, at one fraction for each view."""
    while len(points) > 1:
        points = [blend(start, end, fraction) for start, end in pairwise(points)]
    return points[0]
