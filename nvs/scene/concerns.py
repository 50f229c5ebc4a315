"""What makes a build worse than it could be, or impossible: said before it is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera
from nvs.cameras.aggregate import (
    common_up,
    parallax_degrees,
    share_looking,
    surrounds,
    widest_degrees,
)
from nvs.cameras.se3 import flip_y_and_z, se3_inverse
from nvs.errors import CameraError
from nvs.model.trained_on import TrainedOn
from nvs.scene.frames import PoseConvention
from nvs.scene.upright import UP_DEGREES, angle_degrees

Verdict = Literal["fine", "degraded", "hopeless"]

DISTANCE_SLACK = 1.15
"""Factor allowed beyond the distances of training, which a hand-held capture needs."""
ELEVATION_SLACK_DEGREES = 12.0
"""Allowed beyond the elevations of training, since the up axis is an estimate."""
FIELD_SLACK = 1.3
"""Factor allowed beyond the fields of view of training."""
MOST_LOOK = 0.8
"""Share of views that must, for a capture to be where the weights were trained."""
FEWEST_LOOK = 0.5
"""Share of views that must look at one thing for weights for objects."""
PARALLAX_DEGREES = 1.0
"""Widest angle between views, seen from the object, that shows it from one side."""
ONE_PLACE = 0.01
"""Distance from their middle, in units of the world, which are metres in most captures,
within which views of a scene are taken for those of a tripod."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Concern:
    """One reason why a build will be worse than it could be, or cannot be."""

    verdict: Verdict
    """`degraded` or `hopeless`."""
    problem: str
    """What is wrong, with values."""
    remedy: str
    """What to do about it."""
    views: tuple[int, ...] = ()
    """Indices of the views it is about; empty for the capture as a whole."""


def tilted(camera: Camera, given: Sequence[float]) -> list[Concern]:
    """The concern that the up axis that was given is not that of the cameras."""
    try:
        common = common_up(camera).tolist()
    except CameraError:
        return []
    angle = angle_degrees(common, given)
    if angle <= UP_DEGREES:
        return []
    own = ",".join(f"{value:.2g}" for value in common)
    return [
        Concern(
            verdict="degraded",
            problem=f"the up axis that is given is {angle:.0f}° from what is up for "
            f"the cameras, {own}",
            remedy="Leave it out, unless the cameras were really held so.",
        )
    ]


def stored_inverted(camera: Camera) -> PoseConvention | None:
    """The convention of poses that are the inverse of what they are taken for.

    Such poses mostly look about in one place; their inverses all look at one thing from
    different sides, upright, which hardly any other capture does.

    Returns:
        The one that puts them right; None if they are not inverted, or nobody can tell.
    """
    if surrounds(camera):
        return None
    inverse = se3_inverse(camera.world_from_camera.double())
    if surrounds(replace(camera, world_from_camera=inverse)):
        return "inverted"
    if surrounds(replace(camera, world_from_camera=flip_y_and_z(inverse))):
        return "inverted-opengl"
    return None


def inverted(camera: Camera, verdict: Verdict) -> list[Concern]:
    """The concern about inverted poses, if they are."""
    convention = stored_inverted(camera)
    if convention is None:
        return []
    return [
        Concern(
            verdict=verdict,
            problem=f"the poses of {len(camera)} views do not surround one thing, but "
            "their inverses do: it seems they were stored the other way (world to "
            "camera, or camera to world) than their layout says",
            remedy=f"Read them with the convention {convention} (--convention).",
        )
    ]


def one_side(camera: Camera, framed: Camera, kind: str) -> list[Concern]:
    """What makes views useless for weights for objects: they show no sides of one."""
    count = len(camera)
    if count < 2:
        return []
    degrees = widest_degrees(framed.center)
    if degrees < PARALLAX_DEGREES:
        problem = _narrow(count, degrees)
    elif kind == "object" and (
        share_looking(camera) < FEWEST_LOOK or parallax_degrees(camera) is None
    ):
        problem = (
            f"{count} views look at nothing in common: their axes pass each other as "
            "far away as the views are apart, as if turned about in one place"
        )
    else:
        return []
    return [
        Concern(
            verdict="hopeless",
            problem=problem,
            remedy="Walk around the object with the camera, or use weights for scenes.",
        )
    ]


def one_place(camera: Camera) -> list[Concern]:
    """The concern about views of a scene from what seems to be a tripod."""
    count = len(camera)
    if count < 2:
        return []
    degrees = parallax_degrees(camera)
    center = camera.center.double()
    away = float((center - center.mean(dim=0)).norm(dim=-1).max())
    if degrees is not None and degrees < PARALLAX_DEGREES:
        problem = _narrow(count, degrees)
    elif away <= ONE_PLACE and share_looking(camera) < MOST_LOOK:
        problem = (
            f"all {count} views are within {away:.2g} of one place: if units are "
            "metres there is no parallax, and depth can only be guessed"
        )
    else:
        return []
    return [
        Concern(
            verdict="degraded",
            problem=problem,
            remedy="Move the camera by a step or more between photographs.",
        )
    ]


def _narrow(count: int, degrees: float) -> str:
    return (
        f"seen from what they look at, {count} views are within {degrees:.2g}° of each "
        "other: there is no parallax, and depth can only be guessed"
    )


def unlike_training(
    framed: Camera, trained_on: TrainedOn, is_object: bool
) -> list[Concern]:
    """In what framed cameras are unlike those of training."""
    concerns: list[Concern] = []
    count = len(framed)
    if trained_on.num_inputs and count < trained_on.num_inputs[0]:
        low, high = trained_on.num_inputs
        concerns.append(
            Concern(
                verdict="degraded",
                problem=f"{count} views; in training there were {low} to {high}",
                remedy="Add views from other sides.",
            )
        )
    if is_object:
        distance = framed.center.norm(dim=-1)
        elevation = torch.rad2deg(torch.asin(framed.center[:, 2] / distance))
        concerns += _outside(
            "distance from the object",
            "",
            distance,
            trained_on.distance,
            lambda low, high: (low / DISTANCE_SLACK, high * DISTANCE_SLACK),
            "Keep one distance from the object, or take these photographs out.",
        )
        concerns += _outside(
            "elevation",
            "°",
            elevation,
            trained_on.elevation_degrees,
            lambda low, high: (
                low - ELEVATION_SLACK_DEGREES,
                high + ELEVATION_SLACK_DEGREES,
            ),
            "Take these photographs out, or build with another up axis if it is wrong.",
        )
    across = framed.width / framed.intrinsics[:, 0]
    if is_object:  # which see the square in the middle
        across = torch.minimum(across, framed.height / framed.intrinsics[:, 1])
    field = torch.rad2deg(2 * torch.atan(across / 2))
    concerns += _outside(
        "field of view",
        "°",
        field,
        trained_on.hfov_degrees,
        lambda low, high: (low / FIELD_SLACK, high * FIELD_SLACK),
        "Crop the images to the subject, or expect a softer result.",
    )
    return concerns


def _outside(
    quantity: str,
    unit: str,
    values: Float[Tensor, "view"],
    trained: tuple[float, float] | None,
    widened: Callable[[float, float], tuple[float, float]],
    remedy: str,
) -> list[Concern]:
    """The concern about views whose quantity is outside that of training."""
    if trained is None:
        return []
    low, high = widened(*trained)
    outside = ((values < low) | (values > high)).nonzero()[:, 0]
    if not len(outside):
        return []
    found = values[outside]
    spans = (_span(float(found.min()), float(found.max()), unit), _span(*trained, unit))
    return [
        Concern(
            verdict="degraded",
            problem=f"the {quantity} of {len(outside)} of {len(values)} views is "
            f"{spans[0]}, in training it was {spans[1]}",
            remedy=remedy,
            views=tuple(outside.tolist()),
        )
    ]


def shown_background(
    trained_on: TrainedOn, white_background: bool | None
) -> list[Concern]:
    """The concern about images that show more than the object."""
    if trained_on.background != "white" or white_background is not False:
        return []
    return [
        Concern(
            verdict="degraded",
            problem="the images have a background; the weights only saw objects before "
            "white",
            remedy="Give masks or transparent images, or use weights for scenes.",
        )
    ]


def _span(low: float, high: float, unit: str) -> str:
    ends = dict.fromkeys(f"{end:.3g}{unit}" for end in (low, high))
    return " to ".join(ends)
