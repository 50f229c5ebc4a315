"""Images and rays to tokens, and tokens back to images.

A token is one patch; its features run in the order (row in patch, column in patch,
channel), with the channels of a pixel
    origin (3), direction (3), origin × direction (3), rgb·2 − 1 (3)
where a camera still to be rendered has zeros for its colours. Networks that reproject
have six more, what `nvs.model.reprojection` knows of a camera to be rendered; zeros
where it knows nothing, and for input views.
"""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera, rays
from nvs.config import ModelConfig
from nvs.model.reprojection import NUM_REPROJECTED

NUM_CHANNELS = 12


def num_channels(config: ModelConfig) -> int:
    """Of a pixel that is embedded."""
    return NUM_CHANNELS + (NUM_REPROJECTED if config.reprojection else 0)


def num_outputs(config: ModelConfig) -> int:
    """Of a pixel that is rendered: its colour and, if there is one, its gate."""
    return 4 if config.reprojection else 3


def posed_rays(
    camera: Camera, num_batches: int = 1
) -> Float[Tensor, "batch view 9 height width"]:
    """Ray origin, unit direction and moment of every pixel, in the model's frame.

    Args:
        camera: Cameras of all batches one after another, (batch·view).
        num_batches: How many batches they form.

    Rays are geometry: autocast does not reach them.
    """
    with torch.autocast(camera.intrinsics.device.type, enabled=False):
        origin, direction = rays(camera)
        moment = torch.linalg.cross(origin, direction, dim=1)
    stacked = torch.cat([origin, direction, moment], dim=1)
    return rearrange(stacked, "(b v) c h w -> b v c h w", b=num_batches)


def patches(
    posed: Float[Tensor, "batch view 9 height width"],
    image: Float[Tensor, "batch view 3 height width"] | None,
    config: ModelConfig,
    reprojected: Float[Tensor, "batch view 6 height width"] | None = None,
) -> Float[Tensor, "batch view token features"]:
    """Features of every patch.

    Args:
        posed: Rays of every pixel.
        image: Colours in [0, 1], or None for cameras to render.
        config: Of the network that embeds them.
        reprojected: What `reprojection.reproject` knows of cameras to render.
    """
    colour = torch.zeros_like(posed[:, :, :3]) if image is None else image * 2 - 1
    channels = [posed, colour]
    if config.reprojection:
        if reprojected is None:
            reprojected = torch.zeros_like(posed[:, :, :NUM_REPROJECTED])
        channels.append(reprojected)
    return rearrange(
        torch.cat(channels, dim=2),
        "b v c (h p) (w q) -> b v (h w) (p q c)",
        p=config.patch_size,
        q=config.patch_size,
    )


def unpatch(
    features: Float[Tensor, "batch view token features"],
    *,
    height: int,
    width: int,
    patch_size: int,
) -> Float[Tensor, "batch view channel height width"]:
    """Images from the channels of every pixel of every patch."""
    return rearrange(
        features,
        "b v (h w) (p q c) -> b v c (h p) (w q)",
        h=height // patch_size,
        w=width // patch_size,
        p=patch_size,
        q=patch_size,
    )
