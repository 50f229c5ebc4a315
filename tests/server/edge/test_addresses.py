"""Relative addresses, and heads of what would be endless or costly to send."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from urllib.parse import urljoin

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from nvs_server.edge.addresses import HeadOfGet, RelativeLocations, root_from

ROOT = "https://hub.example.org/nvs"
sent: list[bytes] = []


async def _endless(request: Request) -> StreamingResponse:
    async def parts() -> AsyncGenerator[bytes]:
        while True:
            sent.append(b"part")
            yield sent[-1]

    return StreamingResponse(parts(), headers={"ETag": '"a"'})


async def _led(request: Request) -> RedirectResponse:
    return RedirectResponse(request.query_params["to"])


def client() -> TestClient:
    app = Starlette(
        routes=[
            Route("/endless", _endless, methods=["GET"]),
            Route("/{path:path}", _led, methods=["GET"]),
        ]
    )
    app.add_middleware(HeadOfGet)
    app.add_middleware(RelativeLocations)
    return TestClient(app, base_url="http://127.0.0.1", follow_redirects=False)


@pytest.mark.parametrize("path", ["/", "/docs", "/scenes/a", "/scenes/a/", "/a%2Fb/c"])
def test_the_way_to_the_root_is_right_under_any_path(path: str) -> None:
    scope = {"path": path.replace("%2F", "/"), "raw_path": path.encode()}
    assert urljoin(ROOT + path, root_from(scope)) == f"{ROOT}/"


@pytest.mark.parametrize("path", ["/", "/a", "/a/b/c", "/a/b/"])
@pytest.mark.parametrize("host", ["", "http://127.0.0.1"])
def test_locations_of_ours_are_relative(path: str, host: str) -> None:
    answer = client().get(path, params={"to": f"{host}/v1/jobs/x?y=1"})
    there = answer.headers["location"]
    assert urljoin(ROOT + path, there) == f"{ROOT}/v1/jobs/x?y=1"


@pytest.mark.parametrize("there", ["https://elsewhere.example/a", "next", "../a"])
def test_other_locations_stay(there: str) -> None:
    assert client().get("/a", params={"to": there}).headers["location"] == there


def test_a_head_sends_no_part_of_the_body() -> None:
    sent.clear()
    answer = client().head("/endless")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == '"a"'
    assert len(sent) <= 1
