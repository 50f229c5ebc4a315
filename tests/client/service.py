"""A small service of its own for tests: keeps what it is sent, and fails on demand."""

from __future__ import annotations

import hashlib
import io
import json
import re
import socket
import struct
import threading
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from PIL import Image

SCENE_ID = "mfzwizltoqydcmrtgu3dqmrvge"
JOB_ID = "orugs4zanfzsa5dimuqgc3tt4a"
NOW = "2026-01-02T03:04:05Z"
SCENE = {
    "id": SCENE_ID,
    "name": "chair",
    "tags": ["demo"],
    "state": "ready",
    "created_at": NOW,
    "updated_at": NOW,
    "expires_at": None,
    "num_images": 0,
    "has_cameras": True,
    "input_bytes": 0,
    "scene_bytes": 10,
    "weights": "lact_tiny",
    "height": 64,
    "width": 96,
    "num_views": 8,
    "job_id": None,
    "error": None,
}
JOB = {
    "id": JOB_ID,
    "kind": "build",
    "scene_id": SCENE_ID,
    "state": "queued",
    "stage": "waiting",
    "progress": 0.0,
    "eta_seconds": None,
    "attempts": 0,
    "created_at": NOW,
    "started_at": None,
    "finished_at": None,
    "parameters": {},
    "error": None,
    "result": None,
}
CAMERAS = {"layout": "opencv", "num_frames": 2, "num_missing": 0, "missing": []}
LIMITS = {"scenes": 3, "bytes": None, "builds_per_day": 5}


@dataclass
class Fault:
    """What happens once to a matching request, instead of its answer."""

    pattern: str
    """Regular expression of `METHOD path`."""
    status: int = 0
    """Answer with a problem document; 0 breaks the connection."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    after_bytes: int | None = None
    """Break after so many bytes of the request's body, or of the answer's if it has
    none; at once if absent."""


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    line: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class FakeService:
    """State and script of the service."""

    def __init__(self) -> None:
        self.url = ""
        self.key: str | None = None
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.images: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.job_states: list[dict[str, Any]] = []
        """Changes of the job that are still to be told, one an answer."""
        self.job: dict[str, Any] = JOB
        self.events_work = True
        self.hold_events = threading.Event()
        self.hold_events.set()
        self.events_asked = threading.Event()
        self.pages: dict[str | None, dict[str, Any]] = {}
        self.max_batch = 1000

    def requests_of(self, pattern: str) -> list[Request]:
        return [one for one in self.requests if re.fullmatch(pattern, one.line)]

    def next_job(self) -> dict[str, Any]:
        if self.job_states:
            self.job = {**self.job, **self.job_states.pop(0)}
        return self.job


@contextmanager
def running() -> Generator[FakeService]:
    """The service on a free port of the loopback interface."""
    service = FakeService()

    class Bound(Handler):
        state = service

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    try:
        yield service
    finally:
        service.hold_events.set()
        server.shutdown()
        thread.join()
        server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: FakeService

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        fault = self._fault(f"{self.command} {path}")
        body = self._read(fault)
        request = Request(
            line=f"{self.command} {path}",
            query=parse_qs(url.query),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body or b"",
        )
        self.state.requests.append(request)
        if body is None:
            return self._break()
        if fault is not None and fault.status:
            return self._problem(fault.status, fault.headers)
        if fault is not None and fault.after_bytes is None:
            return self._break()
        wanted = f"Bearer {self.state.key}"
        if self.state.key and self.headers.get("Authorization") != wanted:
            return self._problem(401, {})
        self._cut = None if fault is None or body else fault.after_bytes
        route = re.sub(r"^/v1/|" + f"{SCENE_ID}|{JOB_ID}", "", path)
        self._route(f"{self.command} {route}", request)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _route(self, line: str, request: Request) -> None:
        state = self.state
        match line.partition("images/")[0], line.partition("images/")[2]:
            case "PUT scenes//", name if name:
                state.images[name] = request.body
                height, width = 32, 48
                self._json(self._image(name) | {"height": height, "width": width}, 201)
            case "GET scenes//", name if name:
                self._bytes(state.images[name], "image/png")
            case _:
                self._plain(line, request)

    def _plain(self, line: str, request: Request) -> None:
        state = self.state
        match line:
            case "GET scenes//images":
                self._json({"items": [self._image(name) for name in state.images]})
            case "PUT scenes//cameras" | "PUT scenes//dataset":
                state.files[line.rpartition("/")[2]] = request.body
                self._json({**CAMERAS, "num_images": 2})
            case "PUT scenes//file":
                state.files["file"] = request.body
                self._json(SCENE)
            case "GET scenes//file" | "GET jobs//result":
                self._bytes(state.files["file"], "application/octet-stream")
            case "POST scenes" | "GET scenes/" | "PATCH scenes/":
                self._json(SCENE, 201 if line == "POST scenes" else 200)
            case "DELETE scenes/":
                self._send(b"", "", 204)
            case "GET scenes":
                self._json(state.pages[request.query.get("cursor", [None])[0]])
            case "POST scenes//build" | "POST scenes//videos":
                self._json(state.next_job(), 202)
            case "POST jobs//cancel":
                self._json(state.job | {"state": "cancelled"})
            case "GET jobs/":
                self._json(state.next_job())
            case "GET jobs//events" if state.events_work:
                self._events()
            case "POST scenes//render":
                self._bytes(picture(request.json), "image/png")
            case "POST scenes//renders" if (
                len(request.json["cameras"]) > state.max_batch
            ):
                self._problem(422, {}, "cameras")
            case "POST scenes//renders":
                self._bytes(pictures(request.json), "application/zip")
            case "GET me":
                self._json(
                    {
                        "owner": "ada",
                        "key_name": "laptop",
                        "scopes": ["read", "write"],
                        "quotas": LIMITS,
                        "usage": {"scenes": 1, "bytes": 2, "builds_today": 3},
                        "auth": "key",
                    }
                )
            case "POST tickets":
                self._json({"ticket": "t", "expires_in_seconds": 30})
            case "GET models":
                self._json({"items": [MODEL]})
            case "GET capacity":
                self._json(CAPACITY)
            case _:
                self._problem(404, {})

    def _image(self, name: str) -> dict[str, Any]:
        data = self.state.images[name]
        digest = hashlib.sha256(data).hexdigest()
        size = {"num_bytes": len(data), "height": 32, "width": 48}
        return {"name": name, "sha256": digest, **size}

    def _events(self) -> None:
        self.state.events_asked.set()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b": hello\n\n")
        self.state.hold_events.wait()
        while self.state.job_states:
            job = self.state.next_job()
            if job is not None and "break" in job:
                del self.state.job["break"]
                return self._break()
            text = f"event: job\r\nid: 1\r\ndata: {json.dumps(job)}\r\n\r\n"
            self.wfile.write(text.encode())
            self.wfile.flush()
        self.close_connection = True
        return None

    def _fault(self, line: str) -> Fault | None:
        for fault in self.state.faults:
            if re.fullmatch(fault.pattern, line):
                self.state.faults.remove(fault)
                return fault
        return None

    def _read(self, fault: Fault | None) -> bytes | None:
        """The body; None if the fault breaks it off."""
        length = int(self.headers.get("Content-Length", 0))
        if length and fault is not None and fault.after_bytes is not None:
            self.rfile.read(min(length, fault.after_bytes))
            return None
        return self.rfile.read(length)

    def _break(self) -> None:
        """Reset the connection."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _problem(
        self, status: int, headers: dict[str, str], field: str = "camera.eye"
    ) -> None:
        document = {
            "type": "https://lact-nvs.dev/problems/test",
            "title": "Test",
            "status": status,
            "detail": f"refused with {status}",
            "remedy": "Come back later.",
            "request_id": "r1",
            "errors": [{"field": field, "problem": "is NaN", "remedy": "Give numbers."}]
            * (status == 422),
        }
        self._json(document, status, headers, kind="application/problem+json")

    def _bytes(self, data: bytes, kind: str) -> None:
        tag = f'"{hashlib.sha256(data).hexdigest()}"'
        headers = {"ETag": tag, "Accept-Ranges": "bytes"}
        headers["Server-Timing"] = "queue;dur=1.5, model;dur=20"
        headers["NVS-Cache-Tier"] = "device"
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if found is None or self.headers.get("If-Range") != tag:
            return self._send(data, kind, 200, headers)
        start = int(found[1])
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return self._send(data[start:], kind, 206, headers)

    def _json(
        self,
        content: Any,
        status: int = 200,
        headers: dict[str, str] | None = None,
        kind: str = "application/json",
    ) -> None:
        self._send(json.dumps(content).encode(), kind, status, headers)

    def _send(
        self,
        data: bytes,
        kind: str,
        status: int,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        cut = getattr(self, "_cut", None)
        if cut is not None and status < 300:
            self.wfile.write(data[:cut])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


MODEL = {
    "id": "lact_tiny",
    "is_default": True,
    "poses": "object",
    "patch_size": 8,
    "num_parameters": 1,
    "digest": "3f" * 32,
    "trained_height": 128,
    "trained_width": None,
    "max_height": 512,
    "max_width": 512,
    "max_views": 64,
    "description": "Small.",
}
CAPACITY = {
    "workers": [{"device": "cpu", "state": "ready", "num_restarts": 0}],
    "queue": {"renders": 0, "renders_limit": 64, "jobs": 0, "jobs_limit": 100},
    "cache": [{"tier": "host", "bytes": 1, "bytes_limit": 2, "scenes": 1}],
    "draining": False,
}


def picture(request: dict[str, Any], value: int = 7) -> bytes:
    """A picture of one value, as requested."""
    height, width = request["height"], request["width"]
    if request["format"] == "float32":
        return np.full((height, width, 3), value / 255, "<f4").tobytes()
    out = io.BytesIO()
    Image.new("RGB", (width, height), (value,) * 3).save(out, request["format"])
    return out.getvalue()


def pictures(request: dict[str, Any]) -> bytes:
    """A zip with a picture for each camera; its value is the x of the eye."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for index, camera in enumerate(request["cameras"]):
            data = picture(request, int(camera.get("eye", [7])[0]))
            archive.writestr(f"{index:05d}.png", data)
    return out.getvalue()
