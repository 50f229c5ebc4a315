"""Requests at next to no cost to whoever makes them.

Hundreds of clients share their processors with the service under test; what a full
client library takes for each request would be measured as the service's.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from nvs.client import PosedCamera


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    retry_after_seconds: float | None
    body: bytes


class Connection:
    """An HTTP/1.1 connection that is kept; for one request at a time."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        assert address.hostname is not None
        assert address.port is not None
        self._address = (address.hostname, address.port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> Answer:
        """Send a request and read its answer.

        Raises:
            OSError, EOFError: If the connection breaks.
        """
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        status_line, *lines = head.decode("ascii").split("\r\n")
        headers = {name.lower(): value for name, _, value in map(_split, lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        retry_after = headers.get("retry-after")
        return Answer(
            int(status_line.split()[1]),
            None if retry_after is None else float(retry_after),
            body,
        )

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._streams is not None:
            self._streams[1].close()


def _split(line: str) -> tuple[str, str, str]:
    return line.partition(": ")


def render_request(scene_id: str, camera: PosedCamera, size_px: int) -> bytes:
    """A request for a picture as JPEG."""
    body = json.dumps(
        {
            "camera": camera.model_dump(),
            "height": size_px,
            "width": size_px,
            "format": "jpeg",
        }
    ).encode()
    head = (
        f"POST /v1/scenes/{scene_id}/render HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body
