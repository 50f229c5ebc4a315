"""Other backgrounds, and the formats that images are returned in."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from nvs.api.renders import PictureOptions
from nvs.api.system import Model, Poses
from nvs.errors import ConfigError
from nvs_server.compute.encode import (
    check_background,
    encode,
    on_colour,
    on_nothing,
    opacity,
)

SIDE = 64
COLOUR = np.array([0.2, 0.4, 0.7], np.float32)


def model(poses: Poses) -> Model:
    return Model(
        id="weights",
        is_default=True,
        poses=poses,
        patch_size=8,
        num_parameters=1,
        digest="d",
        trained_height=None,
        trained_width=None,
        max_height=64,
        max_width=64,
        max_views=4,
        description="",
    )


def options(**values: str) -> PictureOptions:
    return PictureOptions.model_validate({"height": SIDE, "width": SIDE} | values)


@pytest.fixture
def alpha() -> np.ndarray:
    """A disc with a soft edge of about two pixels."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    distance = np.hypot(x - SIDE / 2, y - SIDE / 2)
    return ((20.5 - distance) / 2 + 0.5).clip(0, 1).astype(np.float32)


@pytest.fixture
def image(alpha: np.ndarray) -> np.ndarray:
    """The disc on white, with a white spot inside it."""
    image = alpha[..., None] * COLOUR + (1 - alpha[..., None])
    image[30:34, 30:34] = 1
    return image


def test_opacity_is_that_of_the_object(alpha: np.ndarray, image: np.ndarray) -> None:
    found = opacity(image)
    assert (found[alpha == 0] == 0).all()
    assert (found[alpha == 1] >= 0.99).all()  # the white spot among it
    np.testing.assert_allclose(found, alpha, atol=0.1)


def test_on_white_nothing_changes_but_the_nearly_white(image: np.ndarray) -> None:
    np.testing.assert_allclose(on_colour(image, (1, 1, 1)), image, atol=1e-6)


def test_on_a_colour_the_edge_mixes_with_it(
    alpha: np.ndarray, image: np.ndarray
) -> None:
    green = np.array([0, 1, 0], np.float32)
    shown = on_colour(image, (0, 1, 0))
    expected = alpha[..., None] * COLOUR + (1 - alpha[..., None]) * green
    expected[30:34, 30:34] = 1
    np.testing.assert_allclose(shown, expected, atol=0.1)


def test_on_nothing_the_colour_is_that_of_the_object(
    alpha: np.ndarray, image: np.ndarray
) -> None:
    shown = on_nothing(image)
    spot = np.zeros_like(alpha, bool)
    spot[30:34, 30:34] = True
    clear = (alpha > 0.3) & ~spot
    np.testing.assert_allclose(
        shown[clear][:, :3], np.tile(COLOUR, (clear.sum(), 1)), atol=0.05
    )
    assert (shown[alpha == 0, 3] == 0).all()


def test_an_image_without_background_stays() -> None:
    image = np.full((8, 8, 3), 0.5, np.float32)
    assert (opacity(image) == 1).all()
    np.testing.assert_array_equal(on_colour(image, (0, 0, 0)), image)


def test_an_image_of_background_alone_goes() -> None:
    image = np.ones((8, 8, 3), np.float32)
    assert (opacity(image) == 0).all()


def test_a_transparent_png_has_alpha(image: np.ndarray) -> None:
    data = encode(image, options(background="transparent"))
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.shape == (SIDE, SIDE, 4)
    assert decoded[0, 0, 3] == 0
    assert decoded[25, 25].tolist() == [178, 102, 51, 255]  # BGRA


def test_a_colour_is_red_green_blue(image: np.ndarray) -> None:
    data = encode(image, options(format="float32", background="#ff8000"))
    decoded = np.frombuffer(data, "<f4").reshape(SIDE, SIDE, 3)
    np.testing.assert_allclose(decoded[0, 0], [1, 128 / 255, 0], atol=1e-6)


@pytest.mark.parametrize("background", ["transparent", "#ffffff"])
def test_scenes_have_no_background_to_replace(background: str) -> None:
    with pytest.raises(ConfigError, match="no white background to replace"):
        check_background(options(background=background), model("scene"))
    check_background(options(background=background), model("object"))
    check_background(options(), model("scene"))
