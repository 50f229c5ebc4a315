"""As many clients as there are places, then four times as many."""

from __future__ import annotations

import asyncio

from nvs.client import AsyncClient
from server.settings import Settings
from tests.server.load.clients import Tally, closed_loop
from tests.server.load.direct import SIZE_PX, Direct, around, asked
from tests.server.load.report import Outcome, quantile, spread
from tests.server.load.service import Service, service

CAPACITY = Settings.model_fields["max_render_queue"].default
FACTOR = 4
SECONDS = 20.0
WARM_SECONDS = 3.0
SLOWDOWN_LIMIT = 1.5
REFUSAL_LIMIT_MS = 50.0


def trial() -> Outcome:
    """What is let in must not suffer from what is not; refusals must be quick."""
    direct = Direct.load()
    scene = direct.scene()
    cameras = asked(around(scene, 32, SIZE_PX))
    with service() as running:
        scene_id = running.add(scene)

        async def ask(client: AsyncClient, number: int, turn: int) -> None:
            await client.render(
                scene_id,
                cameras[(7 * number + turn) % len(cameras)],
                height=SIZE_PX,
                width=SIZE_PX,
                format="jpeg",
            )

        def load(num_clients: int, seconds: float) -> Tally:
            return asyncio.run(
                closed_loop(running.url, ask, num_clients=num_clients, seconds=seconds)
            )

        load(CAPACITY, WARM_SECONDS)
        at_capacity = load(CAPACITY, SECONDS)
        beyond = load(FACTOR * CAPACITY, SECONDS)
        again = load(CAPACITY, SECONDS)
        free = _is_free(running)
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
                f"refusals' p99 under {REFUSAL_LIMIT_MS:g} ms: {refusal_ms:.1f}",
                refusal_ms < REFUSAL_LIMIT_MS,
            ),
            (f"no error but 429: {dict(errors) or 'none'}", not errors),
            ("every place is free afterwards", free),
        ],
    )


def _is_free(running: Service) -> bool:
    return running.metric("nvs_renders") == 0
