"""What was read from the database, for as long as nothing in it has changed.

A render needs its caller's key and its scene: with both remembered it touches neither
a thread nor the database.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from nvs_server.storage.database import Database

MAX_VALUES = 4096
"""Beyond it everything is forgotten."""

Value = TypeVar("Value")


class Memo(Generic[Value]):
    """Values by key, all forgotten at the next commit of anyone, this process or not.

    So they are never older than a question to the database would be. Where the database
    has no `version`, nothing is kept. Thread-safe.

    Args:
        database: What the values are read from.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._version: int | None = None
        self._values: dict[Hashable, Value] = {}

    def recall(self, key: Hashable) -> Value | None:
        """The value if it is still good, without asking the database; else None."""
        version = self._database.version()
        with self._lock:
            if version is None or version != self._version:
                return None
            return self._values.get(key)

    def keep(self, key: Hashable, read: Callable[[], Value]) -> Value:
        """Read a value, and keep it if nothing changed meanwhile."""
        before = self._database.version()
        value = read()
        if before is None or before != self._database.version():
            return value
        with self._lock:
            if before != self._version or len(self._values) >= MAX_VALUES:
                self._values.clear()
                self._version = before
            self._values[key] = value
        return value
