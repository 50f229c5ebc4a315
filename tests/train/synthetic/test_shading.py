"""Sky and lamps."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from nvs.train.synthetic import shapes
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.objects import draw_objects
from nvs.train.synthetic.render import SceneBatch, render
from nvs.train.synthetic.rigs import intrinsics_of, look
from nvs.train.synthetic.solids import Group


def picture(scene: SceneBatch, poses: Tensor, intrinsics: Tensor) -> Tensor:
    poses, intrinsics = poses.float(), intrinsics.float()
    return render(scene, poses, intrinsics, height=32, width=32, supersample=1)


def test_the_sky_blends_from_the_horizon_to_overhead() -> None:
    scene = draw_objects(Draws(0, 1, stream=0))
    low, high = torch.tensor([[1.0, 0.8, 0.6]]), torch.tensor([[0.0, 0.2, 0.4]])
    scene = replace(scene, light=replace(scene.light, background=low, zenith=high))
    ahead = torch.tensor([[[1.0, 0.0, 1e-3], [1e-3, 0.0, 1.0], [1.0, 0.0, -0.5]]])
    eye = torch.tensor([0.0, 0.0, 50.0]).expand(1, 3, 3)
    poses = look(eye.double(), ahead.double(), torch.zeros(1, 3).double())
    hfov = torch.full((1, 1), 2.0).double()
    level, up, down = picture(scene, poses, intrinsics_of(hfov, 3, 32, 32))[0]
    assert (level.mean((1, 2)) - low[0]).abs().max() < 0.12
    assert (up.mean((1, 2)) - high[0]).abs().max() < 0.01
    assert (down.mean((1, 2)) - low[0]).abs().max() < 1e-6


def test_a_near_lamp_lights_most_what_is_below_it() -> None:
    scene = draw_objects(Draws(0, 1, stream=0))
    # One white tile whose upper side goes through the origin, and a lamp above.
    body = scene.solids.body
    kind = torch.full_like(body.kind, shapes.NONE)
    kind[:, 0] = shapes.BOX
    affine = torch.eye(3, 4).double().expand(1, *kind.shape[1:], 3, 4).clone()
    affine[..., 2, 3] = -1
    group = Group.place(kind, body.ratio, affine, scene.textures)
    white = replace(
        scene.textures,
        kind=torch.zeros_like(scene.textures.kind),
        colors=torch.ones_like(scene.textures.colors),
        gloss=torch.zeros_like(scene.textures.gloss),
    )
    eye = torch.tensor([[[1e-3, 0.0, 3.0]]]).double()
    poses = look(eye, -eye, torch.zeros(1, 1).double())
    lens = intrinsics_of(torch.full((1, 1), 30.0).double(), 1, 32, 32)

    def under(nearness: float) -> Tensor:
        lamp = replace(
            scene.light,
            toward=torch.tensor([[0.0, 0.0, 1.0]]),
            nearness=torch.tensor([nearness]),
            ambient=torch.tensor([0.3]),
            lamp=torch.tensor([0.4]),
        )
        tile = SceneBatch(solids=group.solids, textures=white, light=lamp)
        return picture(tile, poses, lens)[0, 0, 0]

    near, far = under(0.8), under(0.0)
    assert (far - far[16, 16]).abs().max() < 1e-5
    assert abs(near[16, 16] - far[16, 16]) < 0.01
    along = near[16, 16:]
    assert (along.diff() < 0).all()
    # cos = 1/√(1 + r²) and 1/(1 + r²) of the light, r in heights of the lamp
    r = 0.8 * 3 * (15.5 / 60)
    expected = 0.3 + 0.4 * (1 + r * r) ** -1.5
    assert abs(along[-1] - expected) < 0.01
