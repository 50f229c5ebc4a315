"""What workers do with jobs: claim, report, end, give back.

A job belongs to the worker that claimed it until it ends, is cancelled, or its lease
runs out *and* another worker claims it. Whatever a worker reports about a job that is
no longer its own changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import timedelta
from typing import get_args

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from nvs.api import names
from nvs.api.jobs import JobKind, JobStage
from nvs.api.posing import PosingSketch
from nvs.api.scenes import Failure
from nvs_server.storage import rows
from nvs_server.storage.database import Database
from nvs_server.storage.records import (
    BuiltScene,
    JobRecord,
    MaskedScene,
    PosedScene,
    VideoFile,
)
from nvs_server.storage.tables import FileRow, JobRow, SceneRow


class JobLeases:
    """The workers' part of `JobStore`."""

    def __init__(self, database: Database, *, max_attempts: int = 3) -> None:
        self._database = database
        self._max_attempts = max_attempts

    def claim(
        self,
        worker: str,
        lease_seconds: float,
        kinds: Collection[JobKind] = get_args(JobKind),
    ) -> JobRecord | None:
        """Lease the oldest queued job, or one whose lease ran out.

        A job whose worker was lost at its last allowed attempt fails instead.

        Args:
            worker: Who claims; a name that no other worker has.
            lease_seconds: How long the job is safe from others without a heartbeat.
            kinds: What is claimed; everything if absent.

        Returns:
            The job, running; None if none waits.
        """
        while True:
            exhausted_id: str | None = None
            with self._database.write() as session:
                row = self._next_waiting(session, kinds)
                if row is None:
                    return None
                if row.attempts >= self._max_attempts:
                    exhausted_id = row.id
                else:
                    return self._lease(row, worker, lease_seconds)
            self._fail_exhausted(exhausted_id)

    def heartbeat(
        self,
        job_id: str,
        worker: str,
        lease_seconds: float,
        *,
        stage: JobStage,
        progress: float,
        sketch: PosingSketch | None = None,
    ) -> bool:
        """Renew the lease and report how far the work is.

        Args:
            job_id: Which job.
            worker: Who claimed it.
            lease_seconds: How long it is safe from others from now on.
            stage: What is being done.
            progress: Fraction done, 0 to 1.
            sketch: What a posing knows of the cameras.

        Returns:
            False if the job was cancelled or is another worker's: stop working on it.
        """
        with self._database.write() as session:
            row = session.get(JobRow, job_id, with_for_update=True)
            if row is None or not _is_of(row, worker):
                return False
            now = self._database.now()
            row.lease_expires_at = now + timedelta(seconds=lease_seconds)
            sketched = sketch and sketch.model_dump(mode="json")
            if (row.stage, row.progress, row.sketch) != (stage, progress, sketched):
                row.stage, row.progress, row.sketch = stage, progress, sketched
                rows.note_change(row, now)
            return True

    def succeed_build(self, job_id: str, worker: str, built: BuiltScene) -> bool:
        """End a build and give its scene the file, in one transaction.

        A build that ends after one submitted later leaves that one's file in place.

        Returns:
            False if the job is no longer this worker's; nothing is changed then.
        """
        now = self._database.now()
        with self._database.write() as session:
            scene, row = lock_job(session, job_id)
            if row is None or scene is None or not _is_of(row, worker):
                return False
            rows.end_job(row, "succeeded", now)
            row.result = {
                "num_bytes": built.file.num_bytes,
                "height": built.file.height,
                "width": built.file.width,
                "num_views": built.file.num_views,
                **{
                    name: value.model_dump(mode="json")
                    for name in ("expectation", "held_out")
                    if (value := getattr(built.file, name)) is not None
                },
            }
            if not _is_outdated(session, scene, row):
                rows.give_scene_file(session, scene, built, row.id)
            rows.settle(session, scene, now)
            return True

    def succeed_pose(self, job_id: str, worker: str, posed: PosedScene) -> bool:
        """End a posing: its scene has cameras now, in one transaction.

        They take the place of cameras, and of images of an earlier posing, that are
        there; the build that was asked for with it is queued.

        Returns:
            False if the job is no longer this worker's; nothing is changed then.

        Raises:
            QuotaExceeded: If the owner would keep more than they may; nothing is
                changed then.
        """
        now = self._database.now()
        with self._database.write() as session:
            self._database.guard(session, "jobs")
            scene, row = lock_job(session, job_id)
            if row is None or scene is None or not _is_of(row, worker):
                return False
            there = session.scalars(select(FileRow).where(FileRow.scene_id == scene.id))
            replaced = [
                file
                for file in there
                if file.kind == "cameras" or names.is_made_by_posing(file.path)
            ]
            growth = sum(file.num_bytes for file in posed.files)
            growth -= sum(file.num_bytes for file in replaced)
            rows.check_bytes(session, scene, growth, row.limit_bytes, now)
            rows.replace_files(session, scene, replaced, posed.files)
            result = posed.posing.model_dump(mode="json")
            scene.posing = dict(result)
            rows.end_job(row, "succeeded", now)
            if posed.build is not None:
                build = rows.same_job(session, scene.id, posed.build_key)
                build = build or rows.add_job(
                    *(session, scene, "build", posed.build, posed.build_key, now),
                    limit_bytes=row.limit_bytes,
                )
                result["build_job_id"] = build.id
            row.result = result
            rows.settle(session, scene, now)
            return True

    def succeed_masks(self, job_id: str, worker: str, made: MaskedScene) -> bool:
        """End a making of masks: they are proposed now, in the place of earlier ones.

        Returns:
            False if the job is no longer this worker's; nothing is changed then.

        Raises:
            QuotaExceeded: If the owner would keep more than they may; nothing is
                changed then.
        """
        now = self._database.now()
        with self._database.write() as session:
            scene, row = lock_job(session, job_id)
            if row is None or scene is None or not _is_of(row, worker):
                return False
            earlier = session.scalars(
                select(FileRow).where(
                    FileRow.scene_id == scene.id,
                    FileRow.kind.in_(("mask", "preview")),
                )
            ).all()
            growth = sum(file.num_bytes for file in made.files)
            growth -= sum(file.num_bytes for file in earlier)
            rows.check_bytes(session, scene, growth, row.limit_bytes, now)
            rows.replace_files(session, scene, earlier, made.files)
            rows.end_job(row, "succeeded", now)
            row.dedupe_key = None  # proposals may be gone when it is asked for again
            row.result = made.result.model_dump(mode="json")
            rows.settle(session, scene, now)
            return True

    def unfinished(self) -> set[str]:
        """Ids of the jobs of all owners that are not final."""
        active = select(JobRow.id).where(JobRow.state.in_(rows.ACTIVE_STATES))
        with self._database.read() as session:
            return set(session.scalars(active))

    def succeed(self, job_id: str, worker: str, video: VideoFile) -> bool:
        """End a video job.

        Returns:
            False if the job is no longer this worker's; nothing is changed then.
        """
        with self._database.write() as session:
            row = session.get(JobRow, job_id, with_for_update=True)
            if row is None or not _is_of(row, worker):
                return False
            result = asdict(video)
            row.result_sha256 = result.pop("sha256")
            row.result = result
            row.result_bytes = video.num_bytes
            rows.end_job(row, "succeeded", self._database.now())
            return True

    def fail(self, job_id: str, worker: str, error: Failure, *, retry: bool) -> bool:
        """End a job without a result, or queue it again if `retry` and tries are left.

        Returns:
            False if the job is no longer this worker's; nothing is changed then.
        """
        with self._database.write() as session:
            scene, row = lock_job(session, job_id)
            if row is None or not _is_of(row, worker):
                return False
            if retry and row.attempts < self._max_attempts:
                rows.queue_again(row, self._database.now())
            else:
                self._fail(session, scene, row, error)
            return True

    def release(self, worker: str) -> int:
        """Queue a draining worker's jobs again, the attempt not counted.

        Returns:
            How many jobs.
        """
        own = select(JobRow).where(JobRow.state == "running", JobRow.worker == worker)
        with self._database.write() as session:
            found = session.scalars(own.order_by(JobRow.id).with_for_update()).all()
            for row in found:
                row.attempts -= 1
                rows.queue_again(row, self._database.now())
            return len(found)

    def _next_waiting(
        self, session: Session, kinds: Collection[JobKind]
    ) -> JobRow | None:
        is_waiting = or_(
            JobRow.state == "queued",
            and_(
                JobRow.state == "running",
                JobRow.lease_expires_at <= self._database.now(),
            ),
        )
        oldest = (
            select(JobRow)
            .where(JobRow.kind.in_(kinds), is_waiting)
            .order_by(JobRow.created_at, JobRow.id)
        )
        return session.scalar(oldest.limit(1).with_for_update(skip_locked=True))

    def _lease(self, row: JobRow, worker: str, lease_seconds: float) -> JobRecord:
        now = self._database.now()
        row.state = "running"
        row.stage = rows.WAITING_STAGE
        row.progress = 0.0
        row.attempts += 1
        row.started_at = now
        row.worker = worker
        row.lease_expires_at = now + timedelta(seconds=lease_seconds)
        rows.note_change(row, now)
        return JobRecord.model_validate(row)

    def _fail_exhausted(self, job_id: str) -> None:
        """Fail a job that was never reported on, unless it has moved on meanwhile."""
        with self._database.write() as session:
            scene, row = lock_job(session, job_id)
            if row is None or row.attempts < self._max_attempts:
                return
            is_lost = (
                row.state == "running"
                and row.lease_expires_at is not None
                and row.lease_expires_at <= self._database.now()
            )
            if is_lost or row.state == "queued":
                error = Failure(
                    problem=f"the worker was lost {row.attempts} times at this job",
                    remedy="Try a smaller size or fewer views; if it happens again, "
                    "ask the operator to look at the worker's log.",
                )
                self._fail(session, scene, row, error)

    def _fail(
        self,
        session: Session,
        scene: SceneRow | None,
        row: JobRow,
        error: Failure,
    ) -> None:
        now = self._database.now()
        rows.end_job(row, "failed", now)
        row.error = error
        if scene is not None and row.kind in rows.CHANGING_KINDS:
            if scene.job_id == row.id and row.kind != "mask":  # it is as good as before
                scene.error = error
            rows.settle(session, scene, now)


def lock_job(session: Session, job_id: str) -> tuple[SceneRow | None, JobRow | None]:
    """A job and its scene, held against other writers; None for what is not there."""
    scene_id = session.scalar(select(JobRow.scene_id).where(JobRow.id == job_id))
    if scene_id is None:
        return None, None
    scene = rows.find_locked(session, scene_id)
    return scene, session.get(JobRow, job_id, with_for_update=True)


def _is_of(row: JobRow, worker: str) -> bool:
    return row.state == "running" and row.worker == worker


def _is_outdated(session: Session, scene: SceneRow, row: JobRow) -> bool:
    """Whether the scene's file is of a build that was submitted after this one."""
    if scene.built_job_id is None:
        return False
    built = session.get_one(JobRow, scene.built_job_id)
    return (built.created_at, built.id) > (row.created_at, row.id)
