"""Stored records as the bodies of answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from nvs.api.jobs import Job, JobStage
from nvs.api.scenes import CamerasReport, Failure, ImageFile, Scene
from nvs_server.backends.base import CamerasInfo
from nvs_server.storage.records import ErrorRecord, FileRecord, JobRecord, SceneRecord

MAX_MISSING_LISTED = 20


def scene_body(scene: SceneRecord) -> Scene:
    """A scene as clients see it."""
    return Scene(
        id=scene.id,
        name=scene.name,
        tags=list(scene.tags),
        state=scene.state,
        created_at=scene.created_at,
        updated_at=scene.updated_at,
        expires_at=scene.expires_at,
        num_images=scene.num_images,
        has_cameras=scene.has_cameras,
        input_bytes=scene.input_bytes,
        scene_bytes=scene.scene_bytes,
        weights=scene.weights,
        height=scene.height,
        width=scene.width,
        num_views=scene.num_views,
        job_id=scene.job_id,
        error=_error(scene.error),
    )


def job_body(job: JobRecord) -> Job:
    """A job as clients see it."""
    return Job(
        id=job.id,
        kind=job.kind,
        scene_id=job.scene_id,
        state=job.state,
        stage=cast(JobStage, job.stage),
        progress=job.progress,
        eta_seconds=job.eta_seconds(datetime.now(UTC)),
        attempts=job.attempts,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        parameters=dict(job.parameters),
        error=_error(job.error),
        result=None if job.result is None else dict(job.result),
    )


def image_body(file: FileRecord) -> ImageFile:
    """An uploaded image as clients see it."""
    assert file.height is not None
    assert file.width is not None
    return ImageFile(
        name=file.path,
        sha256=file.sha256,
        num_bytes=file.num_bytes,
        height=file.height,
        width=file.width,
    )


def cameras_values(cameras: CamerasInfo) -> dict[str, Any]:
    """Fields of a report on cameras."""
    return {
        "layout": cameras.layout,
        "num_frames": cameras.num_frames,
        "num_missing": len(cameras.missing),
        "missing": list(cameras.missing[:MAX_MISSING_LISTED]),
    }


def cameras_body(cameras: CamerasInfo) -> CamerasReport:
    """What the uploaded cameras say, as clients see it."""
    return CamerasReport(**cameras_values(cameras))


def _error(error: ErrorRecord | None) -> Failure | None:
    if error is None:
        return None
    return Failure(problem=error.problem, remedy=error.remedy)
