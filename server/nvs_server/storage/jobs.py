"""The queue of jobs: submitted once, leased to workers, ended once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nvs.api.jobs import JobKind, JobState
from nvs_server.storage import rows
from nvs_server.storage.errors import (
    IdempotencyConflict,
    NotFound,
    QueueFull,
    QuotaExceeded,
)
from nvs_server.storage.job_leases import JobLeases, lock_job
from nvs_server.storage.records import JobCounts, JobRecord
from nvs_server.storage.rows import cursor_after, is_after
from nvs_server.storage.tables import IdempotencyRow, JobRow


class JobStore(JobLeases):
    """Jobs of every owner: what their owners do here, what workers do in the base.

    Args:
        database: Where they are kept.
        max_attempts: How often a job is tried before it fails for good.
    """

    def submit(
        self,
        owner: str,
        scene_id: str,
        kind: JobKind,
        parameters: Mapping[str, Any],
        *,
        dedupe_key: str,
        idempotency_key: str | None = None,
        limit_queued: int | None = None,
        limit_per_day: int | None = None,
        limit_bytes: int | None = None,
    ) -> tuple[JobRecord, bool]:
        """Queue a job, or find the one that does the same.

        Args:
            owner: Whose job it is; the scene must be theirs.
            scene_id: What is posed, built or filmed.
            kind: "build", "video", "pose" or "mask".
            parameters: JSON, shown in the record and handed to the worker.
            dedupe_key: Equal for jobs that would make the same: a digest of the
                parameters and of the files they apply to.
            idempotency_key: The client's own name for this request, if any.
            limit_queued: Jobs of all owners that may wait.
            limit_per_day: Builds this owner may submit a UTC day.
            limit_bytes: What this owner may keep; with so much there is no new job,
                and what a posing finds must fit in it.

        Returns:
            The job, and whether it was created. A job of the same `dedupe_key` that is
            queued, running or succeeded is returned instead of a new one, unless a
            later build has been submitted since it succeeded.

        Raises:
            NotFound: If the scene is gone.
            QueueFull: If `limit_queued` jobs are waiting.
            QuotaExceeded: If `limit_per_day` builds were submitted today, or
                `limit_bytes` are in use.
            IdempotencyConflict: If the key came with another scene, kind or parameters.
        """
        asked = _Submission(
            owner=owner,
            scene_id=scene_id,
            kind=kind,
            parameters=parameters,
            dedupe_key=dedupe_key,
            idempotency_key=idempotency_key,
        )
        with self._database.write() as session:
            self._database.guard(session, "jobs")  # nothing is submitted in between
            now = self._database.now()
            known = _answer_of_key(session, asked)
            if known is not None:
                return JobRecord.model_validate(known), False
            scene = rows.lock_scene(session, scene_id, now)
            if scene.owner != owner:
                raise NotFound("scene", scene_id)
            row = rows.same_job(session, scene_id, dedupe_key)
            is_new = row is None
            if row is None:
                _check_limits(session, asked, now, limit_queued, limit_per_day)
                rows.check_bytes(session, scene, 1, limit_bytes, now)
                row = rows.add_job(
                    *(session, scene, kind, parameters, dedupe_key, now),
                    limit_bytes=limit_bytes,
                )
            _keep_key(session, asked, row.id)
            return JobRecord.model_validate(row), is_new

    def get(self, owner: str, job_id: str) -> JobRecord | None:
        """One job; None if it is not there or another owner's."""
        wanted = select(JobRow).where(JobRow.id == job_id, JobRow.owner == owner)
        with self._database.read() as session:
            row = session.scalars(wanted).one_or_none()
            return None if row is None else JobRecord.model_validate(row)

    def list(
        self,
        owner: str,
        *,
        scene_id: str | None = None,
        state: JobState | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[JobRecord], str | None]:
        """Newest first, with the next page's cursor (None on the last page).

        Raises:
            InvalidCursor: If the cursor is not one that a list returned.
        """
        wanted = select(JobRow).where(JobRow.owner == owner)
        if scene_id is not None:
            wanted = wanted.where(JobRow.scene_id == scene_id)
        if state is not None:
            wanted = wanted.where(JobRow.state == state)
        if cursor is not None:
            wanted = wanted.where(is_after(JobRow, cursor))
        newest_first = wanted.order_by(JobRow.created_at.desc(), JobRow.id.desc())
        with self._database.read() as session:
            found = session.scalars(newest_first.limit(limit + 1)).all()
            items = [JobRecord.model_validate(row) for row in found[:limit]]
        return items, cursor_after(found[limit - 1]) if len(found) > limit else None

    def cancel(self, owner: str, job_id: str) -> JobRecord:
        """Cancel a job at once, running or not; one that has ended stays as it is.

        Raises:
            NotFound: If there is no such job of this owner.
        """
        now = self._database.now()
        with self._database.write() as session:
            scene, row = lock_job(session, job_id)
            if row is None or row.owner != owner:
                raise NotFound("job", job_id)
            if row.state in rows.ACTIVE_STATES:
                rows.end_job(row, "cancelled", now)
                if scene is not None:
                    rows.settle(session, scene, now)
            return JobRecord.model_validate(row)

    def counts(self) -> JobCounts:
        """Jobs of all owners that are not final."""
        by_state = (
            select(JobRow.state, func.count())
            .where(JobRow.state.in_(rows.ACTIVE_STATES))
            .group_by(JobRow.state)
        )
        with self._database.read() as session:
            counts: dict[str, int] = dict(session.execute(by_state).all())
        return JobCounts(
            queued=counts.get("queued", 0), running=counts.get("running", 0)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Submission:
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


def _answer_of_key(session: Session, asked: _Submission) -> JobRow | None:
    if asked.idempotency_key is None:
        return None
    key = session.get(IdempotencyRow, (asked.owner, asked.idempotency_key))
    if key is None:
        return None
    if key.request_sha256 != asked.request_digest():
        raise IdempotencyConflict(key.key, "job", key.job_id)
    return session.get_one(JobRow, key.job_id)


def _keep_key(session: Session, asked: _Submission, job_id: str) -> None:
    if asked.idempotency_key is not None:
        session.add(
            IdempotencyRow(
                owner=asked.owner,
                key=asked.idempotency_key,
                request_sha256=asked.request_digest(),
                job_id=job_id,
            )
        )


def _check_limits(
    session: Session,
    asked: _Submission,
    now: datetime,
    limit_queued: int | None,
    limit_per_day: int | None,
) -> None:
    if limit_per_day is not None and asked.kind == "build":
        used = rows.count_builds_today(session, asked.owner, now)
        if used >= limit_per_day:
            raise QuotaExceeded("builds_per_day", limit_per_day, used)
    if limit_queued is not None:
        queued = select(func.count()).where(JobRow.state == "queued")
        if (session.scalar(queued) or 0) >= limit_queued:
            raise QueueFull(limit_queued)
