"""The same build asked for many times at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from nvs.assets import SAMPLE
from nvs.client import AsyncClient
from trials.load.direct import SIZE_PX
from trials.load.report import Outcome
from trials.load.service import Service, service

NUM_CLIENTS = 20
VIEWS = {"indices": [0, 4, 8, 12, 16, 20]}
PATCH_PX = 4


@dataclass(frozen=True, slots=True)
class Built:
    """What came of it."""

    job_ids: set[str]
    """Jobs that clients were told."""
    num_listed: int
    """Jobs of the scene."""
    num_ended: float
    """Builds that succeeded."""
    num_tokens: float
    """Tokens that were prefilled."""


async def build(running: Service, num_clients: int) -> Built:
    """Upload the sample, then build it with so many clients at once."""
    succeeded = {"kind": "build", "state": "succeeded"}
    ended = running.metric("nvs_jobs_ended_total", **succeeded)
    tokens = running.metric("nvs_prefill_tokens_total")
    async with AsyncClient(running.url) as client:
        scene = await client.create_scene("sample")
        await client.upload_dataset(scene.id, SAMPLE)
        jobs = await asyncio.gather(
            *(
                client.build(scene.id, size=SIZE_PX, views=VIEWS)
                for _ in range(num_clients)
            )
        )
        listed = [job async for job in client.jobs(scene_id=scene.id)]
    return Built(
        job_ids={job.id for job in jobs},
        num_listed=len(listed),
        num_ended=running.metric("nvs_jobs_ended_total", **succeeded) - ended,
        num_tokens=running.metric("nvs_prefill_tokens_total") - tokens,
    )


def expected_tokens() -> int:
    """Tokens of one prefill."""
    return len(VIEWS["indices"]) * (SIZE_PX // PATCH_PX) ** 2


def trial() -> Outcome:
    """However many ask, it is built once."""
    with service() as running:
        built = asyncio.run(build(running, NUM_CLIENTS))
    once = (len(built.job_ids), built.num_listed, built.num_ended) == (1, 1, 1)
    return Outcome(
        f"builds: {NUM_CLIENTS} identical builds at once",
        ["", "found", "wanted"],
        [
            ["jobs told to the clients", str(len(built.job_ids)), "1"],
            ["jobs of the scene", str(built.num_listed), "1"],
            ["builds that succeeded", f"{built.num_ended:.0f}", "1"],
            ["tokens prefilled", f"{built.num_tokens:.0f}", str(expected_tokens())],
        ],
        [("one prefill", once and built.num_tokens == expected_tokens())],
    )
