"""Positions inside the fast weights: queries and keys turned by a point on their ray.

Notation:
    o, d    origin and unit direction of a token's ray, in the model's frame
    p       the pivot: 0 for object poses, near all optical axes for scene poses
    x       the point of the ray nearest to p:  x = o + ((p − o)·d)·d; with a grid of
            densities (`nvs.model.density_grid`), where it stops the ray, if it does
    aᵢ, ωⱼ  axes of an icosahedron, (0, 1, ±φ) and its rotations, and frequencies
    θᵢⱼ     ωⱼ·(aᵢ·x), the angle by which a pair of channels is turned

    q ← R q,  k ← R k                              after the unit norm
    f(x) = (R' (SiLU(x·w0) ∘ (x·w2)))·w1           R' the same for the hidden width

Pairs are (i, i + width/2), as in rotary embeddings (arXiv:2104.09864); the angles fill
them axis by axis, all frequencies of an axis together, and the remaining pairs are not
turned. Identities that check it: |R v| = |v|, Rᵀ R = 1, and ⟨R(x) q, R(y) k⟩ depends on
x − y alone.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from nvs.cameras import Camera
from nvs.model.density_grid import mean_rays, quarter

NUM_AXES = 6
LOWEST_FREQUENCY, HIGHEST_FREQUENCY = 0.5 * math.pi, 8 * math.pi
SINGLE_FREQUENCY = math.pi
PIVOT_REGULARISATION = 0.01
"""Weight of the pull towards the origin beside the mean over the axes."""


class Turn(NamedTuple):
    """A rotation of pairs of channels, one a token."""

    cos: Float[Tensor, "batch 1 token pair"]
    sin: Float[Tensor, "batch 1 token pair"]

    def apply(self, x: Float[Tensor, "batch head token dim"]) -> Tensor:
        """R x, in the dtype of x."""
        # Brought to the wider dtype once, not by each product.
        a, b = x.to(torch.promote_types(x.dtype, self.cos.dtype)).chunk(2, dim=-1)
        first = torch.addcmul(a * self.cos, b, self.sin, value=-1)
        second = torch.addcmul(a * self.sin, b, self.cos)
        return torch.cat([first.to(x.dtype), second.to(x.dtype)], dim=-1)

    def back(self, x: Float[Tensor, "batch head token dim"]) -> Tensor:
        """Rᵀ x, in the dtype of x."""
        return Turn(self.cos, -self.sin).apply(x)


class Turns(NamedTuple):
    """The rotations of some tokens, for both widths inside a fast-weight head."""

    head: Turn
    """Of queries and keys."""
    hidden: Turn
    """Of the hidden vector."""

    def tokens(self, start: int, end: int) -> Turns:
        """Those of a range of tokens."""
        return Turns(*(Turn(*(t[:, :, start:end] for t in turn)) for turn in self))


def turns(
    point: Float[Tensor, "batch token 3"], *, head_dim: int, hidden_dim: int
) -> Turns:
    """The rotations of tokens from the points of their rays."""
    return Turns(_turn(point, head_dim), _turn(point, hidden_dim))


def ray_points(
    posed: Float[Tensor, "batch view 9 height width"],
    pivot: Float[Tensor, "batch 3"] | None,
    patch_size: int,
    surface: Float[Tensor, "batch view 2 down across"] | None = None,
) -> Float[Tensor, "batch view token 3"]:
    """The point x of every patch, in model units.

    Its ray has the mean direction of the patch's pixels, normalised.

    Args:
        posed: Origin, unit direction and moment of every pixel's ray.
        pivot: The point p, for scene poses; the model's origin if absent, as object
            poses want it.
        patch_size: Side of a patch in pixels.
        surface: What `density_grid.surfaces` says. A patch lies as far along its ray as
            those of its quarters that are stopped do on average.
    """
    with torch.autocast(posed.device.type, enabled=False):
        origin, direction = (
            rearrange(ray, "b v c h w -> b v (h w) c")
            for ray in mean_rays(posed, patch_size)
        )
        towards = -origin if pivot is None else pivot[:, None, None] - origin
        along = (towards * direction).sum(dim=-1, keepdim=True)
        nearest = origin + along * direction
        if surface is None:
            return nearest
        quarters = patch_size // quarter(patch_size)
        means = F.avg_pool2d(surface.flatten(0, 1), quarters)
        means = rearrange(means, "(b v) n h w -> n b v (h w) 1", b=len(posed))
        distance, share = means
        stopped = origin + distance / share.clamp(min=1e-6) * direction
        return torch.where(share > 0, stopped, nearest)


def scene_pivot(camera: Camera) -> Float[Tensor, "3"]:
    """The point nearest to the optical axes of the input cameras of a scene.

    Least squares with a pull towards the model's origin, so that it is defined for one
    camera, for parallel axes and for cameras that look outwards: with P = 1 − d dᵀ of
    each axis, (mean P + λ) p = mean P c.

    Args:
        camera: The input cameras, in the model's frame.
    """
    direction = camera.world_from_camera[:, :3, 2].double()
    across = torch.eye(3, dtype=torch.float64, device=direction.device) - (
        direction[:, :, None] * direction[:, None, :]
    )
    normal = across.mean(dim=0)
    normal = normal + PIVOT_REGULARISATION * torch.eye(3).to(normal)
    wanted = (across @ camera.center.double()[:, :, None]).mean(dim=0)
    pivot = torch.linalg.solve(normal, wanted)[:, 0]
    return pivot.to(camera.world_from_camera.dtype)


def wider_channels(width: int, wider: int) -> Int[Tensor, "channel"]:
    """For every channel of a width, one of a wider that turns by nearly its angle."""
    num_pairs, more_pairs = width // 2, wider // 2
    few, many = (
        _frequencies(pairs // NUM_AXES).log() for pairs in (num_pairs, more_pairs)
    )
    nearest = (few[:, None] - many).abs().argmin(dim=1)
    turned = (torch.arange(NUM_AXES)[:, None] * len(many) + nearest).flatten()
    is_free = torch.ones(more_pairs, dtype=torch.bool).index_fill(0, turned, False)
    free = is_free.nonzero()[:, 0]  # those that are not turned come last
    place = torch.cat([turned, free[len(free) - (num_pairs - len(turned)) :]])
    return torch.cat([place, place + more_pairs])


def _turn(point: Float[Tensor, "batch token 3"], width: int) -> Turn:
    num_pairs = width // 2
    with torch.autocast(point.device.type, enabled=False):
        # A sum, not a product of matrices, which some devices round to TF32.
        along = (point[..., None, :] * _axes().to(point)).sum(dim=-1)
        frequencies = _frequencies(num_pairs // NUM_AXES).to(point)
        angle = (along[..., None] * frequencies).flatten(-2)
        angle = F.pad(angle, (0, num_pairs - angle.shape[-1]))[:, None]
        return Turn(angle.cos(), angle.sin())


def _axes() -> Float[Tensor, "6 3"]:
    golden = (1 + math.sqrt(5)) / 2
    axes = torch.tensor(
        [
            *((0, 1, golden), (0, 1, -golden)),
            *((1, golden, 0), (1, -golden, 0)),
            *((golden, 0, 1), (-golden, 0, 1)),
        ],
        dtype=torch.float64,
    )
    return F.normalize(axes, dim=-1)


def _frequencies(count: int) -> Float[Tensor, "frequency"]:
    if count == 1:
        return torch.tensor([SINGLE_FREQUENCY], dtype=torch.float64)
    low, high = math.log(LOWEST_FREQUENCY), math.log(HIGHEST_FREQUENCY)
    return torch.linspace(low, high, count, dtype=torch.float64).exp()
