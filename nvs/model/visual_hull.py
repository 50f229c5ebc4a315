"""The visual hull: what all input views leave room for.

An object before white fills, of each input view, only the pixels that are not
background. What projects onto background in none of them is its visual hull
(Laurentini 1994), which holds the object and touches it along its outlines. It is a
grid of cells of `nvs.model.density_grid`, and hides what is behind it before the
surfaces inside it are found.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nvs.cameras import Camera
from nvs.model.density_grid import NUM_CELLS, OBJECT_HALF_SIDE, axis, views_at_once

WHITE = 0.97
"""Darkest channel of a pixel that may be background."""
MOST_OF_A_BORDER = 0.7
"""Share of the border of a view that is background where an object is before white."""


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
    for some in views_at_once(len(shown), shown.device):
        left &= _allowed(shown[some.start : some.stop], camera[some])
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


def _allowed(
    shown: Bool[Tensor, "view height width"], camera: Camera
) -> Bool[Tensor, "cell cell cell"]:
    """Cells at whose centres no view shows background, but one that is all background.

    The projection is linear before the division by the depth: a sum of what each axis
    of the grid adds, which is the quickest way to project all cells.
    """
    height, width = shown.shape[1:]
    centres = axis(shown.device)
    focal, middle = camera.intrinsics[:, :, None].split(2, dim=1)
    camera_from_world = torch.linalg.inv(camera.world_from_camera)
    depth_from_world = camera_from_world[:, 2:3]
    pixel_from_world = focal * camera_from_world[:, :2] + middle * depth_from_world
    onto = torch.cat([pixel_from_world, depth_from_world], dim=1)
    x, y, z = (onto[:, :, :3, None] * centres * OBJECT_HALF_SIDE).unbind(2)
    x = x + onto[:, :, 3:]
    place = x[..., :, None, None] + y[..., None, :, None] + z[..., None, None, :]
    column, row, depth = place.unbind(1)
    in_front = depth > 0
    column, row = (side.div_(depth).floor_() for side in (column, row))
    judged = in_front & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    pixel = torch.where(judged, row * width + column, 0).long()
    seen = shown.flatten(1).gather(1, pixel.flatten(1)).view_as(judged)
    says_nothing = ~shown.flatten(1).any(dim=1)[:, None, None, None]
    return (seen | ~judged | says_nothing).all(dim=0)
