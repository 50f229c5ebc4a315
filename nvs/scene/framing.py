"""Framing: how a capture is brought to where a model expects its cameras.

One function, `choose`, decides it from the input cameras and from what the weights were
trained on, and says what to expect before anything is computed. Building, validating,
the service and `nvs info` all ask it.

    weights     auto does
    object      nothing, if the cameras already are where the weights were trained;
                otherwise the object to the origin, up to +z, cameras to the distance
                of training
    scene       the mean camera to the origin, centres within [−1, 1]³; of views all
                round outwards, a level camera at their middle

The service finds builds again by their request: whoever changes what `auto` does raises
`nvs_server.jobs.rebuild.FRAMING_RULE`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera, PoseNormalisation
from nvs.cameras.aggregate import (
    AHEAD,
    common_up,
    level_forward,
    level_up,
    look_at_point,
    parallax_degrees,
    share_looking,
    surrounds,
    widest_degrees,
)
from nvs.cameras.normalisation import OBJECT_RADIUS
from nvs.cameras.se3 import flip_y_and_z, se3_inverse
from nvs.errors import CameraError, ConfigError
from nvs.model.trained_on import TrainedOn
from nvs.scene.frames import PoseConvention

FramingName = Literal["auto", "none", "mean_camera", "object"]
Verdict = Literal["fine", "degraded", "hopeless"]

DISTANCE_SLACK = 1.15
"""Factor allowed beyond the distances of training, which a hand-held capture needs."""
ELEVATION_SLACK_DEGREES = 12.0
"""Allowed beyond the elevations of training, since the up axis is an estimate."""
FIELD_SLACK = 1.3
"""Factor allowed beyond the fields of view of training."""
MIDDLE, WIDE_MIDDLE = 0.05, 0.5
"""Distances at which an optical axis may pass the origin: where the axes of all views
give another point, which then is the better one, and where they give none."""
MOST_LOOK = 0.8
"""Share of views that must, for a capture to be where the weights were trained."""
ALL_ROUND = 0.1
"""Length of the mean of level viewing directions under which views look all round: that
of an arc of 325°."""
UP_DEGREES = 30.0
"""Angle from the cameras' common up within which the world's up is believed."""
FEWEST_LOOK = 0.5
"""Share of views that must look at one thing for weights for objects."""
PARALLAX_DEGREES = 1.0
"""Widest angle between views, seen from the object, that shows it from one side."""
ONE_PLACE = 0.01
"""Distance from their middle, in units of the world, which are metres in most captures,
within which views of a scene are taken for those of a tripod."""
TRIPOD_DEGREES = 0.1
"""Slope of the cameras' x axes under which their common up is better than any other."""
WORLD_UP = (0.0, 0.0, 1.0)


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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Framing:
    """How a capture is framed, and what to expect of a build."""

    normalisation: PoseNormalisation | None
    """From the user's world to the model's; None where there is none."""
    reason: str
    """What is done and why, for people."""
    up: tuple[float, float, float]
    """Unit vector that is up, in the user's world."""
    concerns: tuple[Concern, ...] = ()
    """The gravest first."""

    @property
    def verdict(self) -> Verdict:
        """The gravest of the concerns; `fine` without any."""
        return self.concerns[0].verdict if self.concerns else "fine"

    def required(self) -> PoseNormalisation:
        """The normalisation, for a build.

        Raises:
            CameraError: If there is none: the first concern says why.
        """
        if self.normalisation is None:
            concern = self.concerns[0]
            raise CameraError(concern.problem, remedy=concern.remedy)
        return self.normalisation


def choose(
    camera: Camera,
    trained_on: TrainedOn,
    *,
    framing: str = "auto",
    up: Sequence[float] | None = None,
    world_up: Sequence[float] | None = None,
    white_background: bool | None = None,
) -> Framing:
    """How the input cameras of a capture are brought to a model.

    Args:
        camera: The input cameras, in the user's world; float64 keeps coordinates far
            from the origin exact.
        trained_on: What the weights were trained on.
        framing: `auto`, or what is to be done whatever the cameras say: `none`,
            `mean_camera` or `object`.
        up: Up axis in the world, if the user gives it.
        world_up: Up axis of the layout that the cameras were read from, where it has
            one; it counts if it is within 30° of the common up of hand-held cameras,
            or 0.1° of that of level ones.
        white_background: Whether the images show white around the object, if known.

    Raises:
        ConfigError: If the framing is unknown.
        CameraError: If the up axis that is given has no direction.
    """
    if framing not in get_args(FramingName):
        raise ConfigError(
            f"there is no framing {framing!r}",
            remedy=f"Use {', '.join(get_args(FramingName)[:-1])} or object.",
        )
    chosen_up, up_reason = _up(camera, up, world_up)
    is_object = (trained_on.poses or "object") == "object"
    kind, reason, all_round = framing, "as asked", False
    if framing == "auto" and is_object:
        there = _is_in_place(camera, trained_on, up)
        kind = "none" if there else "object"
        reason = (
            "the cameras are where the weights were trained"
            if there
            else f"the object centred, {up_reason}, the cameras at the distance of "
            "training"
        )
    elif framing == "auto":
        kind, reason = "mean_camera", "the weights want scenes around the mean camera"
        all_round = _look_all_round(camera, chosen_up)
        if all_round:
            reason = (
                "views all round have no mean camera; their middle to the origin, "
                f"{up_reason}, ahead as the first view looks"
            )
    try:
        normalisation = (
            PoseNormalisation.from_middle(camera, up=chosen_up)
            if all_round
            else _normalisation(kind, camera, chosen_up, trained_on)
        )
    except CameraError as error:
        remedy = error.remedy
        if kind == "mean_camera" and share_looking(camera) >= MOST_LOOK:
            remedy = "They look at one thing from all around: use weights for objects."
        concern = Concern(verdict="hopeless", problem=error.problem, remedy=remedy)
        return Framing(
            normalisation=None,
            reason=reason,
            up=chosen_up,
            concerns=tuple(_inverted(camera, "hopeless") or [concern]),
        )
    framed = normalisation.apply(camera.to("cpu", torch.float64))
    # One in a hundred rooms is filmed as if inverted, and few objects: then it is only
    # a warning.
    at_nothing = is_object and share_looking(camera) < FEWEST_LOOK
    inverted = _inverted(camera, "hopeless" if at_nothing else "degraded")
    tilted = [] if up is None else _tilted(camera, chosen_up)
    concerns = [
        *inverted,
        *(_one_side(camera, framed, kind) if is_object else _one_place(camera)),
        *tilted,
        *_unlike_training(framed, trained_on, is_object),
        *_background_concerns(trained_on, white_background),
    ]
    if inverted and at_nothing:
        concerns = inverted  # nothing else that is said of them means anything
    concerns.sort(key=lambda concern: concern.verdict != "hopeless")
    refused = framing == "auto" and any(c.verdict == "hopeless" for c in concerns)
    return Framing(
        normalisation=None if refused else normalisation,
        reason=f"{kind}: {reason}",
        up=chosen_up,
        concerns=tuple(concerns),
    )


def is_unframed(
    normalisation: PoseNormalisation, camera: Camera, trained_on: TrainedOn
) -> bool:
    """Whether a scene was left as it was where `auto` frames it: build it again.

    Args:
        normalisation: Of the scene.
        camera: Its input cameras, in the user's world.
        trained_on: What its weights were trained on.
    """
    if normalisation.kind != "none":
        return False
    framing = choose(camera, trained_on)
    return framing.normalisation is None or framing.normalisation.kind != "none"


def _up(
    camera: Camera, given: Sequence[float] | None, world: Sequence[float] | None
) -> tuple[tuple[float, float, float], str]:
    """The up axis of the world, and where it is from."""
    if given is not None:
        return _unit(given, "the up axis"), "upright as asked"
    try:
        common = common_up(camera)
    except CameraError:
        return _unit(world or WORLD_UP, "the up axis"), "upright as its file says"
    own = (float(common[0]), float(common[1]), float(common[2]))
    if world is None:
        return own, "upright by its cameras"
    axis = _unit(world, "the world's up axis")
    if _may_be_up(camera, axis):
        return axis, "upright as its file says"
    angle = _angle_degrees(own, axis)
    return own, f"upright by its cameras ({angle:.0f}° from its file's up axis)"


def _tilted(camera: Camera, given: Sequence[float]) -> list[Concern]:
    """The concern that the up axis that was given is not that of the cameras."""
    try:
        common = common_up(camera).tolist()
    except CameraError:
        return []
    angle = _angle_degrees(common, given)
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


def _may_be_up(camera: Camera, axis: tuple[float, float, float]) -> bool:
    """Whether cameras are held as if an axis were up.

    Hand-held ones only hint at it; those of a tripod or a renderer are level.
    """
    x, y, _ = camera.world_from_camera[:, :3, :3].double().cpu().unbind(-1)

    def slope(up: Sequence[float]) -> float:
        """Root mean square height of the x axes, in degrees."""
        return math.degrees(float((x @ x.new_tensor(up)).square().mean()) ** 0.5)

    level = level_up(camera.to("cpu"))
    if level is None:
        return slope(axis) <= UP_DEGREES and float(y.mean(0) @ y.new_tensor(axis)) <= 0
    own = level.tolist()
    held = slope(own) > TRIPOD_DEGREES
    return _angle_degrees(own, axis) <= (UP_DEGREES if held else TRIPOD_DEGREES)


def _is_in_place(
    camera: Camera, trained_on: TrainedOn, up: Sequence[float] | None
) -> bool:
    """Whether cameras are already where object weights were trained."""
    center, forward = camera.center.double(), camera.forward.double()
    along = -(center * forward).sum(dim=-1, keepdim=True)
    passing = (center + along * forward).norm(dim=-1)
    try:
        look_at_point(camera)
        looking = (passing <= MIDDLE) & (along[:, 0] > 0)
    except CameraError:
        looking = (passing <= WIDE_MIDDLE) & (along[:, 0] > 0)
    low, high = trained_on.distance or (OBJECT_RADIUS, OBJECT_RADIUS)
    distance = float(center.norm(dim=-1).quantile(0.5))
    if not low / DISTANCE_SLACK <= distance <= high * DISTANCE_SLACK:
        return False
    if float(looking.double().mean()) < MOST_LOOK:
        return False
    if up is not None:
        return _angle_degrees(_unit(up, "the up axis"), WORLD_UP) < TRIPOD_DEGREES
    return _may_be_up(camera, WORLD_UP)


def _look_all_round(camera: Camera, up: Sequence[float]) -> bool:
    """Whether level views look in all directions, and not at one thing."""
    level = level_forward(camera, camera.center.new_tensor(up).double())
    if float(level.norm(dim=-1).quantile(0.5)) <= AHEAD:
        return False  # straight down, say
    return float(level.mean(dim=0).norm()) < ALL_ROUND and (
        share_looking(camera) < MOST_LOOK
    )


def _normalisation(
    kind: str, camera: Camera, up: Sequence[float], trained_on: TrainedOn
) -> PoseNormalisation:
    if kind == "none":
        return PoseNormalisation.none()
    if kind == "mean_camera":
        return PoseNormalisation.from_mean_camera(camera)
    low, high = trained_on.distance or (OBJECT_RADIUS, OBJECT_RADIUS)
    radius = OBJECT_RADIUS if low <= OBJECT_RADIUS <= high else (low + high) / 2
    return PoseNormalisation.from_object(camera, up=up, radius=radius)


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


def _inverted(camera: Camera, verdict: Verdict) -> list[Concern]:
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


def _one_side(camera: Camera, framed: Camera, kind: str) -> list[Concern]:
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


def _one_place(camera: Camera) -> list[Concern]:
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


def _unlike_training(
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


def _background_concerns(
    trained_on: TrainedOn, white_background: bool | None
) -> list[Concern]:
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


def _unit(axis: Sequence[float], what: str) -> tuple[float, float, float]:
    length = math.hypot(*axis)
    if len(axis) != 3 or not 0 < length < math.inf:
        raise CameraError(
            f"{what} is {list(axis)}",
            remedy="Give three numbers, not all 0, such as 0 0 1.",
        )
    x, y, z = (value / length for value in axis)
    return x, y, z


def _angle_degrees(a: Sequence[float], b: Sequence[float]) -> float:
    cosine = sum(x * y for x, y in zip(a, b, strict=True))
    return math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
