"""Requests that need an inspector: a bounded number, each while its client stays."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from nvs_server.edge import admission
from tests.fakes.api import Api, opencv, picture, refused, zip_of
from tests.fakes.backend import SCENE_MAGIC

ZIP = "application/zip"
CAMERAS = zip_of({"sparse/0/cameras.txt": b"1", "sparse/0/images.txt": b"2"})
DATASET = zip_of(
    {
        "a.png": picture(1),
        "opencv_cameras.json": json.dumps(opencv("a.png")).encode(),
    }
)

Case = tuple[str, str, str, bytes, str]
CASES: dict[str, Case] = {
    "validation": ("GET", "validation", "", b"", "validate"),
    "expectation": ("POST", "expectation", "", b"", "expect"),
    "get cameras": ("GET", "cameras", "", b"", "inspect_cameras"),
    "put cameras": ("PUT", "cameras", ZIP, CAMERAS, "inspect_cameras"),
    "dataset": ("PUT", "dataset", ZIP, DATASET, "inspect_image"),
    "dataset's cameras": ("PUT", "dataset", ZIP, DATASET, "inspect_cameras"),
    "file": (
        *("PUT", "file", "application/octet-stream", SCENE_MAGIC, "inspect_scene"),
    ),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


class Connection:
    """A request whose client waits until the backend has begun, and then leaves."""

    def __init__(self, api: Api, path: str, case: Case) -> None:
        self.method, _, self.kind, self.body, self.operation = case
        self.api = api
        self.path = path
        self.sent = False
        self.status = 0

    async def run(self) -> None:
        headers = {
            "host": "127.0.0.1",
            "content-type": self.kind,
            "content-length": str(len(self.body)),
        }
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(k.encode(), v.encode()) for k, v in headers.items() if v],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        await self.api.client.app(scope, self.receive, self.send)  # type: ignore[arg-type]

    async def receive(self) -> dict[str, Any]:
        if not self.sent:
            self.sent = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self.api.backend.begun(self.operation)
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)


@cases
def test_the_work_ends_when_the_client_leaves(api: Api, case: Case) -> None:
    scene_id = api.uploaded()
    before = api.scene(scene_id)
    api.hold(case[-1])
    connection = Connection(api, f"/v1/scenes/{scene_id}/{case[1]}", case)
    api.on_loop(connection.run)
    assert connection.status == 499
    assert api.backend.cancelled[case[-1]] == 1
    assert api.state.inspections.num_inside == 0
    assert list(api.state.blobs.incoming().iterdir()) == []
    assert api.scene(scene_id) == before


@cases
def test_a_full_line_is_refused(
    api: Api, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.state.inspections, "places", 1)
    method, tail, kind, body, _ = case
    scene_id = api.uploaded()
    path = f"/v1/scenes/{scene_id}/{tail}"
    headers = {"Content-Type": kind} if kind else {}
    api.hold("validate")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(api.call, "GET", f"/v1/scenes/{scene_id}/validation")
        api.on_loop(api.backend.begun, "validate")
        answer = api.call(method, path, content=body, headers=headers)
        document = refused(answer, 429, "queue-full")
        assert document["detail"].startswith("1 requests of 1 wait for an")
        assert int(answer.headers["retry-after"]) == admission.INSPECTION_RETRY_SECONDS
        api.let_go("validate")
        assert first.result().status_code == 200
    assert api.call(method, path, content=body, headers=headers).is_success


def test_a_full_line_is_refused_before_the_body_comes(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.state.inspections, "places", 0)
    for name in ("put cameras", "dataset", "file"):
        case = CASES[name]
        path = f"/v1/scenes/{api.make()}/{case[1]}"
        connection = Connection(api, path, case)
        api.on_loop(connection.run)
        assert (connection.status, connection.sent) == (429, False)
