"""Clients in a closed loop: each asks again once it has its answer.

Hundreds of them share their processors with the service under test; what a full client
library takes for each request would be measured as the service's. So they make their
requests at next to no cost.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from nvs.client import PosedCamera, Retries

ONCE = Retries(num_attempts=1)
SPREAD_SECONDS = 0.5
"""Who was turned away together comes back within so much of each other."""

Ask = Callable[[int, int], bytes]
"""The request of a client of that number, which made so many before."""


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


def pause_seconds(retry_after_seconds: float | None) -> float:
    """What a polite client waits after a refusal."""
    return (retry_after_seconds or 0.0) + random.uniform(0.0, SPREAD_SECONDS)


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


@dataclass(slots=True)
class Tally:
    """How requests went."""

    accepted_ms: list[float] = field(default_factory=list[float])
    refused_ms: list[float] = field(default_factory=list[float])
    """Of 429s."""
    errors: Counter[str] = field(default_factory=Counter[str])
    """Anything else."""
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Accepted requests a second."""
        return len(self.accepted_ms) / self.seconds


async def closed_loop(
    url: str,
    ask: Ask,
    *,
    num_clients: int,
    seconds: float,
    warm_seconds: float = 0.0,
    num_turns: int = 2**31,
) -> Tally:
    """Have clients ask until the time is up or each has asked so often.

    They connect one after another during the time to warm up, and what is asked in it
    does not count. Each client has its own connection. One that is refused comes back
    as the client library does: after Retry-After, and a moment by chance.
    """
    tally = Tally()
    counted_from = time.perf_counter() + warm_seconds
    loop = _Loop(url, tally, ask, counted_from, counted_from + seconds, num_turns)
    step = warm_seconds / 2 / num_clients
    await asyncio.gather(
        *(loop.run(number, number * step) for number in range(num_clients))
    )
    tally.seconds = time.perf_counter() - counted_from
    return tally


@dataclass(frozen=True, slots=True)
class _Loop:
    """What all clients do."""

    url: str
    tally: Tally
    ask: Ask
    counted_from: float
    deadline: float
    num_turns: int

    async def run(self, number: int, pause_seconds: float) -> None:
        await asyncio.sleep(pause_seconds)
        connection = Connection(self.url)
        try:
            for turn in range(self.num_turns):
                if time.perf_counter() >= self.deadline:
                    return
                pause_seconds = await self.turn(connection, self.ask(number, turn))
                left = max(0.0, self.deadline - time.perf_counter())
                await asyncio.sleep(min(pause_seconds, left))
        except (OSError, EOFError) as error:
            self.tally.errors[repr(error)] += 1
        finally:
            connection.close()

    async def turn(self, connection: Connection, request: bytes) -> float:
        """Ask once; the seconds to wait before the next time."""
        begun = time.perf_counter()
        answer = await connection.send(request)
        took_ms = 1000 * (time.perf_counter() - begun)
        if answer.status not in (200, 429):
            self.tally.errors[answer.body.decode()] += 1
            return 0.0
        accepted = answer.status == 200
        if begun >= self.counted_from:
            into = self.tally.accepted_ms if accepted else self.tally.refused_ms
            into.append(took_ms)
        if accepted:
            return 0.0
        return pause_seconds(answer.retry_after_seconds)
