"""Renders that something else made: a folder of pictures beside a folder of truths.

Both hold `SCENE/FRAME.png` (or any image format), or the frames of one scene directly.
The truths of a protocol are what a run with `--pictures -1` writes into
`pictures/HEIGHTxWIDTH/truth`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nvs.errors import DatasetError, ImageError, about
from nvs.file_kinds import is_image_name
from nvs.images import read_image
from nvs.scene.resize import on_white
from nvs_eval.metrics import Metrics, summarise
from nvs_eval.runs.opening import begin
from nvs_eval.runs.records import (
    FAILURES,
    Row,
    SceneRecord,
    failure,
    merge,
    picture_folder,
    picture_name,
    safe_name,
    save_scene,
    write_picture,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderSettings:
    """What the pictures are, which they do not say themselves."""

    renders: Path
    """The rendered pictures."""
    truth: Path
    """The photographs."""
    name: str
    """What to call the method."""
    protocol: str = "folder"
    """The protocol that the views were chosen by, for tables."""
    num_views: int = 0
    """Number of input views, for tables; 0 if it is not known."""
    normalised_by: str = "not known"
    """What poses were normalised by, for tables."""
    pictures: int = 1
    """How many targets of a scene are kept as pictures; -1 for all."""


def evaluate_folder(
    settings: FolderSettings, out: Path, metrics: Metrics
) -> SceneRecord:
    """Compare a folder of renders with its truths; results are files like a run's.

    A scene whose renders are missing, damaged or of another size is listed as failed.

    Raises:
        DatasetError: If there are no truths or no scene could be evaluated.
        OutputError: If the folder holds other results.
    """
    truths = pictures_by_scene(settings.truth)
    renders = pictures_by_scene(settings.renders)
    decides: dict[str, Any] = {
        "protocol": settings.protocol,
        "methods": [{"name": settings.name}],
        "views": [settings.num_views],
        "normalised by": settings.normalised_by,
        "renders": str(settings.renders.resolve()),
        "truth": str(settings.truth.resolve()),
        "pictures": settings.pictures,
    }
    constants = begin(
        out,
        metrics,
        decides=decides,
        settings=decides,
        constants={
            "protocol": settings.protocol,
            "normalised_by": settings.normalised_by,
        },
    )
    identity = constants["run"]
    names: list[str] = []
    for scene, frames in truths.items():
        record = SceneRecord(identity=identity)
        try:
            row = _scene(settings, out, scene, frames, renders.get(scene, {}), metrics)
            record.rows.append(row | constants)
        except FAILURES as error:
            record.failures.append(failure(scene, error))
        names.append(safe_name(scene))
        save_scene(out, names[-1], record)
    whole = merge(out, names, identity)
    if not whole.rows:
        raise DatasetError(
            f"no scene of {settings.renders} could be evaluated; the first: "
            f"{whole.failures[0]['error']}",
            remedy="Renders must have the names and sizes of their truths.",
        )
    return whole


def pictures_by_scene(folder: Path) -> dict[str, dict[str, Path]]:
    """Pictures of a folder: by scene, then by name without suffix.

    Raises:
        DatasetError: If there are none.
    """
    scenes: dict[str, dict[str, Path]] = {}
    paths = sorted(folder.rglob("*")) if folder.is_dir() else []
    for path in paths:
        inside = path.relative_to(folder)
        if is_image_name(inside.as_posix()) and path.is_file():
            scene = str(inside.parent) if inside.parent != Path() else "scene"
            scenes.setdefault(scene, {})[inside.stem] = path
    if not scenes:
        raise DatasetError(
            f"there are no pictures in {folder}",
            remedy="Name a folder with SCENE/FRAME.png, or with FRAME.png.",
        )
    return scenes


def _scene(
    settings: FolderSettings,
    out: Path,
    scene: str,
    truths: Mapping[str, Path],
    renders: Mapping[str, Path],
    metrics: Metrics,
) -> Row:
    missing = [frame for frame in truths if frame not in renders]
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(truths)} renders of {scene} are missing, such as "
            f"{missing[0]}",
            remedy="Render every target.",
        )
    values: list[dict[str, float | None]] = []
    kept: list[str] = []
    size = (0, 0)
    for number, (frame, path) in enumerate(truths.items()):
        truth = on_white(read_image(path))
        render = on_white(read_image(renders[frame]))
        if number and truth.shape[:2] != size:
            raise ImageError(
                f"{path} is {truth.shape[0]}×{truth.shape[1]} pixels, the truths "
                f"before it {size[0]}×{size[1]}",
                remedy="Give the truths of a scene one size.",
            )
        size = (truth.shape[0], truth.shape[1])
        with about(renders[frame]):
            values.append(metrics(render, truth))
        if settings.pictures < 0 or number < settings.pictures:
            write_picture(picture_folder(out, size, scene), frame, truth)
            folder = picture_folder(
                out, size, scene, num_views=settings.num_views, method=settings.name
            )
            write_picture(folder, frame, render)
            kept.append(picture_name(frame))
    return {
        "scene": scene,
        "height": size[0],
        "width": size[1],
        "num_views": settings.num_views,
        "method": settings.name,
        **summarise(values),
        "targets": list(truths),
        "pictures": kept,
    }
