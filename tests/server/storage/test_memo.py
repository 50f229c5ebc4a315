"""What is remembered of the database is never older than the database."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from nvs_server.storage import memo
from nvs_server.storage.database import Database
from nvs_server.storage.keys import KeyStore
from nvs_server.storage.memo import DataVersion, Memo
from nvs_server.storage.records import KeyRecord
from nvs_server.storage.scenes import SceneStore


def make_key(database: Database, name: str = "a key") -> tuple[KeyRecord, str]:
    return KeyStore(database).create(name=name, owner="owner", scopes=["render"])


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'nvs.db'}"


@pytest.fixture
def database(url: str) -> Generator[Database]:
    made = Database(url)
    made.migrate()
    yield made
    made.dispose()


@pytest.fixture
def other(url: str, database: Database) -> Generator[Database]:
    """The same file, as another process has it."""
    made = Database(url)
    yield made
    made.dispose()


def test_version_changes_with_every_commit(database: Database, other: Database) -> None:
    first = database.version()
    assert first is not None
    assert database.version() == first
    make_key(database)
    second = database.version()
    assert second != first
    make_key(other)
    assert database.version() not in (first, second)


def test_version_of_no_file_is_none(tmp_path: Path) -> None:
    version = DataVersion(str(tmp_path / "no" / "such" / "folder.db"))
    assert version.read() is None
    version.close()


def test_value_is_read_once_while_nothing_changes(database: Database) -> None:
    values: Memo[str] = Memo(database.version)
    assert values.recall("a") is None
    assert values.keep("a", lambda: "read") == "read"
    assert values.recall("a") == "read"
    assert values.recall("b") is None


def test_commit_of_another_process_forgets(database: Database, other: Database) -> None:
    values: Memo[str] = Memo(database.version)
    values.keep("a", lambda: "old")
    make_key(other)
    assert values.recall("a") is None
    values.keep("b", lambda: "new")
    assert values.recall("a") is None, "an older value came back"
    assert values.recall("b") == "new"


def test_value_read_during_a_commit_is_not_kept(database: Database) -> None:
    values: Memo[str] = Memo(database.version)

    def read() -> str:
        make_key(database)
        return "before or after, who knows"

    values.keep("a", read)
    assert values.recall("a") is None


def test_memo_is_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "MAX_VALUES", 2)
    values: Memo[int] = Memo(database.version)
    for number in range(3):
        values.keep(number, lambda number=number: number)
    assert [values.recall(number) for number in range(3)] == [None, None, 2]


def test_key_revoked_by_another_process_is_not_recalled(
    database: Database, other: Database
) -> None:
    keys = KeyStore(database)
    assert keys.recall_any() is None
    assert not keys.any()
    assert keys.recall_any() is False
    record, secret = make_key(database)
    assert keys.find(secret) is not None
    recalled = keys.recall(secret)
    assert recalled is not None
    assert recalled.id == record.id
    KeyStore(other).revoke(record.id)
    assert keys.recall(secret) is None
    assert keys.find(secret) is None
    assert keys.recall(secret) is None


def test_scene_deleted_by_another_process_is_not_recalled(
    database: Database, other: Database
) -> None:
    scenes = SceneStore(database)
    made = scenes.create("owner", "chair")
    assert scenes.recall("owner", made.id) is None
    scenes.get("owner", made.id)
    assert scenes.recall("owner", made.id) == made
    assert scenes.recall("someone else", made.id) is None
    SceneStore(other).delete("owner", made.id)
    assert scenes.recall("owner", made.id) is None
    assert scenes.get("owner", made.id) is None
