"""Cameras as other programs hold them: NumPy arrays, lists or tensors.

A pose goes from the camera to the world. Whose axes its columns are is its convention;
both are right-handed and have x to the right.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from nvs.cameras.se3 import flip_y_and_z
from nvs.errors import CameraError

Convention = Literal["opencv", "opengl", "blender"]
"""`opencv`: y down, z forward, as in COLMAP. `opengl`, which Blender and nerfstudio
share: y up, z backward."""

CENTRED = 0.05
"""Part of a side by which a principal point may be off and still be in the middle."""


NARROWEST_FOCAL = 0.02
"""Shortest focal length over the shorter side: 176° across. Less is not in pixels."""


def pose_tensor(c2w: Any, convention: str) -> Float64[Tensor, "view 4 4"]:
    """Poses in OpenCV axes, of one matrix or a batch of them.

    Args:
        c2w: Of shape (4, 4), (3, 4), (view, 4, 4) or (view, 3, 4).
        convention: Whose axes they have.

    Raises:
        CameraError: If it is something else, or the convention is unknown.
    """
    if convention not in get_args(Convention):
        raise CameraError(
            f"convention is {convention!r}",
            remedy=f"Use one of {', '.join(get_args(Convention))}.",
        )
    poses = _numbers("c2w", c2w)
    if poses.ndim not in (2, 3) or poses.shape[-2:] not in ((4, 4), (3, 4)):
        raise CameraError(
            f"c2w has shape {poses.shape}",
            remedy="Give camera-to-world matrices, 4×4 or 3×4: one, or one a view.",
        )
    poses = torch.from_numpy(poses.reshape(-1, *poses.shape[-2:]).copy())
    if poses.shape[1] == 3:
        last = poses.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(len(poses), 1, 4)
        poses = torch.cat([poses, last], dim=1)
    return poses if convention == "opencv" else flip_y_and_z(poses)


def intrinsics_tensor(K: Any, num_views: int) -> Float64[Tensor, "view 4"]:
    """Focal lengths and principal points, one for all views or one a view.

    Args:
        K: Matrices of shape (3, 3) or (view, 3, 3), or fx, fy, cx, cy of shape (4,) or
            (view, 4).
        num_views: How many there are to be.

    Raises:
        CameraError: If it is something else, or a matrix has skew or a last row other
            than 0 0 1.
    """
    values = _numbers("K", K)
    if values.ndim in (2, 3) and values.shape[-2:] == (3, 3):
        matrices = values.reshape(-1, 3, 3)
        for matrix in matrices:
            if matrix[0, 1] or matrix[1, 0] or tuple(matrix[2]) != (0, 0, 1):
                raise CameraError(
                    f"K is {matrix.tolist()}",
                    remedy="It must be fx 0 cx, 0 fy cy, 0 0 1, without skew; is it "
                    "transposed?",
                )
        values = matrices[:, (0, 1, 0, 1), (0, 1, 2, 2)]
    if values.ndim not in (1, 2) or values.shape[-1] != 4:
        raise CameraError(
            f"K has shape {values.shape}",
            remedy="Give a 3×3 matrix, or fx, fy, cx, cy: one for all, or one a view.",
        )
    values = torch.from_numpy(values.reshape(-1, 4).copy())
    if len(values) not in (1, num_views):
        raise CameraError(
            f"K is given {len(values)} times, c2w {num_views} times",
            remedy="Give one K for all views, or one a view.",
        )
    return values.expand(num_views, 4).clone()


def points_tensor(
    name: str, value: Any, like: Tensor | None = None
) -> Float[Tensor, "*view 3"]:
    """Points or directions: of one tensor, array or list of three numbers, or many.

    Args:
        name: What to call it in messages.
        value: The numbers; a tensor of floating point stays as precise as it is.
        like: A tensor whose device and type they get.

    Raises:
        CameraError: If it is something else.
    """
    is_float = isinstance(value, Tensor) and value.is_floating_point()
    points = value if is_float else torch.from_numpy(_numbers(name, value).copy())
    if points.ndim not in (1, 2) or points.shape[-1] != 3:
        raise CameraError(
            f"{name} has shape {tuple(points.shape)}",
            remedy="Give three numbers, or rows of three, one a view.",
        )
    return points if like is None else points.to(like)


def checked_size(
    size: Sequence[int], intrinsics: Float64[Tensor, "view 4"]
) -> tuple[int, int]:
    """Height and width in pixels.

    Args:
        size: Both, in this order.
        intrinsics: Whose principal points show that the two are swapped: they are in
            the middle of an image of width × height, not of this one.

    Raises:
        CameraError: If it is something else, or swapped, or the intrinsics are not in
            pixels of such an image.
    """
    try:
        height, width = map(operator.index, size)
    except (TypeError, ValueError) as error:
        raise CameraError(
            f"size is {size!r}",
            remedy="Give (height, width), two whole numbers of pixels.",
        ) from error
    if not _is_centred(intrinsics, height, width) and _is_centred(
        intrinsics, width, height
    ):
        cx, cy = intrinsics[0, 2:].tolist()
        raise CameraError(
            f"size is ({height}, {width}), but the principal point {cx:g}, {cy:g} is "
            f"the middle of an image {height} wide and {width} high",
            remedy=f"Give height before width: ({width}, {height}).",
        )
    focal = intrinsics[:, :2]
    is_tiny = (focal > 0) & (focal < NARROWEST_FOCAL * min(height, width))
    at_corner = (intrinsics[:, 2:] == 0).all(dim=1, keepdim=True)
    for fx, fy, cx, cy in intrinsics[(is_tiny | at_corner).any(dim=1)].tolist():
        raise CameraError(
            f"K has focal lengths {fx:g}, {fy:g} and the principal point {cx:g}, "
            f"{cy:g} for an image {height} high and {width} wide",
            remedy="Give them in pixels: fractions times the width and height; the "
            "principal point is near the middle.",
        )
    return height, width


def _is_centred(intrinsics: Float64[Tensor, "view 4"], height: int, width: int) -> bool:
    middle = intrinsics[:, 2:] / intrinsics.new_tensor([width, height])
    return bool(((middle - 0.5).abs() <= CENTRED).all())


def _numbers(name: str, value: Any) -> np.ndarray:
    """Anything array-like in float64."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise CameraError(
            f"{name} is no array of numbers: {error}",
            remedy="Give an array, or rows of numbers of one length.",
        ) from error
