"""A scene's stored files as the folder of a dataset, which readers understand."""

from __future__ import annotations

import json
import os
import posixpath
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nvs.errors import DatasetError
from nvs.file_kinds import is_mask_name
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.records import FileRecord

FRAME_FILES = re.compile(r"(?:.*/)?(?:opencv_cameras|transforms(?:_\w+)?)\.json")
"""Camera files in JSON, whose frames name images by path."""
MAX_FRAME_FILE_BYTES = 16 * 2**20
IMPLIED_SUFFIXES = ("", ".png", ".jpg", ".jpeg")
IMAGE_FOLDER = "images"

Locate = Callable[[str], Path]
"""Where the file of a digest lies."""


@contextmanager
def work_folder(blobs: Blobs) -> Generator[Path]:
    """A folder on the file system of the blobs that is gone afterwards."""
    with tempfile.TemporaryDirectory(
        prefix="work-", dir=blobs.incoming(), ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def materialise(files: Sequence[FileRecord], locate: Locate, folder: Path) -> None:
    """Write a scene's images and cameras below an empty folder, as links if possible.

    Frames of a JSON camera file may name images otherwise than they were uploaded:
    where no image has a frame's path but exactly one has its base name, the written
    camera file names that one. Other layouts expect images in the folder `images`:
    where none was uploaded there, they are put there too.

    Raises:
        DatasetError: If one file's path is the folder of another.
        BlobMissing, BlobDamaged: If a stored file is lost.
    """
    files = [file for file in files if file.kind in ("image", "cameras")]
    images = [file for file in files if file.kind == "image"]
    for file in files:
        if file.kind == "image" or not FRAME_FILES.fullmatch(file.path):
            _place(locate, file, folder, file.path)
    for file in files:
        if file.kind == "cameras" and FRAME_FILES.fullmatch(file.path):
            _place_frames(locate, file, folder, images)
    if any(
        file.kind == "cameras" and not file.path.endswith(".json") for file in files
    ):
        _fill_image_folder(locate, folder, images)


def _place_frames(
    locate: Locate, file: FileRecord, folder: Path, images: Sequence[FileRecord]
) -> None:
    """Write a camera file; one that cannot be read is left to its reader."""
    entries: Any = None
    content: Any = None
    if file.num_bytes <= MAX_FRAME_FILE_BYTES:
        try:
            content = json.loads(locate(file.sha256).read_bytes())
            entries = content["frames"] if isinstance(content, dict) else content
        except (ValueError, LookupError, RecursionError):
            entries = None
    if not isinstance(entries, list):
        _place(locate, file, folder, file.path)
        return
    base = posixpath.dirname(file.path)
    by_path = {image.path: image for image in images}
    by_name = _by_base_name(images)
    renamed = False
    for entry in entries:
        name = entry.get("file_path") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            continue
        image = _meant(name, base, by_path, by_name)
        if image is not None:
            entry["file_path"] = _reachable(locate, image, folder, base)
            renamed = True
    if renamed:
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(content), encoding="utf-8")
    else:
        _place(locate, file, folder, file.path)


def _meant(
    name: str,
    base: str,
    by_path: dict[str, FileRecord],
    by_name: dict[str, list[FileRecord]],
) -> FileRecord | None:
    """The image that a frame means by its base name; None if its path is right."""
    path = posixpath.normpath(posixpath.join(base, name))
    if any(path + suffix in by_path for suffix in IMPLIED_SUFFIXES):
        return None
    last = name.replace("\\", "/").rpartition("/")[2]
    for suffix in IMPLIED_SUFFIXES:
        found = by_name.get(last + suffix, [])
        if len(found) == 1:
            return found[0]
    return None


def _reachable(locate: Locate, image: FileRecord, folder: Path, base: str) -> str:
    """An image's name relative to the folder of its camera file, placed below it."""
    if not base:
        return image.path
    if image.path.startswith(f"{base}/"):
        return image.path[len(base) + 1 :]
    name = posixpath.basename(image.path)
    _place(locate, image, folder, f"{base}/{name}")
    return name


def _fill_image_folder(
    locate: Locate, folder: Path, images: Sequence[FileRecord]
) -> None:
    if any(image.path.startswith(f"{IMAGE_FOLDER}/") for image in images):
        return
    photographs = [image for image in images if not is_mask_name(image.path)]
    for name, found in _by_base_name(photographs).items():
        if len(found) == 1:
            _place(locate, found[0], folder, f"{IMAGE_FOLDER}/{name}")
    for image in images:
        _place(locate, image, folder, f"{IMAGE_FOLDER}/{image.path}")


def _by_base_name(images: Sequence[FileRecord]) -> dict[str, list[FileRecord]]:
    named: defaultdict[str, list[FileRecord]] = defaultdict(list)
    for image in images:
        named[posixpath.basename(image.path)].append(image)
    return named


def _place(locate: Locate, file: FileRecord, folder: Path, path: str) -> None:
    source, target = locate(file.sha256), folder / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file():
            return
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise DatasetError(
            f"{path!r} lies below another file, or is the folder of one",
            remedy="Rename one of them and delete the other.",
        ) from error
