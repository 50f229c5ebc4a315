"""Downloads against a server that answers as the hub's file endpoints do."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from nvs.errors import ConfigError, DatasetError
from nvs_data.download import BENCHMARK_REPOSITORY, download_dl3dv_scene

SCENE = "0a" * 32
TOKEN = "hf_right"
COMMIT = "c" * 40


class Hub(ThreadingHTTPServer):
    """One gated data set, whose lines drop once after `cut` bytes of a file."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.served: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.cut: dict[str, int] = {}
        self.down: set[str] = set()
        self.broken: set[str] = set()
        self.gated = True

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        authorised = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if self.server.gated and not authorised:
            self._send(401, b"", {"X-Error-Code": "GatedRepo"}, body=body)
            return
        tree = f"/api/datasets/{BENCHMARK_REPOSITORY}/tree/main/"
        resolve = f"/datasets/{BENCHMARK_REPOSITORY}/resolve/main/"
        if path.startswith(tree):
            self._tree(path.removeprefix(tree), body=body)
        elif path.removeprefix(resolve) in self.server.files:
            self._file(path.removeprefix(resolve), body=body)
        else:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body=body)

    def _tree(self, folder: str, *, body: bool) -> None:
        entries = [
            {"type": "file", "path": name, "size": len(data), "oid": _git_hash(data)}
            | (
                {"lfs": {"size": len(data), "oid": _sha256(data), "pointerSize": 1}}
                if name.endswith(".png")
                else {}
            )
            for name, data in self.server.files.items()
            if name.startswith(folder + "/")
        ]
        headers = {"Content-Type": "application/json"}
        if entries:
            self._send(200, json.dumps(entries).encode(), headers, body=body)
        else:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body=body)

    def _file(self, name: str, *, body: bool) -> None:
        data = self.server.files[name]
        lfs = name.endswith(".png")
        headers = {
            "ETag": f'"{_sha256(data) if lfs else _git_hash(data)}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
        }
        if name in self.server.broken:
            data = bytes(reversed(data))
        start = 0
        if body:
            self.server.served[name] += 1
            wanted = self.headers.get("Range")
            if wanted is not None:
                self.server.ranges.append(wanted)
                start = int(wanted.removeprefix("bytes=").partition("-")[0])
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if body and name in self.server.down:
            self._send(403, b"", {}, body=True)
            return
        if body and name in self.server.cut:
            headers["Content-Length"] = str(len(data))
            sent = self.server.cut.pop(name)
            self._send(200, data[:sent], headers, body=True)
            self.close_connection = True
            return
        self._send(206 if start else 200, data[start:], headers, body=body)

    def _send(
        self, status: int, data: bytes, headers: dict[str, str], *, body: bool
    ) -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(data))} | headers).items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(data)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    server = Hub()
    start = f"{SCENE}/nerfstudio"
    server.files = {
        f"{start}/transforms.json": b'{"frames": []}',
        f"{start}/images_4/frame_00001.png": b"first image" * 1000,
        f"{start}/images_4/frame_00002.png": b"second image" * 30_000,
        f"{start}/colmap/database.db": b"not wanted",
        f"{SCENE}/gaussian_splat/images_4/frame_00001.png": b"not wanted",
    }
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def _download(hub: Hub, folder: Path, scene: str = SCENE, token: str = TOKEN) -> Path:
    return download_dl3dv_scene(scene, folder, token=token, endpoint=hub.endpoint)


def _contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _wanted(hub: Hub) -> dict[str, bytes]:
    start = f"{SCENE}/nerfstudio/"
    return {
        name.removeprefix(f"{SCENE}/"): data
        for name, data in hub.files.items()
        if name.startswith((f"{start}images_4/", f"{start}transforms.json"))
    }


def test_fetches_cameras_and_scaled_images_only(hub: Hub, tmp_path: Path) -> None:
    scene = _download(hub, tmp_path / "data")
    assert scene == tmp_path / "data" / SCENE
    assert _contents(scene) == _wanted(hub)


def test_fetches_nothing_twice(hub: Hub, tmp_path: Path) -> None:
    _download(hub, tmp_path / "data")
    before = hub.served.copy()
    _download(hub, tmp_path / "data")
    assert hub.served == before


def test_fetches_a_damaged_file_again(hub: Hub, tmp_path: Path) -> None:
    scene = _download(hub, tmp_path / "data")
    image = scene / "nerfstudio/images_4/frame_00001.png"
    image.write_bytes(b"x" * image.stat().st_size)
    _download(hub, tmp_path / "data")
    assert _contents(scene) == _wanted(hub)


def test_goes_on_where_the_line_dropped(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)
    hub.cut[f"{SCENE}/nerfstudio/images_4/frame_00002.png"] = 200_000
    scene = _download(hub, tmp_path / "data")
    assert _contents(scene) == _wanted(hub)
    assert hub.ranges == ["bytes=200000-"]


def test_keeps_what_arrived_before_a_failure(hub: Hub, tmp_path: Path) -> None:
    name = f"{SCENE}/nerfstudio/images_4/frame_00002.png"
    hub.down.add(name)
    with pytest.raises(DatasetError, match="what has arrived is kept"):
        _download(hub, tmp_path / "data")
    hub.down.clear()
    before = hub.served.copy()
    scene = _download(hub, tmp_path / "data")
    assert _contents(scene) == _wanted(hub)
    assert hub.served - before == Counter({name: 1})


def test_refuses_a_file_with_another_hash(hub: Hub, tmp_path: Path) -> None:
    hub.broken.add(f"{SCENE}/nerfstudio/images_4/frame_00001.png")
    with pytest.raises(DatasetError, match=r"frame_00001\.png .* wrong hash"):
        _download(hub, tmp_path / "data")
    images = tmp_path / "data" / SCENE / "nerfstudio/images_4"
    assert not (images / "frame_00001.png").exists()


def test_says_how_to_get_access(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"Accept its terms .* token"):
        _download(hub, tmp_path / "data", token="hf_wrong")


def test_names_a_scene_that_does_not_exist(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=f"has no scene {'0b' * 32}"):
        _download(hub, tmp_path / "data", scene="0b" * 32)


@pytest.mark.parametrize("scene", ["../../etc", "", "0A" * 32, "0a" * 31])
def test_refuses_a_name_that_is_no_scene(scene: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="64 hexadecimal digits"):
        download_dl3dv_scene(scene, tmp_path, endpoint="http://127.0.0.1:9")


def test_says_that_the_hub_cannot_be_reached(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    endpoint = hub.endpoint
    hub.shutdown()
    hub.server_close()
    with pytest.raises(DatasetError, match="Check the network connection"):
        download_dl3dv_scene(SCENE, tmp_path, token=TOKEN, endpoint=endpoint)
