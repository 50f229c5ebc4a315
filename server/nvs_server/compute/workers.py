"""A worker: a process a device, which render apart and do jobs together."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from nvs.errors import StoppedError
from nvs.parallel.devices import Place, threads_each
from nvs_server.compute.child import OnEvent
from nvs_server.compute.orders import Picture, RenderOrder
from nvs_server.compute.processes import READY_SECONDS, DeviceProcess, summed
from nvs_server.compute.protocol import CacheStatus, ChildStatus, WorkerLost
from nvs_server.compute.wire import Message, to_json
from nvs_server.settings import ComputeSettings

PART_SECONDS = 60.0
"""When one process has failed at a job, the others give it up within so long, or are
killed: they may wait for something that comes no more."""
MEET_SECONDS = 3.0
"""How often those are looked for that still wait to be joined by one that has failed:
they would wait for ever, and render nothing meanwhile."""

Result = TypeVar("Result")


class AnyWorker(Protocol):
    """A worker as the backend sees it, wherever it runs."""

    async def start(self) -> Message:
        """Return what it says once it is ready; see `Child.start`."""
        ...

    async def stop(self) -> None:
        """End it; what is in flight fails with `WorkerLost`."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether it can take renders."""
        ...

    @property
    def num_calls(self) -> int:
        """Requests in flight, as far as is known here."""
        ...

    def status(self) -> list[ChildStatus]:
        """How its processes stand, one a device."""
        ...

    def cache(self) -> list[CacheStatus]:
        """Its cache tiers; hits and evictions over all its lives."""
        ...

    def total(self, counter: str) -> int:
        """A counter over all its lives."""
        ...

    async def render(self, order: RenderOrder) -> list[Picture]:
        """One picture a camera, in order.

        Raises:
            NvsError, BackendError: As a process answers.
            WorkerFull: If it takes no more.
            WorkerLost: If none is ready, or they die.
        """
        ...

    async def job(self, op: str, order: Message, on_event: OnEvent) -> Any:
        """Do a job and return the `value` of its result.

        Args:
            op: `build` or `video`.
            order: What is wanted.
            on_event: See `Child.call`.

        Raises:
            NvsError, BackendError: As a process answers.
            WorkerLost: If one is not ready for long, or dies.
        """
        ...


class LocalWorker:
    """A worker on this machine; see `AnyWorker`.

    All its processes do a job together (`nvs.parallel`), one job at a time. Renders are
    dealt to those that are ready, also while they do a job: each has scenes of its own
    in memory. One that is lost is started again; its renders go to another.

    Args:
        settings: Those of the backend.
        devices: Of its processes; the first CUDA device, or the CPU, for None.
    """

    def __init__(
        self, settings: ComputeSettings, devices: Sequence[str | None]
    ) -> None:
        if len(devices) == 1:
            self.ranks = [DeviceProcess(settings, devices[0])]
        else:
            if settings.threads is None and "cpu" in devices:
                threads = threads_each(devices.count("cpu"))
                settings = settings.model_copy(update={"threads": threads})
            count = len(devices)
            self.ranks = [
                DeviceProcess(
                    settings, device, name=f"worker's rank {rank} of {count} ({device})"
                )
                for rank, device in enumerate(devices)
            ]
        self._turn = asyncio.Lock()
        self._num_jobs = 0
        self._folders: list[Path] = []
        """Where the processes met, the last of them now."""
        self._lives: list[int] = []
        """Restarts of each process when they met; none if they have to meet again."""

    async def start(self) -> Message:
        """See `AnyWorker`; it is the first process that says it."""
        first, *others = self.ranks
        hello = await first.start()
        await asyncio.gather(*(rank.start() for rank in others))
        return hello

    async def stop(self) -> None:
        """See `AnyWorker`."""
        await asyncio.gather(*(rank.stop() for rank in self.ranks))
        _remove(self._folders)

    @property
    def is_ready(self) -> bool:
        """See `AnyWorker`."""
        return any(rank.is_ready for rank in self.ranks)

    @property
    def num_calls(self) -> int:
        """See `AnyWorker`."""
        return sum(rank.child.num_calls for rank in self.ranks)

    def status(self) -> list[ChildStatus]:
        """See `AnyWorker`."""
        return [rank.status() for rank in self.ranks]

    def cache(self) -> list[CacheStatus]:
        """See `AnyWorker`."""
        return summed([tier for rank in self.ranks for tier in rank.counts.cache()])

    def total(self, counter: str) -> int:
        """See `AnyWorker`."""
        return sum(rank.counts.total(counter) for rank in self.ranks)

    async def render(self, order: RenderOrder) -> list[Picture]:
        """See `AnyWorker`."""
        ranks = sorted(
            [rank for rank in self.ranks if rank.is_ready] or self.ranks,
            key=lambda rank: rank.child.num_calls,
        )
        cameras, count = order.cameras, min(len(ranks), len(order.cameras))
        cuts = [len(cameras) * part // count for part in range(count + 1)]
        parts = [
            replace(order, cameras=cameras[start:end])
            for start, end in itertools.pairwise(cuts)
        ]
        dealt = await _all(
            [self._render(rank, part) for rank, part in zip(ranks, parts, strict=False)]
        )
        return [picture for pictures in dealt for picture in pictures]

    async def _render(self, rank: DeviceProcess, order: RenderOrder) -> list[Picture]:
        """By one process, or if it is lost by another."""
        try:
            return await rank.render(order)
        except WorkerLost:
            others = [one for one in self.ranks if one.is_ready and one is not rank]
            if not others:
                raise
            return await others[0].render(order)

    async def job(self, op: str, order: Message, on_event: OnEvent) -> Any:
        """See `AnyWorker`."""
        if len(self.ranks) == 1:
            child = self.ranks[0].child
            await child.wait_ready(READY_SECONDS)
            return await child.call(op, on_event, order=order)
        async with self._turn:
            await asyncio.gather(
                *(rank.child.wait_ready(READY_SECONDS) for rank in self.ranks)
            )
            try:
                value = await self._together(op, order, on_event)
            except BaseException:
                self._lives = []
                raise
            _remove(self._folders[:-1])  # whoever was still there has left
            del self._folders[:-1]
            return value

    async def _together(self, op: str, order: Message, on_event: OnEvent) -> Any:
        folder = self._meeting_folder()
        self._num_jobs += 1
        meeting: set[int] = set()
        """Who waits for the others to join."""

        def hear(message: Message, blob: bytes, number: int) -> None:
            if message["event"] == "meeting":
                meeting.add(number)
            elif message["event"] == "met":
                meeting.discard(number)
            elif number == 0:
                on_event(message, blob)

        calls: list[asyncio.Task[Any]] = []
        for number, rank in enumerate(self.ranks):
            place = Place(
                rank=number, size=len(self.ranks), folder=folder, work=self._num_jobs
            )
            call = rank.child.call(
                op, partial(hear, number=number), order=order, place=to_json(place)
            )
            calls.append(asyncio.create_task(call))
        try:
            await asyncio.wait(calls, return_when=asyncio.FIRST_EXCEPTION)
            killed = await self._part(calls, meeting)
        finally:
            for call in calls:
                call.cancel()
        ended = [call for rank, call in enumerate(calls) if rank not in killed]
        errors = [error for call in ended if (error := call.exception()) is not None]
        if errors:
            raise min(errors, key=_hearsay)
        return calls[0].result()

    async def _part(
        self, calls: Sequence[asyncio.Task[Any]], meeting: set[int]
    ) -> set[int]:
        """Have all processes give up a job at which one has failed.

        Returns:
            Those that had to be killed.
        """
        clock = asyncio.get_running_loop().time
        killed: set[int] = set()
        end = clock() + PART_SECONDS
        while left := {rank for rank, call in enumerate(calls) if not call.done()}:
            await asyncio.wait([calls[rank] for rank in left], timeout=MEET_SECONDS)
            is_over = clock() >= end
            for rank in (left if is_over else left & meeting) - killed:
                if not calls[rank].done():
                    self.ranks[rank].child.kill()
                    killed.add(rank)
            if is_over:
                break
        return killed

    def _meeting_folder(self) -> Path:
        """Where the processes have met, or if they are no longer the same will meet."""
        lives = [rank.child.num_restarts for rank in self.ranks]
        if lives != self._lives:
            self._folders.append(Path(tempfile.mkdtemp(prefix="nvs-worker-")))
            self._lives = lives
        return self._folders[-1]


def _remove(folders: Sequence[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _hearsay(error: BaseException) -> int:
    """How far an error is from the cause: others may only have heard of it."""
    if isinstance(error, WorkerLost):
        return 0
    return 2 if isinstance(error, StoppedError) else 1


async def _all(work: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """What all give; the first failure ends the others."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
