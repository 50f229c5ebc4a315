"""A worker process as the backend sees it: its child, and the numbers it reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from nvs.api.system import Tier
from nvs_server.backends import wire
from nvs_server.backends.base import CacheStatus, ChildStatus
from nvs_server.backends.child import Child, ChildSettings
from nvs_server.backends.settings import LocalSettings, WorkerConfiguration
from nvs_server.backends.wire import Message

COUNTERS = ("images_total", "batches_total", "num_read")


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
                module="nvs_server.worker",
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
