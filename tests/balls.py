"""Cameras around a ball, and where their rays meet it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nvs.cameras import Camera, orbit
from nvs.cameras.rays import rays


def ring(num_views: int, elevation: float, size: int = 32) -> Camera:
    """Cameras on a circle around the origin, that of an object's model."""
    return orbit(
        num_views,
        radius=2.7,
        elevation_radians=elevation,
        hfov_radians=math.radians(50),
        height=size,
        width=size,
    ).to(dtype=torch.float32)


def pixel_rays(camera: Camera) -> tuple[Tensor, Tensor]:
    """Origins and directions of all pixels of all views, (ray, 3) each."""
    origin, direction = (r.movedim(1, -1).flatten(0, 2) for r in rays(camera))
    return origin, direction


def distance_to_ball(
    origin: Tensor, direction: Tensor, centre: Tensor, radius: float
) -> Tensor:
    """How far rays go to the ball; infinity for those that miss it."""
    towards = centre - origin
    along = (towards * direction).sum(-1)
    half_chord = radius**2 - towards.square().sum(-1) + along**2
    near = along - half_chord.clamp(min=0).sqrt()
    return torch.where(half_chord > 0, near, torch.inf)
