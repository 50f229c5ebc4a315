"""Exactness across views: what one view sees, every other finds in the same place."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nvs.cameras import Camera, project, unproject
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.objects import draw_objects
from nvs.train.synthetic.render import SceneBatch, render, render_depth
from nvs.train.synthetic.rigs import capture, orbit
from nvs.train.synthetic.rooms import draw_rooms

HEIGHT, WIDTH = 48, 64
NUM_VIEWS = 4
TOLERANCE = 2e-3


def world(kind: str, seed: int) -> tuple[SceneBatch, Tensor, Tensor]:
    """A matte scene before it is framed, and its cameras."""
    draws, rig = Draws(seed, 1, stream=0), Draws(seed, 1, stream=1)
    size = {"height": HEIGHT, "width": WIDTH}
    if kind == "object":
        scene = draw_objects(draws)
        poses, intrinsics = orbit(rig, NUM_VIEWS, **size)
    else:
        scene, place = draw_rooms(draws)
        poses, intrinsics = capture(rig, NUM_VIEWS, place, **size)
    matte = replace(scene.textures, gloss=torch.zeros_like(scene.textures.gloss))
    return replace(scene, textures=matte), poses.float(), intrinsics.float()


def seen_from_another(
    scene: SceneBatch, poses: Tensor, intrinsics: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """For points seen by view 0 and before view 3: depth in 3, traced depth, colours.

    View 3 is traced through the very point: as a picture of one pixel centred on it.
    """
    camera = Camera(
        world_from_camera=poses[0], intrinsics=intrinsics[0], height=HEIGHT, width=WIDTH
    )
    depth = render_depth(scene, poses, intrinsics, height=HEIGHT, width=WIDTH)[0, 0]
    color = render(scene, poses, intrinsics, height=HEIGHT, width=WIDTH, supersample=1)[
        0, 0
    ]
    row, column = depth.isfinite().nonzero().unbind(-1)
    pixels = torch.stack([column, row], dim=-1) + 0.5
    points = unproject(camera[0], pixels[None], depth[row, column][None])
    where, expected = project(camera[3], points)
    inside = (expected[0] > 0.05) & (where[0] > 0).all(-1)
    inside &= (where[0] < where.new_tensor([WIDTH, HEIGHT])).all(-1)
    where, expected = where[0, inside], expected[0, inside]
    lens = torch.cat(
        [
            intrinsics[0, 3, :2].expand_as(where),
            intrinsics[0, 3, 2:] - where + 0.5,
        ],
        dim=-1,
    )[None]
    pose = poses[:, 3:4].expand(-1, len(where), -1, -1)
    traced = render_depth(scene, pose, lens, height=1, width=1)[0, :, 0, 0]
    other = render(scene, pose, lens, height=1, width=1, supersample=1)[0, :, :, 0, 0]
    same = (color[:, row, column].T[inside] - other).abs().amax(-1)
    return expected, traced, same


@pytest.mark.parametrize(("kind", "scenes"), [("object", 12), ("room", 4)])
def test_depth_reprojects_between_views(kind: str, scenes: int) -> None:
    beyond, visible, gaps, shades, alike = [], [], [], [], []
    for seed in range(scenes):
        expected, traced, difference = seen_from_another(*world(kind, seed))
        beyond.append(traced > expected + TOLERANCE)
        agree = (traced - expected).abs() < TOLERANCE
        visible.append(agree)
        gaps.append((traced - expected).abs()[agree])
        shades.append(difference[agree])
        alike.append((difference[agree] < 0.05).float().mean())
    # A surface that one view sees cannot be missed by another, but for silhouettes.
    assert torch.cat(beyond).float().mean() < 2e-3
    assert torch.cat(visible).float().mean() > 0.35
    assert torch.cat(gaps).quantile(0.99) < 2e-5 * (1 if kind == "object" else 5)
    assert torch.cat(shades).median() < 5e-3
    assert torch.stack(alike).mean() > 0.85


def test_depth_is_that_of_a_known_ball() -> None:
    scene, poses, intrinsics = world("object", 0)
    kind = torch.full_like(scene.solids.body.kind, -1)
    kind[:, 0] = 1
    affine = torch.zeros_like(scene.solids.body.world_from_local)
    affine[..., :3] = 0.5 * torch.eye(3)
    body = type(scene.solids.body).place(kind, scene.solids.body.ratio, affine.double())
    cut = replace(scene.solids.cut, kind=torch.full_like(kind, -1))
    scene = replace(scene, solids=replace(scene.solids, body=body, cut=cut))
    depth = render_depth(scene, poses, intrinsics, height=HEIGHT, width=WIDTH)
    row, column = depth[0, 0].isfinite().nonzero().unbind(-1)
    camera = Camera(
        world_from_camera=poses[0, :1],
        intrinsics=intrinsics[0, :1],
        height=HEIGHT,
        width=WIDTH,
    )
    pixels = torch.stack([column, row], dim=-1)[None] + 0.5
    points = unproject(camera, pixels, depth[0, 0][row, column][None])
    assert len(row) > 50
    torch.testing.assert_close(
        points.norm(dim=-1), torch.full_like(points[..., 0], 0.5), atol=1e-5, rtol=0
    )


def test_nothing_in_view_leaves_the_background() -> None:
    scene, poses, intrinsics = world("object", 0)
    away = poses.clone()
    away[..., :3, 3] *= -1
    picture = render(scene, away, intrinsics, height=HEIGHT, width=WIDTH, supersample=1)
    assert (picture == 1).all()
    depth = render_depth(scene, away, intrinsics, height=HEIGHT, width=WIDTH)
    assert depth.isinf().all()
