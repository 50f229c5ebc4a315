"""Workers in a Ray cluster beside one on this machine: rate, affinity, overhead."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nvs.api.renders import PictureOptions
from nvs.files import file_sha256
from nvs_server.compute.local import LocalBackend
from nvs_server.compute.orders import Picture, RenderOrder
from nvs_server.settings import ClusterSettings
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.records import SceneRef
from trials.load.direct import QUALITY, SIZE_PX, Direct, around, asked
from trials.load.report import Outcome, quantile

NUM_SCENES = 20
ROOM = 12
"""Scenes that each replica has room for."""
NUM_CLIENTS = 16
RATE_SECONDS = 10.0
NUM_ROUNDS = 3
NUM_AFFINITY = 300
NUM_OVERHEAD = 150
SEED = 1

Ask = Callable[[int], RenderOrder]


def trial() -> Outcome:
    """Two replicas and one local worker, of one thread each, take turns.

    Two replicas need two cores, the clients and the backends, in this process, some
    of a third.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    direct = Direct.load()
    base = direct.scene()
    cameras = asked(around(base, 64, SIZE_PX))
    with tempfile.TemporaryDirectory(prefix="nvs-cluster-") as name:
        settings = ClusterSettings(
            data_folder=Path(name),
            devices=("cpu",),
            threads=1,
            compile=False,
            host_cache_bytes=direct.cache_bytes(ROOM),
            ray_address="local",
            ray_min_replicas=2,
            ray_max_replicas=2,
        )
        blobs = Blobs(settings.blobs, settings.cache_folder, 2**30)
        scenes: list[SceneRef] = []
        for index in range(NUM_SCENES):
            file = Path(name) / "one.scene"
            replace(base, created_with=str(index)).save(file)
            sha256, num_bytes = file_sha256(file), file.stat().st_size
            blobs.put_file(file, sha256)
            scenes.append(
                SceneRef(
                    scene_id=str(index),
                    sha256=sha256,
                    num_bytes=num_bytes,
                    weights=direct.model.info.id,
                )
            )
        options = PictureOptions(
            height=SIZE_PX, width=SIZE_PX, format="jpeg", quality=QUALITY
        )

        def ask(scene: int) -> RenderOrder:
            return RenderOrder(
                scene=scenes[scene],
                cameras=(random.choice(cameras),),
                options=options,
            )

        return asyncio.run(_measure(settings, ask))


async def _measure(settings: ClusterSettings, ask: Ask) -> Outcome:
    from nvs_server.compute.cluster import RayBackend

    random.seed(SEED)
    backends = {"local, 1": LocalBackend(settings), "ray, 2": RayBackend(settings)}
    try:
        for backend in backends.values():
            await backend.start()
        while any(w.state != "ready" for w in backends["ray, 2"].status().workers):
            await asyncio.sleep(0.1)
        warm = {name: await _warm_share(b, ask) for name, b in backends.items()}
        rates: dict[str, list[float]] = {name: [] for name in backends}
        own: dict[str, list[float]] = {}
        for _ in range(NUM_ROUNDS):
            for name, backend in backends.items():
                rates[name].append(await _rate(backend, ask))
        for name, backend in backends.items():
            own[name] = await _own_ms(backend, ask)
    finally:
        for backend in backends.values():
            await backend.stop()
    rate = {name: sum(found) / NUM_ROUNDS for name, found in rates.items()}
    added = quantile(own["ray, 2"], 0.5) - quantile(own["local, 1"], 0.5)
    ratios = [
        two / one for one, two in zip(rates["local, 1"], rates["ray, 2"], strict=True)
    ]
    faster = rate["ray, 2"] / rate["local, 1"]
    turns = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    load = os.getloadavg()[0]
    return Outcome(
        f"cluster: {NUM_SCENES} scenes, room for {ROOM} each, {NUM_CLIENTS} clients",
        ["workers", "renders/s", "found warm", "own p50 ms", "own p95 ms"],
        [
            [
                name,
                f"{rate[name]:.0f}",
                f"{100 * warm[name]:.1f} %",
                f"{quantile(own[name], 0.5):.2f}",
                f"{quantile(own[name], 0.95):.2f}",
            ]
            for name in backends
        ],
        [
            (
                f"at least 95 % find a warm scene: {100 * warm['ray, 2']:.1f} %",
                warm["ray, 2"] >= 0.95,
            ),
            (f"Ray adds at most 5 ms (p50): {added:.2f}", added <= 5),
            (
                f"two replicas are faster than one worker: {faster:.2f} times "
                f"(turn by turn {turns}; load at the end {load:.1f})",
                faster > 1,
            ),
        ],
    )


async def _warm_share(backend: LocalBackend, ask: Ask) -> float:
    """Of renders of scenes at random, once each has been asked for twice."""
    for scene in [*range(NUM_SCENES)] * 2:
        await backend.render(ask(scene))
    pictures: list[Picture] = []
    for _ in range(NUM_AFFINITY):
        pictures += await backend.render(ask(random.randrange(NUM_SCENES)))
    return sum(picture.tier != "disk" for picture in pictures) / len(pictures)


async def _rate(backend: LocalBackend, ask: Ask) -> float:
    """Renders a second of clients that ask again as soon as they are answered."""
    count, end = 0, time.perf_counter() + RATE_SECONDS

    async def client(scene: int) -> None:
        nonlocal count
        while time.perf_counter() < end:
            await backend.render(ask(scene))
            count += 1

    await asyncio.gather(*(client(scene) for scene in range(NUM_CLIENTS)))
    return count / RATE_SECONDS


async def _own_ms(backend: LocalBackend, ask: Ask) -> list[float]:
    """Time of one render after another without network and encoder."""
    found: list[float] = []
    for _ in range(NUM_OVERHEAD):
        begun = time.perf_counter()
        (picture,) = await backend.render(ask(0))
        spent = picture.timings
        found.append(
            1000 * (time.perf_counter() - begun) - spent.model_ms - spent.encode_ms
        )
    return found
