"""Masks are transparency: whatever is true of one is true of the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nvs.errors import ImageError
from nvs.scene.masks import masked

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (12, 16, 3), np.uint8)
MASK = RNG.integers(2, 256, (12, 16), np.uint8)


def _saved(folder: Path, mask: np.ndarray | Image.Image) -> Path:
    image = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
    image.save(folder / "mask.png")
    return folder / "mask.png"


def test_a_mask_is_the_alpha_of_an_image_without(tmp_path: Path) -> None:
    found = masked(RGB, _saved(tmp_path, MASK))
    np.testing.assert_array_equal(found, np.dstack([RGB, MASK]))


def test_mask_and_alpha_are_multiplied(tmp_path: Path) -> None:
    alpha = RNG.integers(0, 256, (12, 16), np.uint8)
    found = masked(np.dstack([RGB, alpha]), _saved(tmp_path, MASK))
    product = np.rint(MASK / 255 * alpha)
    np.testing.assert_allclose(found[..., 3], product, atol=1)
    np.testing.assert_array_equal(found[..., :3], RGB)


@pytest.mark.parametrize(
    "mask",
    [
        Image.fromarray(MASK > 128),
        Image.fromarray((MASK > 128).astype(np.uint8)),
        Image.fromarray((MASK > 128).astype(np.uint16) * 65535),
        Image.fromarray(np.repeat((MASK > 128)[..., None] * np.uint8(255), 3, -1)),
        Image.fromarray(MASK).point(lambda v: 255 * (v > 128)).convert("P"),
        Image.merge(
            "RGBA",
            [Image.new("L", (16, 12))] * 3
            + [Image.fromarray((MASK > 128) * np.uint8(255))],
        ),
    ],
    ids=["one bit", "0 and 1", "16 bits", "colour", "palette", "alpha"],
)
def test_black_and_white_may_be_stored_in_many_ways(
    tmp_path: Path, mask: Image.Image
) -> None:
    found = masked(RGB, _saved(tmp_path, mask))[..., 3]
    np.testing.assert_array_equal(found, np.where(MASK > 128, 255, 0))


def test_a_mask_that_is_all_black_leaves_nothing(tmp_path: Path) -> None:
    assert masked(RGB, _saved(tmp_path, 0 * MASK))[..., 3].max() == 0


@pytest.mark.parametrize("scale", [2, 4])
def test_a_mask_of_another_size_is_scaled(tmp_path: Path, scale: int) -> None:
    half = np.zeros((12 * scale, 16 * scale), np.uint8)
    half[:, : 8 * scale] = 255
    found = masked(RGB, _saved(tmp_path, half))[..., 3]
    assert (found[:, :7] == 255).all()
    assert (found[:, 9:] == 0).all()


def test_a_mask_of_another_shape_is_refused(tmp_path: Path) -> None:
    file = _saved(tmp_path, np.zeros((16, 12), np.uint8))
    with pytest.raises(ImageError, match=r"mask\.png: 16×12 .* 12×16: another aspect"):
        masked(RGB, file)


def test_a_damaged_mask_is_named(tmp_path: Path) -> None:
    file = _saved(tmp_path, MASK)
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(ImageError, match=r"mask\.png: truncated"):
        masked(RGB, file)
