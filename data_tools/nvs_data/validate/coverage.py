"""Checks of the capture as the chosen model will see it."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera, PoseNormalisation
from nvs.errors import CameraError
from nvs_data.rigs import (
    HFOV_DEGREES,
    TRAINING_ELEVATIONS_DEGREES,
    TRAINING_RADII,
)
from nvs_data.validate.findings import Finding, Poses, about_views
from nvs_data.validate.survey import Survey

HOLE_DEGREES = 45.0
"""Angle to the nearest view beyond which a direction is uncovered: a surface facing it
is foreshortened by more than √2 in every view. Evaluation rigs stay under 25°."""
NUM_DIRECTIONS = 4000
"""Directions tested: 3° apart."""
ELEVATION_SLACK_DEGREES = 12.0
"""Allowed beyond the elevations of training, since the up axis is an estimate."""
RADIUS_SLACK = 1.15
"""Factor allowed beyond the distances of training, which a hand-held capture needs."""
OBJECT_FOV_SLACK = 1.3
"""Factor allowed on the field of view of 50° that object models were trained with."""
SCENE_FOV_DEGREES = (35.0, 110.0)
"""Horizontal fields of view of phones, drones and action cameras, undistorted, which
scene models were trained with; a moderate telephoto lens is outside."""
ISOLATED = 10.0
"""Distance to the nearest other camera, over the median of those, beyond which a view
of a scene stands alone."""


def check_framing(
    capture: Survey,
    world_from_camera: Float[Tensor, "view 4 4"],
    sound: Sequence[int],
    *,
    poses: Poses,
    wrong_lens: Collection[int],
) -> list[Finding]:
    """Coverage, and cameras unlike those of training, in the space of the model.

    Args:
        capture: The capture.
        world_from_camera: Its poses in OpenCV axes.
        sound: Views whose pose is rigid.
        poses: Framing of the chosen model.
        wrong_lens: Views whose field of view is known to be wrong.
    """
    camera = Camera(
        world_from_camera=world_from_camera[list(sound)],
        intrinsics=capture.intrinsics[list(sound)],
        height=1,
        width=1,
    )
    framing = (
        PoseNormalisation.from_object
        if poses == "object"
        else PoseNormalisation.from_mean_camera
    )
    try:
        camera = framing(camera).apply(camera)
    except CameraError as error:
        return [
            Finding(
                kind="framing",
                severity="error",
                views=(),
                message=error.problem,
                remedy=error.remedy,
            )
        ]
    lenses = [view for view in sound if view not in wrong_lens]
    findings = _check_fields_of_view(capture, lenses, poses)
    if poses == "object":
        findings += _check_orbit(capture, camera, sound)
    if len(sound) < len(capture):
        return findings  # what is left out may fill the holes
    holes = _object_holes if poses == "object" else _isolated_views
    return findings + holes(capture, camera)


def _check_orbit(
    capture: Survey, camera: Camera, sound: Sequence[int]
) -> list[Finding]:
    """Distances and elevations of an object capture, in model space."""
    distance = camera.center.norm(dim=-1)
    elevation = torch.rad2deg(torch.asin(camera.center[:, 2] / distance))
    findings: list[Finding] = []
    for quantity, unit, values, low, high, slack_low, slack_high, remedy in [
        (
            "distance from the object",
            "",
            distance,
            *TRAINING_RADII,
            TRAINING_RADII[0] / RADIUS_SLACK,
            TRAINING_RADII[1] * RADIUS_SLACK,
            "Keep one distance from the object, or leave these views out.",
        ),
        (
            "elevation",
            "°",
            elevation,
            *TRAINING_ELEVATIONS_DEGREES,
            TRAINING_ELEVATIONS_DEGREES[0] - ELEVATION_SLACK_DEGREES,
            TRAINING_ELEVATIONS_DEGREES[1] + ELEVATION_SLACK_DEGREES,
            "Leave these views out; or, if the up axis found here is wrong, give yours "
            "when the scene is made.",
        ),
    ]:
        outside = ((values < slack_low) | (values > slack_high)).nonzero()[:, 0]
        if len(outside):
            found = values[outside]
            findings += about_views(
                capture,
                "outside-training",
                "warning",
                [sound[i] for i in outside.tolist()],
                f"the {quantity} of {{names}} is "
                f"{float(found.min()):.3g}{unit} to {float(found.max()):.3g}{unit}"
                f", in training it was {low:g}{unit} to {high:g}{unit}",
                remedy,
            )
    return findings


def _check_fields_of_view(
    capture: Survey, views: Sequence[int], poses: Poses
) -> list[Finding]:
    """Fields of view: across the square that object models see, or horizontal."""
    low, high = SCENE_FOV_DEGREES
    if poses == "object":
        low, high = HFOV_DEGREES / OBJECT_FOV_SLACK, HFOV_DEGREES * OBJECT_FOV_SLACK
    fields = {view: _fov_degrees(capture, view, poses) for view in views}
    outside = [view for view, fov in fields.items() if not low <= fov <= high]
    if not outside:
        return []
    found = [fields[view] for view in outside]
    return about_views(
        capture,
        "outside-training",
        "warning",
        outside,
        "the field of view of {names} is "
        f"{min(found):.3g}° to {max(found):.3g}°, the model expects {low:.3g}° to "
        f"{high:.3g}°",
        "Crop the images to the subject, or use another lens."
        if max(found) > high
        else "Go closer with a wider lens, or expect a softer result.",
    )


def _fov_degrees(capture: Survey, view: int, poses: Poses) -> float:
    fx, fy = capture.intrinsics[view, :2].tolist()
    height, width = capture.sizes[view]
    across = min(width / fx, height / fy) if poses == "object" else width / fx
    return math.degrees(2 * math.atan(across / 2))


def _object_holes(capture: Survey, camera: Camera) -> list[Finding]:
    """The direction, within the elevations of training, farthest from any view."""
    low, high = (math.sin(math.radians(angle)) for angle in TRAINING_ELEVATIONS_DEGREES)
    index = torch.arange(NUM_DIRECTIONS, dtype=torch.float64) + 0.5
    z = low + (high - low) * index / NUM_DIRECTIONS
    turn = index * (math.pi * (3 - 5**0.5))  # the golden angle: even on the sphere
    across = (1 - z**2).sqrt()
    direction = torch.stack([across * turn.cos(), across * turn.sin(), z], dim=-1)
    view = torch.nn.functional.normalize(camera.center, dim=-1)
    cosine = (direction @ view.T).clamp(-1, 1)
    nearest, which = torch.rad2deg(torch.acos(cosine)).min(dim=-1)
    worst = int(nearest.argmax())
    if nearest[worst] <= HOLE_DEGREES:
        return []
    share = float((nearest > HOLE_DEGREES).double().mean())
    azimuth = math.degrees(math.atan2(direction[worst, 1], direction[worst, 0]))
    elevation = math.degrees(math.asin(direction[worst, 2]))
    return [
        Finding(
            kind="coverage",
            severity="warning",
            views=(),
            message=f"no view looks from within {float(nearest[worst]):.0f}° of "
            f"azimuth {azimuth:.0f}°, elevation {elevation:.0f}° (nearest: "
            f"{capture.names[int(which[worst])]}); {share:.0%} of the directions a "
            f"model was trained for are more than {HOLE_DEGREES:g}° from every view",
            remedy="Add views there, or do not render from there.",
        )
    ]


def _isolated_views(capture: Survey, camera: Camera) -> list[Finding]:
    """Views of a scene that no other view is near, or looks the same way as."""
    if len(camera) < 3:
        return []
    distance = torch.cdist(camera.center, camera.center)
    distance.fill_diagonal_(math.inf)
    nearest = distance.min(dim=-1).values
    cosine = camera.forward @ camera.forward.T
    cosine.fill_diagonal_(-1)
    angle = torch.rad2deg(torch.acos(cosine.clamp(-1, 1))).min(dim=-1).values
    fields = torch.tensor(
        [_fov_degrees(capture, v, "scene") for v in range(len(camera))]
    )
    alone = (nearest > ISOLATED * nearest.median()) | (angle > fields)
    return about_views(
        capture,
        "coverage",
        "warning",
        alone.nonzero()[:, 0].tolist(),
        "{names} stand alone: no other view is near or looks the same way",
        "Add views between them and the rest, or leave them out.",
    )
