"""Furniture-like pieces of four parts each: stacks, tables, open cabinets and seats.

A piece stands on the floor of its own frame: x along its width, y to its front, z up.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nvs.train.synthetic import shapes
from nvs.train.synthetic.draws import Draws

PARTS = 4
OPEN_FRONT = torch.tensor(
    [[0.88, 0.0, 0.0, 0.0], [0.0, 0.9, 0.0, 0.2], [0.0, 0.0, 0.9, 0.0]],
    dtype=torch.float64,
)
"""In the frame of a box: the box cut out of it to open it toward y."""
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


def draw_pieces(
    draws: Draws,
    width: Float[Tensor, "batch piece"],
    depth: Float[Tensor, "batch piece"],
    height: Float[Tensor, "batch piece"],
) -> Pieces:
    """Pieces within half-widths, half-depths and heights, in metres."""
    pieces = width.shape[1]
    form = draws.choice(pieces, weights=[0.32, 0.24, 0.24, 0.2])
    kind = draws.choice(pieces, PARTS, weights=[0.5, 0.2, 0.3])
    tapered = draws.uniform(pieces, PARTS, low=0.2)
    ratio = torch.where(draws.chance(pieces, PARTS, probability=0.5), 1.0, tapered)
    extent = torch.stack([width, depth, height], dim=-1)
    item = draws.uniform(pieces, 2, 3, low=0.06, high=0.14)
    item = torch.minimum(item, 0.2 * extent[:, :, None])
    place = draws.uniform(pieces, 2, low=-0.6, high=0.6)
    forms = [
        _stack(draws, extent),
        _table(extent, item, place),
        _cabinet(extent, item, place),
        _seat(extent),
    ]
    half = torch.stack([half for half, _ in forms])
    center = torch.stack([center for _, center in forms])
    level = torch.tensor([3, 0, 0, 0])[form]
    rows, columns = torch.meshgrid(
        torch.arange(draws.batch), torch.arange(pieces), indexing="ij"
    )
    half, center = half[form, rows, columns], center[form, rows, columns]
    boards = torch.tensor(_BOARDS).bool()[form]
    first_open = torch.tensor([True, False, False, False])
    span = half[rows, columns, level]
    top = center[rows, columns, level] + span * span.new_tensor([0.0, 0.0, 1.0])
    return Pieces(
        kind=torch.where(boards, shapes.BOX, kind),
        ratio=ratio,
        affine=torch.cat([torch.diag_embed(half), center[..., None]], dim=-1),
        open_front=(form == 2)[..., None] & first_open,
        top=torch.stack([top, span], dim=-2),
    )


def _stack(draws: Draws, extent: Tensor) -> tuple[Tensor, Tensor]:
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
    return half, center


def _table(extent: Tensor, item: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """A board on two panels, and something on it."""
    x, y, z = extent.unbind(-1)
    z = z - 2 * item[..., 0, 2]
    zero, board = torch.zeros_like(x), torch.full_like(x, _BOARD)
    legs = (z - 2 * board) / 2
    half: list[tuple[Tensor, ...]] = [
        (x, y, board),
        (board, 0.9 * y, legs),
        (board, 0.9 * y, legs),
    ]
    center = [(zero, zero, z - board), (-0.85 * x, zero, legs), (0.85 * x, zero, legs)]
    half.append(tuple(item[..., 0, :].unbind(-1)))
    center.append((place[..., 0] * x, zero, z + item[..., 0, 2]))
    return _stacked(half), _stacked(center)


def _cabinet(extent: Tensor, item: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """A box open in front with a shelf, something on the shelf and on top."""
    x, y, z = extent.unbind(-1)
    z = z - 2 * item[..., 1, 2]
    zero, board = torch.zeros_like(x), torch.full_like(x, _BOARD / 2)
    half: list[tuple[Tensor, ...]] = [(x, y, z / 2), (0.88 * x, 0.8 * y, board)]
    center = [(zero, zero, z / 2), (zero, zero, z / 2)]
    for index, floor in enumerate((z / 2 + board, z)):
        half.append(tuple(item[..., index, :].unbind(-1)))
        center.append((place[..., index] * x, zero, floor + item[..., index, 2]))
    return _stacked(half), _stacked(center)


def _seat(extent: Tensor) -> tuple[Tensor, Tensor]:
    """A bench or bed with a back at the wall and two arms."""
    x, y, z = extent.unbind(-1)
    zero = torch.zeros_like(x)
    low = (0.22 * z).clamp(0.08, 0.25)
    back, arm = (0.5 * z).clamp(max=0.55), 1.4 * low
    half: list[tuple[Tensor, ...]] = [
        (x, y, low),
        (x, 0.12 * y, back),
        (0.1 * x, y, arm),
        (0.1 * x, y, arm),
    ]
    center = [
        (zero, zero, low),
        (zero, -0.88 * y, back),
        (-0.9 * x, zero, arm),
        (0.9 * x, zero, arm),
    ]
    return _stacked(half), _stacked(center)


def _stacked(rows: list[tuple[Tensor, ...]]) -> Float[Tensor, "batch piece 4 3"]:
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
