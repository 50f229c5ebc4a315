"""Files by their digest, in a folder or an object store.

A blob's key is its SHA-256 in hexadecimal, as `ab/cdef…`. Its bytes never change; to
put it again only renews its time, which keeps it from a sweep that is under way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from nvs.files import file_sha256
from nvs_server.storage.blob_cache import BlobCache
from nvs_server.storage.durable import (
    BlobLocks,
    full_disk_reported,
    move_into_place,
    remove,
    write_temporary,
)
from nvs_server.storage.errors import BlobDamaged, BlobMissing
from nvs_server.storage.objects import (
    BlobInfo,
    ObjectBlobs,
    blob_key,
    local_folder,
    open_store,
)

T = TypeVar("T")


class Blobs:
    """Content-addressed files, safe for threads, and for processes of one machine.

    Args:
        url: A folder, file:///folder, s3://bucket/prefix or gs://bucket/prefix.
            Credentials and endpoints come from the environment (AWS_ACCESS_KEY_ID,
            AWS_ENDPOINT, GOOGLE_APPLICATION_CREDENTIALS, …).
        cache_folder: Where blobs of a remote store are kept for local reading.
        cache_bytes: How much of them, the least recently used dropped first.

    Raises:
        ConfigError: If the URL is of no supported kind.
    """

    def __init__(self, url: str | Path, cache_folder: Path, cache_bytes: int) -> None:
        self._objects = ObjectBlobs(open_store(url))
        self._root = local_folder(url)
        base = cache_folder if self._root is None else self._root
        self._incoming = base / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._locks = BlobLocks(base / "locks")
        self._cache = (
            BlobCache(cache_folder, self._incoming, limit_bytes=cache_bytes)
            if self._root is None
            else None
        )

    def incoming(self) -> Path:
        """The folder for uploads in progress, on the file system of local blobs."""
        return self._incoming

    def put_file(self, path: Path, sha256: str) -> None:
        """Take over a finished file; `path` is gone afterwards.

        Args:
            path: Best in `incoming()`, so that it need not be copied.
            sha256: Its digest, as computed while it was written.

        Raises:
            StorageFull: If the disk is full; `path` is still there then.
            StorageUnavailable: If a remote store does not answer; likewise.
        """
        with full_disk_reported("the blob store"), self._locks.shared(sha256):
            if self._root is not None:
                target = self._root / blob_key(sha256)
                move_into_place(path, target, self._incoming)
                return
            self._objects.put(path, sha256)
        if self._cache is not None:
            self._cache.use(sha256, lambda: path, lambda copy: copy)
            remove(path)

    def put_bytes(self, data: bytes) -> str:
        """Store bytes.

        Returns:
            Their digest.

        Raises:
            StorageFull, StorageUnavailable: As `put_file`; nothing is left behind.
        """
        with full_disk_reported("the blob store"):
            path, sha256 = write_temporary(self._incoming, [data])
        try:
            self.put_file(path, sha256)
        finally:
            remove(path)
        return sha256

    def open(self, sha256: str) -> BinaryIO:
        """The blob as a seekable file, fetched first from a remote store.

        Raises:
            BlobMissing, BlobDamaged, StorageFull, StorageUnavailable: As `local_path`.
        """
        return self._use(sha256, lambda path: path.open("rb"))

    def read(self, sha256: str) -> bytes:
        """The whole blob, checked against its digest.

        Raises:
            BlobMissing, BlobDamaged, StorageFull, StorageUnavailable: As `local_path`.
        """
        with self.open(sha256) as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise BlobDamaged(sha256)
        return data

    def stream(
        self, sha256: str, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """A part of the blob in chunks, straight from the store and unchecked.

        Args:
            sha256: Which blob.
            start: First byte, less than the blob's size unless that is 0.
            end: One past the last byte, more than `start`; None for the blob's end.

        Raises:
            BlobMissing, StorageUnavailable: At once, before the first chunk is asked.
        """
        return self._objects.chunks(sha256, start, end)

    def local_path(self, sha256: str) -> Path:
        """The blob as a local file: itself, or a verified copy in the cache.

        A copy may be dropped once others are fetched, though not within the next
        seconds: open it at once. Only reading is allowed.

        Raises:
            BlobMissing: If it is not in the store.
            BlobDamaged: If the remote store's bytes have another digest.
            StorageFull: If the cache's disk is full.
            StorageUnavailable: If a remote store does not answer.
        """
        return self._use(sha256, lambda path: path)

    def exists(self, sha256: str) -> bool:
        """Whether the blob is in the store.

        Raises:
            StorageUnavailable: If a remote store does not answer.
        """
        return self._objects.modified_seconds(sha256) is not None

    def verify(self, sha256: str) -> None:
        """Read the whole blob; a damaged copy in the cache is fetched anew.

        Raises:
            BlobMissing, BlobDamaged, StorageFull, StorageUnavailable: As `local_path`.
        """
        if file_sha256(self.local_path(sha256)) == sha256:
            return
        if self._cache is None:
            raise BlobDamaged(sha256)
        self._cache.drop(sha256)
        self.local_path(sha256)

    def delete(self, sha256: str, *, unless_put_since: float | None = None) -> bool:
        """Remove a blob from the store and the cache.

        Args:
            sha256: Which.
            unless_put_since: Seconds since 1970; a blob put then or later is left.

        Returns:
            Whether it was removed.

        Raises:
            StorageUnavailable: If a remote store does not answer.
        """
        with self._locks.exclusive(sha256):
            modified_seconds = self._objects.modified_seconds(sha256)
            if modified_seconds is None:
                return False
            if unless_put_since is not None and modified_seconds >= unless_put_since:
                return False
            self._objects.remove(sha256)
        if self._cache is not None:
            self._cache.drop(sha256)
        return True

    def iterate(self) -> Iterator[BlobInfo]:
        """Every blob in the store, in no order.

        Raises:
            StorageUnavailable: If a remote store does not answer.
        """
        return self._objects.iterate()

    def cached_bytes(self) -> int:
        """Bytes in the cache of a remote store; 0 for a local store."""
        return 0 if self._cache is None else self._cache.num_bytes()

    def _use(self, sha256: str, then: Callable[[Path], T]) -> T:
        if self._cache is not None:
            with full_disk_reported("the blob cache"):
                return self._cache.use(sha256, lambda: self._fetch(sha256), then)
        assert self._root is not None
        path = self._root / blob_key(sha256)
        try:
            path.stat()
            return then(path)
        except FileNotFoundError as error:
            raise BlobMissing(sha256) from error

    def _fetch(self, sha256: str) -> Path:
        path, found = write_temporary(self._incoming, self._objects.chunks(sha256))
        if found != sha256:
            remove(path)
            raise BlobDamaged(sha256)
        return path
