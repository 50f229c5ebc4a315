"""The processes of the backend on this machine: workers and inspectors.

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
from nvs_server.compute import wire
from nvs_server.compute.child import Child, ChildSettings, OnEvent
from nvs_server.compute.protocol import (
    BackendError,
    CacheStatus,
    ChildStatus,
    WorkerLost,
)
from nvs_server.compute.settings import (
    InspectorConfiguration,
    LocalSettings,
    WorkerConfiguration,
)
from nvs_server.compute.wire import Message, to_json

COUNTERS = ("images_total", "batches_total", "num_read")
RESTART_SECONDS = 0.05
"""Of an inspector: short, for a stranger's files may end it again and again."""
MAX_RESTART_SECONDS = 1.0


class LocalWorker:
    """One worker.

    Args:
        settings: Those of the backend.
        device: Its device; the first CUDA device, or the CPU, if absent.
    """

    def __init__(self, settings: LocalSettings, device: str | None) -> None:
        self.device = device or "auto"
        self._cache: list[CacheStatus] = []
        self._past_cache: list[CacheStatus] = []
        self._counts: Counter[str] = Counter()
        self._past_counts: Counter[str] = Counter()
        configuration = WorkerConfiguration(
            blobs_url=settings.blobs_url,
            disk_cache_folder=settings.disk_cache_folder,
            disk_cache_bytes=settings.disk_cache_bytes,
            weights=settings.weights,
            device=device,
            precision=None if settings.precision == "auto" else settings.precision,
            threads=settings.threads,
            device_cache_bytes=settings.device_cache_bytes,
            host_cache_bytes=settings.host_cache_bytes,
            max_side_px=settings.max_side_px,
            max_views=settings.max_views,
        )
        self.child = Child(
            ChildSettings(
                module="nvs_server.compute.worker",
                name="worker",
                configuration=wire.to_json(configuration),
                threads=settings.threads,
                restart_seconds=settings.restart_seconds,
            ),
            self._take_news,
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
        """How the process stands."""
        return self.child.status(self.device)

    def cache(self) -> list[CacheStatus]:
        """Its cache tiers; hits and evictions over all its lives."""
        return summed([*self._cache, *self._past_cache])

    def total(self, counter: str) -> int:
        """A counter over all its lives."""
        return self._counts[counter] + self._past_counts[counter]

    def _take_news(self, message: Message) -> None:
        if message:
            self._cache = [
                wire.from_json(CacheStatus, tier) for tier in message["cache"]
            ]
            self._counts = Counter({name: message[name] for name in COUNTERS})
            return
        none = {"bytes": 0, "bytes_limit": 0, "scenes": 0}
        ended = [tier.model_copy(update=none) for tier in self._cache]
        self._past_cache = summed([*self._past_cache, *ended])
        self._past_counts += self._counts
        self._cache, self._counts = [], Counter()


def summed(tiers: Iterable[CacheStatus]) -> list[CacheStatus]:
    """One entry a tier, numbers added up."""
    sums: dict[Tier, Counter[str]] = {}
    for tier in tiers:
        sums.setdefault(tier.tier, Counter()).update(tier.model_dump(exclude={"tier"}))
    return [CacheStatus(tier=name, **numbers) for name, numbers in sums.items()]


class Inspector:
    """One inspector process.

    Args:
        configuration: Its limits.
        ready_seconds: How long requests wait while it is being restarted.
    """

    def __init__(
        self, configuration: InspectorConfiguration, *, ready_seconds: float
    ) -> None:
        self._ready_seconds = ready_seconds
        self._memory_bytes = configuration.memory_bytes
        self._turn = asyncio.Lock()
        self._child = Child(
            ChildSettings(
                module="nvs_server.compute.inspector",
                name="inspector",
                configuration=to_json(configuration),
                threads=1,
                restart_seconds=RESTART_SECONDS,
                max_restart_seconds=MAX_RESTART_SECONDS,
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
            await self._child.wait_ready(self._ready_seconds)
            try:
                async with asyncio.timeout(timeout_seconds):
                    return await self._child.call(op, on_event, **values)
            except TimeoutError:
                self._child.kill()
                raise error(
                    f"{about}: decoding took longer than {timeout_seconds:g} s",
                    remedy="Send less, or smaller images.",
                ) from None
            except asyncio.CancelledError:
                self._child.kill()
                raise
            except WorkerLost:
                if self._child.state == "stopped" or self._child.was_killed:
                    raise
                raise error(
                    f"{about}: decoding needs more than the "
                    f"{self._memory_bytes >> 20} MiB it may take",
                    remedy="Send less, or smaller images.",
                ) from None
            except BackendError as failure:  # a decoder stumbled over the files
                raise error(
                    f"{about} cannot be decoded: {failure.problem}",
                    remedy="Check that the files are complete.",
                ) from failure
