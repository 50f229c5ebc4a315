from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from nvs_server.storage.blobs import Blobs
from nvs_server.storage.database import Database
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.records import FileRecord, SweepReport, VideoFile
from nvs_server.storage.scenes import SceneStore
from nvs_server.storage.sweep import sweep
from tests.server.storage.conftest import OWNER, Clock, built, digest

GRACE_SECONDS = 3600
NOTHING = SweepReport(
    expired_scenes=(),
    deleted_blobs=0,
    deleted_bytes=0,
    deleted_incoming=0,
    missing_blobs=(),
)


@pytest.fixture
def store(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs", tmp_path / "cache", 0)


def age(path: Path) -> None:
    """Let a file's or folder's last change be before the grace period."""
    seconds = time.time() - GRACE_SECONDS - 60
    os.utime(path, (seconds, seconds))


def put_old(store: Blobs, content: str) -> str:
    sha256 = store.put_bytes(content.encode())
    age(store.local_path(sha256))
    return sha256


def record(sha256: str) -> FileRecord:
    return FileRecord(
        path="a.jpg", kind="image", sha256=sha256, num_bytes=1, height=1, width=1
    )


def test_only_old_blobs_that_no_row_names_go(
    database: Database,
    scenes: SceneStore,
    jobs: JobStore,
    store: Blobs,
    scene_id: str,
) -> None:
    scenes.put_file(scene_id, record(put_old(store, "image")))
    for view in built().inputs:
        put_old(store, f"scene input {view.index}")
        put_old(store, f"scene thumbnail {view.index}")
    put_old(store, "scene")
    scene = built()
    file = replace(scene.file, sheet_sha256=put_old(store, "sheet"))
    scenes.set_built(scene_id, replace(scene, file=file))
    job, _ = jobs.submit(OWNER, scene_id, "video", {}, dedupe_key="v")
    jobs.claim("w", 60)
    sha256 = put_old(store, "video")
    result = VideoFile(
        sha256=sha256, num_bytes=5, num_frames=1, height=8, width=8, fps=30
    )
    jobs.succeed(job.id, "w", result)
    young = store.put_bytes(b"young")
    orphan = put_old(store, "orphan")
    report = sweep(database, store, grace_seconds=GRACE_SECONDS)
    assert (report.deleted_blobs, report.deleted_bytes) == (1, 6)
    assert report.missing_blobs == ()
    assert not store.exists(orphan)
    assert store.exists(young)
    assert len(list(store.iterate())) == 9
    scenes.delete(OWNER, scene_id)
    assert sweep(database, store, grace_seconds=GRACE_SECONDS).deleted_blobs == 8
    assert [blob.sha256 for blob in store.iterate()] == [young]


def test_second_sweep_finds_nothing(
    database: Database, store: Blobs, scene_id: str
) -> None:
    put_old(store, "orphan")
    assert sweep(database, store, grace_seconds=GRACE_SECONDS) != NOTHING
    assert sweep(database, store, grace_seconds=GRACE_SECONDS) == NOTHING


def test_expired_scenes_go_with_their_blobs(
    database: Database, scenes: SceneStore, store: Blobs, clock: Clock
) -> None:
    scene = scenes.create(OWNER, "a", expires_at=clock() + timedelta(hours=1))
    scenes.put_file(scene.id, record(put_old(store, "image")))
    assert sweep(database, store, grace_seconds=GRACE_SECONDS) == NOTHING
    clock.advance(hours=1)
    report = sweep(database, store, grace_seconds=GRACE_SECONDS)
    assert report.expired_scenes == (scene.id,)
    assert report.deleted_blobs == 1


def test_rows_without_their_blob_are_reported(
    database: Database, scenes: SceneStore, store: Blobs, scene_id: str
) -> None:
    scenes.put_file(scene_id, record(digest("lost")))
    report = sweep(database, store, grace_seconds=GRACE_SECONDS)
    assert report.missing_blobs == (digest("lost"),)
    assert scenes.file(scene_id, "a.jpg") is not None


def test_uploads_that_never_ended_go(database: Database, store: Blobs) -> None:
    old = store.incoming() / "old"
    old.write_bytes(b"x")
    in_use = store.incoming() / "in use"
    in_use.mkdir()
    (in_use / "image.png").write_bytes(b"x")
    left = store.incoming() / "left"
    left.mkdir()
    (left / "image.png").write_bytes(b"x")
    links = store.incoming() / "links to old files"
    links.mkdir()
    (links / "image.png").write_bytes(b"x")
    age(links / "image.png")
    (store.incoming() / "young").write_bytes(b"x")
    for path in (old, in_use, left / "image.png", left):
        age(path)
    report = sweep(database, store, grace_seconds=GRACE_SECONDS)
    assert report.deleted_incoming == 2
    left_alone = {"in use", "links to old files", "young"}
    assert {path.name for path in store.incoming().iterdir()} == left_alone


def test_blob_put_again_while_the_sweep_runs_stays(
    database: Database,
    scenes: SceneStore,
    store: Blobs,
    scene_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sha256 = put_old(store, "image")
    delete = store.delete

    def put_first(sha256: str, *, unless_put_since: float | None = None) -> bool:
        store.put_bytes(b"image")
        return delete(sha256, unless_put_since=unless_put_since)

    monkeypatch.setattr(store, "delete", put_first)
    assert sweep(database, store, grace_seconds=GRACE_SECONDS).deleted_blobs == 0
    scenes.put_file(scene_id, record(sha256))
    assert store.read(sha256) == b"image"


def test_blob_stored_after_the_list_was_made_is_not_missing(
    database: Database,
    scenes: SceneStore,
    store: Blobs,
    scene_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    iterate = store.iterate

    def put_afterwards() -> object:
        yield from list(iterate())
        scenes.put_file(scene_id, record(store.put_bytes(b"new")))

    monkeypatch.setattr(store, "iterate", put_afterwards)
    assert sweep(database, store, grace_seconds=GRACE_SECONDS) == NOTHING


def test_uploads_lose_nothing_to_sweeps(
    database: Database, scenes: SceneStore, store: Blobs, scene_id: str
) -> None:
    contents = [f"image {number}" for number in range(10)]
    for content in contents:
        put_old(store, content)
    is_done = threading.Event()
    reports: list[SweepReport] = []

    def keep_sweeping() -> None:
        while not is_done.is_set():
            reports.append(sweep(database, store, grace_seconds=GRACE_SECONDS))

    sweeper = threading.Thread(target=keep_sweeping)
    sweeper.start()
    try:
        for content in contents:
            sha256 = store.put_bytes(content.encode())
            scenes.put_file(scene_id, record(sha256))
            assert store.read(sha256) == content.encode()
            scenes.delete_file(scene_id, "a.jpg")
    finally:
        is_done.set()
        sweeper.join()
    assert all(report.missing_blobs == () for report in reports)


def test_jobs_of_deleted_scenes_are_kept_for_a_week(
    database: Database,
    scenes: SceneStore,
    jobs: JobStore,
    store: Blobs,
    scene_id: str,
    clock: Clock,
) -> None:
    kept, _ = jobs.submit(OWNER, scene_id, "build", {}, dedupe_key="k")
    jobs.cancel(OWNER, kept.id)
    deleted = scenes.create(OWNER, "deleted").id
    job, _ = jobs.submit(
        OWNER, deleted, "build", {}, dedupe_key="k", idempotency_key="mine"
    )
    scenes.delete(OWNER, deleted)
    clock.advance(days=6)
    sweep(database, store, grace_seconds=GRACE_SECONDS)
    assert jobs.get(OWNER, job.id) is not None
    clock.advance(days=2)
    sweep(database, store, grace_seconds=GRACE_SECONDS)
    assert jobs.get(OWNER, job.id) is None
    assert jobs.get(OWNER, kept.id) is not None


def test_remote_store_is_swept_too(
    scenes: SceneStore, database: Database, s3_url: str, tmp_path: Path, scene_id: str
) -> None:
    store = Blobs(s3_url, tmp_path / "cache", 10**6)
    named, orphan = store.put_bytes(b"named"), store.put_bytes(b"orphan")
    scenes.put_file(scene_id, record(named))
    assert sweep(database, store, grace_seconds=GRACE_SECONDS) == NOTHING
    report = sweep(database, store, grace_seconds=-60)  # as if put long ago
    assert (report.deleted_blobs, report.deleted_bytes) == (1, 6)
    assert store.exists(named)
    assert not store.exists(orphan)
    assert store.cached_bytes() == 5
