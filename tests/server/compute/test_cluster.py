"""Replicas of a Ray cluster: how many there are, and what becomes of killed ones.

That they do what workers on this machine do is shown by the tests of the fixture
`running`, which take both.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest

from nvs.errors import ConfigError
from nvs_server.settings import ClusterSettings
from trials.crash.cluster import DECK, Trial


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


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_is_killed_loses_no_job_and_shows_no_wrong_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each kind once: what `python -m trials.crash.cluster` does more often."""
    pytest.importorskip("ray")
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.setenv(name, "")  # what the trial sets is undone
        monkeypatch.delenv(name)
    with tempfile.TemporaryDirectory(prefix="nvs-") as folder:
        outcome = Trial(Path(folder), seed=1, kills=len(DECK)).run()
    assert outcome.is_met, outcome
