"""Which files of a dataset folder the service needs: images, and what names them.

Where one JSON file holds the cameras, its images and itself; for every other layout
(COLMAP, LLFF, DL3DV, RealEstate10K) all images and all camera files of the folder.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nvs.errors import DatasetError
from nvs.file_kinds import IMAGE_SUFFIXES, image_type, is_camera_name, is_image_name

COMPLETIONS = ("", ".png", ".jpg", ".jpeg")
"""What a `file_path` may lack, in the order in which it is tried."""
JSON_LAYOUTS = ("opencv_cameras.json", "transforms_train.json", "transforms.json")
OTHER_LAYOUTS = ("sparse", "0", "cameras.bin", "cameras.txt", "poses_bounds.npy")
"""What makes a folder another layout although it has a `transforms.json`."""
SCALED_IMAGES = re.compile(r"images_\d+/")


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetFiles:
    """Files to upload; names are relative POSIX paths within the dataset."""

    images: tuple[tuple[str, Path], ...]
    cameras: tuple[tuple[str, Path], ...]

    @property
    def cameras_json(self) -> Path | None:
        """The one camera file, if it is JSON."""
        ((_, first), *others) = self.cameras
        return first if first.suffix == ".json" and not others else None


def dataset_files(path: Path) -> DatasetFiles:
    """The files of a dataset folder, or of the JSON camera file that is named.

    Raises:
        DatasetError: If there is nothing, no camera file or no image, or if the
            cameras name a file outside the folder.
    """
    if path.is_file() and path.suffix == ".json":
        return _named_by(path)
    if not path.is_dir():
        raise DatasetError(
            f"{path} is no folder, JSON camera file or .zip",
            remedy="Give the folder of a dataset, or a camera file in it.",
        )
    for name in JSON_LAYOUTS:
        if not (path / name).is_file():
            continue
        last = name == JSON_LAYOUTS[-1]
        if last and any((path / other).exists() for other in OTHER_LAYOUTS):
            break
        files = _named_by(path / name)
        if files.images:
            return files
        if not last:
            raise _no_images(path / name)
    return _whole(path)


def media_type(path: Path) -> str:
    """Media type of an image file, by its first bytes.

    Raises:
        DatasetError: If it cannot be read or is no image.
    """
    try:
        found = image_type(path)
    except OSError as error:
        raise DatasetError(
            f"cannot read {path}: {error.strerror or error}",
            remedy="Check that the file exists and that you may read it.",
        ) from error
    if found is None:
        raise DatasetError(
            f"{path} is not a PNG, JPEG, WebP, TIFF or BMP image",
            remedy="Convert it, or take it out of the dataset.",
        )
    return found


def _named_by(file: Path) -> DatasetFiles:
    folder = file.parent
    images: dict[str, Path] = {}
    for given in _file_paths(file):
        name = posixpath.normpath(given)
        for completion in COMPLETIONS:
            image = (folder / (name + completion)).resolve()
            outside = not image.is_relative_to(folder.resolve())
            if outside or name.startswith(("/", "..")):
                raise DatasetError(
                    f"{file} names {given!r}, which leads outside {folder}",
                    remedy="Name files relative to the dataset folder, without `..` "
                    "or links.",
                )
            if image.is_file() and image.suffix.lower() in IMAGE_SUFFIXES:
                images[name + completion] = image
                break
    return DatasetFiles(images=tuple(images.items()), cameras=((file.name, file),))


def _file_paths(file: Path) -> Iterator[str]:
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(
            f"{file} is not readable JSON ({error})",
            remedy="Check that the file is complete.",
        ) from error
    frames = content.get("frames") if isinstance(content, dict) else content
    if not isinstance(frames, list) or not frames:
        raise DatasetError(
            f"{file} lists no frames",
            remedy="Give opencv_cameras.json or transforms.json of a dataset.",
        )
    for index, frame in enumerate(frames):
        name = frame.get("file_path") if isinstance(frame, dict) else None
        if not isinstance(name, str) or not name or "\0" in name:
            raise DatasetError(
                f"{file}: frame {index}: file_path is {name!r}",
                remedy="Name the image file, relative to the folder.",
            )
        yield name


def _whole(folder: Path) -> DatasetFiles:
    images: list[tuple[str, Path]] = []
    cameras: list[tuple[str, Path]] = []
    skip_scaled = (folder / "images").is_dir() and not any(
        (folder / name).exists()
        for name in ("transforms.json", "nerfstudio/transforms.json")
    )
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
            continue
        if skip_scaled and SCALED_IMAGES.match(name):
            continue
        if is_image_name(name):
            images.append((name, file))
        elif is_camera_name(name):
            cameras.append((name, file))
    if not images:
        raise _no_images(folder)
    if not cameras:
        raise DatasetError(
            f"{folder} has images but no camera files",
            remedy="Find the cameras first, such as with `nvs data pose`.",
        )
    return DatasetFiles(images=tuple(images), cameras=tuple(cameras))


def _no_images(path: Path) -> DatasetError:
    return DatasetError(
        f"none of the images of {path} exists",
        remedy="Restore the images beside the cameras.",
    )
