"""Pixels of image files of every depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nvs.errors import ImageError
from nvs.images import read_image

RAMP = np.linspace(0, 1, 256).reshape(16, 16)


@pytest.mark.parametrize(
    ("pixels", "suffix"),
    [
        ((RAMP * 255).round().astype(np.uint8), "png"),
        ((RAMP * 65535).round().astype(np.uint16), "png"),
        ((RAMP * 65535).round().astype(np.uint16), "tiff"),
        (RAMP.astype(np.float32), "tiff"),
    ],
)
def test_a_ramp_is_the_same_at_every_depth(
    tmp_path: Path, pixels: np.ndarray, suffix: str
) -> None:
    path = tmp_path / f"ramp.{suffix}"
    Image.fromarray(pixels).save(path)
    found = read_image(path)
    assert found.shape == (16, 16, 3)
    assert (found.reshape(256, 3) == np.arange(256)[:, None]).all()


def test_a_little_beyond_black_and_white_is_clipped(tmp_path: Path) -> None:
    path = tmp_path / "sharpened.tiff"
    Image.fromarray(np.array([[-0.3, 0.5, 1.4]], np.float32)).save(path)
    assert read_image(path)[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("value", [255.0, 65535.0, np.nan, np.inf, -np.inf])
def test_floats_of_another_scale_are_refused(tmp_path: Path, value: float) -> None:
    path = tmp_path / "bright.tiff"
    Image.fromarray(np.full((4, 4), value, np.float32)).save(path)
    with pytest.raises(ImageError, match=r"bright\.tiff holds .*, where 1 is white"):
        read_image(path)
