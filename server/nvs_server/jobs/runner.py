"""Takes jobs from the queue and runs them, as many at a time as there are workers."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, get_args

from starlette.concurrency import run_in_threadpool

from nvs.api.jobs import JobKind
from nvs.api.scenes import Failure
from nvs.errors import NvsError
from nvs_server.compute.protocol import Backend, BackendError, SceneDamaged
from nvs_server.jobs.progress import JobEvents, Report
from nvs_server.jobs.rebuild import rebuild
from nvs_server.jobs.work import Work
from nvs_server.logs import logger
from nvs_server.metrics import Metrics
from nvs_server.settings import Settings
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.errors import QuotaExceeded, StorageError
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.records import (
    BuiltScene,
    JobRecord,
    MaskedScene,
    PosedScene,
    VideoFile,
)
from nvs_server.storage.scenes import SceneStore

POLL_SECONDS = 2.0
"""How soon a job that another gateway took in is seen."""
HEARTBEATS_PER_LEASE = 3
REPORT_SECONDS = 0.5
"""Shortest pause between two reports of a job's progress."""

BESIDE: tuple[JobKind, ...] = ("pose", "mask")
"""Jobs that no worker does: they have a slot of their own."""
Made = BuiltScene | VideoFile | PosedScene | MaskedScene

log = logger(__name__)


class JobRunner:
    """Runs jobs until it is stopped.

    A job is this runner's while its lease lasts, which heartbeats renew; a heartbeat
    that learns the job was cancelled or taken over ends the work. Results count only
    if the job is still this runner's when they are committed.

    Args:
        settings: Lease of a job.
        jobs: The queue.
        scenes: The scenes.
        blobs: Where files are kept.
        backend: Who computes.
        metrics: Told of jobs that end.
    """

    def __init__(
        self,
        settings: Settings,
        jobs: JobStore,
        scenes: SceneStore,
        blobs: Blobs,
        backend: Backend,
        metrics: Metrics,
    ) -> None:
        host, process = socket.gethostname(), os.getpid()
        self.name = f"{host}-{process}-{secrets.token_hex(4)}"
        self.events = JobEvents()
        self._lease_seconds = settings.lease_seconds
        self._jobs = jobs
        self._scenes = scenes
        self._blobs = blobs
        self._backend = backend
        self._metrics = metrics
        self._work = Work(scenes, blobs, backend, metrics, settings.poses_folder)
        self._submitted: list[asyncio.Event] = []
        self._running: dict[str, asyncio.Task[Made]] = {}
        self._slots: list[asyncio.Task[None]] = []
        self._is_stopping = False

    async def start(self) -> None:
        """Begin to take jobs; the backend must have started."""
        await self._forget_posings()
        num_slots = max(1, self._backend.status().num_workers)
        of_workers = [kind for kind in get_args(JobKind) if kind not in BESIDE]
        slots = [self._slot(of_workers) for _ in range(num_slots)]
        self._slots = [
            asyncio.create_task(slot) for slot in (*slots, self._slot(BESIDE))
        ]

    async def stop(self) -> None:
        """Give up what is running: those jobs are queued again, for another runner."""
        self._is_stopping = True
        self.wake()
        for work in self._running.values():
            work.cancel()
        await asyncio.gather(*self._slots)
        with suppress(StorageError):
            await run_in_threadpool(self._jobs.release, self.name)

    def wake(self) -> None:
        """Look into the queue now: a job was submitted."""
        for submitted in self._submitted:
            submitted.set()

    def cancelled(self, job_id: str) -> None:
        """End the work of a job that was cancelled, if it runs here."""
        if work := self._running.get(job_id):
            work.cancel()
        self.events.notify(job_id)

    async def _slot(self, kinds: Sequence[JobKind]) -> None:
        submitted = (
            asyncio.Event()
        )  # each its own: none clears what others have not seen
        self._submitted.append(submitted)
        while not self._is_stopping:
            submitted.clear()
            try:
                job = await run_in_threadpool(
                    self._jobs.claim, self.name, self._lease_seconds, kinds
                )
                if job is not None:
                    await self._run(job)
                    continue
            except StorageError as error:
                log.warning("queue unavailable", error=str(error))
            except Exception:
                log.exception("job not recorded; its lease will run out")
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await submitted.wait()

    async def _run(self, job: JobRecord) -> None:
        """Do a job and record how it ended."""
        if self._is_stopping:
            return
        self.events.notify(job.id)
        started = time.monotonic()
        report = Report()
        work: asyncio.Task[Made] = asyncio.create_task(self._step(job, report))
        self._running[job.id] = work
        beats = asyncio.create_task(self._keep_lease(job, report, work))
        try:
            await asyncio.wait((work,))
        finally:
            del self._running[job.id]
            for task in (work, beats):
                task.cancel()
            await asyncio.gather(work, beats, return_exceptions=True)
        if work.cancelled():
            log.info("job given up", job_id=job.id)
        elif (error := work.exception()) is None:
            try:
                await self._succeed(job, work.result())
            except QuotaExceeded as refused:
                await self._fail(job, refused)
        else:
            await self._fail(job, error)
        await self._note_end(job, time.monotonic() - started)

    def _step(self, job: JobRecord, report: Report) -> Coroutine[Any, Any, Made]:
        match job.kind:
            case "build":
                return self._work.build(job, report)
            case "video":
                return self._work.video(job, report)
            case "pose":
                return self._work.pose(job, report)
            case "mask":
                return self._work.mask(job, report)

    async def _keep_lease(
        self,
        job: JobRecord,
        report: Report,
        work: asyncio.Task[Made],
    ) -> None:
        """Renew the lease and report, at once at each new stage; end lost work."""
        renew_seconds = self._lease_seconds / HEARTBEATS_PER_LEASE
        reported = (report.stage, report.progress, report.sketch)
        renewed = time.monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(REPORT_SECONDS, renew_seconds)):
                    await report.stage_changed.wait()
            report.stage_changed.clear()
            news = (report.stage, report.progress, report.sketch)
            if news == reported and time.monotonic() - renewed < renew_seconds:
                continue
            try:
                is_ours = await run_in_threadpool(
                    self._jobs.heartbeat,
                    job.id,
                    self.name,
                    self._lease_seconds,
                    stage=news[0],
                    progress=news[1],
                    sketch=news[2],
                )
            except StorageError as error:
                log.warning("no heartbeat", job_id=job.id, error=str(error))
                continue
            reported, renewed = news, time.monotonic()
            self.events.notify(job.id)
            if not is_ours:
                work.cancel()
                return

    async def _succeed(self, job: JobRecord, result: Made) -> None:
        if isinstance(result, BuiltScene):
            ours = await run_in_threadpool(
                self._jobs.succeed_build, job.id, self.name, result
            )
        elif isinstance(result, PosedScene):
            ours = await run_in_threadpool(
                self._jobs.succeed_pose, job.id, self.name, result
            )
            self.wake()
        elif isinstance(result, MaskedScene):
            ours = await run_in_threadpool(
                self._jobs.succeed_masks, job.id, self.name, result
            )
        else:
            ours = await run_in_threadpool(
                self._jobs.succeed, job.id, self.name, result
            )
        if not ours:
            log.info("result of a lost job dropped", job_id=job.id)

    async def _fail(self, job: JobRecord, error: BaseException) -> None:
        """Record a failure; what is not the user's doing is tried again."""
        retry = True
        if isinstance(error, SceneDamaged):
            retry = False
            scene = await run_in_threadpool(self._scenes.get, job.owner, job.scene_id)
            if scene is not None:
                await run_in_threadpool(
                    rebuild, scene, self._scenes, self._jobs, self._blobs
                )
            remedy = "Wait until the scene is ready again, then ask for the video."
            record = Failure(problem=error.problem, remedy=remedy)
        elif isinstance(error, NvsError | BackendError):
            retry = isinstance(error, BackendError | StorageError)
            retry &= not isinstance(error, QuotaExceeded)
            record = Failure(problem=error.problem, remedy=error.remedy)
        else:
            log.error("job crashed", job_id=job.id, exc_info=error)
            record = Failure(
                problem=f"the {job.kind} failed inside the server",
                remedy=f"Report job {job.id} to the operator; the log has the details.",
            )
        await run_in_threadpool(self._jobs.fail, job.id, self.name, record, retry=retry)

    async def _note_end(self, job: JobRecord, seconds: float) -> None:
        self.events.notify(job.id)
        ended = await run_in_threadpool(self._jobs.get, job.owner, job.id)
        if job.kind == "pose":
            await self._forget_posings()
        if ended is not None and ended.is_final:
            self._metrics.job_ended(ended.kind, ended.state, seconds)

    async def _forget_posings(self) -> None:
        """Remove what posings kept that have ended, of this gateway or a killed one."""
        unfinished = await run_in_threadpool(self._jobs.unfinished)
        await run_in_threadpool(self._work.forget_all_but, unfinished)
