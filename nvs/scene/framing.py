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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from nvs.cameras import Camera, PoseNormalisation
from nvs.cameras.aggregate import (
    AHEAD,
    level_forward,
    look_at_point,
    share_looking,
)
from nvs.cameras.normalisation import OBJECT_RADIUS
from nvs.errors import CameraError, ConfigError
from nvs.model.trained_on import TrainedOn
from nvs.scene.concerns import (
    DISTANCE_SLACK,
    FEWEST_LOOK,
    MOST_LOOK,
    Concern,
    Verdict,
    inverted,
    one_place,
    one_side,
    shown_background,
    tilted,
    unlike_training,
)
from nvs.scene.upright import (
    TRIPOD_DEGREES,
    WORLD_UP,
    angle_degrees,
    may_be_up,
    unit_axis,
    up_axis,
)

FramingName = Literal["auto", "none", "mean_camera", "object"]

MIDDLE, WIDE_MIDDLE = 0.05, 0.5
"""Distances at which an optical axis may pass the origin: where the axes of all views
give another point, which then is the better one, and where they give none."""
ALL_ROUND = 0.1
"""Length of the mean of level viewing directions under which views look all round: that
of an arc of 325°."""


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
    chosen_up, up_reason = up_axis(camera, up, world_up)
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
            concerns=tuple(inverted(camera, "hopeless") or [concern]),
        )
    framed = normalisation.apply(camera.to("cpu", torch.float64))
    # One in a hundred rooms is filmed as if inverted, and few objects: then it is only
    # a warning.
    at_nothing = is_object and share_looking(camera) < FEWEST_LOOK
    stored = inverted(camera, "hopeless" if at_nothing else "degraded")
    slanted = [] if up is None else tilted(camera, chosen_up)
    concerns = [
        *stored,
        *(one_side(camera, framed, kind) if is_object else one_place(camera)),
        *slanted,
        *unlike_training(framed, trained_on, is_object),
        *shown_background(trained_on, white_background),
    ]
    if stored and at_nothing:
        concerns = stored  # nothing else that is said of them means anything
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
        return angle_degrees(unit_axis(up, "the up axis"), WORLD_UP) < TRIPOD_DEGREES
    return may_be_up(camera, WORLD_UP)


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
