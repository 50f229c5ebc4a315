"""Blobs as objects of an obstore store, local or remote, with our errors."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from nvs.errors import ConfigError
from nvs_server.storage.errors import BlobMissing, StorageUnavailable

if TYPE_CHECKING:
    from obstore import GetResult

CHUNK_BYTES = 1 << 20
MAX_RETRIES = 4
_KEY = re.compile(r"([0-9a-f]{2})/([0-9a-f]{62})")


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobInfo:
    """A stored blob: digest, size, and when it was last put (seconds since 1970)."""

    sha256: str
    num_bytes: int
    modified_seconds: float


def local_folder(url: str | Path) -> Path | None:
    """The folder that a path or file:// URL names; None for a remote store's URL."""
    if isinstance(url, Path):
        return url.absolute()
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return None if "://" in url else Path(url).absolute()


def open_store(url: str | Path) -> ObjectStore:
    """The store of a folder (made if needed) or URL.

    Raises:
        ConfigError: If the URL is of no supported kind.
    """
    folder = local_folder(url)
    if folder is not None:
        return LocalStore(folder, mkdir=True)
    scheme = urlsplit(str(url)).scheme
    if scheme not in ("s3", "gs"):
        raise _config_error(f"{scheme}:// is not supported")
    try:
        return from_url(
            str(url),
            retry_config={
                "max_retries": MAX_RETRIES,
                "retry_timeout": timedelta(seconds=30),
            },
        )
    except BaseError as error:
        raise _config_error(_first_line(error)) from error


def blob_key(sha256: str) -> str:
    """Where a blob is in its store: `ab/cdef…`."""
    key = f"{sha256[:2]}/{sha256[2:]}"
    if _KEY.fullmatch(key) is None:
        raise ValueError(f"{sha256!r} is no SHA-256 in lower-case hexadecimal")
    return key


class ObjectBlobs:
    """An obstore store of blobs.

    Every method raises `StorageUnavailable` if the store does not answer.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(self, path: Path, sha256: str) -> None:
        """Upload a file."""
        with _our_errors(sha256):
            obstore.put(self._store, blob_key(sha256), path)

    def modified_seconds(self, sha256: str) -> float | None:
        """When the blob was last put, in seconds since 1970; None if not there."""
        try:
            with _our_errors(sha256):
                found = obstore.head(self._store, blob_key(sha256))
        except BlobMissing:
            return None
        return found["last_modified"].timestamp()

    def chunks(
        self, sha256: str, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """Bytes `start` to `end` (exclusive; None for the end).

        Raises:
            BlobMissing: At once, before the first chunk is asked for.
        """
        key = blob_key(sha256)
        with _our_errors(sha256):
            if end is not None:
                found = obstore.get(self._store, key, options={"range": (start, end)})
            elif start:
                found = obstore.get(
                    self._store, key, options={"range": {"offset": start}}
                )
            else:
                found = obstore.get(self._store, key)
        return _chunks(found, sha256)

    def remove(self, sha256: str) -> None:
        """Delete the blob.

        Raises:
            BlobMissing: If a local store has none.
        """
        with _our_errors(sha256):
            obstore.delete(self._store, blob_key(sha256))

    def iterate(self) -> Iterator[BlobInfo]:
        """Every blob, in no order; other objects of the store are passed over."""
        try:
            for page in obstore.list(self._store):
                for item in page:
                    if found := _KEY.fullmatch(item["path"]):
                        yield BlobInfo(
                            sha256=found[1] + found[2],
                            num_bytes=item["size"],
                            modified_seconds=item["last_modified"].timestamp(),
                        )
        except (BaseError, FileNotFoundError) as error:
            raise _unavailable(error) from error


def _chunks(found: GetResult, sha256: str) -> Iterator[bytes]:
    with _our_errors(sha256):
        for chunk in found.stream(CHUNK_BYTES):
            yield bytes(chunk)


@contextmanager
def _our_errors(sha256: str) -> Generator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise BlobMissing(sha256) from error
    except BaseError as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> StorageUnavailable:
    return StorageUnavailable("the blob store", _first_line(error))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _config_error(problem: str) -> ConfigError:
    return ConfigError(
        f"the blob store's URL cannot be used: {problem}",
        remedy="Give a folder, s3://bucket/prefix or gs://bucket/prefix.",
    )
