"""Connections whose request never comes, and those whose requests do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from starlette.responses import PlainTextResponse
from uvicorn import Config
from uvicorn.server import ServerState

from nvs_server.edge import connections
from nvs_server.edge.connections import PromptHeads

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
SOON_SECONDS = 0.2
LATE_SECONDS = 30.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", SOON_SECONDS)


@asynccontextmanager
async def connection() -> AsyncGenerator[
    tuple[asyncio.StreamReader, asyncio.StreamWriter]
]:
    config = Config(
        PlainTextResponse("here"), lifespan="off", log_config=None, access_log=False
    )
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: PromptHeads(config, state, {}), "127.0.0.1", 0
    )
    async with server:
        reader, writer = await asyncio.open_connection(
            *server.sockets[0].getsockname()[:2]
        )
        try:
            yield reader, writer
        finally:
            writer.close()


def run(talk: Talk) -> None:
    async def whole() -> None:
        async with asyncio.timeout(LATE_SECONDS), connection() as streams:
            await talk(*streams)

    asyncio.run(whole())


async def answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"content-length: 4" in head.lower()
    await reader.readexactly(4)
    return head


@pytest.mark.parametrize("begun", [b"", b"GET / HT", REQUEST[:-2]])
def test_a_head_that_does_not_come_gets_408(begun: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")

    run(talk)


def test_bytes_now_and_then_do_not_help() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def drip() -> None:
            while True:
                writer.write(b"G")
                await asyncio.sleep(SOON_SECONDS / 10)

        dripping = asyncio.create_task(drip())
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
        dripping.cancel()

    run(talk)


def test_a_second_head_must_come_too() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(REQUEST)
        assert (await answer(reader)).startswith(b"HTTP/1.1 200 ")
        writer.write(b"GET")
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")

    run(talk)


def test_requests_that_come_keep_the_connection() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(4):
            await asyncio.sleep(SOON_SECONDS / 2)
            writer.write(REQUEST)
            assert (await answer(reader)).startswith(b"HTTP/1.1 200 ")

    run(talk)
