"""Parts of a scene together with their surfaces."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nvs.train.synthetic import shapes
from nvs.train.synthetic.solids import Parts, Solids, compose
from nvs.train.synthetic.textures import Textures

_T = TypeVar("_T", Parts, Textures)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Group:
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
        body, cut = (
            _moved(parts, frame) for parts in (self.solids.body, self.solids.cut)
        )
        return replace(self, solids=Solids(body=body, cut=cut))


def join(groups: list[Group]) -> Group:
    """One group of all parts; a shell, which has slots of its own, must be the last."""
    body = concatenate([group.solids.body for group in groups])
    cut = concatenate([group.solids.cut for group in groups])
    textures = concatenate([group.textures for group in groups])
    return Group(solids=Solids(body=body, cut=cut), textures=textures)


def concatenate(pieces: list[_T]) -> _T:
    """Parts or textures of each scene one after the other."""
    names = [field.name for field in fields(pieces[0])]
    columns = {n: torch.cat([getattr(p, n) for p in pieces], dim=1) for n in names}
    return type(pieces[0])(**columns)


def _moved(parts: Parts, frame: Tensor) -> Parts:
    inner = parts.world_from_local.double()
    outer = frame[:, None].expand_as(inner)
    return Parts.place(parts.kind, parts.ratio, compose(outer, inner))
