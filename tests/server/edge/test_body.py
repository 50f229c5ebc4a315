from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from nvs_server.edge import requests
from nvs_server.edge.body import UPLOADS, BodyLimit
from nvs_server.edge.problems import Problem
from nvs_server.settings import Settings

LIMIT = 1000
SCENE = "/v1/scenes/abc"


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()

    @app.put("/v1/scenes/{scene_id}/{rest:path}")
    async def put(request: Request) -> int:
        return sum([len(chunk) async for chunk in request.stream()])

    @app.post("/v1/scenes")
    async def post(body: dict[str, str]) -> int:
        return len(body)

    app.add_exception_handler(Problem, requests.answer)
    app.add_middleware(
        BodyLimit,
        settings=Settings(
            max_image_bytes=LIMIT, max_json_bytes=LIMIT // 10, body_grace_seconds=0.05
        ),
    )

    @app.middleware("http")
    async def state(request: Request, call_next: object) -> object:
        request.scope.setdefault("state", {})
        return await call_next(request)  # type: ignore[operator]

    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def chunks(num_bytes: int) -> Iterator[bytes]:
    for _ in range(0, num_bytes, 10):
        yield bytes(10)


def test_a_body_at_the_limit_passes(client: TestClient) -> None:
    url = f"{SCENE}/images/a/b.png"
    assert client.put(url, content=bytes(LIMIT)).json() == LIMIT
    assert client.put(url, content=chunks(LIMIT)).json() == LIMIT


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_is_refused(client: TestClient, chunked: bool) -> None:
    content = chunks(LIMIT + 10) if chunked else bytes(LIMIT + 1)
    answer = client.put(f"{SCENE}/images/a.png", content=content)
    assert answer.status_code == 413
    assert answer.json()["type"].endswith("/too-large")
    assert answer.json()["detail"] == f"The body is larger than {LIMIT} bytes."
    assert "NVS_MAX_IMAGE_BYTES" in answer.json()["remedy"]


@pytest.mark.parametrize("chunked", [False, True])
def test_json_has_its_own_limit(client: TestClient, chunked: bool) -> None:
    body = b'{"a": "' + b"b" * 93 + b'"}'
    answer = client.post(
        "/v1/scenes",
        content=iter([body]) if chunked else body,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 413
    assert "NVS_MAX_JSON_BYTES" in answer.json()["remedy"]


def test_an_upload_needs_a_length_or_chunks(client: TestClient) -> None:
    answer = client.put(f"{SCENE}/file", headers={"Content-Length": "0"})
    assert answer.status_code == 200
    bare = client.build_request("PUT", f"{SCENE}/file")
    bare.headers.pop("content-length", None)
    answer = client.send(bare)
    assert answer.status_code == 411


@pytest.mark.parametrize("length", ["-1", "1e3", "ten"])
def test_a_strange_length_is_refused(client: TestClient, length: str) -> None:
    answer = client.put(f"{SCENE}/file", headers={"Content-Length": length})
    assert answer.status_code == 400


@pytest.mark.parametrize("type_", ["text/plain", "application/jsonx", ""])
def test_other_than_json_is_refused(client: TestClient, type_: str) -> None:
    answer = client.post("/v1/scenes", content=b"{}", headers={"Content-Type": type_})
    assert answer.status_code == 415
    assert answer.json()["detail"] == f"Content-Type is {type_!r}."
    json = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post("/v1/scenes", content=b"{}", headers=json).json() == 0


def test_a_compressed_body_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/scenes", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415
    assert answer.json()["detail"] == "Content-Encoding is 'gzip'."


def test_a_body_that_stalls_is_given_up(app: FastAPI) -> None:
    sent: list[dict[str, Any]] = []
    parts = [{"type": "http.request", "body": b"abc", "more_body": True}]

    async def receive() -> dict[str, Any]:
        if parts:
            return parts.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "PUT",
        "path": f"{SCENE}/file",
        "query_string": b"",
        "headers": [(b"content-length", b"100")],
        "state": {},
    }
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert b"only 3 bytes of the body had come" in sent[1]["body"]


@pytest.mark.parametrize(
    ("tail", "setting"),
    [
        ("images/a.png", "max_image_bytes"),
        ("cameras", "max_cameras_bytes"),
        ("dataset", "max_dataset_bytes"),
        ("file", "max_scene_file_bytes"),
    ],
)
def test_each_upload_has_its_setting(tail: str, setting: str) -> None:
    found = [one.setting for one in UPLOADS if one.path.fullmatch(f"{SCENE}/{tail}")]
    assert found == [setting]


@pytest.mark.parametrize(
    ("method", "path", "chunk_bytes", "status"),
    [("POST", "/v1/scenes", 9, 408), ("PUT", f"{SCENE}/file", 900, 200)],
)
def test_only_files_may_come_slowly(
    app: FastAPI, method: str, path: str, chunk_bytes: int, status: int
) -> None:
    """Four times as long as the head start, at ten times the least rate of files."""
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.02)
        num_received.append(1)
        done = len(num_received) == 10
        return {
            "type": "http.request",
            "body": bytes(chunk_bytes),
            "more_body": not done,
        }

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    num_received: list[int] = []
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [
            (b"content-length", str(10 * chunk_bytes).encode()),
            (b"content-type", b"application/json"),
        ],
        "state": {},
    }
    asyncio.run(app(scope, receive, send))
    assert statuses == [status]
