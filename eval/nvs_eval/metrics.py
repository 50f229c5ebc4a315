"""How close rendered images are to photographs: a new metric is a column here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from nvs.errors import ImageError, MissingExtraError, WeightsUnavailableError
from nvs.perceptual import Lpips, Net
from nvs.scene.quality import (
    SMALLEST_SIDE_PX,
    Picture,
    psnr_db,
    ssim_gaussian,
    ssim_uniform,
)

NETS: tuple[Net, ...] = ("vgg", "alex")
COLUMNS: Mapping[str, str] = {
    "psnr": "PSNR",
    "psnr_pooled": "PSNR, pooled MSE",
    "ssim_gaussian": "SSIM 11×11",
    "ssim_uniform": "SSIM 7×7",
    "lpips_vgg": "LPIPS VGG",
    "lpips_alex": "LPIPS Alex",
}
"""Metrics in the order of tables, and their headings."""
LOWER_IS_BETTER = frozenset({"lpips_vgg", "lpips_alex"})
OTHERWISE = "or leave out --require-lpips"


def mean_squared_error(image: Picture, truth: Picture) -> float:
    """Mean over pixels and channels, in float64."""
    return float(np.mean((image.astype(np.float64) - truth.astype(np.float64)) ** 2))


class Metrics:
    """Computes every metric of a render.

    Args:
        device: Where LPIPS runs.
        lpips_files: Backbone files by net; looked for elsewhere if absent or None.
        require_lpips: Whether to raise instead of leaving LPIPS out.

    Raises:
        WeightsUnavailableError, MissingExtraError: If LPIPS is required and cannot be
            had.
    """

    def __init__(
        self,
        device: torch.device,
        *,
        lpips_files: Mapping[Net, Path | str | None] | None = None,
        require_lpips: bool = False,
    ) -> None:
        self.device = device
        self.unavailable: dict[str, str] = {}
        """Why a column is empty, by column."""
        self.sources: dict[str, str] = {}
        """Where the backbone of a column came from."""
        self._lpips: dict[str, Lpips] = {}
        for net in NETS:
            column = f"lpips_{net}"
            try:
                network = Lpips(
                    net,
                    backbone=(lpips_files or {}).get(net),
                    option=f"--lpips-{net} FILE",
                    otherwise=OTHERWISE if require_lpips else "",
                    extra="eval",
                )
            except (WeightsUnavailableError, MissingExtraError) as error:
                if require_lpips:
                    raise
                self.unavailable[column] = str(error)
            else:
                self._lpips[column] = network.to(device)
                self.sources[column] = network.source

    @torch.no_grad()
    def __call__(
        self,
        image: Float[np.ndarray, "height width 3"],
        truth: Float[np.ndarray, "height width 3"],
    ) -> dict[str, float | None]:
        """Metrics of one float image in [0, 1]; None for LPIPS that is not there.

        Raises:
            ImageError: If the sizes differ or a side is under 32 pixels.
        """
        if image.shape != truth.shape:
            raise ImageError(
                f"a render of {image.shape[0]}×{image.shape[1]} pixels is compared "
                f"with a truth of {truth.shape[0]}×{truth.shape[1]}",
                remedy="Render at the size of the truth.",
            )
        if min(image.shape[:2]) < SMALLEST_SIDE_PX:
            raise ImageError(
                f"images of {image.shape[0]}×{image.shape[1]} pixels are too small",
                remedy=f"Evaluate at {SMALLEST_SIDE_PX} pixels a side or more.",
            )
        mse = mean_squared_error(image, truth)
        values: dict[str, float | None] = {
            "mse": mse,
            "psnr": psnr_db(mse),
            "ssim_gaussian": ssim_gaussian(image, truth),
            "ssim_uniform": ssim_uniform(image, truth),
        }
        for net in NETS:
            column = f"lpips_{net}"
            network = self._lpips.get(column)
            values[column] = (
                None
                if network is None
                else network(self._batch(image), self._batch(truth)).item()
            )
        return values

    def _batch(
        self, image: Float[np.ndarray, "height width 3"]
    ) -> Float[torch.Tensor, "1 3 height width"]:
        tensor = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))
        return tensor.permute(2, 0, 1)[None].to(self.device)


def summarise(values: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
    """Means over a scene's images, the pooled PSNR, and each image's values."""
    lists = {key: [value[key] for value in values] for key in values[0]}
    means = {
        key: None if None in column else float(np.mean(np.array(column, np.float64)))
        for key, column in lists.items()
    }
    means["psnr_pooled"] = pooled_psnr_db([value["mse"] or 0.0 for value in values])
    return (
        {column: means[column] for column in COLUMNS}
        | {"num_images": len(values)}
        | {f"image_{key}": column for key, column in lists.items()}
    )


def pooled_psnr_db(mses: Sequence[float]) -> float:
    """PSNR of the mean squared error over all target images of a scene.

    The published script prints this. It is at most the mean of the images' PSNRs,
    since the logarithm is concave, and the worst images decide it.
    """
    return psnr_db(float(np.mean(np.asarray(mses, dtype=np.float64))))
