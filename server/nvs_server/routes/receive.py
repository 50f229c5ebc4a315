"""A request's body to a file: counted, digested and checked while it comes."""

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

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from nvs.api.system import Usage
from nvs_server.access.principal import Principal
from nvs_server.problems import Problem
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.durable import full_disk_reported, remove
from nvs_server.storage.errors import QuotaExceeded

WRITE_BYTES = 2**20
"""Chunks are gathered to so many bytes before they are written."""

_DIGEST = re.compile(r"\s*([a-z0-9*_.-]+)\s*=\s*:([A-Za-z0-9+/=]*):\s*")


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
