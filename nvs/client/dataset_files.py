"""The files of a dataset, as they are sent: its images and its camera files."""

from __future__ import annotations

import json
import posixpath
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from nvs.client.transfers import JSON, ZIP, FileBody, Progress
from nvs.errors import DatasetError, reason
from nvs.file_kinds import is_camera_name, is_image_name


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetFiles:
    """Images and camera files by their names: relative POSIX paths in the dataset.

    What layout they are in, and which of its images are missing, is for the service to
    say.
    """

    images: Mapping[str, Path]
    cameras: Mapping[str, Path]

    @classmethod
    def of(cls, path: Path) -> Self:
        """What is in a folder; for a JSON camera file, it and the images beside it.

        Hidden files are left out, and links that lead out of the folder. Where one JSON
        file has all the cameras, images that it does not name, masks apart, are left
        out, unless it names none of them.

        Raises:
            DatasetError: If there is nothing, no camera file or no image, or if the
                JSON cannot be read.
        """
        if path.is_dir():
            folder, cameras = path, dict(_files(path, is_camera_name))
        elif path.is_file() and path.suffix == ".json":
            folder, cameras = path.parent, {path.name: path}
        else:
            raise DatasetError(
                f"{path} is no folder, JSON camera file or .zip",
                remedy="Give the folder of a dataset, or a camera file in it.",
            )
        images = dict(_files(folder, is_image_name))
        if not images:
            raise DatasetError(
                f"{folder} has no images",
                remedy="Restore the images beside the cameras.",
            )
        if not cameras:
            raise DatasetError(
                f"{folder} has images but no camera files",
                remedy="Find the cameras first, such as with `nvs data pose`.",
            )
        files = cls(images=images, cameras=cameras)
        if files.cameras_json is None:
            return files
        named = _named_by(files.cameras_json)
        chosen = {
            name: image
            for name, image in images.items()
            if _canonical(name) in named or _is_mask(name)
        }
        if all(_is_mask(name) for name in chosen):
            return files
        return cls(images=chosen, cameras=cameras)

    @classmethod
    def photographs(cls, folder: Path) -> Self:
        """The images in a folder, for a scene whose cameras are to be found.

        Raises:
            DatasetError: If it is no folder or has none.
        """
        images = dict(_files(folder, is_image_name)) if folder.is_dir() else {}
        if not images:
            raise DatasetError(
                f"{folder} is no folder with photographs",
                remedy="Give the folder of the photographs.",
            )
        return cls(images=images, cameras={})

    @property
    def cameras_json(self) -> Path | None:
        """The one camera file, if it is JSON."""
        first, *others = self.cameras.values()
        return first if first.suffix == ".json" and not others else None

    def cameras_body(self, folder: Path, on_progress: Progress | None) -> FileBody:
        """One JSON file as it is, which the service names; else a zip of all.

        Args:
            folder: Where the zip may be written.
            on_progress: Called as it goes out.
        """
        if self.cameras_json is not None:
            return FileBody.of(self.cameras_json, JSON, on_progress)
        archive = folder / "cameras.zip"
        with zipfile.ZipFile(
            archive, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False
        ) as out:
            for name, file in self.cameras.items():
                out.write(file, name)
        return FileBody.of(archive, ZIP, on_progress)


def _files(
    folder: Path, is_wanted: Callable[[str], bool]
) -> Iterator[tuple[str, Path]]:
    root = folder.resolve()
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if is_wanted(name) and file.is_file() and file.resolve().is_relative_to(root):
            yield name, file


def _named_by(file: Path) -> set[str]:
    """The images and masks that a JSON camera file names, in canonical form."""
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(
            f"{file} is not readable JSON ({reason(error)})",
            remedy="Check that the file is complete.",
        ) from error
    frames = content.get("frames") if isinstance(content, dict) else content
    entries = [content, *frames] if isinstance(frames, list) else [content]
    names = [
        entry.get(key)
        for entry in entries
        if isinstance(entry, dict)
        for key in ("file_path", "mask_path")
    ]
    return {_canonical(name) for name in names if isinstance(name, str)}


def _canonical(name: str) -> str:
    """A name as people mean it: the service tells apart what this does not."""
    path = posixpath.normpath(unicodedata.normalize("NFC", name).replace("\\", "/"))
    return posixpath.splitext(path)[0].casefold()


def has_cameras(folder: Path) -> bool:
    """Whether a folder has files that may say something about cameras."""
    return next(_files(folder, is_camera_name), None) is not None


def _is_mask(name: str) -> bool:
    return not {"mask", "masks"}.isdisjoint(name.split("/")[:-1])
