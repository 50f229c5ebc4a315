"""Scenes, their uploaded files and the inputs of their scene files."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session, joinedload

from nvs.api.scenes import Failure, SceneState
from nvs.api.system import Usage
from nvs_server.storage import rows
from nvs_server.storage.database import Database
from nvs_server.storage.errors import IdempotencyConflict, NotFound, QuotaExceeded
from nvs_server.storage.memo import Memo
from nvs_server.storage.records import (
    KEEP,
    BuiltScene,
    InputRecord,
    Keep,
    SceneRecord,
)
from nvs_server.storage.rows import cursor_after, is_after, new_id
from nvs_server.storage.scene_files import SceneFiles
from nvs_server.storage.tables import (
    InputRow,
    SceneIdempotencyRow,
    SceneRow,
    TagRow,
)

_ONE_WITH_TAGS = (
    select(SceneRow)
    .where(SceneRow.id == bindparam("scene_id"), SceneRow.owner == bindparam("owner"))
    .options(joinedload(SceneRow.tag_rows))
)
"""Made once, and one query: every render looks its scene up."""


class SceneStore(SceneFiles):
    """Scenes by owner. A scene past its `expires_at` is no longer found."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._records: Memo[SceneRecord | None] = Memo(database.version)

    def create(
        self,
        owner: str,
        name: str,
        tags: Sequence[str] = (),
        expires_at: datetime | None = None,
        *,
        limit_scenes: int | None = None,
        idempotency_key: str | None = None,
    ) -> SceneRecord:
        """Add an empty scene, or find the one that this request made before.

        Args:
            owner: Whose it is.
            name: What people call it.
            tags: To find it by.
            expires_at: When it is deleted; None for never.
            limit_scenes: Scenes that the owner may have.
            idempotency_key: The client's own name for this request, if any. It is good
                for as long as the scene.

        Raises:
            QuotaExceeded: If the owner has `limit_scenes` already.
            IdempotencyConflict: If the key came with other values.
        """
        now = self._database.now()
        request = [name, list(tags), expires_at and expires_at.timestamp()]
        request_sha256 = hashlib.sha256(json.dumps(request).encode()).hexdigest()
        row = SceneRow(
            id=new_id(),
            owner=owner,
            name=name,
            tag_rows=_tag_rows(tags),
            state="empty",
            created_at=now,
            updated_at=now,
            expires_at=expires_at,
            num_images=0,
            num_camera_files=0,
            num_videos=0,
            input_bytes=0,
            scene_bytes=0,
        )
        with self._database.write() as session:
            self._database.guard(session, f"owner {owner}")
            if idempotency_key is not None:
                known = _answer_of_key(
                    session, owner, idempotency_key, request_sha256, now
                )
                if known is not None:
                    return SceneRecord.model_validate(known)
            used = _count_scenes(session, owner, now)
            if limit_scenes is not None and used >= limit_scenes:
                raise QuotaExceeded("scenes", limit_scenes, used)
            session.add(row)
            session.flush()
            if idempotency_key is not None:
                session.add(
                    SceneIdempotencyRow(
                        owner=owner,
                        key=idempotency_key,
                        request_sha256=request_sha256,
                        scene_id=row.id,
                    )
                )
            return SceneRecord.model_validate(row)

    def get(self, owner: str, scene_id: str) -> SceneRecord | None:
        """One scene; None if it is not there, expired or another owner's."""
        scene = self._records.keep(
            (owner, scene_id), lambda: self._read(owner, scene_id)
        )
        return self._if_current(scene)

    def recall(self, owner: str, scene_id: str) -> SceneRecord | None:
        """As `get`, without asking the database; None if that must be done."""
        return self._if_current(self._records.recall((owner, scene_id)))

    def _read(self, owner: str, scene_id: str) -> SceneRecord | None:
        wanted = {"scene_id": scene_id, "owner": owner}
        with self._database.read() as session:
            row = session.scalars(_ONE_WITH_TAGS, wanted).unique().one_or_none()
            return None if row is None else SceneRecord.model_validate(row)

    def _if_current(self, scene: SceneRecord | None) -> SceneRecord | None:
        if scene is None or scene.expires_at is None:
            return scene
        return scene if scene.expires_at > self._database.now() else None

    def list(
        self,
        owner: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        tag: str | None = None,
        state: SceneState | None = None,
    ) -> tuple[list[SceneRecord], str | None]:
        """Newest first, with the next page's cursor (None on the last page).

        Raises:
            InvalidCursor: If the cursor is not one that a list returned.
        """
        wanted = select(SceneRow).where(
            SceneRow.owner == owner, rows.is_current(self._database.now())
        )
        if cursor is not None:
            wanted = wanted.where(is_after(SceneRow, cursor))
        if tag is not None:
            wanted = wanted.where(SceneRow.tag_rows.any(TagRow.tag == tag))
        if state is not None:
            wanted = wanted.where(SceneRow.state == state)
        newest_first = wanted.order_by(SceneRow.created_at.desc(), SceneRow.id.desc())
        with self._database.read() as session:
            found = session.scalars(newest_first.limit(limit + 1)).all()
            items = [SceneRecord.model_validate(row) for row in found[:limit]]
        return items, cursor_after(found[limit - 1]) if len(found) > limit else None

    def update(
        self,
        owner: str,
        scene_id: str,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        expires_at: datetime | Keep | None = KEEP,
        up: Sequence[float] | None = None,
    ) -> SceneRecord:
        """Change what is given; `expires_at=None` clears it. `up` is of any length.

        Raises:
            NotFound: If there is no such scene of this owner.
        """
        now = self._database.now()
        with self._database.write() as session:
            row = rows.lock_scene(session, scene_id, now)
            if row.owner != owner:
                raise NotFound("scene", scene_id)
            if name is not None:
                row.name = name
            if tags is not None:
                row.tag_rows = _tag_rows(tags)
            if expires_at is not KEEP:
                row.expires_at = expires_at
            if up is not None:
                length = math.hypot(*up)
                row.up = [value / length for value in up]
            row.updated_at = now
            session.flush()
            return SceneRecord.model_validate(row)

    def delete(self, owner: str, scene_id: str) -> bool:
        """Delete a scene, cancel its jobs and forget its videos.

        Returns:
            False if there was no such scene of this owner.
        """
        now = self._database.now()
        with self._database.write() as session:
            row = rows.find_locked(session, scene_id)
            if row is None or row.owner != owner:
                return False
            _delete(session, row, now)
            return row.expires_at is None or row.expires_at > now

    def delete_expired(self) -> list[str]:
        """Delete every scene whose time is up; their ids."""
        now = self._database.now()
        overdue = select(SceneRow.id).where(SceneRow.expires_at <= now)
        with self._database.read() as session:
            scene_ids = session.scalars(overdue).all()
        deleted: list[str] = []
        for scene_id in scene_ids:
            with self._database.write() as session:
                row = rows.find_locked(session, scene_id)
                if row and row.expires_at is not None and row.expires_at <= now:
                    _delete(session, row, now)
                    deleted.append(scene_id)
        return deleted

    def set_built(
        self, scene_id: str, built: BuiltScene, *, limit_bytes: int | None = None
    ) -> SceneRecord:
        """Give a scene an uploaded scene file (a build's goes through `JobStore`).

        Raises:
            NotFound: If the scene is gone.
            SceneBusy: If a build of it is queued or running.
            QuotaExceeded: If the owner would use more than `limit_bytes`.
        """
        now = self._database.now()
        with self._database.write() as session:
            row = self._lock_idle(session, scene_id)
            growth = built.file.num_bytes - row.scene_bytes
            rows.check_bytes(session, row, growth, limit_bytes, now)
            rows.give_scene_file(session, row, built, None)
            rows.supersede_builds(session, scene_id)
            rows.settle(session, row, now)
            return SceneRecord.model_validate(row)

    def lose_file(self, scene_id: str, sha256: str, error: Failure) -> bool:
        """Forget a scene file that is missing or damaged, so that it is built anew.

        Returns:
            False if the scene's file is another one by now, which stays.

        Raises:
            NotFound: If the scene is gone.
        """
        now = self._database.now()
        with self._database.write() as session:
            row = rows.lock_scene(session, scene_id, now)
            if row.scene_sha256 != sha256:
                return False
            rows.forget_scene_file(session, row)
            row.error = error
            rows.supersede_builds(session, scene_id)
            rows.settle(session, row, now)
            return True

    def inputs(self, scene_id: str) -> list[InputRecord]:
        """The inputs of the scene file, by index."""
        in_order = (
            select(InputRow)
            .where(InputRow.scene_id == scene_id)
            .order_by(InputRow.index)
        )
        with self._database.read() as session:
            return [
                InputRecord.model_validate(row) for row in session.scalars(in_order)
            ]

    def usage(self, owner: str) -> Usage:
        """What the owner uses of their quotas."""
        now = self._database.now()
        with self._database.read() as session:
            return Usage(
                scenes=_count_scenes(session, owner, now),
                bytes=rows.bytes_used(session, owner, now),
                builds_today=rows.count_builds_today(session, owner, now),
            )


def _answer_of_key(
    session: Session, owner: str, key: str, request_sha256: str, now: datetime
) -> SceneRow | None:
    """The scene that a key made; None if it made none or that one has expired."""
    row = session.get(SceneIdempotencyRow, (owner, key))
    if row is None:
        return None
    scene = session.get_one(SceneRow, row.scene_id)
    if scene.expires_at is not None and scene.expires_at <= now:
        session.delete(row)
        session.flush()
        return None
    if row.request_sha256 != request_sha256:
        raise IdempotencyConflict(key, "scene", row.scene_id)
    return scene


def _count_scenes(session: Session, owner: str, now: datetime) -> int:
    current = select(func.count()).where(SceneRow.owner == owner, rows.is_current(now))
    return session.scalar(current) or 0


def _delete(session: Session, row: SceneRow, now: datetime) -> None:
    rows.end_all_of_scene(session, row.id, now)
    session.delete(row)


def _tag_rows(tags: Sequence[str]) -> list[TagRow]:
    return [
        TagRow(tag=tag, position=position)
        for position, tag in enumerate(dict.fromkeys(tags))
    ]
