from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from nvs_server.limits.headers import HEADERS, SecurityHeaders


async def _plain(request: Request) -> PlainTextResponse:
    return PlainTextResponse("plain")


async def _own(request: Request) -> PlainTextResponse:
    return PlainTextResponse("own", headers={"Cache-Control": "max-age=60"})


def test_every_response_has_them_unless_the_route_says_otherwise() -> None:
    app = Starlette(routes=[Route("/plain", _plain), Route("/own", _own)])
    app.add_middleware(SecurityHeaders)
    client = TestClient(app)
    for path in ("/plain", "/absent"):
        found = client.get(path).headers
        assert {name: found[name] for name in HEADERS} == HEADERS
    own = client.get("/own").headers
    assert own["cache-control"] == "max-age=60"
    assert own["x-content-type-options"] == "nosniff"
