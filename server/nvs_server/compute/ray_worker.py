"""A replica in the Ray cluster as a gateway sees it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import ray
from ray.exceptions import ActorDiedError, RayError, RayTaskError

from nvs.errors import DatasetError
from nvs.files import atomic_output
from nvs_server.compute import wire
from nvs_server.compute.child import OnEvent
from nvs_server.compute.orders import Picture, RenderOrder
from nvs_server.compute.processes import READY_SECONDS, Counts
from nvs_server.compute.protocol import BackendError, ChildStatus, WorkerLost
from nvs_server.compute.replica import INPUTS, OUTPUTS, Replica
from nvs_server.compute.wire import Message
from nvs_server.settings import ClusterSettings, ComputeSettings

NAMESPACE = "nvs"
POLL_SECONDS = 1.0
"""Between two looks at a replica: so soon a new one is used, and a lost one again."""
SILENT_SECONDS = 20.0
"""A replica that says nothing for so long is given no more work until it does."""


@dataclass(slots=True)
class _Flight:
    """A request in flight."""

    reference: Any
    """Ray's, to what it gives."""
    task: asyncio.Task[Any]
    """Waits for it."""
    is_lost: bool = False
    """Whether nothing will come of it any more."""


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
        self._open: dict[str, _Flight] = {}
        """Requests in flight."""
        self._is_stopped = False
        self._polling: asyncio.Task[None] | None = None

    async def start(self) -> Message:
        """See `AnyWorker`."""
        await self.join()
        try:
            return self._ended(await self._actor.start.remote())
        except RayError as error:
            raise self._lost("died while it started") from error

    async def stop(self) -> None:
        """See `AnyWorker`; the replica ends once no gateway asks for it."""
        self._is_stopped = True
        self.let_go()
        self._ready.set()  # nobody need wait any longer
        for request in self._open:
            self._cancel(request)

    async def join(self) -> None:
        """Find the replica, or have it made, in the cluster of this process."""
        self._actor = await asyncio.to_thread(self._find)
        self._polling = asyncio.create_task(self._poll())

    def leave(self) -> None:
        """Forget the cluster: what is in flight fails, until `join` nothing begins."""
        self.let_go()
        for flight in self._open.values():
            flight.is_lost = True
            flight.task.cancel()

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
        with self._flight(self._actor.render, order) as reference:
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
            flight = self._flight(streaming, op, order, *contents)
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
    def _flight(self, method: Any, *arguments: Any) -> Generator[Any]:
        """A request in flight: cancelled there if it is given up here.

        Args:
            method: Of the actor; what it gives is yielded, as Ray's reference.
            arguments: Of the method, after the request's name.

        Raises:
            BackendError: If the replica stumbles.
            WorkerLost: If it dies, or is stopped.
        """
        request, task = secrets.token_hex(8), asyncio.current_task()
        assert task is not None, "requests are made by tasks"
        flight = _Flight(method.remote(request, *arguments), task)
        self._open[request] = flight
        try:
            yield flight.reference
        except RayTaskError as error:
            raise BackendError(
                f"the replica failed inside ({type(error.cause).__name__})",
                remedy="Try again; Ray's logs say more.",
            ) from error
        except RayError as error:
            self._ready.clear()
            raise self._lost("is stopped" if self._is_stopped else "died") from error
        except BaseException as error:
            if flight.is_lost:
                task.uncancel()
                raise self._lost("cannot be reached") from error
            self._cancel(request)
            raise
        finally:
            del self._open[request]

    def _cancel(self, request: str) -> None:
        """Give up a request.

        Ray cancels what waits to begin and what runs, but of what is just beginning it
        asks again after two seconds; the replica is told at once.
        """
        self._actor.cancel.remote(request)
        ray.cancel(self._open[request].reference)

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
