"""Squared error and the two SSIMs of single images in [0, 1].

Papers mean different things by SSIM. Both are scikit-image's, on colour images whose
channels are averaged: pixelSplat and LVSM weight an 11×11 window by a Gaussian of
σ = 1.5, Long-LRM leaves scikit-image's default, a uniform window of 7×7.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from jaxtyping import Float

from nvs.errors import MissingExtraError

Picture = Float[np.ndarray, "height width 3"]


def mean_squared_error(image: Picture, truth: Picture) -> float:
    """Mean over pixels and channels, in float64."""
    return float(np.mean((image.astype(np.float64) - truth.astype(np.float64)) ** 2))


def ssim_gaussian(image: Picture, truth: Picture) -> float:
    """SSIM as pixelSplat and LVSM use it.

    Raises:
        MissingExtraError: If scikit-image is not installed.
    """
    return _ssim(image, truth, win_size=11, gaussian_weights=True)


def ssim_uniform(image: Picture, truth: Picture) -> float:
    """SSIM as Long-LRM uses it.

    Raises:
        MissingExtraError: If scikit-image is not installed.
    """
    return _ssim(image, truth)


def _ssim(image: Picture, truth: Picture, **options: Any) -> float:
    try:
        from skimage.metrics import structural_similarity
    except ImportError as error:
        raise MissingExtraError("scikit-image", "eval") from error
    value = structural_similarity(
        truth.astype(np.float64),
        image.astype(np.float64),
        channel_axis=-1,
        data_range=1.0,
        **options,
    )
    return float(cast("float", value))
