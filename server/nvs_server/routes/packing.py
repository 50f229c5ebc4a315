"""Several pictures as one body: a zip file, or the parts of a multipart body."""

from __future__ import annotations

import secrets
import zipfile
from typing import IO, ClassVar, Protocol

from nvs_server.backends.base import Picture
from nvs_server.storage.durable import full_disk_reported

SUFFIXES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "application/octet-stream": "f32",
}


def picture_name(index: int, picture: Picture) -> str:
    """Name of a picture of a batch, such as 00007.png."""
    return f"{index:05d}.{SUFFIXES[picture.media_type]}"


class Packing(Protocol):
    """Writes pictures one after another into a file."""

    media_type: str
    """Of the file."""

    def __init__(self, file: IO[bytes]) -> None: ...

    def add(self, index: int, picture: Picture) -> None:
        """Write the next picture."""
        ...

    def finish(self) -> None:
        """Write what stands at the end."""
        ...


class ZipPacking:
    """A zip file without compression: pictures are compressed already."""

    media_type: str = "application/zip"

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)

    def add(self, index: int, picture: Picture) -> None:
        """Write the next picture."""
        with full_disk_reported("the pictures"):
            self._archive.writestr(picture_name(index, picture), picture.data)

    def finish(self) -> None:
        """Write the list of entries."""
        with full_disk_reported("the pictures"):
            self._archive.close()
            self._file.flush()


class MultipartPacking:
    """Parts of a multipart/mixed body (RFC 2046)."""

    boundary: ClassVar[str] = f"nvs-{secrets.token_hex(16)}"
    media_type: str = f"multipart/mixed; boundary={boundary}"

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, index: int, picture: Picture) -> None:
        """Write the next picture."""
        head = (
            f"--{self.boundary}\r\n"
            f"Content-Type: {picture.media_type}\r\n"
            f"Content-Length: {len(picture.data)}\r\n"
            "Content-Disposition: inline; "
            f'filename="{picture_name(index, picture)}"\r\n\r\n'
        )
        with full_disk_reported("the pictures"):
            self._file.write(head.encode() + picture.data + b"\r\n")

    def finish(self) -> None:
        """Write the last boundary."""
        with full_disk_reported("the pictures"):
            self._file.write(f"--{self.boundary}--\r\n".encode())
            self._file.flush()


PACKINGS: dict[str, type[Packing]] = {
    "application/zip": ZipPacking,
    "multipart/mixed": MultipartPacking,
}
"""By media type; the first is the default."""
