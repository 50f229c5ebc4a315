"""Camera poses of photographs, by structure from motion with COLMAP.

    OUT/images/      the photographs, upright
    OUT/masks/       their masks, where they have some
    OUT/sparse/0/    the largest model: cameras, poses and points, as COLMAP writes them
    OUT/posing.json  settings; reprojection errors; why photographs were dropped or left
                     out; what those were called that have another name in OUT/images
    OUT/database.db  features and matches, which a cancelled run leaves to the next

`load_views` reads the folder as COLMAP's layout; `sparse` appears only when posing has
finished. Everything runs on the CPU, seeded: one thread gives the same poses each time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from nvs.errors import DatasetError
from nvs.fields import require
from nvs.file_kinds import MASK_FOLDERS
from nvs.files import write_text
from nvs.scene.dataset_files import read_json
from nvs_data.colmap_run import (
    MIN_MODEL_SIZE,
    ColmapRun,
    Progress,
    image_errors_px,
    import_pycolmap,
    quiet,
)
from nvs_data.gravity import Vector, world_up
from nvs_data.photos import (
    LeftOut,
    Matching,
    list_photos,
    photo_masks,
    photo_pairs,
    prepare_mask,
    prepare_photos,
    summary,
    unused_pictures,
)

CameraModel = Literal["PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV"]

FEW_FEATURES = 100
"""Features under which a photograph is called plain or blurred: sharp ones of textured
scenes have thousands."""
SMALLEST_IMAGE_PX = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredPhoto:
    """A photograph that has a pose."""

    name: str
    """Its file in `images`."""
    num_points: int
    """Points of the model seen in it."""
    error_px: float
    """Their mean reprojection error in pixels of the photograph."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DroppedPhoto:
    """A photograph that could not be posed."""

    name: str
    """Its file in `images`."""
    reason: str
    """Why, and so what to do about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PosingReport:
    """What came of posing, in the order of the photographs."""

    folder: Path
    """The dataset, for `load_views`."""
    registered: tuple[RegisteredPhoto, ...]
    """Photographs with a pose."""
    dropped: tuple[DroppedPhoto, ...]
    """Photographs without."""
    left_out: tuple[LeftOut, ...] = ()
    """Pictures and videos beside the photographs, and photographs that are not read."""
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    """What photographs were called that have another name in `images`, by that name."""

    up: Vector | None = None
    """Up in the world of the poses, by gravity in the photographs (`nvs_data.gravity`);
    None if they say nothing of it."""

    @property
    def mean_error_px(self) -> float:
        """Mean reprojection error over all observations, in pixels."""
        num_points = sum(photo.num_points for photo in self.registered)
        total_px = sum(photo.num_points * photo.error_px for photo in self.registered)
        return total_px / num_points


def pose(
    photos: Path | str,
    out: Path | str,
    *,
    matching: Matching = "auto",
    camera_model: CameraModel = "OPENCV",
    max_image_px: int = 1600,
    use_masks: bool = True,
    num_threads: int | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> PosingReport:
    """Find the cameras of a folder of photographs.

    Photographs of one size share their intrinsics: one lens, no zoom. To cancel, raise
    from `progress` (Ctrl-C does); call again with the same arguments to resume, which
    keeps features and matches and maps anew.

    Args:
        photos: Folder of photographs; `OUT/images` itself is used in place.
        out: Folder to write; made if absent.
        matching: All pairs, or those close in the order of names, with loops closed by
            every tenth photograph; `auto` takes all pairs of up to 150 photographs.
        camera_model: COLMAP's name of the lens model, fitted to the photographs.
        max_image_px: Photographs are shrunk to this longer side to find features.
        use_masks: Whether features count only where the masks of the photographs
            (`nvs.scene.masks`: in a folder `masks` beside or inside theirs) are white.
        num_threads: Threads to use; all cores if absent.
        progress: Called as the work goes on, from this thread.

    Raises:
        DatasetError: If there are fewer than three photographs that can be read, they
            do not match, or the folder holds a run with other photographs or settings.
        ConfigError: If an argument is out of range.
        MissingExtraError: If pycolmap is not installed.
    """
    _check_arguments(matching, camera_model, max_image_px, num_threads)
    colmap = import_pycolmap()
    photos, out = Path(photos), Path(out)
    masks = photo_masks(photos)
    is_mask = set(masks.values())
    prepared = prepare_photos(
        [photo for photo in list_photos(photos) if photo not in is_mask],
        out / "images",
        lambda done, total: progress(Progress(stage="decode", done=done, total=total)),
    )
    names = list(prepared.names)
    unused = unused_pictures(photos, out=out)
    left_out = (
        *prepared.left_out,
        *(one for one in unused if photos / one.name not in is_mask),
    )
    if len(names) < MIN_MODEL_SIZE:
        few = f"{photos} holds only {len(names)} photograph(s) that can be read"
        raise DatasetError(
            "; ".join([few, *summary(left_out)]),
            remedy="Posing needs at least 3 that overlap; 20 or more work well.",
        )
    settings = {
        "matching": matching,
        "camera_model": camera_model,
        "max_image_px": max_image_px,
        "photo_bytes": {n: (out / "images" / n).stat().st_size for n in names},
    }
    for name in names:
        photo = photos / prepared.renamed.get(name, name)
        if photo in masks:
            prepare_mask(out / "images" / name, masks[photo], out / MASK_FOLDERS[0])
    if use_masks:
        settings["mask_bytes"] = {
            photo.name: mask.stat().st_size for photo, mask in masks.items()
        }
    _begin_or_resume(out / "posing.json", settings)
    run = ColmapRun(
        colmap=colmap,
        folder=out,
        names=tuple(names),
        num_threads=num_threads or os.cpu_count() or 1,
        progress=progress,
    )
    with quiet(colmap):
        run.find_features(
            camera_model=camera_model,
            max_image_px=max_image_px,
            masks=out / MASK_FOLDERS[0] if masks and use_masks else None,
        )
        run.match(photo_pairs(names, matching))
        models = run.map()
        report = _report(run, models, prepared.gravity)
    report = replace(report, left_out=left_out, renamed=prepared.renamed)
    _write_json(out / "posing.json", settings, report)
    return report


def _report(
    run: ColmapRun, models: Sequence[Any], gravity: Mapping[str, Vector]
) -> PosingReport:
    with run.database() as database:
        num_features = {
            image.name: database.num_keypoints_for_image(image.image_id)
            for image in database.read_all_images()
        }
        names = {image.image_id: image.name for image in database.read_all_images()}
        pairs, num_inliers = database.read_two_view_geometry_num_inliers()
    if not models:
        plain = sum(count < FEW_FEATURES for count in num_features.values())
        raise DatasetError(
            f"the {len(run.names)} photographs in {run.images} cannot be posed: "
            f"{sum(count > 0 for count in num_inliers)} pairs match, {plain} "
            "photographs are plain or blurred",
            remedy="Take more of a textured scene, each sharing most of its content "
            "with the one before, from different places.",
        )
    matched = {
        names[image_id]
        for pair, count in zip(pairs, num_inliers, strict=True)
        if count > 0
        for image_id in run.colmap.pair_id_to_image_pair(pair)
    }
    model = models[0]
    placed = {
        image.name: image for image in model.images.values() if image.num_points3D > 0
    }
    piece_size = {
        image.name: other.num_reg_images()
        for other in models[1:]
        for image in other.images.values()
    }
    registered, dropped = [], []
    for name in run.names:
        if name in placed:
            errors_px = image_errors_px(model, placed[name])
            registered.append(
                RegisteredPhoto(
                    name=name,
                    num_points=len(errors_px),
                    error_px=float(errors_px.mean()),
                )
            )
        else:
            reason = "matches others, but not enough of the placed ones"
            if name in piece_size:
                reason = (
                    f"is in a piece of {piece_size[name]} photographs that does not "
                    "overlap with the largest"
                )
            elif num_features.get(name, 0) < FEW_FEATURES:
                reason = (
                    f"has only {num_features.get(name, 0)} features: plain or blurred"
                )
            elif name not in matched:
                reason = "matches no other photograph"
            dropped.append(DroppedPhoto(name=name, reason=reason))
    rotations = {
        name: image.cam_from_world().rotation.matrix().T
        for name, image in placed.items()
    }
    return PosingReport(
        folder=run.folder,
        registered=tuple(registered),
        dropped=tuple(dropped),
        up=world_up(rotations, gravity),
    )


def _begin_or_resume(file: Path, settings: dict[str, Any]) -> None:
    """Note the settings of a run, or check that they are those of the one begun."""
    if not file.exists():
        _write_json(file, settings, None)
        return
    try:
        begun: dict[str, Any] = dict(read_json(file)["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{file} does not tell what was begun here ({error})",
            remedy=f"Remove {file.parent} and start over.",
        ) from error
    keys = dict.fromkeys((*begun, *settings))
    changed = [key for key in keys if begun.get(key, {}) != settings.get(key, {})]
    if changed:
        raise DatasetError(
            f"{file.parent} holds a run with other values of {', '.join(changed)}",
            remedy="Repeat those to resume it, or choose another output folder.",
        )


def _write_json(
    file: Path, settings: dict[str, Any], report: PosingReport | None
) -> None:
    content: dict[str, Any] = {"settings": settings}
    if report is not None:
        content["registered"] = [asdict(photo) for photo in report.registered]
        content["dropped"] = [asdict(photo) for photo in report.dropped]
        content["left_out"] = [asdict(file) for file in report.left_out]
        content["renamed"] = dict(report.renamed)
        content["up"] = report.up
    write_text(file, json.dumps(content, indent=1, ensure_ascii=False))


def _check_arguments(
    matching: str, camera_model: str, max_image_px: int, num_threads: int | None
) -> None:
    for name, value, allowed in [
        ("matching", matching, get_args(Matching)),
        ("camera_model", camera_model, get_args(CameraModel)),
    ]:
        require(value in allowed, name, value, f"Use one of {', '.join(allowed)}.")
    require(
        max_image_px >= SMALLEST_IMAGE_PX,
        "max_image_px",
        max_image_px,
        f"Use at least {SMALLEST_IMAGE_PX}; 800 to 3200 are usual.",
    )
    require(
        num_threads is None or num_threads >= 1,
        "num_threads",
        num_threads,
        "Use at least one thread.",
    )
