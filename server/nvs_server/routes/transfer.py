"""Bodies to files, counted and digested while they come; stored files as answers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from nvs.api.system import Usage
from nvs_server.edge.callers import Principal
from nvs_server.edge.problems import Problem
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.durable import full_disk_reported, remove
from nvs_server.storage.errors import QuotaExceeded

WRITE_BYTES = 2**20
"""Chunks are gathered to so many bytes before they are written."""

_DIGEST = re.compile(r"\s*([a-z0-9*_.-]+)\s*=\s*:([A-Za-z0-9+/=]*):\s*")
CACHE_CONTROL = "private, no-cache"
"""Keep it, but ask with the ETag before use: the caller's rights may have changed."""
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class Received:
    """A body that came whole."""

    path: Path
    sha256: str
    num_bytes: int


def media_type(request: Request, allowed: tuple[str, ...]) -> str:
    """The media type of the body, without parameters.

    Raises:
        Problem: `media-type`, 415, if it is none of `allowed`.
    """
    header = request.headers.get("content-type", "")
    found = header.partition(";")[0].strip().lower()
    if found not in allowed:
        raise Problem(
            "media-type",
            f"Content-Type is {header[:80]!r}.",
            remedy=f"Send {' or '.join(allowed)}.",
        )
    return found


def check_room(
    request: Request, usage: Usage, caller: Principal, *, replaced_bytes: int = 0
) -> None:
    """Refuse a body that the quota cannot take, before it comes.

    Args:
        request: For its Content-Length.
        usage: What the owner has.
        caller: For the quota.
        replaced_bytes: Size of the files in whose place the body comes.

    Raises:
        QuotaExceeded: If it would be used up.
    """
    limit_bytes = caller.quotas.bytes
    growth = int(request.headers.get("content-length", "0")) - replaced_bytes
    if limit_bytes is not None and 0 < growth and usage.bytes + growth > limit_bytes:
        raise QuotaExceeded("bytes", limit_bytes, usage.bytes)


@asynccontextmanager
async def received(request: Request, blobs: Blobs) -> AsyncGenerator[Received]:
    """The body as a file among the incoming ones, gone after the block if not moved.

    Raises:
        Problem: `digest-mismatch`, 422, if it is not what Content-Digest says.
        StorageFull: If the disk is full.
        ClientDisconnect: If the client went away.
    """
    expected = _expected_digest(request)
    digest, num_bytes = hashlib.sha256(), 0
    with full_disk_reported("uploads"):
        path = await run_in_threadpool(_new_file, blobs.incoming())
    try:
        with full_disk_reported("uploads"), path.open("wb") as file:
            async for data in _gathered(request):
                num_bytes += len(data)
                await run_in_threadpool(file.write, data)
                await run_in_threadpool(digest.update, data)
        if num_bytes == 0:
            raise Problem("invalid", "The body is empty.", remedy="Send the file.")
        if expected is not None and expected != digest.digest():
            raise Problem(
                "digest-mismatch",
                f"The {num_bytes} bytes that came have the SHA-256 "
                f"{digest.hexdigest()}, Content-Digest says {expected.hex()}.",
            )
        yield Received(path, digest.hexdigest(), num_bytes)
    finally:
        remove(path)


async def _gathered(request: Request) -> AsyncGenerator[bytes]:
    gathered = bytearray()
    async for chunk in request.stream():
        gathered += chunk
        if len(gathered) >= WRITE_BYTES:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


def _new_file(folder: Path) -> Path:
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        return Path(file.name)


def _expected_digest(request: Request) -> bytes | None:
    """The SHA-256 that Content-Digest gives (RFC 9530); other digests are ignored.

    Raises:
        Problem: `malformed`, 400.
    """
    header = request.headers.get("content-digest")
    if header is None:
        return None
    for part in header.split(","):
        found = _DIGEST.fullmatch(part)
        if found is None:
            raise _malformed(header)
        if found[1] == "sha-256":
            try:
                digest = base64.b64decode(found[2], validate=True)
            except binascii.Error as error:
                raise _malformed(header) from error
            if len(digest) != hashlib.sha256().digest_size:
                raise _malformed(header)
            return digest
    return None


def _malformed(header: str) -> Problem:
    return Problem(
        "malformed",
        f"Content-Digest is {header[:120]!r}.",
        remedy="Write it as sha-256=:<base64 of the digest>: or leave it out.",
    )


async def blob_response(
    request: Request,
    blobs: Blobs,
    sha256: str,
    num_bytes: int,
    media_type: str,
    *,
    filename: str | None = None,
) -> Response:
    """A stored file; its ETag is the digest. Several ranges are answered as none.

    Args:
        request: For the headers If-None-Match, If-Range and Range.
        blobs: Where it is.
        sha256: Which.
        num_bytes: Its size.
        media_type: Of its content.
        filename: What a browser saves it as; shown in place without one.

    Raises:
        Problem: `range`, 416.
        BlobMissing: If it is lost.
    """
    tag = f'"{sha256}"'
    headers = {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Cache-Control": CACHE_CONTROL,
        "X-Content-Type-Options": "nosniff",
    }
    if filename is not None:
        headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    known = request.headers.get("if-none-match", "")
    if known == "*" or tag in (part.strip() for part in known.split(",")):
        return Response(status_code=304, headers=headers)
    start, end, status = _range(request, tag, num_bytes)
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{num_bytes}"
    headers["Content-Length"] = str(end - start)
    chunks = await run_in_threadpool(blobs.stream, sha256, start, end)
    return StreamingResponse(
        chunks, status_code=status, headers=headers, media_type=media_type
    )


def _range(
    request: Request, tag: str, num_bytes: int
) -> tuple[int, int, Literal[200, 206]]:
    """First byte, byte after the last, and status."""
    whole = (0, num_bytes, 200)
    if request.headers.get("if-range", tag) != tag:
        return whole
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if found is None or found[1] == found[2] == "":
        return whole
    if found[1] == "":
        start, end = max(0, num_bytes - int(found[2])), num_bytes
    else:
        start = int(found[1])
        end = min(int(found[2]) + 1, num_bytes) if found[2] else num_bytes
        if found[2] and int(found[2]) < start:
            return whole
    if start >= end:
        raise Problem(
            "range",
            f"The range {found[0]} is outside the {num_bytes} bytes of the file.",
            headers={"Content-Range": f"bytes */{num_bytes}"},
        )
    return start, end, 206
