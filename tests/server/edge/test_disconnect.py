from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from nvs_server.edge.connections import run_while_connected


class Client:
    """A client that has sent its body and stays until `leave` is called."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": b"", "more_body": False}
        ]

    async def receive(self) -> dict[str, Any]:
        if self.messages:
            return self.messages.pop()
        await self.left.wait()
        return {"type": "http.disconnect"}

    def request(self) -> Request:
        return Request({"type": "http", "headers": []}, self.receive)


def test_the_result_is_handed_on() -> None:
    async def work() -> int:
        return 5

    assert asyncio.run(run_while_connected(Client().request(), work())) == 5


def test_an_error_is_handed_on() -> None:
    async def work() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        asyncio.run(run_while_connected(Client().request(), work()))


def test_the_work_ends_when_the_client_leaves() -> None:
    ended = []

    async def scenario() -> None:
        client, begun = Client(), asyncio.Event()

        async def work() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("work")

        running = asyncio.create_task(run_while_connected(client.request(), work()))
        await begun.wait()
        client.left.set()
        with pytest.raises(ClientDisconnect):
            await running
        ended.append("caller")

    asyncio.run(scenario())
    assert ended == ["work", "caller"]


def test_cancelling_the_caller_cancels_the_work() -> None:
    ended = []

    async def scenario() -> None:
        begun = asyncio.Event()

        async def work() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("work")

        running = asyncio.create_task(run_while_connected(Client().request(), work()))
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(scenario())
    assert ended == ["work"]
