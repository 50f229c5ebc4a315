"""A picture of how training is going: input, truth and render, a row a scene."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from nvs.files import atomic_output
from nvs.train.heldout import HeldOutResult

NUM_INPUTS = 4
NUM_TARGETS = 4
GAP_PX = 4


def picture_grid(results: Sequence[HeldOutResult]) -> UInt8[Tensor, "height width 3"]:
    """Rows of input views, then pairs of truth and render of target views."""
    rows = [_row(result) for result in results]
    width = max(row.shape[-1] for row in rows)
    padded = [
        torch.nn.functional.pad(r, (0, width - r.shape[-1]), value=1) for r in rows
    ]
    grid = torch.cat(padded, dim=1)
    return (grid.clamp(0, 1) * 255).round().byte().permute(1, 2, 0)


def write_grid(path: Path, results: Sequence[HeldOutResult]) -> None:
    """Write the grid as a PNG file.

    Raises:
        OutputError: If it cannot be written.
    """
    pixels = picture_grid(results).numpy()
    with atomic_output(path) as temporary:
        Image.fromarray(pixels).save(temporary)


def _row(result: HeldOutResult) -> Tensor:
    split = result.batch.num_inputs
    image = result.batch.image[0].cpu()
    tiles = [_framed(view) for view in image[:split][:NUM_INPUTS]]
    for truth, rendered in zip(
        image[split:][:NUM_TARGETS], result.rendered, strict=False
    ):
        tiles.append(torch.ones(3, tiles[0].shape[1], 2 * GAP_PX))
        tiles += [_framed(truth), _framed(rendered)]
    return torch.cat(tiles, dim=2)


def _framed(view: Tensor) -> Tensor:
    return torch.nn.functional.pad(view, (GAP_PX // 2,) * 4, value=1.0)
