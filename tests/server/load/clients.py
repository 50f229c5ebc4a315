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
    url: str, ask: Ask, *, num_clients: int, seconds: float, num_turns: int = 2**31
) -> Tally:
    """Have clients ask until the time is up or each has asked so often.

    Each client has its own connection. One that is refused comes back as the client
    library does: after Retry-After, and a moment by chance.
    """
    tally = Tally()
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(AsyncClient(url, retries=ONCE))
            for _ in range(num_clients)
        ]
        begun = time.perf_counter()
        deadline = begun + seconds
        await asyncio.gather(
            *(
                _ask_on(tally, ask, client, number, deadline, num_turns)
                for number, client in enumerate(clients)
            )
        )
        tally.seconds = time.perf_counter() - begun
    return tally


async def _ask_on(
    tally: Tally,
    ask: Ask,
    client: AsyncClient,
    number: int,
    deadline: float,
    num_turns: int,
) -> None:
    for turn in range(num_turns):
        begun = time.perf_counter()
        if begun >= deadline:
            return
        pause_seconds = 0.0
        try:
            await ask(client, number, turn)
        except NvsError as error:
            if isinstance(error, ServiceError) and error.status == 429:
                tally.refused_ms.append(1000 * (time.perf_counter() - begun))
                after = error.retry_after_seconds
                pause_seconds = Retries().pause_seconds(1, after)
            else:
                tally.errors[str(error)] += 1
        else:
            tally.accepted_ms.append(1000 * (time.perf_counter() - begun))
        left = max(0.0, deadline - time.perf_counter())
        await asyncio.sleep(min(pause_seconds, left))
