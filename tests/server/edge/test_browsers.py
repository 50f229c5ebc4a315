"""Which hosts and sites are answered, and the headers that every answer carries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from nvs_server.edge.browsers import HEADERS, HostAndOrigin, SecurityHeaders
from nvs_server.settings import Settings


async def _ok(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def _hello(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = Starlette(
        routes=[Route("/", _ok, methods=["GET", "POST"]), WebSocketRoute("/ws", _hello)]
    )
    settings = Settings(
        allowed_hosts=("render.example.org", "*.lab.example"),
        allowed_origins=("https://app.example.org",),
    )
    app.add_middleware(HostAndOrigin, settings=settings)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8000",
        "[::1]:8000",
        "localhost",
        "app.localhost:1",
        "10.1.2.3",
        "render.example.org",
        "RENDER.example.org:443",
        "a.lab.example",
    ],
)
def test_known_hosts(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "render.example.org.evil.example",
        "lab.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "[::1",
        "",
    ],
)
def test_other_hosts_are_refused(client: TestClient, host: str) -> None:
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/host-refused")
    assert "NVS_ALLOWED_HOSTS" in answer.json()["remedy"]


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://127.0.0.1:8000", 200),
        ("https://app.example.org", 200),
        ("http://127.0.0.1:9000", 403),
        ("https://evil.example", 403),
        ("https://app.example.org.evil.example", 403),
        ("null", 403),
    ],
)
def test_unsafe_requests_of_pages(
    client: TestClient, origin: str | None, status: int
) -> None:
    headers = {} if origin is None else {"Origin": origin}
    answer = client.post("/", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["type"].endswith("/origin-refused")
    assert client.get("/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("site", "status"),
    [("same-origin", 200), ("same-site", 403), ("cross-site", 403), ("none", 403)],
)
def test_browsers_know_their_origin_where_a_proxy_hides_it(
    client: TestClient, site: str, status: int
) -> None:
    headers = {"Origin": "https://hub.example.org", "Sec-Fetch-Site": site}
    assert client.post("/", headers=headers).status_code == status


def test_websockets_of_pages(client: TestClient) -> None:
    url = "ws://127.0.0.1:8000/ws"
    own = {"Origin": "http://127.0.0.1:8000"}
    with client.websocket_connect(url, headers=own) as websocket:
        assert websocket.receive_text() == "hello"
    other = {"Origin": "https://evil.example"}
    with client.websocket_connect(url, headers=other) as websocket:
        problem = websocket.receive_json()["problem"]
        assert problem["type"].endswith("/origin-refused")
        with pytest.raises(WebSocketDisconnect) as caught:
            websocket.receive_text()
    assert caught.value.code == 4403


async def _plain(request: Request) -> PlainTextResponse:
    return PlainTextResponse("plain")


async def _own(request: Request) -> PlainTextResponse:
    policy = {"Content-Security-Policy": "default-src 'self'"}
    return PlainTextResponse("own", headers={"Cache-Control": "max-age=60"} | policy)


def guarded(**settings: Any) -> TestClient:
    app = Starlette(routes=[Route("/plain", _plain), Route("/own", _own)])
    app.add_middleware(SecurityHeaders, settings=Settings(**settings))
    return TestClient(app)


def test_every_response_has_them_unless_the_route_says_otherwise() -> None:
    client = guarded()
    for path in ("/plain", "/absent"):
        found = client.get(path).headers
        for name, value in HEADERS.items():
            assert found[name].startswith(value)
    own = client.get("/own").headers
    assert own["cache-control"] == "max-age=60"
    assert own["x-content-type-options"] == "nosniff"


def test_a_policy_of_the_routes_own_says_who_may_frame_it_too() -> None:
    for path in ("/plain", "/own"):
        found = guarded().get(path).headers
        assert found["content-security-policy"].endswith("; frame-ancestors 'none'")
        assert found["x-frame-options"] == "DENY"
    allowed = "https://hub.example.org,vscode-webview:"
    found = guarded(frame_ancestors=allowed).get("/own").headers
    assert found["content-security-policy"] == (
        "default-src 'self'; frame-ancestors https://hub.example.org vscode-webview:"
    )
    assert "x-frame-options" not in found
