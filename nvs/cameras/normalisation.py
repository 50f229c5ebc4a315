"""Pose normalisation: from the world of a capture to the space a model was trained in.

Notation:
    model_from_world    [s R, t; 0, 1] with a scale s > 0, a rotation R, a shift t
    camera              rotation Rc and centre c become R Rc and s R c + t

Scene models expect the mean camera at the origin and centres within [−1, 1]³ (of views
all round, which have none, a level camera at their middle); object
models expect the object at the origin, z up, and cameras 2.7 away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras.aggregate import (
    check_extent,
    common_up,
    look_at_point,
    mean_pose,
    middle_pose,
)
from nvs.cameras.camera import Camera
from nvs.cameras.json_record import Record
from nvs.cameras.se3 import se3_inverse, so3_between
from nvs.errors import CameraError

OBJECT_RADIUS = 2.7
"""Distance from the object at which the released object models saw their cameras."""
SIMILARITY_TOLERANCE = 1e-6

Kind = Literal["none", "mean_camera", "object"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PoseNormalisation:
    """A similarity between world and model space, and how it came about.

    Raises:
        CameraError: If `model_from_world` is not a similarity.
    """

    kind: Kind
    """How the similarity was chosen."""
    model_from_world: Float[Tensor, "4 4"]
    """Uniform scale and rotation, shift: float64, on the CPU."""
    views: tuple[int, ...] = ()
    """Indices, in the capture, of the views that defined it; empty for none."""

    def __post_init__(self) -> None:
        matrix = self.model_from_world.detach().double().cpu()
        _check_similarity(matrix)
        object.__setattr__(self, "model_from_world", matrix)

    @property
    def scale(self) -> float:
        """Model units a world unit."""
        return float(torch.linalg.det(self.model_from_world[:3, :3]) ** (1 / 3))

    @property
    def world_from_model(self) -> Float[Tensor, "4 4"]:
        """The inverse similarity."""
        return torch.linalg.inv(self.model_from_world)

    def apply(self, camera: Camera) -> Camera:
        """Cameras of the world, in model space; intrinsics unchanged."""
        return _transformed(camera, self.model_from_world, self.scale)

    def invert(self, camera: Camera) -> Camera:
        """Cameras of model space, in the world; intrinsics unchanged."""
        return _transformed(camera, self.world_from_model, 1 / self.scale)

    @staticmethod
    def none() -> PoseNormalisation:
        """Leave cameras as they are."""
        identity = torch.eye(4, dtype=torch.float64)
        return PoseNormalisation(kind="none", model_from_world=identity)

    @staticmethod
    def from_mean_camera(
        camera: Camera, views: Sequence[int] | None = None
    ) -> PoseNormalisation:
        """Framing of scene models: mean camera to the origin, centres in [−1, 1]³.

        Scale divides by the largest absolute coordinate of the defining views' centres
        once the mean camera is the origin. One view has no extent: its scale is 1.

        Args:
            camera: All views of a capture.
            views: Which of them define the framing, all if absent. Leave out views
                held back for evaluation, or they leak into the input.

        Raises:
            CameraError: If the views have no mean camera or are all in one place.
        """
        chosen, views = _select(camera, views)
        return _around(mean_pose(chosen), chosen, views)

    @staticmethod
    def from_middle(camera: Camera, *, up: Sequence[float]) -> PoseNormalisation:
        """Framing of scene models for views that look all round outwards.

        As around a mean camera, which they have not: instead of it `middle_pose`, level
        at the mean centre and turned as the first view is.

        Args:
            camera: All views of a capture.
            up: Unit vector that is up in the world.

        Raises:
            CameraError: If all views look up or down or are in one place.
        """
        chosen, views = _select(camera, None)
        upward = chosen.world_from_camera.new_tensor(up, dtype=torch.float64)
        return _around(middle_pose(chosen, upward), chosen, views)

    @staticmethod
    def from_object(
        camera: Camera,
        views: Sequence[int] | None = None,
        *,
        up: Sequence[float] | None = None,
        radius: float = OBJECT_RADIUS,
    ) -> PoseNormalisation:
        """Framing of object models: object at the origin, z up, cameras at `radius`.

        The point closest to all optical axes becomes the origin, the smallest rotation
        turns `up` into +z, and the median distance of the views becomes `radius`.

        Args:
            camera: All views of a capture.
            views: Which of them define the framing, all if absent.
            up: Up axis in the world; `common_up` of the views if absent.
            radius: Median distance of the views from the origin, in model units.

        Raises:
            CameraError: If the axes do not meet in front of the views, all views are in
                one place, or there is no up axis to be found.
        """
        if not 0 < radius < float("inf"):
            raise CameraError(
                f"object framing radius is {radius}",
                remedy="Give a positive distance in model units, such as 2.7.",
            )
        chosen, views = _select(camera, views)
        point = look_at_point(chosen).cpu()
        poses = chosen.world_from_camera.double().cpu()
        upward = common_up(chosen).cpu() if up is None else poses.new_tensor(up)
        if not 0 < float(upward.norm()) < float("inf"):
            raise CameraError(
                f"the up axis of object framing is {upward.tolist()}",
                remedy="Give the world's up axis explicitly, such as 0 0 1.",
            )
        rotation = so3_between(
            upward / upward.norm(), upward.new_tensor([0.0, 0.0, 1.0])
        )
        distance = float((poses[:, :3, 3] - point).norm(dim=-1).quantile(0.5))
        check_extent(distance, chosen)
        rigid = torch.eye(4, dtype=poses.dtype)
        rigid[:3, :3], rigid[:3, 3] = rotation, -(rotation @ point)
        return PoseNormalisation(
            kind="object",
            model_from_world=_scaled(rigid, radius / distance),
            views=views,
        )

    def to_json(self) -> dict[str, object]:
        """Plain values for a JSON file; floats survive it exactly."""
        return {
            "kind": self.kind,
            "model_from_world": self.model_from_world.tolist(),
            "views": list(self.views),
        }

    @staticmethod
    def from_json(data: Mapping[str, object]) -> PoseNormalisation:
        """The value `to_json` gave.

        Raises:
            CameraError: Naming the key that is missing or unusable.
        """
        record = Record(data, "pose normalisation: ")
        kind, views = record.get("kind"), record.get("views")
        if kind not in get_args(Kind):
            raise CameraError(
                f"pose normalisation: kind is {kind!r}",
                remedy=f"Use one of {', '.join(get_args(Kind))}.",
            )
        if not isinstance(views, list) or not all(type(view) is int for view in views):
            raise CameraError(
                f"pose normalisation: views is {views!r}",
                remedy="Give a list of whole numbers.",
            )
        matrix = record.numbers("model_from_world", 4, 4)
        return PoseNormalisation(
            kind=cast(Kind, kind),
            model_from_world=torch.tensor(matrix, dtype=torch.float64),
            views=tuple(cast(list[int], views)),
        )


def _select(
    camera: Camera, views: Sequence[int] | None
) -> tuple[Camera, tuple[int, ...]]:
    indices = tuple(range(len(camera))) if views is None else tuple(views)
    if not indices:
        raise CameraError(
            "no views are given to define the pose normalisation",
            remedy="Name at least one view.",
        )
    for index in indices:
        if not 0 <= index < len(camera):
            raise CameraError(
                f"view {index} is to define the pose normalisation "
                f"of {len(camera)} views",
                remedy=f"Use indices from 0 to {len(camera) - 1}.",
            )
    return camera[indices], indices


def _around(
    pose: Float[Tensor, "4 4"], chosen: Camera, views: tuple[int, ...]
) -> PoseNormalisation:
    """A pose to the origin, and the centres of the views within [−1, 1]³."""
    camera_from_world = se3_inverse(pose).cpu()
    center = chosen.center.double().cpu()
    local = center @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    extent = 1.0
    if len(views) > 1:
        extent = float(local.abs().max())
        check_extent(extent, chosen)
    return PoseNormalisation(
        kind="mean_camera",
        model_from_world=_scaled(camera_from_world, 1 / extent),
        views=views,
    )


def _scaled(rigid: Float[Tensor, "4 4"], scale: float) -> Float[Tensor, "4 4"]:
    return rigid * rigid.new_tensor([scale, scale, scale, 1.0])[:, None]


def _transformed(
    camera: Camera, similarity: Float[Tensor, "4 4"], scale: float
) -> Camera:
    poses = similarity.to(camera.world_from_camera.device) @ (
        camera.world_from_camera.double()
    )
    poses[:, :3, :3] /= scale
    return replace(camera, world_from_camera=poses.to(camera.world_from_camera.dtype))


def _check_similarity(matrix: Float[Tensor, "..."]) -> None:
    problem = None
    if matrix.shape != (4, 4):
        problem = f"has shape {tuple(matrix.shape)}"
    elif not torch.isfinite(matrix).all():
        problem = "holds NaN or infinite values"
    elif matrix[3].tolist() != [0.0, 0.0, 0.0, 1.0]:
        problem = f"has the last row {matrix[3].tolist()}"
    else:
        linear = matrix[:3, :3]
        gram, square = linear.T @ linear, linear.square().sum() / 3
        error = (gram - square * torch.eye(3, dtype=matrix.dtype)).abs().max()
        if torch.linalg.det(linear) <= 0 or error > SIMILARITY_TOLERANCE * square:
            problem = "is not a rotation times one positive scale"
    if problem is not None:
        raise CameraError(
            f"model_from_world of the pose normalisation {problem}",
            remedy="Give a 4×4 similarity: uniform scale, rotation, shift.",
        )
