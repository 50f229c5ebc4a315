"""What happens to a job's row, inside the transactions of jobs and of scenes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from nvs.api.jobs import JobState
from nvs_server.storage.tables import JobRow

ACTIVE_STATES = ("queued", "running")
WAITING_STAGE = "waiting"


def change(row: JobRow, now: datetime) -> None:
    """Mark a change, so that who watches the job sees it."""
    row.revision += 1
    row.updated_at = now


def queue_again(row: JobRow, now: datetime) -> None:
    """Give a running job back to the queue, at its old place."""
    row.state = "queued"
    row.stage = WAITING_STAGE
    row.progress = 0.0
    row.worker = row.lease_expires_at = row.started_at = None
    change(row, now)


def end(row: JobRow, state: JobState, now: datetime) -> None:
    """Bring a job to a final state; only a success answers for later requests."""
    row.state = state
    row.finished_at = now
    row.worker = row.lease_expires_at = None
    if state == "succeeded":
        row.progress = 1.0
    else:
        row.dedupe_key = None
    change(row, now)


def end_all_of_scene(session: Session, scene_id: str, now: datetime) -> None:
    """Cancel a scene's jobs and forget its videos, for the scene is deleted."""
    jobs = select(JobRow).where(JobRow.scene_id == scene_id).order_by(JobRow.id)
    for row in session.scalars(jobs.with_for_update()):
        if row.state in ACTIVE_STATES:
            end(row, "cancelled", now)
        row.dedupe_key = row.result_sha256 = None
        row.result_bytes = 0


def supersede_builds(session: Session, scene_id: str) -> None:
    """Let no build that has ended answer for the next one of the same parameters."""
    session.execute(
        update(JobRow)
        .where(
            JobRow.scene_id == scene_id,
            JobRow.kind == "build",
            JobRow.state == "succeeded",
        )
        .values(dedupe_key=None)
    )


def count_builds_today(session: Session, owner: str, now: datetime) -> int:
    """Builds an owner submitted since midnight UTC."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    builds = select(func.count()).where(
        JobRow.owner == owner, JobRow.kind == "build", JobRow.created_at >= midnight
    )
    return session.scalar(builds) or 0
