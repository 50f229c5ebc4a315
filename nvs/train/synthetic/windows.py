"""A wall with a window through which the sky shows."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nvs.train.synthetic import shapes, styles
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.groups import Group, join
from nvs.train.synthetic.places import Place
from nvs.train.synthetic.solids import Parts, Solids, compose
from nvs.train.synthetic.styles import draw_surfaces
from nvs.train.synthetic.textures import Textures

WINDOW_SHARE = 0.6
"""Of the rooms."""
_THROUGH = 1.1


def draw_windows(
    draws: Draws, place: Place, wall: Textures, *, photographs: bool
) -> tuple[Group, Bool[Tensor, "batch"]]:
    """The wall where x is largest, an opening in it and two bars across the opening.

    Args:
        draws: Random numbers.
        place: The rooms.
        wall: What that wall of each room wears, in one slot.
        photographs: Whether bars may wear photographs.

    Returns:
        Three parts, and which rooms have them.
    """
    present = draws.chance(probability=WINDOW_SHARE) & ~place.outdoors
    thick = draws.uniform(low=0.06, high=0.2)
    length, width, height = (place.size / 2).unbind(-1)
    outer = _boxes(
        torch.stack([thick, width, height], dim=-1),
        torch.stack([length + thick, 0 * width, height], dim=-1),
    )
    hole = _draw_opening(draws)
    ones = torch.ones(draws.batch, 1)
    box = torch.full((draws.batch, 1), shapes.BOX)
    body = Parts.place(box, ones, outer)
    cut = Parts.place(box, ones, compose(outer, hole))
    group = Group(solids=Solids(body=body, cut=cut), textures=wall)
    bars = _draw_bars(draws, compose(outer, hole)[:, 0])
    surfaces = draw_surfaces(
        draws, bars[..., :3].norm(dim=-2), styles.FURNITURE, photographs=photographs
    )
    frame = Group.place(box.expand(-1, 2), ones.expand(-1, 2), bars, surfaces)
    barred = present[:, None] & draws.chance(2, probability=0.6)
    return join([group.only(present[:, None]), frame.only(barred)]), present


def _draw_opening(draws: Draws) -> Float[Tensor, "batch 1 3 4"]:
    """The box to cut out, in the frame of the wall; one to the floor is a door."""
    wide = draws.uniform(low=0.25, high=0.75)
    shift = draws.uniform(low=-0.9, high=0.9) * (1 - wide)
    sill = draws.uniform(low=-0.1, high=0.5).clamp_min(0.003)
    high = (0.94 - sill) * draws.uniform(low=0.6, high=1.0)
    through = torch.full_like(wide, _THROUGH)
    return _boxes(
        torch.stack([through, wide, high], dim=-1),
        torch.stack([0 * wide, shift, 2 * sill - 1 + high], dim=-1),
    )


def _draw_bars(
    draws: Draws, opening: Float[Tensor, "batch 3 4"]
) -> Float[Tensor, "batch 2 3 4"]:
    """An upright and a level bar across an opening."""
    wide, high = opening[:, 1, 1], opening[:, 2, 2]
    slim = draws.uniform(low=0.015, high=0.04)
    off = draws.uniform(2, low=-0.4, high=0.4)
    middle, zero = opening[..., 3], torch.zeros_like(wide)
    return torch.cat(
        [
            _boxes(
                torch.stack([slim, slim, high], dim=-1),
                middle + torch.stack([zero, off[:, 0] * wide, zero], dim=-1),
            ),
            _boxes(
                torch.stack([slim, wide, slim], dim=-1),
                middle + torch.stack([zero, zero, off[:, 1] * high], dim=-1),
            ),
        ],
        dim=1,
    )


def _boxes(
    half: Float[Tensor, "batch 3"], center: Float[Tensor, "batch 3"]
) -> Float[Tensor, "batch 1 3 4"]:
    return torch.cat([torch.diag_embed(half), center[..., None]], dim=-1)[:, None]
