"""What the stores hand out and take: frozen values, the same on every database.

Times are timezone-aware UTC. Digests are lower-case hexadecimal SHA-256. Sizes are in
pixels, `height, width`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final, Literal

Scope = Literal["read", "write", "render", "metrics", "admin"]
SceneState = Literal["empty", "uploading", "building", "ready", "failed"]
JobKind = Literal["build", "video"]
JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
FileKind = Literal["image", "cameras"]

FINAL_STATES: Final[tuple[JobState, ...]] = ("succeeded", "failed", "cancelled")


class Keep(Enum):
    """`KEEP` where None is itself a value to set."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """An owner's allowances; None is no limit."""

    scenes: int | None = None
    bytes: int | None = None
    builds_per_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an owner uses of their allowances.

    Attributes:
        scenes: Scenes that have not expired.
        bytes: Of their uploaded files, scene files and videos.
        builds_today: Builds submitted since midnight UTC, whatever became of them.
    """

    scenes: int
    bytes: int
    builds_today: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """An API key, without its secret."""

    id: str
    name: str
    owner: str
    scopes: tuple[Scope, ...]
    quotas: Quotas
    rate_per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRecord:
    """Why a scene or job failed, as the user is told."""

    problem: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneRecord:
    """A scene and where it stands.

    Attributes:
        state: "building" while a build is queued or running; "failed" where the last
            build failed and there is no scene file of an earlier one; "ready" where
            there is a scene file; else "uploading" or, without any file, "empty".
        num_images: Uploaded images.
        has_cameras: Whether a camera file is there.
        input_bytes: Of the uploaded files.
        scene_sha256: The scene file's digest, None where there is none. While a ready
            scene is built again its old file stays.
        scene_bytes: The scene file's size, 0 where there is none.
        weights: Id of the weights the scene file was made with.
        model_digest: Digest of that network's weights.
        height, width, num_views: Of the inputs as the network saw them.
        job_id: The latest build submitted.
        built_job_id: The build that made the scene file; None if it was uploaded.
        error: Why the latest build failed, where it did.
    """

    id: str
    owner: str
    name: str
    tags: tuple[str, ...]
    state: SceneState
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    num_images: int
    has_cameras: bool
    input_bytes: int
    scene_sha256: str | None
    scene_bytes: int
    weights: str | None
    model_digest: str | None
    height: int | None
    width: int | None
    num_views: int | None
    job_id: str | None
    built_job_id: str | None
    error: ErrorRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One uploaded file of a scene.

    Attributes:
        path: Relative POSIX path, unique in the scene.
        height, width: In pixels, of an image; None for a camera file.
    """

    path: str
    kind: FileKind
    sha256: str
    num_bytes: int
    height: int | None = None
    width: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRecord:
    """One input view as the network saw it.

    Attributes:
        index: Place among the inputs, from 0.
        name: The image's path, or its name in an uploaded scene file.
        camera: JSON of the camera in the user's world.
        sha256: The PNG; None for an uploaded scene file, which keeps thumbnails only.
        thumbnail_sha256: The JPEG thumbnail.
    """

    index: int
    name: str
    camera: Mapping[str, Any]
    sha256: str | None
    thumbnail_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltScene:
    """A scene file in the blob store, with what the scene's row says about it."""

    sha256: str
    num_bytes: int
    weights: str
    model_digest: str
    height: int
    width: int
    num_views: int
    inputs: Sequence[InputRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoResult:
    """A video file in the blob store.

    Attributes:
        sha256, num_bytes: The file.
        details: What else the job's `result` shows, such as frames and size.
    """

    sha256: str
    num_bytes: int
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A build or video and where it stands.

    Attributes:
        revision: Grows by one with every change; an event's id.
        stage: What the worker is doing, in words.
        progress: Fraction done, 0 to 1.
        attempts: How often a worker has taken it, drains not counted.
        started_at: When the current or last attempt began.
        parameters: As submitted.
        worker: Who holds the lease while running.
        lease_expires_at: When another worker may take it over.
        result: What a succeeded job made: `num_bytes` and details.
        result_sha256: A video's blob; None for a build, whose file is the scene's, and
            once the scene is deleted.
    """

    id: str
    owner: str
    scene_id: str
    kind: JobKind
    state: JobState
    revision: int
    stage: str
    progress: float
    attempts: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    parameters: Mapping[str, Any]
    worker: str | None
    lease_expires_at: datetime | None
    error: ErrorRecord | None
    result: Mapping[str, Any] | None
    result_sha256: str | None

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL_STATES

    def eta_seconds(self, now: datetime) -> float | None:
        """Time left at the pace so far; None unless running with some progress."""
        if self.state != "running" or self.started_at is None or self.progress <= 0:
            return None
        elapsed_seconds = (now - self.started_at).total_seconds()
        return max(0.0, elapsed_seconds * (1 - self.progress) / self.progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCounts:
    """Jobs of all owners that are not final."""

    queued: int
    running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What one sweep did.

    Attributes:
        expired_scenes: Ids of scenes deleted because their time was up.
        deleted_blobs, deleted_bytes: Blobs that no row named.
        deleted_incoming: Old files of uploads that never ended.
        missing_blobs: Digests that rows name and the store lacks.
    """

    expired_scenes: tuple[str, ...]
    deleted_blobs: int
    deleted_bytes: int
    deleted_incoming: int
    missing_blobs: tuple[str, ...]
