from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest
from fastapi import APIRouter, FastAPI
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from nvs_server.edge import problems, requests
from nvs_server.edge.requests import RequestTelemetry
from nvs_server.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def client(metrics: Metrics) -> TestClient:
    app = FastAPI()

    @app.get("/v1/scenes/{scene_id}")
    def scene(scene_id: str) -> str:
        return scene_id

    inner, outer = APIRouter(), APIRouter(prefix="/v1/jobs")

    @inner.get("/{job_id}/files/{name:path}")
    def file(job_id: str, name: str) -> str:
        return job_id + name

    outer.include_router(inner)
    app.include_router(outer)

    @app.get("/full")
    def full() -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    @app.get("/broken")
    def broken() -> str:
        raise ZeroDivisionError("secret of the house")

    @app.get("/half")
    def half() -> StreamingResponse:
        def parts() -> Iterator[bytes]:
            yield b"one"
            raise ZeroDivisionError("half way")

        return StreamingResponse(parts())

    for kind in problems.HANDLED:
        app.add_exception_handler(kind, requests.answer)
    app.add_middleware(RequestTelemetry, metrics=metrics)
    return TestClient(app)


def test_an_entry_names_the_route_not_the_address(client: TestClient) -> None:
    with capture_logs() as logs:
        answer = client.get("/v1/scenes/abc?ticket=hidden")
    entry = logs[-1]
    assert entry["route"] == "/v1/scenes/{scene_id}"
    assert (entry["method"], entry["status"], entry["owner"]) == ("GET", 200, None)
    assert entry["duration_ms"] >= 0
    assert "abc" not in str(entry)
    assert "hidden" not in str(entry)
    assert len(answer.headers["x-request-id"]) == 16


def test_a_nested_router_gives_the_whole_template(client: TestClient) -> None:
    with capture_logs() as logs:
        assert client.get("/v1/jobs/a/files/b/c").status_code == 200
    assert logs[-1]["route"] == "/v1/jobs/{job_id}/files/{name:path}"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("trace-1.a_B", True), ("a" * 65, False), ("a b", False), ('x"y', False)],
)
def test_a_harmless_request_id_is_kept(
    client: TestClient, given: str, kept: bool
) -> None:
    answer = client.get("/v1/scenes/a", headers={"X-Request-ID": given})
    assert (answer.headers["x-request-id"] == given) is kept


def test_an_unexpected_error_tells_nothing_but_its_id(
    client: TestClient, metrics: Metrics
) -> None:
    with capture_logs() as logs:
        answer = client.get("/broken", headers={"X-Request-ID": "r7"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["request_id"] == "r7"
    assert "secret of the house" not in answer.text
    assert [entry["event"] for entry in logs] == ["unhandled", "request"]
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)
    text = metrics.text().decode()
    assert 'nvs_problems_total{slug="internal"} 1.0' in text
    assert 'route="/broken",status="500"' in text


def test_a_response_that_breaks_off_is_not_finished(client: TestClient) -> None:
    with capture_logs() as logs, pytest.raises(ZeroDivisionError, match="half way"):
        client.get("/half")
    assert logs[-1]["event"] == "request"


def test_problems_are_counted_and_logged(client: TestClient, metrics: Metrics) -> None:
    with capture_logs() as logs:
        assert client.get("/full").status_code == 507
        assert client.get("/nowhere").status_code == 404
    assert [entry["problem"] for entry in logs] == ["disk-full", "not-found"]
    assert logs[1]["route"] == "unmatched"
    text = metrics.text().decode()
    assert 'nvs_problems_total{slug="disk-full"} 1.0' in text
    assert 'nvs_problems_total{slug="not-found"} 1.0' in text


def test_invented_methods_do_not_grow_the_metrics(
    client: TestClient, metrics: Metrics
) -> None:
    for number in range(20):
        client.request(f"MADEUP{number}", "/v1/scenes/abc")
    counted = {
        sample.labels["method"]
        for family in metrics.requests.collect()
        for sample in family.samples
    }
    assert counted == {"OTHER"}
