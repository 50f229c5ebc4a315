"""Copies of a remote store are counted apart from everything that asks."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from nvs.assets import SAMPLE
from nvs_server.compute import disk
from nvs_server.compute.disk import DiskCache
from nvs_server.compute.local import LocalBackend
from nvs_server.compute.protocol import CacheStatus
from nvs_server.settings import ComputeSettings
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.records import SceneFile

IMAGE = b"\xff\xd8\xff an image"


@pytest.fixture
def cache(tmp_path: Path, built: SceneFile, path: Path, s3_url: str) -> Path:
    """A cache with a scene file, an image, locks and an upload in progress."""
    folder = tmp_path / "cache"
    blobs = Blobs(s3_url, folder, 2**30)
    (folder / "scene").write_bytes(path.read_bytes())
    blobs.put_file(folder / "scene", built.sha256)
    assert blobs.put_bytes(IMAGE) == hashlib.sha256(IMAGE).hexdigest()
    (blobs.incoming() / "upload").write_bytes(b"half of it")
    return folder


def test_only_copies_count_and_scenes_apart(cache: Path, built: SceneFile) -> None:
    counted = DiskCache(cache)
    counted.count()
    assert counted.num_bytes == built.num_bytes + len(IMAGE)
    assert counted.num_scenes == 1
    (copy,) = cache.rglob(built.sha256[2:])
    copy.unlink()
    counted.count()
    assert (counted.num_bytes, counted.num_scenes) == (len(IMAGE), 0)


def test_status_looks_at_no_file(cache: Path, built: SceneFile) -> None:
    async def scenario() -> list[CacheStatus]:
        backend = LocalBackend(
            ComputeSettings(data_folder=cache.parent, blobs_url="s3://bucket")
        )
        before = backend.status().cache[-1]
        backend._disk.count()
        return [before, backend.status().cache[-1]]

    before, after = asyncio.run(scenario())
    assert (before.tier, before.bytes, before.scenes) == ("disk", 0, 0)
    assert (after.bytes, after.scenes) == (built.num_bytes + len(IMAGE), 1)


def test_counting_goes_on(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "COUNT_SECONDS", 0.01)

    async def scenario() -> None:
        counted = DiskCache(cache)
        counting = asyncio.create_task(counted.keep_counting())
        while counted.num_scenes == 0:
            await asyncio.sleep(0.01)
        next(cache.glob("blobs/*/*")).write_bytes((SAMPLE / "split.json").read_bytes())
        before = counted.num_bytes
        while counted.num_bytes == before:
            await asyncio.sleep(0.01)
        counting.cancel()

    asyncio.run(scenario())


def test_a_local_store_has_no_copies(tmp_path: Path) -> None:
    counted = DiskCache(tmp_path / "none")
    counted.count()
    assert (counted.num_bytes, counted.num_scenes) == (0, 0)
