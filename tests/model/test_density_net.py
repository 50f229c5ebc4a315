from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from nvs.cameras import Camera, orbit
from nvs.model import density_grid
from nvs.model.density_grid import NUM_CELLS, stopping_loss, stops
from nvs.model.density_net import NUM_PASSES, DensityNet, Sights, num_parameters, small
from nvs.model.visual_hull import carve, hull_of
from tests.balls import distance_to_ball, pixel_rays, ring

RADIUS = 0.7
CENTRE = torch.zeros(3)


def pictures(camera: Camera) -> Tensor:
    """A ball whose colour is where it is, before white."""
    origin, direction = pixel_rays(camera)
    t = distance_to_ball(origin, direction, CENTRE, RADIUS)
    point = origin + t.nan_to_num(posinf=0)[:, None] * direction
    colour = torch.where(t.isfinite()[:, None], 0.5 + 0.5 * torch.sin(6 * point), 1.0)
    shape = len(camera), camera.height, camera.width, 3
    return colour.view(shape).movedim(-1, 1)


def sights(camera: Camera, *, is_object: bool = True) -> Sights:
    image = pictures(camera)
    left, background = carve(image, camera)
    hull = hull_of([left], background) if is_object else None
    return Sights(image=image, camera=camera, hull=hull)


@cache
def net() -> DensityNet:
    torch.manual_seed(0)
    return DensityNet().requires_grad_(False)


@pytest.fixture(scope="module")
def camera() -> Camera:
    return Camera.cat([ring(5, 0.2), ring(3, 0.9)])


@pytest.mark.parametrize("is_object", [True, False])
def test_the_order_of_views_does_not_matter(camera: Camera, is_object: bool) -> None:
    order = [3, 1, 7, 0, 2, 6, 5, 4]
    given = sights(camera, is_object=is_object)
    shuffled = replace(given, image=given.image[order], camera=camera[order])
    torch.testing.assert_close(
        net().density(given), net().density(shuffled), atol=1e-2, rtol=1e-3
    )


@pytest.mark.parametrize("is_object", [True, False])
def test_views_looked_at_together_say_the_same(
    camera: Camera, is_object: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a CUDA device."""
    given = sights(camera, is_object=is_object)
    alone = net().density(given)
    monkeypatch.setitem(density_grid.VIEWS_AT_ONCE, "cpu", 5)
    torch.testing.assert_close(net().density(given), alone, atol=1e-2, rtol=1e-3)


def test_there_is_nothing_where_a_view_shows_background(camera: Camera) -> None:
    given = sights(camera)
    assert given.hull is not None
    density = net().density(given)
    assert density.shape == (NUM_CELLS,) * 3
    near = torch.nn.functional.max_pool3d(given.hull[None, None].float(), 3, 1, 1)
    assert (density[near[0, 0] == 0] == 0).all()
    assert (density[given.hull] > 0).all()


def test_an_empty_hull_has_no_density(camera: Camera) -> None:
    given = sights(camera)
    assert given.hull is not None
    assert not net().density(replace(given, hull=given.hull & False)).any()


def test_a_scene_without_hull_has_densities_everywhere(camera: Camera) -> None:
    density = net().density(sights(camera, is_object=False))
    assert density[32, 32, 32] > 0
    assert density[2, 32, 32] > 0
    assert (density >= 0).all()


def test_every_pass_is_trained_by_itself(camera: Camera) -> None:
    learner = DensityNet()
    passes = learner.densities(sights(camera))
    assert len(passes) == NUM_PASSES
    passes[0].sum().backward()
    assert all(p.grad is not None for p in learner.parameters())


def test_a_view_that_sees_no_cell_changes_nothing(camera: Camera) -> None:
    given = sights(camera)
    away = ring(1, 0.1)
    turned = away.world_from_camera.clone()
    turned[:, :3, :3] = turned[:, :3, :3] @ torch.diag(torch.tensor([1.0, -1, -1]))
    away = replace(away, world_from_camera=turned)
    more = replace(
        given,
        image=torch.cat([given.image, torch.ones(1, 3, 32, 32)]),
        camera=Camera.cat([camera, away]),
    )
    assert torch.equal(net().density(more), net().density(given))


def test_it_counts_its_parameters() -> None:
    assert num_parameters() == sum(p.numel() for p in net().parameters())


@pytest.mark.parametrize("size", [(128, 96), (64, 64), (40, 32), (536, 960)])
def test_small_views_show_the_same_of_the_world(size: tuple[int, int]) -> None:
    height, width = size
    camera = orbit(
        2,
        radius=2.7,
        elevation_radians=0.0,
        hfov_radians=1.0,
        height=height,
        width=width,
    ).to(dtype=torch.float32)
    image, shrunk = small(torch.rand(2, 3, height, width), camera)
    assert max(shrunk.height, shrunk.width) == min(64, max(size))
    assert image.shape == (2, 3, shrunk.height, shrunk.width)
    torch.testing.assert_close(shrunk.hfov_radians, camera.hfov_radians)
    torch.testing.assert_close(image.mean(), torch.tensor(0.5), atol=0.03, rtol=0)


@pytest.mark.slow
def test_it_learns_where_a_surface_is(camera: Camera) -> None:
    """A ball seen by 3 views has a hull with corners; some steps carve them."""
    torch.manual_seed(0)
    learner = DensityNet()
    given = sights(ring(3, 0.3))
    adam = torch.optim.AdamW(learner.parameters(), lr=3e-3)
    origin, direction = pixel_rays(camera)
    true = distance_to_ball(origin, direction, CENTRE, RADIUS)

    def error(density: Tensor) -> Tensor:
        (t,), (stop,) = stops(density[None], origin[None], direction[None], "object")
        return (t - true)[true.isfinite() & (stop > 0)].abs().mean()

    assert given.hull is not None
    before = error(given.hull.float() * 100)
    given_rays = origin, direction, true, "object", torch.Generator()
    for _ in range(12):
        adam.zero_grad()
        found = learner.densities(given)
        losses = [stopping_loss(d, *given_rays) for d in found]
        torch.stack(losses).mean().backward()
        adam.step()
    assert error(learner.density(given)) < 0.8 * before
