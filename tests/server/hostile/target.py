"""A real server with keys, a scene that is ready, and watchers of what it does."""

from __future__ import annotations

import io
import json
import socket
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import psutil

from nvs.assets import SAMPLE
from nvs_server.edge.browsers import HEADERS
from nvs_server.storage.database import Database
from nvs_server.storage.keys import KeyStore
from nvs_server.storage.records import Scope

ABSENT = "a" * 26
LOOK_AT = {"eye": [2.5, 0, 1], "target": [0, 0, 0], "vertical_fov_degrees": 50}
RENDER = {"camera": LOOK_AT, "height": 16, "width": 16}
SCOPES: tuple[Scope, ...] = ("read", "write", "render", "metrics")
MIB = 2**20
SAMPLES_PER_SECOND = 50
MAX_GROWTH_BYTES = 96 * MIB
"""Of the gateway under attack; every body of the tests together is far larger."""


@dataclass
class Target:
    """What is attacked, and who attacks."""

    served: Any
    secrets: dict[str, str] = field(default_factory=dict)
    scene_id: str = ""
    """A scene that is ready."""
    scratch_id: str = ""
    """One that takes what is uploaded."""
    job_id: str = ""
    client: httpx.Client = field(default_factory=httpx.Client)

    @property
    def url(self) -> httpx.URL:
        return httpx.URL(self.served.base_url)

    def key(self, name: str, owner: str, scopes: tuple[Scope, ...] = SCOPES) -> str:
        """Make a key; its id."""
        database = Database(f"sqlite:///{self.served.data_folder / 'nvs.sqlite'}")
        record, secret = KeyStore(database).create(
            name=name, owner=owner, scopes=scopes
        )
        database.dispose()
        self.secrets[name] = secret
        return record.id

    def revoke(self, key_id: str) -> None:
        database = Database(f"sqlite:///{self.served.data_folder / 'nvs.sqlite'}")
        assert KeyStore(database).revoke(key_id)
        database.dispose()

    def call(
        self, method: str, path: str, *, key: str | None = "owner", **options: Any
    ) -> httpx.Response:
        """A request with one of the keys (None: without)."""
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {self.secrets.get(key, key)}"
        options.setdefault("timeout", 60)
        url = self.served.base_url + path
        return self.client.request(method, url, headers=headers, **options)

    def put(
        self, path: str, content: Any, media_type: str, **headers: str
    ) -> httpx.Response:
        """Upload to the scratch scene."""
        sent = {"Content-Type": media_type} | headers
        where = f"/v1/scenes/{self.scratch_id}/{path}"
        return self.call("PUT", where, content=content, headers=sent)

    def render(self, body: Any = None, **changes: Any) -> httpx.Response:
        return self.call(
            "POST",
            f"/v1/scenes/{self.scene_id}/render",
            json=(RENDER | changes) if body is None else body,
        )

    def send(self, data: bytes, *, half_closed: bool = False) -> tuple[int, bytes]:
        """Bytes over a connection of their own: status and all that came back."""
        address = (self.url.host, self.url.port or 80)
        with socket.create_connection(address, timeout=30) as connection:
            try:
                connection.sendall(data)
                if half_closed:
                    connection.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all was sent; the answer may still be read
            answer = bytearray()
            try:
                while chunk := connection.recv(2**16):
                    answer += chunk
            except ConnectionResetError:
                pass
        return int(answer.split(b" ", 2)[1] if answer else 0), bytes(answer)

    def head(self, method: str, path: str, *lines: bytes) -> bytes:
        """The head of a request with the owner's key."""
        first = f"{method} {path} HTTP/1.1\r\nHost: {self.url.netloc.decode()}\r\n"
        key = f"Authorization: Bearer {self.secrets['owner']}\r\n"
        rest = b"".join(line + b"\r\n" for line in lines)
        return first.encode("latin-1") + key.encode() + rest + b"\r\n"

    def refused(
        self, response: httpx.Response, status: int, slug: str, *words: str
    ) -> dict[str, Any]:
        """Check a problem document; it names what is wrong and what to do."""
        assert response.status_code == status, (status, response.text[:600])
        assert response.headers["content-type"] == "application/problem+json"
        check_headers(response.headers)
        document: dict[str, Any] = response.json()
        assert document["type"].endswith(f"/{slug}"), document
        assert document["status"] == status
        assert document["remedy"]
        assert document["detail"]
        assert document["request_id"] == response.headers["X-Request-ID"]
        for word in words:
            assert word.lower() in response.text.lower(), (word, document)
        assert str(self.served.data_folder) not in response.text
        assert "Traceback" not in response.text
        assert len(response.content) < 32 * 1024, "echoes what it was sent"
        return document

    def processes(self, module: str) -> list[psutil.Process]:
        """The gateway's children of a kind, such as `nvs_server.compute.inspector`."""
        children = psutil.Process(self.served.pid).children()
        return [child for child in children if module in " ".join(child.cmdline())]


def check_headers(headers: Mapping[str, str]) -> None:
    """Every response carries the security headers."""
    missing = [name for name in HEADERS if name not in headers]
    assert not missing


class Memory:
    """Watches the resident memory of the gateway and of the inspectors."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.before = self._now()
        self.peak = dict(self.before)

    def _now(self) -> dict[str, int]:
        gateway = psutil.Process(self._target.served.pid).memory_info().rss
        sizes = [0]
        for process in self._target.processes("nvs_server.compute.inspector"):
            try:
                sizes.append(process.memory_info().rss)
            except psutil.NoSuchProcess:
                continue  # it had taken too much and was ended
        return {"gateway": gateway, "inspector": max(sizes)}

    def _watch(self) -> None:
        while not self._done.wait(1 / SAMPLES_PER_SECOND):
            now = self._now()
            self.peak = {name: max(self.peak[name], now[name]) for name in now}

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        self.after = self._now()

    @property
    def report(self) -> str:
        """Before, peak and after in MiB."""
        return ", ".join(
            f"{name} {self.before[name] // MIB} → {self.peak[name] // MIB} → "
            f"{self.after[name] // MIB} MiB"
            for name in self.before
        )


def small_dataset(num_images: int = 4) -> bytes:
    """A zip file of the first images of the sample, with their cameras."""
    cameras = json.loads((SAMPLE / "opencv_cameras.json").read_text())
    frames = cameras["frames"] if isinstance(cameras, dict) else cameras
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for frame in frames[:num_images]:
            path = frame["file_path"]
            archive.write(SAMPLE / Path(path), path)
        archive.writestr("opencv_cameras.json", json.dumps(frames[:num_images]))
    return buffer.getvalue()
