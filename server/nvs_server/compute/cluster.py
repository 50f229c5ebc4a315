"""The backend whose workers are replicas in a Ray cluster; inspectors stay here.

Replicas are named after what they are told and a rank, so that gateways with the same
settings share them, whoever made them. Each gateway routes by itself, as to workers on
its own machine, and holds as many ranks as queues are long. A gateway outlives the head
of the cluster: it leaves, and joins again once there is one.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ray
from ray.exceptions import RayError

from nvs.errors import ConfigError
from nvs_server.compute.local import LocalBackend
from nvs_server.compute.protocol import Progress, WorkerLost
from nvs_server.compute.ray_worker import NAMESPACE, POLL_SECONDS, RayWorker
from nvs_server.compute.wire import Message
from nvs_server.compute.workers import AnyWorker
from nvs_server.logs import logger
from nvs_server.settings import ClusterSettings, devices_of

START_SECONDS = 600.0
"""Time for the cluster to find room for a first replica and for that to be ready."""
MANY_LOOKS = 3
"""Queues must be long for so many looks before a replica is added."""
FEW_LOOKS = 60
"""Queues must be short for so many looks before one is let go."""

AWAY_SECONDS = 20.0
"""The cluster is left when its head has been away for so long: Ray ends a process that
has waited for a minute."""
LOOK_SECONDS = 5.0
"""Time for the head to take a connection."""

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
        self._keeping: list[asyncio.Task[None]] = []
        self._head = self._node = ""
        """Where the cluster's head and this machine's raylet listen, `host:port`."""
        self._is_member = asyncio.Event()
        self._has_connected = False
        self._joining = ThreadPoolExecutor(1, thread_name_prefix="ray")
        """Joins, and does nothing else: Ray numbers what a thread puts, beginning anew
        in each that has joined, and ends the process when a number comes twice."""

    async def stop(self) -> None:
        """See `Backend`."""
        for task in (*self._keeping, *self._starting):
            task.cancel()
        await super().stop()
        if self._has_connected:
            await asyncio.to_thread(ray.shutdown)
        self._joining.shutdown(wait=False)

    async def _start_workers(self) -> Message:
        await self._connect()
        self._is_member.set()
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
        hello = done.pop().result()
        keeping = [self._scale()]
        if self._has_connected:
            keeping.append(self._keep_membership())
        self._keeping = [asyncio.create_task(one) for one in keeping]
        return hello

    @property
    def _num_workers(self) -> int:
        return self._cluster.ray_max_replicas

    async def _job(
        self, worker: AnyWorker, op: str, order: Message, progress: Progress
    ) -> Any:
        await self._is_member.wait()  # or the tries of a job would soon be used up
        return await super()._job(worker, op, order, progress)

    async def _connect(self) -> None:
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
            await self._join()
            self._has_connected = True
        self._locate()
        has_gpus = ray.cluster_resources().get("GPU", 0) > 0
        worker = (*self.settings.devices, "cuda" if has_gpus else "cpu")[0]
        names = devices_of(worker)
        self._devices = [
            name if name == "cpu" else f"cuda:{index}"
            for index, name in enumerate(names)
        ]

    async def _join(self) -> None:
        """Make this process one of the cluster's.

        Raises:
            ConfigError: If there is none.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        address = self._cluster.ray_address
        try:
            if ":" in address and not await _listens(address):
                raise ConnectionError("nobody listens there")

            def init() -> None:
                ray.init(
                    address=address,
                    namespace=NAMESPACE,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    include_dashboard=False if address == "local" else None,
                )

            await asyncio.get_running_loop().run_in_executor(self._joining, init)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"cannot join the Ray cluster {address!r}: {error}",
                remedy="Check NVS_RAY_ADDRESS, and `ray status` on this machine.",
            ) from error

    def _locate(self) -> None:
        context = ray.get_runtime_context()
        self._head, own = context.gcs_address, context.get_node_id()
        (node,) = (one for one in ray.nodes() if one["NodeID"] == own)
        self._node = f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"

    async def _keep_membership(self) -> None:
        """Join again whenever the head or this machine's raylet was lost, for ever.

        A head that comes back without its memory knows nobody; one that has it finds
        the replicas as they were. A raylet does not come back, and Ray soon ends the
        processes that were joined to it.
        """
        clock = asyncio.get_running_loop().time
        missed: float | None = None
        """When the head was away first, since it and a replica were there."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            is_here = await _listens(self._head)
            is_ready = any(worker.is_ready for worker in self._replicas)
            if is_here and is_ready:
                missed = None
            elif not is_here and missed is None:
                missed = clock()
            is_lost = missed is not None and (
                is_here or clock() - missed > AWAY_SECONDS
            )
            if is_lost or not await _listens(self._node):
                await self._join_again()
                missed = None

    async def _join_again(self) -> None:
        log.warning("lost the cluster; left", head=self._head, node=self._node)
        self._is_member.clear()
        for task in self._starting:
            task.cancel()
        for worker in self._replicas:
            worker.leave()
        while not self._is_member.is_set():
            await asyncio.to_thread(ray.shutdown)
            while self._cluster.ray_address != "local" and not await _listens(
                self._head
            ):
                await asyncio.sleep(POLL_SECONDS)
            try:
                await self._join()
                for worker in self._replicas:
                    await worker.join()
            except (ConfigError, RayError) as error:
                log.warning("not in the cluster yet", error=str(error))
            else:
                self._is_member.set()
        self._locate()
        log.info("in the cluster again", head=self._head)

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
            await self._is_member.wait()
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


async def _listens(address: str) -> bool:
    """Whether somebody takes connections at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            _, writer = await asyncio.open_connection(host.strip("[]"), port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
