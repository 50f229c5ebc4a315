"""Random objects: parts that touch, stand on, mirror or circle one another."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from nvs.train.synthetic import shapes
from nvs.train.synthetic.draws import CYCLES, Draws
from nvs.train.synthetic.materials import draw_textures
from nvs.train.synthetic.render import SceneBatch
from nvs.train.synthetic.shading import draw_light
from nvs.train.synthetic.solids import Parts, Solids, about_z, compose

MIN_PARTS, MAX_PARTS = 3, 9
ATTACHED, STACKED, MIRRORED, CIRCLED = range(4)
_KIND_WEIGHTS = [0.3, 0.2, 0.36, 0.14]
_CUT_SHARE = 0.3
_BULKY_SHARE = 0.6
"""Of objects that are one large body with things on it, as most scanned ones are."""
_PHOTOGRAPH_SHARE = 0.6
_PALE_SHARE = 0.5
"""Of objects in light colours."""


def draw_objects(draws: Draws) -> SceneBatch:
    """One object a scene, inside the cube [−1, 1]³, z up, before white."""
    kind, ratio = _draw_shapes(draws)
    layout = draws.choice(weights=[0.35, 0.2, 0.25, 0.2])
    bulky = draws.chance(probability=_BULKY_SHARE)
    linear = _draw_linear(draws, layout, bulky)
    active = _draw_active(draws)
    kind, ratio, affine, twin = _assemble(draws, layout, kind, ratio, linear)
    kind = torch.where(active, kind, shapes.NONE)
    affine = _fit(draws, kind, affine, bulky)
    cut = _draw_cuts(draws, kind, ratio, affine, twin)
    size = affine[..., :3].norm(dim=-2)
    matching = draws.chance(1, probability=0.6)
    surfaces = draw_textures(draws, size, photograph_share=_PHOTOGRAPH_SHARE).take(
        torch.where(matching, twin, torch.arange(MAX_PARTS))
    )
    pale = draws.chance(1, 1, 1, probability=_PALE_SHARE)
    dark = torch.where(pale, draws.uniform(1, 1, 1, low=0.3, high=0.7), 1.0).float()
    surfaces = replace(surfaces, colors=1 - (1 - surfaces.colors) * dark)
    white = torch.ones(draws.batch, 3)
    return SceneBatch(
        solids=Solids(body=Parts.place(kind, ratio, affine), cut=cut),
        textures=surfaces,
        light=draw_light(draws, white, white, torch.zeros(draws.batch)),
    )


def _draw_active(draws: Draws) -> Tensor:
    count = MIN_PARTS + draws.integer(count=MAX_PARTS - MIN_PARTS + 1)
    return torch.arange(MAX_PARTS) < count[:, None]


def _draw_shapes(
    draws: Draws,
) -> tuple[Int[Tensor, "batch part"], Float[Tensor, "batch part"]]:
    kind = draws.choice(MAX_PARTS, weights=_KIND_WEIGHTS)
    tube = draws.uniform(MAX_PARTS, low=0.12, high=0.4)
    top = draws.uniform(MAX_PARTS)
    form = draws.choice(MAX_PARTS, weights=[0.45, 0.25, 0.3])
    top = torch.where(form == 0, 1.0, torch.where(form == 1, 0.0, top))
    return kind, torch.where(kind == shapes.TORUS, tube, top)


def _draw_linear(
    draws: Draws, layout: Int[Tensor, "batch"], bulky: Bool[Tensor, "batch"]
) -> Float[Tensor, "batch part 3 3"]:
    """Rotation × shear × size; upright and round about z where parts are stacked."""
    size = draws.uniform(MAX_PARTS, low=0.16, high=0.55)
    size[:, 0] = 0.3 + size[:, 0]
    size[:, 0] = torch.where(bulky, 1.4 * size[:, 0], size[:, 0])
    size[:, 1:] = torch.where(bulky[:, None], 0.7 * size[:, 1:], size[:, 1:])
    aspect = draws.uniform(MAX_PARTS, 3, low=-0.7, high=0.7).exp()
    slim = draws.chance(MAX_PARTS, 3, probability=0.12)
    slim[:, 0] &= ~bulky[:, None]
    aspect = torch.where(slim, 0.35 * aspect, aspect)
    stacked = (layout == STACKED)[:, None]
    round_ = stacked | draws.chance(MAX_PARTS, probability=0.4)
    aspect[..., 1] = torch.where(round_, aspect[..., 0], aspect[..., 1])
    turned = draws.choice(MAX_PARTS, weights=[0.55, 0.25, 0.2])
    yaw = draws.uniform(MAX_PARTS, high=2 * math.pi)
    lying = CYCLES[draws.choice(MAX_PARTS, weights=[0.6, 0.2, 0.2])]
    rotation = torch.where((turned == 1)[..., None, None], about_z(yaw), lying)
    rotation = torch.where(
        (turned == 2)[..., None, None], draws.rotation(MAX_PARTS), rotation
    )
    upright = torch.eye(3, dtype=torch.float64)
    rotation = torch.where(stacked[..., None, None], upright, rotation)
    sheared = draws.chance(MAX_PARTS, probability=0.2) & ~stacked
    amount = draws.uniform(MAX_PARTS, low=-0.5, high=0.5) * sheared
    shear = upright.repeat(draws.batch, MAX_PARTS, 1, 1)
    shear[..., 0, 2] = amount
    return rotation @ shear * (size[..., None] * aspect)[..., None, :]


def _assemble(
    draws: Draws, layout: Tensor, kind: Tensor, ratio: Tensor, linear: Tensor
) -> tuple[Tensor, Tensor, Tensor, Int[Tensor, "batch part"]]:
    """Place each part against an earlier one, or copy one by the scene's symmetry.

    Returns:
        Kinds, ratios, affine maps and, for each part, which one it copies (or itself).
    """
    batch = torch.arange(draws.batch)
    kind, ratio = kind.clone(), ratio.clone()
    affine = torch.cat([linear, torch.zeros_like(linear[..., :1])], dim=-1)
    parents = draws.uniform(MAX_PARTS)
    outward = draws.direction(MAX_PARTS)
    snapped = draws.chance(MAX_PARTS, probability=0.6)
    largest = outward.abs() == outward.abs().amax(-1, keepdim=True)
    outward = torch.where(snapped[..., None], outward.sign() * largest, outward)
    up = outward.new_tensor([0.0, 0.0, 1.0])
    outward = torch.where((layout == STACKED)[:, None, None], up, outward)
    sink = draws.uniform(MAX_PARTS, low=0.25, high=0.95)
    seat = torch.tensor(0.98, dtype=torch.float64)
    sink = torch.where((layout == STACKED)[:, None], seat, sink)
    petals = 3 + draws.integer(count=4)
    index = torch.arange(MAX_PARTS)
    mirrored = (layout == MIRRORED)[:, None] & (index % 2 == 0) & (index > 0)
    copied = (layout == CIRCLED)[:, None] & (index >= 2) & (index < 1 + petals[:, None])
    again = mirrored | copied
    twin = torch.where(mirrored, index - 1, torch.where(copied, 1, index))
    turn = about_z(2 * math.pi * (index - 1) / petals[:, None])
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
    turn = torch.where(mirrored[..., None, None], mirror, turn)
    for part in range(1, MAX_PARTS):
        parent = (parents[:, part] * part).long()
        parent = torch.where(layout == STACKED, part - 1, parent)
        parent = torch.where((layout == CIRCLED) & (part < 7), 0, parent)
        direction = outward[:, part]
        anchor = _surface(kind[batch, parent], affine[batch, parent], direction)
        reach = _reach(kind[:, part], affine[:, part, :, :3], direction)
        center = anchor + direction * (reach * sink[:, part])[:, None]
        affine[:, part, :, 3] = center
        source = twin[:, part]
        affine[:, part] = torch.where(
            again[:, part, None, None],
            turn[:, part] @ affine[batch, source],
            affine[:, part],
        )
        kind[:, part] = kind[batch, source]
        ratio[:, part] = ratio[batch, source]
    return kind, ratio, affine, twin


def _surface(kind: Tensor, affine: Tensor, direction: Tensor) -> Tensor:
    """A point on or just under a part's surface, on the side of a world direction."""
    local = normalize((direction[:, None] @ affine[..., :3])[:, 0], dim=-1)
    boxed = local / local.abs().amax(-1, keepdim=True)
    local = torch.where((kind == shapes.BOX)[:, None], boxed, local)
    axial = local[:, 2:].abs() > 0.99
    ring = normalize(local * torch.tensor([1.0, 1.0, 0.0]), dim=-1)
    on_ring = (kind == shapes.TORUS)[:, None] & ~axial
    local = torch.where(on_ring, ring, local)
    return (affine[..., :3] @ local[..., None])[..., 0] + affine[..., 3]


def _reach(kind: Tensor, linear: Tensor, direction: Tensor) -> Tensor:
    """How far a part extends along a direction from its centre."""
    along = (direction[:, None] @ linear)[:, 0].abs()
    return torch.where(kind == shapes.BOX, along.sum(-1), along.norm(dim=-1))


def _fit(
    draws: Draws, kind: Tensor, affine: Tensor, bulky: Tensor
) -> Float[Tensor, "batch part 3 4"]:
    """Turn about z, centre and scale into the cube.

    Bulky ones fill it; a quarter of the others end up off-centre.
    """
    yaw = draws.uniform(high=2 * math.pi)
    affine = about_z(yaw)[:, None] @ affine
    extent = affine[..., :3].abs().sum(-1)
    oval = (kind == shapes.ELLIPSOID)[..., None]
    extent = torch.where(oval, affine[..., :3].norm(dim=-1), extent)
    center, absent = affine[..., 3], (kind == shapes.NONE)[..., None]
    low = (center - extent).masked_fill(absent, math.inf).amin(1)
    high = (center + extent).masked_fill(absent, -math.inf).amax(1)
    target = draws.uniform(low=0.62, high=0.98)
    target = torch.where(bulky, 0.98, target)
    scale = target / ((high - low) / 2).amax(-1)
    moved = draws.chance(probability=0.25)
    offset = draws.uniform(3, low=-1.0, high=1.0) * ((1 - target) * moved)[:, None]
    middle = (low + high) / 2
    centered = (center - middle[:, None]) * scale[:, None, None] + offset[:, None]
    linear = affine[..., :3] * scale[:, None, None, None]
    return torch.cat([linear, centered[..., None]], dim=-1)


def _draw_cuts(
    draws: Draws, kind: Tensor, ratio: Tensor, affine: Tensor, twin: Tensor
) -> Parts:
    """Bores along z, hollows open at the top and bites out of a side."""
    style = draws.choice(MAX_PARTS, weights=[0.35, 0.3, 0.35])
    width = draws.uniform(MAX_PARTS, low=0.35, high=0.8)
    convex = torch.tensor(shapes.CONVEX)
    bite = convex[draws.integer(MAX_PARTS, count=3)]
    rotation = draws.rotation(MAX_PARTS)
    edge = draws.direction(MAX_PARTS) * 0.9
    bite_size = draws.uniform(MAX_PARTS, 3, low=0.35, high=0.7)

    eye = torch.eye(3, dtype=torch.float64)
    wide = torch.stack([width, width, torch.ones_like(width)], dim=-1)
    bored, hollow = (style == 0)[..., None], (style == 1)[..., None]
    size = torch.where(bored, wide * wide.new_tensor([1.0, 1.0, 1.5]), bite_size)
    size = torch.where(hollow, (0.2 + 0.8 * width[..., None]).expand(-1, -1, 3), size)
    lift = wide.new_tensor([0.0, 0.0, 0.45]).expand_as(edge)
    center = torch.where(bored, 0.0, torch.where(hollow, lift, edge))
    rotation = torch.where((bored | hollow)[..., None], eye, rotation)
    inner = torch.cat([rotation * size[..., None, :], center[..., None]], dim=-1)

    cut = torch.where(style == 0, shapes.FRUSTUM, torch.where(style == 1, kind, bite))
    top = torch.where(style == 0, 1.0, ratio)
    top = torch.where((style == 2) | (kind == shapes.TORUS), 0.5, top)
    chosen = draws.chance(MAX_PARTS, probability=_CUT_SHARE)
    cut, top, chosen = (value.gather(1, twin) for value in (cut, top, chosen))
    inner = inner[torch.arange(draws.batch)[:, None], twin]
    able = (kind != shapes.NONE) & (kind != shapes.TORUS) & chosen
    cut = torch.where(able, cut, shapes.NONE)
    return Parts.place(cut, top, compose(affine, inner))
