"""Cameras around objects, and poses from where a camera stands and looks."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import direction_of
from nvs.cameras.se3 import so3_looking
from nvs.train.synthetic.draws import Draws

BENCHMARK_RADIUS, BENCHMARK_HFOV_DEGREES = 2.7, 50.0
RADIUS_RANGE = (2.0, 3.4)
HFOV_RANGE_DEGREES = (35.0, 60.0)
ELEVATION_RANGE_DEGREES = (-20.0, 80.0)
BENCHMARK_ELEVATION_RANGE_DEGREES = (0.0, 60.0)
_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


def orbit(
    draws: Draws, views: int, *, height: int, width: int
) -> tuple[Float[Tensor, "batch view 4 4"], Float[Tensor, "batch view 4"]]:
    """Cameras around the origin, looking near it; poses and intrinsics.

    Half of the scenes have the benchmark's rig (radius 2.7, field of view 50°,
    elevations of 0 to 60°, no jitter); the others draw all of these from the wider
    ranges, with a look-at point up to 0.1 away and sometimes a little roll. Azimuths
    advance by the golden angle from a random phase, so that any first few views
    surround the object and any others lie between them.
    """
    plain = draws.chance(1, probability=0.5)
    hfov = _between(draws, *HFOV_RANGE_DEGREES)
    hfov = torch.where(plain, BENCHMARK_HFOV_DEGREES, hfov)
    # As near as shows a ball of radius 0.8 whole.
    nearest = 0.8 / (hfov * (math.pi / 360)).sin()
    nearest = nearest.clamp(*RADIUS_RANGE)
    middle = nearest + (RADIUS_RANGE[1] - nearest) * draws.uniform(1)
    phase = draws.uniform(1, high=2 * math.pi)
    sense = torch.where(draws.chance(1, probability=0.5), 1.0, -1.0)
    low, high = ELEVATION_RANGE_DEGREES
    center = _between(draws, low, high)
    spread = draws.uniform(1, low=2.0, high=high - low)
    rolled = draws.chance(1, probability=0.3)
    each = draws.uniform(views, 8)

    index = torch.arange(views, dtype=torch.float64)
    azimuth = phase + sense * index * _GOLDEN_ANGLE + 0.35 * (each[..., 0] - 0.5)
    elevation = (center + spread * (each[..., 1] - 0.5)).clamp(low, high)
    low, high = BENCHMARK_ELEVATION_RANGE_DEGREES
    elevation = torch.where(plain, low + (high - low) * each[..., 1], elevation)
    elevation = elevation * (math.pi / 180)
    radius = (middle * (0.95 + 0.1 * each[..., 2])).clamp(*RADIUS_RANGE)
    radius = torch.where(plain, BENCHMARK_RADIUS, radius)
    eye = direction_of(azimuth, elevation) * radius[..., None]
    jitter = 0.2 * (each[..., 3:6] - 0.5) * ~plain[..., None]
    roll = 0.3 * (each[..., 6] - 0.5) * (rolled & ~plain)
    focal_px = width / (2 * (hfov * (math.pi / 360)).tan())
    return look(eye, jitter - eye, roll), intrinsics_of(focal_px, views, height, width)


def look(
    eye: Float[Tensor, "batch view 3"],
    forward: Float[Tensor, "batch view 3"],
    roll_radians: Float[Tensor, "batch view"],
) -> Float[Tensor, "batch view 4 4"]:
    """Poses of cameras with z up, turned about their own axis by a roll."""
    x, y, z = so3_looking(forward, forward.new_tensor([0.0, 0.0, 1.0])).unbind(-1)
    cosine, sine = roll_radians.cos()[..., None], roll_radians.sin()[..., None]
    axes = [cosine * x + sine * y, cosine * y - sine * x, z, eye]
    top = torch.stack(axes, dim=-1)
    bottom = top.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*top.shape[:2], 1, 4)
    return torch.cat([top, bottom], dim=-2)


def intrinsics_of(
    focal_px: Float[Tensor, "batch 1"], views: int, height: int, width: int
) -> Float[Tensor, "batch view 4"]:
    """fx, fy, cx, cy of square pixels and a centred axis, the same for all views."""
    center = focal_px.new_tensor([width / 2, height / 2]).expand(len(focal_px), 2)
    values = torch.cat([focal_px, focal_px, center], dim=-1)
    return values[:, None].repeat(1, views, 1)


def _between(draws: Draws, low: float, high: float) -> Float[Tensor, "batch 1"]:
    return draws.uniform(1, low=low, high=high)
