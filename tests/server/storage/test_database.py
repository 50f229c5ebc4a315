from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, Table, inspect, text

from nvs.errors import ConfigError
from nvs_server.storage import migrations
from nvs_server.storage.database import Database
from nvs_server.storage.errors import InvalidText, StorageFull, StorageUnavailable
from nvs_server.storage.scenes import SceneStore
from nvs_server.storage.tables import Base
from tests.server.storage.conftest import OWNER, at_once


def test_migration_makes_what_the_tables_say(empty_url: str) -> None:
    database = Database(empty_url)
    database.migrate()
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
        assert set(inspect(connection).get_table_names()) > set(Base.metadata.tables)
    database.dispose()


def test_migrating_at_once_and_again_changes_nothing(empty_url: str) -> None:
    databases = [Database(empty_url) for _ in range(4)]
    assert at_once(4, lambda i: databases[i].migrate()) == [None] * 4
    scene = SceneStore(databases[0]).create(OWNER, "chair")
    databases[1].migrate()
    assert SceneStore(databases[1]).get(OWNER, scene.id) == scene
    for database in databases:
        database.dispose()


def test_file_that_another_program_writes_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "nvs.db"
    databases = [Database(f"sqlite:///{path}") for _ in range(4)]
    with closing(sqlite3.connect(path, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.2, other.commit).start()
        assert at_once(4, lambda i: databases[i].migrate()) == [None] * 4
    for database in databases:
        database.dispose()


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_older_tables_are_brought_up_with_what_they_hold(
    empty_url: str, revision: str
) -> None:
    database = Database(empty_url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        older_scene(connection, "a" * 26, {"weights": "w", "framing": "object"})
        older_scene(connection, "b" * 26, {"weights": "w", "framing": "auto"})
    database.migrate()
    scenes = SceneStore(database)
    framed, unsaid = (scenes.get(OWNER, one * 26) for one in "ab")
    assert framed is not None
    assert unsaid is not None
    for scene in (framed, unsaid):
        assert (scene.name, scene.tags, scene.state) == ("chair", ["red"], "ready")
        assert (scene.up, scene.held_out) == (None, None)
        assert (scene.num_images, scene.num_masks, scene.job_kind) == (2, 1, "build")
    assert (framed.unframed, unsaid.unframed) == (False, None)
    assert scenes.create(OWNER, "table", idempotency_key="k").name == "table"
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
    database.dispose()


def older_scene(connection: Connection, scene_id: str, parameters: Any) -> None:
    """A built scene, as tables of any revision have it."""

    def insert(into: str, **values: Any) -> None:
        table = Table(into, MetaData(), autoload_with=connection)
        connection.execute(table.insert().values(**values))

    now = datetime.now(UTC)
    times = {"created_at": now, "updated_at": now}
    insert(
        "scenes",
        id=scene_id,
        owner=OWNER,
        name="chair",
        state="ready",
        num_images=2,
        num_camera_files=1,
        input_bytes=1,
        scene_sha256="0" * 64,
        scene_bytes=1,
        job_id=scene_id,
        built_job_id=scene_id,
        **times,
    )
    for path in ("images/a.png", "masks/a.png"):
        insert(
            "scene_files",
            scene_id=scene_id,
            path=path,
            kind="image",
            sha256="0" * 64,
            num_bytes=1,
        )
    insert("scene_tags", scene_id=scene_id, tag="red", position=0)
    insert(
        "jobs",
        id=scene_id,
        owner=OWNER,
        scene_id=scene_id,
        kind="build",
        state="succeeded",
        revision=1,
        stage="storing",
        progress=1.0,
        attempts=1,
        parameters=parameters,
        result_bytes=0,
        **times,
    )


def test_newer_tables_are_refused(empty_url: str) -> None:
    database = Database(empty_url)
    database.migrate()
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=r"9999.*made by a newer version"):
        database.migrate()
    database.dispose()


def test_sqlite_is_durable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new' / 'nvs.db'}")
    with database.read() as session:
        values = {
            name: session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert values == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }
    database.dispose()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("nvs.db", "it is not a URL"),
        ("mysql://localhost/nvs", "'mysql' is not supported"),
        ("sqlite://", "it names no file"),
        ("sqlite:///:memory:", "it names no file"),
        ("sqlite:////dev/null/nvs.db", "cannot make the folder /dev/null"),
    ],
)
def test_unusable_urls_are_refused(url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=rf"{problem}.*Give sqlite:////absolute"):
        Database(url)


def test_times_are_utc_whatever_zone_they_came_in(
    database: Database, scenes: SceneStore
) -> None:
    expires_at = datetime(2031, 5, 1, 2, tzinfo=timezone(timedelta(hours=9)))
    made = scenes.create(OWNER, "chair", expires_at=expires_at)
    found = scenes.get(OWNER, made.id)
    assert found is not None
    assert found.expires_at == expires_at
    assert found.expires_at.utcoffset() == timedelta(0)
    assert found.created_at == made.created_at


def test_time_without_a_zone_is_a_mistake(scenes: SceneStore) -> None:
    with pytest.raises(Exception, match="has no time zone"):
        scenes.create(OWNER, "chair", expires_at=datetime(2031, 1, 1))


def test_block_that_raises_changes_nothing(
    database: Database, scenes: SceneStore, scene_id: str
) -> None:
    def rename_and_raise() -> None:
        with database.write() as session:
            session.execute(text("UPDATE scenes SET name = 'table'"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        rename_and_raise()
    scene = scenes.get(OWNER, scene_id)
    assert scene is not None
    assert scene.name == "chair"


def test_text_that_no_database_holds_is_refused(scenes: SceneStore) -> None:
    with pytest.raises(InvalidText, match="Leave out control characters"):
        scenes.create(OWNER, "half a pair: \ud800")


def test_full_disk_is_said_and_nothing_is_half_written(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'nvs.db'}")
    database.migrate()
    scenes = SceneStore(database)
    kept = scenes.create(OWNER, "kept")
    with database.read() as session:
        session.execute(text("PRAGMA max_page_count = 1"))  # as large as it is now

    def fill() -> None:
        for _ in range(1000):
            scenes.create(OWNER, "x" * 4000, tags=["lost"])

    with pytest.raises(StorageFull, match="no space is left for the database"):
        fill()
    assert (
        scenes.list(OWNER, tag="lost", limit=1000)[0]
        == scenes.list(OWNER, limit=1000)[0][:-1]
    )
    assert scenes.get(OWNER, kept.id) == kept
    database.dispose()


def test_database_that_is_down_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"postgresql://anna@/nvs?host={tmp_path}")
    with pytest.raises(StorageUnavailable, match=r"database does not answer. Try") as e:
        database.migrate()
    assert "No such file or directory" in e.value.reason
    assert str(tmp_path) not in str(e.value)


def test_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "nvs.db"
    path.write_bytes(b"not a database " * 1000)
    with pytest.raises(StorageUnavailable, match="database does not answer") as e:
        Database(f"sqlite:///{path}").migrate()
    assert e.value.reason == "file is not a database"


def test_postgres_that_restarts_is_reached_again(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.read() as session:
        own = session.scalar(text("SELECT pg_backend_pid()"))
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [own])
    with database.read() as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) != own
    database.dispose()


def test_no_torch_is_imported() -> None:
    modules = ("database", "keys", "scenes", "jobs", "blobs", "sweep")
    script = "import sys; " + "; ".join(
        f"import nvs_server.storage.{m}" for m in modules
    )
    subprocess.run(
        [sys.executable, "-c", f"{script}; assert 'torch' not in sys.modules"],
        check=True,
    )
