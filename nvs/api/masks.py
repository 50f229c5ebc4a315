"""Masks of the thing a capture looks at: asked for, proposed, accepted or refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from nvs.api.values import Schema, examples

MASK_EXAMPLE: dict[str, Any] = {
    "image": "images/0001.jpg",
    "agreement": 0.91,
    "share": 0.32,
}


class MaskRequest(Schema):
    """How to cut out the thing that a scene's cameras look at."""

    model_config = examples({}, {"force": True})

    method: Literal["grabcut", "rembg"] = "grabcut"
    """By colours and cameras, or by the package rembg, where the server has it."""
    force: bool = False
    """Whether new masks may take the place of masks that are there."""


class ProposedMask(Schema):
    """One mask that was made."""

    image: str
    """Of which image, by its path in the scene."""
    agreement: float
    """From 0 to 1: how well it agrees with the others; under 0.6 it should be looked
    at."""
    share: float
    """From 0 to 1: how much of the image is the thing."""


class MaskResult(Schema):
    """What came of making masks: the result of the job."""

    model_config = examples({"masks": [MASK_EXAMPLE]})

    masks: list[ProposedMask]
    """One an image with a camera."""


class Masks(Schema):
    """The masks of a scene."""

    model_config = examples({"proposed": ["images/0001.jpg"], "num_used": 0})

    proposed: list[str]
    """Images that have a mask which is neither accepted nor refused yet."""
    num_used: int
    """Masks that builds use, accepted or uploaded."""


class MaskDecision(Schema):
    """Which of the proposed masks are to be used."""

    model_config = examples({}, {"accepted": ["images/0001.jpg"]})

    accepted: Annotated[list[str], Field(max_length=4096)] | None = None
    """Images whose masks are used, instead of all that were; all proposed ones if
    null. The others are refused, and deleted."""
