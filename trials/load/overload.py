"""As many clients as there are places, then four times as many."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from nvs.assets import SAMPLE
from nvs.client import AsyncClient
from nvs_server.settings import Settings
from trials.load.clients import Ask, Tally, closed_loop, render_request
from trials.load.direct import NUM_VIEWS, SIZE_PX, Direct, around, asked
from trials.load.report import Outcome, quantile, spread
from trials.load.service import Service, service

CAPACITY = Settings.model_fields["max_render_queue"].default
FACTOR = 4
SECONDS = 20.0
WARM_SECONDS = 5.0
SLOWDOWN_LIMIT = 1.5
REFUSAL_LIMIT_MS = 50.0
BUILD_LIMIT_SECONDS = 60.0
"""The load goes on for so long, or until the build is done."""


def trial() -> Outcome:
    """What is let in must not suffer from what is not; refusals must be quick."""
    direct = Direct.load()
    scene = direct.scene()
    cameras = asked(around(scene, 32, SIZE_PX))
    with service() as running:
        scene_id = running.add(scene)

        requests = [render_request(scene_id, camera, SIZE_PX) for camera in cameras]

        def ask(number: int, turn: int) -> bytes:
            return requests[(7 * number + turn) % len(requests)]

        def load(num_clients: int) -> Tally:
            return asyncio.run(
                closed_loop(
                    running.url,
                    ask,
                    num_clients=num_clients,
                    seconds=SECONDS,
                    warm_seconds=WARM_SECONDS,
                )
            )

        at_capacity = load(CAPACITY)
        beyond = load(FACTOR * CAPACITY)
        inside_ms = [
            entry["duration_ms"]
            for entry in running.served.log
            if entry["event"] == "request" and entry["status"] == 429
        ]
        again = load(CAPACITY)
        build_seconds = asyncio.run(_build_meanwhile(running, ask))
        free = running.metric("nvs_renders") == 0
    calm_ms = min(quantile(tally.accepted_ms, 0.99) for tally in (at_capacity, again))
    slowdown = quantile(beyond.accepted_ms, 0.99) / calm_ms
    refusal_ms = quantile(beyond.refused_ms, 0.99)
    errors = at_capacity.errors + beyond.errors + again.errors
    rows = [
        [
            str(num_clients),
            str(len(tally.accepted_ms)),
            f"{tally.rate:.1f}",
            *spread(tally.accepted_ms),
            str(len(tally.refused_ms)),
            *spread(tally.refused_ms),
        ]
        for num_clients, tally in (
            (CAPACITY, at_capacity),
            (FACTOR * CAPACITY, beyond),
            (CAPACITY, again),
        )
    ]
    return Outcome(
        f"overload: {CAPACITY} places, {SIZE_PX} px JPEG, {SECONDS:g} s each, ms",
        [
            *("clients", "accepted", "a second", "p50", "p95", "p99"),
            *("429", "429 p50", "429 p95", "429 p99"),
        ],
        rows,
        [
            (
                f"accepted p99 within {SLOWDOWN_LIMIT} of that at capacity (the lower "
                f"of the two): {slowdown:.2f}",
                slowdown <= SLOWDOWN_LIMIT,
            ),
            (
                f"refusals' p99 under {REFUSAL_LIMIT_MS:g} ms: {refusal_ms:.1f} "
                f"(in the server p50 {quantile(inside_ms, 0.5):.1f}, "
                f"p99 {quantile(inside_ms, 0.99):.1f})",
                refusal_ms < REFUSAL_LIMIT_MS,
            ),
            (f"no error but 429: {dict(errors) or 'none'}", not errors),
            (
                "a build asked for under that load is done during it: "
                + (f"after {build_seconds:.1f} s" if build_seconds else "no"),
                build_seconds is not None,
            ),
            ("every place is free afterwards", free),
        ],
    )


async def _build_meanwhile(running: Service, ask: Ask) -> float | None:
    """Time of a build under the whole load; None if it had to wait for its end."""
    load = asyncio.create_task(
        closed_loop(
            running.url, ask, num_clients=FACTOR * CAPACITY, seconds=BUILD_LIMIT_SECONDS
        )
    )
    async with AsyncClient(running.url) as client:
        scene = await client.create_scene("sample")
        await client.upload_dataset(scene.id, SAMPLE)
        begun = time.perf_counter()
        await client.build(scene.id, size=SIZE_PX, views=range(NUM_VIEWS))
        seconds = time.perf_counter() - begun
    meanwhile = not load.done()
    load.cancel()
    with suppress(asyncio.CancelledError):
        await load
    return seconds if meanwhile else None
