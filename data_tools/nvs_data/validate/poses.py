"""Checks of cameras: rotations, intrinsics, and which way they look."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera
from nvs.cameras.aggregate import PARALLEL
from nvs.cameras.camera import ORTHONORMAL_TOLERANCE
from nvs.cameras.intrinsics import intrinsics_fault
from nvs.scene.concerns import stored_inverted
from nvs_data.validate.findings import Finding, Kind, Poses, about_views
from nvs_data.validate.survey import ImageSurvey, Survey

ONE_PLACE = 1e-5
"""Spread of centres, over their size, that is rounding of what was in float32."""
UPRIGHT = 0.3
"""Mean height of the −y axes over which cameras are the right way up."""


def check_rotations(capture: Survey) -> list[Finding]:
    """Poses that are not finite, or not rigid: scaled, reflected or sheared."""
    faults: dict[Kind, list[int]] = {}
    scales: list[float] = []
    for view, pose in enumerate(capture.world_from_camera):
        kind, scale = _fault_of_pose(pose)
        if kind is not None:
            faults.setdefault(kind, []).append(view)
        if kind == "scaled":
            scales.append(scale)
    texts: dict[Kind, tuple[str, str]] = {
        "not-finite": (
            "poses hold NaN or infinite values",
            "Remove these views; they were probably never registered.",
        ),
        "not-rigid": (
            "poses are not rigid transforms",
            "Give 4×4 matrices with a rotation and the last row 0 0 0 1; "
            "check that they are not transposed.",
        ),
        "scaled": (
            "rotations are scaled",
            "Divide the rotations by their scale "
            f"({min(scales, default=1):.4g} to {max(scales, default=1):.4g}), "
            "and leave the translations.",
        ),
        "reflected": (
            "rotations are left-handed (reflected)",
            "Flip one axis back: cameras have x right, y down, z forward.",
        ),
    }
    findings: list[Finding] = []
    for kind, views in faults.items():
        problem, remedy = texts[kind]
        message = f"{{count}} of {{total}} {problem}: {{names}}"
        findings += about_views(capture, kind, "error", views, message, remedy)
    return findings


def _fault_of_pose(pose: Float[Tensor, "4 4"]) -> tuple[Kind | None, float]:
    """The fault of one pose, and its scale."""
    if not torch.isfinite(pose).all():
        return "not-finite", 1.0
    linear, eye = pose[:3, :3], torch.eye(3, dtype=pose.dtype)
    gram = linear.T @ linear
    scale = float((gram.trace() / 3).sqrt())
    last_row = (pose[3] - pose.new_tensor([0.0, 0.0, 0.0, 1.0])).abs().max()
    sheared = (gram - scale**2 * eye).abs().max() > ORTHONORMAL_TOLERANCE * scale**2
    if last_row > 1e-6 or scale == 0 or sheared:
        return "not-rigid", scale
    if torch.linalg.det(linear) < 0:
        return "reflected", scale
    if (gram - eye).abs().max() > ORTHONORMAL_TOLERANCE:
        return "scaled", scale
    return None, scale


def check_intrinsics(capture: Survey) -> list[Finding]:
    """Intrinsics that are impossible, or those of an image of another size."""
    problems: dict[str, tuple[str, list[int]]] = {}
    for view in range(len(capture)):
        problem = _fault_of_intrinsics(capture, view)
        if problem is not None:
            problems.setdefault(problem[0], (problem[1], []))[1].append(view)
    return [
        finding
        for problem, (remedy, views) in problems.items()
        for finding in about_views(
            capture, "intrinsics", "error", views, problem + " in {names}", remedy
        )
    ]


def _fault_of_intrinsics(capture: Survey, view: int) -> tuple[str, str] | None:
    """What is wrong with one camera's intrinsics, and the remedy."""
    fx, fy, cx, cy = capture.intrinsics[view].tolist()
    height, width = capture.sizes[view]
    image = capture.images[view]
    if isinstance(image, ImageSurvey) and (image.height, image.width) != (
        height,
        width,
    ):
        return (
            f"the camera is for {height}×{width} pixels (height × width), "
            f"the image has {image.height}×{image.width}",
            "Scale the intrinsics by "
            f"{image.width / width:.4g} in x and {image.height / height:.4g} in y, "
            "or restore the original images.",
        )
    return intrinsics_fault((fx, fy, cx, cy), height, width)


def check_looking_away(
    capture: Survey, sound: Float[Tensor, "sound 4 4"], poses: Poses
) -> Finding | None:
    """Whether most cameras have behind them what they should look at.

    That is the point closest to all optical axes. Flipping the y and z axes of all
    cameras leaves the axes where they are, and so puts it in front of them; but it also
    turns them upside down. So cameras that are the right way up in the capture's world
    really look outwards, which is no fault. Where nobody knows which way is up, that is
    what a capture for scene weights is taken for. Of inverted poses framing speaks.
    """
    num_behind = _num_behind(sound)
    upright = _uprightness(capture, sound)
    if 2 * num_behind <= len(sound) or upright > UPRIGHT:
        return None  # framing says what looking outwards means
    camera = Camera(
        world_from_camera=sound,
        intrinsics=sound.new_ones(len(sound), 4),
        height=1,
        width=1,
    )
    if stored_inverted(camera) is not None:
        return None
    sure = poses == "object" or upright < -UPRIGHT
    message = (
        f"the point closest to all optical axes is behind {num_behind} of "
        f"{len(sound)} cameras"
    )
    if upright < -UPRIGHT:
        message += ", which are upside down in the world of their file"
    if not sure:
        message += ": they look outwards"
        remedy = (
            "Nothing is wrong if the scene was filmed outwards. If it was filmed from "
            "around, read the poses with --convention opengl."
        )
    else:
        message += (
            "; with OpenGL axes (y up, z backward) it would be in front of "
            f"{num_behind}"
        )
        remedy = "Read the poses with --convention opengl"
        if upright < -UPRIGHT:
            remedy += "."
        else:
            remedy += (
                "; if they are OpenCV, choose a scene model: these cameras look "
                "outwards."
            )
    return Finding(
        kind="looking-away",
        severity="error" if sure else "info",
        views=(),
        message=message,
        remedy=remedy,
    )


def _num_behind(sound: Float[Tensor, "sound 4 4"]) -> int:
    """Cameras that have behind them the point closest to all optical axes."""
    center, z = sound[:, :3, 3], sound[:, :3, 2]
    origin = center.mean(dim=0)
    if (center - origin).abs().max() <= ONE_PLACE * center.abs().max():
        return 0  # framing says so
    across = torch.eye(3, dtype=z.dtype) - z[:, :, None] * z[:, None]
    system = across.mean(dim=0)
    if torch.linalg.eigvalsh(system)[0] < PARALLEL:
        point = origin  # of two cameras face to face; others are parallel
        if ((origin - center) * z).sum(dim=-1).sum() >= -PARALLEL * center.std():
            return 0
    else:
        moments = (across @ (center - origin)[..., None]).mean(dim=0)
        point = origin + torch.linalg.solve(system, moments)[:, 0]
    return int((((point - center) * z).sum(dim=-1) < 0).sum())


def _uprightness(capture: Survey, sound: Float[Tensor, "sound 4 4"]) -> float:
    """Mean height of the −y axes in the capture's world; 0 where its up is unknown."""
    if capture.world_up is None:
        return 0.0
    return -float(sound[:, :3, 1].mean(dim=0) @ sound.new_tensor(capture.world_up))
