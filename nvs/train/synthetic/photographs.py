"""Photographs and prints as textures, each kept in every size that is looked up."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from nvs.errors import DatasetError, ImageError
from nvs.images import read_image
from nvs.train.synthetic.prints import draw_prints
from nvs.train.synthetic.textures import PHOTOGRAPH, Textures

_SMALLEST = 8
_logger = logging.getLogger("nvs.data")


@dataclass(frozen=True, slots=True, eq=False)
class Photographs:
    """Square photographs and their halvings, made once and only looked up from then on.

    Worker processes that are handed one share its memory.
    """

    halvings: tuple[UInt8[Tensor, "photo _ _ 4"], ...]
    """RGB and a byte that makes a pixel one word; largest first, each with half the
    side of the one before."""
    prints: int = 0
    """How many of them, from the first, are drawn prints."""

    @staticmethod
    def of(
        squares: Sequence[UInt8[np.ndarray, "side side 3"]], prints: int = 0
    ) -> Photographs:
        """Photographs of one size, RGB, the first of them drawn prints."""
        sides = [len(squares[0])]
        while sides[-1] // 2 >= _SMALLEST:
            sides.append(sides[-1] // 2)
        halvings = [np.empty((len(squares), side, side, 4), np.uint8) for side in sides]
        for index, square in enumerate(squares):
            image = cv2.cvtColor(square, cv2.COLOR_RGB2RGBA)
            for side, halving in zip(sides, halvings, strict=True):
                image = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
                halving[index] = image
        return Photographs(tuple(map(torch.from_numpy, halvings)), prints)

    def __len__(self) -> int:
        """How many photographs there are."""
        return len(self.halvings[0])

    def to(self, device: torch.device | str) -> Photographs:
        """Move all sizes."""
        halvings = tuple(halving.to(device) for halving in self.halvings)
        return Photographs(halvings, self.prints)

    def assigned(self, textures: Textures) -> Textures:
        """With the index of one for each number, prints and others equally often."""
        others = len(self) - self.prints
        number = textures.number
        index = number % len(self)
        if self.prints and others:
            half = number // 2
            index = torch.where(
                number % 2 == 0, half % self.prints, self.prints + half % others
            )
        worn = textures.kind == PHOTOGRAPH
        return replace(textures, number=torch.where(worn, index, number))

    def at_most(self, side: int) -> UInt8[Tensor, "photo _ _ 4"]:
        """The largest size of less than twice a side; the smallest if all have more."""
        fitting = [h for h in self.halvings if h.shape[1] < 2 * side]
        return fitting[0] if fitting else self.halvings[-1]


def load_photographs(
    folder: str | Path, size: int = 256, *, prints: int = 0
) -> Photographs:
    """Square central crops of all images directly in a folder, behind drawn prints.

    Files that are no images, or damaged ones, are skipped with one warning of the
    logger `nvs.data`; JSON files, such as a list of sources, without one.

    Args:
        folder: The folder.
        size: Side in pixels that they are brought to.
        prints: How many prints.

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
    files = [path for path in files if path.suffix.lower() != ".json"]
    squares, skipped = [], []
    for path in files:
        try:
            squares.append(_square(path, size))
        except ImageError:
            skipped.append(path.name)
    if not squares:
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
    return Photographs.of([*draw_prints(prints, side=size), *squares], prints)


def _square(path: Path, size: int) -> UInt8[np.ndarray, "size size 3"]:
    image = read_image(path)[..., :3]
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    return cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
