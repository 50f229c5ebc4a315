"""Stored files as answers: with a validator, and with ranges where asked for."""

from __future__ import annotations

import re
from typing import Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from nvs_server.problems import Problem
from nvs_server.storage.blobs import Blobs

CACHE_CONTROL = "private, no-cache"
"""Keep it, but ask with the ETag before use: the caller's rights may have changed."""

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


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
