"""Clients in a closed loop: each asks again once it has its answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from nvs.client import AsyncClient, Retries
from nvs.client.errors import ServiceError
from nvs.errors import NvsError

ONCE = Retries(num_attempts=1)

Ask = Callable[[AsyncClient, int, int], Awaitable[object]]
"""Makes one request: with a client, its number, and how many it made before."""


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
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(AsyncClient(url, retries=ONCE))
            for _ in range(num_clients)
        ]
        counted_from = time.perf_counter() + warm_seconds
        loop = _Loop(tally, ask, counted_from, counted_from + seconds, num_turns)
        step = warm_seconds / 2 / num_clients
        await asyncio.gather(
            *(
                loop.run(client, number, number * step)
                for number, client in enumerate(clients)
            )
        )
        tally.seconds = time.perf_counter() - counted_from
    return tally


@dataclass(frozen=True, slots=True)
class _Loop:
    """What all clients do."""

    tally: Tally
    ask: Ask
    counted_from: float
    deadline: float
    num_turns: int

    async def run(self, client: AsyncClient, number: int, pause_seconds: float) -> None:
        await asyncio.sleep(pause_seconds)
        for turn in range(self.num_turns):
            if time.perf_counter() >= self.deadline:
                return
            pause_seconds = await self.turn(client, number, turn)
            left = max(0.0, self.deadline - time.perf_counter())
            await asyncio.sleep(min(pause_seconds, left))

    async def turn(self, client: AsyncClient, number: int, turn: int) -> float:
        """Ask once; the seconds to wait before the next time."""
        begun = time.perf_counter()
        pause_seconds = 0.0
        into: list[float] = self.tally.accepted_ms
        try:
            await self.ask(client, number, turn)
        except NvsError as error:
            if not isinstance(error, ServiceError) or error.status != 429:
                self.tally.errors[str(error)] += 1
                return pause_seconds
            into = self.tally.refused_ms
            pause_seconds = Retries().pause_seconds(1, error.retry_after_seconds)
        if begun >= self.counted_from:
            into.append(1000 * (time.perf_counter() - begun))
        return pause_seconds
