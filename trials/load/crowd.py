"""A hundred clients, on one scene and on more scenes than the cache holds."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from nvs.client import AsyncClient
from nvs.scene import Scene
from trials.load.clients import Tally, closed_loop, render_request
from trials.load.direct import SIZE_PX, Direct, around, asked
from trials.load.report import Outcome, spread
from trials.load.service import Service, service

NUM_CLIENTS = 100
NUM_SCENES = 20
NUM_CACHED = 5
SECONDS = 20.0
DIRECT_SECONDS = 4.0
WATCH_SECONDS = 0.1


@dataclass(slots=True)
class Seen:
    """How a crowd went."""

    tally: Tally
    host_bytes: list[int] = field(default_factory=list[int])
    """Size of the host cache, again and again."""
    host_limit_bytes: int = 0
    num_evicted: int = 0


async def crowd(
    running: Service,
    scenes: list[Scene],
    *,
    num_clients: int,
    seconds: float,
    num_turns: int = 2**31,
) -> Seen:
    """Clients that go round the scenes, each from another one on."""
    ids = [running.add(scene, f"scene {place}") for place, scene in enumerate(scenes)]
    cameras = asked(around(scenes[0], 32, SIZE_PX))

    requests = [
        [render_request(scene_id, camera, SIZE_PX) for camera in cameras]
        for scene_id in ids
    ]

    def ask(number: int, turn: int) -> bytes:
        of_scene = requests[(number + turn) % len(requests)]
        return of_scene[(7 * number + turn) % len(of_scene)]

    seen = Seen(Tally())
    watch = asyncio.create_task(_watch(running, seen))
    seen.tally = await closed_loop(
        running.url, ask, num_clients=num_clients, seconds=seconds, num_turns=num_turns
    )
    watch.cancel()
    with suppress(asyncio.CancelledError):
        await watch
    seen.num_evicted = int(running.metric("nvs_cache_evictions_total", tier="host"))
    return seen


async def _watch(running: Service, seen: Seen) -> None:
    async with AsyncClient(running.url) as client:
        while True:
            (host,) = [t for t in (await client.capacity()).cache if t.tier == "host"]
            seen.host_bytes.append(host.bytes)
            seen.host_limit_bytes = host.bytes_limit
            await asyncio.sleep(WATCH_SECONDS)


def trial() -> Outcome:
    """Throughput beside that of the renderer alone, before and after."""
    direct = Direct.load()
    scenes = [direct.scene(first) for first in range(NUM_SCENES)]
    alone = {batch: [_rate(direct, batch)] for batch in (1, 16)}
    cached_bytes = direct.cache_bytes(NUM_CACHED)
    cases = (
        ("1 scene", scenes[:1], {}),
        (f"{NUM_SCENES} scenes", scenes, {"host_cache_bytes": cached_bytes}),
    )
    found: list[tuple[str, Seen]] = []
    for name, some, settings in cases:
        with service(**settings) as running:
            work = crowd(running, some, num_clients=NUM_CLIENTS, seconds=SECONDS)
            found.append((name, asyncio.run(work)))
        for batch, rates in alone.items():
            rates.append(_rate(direct, batch))
    best = max(sum(rates) / len(rates) for rates in alone.values())
    rows = [
        [
            name,
            str(len(seen.tally.accepted_ms)),
            str(len(seen.tally.refused_ms)),
            str(seen.tally.errors.total()),
            *spread(seen.tally.accepted_ms),
            f"{seen.tally.rate:.1f}",
            f"{seen.tally.rate / best:.0%}",
            str(seen.num_evicted),
        ]
        for name, seen in found
    ]
    for batch, rates in alone.items():
        share = sum(rates) / len(rates) / best
        rate = f"{min(rates):.1f}-{max(rates):.1f}"
        rows.append([f"direct, batch {batch}", *[""] * 6, rate, f"{share:.0%}", ""])
    errors = sum((seen.tally.errors for _, seen in found), start=Counter[str]())
    return Outcome(
        f"clients: {NUM_CLIENTS} clients, {SIZE_PX} px JPEG, {SECONDS:g} s each",
        [
            *("load", "accepted", "429", "errors", "p50 ms", "p95 ms", "p99 ms"),
            *("a second", "of direct", "evictions"),
        ],
        rows,
        [
            (f"no error but 429: {dict(errors) or 'none'}", not errors),
            (
                f"host cache of {NUM_SCENES} scenes never above its budget of "
                f"{NUM_CACHED}: {max(found[1][1].host_bytes)} of {cached_bytes} bytes",
                max(found[1][1].host_bytes) <= cached_bytes,
            ),
        ],
    )


def _rate(direct: Direct, batch: int) -> float:
    return direct.rate(direct.scene(), batch=batch, seconds=DIRECT_SECONDS / 2)
