"""Furniture along the walls, one piece in the middle to walk around, and clutter."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nvs.cameras.se3 import so3_about
from nvs.train.synthetic import furniture, shapes, styles
from nvs.train.synthetic.clutter import draw_clutter
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.groups import Group, join
from nvs.train.synthetic.places import (
    FREE_SHARE,
    FRONT,
    MAX_SIDEWAYS,
    WALK,
    Place,
    against_walls,
    stratified,
)
from nvs.train.synthetic.solids import Parts, Solids, compose
from nvs.train.synthetic.styles import draw_surfaces, fitted

NUM_PIECES = 7
LOW_HEIGHT = 0.75
"""How high what stands in the middle may be where cameras walk: below all of them."""
MAX_DEPTH = 0.45
"""Half the depth of a piece of furniture, at most."""
_SHARE_OUTDOORS = 0.5


def draw_furnishing(draws: Draws, place: Place, *, photographs: bool) -> Group:
    """Pieces of furniture with small things on them and on the floor."""
    extent = _draw_extent(draws, place)
    width, depth, height = extent.unbind(-1)
    piece = furniture.draw_pieces(draws, width, depth, height)
    frame = _draw_frames(draws, place, depth)
    present = draws.chance(NUM_PIECES, probability=_SHARE_OUTDOORS)
    present = present | ~place.outdoors[:, None]
    present[:, 0] &= place.rig == WALK
    present = present & ~_in_the_way(place, frame, extent)
    things = _wear(draws, piece, frame, photographs)
    small = draw_clutter(
        draws, place, frame, piece.top, present, photographs=photographs
    )
    here = present.repeat_interleave(furniture.PARTS, dim=1)
    return join([things.only(here), small])


def _draw_extent(draws: Draws, place: Place) -> Float[Tensor, "batch piece 3"]:
    """Half-widths, half-depths and heights; the first piece is low."""
    size = place.size
    reach = (1 - FREE_SHARE) / 4 * size[:, :2].amin(-1, keepdim=True)
    depth = reach * draws.uniform(NUM_PIECES, low=0.5, high=0.9)
    depth = depth.clamp(max=MAX_DEPTH)
    width = depth * draws.uniform(NUM_PIECES, low=0.8, high=2.6)
    height = draws.uniform(NUM_PIECES, low=0.4, high=2.1)
    highest = torch.where(place.outdoors, 1.6, 0.85 * size[:, 2])
    height = height.minimum(highest[:, None])
    height[:, 0] = height[:, 0].clamp(max=LOW_HEIGHT)
    return torch.stack([width, depth, height], dim=-1)


def _draw_frames(
    draws: Draws, place: Place, depth: Tensor
) -> Float[Tensor, "batch piece 3 4"]:
    """Where pieces stand: the first in the middle, turned anyhow."""
    frame = against_walls(stratified(draws, NUM_PIECES), place.size, depth)
    yaw = draws.uniform(high=2 * math.pi)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    shift = draws.uniform(3, low=-0.15, high=0.15) * place.size
    shift[:, 2] = 0
    frame[:, 0] = torch.cat([so3_about(up, yaw), shift[..., None]], dim=-1)
    return frame


def _wear(
    draws: Draws, piece: furniture.Pieces, frame: Tensor, photographs: bool
) -> Group:
    """All parts in the room, with their surfaces."""
    affine = compose(frame[:, :, None].expand_as(piece.affine), piece.affine)
    affine = affine.flatten(1, 2)
    front = compose(affine, furniture.OPEN_FRONT.expand_as(affine))
    cut = torch.where(piece.open_front.flatten(1), shapes.BOX, shapes.NONE)
    size = affine[..., :3].norm(dim=-2)
    surfaces = draw_surfaces(draws, size, styles.FURNITURE, photographs=photographs)
    whole = draws.chance(size.shape[1], probability=0.4)
    solids = Solids(
        body=Parts.place(piece.kind.flatten(1), piece.ratio.flatten(1), affine),
        cut=Parts.place(cut, piece.ratio.flatten(1), front),
    )
    return Group(solids=solids, textures=fitted(surfaces, size, whole))


def _in_the_way(
    place: Place, frame: Tensor, extent: Tensor
) -> Bool[Tensor, "batch piece"]:
    """Which pieces reach to the thing, or to where cameras pass before it."""
    width, depth, height = extent.unbind(-1)
    offset = place.focus[:, None] - frame[..., 3]
    along = (offset * frame[..., 0]).sum(-1).abs() - width
    across = (offset * frame[..., 1]).sum(-1).abs() - depth
    near = 1.5 * place.scale[:, None]
    tall = height > place.focus[:, 2:] - near
    reached = tall & (along < near) & (across < near)
    passed = (place.rig == FRONT)[:, None] & (along < MAX_SIDEWAYS + 0.3)
    return reached | (passed & (across < near))
