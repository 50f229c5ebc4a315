"""The first solid each ray meets.

A ray goes through sample (column, row) of a view: o + t·M·(column, row, 1), where the
camera's z component of M·(column, row, 1) is 1, so t is the depth along z. The same
holds in the frame of a part with o and M mapped there, so only a 3×3 matrix for each
view and part is ever transformed.

Only the samples inside the rectangle that bounds a part in a view are intersected with
it. The pairs of sample and part so found are handled in one flat list for each kind of
part, line by line of the rectangles: along a line the direction changes by a constant
from sample to sample. Cuts are only looked for where the body is hit. The nearest hit
of a sample is the smallest of 64-bit keys that hold the depth above the pair's index:
the same on every device, ties included.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nvs.train.synthetic import shapes
from nvs.train.synthetic.solids import Parts, Solids
from nvs.train.synthetic.vectors import gather
from nvs.train.tensors import Tensors

NEAR = 1e-3
_KINDS = 8
_NO_HIT = torch.iinfo(torch.int64).max
_CORNERS = torch.tensor(
    [[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)]
)

_EDGES = torch.tensor(
    [(i, i ^ bit) for bit in (1, 2, 4) for i in range(8) if not i & bit]
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Views(Tensors):
    """Cameras of several scenes in one list, and the grid of samples of each."""

    world_from_camera: Float[Tensor, "view 4 4"]
    intrinsics: Float[Tensor, "view 4"]
    scene: Int[Tensor, "view"]
    """Which scene each camera sees."""
    rows: int
    columns: int
    samples_per_pixel: int
    """Along one side."""

    @property
    def center(self) -> Float[Tensor, "view 3"]:
        """Camera positions."""
        return self.world_from_camera[:, :3, 3]

    def direction_from_sample(self) -> Float[Tensor, "view 3 3"]:
        """M: world directions of unit depth from (column, row, 1)."""
        fx, fy, cx, cy = self.intrinsics.unbind(-1)
        step, zero = 1 / self.samples_per_pixel, torch.zeros_like(fx)
        camera = torch.stack(
            [
                *(step / fx, zero, (step / 2 - cx) / fx),
                *(zero, step / fy, (step / 2 - cy) / fy),
                *(zero, zero, torch.ones_like(fx)),
            ],
            dim=-1,
        )
        return self.world_from_camera[:, :3, :3] @ camera.unflatten(-1, (3, 3))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hits:
    """The samples that meet a solid."""

    sample: Int[Tensor, "hit"]
    """Index into (view, row, column), flattened."""
    view: Int[Tensor, "hit"]
    part: Int[Tensor, "hit"]
    on_cut: Bool[Tensor, "hit"]
    """Whether the surface belongs to the cut rather than the body."""
    depth: Float[Tensor, "hit"]
    """Along the camera's z, in world units."""


def trace(views: Views, solids: Solids) -> Hits:
    """The nearest hit of every sample that has one."""
    view, part, left, top, wide, high = _rectangles(views, solids.body)
    kind = solids.body.kind[views.scene[view], part]
    cut = solids.cut.kind[views.scene[view], part]
    group, order = torch.sort(kind * _KINDS + cut + 1, stable=True)
    view, part = view[order], part[order]
    rectangle = torch.stack([left, top, wide, high])[:, order]
    groups, sizes = torch.unique_consecutive(group, return_counts=True)
    scene = views.scene[view]
    body = _frames(views, solids.body, view, scene, part)
    hole = _frames(views, solids.cut, view, scene, part)

    none = view[:0]
    found = [(none, none, none.bool(), views.intrinsics.new_empty(0))]
    start = 0
    for number, size in zip(groups.tolist(), sizes.tolist(), strict=True):
        body_kind, cut_kind = number // _KINDS, number % _KINDS - 1
        span = slice(start, start + size)
        start += size
        lines = _lines(rectangle[:, span])
        line, column = _samples(lines)
        rays = _local_rays(_line_rays(body[:, span], lines), line, column)
        enter, leave = shapes.intersect(body_kind, *rays)
        hit = ((enter <= leave) & (leave > NEAR)).nonzero()[:, 0]
        line, column = line.index_select(0, hit), column.index_select(0, hit)
        enter, leave = enter.index_select(0, hit), leave.index_select(0, hit)
        on_cut = torch.zeros_like(hit, dtype=torch.bool)
        if cut_kind != shapes.NONE:
            rays = _local_rays(_line_rays(hole[:, span], lines), line, column)
            enter, on_cut = subtract((enter, leave), shapes.intersect(cut_kind, *rays))
        ahead = ((enter <= leave) & (enter > NEAR)).nonzero()[:, 0]
        line, column = line.index_select(0, ahead), column.index_select(0, ahead)
        segment = lines[0] + span.start
        start_of_line = (view.index_select(0, segment) * views.rows + lines[1]) * (
            views.columns
        )
        found.append(
            (
                start_of_line.index_select(0, line) + column,
                segment.index_select(0, line),
                on_cut.index_select(0, ahead),
                enter.index_select(0, ahead),
            )
        )
    sample, segment, on_cut, depth = (
        torch.cat(column) for column in zip(*found, strict=True)
    )
    nearest = _nearest(sample, depth, len(views.scene) * views.rows * views.columns)
    segment = segment.index_select(0, nearest)
    return Hits(
        sample=sample.index_select(0, nearest),
        view=view.index_select(0, segment),
        part=part.index_select(0, segment),
        on_cut=on_cut.index_select(0, nearest),
        depth=depth.index_select(0, nearest),
    )


def subtract(
    body: shapes.Interval, cut: shapes.Interval
) -> tuple[Float[Tensor, "ray"], Bool[Tensor, "ray"]]:
    """First entry of [t0, t1] minus [s0, s1], infinite if nothing is left.

    Returns:
        The entry and whether it is on the cut's surface.
    """
    (t0, t1), (s0, s1) = body, cut
    inside = (s0 <= t0) & (t0 < s1)
    entry = torch.where(inside, s1, t0)
    return torch.where(entry < t1, entry, torch.inf), inside


def _rectangles(views: Views, parts: Parts) -> tuple[Tensor, ...]:
    """View, part, left, top, width and height of all that may be seen, in samples."""
    device = views.intrinsics.device
    linear, center = parts.world_from_local[..., :3], parts.center
    local = _CORNERS.to(device) * parts.half_extent[:, :, None]
    corners = torch.einsum("spij,spcj->spci", linear, local) + center[:, :, None]
    offset = corners[views.scene] - views.center[:, None, None]
    axes = views.world_from_camera[:, :3, :3]
    corner = torch.einsum("vji,vpcj->vpci", axes, offset)
    point = _clipped_edges(corner)
    x, y, z = point.unbind(-1)
    fx, fy, cx, cy = (value[:, None, None] for value in views.intrinsics.unbind(-1))
    scale = views.samples_per_pixel
    column = (fx * x / z + cx) * scale
    row = (fy * y / z + cy) * scale
    kind = parts.kind[views.scene]
    around = kind == shapes.SHELL

    def span(value: Tensor, end: int) -> tuple[Tensor, Tensor]:
        # A sample's centre lies half a sample to the right of its index.
        # Edges behind the camera are not numbers: they bound nothing.
        low = torch.where(value.isnan(), torch.inf, value).amin(-1) - 0.5
        high = torch.where(value.isnan(), -torch.inf, value).amax(-1) + 0.5
        low = torch.where(around, 0, low.floor().clamp(0, end))
        high = torch.where(around, end, high.ceil().clamp(0, end))
        return low.long(), (high - low).clamp_min(0).long()

    left, wide = span(column, views.columns)
    top, high = span(row, views.rows)
    seen = (kind != shapes.NONE) & (wide * high > 0)
    view, part = seen.nonzero().unbind(-1)
    return view, part, left[seen], top[seen], wide[seen], high[seen]


def _clipped_edges(
    corner: Float[Tensor, "view part 8 3"],
) -> Float[Tensor, "view part 24 3"]:
    """Both ends of each edge's stretch before the near plane; NaN if there is none."""
    ends = corner[:, :, _EDGES.to(corner.device)]
    near, far = ends, ends.flip(-2)
    rise = far[..., 2:] - near[..., 2:]
    share = (NEAR - near[..., 2:]) / torch.where(rise.abs() < 1e-12, 1e-12, rise)
    clipped = near + share * (far - near)
    clipped[..., 2] = NEAR
    point = torch.where(near[..., 2:] >= NEAR, near, clipped)
    behind = (ends[..., 2] < NEAR).all(-1)[..., None, None]
    return point.masked_fill(behind, torch.nan).flatten(2, 3)


def _frames(
    views: Views, parts: Parts, view: Tensor, scene: Tensor, part: Tensor
) -> Float[Tensor, "13 segment"]:
    """M (nine rows), o (three) and the ratio, in the frame of each segment's part."""
    local = parts.local_from_world[scene, part]
    matrix = local @ views.direction_from_sample()[view]
    offset = views.center[view] - parts.center[scene, part]
    origin = (local @ offset[..., None])[..., 0]
    ratio = parts.ratio[scene, part]
    return torch.cat([matrix.flatten(1), origin, ratio[:, None]], 1).T.contiguous()


def _lines(rectangle: Int[Tensor, "4 segment"]) -> Int[Tensor, "4 line"]:
    """Segment, row, first column and width of every line of every rectangle."""
    left, top, wide, high = rectangle
    segment = torch.arange(len(high), device=high.device).repeat_interleave(high)
    first = high.cumsum(0) - high
    row = torch.arange(len(segment), device=high.device) + (top - first)[segment]
    return torch.stack([segment, row, left[segment], wide[segment]])


def _samples(lines: Int[Tensor, "4 line"]) -> tuple[Tensor, Tensor]:
    """Line and column of every sample."""
    _, _, left, wide = lines
    line = torch.arange(len(wide), device=wide.device).repeat_interleave(wide)
    start = left - (wide.cumsum(0) - wide)
    index = torch.arange(len(line), device=wide.device)
    return line, index + start.index_select(0, line)


def _line_rays(
    frames: Float[Tensor, "13 segment"], lines: Int[Tensor, "4 line"]
) -> Float[Tensor, "10 line"]:
    """Step along a line, direction at column 0 and o (three each), and the ratio."""
    segment, row, *_ = lines
    xx, xy, x1, yx, yy, y1, zx, zy, z1, *rest = frames.index_select(1, segment)
    v = row.float()
    return torch.stack([xx, yx, zx, xy * v + x1, yy * v + y1, zy * v + z1, *rest])


def _local_rays(
    rays: Float[Tensor, "10 line"], line: Tensor, column: Tensor
) -> tuple[shapes.Vector, shapes.Vector, Tensor]:
    xx, yx, zx, x0, y0, z0, ox, oy, oz, ratio = gather(rays, line)
    u = column.float()
    return (ox, oy, oz), (xx * u + x0, yx * u + y0, zx * u + z0), ratio


def _nearest(sample: Tensor, depth: Tensor, num_samples: int) -> Int[Tensor, "hit"]:
    """Indices of the pairs that are the nearest of their sample."""
    index = torch.arange(len(sample), device=sample.device)
    # Positive floats order as their bits do.
    key = (depth.view(torch.int32).long() << 32) | index
    best = torch.full((num_samples,), _NO_HIT, device=sample.device)
    best = best.scatter_reduce(0, sample, key, "amin")
    return (best.index_select(0, sample) == key).nonzero()[:, 0]
