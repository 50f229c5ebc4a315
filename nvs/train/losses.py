"""The training loss: squared error, with more weight on colour if wanted, and LPIPS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from nvs.perceptual import Lpips


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Loss:
    """The loss of a step and its parts."""

    total: Float[Tensor, ""]
    """What is differentiated."""
    squared_error: Float[Tensor, ""]
    """Mean over pixels and channels, every channel alike."""
    lpips: Float[Tensor, ""] | None
    """Mean over images, where it counts."""


def loss_of(
    rendered: Float[Tensor, "batch view 3 height width"],
    truth: Float[Tensor, "batch view 3 height width"],
    *,
    chroma_weight: float,
    lpips_weight: float,
    perceptual: Lpips | None,
) -> Loss:
    """The loss of rendered views; LPIPS is left out where its weight is 0."""
    error = rendered.float() - truth
    squared_error = total = error.square().mean()
    if chroma_weight != 1:
        chroma = error - error.mean(dim=2, keepdim=True)
        total = total + (chroma_weight - 1) * chroma.square().mean()
    if perceptual is None or lpips_weight == 0:
        return Loss(total=total, squared_error=squared_error, lpips=None)
    lpips = perceptual(rendered.flatten(0, 1), truth.flatten(0, 1)).mean()
    total = total + lpips_weight * lpips
    return Loss(total=total, squared_error=squared_error, lpips=lpips)


def perceptual_network(backbone: Path | str | None = None) -> Lpips:
    """LPIPS for `loss_of`; `backbone` is a file with its weights.

    Raises:
        MissingExtraError: If the package `lpips` is not installed.
        WeightsUnavailableError: If the backbone's weights cannot be had.
    """
    return Lpips(
        "vgg",
        backbone=backbone,
        option="--set lpips_backbone=FILE",
        otherwise="or train without: --set lpips_weight=0",
        extra="train",
    )
