from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nvs.cameras import Camera
from nvs.model import density_grid
from nvs.model.density_grid import CELL, OBJECT_HALF_SIDE, centres
from nvs.model.visual_hull import carve, hull_of, silhouettes
from tests.balls import distance_to_ball, pixel_rays, ring

RADIUS = 0.6
CENTRE = torch.tensor([0.2, -0.1, 0.1])
SIDE = CELL * OBJECT_HALF_SIDE
"""Of a cell, in model units."""


def shows_ball(camera: Camera) -> Tensor:
    """Whether the ray of every pixel meets the ball."""
    found = distance_to_ball(*pixel_rays(camera), CENTRE, RADIUS).isfinite()
    return found.view(len(camera), camera.height, camera.width)


def ball(camera: Camera) -> Tensor:
    """Images of a dark ball before white."""
    return torch.where(shows_ball(camera)[:, None], 0.3, 1.0).expand(-1, 3, -1, -1)


@pytest.fixture(scope="module")
def camera() -> Camera:
    return Camera.cat([ring(8, 0.1, 64), ring(6, 0.9, 64), ring(6, -0.7, 64)])


@pytest.fixture(scope="module")
def hull(camera: Camera) -> Tensor:
    left, background = carve(ball(camera), camera)
    return hull_of([left], background)


def test_hull_holds_the_ball_and_little_else(hull: Tensor) -> None:
    place = centres(torch.device("cpu")) * OBJECT_HALF_SIDE
    distance = (place - CENTRE).norm(dim=-1).view(hull.shape)
    assert hull[distance < RADIUS - SIDE].all()
    assert not hull[distance > 1.25 * RADIUS].any()


def test_groups_of_views_have_the_hull_of_all(camera: Camera, hull: Tensor) -> None:
    image = ball(camera)
    parts = [
        carve(image[a:b], camera[range(a, b)]) for a, b in ((0, 1), (1, 9), (9, 20))
    ]
    left, background = zip(*parts, strict=True)
    assert torch.equal(hull_of(left, torch.cat(background)), hull)


def test_views_looked_at_together_have_the_same_hull(
    camera: Camera, hull: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a CUDA device."""
    monkeypatch.setitem(density_grid.VIEWS_AT_ONCE, "cpu", 7)
    left, background = carve(ball(camera), camera)
    assert torch.equal(hull_of([left], background), hull)


def test_a_view_that_is_all_background_leaves_the_hull(
    camera: Camera, hull: Tensor
) -> None:
    image = torch.cat([ball(camera), torch.ones(1, 3, 64, 64)])
    left, background = carve(image, Camera.cat([camera, ring(1, 0.4, 64)]))
    assert torch.equal(hull_of([left], background), hull)


def test_white_inside_the_object_is_not_background() -> None:
    image = torch.ones(1, 3, 32, 32)
    image[:, :, 8:24, 8:24] = 0.2
    image[:, :, 12:20, 12:20] = 1
    shown = silhouettes(image)
    assert shown[0, 8:24, 8:24].all()
    assert shown.sum() == 16 * 16


def test_what_a_view_does_not_show_it_does_not_judge() -> None:
    """A close camera sees a part of the ball; the rest of it stays in the hull."""
    around, close = ring(8, 0.2, 64), ring(1, 0.2, 64)
    near = Camera(
        world_from_camera=close.world_from_camera,
        intrinsics=close.intrinsics * torch.tensor([6.0, 6.0, 1.0, 1.0]),
        height=64,
        width=64,
    )
    alone, _ = carve(ball(around), around)
    both, _ = carve(ball(near), near)
    assert (alone & both).sum() > 0.95 * alone.sum()


@pytest.mark.parametrize("background", [0.0, 0.9])
def test_views_without_white_around_have_no_hull(
    camera: Camera, background: float
) -> None:
    image = torch.where(ball(camera) == 1, background, 0.3)
    left, share = carve(image, camera)
    assert not hull_of([left], share).any()
