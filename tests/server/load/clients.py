"""Clients in a closed loop: each asks again once it has its answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from nvs.client import Retries
from tests.server.load.connection import Connection

ONCE = Retries(num_attempts=1)

Ask = Callable[[int, int], bytes]
"""The request of a client of that number, which made so many before."""


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
        return Retries().pause_seconds(1, answer.retry_after_seconds)
