"""The backend whose workers are replicas in a Ray cluster; inspectors stay here.

Replicas are named after what they are told and a rank, so that gateways with the same
settings share them, whoever made them. Each gateway routes by itself, as to workers on
its own machine, and holds as many ranks as queues are long.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import math
import os
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.exceptions import ActorDiedError, RayError, RayTaskError

from nvs.errors import ConfigError, DatasetError
from nvs.files import atomic_output
from nvs_server.compute import wire
from nvs_server.compute.child import OnEvent
from nvs_server.compute.local import LocalBackend
from nvs_server.compute.processes import READY_SECONDS, Counts
from nvs_server.compute.protocol import (
    BackendError,
    ChildStatus,
    Picture,
    RenderOrder,
    WorkerLost,
)
from nvs_server.compute.replica import INPUTS, OUTPUTS, Replica
from nvs_server.compute.wire import Message
from nvs_server.logs import logger
from nvs_server.settings import ClusterSettings, ComputeSettings, devices_of

NAMESPACE = "nvs"
POLL_SECONDS = 1.0
"""Between two looks at a replica: so soon a new one is used, and a lost one again."""
SILENT_SECONDS = 20.0
"""A replica that says nothing for so long is given no more work until it does."""
START_SECONDS = 600.0
"""Time for the cluster to find room for a first replica and for that to be ready."""
MANY_LOOKS = 3
"""Queues must be long for so many looks before a replica is added."""
FEW_LOOKS = 60
"""Queues must be short for so many looks before one is let go."""

log = logger(__name__)


class RayWorker:
    """A replica as a gateway sees it; see `AnyWorker`.

    Args:
        settings: Those of the backend.
        devices: Of its processes, all on one node; CUDA devices as Ray gives them.
        rank: Which of the replicas it is.
    """

    def __init__(
        self, settings: ClusterSettings, devices: Sequence[str], rank: int
    ) -> None:
        told = wire.to_json(settings, ComputeSettings)
        self._arguments = (told, devices, settings.ray_replica_queue)
        num_cpus = devices.count("cpu")
        same = json.dumps([*self._arguments, version("lact-nvs")], sort_keys=True)
        self._options: dict[str, Any] = {
            "name": f"{hashlib.sha256(same.encode()).hexdigest()[:16]}-{rank}",
            "namespace": NAMESPACE,
            "get_if_exists": True,
            "lifetime": "detached",
            "max_restarts": -1,
            "num_cpus": max(1, num_cpus) * (settings.threads or 1),
            "num_gpus": len(devices) - num_cpus,
            "scheduling_strategy": "SPREAD",
        }
        self._devices = devices
        self._counts = Counts()
        self.cache = self._counts.cache
        self.total = self._counts.total
        self._news: Message | None = None
        self._num_restarts = 0
        """Of lives before the one of the last news."""
        self._ready = asyncio.Event()
        self._open: set[Any] = set()
        """Ray's references of requests in flight."""
        self._is_stopped = False
        self._polling: asyncio.Task[None] | None = None

    async def start(self) -> Message:
        """See `AnyWorker`."""
        self._actor = await asyncio.to_thread(self._find)
        self._polling = asyncio.create_task(self._poll())
        try:
            return self._ended(await self._actor.start.remote())
        except RayError as error:
            raise self._lost("died while it started") from error

    async def stop(self) -> None:
        """See `AnyWorker`; the replica ends once no gateway asks for it."""
        self._is_stopped = True
        self.let_go()
        self._ready.set()  # nobody need wait any longer
        for reference in self._open:
            ray.cancel(reference)

    def let_go(self) -> None:
        """Give it no more work; what is in flight goes on."""
        self._ready.clear()
        if self._polling is not None:
            self._polling.cancel()

    @property
    def is_ready(self) -> bool:
        """See `AnyWorker`."""
        return self._ready.is_set() and not self._is_stopped

    @property
    def num_calls(self) -> int:
        """Requests in flight; of other gateways, too, as of the last look."""
        elsewhere = self._news["num_calls"] if self._news else 0
        return max(len(self._open), elsewhere)

    def status(self) -> list[ChildStatus]:
        """See `AnyWorker`."""
        state = "stopped" if self._is_stopped else "restarting"
        if self._news is None:
            return [
                ChildStatus(device=device, state=state, num_restarts=0, pid=None)
                for device in self._devices
            ]
        processes = [
            wire.from_json(ChildStatus, process) for process in self._news["processes"]
        ]
        return [
            process.model_copy(
                update={
                    "num_restarts": process.num_restarts + self._num_restarts,
                    "state": process.state if self.is_ready else state,
                }
            )
            for process in processes
        ]

    async def render(self, order: RenderOrder) -> list[Picture]:
        """See `AnyWorker`."""
        if not self.is_ready:
            raise self._lost("is being restarted")
        with self._flight(self._actor.render.remote(order)) as reference:
            return self._ended(await reference)

    async def job(self, op: str, order: Message, on_event: OnEvent) -> Any:
        """See `AnyWorker`."""
        try:
            await asyncio.wait_for(self._ready.wait(), READY_SECONDS)
        except TimeoutError:
            raise self._lost("is being restarted") from None
        contents = [
            await asyncio.to_thread(_put, Path(order[field]))
            for field in INPUTS
            if order.get(field)
        ]
        streaming = self._actor.job.options(num_returns="streaming")
        with ExitStack() as stack:
            paths = {
                field: stack.enter_context(atomic_output(Path(order[field])))
                for field in OUTPUTS
                if order.get(field)
            }
            flight = self._flight(streaming.remote(op, order, *contents))
            async for reference in stack.enter_context(flight):
                message, blob = await reference
                match message["event"]:
                    case "result" | "error":
                        return self._ended(message)
                    case "file":
                        with paths[message["name"]].open("ab") as file:
                            file.write(blob)
                    case _:
                        on_event(message, blob)
        raise self._lost("died")

    @contextmanager
    def _flight(self, reference: Any) -> Generator[Any]:
        """A request in flight: cancelled there if it is given up here.

        Raises:
            BackendError: If the replica stumbles.
            WorkerLost: If it dies, or is stopped.
        """
        self._open.add(reference)
        try:
            yield reference
        except RayTaskError as error:
            raise BackendError(
                f"the replica failed inside ({type(error.cause).__name__})",
                remedy="Try again; Ray's logs say more.",
            ) from error
        except RayError as error:
            self._ready.clear()
            raise self._lost("is stopped" if self._is_stopped else "died") from error
        except BaseException:
            ray.cancel(reference)
            raise
        finally:
            self._open.discard(reference)

    def _ended(self, message: Message) -> Any:
        """The value of a result; raises what an error says."""
        self._take(message["news"])
        if message["event"] == "error":
            raise wire.error_from_json(message["error"])
        return message["value"]

    def _find(self) -> Any:
        """The actor of this name, made if there is none."""
        return ray.remote(Replica).options(**self._options).remote(*self._arguments)

    async def _poll(self) -> None:
        """Ask how it stands, for ever."""
        while True:
            try:
                async with asyncio.timeout(SILENT_SECONDS):
                    self._take(await self._actor.status.remote())
            except ActorDiedError:  # for good: someone has ended it
                self._ready.clear()
                with suppress(RayError, ValueError):
                    self._actor = await asyncio.to_thread(self._find)
            except (RayError, TimeoutError):
                self._ready.clear()
            await asyncio.sleep(POLL_SECONDS)

    def _take(self, news: Message) -> None:
        """Take what the replica says of itself."""
        if self._is_stopped:
            return
        if self._news is not None and self._news["life"] != news["life"]:
            before = (process["num_restarts"] for process in self._news["processes"])
            self._num_restarts += max(before) + 1
            self._counts.take({})
        self._news = news
        self._counts.take(news)
        if news["is_ready"]:
            self._ready.set()
        else:
            self._ready.clear()

    def _lost(self, what: str) -> WorkerLost:
        return WorkerLost(f"the replica {what}", remedy="Try again shortly.")


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


def _put(path: Path) -> Any:
    """A file's bytes as an object that any node can read.

    Raises:
        DatasetError: If the file is not there.
    """
    try:
        return ray.put(np.fromfile(path, np.uint8))
    except FileNotFoundError as error:
        raise DatasetError(
            f"{path}: there is no such file", remedy="Prepare the views again."
        ) from error
