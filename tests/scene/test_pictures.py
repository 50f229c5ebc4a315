"""Pictures as bytes and addresses, and how they are shrunk."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from nvs.scene.pictures import data_url, encoded, shrunk


@pytest.mark.parametrize("channels", [3, 4])
def test_a_png_holds_the_pixels(channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encoded(image)))), image)


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_an_address_holds_an_image_of_its_kind(kind: str) -> None:
    image = np.full((8, 8, 3), 130, np.uint8)
    head, _, content = data_url(image, kind).partition(",")
    assert head == f"data:image/{kind};base64"
    opened = Image.open(io.BytesIO(base64.b64decode(content)))
    assert opened.format == kind.upper()
    assert np.array_equal(np.asarray(opened), image)


def test_shrinking_keeps_the_mean_and_never_enlarges() -> None:
    image = np.random.default_rng(0).random((60, 90, 3))
    small = shrunk(image, 30)
    assert small.shape == (20, 30, 3)
    np.testing.assert_allclose(small.mean((0, 1)), image.mean((0, 1)), atol=1e-9)
    assert shrunk(image, 90) is image
    assert shrunk(image[:1, :, 0], 9).shape == (1, 9)
