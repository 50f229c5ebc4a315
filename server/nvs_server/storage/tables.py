"""The tables. A change here needs a new revision in `migrations/versions`.

Properties give a row the attributes of its record, which is made from them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from nvs.api.scenes import Failure
from nvs.api.system import Quotas


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware UTC time, on databases without time zones too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Store UTC; a time without a zone is a mistake of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Return UTC, whatever zone the database's session is in."""
        if value is None:
            return None
        if value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value.astimezone(UTC)


class Base(DeclarativeBase):
    """What every table shares: types by annotation, names for constraints."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(none_as_null=True),
        list[str]: JSON(),
        int: BigInteger(),
        str: Text(),
    }


class Failable:
    """A row that says why something failed, if it did."""

    error_problem: Mapped[str | None]
    error_remedy: Mapped[str | None]

    @property
    def error(self) -> Failure | None:
        """What went wrong."""
        if self.error_problem is None:
            return None
        return Failure(problem=self.error_problem, remedy=self.error_remedy or "")

    @error.setter
    def error(self, error: Failure | None) -> None:
        self.error_problem = None if error is None else error.problem
        self.error_remedy = None if error is None else error.remedy


Identifier = String(32)
Digest = String(64)
Word = String(16)


class KeyRow(Base):
    """An API key."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    name: Mapped[str]
    owner: Mapped[str]
    secret_sha256: Mapped[str] = mapped_column(Digest, unique=True)
    scopes: Mapped[list[str]]
    quota_scenes: Mapped[int | None]
    quota_bytes: Mapped[int | None]
    quota_builds_per_day: Mapped[int | None]
    rate_per_minute: Mapped[int | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @property
    def quotas(self) -> Quotas:
        """Its own quotas."""
        return Quotas(
            scenes=self.quota_scenes,
            bytes=self.quota_bytes,
            builds_per_day=self.quota_builds_per_day,
        )


class TicketRow(Base):
    """A ticket that stands in for a key, once."""

    __tablename__ = "tickets"

    secret_sha256: Mapped[str] = mapped_column(Digest, primary_key=True)
    key_id: Mapped[str | None] = mapped_column(Identifier)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SceneRow(Failable, Base):
    """A scene; counts and sizes of its files are kept with it."""

    __tablename__ = "scenes"
    __table_args__ = (Index(None, "owner", "created_at", "id"),)

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    owner: Mapped[str]
    name: Mapped[str]
    state: Mapped[str] = mapped_column(Word)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    num_images: Mapped[int]
    num_masks: Mapped[int] = mapped_column(server_default="0")
    num_camera_files: Mapped[int]
    num_videos: Mapped[int] = mapped_column(server_default="0")
    input_bytes: Mapped[int]
    scene_sha256: Mapped[str | None] = mapped_column(Digest)
    scene_bytes: Mapped[int]
    weights: Mapped[str | None]
    model_digest: Mapped[str | None]
    height: Mapped[int | None]
    width: Mapped[int | None]
    num_views: Mapped[int | None]
    up: Mapped[list[float] | None] = mapped_column(JSON(none_as_null=True))
    unframed: Mapped[bool | None]
    held_out: Mapped[dict[str, Any] | None]
    posing: Mapped[dict[str, Any] | None]
    sheet_sha256: Mapped[str | None] = mapped_column(Digest)
    job_id: Mapped[str | None] = mapped_column(Identifier)
    job_kind: Mapped[str | None] = mapped_column(Word)
    built_job_id: Mapped[str | None] = mapped_column(Identifier)
    tag_rows: Mapped[list[TagRow]] = relationship(
        order_by="TagRow.position",
        cascade="all, delete-orphan",
        passive_deletes=True,
        lazy="selectin",
    )

    @property
    def tags(self) -> list[str]:
        """Its tags in the order given."""
        return [row.tag for row in self.tag_rows]

    @property
    def has_cameras(self) -> bool:
        """Whether a camera file is there."""
        return self.num_camera_files > 0

    @property
    def has_video(self) -> bool:
        """Whether a video is there."""
        return self.num_videos > 0


class TagRow(Base):
    """One tag of a scene, in the order given."""

    __tablename__ = "scene_tags"

    scene_id: Mapped[str] = mapped_column(
        Identifier, ForeignKey("scenes.id", ondelete="CASCADE"), primary_key=True
    )
    tag: Mapped[str] = mapped_column(primary_key=True, index=True)
    position: Mapped[int]


class FileRow(Base):
    """One uploaded file of a scene."""

    __tablename__ = "scene_files"

    scene_id: Mapped[str] = mapped_column(
        Identifier, ForeignKey("scenes.id", ondelete="CASCADE"), primary_key=True
    )
    path: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Word)
    sha256: Mapped[str] = mapped_column(Digest)
    num_bytes: Mapped[int]
    height: Mapped[int | None]
    width: Mapped[int | None]


class InputRow(Base):
    """One input view of a scene file."""

    __tablename__ = "scene_inputs"

    scene_id: Mapped[str] = mapped_column(
        Identifier, ForeignKey("scenes.id", ondelete="CASCADE"), primary_key=True
    )
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    camera: Mapped[dict[str, Any]]
    sha256: Mapped[str | None] = mapped_column(Digest)
    thumbnail_sha256: Mapped[str] = mapped_column(Digest)


class JobRow(Failable, Base):
    """A posing, build or video. It outlives its scene, so that its end can be read."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("scene_id", "dedupe_key"),
        Index(None, "owner", "created_at", "id"),
        Index(None, "state", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    owner: Mapped[str]
    scene_id: Mapped[str] = mapped_column(Identifier)
    kind: Mapped[str] = mapped_column(Word)
    state: Mapped[str] = mapped_column(Word)
    revision: Mapped[int]
    stage: Mapped[str]
    progress: Mapped[float]
    attempts: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    parameters: Mapped[dict[str, Any]]
    sketch: Mapped[dict[str, Any] | None]
    dedupe_key: Mapped[str | None]
    worker: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None]
    result_sha256: Mapped[str | None] = mapped_column(Digest)
    result_bytes: Mapped[int]
    limit_bytes: Mapped[int | None]
    """What its owner may keep in all, by whoever asked for it."""

    @property
    def eta_seconds(self) -> float | None:
        """Time left at the pace so far; None unless running with some progress."""
        if self.state != "running" or self.started_at is None or self.progress <= 0:
            return None
        elapsed_seconds = (datetime.now(UTC) - self.started_at).total_seconds()
        return max(0.0, elapsed_seconds * (1 - self.progress) / self.progress)


class IdempotencyRow(Base):
    """A client's key for a request, with the job that answered it."""

    __tablename__ = "idempotency_keys"

    owner: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str] = mapped_column(Digest)
    job_id: Mapped[str] = mapped_column(
        Identifier, ForeignKey("jobs.id", ondelete="CASCADE"), index=True
    )


class SceneIdempotencyRow(Base):
    """A client's key for a request to make a scene, with the scene that it made."""

    __tablename__ = "scene_idempotency_keys"

    owner: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str] = mapped_column(Digest)
    scene_id: Mapped[str] = mapped_column(
        Identifier, ForeignKey("scenes.id", ondelete="CASCADE"), index=True
    )
