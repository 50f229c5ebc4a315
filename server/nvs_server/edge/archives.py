"""Zip files from strangers: checked entry by entry, then unpacked one by one.

Nothing an archive says about itself is believed: names, sizes and offsets are checked
against limits and against each other, and what is unpacked is counted as it is read.
"""

from __future__ import annotations

import hashlib
import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nvs.api.names import check_file_name
from nvs.errors import DatasetError
from nvs.zip_names import ZipEntry, zip_entries

MAX_DIRECTORY_BYTES = 8 * 2**20
"""Most that is read at once; above all of the archive's list of entries."""
CHUNK_BYTES = 2**20
LOCAL_HEADER_BYTES = 30
MAX_RATIO = 200
"""An entry may be so many times larger unpacked than packed, …"""
RATIO_FREE_BYTES = 2**20
"""… once it is larger than this."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
OWN_FOLDERS = ("0", "images", "nerfstudio", "sparse")
"""Folders with a meaning in a dataset layout; they are not stripped."""

_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
    ValueError,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveLimits:
    """What an archive may hold."""

    max_files: int
    """Files that are wanted."""
    max_bytes: int
    """All files unpacked."""
    max_file_bytes: int
    """One file unpacked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnpackedFile:
    """A file of an archive that now lies in a folder."""

    path: str
    """Within the folder."""
    sha256: str
    """Of its bytes."""
    num_bytes: int
    """Its size."""


def unpack(
    archive: Path,
    folder: Path,
    limits: ArchiveLimits,
    *,
    keep: Callable[[str], bool],
) -> list[UnpackedFile]:
    """Unpack the files that are wanted; one folder around them all is left out.

    Args:
        archive: The zip file.
        folder: An empty folder.
        limits: What it may hold.
        keep: Whether a file of this path is wanted; others are not unpacked, and
            nothing about them matters.

    Returns:
        The unpacked files by path.

    Raises:
        DatasetError: Naming the entry: it leads outside, is a link, is encrypted,
            overlaps or repeats another, or lies about its size; or the limit that the
            archive is over.
    """
    with _opened(archive) as zipped:
        wanted = [
            entry
            for entry in zip_entries(zipped)
            if not entry.is_folder and keep(entry.name)
        ]
        if len(wanted) > limits.max_files:
            raise DatasetError(
                f"the zip file has {len(wanted)} files, over the limit of "
                f"{limits.max_files}",
                remedy="Put fewer files into it.",
            )
        for entry in wanted:
            check_file_name(entry.name, "the zip entry")
            _check_entry(entry)
        _check_overlaps(wanted, zipped.start_dir)
        _check_names([entry.name for entry in wanted])
        _check_sizes(wanted, limits)
        prefix = _common_folder([entry.name for entry in wanted])
        unpacked: list[UnpackedFile] = []
        for entry in sorted(wanted, key=lambda entry: entry.name):
            path = entry.name.removeprefix(prefix)
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            sha256 = _unpack_one(zipped, entry, target)
            num_bytes = entry.info.file_size
            unpacked.append(UnpackedFile(path=path, sha256=sha256, num_bytes=num_bytes))
    return unpacked


class _BoundedFile(io.BufferedReader):
    """A file that refuses to be read in one piece, whatever its headers promise."""

    def read(self, size: int | None = -1, /) -> bytes:
        most = MAX_DIRECTORY_BYTES + 1
        data = super().read(most if size is None or size < 0 else min(size, most))
        if len(data) == most:
            raise DatasetError(
                "the zip file's list of entries is too long",
                remedy="Put fewer files into it.",
            )
        return data


@contextmanager
def _opened(archive: Path) -> Generator[zipfile.ZipFile]:
    with _BoundedFile(io.FileIO(archive)) as file:
        try:
            with zipfile.ZipFile(file) as zipped:
                yield zipped
        except _DAMAGED as error:
            raise DatasetError(
                f"the zip file is damaged ({error})", remedy="Make it again."
            ) from error


def _check_sizes(wanted: Sequence[ZipEntry], limits: ArchiveLimits) -> None:
    for entry in wanted:
        size, packed_size = entry.info.file_size, entry.info.compress_size
        if size > limits.max_file_bytes:
            raise DatasetError(
                f"the zip entry {entry.name!r} has {size} bytes, over "
                f"the limit of {limits.max_file_bytes}",
                remedy="Shrink it or leave it out.",
            )
        if size > max(RATIO_FREE_BYTES, MAX_RATIO * packed_size):
            raise DatasetError(
                f"the zip entry {entry.name!r} grows from {packed_size} to "
                f"{size} bytes, more than {MAX_RATIO} times",
                remedy="Send images as JPEG, PNG or WebP.",
            )
    total = sum(entry.info.file_size for entry in wanted)
    if total > limits.max_bytes:
        raise DatasetError(
            f"the zip file holds {total} bytes unpacked, over the limit of "
            f"{limits.max_bytes}",
            remedy="Shrink the images or send fewer.",
        )


def _check_entry(entry: ZipEntry) -> None:
    info = entry.info
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise DatasetError(
            f"the zip entry {entry.name!r} is a link or a special file",
            remedy="Put the file itself into the archive.",
        )
    if info.flag_bits & ENCRYPTED:
        raise DatasetError(
            f"the zip entry {entry.name!r} is encrypted",
            remedy="Make the archive without a password.",
        )
    if info.compress_type not in METHODS:
        raise DatasetError(
            f"the zip entry {entry.name!r} is packed by method {info.compress_type}",
            remedy="Make the archive with deflate, or without compression.",
        )


def _check_overlaps(entries: Sequence[ZipEntry], directory: int) -> None:
    """Every entry has its own bytes, all of them before the list of entries."""
    end, before = 0, "the beginning of the file"
    for entry in sorted(entries, key=lambda entry: entry.info.header_offset):
        start = entry.info.header_offset
        if start < end:
            raise DatasetError(
                f"the zip entry {entry.name!r} overlaps {before}",
                remedy="Make the archive again with another program.",
            )
        end = start + LOCAL_HEADER_BYTES + entry.num_name_bytes
        end += entry.info.compress_size
        before = repr(entry.name)
    if end > directory:
        raise DatasetError(
            f"the zip entry {before} overlaps the list of entries",
            remedy="Make the archive again with another program.",
        )


def _check_names(files: Sequence[str]) -> None:
    """No name comes twice, and none is a folder of another."""
    names: set[str] = set()
    for name in files:
        if name in names:
            raise DatasetError(
                f"the zip file has {name!r} more than once",
                remedy="Give each file its own name.",
            )
        names.add(name)
    for name in names:
        parts = name.split("/")
        for count in range(1, len(parts)):
            folder = "/".join(parts[:count])
            if folder in names:
                raise DatasetError(
                    f"the zip file has {folder!r} as a file and as a folder",
                    remedy="Rename one of them.",
                )


def _common_folder(names: Sequence[str]) -> str:
    """The folder around all names with its slash, unless it has a meaning."""
    tops = {name.partition("/")[0] for name in names}
    if len(tops) != 1 or any("/" not in name for name in names):
        return ""
    (top,) = tops
    return "" if top in OWN_FOLDERS else f"{top}/"


def _unpack_one(zipped: zipfile.ZipFile, entry: ZipEntry, target: Path) -> str:
    """Write one file, counting; its digest."""
    digest = hashlib.sha256()
    num_bytes = 0
    with zipped.open(entry.info) as source, target.open("xb") as output:
        while chunk := source.read(CHUNK_BYTES):
            num_bytes += len(chunk)
            if num_bytes > entry.info.file_size:
                break
            digest.update(chunk)
            output.write(chunk)
    if num_bytes != entry.info.file_size:
        raise DatasetError(
            f"the zip entry {entry.name!r} does not have the {entry.info.file_size} "
            "bytes that the list of entries says",
            remedy="Make the archive again.",
        )
    return digest.hexdigest()
