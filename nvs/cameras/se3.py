"""Rotations and rigid motions, with their exponentials and logarithms.

Notation (Lynch and Park, Modern Robotics, 2017, chapter 3):
    w       (..., 3) rotation vector: unit axis times angle in radians
    W       skew matrix of w: W @ v == w × v                        Eq. 3.30
    R       exp(W), a rotation                                      Eq. 3.51
    axis    (..., 3) unit vector that a rotation leaves alone
    twist   (..., 6) w, then v
    T       exp(twist), a rigid motion [R, G(w) v; 0, 1]            Eq. 3.88
    G(w)    ∫₀¹ exp(sW) ds                                          Eq. 3.88, 3.92

The identities exp(log T) == T, log(exp w) == w for |w| < π and W @ v == w × v hold to
rounding in float64, near no rotation and near half a turn alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

SERIES_BELOW_RADIANS = 0.1
"""Angles under which coefficients come from their series; its error is below 1e-15."""


def hat(w: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Skew matrix W of a vector: W @ v == w × v (Eq. 3.30)."""
    x, y, z = w.unbind(-1)
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def so3_exp(w: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation by |w| radians about w (Rodrigues' formula, Eq. 3.51)."""
    angle, W = w.norm(dim=-1)[..., None, None], hat(w)
    first = torch.sinc(angle / math.pi)  # sin θ / θ
    second = torch.sinc(angle / (2 * math.pi)) ** 2 / 2  # (1 − cos θ) / θ²
    return _polynomial(W, first, second)


def so3_about(
    axis: Float[Tensor, "*#batch 3"], angle_radians: Float[Tensor, "*#batch"]
) -> Float[Tensor, "*batch 3 3"]:
    """Rotations about unit axes: Rodrigues' formula where the angle is known."""
    axis, angle = torch.broadcast_tensors(axis, angle_radians[..., None])
    angle = angle[..., :1, None]
    return _polynomial(hat(axis), angle.sin(), 1 - angle.cos())


def so3_log(R: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Rotation vector of at most π radians, the inverse of `so3_exp`."""
    wxyz = so3_quaternion(R)
    scalar, vector = wxyz[..., :1], wxyz[..., 1:]
    size = vector.norm(dim=-1, keepdim=True)
    tiny = size < 1e-9
    safe = torch.where(tiny, torch.ones_like(size), size)
    half_angle_over_size = torch.where(
        tiny, 1 / scalar, torch.atan2(size, scalar) / safe
    )
    return 2 * half_angle_over_size * vector


def so3_quaternion(R: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion w, x, y, z with w ≥ 0.

    The entries of R give all of 4 q qᵀ; its row with the largest diagonal entry is q
    scaled by at least 2, so nothing cancels at any angle.
    """
    xx, xy, xz, yx, yy, yz, zx, zy, zz = R.flatten(-2).unbind(-1)
    wx, wy, wz = zy - yz, xz - zx, yx - xy
    outer = [
        *(1 + xx + yy + zz, wx, wy, wz),
        *(wx, 1 + xx - yy - zz, xy + yx, xz + zx),
        *(wy, xy + yx, 1 - xx + yy - zz, yz + zy),
        *(wz, xz + zx, yz + zy, 1 - xx - yy + zz),
    ]
    matrix = torch.stack(outer, dim=-1).unflatten(-1, (4, 4))
    best = matrix.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)
    row = torch.take_along_dim(matrix, best[..., None, None], dim=-2)[..., 0, :]
    row = torch.where(row[..., :1] < 0, -row, row)
    return row / row.norm(dim=-1, keepdim=True)


def so3_between(
    source: Float[Tensor, "3"], target: Float[Tensor, "3"]
) -> Float[Tensor, "3 3"]:
    """The smallest rotation that turns unit vector `source` into `target`.

    For opposite vectors, half a turn about an axis that depends on `source` only.
    """
    cross = torch.linalg.cross(source, target)
    size = cross.norm()
    angle = torch.atan2(size, source @ target)
    if size < 1e-9:
        least = torch.eye(3, dtype=source.dtype, device=source.device)
        cross = torch.linalg.cross(source, least[source.abs().argmin()])
        size = cross.norm()
    return so3_exp(cross / size * angle)


def so3_looking(
    forward: Float[Tensor, "*batch 3"], up: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """Axes x right, y down, z forward of cameras that look along `forward`.

    Neither vector need be of length 1; where they are parallel, x and y are zero.
    """
    z = normalize(forward, dim=-1)
    x = normalize(torch.linalg.cross(z, up.expand_as(z)), dim=-1)
    return torch.stack([x, torch.linalg.cross(z, x), z], dim=-1)


def rigid(
    R: Float[Tensor, "*batch 3 3"], p: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 4 4"]:
    """The rigid motion that rotates by R, then moves by p: [R, p; 0, 1]."""
    last = R.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*R.shape[:-2], 1, 4)
    return torch.cat([torch.cat([R, p[..., None]], dim=-1), last], dim=-2)


def flip_y_and_z(T: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """Poses with the y and z axes of their cameras turned round, and back again.

    From OpenGL's axes (y up, z backward) to OpenCV's. A product of columns, not of
    matrices: numbers that are not finite stay where they are.
    """
    return T * T.new_tensor([1.0, -1.0, -1.0, 1.0])


def se3_inverse(T: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """Inverse of a rigid motion: [Rᵀ, −Rᵀp; 0, 1]."""
    R_transposed = T[..., :3, :3].mT
    return rigid(R_transposed, -(R_transposed @ T[..., :3, 3:])[..., 0])


def se3_exp(twist: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 4 4"]:
    """Rigid motion that turns by w while moving along v in its own frame (Eq. 3.88)."""
    w, v = twist[..., :3], twist[..., 3:]
    angle, W = w.norm(dim=-1)[..., None, None], hat(w)
    first = torch.sinc(angle / (2 * math.pi)) ** 2 / 2  # (1 − cos θ) / θ²
    second = _series_near_zero(
        angle,
        lambda a: (a - torch.sin(a)) / a**3,
        (1 / 6, -1 / 120, 1 / 5040, -1 / 362880),
    )
    G = _polynomial(W, first, second)
    return rigid(so3_exp(w), (G @ v[..., None])[..., 0])


def se3_log(T: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 6"]:
    """Twist of a rigid motion, rotating by at most π, the inverse of `se3_exp`."""
    w = so3_log(T[..., :3, :3])
    angle, W = w.norm(dim=-1)[..., None, None], hat(w)
    second = _series_near_zero(
        angle,
        lambda a: (1 - a / 2 / torch.tan(a / 2)) / a**2,
        (1 / 12, 1 / 720, 1 / 30240, 1 / 1209600),
    )
    G_inverse = _polynomial(W, -0.5, second)
    return torch.cat([w, (G_inverse @ T[..., :3, 3:])[..., 0]], dim=-1)


def se3_interpolate(
    start: Float[Tensor, "*batch 4 4"],
    end: Float[Tensor, "*batch 4 4"],
    fraction: Float[Tensor, "*batch"],
) -> Float[Tensor, "*batch 4 4"]:
    """The point a fraction of the way along the screw motion between two poses."""
    twist = se3_log(se3_inverse(start) @ end)
    return start @ se3_exp(fraction[..., None] * twist)


def nearest_rigid(T: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """The pose with its rotation made orthonormal to rounding."""
    return rigid(so3_exp(so3_log(T[..., :3, :3])), T[..., :3, 3])


def _polynomial(
    W: Float[Tensor, "*batch 3 3"],
    first: Float[Tensor, "*batch 1 1"] | float,
    second: Float[Tensor, "*batch 1 1"],
) -> Float[Tensor, "*batch 3 3"]:
    """I + first · W + second · W²: all that a rotation's formulas are made of."""
    identity = torch.eye(3, dtype=W.dtype, device=W.device)
    return identity + first * W + second * (W @ W)


def _series_near_zero(
    angle: Float[Tensor, "*batch"],
    formula: Callable[[Tensor], Tensor],
    coefficients: Sequence[float],
) -> Float[Tensor, "*batch"]:
    """Evaluate `formula`, or near zero its series in even powers of the angle."""
    near = angle < SERIES_BELOW_RADIANS
    series = torch.zeros_like(angle)
    for coefficient in reversed(coefficients):
        series = series * angle**2 + coefficient
    return torch.where(near, series, formula(torch.where(near, 1.0, angle)))
