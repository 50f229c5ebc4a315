"""What a conversation with the service consists of, apart from how it is carried out.

A `Flow` is a generator that yields steps and receives their results. `Client` carries
the steps out one after another, `AsyncClient` awaits them; the logic (retries, resumed
transfers, waiting for jobs) is written once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar, cast

import httpx

from nvs.client.bodies import FileBody

T = TypeVar("T")


class Sink(Protocol):
    """Takes the body of an answer as it arrives; the same one over all attempts."""

    received_bytes: int
    """What has arrived so far."""

    def headers(self) -> Mapping[str, str]:
        """Headers of the next attempt, such as Range."""
        ...

    def start(self, response: httpx.Response) -> None:
        """An answer's head has arrived."""
        ...

    def receive(self, chunk: bytes) -> bool:
        """A part of the body has arrived; True if no more is wanted."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request, repeated by the retry policy until it is answered."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    json: Any = None
    body: FileBody | None = None
    sink: Sink | None = None
    """Where the body of a good answer goes; it is read whole if absent."""
    read_timeout_seconds: float | None = None
    """Silence that ends an attempt; the client's own if absent."""
    num_attempts: int | None = None
    """Attempts before giving up; the policy's if absent."""


def once(call: Call) -> Call:
    """The call with a key by which the service knows a repetition of it."""
    key = {"Idempotency-Key": uuid.uuid4().hex}
    return replace(call, headers={**call.headers, **key})


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call, made once. Its result is an `httpx.Response`."""

    call: Call


@dataclass(frozen=True, slots=True)
class Sleep:
    """A pause."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Compute:
    """Work on this machine, in a thread where the client is asynchronous."""

    function: Callable[[], Any]


Step = Call | Attempt | Sleep | Compute
Flow = Generator[Step, Any, T]


def answer(call: Call) -> Flow[httpx.Response]:
    """The good answer to a call.

    Raises:
        ServiceError: If the service refuses it.
        ServiceUnreachableError: If there is no answer.
    """
    return cast(httpx.Response, (yield call))


def computed(function: Callable[[], T]) -> Flow[T]:
    """The result of a function of this machine."""
    return cast(T, (yield Compute(function)))
