"""Errors as the service answers them: problem documents (RFC 9457).

Every problem is of one of `problem_kinds.KINDS`; its slug ends the document's `type`.
`as_problem` turns any exception into one; modules that know further exceptions
register them there.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import singledispatch
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from nvs.errors import NvsError, OutputError
from nvs_server.problem_kinds import KINDS

BASE = "https://lact-nvs.dev/problems/"
MEDIA_TYPE = "application/problem+json"


RETRY_SECONDS = 2
"""Retry-After of the 503 problems where nothing better is known."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field of a request: its path, what is wrong, what to do."""

    field: str
    problem: str
    remedy: str


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
        errors: Sequence[FieldError] = (),
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
        self.errors = tuple(errors)

    def document(self, request_id: str = "") -> dict[str, Any]:
        """The problem document, as a JSON object."""
        return {
            "type": BASE + self.slug,
            "title": self.title,
            "status": self.status_code,
            "detail": self.detail,
            "remedy": self.remedy,
            "request_id": request_id,
            "errors": [asdict(error) for error in self.errors],
        }

    def response(self, request_id: str = "") -> JSONResponse:
        """The HTTP response."""
        return JSONResponse(
            self.document(request_id),
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
        errors=(FieldError(field, problem, remedy),),
    )


def not_found(what: str, *, remedy: str = "") -> Problem:
    """Something that is not there, or belongs to another owner."""
    return Problem("not-found", f"There is no {what}.", remedy=remedy)


def documented(*slugs: str) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: an example of each kind it can answer, by status."""
    responses: dict[int | str, dict[str, Any]] = {}
    for slug in slugs:
        kind = KINDS[slug]
        example = Problem(slug).document("5f0c2c1de0d94f8a")
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
