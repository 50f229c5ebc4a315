"""Which problem each exception of validation, storage and backends becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from nvs.errors import NvsError
from nvs_server.backends.base import BackendError, Cancelled, SceneDamaged, WorkerLost
from nvs_server.problems import FieldError, Problem, as_problem
from nvs_server.storage import errors as storage

STORAGE_SLUGS: Mapping[type[storage.StorageError], str] = {
    storage.NotFound: "not-found",
    storage.SceneBusy: "building",
    storage.QuotaExceeded: "quota-exceeded",
    storage.QueueFull: "queue-full",
    storage.IdempotencyConflict: "idempotency-conflict",
    storage.InvalidCursor: "invalid",
    storage.InvalidText: "invalid",
    storage.StorageFull: "disk-full",
    storage.StorageUnavailable: "storage-unavailable",
    storage.BlobMissing: "blob-lost",
    storage.BlobDamaged: "blob-lost",
}
HTTP_SLUGS: Mapping[int, str] = {
    400: "malformed",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    415: "media-type",
    416: "range",
}
"""Of the errors that the framework raises itself."""
HANDLED = (
    HTTPException,
    RequestValidationError,
    WebSocketRequestValidationError,
    NvsError,
    BackendError,
    OSError,
    ClientDisconnect,
)
"""What the application's exception handler answers; the rest is unexpected."""
JOB_RETRY_SECONDS = 30.0
"""Retry-After where the job queue is full."""
MAX_FIELD_ERRORS = 20
MAX_SHOWN = 80
"""Characters of each part of a field's path; unknown fields can be of any length."""


@as_problem.register
def _(error: storage.StorageError) -> Problem:
    slug = next(
        (STORAGE_SLUGS[k] for k in type(error).__mro__ if k in STORAGE_SLUGS),
        "internal",
    )
    if slug == "internal":
        return Problem(slug)
    retry = JOB_RETRY_SECONDS if slug == "queue-full" else None
    return Problem(
        slug,
        error.problem,
        remedy=error.remedy,
        retry_after_seconds=retry,
    )


@as_problem.register
def _(error: WorkerLost) -> Problem:
    return Problem("worker-lost", error.problem, remedy=error.remedy)


@as_problem.register
def _(error: SceneDamaged) -> Problem:
    return Problem("scene-damaged", error.problem, remedy=error.remedy)


@as_problem.register
def _(error: Cancelled) -> Problem:
    return Problem("draining", error.problem, remedy=error.remedy)


@as_problem.register
def _(error: ClientDisconnect) -> Problem:
    return Problem("client-gone")


@as_problem.register
def _(error: HTTPException) -> Problem:
    if isinstance(error, Problem):
        return error
    slug = HTTP_SLUGS.get(error.status_code, "internal")
    return Problem(slug, _DETAILS.get(slug, error.detail), headers=error.headers)


_DETAILS = {
    "not-found": "There is nothing at this address.",
    "method-not-allowed": "This address does not take the request's method.",
}


@as_problem.register
def _(error: RequestValidationError) -> Problem:
    found: Sequence[Any] = error.errors()
    if found and found[0]["type"] == "json_invalid":
        reason = found[0]["ctx"]["error"]
        position = found[0]["loc"][-1]
        return Problem(
            "malformed",
            f"The body is not valid JSON: {reason} at character {position}.",
        )
    fields = tuple(_field_error(one) for one in found[:MAX_FIELD_ERRORS])
    detail = "; ".join(f"{one.field}: {one.problem}" for one in fields[:3])
    return Problem("invalid", detail, remedy=fields[0].remedy, errors=fields)


def _field_error(found: Mapping[str, Any]) -> FieldError:
    """One error of pydantic; where it comes from an `NvsError`, with its remedy."""
    where, *path = found["loc"]
    name = ".".join(str(part)[:MAX_SHOWN] for part in path) or str(where)
    cause = found.get("ctx", {}).get("error")
    if isinstance(cause, NvsError):
        return FieldError(name, cause.problem, cause.remedy)
    message = str(found["msg"])
    return FieldError(
        name,
        message[0].lower() + message[1:],
        f"Put {name} right; /docs describes what the {where} takes.",
    )
