"""Downloads: to a temporary file, resumed where they broke off, checked, renamed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import httpx

from nvs.client.bodies import Progress
from nvs.client.errors import ServiceAnswerError
from nvs.client.steps import Call, Flow, answer, computed
from nvs.files import atomic_output, file_sha256

CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
SHA256_TAG = re.compile(r'"([0-9a-f]{64})"')


def download(path: str, file: Path, on_progress: Progress | None) -> Flow[int]:
    """Fetch an address into a file, which appears whole or not at all.

    Returns:
        Its size in bytes.

    Raises:
        OutputError: If it cannot be written.
        ServiceAnswerError: If what arrives is not what the service announced.
    """
    with atomic_output(file) as temporary:
        with temporary.open("wb") as out:
            sink = FileSink(out, on_progress)
            yield from answer(Call(method="GET", path=path, sink=sink))
        yield from computed(lambda: sink.check(temporary))
        return sink.received_bytes


class FileSink:
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

    def receive(self, chunk: bytes) -> bool:
        """Append a part."""
        self._file.write(chunk)
        self.received_bytes += len(chunk)
        if self._on_progress is not None:
            self._on_progress(
                self.received_bytes, self._total_bytes or self.received_bytes
            )
        return False

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


def _damaged(found: str) -> ServiceAnswerError:
    return ServiceAnswerError(
        f"the download arrived damaged ({found})", remedy="Try again."
    )
