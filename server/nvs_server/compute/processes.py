"""The processes of the backend on this machine: those of workers, and inspectors.

Whatever an inspector is given, an answer comes within the time limit: files that take
too long or too much memory end the process, which is replaced, and are refused by name.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

from nvs.api.system import Tier
from nvs.errors import NvsError
from nvs_server.compute.child import Child, ChildSettings, OnEvent
from nvs_server.compute.orders import Picture, RenderOrder
from nvs_server.compute.protocol import (
    BackendError,
    CacheStatus,
    ChildStatus,
    WorkerLost,
    doing,
)
from nvs_server.compute.wire import Message, from_json, to_json
from nvs_server.settings import ComputeSettings

COUNTERS = ("images_total", "batches_total", "num_read")
WORKER_RESTART_SECONDS = 0.5
"""Delay before it is started again; doubled each time."""
INSPECTOR_RESTART_SECONDS = 0.05
MAX_INSPECTOR_RESTART_SECONDS = 1.0
"""Short: a stranger's files may end the process again and again."""
READY_SECONDS = 60.0
"""How long jobs and inspections wait for a process that is being restarted."""


class Counts:
    """What a process says of its caches and renders, added up over its lives."""

    def __init__(self) -> None:
        self._cache: list[CacheStatus] = []
        self._past_cache: list[CacheStatus] = []
        self._counts: Counter[str] = Counter()
        self._past_counts: Counter[str] = Counter()

    def take(self, message: Message) -> None:
        """Take what it says now; nothing if it has died."""
        if message:
            self._cache = [from_json(CacheStatus, tier) for tier in message["cache"]]
            self._counts = Counter({name: message[name] for name in COUNTERS})
            return
        none = {"bytes": 0, "bytes_limit": 0, "scenes": 0}
        ended = [tier.model_copy(update=none) for tier in self._cache]
        self._past_cache = summed([*self._past_cache, *ended])
        self._past_counts += self._counts
        self._cache, self._counts = [], Counter()

    def cache(self) -> list[CacheStatus]:
        """The cache tiers; hits and evictions over all lives."""
        return summed([*self._cache, *self._past_cache])

    def total(self, counter: str) -> int:
        """A counter over all lives."""
        return self._counts[counter] + self._past_counts[counter]


class DeviceProcess:
    """A worker's process for one of its devices.

    Args:
        settings: Those of the backend.
        device: Its device; the first CUDA device, or the CPU, if absent.
        name: What messages call it.
    """

    def __init__(
        self, settings: ComputeSettings, device: str | None, *, name: str = "worker"
    ) -> None:
        self.device = device or "auto"
        self.counts = Counts()
        told = {"settings": to_json(settings, ComputeSettings), "device": device}
        self.child = Child(
            ChildSettings(
                module="nvs_server.compute.worker",
                name=name,
                configuration=told,
                threads=settings.threads,
                restart_seconds=WORKER_RESTART_SECONDS,
            ),
            self.counts.take,
        )

    async def start(self) -> Message:
        """Return what the process says once it is ready; see `Child.start`."""
        hello = await self.child.start()
        self.device = hello["device"]
        return hello

    async def stop(self) -> None:
        """End it."""
        await self.child.stop()

    def status(self) -> ChildStatus:
        """How it stands."""
        return self.child.status(self.device)

    @property
    def is_ready(self) -> bool:
        """Whether it can take requests."""
        return self.child.state == "ready"

    async def render(self, order: RenderOrder) -> list[Picture]:
        """One picture a camera, in order.

        Raises:
            NvsError, BackendError: As the process answers.
            WorkerLost: If it is not ready, or dies.
        """
        pictures: list[Picture] = []

        def take(message: Message, blob: bytes) -> None:
            values = message["picture"] | {"data": blob}
            pictures.append(from_json(Picture, values))

        await self.child.call("render", take, order=to_json(order))
        return pictures


def summed(tiers: Iterable[CacheStatus]) -> list[CacheStatus]:
    """One entry a tier, numbers added up."""
    sums: dict[Tier, Counter[str]] = {}
    for tier in tiers:
        sums.setdefault(tier.tier, Counter()).update(tier.model_dump(exclude={"tier"}))
    return [CacheStatus(tier=name, **numbers) for name, numbers in sums.items()]


class Inspector:
    """One inspector process.

    Args:
        settings: Those of the backend; its limits among them.
    """

    def __init__(self, settings: ComputeSettings) -> None:
        self._memory_bytes = settings.inspector_memory_bytes
        self._turn = asyncio.Lock()
        self._child = Child(
            ChildSettings(
                module="nvs_server.compute.inspector",
                name="inspector",
                configuration=to_json(settings, ComputeSettings),
                threads=1,
                restart_seconds=INSPECTOR_RESTART_SECONDS,
                max_restart_seconds=MAX_INSPECTOR_RESTART_SECONDS,
            )
        )

    async def start(self) -> None:
        """Return once it can be asked.

        Raises:
            WorkerLost: If it dies.
        """
        await self._child.start()

    async def stop(self) -> None:
        """End it; a request in flight fails with `WorkerLost`."""
        await self._child.stop()

    def status(self) -> ChildStatus:
        """How it stands."""
        return self._child.status("cpu")

    async def ask(
        self,
        op: str,
        *,
        about: str,
        error: type[NvsError],
        timeout_seconds: float,
        on_event: OnEvent | None = None,
        **values: Any,
    ) -> Any:
        """Ask for one thing when its turn has come.

        Cancelling ends the process, and with it the work.

        Args:
            op: What is wanted.
            about: What messages call the files.
            error: What is raised if they are too much for it.
            timeout_seconds: From when its turn has come.
            on_event: See `Child.call`.
            values: What `op` needs.

        Raises:
            NvsError: `error`, or as the process answers.
            WorkerLost: If the process cannot be asked, or is killed from outside.
        """
        async with self._turn:
            await self._child.wait_ready(READY_SECONDS)
            try:
                async with asyncio.timeout(timeout_seconds):
                    return await self._child.call(op, on_event, **values)
            except TimeoutError:
                self._child.kill()
                raise error(
                    f"{about}: {doing(op)} took longer than {timeout_seconds:g} s",
                    remedy="Send less, or smaller images.",
                ) from None
            except asyncio.CancelledError:
                self._child.kill()
                raise
            except WorkerLost:
                if self._child.state == "stopped" or self._child.was_killed:
                    raise
                raise error(
                    f"{about}: {doing(op)} needs more than the "
                    f"{self._memory_bytes >> 20} MiB it may take",
                    remedy="Send less, or smaller images.",
                ) from None
            except BackendError as failure:  # a decoder stumbled over the files
                raise error(
                    f"{about} cannot be decoded: {failure.problem}",
                    remedy="Check that the files are complete.",
                ) from failure
