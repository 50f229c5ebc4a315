"""Images in memory to posed views, in every form that people have them."""

from __future__ import annotations

from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from PIL import Image

from nvs.cameras import Camera
from nvs.errors import DatasetError, ImageError
from nvs.scene import PosedViews
from nvs.scene.pixels import pixels_of
from tests.scene.conftest import HEIGHT, WIDTH


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, HEIGHT, WIDTH, 3), np.uint8)


@pytest.mark.parametrize(
    "form",
    [
        lambda pixels: pixels,
        list,
        lambda pixels: np.moveaxis(pixels, -1, 1),
        lambda pixels: [Image.fromarray(one) for one in pixels],
        lambda pixels: (Image.fromarray(one).convert("RGBA") for one in pixels),
        lambda pixels: pixels / 255,
        lambda pixels: (pixels / 255).astype(np.float32),
        torch.from_numpy,
        lambda pixels: (torch.from_numpy(pixels) / 255).requires_grad_(),
        lambda pixels: torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255,
        lambda pixels: [*pixels[:3], *map(Image.fromarray, pixels[3:])],
    ],
)
def test_every_form_of_an_image_gives_the_same_views(
    pixels: np.ndarray, ring: Camera, form: Any
) -> None:
    views = PosedViews.from_images(form(pixels), ring)
    expected = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    torch.testing.assert_close(views.image, expected)
    torch.testing.assert_close(
        views.camera.world_from_camera, ring.world_from_camera, rtol=0, atol=0
    )
    assert views.names[:2] == ("view 0", "view 1")


def test_one_image_needs_no_list(pixels: np.ndarray, ring: Camera) -> None:
    for one in (pixels[0], torch.from_numpy(pixels[0]), Image.fromarray(pixels[0])):
        views = PosedViews.from_images(one, ring[0], names=["a"])
        assert (len(views), views.names) == (1, ("a",))


@pytest.mark.parametrize(
    "form",
    [
        lambda grey: grey,
        lambda grey: grey[..., None],
        lambda grey: torch.from_numpy(grey)[None],
        Image.fromarray,
        lambda grey: [grey],
    ],
)
def test_grey_is_grey_in_three_colours(
    pixels: np.ndarray, ring: Camera, form: Any
) -> None:
    grey = np.ascontiguousarray(pixels[0, ..., 0])
    views = PosedViews.from_images(form(grey), ring[0])
    expected = torch.from_numpy(grey) / 255
    torch.testing.assert_close(views.image[0], expected.expand(3, -1, -1))


def test_bfloat16_is_taken_as_far_as_it_goes(pixels: np.ndarray) -> None:
    image = torch.from_numpy(pixels[0]).bfloat16() / 255
    error = np.abs(pixels_of(image).astype(int) - pixels[0])
    assert error.max() <= 1


def test_transparency_is_put_on_white(pixels: np.ndarray, ring: Camera) -> None:
    clear = np.concatenate([pixels, np.zeros_like(pixels[..., :1])], axis=-1)
    assert (PosedViews.from_images(clear, ring).image == 1).all()


def test_images_are_resized_with_their_cameras(
    pixels: np.ndarray, ring: Camera
) -> None:
    large = np.kron(pixels, np.ones((1, 4, 4, 1), np.uint8))
    views = PosedViews.from_images(
        large, ring.resized(4 * HEIGHT, 4 * WIDTH), size=(HEIGHT, WIDTH)
    )
    assert views.image.shape == (6, 3, HEIGHT, WIDTH)
    torch.testing.assert_close(views.camera.intrinsics, ring.intrinsics)


@pytest.mark.parametrize("shape", [(3, 8, 3), (4, 8, 3), (3, 8, 4)])
def test_colours_that_could_be_first_or_last_are_refused(
    shape: tuple[int, ...],
) -> None:
    with pytest.raises(ImageError, match=r"may be first or last.*PIL"):
        pixels_of(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros(8, np.uint8), r"shape \(8,\).*or grey alone"),
        (np.zeros((8, 8, 2)), r"shape \(8, 8, 2\)"),
        (np.zeros((0, 8, 3)), r"shape \(0, 8, 3\)"),
        (np.full((8, 8, 3), 200.0), "values from 200 to 200.*0 to 1"),
        (np.full((8, 8, 3), -1.0), "values from -1 to -1"),
        (np.full((8, 8, 3), np.nan), "values from nan"),
        (np.zeros((8, 8, 3), int), "type int64.*uint8"),
        (np.zeros((8, 8, 3), bool), "type bool.*uint8"),
        ("a.png", "is a str.*load_views"),
        (b"...", "is a bytes"),
    ],
)
def test_what_is_no_image_is_named(image: Any, message: str, ring: Camera) -> None:
    with pytest.raises(ImageError, match=f"^view 0: .*{message}"):
        PosedViews.from_images([image], ring[0])


@pytest.mark.parametrize("images", ["photos/", 3, None])
def test_what_is_no_list_of_images_is_named(images: Any, ring: Camera) -> None:
    with pytest.raises(ImageError, match=f"images is a {type(images).__name__}"):
        PosedViews.from_images(images, ring)


def test_counts_and_sizes_must_agree(pixels: np.ndarray, ring: Camera) -> None:
    with pytest.raises(DatasetError, match="5 images, 6 cameras"):
        PosedViews.from_images(pixels[:5], ring)
    with pytest.raises(DatasetError, match="6 cameras and 1 names"):
        PosedViews.from_images(pixels, ring, names=["a"])
    with pytest.raises(DatasetError, match="at least one view"):
        PosedViews.from_images([], ring[[]])
    with pytest.raises(ImageError, match=r"view 0 is 24×16 pixels.*for 16×24"):
        PosedViews.from_images(pixels.swapaxes(1, 2), ring)


def test_arrays_are_pointed_to_where_they_are_taken(
    pixels: np.ndarray, ring: Camera
) -> None:
    last: Any = torch.from_numpy(pixels) / 255
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        for image in (pixels, last):
            with pytest.raises(ImageError, match=r"PosedViews\.from_images"):
                PosedViews(image=image, camera=ring)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
