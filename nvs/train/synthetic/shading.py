"""What colour a hit has: its texture under ambient light, one lamp and some gloss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import normalize

from nvs.train.synthetic import shapes
from nvs.train.synthetic.draws import Draws
from nvs.train.synthetic.solids import Parts, Solids
from nvs.train.synthetic.textures import Textures, albedo
from nvs.train.synthetic.trace import Hits, Views
from nvs.train.synthetic.vectors import apply, dot, gather, unit
from nvs.train.tensors import Tensors

_SHININESS = 40
_GRAZING = 0.15
_CLOSEST = 0.5
"""A lamp's light grows no more within this distance, squared and over the origin's."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Light(Tensors):
    """Light of each scene of a batch."""

    toward: Float[Tensor, "scene 3"]
    """Unit vectors toward the lamp, from the origin."""
    nearness: Float[Tensor, "scene"]
    """One over the lamp's distance from the origin; 0 for one far away."""
    ambient: Float[Tensor, "scene"]
    """Share of the light that comes from everywhere."""
    lamp: Float[Tensor, "scene"]
    """Share of the light at the origin that comes from the lamp."""
    background: Float[Tensor, "scene 3"]
    """Colour where nothing is hit, at the horizon and below."""
    zenith: Float[Tensor, "scene 3"]
    """The same straight up; in between the two blend."""


def draw_light(
    draws: Draws,
    background: Float[Tensor, "batch 3"],
    zenith: Float[Tensor, "batch 3"],
    nearness: Float[Tensor, "batch"],
) -> Light:
    """Mostly ambient light with a lamp that is rarely below the horizon."""
    ambient = draws.uniform(low=0.6, high=1.0)
    toward = draws.direction()
    height = toward[:, 2].abs() * 0.9 + 0.1
    below = draws.chance(probability=0.1)
    height = torch.where(below, -height, height)
    toward = normalize(torch.cat([toward[:, :2], height[:, None]], dim=-1), dim=-1)
    lamp = (1.08 - ambient) * draws.uniform(low=0.5, high=1.0)
    return Light(
        toward=toward.float(),
        nearness=nearness.float(),
        ambient=ambient.float(),
        lamp=lamp.float(),
        background=background.float(),
        zenith=zenith.float(),
    )


def draw_sky(draws: Draws, *shape: int) -> Float[Tensor, "batch *shape 2 3"]:
    """Colours near the horizon and overhead, from clear blue to overcast."""
    clear = torch.tensor([[0.8, 0.88, 0.96], [0.3, 0.52, 0.9]], dtype=torch.float64)
    grey = draws.uniform(*shape, 1, 1, low=0.75, high=1.0)
    cloud = draws.uniform(*shape, 1, 1)
    return clear + (grey - clear) * cloud


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
    cosine, stronger near to it, and, on glossy surfaces, a Blinn–Phong highlight.
    Nothing casts a shadow.
    """
    scene = views.scene.index_select(0, hits.view)
    direction = _directions(views, hits)
    center = torch.stack(gather(views.center.T.contiguous(), hits.view))
    point = center + hits.depth * direction
    parts = scene * solids.body.kind.shape[1] + hits.part
    local, normal = _surface(solids.body, parts, point)
    cut = hits.on_cut.nonzero()[:, 0]
    _, out_of_cut = _surface(
        solids.cut, parts.index_select(0, cut), point.index_select(1, cut)
    )
    normal.index_copy_(1, cut, -out_of_cut)
    slot = scene * textures.kind.shape[1] + hits.part
    slot = slot + _shell_face(solids, parts, local)

    length = dot(direction, direction).sqrt()
    facing = -dot(normal, direction) / length
    pixel = 1 / (views.intrinsics[:, 0] * views.samples_per_pixel)
    pixel = pixel.index_select(0, hits.view)
    footprint = hits.depth * pixel / facing.abs().clamp_min(_GRAZING)
    axes = normalize(solids.body.world_from_local[..., :3], dim=-2)
    side = apply(gather(_table(axes.transpose(-2, -1)), parts), normal)
    color = albedo(textures, slot, local, side, footprint, photographs)

    # The lamp is the homogeneous point (toward, nearness).
    lamps = torch.cat([light.toward, light.nearness[:, None], light.lamp[:, None]], 1)
    *away, near, lamp = gather(lamps.T.contiguous(), scene)
    toward = torch.stack(away) - near * point
    distance2 = dot(toward, toward)
    toward = toward * distance2.clamp_min(1e-12).rsqrt()
    lamp = lamp / distance2.clamp_min(_CLOSEST)
    sky = light.ambient.index_select(0, scene) * (0.92 + 0.08 * normal[2])
    cosine = dot(normal, toward).clamp_min(0)
    half = unit(toward - direction / length)
    shine = dot(normal, half).clamp_min(0) ** _SHININESS
    shine = shine * textures.gloss.flatten().index_select(0, slot)
    return (color * (sky + lamp * cosine) + shine).clamp(0, 1)


def sky(views: Views, light: Light) -> Float[Tensor, "3 sample"]:
    """Colours of all samples of all views where nothing is hit."""
    matrix = views.direction_from_sample()
    row = torch.arange(views.rows, device=matrix.device).float()[:, None]
    column = torch.arange(views.columns, device=matrix.device).float()
    x, y, z = (
        a[:, None, None] * column + b[:, None, None] * row + c[:, None, None]
        for a, b, c in (matrix[:, axis].unbind(-1) for axis in range(3))
    )
    rise = (z * (x * x + y * y + z * z).rsqrt()).clamp_min(0).sqrt().flatten(1)
    low = light.background.T[:, views.scene, None]
    high = light.zenith.T[:, views.scene, None]
    return (low + (high - low) * rise).flatten(1)


def _directions(views: Views, hits: Hits) -> Float[Tensor, "3 hit"]:
    rest = hits.sample % (views.rows * views.columns)
    row = torch.div(rest, views.columns, rounding_mode="floor")
    column = rest - row * views.columns
    grid = torch.stack([column, row, torch.ones_like(row)]).float()
    return apply(gather(_table(views.direction_from_sample()), hits.view), grid)


def _table(matrices: Float[Tensor, "*shape 3 3"]) -> Float[Tensor, "9 entry"]:
    return matrices.reshape(-1, 9).T.contiguous()


def _surface(
    shape: Parts, parts: Int[Tensor, "hit"], point: Float[Tensor, "3 hit"]
) -> tuple[Float[Tensor, "3 hit"], Float[Tensor, "3 hit"]]:
    """Points in the frames of their parts, and unit normals in the world."""
    center = torch.stack(gather(shape.center.flatten(0, 1).T.contiguous(), parts))
    local_from_world = gather(_table(shape.local_from_world), parts)
    local = apply(local_from_world, point - center)
    kinds = shape.kind.flatten().index_select(0, parts)
    ratio = shape.ratio.flatten().index_select(0, parts)
    across = torch.zeros_like(point)
    for kind in range(shapes.SHELL + 1):
        here = (kinds == kind).nonzero()[:, 0]
        if len(here):
            x, y, z = local.index_select(1, here)
            found = shapes.normal(kind, (x, y, z), ratio.index_select(0, here))
            across.index_copy_(1, here, torch.stack(found))
    # A normal is a covector: the transposed inverse carries it to the world.
    a, b, c, d, e, f, g, h, i = local_from_world
    return local, unit(apply([a, d, g, b, e, h, c, f, i], across))


def _shell_face(solids: Solids, parts: Tensor, local: Tensor) -> Tensor:
    """0 for the floor, 1 for the ceiling and 2 … 5 for the walls of a shell; else 0."""
    x, y, z = local
    ax, ay, az = x.abs(), y.abs(), z.abs()
    flat = (az >= ax) & (az >= ay)
    wall = torch.where(ax >= ay, 2 + (x > 0).long(), 4 + (y > 0).long())
    face = torch.where(flat, (z > 0).long(), wall)
    return face * (solids.body.kind.flatten().index_select(0, parts) == shapes.SHELL)
