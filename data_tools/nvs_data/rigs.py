"""Camera rigs around an object that fills the cube [−1, 1]³, z up.

Notation:
    azimuth      angle in the ground plane, from x towards y
    elevation    angle above the ground plane
    radius       distance from the origin; every camera looks at the origin
"""

from __future__ import annotations

import hashlib
import math

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera, direction_of
from nvs.errors import ConfigError

RADIUS = 2.7
HFOV_DEGREES = 50.0
GSO_ELEVATIONS_DEGREES = (0.0, 20.0, 40.0, 60.0)
GSO_AZIMUTHS = 16
TRAINING_ELEVATIONS_DEGREES = (-20.0, 80.0)
TRAINING_RADII = (2.5, 2.9)
RIG_NAMES = ("gso", "training")


def orbit(
    *,
    azimuth_radians: Float[Tensor, "view"],
    elevation_radians: Float[Tensor, "view"],
    radius: Float[Tensor, "*#view"],
    height: int,
    width: int,
) -> Camera:
    """Cameras on spheres around the origin that look at it, 50° wide, z up.

    Raises:
        CameraError: If a camera is straight above or below the origin.
    """
    eye = radius[..., None] * direction_of(azimuth_radians, elevation_radians)
    return Camera.look_at(
        eye,
        torch.zeros(3, dtype=eye.dtype),
        up=eye.new_tensor([0.0, 0.0, 1.0]),
        hfov_radians=math.radians(HFOV_DEGREES),
        height=height,
        width=width,
    )


def gso_rig(height: int = 512, width: int = 512) -> Camera:
    """The 64 evaluation cameras of the Google Scanned Objects renders.

    Four rings of 16, lowest first; each ring starts on the x axis and goes towards y.
    """
    elevation = torch.tensor(GSO_ELEVATIONS_DEGREES).deg2rad()
    azimuth = torch.arange(GSO_AZIMUTHS) * (2 * math.pi / GSO_AZIMUTHS)
    return orbit(
        azimuth_radians=azimuth.repeat(len(elevation)),
        elevation_radians=elevation.repeat_interleave(len(azimuth)),
        radius=torch.tensor(RADIUS),
        height=height,
        width=width,
    )


def training_rig(
    seed: int, num_views: int = 32, height: int = 512, width: int = 512
) -> Camera:
    """Random cameras for training: the same seed gives the same cameras.

    Directions are uniform over the part of the sphere between elevations −20° and 80°,
    distances uniform in [2.5, 2.9].
    """
    uniform = torch.rand(3, num_views, generator=torch.Generator().manual_seed(seed))
    lowest, highest = (
        math.sin(math.radians(angle)) for angle in TRAINING_ELEVATIONS_DEGREES
    )
    nearest, farthest = TRAINING_RADII
    return orbit(
        azimuth_radians=uniform[0] * (2 * math.pi),
        elevation_radians=(lowest + uniform[1] * (highest - lowest)).asin(),
        radius=nearest + uniform[2] * (farthest - nearest),
        height=height,
        width=width,
    )


def named_rig(
    object_name: str,
    *,
    rig: str,
    seed: int = 0,
    height: int = 512,
    width: int = 512,
) -> Camera:
    """The rig called `gso` or `training` for one object.

    Training cameras depend on `seed` and on the object's name only, so that rendering
    more objects, or in another order, changes none of the earlier ones.

    Raises:
        ConfigError: If there is no such rig.
    """
    if rig == "gso":
        return gso_rig(height, width)
    if rig == "training":
        digest = hashlib.sha256(f"{seed}/{object_name}".encode()).digest()
        object_seed = int.from_bytes(digest[:7], "big")
        return training_rig(object_seed, height=height, width=width)
    raise ConfigError(
        f"there is no camera rig {rig!r}", remedy=f"Choose from {', '.join(RIG_NAMES)}."
    )
