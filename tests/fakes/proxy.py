"""A proxy between a client and the service: it notes requests, and injects faults."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

CHUNK_BYTES = 2**16
WAIT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens once to a matching request, instead of or to its answer.

    With neither a status nor a number of bytes the connection is reset at once.
    """

    pattern: str
    """Regular expression of `METHOD path`."""
    status: int = 0
    """Answer so, without asking the service."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Of that answer."""
    page: bytes | None = None
    """Body of that answer; a problem document if absent."""
    field: str = "camera.eye"
    """The field that a problem with status 422 names."""
    after_bytes: int | None = None
    """Break after so many bytes of the request's body, or of the answer's if it has
    none."""


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    line: str
    """`METHOD path`."""
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Proxy:
    """Passes every request on over a connection of its own.

    Args:
        service_url: Where they go.
    """

    def __init__(self, service_url: str) -> None:
        self.service_url = service_url
        self.url = ""
        self.faults: list[Fault] = []
        """Still to happen; the first that matches."""
        self.requests: list[Request] = []
        self._came = threading.Condition()
        self._open: set[asyncio.StreamWriter] = set()

    def requests_of(self, pattern: str) -> list[Request]:
        return [one for one in self.requests if re.fullmatch(pattern, one.line)]

    def await_request(self, pattern: str) -> None:
        """Return once such a request has come."""
        with self._came:
            assert self._came.wait_for(lambda: self.requests_of(pattern), WAIT_SECONDS)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Listen on a free port."""
        server = await asyncio.start_server(self._exchange, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()
            self.reset()

    def reset(self) -> None:
        """Reset every connection."""
        for writer in self._open:
            _reset(writer)

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._open.add(writer)
        try:
            with suppress(OSError, EOFError):
                await self._pass_on(reader, writer)
        finally:
            self._open.discard(writer)
            writer.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").rstrip().split("\r\n")
        method, target, _ = first.split()
        headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
        url = urlsplit(target)
        line = f"{method} {unquote(url.path)}"
        fault = self._fault_of(line)
        length = int(headers.get("content-length", 0))
        is_cut = fault is not None and fault.after_bytes is not None and length > 0
        num_bytes = min(length, fault.after_bytes) if is_cut else length
        body = await reader.readexactly(num_bytes)
        with self._came:
            self.requests.append(Request(line, parse_qs(url.query), headers, body))
            self._came.notify_all()
        if fault is not None and fault.status:
            writer.write(_answer(fault))
            return
        if is_cut or (fault is not None and fault.after_bytes is None):
            _reset(writer)
            return
        if "upgrade" not in headers:
            head = head[:-2] + b"Connection: close\r\n\r\n"
        address = urlsplit(self.service_url)
        from_service, to_service = await asyncio.open_connection(
            address.hostname, address.port
        )
        try:
            to_service.write(head + body)
            cut_at = None
            if fault is not None:
                answer_head = await from_service.readuntil(b"\r\n\r\n")
                writer.write(answer_head)
                cut_at = fault.after_bytes
            copies = [
                asyncio.create_task(_copy(from_service, writer, cut_at)),
                asyncio.create_task(_copy(reader, to_service)),
            ]
            await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
            for copy in copies:
                copy.cancel()
            await asyncio.gather(*copies, return_exceptions=True)
        finally:
            to_service.close()

    def _fault_of(self, line: str) -> Fault | None:
        for fault in self.faults:
            if re.fullmatch(fault.pattern, line):
                self.faults.remove(fault)
                return fault
        return None


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None = None
) -> None:
    """Until the end, or for so many bytes."""
    left = limit
    while left is None or left > 0:
        chunk = await reader.read(CHUNK_BYTES if left is None else left)
        if not chunk:
            return
        writer.write(chunk)
        await writer.drain()
        left = None if left is None else left - len(chunk)


def _reset(writer: asyncio.StreamWriter) -> None:
    linger = struct.pack("ii", 1, 0)
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def _answer(fault: Fault) -> bytes:
    kind, body = "text/html", fault.page
    if body is None:
        field = {"field": fault.field, "problem": "is NaN", "remedy": "Give numbers."}
        document = {
            "type": "https://lact-nvs.dev/problems/test",
            "title": "Test",
            "status": fault.status,
            "detail": f"refused with {fault.status}",
            "remedy": "Come back later.",
            "request_id": "r1",
            "errors": [field] * (fault.status == 422),
        }
        kind, body = "application/problem+json", json.dumps(document).encode()
    headers = fault.headers | {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {fault.status} Fault", *map(": ".join, headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
