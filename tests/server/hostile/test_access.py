"""Every route, as a stranger, with the wrong scopes, and on another owner's things."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIWebSocketRoute, iter_route_contexts
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from nvs_server.app import create_app
from nvs_server.settings import load_settings
from nvs_server.storage.records import Scope
from tests.server.hostile.target import (
    ABSENT,
    LOOK_AT,
    RENDER,
    SCOPES,
    Target,
    check_headers,
)

OPEN = {
    ("GET", "/"),
    ("GET", "/docs"),
    ("GET", "/livez"),
    ("GET", "/openapi.json"),
    ("GET", "/readyz"),
    ("GET", "/scenes"),
    ("GET", "/scenes/{path:path}"),
    ("GET", "/viewer"),
    ("HEAD", "/openapi.json"),
}
ANY_SCOPE = {("GET", "/v1/me")}
RENDERING = ("/render", "/renders", "/videos", "/tickets")
UNKNOWN = "nvs_" + "A" * 43
BINARY = "application/octet-stream"
VIDEO = {"trajectory": {"kind": "walk", "num_frames": 1}, "height": 16, "width": 16}
BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/scenes": {"json": {"name": "x"}},
    "PATCH /v1/scenes/{scene_id}": {"json": {"name": "mine now"}},
    "POST /v1/scenes/{scene_id}/build": {"json": {}},
    "POST /v1/scenes/{scene_id}/render": {"json": RENDER},
    "POST /v1/scenes/{scene_id}/renders": {
        "json": {"cameras": [LOOK_AT], "height": 16, "width": 16}
    },
    "POST /v1/scenes/{scene_id}/videos": {"json": VIDEO},
    "PUT /v1/scenes/{scene_id}/images/{name:path}": {
        "content": b"x",
        "headers": {"Content-Type": "image/png"},
    },
    "PUT /v1/scenes/{scene_id}/cameras": {
        "content": b"[]",
        "headers": {"Content-Type": "application/json"},
    },
    "PUT /v1/scenes/{scene_id}/dataset": {
        "content": b"x",
        "headers": {"Content-Type": "application/zip"},
    },
    "PUT /v1/scenes/{scene_id}/file": {
        "content": b"x",
        "headers": {"Content-Type": BINARY},
    },
}


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """Method and template of every route; WS for WebSockets, GET for files."""
    app = create_app(load_settings(data_folder=tmp_path_factory.mktemp("routes")))
    found: set[tuple[str, str]] = set()
    for context in iter_route_contexts(app.routes):
        assert context.path is not None
        websocket = isinstance(context.original_route, APIWebSocketRoute)
        methods = {"WS"} if websocket else context.methods or {"GET"}
        found |= {(method, context.path) for method in methods}
    app.state.database.dispose()
    return found


@pytest.fixture(scope="module")
def guarded(routes: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """The routes over HTTP that need a key."""
    return sorted(one for one in routes - OPEN if one[0] != "WS")


def ask(
    target: Target, route: tuple[str, str], key: str | None, **names: str
) -> httpx.Response:
    """A request that would be right if the caller were."""
    method, template = route
    values = {
        "scene_id": target.scene_id,
        "job_id": target.job_id,
        "index": "0",
        "name": "renderings/00000000_rgba.png",
    } | names
    path = template.replace(":path", "").format(**values)
    return target.call(method, path, key=key, **BODIES.get(" ".join(route), {}))


def scope_of(route: tuple[str, str]) -> str:
    """The scope that a route needs by the rules of the API."""
    method, path = route
    if path == "/metrics":
        return "metrics"
    if method == "POST" and path.endswith(RENDERING):
        return "render"
    is_question = method == "POST" and path.endswith("/expectation")
    return "read" if method == "GET" or is_question else "write"


def test_only_these_are_open(target: Target, routes: set[tuple[str, str]]) -> None:
    outside = {
        one for one in routes if not one[1].startswith("/v1/") and one[1] != "/metrics"
    }
    assert outside == OPEN
    for method, path in sorted(OPEN):
        where = path.replace("{path:path}", ABSENT)
        where = "/viewer/index.html" if where == "/viewer" else where
        response = target.call(method, where, key=None)
        assert response.status_code == 200, where
        check_headers(response.headers)


@pytest.mark.parametrize(
    ("key", "slug"),
    [
        pytest.param(None, "no-key", id="none"),
        pytest.param(UNKNOWN, "unknown-key", id="unknown"),
        pytest.param("revoked", "unknown-key", id="revoked"),
        pytest.param("nvs_short", "unknown-key", id="malformed"),
    ],
)
def test_without_a_good_key(
    target: Target, guarded: list[tuple[str, str]], key: str | None, slug: str
) -> None:
    if key == "revoked":
        target.revoke(target.key("revoked", "ada"))
    for route in guarded:
        document = target.refused(ask(target, route, key), 401, slug)
        assert target.scene_id not in json.dumps(document)


@pytest.mark.parametrize("scope", SCOPES)
def test_without_the_scope(
    target: Target, guarded: list[tuple[str, str]], scope: Scope
) -> None:
    others: tuple[Scope, ...] = tuple(one for one in SCOPES if one != scope)
    target.key(f"all but {scope}", "ada", others)
    target.key(f"only {scope}", "eve", (scope,))
    for route in guarded:
        if route in ANY_SCOPE:
            continue
        lacking = ask(target, route, f"all but {scope}", scene_id=ABSENT, job_id=ABSENT)
        having = ask(target, route, f"only {scope}", scene_id=ABSENT, job_id=ABSENT)
        if scope_of(route) == scope:
            target.refused(lacking, 403, "scope-missing", f"needs {scope}")
            assert having.status_code not in (401, 403), route
        else:
            assert lacking.status_code not in (401, 403), route
            target.refused(having, 403, "scope-missing", scope_of(route))


def test_nothing_of_other_owners(
    target: Target, guarded: list[tuple[str, str]]
) -> None:
    theirs = [one for one in guarded if "{scene_id}" in one[1] or "{job_id}" in one[1]]
    assert len(theirs) == 34
    before = target.call("GET", f"/v1/scenes/{target.scene_id}").json()
    for route in theirs:
        foreign = ask(target, route, "stranger")
        missing = ask(target, route, "stranger", scene_id=ABSENT, job_id=ABSENT)
        told = target.refused(foreign, 404, "not-found")
        expected = target.refused(missing, 404, "not-found")
        for document in (told, expected):
            document.pop("request_id")
        text = json.dumps(told)
        for own in (target.scene_id, target.job_id):
            text = text.replace(own, ABSENT)
        assert json.loads(text) == expected, route
        assert set(foreign.headers) == set(missing.headers)
    assert target.call("GET", f"/v1/scenes/{target.scene_id}").json() == before


def test_lists_and_usage_are_the_owners(target: Target) -> None:
    def of_stranger(path: str) -> Any:
        return target.call("GET", path, key="stranger").json()

    for path in (
        "/v1/scenes",
        "/v1/jobs",
        "/v1/scenes?state=ready",
        f"/v1/jobs?scene_id={target.scene_id}",
    ):
        text = json.dumps(of_stranger(path))
        assert target.scene_id not in text
        assert target.job_id not in text
    mine = target.call("GET", "/v1/me").json()["usage"]
    assert mine["bytes"] > 0
    assert of_stranger("/v1/me")["usage"]["bytes"] == 0


def test_an_idempotency_key_is_the_owners(target: Target) -> None:
    path = f"/v1/scenes/{target.scene_id}/videos"
    headers = {"Idempotency-Key": "once"}
    first = target.call("POST", path, json=VIDEO, headers=headers)
    assert first.status_code in (200, 202)
    foreign = target.call("POST", path, json=VIDEO, headers=headers, key="stranger")
    target.refused(foreign, 404, "not-found")
    assert first.json()["id"] not in foreign.text


def open_stream(
    target: Target, *, key: str | None, scene_id: str = "", query: str = ""
) -> ClientConnection:
    url = target.served.base_url.replace("http", "ws")
    headers = {}
    if key is not None:
        headers["Authorization"] = f"Bearer {target.secrets.get(key, key)}"
    where = f"/v1/scenes/{scene_id or target.scene_id}/stream{query}"
    return connect(url + where, additional_headers=headers)


def closed_with(stream: ClientConnection) -> tuple[int, dict[str, Any]]:
    """Close code and problem of a stream that is refused."""
    problem = json.loads(stream.recv(30))["problem"]
    problem.pop("request_id")
    with pytest.raises(ConnectionClosed) as closed:
        stream.recv(30)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, problem


def a_ticket(target: Target, key: str) -> str:
    ticket: str = target.call("POST", "/v1/tickets", key=key).json()["ticket"]
    target.secrets[f"ticket of {key} {len(target.secrets)}"] = ticket
    return ticket


def test_streams(target: Target) -> None:
    if "only read" not in target.secrets:
        target.key("only read", "eve", ("read",))
    cases: list[tuple[int, dict[str, Any]]] = [
        (4401, {"key": None}),
        (4401, {"key": UNKNOWN}),
        (4401, {"key": None, "query": "?ticket=guess"}),
        (4401, {"key": "owner", "query": "?ticket="}),
        (4403, {"key": "only read"}),
        (4404, {"key": "stranger"}),
        (4404, {"key": "owner", "scene_id": ABSENT}),
    ]
    for code, options in cases:
        with open_stream(target, **options) as stream:
            assert closed_with(stream)[0] == code, options


def test_a_foreign_stream_is_like_a_missing_one(target: Target) -> None:
    with open_stream(target, key="stranger") as stream:
        foreign = json.dumps(closed_with(stream)).replace(target.scene_id, ABSENT)
    with open_stream(target, key="stranger", scene_id=ABSENT) as stream:
        assert foreign == json.dumps(closed_with(stream))


def test_a_ticket_is_good_once_and_for_its_owner(target: Target) -> None:
    ticket = a_ticket(target, "owner")
    with open_stream(target, key=None, query=f"?ticket={ticket}") as stream:
        assert json.loads(stream.recv(30))["type"] == "ready"
        pose = {"sequence": 1, "camera": LOOK_AT, "height": 16, "width": 16}
        stream.send(json.dumps(pose))
        frame = stream.recv(60)
        assert isinstance(frame, bytes)
        (length,) = struct.unpack_from("<I", frame)
        assert json.loads(frame[4 : 4 + length])["sequence"] == 1
    with open_stream(target, key=None, query=f"?ticket={ticket}") as stream:
        assert closed_with(stream)[0] == 4401
    foreign = a_ticket(target, "stranger")
    with open_stream(target, key=None, query=f"?ticket={foreign}") as stream:
        assert closed_with(stream)[0] == 4404


def test_a_ticket_opens_nothing_but_a_stream(target: Target) -> None:
    ticket = a_ticket(target, "owner")
    response = target.call("GET", f"/v1/me?ticket={ticket}", key=None)
    target.refused(response, 401, "no-key")
    target.refused(target.call("GET", "/v1/me", key=ticket), 401, "unknown-key")


def test_a_stranger_does_not_see_the_log_or_the_database(target: Target) -> None:
    folder = Path(target.served.data_folder)
    assert (folder / "nvs.sqlite").exists()
    for path in ("nvs.sqlite", "blobs", "..%2fnvs.sqlite", "%2e%2e/nvs.sqlite"):
        for prefix in ("/", "/viewer/", "/v1/"):
            response = target.call("GET", prefix + path, key="stranger")
            target.refused(response, 404, "not-found")
