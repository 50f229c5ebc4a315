"""Files on their way: bodies of requests, and downloads."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Self

import httpx

from nvs.client.errors import ServiceAnswerError
from nvs.errors import DatasetError, reason
from nvs.file_kinds import image_type
from nvs.files import file_sha256

CHUNK_BYTES = 2**18
JSON, ZIP = "application/json", "application/zip"
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
SHA256_TAG = re.compile(r'"([0-9a-f]{64})"')

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadProgress:
    """How far an upload is."""

    name: str
    """The file at hand."""
    num_bytes: int
    """Its size."""
    done_bytes: int
    """What of it is sent."""
    is_skipped: bool
    """Whether the service has it already."""
    num_files: int
    """Files in all."""
    num_files_done: int
    """Files sent or skipped before this one."""


OnUpload = Callable[[UploadProgress], None]


class UploadWatch:
    """Tells how far the upload of several files is, one after the other."""

    def __init__(self, on_progress: OnUpload | None, *, num_files: int) -> None:
        self._on_progress = on_progress
        self._num_files = num_files
        self._num_files_begun = 0
        self._name = ""

    def of(self, name: str) -> Progress:
        """Begin with the next file; called as it goes out."""
        self._num_files_begun += 1
        self._name = name
        return self._tell

    def skip(self, num_bytes: int) -> None:
        """The service has the file at hand already."""
        self._tell(num_bytes, num_bytes, is_skipped=True)

    def _tell(self, done_bytes: int, num_bytes: int, is_skipped: bool = False) -> None:
        if self._on_progress is not None:
            self._on_progress(
                UploadProgress(
                    name=self._name,
                    num_bytes=num_bytes,
                    done_bytes=done_bytes,
                    is_skipped=is_skipped,
                    num_files=self._num_files,
                    num_files_done=self._num_files_begun - 1,
                )
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class FileBody:
    """A file as it was when it was hashed; sent from its start on every attempt."""

    path: Path
    num_bytes: int
    sha256: str
    media_type: str
    on_progress: Progress | None = None

    @classmethod
    def of(
        cls, path: Path, media_type: str, on_progress: Progress | None = None
    ) -> Self:
        """Hash a file.

        Raises:
            DatasetError: If it cannot be read.
        """
        try:
            digest, num_bytes = file_sha256(path), path.stat().st_size
        except OSError as error:
            raise _unreadable(path, error) from error
        return cls(
            path=path,
            num_bytes=num_bytes,
            sha256=digest,
            media_type=media_type,
            on_progress=on_progress,
        )

    @classmethod
    def of_image(cls, path: Path, on_progress: Progress | None = None) -> Self:
        """Hash an image file, whose media type its first bytes say.

        Raises:
            DatasetError: If it cannot be read or is no image.
        """
        try:
            media_type = image_type(path)
        except OSError as error:
            raise _unreadable(path, error) from error
        if media_type is None:
            raise DatasetError(
                f"{path} is not a PNG, JPEG, WebP, TIFF or BMP image",
                remedy="Convert it, or take it out of the dataset.",
            )
        return cls.of(path, media_type, on_progress)

    def headers(self) -> Mapping[str, str]:
        """Type, length and digest of the body."""
        digest = base64.b64encode(bytes.fromhex(self.sha256)).decode()
        return {
            "Content-Type": self.media_type,
            "Content-Length": str(self.num_bytes),
            "Content-Digest": f"sha-256=:{digest}:",
        }

    async def chunks(self) -> AsyncIterator[bytes]:
        """The content, part by part.

        Raises:
            DatasetError: If the file has changed its length or cannot be read.
        """
        done = 0
        try:
            with self.path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    done += len(chunk)
                    if done > self.num_bytes:
                        break
                    yield chunk
                    if self.on_progress is not None:
                        self.on_progress(done, self.num_bytes)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if done != self.num_bytes:
            raise DatasetError(
                f"{self.path} changed while it was being sent",
                remedy="Wait until nothing writes to it and send it again.",
            )


class Download:
    """Writes a body to a file; a further attempt asks only for what is missing."""

    def __init__(self, file: BinaryIO, on_progress: Progress | None = None) -> None:
        self.received_bytes = 0
        self._total_bytes: int | None = None
        self._tag: str | None = None
        self._file = file
        self._on_progress = on_progress

    def headers(self) -> Mapping[str, str]:
        """Ask for the rest, provided that the content is still the same."""
        headers = {"Accept-Encoding": "identity"}
        if self.received_bytes and self._tag is not None:
            headers |= {
                "Range": f"bytes={self.received_bytes}-",
                "If-Range": self._tag,
            }
        return headers

    def start(self, response: httpx.Response) -> None:
        """Go on where the answer begins: at what is missing, or at the start."""
        tag = response.headers.get("ETag")
        self._tag = None if tag is None or tag.startswith("W/") else tag
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            stated = response.headers.get("Content-Range", "")
            found = CONTENT_RANGE.fullmatch(stated)
            if found is None or int(found[1]) != self.received_bytes:
                raise ServiceAnswerError(
                    f"asked for bytes {self.received_bytes}-, was sent {stated!r}",
                    remedy="Try again; a proxy on the way may be at fault.",
                )
            self._total_bytes = int(found[2])
            return
        self._file.seek(0)
        self._file.truncate()
        self.received_bytes = 0
        length = response.headers.get("Content-Length")
        self._total_bytes = None if length is None else int(length)

    def receive(self, chunk: bytes) -> None:
        """Append a part."""
        self._file.write(chunk)
        self.received_bytes += len(chunk)
        if self._on_progress is not None:
            self._on_progress(
                self.received_bytes, self._total_bytes or self.received_bytes
            )

    def check(self, file: Path) -> None:
        """Compare the finished file with the announced size and digest.

        Raises:
            ServiceAnswerError: If it differs.
        """
        if self._total_bytes not in (None, self.received_bytes):
            raise _damaged(f"{self.received_bytes} of {self._total_bytes} bytes")
        stated = SHA256_TAG.fullmatch(self._tag or "")
        if stated is None:
            return
        digest = file_sha256(file)
        if digest != stated[1]:
            raise _damaged(f"SHA-256 {digest[:12]}… instead of {stated[1][:12]}…")


def _unreadable(path: Path, error: OSError) -> DatasetError:
    return DatasetError(
        f"cannot read {path}: {reason(error)}",
        remedy="Check that the file exists and that you may read it.",
    )


def _damaged(found: str) -> ServiceAnswerError:
    return ServiceAnswerError(
        f"the download arrived damaged ({found})", remedy="Try again."
    )
