"""Datasets and scene files of strangers: what they hold, what is wrong, and views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from nvs.api.framing import Expectation
from nvs.api.jobs import BuildRequest
from nvs.api.scenes import CamerasReport, Finding, Validation
from nvs.api.system import Model
from nvs.errors import ConfigError, DatasetError, NvsError, SceneFileError
from nvs.model.trained_on import TrainedOn
from nvs.scene import OpenedViews, Scene, open_views
from nvs.scene.datasets import layout_remedy, read_dataset, readers
from nvs.scene.frames import Dataset
from nvs.scene.framing import is_unframed
from nvs.scene.pictures import to_uint8
from nvs_data.validate import validate as find_faults
from nvs_server.compute import expected, wire
from nvs_server.compute.orders import (
    FastWeightShapes,
    InputView,
    InspectedScene,
    PreparedViews,
    PrepareOrder,
)
from nvs_server.compute.prepared import write_input, write_views
from nvs_server.storage.records import SceneFile

SEVERITIES: dict[str, Literal["error", "warning", "note"]] = {
    "error": "error",
    "warning": "warning",
    "info": "note",
}
MAX_MISSING_LISTED = 20
MAX_SCENE_SIDE_PX = 2**14
"""Of the inputs of a scene file, as the network saw them."""
MAX_THUMBNAIL_PX = 512
REMEDY = "Give a file that `nvs build` wrote."


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
        remedy=layout_remedy(folder),
    )


def validate(folder: Path, model: Model, trained_on: TrainedOn) -> Validation:
    """What is wrong with a dataset, missing images first, and what to expect of it.

    Args:
        folder: The dataset.
        model: Whom for.
        trained_on: What those weights were trained on.

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
        for finding in find_faults(dataset, trained_on=trained_on)
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
    findings += [
        Finding(
            severity="note",
            title="Not used",
            detail=note,
            remedy="Leave it, or say it in the camera file if it should count.",
            views=[],
        )
        for note in dataset.notes
    ]
    found = {finding.severity for finding in findings}
    verdict = "error" if "error" in found else "warning" if "warning" in found else "ok"
    return Validation(
        verdict=verdict,
        findings=findings,
        expectation=_expectation(dataset, model, trained_on),
    )


def _expectation(
    dataset: Dataset, model: Model, trained_on: TrainedOn
) -> Expectation | None:
    """None where views cannot be used, which the findings say."""
    try:
        return expected.expectation_of(
            dataset, BuildRequest(), model, trained_on, look=True
        )
    except NvsError:
        return None


def prepare(
    order: PrepareOrder,
    model: Model,
    tick: Callable[[float], None],
) -> PreparedViews:
    """Decode the chosen views and write them, with pictures of each.

    Args:
        order: What to decode.
        model: Whom for.
        tick: Called with how much is done, in [0, 1].

    Raises:
        DatasetError, CameraError, ImageError: Naming the file or view.
        ConfigError: If the size or the number of views is not possible.
    """
    convention = order.request.convention
    frames = read_dataset(order.folder, convention=convention).frames
    chosen, kept_out = expected.chosen_views(frames, order.request)
    if len(chosen) > model.max_views:
        raise ConfigError(
            f"{len(chosen)} views are chosen, over the limit of {model.max_views}",
            remedy="Choose fewer, such as with a method and a count.",
        )
    size = expected.size_of(frames[chosen[0]].camera, order.request.size, model)
    height, width = size
    if height > model.max_height or width > model.max_width:
        raise ConfigError(
            f"the size {height}×{width} is over the limit of "
            f"{model.max_height}×{model.max_width} pixels",
            remedy="Ask for a smaller size.",
        )
    total = len(chosen) + len(kept_out)

    def opened(indices: Sequence[int]) -> OpenedViews:
        return open_views(
            order.folder,
            size=size,
            patch_size=model.patch_size,
            views=indices,
            convention=convention,
        )

    order.output.mkdir(parents=True, exist_ok=True)
    file = order.output / "views.npy"
    views, inputs = opened(chosen), list[InputView]()

    def seen(index: int, image: Tensor) -> None:
        pixels = to_uint8(image.permute(1, 2, 0))
        name, camera = views.names[index], views.camera[index]
        inputs.append(
            write_input(order.output, index, name, camera, pixels, thumbnail_only=False)
        )
        tick((index + 1) / total)

    write_views(file, views, seen)
    held_out = order.output / "held_out.npy" if kept_out else None
    if held_out is not None:
        write_views(
            held_out,
            opened(kept_out),
            lambda index, _: tick((len(chosen) + index + 1) / total),
        )
    return PreparedViews(
        views=file,
        weights=model.id,
        height=height,
        width=width,
        inputs=tuple(inputs),
        held_out=held_out,
    )


def inspect_scene(
    path: Path,
    sha256: str,
    output: Path,
    *,
    models: Sequence[dict[str, Any]],
    shapes: Sequence[dict[str, Any]],
    trained_on: Sequence[dict[str, Any]],
) -> InspectedScene:
    """Check a scene file and write thumbnails of its inputs.

    Args:
        path: The file.
        sha256: Of its bytes.
        output: Folder for the thumbnails; made if absent.
        models: JSON of each `Model` that is served.
        shapes: JSON of each one's `FastWeightShapes`.
        trained_on: JSON of what each was trained on.

    Raises:
        SceneFileError: If it is damaged, no served weights built it, or it does not
            fit them.
        CameraError: If its cameras are unusable.
    """
    scene = Scene.load(path)
    known = [wire.from_json(Model, model) for model in models]
    digests = [model.digest for model in known]
    if scene.model_digest not in digests:
        raise SceneFileError(
            f"the scene was built with {str(scene.model_id)[:80]!r}, which is not "
            "served here",
            remedy=f"Build it with {' or '.join(model.id for model in known)}.",
        )
    place = digests.index(scene.model_digest)
    _check(scene, wire.from_json(FastWeightShapes, shapes[place]))
    scene.input_camera.check(scene.input_names)
    output.mkdir(parents=True, exist_ok=True)
    inputs = tuple(
        write_input(output, index, name, camera, thumbnail.numpy(), thumbnail_only=True)
        for index, (name, camera, thumbnail) in enumerate(
            zip(scene.input_names, scene.input_camera, scene.thumbnail, strict=True)
        )
    )
    file = SceneFile(
        sha256=sha256,
        num_bytes=path.stat().st_size,
        weights=known[place].id,
        model_digest=scene.model_digest,
        height=scene.height,
        width=scene.width,
        num_views=len(inputs),
        up=scene.up,
        unframed=is_unframed(
            scene.normalisation,
            scene.input_camera,
            expected.trained_on(trained_on[place]),
        ),
    )
    return InspectedScene(file=file, inputs=inputs)


def _check(scene: Scene, expected: FastWeightShapes) -> None:
    matrices = {tuple(tuple(w.shape) for w in block) for block in scene.fast_weights}
    weights = [w for block in scene.fast_weights for w in block]
    if len(scene.fast_weights) != expected.num_blocks or matrices != {
        expected.matrices
    }:
        raise SceneFileError(
            "the fast weights of the scene do not fit the weights it names",
            remedy=REMEDY,
        )
    if not all(w.dtype.is_floating_point and w.isfinite().all() for w in weights):
        raise SceneFileError(
            "the fast weights of the scene are not all finite numbers", remedy=REMEDY
        )
    known, distance = scene.density, scene.distance
    is_wrong = known is not None and not ((known >= 0) & known.isfinite()).all()
    if is_wrong or (distance is not None and not (distance >= 0).all()):
        raise SceneFileError(
            "the densities or distances of the scene are not all numbers from 0 on",
            remedy=REMEDY,
        )
    if not scene.input_names:
        raise SceneFileError("the scene has no inputs", remedy=REMEDY)
    sides = scene.thumbnail.shape[1:3]
    if (
        not 1 <= min(sides) <= max(sides) <= MAX_THUMBNAIL_PX
        or max(scene.height, scene.width) > MAX_SCENE_SIDE_PX
    ):
        raise SceneFileError(
            "the thumbnails or sizes of the scene are not as they are written",
            remedy=REMEDY,
        )
