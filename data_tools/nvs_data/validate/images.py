"""Checks of images: unreadable, black, blurred, and the same view twice."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.errors import NvsError
from nvs_data.validate.findings import Finding, about_views, listing
from nvs_data.validate.survey import ImageSurvey, Survey

BLACK_MEAN = 10 / 255
"""Mean brightness under which an image is black: night photographs have twice that."""
EMPTY_CONTRAST = 3 / 255
"""Standard deviation of brightness under which an image is of one colour: that of
sensor noise."""
BLURRED_SHARPNESS = 4.0
"""Sharpness under which an image is blurred: by a Gaussian of 0.7 pixels, or a movement
of 5 in any direction, where the longer side has 512. Sharp photographs and renders have
6 to 15, and none of these 4."""
NEAR_CENTER = 0.01
"""Distance of near-duplicates, over the spread of all cameras."""
NEAR_DEGREES = 1.0
"""Angle between near-duplicates: a shift of some ten pixels of 512."""


def missing_images(names: Sequence[str], num_present: int) -> list[Finding]:
    """The finding about images that a dataset lists but does not have."""
    if not names:
        return []
    return [
        Finding(
            kind="image",
            severity="warning",
            views=(),
            message=f"{len(names)} of {len(names) + num_present} images are missing: "
            f"{listing(names, range(len(names)))}",
            remedy="They are left out; restore them, or write the rest with "
            "`nvs data convert`.",
        )
    ]


def check_images(capture: Survey) -> list[Finding]:
    """Images that cannot be read, are black or of one colour, or blurred."""
    findings: list[Finding] = []
    black: list[int] = []
    blurred: list[int] = []
    for view, image in enumerate(capture.images):
        if isinstance(image, NvsError):
            findings.append(
                Finding(
                    kind="image",
                    severity="error",
                    views=(view,),
                    message=f"{capture.names[view]}: {image.detail}",
                    remedy=image.remedy,
                )
            )
        elif _is_black(image):
            black.append(view)
        elif image.sharpness < BLURRED_SHARPNESS:
            blurred.append(view)
    findings += about_views(
        capture,
        "black",
        "error" if len(black) == len(capture) else "warning",
        black,
        "{count} of {total} images are black or of one colour: {names}",
        "Remove them; the model would take them for the truth. If masks make them so: "
        "white is what counts.",
    )
    return findings + about_views(
        capture,
        "blurred",
        "warning",
        blurred,
        "{count} of {total} images are blurred: {names}",
        "Remove them if others show the same, or take them again.",
    )


def check_duplicates(
    capture: Survey, world_from_camera: Float[Tensor, "view 4 4"], sound: Sequence[int]
) -> list[Finding]:
    """Views given twice, nearly twice, and one image with two cameras."""
    center = world_from_camera[sound, :3, 3]
    rotation = world_from_camera[sound, :3, :3]
    spread = (center - center.mean(dim=0)).square().sum(dim=-1).mean().sqrt()
    # The trace of R1ᵀR2 is 1 + 2 cos of the angle between them.
    cosine = (torch.einsum("aij,bij->ab", rotation, rotation) - 1) / 2
    angle = torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))
    near = (torch.cdist(center, center) <= NEAR_CENTER * spread) & (
        angle <= NEAR_DEGREES
    )
    digests = [_digest(image) for image in capture.images]
    duplicate: list[int] = []
    close: list[int] = []
    repeated: list[int] = []
    for later, view in enumerate(sound):
        earlier = range(later)
        same = [
            e for e in earlier if digests[view] and digests[sound[e]] == digests[view]
        ]
        if any(near[later, e] for e in same):
            duplicate.append(view)
        elif same:
            repeated.append(view)
        elif bool(near[later, :later].any()):
            close.append(view)
    return [
        *about_views(
            capture,
            "duplicate",
            "warning",
            duplicate,
            "{count} views repeat an earlier one: {names}",
            "Remove them; held back for evaluation, they would leak.",
        ),
        *about_views(
            capture,
            "repeated-image",
            "error",
            repeated,
            "{count} views have the image of an earlier view and another camera: "
            "{names}",
            "Check which file belongs to which camera.",
        ),
        *about_views(
            capture,
            "near-duplicate",
            "warning",
            close,
            "{count} views are within "
            f"{NEAR_DEGREES:g}° and {NEAR_CENTER:.0%} of the cameras' spread of an "
            "earlier one: {names}",
            "Thin the capture; they cost time and add nothing.",
        ),
    ]


def _digest(image: ImageSurvey | NvsError) -> str:
    """The hash of an image that shows something; empty otherwise."""
    if isinstance(image, NvsError) or _is_black(image):
        return ""
    return image.digest


def _is_black(image: ImageSurvey) -> bool:
    return image.mean < BLACK_MEAN or image.contrast < EMPTY_CONTRAST
