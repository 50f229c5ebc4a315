"""Solids of a batch of scenes: unit shapes under affine maps, some with a cut."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nvs.train.synthetic import shapes


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Parts:
    """Shapes of a batch of scenes; scenes with fewer have some of kind `NONE`."""

    kind: Int[Tensor, "scene part"]
    """Which shape of `shapes`."""
    ratio: Float[Tensor, "scene part"]
    """The shape's parameter."""
    world_from_local: Float[Tensor, "scene part 3 4"]
    """Affine maps: columns are the axes and the centre, in world units."""
    local_from_world: Float[Tensor, "scene part 3 3"]
    """Inverses of the linear parts."""

    @staticmethod
    def place(
        kind: Int[Tensor, "scene part"],
        ratio: Float[Tensor, "scene part"],
        world_from_local: Float[Tensor, "scene part 3 4"],
    ) -> Parts:
        """Parts under invertible maps, inverted in the precision given."""
        return Parts(
            kind=kind,
            ratio=ratio.float(),
            world_from_local=world_from_local.float(),
            local_from_world=torch.linalg.inv(world_from_local[..., :3]).float(),
        )

    @property
    def center(self) -> Float[Tensor, "scene part 3"]:
        """Centres in world units."""
        return self.world_from_local[..., 3]

    @property
    def half_extent(self) -> Float[Tensor, "scene part 3"]:
        """Half the sides of the box that bounds each shape in its own frame."""
        one = torch.ones_like(self.ratio)
        depth = torch.where(self.kind == shapes.TORUS, self.ratio, one)
        return torch.stack([one, one, depth], dim=-1)

    def to(self, device: torch.device | str) -> Parts:
        """Move all tensors."""
        return Parts(
            kind=self.kind.to(device),
            ratio=self.ratio.to(device),
            world_from_local=self.world_from_local.to(device),
            local_from_world=self.local_from_world.to(device),
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Solids:
    """Bodies, and what is cut from each (kind `NONE`: nothing).

    Only convex bodies may have a cut, and only convex shapes may cut.
    """

    body: Parts
    cut: Parts

    def to(self, device: torch.device | str) -> Solids:
        """Move all tensors."""
        return Solids(body=self.body.to(device), cut=self.cut.to(device))


def compose(
    outer: Float[Tensor, "*shape 3 4"], inner: Float[Tensor, "*shape 3 4"]
) -> Float[Tensor, "*shape 3 4"]:
    """The affine map that applies `inner`, then `outer`."""
    moved = outer[..., :3] @ inner
    return torch.cat([moved[..., :3], moved[..., 3:] + outer[..., 3:]], dim=-1)
