"""The perceptual part of the loss: LPIPS with a VGG-16 backbone."""

from __future__ import annotations

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from nvs.perceptual import Lpips


class Perceptual(Lpips):
    """Mean LPIPS between images in [0, 1].

    Raises:
        MissingExtraError: If the package `lpips` is not installed.
        WeightsUnavailableError: If the backbone's weights cannot be had.
    """

    def __init__(self, backbone: Path | str | None = None) -> None:
        super().__init__(
            "vgg",
            backbone=backbone,
            option="--set lpips_backbone=FILE",
            otherwise="or train without: --set lpips_weight=0",
            extra="train",
        )

    def forward(
        self,
        rendered: Float[Tensor, "image 3 height width"],
        truth: Float[Tensor, "image 3 height width"],
    ) -> Float[Tensor, ""]:
        """Mean distance over the images."""
        return super().forward(rendered, truth).mean()
