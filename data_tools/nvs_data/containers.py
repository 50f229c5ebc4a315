"""Folders and zip archives as places to read files from, one way for both.

Archives are read in memory and never unpacked, and nothing outside a folder or archive
is ever read.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from nvs.errors import DatasetError
from nvs.zip_names import zip_entries

MAX_FILE_BYTES = 1 << 29


def members(container: Path) -> list[str]:
    """Paths of all files inside, with forward slashes; an archive's in its order.

    Raises:
        DatasetError: If an archive is damaged or a path in it leads out of it.
    """
    if container.is_dir():
        files = sorted(file for file in container.rglob("*") if file.is_file())
        return [file.relative_to(container).as_posix() for file in files]
    with _open(container) as opened:
        names = [entry.name for entry in zip_entries(opened) if not entry.is_folder]
    for name in names:
        if is_absolute(name) or ".." in PurePosixPath(name).parts:
            raise DatasetError(
                f"{container} holds a file named {name!r}, which leads out of it",
                remedy="Do not trust this archive; pack its files again.",
            )
    return names


def exists(container: Path, member: str) -> bool:
    """Whether there is such a file."""
    if container.is_dir():
        return (container / member).is_file()
    with _open(container) as archive:
        return member in _entries(archive)


def read(container: Path, member: str) -> bytes:
    """Bytes of a file.

    Raises:
        DatasetError: If it is missing, damaged, encrypted or larger than 512 MiB.
    """
    place = f"{container}/{member}"
    try:
        if container.is_dir():
            _check_size(place, (container / member).stat().st_size)
            return (container / member).read_bytes()
        with _open(container) as archive:
            # zipfile never yields more than the declared size.
            info = _entries(archive)[member]
            _check_size(place, info.file_size)
            return archive.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise DatasetError(
            f"{place} is damaged or cannot be read ({error})",
            remedy="Download it again, or leave it out.",
        ) from error
    except (RuntimeError, NotImplementedError, KeyError) as error:
        raise DatasetError(
            f"{place} cannot be unpacked ({error})",
            remedy="Pack it as a plain zip archive, without a password.",
        ) from error


def is_absolute(path: str) -> bool:
    """Whether a path with forward slashes is absolute, on Windows too."""
    return path.startswith("/") or re.match(r"[A-Za-z]:", path) is not None


def _open(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, OSError) as error:
        raise DatasetError(
            f"{archive} cannot be read as a zip archive ({error})",
            remedy="Download it again, or leave it out.",
        ) from error


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {entry.name: entry.info for entry in zip_entries(archive)}


def _check_size(place: str, size_bytes: int) -> None:
    if size_bytes > MAX_FILE_BYTES:
        raise DatasetError(
            f"{place} is {size_bytes / 2**20:.0f} MiB when unpacked",
            remedy=f"At most {MAX_FILE_BYTES / 2**20:.0f} MiB a file are read; "
            "make it smaller.",
        )
