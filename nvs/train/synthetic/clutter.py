"""Small things on furniture and on the floor: boxes, books, cans, balls and pots."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nvs.cameras.se3 import so3_about
from nvs.train.synthetic import shapes, styles
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.groups import Group
from nvs.train.synthetic.places import Place
from nvs.train.synthetic.solids import compose
from nvs.train.synthetic.styles import draw_surfaces, fitted

NUM_ON_FLOOR = 8
MAX_HEIGHT = 0.3
"""Of what lies on the floor."""
_FORMS = torch.tensor(
    [[0.10, 0.08, 0.08], [0.09, 0.12, 0.025], [0.04, 0.04, 0.08], [0.08, 0.08, 0.08]],
    dtype=torch.float64,
)
"""Half-extents of a box, a book, a can and a ball in metres, before they vary."""
_KINDS = torch.tensor([shapes.BOX, shapes.BOX, shapes.FRUSTUM, shapes.ELLIPSOID])
_ON_FLOOR, _ON_GROUND = 1.5, 2.2
"""How much larger things are there."""


def draw_clutter(
    draws: Draws,
    place: Place,
    frame: Float[Tensor, "batch level 3 4"],
    top: Float[Tensor, "batch level 2 3"],
    usable: Bool[Tensor, "batch level"],
    *,
    photographs: bool,
) -> Group:
    """Two things on each level, most levels having some, and others on the floor.

    Args:
        draws: Random numbers.
        place: The rooms.
        frame: Of each piece of furniture.
        top: Middle and half-extent of a level on top of each piece, in its frame.
        usable: Which pieces are there.
        photographs: Whether some things wear photographs.
    """
    levels = frame.shape[1]
    count = 2 * levels + NUM_ON_FLOOR
    form = draws.choice(count, weights=[0.28, 0.24, 0.28, 0.2])
    half = _FORMS[form] * draws.uniform(count, 1, low=0.6, high=1.5)
    half = half * draws.uniform(count, 3, low=0.75, high=1.3)
    larger = torch.where(place.outdoors, _ON_GROUND, _ON_FLOOR)
    half[:, 2 * levels :] *= larger[:, None, None]
    half[..., 2] = half[..., 2].clamp(max=MAX_HEIGHT / 2)
    level = torch.arange(levels).repeat_interleave(2)
    middle, span = top[:, level].unbind(-2)
    # What is wider than its level is not put there.
    fits = (half[:, : 2 * levels, :2] < span[..., :2]).all(-1) & usable[:, level]
    spot = draws.uniform(count, 2, low=-1.0, high=1.0)
    around = draws.uniform(count, high=2 * math.pi)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    linear = so3_about(up, around) * half[..., None, :]
    upon, beside = spot.split([2 * levels, NUM_ON_FLOOR], dim=1)
    upon = middle[..., :2] + 0.9 * upon * (span - half[:, : 2 * levels])[..., :2]
    beside = 0.47 * beside * place.size[:, None, :2]
    height = torch.cat([middle[..., 2], torch.zeros_like(beside[..., 0])], dim=1)
    center = torch.cat([upon, beside], dim=1)
    center = torch.cat([center, (height + half[..., 2])[..., None]], dim=-1)
    affine = torch.cat([linear, center[..., None]], dim=-1)
    on_level = compose(frame[:, level], affine[:, : 2 * levels])
    affine = torch.cat([on_level, affine[:, 2 * levels :]], dim=1)

    ratio = torch.where(
        draws.chance(count, probability=0.6), 1.0, draws.uniform(count, low=0.3)
    )
    surfaces = draw_surfaces(draws, half, styles.CLUTTER, photographs=photographs)
    whole = draws.chance(count, probability=0.6)
    present = draws.chance(count, probability=0.6)
    present[:, : 2 * levels] &= fits
    group = Group.place(_KINDS[form], ratio, affine, fitted(surfaces, half, whole))
    return group.only(present)
