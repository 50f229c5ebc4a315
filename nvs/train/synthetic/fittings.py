"""What is fixed to walls and ceilings or lights a room: pictures, panes and lamps."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.train.synthetic import shapes, styles
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.groups import Group, join
from nvs.train.synthetic.places import Place, against_walls, stratified
from nvs.train.synthetic.solids import compose
from nvs.train.synthetic.styles import draw_surfaces, fitted, shining

NUM_PICTURES = 8
_PANE_SHARE = 0.15


def draw_fittings(draws: Draws, place: Place, *, photographs: bool) -> Group:
    """Pictures and bright panes on the walls, a standing and a ceiling lamp."""
    pictures = _draw_pictures(draws, place, photographs)
    return join([pictures, _draw_lamps(draws, place, photographs)])


def _draw_pictures(draws: Draws, place: Place, photographs: bool) -> Group:
    """Thin upright boxes at the height of the eyes; indoors some are windows' panes."""
    pane = draws.chance(NUM_PICTURES, probability=_PANE_SHARE)
    pane = pane & ~place.outdoors[:, None]
    half = draws.uniform(NUM_PICTURES, 3, low=0.12, high=0.5)
    half = torch.where(pane[..., None], 1.5 * half, half)
    half[..., 1] = 0.02
    frame = against_walls(
        stratified(draws, NUM_PICTURES), place.enclosure, half[..., 1]
    )
    height = draws.uniform(NUM_PICTURES, low=0.35, high=0.75) * place.enclosure[:, 2:]
    affine = compose(frame, _upright(half, height))
    surfaces = draw_surfaces(draws, half, styles.CLUTTER, photographs=photographs)
    whole = draws.chance(NUM_PICTURES, probability=0.7)
    surfaces = fitted(surfaces, half, whole)
    surfaces = shining(surfaces, pane, draw_sky(draws, NUM_PICTURES) * 1.1, upward=True)
    kind = torch.full(half.shape[:2], shapes.BOX)
    return Group.place(kind, torch.ones(half.shape[:2]), affine, surfaces)


def _draw_lamps(draws: Draws, place: Place, photographs: bool) -> Group:
    """Stem and shade at a wall, and a flat lamp below the ceiling."""
    stem = draws.uniform(1, low=0.9, high=1.4)
    wide = draws.uniform(2, low=0.12, high=0.24)
    thin = torch.full_like(stem, 0.02)
    around = draws.uniform(1)
    at_wall = against_walls(around, place.size, 0.25 + thin)
    shade = 0.7 * wide[:, :1]
    standing = torch.stack(
        [
            _upright(torch.stack([thin, thin, stem / 2], dim=-1), stem / 2),
            _upright(
                torch.stack([wide[:, :1], wide[:, :1], shade], dim=-1), stem + shade
            ),
        ],
        dim=2,
    ).flatten(1, 2)
    flat = torch.stack([wide[:, 1:], wide[:, 1:], 0 * thin + 0.05], dim=-1)
    shift = draws.uniform(2, 1, low=-0.25, high=0.25) * place.size[:, :2, None]
    above = _upright(flat, place.size[:, 2:] - 0.05)
    above[..., :2, 3] += shift.transpose(1, 2)
    affine = torch.cat([compose(at_wall.expand(-1, 2, -1, -1), standing), above], 1)
    kind = torch.full((draws.batch, 3), shapes.FRUSTUM)
    round_ = draws.chance(1, probability=0.5)
    kind[:, 2:] = torch.where(round_, shapes.ELLIPSOID, shapes.BOX)
    ratio = torch.ones(draws.batch, 3, dtype=torch.float64)
    ratio[:, 1:2] = draws.uniform(1, low=0.4, high=1.0)
    size = affine[..., :3].norm(dim=-2)
    surfaces = draw_surfaces(draws, size, styles.CLUTTER, photographs=photographs)
    warm = torch.tensor([1.0, 0.9, 0.72], dtype=torch.float64)
    glow = draws.uniform(3, 2, 1, low=1.1, high=1.6) * warm
    lit = torch.tensor([False, True, True]).expand(draws.batch, 3)
    present = draws.chance(2, probability=0.5)[:, [0, 0, 1]]
    group = Group.place(kind, ratio, affine, shining(surfaces, lit, glow))
    return group.only(present & ~place.outdoors[:, None])


def draw_sky(draws: Draws, *shape: int) -> Float[Tensor, "batch *shape 2 3"]:
    """Colours near the horizon and overhead, from clear blue to overcast."""
    clear = torch.tensor([[0.8, 0.88, 0.96], [0.3, 0.52, 0.9]], dtype=torch.float64)
    grey = draws.uniform(*shape, 1, 1, low=0.75, high=1.0)
    cloud = draws.uniform(*shape, 1, 1)
    return clear + (grey - clear) * cloud


def _upright(
    half: Float[Tensor, "batch part 3"], height: Float[Tensor, "batch part"]
) -> Float[Tensor, "batch part 3 4"]:
    """Maps from unit shapes to parts above the origin of their frame."""
    zero = torch.zeros_like(height)
    center = torch.stack([zero, zero, height], dim=-1)
    return torch.cat([torch.diag_embed(half), center[..., None]], dim=-1)
