"""What is drawn of objects: bounds, variety, contact."""

from __future__ import annotations

import torch

from nvs.train.synthetic import shapes
from nvs.train.synthetic.draws import Draws, mix
from nvs.train.synthetic.objects import MAX_PARTS, MIN_PARTS, draw_objects
from nvs.train.synthetic.solids import Parts

CORNERS = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3)


def corners(parts: Parts) -> torch.Tensor:
    local = CORNERS * parts.half_extent[:, :, None]
    linear = parts.world_from_local[..., :3]
    return local @ linear.transpose(-2, -1) + parts.center[:, :, None]


def test_objects_fill_but_do_not_leave_the_cube() -> None:
    body = draw_objects(Draws(0, 300, stream=0)).solids.body
    count = (body.kind != shapes.NONE).sum(-1)
    assert count.min() == MIN_PARTS
    assert count.max() == MAX_PARTS
    present = (body.kind != shapes.NONE) & (body.kind != shapes.ELLIPSOID)
    reach = corners(body).abs().amax((-2, -1))
    assert reach[present].max() <= 1 + 1e-5
    assert (reach.where(present, torch.tensor(0.0)).amax(-1) > 0.4).float().mean() > 0.8


def test_most_objects_are_one_large_body_that_fills_the_cube() -> None:
    body = draw_objects(Draws(0, 300, stream=0)).solids.body
    volume = torch.linalg.det(body.world_from_local[..., :3]).abs()
    volume = volume.where(body.kind != shapes.NONE, torch.tensor(0.0))
    most = volume.amax(-1) / volume.sum(-1)
    assert (most > 0.5).float().mean() > 0.5


def test_half_of_the_objects_have_light_colours_only() -> None:
    colors = draw_objects(Draws(0, 300, stream=0)).textures.colors
    light = (colors.amin((1, 2, 3)) > 0.29).float().mean()
    assert 0.4 < light < 0.6


def test_every_shape_and_every_cut_occurs() -> None:
    solids = draw_objects(Draws(0, 100, stream=0)).solids
    assert set(solids.body.kind.unique().tolist()) == {-1, 0, 1, 2, 3}
    assert set(solids.cut.kind.unique().tolist()) == {-1, *shapes.CONVEX}
    cut = solids.cut.kind != shapes.NONE
    assert torch.isin(solids.body.kind[cut], torch.tensor(shapes.CONVEX)).all()


def test_inverse_maps_invert() -> None:
    body = draw_objects(Draws(0, 50, stream=0)).solids.body
    product = body.local_from_world @ body.world_from_local[..., :3]
    identity = torch.eye(3).expand_as(product)
    torch.testing.assert_close(product, identity, atol=1e-4, rtol=0)


def test_seeds_are_stirred() -> None:
    seeds = {mix(a, b, c) for a in range(20) for b in range(20) for c in range(4)}
    assert len(seeds) == 1600
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert mix(0, 1) != mix(1, 0)


def test_draws_are_in_range_and_weighted() -> None:
    draws = Draws(0, 50, stream=0)
    picks = draws.choice(200, weights=[1.0, 0.0, 3.0])
    assert set(picks.unique().tolist()) == {0, 2}
    assert abs((picks == 2).double().mean().item() - 0.75) < 0.02
    directions = draws.direction(100)
    assert (directions.norm(dim=-1) - 1).abs().max() < 1e-12
    rotation = draws.rotation(100)
    identity = torch.eye(3, dtype=torch.float64).expand_as(rotation)
    torch.testing.assert_close(rotation @ rotation.transpose(-2, -1), identity)
    assert (torch.linalg.det(rotation) > 0.99).all()
