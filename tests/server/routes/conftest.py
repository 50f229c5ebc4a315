"""The application with a fake backend, and a client that knows what to upload."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from httpx import Response
from PIL import Image
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from nvs_server.app import create_app
from nvs_server.settings import Settings
from tests.server.routes.fake_backend import FakeBackend

BASE_URL = "http://127.0.0.1"
ABSENT = "a" * 26
LOOK_AT = {"eye": [2.5, 0, 1], "target": [0, 0, 0], "vertical_fov_degrees": 50}
RENDER = {"camera": LOOK_AT, "height": 64, "width": 64}
POSE = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2.5], [0, 0, 0, 1]]


def picture(shade: int = 0, kind: str = "PNG", side: int = 16) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (shade, 10, 20)).save(buffer, kind)
    return buffer.getvalue()


def opencv(*names: str, **changes: Any) -> list[dict[str, Any]]:
    sizes = {"w": 16, "h": 16, "fx": 20, "fy": 20, "cx": 8, "cy": 8}
    return [{"file_path": name, "w2c": POSE} | sizes | changes for name in names]


def zipped(**files: bytes) -> bytes:
    return zip_of(files)


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


class Api:
    """Requests as one caller makes them."""

    def __init__(self, client: TestClient, backend: FakeBackend) -> None:
        self.client = client
        self.backend = backend
        self.headers: dict[str, str] = {}

    @property
    def state(self) -> Any:
        return self.client.app.state  # type: ignore[attr-defined]

    def call(self, method: str, path: str, **options: Any) -> Response:
        headers = self.headers | options.pop("headers", {})
        return self.client.request(method, path, headers=headers, **options)

    def on_loop(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call where the application runs."""
        assert self.client.portal is not None
        return self.client.portal.call(function, *arguments)

    def hold(self, name: str) -> None:
        async def hold() -> None:
            self.backend.hold(name)

        self.on_loop(hold)

    def let_go(self, name: str) -> None:
        async def let_go() -> None:
            self.backend.let_go(name)

        self.on_loop(let_go)

    def make(self, **fields: Any) -> str:
        answer = self.call("POST", "/v1/scenes", json={"name": "chair"} | fields)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def put(
        self,
        scene_id: str,
        tail: str,
        data: bytes,
        kind: str = "image/png",
        **headers: str,
    ) -> Response:
        return self.call(
            "PUT",
            f"/v1/scenes/{scene_id}/{tail}",
            content=data,
            headers={"Content-Type": kind} | headers,
        )

    def put_cameras(self, scene_id: str, content: Any) -> Response:
        data = json.dumps(content).encode()
        return self.put(scene_id, "cameras", data, "application/json")

    def uploaded(self, **fields: Any) -> str:
        """A scene with two images and their cameras."""
        scene_id = self.make(**fields)
        for shade, name in enumerate(("a.png", "b.png")):
            answer = self.put(scene_id, f"images/{name}", picture(shade))
            assert answer.status_code == 201, answer.text
        answer = self.put_cameras(scene_id, opencv("a.png", "b.png"))
        assert answer.status_code == 200, answer.text
        return scene_id

    def built(self, **fields: Any) -> str:
        """A scene that is ready."""
        scene_id = self.uploaded(**fields)
        job = self.build(scene_id).json()
        assert self.ended(job["id"])["state"] == "succeeded"
        return scene_id

    def build(self, scene_id: str, **options: Any) -> Response:
        return self.call("POST", f"/v1/scenes/{scene_id}/build", **options)

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job once it is final."""
        return self.events(job_id)[-1]

    def events(self, job_id: str, **headers: str) -> list[dict[str, Any]]:
        answer = self.call("GET", f"/v1/jobs/{job_id}/events", headers=headers)
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.text.splitlines()
        return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]

    def scene(self, scene_id: str) -> dict[str, Any]:
        return self.call("GET", f"/v1/scenes/{scene_id}").json()


def refused(answer: Response, status: int, slug: str) -> dict[str, Any]:
    """The problem document of a refusal, checked for its form."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    found = (answer.status_code, document["type"].rpartition("/")[2])
    assert found == (status, slug), document
    assert document["detail"]
    assert document["remedy"]
    assert "/incoming" not in answer.text
    return document


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Tracebacks are not drawn for nobody, which takes long."""
    with capture_logs():
        yield


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def start(settings: Settings, backend: FakeBackend) -> Iterator[Callable[..., Api]]:
    """Starts the application with some settings."""
    clients: list[TestClient] = []

    def begin(**changes: Any) -> Api:
        app = create_app(settings.model_copy(update=changes), backend)
        client = TestClient(app, base_url=BASE_URL, raise_server_exceptions=False)
        clients.append(client)
        return Api(client.__enter__(), backend)

    yield begin
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def api(start: Callable[..., Api]) -> Api:
    return start()
