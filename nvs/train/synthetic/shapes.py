"""Where a ray enters and leaves five unit shapes, in closed form.

Notation:
    o, d        a ray o + t·d in the frame of a shape, each three tensors; d is not
                normalised, so that t is the same in the frame and in the world
    ratio       radius of a frustum's top, or of a torus's tube
    [t0, t1]    the stretch of the ray inside the shape; t0 > t1 where it misses

Shapes, each centred in the cube [−1, 1]³:
    BOX         max |p| ≤ 1
    ELLIPSOID   |p| ≤ 1
    FRUSTUM     |z| ≤ 1 and √(x² + y²) ≤ (1 + ratio)/2 − z (1 − ratio)/2; a cylinder
                for ratio 1, a cone for ratio 0
    TORUS       (√(x² + y²) − (1 − ratio))² + z² ≤ ratio²
    SHELL       a box seen from inside: [t0, t1] is the stretch outside after leaving
                it; ratio 1 leaves the top open, ratio 2 the side x = 1
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

NONE, BOX, ELLIPSOID, FRUSTUM, TORUS, SHELL = -1, 0, 1, 2, 3, 4
CONVEX = (BOX, ELLIPSOID, FRUSTUM)

Vector = tuple[Float[Tensor, "ray"], Float[Tensor, "ray"], Float[Tensor, "ray"]]
Interval = tuple[Float[Tensor, "ray"], Float[Tensor, "ray"]]

_TINY = 1e-12
_TRACE_ROUNDS, _STEPS_A_ROUND = 23, 8
_NEAR_GAP = 1e-4
_NEWTON_STEPS = 4
_TORUS_TOLERANCE = 2e-5


def intersect(
    kind: int, origin: Vector, direction: Vector, ratio: Float[Tensor, "ray"]
) -> Interval:
    """The interval of each ray inside a shape of one kind.

    The origin is first moved to the point of the ray nearest the shape's centre, which
    keeps float32 exact for far cameras and small shapes.
    """
    ox, oy, oz = origin
    dx, dy, dz = direction
    length2 = dx * dx + dy * dy + dz * dz
    shift = -(ox * dx + oy * dy + oz * dz) / length2
    near = (ox + shift * dx, oy + shift * dy, oz + shift * dz)
    if kind == BOX:
        t0, t1 = _box(near, direction)
    elif kind == ELLIPSOID:
        t0, t1 = _ball(near, length2)
    elif kind == FRUSTUM:
        t0, t1 = _frustum(near, direction, ratio)
    elif kind == TORUS:
        t0, t1 = _torus(near, direction, length2, ratio)
    else:
        t0, t1 = _shell(near, direction, ratio)
    return shift + t0, shift + t1


def normal(kind: int, point: Vector, ratio: Float[Tensor, "ray"]) -> Vector:
    """Outward normals, not normalised, at points on the surface of a shape."""
    x, y, z = point
    if kind == ELLIPSOID:
        return point
    if kind in (BOX, SHELL):
        sign = -1.0 if kind == SHELL else 1.0
        ax, ay, az = x.abs(), y.abs(), z.abs()
        on_x = (ax >= ay) & (ax >= az)
        on_y = ~on_x & (ay >= az)
        on_z = ~(on_x | on_y)
        return (sign * x.sign() * on_x, sign * y.sign() * on_y, sign * z.sign() * on_z)
    radius = (x * x + y * y).sqrt().clamp_min(_TINY)
    if kind == TORUS:
        out = (radius - (1 - ratio)) / radius
        return x * out, y * out, z
    slope = (1 - ratio) / 2
    on_side = radius - (1 + ratio) / 2 + slope * z > z.abs() - 1
    return (
        torch.where(on_side, x / radius, 0),
        torch.where(on_side, y / radius, 0),
        torch.where(on_side, slope, z.sign()),
    )


def _slab(o: Tensor, d: Tensor) -> Interval:
    inverse = 1 / torch.where(d.abs() < _TINY, _TINY, d)
    middle, half = -o * inverse, inverse.abs()
    return middle - half, middle + half


def _box(o: Vector, d: Vector) -> Interval:
    (x0, x1), (y0, y1), (z0, z1) = (_slab(a, b) for a, b in zip(o, d, strict=True))
    return (
        torch.maximum(torch.maximum(x0, y0), z0),
        torch.minimum(torch.minimum(x1, y1), z1),
    )


def _ball(o: Vector, length2: Tensor) -> Interval:
    x, y, z = o
    half2 = (1 - (x * x + y * y + z * z)) / length2
    half = torch.where(half2 > 0, half2.abs().sqrt(), -1)
    return -half, half


def _frustum(o: Vector, d: Vector, ratio: Tensor) -> Interval:
    """Solve |xy(t)|² ≤ (e + f t)², between the planes z = −1 and z = 1."""
    z0, z1 = _slab(o[2], d[2])
    slope = (ratio - 1) / 2
    e, f = (1 + ratio) / 2 + slope * o[2], slope * d[2]
    a = d[0] * d[0] + d[1] * d[1] - f * f
    b = o[0] * d[0] + o[1] * d[1] - e * f
    c = o[0] * o[0] + o[1] * o[1] - e * e
    discriminant = b * b - a * c
    root = discriminant.clamp_min(0).sqrt()
    q = -(b + torch.where(b < 0, -root, root))
    q = torch.where(q.abs() < _TINY, _TINY, q)
    r0, r1 = q / a, c / q
    low, high = torch.minimum(r0, r1), torch.maximum(r0, r1)
    # a < 0: the ray is steeper than the side and inside it before `low`, after `high`.
    steep = a < 0
    before = steep & (z0 < low)
    after = steep & ~before
    t0 = torch.where(before, z0, torch.maximum(z0, torch.where(after, high, low)))
    t1 = torch.where(after, z1, torch.minimum(z1, torch.where(before, low, high)))
    return t0, torch.where((discriminant < 0) & ~steep, t0 - 1, t1)


def _torus(o: Vector, d: Vector, length2: Tensor, ratio: Tensor) -> Interval:
    """The first hit only: sphere tracing on the exact distance, then Newton steps.

    The interval ends where the ray leaves the torus's bounding box. A ray that passes
    the near side within 1e-4 without touching it may miss the far side: one in 20 000.
    """
    thin = 1 / ratio
    t0, t1 = _box((o[0], o[1], o[2] * thin), (d[0], d[1], d[2] * thin))
    index = (t0 < t1).nonzero()[:, 0]
    length = length2[index].sqrt()
    origin = torch.stack(o)[:, index]
    ahead = torch.stack(d)[:, index] / length
    tube, end = ratio[index], t1[index] * length
    s = t0[index] * length
    # Few steps do for most; the few that pass close by the tube need many.
    far = torch.arange(len(s), device=s.device)
    for _ in range(_TRACE_ROUNDS):
        if not len(far):
            break
        start, along, radius = origin[:, far], ahead[:, far], tube[far]
        s_far = s[far]
        for _ in range(_STEPS_A_ROUND):
            point = torch.addcmul(start, s_far, along)
            s_far = s_far + _torus_distance(point, radius)
        s = s.index_copy(0, far, s_far)
        gap = _torus_distance(torch.addcmul(start, s_far, along), radius)
        far = far[(gap > _NEAR_GAP) & (s_far < end[far])]
    for _ in range(_NEWTON_STEPS):
        point = origin + s * ahead
        step = _torus_distance(point, tube) / _torus_rate(point, ahead, tube)
        s = s - step.clamp(-0.05, 0.05)
    point = origin + s * ahead
    hit = (_torus_distance(point, tube).abs() < _TORUS_TOLERANCE) & (s <= end + 1e-4)
    enter = torch.where(hit, s, end + 1) / length
    return (
        torch.ones_like(t0).index_copy(0, index, enter),
        torch.zeros_like(t1).index_copy(0, index, t1[index]),
    )


def _torus_distance(point: Tensor, tube: Tensor) -> Tensor:
    x, y, z = point
    return torch.hypot(torch.hypot(x, y) - (1 - tube), z) - tube


def _torus_rate(point: Tensor, ahead: Tensor, tube: Tensor) -> Tensor:
    """Change of the distance along a ray, kept below zero: rays enter."""
    x, y, z = point
    radius = (x * x + y * y).sqrt().clamp_min(_TINY)
    out = radius - (1 - tube)
    middle = (out * out + z * z).sqrt().clamp_min(_TINY)
    across = (x * ahead[0] + y * ahead[1]) * out / radius
    return ((across + z * ahead[2]) / middle).clamp(max=-1e-2)


def _shell(o: Vector, d: Vector, ratio: Tensor) -> Interval:
    t0, leave = _box(o, d)
    end = torch.full_like(leave, torch.inf)
    at_top = (o[2] + leave * d[2] > 1 - 1e-5) & (d[2] > 0)
    at_side = (o[0] + leave * d[0] > 1 - 1e-5) & (d[0] > 0)
    hidden = (t0 > leave) | (at_top & (ratio == 1)) | (at_side & (ratio == 2))
    return torch.where(hidden, end, leave), torch.where(hidden, -end, end)
