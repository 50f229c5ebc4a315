"""The thing that matters in a place: a random object, standing or hung on a wall."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.train.synthetic import shapes, styles
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.groups import Group, join
from nvs.train.synthetic.objects import draw_objects
from nvs.train.synthetic.places import RING, WALK, Place
from nvs.train.synthetic.solids import Parts
from nvs.train.synthetic.styles import draw_surfaces

_WALK_SHARE = 0.4


def draw_centrepiece(draws: Draws, place: Place, *, photographs: bool) -> Group:
    """An object, and a stand below it where it has one.

    Where cameras walk about it is there in two scenes of five.
    """
    scene = draw_objects(draws, photographs=photographs)
    scale = place.scale
    standing = (place.rig == RING) | place.outdoors
    bottom = place.stand - _lowest(scene.solids.body) * scale
    height = torch.where(standing, bottom, place.focus[:, 2])
    center = torch.cat([place.focus[:, :2], height[:, None]], dim=-1)
    linear = scale[:, None, None] * torch.eye(3, dtype=scale.dtype)
    # Cycles per metre rather than per unit of the object.
    frequency = scene.textures.frequency / scale[:, None].float()
    surfaces = replace(scene.textures, frequency=frequency)
    thing = Group(solids=scene.solids, textures=surfaces)
    thing = thing.moved(torch.cat([linear, center[..., None]], dim=-1))
    present = draws.chance(probability=_WALK_SHARE) | (place.rig != WALK)
    thing = thing.only(present[:, None])
    return join([thing, _draw_stand(draws, place, photographs)])


def _draw_stand(draws: Draws, place: Place, photographs: bool) -> Group:
    width = draws.uniform(low=0.55, high=0.95) * place.scale
    high = place.stand.clamp_min(0.01) / 2
    half = torch.stack([width, width, high], dim=-1)
    center = torch.cat([place.focus[:, :2], high[:, None]], dim=-1)
    affine = torch.cat([torch.diag_embed(half), center[..., None]], dim=-1)[:, None]
    kind = torch.tensor([shapes.BOX, shapes.FRUSTUM])[draws.integer(1, count=2)]
    ratio = draws.uniform(1, low=0.7, high=1.0)
    surfaces = draw_surfaces(
        draws, half[:, None], styles.FURNITURE, photographs=photographs
    )
    group = Group.place(kind, ratio, affine, surfaces)
    return group.only(place.stand[:, None] > 0)


def _lowest(body: Parts) -> Float[Tensor, "scene"]:
    """Height of the lowest point of each scene's parts, or a little less."""
    row = body.world_from_local[..., 2, :3].double() * body.half_extent
    oval = body.kind == shapes.ELLIPSOID
    extent = torch.where(oval, row.norm(dim=-1), row.abs().sum(-1))
    low = body.center[..., 2] - extent
    return low.masked_fill(body.kind == shapes.NONE, torch.inf).amin(-1)
