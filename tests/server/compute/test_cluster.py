"""Replicas of a Ray cluster: how many there are, and what becomes of killed ones.

That they do what workers on this machine do is shown by the tests of the fixture
`running`, which take both.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from nvs.assets import SAMPLE
from nvs.client import Client, LookAt
from nvs.errors import ConfigError
from nvs_server.settings import ClusterSettings

NUM_KILLS = 6
KILL_SECONDS = 8.0
WAIT_SECONDS = 300
LOOK_AT = {"eye": [2.5, 0, 1], "target": [0, 0, 0], "vertical_fov_degrees": 50}


class FakeReplica:
    """One that only says how much it has to do."""

    made: list[FakeReplica]

    def __init__(self, settings: Any, devices: list[str], rank: int) -> None:
        self.rank, self.num_calls, self.is_held = rank, 0, True
        self.is_ready = True
        self.made.append(self)

    async def start(self) -> dict[str, Any]:
        return {}

    async def stop(self) -> None: ...

    def status(self) -> list[Any]:
        return []

    def cache(self) -> list[Any]:
        return []

    def total(self, counter: str) -> int:
        return 0

    def let_go(self) -> None:
        self.is_held = False

    async def join(self) -> None:
        self.is_ready = True

    def leave(self) -> None:
        self.is_ready = False

    async def job(self, *_: Any) -> str:
        return "done"


async def connected(_: Any) -> None:
    """In place of joining a cluster."""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, its replicas fakes and its clock fast."""
    pytest.importorskip("ray")
    from nvs_server.compute import cluster

    monkeypatch.setattr(FakeReplica, "made", [], raising=False)
    monkeypatch.setattr(cluster, "RayWorker", FakeReplica)
    monkeypatch.setattr(cluster, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(cluster.RayBackend, "_connect", connected)
    return cluster


def test_replicas_follow_the_queue_between_the_bounds(cluster: Any) -> None:
    settings = ClusterSettings(
        ray_min_replicas=2, ray_max_replicas=4, ray_replica_queue=10
    )

    async def scenario() -> None:
        backend = cluster.RayBackend(settings)
        await backend._start_workers()
        made = FakeReplica.made

        async def held_after(num_calls: int) -> list[int]:
            for replica in made:
                replica.num_calls = num_calls if replica.rank == 0 else 0
            for _ in range(3 * cluster.FEW_LOOKS):
                await asyncio.sleep(0)
            return [replica.rank for replica in made if replica.is_held]

        assert await held_after(0) == [0, 1]
        assert await held_after(11) == [0, 1, 2]
        assert await held_after(1000) == [0, 1, 2, 3]
        assert await held_after(0) == [0, 1]
        assert backend.status().num_workers == 4
        for task in backend._keeping:
            task.cancel()

    asyncio.run(scenario())


def test_all_workers_of_the_cluster_are_alike() -> None:
    pytest.importorskip("ray")
    from nvs_server.compute.cluster import RayBackend

    with pytest.raises(ConfigError, match="all workers of the cluster are alike"):
        asyncio.run(
            RayBackend(ClusterSettings(devices=("cpu", "cpu")))._start_workers()
        )


def test_a_head_that_does_not_listen_is_refused_at_once() -> None:
    pytest.importorskip("ray")
    from nvs_server.compute.cluster import RayBackend

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        backend = RayBackend(ClusterSettings(ray_address=address))
        with pytest.raises(ConfigError, match=f"cannot join .*{address}.* listens"):
            asyncio.run(backend._start_workers())


def test_a_cluster_without_its_head_is_left_and_joined_again(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs wait for it; a head that is back before its replicas died is no loss."""
    is_here, has_node, log = True, True, list[str]()

    async def listens(address: str) -> bool:
        await asyncio.sleep(0)
        return {"head": is_here, "node": has_node}[address]

    async def join(_: Any) -> None:
        nonlocal has_node
        has_node = True
        log.append("join")

    def locate(backend: Any) -> None:
        backend._head, backend._node = "head", "node"

    monkeypatch.setattr(cluster, "_listens", listens)
    monkeypatch.setattr(cluster, "AWAY_SECONDS", 0.05)
    monkeypatch.setattr(cluster.RayBackend, "_join", join)
    monkeypatch.setattr(cluster.ray, "shutdown", lambda: log.append("leave"))
    monkeypatch.setattr(cluster.RayBackend, "_locate", locate)

    async def scenario() -> None:
        nonlocal is_here, has_node
        backend = cluster.RayBackend(ClusterSettings())
        backend._has_connected = True
        backend._locate()
        await backend._start_workers()
        (replica,) = FakeReplica.made
        is_here = False
        await asyncio.sleep(0.01)
        is_here = True
        await asyncio.sleep(0.1)
        assert log == []
        is_here = False
        await asyncio.sleep(0.2)
        assert log == ["leave"]
        assert not replica.is_ready
        job = asyncio.create_task(backend._job(replica, "build", {}, print))
        await asyncio.sleep(0.01)
        assert not job.done()
        is_here = True
        assert await asyncio.wait_for(job, 5) == "done"
        assert log == ["leave", "join"]
        assert replica.is_ready
        has_node = False
        await asyncio.sleep(0.1)
        assert log == ["leave", "join"] * 2
        for task in backend._keeping:
            task.cancel()

    asyncio.run(scenario())


def replicas_and_workers(cluster_pid: int) -> list[psutil.Process]:
    """Actors of the cluster and the processes that they supervise."""
    found: list[psutil.Process] = []
    for process in psutil.Process(cluster_pid).children(recursive=True):
        line = " ".join(process.cmdline())
        if line.startswith("ray::Replica") or "compute.worker" in line:
            found.append(process)
    return found


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_replicas_lose_no_job_and_show_no_wrong_picture(
    serve: Callable[..., Any], ray_address: str, ray_pid: int, tmp_path: Path
) -> None:
    served = serve(
        backend="ray",
        ray_address=ray_address,
        ray_min_replicas=2,
        ray_max_replicas=2,
        precision="float32",
        rate_per_minute=100_000,
        max_attempts=50,
    )
    with Client(served.base_url, timeout_seconds=WAIT_SECONDS) as client:
        scene = client.create_scene("sample")
        client.upload_dataset(scene.id, SAMPLE)
        client.build(scene.id, size=64)
        others = [client.create_scene(f"other {i}").id for i in range(NUM_KILLS)]
        for other in others:
            client.upload_dataset(other, SAMPLE)
        camera = LookAt(eye=(2.5, 0, 1), target=(0, 0, 0), vertical_fov_degrees=50)
        options = {"height": 64, "width": 64, "format": "float32"}
        right = client.render(scene.id, camera, **options).data
    body = {"camera": LOOK_AT, **options}
    url = f"{served.base_url}/v1/scenes/{scene.id}/render"
    answers: Counter[int] = Counter()
    wrong: list[bytes] = []
    is_over = threading.Event()

    def render() -> None:
        with httpx.Client(timeout=WAIT_SECONDS) as http:
            while not is_over.is_set():
                answer = http.post(url, json=body)
                answers[answer.status_code] += 1
                if answer.status_code != 200:
                    time.sleep(0.1)
                elif answer.content != right:
                    wrong.append(answer.content)

    generator = random.Random(1)
    recovery_seconds: list[float] = []
    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(render) for _ in range(4)]
        jobs: list[str] = []
        for other in others:
            order = {"size": 64, "views": {"indices": [0, 3, 6, 9]}}
            submitted = httpx.post(
                f"{served.base_url}/v1/scenes/{other}/build", json=order
            )
            assert submitted.status_code == 202, submitted.text
            jobs.append(submitted.json()["id"])
            generator.choice(replicas_and_workers(ray_pid)).kill()
            killed = time.monotonic()
            while httpx.get(f"{served.base_url}/readyz").status_code != 200:
                time.sleep(0.05)
            recovery_seconds.append(time.monotonic() - killed)
            time.sleep(KILL_SECONDS)
        is_over.set()
        for each in clients:
            each.result(WAIT_SECONDS)
    deadline = time.monotonic() + WAIT_SECONDS
    states: list[str] = []
    while time.monotonic() < deadline:
        found = [httpx.get(f"{served.base_url}/v1/jobs/{job}").json() for job in jobs]
        states = [job["state"] for job in found]
        if not {"queued", "running"} & set(states):
            break
        time.sleep(1)
    print(answers, states, recovery_seconds)  # noqa: T201 - what was measured
    assert not wrong
    assert answers[200]
    assert set(answers) <= {200, 429, 503}
    assert set(states) == {"succeeded"}, found
