"""The training loss: mean squared error and, from a given step, LPIPS."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from nvs.train.config import TrainConfig
from nvs.train.perceptual import Perceptual


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Loss:
    """The loss of a step and its parts."""

    total: Float[Tensor, ""]
    """What is differentiated."""
    squared_error: Float[Tensor, ""]
    """Mean over pixels and channels."""
    lpips: Float[Tensor, ""] | None
    """Mean over images, where it counts."""


def loss_of(
    rendered: Float[Tensor, "batch view 3 height width"],
    truth: Float[Tensor, "batch view 3 height width"],
    *,
    config: TrainConfig,
    step: int,
    perceptual: Perceptual | None,
) -> Loss:
    """The loss of rendered views at a step."""
    squared_error = F.mse_loss(rendered.float(), truth)
    if perceptual is None or step < config.lpips_from:
        return Loss(total=squared_error, squared_error=squared_error, lpips=None)
    lpips = perceptual(rendered.flatten(0, 1), truth.flatten(0, 1))
    total = squared_error + config.lpips_weight * lpips
    return Loss(total=total, squared_error=squared_error, lpips=lpips)


def psnr_db(squared_error: float) -> float:
    """Peak signal-to-noise ratio, for values in [0, 1]."""
    return math.inf if squared_error == 0 else -10 * math.log10(squared_error)
