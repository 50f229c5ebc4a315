"""The blocking client: the asynchronous one, its loop in a thread of its own."""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from nvs.client.async_client import AsyncClient
from nvs.client.stream import AsyncRenderStream
from nvs.client.transport import DEFAULT_SERVER, Retries

CLEAN_UP_SECONDS = 5.0
"""Longest wait for a call that was broken off to remove what it had half written."""

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")


class LoopThread:
    """An event loop in a thread of its own, which other threads call and wait for."""

    def __init__(self) -> None:
        self._context = start_blocking_portal()
        self._portal: BlockingPortal = self._context.__enter__()
        self._thread_id = self._portal.call(threading.get_ident)

    def run(
        self, function: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any
    ) -> T:
        """The result of an asynchronous function.

        A keyword argument `on_progress` is called in the calling thread, so that it may
        do what it likes; what it raises ends the call, as Ctrl-C does.

        Raises:
            RuntimeError: If the loop has ended, or ends meanwhile.
        """
        told: SimpleQueue[tuple[Any, ...] | None] = SimpleQueue()
        ended = threading.Event()
        on_progress = kwargs.get("on_progress")
        if on_progress is not None:
            kwargs["on_progress"] = lambda *news: told.put(news)

        async def running() -> T:
            try:
                return await function(*args, **kwargs)
            finally:
                ended.set()
                told.put(None)

        try:
            future = self._portal.start_task_soon(running)
        except RuntimeError as error:
            raise RuntimeError("the client is closed") from error
        try:
            while (news := told.get()) is not None:
                if on_progress is not None:
                    on_progress(*news)
            return future.result()
        except CancelledError as error:
            raise RuntimeError("the client was closed during a call") from error
        except BaseException:
            future.cancel()
            ended.wait(CLEAN_UP_SECONDS)
            raise
        finally:
            del future  # its error would hold this frame, and with it the client

    def end(self, last: Callable[[], Awaitable[None]]) -> None:
        """Run a last function, break off all others and end the thread."""
        if threading.get_ident() == self._thread_id:  # garbage is collected anywhere
            threading.Thread(target=self.end, args=(last,)).start()
            return

        async def ending() -> None:
            try:
                await last()
            finally:
                await self._portal.stop(cancel_remaining=True)

        try:
            self._portal.call(ending)
        finally:
            self._context.__exit__(None, None, None)


class Blocking(Generic[A]):
    """An asynchronous object and the loop that runs its methods."""

    def __init__(self, twin: A, loop: LoopThread) -> None:
        self._twin = twin
        self._loop = loop

    @staticmethod
    def _method(
        method: Callable[Concatenate[A, P], Awaitable[T]],
    ) -> Callable[Concatenate[Blocking[A], P], T]:
        """A method that waits for that of the asynchronous object."""

        @functools.wraps(method)
        def wait(self: Blocking[A], *args: P.args, **kwargs: P.kwargs) -> T:
            return self._loop.run(method, self._twin, *args, **kwargs)

        return wait

    @staticmethod
    def _iterator(
        method: Callable[Concatenate[A, P], AsyncIterator[T]],
    ) -> Callable[Concatenate[Blocking[A], P], Iterator[T]]:
        """A method that waits for each item of that of the asynchronous object."""

        @functools.wraps(method)
        def iterate(
            self: Blocking[A], *args: P.args, **kwargs: P.kwargs
        ) -> Iterator[T]:
            items = method(self._twin, *args, **kwargs)
            end = object()
            while (item := self._loop.run(anext, items, end)) is not end:
                yield item

        return iterate


class RenderStream(Blocking[AsyncRenderStream]):
    """An open stream; see `Client.stream`."""

    send = Blocking._method(AsyncRenderStream.send)
    receive = Blocking._method(AsyncRenderStream.receive)
    render = Blocking._method(AsyncRenderStream.render)


class Client(Blocking[AsyncClient]):
    """A connection to `nvs serve`; close it, or use it in a `with` statement.

    Threads may share it. Functions given as `on_progress` are called in the thread that
    waits. Every method may raise ServiceError (the service refuses, with status,
    problem, remedy and field), ServiceUnreachableError (no answer after all attempts)
    and ServiceAnswerError (something else than the service answered).

    Args:
        server: Address of the service.
        key: The key, unless the service is open.
        retries: How long to keep trying.
        timeout_seconds: Longest silence within one answer.

    Raises:
        ConfigError: If the address is no http(s) URL or the key cannot be one.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        key: str | None = None,
        retries: Retries | None = None,
        timeout_seconds: float = 300.0,
    ) -> None:
        twin = AsyncClient(
            server, key=key, retries=retries, timeout_seconds=timeout_seconds
        )
        super().__init__(twin, LoopThread())
        self._finalize = weakref.finalize(self, self._loop.end, twin.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; calls that still run in other threads break off."""
        self._finalize()

    me = Blocking._method(AsyncClient.me)
    models = Blocking._method(AsyncClient.models)
    capacity = Blocking._method(AsyncClient.capacity)

    create_scene = Blocking._method(AsyncClient.create_scene)
    scene = Blocking._method(AsyncClient.scene)
    scenes = Blocking._iterator(AsyncClient.scenes)
    update_scene = Blocking._method(AsyncClient.update_scene)
    delete_scene = Blocking._method(AsyncClient.delete_scene)

    images = Blocking._method(AsyncClient.images)
    image = Blocking._method(AsyncClient.image)
    delete_image = Blocking._method(AsyncClient.delete_image)
    upload_image = Blocking._method(AsyncClient.upload_image)
    upload_cameras = Blocking._method(AsyncClient.upload_cameras)
    upload_dataset = Blocking._method(AsyncClient.upload_dataset)
    upload_photos = Blocking._method(AsyncClient.upload_photos)
    upload_video = Blocking._method(AsyncClient.upload_video)
    delete_video = Blocking._method(AsyncClient.delete_video)
    upload_zip = Blocking._method(AsyncClient.upload_zip)
    cameras = Blocking._method(AsyncClient.cameras)
    validation = Blocking._method(AsyncClient.validation)

    pose = Blocking._method(AsyncClient.pose)
    mask = Blocking._method(AsyncClient.mask)
    masks = Blocking._method(AsyncClient.masks)
    mask_preview = Blocking._method(AsyncClient.mask_preview)
    decide_masks = Blocking._method(AsyncClient.decide_masks)
    expectation = Blocking._method(AsyncClient.expectation)
    build = Blocking._method(AsyncClient.build)
    render_video = Blocking._method(AsyncClient.render_video)
    job = Blocking._method(AsyncClient.job)
    jobs = Blocking._iterator(AsyncClient.jobs)
    wait = Blocking._method(AsyncClient.wait)
    cancel_job = Blocking._method(AsyncClient.cancel_job)
    download_video = Blocking._method(AsyncClient.download_video)

    download_scene = Blocking._method(AsyncClient.download_scene)
    upload_scene_file = Blocking._method(AsyncClient.upload_scene_file)
    download_held_out = Blocking._method(AsyncClient.download_held_out)
    inputs = Blocking._method(AsyncClient.inputs)
    render = Blocking._method(AsyncClient.render)
    render_batch = Blocking._method(AsyncClient.render_batch)

    @contextmanager
    def stream(self, scene_id: str) -> Generator[RenderStream]:
        """Open a WebSocket on a built scene, for pictures that follow each other.

        Raises:
            MissingExtraError: If the package websockets is not installed.
        """
        opening = self._twin.stream(scene_id)
        stream = self._loop.run(opening.__aenter__)
        try:
            yield RenderStream(stream, self._loop)
        finally:
            self._loop.run(opening.__aexit__, None, None, None)
