"""A worker somewhere in a Ray cluster: the actor that supervises it, on its node.

An actor lives as long as any gateway asks it how it stands (`status`); gateways need
not know of each other, and none has to clean up after one that was killed. Errors come
as messages of `wire`, with news of the worker. The paths of a job's order are the
gateway's, so contents travel with it, and back as events.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray

from nvs.errors import NvsError
from nvs_server.compute import wire
from nvs_server.compute.orders import RenderOrder
from nvs_server.compute.processes import COUNTERS
from nvs_server.compute.protocol import BackendError, WorkerFull
from nvs_server.compute.wire import Message
from nvs_server.compute.workers import LocalWorker
from nvs_server.settings import ComputeSettings

INPUTS = ("views", "held_out")
"""Fields of orders that are files to be read."""
OUTPUTS = ("output", "sheet")
"""Fields of orders that are files to be written."""
CHUNK_BYTES = 2**24
LEASE_SECONDS = 60.0
"""A replica that no gateway has asked for so long ends."""
LEASE_CHECK_SECONDS = 5.0

Event = tuple[Message, bytes]


class Replica:
    """One worker on the node that Ray chose.

    Args:
        settings: `ComputeSettings` as JSON; its folder and weights are this node's.
        devices: Of its processes.
        max_renders: Renders waiting and running here; more are refused.
    """

    def __init__(
        self, settings: Message, devices: Sequence[str], max_renders: int
    ) -> None:
        told = wire.from_json(ComputeSettings, settings)
        told.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = told.data_folder
        self._worker = LocalWorker(told, devices)
        self._life = secrets.token_hex(8)
        self._max_renders = max_renders
        self._num_renders = 0
        self._running: dict[str, asyncio.Task[Any] | None] = {}
        """Requests and the tasks that work on them."""
        self._asked = 0.0
        self._hello: asyncio.Task[Message] | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> Message:
        """What the worker says once it is ready, or the error why it cannot be."""
        self._begin()
        assert self._hello is not None
        try:
            return self._result(await asyncio.shield(self._hello))
        except (NvsError, BackendError) as error:
            return self._failure(error)

    async def status(self) -> Message:
        """How it stands; asking keeps it alive."""
        self._begin()
        return self._news()

    async def cancel(self, request: str) -> None:
        """Give up a request that has begun and has not ended."""
        task = self._running.get(request)
        if task is not None:
            task.cancel()

    async def render(self, request: str, order: RenderOrder) -> Message:
        """The pictures of an order, or the error why there are none.

        Args:
            request: What `cancel` calls it.
            order: What is wanted.
        """
        if self._num_renders >= self._max_renders:
            error = WorkerFull(
                f"{self._num_renders} renders of {self._max_renders} wait or run at "
                "each worker that has the scene",
                remedy="Wait for the seconds of Retry-After.",
            )
            return self._failure(error)
        self._num_renders += 1
        try:
            with self._cancellable(request):
                return self._result(await self._worker.render(order))
        except (NvsError, BackendError) as error:
            return self._failure(error)
        finally:
            self._num_renders -= 1

    async def job(
        self, request: str, op: str, order: Message, *contents: Any
    ) -> AsyncGenerator[Event]:
        """Do a job; cancelling the task cancels it.

        Args:
            request: What `cancel` calls it.
            op: `build` or `video`.
            order: The order, as the gateway has it.
            contents: The bytes of those `INPUTS` that it names, one after another.

        Yields:
            Its events, its files, `{"event": "file", "name"}` with bytes to append, and
            last its result or error.
        """
        with (
            self._cancellable(request),
            tempfile.TemporaryDirectory(dir=self._folder) as name,
        ):
            here = Path(name)
            read = [field for field in INPUTS if order.get(field)]
            write = [field for field in OUTPUTS if order.get(field)]
            paths = {f: here / Path(order[f]).name for f in (*read, *write)}
            for field, content in zip(read, contents, strict=True):
                await asyncio.to_thread(paths[field].write_bytes, content)
            local = order | {field: str(path) for field, path in paths.items()}
            events: asyncio.Queue[Event | None] = asyncio.Queue()
            job = asyncio.ensure_future(
                self._worker.job(
                    op, local, lambda message, blob: events.put_nowait((message, blob))
                )
            )
            job.add_done_callback(lambda _: events.put_nowait(None))
            try:
                while (event := await events.get()) is not None:
                    yield event
                value = await job
                for field in write:
                    for chunk in _chunks(paths[field]):
                        yield {"event": "file", "name": field}, chunk
                yield self._result(value), b""
            except (NvsError, BackendError) as error:
                yield self._failure(error), b""
            finally:
                job.cancel()

    @contextmanager
    def _cancellable(self, request: str) -> Generator[None]:
        self._running[request] = asyncio.current_task()
        try:
            yield
        finally:
            del self._running[request]

    def _begin(self) -> None:
        """Start the worker, once, and renew the lease."""
        self._asked = asyncio.get_running_loop().time()
        if self._hello is None:
            self._hello = asyncio.create_task(self._worker.start())
            self._watch = asyncio.create_task(self._end_unless_asked())

    async def _end_unless_asked(self) -> None:
        clock = asyncio.get_running_loop().time
        while clock() - self._asked < LEASE_SECONDS or self._worker.num_calls:
            await asyncio.sleep(LEASE_CHECK_SECONDS)
        await self._worker.stop()
        ray.kill(ray.get_runtime_context().current_actor, no_restart=True)

    def _result(self, value: object) -> Message:
        return {"event": "result", "value": value, "news": self._news()}

    def _failure(self, error: NvsError | BackendError) -> Message:
        failure = {"event": "error", "error": wire.error_to_json(error)}
        return failure | {"news": self._news()}

    def _news(self) -> Message:
        worker = self._worker
        return {
            "life": self._life,
            "is_ready": worker.is_ready,
            "processes": [wire.to_json(status) for status in worker.status()],
            "num_calls": worker.num_calls,
            "cache": [wire.to_json(tier) for tier in worker.cache()],
            **{counter: worker.total(counter) for counter in COUNTERS},
        }


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
