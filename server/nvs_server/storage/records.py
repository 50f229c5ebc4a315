"""What the stores hand out and take: frozen values, the same on every database.

A scene, a job and what an owner may and does use are those of `nvs.api`, with what is
nobody's business outside the service: a route answers with a record, of which only the
fields of its answer's model are sent. Times are timezone-aware UTC. Digests are
lower-case hexadecimal SHA-256. Sizes are in pixels, `height, width`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final, Literal

from nvs.api.cameras import PosedCamera
from nvs.api.framing import Expectation, HeldOut
from nvs.api.jobs import Job, JobState
from nvs.api.masks import MaskResult
from nvs.api.posing import Posing
from nvs.api.scenes import Scene
from nvs.api.system import Quotas, Scope
from nvs.api.values import Schema

FileKind = Literal["image", "cameras", "video", "mask", "preview"]
"""The last two are proposed masks and pictures of them; accepted masks are images."""

FINAL_STATES: Final[tuple[JobState, ...]] = ("succeeded", "failed", "cancelled")


class Keep(Enum):
    """`KEEP` where None is itself a value to set."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


class KeyRecord(Schema):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneRef:
    """A scene file in the blob store."""

    scene_id: str
    sha256: str
    """Of the file: its address in the blob store."""
    num_bytes: int
    """Size of the file."""
    weights: str
    """Id of the weights that built it."""


class SceneRecord(Scene):
    """A scene and where it stands.

    Its state is "building" while a build is queued or running; "failed" where the last
    build failed and there is no scene file of an earlier one; "ready" where there is a
    scene file; else "uploading" or, without any file, "empty".
    """

    owner: str
    scene_sha256: str | None
    """The scene file's digest, None where there is none. While a ready scene is built
    again its old file stays."""
    model_digest: str | None
    """Digest of the weights that the scene file was made with."""
    sheet_sha256: str | None = None
    """The picture of the views that were held out, if any were."""
    built_job_id: str | None
    """The build that made the scene file; None if it was uploaded."""

    @property
    def file(self) -> SceneRef | None:
        """The scene file, if there is one."""
        if self.scene_sha256 is None or self.weights is None:
            return None
        return SceneRef(
            scene_id=self.id,
            sha256=self.scene_sha256,
            num_bytes=self.scene_bytes,
            weights=self.weights,
        )


class FileRecord(Schema):
    """One uploaded file of a scene."""

    path: str
    """Relative POSIX path, unique in the scene."""
    kind: FileKind
    sha256: str
    num_bytes: int
    height: int | None = None
    """In pixels, of an image; None for other files."""
    width: int | None = None

    @property
    def name(self) -> str:
        """What clients call an image."""
        return self.path


class InputRecord(Schema):
    """One input view as the network saw it."""

    index: int
    """Place among the inputs, from 0."""
    name: str
    """The image's path, or its name in an uploaded scene file."""
    camera: PosedCamera
    """In the user's world."""
    sha256: str | None
    """The PNG; None for an uploaded scene file, which keeps thumbnails only."""
    thumbnail_sha256: str
    """The JPEG thumbnail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneFile:
    """A scene file and what a scene says about it."""

    sha256: str
    num_bytes: int
    weights: str
    """Id of the weights that built it."""
    model_digest: str
    height: int
    width: int
    num_views: int
    up: tuple[float, float, float]
    """Unit vector that is up in its world."""
    unframed: bool
    """Whether it was left as it was where `auto` would frame it."""
    expectation: Expectation | None = None
    """What was to be expected of the build; None for an uploaded file."""
    held_out: HeldOut | None = None
    """What came of the views that were held out, if any were."""
    sheet_sha256: str | None = None
    """Their picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltScene:
    """A scene file in the blob store, with its inputs."""

    file: SceneFile
    inputs: Sequence[InputRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoFile:
    """A video and what the result of its job says about it."""

    sha256: str
    num_bytes: int
    num_frames: int
    height: int
    width: int
    fps: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PosedScene:
    """Cameras that were found, their files in the blob store."""

    files: Sequence[FileRecord]
    """Camera files, and images that posing made."""
    posing: Posing
    build: Mapping[str, Any] | None = None
    """Parameters of the build that follows, if one was asked for."""
    build_key: str = ""
    """Its dedupe key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedScene:
    """Masks that are proposed, their files in the blob store."""

    files: Sequence[FileRecord]
    """The masks and previews of them."""
    result: MaskResult


class JobRecord(Job):
    """A posing, build, video or making of masks and where it stands."""

    owner: str
    revision: int
    """Grows by one with every change; an event's id."""
    updated_at: datetime
    worker: str | None
    """Who holds the lease while running."""
    lease_expires_at: datetime | None
    """When another worker may take it over."""
    result_sha256: str | None
    """A video's blob; None for a build, whose file is the scene's, and once the scene
    is deleted."""

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL_STATES


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
