"""The WebSocket of a built scene: poses go out, pictures come back, the latest wins."""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nvs.api.stream import FrameHeader, StreamDropped, StreamProblem
from nvs.client.errors import (
    ServiceAnswerError,
    ServiceError,
    ServiceUnreachableError,
    error_of_problem,
)
from nvs.client.pictures import Camera, Picture, camera_to_json
from nvs.client.transport import parsed
from nvs.terminal.extras import needs_extra

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

HEADER_LENGTH = struct.Struct("<I")
OWN_CLOSE_CODES = range(4400, 4500)
"""4000 plus the HTTP status that says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamFrame:
    """The answer to one pose."""

    sequence: int
    picture: Picture | None
    """None if a newer pose took its place before it was begun."""


class AsyncRenderStream:
    """An open stream; see `AsyncClient.stream`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._sequence = itertools.count()

    async def send(
        self,
        camera: Camera,
        *,
        height: int,
        width: int,
        format: str = "jpeg",
        quality: int = 85,
    ) -> int:
        """Send a pose without waiting; returns its sequence number."""
        sequence = next(self._sequence)
        message = {
            "sequence": sequence,
            "camera": camera_to_json(camera),
            "height": height,
            "width": width,
            "format": format,
            "quality": quality,
        }
        with _translated():
            await self._connection.send(json.dumps(message))
        return sequence

    async def receive(self) -> StreamFrame:
        """The next answer: a picture, or that a pose was dropped.

        Raises:
            ServiceError: If the service refuses a pose or ends the stream.
        """
        while True:
            with _translated():
                message = await self._connection.recv()
            frame = _frame(message)
            if frame is not None:
                return frame

    async def render(
        self,
        camera: Camera,
        *,
        height: int,
        width: int,
        format: str = "jpeg",
        quality: int = 85,
    ) -> Picture:
        """Send a pose and wait for its picture; earlier answers are passed over."""
        sequence = await self.send(
            camera, height=height, width=width, format=format, quality=quality
        )
        while True:
            frame = await self.receive()
            if frame.sequence == sequence and frame.picture is not None:
                return frame.picture


@asynccontextmanager
async def open_stream(url: str) -> AsyncGenerator[AsyncRenderStream]:
    """Connect to a stream.

    Raises:
        MissingExtraError: If the package websockets is not installed.
    """
    with needs_extra("client"):
        from websockets.asyncio.client import connect
    with _translated():
        connection = await connect(url, max_size=None)
    async with connection:
        yield AsyncRenderStream(connection)


def _frame(message: str | bytes) -> StreamFrame | None:
    """What a message says; None if it answers no pose."""
    try:
        if isinstance(message, bytes):
            return _picture(message)
        kind = json.loads(message)["type"]
    except (ValueError, LookupError, TypeError, struct.error) as error:
        raise ServiceAnswerError(
            f"the stream sent something else than pictures ({error})",
            remedy="Check that client and server have the same version.",
        ) from error
    if kind == "dropped":
        dropped = parsed(StreamDropped, message)
        return StreamFrame(sequence=dropped.sequence, picture=None)
    if kind == "problem":
        raise error_of_problem(parsed(StreamProblem, message).problem)
    return None


def _picture(message: bytes) -> StreamFrame:
    (length,) = HEADER_LENGTH.unpack_from(message)
    end = HEADER_LENGTH.size + length
    header = parsed(FrameHeader, message[HEADER_LENGTH.size : end])
    timings_ms = {name.removesuffix("_ms"): value for name, value in header.timings}
    picture = Picture(
        data=message[end:],
        format=header.format,
        height=header.height,
        width=header.width,
        timings_ms=timings_ms,
        tier=header.tier,
    )
    return StreamFrame(sequence=header.sequence, picture=picture)


@contextmanager
def _translated() -> Generator[None]:
    """Raise what breaks the connection as an error of the service."""
    from websockets.exceptions import (
        ConnectionClosed,
        InvalidStatus,
        WebSocketException,
    )

    try:
        yield
    except InvalidStatus as error:
        status = error.response.status_code
        raise ServiceError(
            f"the stream was refused ({status})",
            remedy="Check the scene, the key and that the server is `nvs serve`.",
            status=status,
        ) from error
    except ConnectionClosed as error:
        code = error.rcvd.code if error.rcvd is not None else 0
        reason = error.rcvd.reason if error.rcvd is not None else ""
        if code not in OWN_CLOSE_CODES:
            raise _broken(error) from error
        raise ServiceError(
            f"the service ended the stream ({reason or code})",
            remedy="Open it again once that is put right.",
            status=code - 4000,
        ) from error
    except (WebSocketException, OSError) as error:
        raise _broken(error) from error


def _broken(error: Exception) -> ServiceUnreachableError:
    return ServiceUnreachableError(
        f"the stream broke off ({str(error) or type(error).__name__})",
        remedy="Check that the server runs and open the stream again.",
    )
