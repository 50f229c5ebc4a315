"""A batch of pinhole cameras in the OpenCV convention.

Notation, used throughout the project:
    x right, y down, z forward          axes of a camera (OpenCV)
    world_from_camera                   (view, 4, 4) rigid; columns x, y, z, position
    fx, fy, cx, cy                      intrinsics in pixels of the image at hand
    (0.5, 0.5)                          centre of the top-left pixel, in pixels
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras.arrays import (
    Convention,
    checked_size,
    intrinsics_tensor,
    points_tensor,
    pose_tensor,
)
from nvs.cameras.se3 import rigid, so3_looking
from nvs.errors import CameraError

ORTHONORMAL_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Camera:
    """Pinhole cameras that share one image size.

    Construction checks shapes only; `check` validates the values, so that cameras can
    be built inside compiled and differentiated code.
    """

    world_from_camera: Float[Tensor, "view 4 4"]
    """Rigid transforms; columns are x, y, z axes and position."""
    intrinsics: Float[Tensor, "view 4"]
    """fx, fy, cx, cy in pixels."""
    height: int
    """Image height in pixels."""
    width: int
    """Image width in pixels."""

    def __post_init__(self) -> None:
        poses, intrinsics = self.world_from_camera, self.intrinsics
        for name in ("world_from_camera", "intrinsics"):
            value: Any = getattr(self, name)
            if not isinstance(value, Tensor):
                raise CameraError(
                    f"{name} is a {type(value).__name__}, not a tensor",
                    remedy="Use Camera.from_numpy(c2w, K, size).",
                )
        if poses.ndim != 3 or poses.shape[1:] != (4, 4):
            raise CameraError(
                f"world_from_camera has shape {tuple(poses.shape)}",
                remedy="Give one 4×4 matrix a view: shape (view, 4, 4).",
            )
        if intrinsics.shape != (poses.shape[0], 4):
            raise CameraError(
                f"intrinsics have shape {tuple(intrinsics.shape)} "
                f"for {poses.shape[0]} poses",
                remedy="Give fx, fy, cx, cy for each view: shape (view, 4).",
            )
        if self.height < 1 or self.width < 1:
            raise CameraError(
                f"image size is {self.height}×{self.width}",
                remedy="Height and width must be at least one pixel.",
            )

    def __repr__(self) -> str:
        return f"Camera({len(self)} views, {self.height}×{self.width})"

    def __len__(self) -> int:
        return self.world_from_camera.shape[0]

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> Camera:
        """Select views; an integer gives a batch of one."""
        if isinstance(index, int):
            index = [index]
        elif not isinstance(index, slice | Tensor):
            index = list(index)
        return replace(
            self,
            world_from_camera=self.world_from_camera[index],
            intrinsics=self.intrinsics[index],
        )

    def __iter__(self) -> Iterator[Camera]:
        return (self[index] for index in range(len(self)))

    @property
    def center(self) -> Float[Tensor, "view 3"]:
        """Camera positions in world units."""
        return self.world_from_camera[:, :3, 3]

    @property
    def forward(self) -> Float[Tensor, "view 3"]:
        """Unit viewing directions (the z axes)."""
        return self.world_from_camera[:, :3, 2]

    @property
    def hfov_radians(self) -> Float[Tensor, "view"]:
        """Horizontal fields of view."""
        return 2 * torch.atan(self.width / (2 * self.intrinsics[:, 0]))

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Camera:
        """Move and cast both tensors."""
        return replace(
            self,
            world_from_camera=self.world_from_camera.to(device=device, dtype=dtype),
            intrinsics=self.intrinsics.to(device=device, dtype=dtype),
        )

    def resized(self, height: int, width: int) -> Camera:
        """Cameras of the same images scaled to another size (exactly, per axis)."""
        scale_x, scale_y = width / self.width, height / self.height
        scale = self.intrinsics.new_tensor([scale_x, scale_y, scale_x, scale_y])
        return replace(
            self, intrinsics=self.intrinsics * scale, height=height, width=width
        )

    def cropped(self, top: int, left: int, height: int, width: int) -> Camera:
        """Cameras of a window of the images; `top` and `left` in pixels."""
        shift = self.intrinsics.new_tensor([0.0, 0.0, left, top])
        return replace(
            self, intrinsics=self.intrinsics - shift, height=height, width=width
        )

    def check(self, names: Sequence[str] | None = None) -> Camera:
        """Return self if every camera is usable.

        Args:
            names: What to call each view in messages; `view 0`, `view 1`, … if absent.

        Raises:
            CameraError: Naming the first view that is not finite, whose rotation is not
                orthonormal and right-handed within 1e-3, or whose focal length or
                principal point is impossible.
        """
        problems = [*_pose_problems(self), *_intrinsics_problems(self)]
        failing = torch.stack([bad for bad, _, _ in problems])
        if bool(failing.any()):
            view = int(failing.any(0).nonzero()[0])
            name = names[view] if names is not None else f"view {view}"
            for bad, describe, remedy in problems:
                if bad[view]:
                    raise CameraError(f"{name}: {describe(view)}", remedy=remedy)
        return self

    @staticmethod
    def from_numpy(
        c2w: Any,
        K: Any,
        size: Sequence[int],
        *,
        convention: Convention = "opencv",
    ) -> Camera:
        """Cameras from what other programs have, checked and in float64.

        Args:
            c2w: Camera-to-world matrices as an array, a list or a tensor: 4×4 or 3×4,
                one or one a view. Invert world-to-camera ones first.
            K: 3×3 matrices, or fx, fy, cx, cy; in pixels; one for all or one a view.
            size: Height and width of the images in pixels, in this order, as in
                `array.shape[:2]`. PIL and OpenCV's functions say width first.
            convention: The axes of `c2w`: `opencv` (y down, z forward; COLMAP), or
                `opengl`, which is `blender` too (y up, z backward; nerfstudio).

        Raises:
            CameraError: If a shape or a value cannot be that of a camera, or height and
                width are swapped as the principal points show.
        """
        poses = pose_tensor(c2w, convention)
        intrinsics = intrinsics_tensor(K, len(poses))
        height, width = checked_size(size, intrinsics)
        return Camera(
            world_from_camera=poses, intrinsics=intrinsics, height=height, width=width
        ).check()

    @staticmethod
    def look_at(
        eye: Any,
        target: Any,
        *,
        up: Any,
        hfov_radians: float,
        height: int,
        width: int,
    ) -> Camera:
        """Cameras at `eye` looking at `target` with square pixels.

        Args:
            eye: Positions of shape (3,) or (view, 3): a tensor, an array or lists.
            target: What they look at, likewise; one for all, or one a view.
            up: What is up in the pictures, likewise.
            hfov_radians: Horizontal field of view.
            height: Of the pictures, in pixels.
            width: The same.

        Raises:
            CameraError: If these are no such numbers, a camera sits on its target or
                looks along `up`, or the field of view is none.
        """
        if not 0 < hfov_radians < math.pi:
            raise CameraError(
                f"hfov_radians is {hfov_radians:g}",
                remedy="Give radians between 0 and π: degrees times π / 180.",
            )
        eye = points_tensor("eye", eye).reshape(-1, 3)
        target = points_tensor("target", target, eye)
        up = points_tensor("up", up, eye)
        counts = {len(eye), *(len(points.reshape(-1, 3)) for points in (target, up))}
        if len(counts - {1}) > 1:
            raise CameraError(
                f"eye, target and up are given {sorted(counts)} times",
                remedy="Give one for all views, or one a view.",
            )
        eye = eye.expand(max(counts), 3)
        forward = target - eye
        right = torch.linalg.cross(forward, up.expand_as(forward))
        size = forward.norm(dim=-1) * up.expand_as(forward).norm(dim=-1)
        if bool((right.norm(dim=-1) <= 1e-6 * size).any()) or bool((size == 0).any()):
            raise CameraError(
                "a camera looks straight along its up axis or sits on its target",
                remedy="Move the camera, the target or the up axis apart.",
            )
        focal_px = width / (2 * math.tan(hfov_radians / 2))
        intrinsics = eye.new_tensor([focal_px, focal_px, width / 2, height / 2])
        return Camera(
            world_from_camera=rigid(so3_looking(forward, up), eye),
            intrinsics=intrinsics.expand(len(eye), 4).clone(),
            height=height,
            width=width,
        )

    @staticmethod
    def of(cameras: Any) -> Camera:
        """Cameras of a batch, or of a list of batches of one image size.

        Raises:
            CameraError: If it is something else.
        """
        if isinstance(cameras, Camera):
            return cameras
        if isinstance(cameras, list | tuple) and all(
            isinstance(camera, Camera) for camera in cameras
        ):
            return Camera.cat(cameras)
        raise CameraError(
            f"camera is a {type(cameras).__name__}, not a Camera",
            remedy="Make one with Camera.from_numpy(c2w, K, size) or Camera.look_at.",
        )

    @staticmethod
    def cat(cameras: Sequence[Camera]) -> Camera:
        """Join batches of the same image size.

        Raises:
            CameraError: If the sizes differ.
        """
        sizes = {(camera.height, camera.width) for camera in cameras}
        if len(sizes) != 1:
            raise CameraError(
                f"cannot join cameras of sizes {sorted(sizes)}",
                remedy="Resize them to one height and width first.",
            )
        return replace(
            cameras[0],
            world_from_camera=torch.cat([c.world_from_camera for c in cameras]),
            intrinsics=torch.cat([c.intrinsics for c in cameras]),
        )


Problem: TypeAlias = tuple[Tensor, Callable[[int], str], str]
"""Which views have it, how to describe that of one view, and the remedy."""


def _pose_problems(camera: Camera) -> list[Problem]:
    pose = camera.world_from_camera.detach().double().cpu()
    rotation = pose[:, :3, :3]
    identity = torch.eye(3, dtype=pose.dtype)
    error = (rotation.mT @ rotation - identity).abs().amax((1, 2))
    bottom = pose[:, 3]
    return [
        (
            ~pose.isfinite().all(2).all(1),
            lambda view: "the pose holds NaN or infinite values",
            "Remove the view or give it a finite world_from_camera matrix.",
        ),
        (
            (bottom - bottom.new_tensor([0.0, 0.0, 0.0, 1.0])).abs().amax(1) > 1e-6,
            lambda view: f"the last row of the pose is {bottom[view].tolist()}",
            "It must be 0 0 0 1; is the matrix transposed?",
        ),
        (
            error > ORTHONORMAL_TOLERANCE,
            lambda view: f"the rotation is not orthonormal (off by {error[view]:.2g})",
            "Remove scale and shear from the pose; translation may be any size.",
        ),
        (
            torch.linalg.det(rotation.nan_to_num()) < 0,
            lambda view: "the rotation is left-handed (a reflection)",
            "Axes must be x right, y down, z forward; check for a flipped axis.",
        ),
    ]


def _intrinsics_problems(camera: Camera) -> list[Problem]:
    intrinsics = camera.intrinsics.detach().double().cpu()

    def shown(view: int, count: int) -> str:
        return ", ".join(f"{value:g}" for value in intrinsics[view, :count].tolist())

    return [
        (
            ~intrinsics.isfinite().all(1),
            lambda view: f"fx, fy, cx, cy are {shown(view, 4)}",
            "Intrinsics must be finite, in pixels of the image.",
        ),
        (
            (intrinsics[:, :2] <= 0).any(1),
            lambda view: f"focal lengths fx, fy are {shown(view, 2)}",
            "They must be positive, in pixels of the image.",
        ),
    ]
