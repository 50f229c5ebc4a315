"""The API as one caller uses it, who knows what to upload."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from PIL import Image

from tests.fakes.backend import FakeBackend

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


def nerfstudio(*names: str) -> dict[str, Any]:
    return {"frames": [{"file_path": n, "transform_matrix": POSE} for n in names]}


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


class Api:
    """Requests as one caller makes them."""

    def __init__(
        self,
        client: httpx.Client,
        app: FastAPI,
        backend: FakeBackend,
        portal: BlockingPortal,
    ) -> None:
        self.client = client
        self.state = app.state
        self.backend = backend
        self.portal = portal
        self.headers: dict[str, str] = {}

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = self.headers | options.pop("headers", {})
        return self.client.request(method, path, headers=headers, **options)

    def on_loop(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call where the application runs."""
        return self.portal.call(function, *arguments)

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
    ) -> httpx.Response:
        return self.call(
            "PUT",
            f"/v1/scenes/{scene_id}/{tail}",
            content=data,
            headers={"Content-Type": kind} | headers,
        )

    def put_cameras(self, scene_id: str, content: Any) -> httpx.Response:
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

    def build(self, scene_id: str, **options: Any) -> httpx.Response:
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


def refused(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem document of a refusal, checked for its form."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    found = (answer.status_code, document["type"].rpartition("/")[2])
    assert found == (status, slug), document
    assert document["detail"]
    assert document["remedy"]
    assert "/incoming" not in answer.text
    return document
