"""How close renders are to photographs, as far as no other package is needed."""

from __future__ import annotations

import math
from statistics import fmean

import torch
from jaxtyping import Float
from torch import Tensor

PSNR_CAP_DB = 100.0
"""PSNR of equal images, so that means and files stay finite."""


def psnr_db(squared_error: float) -> float:
    """Peak signal-to-noise ratio of a mean squared error of values in [0, 1]."""
    if squared_error <= 10 ** (-PSNR_CAP_DB / 10):
        return PSNR_CAP_DB
    return -10 * math.log10(squared_error)


def mean_psnr_db(
    image: Float[Tensor, "image ..."], truth: Float[Tensor, "image ..."]
) -> float:
    """Mean over images of the PSNR of each."""
    errors = (image - truth).square().flatten(1).mean(1).tolist()
    return fmean(map(psnr_db, errors))


def nearest_view(
    center: Float[Tensor, "target 3"], input_center: Float[Tensor, "input 3"]
) -> list[int]:
    """Index of the input camera closest to each target, the simplest baseline."""
    return torch.cdist(center.double(), input_center.double()).argmin(1).tolist()
