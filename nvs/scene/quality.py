"""How close a render is to a photograph, as far as the core needs it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def psnr(
    image: Float[Tensor, "*batch height width channel"],
    truth: Float[Tensor, "*batch height width channel"],
) -> Float[Tensor, "*batch"]:
    """Peak signal-to-noise ratio of each image in [0, 1], in dB; inf if equal."""
    error = (image - truth).square().mean(dim=(-3, -2, -1))
    return -10 * torch.log10(error)


def nearest_view(
    center: Float[Tensor, "target 3"], input_center: Float[Tensor, "input 3"]
) -> list[int]:
    """Index of the input camera closest to each target, the simplest baseline."""
    return torch.cdist(center.double(), input_center.double()).argmin(1).tolist()
