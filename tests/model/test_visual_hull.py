from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from nvs.cameras import Camera, orbit
from nvs.cameras.rays import rays
from nvs.model import visual_hull
from nvs.model.ray_point import ray_points
from nvs.model.tokens import posed_rays
from nvs.model.visual_hull import (
    HALF_SIDE,
    NUM_CELLS,
    carve,
    entries,
    hull_of,
    silhouettes,
)

RADIUS = 0.6
CENTRE = torch.tensor([0.2, -0.1, 0.1])
CELL = 2 * HALF_SIDE / NUM_CELLS


def ring(num_views: int, elevation: float, size: int = 64) -> Camera:
    return orbit(
        num_views,
        radius=2.7,
        elevation_radians=elevation,
        hfov_radians=math.radians(50),
        height=size,
        width=size,
    ).to(dtype=torch.float32)


def entry(camera: Camera) -> tuple[Tensor, Tensor]:
    """Where the rays of every pixel enter the ball, and whether they do."""
    origin, direction = (r.flatten(2).mT for r in rays(camera))
    towards = CENTRE - origin
    along = (towards * direction).sum(-1)
    half_chord = RADIUS**2 - towards.square().sum(-1) + along**2
    hits = half_chord > 0
    at = origin + (along - half_chord.clamp(min=0).sqrt())[..., None] * direction
    return at, hits


def ball(camera: Camera) -> Tensor:
    """Images of a dark ball before white."""
    hits = entry(camera)[1].view(len(camera), 1, camera.height, camera.width)
    return torch.where(hits, 0.3, 1.0).expand(-1, 3, -1, -1)


@pytest.fixture(scope="module")
def camera() -> Camera:
    return Camera.cat([ring(8, 0.1), ring(6, 0.9), ring(6, -0.7)])


@pytest.fixture(scope="module")
def hull(camera: Camera) -> Tensor:
    left, background = carve(ball(camera), camera)
    return hull_of([left], background)


def test_hull_holds_the_ball_and_little_else(hull: Tensor) -> None:
    side = ((torch.arange(NUM_CELLS) + 0.5) / NUM_CELLS * 2 - 1) * HALF_SIDE
    x, y, z = torch.meshgrid(side, side, side, indexing="ij")
    distance = (torch.stack([x, y, z], -1) - CENTRE).norm(dim=-1)
    assert hull[distance < RADIUS - CELL].all()
    assert not hull[distance > 1.25 * RADIUS].any()


def test_rays_of_other_cameras_enter_it_where_the_ball_is(hull: Tensor) -> None:
    other = ring(3, 0.5, size=32)
    origin, direction = (r.flatten(2).mT.flatten(0, 1)[None] for r in rays(other))
    t, enters = entries(hull[None], origin, direction)
    nearest = origin - (origin * direction).sum(-1, keepdim=True) * direction
    found = nearest + t[..., None] * direction
    true, hits = (part.flatten(0, 1)[None] for part in entry(other))
    both = hits & (enters > 0)
    assert both.sum() > 0.97 * hits.sum()
    assert (found - true)[both].norm(dim=-1).median() < 1.5 * CELL
    assert (enters > 0).sum() < 1.2 * hits.sum()
    assert (t[enters == 0] == 0).all()


def test_rays_a_few_at_a_time_are_the_same(
    hull: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = ring(2, 0.0)
    origin, direction = (r.flatten(2).mT.flatten(0, 1)[None] for r in rays(camera))
    whole = entries(hull[None], origin, direction)
    monkeypatch.setattr(visual_hull, "RAYS_AT_ONCE", 1000)
    for a, b in zip(whole, entries(hull[None], origin, direction), strict=True):
        torch.testing.assert_close(a, b)


def test_groups_of_views_have_the_hull_of_all(camera: Camera, hull: Tensor) -> None:
    image = ball(camera)
    parts = [
        carve(image[a:b], camera[range(a, b)]) for a, b in ((0, 1), (1, 9), (9, 20))
    ]
    left, background = zip(*parts, strict=True)
    assert torch.equal(hull_of(left, torch.cat(background)), hull)


def test_a_view_that_is_all_background_leaves_the_hull(
    camera: Camera, hull: Tensor
) -> None:
    image = torch.cat([ball(camera), torch.ones(1, 3, 64, 64)])
    left, background = carve(image, Camera.cat([camera, ring(1, 0.4)]))
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
    around, close = ring(8, 0.2), ring(1, 0.2)
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


def test_an_empty_hull_leaves_the_nearest_points(camera: Camera, hull: Tensor) -> None:
    posed = posed_rays(camera)
    nearest = ray_points(posed, None, 4)
    nothing = torch.zeros_like(hull)
    torch.testing.assert_close(ray_points(posed, None, 4, nothing[None]), nearest)


@pytest.mark.parametrize("patch_size", [4, 5, 1])
def test_patches_lie_on_the_ball(hull: Tensor, patch_size: int) -> None:
    other = ring(3, 0.4, size=40)
    points = ray_points(posed_rays(other), None, patch_size, hull[None])
    assert points.shape == (1, 3, (40 // patch_size) ** 2, 3)
    nearest = ray_points(posed_rays(other), None, patch_size)
    on_hull = (points - nearest).norm(dim=-1) > 0
    inside = (nearest - CENTRE).norm(dim=-1) < 0.8 * RADIUS
    assert on_hull[inside].all()
    off = (points - CENTRE).norm(dim=-1)[inside] - RADIUS
    assert off.abs().mean() < 2 * CELL
