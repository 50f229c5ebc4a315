"""Named weights: resolution, downloads from a local hub, and what goes wrong."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from nvs.config import ModelConfig, preset
from nvs.errors import CheckpointError, WeightsUnavailableError
from nvs.model import weights
from nvs.model.checkpoint import random_checkpoint, save_checkpoint
from nvs.model.shards import split_file
from nvs.model.trained_on import TrainedOn

COMMIT = "0" * 40
SMALL = ModelConfig(dim=32, num_blocks=1, attention_head_dim=16, fast_head_dim=32)


class Hub(ThreadingHTTPServer):
    """The two requests that a download makes of a model hub."""

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.content = content
        self.ranges: list[str | None] = []


class HubHandler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, format: str, *args: object) -> None: ...

    def do_HEAD(self) -> None:
        self._head(len(self.server.content))
        self.end_headers()

    def do_GET(self) -> None:
        if "/resolve/" not in self.path:
            body = json.dumps({"error": "not found"}).encode()
            self.send_response(404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        body = self.server.content[start:]
        self._head(len(body), 206 if start else 200, start)
        self.end_headers()
        self.wfile.write(body)

    def _head(self, length: int, status: int = 200, start: int = 0) -> None:
        total = len(self.server.content)
        known = "/resolve/main/obj_res256.pt" in self.path or COMMIT in self.path
        self.send_response(status if known else 404)
        self.send_header("Content-Length", str(length if known else 0))
        self.send_header("Accept-Ranges", "bytes")
        if not known:
            self.send_header("X-Error-Code", "EntryNotFound")
            return
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(self.server.content).hexdigest()}"')


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    path = tmp_path / "content.pt"
    torch.save({"model": {"x": torch.arange(6_000_000.0)}}, path)
    server = Hub(path.read_bytes())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def get(
    name: str, cache: Path, endpoint: str, *, etag_timeout: str = "2"
) -> subprocess.CompletedProcess[str]:
    """`nvs weights get` as a user runs it, against another hub."""
    environment = os.environ | {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(cache / "hf"),
        "XDG_CACHE_HOME": str(cache),
        "HF_HUB_ETAG_TIMEOUT": etag_timeout,
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
    }
    return subprocess.run(
        [sys.executable, "-m", "nvs.cli", "weights", "get", name, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_download_records_the_hash(hub: Hub, tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{hub.server_port}"
    done = get("obj_res256", tmp_path, endpoint)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    expected = hashlib.sha256(hub.content).hexdigest()
    assert result["sha256"] == expected
    path = Path(result["path"])
    assert path.read_bytes() == hub.content
    assert path.with_name("obj_res256.pt.sha256").read_text().strip() == expected

    requests = len(hub.ranges)
    again = get("obj_res256", tmp_path, endpoint)
    assert again.returncode == 0
    assert len(hub.ranges) == requests, "a second get must not download"

    path.write_bytes(hub.content[:-1] + b"?")
    changed = get("obj_res256", tmp_path, endpoint)
    assert changed.returncode == 2
    assert "changed since it was downloaded" in changed.stderr


def test_killed_download_resumes(hub: Hub, tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{hub.server_port}"
    folder = tmp_path / "lact-nvs" / "weights"
    folder.mkdir(parents=True)
    digest = hashlib.sha256(hub.content).hexdigest()
    partial = folder / f"obj_res256.pt.{digest[:16]}.partial"
    partial.write_bytes(hub.content[:15_000_000])
    done = get("obj_res256", tmp_path, endpoint)
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)["path"]).read_bytes() == hub.content
    assert hub.ranges == ["bytes=15000000-"]
    assert not partial.exists()


def test_broken_download_is_kept_and_damage_is_noticed(
    hub: Hub, tmp_path: Path
) -> None:
    endpoint = f"http://127.0.0.1:{hub.server_port}"
    folder = tmp_path / "lact-nvs" / "weights"
    folder.mkdir(parents=True)
    digest = hashlib.sha256(hub.content).hexdigest()
    partial = folder / f"obj_res256.pt.{digest[:16]}.partial"
    partial.write_bytes(b"?" * 15_000_000)
    done = get("obj_res256", tmp_path, endpoint)
    assert done.returncode == 2
    assert "arrived damaged" in done.stderr
    assert not partial.exists(), "the next try must start anew"
    assert not (folder / "obj_res256.pt").exists()


def test_offline_message(tmp_path: Path) -> None:
    done = get("scene_res72x128", tmp_path, "http://127.0.0.1:9")
    assert done.returncode == 2
    assert "cannot download scene_res72x128.pt of airsplay/lact_nvs" in done.stderr
    assert "or copy the file to" in done.stderr
    assert "Traceback" not in done.stderr


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(WeightsUnavailableError, match=r"'nope'.*obj_res256"):
        weights.get_weights("nope")


def test_ten_released_files_are_registered() -> None:
    released = [w for w in weights.REGISTRY.values() if w.repository is not None]
    assert len(released) == 10
    assert {w.repository for w in released} == {"airsplay/lact_nvs"}
    wide = weights.REGISTRY["scene_res536x960"]
    assert wide.file == "scene_res536x960.pt"
    assert wide.trained_on == TrainedOn(
        poses="scene", sizes=((536, 960),), background="any"
    )
    for known in released:
        assert known.trained_on is not None
        is_object = known.name.startswith("obj")
        assert (known.trained_on.poses == "object") == is_object
        assert (known.trained_on.distance == (2.7, 2.7)) == is_object


def test_default_weights_ship_with_the_package() -> None:
    found = weights.load_weights()
    assert found.name == weights.DEFAULT_WEIGHTS
    assert found.path is None
    about = found.checkpoint.about
    assert about["data"] == "synthetic:object=1"
    assert about["history"]
    assert found.trained_on.poses == "object"
    assert found.trained_on.background == "white"
    assert found.checkpoint.config == preset("lact_small")
    for field in dataclasses.fields(found.trained_on):
        assert getattr(found.trained_on, field.name) is not None


def test_cached_file_is_used_and_knows_its_poses(
    tmp_path: Path,
) -> None:
    config, made = SMALL, random_checkpoint(SMALL)
    path = tmp_path / "mine.safetensors"
    save_checkpoint(path, config, made.state, about={"poses": "scene"})
    found = weights.load_weights(str(path))
    assert found.trained_on == TrainedOn(poses="scene")
    assert found.path == path
    save_checkpoint(path, config, made.state, about={"poses": "sideways"})
    with pytest.raises(
        CheckpointError, match=r"mine.*poses is 'sideways'\. Use one of object, scene"
    ):
        weights.load_weights(str(path))


def test_the_record_of_a_file_counts_before_what_its_name_says(tmp_path: Path) -> None:
    """A registered name is only asked where the file is silent."""
    made = random_checkpoint(SMALL)
    path = tmp_path / "obj_res512.safetensors"
    registered = weights.REGISTRY["obj_res512"].trained_on
    assert registered is not None
    own = TrainedOn(poses="scene", sizes=((48, 64),))
    for about, expected in (
        ({}, registered),
        ({"poses": "object", "converted_from": "obj_res512"}, registered),
        ({"training": "for two days"}, registered),
        ({"poses": "scene"}, TrainedOn(poses="scene")),
        ({"trained_on": own.to_json(), "poses": "object"}, own),
        ({"trained_on": {}}, TrainedOn()),
    ):
        save_checkpoint(path, SMALL, made.state, about=about)
        assert weights.load_weights(str(path)).trained_on == expected
    save_checkpoint(path, SMALL, made.state, about={"trained_on": {"distance": [3, 2]}})
    with pytest.raises(
        CheckpointError,
        match=r"obj_res512\.safetensors: trained_on\.distance is \(3\.0, 2\.0\)",
    ):
        weights.load_weights(str(path))


def test_a_path_may_be_an_exported_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, made = SMALL, random_checkpoint(SMALL)
    monkeypatch.chdir(tmp_path)
    folder = Path("lact_small")
    folder.mkdir()
    packaged = weights.load_weights("lact_small")
    assert packaged.checkpoint.digest != made.digest, "not an export"
    record = TrainedOn(poses="scene", sizes=((16, 24),))
    about = {"trained_on": record.to_json()}
    whole = folder / "weights.safetensors"
    save_checkpoint(whole, config, made.state, about=about)
    for form in ("one file", "shards"):
        if form == "shards":
            split_file(whole, 40_000)
            whole.unlink()
        for name in ("lact_small", str(tmp_path / "lact_small"), "lact_small/"):
            found = weights.load_weights(name)
            assert found.checkpoint.digest == made.digest
            assert (found.name, found.trained_on) == ("lact_small", record)
            assert found.path == tmp_path / "lact_small"
    found = weights.load_weights("lact_small/weights.json")
    assert (found.checkpoint.digest, found.name) == (made.digest, "weights")
    assert found.path == tmp_path / "lact_small" / "weights.json"
