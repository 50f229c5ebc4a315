"""Colours of surfaces: solid patterns and projected marks, in the frame of each part.

Notation:
    q           texture coordinates in cycles: `texture_from_local` · p
    footprint   spacing of the samples on the surface, in cycles
    value       0 for the first of a texture's two colours, 1 for the second

Every pattern is softened over one footprint at its edges and fades to its mean where
its cycles are no longer resolved, so what aliasing is left is below what supersampling
removes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from nvs.train.synthetic.vectors import gather
from nvs.train.tensors import Tensors

PLAIN, WAVES, CHECKER, STRIPES, GRADIENT, MARKS, PHOTOGRAPH = range(7)
NUMBERS = 2**31
"""Enough for any number of photographs to be chosen from evenly."""

_OCTAVES = (
    (0.83, 0.47, 0.30, 1.0),
    (-0.52, 1.46, 1.20, 0.6),
    (2.11, -1.70, 2.85, 0.36),
    (3.50, 4.72, -5.30, 0.22),
)
"""Direction in cycles and weight of each wave."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Textures(Tensors):
    """Textures of a batch of scenes, one a slot; see the module's notation."""

    kind: Int[Tensor, "scene slot"]
    texture_from_local: Float[Tensor, "scene slot 3 4"]
    """Affine map from a part's frame to cycles."""
    frequency: Float[Tensor, "scene slot"]
    """Cycles per world unit."""
    colors: Float[Tensor, "scene slot 2 3"]
    """The two colours, in [0, 1] but for what shines: above 1 is white in any light."""
    contrast: Float[Tensor, "scene slot"]
    """In [0, 1): how sharp waves are, how wavy stripes are, how full of marks."""
    number: Int[Tensor, "scene slot"]
    """In [0, `NUMBERS`): which marks by its first bits; the index of a photograph, once
    `Photographs.assigned` has made it one."""
    gloss: Float[Tensor, "scene slot"]
    """Strength of the highlight; 0 is matte."""

    def take(self, slot: Int[Tensor, "scene other"]) -> Textures:
        """Textures of chosen slots of each scene, repeated where they are."""
        scene = torch.arange(len(slot), device=slot.device)[:, None]
        return self.map(lambda tensor: tensor[scene, slot])


def albedo(
    textures: Textures,
    slot: Int[Tensor, "hit"],
    point: Float[Tensor, "3 hit"],
    normal: Float[Tensor, "3 hit"],
    footprint: Float[Tensor, "hit"],
    photographs: UInt8[Tensor, "photo side side 4"] | None,
) -> Float[Tensor, "3 hit"]:
    """Colours at surface points.

    Args:
        textures: Textures of all scenes.
        slot: Index into (scene, slot), flattened.
        point: Points in the frame of their part.
        normal: Normals along the axes of that frame, which choose the side that marks
            and photographs are projected from.
        footprint: Spacing of the samples on the surface, in world units.
        photographs: What textures of kind `PHOTOGRAPH` show: RGB and a byte that
            makes a pixel one word.
    """
    kind = textures.kind.flatten().index_select(0, slot)
    table = torch.cat(
        [
            textures.texture_from_local.flatten(2),
            textures.frequency[..., None],
            textures.contrast[..., None],
        ],
        dim=-1,
    )
    table = table.flatten(0, 1).T.contiguous()
    number = textures.number.flatten()
    value = torch.zeros_like(footprint)
    for solid, pattern in _PATTERNS.items():
        here = (kind == solid).nonzero()[:, 0]
        if not len(here):
            continue
        where = slot.index_select(0, here)
        q, frequency, contrast = _look_up(table, where, point.index_select(1, here))
        wide = footprint.index_select(0, here) * frequency
        value.index_copy_(0, here, pattern(q, wide, contrast))
    here, where, u, v, wide, contrast = _project(
        table, slot, point, normal, footprint, kind == MARKS
    )
    marks = _marks(u, v, wide, contrast, number.index_select(0, where))
    value.index_copy_(0, here, marks)
    colors = textures.colors.flatten(0, 1).flatten(1).T.contiguous()
    first, second = torch.stack(gather(colors, slot)).split(3)
    color = first + (second - first) * value
    if photographs is not None:
        here, where, u, v, *_ = _project(
            table, slot, point, normal, footprint, kind == PHOTOGRAPH
        )
        which = number.index_select(0, where)
        color.index_copy_(1, here, _photograph(photographs, which, u, v))
    return color


def _look_up(
    table: Float[Tensor, "14 slot"], slot: Tensor, point: Tensor
) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
    """q, frequency and contrast of points on parts with the textures of `slot`."""
    *rows, frequency, contrast = gather(table, slot)
    x, y, z = point
    q = tuple(
        rows[i] * x + rows[i + 1] * y + rows[i + 2] * z + rows[i + 3] for i in (0, 4, 8)
    )
    return q, frequency, contrast


def _project(
    table: Tensor,
    slot: Tensor,
    point: Tensor,
    normal: Tensor,
    footprint: Tensor,
    chosen: Tensor,
) -> tuple[Tensor, ...]:
    """Texture coordinates of chosen hits, projected from the side each one faces.

    Returns:
        Indices and slots of the chosen hits, the two coordinates across the axis
        nearest to the normal, the footprint in cycles and the contrast.
    """
    here = chosen.nonzero()[:, 0]
    where = slot.index_select(0, here)
    q, frequency, contrast = _look_up(table, where, point.index_select(1, here))
    x, y, z = normal.index_select(1, here).abs()
    along_x = (x > y) & (x > z)
    along_y = ~along_x & (y > z)
    u = torch.where(along_x, q[1], q[0])
    v = torch.where(along_x | along_y, q[2], q[1])
    return here, where, u, v, footprint.index_select(0, here) * frequency, contrast


def _square(phase: Tensor, wide: Tensor) -> Tensor:
    """A square wave of period 1 between −1 and 1 with edges one footprint wide."""
    triangle = 4 * (phase - phase.floor() - 0.5).abs() - 1
    edge = (triangle / (2 * wide).clamp_min(1e-4)).clamp(-1, 1)
    return edge * (1.5 - 1.5 * wide).clamp(0, 1)


def _waves(q: tuple[Tensor, ...], wide: Tensor, contrast: Tensor) -> Tensor:
    total = torch.zeros_like(wide)
    for x, y, z, weight in _OCTAVES:
        cycles = math.sqrt(x * x + y * y + z * z)
        fade = (1.5 - 1.5 * wide * cycles).clamp(0, 1)
        # Each octave is bent by the ones before it.
        phase = q[0] * x + q[1] * y + q[2] * z + 0.35 * total
        total = total + weight * fade * (2 * math.pi * phase).sin()
    return (0.5 + total * 0.4 / (1.02 - contrast)).clamp(0, 1)


def _checker(q: tuple[Tensor, ...], wide: Tensor, contrast: Tensor) -> Tensor:
    x, y, z = (_square(phase, wide) for phase in q)
    return 0.5 + 0.5 * x * y * z


def _stripes(q: tuple[Tensor, ...], wide: Tensor, contrast: Tensor) -> Tensor:
    bend = 0.4 * contrast * (math.pi * q[1]).sin()
    return 0.5 + 0.5 * _square(q[0] + bend, wide)


def _gradient(q: tuple[Tensor, ...], wide: Tensor, contrast: Tensor) -> Tensor:
    return 0.5 + 0.5 * (2 * math.pi * q[0]).sin()


_PATTERNS = {
    WAVES: _waves,
    CHECKER: _checker,
    STRIPES: _stripes,
    GRADIENT: _gradient,
}


def _marks(
    u: Tensor, v: Tensor, wide: Tensor, contrast: Tensor, number: Tensor
) -> Tensor:
    """Letter-like marks, one a unit cell: three strokes on a 3×3 grid."""
    column, row = u.floor(), v.floor()
    x, y = u - column, v - row
    alphabet = number >> 19
    word = _hash(column.long() * 92821 + row.long() * 68917 + alphabet * 7919)
    distance = torch.full_like(u, 1.0)
    for stroke in range(3):
        bits = word >> (8 * stroke)
        ax, ay = _grid(bits & 3), _grid((bits >> 2) & 3)
        bx, by = _grid((bits >> 4) & 3), _grid((bits >> 6) & 3)
        dx, dy = bx - ax, by - ay
        t = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy).clamp_min(1e-6)
        t = t.clamp(0, 1)
        gap = ((x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2).sqrt()
        distance = torch.minimum(distance, gap)
    half = 0.05 + 0.05 * contrast
    ink = ((half - distance) / wide.clamp_min(1e-4) + 0.5).clamp(0, 1)
    written = ((word >> 24) & 255).float() < 130 + 120 * contrast
    mean = 0.25
    return mean + (ink * written - mean) * (1.5 - 3 * wide).clamp(0, 1)


def _grid(bits: Tensor) -> Tensor:
    """0.2, 0.5 or 0.8 from two bits (the ends twice as often share one value)."""
    return 0.2 + 0.3 * bits.clamp(max=2).float()


def _hash(word: Tensor) -> Tensor:
    """Thirty-two stirred bits of each integer."""
    word = word & 0xFFFFFFFF
    word = ((word ^ (word >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    word = ((word ^ (word >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return word ^ (word >> 16)


def _photograph(
    photographs: UInt8[Tensor, "photo side side 4"],
    number: Tensor,
    u: Tensor,
    v: Tensor,
) -> Float[Tensor, "3 hit"]:
    """Bilinear look-up of photographs repeated as mirror images."""
    side = photographs.shape[1]
    word = photographs.view(torch.int32).flatten()

    def mirrored(phase: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        place = (phase - 2 * torch.floor(phase / 2) - 1).abs() * (side - 1)
        low = place.floor().long().clamp(0, side - 1)
        return low, (low + 1).clamp(max=side - 1), place - low

    def color(pixel: Tensor) -> Tensor:
        rgb = word.index_select(0, pixel).view(torch.uint8).view(-1, 4)[:, :3]
        return rgb.T.float()

    x0, x1, x = mirrored(u)
    y0, y1, y = mirrored(v)
    upper, lower = (number * side + y0) * side, (number * side + y1) * side
    above = color(upper + x0) * (1 - x) + color(upper + x1) * x
    below = color(lower + x0) * (1 - x) + color(lower + x1) * x
    return (above * (1 - y) + below * y) / 255
