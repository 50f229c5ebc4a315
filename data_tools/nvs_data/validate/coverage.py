"""Checks of the capture as the chosen model will see it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera
from nvs.model.trained_on import TrainedOn
from nvs.scene.concerns import Concern
from nvs.scene.framing import choose
from nvs.scene.views import MOSTLY
from nvs_data.rigs import TRAINING_ELEVATIONS_DEGREES
from nvs_data.validate.findings import Finding, about_views, listing
from nvs_data.validate.survey import ImageSurvey, Survey

HOLE_DEGREES = 45.0
"""Angle to the nearest view beyond which a direction is uncovered: a surface facing it
is foreshortened by more than √2 in every view. Evaluation rigs stay under 25°."""
NUM_DIRECTIONS = 4000
"""Directions tested: 3° apart."""
ISOLATED = 10.0
"""Distance to the nearest other camera, over the median of those, beyond which a view
of a scene stands alone."""


def check_framing(
    capture: Survey,
    world_from_camera: Float[Tensor, "view 4 4"],
    sound: Sequence[int],
    *,
    trained_on: TrainedOn,
    wrong_lens: Collection[int],
) -> list[Finding]:
    """What framing says of the capture, and its coverage in the space of the model.

    Args:
        capture: The capture.
        world_from_camera: Its poses in OpenCV axes.
        sound: Views whose pose is rigid.
        trained_on: What the weights that it is for were trained on.
        wrong_lens: Views whose field of view is known to be wrong.
    """
    chosen = list(sound)
    intrinsics = capture.intrinsics[chosen].clone()
    for row, view in enumerate(chosen):
        height, width = capture.sizes[view]
        intrinsics[row] /= intrinsics.new_tensor([width, height, width, height])
        if view in wrong_lens:
            intrinsics[row] = math.nan  # compares as neither too narrow nor too wide
    camera = Camera(
        world_from_camera=world_from_camera[chosen],
        intrinsics=intrinsics,
        height=1,
        width=1,
    )
    framing = choose(
        camera,
        trained_on,
        world_up=capture.world_up,
        white_background=_is_before_white(capture),
    )
    findings = [_finding(capture, chosen, concern) for concern in framing.concerns]
    if framing.normalisation is None or len(sound) < len(capture):
        return findings  # what is left out may fill the holes
    framed = framing.normalisation.apply(camera)
    if trained_on.poses == "scene":
        return findings + _isolated_views(capture, framed)
    return findings + _object_holes(capture, framed, trained_on)


def _finding(capture: Survey, chosen: Sequence[int], concern: Concern) -> Finding:
    views = tuple(chosen[view] for view in concern.views)
    listed = f": {listing(capture.names, views)}" if views else ""
    hopeless = concern.verdict == "hopeless"
    return Finding(
        kind="framing" if hopeless else "outside-training",
        severity="error" if hopeless else "warning",
        views=views,
        message=concern.problem + listed,
        remedy=concern.remedy,
    )


def _is_before_white(capture: Survey) -> bool | None:
    """Whether most images show white all around; None if none can be read."""
    shares = [
        image.border_white for image in capture.images if isinstance(image, ImageSurvey)
    ]
    return statistics.median(shares) > MOSTLY if shares else None


def _fov_degrees(capture: Survey, view: int) -> float:
    return math.degrees(
        2 * math.atan(capture.sizes[view][1] / (2 * float(capture.intrinsics[view, 0])))
    )


def _object_holes(
    capture: Survey, camera: Camera, trained_on: TrainedOn
) -> list[Finding]:
    """The direction, within the elevations of training, farthest from any view."""
    elevations = trained_on.elevation_degrees or TRAINING_ELEVATIONS_DEGREES
    low, high = (math.sin(math.radians(angle)) for angle in elevations)
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
    fields = torch.tensor([_fov_degrees(capture, view) for view in range(len(camera))])
    alone = (nearest > ISOLATED * nearest.median()) | (angle > fields)
    return about_views(
        capture,
        "coverage",
        "warning",
        alone.nonzero()[:, 0].tolist(),
        "{names} stand alone: no other view is near or looks the same way",
        "Add views between them and the rest, or leave them out.",
    )
