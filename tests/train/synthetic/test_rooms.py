"""What is drawn of rooms and yards: room for the cameras, contact, overlap, light."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nvs.cameras import Camera, project, unproject
from nvs.train.synthetic import shapes, textures
from nvs.train.synthetic.batch import DrawnBatch, draw_scenes
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.objects import MAX_PARTS
from nvs.train.synthetic.places import RING, Place, draw_places
from nvs.train.synthetic.render import SceneBatch, render_depth
from nvs.train.synthetic.rooms import draw_rooms
from nvs.train.synthetic.solids import Parts
from nvs.train.synthetic.things import draw_centrepiece

NUM_SCENES, NUM_VIEWS, SIDE = 60, 6, 24
CORNERS = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3)


@pytest.fixture(scope="module")
def drawn() -> DrawnBatch:
    return draw_scenes(
        "room",
        batch=NUM_SCENES,
        views=NUM_VIEWS,
        height=SIDE,
        width=SIDE,
        seed=3,
        photographs=False,
    )


@pytest.fixture(scope="module")
def depth(drawn: DrawnBatch) -> Tensor:
    poses, intrinsics = drawn.world_from_camera, drawn.intrinsics
    return render_depth(drawn.scenes, poses, intrinsics, height=SIDE, width=SIDE)


def drawn_rooms(photographs: bool = False) -> tuple[SceneBatch, Place]:
    return draw_rooms(Draws(0, NUM_SCENES, stream=0, photographs=photographs))


def inside(parts: Parts, points: Tensor) -> Tensor:
    """Which points (scene, point) are in the box that bounds each part."""
    offset = points[:, None] - parts.center[:, :, None]
    local = offset @ parts.local_from_world.transpose(-2, -1)
    within = (local.abs() < parts.half_extent[:, :, None]).all(-1)
    solid = (parts.kind != shapes.NONE) & (parts.kind != shapes.SHELL)
    return within & solid[..., None]


def test_no_camera_is_in_anything_or_close_to_it(
    drawn: DrawnBatch, depth: Tensor
) -> None:
    body = drawn.scenes.solids.body
    assert not inside(body, drawn.world_from_camera[..., :3, 3]).any()
    assert (depth < 0.25).float().mean() < 1e-3
    near = depth.flatten(2).quantile(0.02, dim=-1)
    assert near.min() > 0.25


def test_what_targets_show_some_input_shows(drawn: DrawnBatch, depth: Tensor) -> None:
    shares = []
    for scene in range(NUM_SCENES):
        camera = Camera(
            world_from_camera=drawn.world_from_camera[scene],
            intrinsics=drawn.intrinsics[scene],
            height=SIDE,
            width=SIDE,
        )
        row, column = depth[scene, 5].isfinite().nonzero().unbind(-1)
        pixels = torch.stack([column, row], dim=-1)[None] + 0.5
        points = unproject(camera[5], pixels, depth[scene, 5, row, column][None])
        where, expected = project(camera[:4], points.expand(4, -1, -1))
        seen = (expected > 0.05) & (where > 0).all(-1) & (where < SIDE).all(-1)
        column, row = where.clamp(0, SIDE - 1).long().unbind(-1)
        traced = depth[scene, torch.arange(4)[:, None], row, column]
        seen &= traced > 0.93 * expected
        shares.append(seen.any(0).float().mean())
    shares = torch.stack(shares)
    assert shares.median() > 0.75
    assert shares.quantile(0.1) > 0.4


def test_pictures_are_neither_black_nor_white_nor_blank(drawn: DrawnBatch) -> None:
    image = drawn.render("cpu", supersample=1).image
    light = image.mean((2, 3, 4))
    assert 0.08 < light.min() < light.max() < 0.97
    spread = image.flatten(2).std(-1)
    assert spread.quantile(0.05) > 0.02
    assert spread.median() > 0.1


def test_things_stand_on_the_ground_or_a_stand() -> None:
    place = draw_places(Draws(0, NUM_SCENES, stream=0))
    things = draw_centrepiece(Draws(0, NUM_SCENES, stream=1), place)
    body = things.solids.body
    corner = CORNERS * body.half_extent[:, :, None]
    corner = corner @ body.world_from_local[..., :3].transpose(-2, -1)
    low = (corner + body.center[:, :, None])[:, :MAX_PARTS, :, 2].amin(-1)
    # Balls do not reach to the corners of their box.
    cornered = (body.kind != shapes.NONE) & (body.kind != shapes.ELLIPSOID)
    low = low.masked_fill(~cornered[:, :MAX_PARTS], torch.inf).amin(-1)
    gap = (low - place.stand)[(place.rig == RING) | place.outdoors]
    gap = gap[gap.isfinite()]
    assert gap.min() > -1e-4
    assert (gap < 1e-4).float().mean() > 0.5


def test_rooms_are_closed_but_for_their_windows() -> None:
    scene, place = drawn_rooms()
    rooms = (~place.outdoors).nonzero()[:, 0]
    ratio = scene.solids.body.ratio[rooms, -1]
    assert 0.3 < (ratio == 2).float().mean() < 0.9
    # From the middle of each room toward the side that may have a window, and away.
    pose = torch.eye(4).repeat(NUM_SCENES, 2, 1, 1)
    ahead = torch.tensor([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    pose[:, 0, :3, :3] = ahead
    pose[:, 1, :3, :3] = ahead * torch.tensor([-1.0, 1.0, -1.0])
    pose[:, :, 2, 3] = 1.5
    lens = torch.tensor([6.0, 6.0, 12.0, 12.0]).expand(NUM_SCENES, 2, 4)
    seen = render_depth(scene, pose, lens, height=24, width=24)[rooms]
    outside = seen.isinf().flatten(2).any(-1)
    assert not outside[ratio == 0].any()
    assert outside[ratio == 2, 0].float().mean() > 0.8


def test_a_good_share_of_surfaces_wear_photographs() -> None:
    for photographs, low, high in ((False, 0.0, 0.0), (True, 0.4, 0.65)):
        scene, _ = drawn_rooms(photographs)
        for slots in (slice(None), slice(-6, None)):
            kind = scene.textures.kind[:, slots]
            share = (kind == textures.PHOTOGRAPH).float().mean()
            assert low <= share <= high
