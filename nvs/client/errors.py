"""What can go wrong between client and service, as errors with a remedy."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx
from pydantic import ValidationError

from nvs.api.jobs import Job
from nvs.api.system import FieldProblem, Problem
from nvs.errors import NvsError

MAX_SHOWN_FIELDS = 3


class ServiceError(NvsError):
    """An answer that is no success: a problem document (RFC 9457), or a redirect.

    Attributes:
        status: The HTTP status.
        slug: Last part of the problem's type, such as `quota-exceeded`.
        fields: The fields that are wrong; empty if none is to blame.
        request_id: Finds the request in the service's log; None if not given.
        retry_after_seconds: When the service said to come back; None if it did not.
    """

    def __init__(
        self,
        problem: str,
        *,
        remedy: str,
        status: int,
        slug: str = "",
        fields: tuple[FieldProblem, ...] = (),
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(problem, remedy=remedy)
        self.status = status
        self.slug = slug
        self.fields = fields
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds

    @property
    def field(self) -> str | None:
        """The first field that is wrong."""
        return self.fields[0].field if self.fields else None

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with every attribute."""
        return type(self)._from_state, (self.problem, self.remedy, self.__dict__)

    @classmethod
    def _from_state(
        cls, problem: str, remedy: str, state: dict[str, Any]
    ) -> ServiceError:
        error = cls(problem, remedy=remedy, status=0)
        error.__dict__.update(state)
        return error


class ServiceUnreachableError(NvsError):
    """No answer: nothing listens there, or the connection broke too often."""


class ServiceAnswerError(NvsError):
    """An answer that is not what the service's interface says."""


class JobFailedError(NvsError):
    """A build or video that failed or was cancelled.

    Attributes:
        job: The job in its final state.
    """

    def __init__(self, job: Job) -> None:
        problem = f"the {job.kind} {job.id} was cancelled"
        remedy = "Start it again if that was not meant."
        if job.error is not None:
            problem, remedy = job.error.problem, job.error.remedy
        super().__init__(problem, remedy=remedy)
        self.job = job

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the job."""
        return type(self), (self.job,)


def error_of(response: httpx.Response) -> ServiceError:
    """The error that an answer without success means.

    Args:
        response: The answer, its body read.
    """
    if response.has_redirect_location:
        return _redirected(response)
    status = response.status_code
    try:
        problem = Problem.model_validate_json(response.content, extra="ignore")
    except ValidationError:
        host, reason = response.request.url.host, response.reason_phrase
        error = ServiceError(
            f"{host} answered {status} {reason}".strip(),
            remedy=_usual_remedy(status),
            status=status,
        )
    else:
        error = error_of_problem(problem)
    error.retry_after_seconds = _retry_after_seconds(response)
    error.request_id = error.request_id or response.headers.get("X-Request-ID")
    return error


def error_of_problem(problem: Problem) -> ServiceError:
    """The error that a problem document describes."""
    fields, text = tuple(problem.errors), problem.detail
    if not all(entry.problem in text for entry in fields):
        named = (f"{one.field}: {one.problem}" for one in fields[:MAX_SHOWN_FIELDS])
        text = f"{text.rstrip('.')} ({'; '.join(named)})"
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        text = f"{text.rstrip('.')} (request {problem.request_id})"
    return ServiceError(
        text,
        remedy=problem.remedy or _usual_remedy(problem.status),
        status=problem.status,
        slug=problem.type.rpartition("/")[2],
        fields=fields,
        request_id=problem.request_id,
    )


def _retry_after_seconds(response: httpx.Response) -> float | None:
    """The `Retry-After` of an answer, given in seconds or as a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _redirected(response: httpx.Response) -> ServiceError:
    """Redirects are not followed: they lead to login pages as often as to a service."""
    url = response.request.url
    there = url.join(response.headers["Location"])
    return ServiceError(
        f"{url.host} answered {response.status_code} {response.reason_phrase}, "
        f"which leads to {there.scheme}://{there.netloc.decode()}",
        remedy="Give the address of the service itself.",
        status=response.status_code,
    )


def _usual_remedy(status: int) -> str:
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return (
            "A proxy before the service refuses bodies of this size. Raise its limit: "
            "client_max_body_size in nginx, which is 1 MiB by default, request_body "
            "max_size in Caddy."
        )
    if status == HTTPStatus.UNAUTHORIZED:
        return "Give a key that is valid for this server."
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "Try again later; if it goes on, ask whoever runs the server."
    return "Check the address of the server and the request."
