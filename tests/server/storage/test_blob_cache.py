"""The cache of a remote store, which is a folder behind a stand-in here."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nvs_server.storage import blobs as blobs_module
from nvs_server.storage.blob_cache import JUST_USED_SECONDS, BlobCache
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.errors import BlobDamaged, StorageFull
from tests.server.storage.conftest import at_once, digest


class Remote:
    """A remote store in memory that counts what is fetched from it."""

    def __init__(self, _: object = None) -> None:
        self.stored: dict[str, bytes] = {}
        self.num_fetched = 0
        self.may_fetch = threading.Event()
        self.may_fetch.set()

    def put(self, path: Path, sha256: str) -> None:
        self.stored[sha256] = path.read_bytes()

    def chunks(self, sha256: str) -> Iterator[bytes]:
        self.num_fetched += 1
        self.may_fetch.wait()
        yield self.stored[sha256]


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Remote:
    remote = Remote()
    monkeypatch.setattr(blobs_module, "ObjectBlobs", lambda _: remote)
    return remote


def store(folder: Path, cache_bytes: int = 1000) -> Blobs:
    return Blobs("s3://bucket", folder, cache_bytes)


def add(remote: Remote, name: str, num_bytes: int) -> str:
    data = name.encode().ljust(num_bytes)
    sha256 = digest(data.decode())
    remote.stored[sha256] = data
    return sha256


def rest(path: Path) -> None:
    """Let a copy's last use be long ago."""
    used_seconds = path.stat().st_mtime - JUST_USED_SECONDS - 1
    os.utime(path, (used_seconds, used_seconds))


def test_blob_is_fetched_once(remote: Remote, tmp_path: Path) -> None:
    sha256 = add(remote, "a", 100)
    blobs = store(tmp_path)
    paths = {blobs.local_path(sha256) for _ in range(3)}
    paths.add(store(tmp_path).local_path(sha256))
    assert len(paths) == 1
    assert remote.num_fetched == 1
    assert blobs.cached_bytes() == 100


def test_threads_share_one_fetch(remote: Remote, tmp_path: Path) -> None:
    sha256 = add(remote, "a", 100)
    stores = [store(tmp_path) for _ in range(2)]
    remote.may_fetch.clear()
    others_ask = threading.Barrier(9, action=remote.may_fetch.set)

    def read(index: int) -> bytes:
        if index > 0:
            others_ask.wait()
        return stores[index % 2].read(sha256)

    results = at_once(10, read)
    assert results == [remote.stored[sha256]] * 10
    assert remote.num_fetched == 1


def test_least_recently_used_is_dropped(remote: Remote, tmp_path: Path) -> None:
    blobs = store(tmp_path, cache_bytes=250)
    first, second, third = (add(remote, name, 100) for name in "abc")
    for sha256 in (first, second):
        rest(blobs.local_path(sha256))
    rest(blobs.local_path(first))  # twice as long ago as second
    rest(blobs.local_path(first))
    blobs.local_path(second)
    rest(blobs.local_path(second))
    blobs.local_path(third)
    assert blobs.cached_bytes() == 200
    fetched = remote.num_fetched
    blobs.local_path(third)
    blobs.local_path(second)
    assert remote.num_fetched == fetched
    blobs.local_path(first)
    assert remote.num_fetched == fetched + 1


def test_copy_just_handed_out_is_not_dropped(remote: Remote, tmp_path: Path) -> None:
    blobs = store(tmp_path, cache_bytes=150)
    first, second, third = (add(remote, name, 100) for name in "abc")
    path = blobs.local_path(first)
    blobs.local_path(second)
    assert path.exists()
    rest(path)
    blobs.local_path(third)
    assert not path.exists()


def test_copy_in_use_is_not_dropped(tmp_path: Path) -> None:
    cache = BlobCache(tmp_path, tmp_path, limit_bytes=1000)
    sha256 = digest("a")
    dropper = threading.Thread(target=cache.drop, args=[sha256])

    def fetch() -> Path:
        path = tmp_path / "fetched"
        path.write_bytes(b"a")
        return path

    def use(path: Path) -> bool:
        dropper.start()
        dropper.join(timeout=0.2)
        return path.exists()

    cache.use(sha256, fetch, lambda path: path)
    assert cache.use(sha256, fetch, use)
    dropper.join()
    assert cache.num_bytes() == 0


def test_blob_larger_than_the_cache_is_still_handed_out(
    remote: Remote, tmp_path: Path
) -> None:
    blobs = store(tmp_path, cache_bytes=10)
    assert blobs.read(add(remote, "a", 100)).startswith(b"a")


def test_what_is_put_is_in_the_cache(remote: Remote, tmp_path: Path) -> None:
    blobs = store(tmp_path)
    sha256 = blobs.put_bytes(b"x" * 100)
    assert blobs.read(sha256) == remote.stored[sha256]
    blobs.put_bytes(b"x" * 100)
    assert remote.num_fetched == 0
    assert list(blobs.incoming().iterdir()) == []


def test_damaged_remote_blob_is_found_as_it_is_fetched(
    remote: Remote, tmp_path: Path
) -> None:
    sha256 = add(remote, "a", 100)
    remote.stored[sha256] = b"cut short"
    blobs = store(tmp_path)
    with pytest.raises(BlobDamaged, match=sha256):
        blobs.local_path(sha256)
    assert blobs.cached_bytes() == 0
    assert list(blobs.incoming().iterdir()) == []


def test_damaged_copy_is_fetched_anew(remote: Remote, tmp_path: Path) -> None:
    sha256 = add(remote, "a", 100)
    blobs = store(tmp_path)
    blobs.local_path(sha256).write_bytes(b"damaged")
    blobs.verify(sha256)
    assert blobs.read(sha256) == remote.stored[sha256]
    assert remote.num_fetched == 2


def test_full_disk_of_the_cache(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = add(remote, "a", 100)
    blobs = store(tmp_path)

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageFull, match="no space is left for the blob cache"):
        blobs.local_path(sha256)
    monkeypatch.undo()
    assert blobs.cached_bytes() == 0
    assert list(blobs.incoming().iterdir()) == []


def test_threads_with_a_small_cache_always_read_whole_blobs(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nvs_server.storage.blob_cache.JUST_USED_SECONDS", 0)
    stores = [store(tmp_path, cache_bytes=250) for _ in range(2)]
    names = [add(remote, str(number), 100) for number in range(8)]

    def read_all(index: int) -> bool:
        in_turn = names[index:] + names[:index]
        return all(
            stores[index % 2].read(name) == remote.stored[name] for name in 5 * in_turn
        )

    assert at_once(8, read_all) == [True] * 8
    assert remote.num_fetched > len(names)
