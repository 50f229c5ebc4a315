"""Putting files in place so that they are whole or absent, even after a power cut.

And locks by blob that hold between threads and between processes of one machine.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path

from nvs_server.storage.errors import StorageFull

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def full_disk_reported(where: str) -> Generator[None]:
    """Turn "no space left" and "over quota" errors into `StorageFull`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(where) from error
        raise


def write_temporary(folder: Path, chunks: Iterable[bytes]) -> tuple[Path, str]:
    """Write chunks to a new file in `folder`; on any error nothing is left of it.

    Returns:
        The file and the digest of what was written.
    """
    descriptor, name = tempfile.mkstemp(dir=folder)
    path = Path(name)
    digest = hashlib.sha256()
    try:
        with os.fdopen(descriptor, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path, digest.hexdigest()


def move_into_place(path: Path, target: Path, temporary_folder: Path) -> None:
    """Make a finished file `target`, as of now, synced with its folder.

    An old `target` is replaced. `path` may be on another file system than `target`;
    `temporary_folder` must be on the target's. If the disk is full `path` is left.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sync(target.parent.parent)
    os.utime(path)
    sync(path)
    try:
        os.replace(path, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_into_place(path, target, temporary_folder)
        path.unlink()
    sync(target.parent)


def _copy_into_place(path: Path, target: Path, temporary_folder: Path) -> None:
    descriptor, name = tempfile.mkstemp(dir=temporary_folder)
    os.close(descriptor)
    copy = Path(name)
    try:
        shutil.copyfile(path, copy)
        sync(copy)
        os.replace(copy, target)
    except BaseException:
        copy.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> bool:
    """Remove a file; False if it was not there."""
    with suppress(FileNotFoundError):
        path.unlink()
        return True
    return False


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
