"""The application with everything but what computes."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from starlette.testclient import TestClient

from nvs_server.app import create_app
from nvs_server.edge.body import UPLOADS
from nvs_server.edge.browsers import HEADERS
from nvs_server.edge.problem_kinds import KINDS
from nvs_server.routes import pages
from nvs_server.settings import Settings
from nvs_server.storage.records import Quotas
from tests.fakes.backend import FakeBackend

ID = "a" * 26
ANY_CALLER = {
    ("get", "/v1/me"),
    ("post", "/v1/tickets"),
    ("get", "/v1/models"),
    ("get", "/v1/capacity"),
}
"""Operations that need a caller, but may need no scope."""


def slug(answer: Any) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["request_id"] == answer.headers["x-request-id"]
    return document["type"].rpartition("/")[2]


def operations(client: TestClient) -> list[tuple[str, str]]:
    paths = client.get("/openapi.json").json()["paths"]
    return [(method, path) for path, ways in paths.items() for method in ways]


def fill(path: str) -> str:
    for name in ("scene_id", "job_id"):
        path = path.replace(f"{{{name}}}", ID)
    return path.replace("{name}", "a.png").replace("{index}", "0")


def test_it_lives_and_is_ready(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok"}


def test_it_is_not_ready_without_a_worker(
    client: TestClient, backend: FakeBackend
) -> None:
    backend.state = "restarting"
    answer = client.get("/readyz")
    assert (answer.status_code, slug(answer)) == (503, "worker-lost")
    assert client.get("/livez").status_code == 200


def test_it_is_ready_without_a_poser(client: TestClient, backend: FakeBackend) -> None:
    backend.poser_state = "restarting"
    assert client.get("/readyz").json() == {"status": "ok"}


def test_it_is_not_ready_while_draining(client: TestClient) -> None:
    client.app.state.admission.draining.set()
    answer = client.get("/readyz")
    assert (answer.status_code, slug(answer)) == (503, "draining")
    assert slug(client.get("/v1/scenes")) == "draining"
    assert client.get("/livez").status_code == 200


def test_metrics_show_the_state(client: TestClient) -> None:
    client.get("/v1/scenes")
    with client.app.state.admission.place():
        text = client.get("/metrics").text
    for line in (
        "nvs_renders 1.0",
        "nvs_renders_limit 64.0",
        'nvs_jobs{state="queued"} 0.0',
        'nvs_process_restarts_total{process="worker-0-cpu"} 1.0',
        'nvs_cache_hits_total{tier="host"} 3.0',
        "nvs_backend_images_total 7.0",
        'nvs_http_requests_total{method="GET",route="/v1/scenes",status="200"} 1.0',
    ):
        assert line in text.splitlines()


@pytest.mark.parametrize(
    ("method", "path", "status", "expected"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/v1/nowhere", 404, "not-found"),
        ("GET", "/viewer/nowhere.js", 404, "not-found"),
        ("GET", "/viewer/../app.py", 404, "not-found"),
        ("GET", "/viewer/%2e%2e/app.py", 404, "not-found"),
        ("DELETE", "/v1/scenes", 405, "method-not-allowed"),
        ("POST", "/livez", 405, "method-not-allowed"),
        ("GET", f"/v1/scenes/{ID}", 404, "not-found"),
    ],
)
def test_errors_are_problem_documents(
    client: TestClient, method: str, path: str, status: int, expected: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, slug(answer)) == (status, expected)
    if status == 405:
        assert answer.headers["allow"]


def test_bodies_that_cannot_be_read(client: TestClient) -> None:
    headers = {"Content-Type": "application/json"}
    broken = client.post("/v1/scenes", content=b'{"name": ', headers=headers)
    assert (broken.status_code, slug(broken)) == (400, "malformed")
    latin = client.post("/v1/scenes", content=b'"\xff"', headers=headers)
    assert (latin.status_code, slug(latin)) == (400, "malformed")
    deep = client.post("/v1/scenes", content=b"[" * 100_000, headers=headers)
    assert (deep.status_code, slug(deep)) == (400, "malformed")
    wrong = client.post("/v1/scenes", json={"name": 3, "colour": "red"})
    assert (wrong.status_code, slug(wrong)) == (422, "invalid")
    assert {error["field"] for error in wrong.json()["errors"]} == {"name", "colour"}
    assert all(error["remedy"] for error in wrong.json()["errors"])
    text = client.post("/v1/scenes", content=b"chair")
    assert (text.status_code, slug(text)) == (415, "media-type")


def test_every_response_is_guarded(client: TestClient) -> None:
    for path in ("/livez", "/nowhere", "/v1/scenes", "/openapi.json"):
        headers = client.get(path).headers
        for name, value in (HEADERS | {"X-Frame-Options": "DENY"}).items():
            assert headers[name].startswith(value)
        assert "access-control-allow-origin" not in headers


def test_other_hosts_and_origins_are_refused(client: TestClient) -> None:
    assert (
        slug(client.get("/livez", headers={"Host": "evil.example"})) == "host-refused"
    )
    origin = {"Origin": "https://evil.example"}
    answer = client.post("/v1/scenes", json={"name": "a"}, headers=origin)
    assert slug(answer) == "origin-refused"
    read = client.get("/v1/scenes", headers=origin)
    assert "access-control-allow-origin" not in read.headers


def test_allowed_origins_get_cors(settings: Settings, backend: FakeBackend) -> None:
    origin = "https://app.example.org"
    app = create_app(
        settings.model_copy(update={"allowed_origins": (origin,)}), backend
    )
    with TestClient(app, base_url="http://127.0.0.1") as client:
        preflight = client.options(
            "/v1/scenes",
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type",
            },
        )
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == origin
        made = client.post("/v1/scenes", json={"name": "a"}, headers={"Origin": origin})
        assert made.status_code == 201
        assert made.headers["access-control-allow-origin"] == origin


def test_without_a_key_nothing_under_v1_answers(
    client: TestClient,
) -> None:
    client.app.state.keys.create(
        name="a", owner="a", scopes=["metrics"], quotas=Quotas()
    )
    for method, path in operations(client):
        answer = client.request(method, fill(path))
        if path.startswith("/v1/") or path == "/metrics":
            assert (path, slug(answer)) == (path, "no-key")
        else:
            assert answer.status_code == 200


def test_every_operation_needs_a_scope(client: TestClient) -> None:
    _, secret = client.app.state.keys.create(
        name="a", owner="a", scopes=["metrics"], quotas=Quotas()
    )
    headers = {"Authorization": f"Bearer {secret}"}
    unguarded = {
        (method, path)
        for method, path in operations(client)
        if path.startswith("/v1/")
        and client.request(
            method,
            fill(path),
            headers=headers | {"Content-Length": "0"},
        )
        .json()
        .get("type", "")
        .rpartition("/")[2]
        != "scope-missing"
    }
    assert unguarded <= ANY_CALLER
    assert client.get("/metrics", headers=headers).status_code == 200


def test_a_stream_needs_the_scope_render(client: TestClient) -> None:
    state = client.app.state
    key, _ = state.keys.create(name="a", owner="a", scopes=("read",))
    ticket = state.tickets.issue(key.id)
    url = f"ws://127.0.0.1/v1/scenes/{ID}/stream?ticket={ticket}"
    with client.websocket_connect(url) as websocket:
        problem = websocket.receive_json()["problem"]
    assert problem["type"].endswith("/scope-missing")


def test_upload_limits_are_those_of_real_routes(client: TestClient) -> None:
    puts = {fill(path) for method, path in operations(client) if method == "put"}
    for upload in UPLOADS:
        assert any(upload.path.fullmatch(path) for path in puts)
    for path in puts:
        assert any(upload.path.fullmatch(path) for upload in UPLOADS)


def test_the_description_documents_problems(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    assert "Problem" in schema["components"]["schemas"]
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    for path, ways in schema["paths"].items():
        for method, operation in ways.items():
            statuses = set(operation["responses"])
            if path.startswith("/v1/"):
                assert {"401", "429", "503"} <= statuses, (method, path)
                assert operation["security"], (method, path)
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                if int(status) >= 400:
                    examples = content["application/problem+json"]["examples"]
                    assert examples, (method, path, status)
                    assert all(str(KINDS[s].status) == status for s in examples)


def test_the_description_shows_an_example_of_every_text(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    components = schema["components"]["schemas"]

    def without_example(content: dict[str, Any]) -> list[str]:
        return [
            kind
            for kind, shown in content.items()
            if kind.startswith("text/") or kind.endswith("json")
            if not {"example", "examples"} & (shown.keys() | resolved(shown).keys())
        ]

    def resolved(shown: dict[str, Any]) -> dict[str, Any]:
        inner = shown.get("schema", {})
        name = inner.get("$ref", "").rpartition("/")[2]
        return components.get(name, inner)

    for path, ways in schema["paths"].items():
        for method, operation in ways.items():
            asked = operation.get("requestBody", {}).get("content", {})
            assert without_example(asked) == [], (method, path)
            for status, response in operation["responses"].items():
                told = response.get("content", {})
                assert without_example(told) == [], (method, path, status)


def test_the_viewer_is_served_under_its_policy(client: TestClient) -> None:
    for path in ("/", "/scenes", f"/scenes/{ID}", f"/scenes/{ID}/tour"):
        page = client.get(path)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        policy = page.headers["content-security-policy"]
        assert policy == f"{pages.POLICY}; frame-ancestors 'none'"
    assert "'unsafe-inline'" not in pages.POLICY
    assert "<script>" not in page.text
    file = next(path for path in pages.VIEWER.rglob("*.js"))
    script = client.get(f"/viewer/{file.relative_to(pages.VIEWER).as_posix()}")
    assert script.content == file.read_bytes()
    assert script.headers["content-security-policy"] == policy
    assert script.headers["etag"]
    counts = client.get("/metrics").text
    assert 'method="GET",route="/viewer",status="200"' in counts
    assert 'method="GET",route="/",status="200"' in counts


def test_pages_load_nothing_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/docs"):
        page = client.get(path)
        policy = page.headers["content-security-policy"]
        assert policy == f"{pages.POLICY}; frame-ancestors 'none'"
        assert "//" not in policy
        assert not re.search(r'(src|href)="(?!\./|#)', page.text)


def test_every_get_has_its_head(client: TestClient) -> None:
    taken = operations(client)
    for path in {path for _, path in taken}:
        head = client.head(fill(path))
        assert head.content == b""
        assert (head.status_code != 405) == (("get", path) in taken), path
    assert "HEAD" in client.post("/livez").headers["allow"]
    counts = client.get("/metrics").text
    assert 'method="HEAD",route="/livez",status="200"' in counts


def test_importing_the_gateway_leaves_torch_out() -> None:
    code = (
        "import nvs_server.serve, sys;"
        "print([name for name in ('torch', 'nvs.model', 'nvs.scene') "
        "if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"
