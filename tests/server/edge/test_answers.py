"""Connections whose answer nobody reads, and those whose answers are read."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Response
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from nvs_server.edge import connections
from nvs_server.edge.admission import Admission, AdmittedRoute
from nvs_server.edge.connections import PromptHeads, PromptStreams, WholeAnswers

NUM_BYTES = 32 * 2**20
"""More than the system's own buffers take."""
SOON_SECONDS = 0.3
LATE_SECONDS = 30.0
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + b"A" * 22 + b"==\r\n\r\n"
)


class Served:
    """A server, and clients of it that are slow to read."""

    def __init__(self, state: ServerState, address: tuple[str, int]) -> None:
        self.state = state
        self.address = address

    @property
    def is_cut_off(self) -> bool:
        return not self.state.connections

    async def ask(self, request: bytes, buffer_bytes: int = 4096) -> socket.socket:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, self.address)
        await loop.sock_sendall(client, request)
        return client


@asynccontextmanager
async def serving(app: Any) -> AsyncGenerator[Served]:
    config = Config(app, lifespan="off", log_config=None, ws=PromptStreams)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: PromptHeads(config, state, {}), "127.0.0.1", 0
    )
    async with server:
        yield Served(state, server.sockets[0].getsockname()[:2])
        for connection in list(state.connections):
            connection.transport.abort()


def run(app: Any, talk: Callable[[Served], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(LATE_SECONDS), serving(app) as served:
            await talk(served)

    config = Config(app, log_config=None)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(whole())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    await WholeAnswers(Response(bytes(NUM_BYTES)))(scope, receive, send)


async def large_message(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "bytes": bytes(NUM_BYTES)})
    await send({"type": "websocket.close"})


@pytest.mark.parametrize(
    ("app", "request_bytes"), [(large, REQUEST), (large_message, UPGRADE)]
)
def test_an_answer_that_nobody_reads_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, app: Any, request_bytes: bytes
) -> None:
    monkeypatch.setattr(connections, "ANSWER_SECONDS", SOON_SECONDS)

    async def talk(served: Served) -> None:
        with await served.ask(request_bytes):
            await until(lambda: len(served.state.tasks) == 1)
            await until(lambda: served.is_cut_off)
            await until(lambda: not served.state.tasks)

    run(app, talk)


@pytest.mark.parametrize(("read_bytes", "is_enough"), [(2**18, True), (64, False)])
def test_a_slow_reader_gets_all_unless_it_is_too_slow(
    monkeypatch: pytest.MonkeyPatch, read_bytes: int, is_enough: bool
) -> None:
    """Reading a hundred times a second, for longer than an unread answer may lie."""
    monkeypatch.setattr(connections, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(connections, "MIN_BYTES_PER_SECOND", 2**18)

    async def talk(served: Served) -> None:
        loop = asyncio.get_running_loop()
        with await served.ask(REQUEST, read_bytes) as client:
            num_read = len(await loop.sock_recv(client, read_bytes))
            while num_read < NUM_BYTES and not served.is_cut_off:
                await asyncio.sleep(0.01)
                num_read += len(await loop.sock_recv(client, read_bytes))
        assert (num_read >= NUM_BYTES) == is_enough

    run(large, talk)


def test_a_request_ends_when_its_answer_is_taken() -> None:
    async def talk(served: Served) -> None:
        loop = asyncio.get_running_loop()
        with await served.ask(REQUEST) as client:
            await until(lambda: len(served.state.tasks) == 1)
            await asyncio.sleep(SOON_SECONDS)
            assert served.state.tasks
            num_read = 0
            while num_read < NUM_BYTES:
                num_read += len(await loop.sock_recv(client, 2**22))
            await until(lambda: not served.state.tasks)

    run(large, talk)


def test_a_render_has_its_place_until_its_answer_is_sent() -> None:
    router = APIRouter(route_class=AdmittedRoute)
    admission = Admission(max_renders=1, max_streams=1)
    places: list[tuple[str, int]] = []

    @router.get("/render")
    async def render() -> Response:
        return Response(b"picture")

    app = FastAPI()
    app.state.admission = admission
    app.include_router(router)

    async def send(message: Any) -> None:
        await asyncio.sleep(0.01)
        places.append((message["type"], admission.num_renders))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/render",
        "query_string": b"",
        "headers": [],
        "state": {},
    }
    asyncio.run(WholeAnswers(app)(scope, receive, send))
    assert places == [
        ("http.response.start", 1),
        ("http.response.body", 1),
        ("http.response.body", 1),
    ]
    assert admission.num_renders == 0
