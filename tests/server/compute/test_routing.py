"""Which worker a scene goes to, and where else when that is full or dies."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from nvs.api.cameras import IDENTITY, PosedCamera
from nvs.api.renders import PictureOptions
from nvs_server.compute import local
from nvs_server.compute.local import LocalBackend
from nvs_server.compute.orders import Picture, RenderOrder
from nvs_server.compute.processes import COUNTERS, Counts
from nvs_server.compute.protocol import WorkerFull, WorkerLost
from nvs_server.settings import ComputeSettings
from nvs_server.storage.records import SceneRef

FULL = WorkerFull("there is no room", remedy="Wait.")
LOST = WorkerLost("the worker died", remedy="Try again.")


class FakeWorker:
    """Answers with no picture, or raises."""

    def __init__(self) -> None:
        self.is_ready = True
        self.num_calls = 0
        self.raises: Exception | None = None
        self.asked: list[str] = []

    async def render(self, order: RenderOrder) -> list[Picture]:
        self.asked.append(order.scene.sha256)
        if self.raises is not None:
            raise self.raises
        return []


def order(index: int) -> RenderOrder:
    sha256 = hashlib.sha256(str(index).encode()).hexdigest()
    camera = PosedCamera(world_from_camera=IDENTITY, fx=1, fy=1, cx=1, cy=1)
    return RenderOrder(
        scene=SceneRef(scene_id="a", sha256=sha256, num_bytes=1, weights="w"),
        cameras=(camera,),
        options=PictureOptions(height=16, width=16),
    )


@pytest.fixture
def workers() -> list[FakeWorker]:
    return [FakeWorker() for _ in range(4)]


@pytest.fixture
def backend(workers: list[FakeWorker]) -> LocalBackend:
    backend = LocalBackend(ComputeSettings())
    backend._workers = workers
    return backend


def ask(backend: LocalBackend, num_scenes: int = 400) -> None:
    for index in range(num_scenes):
        asyncio.run(backend.render(order(index)))


def test_scenes_are_spread_and_each_has_its_worker(
    backend: LocalBackend, workers: list[FakeWorker]
) -> None:
    ask(backend)
    ask(backend)
    owned = [set(worker.asked) for worker in workers]
    assert sum(map(len, owned)) == 400  # none with two workers
    assert all(60 < len(scenes) < 140 for scenes in owned)


def test_a_worker_that_is_away_takes_only_its_own_scenes_along(
    backend: LocalBackend, workers: list[FakeWorker]
) -> None:
    ask(backend)
    before = [set(worker.asked) for worker in workers]
    workers[1].is_ready = False
    for worker in workers:
        worker.asked.clear()
    ask(backend)
    for worker, scenes in zip(workers, before, strict=True):
        assert scenes <= set(worker.asked) or not worker.is_ready
    assert not workers[1].asked


@pytest.mark.parametrize("error", [FULL, LOST])
def test_a_render_is_tried_once_elsewhere(
    backend: LocalBackend,
    workers: list[FakeWorker],
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second, *_ = backend._ranked(order(0).scene.sha256)
    first.raises = error
    ask(backend, 1)
    assert [len(worker.asked) for worker in (first, second)] == [1, 1]
    second.raises = FULL
    with pytest.raises(WorkerFull):
        ask(backend, 1)
    assert sum(len(worker.asked) for worker in workers) == 4
    monkeypatch.setattr(local, "RETRY_WITHIN_SECONDS", -1.0)  # it came too late
    with pytest.raises(type(error)):
        ask(backend, 1)
    assert sum(len(worker.asked) for worker in workers) == 5


def test_counts_never_fall() -> None:
    counts = Counts()
    tier = {"tier": "host", "bytes": 5, "bytes_limit": 9, "scenes": 1}

    def say(hits: int, images: int) -> None:
        cache = [tier | {"hits": hits, "evictions": 0}]
        counts.take({"cache": cache} | dict.fromkeys(COUNTERS, images))

    say(3, 10)
    counts.take({})  # it died
    assert counts.total("images_total") == 10
    (host,) = counts.cache()
    assert (host.bytes, host.scenes, host.hits) == (0, 0, 3)
    say(1, 2)
    assert counts.total("images_total") == 12
    (host,) = counts.cache()
    assert (host.bytes, host.hits) == (5, 4)
