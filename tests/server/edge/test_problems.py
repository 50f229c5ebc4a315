from __future__ import annotations

import errno

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from nvs.errors import CameraError, OutputError
from nvs.files import atomic_output
from nvs_server.compute.protocol import BackendError, SceneDamaged, WorkerLost
from nvs_server.edge.problem_kinds import KINDS
from nvs_server.edge.problems import (
    STORAGE_SLUGS,
    Problem,
    as_problem,
    documented,
    invalid,
)
from nvs_server.storage import errors as storage


@pytest.mark.parametrize("slug", KINDS)
def test_each_kind_makes_a_whole_document(slug: str) -> None:
    document = Problem(slug).document("r1").model_dump()
    assert document["type"] == f"https://lact-nvs.dev/problems/{slug}"
    assert document["status"] == KINDS[slug].status
    for name in ("title", "detail", "remedy"):
        assert document[name]
    assert document["request_id"] == "r1"
    assert Problem(slug).close_code in (1012, 4000 + KINDS[slug].status)


def test_retry_after_is_whole_seconds_rounded_up() -> None:
    for seconds, text in ((0.01, "1"), (1.0, "1"), (1.2, "2"), (60, "60")):
        problem = Problem("queue-full", retry_after_seconds=seconds)
        assert problem.headers == {"Retry-After": text}
    assert "Retry-After" in (Problem("worker-lost").headers or {})


def test_an_invalid_field_is_named() -> None:
    document = (
        invalid("height", "it is 33", remedy="Use 32 or 40.").document().model_dump()
    )
    assert document["detail"] == "height: it is 33"
    assert document["errors"] == [
        {"field": "height", "problem": "it is 33", "remedy": "Use 32 or 40."}
    ]


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (CameraError("fx is -1", remedy="Make it positive."), 422, "invalid"),
        (OSError(errno.ENOSPC, "No space left"), 507, "disk-full"),
        (OSError(errno.EDQUOT, "Quota"), 507, "disk-full"),
        (PermissionError(errno.EACCES, "/secret/path"), 500, "internal"),
        (WorkerLost("it died", remedy="Try again."), 503, "worker-lost"),
        (SceneDamaged("altered", remedy="Wait."), 503, "scene-damaged"),
        (BackendError("odd", remedy="-"), 500, "internal"),
        (storage.NotFound("scene", "abc"), 404, "not-found"),
        (storage.SceneBusy("abc"), 409, "building"),
        (storage.QuotaExceeded("scenes", 3, 3), 403, "quota-exceeded"),
        (storage.QueueFull(5), 429, "queue-full"),
        (storage.IdempotencyConflict("k", "job", "j"), 409, "idempotency-conflict"),
        (storage.InvalidCursor("x"), 422, "invalid"),
        (storage.StorageFull("blobs"), 507, "disk-full"),
        (storage.StorageUnavailable("db", "down"), 503, "storage-unavailable"),
        (storage.BlobMissing("ab" * 32), 500, "blob-lost"),
        (HTTPException(404), 404, "not-found"),
        (HTTPException(405, headers={"Allow": "GET"}), 405, "method-not-allowed"),
        (HTTPException(418), 500, "internal"),
        (KeyError("secret"), 500, "internal"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_each_exception_becomes(error: Exception, status: int, slug: str) -> None:
    problem = as_problem(error)
    assert (problem.status_code, problem.slug) == (status, slug)
    if slug == "internal":
        assert "secret" not in str(problem.document())


def test_every_storage_error_has_its_problem() -> None:
    errors = {
        kind
        for kind in vars(storage).values()
        if isinstance(kind, type) and issubclass(kind, storage.StorageError)
    } - {storage.StorageError}
    assert errors == set(STORAGE_SLUGS)


def test_a_full_disk_is_found_behind_an_output_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*args: object, **kwargs: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("nvs.files.tempfile.mkdtemp", full)
    with pytest.raises(OutputError) as caught, atomic_output("chair.scene"):
        pass
    assert as_problem(caught.value).slug == "disk-full"


def test_broken_json_is_malformed_and_says_where() -> None:
    error = RequestValidationError(
        [
            {
                "type": "json_invalid",
                "loc": ("body", 12),
                "msg": "JSON decode error",
                "ctx": {"error": "Expecting value"},
            }
        ]
    )
    problem = as_problem(error)
    assert (problem.slug, problem.status_code) == ("malformed", 400)
    assert problem.detail == (
        "The body is not valid JSON: Expecting value at character 12."
    )


def test_validation_errors_name_their_fields() -> None:
    cause = CameraError("the rotation is a reflection", remedy="Flip an axis.")
    error = RequestValidationError(
        [
            {
                "type": "value_error",
                "loc": ("body", "camera", "world_from_camera"),
                "msg": "Value error, …",
                "ctx": {"error": cause},
            },
            {"type": "missing", "loc": ("query", "limit"), "msg": "Field required"},
        ]
    )
    first, second = as_problem(error).errors
    assert first.field == "camera.world_from_camera"
    assert (first.problem, first.remedy) == (cause.problem, cause.remedy)
    assert (second.field, second.problem) == ("limit", "field required")


def test_examples_for_the_description_are_grouped_by_status() -> None:
    responses = documented("no-key", "unknown-key", "not-found")
    assert set(responses) == {401, 404}
    examples = responses[401]["content"]["application/problem+json"]["examples"]
    assert set(examples) == {"no-key", "unknown-key"}
    assert examples["no-key"]["value"]["status"] == 401
