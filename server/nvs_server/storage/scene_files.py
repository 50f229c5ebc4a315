"""The uploaded files of scenes: photographs and camera files, by path."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from nvs.api import names
from nvs.file_kinds import is_mask_name, mask_name
from nvs_server.storage import rows
from nvs_server.storage.database import Database
from nvs_server.storage.errors import NotFound
from nvs_server.storage.records import FileKind, FileRecord
from nvs_server.storage.tables import FileRow, SceneRow


class SceneFiles:
    """The part of `SceneStore` that keeps files. Their blobs are stored before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_file(
        self, scene_id: str, file: FileRecord, *, limit_bytes: int | None = None
    ) -> bool:
        """Add or replace one file.

        Returns:
            Whether the path is new.

        Raises:
            NotFound: If the scene is gone.
            SceneBusy: If a build of it is queued or running.
            QuotaExceeded: If the owner would use more than `limit_bytes`.
        """
        with self._database.write() as session:
            scene = self._lock_idle(session, scene_id)
            old = session.get(FileRow, (scene_id, file.path))
            replaced = [] if old is None else [old]
            self._replace(session, scene, replaced, [file], limit_bytes)
            return old is None

    def replace_files(
        self,
        scene_id: str,
        files: Sequence[FileRecord],
        *,
        kind: FileKind | None = None,
        limit_bytes: int | None = None,
    ) -> None:
        """Replace all files, or all of one kind, in one transaction.

        Raises:
            NotFound, SceneBusy, QuotaExceeded: As `put_file`.
        """
        paths = {file.path for file in files}
        with self._database.write() as session:
            scene = self._lock_idle(session, scene_id)
            there = session.scalars(select(FileRow).where(FileRow.scene_id == scene_id))
            replaced = [
                row for row in there if kind in (None, row.kind) or row.path in paths
            ]
            self._replace(session, scene, replaced, files, limit_bytes)

    def decide_masks(self, scene_id: str, accepted: Collection[str]) -> None:
        """Make the proposed masks of some images its masks; the others are forgotten.

        Masks that were there before go, where any is accepted.

        Raises:
            NotFound, SceneBusy: As `put_file`.
        """
        with self._database.write() as session:
            scene = self._lock_idle(session, scene_id)
            there = session.scalars(select(FileRow).where(FileRow.scene_id == scene_id))
            replaced = [
                row
                for row in there
                if row.kind in ("mask", "preview")
                or (accepted and row.kind == "image" and is_mask_name(row.path))
            ]
            wanted = {mask_name(image) for image in accepted}
            used: list[FileRecord] = []
            for row in replaced:
                path = row.path.removeprefix(f"{names.PROPOSED_FOLDER}/")
                if row.kind == "mask" and path in wanted:
                    mask = FileRecord.model_validate(row)
                    used.append(mask.model_copy(update={"path": path, "kind": "image"}))
            self._replace(session, scene, replaced, used, None)

    def delete_file(self, scene_id: str, path: str) -> bool:
        """Remove one file; False if it was not there.

        Raises:
            NotFound, SceneBusy: As `put_file`.
        """
        with self._database.write() as session:
            scene = self._lock_idle(session, scene_id)
            row = session.get(FileRow, (scene_id, path))
            if row is None:
                return False
            self._replace(session, scene, [row], [], None)
            return True

    def files(self, scene_id: str, kind: FileKind | None = None) -> list[FileRecord]:
        """The files by path, all or of one kind."""
        wanted = select(FileRow).where(FileRow.scene_id == scene_id)
        if kind is not None:
            wanted = wanted.where(FileRow.kind == kind)
        with self._database.read() as session:
            found = session.scalars(wanted).all()
        files = [FileRecord.model_validate(row) for row in found]
        return sorted(files, key=lambda file: file.path)

    def file(self, scene_id: str, path: str) -> FileRecord | None:
        """One file; None if it is not there."""
        with self._database.read() as session:
            row = session.get(FileRow, (scene_id, path))
            return None if row is None else FileRecord.model_validate(row)

    def _lock_idle(self, session: Session, scene_id: str) -> SceneRow:
        """The scene, with its owner's quotas, held against other writers."""
        owner = session.scalar(select(SceneRow.owner).where(SceneRow.id == scene_id))
        if owner is None:
            raise NotFound("scene", scene_id)
        self._database.guard(session, f"owner {owner}")
        return rows.lock_idle_scene(session, scene_id, self._database.now())

    def _replace(
        self,
        session: Session,
        scene: SceneRow,
        replaced: Sequence[FileRow],
        files: Sequence[FileRecord],
        limit_bytes: int | None,
    ) -> None:
        now = self._database.now()
        growth = sum(file.num_bytes for file in files)
        growth -= sum(row.num_bytes for row in replaced)
        rows.check_bytes(session, scene, growth, limit_bytes, now)
        rows.replace_files(session, scene, replaced, files)
        rows.settle(session, scene, now)
