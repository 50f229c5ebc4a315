"""A coloured ball: what views show of it is what other views see."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nvs.cameras import Camera
from nvs.model.density_grid import SCENE_FAR
from nvs.model.reprojection import (
    NUM_NEAR,
    Sources,
    blend,
    distances,
    in_bytes,
    reproject,
)
from tests.balls import distance_to_ball, pixel_rays, ring

SIZE = 48
RADIUS = 0.8
CENTRE = torch.zeros(3)


def picture(camera: Camera) -> tuple[Tensor, Tensor]:
    """What cameras see of the ball before white, and where their rays end."""
    origin, direction = pixel_rays(camera)
    t = distance_to_ball(origin, direction, CENTRE, RADIUS)
    hit = t.isfinite()
    t = torch.where(hit, t, 0)
    colour = 0.5 + 0.5 * torch.sin(4 * (origin + t[:, None] * direction))
    colour = torch.where(hit[:, None], colour, 1)
    shape = (len(camera), camera.height, camera.width)
    image = colour.view(*shape, 3).movedim(-1, 1)
    return image, torch.stack([t.view(shape), hit.view(shape).float()], dim=1)


def sources(camera: Camera) -> Sources:
    image, surface = picture(camera)
    return Sources(
        image=in_bytes(image),
        camera=camera,
        distance=distances(surface),
        poses="object",
    )


def inside(surface: Tensor) -> Tensor:
    """Pixels all of whose neighbours see the ball too."""
    return -torch.nn.functional.max_pool2d(-surface[:, 1:], 5, 1, 2)[:, 0] > 0


def test_other_views_show_the_colours() -> None:
    camera = ring(5, 0.35, SIZE)[[1, 3]]
    truth, surface = picture(camera)
    found = reproject(sources(ring(16, 0.3, SIZE)), camera, surface)
    assert found.shape == (2, 6, SIZE, SIZE)
    some = inside(surface)
    off = (found[:, :3] - truth).abs().mean(dim=1)[some]
    assert off.mean() < 0.03
    known, spread, closeness = (found[:, channel][some] for channel in (3, 4, 5))
    assert known.quantile(0.1) > 0.9
    assert spread.mean() < 0.1
    assert 0.3 < closeness.mean() < 1


def test_a_view_gets_its_own_colours_back() -> None:
    camera = ring(4, 0.3, SIZE)
    truth, surface = picture(camera)
    found = reproject(sources(camera), camera, surface)
    off = (found[:, :3] - truth).abs().amax(dim=1)[inside(surface)]
    assert off.max() < 0.02
    assert found[:, 5][inside(surface)].min() > 0.99


def test_beside_an_object_is_white_and_known() -> None:
    camera = ring(3, 0.3, SIZE)
    _, surface = picture(camera)
    found = reproject(sources(ring(4, 0.5, SIZE)), camera, surface)
    beside = torch.nn.functional.max_pool2d(surface[:, 1:], 3, 1, 1)[:, 0] == 0
    expected = torch.tensor([1.0, 1, 1, 1, 0, 1])
    assert torch.equal(
        found.movedim(1, -1)[beside], expected.expand(int(beside.sum()), 6)
    )


def test_what_is_behind_is_not_seen() -> None:
    """From the other side, no view sees the front; of both, the front one counts."""
    camera = ring(2, 0.0, SIZE)
    truth, surface = picture(camera[[0]])
    (behind,) = reproject(sources(camera[[1]]), camera[[0]], surface)
    middle = (slice(20, 28), slice(20, 28))
    assert behind[3][middle].max() < 0.01
    (both,) = reproject(sources(camera), camera[[0]], surface)
    assert both[3][middle].min() > 0.99
    assert (both[:3] - truth[0]).abs().amax(dim=0)[middle].max() < 0.02


def test_of_many_views_the_near_ones_count() -> None:
    around, camera = ring(29, 0.3, SIZE), ring(50, 0.35, SIZE)[[7]]
    _, surface = picture(camera)
    found = reproject(sources(around), camera, surface)
    apart = (around.center - camera.center).norm(dim=-1)
    order = apart.argsort().tolist()
    near, far = (
        reproject(sources(around[some]), camera, surface)
        for some in (order[: 2 * NUM_NEAR], order[NUM_NEAR:])
    )
    off = [(one - found)[:, :, 8:40, 8:40].abs().mean() for one in (near, far)]
    assert off[0] < 0.005
    assert off[1] > 10 * off[0]


def test_of_a_scene_what_stops_no_ray_is_far() -> None:
    """So far that a step to the side changes nothing."""
    camera = ring(1, 0.0, SIZE)
    moved = camera.world_from_camera.clone()
    moved[:, :3, 3] += 1e-3 * SCENE_FAR / SIZE * moved[:, :3, 0]
    image = torch.rand(1, 3, SIZE, SIZE)
    nothing = torch.zeros(1, 2, SIZE, SIZE)
    views = Sources(
        image=in_bytes(image),
        camera=Camera(
            world_from_camera=moved,
            intrinsics=camera.intrinsics,
            height=SIZE,
            width=SIZE,
        ),
        distance=distances(nothing),
        poses="scene",
    )
    (found,) = reproject(views, camera, nothing)
    off = (found[:3] - image[0])[:, 1:-1, 1:-1].abs()
    assert off.max() < 0.1
    assert found[3, 1:-1, 1:-1].eq(1).all()


@pytest.mark.parametrize(("gate", "share"), [(-100.0, 0.0), (100.0, 0.7)])
def test_what_no_view_sees_is_left_to_the_network(gate: float, share: float) -> None:
    rendered = torch.rand(1, 1, 3, 2, 2)
    known = torch.rand(1, 1, 6, 2, 2)
    known[:, :, 3] = 0.7
    known[..., 1, :] *= torch.tensor([1, 1, 1, 0, 1, 1])[:, None]
    found = blend(rendered, torch.full((1, 1, 1, 2, 2), gate), known)
    expected = torch.lerp(rendered, known[:, :, :3], share)
    torch.testing.assert_close(found[..., 0, :], expected[..., 0, :])
    assert torch.equal(found[..., 1, :], rendered[..., 1, :])
