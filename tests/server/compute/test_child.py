"""A child process is kept running, and its requests always end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from nvs.errors import ConfigError
from nvs_server.compute import child as child_module
from nvs_server.compute.child import Child, ChildSettings
from nvs_server.compute.protocol import WorkerLost

PROGRAM = """
import os, queue, signal, sys, time
from nvs_server.compute.wire import Pipe
from nvs_server.compute import wire
from nvs.errors import CameraError, ConfigError

pipe = Pipe.inherited()
configuration = pipe.receive()
if configuration.get("refuse"):
    error = ConfigError("no such device", remedy="Use cpu.")
    pipe.send(event="failed", error=wire.error_to_json(error))
    sys.exit(1)
if configuration.get("die"):
    os._exit(3)
if configuration.get("hang"):
    os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(configuration.get("dawdle_seconds", 0))
requests = queue.SimpleQueue()
pipe.listen(requests.put)
pipe.send(event="ready", greeting=configuration["greeting"])
while True:
    request = requests.get()
    match request["op"]:
        case "echo":
            pipe.send(b"blob", id=request["id"], event="progress", n=1)
            pipe.send(id=request["id"], event="result", value=request["value"])
        case "news":
            pipe.send(event="status", cancelled=[])
            pipe.send(id=request["id"], event="result")
        case "fail":
            pipe.send_error(request["id"], CameraError("odd", remedy="Drop it."))
        case "stumble":
            pipe.send_error(request["id"], ValueError("a secret"))
        case "next":
            cancelled = requests.get()
            pipe.send(event="status", then=cancelled)
        case "garbage":
            pipe._socket.sendall(bytes.fromhex(request["bytes"]))
        case "exit":
            os._exit(1)
        case "busy":
            pipe.send(id=request["id"], event="progress")
            while True:
                pass
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "small_child.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "small_child"


def with_child(
    module: str,
    work: Callable[[Child], Awaitable[None]],
    on_news: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """Run work with a started child."""

    async def run() -> None:
        child = Child(settings(module, greeting="hello"), on_news)
        assert (await child.start())["greeting"] == "hello"
        try:
            await work(child)
        finally:
            await child.stop()

    asyncio.run(run())


def settings(module: str, **configuration: Any) -> ChildSettings:
    return ChildSettings(
        module=module,
        name="small",
        configuration=configuration,
        restart_seconds=0.01,
    )


def test_answers_with_events_before_the_result(module: str) -> None:
    async def work(child: Child) -> None:
        events: list[tuple[int, bytes]] = []
        value = await child.call(
            "echo", lambda message, blob: events.append((message["n"], blob)), value=[7]
        )
        assert value == [7]
        assert events == [(1, b"blob")]
        assert child.num_calls == 0

    with_child(module, work)


def test_errors_are_raised_where_asked(module: str) -> None:
    async def work(child: Child) -> None:
        with pytest.raises(Exception, match="odd") as caught:
            await child.call("fail")
        assert type(caught.value).__name__ == "CameraError"
        with pytest.raises(Exception, match=r"failed inside \(ValueError\)") as caught:
            await child.call("stumble")
        assert "secret" not in str(caught.value)

    with_child(module, work)


def test_what_an_event_handler_raises_ends_the_call(module: str) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("enough")

    async def work(child: Child) -> None:
        with pytest.raises(RuntimeError, match="enough"):
            await child.call("echo", refuse, value=1)
        assert await child.call("echo", value=2) == 2

    with_child(module, work)


def test_cancelling_cancels_there_too(module: str) -> None:
    news: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def work(child: Child) -> None:
        call = asyncio.create_task(child.call("next"))
        while not child.num_calls:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await news.get())["then"] == {"id": 1, "op": "cancel"}

    with_child(module, work, news.put_nowait)


@pytest.mark.parametrize(
    "data",
    ["ffffffff00000000", "02000000000000007b5d", "0200000000000000" + b"[]".hex()],
    ids=["oversized", "not JSON", "no object"],
)
def test_a_child_that_sends_garbage_is_replaced(module: str, data: str) -> None:
    async def work(child: Child) -> None:
        first = child.status("cpu").pid
        with pytest.raises(WorkerLost, match="the small process died"):
            await child.call("garbage", bytes=data)
        await child.wait_ready(60)
        assert await child.call("echo", value=1) == 1
        status = child.status("cpu")
        assert (status.num_restarts, status.state) == (1, "ready")
        assert first is not None
        assert status.pid != first
        assert not psutil.pid_exists(first)

    with_child(module, work)


def test_a_child_that_dies_is_restarted_and_its_requests_fail(module: str) -> None:
    async def work(child: Child) -> None:
        for restarts in (1, 2):
            calls = [child.call("next"), child.call("exit"), child.call("exit")]
            results = await asyncio.gather(*calls, return_exceptions=True)
            # The first swallows the second; the third ends them all.
            assert [type(result) for result in results] == [WorkerLost] * 3
            with pytest.raises(WorkerLost, match="is being restarted"):
                await child.call("echo", value=1)
            await child.wait_ready(60)
            assert child.num_restarts == restarts

    with_child(module, work)


def test_a_killed_child_takes_no_requests_before_it_is_back(module: str) -> None:
    async def work(child: Child) -> None:
        child.kill()
        with pytest.raises(WorkerLost, match="is being restarted"):
            await child.call("echo", value=1)
        await child.wait_ready(60)
        assert await child.call("echo", value=1) == 1

    with_child(module, work)


def test_stop_ends_a_busy_child_and_its_requests(module: str) -> None:
    async def work(child: Child) -> None:
        busy = asyncio.Event()
        call = asyncio.create_task(child.call("busy", lambda *_: busy.set()))
        await busy.wait()
        process = psutil.Process(child.status("cpu").pid)
        await child.stop()
        with pytest.raises(WorkerLost):
            await call
        assert not process.is_running()
        with pytest.raises(WorkerLost, match="is stopped"):
            await child.wait_ready(1)

    with_child(module, work)


def test_a_child_that_hangs_is_replaced_and_its_requests_fail(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "SILENT_SECONDS", 1.0)

    async def work(child: Child) -> None:
        first = child.status("cpu").pid
        assert first is not None
        call = asyncio.create_task(child.call("next"))
        while not child.num_calls:
            await asyncio.sleep(0)
        os.kill(first, signal.SIGSTOP)
        with pytest.raises(WorkerLost, match="the small process died"):
            await call
        assert child.was_killed
        await child.wait_ready(60)
        assert child.status("cpu").pid != first
        assert child.num_restarts == 1

    with_child(module, work)


def test_a_busy_child_is_left_alone(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "SILENT_SECONDS", 3.0)
    pongs = 0
    enough = asyncio.Event()
    take = Child._take

    def counted(child: Child, life: Any, message: dict[str, Any], blob: bytes) -> None:
        nonlocal pongs
        pongs += message["event"] == "pong"
        if pongs > 2 * child_module.PINGS_PER_SILENCE:
            enough.set()
        take(child, life, message, blob)

    monkeypatch.setattr(Child, "_take", counted)

    async def work(child: Child) -> None:
        call = asyncio.create_task(child.call("busy"))
        await enough.wait()
        assert not call.done()
        assert (child.state, child.num_restarts) == ("ready", 0)
        call.cancel()

    with_child(module, work)


def test_a_child_may_be_silent_for_longer_while_it_starts(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(**configuration: Any) -> None:
        child = Child(settings(module, greeting="hello", **configuration))
        try:
            await child.start()
        finally:
            await child.stop()

    monkeypatch.setattr(child_module, "SILENT_SECONDS", 0.3)
    asyncio.run(start(dawdle_seconds=1))
    monkeypatch.setattr(child_module, "START_SECONDS", 0.3)
    with pytest.raises(WorkerLost, match="died while it started"):
        asyncio.run(start(hang=True))


def test_why_it_cannot_start_is_raised(module: str) -> None:
    async def start(**configuration: Any) -> None:
        child = Child(settings(module, **configuration))
        try:
            await child.start()
        finally:
            await child.stop()

    with pytest.raises(ConfigError, match="no such device"):
        asyncio.run(start(refuse=True))
    with pytest.raises(WorkerLost, match="died while it started"):
        asyncio.run(start(die=True))
