"""How far a job is: kept for its heartbeat, and told to who watches it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import contextmanager

from starlette.concurrency import run_in_threadpool

from nvs.api.jobs import JobStage
from nvs.api.posing import PosingSketch
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.records import JobRecord

SHARES: Mapping[JobStage, tuple[float, float]] = {
    "waiting": (0.0, 0.0),
    "reading images": (0.0, 0.3),
    "prefill": (0.3, 0.95),
    "rendering": (0.0, 0.95),
    "storing": (0.95, 1.0),
    "decode": (0.0, 0.05),
    "features": (0.05, 0.25),
    "matching": (0.25, 0.65),
    "mapping": (0.65, 0.92),
    "framing": (0.92, 0.95),
    "cutting out": (0.0, 0.95),
}
"""Which part of a job's progress each stage is."""
POLL_SECONDS = 2.0
"""How soon a change made by another gateway is seen."""


class Report:
    """Stage and progress of one job; it is the `Progress` of backend calls."""

    def __init__(self) -> None:
        self.stage: JobStage = "waiting"
        self.progress = 0.0
        self.sketch: PosingSketch | None = None
        self.stage_changed = asyncio.Event()

    def __call__(
        self, stage: JobStage, fraction: float, sketch: PosingSketch | None = None, /
    ) -> None:
        """Note how much of a stage is done, in [0, 1]; progress never goes back."""
        self.sketch = sketch or self.sketch
        start, end = SHARES[stage]
        done = start + min(max(fraction, 0.0), 1.0) * (end - start)
        self.progress = max(self.progress, done)
        if stage != self.stage:
            self.stage = stage
            self.stage_changed.set()


class JobEvents:
    """Tells watchers that a job changed. Used on the event loop only."""

    def __init__(self) -> None:
        self._watchers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def notify(self, job_id: str) -> None:
        """Wake everyone who watches the job."""
        for changed in self._watchers.get(job_id, ()):
            changed.set()

    @contextmanager
    def watch(self, job_id: str) -> Generator[asyncio.Event]:
        """An event that is set at each change of the job."""
        changed = asyncio.Event()
        self._watchers[job_id].add(changed)
        try:
            yield changed
        finally:
            self._watchers[job_id].discard(changed)
            if not self._watchers[job_id]:
                del self._watchers[job_id]


async def job_changes(
    jobs: JobStore,
    events: JobEvents,
    job: JobRecord,
    *,
    ended: asyncio.Event,
    after_revision: int = 0,
    poll_seconds: float = POLL_SECONDS,
) -> AsyncGenerator[JobRecord]:
    """The job now and after each change, until it is final or gone.

    Args:
        jobs: Where it is kept.
        events: Who tells of changes made here.
        job: The job.
        ended: Set when no more is to be told.
        after_revision: Revisions up to this one are known already.
        poll_seconds: Pause between two looks where nothing is told.
    """
    current: JobRecord | None = job
    with events.watch(job.id) as changed:
        while current is not None and not ended.is_set():
            if current.revision > after_revision:
                after_revision = current.revision
                yield current
            if current.is_final:
                return
            try:
                async with asyncio.timeout(poll_seconds):
                    await changed.wait()
            except TimeoutError:
                pass
            changed.clear()
            current = await run_in_threadpool(jobs.get, job.owner, job.id)
