"""The visual hull: where a ray meets what all input views leave room for.

An object before white fills, of each input view, only the pixels that are not
background. What projects onto background in none of them is its visual hull
(Laurentini 1994), which holds the object and touches it along its outlines. It is kept
as a grid of cells over the cube of object models and stands for the object's surface,
which nobody knows: the point of a ray is where it enters the hull.

Notation:
    o, d    origin and unit direction of a ray, in the model's frame
    n       the point of the ray nearest to the model's origin
    t       distance along the ray from n; where it enters the hull, less than 0 as a
            rule
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from nvs.cameras import Camera

NUM_CELLS = 64
"""Of a grid, along each axis."""
HALF_SIDE = 1.1
"""Of the cube that a grid fills, in model units: objects fill [−1, 1]³."""
WHITE = 0.97
"""Darkest channel of a pixel that may be background."""
MOST_OF_A_BORDER = 0.7
"""Share of the border of a view that is background where an object is before white."""
NUM_SAMPLES = 64
"""Points of a ray that are looked at."""
REACH = 1.6
"""Largest |t| that is looked at."""
RAYS_AT_ONCE = 2**14
"""So that memory does not grow with the views."""


def carve(
    image: Float[Tensor, "view 3 height width"], camera: Camera
) -> tuple[Bool[Tensor, "cell cell cell"], Float[Tensor, "view"]]:
    """What some of the input views leave of the hull, for `hull_of`.

    Args:
        image: Views in [0, 1].
        camera: Their cameras, in the model's frame.

    Returns:
        The cells, along x, y, z, at whose centres none of these views shows background;
        what lies outside a view is not judged by it, and nothing by a view that is all
        background: its mask went wrong. And the share of background along the border of
        each view.
    """
    shown = silhouettes(image)
    camera = camera.to(shown.device, torch.float32)
    left = torch.ones((NUM_CELLS,) * 3, dtype=torch.bool, device=shown.device)
    for index, seen in enumerate(shown):
        if seen.any():
            left &= _allowed(seen, camera[index : index + 1])
    border = (shown[:, 0], shown[:, -1], shown[:, :, 0], shown[:, :, -1])
    return left, 1 - torch.cat(border, dim=1).float().mean(dim=1)


def hull_of(
    left: Sequence[Bool[Tensor, "cell cell cell"]],
    background: Float[Tensor, "view"],
) -> Bool[Tensor, "cell cell cell"]:
    """The visual hull of all input views.

    Args:
        left: What each group of them left of it.
        background: What `carve` said of the border of each.

    Returns:
        The cells that are in it: none if most views do not show an object before white.
    """
    before_white = background.quantile(0.5) > MOST_OF_A_BORDER
    return torch.stack(list(left)).all(dim=0) & before_white


def silhouettes(
    image: Float[Tensor, "view 3 height width"],
) -> Bool[Tensor, "view height width"]:
    """Where views in [0, 1] show the object.

    A pixel is background if all are white from it to the border of its view, straight
    up, down, to the left or to the right: white parts inside an object are not.
    """
    white = (image.amin(dim=1) > WHITE).to(torch.uint8)
    background = torch.zeros_like(white)
    for side in (1, 2):
        background |= white.cummin(side).values
        background |= white.flip(side).cummin(side).values.flip(side)
    return background == 0


def entries(
    hull: Bool[Tensor, "batch cell cell cell"],
    origin: Float[Tensor, "batch ray 3"],
    direction: Float[Tensor, "batch ray 3"],
) -> tuple[Float[Tensor, "batch ray"], Float[Tensor, "batch ray"]]:
    """Where rays enter hulls: t, 0 where they do not, and 1 where they do, else 0.

    The surface lies where the grid, linear between the centres of its cells, is ½.
    """
    parts = zip(
        origin.split(RAYS_AT_ONCE, 1), direction.split(RAYS_AT_ONCE, 1), strict=True
    )
    grid = hull[:, None].to(origin)
    t, enters = zip(*(_entries(grid, *rays) for rays in parts), strict=True)
    return torch.cat(t, dim=1), torch.cat(enters, dim=1)


def _entries(
    grid: Float[Tensor, "batch 1 cell cell cell"], origin: Tensor, direction: Tensor
) -> tuple[Tensor, Tensor]:
    nearest = origin - (origin * direction).sum(-1, keepdim=True) * direction
    steps = torch.linspace(-REACH, REACH, NUM_SAMPLES, device=origin.device)
    points = nearest[:, :, None] + steps[:, None] * direction[:, :, None]
    # grid_sample wants the last axis of the grid first.
    places = rearrange(points / HALF_SIDE, "b r s c -> b 1 r s c").flip(-1)
    filled = F.grid_sample(grid, places, align_corners=False)
    filled = rearrange(filled, "b 1 1 r s -> b r s")
    inside = filled > 0.5
    enters = inside.any(dim=-1)
    first = inside.to(torch.uint8).argmax(dim=-1, keepdim=True)
    before = (first - 1).clamp(min=0)
    outer, inner = filled.gather(-1, before), filled.gather(-1, first)
    share = ((0.5 - outer) / (inner - outer).clamp(min=1e-6)).clamp(0, 1)
    t = torch.lerp(steps[before], steps[first], share)[..., 0]
    return torch.where(enters, t, 0), enters.to(t)


def _allowed(
    shown: Bool[Tensor, "height width"], camera: Camera
) -> Bool[Tensor, "cell cell cell"]:
    """Cells at whose centres one view does not show background.

    The projection is linear before the division by the depth: a sum of what each axis
    of the grid adds, which is the quickest way to project all cells.
    """
    height, width = shown.shape
    centres = ((torch.arange(NUM_CELLS) + 0.5) / NUM_CELLS * 2 - 1).to(shown.device)
    focal, middle = camera.intrinsics[0].split(2)
    camera_from_world = torch.linalg.inv(camera.world_from_camera[0])
    depth_from_world = camera_from_world[2:3]
    pixel_from_world = focal[:, None] * camera_from_world[:2]
    pixel_from_world = pixel_from_world + middle[:, None] * depth_from_world
    onto = torch.cat([pixel_from_world, depth_from_world])
    x, y, z = (onto[:, :3, None] * centres * HALF_SIDE).unbind(1)
    x = x + onto[:, 3:]
    column, row, depth = x[:, :, None, None] + y[:, None, :, None] + z[:, None, None, :]
    in_front = depth > 0
    column, row = (side.div_(depth).floor_() for side in (column, row))
    judged = in_front & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    place = torch.where(judged, row * width + column, 0).long()
    return shown.flatten()[place] | ~judged
