"""Which tokens of a view show something: most of an object's are background.

Where the surfaces of an object before white are known, the network is given the patches
that show it and those around; the rest is white, and costs nothing. Views of one call
keep equally many, the most that any of them needs, made up from the rest: one view a
call, as the renderer has it, keeps what it needs, and scenes of a training step a few
more.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nvs.model.density_grid import quarter
from nvs.model.visual_hull import silhouettes

AROUND = 2
"""Patches around one that shows something, which are kept too."""


def by_surfaces(
    surface: Float[Tensor, "batch view 2 down across"], patch_size: int
) -> Bool[Tensor, "batch view rows columns"]:
    """Patches of which a ray, or of their neighbours, ends at a surface."""
    stopped = F.max_pool2d(surface[:, :, 1], patch_size // quarter(patch_size))
    return _with_neighbours(stopped)


def by_colours(
    image: Float[Tensor, "batch view 3 height width"], patch_size: int
) -> Bool[Tensor, "batch view rows columns"]:
    """Patches of which a pixel, or of their neighbours, is no background."""
    shown = silhouettes(image.flatten(0, 1)).unflatten(0, image.shape[:2])
    return _with_neighbours(F.max_pool2d(shown.float(), patch_size))


def kept(
    shown: Bool[Tensor, "batch view rows columns"],
) -> Int[Tensor, "batch view kept"]:
    """Numbers of the tokens to keep: all that are shown, others to make up."""
    flat = shown.flatten(2)
    most = int(flat.sum(dim=-1).amax().clamp(min=1))
    return flat.float().topk(most, dim=-1).indices


def take(
    tokens: Float[Tensor, "batch view token width"],
    kept: Int[Tensor, "batch view kept"],
) -> Float[Tensor, "batch view kept width"]:
    """The tokens with these numbers."""
    return tokens.gather(2, kept[..., None].expand(-1, -1, -1, tokens.shape[-1]))


def put_back(
    kept_tokens: Float[Tensor, "batch view kept width"],
    kept: Int[Tensor, "batch view kept"],
    num_tokens: int,
    *,
    fill: float,
) -> Float[Tensor, "batch view token width"]:
    """The inverse of `take`, with a value for all others."""
    batch, views, _, width = kept_tokens.shape
    full = kept_tokens.new_full((batch, views, num_tokens, width), fill)
    return full.scatter(2, kept[..., None].expand(-1, -1, -1, width), kept_tokens)


def _with_neighbours(share: Float[Tensor, "batch view rows columns"]) -> Tensor:
    return F.max_pool2d(share, 2 * AROUND + 1, 1, AROUND) > 0
