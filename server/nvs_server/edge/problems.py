"""Errors as the service answers them: problem documents (RFC 9457).

Every problem is of one of `problem_kinds.KINDS`; its slug ends the document's `type`.
`as_problem` turns any exception into one.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any

from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from nvs.api.system import FieldProblem
from nvs.api.system import Problem as ProblemDocument
from nvs.errors import NvsError, OutputError
from nvs_server.compute.protocol import (
    BackendError,
    Cancelled,
    SceneDamaged,
    WorkerFull,
    WorkerLost,
)
from nvs_server.edge.problem_kinds import KINDS
from nvs_server.storage import errors as storage

BASE = "https://lact-nvs.dev/problems/"
MEDIA_TYPE = "application/problem+json"


RETRY_SECONDS = 2
"""Retry-After of the 503 problems, and of full workers: nothing better is known."""
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
_DETAILS = {
    "not-found": "There is nothing at this address.",
    "method-not-allowed": "This address does not take the request's method.",
}


class Problem(HTTPException):
    """An answer that is a problem document.

    Args:
        slug: A key of `KINDS`, which gives status and title.
        detail: What is wrong here, with the value found; the example if empty.
        remedy: What to do about it; the example's if empty.
        errors: The wrong fields, for `invalid`.
        retry_after_seconds: Header Retry-After, rounded up.
        headers: Further headers, such as Allow.
    """

    detail: str

    def __init__(
        self,
        slug: str,
        detail: str = "",
        *,
        remedy: str = "",
        errors: Sequence[FieldProblem] = (),
        retry_after_seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        kind = KINDS[slug]
        if retry_after_seconds is None and kind.status == 503:
            retry_after_seconds = RETRY_SECONDS
        headers = dict(headers or {})
        if retry_after_seconds is not None:
            headers["Retry-After"] = str(max(1, -int(-retry_after_seconds // 1)))
        if kind.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        super().__init__(kind.status, detail or kind.detail, headers)
        self.slug = slug
        self.title = kind.title
        self.remedy = remedy or kind.remedy
        self.errors = list(errors)

    def document(self, request_id: str = "") -> ProblemDocument:
        """The problem document."""
        return ProblemDocument(
            type=BASE + self.slug,
            title=self.title,
            status=self.status_code,
            detail=self.detail,
            remedy=self.remedy,
            request_id=request_id,
            errors=self.errors,
        )

    def response(self, request_id: str = "") -> JSONResponse:
        """The HTTP response."""
        return JSONResponse(
            self.document(request_id).model_dump(),
            status_code=self.status_code,
            headers=self.headers,
            media_type=MEDIA_TYPE,
        )

    @property
    def close_code(self) -> int:
        """Close code of a WebSocket: 1012 while draining, else 4000 + status."""
        return 1012 if self.slug == "draining" else 4000 + self.status_code


def invalid(field: str, problem: str, *, remedy: str) -> Problem:
    """A request with one wrong field."""
    return Problem(
        "invalid",
        f"{field}: {problem}",
        remedy=remedy,
        errors=[FieldProblem(field=field, problem=problem, remedy=remedy)],
    )


def not_found(what: str, *, remedy: str = "") -> Problem:
    """Something that is not there, or belongs to another owner."""
    return Problem("not-found", f"There is no {what}.", remedy=remedy)


def documented(*slugs: str) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: an example of each kind it can answer, by status."""
    responses: dict[int | str, dict[str, Any]] = {}
    for slug in slugs:
        kind = KINDS[slug]
        example = Problem(slug).document("5f0c2c1de0d94f8a").model_dump()
        response = responses.setdefault(
            kind.status,
            {
                "description": kind.title,
                "content": {
                    MEDIA_TYPE: {
                        "schema": {"$ref": "#/components/schemas/Problem"},
                        "examples": {},
                    }
                },
            },
        )
        response["content"][MEDIA_TYPE]["examples"][slug] = {
            "summary": kind.title,
            "value": example,
        }
    return responses


@singledispatch
def as_problem(error: BaseException) -> Problem:
    """The problem that an exception is; `internal` for one that is unknown."""
    if isinstance(error, Problem):
        return error
    return Problem("internal")


@as_problem.register
def _(error: NvsError) -> Problem:
    return Problem("invalid", error.problem, remedy=error.remedy)


@as_problem.register
def _(error: OSError) -> Problem:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return Problem("disk-full" if full else "internal")


@as_problem.register
def _(error: OutputError) -> Problem:
    cause = error.__cause__
    return as_problem(cause) if isinstance(cause, OSError) else Problem("internal")


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
def _(error: WorkerFull) -> Problem:
    return Problem(
        "queue-full",
        error.problem,
        remedy=error.remedy,
        retry_after_seconds=RETRY_SECONDS,
    )


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
    fields = [_field_problem(one) for one in found[:MAX_FIELD_ERRORS]]
    detail = "; ".join(f"{one.field}: {one.problem}" for one in fields[:3])
    return Problem("invalid", detail, remedy=fields[0].remedy, errors=fields)


def _field_problem(found: Mapping[str, Any]) -> FieldProblem:
    """One error of pydantic; where it comes from an `NvsError`, with its remedy."""
    where, *path = found["loc"]
    name = ".".join(str(part)[:MAX_SHOWN] for part in path) or str(where)
    cause = found.get("ctx", {}).get("error")
    if isinstance(cause, NvsError):
        return FieldProblem(field=name, problem=cause.problem, remedy=cause.remedy)
    message = str(found["msg"])
    return FieldProblem(
        field=name,
        problem=message[0].lower() + message[1:],
        remedy=f"Put {name} right; /docs describes what the {where} takes.",
    )
