"""Files as request bodies: hashed first, then streamed with progress."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nvs.errors import DatasetError
from nvs.files import file_sha256

CHUNK_BYTES = 2**18

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""


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

    def headers(self) -> Mapping[str, str]:
        """Type, length and digest of the body."""
        digest = base64.b64encode(bytes.fromhex(self.sha256)).decode()
        return {
            "Content-Type": self.media_type,
            "Content-Length": str(self.num_bytes),
            "Content-Digest": f"sha-256=:{digest}:",
        }

    def chunks(self) -> Iterator[bytes]:
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

    async def achunks(self) -> AsyncIterator[bytes]:
        """The content, part by part, for an asynchronous client."""
        for chunk in self.chunks():
            yield chunk


def _unreadable(path: Path, error: OSError) -> DatasetError:
    return DatasetError(
        f"cannot read {path}: {error.strerror or error}",
        remedy="Check that the file exists and that you may read it.",
    )
