"""What to expect of a build, before it is made: its views, their size, their framing.

This module imports torch; it is for the child processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nvs.api.framing import Concern, Expectation
from nvs.api.jobs import BuildRequest, CountedViews, ListedViews
from nvs.api.system import Model
from nvs.cameras import Camera
from nvs.errors import DatasetError
from nvs.model.trained_on import TrainedOn, default_size
from nvs.scene.datasets import read_dataset
from nvs.scene.frames import Dataset, Frame
from nvs.scene.framing import Framing, choose
from nvs.scene.holdout import split
from nvs.scene.opened import OpenedViews
from nvs.scene.resize import fitting_size
from nvs.scene.views import mostly_white
from nvs_data import selection


def trained_on(values: Mapping[str, Any]) -> TrainedOn:
    """The record of weights, as the worker that has loaded them sent it."""
    return TrainedOn.from_json(values, "the worker")


def chosen_views(
    frames: Sequence[Frame], request: BuildRequest
) -> tuple[list[int], list[int]]:
    """Indices of the views to build from, and of those that are kept out.

    Raises:
        DatasetError, ConfigError: If there are no such views, or too few of them.
    """
    match request.views:
        case None:
            chosen = list(range(len(frames)))
        case ListedViews(indices=indices):
            for index in indices:
                if index >= len(frames):
                    raise DatasetError(
                        f"the dataset has no view {index}",
                        remedy=f"Choose from 0 to {len(frames) - 1}.",
                    )
            chosen = indices
        case CountedViews() as counted:
            chosen = selection.choose(
                frames,
                method=counted.method,
                count=counted.count,
                seed=counted.seed,
            )
    return (chosen, []) if request.holdout is None else split(chosen, request.holdout)


def size_of(
    first: Camera, wanted: int | tuple[int, int] | None, model: Model
) -> tuple[int, int]:
    """As `nvs build` has it: wanted, else as the weights were trained, else as is.

    Raises:
        ConfigError: If a side is smaller than a patch.
    """
    if wanted is None and model.trained_height and model.trained_width:
        wanted = default_size((model.trained_height, model.trained_width))
    if isinstance(wanted, tuple):
        return fitting_size(wanted, longest_px=None, patch_size=model.patch_size)
    return fitting_size(
        (first.height, first.width), longest_px=wanted, patch_size=model.patch_size
    )


def expect(
    folder: Path,
    request: BuildRequest,
    model: Model,
    trained_on: TrainedOn,
    *,
    look: bool,
) -> Expectation:
    """How a build would frame a dataset, and what to expect of it.

    Args:
        folder: The dataset.
        request: The build.
        model: Whom for.
        trained_on: What those weights were trained on.
        look: Whether to decode a few images, to see what is behind the subject.

    Raises:
        DatasetError, CameraError, ImageError, ConfigError: Naming what is wrong.
    """
    dataset = read_dataset(folder, convention=request.convention)
    return expectation_of(dataset, request, model, trained_on, look=look)


def expectation_of(
    dataset: Dataset,
    request: BuildRequest,
    model: Model,
    trained_on: TrainedOn,
    *,
    look: bool,
) -> Expectation:
    """See `expect`."""
    chosen, _ = chosen_views(dataset.frames, request)
    frames = [dataset.frames[index] for index in chosen]
    for frame in frames:
        frame.camera.check([frame.name])
    size = size_of(frames[0].camera, request.size, model)
    views = OpenedViews.from_frames(frames, size=size, patch_size=1)
    looking = look and trained_on.background == "white"
    framing = choose(
        views.camera,
        trained_on,
        framing=request.framing,
        up=request.up,
        world_up=dataset.world_up,
        white_background=mostly_white(views.border_white()) if looking else None,
    )
    return expectation(framing, [frame.name for frame in frames], model.id)


def expectation(framing: Framing, names: Sequence[str], weights: str) -> Expectation:
    """What framing decided, as clients see it.

    Args:
        framing: What it decided.
        names: Of the views that it is about.
        weights: Id of the weights that it is for.
    """
    normalisation = framing.normalisation
    return Expectation(
        weights=weights,
        verdict=framing.verdict,
        framing=None if normalisation is None else normalisation.kind,
        reason=framing.reason,
        up=framing.up,
        concerns=[
            Concern(
                verdict=concern.verdict,
                problem=concern.problem,
                remedy=concern.remedy,
                views=[names[view] for view in concern.views],
            )
            for concern in framing.concerns
        ],
    )
