"""Local copies of remote blobs, the least recently used dropped first.

The folder is the index: a copy's size and its time of last use are those of its file,
so that several processes share one cache and a restart finds it as it was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nvs_server.storage.durable import BlobLocks, move_into_place, remove
from nvs_server.storage.objects import blob_key

T = TypeVar("T")

JUST_USED_SECONDS = 10
"""A copy used this recently is kept: who asked for it may not have opened it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    path: Path
    num_bytes: int
    used_seconds: float


class BlobCache:
    """A byte-budgeted folder of blobs.

    Args:
        folder: Where the copies are, in its sub-folder "blobs"; made if needed.
        temporary_folder: On the same file system, for files in progress.
        limit_bytes: What all copies together may take. It is exceeded only by a single
            larger blob and by copies used within the last `JUST_USED_SECONDS`.
    """

    def __init__(
        self, folder: Path, temporary_folder: Path, *, limit_bytes: int
    ) -> None:
        self._folder = folder / "blobs"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._temporary_folder = temporary_folder
        self._limit_bytes = limit_bytes
        self._locks = BlobLocks(folder / "cache-locks")

    def use(
        self, sha256: str, fetch: Callable[[], Path], then: Callable[[Path], T]
    ) -> T:
        """Do something with the copy, which is not dropped meanwhile.

        Where there is no copy, the file that `fetch` makes becomes it; who asks for the
        same blob meanwhile waits and finds it.
        """
        path = self._path(sha256)
        with self._locks.shared(sha256):
            if _touch(path):
                return then(path)
        with self._locks.exclusive(sha256):
            if not _touch(path):
                self._adopt(fetch(), path)
            result = then(path)
        self._drop_old()
        return result

    def drop(self, sha256: str) -> None:
        """Remove the copy, if there is one."""
        with self._locks.exclusive(sha256):
            remove(self._path(sha256))

    def num_bytes(self) -> int:
        """Of all copies."""
        return sum(copy.num_bytes for copy in self._copies())

    def _path(self, sha256: str) -> Path:
        return self._folder / blob_key(sha256)

    def _adopt(self, fetched: Path, path: Path) -> None:
        try:
            move_into_place(fetched, path, self._temporary_folder)
        finally:
            remove(fetched)

    def _copies(self) -> Iterator[_Copy]:
        for path in self._folder.glob("*/*"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            yield _Copy(
                path=path, num_bytes=status.st_size, used_seconds=status.st_mtime
            )

    def _drop_old(self) -> None:
        copies = sorted(self._copies(), key=lambda copy: copy.used_seconds)
        excess_bytes = sum(copy.num_bytes for copy in copies) - self._limit_bytes
        for copy in copies:
            if excess_bytes <= 0:
                return
            with self._locks.exclusive(copy.path.parent.name):
                if _is_just_used(copy.path):
                    continue
                if remove(copy.path):
                    excess_bytes -= copy.num_bytes


def _touch(path: Path) -> bool:
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _is_just_used(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < JUST_USED_SECONDS
    except FileNotFoundError:
        return False
