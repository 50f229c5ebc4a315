"""A number that tells whether anything in a SQLite file has changed."""

from __future__ import annotations

import sqlite3
import threading


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
