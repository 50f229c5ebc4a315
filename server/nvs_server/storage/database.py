"""The database engine: one transaction a block, SQLite or PostgreSQL alike.

Writing blocks exclude each other where they would race: on SQLite each begins with
BEGIN IMMEDIATE; on PostgreSQL by row locks and, where what is read is not a row yet
(a count, an absence), by an advisory lock held until the commit. Locks are taken in the
order advisory lock, scene row, job rows, so that no two transactions wait for each
other.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from nvs.errors import ConfigError
from nvs_server.storage import migrations
from nvs_server.storage.errors import (
    InvalidText,
    StorageError,
    StorageFull,
    StorageUnavailable,
)
from nvs_server.storage.memo import DataVersion

BUSY_TIMEOUT_SECONDS = 30
MAX_CONNECTIONS = 48
SQLITE_CACHE_KIB = 256
"""Of pages, for each connection: the operating system caches the same file once."""
_SQLITE_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_IMMEDIATE = "nvs_begin_immediate"


def utc_now() -> datetime:
    """The present, timezone-aware."""
    return datetime.now(UTC)


class Database:
    """A SQLite file (WAL, every commit synced) or a PostgreSQL database.

    Args:
        url: sqlite:////absolute/path.db, or postgresql://user@host/name.
        clock: The present in UTC.

    Raises:
        ConfigError: If the URL is malformed or of another kind of database.
    """

    def __init__(self, url: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        parsed = _supported_url(url)
        self._clock = clock
        self._is_sqlite = parsed.get_backend_name() == "sqlite"
        self.engine = (
            _sqlite_engine(parsed)
            if self._is_sqlite
            else create_engine(
                parsed,
                pool_size=8,
                max_overflow=MAX_CONNECTIONS - 8,
                pool_use_lifo=True,
                pool_pre_ping=True,
            )
        )
        self._write_engine = self.engine.execution_options(**{_IMMEDIATE: True})
        self._version = DataVersion(str(parsed.database)) if self._is_sqlite else None

    def now(self) -> datetime:
        """The present, by this database's clock."""
        return self._clock()

    def migrate(self) -> None:
        """Create the tables, or bring those of an older version up to this one.

        Raises:
            ConfigError: If the tables are those of a newer version.
            StorageFull, StorageUnavailable: If the database cannot be written.
        """
        with _translated_errors(), self._write_engine.begin() as connection:
            if not self._is_sqlite:
                _advisory_lock(connection, "migrate")
            migrations.upgrade(connection)

    def dispose(self) -> None:
        """Close every connection."""
        if self._version is not None:
            self._version.close()
        self.engine.dispose()

    def version(self) -> int | None:
        """A number that changes with every commit of any process.

        None on PostgreSQL, which has no such number, and while there is no answer.
        """
        return None if self._version is None else self._version.read()

    @contextmanager
    def read(self) -> Generator[Session]:
        """One reading transaction.

        Raises:
            StorageUnavailable: If the database does not answer.
        """
        with _translated_errors(), Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Generator[Session]:
        """One writing transaction, committed unless the block raises.

        Raises:
            StorageFull: If the disk is full.
            StorageUnavailable: If the database does not answer.
            InvalidText: If a text holds what the database cannot.
        """
        with (
            _translated_errors(),
            Session(self._write_engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def guard(self, session: Session, name: str) -> None:
        """Wait until no other writing transaction holds this guard, then hold it."""
        if not self._is_sqlite:
            _advisory_lock(session.connection(), name)


def _supported_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _config_error("it is not a URL") from error
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise _config_error(f"{backend!r} is not supported")
    if parsed.database in (None, "", ":memory:"):
        raise _config_error("it names no file")
    return parsed


def _config_error(problem: str) -> ConfigError:
    return ConfigError(
        f"the database URL cannot be used: {problem}",
        remedy="Give sqlite:////absolute/path/nvs.db or "
        "postgresql://user:password@host/database.",
    )


def _sqlite_engine(url: URL) -> Engine:
    folder = Path(url.database or "").parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _config_error(f"cannot make the folder {folder}: {error}") from error
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        pool_size=8,
        max_overflow=MAX_CONNECTIONS - 8,
        pool_use_lifo=True,  # few connections warm their caches, not all in turn
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}").close()
    _switch_to_wal(connection)
    for pragma in (
        "synchronous = FULL",
        "foreign_keys = ON",
        f"cache_size = -{SQLITE_CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL, unless it is, once nobody else is using or switching it.

    The switch turns a read lock into a write lock: SQLite, to avoid a deadlock, never
    waits for that, whatever the busy timeout. BEGIN EXCLUSIVE waits.
    """
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:  # or a kind of it
                raise
            connection.execute("BEGIN EXCLUSIVE").close()
            connection.execute("COMMIT").close()
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get(_IMMEDIATE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _advisory_lock(connection: Connection, name: str) -> None:
    digest = hashlib.sha256(name.encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    connection.execute(select(func.pg_advisory_xact_lock(number)))


@contextmanager
def _translated_errors() -> Generator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise StorageUnavailable("the database", "every connection is busy") from error
    except UnicodeEncodeError as error:
        raise InvalidText(str(error.object)) from error
    except DBAPIError as error:
        translated = _translated(error.orig)
        if translated is None:
            raise
        raise translated from error


def _translated(cause: Any) -> StorageError | None:
    """What a driver's error means to the caller; None for a mistake of ours."""
    if isinstance(cause, sqlite3.DatabaseError):
        if cause.sqlite_errorcode == sqlite3.SQLITE_FULL:
            return StorageFull("the database")
        is_damaged = cause.sqlite_errorcode in _SQLITE_DAMAGED
        if is_damaged or isinstance(cause, sqlite3.OperationalError):
            return StorageUnavailable("the database", str(cause))
    if isinstance(cause, psycopg.errors.DiskFull):
        return StorageFull("the database")
    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return StorageUnavailable("the database", str(cause).strip())
    if isinstance(cause, psycopg.DataError):
        return InvalidText(str(cause))
    return None
