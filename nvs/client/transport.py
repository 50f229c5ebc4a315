"""Requests to the service: sent, repeated by a policy, their answers checked."""

from __future__ import annotations

import importlib.metadata
import random
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError
from pydantic import BaseModel, ValidationError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
)

from nvs.client.errors import (
    ServiceAnswerError,
    ServiceError,
    ServiceUnreachableError,
    error_of,
)
from nvs.client.transfers import Download, FileBody
from nvs.errors import ConfigError

CONNECT_TIMEOUT_SECONDS = 10.0
EVENTS_TIMEOUT_SECONDS = 45.0
"""Three of the comments that the service sends on a silent stream of events."""
DEFAULT_SERVER = "http://127.0.0.1:8000"
BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
HOPELESS = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)

T = TypeVar("T")
Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True, kw_only=True, slots=True)
class Retries:
    """How long to keep trying.

    A call is made again after a broken connection, 429 or 503: doing one twice is the
    same as doing it once. The pause doubles from `first_seconds` to `longest_seconds`
    and is shortened by chance by up to a half; a `Retry-After` of the service is
    honoured in full, with some chance added, so that clients that were turned away
    together do not come back together. A download that gets further each time may
    break off any number of times.

    Raises:
        ConfigError: If there would not be a single attempt.
    """

    num_attempts: int = 6
    first_seconds: float = 0.5
    longest_seconds: float = 15.0
    longest_retry_after_seconds: float = 120.0
    """A `Retry-After` beyond this ends the attempts."""

    def __post_init__(self) -> None:
        if self.num_attempts < 1:
            raise ConfigError(
                f"num_attempts is {self.num_attempts}", remedy="It must be at least 1."
            )

    async def repeated(
        self,
        attempt: Callable[[], Awaitable[T]],
        progress: Callable[[], int] = lambda: 0,
    ) -> T:
        """The result of an attempt, after as many as it takes.

        Args:
            attempt: Raises ServiceError or ServiceUnreachableError if it fails.
            progress: What the attempts have achieved so far; once that has grown, the
                attempts are counted anew.
        """
        before = progress()

        def count_anew(state: RetryCallState) -> None:
            nonlocal before
            if progress() > before:
                before, state.attempt_number = progress(), 1

        retrying = AsyncRetrying(
            retry=retry_if_exception(self._may_repeat),
            after=count_anew,
            wait=self._pause_seconds,
            stop=stop_after_attempt(self.num_attempts),
            reraise=True,
        )
        return await retrying(attempt)

    def _may_repeat(self, error: BaseException) -> bool:
        if isinstance(error, ServiceError):
            retry_after = error.retry_after_seconds or 0
            return (
                error.status in BUSY and retry_after <= self.longest_retry_after_seconds
            )
        return isinstance(error, ServiceUnreachableError) and not isinstance(
            error.__cause__, HOPELESS
        )

    def _pause_seconds(self, state: RetryCallState) -> float:
        error = None if state.outcome is None else state.outcome.exception()
        if isinstance(error, ServiceError) and error.retry_after_seconds is not None:
            chance = self.first_seconds * random.uniform(0.0, 1.0)
            return error.retry_after_seconds + chance
        steady = wait_exponential(self.first_seconds, max=self.longest_seconds)
        return steady(state) * random.uniform(0.5, 1.0)


class Transport:
    """Connections to one service.

    Args:
        server: Address of the service.
        key: The key, unless the service is open.
        retries: How long to keep trying.
        timeout_seconds: Longest silence within one answer.

    Raises:
        ConfigError: If the address is no http(s) URL or the key cannot be one.
    """

    def __init__(
        self, server: str, *, key: str | None, retries: Retries, timeout_seconds: float
    ) -> None:
        self._url = _service_url(server)
        self._retries = retries
        headers = {"User-Agent": f"lact-nvs/{importlib.metadata.version('lact-nvs')}"}
        if key is not None:
            headers["Authorization"] = f"Bearer {_checked(key)}"
        self._http = httpx.AsyncClient(
            base_url=self._url,
            headers=headers,
            timeout=httpx.Timeout(timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        body: FileBody | None = None,
    ) -> httpx.Response:
        """The good answer to a request, its body read.

        Args:
            method: GET, PUT, …
            path: Address within the service.
            params: The query.
            json: The body, unless it is a file.
            headers: Further headers.
            body: A file to send.

        Raises:
            ServiceError: If the service refuses it.
            ServiceUnreachableError: If there is no answer after all attempts.
        """

        async def attempt() -> httpx.Response:
            options: dict[str, Any] = {"params": params, "json": json}
            options["headers"] = dict(headers or {})
            if body is not None:
                options["headers"] |= body.headers()
                options["content"] = body.chunks()
            async with self._answer(method, path, **options) as response:
                await response.aread()
            return response

        return await self._retries.repeated(attempt)

    async def ask(
        self, kind: type[Answer], method: str, path: str, **request: Any
    ) -> Answer:
        """The JSON answer to a request; see `send`.

        Raises:
            ServiceAnswerError: If it is something else than that kind of answer.
        """
        return parsed(kind, (await self.send(method, path, **request)).content)

    async def fetch(self, path: str, download: Download) -> None:
        """Receive a file, going on where the connection broke."""

        async def attempt() -> None:
            async with self._answer("GET", path, headers=download.headers()) as answer:
                download.start(answer)
                async for chunk in answer.aiter_bytes():
                    download.receive(chunk)

        await self._retries.repeated(attempt, lambda: download.received_bytes)

    async def events(self, path: str) -> AsyncGenerator[ServerSentEvent]:
        """Server-sent events, until the stream ends.

        Raises:
            ServiceError: If the service refuses it.
            ServiceUnreachableError: If it breaks off. It is tried once.
            ServiceAnswerError: If it is no stream of events.
        """
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        timeout = httpx.Timeout(EVENTS_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS)
        async with self._answer(
            "GET", path, headers=headers, timeout=timeout
        ) as answer:
            try:
                async for event in EventSource(answer).aiter_sse():
                    yield event
            except SSEError as error:
                raise _other_answer("stream of events", str(error)) from error

    def stream_url(self, path: str, ticket: str) -> str:
        """Address of a WebSocket of this service."""
        scheme = "wss" if self._url.scheme == "https" else "ws"
        path = self._url.path.rstrip("/") + path
        params = {"ticket": ticket}
        return str(self._url.copy_with(scheme=scheme, path=path, params=params))

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, **options: Any
    ) -> AsyncGenerator[httpx.Response]:
        """A good answer whose body is still to be read."""
        try:
            async with self._http.stream(method, path, **options) as response:
                if not response.is_success:
                    await response.aread()
                    raise error_of(response)
                yield response
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            url = error.request.url.copy_with(query=None, userinfo=b"")
            raise ServiceUnreachableError(
                f"no answer from {url} ({reason})",
                remedy="Check that the server runs and that the address is right.",
            ) from error


def parsed(kind: type[Answer], text: str | bytes) -> Answer:
    """JSON of the service as a model; fields of a newer service are passed over.

    Raises:
        ServiceAnswerError: If it is not JSON or a field is missing or of another type.
    """
    try:
        return kind.model_validate_json(text, extra="ignore")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        reason = f"{place}: {first['msg']}" if place else first["msg"]
        raise _other_answer(kind.__name__, reason) from error


def scene_path(scene_id: str, *parts: str) -> str:
    """Address of a scene or of a part of it; parts are quoted, slashes stay."""
    return "/".join(["/v1/scenes", quote(scene_id, safe=""), *map(quote, parts)])


def job_path(job_id: str, *parts: str) -> str:
    """Address of a job or of a part of it."""
    return "/".join(["/v1/jobs", quote(job_id, safe=""), *parts])


def once() -> dict[str, str]:
    """A header by which the service knows the repetitions of one request."""
    return {"Idempotency-Key": uuid.uuid4().hex}


def _other_answer(expected: str, reason: str) -> ServiceAnswerError:
    return ServiceAnswerError(
        f"the service did not answer with a {expected} ({reason})",
        remedy="Check that the address is that of `nvs serve` and not of another "
        "service, and that client and server have the same version.",
    )


def _service_url(server: str) -> httpx.URL:
    try:
        url = httpx.URL(server)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host or url.query:
        raise ConfigError(
            f"the server is {server!r}",
            remedy=f"Give its address, such as {DEFAULT_SERVER}.",
        )
    return url


def _checked(key: str) -> str:
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(
            "the key has characters that no key has",
            remedy="Give the line that `nvs keys create` printed.",
        )
    return key
