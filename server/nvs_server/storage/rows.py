"""What happens to rows of scenes and jobs inside a transaction; their ids and order."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from nvs.api.jobs import JobKind, JobState
from nvs.api.scenes import SceneState
from nvs.file_kinds import is_mask_name
from nvs_server.storage.errors import InvalidCursor, NotFound, QuotaExceeded, SceneBusy
from nvs_server.storage.records import BuiltScene, FileRecord
from nvs_server.storage.tables import FileRow, InputRow, JobRow, SceneRow

_CURSOR = re.compile(r"([0-9]{1,18})-([a-z2-7]{26})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ACTIVE_STATES = ("queued", "running")
CHANGING_KINDS: tuple[JobKind, ...] = ("build", "pose", "mask")
"""Jobs that change their scene, whose files stay as they are meanwhile."""
WAITING_STAGE = "waiting"


def new_id() -> str:
    """A random id: a UUID4 as 26 lower-case base32 characters."""
    return base64.b32encode(uuid.uuid4().bytes).decode().rstrip("=").lower()


def cursor_after(row: SceneRow | JobRow) -> str:
    """The cursor of the page that follows this row."""
    return f"{(row.created_at - _EPOCH) // timedelta(microseconds=1)}-{row.id}"


def is_after(table: type[SceneRow | JobRow], cursor: str) -> ColumnElement[bool]:
    """The condition for a row to belong to the pages that a cursor begins.

    It does not need the row that the cursor was made of: that may have been deleted.

    Raises:
        InvalidCursor: If it is not of the form that `cursor_after` makes.
    """
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidCursor(cursor)
    try:
        created_at = _EPOCH + timedelta(microseconds=int(found[1]))
    except OverflowError as error:
        raise InvalidCursor(cursor) from error
    return tuple_(table.created_at, table.id) < (created_at, found[2])


def is_current(now: datetime) -> ColumnElement[bool]:
    """The condition for a scene not to have expired."""
    return or_(SceneRow.expires_at.is_(None), SceneRow.expires_at > now)


def lock_scene(session: Session, scene_id: str, now: datetime) -> SceneRow:
    """The scene, held against other writers until the commit.

    Raises:
        NotFound: If it was deleted or has expired.
    """
    row = find_locked(session, scene_id)
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        raise NotFound("scene", scene_id)
    return row


def lock_idle_scene(session: Session, scene_id: str, now: datetime) -> SceneRow:
    """As `lock_scene`, for a change of its files.

    Raises:
        SceneBusy: If a build of it is queued or running.
    """
    row = lock_scene(session, scene_id, now)
    if row.state == "building":
        raise SceneBusy(scene_id)
    return row


def find_locked(session: Session, scene_id: str) -> SceneRow | None:
    """The scene, expired or not, held against other writers; None if deleted."""
    return session.get(SceneRow, scene_id, with_for_update=True)


def settle(session: Session, row: SceneRow, now: datetime) -> None:
    """Give a scene the state that its files, jobs and last error amount to."""
    jobs = select(JobRow.id).where(
        JobRow.scene_id == row.id,
        JobRow.kind.in_(CHANGING_KINDS),
        JobRow.state.in_(ACTIVE_STATES),
    )
    row.state = (
        "building" if session.scalar(jobs.limit(1)) else _state_without_jobs(row)
    )
    row.updated_at = now


def _state_without_jobs(row: SceneRow) -> SceneState:
    if row.scene_sha256 is not None:
        return "ready"
    if row.error_problem is not None:
        return "failed"
    files = row.num_images + row.num_camera_files + row.num_videos
    return "uploading" if files else "empty"


def recount(session: Session, row: SceneRow) -> None:
    """Bring the counts and sizes of a scene's files up to date."""
    by_kind = (
        select(FileRow.kind, func.count(), func.sum(FileRow.num_bytes))
        .where(FileRow.scene_id == row.id)
        .group_by(FileRow.kind)
    )
    counts = {
        kind: (count, int(size)) for kind, count, size in session.execute(by_kind)
    }
    row.num_images = counts.get("image", (0, 0))[0]
    masks = select(FileRow.path).where(
        FileRow.scene_id == row.id,
        FileRow.kind == "image",
        FileRow.path.contains("mask"),
    )
    row.num_masks = sum(is_mask_name(path) for path in session.scalars(masks))
    row.num_camera_files = counts.get("cameras", (0, 0))[0]
    row.num_videos = counts.get("video", (0, 0))[0]
    row.input_bytes = sum(size for _, size in counts.values())


def replace_files(
    session: Session,
    scene: SceneRow,
    replaced: Sequence[FileRow],
    files: Sequence[FileRecord],
) -> None:
    """Put files in the place of others; a posing whose cameras change is forgotten."""
    for row in replaced:
        session.delete(row)
    session.flush()
    session.add_all(FileRow(scene_id=scene.id, **file.model_dump()) for file in files)
    if "cameras" in {file.kind for file in (*replaced, *files)}:
        scene.posing = None
    recount(session, scene)
    if scene.scene_sha256 is None:
        scene.error = None


def add_job(
    session: Session,
    scene: SceneRow,
    kind: JobKind,
    parameters: Mapping[str, Any],
    dedupe_key: str,
    now: datetime,
    *,
    limit_bytes: int | None,
) -> JobRow:
    """Queue a job of a scene; `limit_bytes` is what its owner may keep."""
    if kind == "build":
        supersede_builds(session, scene.id)
    row = JobRow(
        id=new_id(),
        owner=scene.owner,
        scene_id=scene.id,
        kind=kind,
        state="queued",
        revision=1,
        stage=WAITING_STAGE,
        progress=0.0,
        attempts=0,
        created_at=now,
        updated_at=now,
        parameters=dict(parameters),
        dedupe_key=dedupe_key,
        result_bytes=0,
        limit_bytes=limit_bytes,
    )
    session.add(row)
    session.flush()
    if kind in CHANGING_KINDS:
        scene.job_id, scene.job_kind = row.id, kind
        scene.error = None
        settle(session, scene, now)
    return row


def same_job(session: Session, scene_id: str, dedupe_key: str) -> JobRow | None:
    """The job of a scene that does what another of this key would do."""
    same = select(JobRow).where(
        JobRow.scene_id == scene_id, JobRow.dedupe_key == dedupe_key
    )
    return session.scalar(same)


def bytes_used(session: Session, owner: str, now: datetime) -> int:
    """Bytes of an owner's uploads, scene files and videos."""
    of_scenes = select(func.sum(SceneRow.input_bytes + SceneRow.scene_bytes)).where(
        SceneRow.owner == owner, is_current(now)
    )
    of_videos = select(func.sum(JobRow.result_bytes)).where(JobRow.owner == owner)
    return int(session.scalar(of_scenes) or 0) + int(session.scalar(of_videos) or 0)


def check_bytes(
    session: Session, row: SceneRow, growth: int, limit: int | None, now: datetime
) -> None:
    """Refuse growth beyond the owner's quota; shrinking is always allowed.

    Raises:
        QuotaExceeded: If more than `limit` bytes would be in use.
    """
    if limit is None or growth <= 0:
        return
    used = bytes_used(session, row.owner, now)
    if used + growth > limit:
        raise QuotaExceeded("bytes", limit, used)


def give_scene_file(
    session: Session, row: SceneRow, built: BuiltScene, job_id: str | None
) -> None:
    """Make `built` the scene's file; `job_id` None for an uploaded one."""
    file = built.file
    row.scene_sha256 = file.sha256
    row.scene_bytes = file.num_bytes
    row.weights = file.weights
    row.model_digest = file.model_digest
    row.height = file.height
    row.width = file.width
    row.num_views = file.num_views
    row.up = list(file.up)
    row.unframed = file.unframed
    row.held_out = file.held_out and file.held_out.model_dump(mode="json")
    row.sheet_sha256 = file.sheet_sha256
    row.built_job_id = job_id
    row.error = None
    session.execute(delete(InputRow).where(InputRow.scene_id == row.id))
    session.add_all(
        InputRow(scene_id=row.id, **view.model_dump()) for view in built.inputs
    )


def forget_scene_file(session: Session, row: SceneRow) -> None:
    """Leave the scene without a file and inputs."""
    row.scene_sha256 = None
    row.scene_bytes = 0
    row.weights = row.model_digest = None
    row.height = row.width = row.num_views = None
    row.up = row.unframed = row.held_out = row.sheet_sha256 = None
    row.built_job_id = None
    session.execute(delete(InputRow).where(InputRow.scene_id == row.id))


def note_change(row: JobRow, now: datetime) -> None:
    """Mark a change, so that who watches the job sees it."""
    row.revision += 1
    row.updated_at = now


def queue_again(row: JobRow, now: datetime) -> None:
    """Give a running job back to the queue, at its old place."""
    row.state = "queued"
    row.stage = WAITING_STAGE
    row.progress = 0.0
    row.worker = row.lease_expires_at = row.started_at = row.sketch = None
    note_change(row, now)


def end_job(row: JobRow, state: JobState, now: datetime) -> None:
    """Bring a job to a final state; only a success answers for later requests."""
    row.state = state
    row.finished_at = now
    row.worker = row.lease_expires_at = row.sketch = None
    if state == "succeeded":
        row.progress = 1.0
    else:
        row.dedupe_key = None
    note_change(row, now)


def end_all_of_scene(session: Session, scene_id: str, now: datetime) -> None:
    """Cancel a scene's jobs and forget its videos, for the scene is deleted."""
    jobs = select(JobRow).where(JobRow.scene_id == scene_id).order_by(JobRow.id)
    for row in session.scalars(jobs.with_for_update()):
        if row.state in ACTIVE_STATES:
            end_job(row, "cancelled", now)
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
