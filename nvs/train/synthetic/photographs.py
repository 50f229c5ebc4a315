"""A folder of photographs as textures."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from nvs.errors import DatasetError, ImageError
from nvs.images import read_image

_logger = logging.getLogger("nvs.data")


def load_photographs(
    folder: str | Path, size: int = 256
) -> Float[Tensor, "photo 3 size size"]:
    """Square central crops of all images directly in a folder, RGB in [0, 1].

    Files that are no images, or damaged ones, are skipped with one warning of the
    logger `nvs.data`.

    Raises:
        DatasetError: If the folder is missing or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(
            f"{folder} is not a folder",
            remedy="Give a folder of photographs, or none to use patterns only.",
        )
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    photographs, skipped = [], []
    for path in files:
        try:
            photographs.append(_crop(path, size))
        except ImageError:
            skipped.append(path.name)
    if not photographs:
        raise DatasetError(
            f"{folder} holds no image that can be decoded ({len(files)} files)",
            remedy="Put JPEG or PNG files directly into it, or give no folder.",
        )
    if skipped:
        listed = ", ".join(skipped[:3]) + (", …" if len(skipped) > 3 else "")
        _logger.warning(
            "%s: %d of %d files are no images or damaged, and left out: %s",
            *(folder, len(skipped), len(files), listed),
        )
    return torch.stack(photographs)


def shrink(
    photographs: Float[Tensor, "photo 3 side side"], side: int
) -> Float[Tensor, "photo 3 smaller smaller"]:
    """Halve photographs until they are no more than twice as large as `side`."""
    while photographs.shape[-1] >= 2 * max(side, 8):
        photographs = avg_pool2d(photographs, 2)
    return photographs


def _crop(path: Path, size: int) -> Float[Tensor, "3 size size"]:
    image = read_image(path)[..., :3]
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    square = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(square).permute(2, 0, 1).float() / 255
