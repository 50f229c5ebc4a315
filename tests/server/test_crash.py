"""Whatever process is killed, the server keeps what it promised."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nvs_server.storage.blobs import Blobs
from nvs_server.storage.database import Database
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.objects import blob_key
from nvs_server.storage.records import FileRecord
from nvs_server.storage.scenes import SceneStore
from trials.crash.invariants import Disk
from trials.crash.ledger import Books, Job, Scene
from trials.crash.report import Report
from trials.crash.trial import DECK, Trial


def check(report: Report) -> None:
    assert not report.violations, str(report)
    assert report.exit_code == 0
    for kind in set(DECK):
        assert report.of_kind(kind), str(report)
    answers = report.books.answers
    assert answers["make scene"], str(report)
    assert answers["upload image"] + answers["upload dataset"], str(report)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_few_kills_break_no_promise(tmp_path: Path) -> None:
    """With this seed they are two of each kind."""
    check(Trial(tmp_path, seed=122, kills=6, limit_seconds=400).run())


@pytest.mark.slow
@pytest.mark.timeout(2 * 3600)
def test_two_hundred_kills_break_no_promise(tmp_path: Path) -> None:
    report = Trial(tmp_path, seed=1, kills=200, limit_seconds=3600).run()
    check(report)
    states = {job.final for job in report.books.jobs.values()}
    assert "succeeded" in states, str(report)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a scene of one file, and a job for it."""
    database = Database(f"sqlite:///{tmp_path / 'nvs.sqlite'}")
    database.migrate()
    blobs = Blobs(tmp_path / "blobs", tmp_path / "cache", 0)
    sha256 = blobs.put_bytes(b"picture")
    scenes, jobs = SceneStore(database), JobStore(database)
    scene = scenes.create("local", "chair")
    file = FileRecord(
        path="a.png", kind="image", sha256=sha256, num_bytes=7, height=1, width=1
    )
    scenes.put_file(scene.id, file)
    jobs.submit(
        *("local", scene.id, "build", {}), dedupe_key="same", idempotency_key="key"
    )
    database.dispose()
    return tmp_path


@pytest.fixture
def books(folder: Path) -> Books:
    """What was promised about it."""
    (scene_id,) = rows(folder, "SELECT id FROM scenes")
    (job_id,) = rows(folder, "SELECT id FROM jobs")
    (sha256,) = rows(folder, "SELECT sha256 FROM scene_files")
    return Books(
        names={"chair"},
        scenes={scene_id: Scene("chair", files=[{"a.png": sha256}])},
        jobs={job_id: Job("build", scene_id)},
        keys={"key": job_id},
    )


def rows(folder: Path, query: str) -> list[str]:
    with closing(sqlite3.connect(folder / "nvs.sqlite")) as connection:
        found = [row[0] for row in connection.execute(query)]
        connection.commit()
    return found


def test_a_sound_disk_has_no_problems(folder: Path, books: Books) -> None:
    disk = Disk(folder)
    assert disk.problems(books) == []
    assert disk.sweep().missing_blobs == ()
    assert disk.leftovers() == []


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        ("DELETE FROM scenes", "is lost"),
        ("DELETE FROM scene_files", "has the files None"),
        ("UPDATE scenes SET name = 'table'", "nobody asked for"),
        ("UPDATE scenes SET state = 'ready'", "a state that they are not in"),
        ("DELETE FROM idempotency_keys", "answers with None"),
        ("DELETE FROM idempotency_keys", "without their idempotency key"),
        ("DELETE FROM jobs", "the job .* is lost"),
    ],
)
def test_a_broken_promise_is_found(
    folder: Path, books: Books, harm: str, problem: str
) -> None:
    rows(folder, harm)
    found = "\n".join(Disk(folder).problems(books))
    assert re.search(problem, found), found


def test_a_deleted_scene_that_is_back_is_found(folder: Path, books: Books) -> None:
    (scene,) = books.scenes.values()
    scene.deleted = scene.delete_asked = True
    (problem,) = Disk(folder).problems(books)
    assert "is back" in problem


def test_lost_damaged_and_unnamed_blobs_are_found(folder: Path, books: Books) -> None:
    disk = Disk(folder)
    (sha256,) = rows(folder, "SELECT sha256 FROM scene_files")
    blob = folder / "blobs" / blob_key(sha256)
    blob.write_bytes(b"altered")
    assert disk.problems(books) == [f"the blob {sha256} is damaged"]
    blob.rename(folder / "blobs" / "incoming" / "rest")
    assert disk.problems(books) == [f"the blob {sha256} is missing"]
    assert disk.leftovers() == ["incoming/rest"]
