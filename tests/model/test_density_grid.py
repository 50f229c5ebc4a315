from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from nvs.model import density_grid
from nvs.model.density_grid import (
    CELL,
    NUM_CELLS,
    NUM_SAMPLES,
    OBJECT_HALF_SIDE,
    OBJECT_REACH,
    SCENE_RADIUS,
    centres,
    grid_from_model,
    model_from_grid,
    sample,
    stopping_loss,
    stops,
    surfaces,
)
from nvs.model.ray_point import ray_points
from nvs.model.tokens import posed_rays
from nvs.model.trained_on import Poses
from tests.balls import distance_to_ball, pixel_rays, ring

CPU = torch.device("cpu")
POSES = get_args(Poses)
SIDE: dict[Poses, float] = {
    "object": CELL * OBJECT_HALF_SIDE,
    "scene": CELL * 2 * SCENE_RADIUS,
}
"""Of the cells that the ball fills, in model units."""
RADIUS = 0.6
CENTRE = torch.tensor([0.2, -0.1, 0.1])
CAMERA = ring(3, 0.4)


def ball(poses: Poses) -> Tensor:
    """The densities of a ball that little light passes."""
    point = model_from_grid(centres(CPU), poses)
    return 300.0 * ((point - CENTRE).norm(dim=-1) < RADIUS).view((NUM_CELLS,) * 3)


@pytest.mark.parametrize("poses", POSES)
def test_places_in_the_grid_and_points_are_inverses(poses: Poses) -> None:
    point = torch.randn(1000, 3, dtype=torch.float64)
    place = grid_from_model(point, poses)
    torch.testing.assert_close(model_from_grid(place, poses), point)


def test_the_grid_of_a_scene_reaches_to_infinity() -> None:
    far = torch.tensor([[1e6, 0, 0], [0, -1e6, 0]])
    norm = grid_from_model(far, "scene").norm(dim=-1)
    torch.testing.assert_close(norm, torch.ones(2), atol=1e-4, rtol=0)
    edge = torch.tensor([[0, 0, SCENE_RADIUS]])
    torch.testing.assert_close(
        grid_from_model(edge, "scene"), torch.tensor([[0, 0, 0.5]])
    )


@pytest.mark.parametrize("poses", POSES)
def test_rays_stop_at_the_ball(poses: Poses) -> None:
    origin, direction = pixel_rays(CAMERA)
    (t,), (stop,) = stops(ball(poses)[None], origin[None], direction[None], poses)
    true = distance_to_ball(origin, direction, CENTRE, RADIUS)
    both = true.isfinite() & (stop > 0)
    assert both.sum() > 0.95 * true.isfinite().sum()
    side = SIDE[poses]
    larger = ((RADIUS + side) / RADIUS) ** 2
    assert (stop > 0).sum() < larger * true.isfinite().sum()
    assert (t - true)[both].abs().median() < side
    assert (t[stop == 0] == 0).all()


def test_light_that_passes_falls_as_the_exponential_of_the_density() -> None:
    """Through the middle of a cube of density σ, along an axis: τ = σ × its side."""
    density = torch.zeros((NUM_CELLS,) * 3)
    density[16:48, 16:48, 16:48] = 3.0
    origin, direction = torch.tensor([[-2.0, 0, 0]]), torch.tensor([[1.0, 0, 0]])
    tau, begin = sample(density, origin, direction, "object")
    assert tau.shape == (1, NUM_SAMPLES)
    assert begin.shape == (1, NUM_SAMPLES + 1)
    assert tau.sum() == pytest.approx(3.0 * 32 * CELL, rel=0.05)


def test_rays_stop_where_half_of_the_light_is_gone() -> None:
    density = torch.full((NUM_CELLS,) * 3, 2.0)
    origin = torch.tensor([[[-3.0, 0, 0], [-3.0, 0.3, 0.2]]])
    direction = torch.tensor([1.0, 0, 0]).expand(1, 2, 3)
    t, stop = stops(density[None], origin, direction, "object")
    assert stop.all()
    into = (math.log(2) / 2) * OBJECT_HALF_SIDE
    step = 2 * OBJECT_REACH / NUM_SAMPLES
    expected = torch.full((1, 2), 3.0 - OBJECT_HALF_SIDE + into)
    torch.testing.assert_close(t, expected, atol=step, rtol=0)


@pytest.mark.parametrize("poses", POSES)
def test_rays_a_few_at_a_time_are_the_same(
    poses: Poses, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ball(poses)[None], *(part[None] for part in pixel_rays(CAMERA)), poses
    whole = stops(*given)
    monkeypatch.setitem(density_grid.RAYS_AT_ONCE, "cpu", 1000)
    for a, b in zip(whole, stops(*given), strict=True):
        torch.testing.assert_close(a, b)


def test_nothing_behind_a_camera_stops_its_rays() -> None:
    density = torch.zeros((NUM_CELLS,) * 3)
    density[:20] = 100.0
    density[44:] = 100.0
    origin = torch.tensor([[[0.0, 0, 0], [0.1, 0.2, 0]]])
    direction = torch.tensor([1.0, 0, 0]).expand(1, 2, 3)
    t, stop = stops(density[None], origin, direction, "object")
    assert stop.all()
    reach = 12 * CELL * OBJECT_HALF_SIDE
    expected = torch.tensor([[reach, reach - 0.1]])
    torch.testing.assert_close(t, expected, atol=SIDE["object"], rtol=0)


@pytest.mark.parametrize("poses", POSES)
def test_the_loss_is_least_where_densities_are_right(poses: Poses) -> None:
    origin, direction = pixel_rays(CAMERA)
    true = distance_to_ball(origin, direction, CENTRE, RADIUS)
    density = ball(poses)

    def loss(distance: Tensor, of: Tensor = density) -> float:
        given = origin, direction, distance, poses, torch.Generator()
        return stopping_loss(of, *given).item()

    right = loss(true)
    for wrong in (true - 0.3, true + 0.5, torch.full_like(true, math.inf)):
        assert loss(wrong) > 1.3 * right
    assert loss(true, torch.zeros_like(density)) > 2 * right


def test_the_loss_has_gradients_before_and_at_the_surface() -> None:
    density = torch.full((NUM_CELLS,) * 3, 0.5, requires_grad=True)
    origin, direction = torch.tensor([[-2.0, 0, 0]]), torch.tensor([[1.0, 0, 0]])
    given = origin, direction, torch.tensor([2.0]), "object", torch.Generator()
    stopping_loss(density, *given).backward()
    assert density.grad is not None
    along = density.grad[:, 31:33, 31:33].sum((1, 2))
    assert (along[:28] > 0).all(), "less density before"
    assert along[30:34].min() < -1, "more at the surface"
    assert (along[36:] == 0).all(), "nothing is known behind"


def test_no_density_leaves_the_nearest_points() -> None:
    posed = posed_rays(CAMERA)
    nothing = surfaces(torch.zeros(1, *(NUM_CELLS,) * 3), posed, "object", 4)
    assert not nothing.any()
    torch.testing.assert_close(
        ray_points(posed, None, 4, nothing), ray_points(posed, None, 4)
    )


@pytest.mark.parametrize("poses", POSES)
@pytest.mark.parametrize("patch_size", [4, 1, 8])
def test_patches_lie_on_the_ball(poses: Poses, patch_size: int) -> None:
    pivot = None if poses == "object" else torch.zeros(1, 3)
    posed = posed_rays(CAMERA)
    surface = surfaces(ball(poses)[None], posed, poses, patch_size)
    points = ray_points(posed, pivot, patch_size, surface)
    assert points.shape == (1, 3, (32 // patch_size) ** 2, 3)
    nearest = ray_points(posed, pivot, patch_size)
    inside = (nearest - CENTRE).norm(dim=-1) < 0.5 * RADIUS
    off = (points - CENTRE).norm(dim=-1)[inside] - RADIUS
    assert off.abs().mean() < 0.1
