"""Waiting for builds and videos: by their events, and by asking where those break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from nvs.api.jobs import Job
from nvs.client.errors import (
    JobFailedError,
    ServiceAnswerError,
    ServiceError,
    ServiceUnreachableError,
)
from nvs.client.transport import Transport, job_path, parsed

POLL_SECONDS = 1.0
MAX_EVENT_FAILURES = 3
"""Streams without a single event before only polling is left."""

OnJob = Callable[[Job], None]


async def finished(transport: Transport, job_id: str, on_change: OnJob | None) -> Job:
    """Wait for a job.

    Raises:
        JobFailedError: If it fails or is cancelled.
    """
    tell = on_change or (lambda job: None)
    num_failures = 0
    while True:
        latest: Job | None = None
        if num_failures < MAX_EVENT_FAILURES:
            latest = await _followed(transport, job_id, tell)
            num_failures = 0 if latest is not None else num_failures + 1
        if latest is None or not latest.is_final:
            latest = await transport.ask(Job, "GET", job_path(job_id))
            tell(latest)
        if latest.state == "succeeded":
            return latest
        if latest.is_final:
            raise JobFailedError(latest)
        await asyncio.sleep(POLL_SECONDS)


async def _followed(transport: Transport, job_id: str, tell: OnJob) -> Job | None:
    """The last that a stream of events told of a job; None if it told nothing."""
    latest: Job | None = None
    events = transport.events(job_path(job_id, "events"))
    try:
        async with aclosing(events):
            async for event in events:
                if event.event == "job":
                    latest = parsed(Job, event.data)
                    tell(latest)
                    if latest.is_final:
                        break
    except (ServiceError, ServiceUnreachableError, ServiceAnswerError):
        pass  # the plain question that follows says what is wrong, or goes on
    return latest
