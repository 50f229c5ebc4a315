"""When a call is made again, and after how long."""

from __future__ import annotations

import random
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import httpx

from nvs.client.errors import (
    ServiceError,
    ServiceUnreachableError,
    error_of,
)
from nvs.client.steps import Attempt, Call, Flow, Sleep
from nvs.errors import ConfigError

BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
HOPELESS = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Retries:
    """How long to keep trying.

    A call is made again after a broken connection, 429 or 503: doing one twice is the
    same as doing it once. The pause doubles from `first_seconds` to `longest_seconds`
    and is shortened by chance by up to a half; a `Retry-After` of the service is
    honoured in full, with some chance added, so that clients that were turned away
    together do not come back together.
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

    def pause_seconds(self, num_failed: int, retry_after: float | None) -> float:
        """The pause after so many attempts have failed."""
        steady = min(self.longest_seconds, self.first_seconds * 2 ** (num_failed - 1))
        if retry_after is None:
            return steady * random.uniform(0.5, 1.0)
        return retry_after + self.first_seconds * random.uniform(0.0, 1.0)


def exchange(call: Call, retries: Retries) -> Flow[httpx.Response]:
    """The good answer to a call, after as many attempts as the policy allows.

    A transfer that gets further each time may break off any number of times.

    Raises:
        ServiceError: If the service refuses it.
        ServiceUnreachableError: If there is no answer.
    """
    num_attempts = call.num_attempts or retries.num_attempts
    num_failed = 0
    received_bytes = 0
    while True:
        retry_after: float | None = None
        try:
            response = cast(httpx.Response, (yield Attempt(call)))
        except httpx.TransportError as error:
            failure = _unreachable(error)
            may_repeat = not isinstance(error, HOPELESS)
        else:
            if response.is_success:
                return response
            failure = error_of(response)
            retry_after = failure.retry_after_seconds
            may_repeat = _may_repeat(failure, retries)
        if call.sink is not None and call.sink.received_bytes > received_bytes:
            num_failed, received_bytes = 0, call.sink.received_bytes
        num_failed += 1
        if not may_repeat or num_failed >= num_attempts:
            raise failure
        yield Sleep(retries.pause_seconds(num_failed, retry_after))


def _may_repeat(error: ServiceError, retries: Retries) -> bool:
    return (
        error.status in BUSY
        and (error.retry_after_seconds or 0) <= retries.longest_retry_after_seconds
    )


def _unreachable(error: httpx.TransportError) -> ServiceUnreachableError:
    reason = str(error) or type(error).__name__
    url = error.request.url.copy_with(query=None, userinfo=b"")
    failure = ServiceUnreachableError(
        f"no answer from {url} ({reason})",
        remedy="Check that the server runs and that the address is right.",
    )
    failure.__cause__ = error
    return failure
