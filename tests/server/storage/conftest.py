"""Databases to run the same laws on, and small helpers to fill them."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
from sqlalchemy import text

from nvs.api.cameras import IDENTITY, PosedCamera
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.database import Database
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.keys import KeyStore
from nvs_server.storage.records import BuiltScene, FileRecord, InputRecord, SceneFile
from nvs_server.storage.scenes import SceneStore
from nvs_server.storage.tables import Base

T = TypeVar("T")
OWNER = "anna"
CAMERA = PosedCamera(world_from_camera=IDENTITY, fx=1.5, fy=1 / 3, cx=2, cy=2)


class Clock:
    """A clock that the test moves; every look at it is a microsecond later."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self._now = datetime(2030, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        with self._lock:
            self._now += timedelta(microseconds=1)
            return self._now

    def advance(self, **span: float) -> None:
        with self._lock:
            self._now += timedelta(**span)


@pytest.fixture(scope="session")
def shared_clock() -> Clock:
    return Clock()


@pytest.fixture
def clock(shared_clock: Clock) -> Clock:
    shared_clock.reset()
    return shared_clock


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'nvs.db'}"
    url: str = request.getfixturevalue("postgres_url")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS empty WITH (FORCE)")
        connection.execute("CREATE DATABASE empty")
    return url.replace("/postgres?", "/empty?")


@pytest.fixture(scope="session")
def postgres_database(postgres_url: str, shared_clock: Clock) -> Iterator[Database]:
    database = Database(postgres_url, clock=shared_clock)
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a migrated, empty SQLite database."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.dispose()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> Iterator[Database]:
    """A migrated, empty database."""
    if request.param == "sqlite":
        path = tmp_path / "nvs.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        database = Database(f"sqlite:///{path}", clock=clock)
        yield database
        database.dispose()
        return
    database = request.getfixturevalue("postgres_database")
    with database.write() as session:
        session.execute(text(f"TRUNCATE {', '.join(Base.metadata.tables)}"))
    yield database


@pytest.fixture(params=["local", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    """An empty store with room for everything in its cache."""
    if request.param == "local":
        return Blobs(tmp_path / "blobs", tmp_path / "cache", 10**9)
    return Blobs(request.getfixturevalue("s3_url"), tmp_path / "cache", 10**9)


@pytest.fixture
def keys(database: Database) -> KeyStore:
    return KeyStore(database)


@pytest.fixture
def scenes(database: Database) -> SceneStore:
    return SceneStore(database)


@pytest.fixture
def jobs(database: Database) -> JobStore:
    return JobStore(database, max_attempts=3)


@pytest.fixture
def scene_id(scenes: SceneStore) -> str:
    return scenes.create(OWNER, "chair").id


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def image(path: str, num_bytes: int = 10, content: str | None = None) -> FileRecord:
    return FileRecord(
        path=path,
        kind="image",
        sha256=digest(content or path),
        num_bytes=num_bytes,
        height=4,
        width=6,
    )


def cameras(path: str = "transforms.json", num_bytes: int = 5) -> FileRecord:
    return FileRecord(
        path=path, kind="cameras", sha256=digest(path), num_bytes=num_bytes
    )


def built(name: str = "scene", num_bytes: int = 1000) -> BuiltScene:
    file = SceneFile(
        sha256=digest(name),
        num_bytes=num_bytes,
        weights="obj_res256",
        model_digest=digest("model"),
        height=256,
        width=384,
        up=(0.0, 0.0, 1.0),
        unframed=False,
        num_views=2,
    )
    return BuiltScene(
        file=file,
        inputs=[
            InputRecord(
                index=index,
                name=f"{index}.jpg",
                camera=CAMERA,
                sha256=digest(f"{name} input {index}"),
                thumbnail_sha256=digest(f"{name} thumbnail {index}"),
            )
            for index in range(2)
        ],
    )


def at_once(num_threads: int, call: Callable[[int], T]) -> Sequence[T | Exception]:
    """Call in threads that start together; what each returned or raised."""
    barrier = threading.Barrier(num_threads)

    def run(index: int) -> Any:
        barrier.wait()
        try:
            return call(index)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(num_threads) as pool:
        return list(pool.map(run, range(num_threads)))
