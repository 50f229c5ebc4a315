"""What colour a hit has: its texture under ambient light, one lamp and some gloss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import normalize

from nvs.train.synthetic import shapes
from nvs.train.synthetic.solids import Solids
from nvs.train.synthetic.textures import Textures, albedo
from nvs.train.synthetic.trace import Hits, Views

_SHININESS = 40
_GRAZING = 0.15


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Light:
    """Light of each scene of a batch."""

    toward: Float[Tensor, "scene 3"]
    """Unit vectors toward the lamp."""
    ambient: Float[Tensor, "scene"]
    """Share of the light that comes from everywhere."""
    lamp: Float[Tensor, "scene"]
    """Share of the light that comes from the lamp."""
    background: Float[Tensor, "scene 3"]
    """Colour where nothing is hit."""

    def to(self, device: torch.device | str) -> Light:
        """Move all tensors."""
        return Light(
            toward=self.toward.to(device),
            ambient=self.ambient.to(device),
            lamp=self.lamp.to(device),
            background=self.background.to(device),
        )


def shade(
    views: Views,
    hits: Hits,
    solids: Solids,
    textures: Textures,
    light: Light,
    photographs: UInt8[Tensor, "photo side side 4"] | None,
) -> Float[Tensor, "3 hit"]:
    """Colours of hits, in [0, 1].

    Ambient light is a little stronger on surfaces that face up; the lamp adds Lambert's
    cosine and, on glossy surfaces, a Blinn–Phong highlight. Nothing casts a shadow.
    """
    scene = views.scene.index_select(0, hits.view)
    direction = _directions(views, hits)
    point = views.center.T.index_select(1, hits.view) + hits.depth * direction
    parts = scene * solids.body.kind.shape[1] + hits.part
    local = _to_local(solids.body.center, solids.body.local_from_world, parts, point)
    normal = _world_normals(solids, parts, hits.on_cut, point)
    slot = scene * textures.kind.shape[1] + hits.part
    slot = slot + _shell_face(solids, parts, local)

    length = _dot(direction, direction).sqrt()
    facing = -_dot(normal, direction) / length
    pixel = 1 / (views.intrinsics[:, 0] * views.samples_per_pixel)
    pixel = pixel.index_select(0, hits.view)
    footprint = hits.depth * pixel / facing.abs().clamp_min(_GRAZING)
    axes = normalize(solids.body.world_from_local[..., :3], dim=-2)
    side = _product(axes.transpose(-2, -1).flatten(0, 1), parts, normal)
    color = albedo(textures, slot, local, side, footprint, photographs)

    toward = light.toward.T.index_select(1, scene)
    sky = light.ambient.index_select(0, scene) * (0.92 + 0.08 * normal[2])
    cosine = _dot(normal, toward).clamp_min(0)
    half = _unit(toward - direction / length)
    shine = _dot(normal, half).clamp_min(0) ** _SHININESS
    shine = shine * textures.gloss.flatten().index_select(0, slot)
    lamp = light.lamp.index_select(0, scene)
    return (color * (sky + lamp * cosine) + shine).clamp(0, 1)


def _directions(views: Views, hits: Hits) -> Float[Tensor, "3 hit"]:
    rest = hits.sample % (views.rows * views.columns)
    row = torch.div(rest, views.columns, rounding_mode="floor")
    column = rest - row * views.columns
    grid = torch.stack([column, row, torch.ones_like(row)]).float()
    return _product(views.direction_from_sample(), hits.view, grid)


def _to_local(
    center: Tensor, local_from_world: Tensor, parts: Tensor, point: Tensor
) -> Float[Tensor, "3 hit"]:
    offset = point - center.flatten(0, 1).T.index_select(1, parts)
    return _product(local_from_world.flatten(0, 1), parts, offset)


def _product(
    matrices: Float[Tensor, "part 3 3"], which: Tensor, vectors: Tensor
) -> Float[Tensor, "3 hit"]:
    """Each vector multiplied by the matrix of its part."""
    table = matrices.flatten(1).T.contiguous().index_select(1, which)
    x, y, z = vectors
    return torch.stack(
        [a * x + b * y + c * z for a, b, c in table.unflatten(0, (3, 3))]
    )


def _dot(a: Tensor, b: Tensor) -> Float[Tensor, "hit"]:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _unit(vectors: Tensor) -> Float[Tensor, "3 hit"]:
    # Written out: norms over a short first dimension are slow on CPUs.
    return vectors / _dot(vectors, vectors).sqrt().clamp_min(1e-12)


def _world_normals(
    solids: Solids, parts: Tensor, on_cut: Tensor, point: Tensor
) -> Float[Tensor, "3 hit"]:
    """Unit normals that point out of what is left of each body."""
    result = torch.zeros_like(point)
    for source, chosen, sign in (
        (solids.body, ~on_cut, 1.0),
        (solids.cut, on_cut, -1.0),
    ):
        kinds = source.kind.flatten().index_select(0, parts)
        kinds = torch.where(chosen, kinds, shapes.NONE)
        covector = source.local_from_world.flatten(0, 1).transpose(-2, -1)
        for kind in range(shapes.SHELL + 1):
            here = (kinds == kind).nonzero()[:, 0]
            where = parts.index_select(0, here)
            x, y, z = _to_local(
                source.center,
                source.local_from_world,
                where,
                point.index_select(1, here),
            )
            ratio = source.ratio.flatten().index_select(0, where)
            across = torch.stack(shapes.normal(kind, (x, y, z), ratio))
            # A normal is a covector: the transposed inverse carries it to the world.
            world = _product(covector, where, across)
            result.index_copy_(1, here, sign * _unit(world))
    return result


def _shell_face(solids: Solids, parts: Tensor, local: Tensor) -> Tensor:
    """0 for the floor, 1 for the ceiling and 2 … 5 for the walls of a shell; else 0."""
    x, y, z = local
    ax, ay, az = x.abs(), y.abs(), z.abs()
    flat = (az >= ax) & (az >= ay)
    wall = torch.where(ax >= ay, 2 + (x > 0).long(), 4 + (y > 0).long())
    face = torch.where(flat, (z > 0).long(), wall)
    return face * (solids.body.kind.flatten().index_select(0, parts) == shapes.SHELL)
