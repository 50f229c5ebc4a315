"""Builds and videos: starting them, and waiting with progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from nvs.client.decode import decoded_text
from nvs.client.errors import (
    JobFailedError,
    ServiceError,
    ServiceUnreachableError,
)
from nvs.client.events import EventReader
from nvs.client.models import Job
from nvs.client.scenes import asked, job, job_path, scene_path
from nvs.client.steps import Call, Flow, Sleep, answer, once

EVENTS_TIMEOUT_SECONDS = 45.0
"""Three of the comments that the service sends on a silent stream."""
POLL_SECONDS = 1.0
MAX_EVENT_FAILURES = 3
"""Streams without a single event before only polling is left."""

OnJob = Callable[[Job], None]
Views = Sequence[int] | Mapping[str, Any]
Size = int | tuple[int, int]


def build(
    scene_id: str,
    weights: str | None,
    size: Size | None,
    views: Views | None,
    framing: str,
) -> Flow[Job]:
    """Start a build."""
    if isinstance(views, Sequence):
        views = {"indices": list(views)}
    wanted = {"weights": weights, "size": size, "views": views, "framing": framing}
    body = {name: value for name, value in wanted.items() if value is not None}
    return _submitted(scene_path(scene_id, "build"), body)


def video(
    scene_id: str,
    trajectory: Mapping[str, Any],
    height: int,
    width: int,
    fps: float | None,
) -> Flow[Job]:
    """Start a video."""
    body: dict[str, Any] = {
        "trajectory": dict(trajectory),
        "height": height,
        "width": width,
    }
    if fps is not None:
        body["fps"] = fps
    return _submitted(scene_path(scene_id, "videos"), body)


def _submitted(path: str, body: Mapping[str, Any]) -> Flow[Job]:
    return asked(Job, once(Call(method="POST", path=path, json=body)))


def finished(job_id: str, on_change: OnJob | None) -> Flow[Job]:
    """Wait for a job: by its events, and by asking where those break off.

    Raises:
        JobFailedError: If it fails or is cancelled.
    """
    num_failures = 0
    while True:
        watched = _JobEvents(on_change)
        if num_failures < MAX_EVENT_FAILURES:
            call = Call(
                method="GET",
                path=job_path(job_id, "events"),
                headers={"Accept": "text/event-stream"},
                sink=watched,
                read_timeout_seconds=EVENTS_TIMEOUT_SECONDS,
                num_attempts=1,
            )
            try:
                yield from answer(call)
            except (ServiceError, ServiceUnreachableError):
                pass  # the plain question below says what is wrong, or goes on
            num_failures = 0 if watched.job is not None else num_failures + 1
        latest = watched.job
        if latest is None or not latest.is_final:
            latest = yield from job(job_id)
            if on_change is not None:
                on_change(latest)
        if latest.state == "succeeded":
            return latest
        if latest.is_final:
            raise JobFailedError(latest)
        yield Sleep(POLL_SECONDS)


def submitted_and_finished(start: Flow[Job], on_change: OnJob | None) -> Flow[Job]:
    """Start a job and wait for it.

    Raises:
        JobFailedError: If it fails or is cancelled.
    """
    started = yield from start
    if on_change is not None:
        on_change(started)
    return (yield from finished(started.id, on_change))


class _JobEvents:
    """Keeps the latest job of an event stream, until one is final."""

    def __init__(self, on_change: OnJob | None) -> None:
        self.job: Job | None = None
        self.received_bytes = 0
        self._on_change = on_change
        self._reader = EventReader()

    def headers(self) -> Mapping[str, str]:
        return {}

    def start(self, response: httpx.Response) -> None:
        self._reader = EventReader()

    def receive(self, chunk: bytes) -> bool:
        self.received_bytes += len(chunk)
        for event in self._reader.feed(chunk):
            if event.name != "job":
                continue
            self.job = decoded_text(Job, event.data)
            if self._on_change is not None:
                self._on_change(self.job)
            if self.job.is_final:
                return True
        return False
