"""The network that finds surfaces: from what input views show of each cell, a density.

It carves as space carving does (Kutulakos & Seitz 2000), but has learned to: where
colours that views show of a cell agree, a surface is likely. A cell that something
hides from a view says nothing of it, so the second pass looks at each cell only from
where the first lets it be seen; before the first, the visual hull hides it, if there is
one.

Features of a cell, over the views that have it in their picture (A) and, of those, that
see it by the density so far (B):
    1, opacity so far, share and number of views
    mean and standard deviation of their colours, of A and of B
    for object poses whether it is in the visual hull, for scene poses |g|
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nvs.cameras import Camera
from nvs.cameras.rays import project, rays
from nvs.model.density_grid import (
    CELL,
    NUM_CELLS,
    centres,
    grid_from_model,
    model_from_grid,
    stops,
    views_at_once,
)
from nvs.model.trained_on import Poses

PHOTOGRAPH_PX = 64
"""Longer side of the input views as it sees them."""
NUM_PASSES = 2
NUM_FEATURES = 18
WIDTHS = (8, 16, 32, 48)
"""Channels at 64³ cells, 32³, 16³ and 8³."""
LARGEST_RADIUS = 0.95
"""|g| of the farthest cells of a scene that are looked at."""
HIDING = 100.0
"""Density of the visual hull before anything else is known."""
FEW = 4
"""Views that count as some: half of what the number of views can say."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sights:
    """Input views of one scene, small, as the network sees them."""

    image: Float[Tensor, "view 3 height width"]
    """In [0, 1]; `small` makes them."""
    camera: Camera
    """Theirs, of their size, in the model's frame."""
    hull: Bool[Tensor, "cell cell cell"] | None
    """The visual hull of an object; None for scene poses."""

    @property
    def poses(self) -> Poses:
        """Whose grid it is."""
        return "scene" if self.hull is None else "object"

    def looked_at(self) -> Bool[Tensor, "cell cell cell"]:
        """Cells that may have a density.

        Of an object those of the hull and, since outlines are a pixel off, beside it.
        """
        if self.hull is None:
            near = centres(self.image.device).norm(dim=-1) < LARGEST_RADIUS
            return near.view((NUM_CELLS,) * 3)
        return F.max_pool3d(self.hull[None].float(), 3, 1, 1)[0] > 0


def small(
    image: Float[Tensor, "view 3 height width"], camera: Camera
) -> tuple[Float[Tensor, "view 3 small_height small_width"], Camera]:
    """Views no larger than the network looks at, and their cameras."""
    height, width = image.shape[-2:]
    scale = min(1.0, PHOTOGRAPH_PX / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return F.interpolate(image, size, mode="area"), camera.resized(*size)


class DensityNet(nn.Module):
    """A U-Net over cells, run on what the density so far lets views see."""

    def __init__(self) -> None:
        super().__init__()
        deeper = list(itertools.pairwise(WIDTHS))
        self.first = _convolution(NUM_FEATURES, WIDTHS[0])
        self.down = nn.ModuleList(
            nn.Sequential(_convolution(a, b), _convolution(b, b)) for a, b in deeper
        )
        self.up = nn.ModuleList(_convolution(a + b, a) for a, b in deeper)
        self.last = nn.Linear(WIDTHS[0], 1)

    def forward(
        self, features: Float[Tensor, "1 feature cell cell cell"]
    ) -> Float[Tensor, "cell cell cell"]:
        """Densities of all cells from their features."""
        x = self.first(features.contiguous(memory_format=torch.channels_last_3d))
        finer: list[Tensor] = []
        for down in self.down:
            finer.append(x)
            x = down(F.max_pool3d(x, 2))
        for up in reversed(self.up):
            x = up(torch.cat([finer.pop(), F.interpolate(x, scale_factor=2)], dim=1))
        return 20 * F.softplus(self.last(x[0].movedim(0, -1))[..., 0].float() - 2)

    def densities(self, sights: Sights) -> list[Float[Tensor, "cell cell cell"]]:
        """What each pass says; gradients do not pass from one to the next."""
        looked_at = sights.looked_at()
        cells = looked_at.flatten().nonzero()[:, 0]
        place = centres(looked_at.device)[cells]
        so_far = None if sights.hull is None else sights.hull.float() * HIDING
        passes: list[Tensor] = []
        for _ in range(NUM_PASSES):
            features = place.new_zeros(NUM_FEATURES, NUM_CELLS**3)
            features[:, cells] = _features(sights, place, cells, so_far)
            found = self(features.view(1, NUM_FEATURES, *looked_at.shape))
            passes.append(torch.where(looked_at, found, 0))
            so_far = passes[-1].detach()
        return passes

    @torch.no_grad()
    def density(self, sights: Sights) -> Float[Tensor, "cell cell cell"]:
        """Of all cells, for `nvs.model.density_grid.stops`."""
        if sights.hull is not None and not sights.hull.any():
            return sights.hull.float()
        return self.densities(sights)[-1]


@functools.cache
def num_parameters() -> int:
    """All of a `DensityNet`."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in DensityNet().parameters())


def _convolution(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, 3, padding=1),
        nn.GroupNorm(outputs // 4, outputs),
        nn.ReLU(),
    )


@torch.no_grad()
def _features(
    sights: Sights,
    place: Float[Tensor, "cell 3"],
    cells: Tensor,
    so_far: Float[Tensor, "grid grid grid"] | None,
) -> Float[Tensor, "feature cell"]:
    """The features of some cells, g and number of which are given."""
    device = place.device
    with torch.autocast(device.type, enabled=False):
        point = model_from_grid(place, sights.poses)
        in_picture = place.new_zeros(7, len(place))
        seen = torch.zeros_like(in_picture)
        for some in views_at_once(len(sights.image), device):
            camera, image = sights.camera[some], sights.image[some.start : some.stop]
            pixel, depth = project(camera, point.expand(len(some), -1, -1))
            size = pixel.new_tensor([camera.width, camera.height])
            inside = (depth > 0) & ((pixel > 0) & (pixel < size)).all(dim=-1)
            view, own = inside.nonzero(as_tuple=True)
            if not len(own):
                continue
            at = pixel[view, own]
            colour = _colours(image, view, at / size * 2 - 1)
            sums = torch.cat([torch.ones_like(colour[:1]), colour, colour.square()])
            in_picture.index_add_(1, own, sums)
            if so_far is not None:
                its = camera, view, at, point[own], place[own]
                sums = sums * _seen(so_far, *its, sights.poses)
            seen.index_add_(1, own, sums)
    count, seen_count = in_picture[:1], seen[:1]
    opacity = torch.zeros_like(count)
    if so_far is not None:
        opacity = 1 - torch.exp(-so_far.flatten()[cells][None] * CELL)
    if sights.hull is None:
        last = place.norm(dim=-1)[None]
    else:
        last = sights.hull.flatten()[cells][None].float()
    counts = [
        torch.ones_like(count),
        opacity,
        count / (count + FEW),
        seen_count / (seen_count + FEW),
        seen_count / count.clamp(min=1),
        last,
    ]
    return torch.cat(
        [2 * torch.cat(counts) - 1, *_statistics(in_picture), *_statistics(seen)]
    )


def _colours(
    image: Float[Tensor, "view 3 height width"],
    view: Int[Tensor, "pair"],
    at: Float[Tensor, "pair 2"],
) -> Float[Tensor, "3 pair"]:
    """Colours that views show at x, y in [−1, 1], linear between pixels."""
    # The views one behind another, each at its own depth: one look-up for all.
    depth = (2 * view[:, None] + 1) / len(image) - 1
    return F.grid_sample(
        image.movedim(0, 1)[None],
        torch.cat([at, depth.to(at)], dim=1)[None, None, None],
        align_corners=False,
        padding_mode="border",
    )[0, :, 0, 0]


def _seen(
    so_far: Tensor,
    camera: Camera,
    view: Int[Tensor, "pair"],
    pixel: Float[Tensor, "pair 2"],
    point: Float[Tensor, "pair 3"],
    place: Float[Tensor, "pair 3"],
    poses: Poses,
) -> Float[Tensor, "pair"]:
    """How well views see cells: 1 down to a cell behind where their rays stop.

    From there on it falls, by half within a cell and a half.
    """
    column, row = pixel.T.long()
    ray = (view * camera.height + row) * camera.width + column
    looked_at, own = ray.unique(return_inverse=True)
    origin, direction = (
        r.movedim(1, -1).flatten(0, 2)[looked_at] for r in rays(camera)
    )
    (t,), (stop,) = stops(so_far[None], origin[None], direction[None], poses)
    end = grid_from_model(origin + t[:, None] * direction, poses)
    distance = (point - camera.center[view]).norm(dim=-1)
    is_behind = (stop[own] > 0) & (distance > t[own])
    behind = (place - end[own]).norm(dim=-1) * is_behind
    return torch.exp(-(behind / CELL - 1).clamp(min=0) / 2)


def _statistics(sums: Float[Tensor, "7 cell"]) -> list[Tensor]:
    """Mean and standard deviation of colours, each centred and of size 1."""
    count = sums[:1].clamp(min=1e-3)
    mean = sums[1:4] / count
    variance = (sums[4:] / count - mean.square()).clamp(min=0)
    return [mean - 0.5, 4 * (variance + 1e-4).sqrt()]
