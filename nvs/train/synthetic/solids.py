"""Solids of a batch of scenes: unit shapes under affine maps, and what they wear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nvs.cameras.se3 import so3_about
from nvs.train.synthetic import shapes
from nvs.train.synthetic.textures import Textures
from nvs.train.tensors import T, Tensors, combine


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Parts(Tensors):
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

    def moved(self, frame: Float[Tensor, "scene 3 4"]) -> Parts:
        """All parts of each scene under an invertible map."""
        inner = self.world_from_local.double()
        outer = frame[:, None].expand_as(inner)
        return Parts.place(self.kind, self.ratio, compose(outer, inner))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Solids(Tensors):
    """Bodies, and what is cut from each (kind `NONE`: nothing).

    Only convex bodies may have a cut, and only convex shapes may cut.
    """

    body: Parts
    cut: Parts


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Group(Tensors):
    """Solids and the textures that they wear, a slot a part."""

    solids: Solids
    textures: Textures

    @staticmethod
    def place(
        kind: Tensor,
        ratio: Tensor,
        affine: Float[Tensor, "scene part 3 4"],
        textures: Textures,
    ) -> Group:
        """Parts with nothing cut from them."""
        body = Parts.place(kind, ratio, affine)
        none = replace(body, kind=torch.full_like(body.kind, shapes.NONE))
        return Group(solids=Solids(body=body, cut=none), textures=textures)

    def only(self, present: Bool[Tensor, "scene part"]) -> Group:
        """Without the parts that shall not be there."""
        body = self.solids.body
        kind = torch.where(present, body.kind, shapes.NONE)
        solids = replace(self.solids, body=replace(body, kind=kind))
        return replace(self, solids=solids)

    def moved(self, frame: Float[Tensor, "scene 3 4"]) -> Group:
        """All parts of each scene under an invertible map."""
        body, cut = self.solids.body.moved(frame), self.solids.cut.moved(frame)
        return replace(self, solids=Solids(body=body, cut=cut))


def join(pieces: Sequence[T]) -> T:
    """Parts, textures or both of each scene, one piece after the other.

    A shell, which has slots of its own, must be the last.
    """
    return combine(lambda *tensors: torch.cat(tensors, dim=1), *pieces)


def compose(
    outer: Float[Tensor, "*shape 3 4"], inner: Float[Tensor, "*shape 3 4"]
) -> Float[Tensor, "*shape 3 4"]:
    """The affine map that applies `inner`, then `outer`."""
    moved = outer[..., :3] @ inner
    return torch.cat([moved[..., :3], moved[..., 3:] + outer[..., 3:]], dim=-1)


def upright(
    half: Float[Tensor, "*shape 3"], center: Float[Tensor, "*shape 3"]
) -> Float[Tensor, "*shape 3 4"]:
    """Maps from unit shapes to ones along the axes, of these half-extents."""
    return torch.cat([torch.diag_embed(half), center[..., None]], dim=-1)


def about_z(angle_radians: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape 3 3"]:
    """Rotations about the upright axis."""
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    return so3_about(up, angle_radians)


def vector(*coordinates: Tensor | float) -> Float[Tensor, "*shape 3"]:
    """Three-vectors of their coordinates; numbers are the same for all."""
    tensors = [torch.as_tensor(c, dtype=torch.float64) for c in coordinates]
    return torch.stack(torch.broadcast_tensors(*tensors), dim=-1)
