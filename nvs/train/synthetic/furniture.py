"""Furniture along the walls, one piece in the middle to walk around.

A piece has four parts: a stack, a table, an open cabinet or a seat. It stands on the
floor of its own frame: x along its width, y to its front, z up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nvs.train.synthetic import materials, shapes
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.materials import draw_surfaces, fitted
from nvs.train.synthetic.places import (
    FREE_SHARE,
    FRONT,
    MAX_SIDEWAYS,
    WALK,
    Place,
    against_walls,
    stratified,
)
from nvs.train.synthetic.solids import (
    Group,
    Parts,
    Solids,
    about_z,
    compose,
    join,
    upright,
    vector,
)
from nvs.train.synthetic.things import draw_clutter

Halves = Float[Tensor, "batch piece 4 2 3"]
"""Half-extents and centres of the parts of pieces."""
NUM_PIECES, PARTS = 7, 4
LOW_HEIGHT = 0.75
"""How high what stands in the middle may be where cameras walk: below all of them."""
MAX_DEPTH = 0.45
"""Half the depth of a piece of furniture, at most."""
OPEN_FRONT = torch.tensor(
    [[0.88, 0.0, 0.0, 0.0], [0.0, 0.9, 0.0, 0.2], [0.0, 0.0, 0.9, 0.0]],
    dtype=torch.float64,
)
"""In the frame of a box: the box cut out of it to open it toward y."""
_SHARE_OUTDOORS = 0.5
_BOARD = 0.03
_BOARDS = [[0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]]
"""Which parts of stacks, tables, cabinets and seats are boxes, whatever was drawn."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pieces:
    """Parts of furniture, each piece in its own frame."""

    kind: Int[Tensor, "batch piece 4"]
    ratio: Float[Tensor, "batch piece 4"]
    affine: Float[Tensor, "batch piece 4 3 4"]
    """Maps from the unit shapes, in metres."""
    open_front: Bool[Tensor, "batch piece 4"]
    """Which are hollow."""
    top: Float[Tensor, "batch piece 2 3"]
    """Where small things can stand: the middle and half the extent of a level."""


def draw_furnishing(draws: Draws, place: Place) -> Group:
    """Pieces of furniture with small things on them and on the floor."""
    extent = _draw_extent(draws, place)
    pieces = draw_pieces(draws, extent)
    frame = _draw_frames(draws, place, extent[..., 1])
    present = draws.chance(NUM_PIECES, probability=_SHARE_OUTDOORS)
    present = present | ~place.outdoors[:, None]
    present[:, 0] &= place.rig == WALK
    present = present & ~_in_the_way(place, frame, extent)
    things = _wear(draws, pieces, frame)
    small = draw_clutter(draws, place, frame, pieces.top, present)
    return join([things.only(present.repeat_interleave(PARTS, dim=1)), small])


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
    shift = draws.uniform(3, low=-0.15, high=0.15) * place.size
    shift[:, 2] = 0
    frame[:, 0] = torch.cat([about_z(yaw), shift[..., None]], dim=-1)
    return frame


def _wear(draws: Draws, pieces: Pieces, frame: Tensor) -> Group:
    """All parts in the room, with their surfaces."""
    affine = compose(frame[:, :, None].expand_as(pieces.affine), pieces.affine)
    affine = affine.flatten(1, 2)
    front = compose(affine, OPEN_FRONT.expand_as(affine))
    cut = torch.where(pieces.open_front.flatten(1), shapes.BOX, shapes.NONE)
    size = affine[..., :3].norm(dim=-2)
    surfaces = draw_surfaces(draws, size, materials.FURNITURE)
    whole = draws.chance(size.shape[1], probability=0.4)
    ratio = pieces.ratio.flatten(1)
    solids = Solids(
        body=Parts.place(pieces.kind.flatten(1), ratio, affine),
        cut=Parts.place(cut, ratio, front),
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


def draw_pieces(draws: Draws, extent: Float[Tensor, "batch piece 3"]) -> Pieces:
    """Pieces within half-widths, half-depths and heights, in metres."""
    pieces = extent.shape[1]
    form = draws.choice(pieces, weights=[0.32, 0.24, 0.24, 0.2])
    kind = draws.choice(pieces, PARTS, weights=[0.5, 0.2, 0.3])
    tapered = draws.uniform(pieces, PARTS, low=0.2)
    ratio = torch.where(draws.chance(pieces, PARTS, probability=0.5), 1.0, tapered)
    item = draws.uniform(pieces, 2, 3, low=0.06, high=0.14)
    item = torch.minimum(item, 0.2 * extent[:, :, None])
    place = draws.uniform(pieces, 2, low=-0.6, high=0.6)
    forms = torch.stack(
        [
            _stack(draws, extent),
            _table(extent, item, place),
            _cabinet(extent, item, place),
            _seat(extent),
        ]
    )
    rows, columns = torch.meshgrid(
        torch.arange(draws.batch), torch.arange(pieces), indexing="ij"
    )
    half, center = forms[form, rows, columns].unbind(-2)
    level = torch.tensor([3, 0, 0, 0])[form]
    span = half[rows, columns, level]
    top = center[rows, columns, level] + span * span.new_tensor([0.0, 0.0, 1.0])
    boards = torch.tensor(_BOARDS).bool()[form]
    first_open = torch.tensor([True, False, False, False])
    return Pieces(
        kind=torch.where(boards, shapes.BOX, kind),
        ratio=ratio,
        affine=upright(half, center),
        open_front=(form == 2)[..., None] & first_open,
        top=torch.stack([top, span], dim=-2),
    )


def _stack(draws: Draws, extent: Tensor) -> Halves:
    """Four parts on top of one another, narrower toward the top."""
    pieces = extent.shape[1]
    share = draws.uniform(pieces, PARTS, low=0.15, high=1.0)
    tall = extent[..., 2:] * share / share.sum(-1, keepdim=True)
    narrow = draws.uniform(pieces, PARTS, 2, low=0.7, high=1.0).cumprod(dim=-2)
    half = torch.cat([extent[:, :, None, :2] * narrow, tall[..., None] / 2], dim=-1)
    bottom = tall.cumsum(-1) - tall
    room = extent[:, :, None, :2] - half[..., :2]
    shift = draws.uniform(pieces, PARTS, 2, low=-0.5, high=0.5) * room
    center = torch.cat([shift, (bottom + tall / 2)[..., None]], dim=-1)
    return torch.stack([half, center], dim=-2)


def _table(extent: Tensor, item: Tensor, place: Tensor) -> Halves:
    """A board on two panels, and something on it."""
    x, y, z = extent.unbind(-1)
    item = item[..., 0, :]
    z = z - 2 * item[..., 2]
    legs = (z - 2 * _BOARD) / 2
    return _parts(
        (vector(x, y, _BOARD), vector(0.0, 0.0, z - _BOARD)),
        (vector(_BOARD, 0.9 * y, legs), vector(-0.85 * x, 0.0, legs)),
        (vector(_BOARD, 0.9 * y, legs), vector(0.85 * x, 0.0, legs)),
        (item, vector(place[..., 0] * x, 0.0, z + item[..., 2])),
    )


def _cabinet(extent: Tensor, item: Tensor, place: Tensor) -> Halves:
    """A box open in front with a shelf, something on the shelf and on top."""
    x, y, z = extent.unbind(-1)
    inner, upper = item.unbind(-2)
    z = z - 2 * upper[..., 2]
    board = _BOARD / 2
    middle = vector(0.0, 0.0, z / 2)
    return _parts(
        (vector(x, y, z / 2), middle),
        (vector(0.88 * x, 0.8 * y, board), middle),
        (inner, vector(place[..., 0] * x, 0.0, z / 2 + board + inner[..., 2])),
        (upper, vector(place[..., 1] * x, 0.0, z + upper[..., 2])),
    )


def _seat(extent: Tensor) -> Halves:
    """A bench or bed with a back at the wall and two arms."""
    x, y, z = extent.unbind(-1)
    low = (0.22 * z).clamp(0.08, 0.25)
    back, arm = (0.5 * z).clamp(max=0.55), 1.4 * low
    return _parts(
        (vector(x, y, low), vector(0.0, 0.0, low)),
        (vector(x, 0.12 * y, back), vector(0.0, -0.88 * y, back)),
        (vector(0.1 * x, y, arm), vector(-0.9 * x, 0.0, arm)),
        (vector(0.1 * x, y, arm), vector(0.9 * x, 0.0, arm)),
    )


def _parts(*parts: tuple[Tensor, Tensor]) -> Halves:
    return torch.stack([torch.stack(part, dim=-2) for part in parts], dim=-3)
