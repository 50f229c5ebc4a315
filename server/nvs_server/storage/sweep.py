"""Clearing up: expired scenes, blobs that no row names, uploads that never ended.

A blob is stored before the row that names it is committed. So the blobs are listed
first and the rows read afterwards, and a blob put within the grace period is left: its
row may be about to come. Storing a blob that is there already renews its time.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from nvs_server.storage.blobs import Blobs
from nvs_server.storage.database import Database
from nvs_server.storage.durable import remove
from nvs_server.storage.records import SweepReport
from nvs_server.storage.scenes import SceneStore
from nvs_server.storage.tables import FileRow, InputRow, JobRow, SceneRow

JOBS_KEPT = timedelta(days=7)
"""How long the jobs of a deleted scene can still be read."""


def sweep(database: Database, blobs: Blobs, *, grace_seconds: float) -> SweepReport:
    """Delete what nobody needs any more; report rows whose blob is missing.

    Args:
        database: Whose rows say what is needed.
        blobs: What is swept.
        grace_seconds: Younger blobs and incoming files are left. Longer than any
            upload takes from its last byte to its row.

    Raises:
        StorageUnavailable: If the database or a remote store does not answer.
    """
    expired_scenes = SceneStore(database).delete_expired()
    _delete_old_jobs(database)
    stale_since = time.time() - grace_seconds
    stored = {blob.sha256: blob for blob in blobs.iterate()}
    named = _named_digests(database)
    deleted_bytes: list[int] = []
    for sha256, blob in stored.items():
        if (
            sha256 not in named
            and blob.modified_seconds < stale_since
            and blobs.delete(sha256, unless_put_since=stale_since)
        ):
            deleted_bytes.append(blob.num_bytes)
    return SweepReport(
        expired_scenes=tuple(expired_scenes),
        deleted_blobs=len(deleted_bytes),
        deleted_bytes=sum(deleted_bytes),
        deleted_incoming=_clear_incoming(blobs.incoming(), stale_since),
        missing_blobs=_missing(database, blobs, named - stored.keys()),
    )


def _missing(database: Database, blobs: Blobs, suspects: set[str]) -> tuple[str, ...]:
    """Of the blobs that were not listed, those that rows still name and are not there.

    A blob that was stored after the list was made is there; a row that was deleted
    since then names nothing.
    """
    absent = {sha256 for sha256 in suspects if not blobs.exists(sha256)}
    return tuple(sorted(absent & _named_digests(database))) if absent else ()


def _named_digests(database: Database) -> set[str]:
    with database.read() as session:
        return set(_digests(session))


def _digests(session: Session) -> Iterator[str]:
    for column in (
        SceneRow.scene_sha256,
        SceneRow.sheet_sha256,
        FileRow.sha256,
        InputRow.sha256,
        InputRow.thumbnail_sha256,
        JobRow.result_sha256,
    ):
        named = select(column).where(column.is_not(None)).distinct()
        yield from (sha256 for sha256 in session.scalars(named) if sha256 is not None)


def _delete_old_jobs(database: Database) -> None:
    of_deleted_scenes = JobRow.scene_id.not_in(select(SceneRow.id))
    with database.write() as session:
        session.execute(
            delete(JobRow).where(
                of_deleted_scenes, JobRow.finished_at < database.now() - JOBS_KEPT
            )
        )


def _clear_incoming(folder: Path, stale_since: float) -> int:
    num_deleted = 0
    for path in folder.iterdir():
        if _newest_change(path) >= stale_since:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            remove(path)
        num_deleted += 1
    return num_deleted


def _newest_change(path: Path) -> float:
    """When a path, or anything below it, was last written; now if it vanishes.

    Files in a work folder may be links to old ones: the folder itself counts too.
    """
    try:
        return max(item.lstat().st_mtime for item in (path, *path.rglob("*")))
    except FileNotFoundError:
        return time.time()
