"""Carries out the steps of a conversation, one after another."""

from __future__ import annotations

import time
from typing import Any, Self, TypeVar

import httpx

from nvs.client.connection import Connection
from nvs.client.retries import exchange
from nvs.client.steps import Attempt, Call, Flow, Sleep, Step

T = TypeVar("T")


class Runner:
    """Runs flows over an `httpx.Client`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http = httpx.Client(**connection.options())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _run(self, flow: Flow[T]) -> T:
        result: Any = None
        error: Exception | None = None
        try:
            while True:
                step = flow.send(result) if error is None else flow.throw(error)
                result, error = None, None
                try:
                    result = self._carried_out(step)
                except Exception as raised:  # noqa: BLE001 (the flow decides)
                    error = raised
        except StopIteration as stop:
            return stop.value
        finally:
            flow.close()

    def _carried_out(self, step: Step) -> Any:
        if isinstance(step, Call):
            return self._run(exchange(step, self._connection.retries))
        if isinstance(step, Attempt):
            return self._attempt(step.call)
        if isinstance(step, Sleep):
            return time.sleep(step.seconds)
        return step.function()

    def _attempt(self, call: Call) -> httpx.Response:
        request = self._http.build_request(
            **self._connection.request(call),
            content=None if call.body is None else call.body.chunks(),
        )
        response = self._http.send(request, stream=True)
        try:
            if call.sink is None or not response.is_success:
                response.read()
                return response
            call.sink.start(response)
            for chunk in response.iter_bytes():
                if call.sink.receive(chunk):
                    break
        finally:
            response.close()
        return response
