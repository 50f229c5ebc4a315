"""`nvs remote` as typed, against a service that keeps what it is sent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nvs.cli.remote import connection

SCENE_ID = "mfzwizltoqydcmrtgu3dqmrvge"
DONE = {"state": "succeeded", "stage": "storing", "progress": 1.0}
CONTENT = bytes(range(256)) * 512


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "chair"
    path.mkdir()
    Image.new("RGB", (48, 32), "red").save(path / "0.png")
    (path / "opencv_cameras.json").write_text(json.dumps([{"file_path": "0.png"}]))
    return path


def test_upload_makes_a_scene(nvs, service, folder: Path) -> None:
    done = nvs("remote", "upload", folder, "--tag", "a", "--tag", "b", "--json")
    assert done.code == 0, done.err
    assert done.json["scene"] == SCENE_ID
    assert done.json["frames"] == 2
    assert service.requests[0].json["name"] == "chair"
    assert service.requests[0].json["tags"] == ["a", "b"]
    assert set(service.images) == {"0.png"}


def test_upload_goes_on(nvs, service, folder: Path) -> None:
    nvs("remote", "upload", folder)
    service.requests.clear()
    done = nvs("remote", "upload", folder, "--scene", SCENE_ID)
    assert done.code == 0, done.err
    assert not service.requests_of("POST /v1/scenes")
    assert not service.requests_of("PUT .*/images/.*")


@pytest.mark.parametrize(("suffix", "kept"), [("scene", "file"), ("zip", "dataset")])
def test_upload_of_one_file(nvs, service, tmp_path, suffix: str, kept: str) -> None:
    file = tmp_path / f"a.{suffix}"
    file.write_bytes(CONTENT)
    done = nvs("remote", "upload", file, "--name", "chair", "--json")
    assert done.code == 0, done.err
    assert service.files[kept] == CONTENT


def test_build_waits_and_reports(nvs, service) -> None:
    service.job_states = [{}, {"state": "running", "progress": 0.5}, DONE]
    done = nvs(
        *("remote", "build", SCENE_ID, "--size", "64x96", "--views", "0,2-3"),
        *("--framing", "object", "--weights", "lact_tiny", "--json"),
    )
    assert done.code == 0, done.err
    assert done.json["state"] == "ready"
    assert service.requests[0].json == {
        "weights": "lact_tiny",
        "size": [64, 96],
        "views": {"indices": [0, 2, 3]},
        "framing": "object",
    }


def test_a_failed_build_is_one_line(nvs, service) -> None:
    error = {"problem": "no overlap", "remedy": "Take more pictures."}
    service.job_states = [{}, {"state": "failed", "error": error}]
    done = nvs("remote", "build", SCENE_ID)
    assert done.code == 2
    assert done.err.endswith("nvs: no overlap. Take more pictures.\n")


def test_ctrl_c_cancels_the_build(service, fakes, home: Path) -> None:
    service.hold_events.clear()
    command = [sys.executable, "-m", "nvs.cli", "remote", "build", SCENE_ID]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert service.events_asked.wait(60)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "cancelled the build on the server" in err
    assert "Traceback" not in err
    assert service.requests_of("POST /v1/jobs/.*/cancel")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "npy"])
def test_render_a_picture(nvs, service, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"a.{suffix}"
    done = nvs(
        *("remote", "render", SCENE_ID, "-o", file, "--eye", "7,0,-1"),
        *("--fov", "40", "--size", "50", "--json"),
    )
    assert done.code == 0, done.err
    assert (done.json["height"], done.json["width"]) == (32, 48)
    sent = service.requests[-1].json
    assert sent["cameras"][0]["eye"] == [7, 0, -1]
    assert sent["cameras"][0]["vertical_fov_degrees"] == 40
    array = np.load(file) if suffix == "npy" else np.asarray(Image.open(file))
    assert array.shape[2] == 3


def test_render_a_folder(nvs, service, tmp_path: Path) -> None:
    cameras = [{"eye": [x, 0, 1], "target": [0, 0, 0]} for x in range(3)]
    (tmp_path / "c.json").write_text(json.dumps(cameras))
    common = ("remote", "render", SCENE_ID, "--camera", tmp_path / "c.json")
    done = nvs(*common, "-o", tmp_path / "frames", "--json")
    assert done.json["pictures"] == 3
    assert np.asarray(Image.open(tmp_path / "frames/00002.png")).max() == 2
    assert "c.json has 3 cameras" in nvs(*common, "-o", tmp_path / "a.png").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "a.png"), "Give one of --eye, --input and --camera"),
        (("-o", "a.png", "--eye", "1,2,3", "--input", "0"), "said more than once"),
        (("-o", "a.png", "--eye", "1,2"), "--eye is '1,2'. Give three numbers"),
        (("-o", "a.gif", "--eye", "1,2,3"), "cannot write a.gif"),
        (("-o", "a.png", "--camera", "no.json"), "no.json is not readable JSON"),
        (("-o", "a.png", "--eye", "1,2,3", "--size", "4"), "smaller than one patch"),
        (("-o", "a.png", "--eye", "1,2,3", "--size", "x"), "--size is 'x'"),
    ],
)
def test_renders_that_cannot_be(nvs, service, arguments, message: str) -> None:
    done = nvs("remote", "render", SCENE_ID, *arguments)
    assert done.code == 2
    assert message in done.err


def test_a_camera_that_the_service_refuses_is_one_line(nvs, service, fakes) -> None:
    service.faults = [fakes.Fault("POST .*/renders", status=422)]
    done = nvs("remote", "render", SCENE_ID, "-o", "a.png", "--eye", "1,2,3")
    assert done.code == 2
    assert done.err == "nvs: refused with 422 (camera.eye: is NaN). Come back later.\n"


def test_a_scene_that_is_not_built(nvs, service, fakes, monkeypatch) -> None:
    empty = fakes.SCENE | {"state": "uploading", "height": None, "width": None}
    monkeypatch.setattr(fakes, "SCENE", empty)
    done = nvs("remote", "render", SCENE_ID, "-o", "a.png", "--eye", "1,2,3")
    assert "is not built, it is uploading" in done.err
    assert f"nvs remote build {SCENE_ID}" in done.err


def test_video(nvs, service, tmp_path: Path) -> None:
    service.files["file"] = CONTENT
    service.job_states = [{"kind": "video"}, DONE]
    done = nvs(
        *("remote", "video", SCENE_ID, "-o", tmp_path / "v.mp4", "--frames", "5"),
        *("--elevation", "20", "--zoom", "1.5", "--size", "96", "--json"),
    )
    assert done.code == 0, done.err
    assert (tmp_path / "v.mp4").read_bytes() == CONTENT
    (sent,) = service.requests_of("POST .*/videos")
    assert sent.json == {
        "trajectory": {
            "kind": "orbit",
            "num_frames": 5,
            "elevation_degrees": 20,
            "zoom": 1.5,
        },
        "height": 64,
        "width": 96,
    }


def test_video_of_a_path_keeps_its_rate(nvs, service, tmp_path: Path) -> None:
    service.files["file"] = CONTENT
    service.job_states = [{"kind": "video"}, DONE]
    (tmp_path / "p.json").write_text('{"fps": 12.5}')
    common = ("remote", "video", SCENE_ID, "-o", tmp_path / "v.mp4", "--path")
    assert nvs(*common, tmp_path / "p.json").code == 0
    (sent,) = service.requests_of("POST .*/videos")
    assert sent.json["fps"] == 12.5
    assert sent.json["trajectory"] == {"camera_path": {"fps": 12.5}}
    assert "--path is 'round'" in nvs(*common, "round").err


def test_download(nvs, service, tmp_path: Path) -> None:
    service.files["file"] = CONTENT
    done = nvs("remote", "download", SCENE_ID, "-o", tmp_path / "a.scene", "--json")
    assert done.json["file_bytes"] == len(CONTENT)
    assert (tmp_path / "a.scene").read_bytes() == CONTENT
    assert "is a folder" in nvs("remote", "download", SCENE_ID, "-o", tmp_path).err


def test_scenes_and_delete(nvs, service, fakes) -> None:
    service.pages = {None: {"items": [fakes.SCENE], "next_cursor": None}}
    assert nvs("remote", "scenes", "--json").out.count(SCENE_ID) == 1
    assert SCENE_ID in nvs("remote", "scenes").out
    assert "deleted" in nvs("remote", "delete", SCENE_ID).err
    assert service.requests[-1].line == f"DELETE /v1/scenes/{SCENE_ID}"


def test_status(nvs, service) -> None:
    done = nvs("remote", "status", "--json")
    assert done.json["owner"] == "ada"
    assert done.json["workers"] == "cpu ready"
    assert done.json["builds_today"] == "3 of 5"


def test_login_remembers_in_a_private_file(nvs, service, home, monkeypatch) -> None:
    service.key = "nvs_secret"
    (home / "key").write_text("nvs_secret\n")
    done = nvs("remote", "login", "--key-file", home / "key", "--json")
    assert done.code == 0, done.err
    path = Path(done.json["saved"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert "nvs_secret" not in done.out + done.err
    monkeypatch.delenv("NVS_SERVER")
    assert nvs("remote", "status").code == 0
    path.chmod(0o644)
    assert "may be read by others. Close it with: chmod 600" in (
        nvs("remote", "status").err
    )


def test_a_saved_key_goes_to_its_own_server_only(nvs, service, fakes, home) -> None:
    connection.save("http://elsewhere.example", "nvs_other")
    nvs("remote", "status")
    assert all("authorization" not in one.headers for one in service.requests)


def test_a_wrong_key_is_not_remembered(nvs, service, home) -> None:
    service.key = "nvs_secret"
    (home / "key").write_text("nvs_wrong")
    done = nvs("remote", "login", "--key-file", home / "key")
    assert done.code == 2
    assert "refused with 401" in done.err
    assert not connection.saved_path().exists()


def test_the_environment_gives_the_key(nvs, service, monkeypatch) -> None:
    service.key = "nvs_secret"
    monkeypatch.setenv("NVS_KEY", "nvs_secret")
    assert nvs("remote", "status").code == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot read the key file"), ("a\nb\n", "does not hold one key")],
)
def test_key_files_that_are_none(nvs, service, home, content, message: str) -> None:
    if content is not None:
        (home / "key").write_text(content)
    assert message in nvs("remote", "status", "--key-file", home / "key").err


def test_a_damaged_login(nvs, home) -> None:
    connection.saved_path().parent.mkdir(parents=True)
    connection.saved_path().write_text("{")
    assert "log in again with `nvs remote login`" in nvs("remote", "status").err


def test_help_is_fast() -> None:
    code = (
        "import sys; from nvs.cli.remote import app; "
        "print([name for name in ('torch', 'httpx', 'numpy') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    "arguments", [("a", "--scene", SCENE_ID, "--name", "b"), ("no",)]
)
def test_uploads_that_cannot_be(nvs, service, tmp_path, arguments) -> None:
    (tmp_path / "a").mkdir()
    done = nvs("remote", "upload", tmp_path / arguments[0], *arguments[1:])
    assert done.code == 2
    assert "goes with neither" in done.err or "there is nothing" in done.err
