"""Locks by blob that hold between threads and between processes of one machine."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class BlobLocks:
    """Advisory locks, one file for each of the 256 first digest bytes.

    Args:
        folder: Where the lock files are; made if needed.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    @contextmanager
    def shared(self, sha256: str) -> Generator[None]:
        """Keep a blob from being removed."""
        with self._held(sha256, fcntl.LOCK_SH):
            yield

    @contextmanager
    def exclusive(self, sha256: str) -> Generator[None]:
        """Wait for every other holder, then keep them out."""
        with self._held(sha256, fcntl.LOCK_EX):
            yield

    @contextmanager
    def _held(self, sha256: str, operation: int) -> Generator[None]:
        path = self._folder / sha256[:2]
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, operation)
            yield
        finally:
            os.close(descriptor)
