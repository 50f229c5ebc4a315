"""What happens to a scene's row, inside the transactions of scenes and of jobs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from nvs.api.scenes import SceneState
from nvs_server.storage.errors import NotFound, QuotaExceeded, SceneBusy
from nvs_server.storage.records import BuiltScene
from nvs_server.storage.tables import FileRow, InputRow, JobRow, SceneRow


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
    """Give a scene the state that its files, builds and last error amount to."""
    builds = select(JobRow.id).where(
        JobRow.scene_id == row.id,
        JobRow.kind == "build",
        JobRow.state.in_(("queued", "running")),
    )
    row.state = (
        "building" if session.scalar(builds.limit(1)) else _state_without_builds(row)
    )
    row.updated_at = now


def _state_without_builds(row: SceneRow) -> SceneState:
    if row.scene_sha256 is not None:
        return "ready"
    if row.error_problem is not None:
        return "failed"
    return "uploading" if row.num_images or row.num_camera_files else "empty"


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
    row.num_camera_files = counts.get("cameras", (0, 0))[0]
    row.input_bytes = sum(size for _, size in counts.values())


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
    row.built_job_id = None
    session.execute(delete(InputRow).where(InputRow.scene_id == row.id))
