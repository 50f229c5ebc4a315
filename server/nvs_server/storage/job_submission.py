"""Accepting a job: at most one for the same work, within the limits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nvs.api.jobs import JobKind
from nvs_server.storage import job_rows, scene_rows
from nvs_server.storage.errors import (
    IdempotencyConflict,
    NotFound,
    QueueFull,
    QuotaExceeded,
)
from nvs_server.storage.identifiers import new_id
from nvs_server.storage.tables import IdempotencyRow, JobRow, SceneRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What `JobStore.submit` was asked for."""

    owner: str
    scene_id: str
    kind: JobKind
    parameters: Mapping[str, Any]
    dedupe_key: str
    idempotency_key: str | None

    def request_digest(self) -> str:
        """What must be equal where an idempotency key comes again."""
        request = [self.scene_id, self.kind, self.parameters]
        return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def submit(
    session: Session,
    submission: Submission,
    *,
    now: datetime,
    limit_queued: int | None,
    limit_per_day: int | None,
    limit_bytes: int | None,
) -> tuple[JobRow, bool]:
    """The job that answers a submission, and whether it is new.

    The caller holds the "jobs" guard: nothing is submitted in between.

    Raises:
        NotFound, QueueFull, QuotaExceeded, IdempotencyConflict: As `JobStore.submit`.
    """
    known = _answer_of_key(session, submission)
    if known is not None:
        return known, False
    scene = scene_rows.lock_scene(session, submission.scene_id, now)
    if scene.owner != submission.owner:
        raise NotFound("scene", submission.scene_id)
    row = session.scalar(
        select(JobRow).where(
            JobRow.scene_id == submission.scene_id,
            JobRow.dedupe_key == submission.dedupe_key,
        )
    )
    is_new = row is None
    if row is None:
        _check_limits(session, submission, now, limit_queued, limit_per_day)
        scene_rows.check_bytes(session, scene, 1, limit_bytes, now)
        row = _add(session, submission, scene, now)
    if submission.idempotency_key is not None:
        session.add(
            IdempotencyRow(
                owner=submission.owner,
                key=submission.idempotency_key,
                request_sha256=submission.request_digest(),
                job_id=row.id,
            )
        )
    return row, is_new


def _answer_of_key(session: Session, submission: Submission) -> JobRow | None:
    if submission.idempotency_key is None:
        return None
    key = session.get(IdempotencyRow, (submission.owner, submission.idempotency_key))
    if key is None:
        return None
    if key.request_sha256 != submission.request_digest():
        raise IdempotencyConflict(key.key, "job", key.job_id)
    return session.get_one(JobRow, key.job_id)


def _check_limits(
    session: Session,
    submission: Submission,
    now: datetime,
    limit_queued: int | None,
    limit_per_day: int | None,
) -> None:
    if limit_per_day is not None and submission.kind == "build":
        used = job_rows.count_builds_today(session, submission.owner, now)
        if used >= limit_per_day:
            raise QuotaExceeded("builds_per_day", limit_per_day, used)
    if limit_queued is not None:
        queued = select(func.count()).where(JobRow.state == "queued")
        if (session.scalar(queued) or 0) >= limit_queued:
            raise QueueFull(limit_queued)


def _add(
    session: Session, submission: Submission, scene: SceneRow, now: datetime
) -> JobRow:
    if submission.kind == "build":
        job_rows.supersede_builds(session, submission.scene_id)
    row = JobRow(
        id=new_id(),
        owner=submission.owner,
        scene_id=submission.scene_id,
        kind=submission.kind,
        state="queued",
        revision=1,
        stage=job_rows.WAITING_STAGE,
        progress=0.0,
        attempts=0,
        created_at=now,
        updated_at=now,
        parameters=dict(submission.parameters),
        dedupe_key=submission.dedupe_key,
        result_bytes=0,
    )
    session.add(row)
    session.flush()
    if submission.kind == "build":
        scene.job_id = row.id
        scene.error = None
        scene_rows.settle(session, scene, now)
    return row
