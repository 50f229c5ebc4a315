"""Carries out the steps of a conversation, awaiting each."""

from __future__ import annotations

from typing import Any, Self, TypeVar

import anyio
import anyio.to_thread
import httpx

from nvs.client.connection import Connection
from nvs.client.retries import exchange
from nvs.client.steps import Attempt, Call, Flow, Sleep, Step

T = TypeVar("T")


class AsyncRunner:
    """Runs flows over an `httpx.AsyncClient`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http = httpx.AsyncClient(**connection.options())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _run(self, flow: Flow[T]) -> T:
        result: Any = None
        error: Exception | None = None
        try:
            while True:
                step = flow.send(result) if error is None else flow.throw(error)
                result, error = None, None
                try:
                    result = await self._carried_out(step)
                except Exception as raised:  # noqa: BLE001 (the flow decides)
                    error = raised
        except StopIteration as stop:
            return stop.value
        finally:
            flow.close()

    async def _carried_out(self, step: Step) -> Any:
        if isinstance(step, Call):
            return await self._run(exchange(step, self._connection.retries))
        if isinstance(step, Attempt):
            return await self._attempt(step.call)
        if isinstance(step, Sleep):
            return await anyio.sleep(step.seconds)
        return await anyio.to_thread.run_sync(step.function)

    async def _attempt(self, call: Call) -> httpx.Response:
        request = self._http.build_request(
            **self._connection.request(call),
            content=None if call.body is None else call.body.achunks(),
        )
        response = await self._http.send(request, stream=True)
        try:
            if call.sink is None or not response.is_success:
                await response.aread()
                return response
            call.sink.start(response)
            async for chunk in response.aiter_bytes():
                if call.sink.receive(chunk):
                    break
        finally:
            await response.aclose()
        return response
