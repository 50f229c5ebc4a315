"""Datasets of strangers: their cameras, their faults, and their views decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from nvs.api.jobs import BuildRequest, CountedViews, ListedViews
from nvs.api.scenes import CamerasReport, Finding, Validation
from nvs.api.system import Model, Poses
from nvs.cameras import Camera
from nvs.errors import ConfigError, DatasetError
from nvs.model.trained_on import default_size
from nvs.scene import load_views
from nvs.scene.datasets import read_dataset, readers
from nvs.scene.frames import Frame
from nvs.scene.pictures import to_uint8
from nvs.scene.resize import fitting_size
from nvs_data import selection
from nvs_data.validate import validate as find_faults
from nvs_server.backends.base import PreparedViews, PrepareOrder
from nvs_server.backends.prepared import write_views
from nvs_server.inspector.pictures import write_input

SEVERITIES: dict[str, Literal["error", "warning", "note"]] = {
    "error": "error",
    "warning": "warning",
    "info": "note",
}
MAX_MISSING_LISTED = 20


def inspect_cameras(folder: Path) -> CamerasReport:
    """What the camera files of a dataset list.

    Raises:
        DatasetError: If its layout is not known, or it is not as its layout says.
        CameraError, ImageError: If cameras or images it needs cannot be read.
    """
    for reader in readers():
        if reader.recognises(folder):
            dataset = reader.read(folder)
            num_missing = len(dataset.missing)
            return CamerasReport(
                layout=reader.name,
                num_frames=len(dataset.frames) + num_missing,
                num_missing=num_missing,
                missing=list(dataset.missing[:MAX_MISSING_LISTED]),
            )
    raise DatasetError(
        "the files are in no known dataset layout",
        remedy=f"Known: {', '.join(reader.name for reader in readers())}.",
    )


def validate(folder: Path, poses: Poses) -> Validation:
    """What is wrong with a dataset, missing images first.

    Raises:
        DatasetError, CameraError: If it cannot be read.
    """
    dataset = read_dataset(folder)
    names = [frame.name for frame in dataset.frames]
    findings = [
        Finding(
            severity=SEVERITIES[finding.severity],
            title=finding.kind.replace("-", " ").capitalize(),
            detail=finding.message,
            remedy=finding.remedy,
            views=[names[view] for view in finding.views],
        )
        for finding in find_faults(dataset.frames, poses=poses)
    ]
    if dataset.missing:
        total = len(dataset.missing) + len(names)
        missing = Finding(
            severity="warning",
            title="Missing images",
            detail=f"{len(dataset.missing)} of {total} images are missing",
            remedy="They are left out; upload them, or drop their frames.",
            views=list(dataset.missing),
        )
        findings.insert(0, missing)
    found = {finding.severity for finding in findings}
    verdict = "error" if "error" in found else "warning" if "warning" in found else "ok"
    return Validation(verdict=verdict, findings=findings)


def prepare(
    order: PrepareOrder,
    model: Model,
    *,
    max_side_px: int,
    max_views: int,
    tick: Callable[[float], None],
) -> PreparedViews:
    """Decode the chosen views and write them, with pictures of each.

    Args:
        order: What to decode.
        model: Whom for.
        max_side_px: Longest side allowed.
        max_views: Most views allowed.
        tick: Called with how much is done, in [0, 1].

    Raises:
        DatasetError, CameraError, ImageError: Naming the file or view.
        ConfigError: If the size or the number of views is not possible.
    """
    frames = read_dataset(order.folder).frames
    chosen = _chosen(frames, order.request)
    if len(chosen) > max_views:
        raise ConfigError(
            f"{len(chosen)} views are chosen, over the limit of {max_views}",
            remedy="Choose fewer, such as with a method and a count.",
        )
    height, width = _size(frames[chosen[0]].camera, order.request.size, model)
    if max(height, width) > max_side_px:
        raise ConfigError(
            f"the size {height}×{width} is over the limit of {max_side_px} pixels",
            remedy="Ask for a smaller size.",
        )
    views = load_views(
        order.folder,
        size=(height, width),
        patch_size=model.patch_size,
        views=chosen,
        progress=lambda done, total: tick(done / total),
    )
    order.output.mkdir(parents=True, exist_ok=True)
    file = order.output / "views.safetensors"
    write_views(file, views)
    inputs = tuple(
        write_input(
            order.output,
            index,
            views.names[index],
            views.camera[index],
            to_uint8(views.image[index].permute(1, 2, 0)),
            thumbnail_only=False,
        )
        for index in range(len(views))
    )
    return PreparedViews(
        views=file, weights=model.id, height=height, width=width, inputs=inputs
    )


def _chosen(frames: Sequence[Frame], request: BuildRequest) -> list[int]:
    match request.views:
        case None:
            return list(range(len(frames)))
        case ListedViews(indices=indices):
            for index in indices:
                if index >= len(frames):
                    raise DatasetError(
                        f"the dataset has no view {index}",
                        remedy=f"Choose from 0 to {len(frames) - 1}.",
                    )
            return indices
        case CountedViews() as counted:
            return _counted(frames, counted)


def _counted(frames: Sequence[Frame], counted: CountedViews) -> list[int]:
    for frame in frames:
        frame.camera.check([frame.name])
    first = frames[0].camera
    camera = Camera.cat([f.camera.resized(first.height, first.width) for f in frames])
    match counted.method:
        case "kmeans":
            return selection.k_means(camera, counted.count, seed=counted.seed)
        case "farthest":
            return selection.farthest_point(camera, counted.count)
        case "uniform":
            return selection.uniform(camera, counted.count)
        case "random":
            return selection.random(camera, counted.count, seed=counted.seed)


def _size(
    first: Camera, wanted: int | tuple[int, int] | None, model: Model
) -> tuple[int, int]:
    """As `nvs build` has it: wanted, else as the weights were trained, else as is."""
    if wanted is None and model.trained_height and model.trained_width:
        wanted = default_size((model.trained_height, model.trained_width))
    if isinstance(wanted, tuple):
        return fitting_size(wanted, longest_px=None, patch_size=model.patch_size)
    return fitting_size(
        (first.height, first.width), longest_px=wanted, patch_size=model.patch_size
    )
