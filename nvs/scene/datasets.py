"""Datasets on disk to posed views, through readers that recognise their layout.

A reader turns a path into `Frame`s, which `PosedViews.from_frames` decodes and resizes,
or `OpenedViews` once a scene is built from them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from nvs.cameras.intrinsics import intrinsics_fault
from nvs.errors import DatasetError
from nvs.file_kinds import VIDEO_SUFFIXES, is_image_name
from nvs.parallel.group import Group
from nvs.scene.frames import Dataset, Frame, Reader
from nvs.scene.image_files import shortened
from nvs.scene.opencv_layout import OpenCVReader
from nvs.scene.opened import OpenedViews
from nvs.scene.views import PosedViews, check_showing, showing_nothing

MOST_SETS_NAMED = 4
_logger = logging.getLogger("nvs.data")


@cache
def readers() -> tuple[Reader, ...]:
    """Every known reader: the published layout first, then by name."""
    points = sorted(entry_points(group="nvs.readers"), key=lambda point: point.name)
    return (OpenCVReader(), *(point.load()() for point in points))


def is_dataset(path: Path) -> bool:
    """Whether a reader recognises the layout of what is at the path."""
    return any(reader.recognises(path) for reader in readers())


def read_dataset(
    path: Path | str,
    *,
    format: str | None = None,
    views: Sequence[int] | None = None,
    convention: str = "opencv",
) -> Dataset:
    """Frames of a dataset in a layout that is recognised, or named by `format`.

    Images that are listed but missing are left out, with one warning of the logger
    `nvs.data`. So is what is there and not used, one warning for each kind.

    Args:
        path: A dataset folder or file.
        format: Name of a layout.
        views: Indices of the frames that are wanted; all if absent.
        convention: How its poses were stored, if not as its layout says: one of
            `nvs.scene.frames.PoseConvention`.

    Raises:
        ConfigError: If there is no such convention.
        DatasetError: If there is nothing at the path, no reader recognises it, none of
            its images exists, the dataset is not as its layout says, or a view is not
            there.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetError(
            "there is nothing there", remedy="Check the path.", subject=path
        )
    reader, *others = _readers_of(path, format)
    dataset = reader.read(path)
    if others:
        names = ", ".join(other.name for other in others)
        note = f"read as {reader.name}; not used is what it holds as {names}"
        dataset = replace(dataset, notes=(note, *dataset.notes))
    missing = dataset.missing
    listed = shortened(missing)
    if not dataset.frames:
        raise DatasetError(
            f"none of its {len(missing)} images exists ({listed})",
            remedy="Restore the images beside the cameras." + dataset.hint,
            subject=path,
        )
    if missing:
        total = len(missing) + len(dataset.frames)
        _logger.warning(
            "%s: %d of %d images are missing and left out: %s%s",
            *(path, len(missing), total, listed, dataset.hint and f".{dataset.hint}"),
        )
    for note in dataset.notes:
        _logger.warning("%s: %s", path, note)
    dataset = dataset.stored_as(convention)
    return dataset if views is None else _only(dataset, views, path)


def _warn_of_intrinsics(path: Path, frames: Sequence[Frame]) -> None:
    """One warning for each fault of intrinsics, which a build takes for the truth."""
    faults: dict[tuple[str, str], list[str]] = {}
    for frame in frames:
        camera = frame.camera
        fx, fy, cx, cy = camera.intrinsics[0].tolist()
        fault = intrinsics_fault((fx, fy, cx, cy), camera.height, camera.width)
        if fault is not None:
            faults.setdefault(fault, []).append(frame.name)
    for (problem, remedy), names in faults.items():
        _logger.warning("%s: %s in %s. %s", path, problem, shortened(names), remedy)


def _only(dataset: Dataset, views: Sequence[int], path: Path) -> Dataset:
    """The dataset with the frames of some indices."""
    if not views:
        raise DatasetError("no views are chosen", remedy="Choose at least one.")
    for index in views:
        if not 0 <= index < len(dataset.frames):
            raise DatasetError(
                f"there is no view {index}",
                remedy=f"Choose from 0 to {len(dataset.frames) - 1}.",
                subject=path,
            )
    return replace(dataset, frames=tuple(dataset.frames[index] for index in views))


def _readers_of(path: Path, format: str | None) -> list[Reader]:
    """The reader that is named, or all that recognise the path; the first is used."""
    found = [
        reader
        for reader in readers()
        if reader.name == format or (format is None and reader.recognises(path))
    ]
    if found:
        return found
    known = ", ".join(reader.name for reader in readers())
    if format is not None:
        raise DatasetError(
            f"there is no dataset format {format!r}", remedy=f"Known: {known}."
        )
    raise DatasetError(
        "in no known dataset layout", remedy=layout_remedy(path), subject=path
    )


def layout_remedy(path: Path) -> str:
    """What to do with files in which no reader recognises a dataset."""
    below = _sets_below(path)
    if below:
        listed = " and ".join(below[:MOST_SETS_NAMED])
        return f"A dataset is in {listed}: give {'one of them' if below[1:] else 'it'}."
    known = ", ".join(reader.name for reader in readers())
    return (
        _posing_remedy(path)
        or f"Known: {known}; the first is a folder with opencv_cameras.json."
    )


def _sets_below(path: Path, depth: int = 2) -> list[str]:
    """Folders below that hold datasets, in order, relative to the path."""
    found: list[str] = []
    for folder in sorted(path.iterdir()) if path.is_dir() else []:
        if not folder.is_dir() or folder.is_symlink():
            continue
        if is_dataset(folder):
            found.append(folder.name)
        elif depth > 1:
            found += [
                f"{folder.name}/{name}" for name in _sets_below(folder, depth - 1)
            ]
    return found


def _posing_remedy(path: Path) -> str | None:
    """What to do with photographs that have no cameras, or a video, if it is that."""
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return "For a video: nvs data frames VIDEO -o OUT --count 60 --pose."
    for folder in (path, path / "images"):
        if folder.is_dir() and any(is_image_name(f.name) for f in folder.iterdir()):
            return (
                "There are photographs but no cameras: `nvs data pose PHOTOS -o OUT` "
                "finds them."
            )
    return None


def load_views(
    path: Path | str,
    *,
    size: tuple[int, int] | int | None = None,
    patch_size: int = 8,
    views: Sequence[int] | None = None,
    format: str | None = None,
    convention: str = "opencv",
    progress: Callable[[int, int], None] | None = None,
    group: Group | None = None,
) -> PosedViews:
    """Posed views of a dataset, resized to one size.

    Intrinsics that seem to be of another resolution are said in warnings of the logger
    `nvs.data`, one for each fault.

    Args:
        path: A dataset folder or file.
        size: (height, width) in pixels to cover and centre-crop to; or the length of
            the longer side, keeping the first image's aspect ratio; or None for the
            first image's own size. Rounded down to multiples of the patch.
        patch_size: Side of the network's patch in pixels.
        views: Indices of the frames to load; all if absent.
        format: Name of a layout, instead of recognising it.
        convention: How its poses were stored; see `read_dataset`.
        progress: Called with (views read, views in all); may raise to cancel.
        group: Ranks that share the views: each decodes and returns its own.

    Raises:
        ConfigError: If there is no such convention, or are more ranks than views.
        DatasetError, CameraError, ImageError: Naming the file or view and the remedy.
    """
    dataset = read_dataset(path, format=format, views=views, convention=convention)
    _warn_of_intrinsics(Path(path), dataset.frames)
    loaded = PosedViews.from_frames(
        dataset.frames,
        size=size,
        patch_size=patch_size,
        world_up=dataset.world_up,
        progress=progress,
        group=group,
    )
    check_showing(showing_nothing(loaded.image, loaded.names), len(loaded))
    return loaded


def open_views(
    path: Path | str,
    *,
    size: tuple[int, int] | int | None = None,
    patch_size: int = 8,
    views: Sequence[int] | None = None,
    format: str | None = None,
    convention: str = "opencv",
    group: Group | None = None,
) -> OpenedViews:
    """Like `load_views`, but images stay on disk until a scene is built from them.

    A prefill decodes them in threads, one group of views ahead, and keeps none.

    Raises:
        ConfigError: If there are more ranks than views.
        DatasetError, CameraError, ImageError: Naming the file or view and the remedy.
    """
    dataset = read_dataset(path, format=format, views=views, convention=convention)
    _warn_of_intrinsics(Path(path), dataset.frames)
    return OpenedViews.from_frames(
        dataset.frames,
        size=size,
        patch_size=patch_size,
        world_up=dataset.world_up,
        group=group,
    )
