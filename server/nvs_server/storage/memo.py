"""What was read from the database, for as long as nothing in it has changed.

A render needs its caller's key and its scene: with both remembered it touches neither
a thread nor the database.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

MAX_VALUES = 4096
"""Beyond it everything is forgotten."""


class DataVersion:
    """SQLite's `data_version`, asked on a connection of its own that never writes.

    That number leaves out the commits of the connection that asks, and no others.
    Thread-safe.

    Args:
        path: The database's file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def read(self) -> int | None:
        """The number now; None while the file cannot be read.

        It takes microseconds and waits for no other connection.
        """
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = sqlite3.connect(
                        self._path, timeout=0, check_same_thread=False
                    )
                (number,) = self._connection.execute("PRAGMA data_version").fetchone()
            except sqlite3.Error:
                return None
            return int(number)

    def close(self) -> None:
        """Close the connection; the next reading opens another."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


Value = TypeVar("Value")


class Memo(Generic[Value]):
    """Values by key, all forgotten at the next commit of anyone, this process or not.

    So they are never older than a question to the database would be. Where the database
    has no version, nothing is kept. Thread-safe.

    Args:
        version_now: `Database.version` of what the values are read from.
    """

    def __init__(self, version_now: Callable[[], int | None]) -> None:
        self._version_now = version_now
        self._lock = threading.Lock()
        self._version: int | None = None
        self._values: dict[Hashable, Value] = {}

    def recall(self, key: Hashable) -> Value | None:
        """The value if it is still good, without asking the database; else None."""
        version = self._version_now()
        with self._lock:
            if version is None or version != self._version:
                return None
            return self._values.get(key)

    def keep(self, key: Hashable, read: Callable[[], Value]) -> Value:
        """Read a value, and keep it if nothing changed meanwhile."""
        before = self._version_now()
        value = read()
        if before is None or before != self._version_now():
            return value
        with self._lock:
            if before != self._version or len(self._values) >= MAX_VALUES:
                self._values.clear()
                self._version = before
            self._values[key] = value
        return value
