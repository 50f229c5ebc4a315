"""Finding what is wrong with a capture before a model sees it.

    survey              what a check is given: cameras, and numbers of each image
    findings            what it says
    images, poses, coverage   the checks
    report              all of it as a page

A new check is a function from a survey to findings, called by `check`.
"""

from __future__ import annotations

from collections.abc import Mapping

from nvs.cameras.se3 import flip_y_and_z
from nvs.model.trained_on import TrainedOn
from nvs.scene.frames import Dataset
from nvs_data.validate.coverage import check_framing
from nvs_data.validate.findings import Finding, exit_code, verdict
from nvs_data.validate.images import (
    check_duplicates,
    check_images,
    missing_images,
)
from nvs_data.validate.poses import (
    check_intrinsics,
    check_looking_away,
    check_rotations,
)
from nvs_data.validate.report import write_report
from nvs_data.validate.survey import Survey, survey

KINDS: Mapping[str, TrainedOn] = {
    "object": TrainedOn(
        poses="object",
        distance=(2.0, 3.4),
        elevation_degrees=(-20.0, 80.0),
        hfov_degrees=(35.0, 65.0),
        background="white",
    ),
    "scene": TrainedOn(poses="scene", hfov_degrees=(45.0, 85.0), background="any"),
}
"""What weights of a kind are usually trained on, where those in mind are not known."""


def validate(
    dataset: Dataset, *, trained_on: TrainedOn = KINDS["object"]
) -> tuple[Finding, ...]:
    """Find what is wrong with a capture.

    Frames may have cameras that no model accepts. Images are decoded one at a time.

    Args:
        dataset: The capture, from a reader.
        trained_on: What the weights that it is for were trained on.

    Raises:
        DatasetError: If there are no frames.
    """
    capture = survey(dataset.frames, world_up=dataset.world_up)
    return check(capture, trained_on=trained_on)


def check(
    capture: Survey, *, trained_on: TrainedOn = KINDS["object"]
) -> tuple[Finding, ...]:
    """Find what is wrong with a surveyed capture, in an order that makes sense.

    Checks of the set as a whole use the views whose own pose is sound, and where the
    cameras look away, the poses with that put right.
    """
    findings = check_images(capture)
    faults = check_rotations(capture)
    unsound = {view for finding in faults for view in finding.views}
    intrinsics = check_intrinsics(capture)
    findings += faults + intrinsics
    sound = [view for view in range(len(capture)) if view not in unsound]
    if not sound:
        return tuple(findings)
    world_from_camera = capture.world_from_camera.clone()
    poses = trained_on.poses or "object"
    away = check_looking_away(capture, world_from_camera[sound], poses)
    if away is not None:
        findings.append(away)
        if away.severity == "error":
            world_from_camera = flip_y_and_z(world_from_camera)
    findings += check_duplicates(capture, world_from_camera, sound)
    wrong_lens = {view for finding in intrinsics for view in finding.views}
    findings += check_framing(
        capture,
        world_from_camera,
        sound,
        trained_on=trained_on,
        wrong_lens=wrong_lens,
    )
    return tuple(findings)
