"""What must hold on the disk of a server that is not running, however it ended."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from nvs.files import file_sha256
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.database import Database
from nvs_server.storage.objects import blob_key
from nvs_server.storage.records import SweepReport
from nvs_server.storage.sweep import sweep
from trials.crash.ledger import Books

NAMED_BLOBS = """
    SELECT scene_sha256 FROM scenes
    UNION SELECT sha256 FROM scene_files
    UNION SELECT sha256 FROM scene_inputs
    UNION SELECT thumbnail_sha256 FROM scene_inputs
    UNION SELECT result_sha256 FROM jobs
"""
UNNAMED_JOBS = (
    "SELECT id FROM jobs WHERE id NOT IN (SELECT job_id FROM idempotency_keys)"
)
MISTAKEN_SCENES = """
    SELECT id, state FROM scenes AS scene WHERE
    (state = 'building') != EXISTS (
        SELECT 1 FROM jobs WHERE scene_id = scene.id AND kind = 'build'
        AND state IN ('queued', 'running'))
    OR (state = 'ready' AND scene_sha256 IS NULL)
    OR num_images != (
        SELECT count(*) FROM scene_files WHERE scene_id = scene.id AND kind = 'image')
"""
LOST_VIDEOS = """
    SELECT jobs.id FROM jobs JOIN scenes ON scenes.id = jobs.scene_id
    WHERE jobs.kind = 'video' AND jobs.state = 'succeeded' AND result_sha256 IS NULL
"""


class Disk:
    """The database and the blobs of a data folder.

    Args:
        folder: The data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._database = folder / "nvs.sqlite"
        self._blobs = folder / "blobs"
        self._sound: set[str] = set()

    def stages(self) -> list[str]:
        """What running jobs were last reported to be at, such as "build: prefill"."""
        running = "SELECT kind || ': ' || stage FROM jobs WHERE state = 'running'"
        return [stage for (stage,) in self._rows(running)]

    def problems(self, books: Books) -> list[str]:
        """Everything that is wrong, given what was promised."""
        return [
            *self._database_problems(),
            *self._scene_problems(books),
            *self._job_problems(books),
            *self._blob_problems(),
        ]

    def sweep(self) -> SweepReport:
        """Clear up at once what nothing names."""
        database = Database(f"sqlite:///{self._database}")
        try:
            blobs = Blobs(self._blobs, self._blobs.parent / "cache", 0)
            return sweep(database, blobs, grace_seconds=0)
        finally:
            database.dispose()

    def leftovers(self) -> list[str]:
        """Files that nothing names: there are none after a sweep."""
        named = {self._blob(sha256) for sha256 in self._named()}
        return [
            str(path.relative_to(self._blobs))
            for path in self._blobs.rglob("*")
            if path.is_file() and path.parent.name != "locks" and path not in named
        ]

    def forget_checks(self) -> None:
        """Check every blob's digest once more."""
        self._sound.clear()

    def _database_problems(self) -> Iterator[str]:
        for check in ("integrity_check", "foreign_key_check"):
            found = self._rows(f"PRAGMA {check}")
            if found not in ([], [("ok",)]):
                yield f"{check}: {found}"
        for query, what in (
            (UNNAMED_JOBS, "jobs without their idempotency key"),
            (MISTAKEN_SCENES, "scenes in a state that they are not in"),
            (LOST_VIDEOS, "videos that succeeded and are not there"),
        ):
            if found := self._rows(query):
                yield f"{what}: {found}"

    def _scene_problems(self, books: Books) -> Iterator[str]:
        rows = self._rows("SELECT id, name FROM scenes")
        stored = dict(rows)
        names = [name for _, name in rows]
        if len(set(names)) != len(names):
            yield "a scene is there twice"
        if unknown := set(names) - books.names:
            yield f"scenes that nobody asked for: {unknown}"
        files: dict[str, dict[str, str]] = {}
        for scene_id, path, sha256 in self._rows(
            "SELECT scene_id, path, sha256 FROM scene_files"
        ):
            files.setdefault(scene_id, {})[path] = sha256
        for scene_id, scene in books.scenes.items():
            if scene.deleted and scene_id in stored:
                yield f"the deleted scene {scene_id} is back"
            if scene.delete_asked:
                continue
            if stored.get(scene_id) != scene.name:
                yield f"the scene {scene_id} is lost"
            elif files.get(scene_id, {}) not in scene.files:
                yield (
                    f"the scene {scene_id} has the files {files.get(scene_id)}, "
                    f"not {scene.files}"
                )

    def _job_problems(self, books: Books) -> Iterator[str]:
        states = dict(self._rows("SELECT id, state FROM jobs"))
        keys = dict(self._rows("SELECT key, job_id FROM idempotency_keys"))
        for job_id, job in books.jobs.items():
            if job_id not in states:
                yield f"the job {job_id} is lost"
            elif job.final not in (None, states[job_id]):
                yield f"the job {job_id} was {job.final} and is {states[job_id]}"
        for key, job_id in books.keys.items():
            if keys.get(key) != job_id:
                yield f"the key {key} answers with {keys.get(key)}, not {job_id}"

    def _blob_problems(self) -> Iterator[str]:
        for sha256 in self._named():
            path = self._blob(sha256)
            if not path.is_file():
                yield f"the blob {sha256} is missing"
            elif sha256 not in self._sound:
                if file_sha256(path) != sha256:
                    yield f"the blob {sha256} is damaged"
                self._sound.add(sha256)

    def _named(self) -> list[str]:
        return [sha256 for (sha256,) in self._rows(NAMED_BLOBS) if sha256 is not None]

    def _blob(self, sha256: str) -> Path:
        return self._blobs / blob_key(sha256)

    def _rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self._database, timeout=30)) as connection:
            return connection.execute(query).fetchall()
