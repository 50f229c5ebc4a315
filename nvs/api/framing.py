"""How a capture is brought to a model, what to expect of that, and what came of it."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from nvs.api.values import Number, Schema, examples
from nvs.errors import ConfigError

Framing = Literal["auto", "none", "mean_camera", "object"]
"""What may be asked for; `auto` is as the cameras and the weights say."""
Convention = Literal["opencv", "opengl", "inverted", "inverted-opengl"]
"""How poses were stored: as their layout says; with OpenGL axes instead; or the other
way (world to camera, or camera to world) than it says, with either axes."""
Verdict = Literal["fine", "degraded", "hopeless"]

EXPECTATION_EXAMPLE: dict[str, Any] = {
    "weights": "lact_small",
    "verdict": "degraded",
    "framing": "object",
    "reason": "object: the object centred, upright by its cameras, the cameras at the "
    "distance of training",
    "up": [0.0, -1.0, 0.0],
    "concerns": [
        {
            "verdict": "degraded",
            "problem": "3 views; in training there were 4 to 16",
            "remedy": "Add views from other sides.",
            "views": [],
        }
    ],
}
CLOSENESS_EXAMPLE: dict[str, Any] = {"psnr_db": 21.4, "ssim": 0.71, "lpips": None}
HELD_OUT_EXAMPLE: dict[str, Any] = {
    "num_views": 3,
    "render": CLOSENESS_EXAMPLE,
    "nearest": {"psnr_db": 15.2, "ssim": 0.52, "lpips": None},
    "flat": {"psnr_db": 11.8, "ssim": 0.47, "lpips": None},
    "meaning": "6.2 dB closer than the nearest photograph",
    "notes": ["LPIPS is left out: this needs the package 'lpips'"],
}


def _has_direction(up: tuple[float, float, float]) -> tuple[float, float, float]:
    if not 0 < math.hypot(*up) < math.inf:
        raise ConfigError(
            f"the up axis is {list(up)}",
            remedy="Give three numbers, not all 0, such as [0, 0, 1].",
        )
    return up


UpAxis = Annotated[tuple[Number, Number, Number], AfterValidator(_has_direction)]
"""A direction in the world of the capture, of any length."""


class Concern(Schema):
    """One reason why a build will be worse than it could be, or cannot be."""

    verdict: Verdict
    """`degraded` or `hopeless`."""
    problem: str
    """What is wrong, with values."""
    remedy: str
    """What to do about it."""
    views: list[str]
    """Names of the views it is about; empty for the capture as a whole."""


class Expectation(Schema):
    """How a build would frame a capture, and what to expect of it."""

    model_config = examples(EXPECTATION_EXAMPLE)

    weights: str
    """Id of the weights that it is about."""
    verdict: Verdict
    """The gravest of the concerns; `auto` is refused where it is `hopeless`."""
    framing: Literal["none", "mean_camera", "object"] | None
    """What is done; null where nothing can be."""
    reason: str
    """What is done and why, for people."""
    up: tuple[float, float, float]
    """Unit vector that is up in the world of the capture."""
    concerns: list[Concern]
    """The gravest first."""


class Closeness(Schema):
    """How close pictures are to photographs, means over the views."""

    model_config = examples(CLOSENESS_EXAMPLE)

    psnr_db: float
    """Peak signal-to-noise ratio in dB."""
    ssim: float | None
    """Structural similarity in windows of 11×11; null where it was left out."""
    lpips: float | None
    """Perceptual distance, smaller is closer; null where it was left out."""


class HeldOut(Schema):
    """Views that were kept out of a build, beside renders from their cameras."""

    model_config = examples(HELD_OUT_EXAMPLE)

    num_views: int
    """Views that were kept out."""
    render: Closeness
    """Of the renders."""
    nearest: Closeness
    """Of the input photograph whose camera is nearest."""
    flat: Closeness
    """Of the mean colour of all inputs."""
    meaning: str
    """What the numbers say, in a sentence."""
    notes: list[str]
    """What was left out, and why."""
