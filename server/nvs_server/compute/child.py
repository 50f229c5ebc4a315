"""A child process that is kept running, and requests to it."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from nvs.process import let_threads_sleep
from nvs_server.compute import wire
from nvs_server.compute.protocol import ChildStatus, WorkerLost
from nvs_server.compute.wire import Message
from nvs_server.logs import logger

HEALTHY_SECONDS = 60.0
"""A process that lived so long is restarted without an accumulated delay."""
EXIT_SECONDS = 1.0
"""Time for a process that can be heard no more to end by itself."""
SILENT_SECONDS = 30.0
"""A process that answers no ping for so long hangs, and is killed; an import may hold
up the answer for a while."""
START_SECONDS = 600.0
"""The same for a process that is not ready yet."""
PINGS_PER_SILENCE = 6

log = logger(__name__)

OnEvent = Callable[[Message, bytes], None]
ChildState = Literal["starting", "ready", "restarting", "stopped"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildSettings:
    """What a child process is."""

    module: str
    """Run with `python -m`; gets the number of its socket as its argument."""
    name: str
    """What messages call it."""
    configuration: Mapping[str, Any]
    """Its first message."""
    threads: int | None = None
    """Threads of its numeric libraries; theirs to choose if absent."""
    restart_seconds: float = 0.5
    """Delay before the first restart; doubled at each that follows soon."""
    max_restart_seconds: float = 30.0


@dataclass(kw_only=True, slots=True)
class _Call:
    """A request in flight."""

    answer: asyncio.Future[Message]
    on_event: OnEvent | None


@dataclass(slots=True)
class _Life:
    """One process, from its start to its end."""

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    calls: dict[int, _Call] = field(default_factory=dict[int, _Call])
    was_heard: bool = False
    """Whether a message came since the last ping."""


class Child:
    """A supervised process: started again, after a delay, whenever it dies or hangs.

    Args:
        settings: What it is.
        on_news: Called with messages that answer no request, and with an empty one
            when the process has died.
    """

    def __init__(
        self,
        settings: ChildSettings,
        on_news: Callable[[Message], None] | None = None,
    ) -> None:
        self.settings = settings
        self.state: ChildState = "stopped"
        self.num_restarts = 0
        self.was_killed = False
        """Whether the last process that died got SIGKILL from outside."""
        self._on_news = on_news
        self._ids = itertools.count(1)
        self._life: _Life | None = None
        self._ready = asyncio.Event()
        self._hello: asyncio.Future[Message] | None = None
        self._supervision: asyncio.Task[None] | None = None

    async def start(self) -> Message:
        """Start the process and return what it says once it is ready.

        Raises:
            NvsError: If it says why it cannot work.
            WorkerLost: If it dies.
        """
        self.state = "starting"
        self._hello = asyncio.get_running_loop().create_future()
        self._supervision = asyncio.create_task(self._supervise())
        return await asyncio.shield(self._hello)

    async def stop(self) -> None:
        """End the process; requests in flight fail with `WorkerLost`."""
        self.state = "stopped"
        if self._supervision is not None:
            self._supervision.cancel()
            await asyncio.wait([self._supervision])
        self._give_up()
        if self._hello is not None and not self._hello.done():
            self._hello.set_exception(self._lost("was stopped"))
            self._hello.exception()  # nobody need wait for it

    def kill(self) -> None:
        """End the process, which takes no requests from now on; it starts again."""
        if self._life is not None and self._life.process.returncode is None:
            self.state = "restarting"
            self._ready.clear()
            self._life.process.kill()

    def status(self, device: str) -> ChildStatus:
        """How it stands."""
        pid = None if self._life is None else self._life.process.pid
        return ChildStatus(
            device=device, state=self.state, num_restarts=self.num_restarts, pid=pid
        )

    @property
    def num_calls(self) -> int:
        """Requests in flight."""
        return 0 if self._life is None else len(self._life.calls)

    async def wait_ready(self, timeout_seconds: float) -> None:
        """Return once it can take requests.

        Raises:
            WorkerLost: If it is stopped, or not ready within the time.
        """
        try:
            await asyncio.wait_for(self._ready.wait(), timeout_seconds)
        except TimeoutError:
            raise self._lost("is being restarted") from None
        if self.state == "stopped":
            raise self._lost("is stopped")

    async def call(
        self, op: str, on_event: OnEvent | None = None, **values: Any
    ) -> Any:
        """Send a request and return the `value` of its result.

        Cancelling cancels the request there too.

        Args:
            op: What is wanted.
            on_event: Called with events before the result and their blobs.
            values: What `op` needs.

        Raises:
            NvsError, BackendError: As the process answers.
            WorkerLost: If the process is not ready, or dies.
        """
        life = self._life
        if life is None or self.state != "ready":
            raise self._lost("is being restarted")
        request_id = next(self._ids)
        answer = asyncio.get_running_loop().create_future()
        life.calls[request_id] = _Call(answer=answer, on_event=on_event)
        try:
            life.writer.write(wire.packed({"id": request_id, "op": op, **values}))
            return (await answer).get("value")
        except BaseException:
            if request_id in life.calls:  # not answered: whoever asked gave up
                life.writer.write(wire.packed({"id": request_id, "op": "cancel"}))
            raise
        finally:
            life.calls.pop(request_id, None)

    async def _supervise(self) -> None:
        clock = asyncio.get_running_loop().time
        delay = self.settings.restart_seconds
        while True:
            begun = clock()
            how = "could not be started"
            with suppress(OSError):
                how = await self._live()
            assert self._hello is not None, "start() made it"
            if not self._hello.done():
                self._hello.set_exception(self._lost("died while it started"))
            if self._hello.exception() is not None:
                self._give_up()
                return
            self.state = "restarting"
            self.num_restarts += 1
            log.warning(
                "process is started again", process=self.settings.name, because=how
            )
            if clock() - begun > HEALTHY_SECONDS:
                delay = self.settings.restart_seconds
            await asyncio.sleep(delay)
            delay = min(2 * delay, self.settings.max_restart_seconds)

    async def _live(self) -> str:
        """Run one process to its end; returns how it ended."""
        life = self._life = await self._spawn()
        watch = asyncio.create_task(self._watch(life))
        killed = False
        try:
            with suppress(wire.WireError):  # it is replaced like one that died
                while (received := await wire.receive(life.reader)) is not None:
                    life.was_heard = True
                    self._take(life, *received)
            self._retire()
            with suppress(TimeoutError):
                async with asyncio.timeout(EXIT_SECONDS):
                    killed = await life.process.wait() == -signal.SIGKILL
        finally:
            watch.cancel()
            self._retire()
            self.was_killed = killed
            died = _death(life.process.returncode)
            if life.process.returncode is None:
                life.process.kill()
            life.writer.close()
            calls, life.calls = life.calls, {}
            for call in calls.values():
                if not call.answer.done():
                    call.answer.set_exception(self._lost(died))
            await life.process.wait()
            if self._on_news is not None:
                self._on_news({})
        return died

    async def _watch(self, life: _Life) -> None:
        """Kill the process once it answers no more.

        Unanswered pings are counted, not seconds: a gateway that was held up itself
        finds the answers waiting.
        """
        silent_seconds = 0.0
        while silent_seconds < (
            SILENT_SECONDS if self.state == "ready" else START_SECONDS
        ):
            life.was_heard = False
            life.writer.write(wire.packed({"op": "ping"}))
            pause_seconds = SILENT_SECONDS / PINGS_PER_SILENCE
            await asyncio.sleep(pause_seconds)
            silent_seconds = 0.0 if life.was_heard else silent_seconds + pause_seconds
        log.warning("process hangs; killed", process=self.settings.name)
        self.kill()

    def _retire(self) -> None:
        """Take no more requests for this process."""
        self._ready.clear()
        self._life = None

    async def _spawn(self) -> _Life:
        ours, theirs = socket.socketpair()
        environment = dict(os.environ)
        let_threads_sleep(environment)
        if self.settings.threads is not None:
            environment["OMP_NUM_THREADS"] = str(self.settings.threads)
        try:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", self.settings.module),
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                    env=environment,
                )
            reader, writer = await asyncio.open_unix_connection(sock=ours, limit=2**20)
        except BaseException:
            ours.close()  # the child, if there is one, ends
            raise
        writer.write(wire.packed(self.settings.configuration))
        return _Life(process, reader, writer)

    def _give_up(self) -> None:
        self.state = "stopped"
        self._ready.set()  # nobody need wait any longer

    def _take(self, life: _Life, message: Message, blob: bytes) -> None:
        call = life.calls.get(message.get("id", 0))
        match message.get("event"):
            case "result" if call is not None:
                life.calls.pop(message["id"])
                if not call.answer.done():
                    call.answer.set_result(message)
            case "error" if call is not None:
                life.calls.pop(message["id"])
                if not call.answer.done():
                    call.answer.set_exception(wire.error_from_json(message["error"]))
            case "meeting" | "met" | "progress" | "picture" if call is not None:
                self._pass_on(call, message, blob)
            case "ready":
                self.state = "ready"
                self._ready.set()
                if self._hello is not None and not self._hello.done():
                    self._hello.set_result(message)
            case "failed":
                if self._hello is not None and not self._hello.done():
                    self._hello.set_exception(wire.error_from_json(message["error"]))
            case "status" if self._on_news is not None:
                self._on_news(message)
            case _:
                pass  # a pong, or an answer that came too late

    def _pass_on(self, call: _Call, message: Message, blob: bytes) -> None:
        """Give an event to whoever waits; what it raises ends the call."""
        if call.on_event is None or call.answer.done():
            return
        try:
            call.on_event(message, blob)
        except Exception as error:  # noqa: BLE001 - raised again where it belongs
            call.answer.set_exception(error)

    def _lost(self, what: str) -> WorkerLost:
        return WorkerLost(
            f"the {self.settings.name} process {what}", remedy="Try again shortly."
        )


def _death(code: int | None) -> str:
    """How a process ended, by its exit code if it is known."""
    return f"died ({signal.Signals(-code).name})" if code and code < 0 else "died"
