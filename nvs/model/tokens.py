"""Images and rays to tokens, and tokens back to images.

A token is one patch; its features run in the order (row in patch, column in patch,
channel), with the channels of a pixel
    origin (3), direction (3), origin × direction (3), rgb·2 − 1 (3)
where a camera still to be rendered has zeros for its colours.
"""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera, rays

NUM_CHANNELS = 12


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
    patch_size: int,
) -> Float[Tensor, "batch view token features"]:
    """Features of every patch; `image` in [0, 1], or None for cameras to render."""
    colour = torch.zeros_like(posed[:, :, :3]) if image is None else image * 2 - 1
    return rearrange(
        torch.cat([posed, colour], dim=2),
        "b v c (h p) (w q) -> b v (h w) (p q c)",
        p=patch_size,
        q=patch_size,
    )


def unpatch(
    features: Float[Tensor, "batch view token features"],
    *,
    height: int,
    width: int,
    patch_size: int,
) -> Float[Tensor, "batch view 3 height width"]:
    """Images from the colours of every patch."""
    return rearrange(
        features,
        "b v (h w) (p q c) -> b v c (h p) (w q)",
        h=height // patch_size,
        w=width // patch_size,
        p=patch_size,
        q=patch_size,
        c=3,
    )
