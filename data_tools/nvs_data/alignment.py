"""Similarity alignment of two sets of cameras of the same views.

Notation (Umeyama, Least-squares estimation of transformation parameters between two
point patterns, 1991, Eq. 40-43):
    x, y        (n, 3) points, with y ≈ s R x + t
    s, R, t     scale > 0, rotation, shift: the minimum of Σ |yᵢ − (s R xᵢ + t)|²
    U D Vᵀ      singular values of the covariance Σ (yᵢ − ȳ)(xᵢ − x̄)ᵀ / n
    S           diag(1, 1, ±1), the sign making R a rotation and not a reflection
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras.camera import Camera
from nvs.errors import CameraError

DEGENERATE = 1e-9
"""Second singular value, relative to the spread, under which points lie on a line."""


def align_similarity(
    source: Float[Tensor, "point 3"], target: Float[Tensor, "point 3"]
) -> Float[Tensor, "4 4"]:
    """The similarity [s R, t; 0, 1] that takes source points closest to target points.

    Computed in float64.

    Raises:
        CameraError: If there are fewer than three points, or they lie on one line, so
            that the rotation about it is undefined.
    """
    x, y = source.double(), target.double()
    if len(x) < 3 or len(x) != len(y):
        raise CameraError(
            f"cannot align {len(x)} points with {len(y)}",
            remedy="Give at least three points and their counterparts.",
        )
    mean_x, mean_y = x.mean(dim=0), y.mean(dim=0)
    x, y = x - mean_x, y - mean_y
    U, D, Vh = torch.linalg.svd(y.T @ x / len(x))
    spread = x.square().sum() / len(x)
    if D[1] <= DEGENERATE * (spread * y.square().sum() / len(y)).sqrt():
        raise CameraError(
            f"{len(x)} points lie on one line: the rotation about it is undefined",
            remedy="Use views that are not all on a straight path.",
        )
    S = torch.ones_like(D)
    S[2] = torch.linalg.det(U @ Vh).sign()
    R = U @ torch.diag(S) @ Vh
    scale = (D * S).sum() / spread
    similarity = torch.eye(4, dtype=x.dtype, device=x.device)
    similarity[:3, :3] = scale * R
    similarity[:3, 3] = mean_y - scale * (R @ mean_x)
    return similarity


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PoseErrors:
    """How far cameras are from reference cameras after a similarity alignment."""

    rotation_radians: Float[Tensor, "view"]
    """Angle between the orientations of each view."""
    center: Float[Tensor, "view"]
    """Distance between the centres of each view, in units of the reference."""
    center_relative: Float[Tensor, "view"]
    """The same over the reference centres' root-mean-square distance from their mean"""


def pose_errors(camera: Camera, reference: Camera) -> PoseErrors:
    """Errors of cameras against a reference, centres aligned by a similarity.

    Raises:
        CameraError: If the views do not determine the similarity.
    """
    similarity = align_similarity(camera.center, reference.center)
    scale = torch.linalg.det(similarity[:3, :3]) ** (1 / 3)
    expected = reference.world_from_camera.double()
    found = similarity @ camera.world_from_camera.double()
    turn = expected[:, :3, :3].mT @ found[:, :3, :3] / scale
    chord = (turn - torch.eye(3, dtype=turn.dtype)).flatten(1).norm(dim=-1)
    center = (found[:, :3, 3] - expected[:, :3, 3]).norm(dim=-1)
    spread = expected[:, :3, 3] - expected[:, :3, 3].mean(dim=0)
    return PoseErrors(
        rotation_radians=2 * torch.asin((chord / 8**0.5).clamp(max=1)),
        center=center,
        center_relative=center / spread.square().sum(dim=-1).mean().sqrt(),
    )
