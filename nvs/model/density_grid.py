"""Where surfaces are: a grid of densities, and where it stops a ray.

A ray stops where half of its light is gone, the median of where it may end: where what
it has passed adds up to log 2 (the optical depth of arXiv:2003.08934, Eq. 1).

Notation:
    o, d    origin and unit direction of a ray, in the model's frame
    g       a place in the grid, in [−1, 1]³: for object poses linear in the point; for
            scene poses linear near the cameras, then contracted, so that the grid
            reaches to infinity (arXiv:2111.12077, Eq. 10)
    σ       density, of a length in g
    τⱼ      optical depth of a sample of a ray:  τⱼ = σ(gⱼ)·|gⱼ₊₁ − gⱼ|
    t       distance from o, where the ray stops: Σ τ = log 2
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from nvs.model.trained_on import Poses

NUM_CELLS = 64
"""Of a grid, along each axis."""
CELL = 2 / NUM_CELLS
"""Its side, in g."""
OBJECT_HALF_SIDE = 1.1
"""Of the cube that the grid of an object fills, in model units: objects fill
[−1, 1]³."""
OBJECT_REACH = 1.6
"""How far from its point nearest to the origin a ray is looked at, in model units."""
SCENE_RADIUS = 2.0
"""Of the ball that is not contracted, in model units: cameras are within [−1, 1]³."""
SCENE_NEAR, SCENE_FAR = 0.1, 30.0
"""Between which distances a ray is looked at, in model units."""
FARTHEST = 30.0
"""Point that a place outside of all is taken for, in radii of that ball."""
NUM_SAMPLES = 96
"""Of a ray."""
HALF_GONE = math.log(2)
"""Optical depth where a ray stops."""
LEAST = 1e-3
"""Optical depth that a sample with a surface has at least, or the loss is infinite."""
RAYS_AT_ONCE = {"cpu": 2**13, "cuda": 2**18}
"""So that memory does not grow with the views."""
VIEWS_AT_ONCE = {"cpu": 1, "cuda": 16}
"""Whose cells are looked at together: what stays in a CPU's cache, and fills a GPU."""


def grid_from_model(point: Float[Tensor, "*shape 3"], poses: Poses) -> Tensor:
    """The places g of points in model units."""
    if poses == "object":
        return point / OBJECT_HALF_SIDE
    near = point / SCENE_RADIUS
    length = near.norm(dim=-1, keepdim=True).clamp(min=1)
    return near * ((2 - 1 / length) / length) / 2


def model_from_grid(place: Float[Tensor, "*shape 3"], poses: Poses) -> Tensor:
    """The inverse of `grid_from_model`; far away where nothing is mapped to."""
    if poses == "object":
        return place * OBJECT_HALF_SIDE
    near = 2 * place
    length = near.norm(dim=-1, keepdim=True).clamp(min=1)
    stretch = 1 / (length * (2 - length).clamp(min=1 / FARTHEST))
    return near * stretch * SCENE_RADIUS


def views_at_once(num_views: int, device: torch.device) -> list[range]:
    """All views, in ranges that are to be looked at together."""
    count = VIEWS_AT_ONCE.get(device.type, VIEWS_AT_ONCE["cpu"])
    starts = range(0, num_views, count)
    return [range(start, min(start + count, num_views)) for start in starts]


def axis(device: torch.device) -> Float[Tensor, "cell"]:
    """The coordinates of the centres of cells along an axis."""
    return (torch.arange(NUM_CELLS, device=device) + 0.5) * CELL - 1


def centres(device: torch.device) -> Float[Tensor, "cell 3"]:
    """The places g of all cells, along x, y, z, the last the fastest."""
    axes = [axis(device)] * 3
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).view(-1, 3)


def sample(
    density: Float[Tensor, "cell cell cell"],
    origin: Float[Tensor, "ray 3"],
    direction: Float[Tensor, "ray 3"],
    poses: Poses,
    *,
    shift: Float[Tensor, "ray 1"] | float = 0.0,
) -> tuple[Float[Tensor, "ray sample"], Float[Tensor, "ray end"]]:
    """τ of the samples of rays, and the distance where each begins and the last ends.

    Args:
        density: σ at the centres of the cells; linear between them.
        origin: Where rays begin, in model units.
        direction: Their unit directions.
        poses: Whose grid it is. Nothing behind where a ray begins stops it.
        shift: Of all samples of a ray, in steps.
    """
    step = torch.arange(NUM_SAMPLES + 1, device=origin.device) + shift
    share = (step / NUM_SAMPLES).expand(len(origin), -1)
    if poses == "object":
        nearest = -(origin * direction).sum(dim=-1, keepdim=True)
        begin = nearest + (2 * share - 1) * OBJECT_REACH
        length = 2 * OBJECT_REACH / NUM_SAMPLES / OBJECT_HALF_SIDE
    else:
        begin = SCENE_NEAR * (SCENE_FAR / SCENE_NEAR) ** share
        length = None
    middle = (begin[:, 1:] + begin[:, :-1])[..., None] / 2
    place = grid_from_model(origin[:, None] + middle * direction[:, None], poses)
    if length is None:
        length = (place[:, 1:] - place[:, :-1]).norm(dim=-1)
        length = torch.cat([length, length[:, -1:]], dim=1)
    # grid_sample wants the last axis of the grid first.
    found = F.grid_sample(
        density[None, None], place.flip(-1)[None, None], align_corners=False
    )
    return found[0, 0, 0] * length * (middle[..., 0] > 0), begin


def stops(
    density: Float[Tensor, "batch cell cell cell"],
    origin: Float[Tensor, "batch ray 3"],
    direction: Float[Tensor, "batch ray 3"],
    poses: Poses,
) -> tuple[Float[Tensor, "batch ray"], Float[Tensor, "batch ray"]]:
    """Where grids stop rays: t, 0 where they do not, and 1 where they do, else 0."""
    at_once = RAYS_AT_ONCE.get(origin.device.type, RAYS_AT_ONCE["cpu"])
    found = [
        _stops(grid, *rays, poses)
        for grid, origins, directions in zip(density, origin, direction, strict=True)
        for rays in zip(origins.split(at_once), directions.split(at_once), strict=True)
    ]
    t, stop = zip(*found, strict=True)
    return torch.cat(t).view(origin.shape[:2]), torch.cat(stop).view(origin.shape[:2])


def quarter(patch_size: int) -> int:
    """Side in pixels of the squares whose rays are followed: a quarter of a patch."""
    return patch_size // 2 if patch_size % 2 == 0 else patch_size


def mean_rays(
    posed: Float[Tensor, "batch view 9 height width"], side: int
) -> tuple[Float[Tensor, "batch view 3 down across"], Tensor]:
    """Origin and mean unit direction of every square of so many pixels."""
    means = F.avg_pool2d(posed[:, :, :6].flatten(0, 1), side)
    origin, direction = means.unflatten(0, posed.shape[:2]).split(3, dim=2)
    return origin, F.normalize(direction, dim=2)


@torch.no_grad()
def surfaces(
    density: Float[Tensor, "batch cell cell cell"],
    posed: Float[Tensor, "batch view 9 height width"],
    poses: Poses,
    patch_size: int,
) -> Float[Tensor, "batch view 2 down across"]:
    """What `stops` says, t and 1 or 0, of every quarter of the patches of views."""
    with torch.autocast(posed.device.type, enabled=False):
        rays = mean_rays(posed, quarter(patch_size))
        origin, direction = (rearrange(r, "b v c h w -> b (v h w) c") for r in rays)
        found = torch.stack(stops(density, origin, direction, poses))
        views, _, rows, columns = rays[0].shape[1:]
        return rearrange(found, "n b (v h w) -> b v n h w", v=views, h=rows, w=columns)


def _stops(
    density: Tensor, origin: Tensor, direction: Tensor, poses: Poses
) -> tuple[Tensor, Tensor]:
    tau, begin = sample(density, origin, direction, poses)
    passed = tau.cumsum(dim=-1)
    gone = passed > HALF_GONE
    stop = gone[:, -1]
    first = gone.to(torch.uint8).argmax(dim=-1, keepdim=True)
    own = tau.gather(-1, first)
    left = (HALF_GONE - (passed.gather(-1, first) - own)) / own.clamp(min=1e-9)
    t = torch.lerp(begin.gather(-1, first), begin.gather(-1, first + 1), left)[:, 0]
    t = t.clamp(min=0)  # the first sample may begin behind
    return torch.where(stop, t, 0), stop.to(t)


def stopping_loss(
    density: Float[Tensor, "cell cell cell"],
    origin: Float[Tensor, "ray 3"],
    direction: Float[Tensor, "ray 3"],
    distance: Float[Tensor, "ray"],
    poses: Poses,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Mean negative log-likelihood that rays stop in the sample where they do.

    That is Σ τ before it, and −log(1 − exp(−τ)) for it; Σ τ of all for rays that meet
    nothing. Of no rays it is 0.

    Args:
        density: See `sample`, as for the others.
        origin: Where rays begin.
        direction: Their directions.
        distance: From the origin to the surface; infinite where there is none.
        poses: Whose grid it is.
        generator: Of the shifts of the samples.
    """
    shift = torch.rand(len(origin), 1, generator=generator, device=origin.device) - 0.5
    tau, begin = sample(density, origin, direction, poses, shift=shift)
    hit = distance.isfinite() & (distance < begin[:, -1])
    inside = (begin <= distance[:, None]).sum(dim=-1, keepdim=True) - 1
    inside = inside.clamp(0, NUM_SAMPLES - 1)
    own, passed = tau.gather(-1, inside), tau.cumsum(dim=-1)
    before = passed.gather(-1, inside) - own
    stopped = before - torch.log1p(-torch.exp(-own - LEAST))
    return torch.where(hit, stopped[:, 0], passed[:, -1]).sum() / max(1, len(origin))
