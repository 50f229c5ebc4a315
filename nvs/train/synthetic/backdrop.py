"""Trees, bushes and houses around a yard, or before a room's window."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool
from torch import Tensor

from nvs.train.synthetic import shapes, styles
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.groups import Group
from nvs.train.synthetic.places import Place, stratified
from nvs.train.synthetic.styles import choose, draw_surfaces

NUM_STANDING = 6
TREE, BUSH, HOUSE = range(3)
_BEFORE_WINDOW = 3
_CLEARANCE = 0.5


def draw_backdrop(
    draws: Draws, place: Place, window: Bool[Tensor, "batch"], *, photographs: bool
) -> Group:
    """What stands beyond where the cameras go, two parts each.

    A tree has a trunk and a crown, a bush is two balls, a house has a flat roof.
    """
    form = draws.choice(NUM_STANDING, weights=[0.5, 0.25, 0.25])
    size = draws.uniform(NUM_STANDING, 4)
    crown = 0.6 + 1.4 * size[..., 0]
    tall = 0.8 + 2.2 * size[..., 1]
    tree = torch.stack(
        [
            _part(0.04 + 0.1 * size[..., 2], tall / 2, tall / 2),
            _part(crown, crown * (0.7 + size[..., 3]), tall + 0.6 * crown),
        ],
        dim=-3,
    )
    low = 0.6 * crown
    bush = torch.stack(
        [
            _part(low, 0.8 * low, 0.5 * low),
            _part(0.6 * low, 0.7 * low, 1.2 * low),
        ],
        dim=-3,
    )
    wide, storey = 1.4 + 1.6 * size[..., 0], 1.2 + 2.0 * size[..., 1]
    house = torch.stack(
        [
            _part(wide, storey, storey),
            _part(1.08 * wide, 0.12 + 0.3 * size[..., 2], 2 * storey),
        ],
        dim=-3,
    )
    house[..., 1, :] *= 0.6 + 0.4 * size[..., None, 3, None]
    chosen = form[..., None, None, None]
    affine = torch.where(chosen == TREE, tree, bush)
    affine = torch.where(chosen == HOUSE, house, affine)
    reach = torch.where(form == HOUSE, math.sqrt(2) * 1.08 * wide, 1.2 * crown)
    affine[..., 3] += _spots(draws, place, reach)[:, :, None]
    affine = affine.flatten(1, 2)

    kinds = torch.tensor(
        [
            [shapes.FRUSTUM, shapes.ELLIPSOID],
            [shapes.ELLIPSOID, shapes.ELLIPSOID],
            [shapes.BOX, shapes.BOX],
        ]
    )
    ratio = torch.full((draws.batch, 2 * NUM_STANDING), 0.7)
    extent = affine[..., :3].norm(dim=-2)
    leaves, walls = (
        draw_surfaces(draws, extent, style, photographs=photographs)
        for style in (styles.FOLIAGE, styles.ENCLOSURE)
    )
    built = (form == HOUSE).repeat_interleave(2, dim=1)
    surfaces = choose(built, walls, leaves)
    some = draws.chance(NUM_STANDING, probability=0.8)
    index = torch.arange(NUM_STANDING)
    seen = place.outdoors[:, None] | (window[:, None] & (index < _BEFORE_WINDOW))
    group = Group.place(kinds[form].flatten(1), ratio, affine, surfaces)
    return group.only((some & seen).repeat_interleave(2, dim=1))


def _spots(draws: Draws, place: Place, reach: Tensor) -> Tensor:
    """Feet around the yard or beyond the window, farther than each one reaches."""
    angle = 2 * math.pi * stratified(draws, NUM_STANDING)
    away = draws.uniform(NUM_STANDING) ** 2
    room = place.enclosure[:, :2].amax(-1, keepdim=True) / 2 + 2.0
    distance = place.clear.norm(dim=-1)[:, None] + _CLEARANCE + reach + away * room
    zero = torch.zeros_like(angle)
    yard = torch.stack([angle.cos() * distance, angle.sin() * distance, zero], dim=-1)
    ahead = place.size[:, :1] / 2 + 0.5 + reach + 8 * away
    beside = draws.uniform(NUM_STANDING, low=-1.0, high=1.0) * ahead
    below = draws.uniform(1, low=-2.5, high=0.0).expand_as(ahead)
    outside = torch.stack([ahead, beside, below], dim=-1)
    return torch.where(place.outdoors[:, None, None], yard, outside)


def _part(radius: Tensor, half_height: Tensor, height: Tensor) -> Tensor:
    """Maps from unit shapes to upright parts above the origin."""
    zero = torch.zeros_like(height)
    half = torch.stack([radius, radius, half_height], dim=-1)
    center = torch.stack([zero, zero, height], dim=-1)
    return torch.cat([torch.diag_embed(half), center[..., None]], dim=-1)
