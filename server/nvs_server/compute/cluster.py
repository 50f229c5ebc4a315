"""The backend whose workers are replicas in a Ray cluster; inspectors stay here.

Replicas are named after what they are told and a rank, so that gateways with the same
settings share them, whoever made them. Each gateway routes by itself, as to workers on
its own machine, and holds as many ranks as queues are long.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os

import ray

from nvs.errors import ConfigError
from nvs_server.compute.local import LocalBackend
from nvs_server.compute.protocol import WorkerLost
from nvs_server.compute.ray_worker import NAMESPACE, POLL_SECONDS, RayWorker
from nvs_server.compute.wire import Message
from nvs_server.logs import logger
from nvs_server.settings import ClusterSettings, devices_of

START_SECONDS = 600.0
"""Time for the cluster to find room for a first replica and for that to be ready."""
MANY_LOOKS = 3
"""Queues must be long for so many looks before a replica is added."""
FEW_LOOKS = 60
"""Queues must be short for so many looks before one is let go."""

log = logger(__name__)


class RayBackend(LocalBackend):
    """See `Backend`.

    Args:
        settings: The cluster, and what its workers are.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        super().__init__(settings)
        self._cluster = settings
        self._workers = self._replicas = list[RayWorker]()
        self._devices: list[str] = []
        self._starting: set[asyncio.Task[Message]] = set()
        self._scaling: asyncio.Task[None] | None = None
        self._has_connected = False

    async def stop(self) -> None:
        """See `Backend`."""
        for task in (self._scaling, *self._starting):
            if task is not None:
                task.cancel()
        await super().stop()
        if self._has_connected:
            await asyncio.to_thread(ray.shutdown)

    async def _start_workers(self) -> Message:
        await asyncio.to_thread(self._connect)
        for _ in range(self._cluster.ray_min_replicas):
            self._add()
        done, _ = await asyncio.wait(
            self._starting,
            timeout=START_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if not done:
            raise WorkerLost(
                f"the cluster had no room for a worker in {START_SECONDS:g} s",
                remedy="`ray status` says what it has and what is asked for.",
            )
        self._scaling = asyncio.create_task(self._scale())
        return done.pop().result()

    @property
    def _num_workers(self) -> int:
        return self._cluster.ray_max_replicas

    def _connect(self) -> None:
        """Join the cluster, unless this process has; choose what workers run on.

        Raises:
            ConfigError: If there is none, or the devices are for Ray to choose.
        """
        if len(self.settings.devices) > 1:
            raise ConfigError(
                f"NVS_DEVICES is {','.join(self.settings.devices)!r}: all workers of "
                "the cluster are alike",
                remedy="Name the devices of one, such as `cuda`, `cpu`, or `4` for "
                "four GPUs, or leave it empty for a GPU if there are any.",
            )
        if not ray.is_initialized():
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            address = self._cluster.ray_address
            try:
                ray.init(
                    address=address,
                    namespace=NAMESPACE,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    include_dashboard=False if address == "local" else None,
                )
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise ConfigError(
                    f"cannot join the Ray cluster {address!r}: {error}",
                    remedy="Check NVS_RAY_ADDRESS, and `ray status` on this machine.",
                ) from error
            self._has_connected = True
        has_gpus = ray.cluster_resources().get("GPU", 0) > 0
        worker = (*self.settings.devices, "cuda" if has_gpus else "cpu")[0]
        names = devices_of(worker)
        self._devices = [
            name if name == "cpu" else f"cuda:{index}"
            for index, name in enumerate(names)
        ]

    def _add(self) -> None:
        """Have one replica more; it gets work once it is ready."""
        worker = RayWorker(self._cluster, self._devices, len(self._replicas))
        self._replicas.append(worker)
        starting = asyncio.create_task(worker.start())
        self._starting.add(starting)
        starting.add_done_callback(self._started)

    def _started(self, starting: asyncio.Task[Message]) -> None:
        self._starting.discard(starting)
        if not starting.cancelled() and (error := starting.exception()) is not None:
            log.warning("a replica did not start", error=str(error))

    async def _scale(self) -> None:
        """Keep as many replicas as queues need that are half full, for ever."""
        least, most = self._cluster.ray_min_replicas, self._cluster.ray_max_replicas
        per_replica = self._cluster.ray_replica_queue / 2
        num_many = num_few = 0
        while True:
            await asyncio.sleep(POLL_SECONDS)
            replicas = self._replicas
            num_calls = sum(worker.num_calls for worker in replicas)
            wanted = min(max(math.ceil(num_calls / per_replica), least), most)
            num_many = num_many + 1 if wanted > len(replicas) else 0
            num_few = num_few + 1 if wanted < len(replicas) else 0
            if num_many >= MANY_LOOKS and not self._starting:
                self._add()
                num_many = 0
            elif num_few >= FEW_LOOKS:
                worker = replicas.pop()
                worker.let_go()
                num_few = 0
