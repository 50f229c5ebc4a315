"""The memory law, the order of eviction, and what is loaded how often."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from nvs.scene import Scene
from nvs_server.compute.protocol import SceneDamaged
from nvs_server.compute.scene_cache import SceneCache, Tier, placed_for
from nvs_server.storage.records import SceneRef

SCENE_BYTES = 1000


class Part:
    """Stands for a placed scene."""

    num_bytes = SCENE_BYTES


class Disk:
    """Scene files, and every scene that was made of one and still lives."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.living: weakref.WeakSet[Part] = weakref.WeakSet()
        self.most = 0

    def load(self, ref: SceneRef) -> Scene:
        if ref.scene_id == "damaged":
            raise SceneDamaged("it is damaged", remedy="Build it again.")
        self.read.append(ref.scene_id)
        return cast("Scene", object())

    def place(self, ref: SceneRef, scene: Scene) -> Scene:
        part = Part()
        self.living.add(part)
        self.most = max(self.most, len(self.living))
        return cast("Scene", part)


def ref(name: object) -> SceneRef:
    return SceneRef(scene_id=str(name), sha256=str(name), num_bytes=9, weights="w")


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def make(disk: Disk) -> Callable[..., SceneCache]:
    def cache(num_scenes: float, **values: Any) -> SceneCache:
        return SceneCache(
            Tier("host", int(num_scenes * SCENE_BYTES)),
            read=disk.load,
            place=disk.place,
            size=lambda _: SCENE_BYTES,
            **values,
        )

    return cache


def use(cache: SceneCache, *names: object) -> list[str]:
    """Load scenes, each let go before the next; where each was found."""
    found: list[str] = []
    for name in names:
        found.append(cache.load(ref(name))[1])
        cache.unpin(ref(name))
    return found


def test_twenty_scenes_never_hold_more_than_the_budget_of_five(
    disk: Disk, make: Callable[..., SceneCache]
) -> None:
    cache = make(5.5)
    use(cache, *range(20), *range(20))
    assert disk.most == 5
    (status,) = cache.status()
    assert (status.scenes, status.bytes) == (5, 5 * SCENE_BYTES)
    assert (status.hits, status.evictions) == (0, 35)
    assert cache.num_read == len(disk.read) == 40


def test_the_least_recently_used_goes_first(
    disk: Disk, make: Callable[..., SceneCache]
) -> None:
    cache = make(3)
    use(cache, "a", "b", "c")
    assert use(cache, "a", "d") == ["host", "disk"]
    assert use(cache, "a", "c", "d", "b") == ["host", "host", "host", "disk"]
    assert disk.read == ["a", "b", "c", "d", "b"]


def test_pinned_scenes_stay(make: Callable[..., SceneCache]) -> None:
    cache = make(2)
    pinned, _ = cache.load(ref("pinned"))
    use(cache, "a", "b", "c")
    found = cache.pin(ref("pinned"))
    assert found is not None
    assert found[0] is pinned


def test_loading_waits_until_there_is_room(
    disk: Disk, make: Callable[..., SceneCache]
) -> None:
    cache = make(2)
    cache.load(ref("a"))
    cache.load(ref("b"))
    found: list[str] = []
    loader = threading.Thread(target=lambda: found.append(cache.load(ref("c"))[1]))
    loader.start()
    assert cache.pin(ref("c")) is None
    assert disk.most == 2
    cache.unpin(ref("a"))
    loader.join(60)
    assert found == ["disk"]
    assert disk.most == 2
    assert cache.pin(ref("a")) is None


def test_a_scene_over_the_budget_stays_only_while_it_is_used(
    disk: Disk, make: Callable[..., SceneCache]
) -> None:
    cache = make(0.5)
    scene, _ = cache.load(ref("a"))
    assert cache.status()[0].bytes == SCENE_BYTES
    cache.pin(ref("a"))
    cache.unpin(ref("a"))
    assert cache.pin(ref("a")) == (scene, "host")
    cache.unpin(ref("a"))
    cache.unpin(ref("a"))
    assert cache.status()[0].scenes == 0


def test_a_scene_that_cannot_be_read_takes_no_room(
    make: Callable[..., SceneCache],
) -> None:
    cache = make(2)
    use(cache, "a")
    with pytest.raises(SceneDamaged):
        cache.load(ref("damaged"))
    assert use(cache, "a", "b") == ["host", "disk"]
    assert cache.status()[0].bytes == 2 * SCENE_BYTES


def test_a_job_borrows_without_taking_room(
    disk: Disk, make: Callable[..., SceneCache]
) -> None:
    cache = make(1)
    scene, _ = cache.load(ref("a"))
    assert cache.borrow(ref("a")) is scene
    borrowed = cache.borrow(ref("b"))
    assert borrowed is not scene
    assert cache.status()[0].bytes == SCENE_BYTES
    assert cache.pin(ref("b")) is None


def test_a_middle_tier_is_asked_before_the_file(disk: Disk) -> None:
    kept: list[Scene] = []

    def keep(scene: Scene) -> Scene:
        kept.append(scene)
        return scene

    class Tensors(Part):
        pass

    def read(which: SceneRef) -> Scene:
        disk.load(which)
        return cast("Scene", Tensors())

    cache = SceneCache(
        Tier("device", SCENE_BYTES),
        read=read,
        place=disk.place,
        size=lambda _: SCENE_BYTES,
        middle=Tier("host", 2 * SCENE_BYTES),
        keep=keep,
    )
    assert use(cache, "a", "b", "a", "a") == ["disk", "disk", "host", "device"]
    assert use(cache, "c", "a", "b") == ["disk", "host", "disk"]  # b went for c
    device, host = cache.status()
    assert (device.scenes, host.scenes) == (1, 2)
    assert host.bytes == 2 * SCENE_BYTES
    assert len(kept) == len(disk.read)


def test_many_threads_keep_the_law(disk: Disk, make: Callable[..., SceneCache]) -> None:
    """One loader and three that pin what is there."""
    cache = make(3)
    done = threading.Event()

    def pin() -> None:
        generator = torch.Generator().manual_seed(threading.get_ident() % 2**31)
        while not done.is_set():
            name = int(torch.randint(0, 8, (), generator=generator))
            if cache.pin(ref(name)) is not None:
                cache.unpin(ref(name))

    threads = [threading.Thread(target=pin) for _ in range(3)]
    for thread in threads:
        thread.start()
    use(cache, *(index * 5 % 8 for index in range(100)))
    done.set()
    for thread in threads:
        thread.join(60)
    assert disk.most <= 3
    assert cache.status()[0].bytes <= 3 * SCENE_BYTES


def test_scenes_are_placed_apart_from_their_files() -> None:
    """What is cached shares no memory with the file, which may be truncated."""
    weight = torch.ones(1, 2, 2)
    photograph = torch.full((1, 3, 8, 8), 7, dtype=torch.uint8)
    scene = replace(_scene(weight), photograph=photograph)
    renderer = SimpleNamespace(
        device=torch.device("cpu"), precision=SimpleNamespace(compute=torch.float64)
    )
    placed = placed_for(cast("Any", renderer), scene)
    weight.zero_()
    photograph.zero_()
    assert placed.dtype == torch.float64
    assert placed.fast_weights[0][0].eq(1).all()
    assert placed.photograph.eq(7).all()


def _scene(weight: torch.Tensor) -> Scene:
    from nvs.cameras import Camera, PoseNormalisation

    camera = Camera(
        world_from_camera=torch.eye(4)[None],
        intrinsics=torch.ones(1, 4),
        height=8,
        width=8,
    )
    return Scene(
        fast_weights=((weight,),),
        normalisation=PoseNormalisation.none(),
        input_camera=camera,
        input_names=("a",),
        thumbnail=torch.zeros(1, 8, 8, 3, dtype=torch.uint8),
        model_id="m",
        model_digest="d",
    )
