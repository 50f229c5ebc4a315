"""`nvs remote` as typed, against the service over a backend that computes nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nvs.cli.remote import connection
from nvs.errors import CameraError
from tests.fakes.api import opencv
from tests.fakes.backend import SCENE_MAGIC, colour_of
from tests.fakes.proxy import Fault
from tests.fakes.service import OWNER, UNLIMITED

CONTENT = SCENE_MAGIC + bytes(range(256)) * 512
ABSENT = "a" * 26


@pytest.fixture
def scene_id(service) -> str:
    """A scene that is ready."""
    return service.stored(CONTENT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "chair"
    path.mkdir()
    Image.new("RGB", (48, 32), "red").save(path / "0.png")
    (path / "opencv_cameras.json").write_text(json.dumps(opencv("0.png")))
    return path


def test_upload_makes_a_scene(nvs, service, folder: Path) -> None:
    done = nvs("remote", "upload", folder, "--tag", "a", "--tag", "b", "--json")
    assert done.code == 0, done.err
    assert done.json["frames"] == 1
    assert service.proxy.requests[0].json["name"] == "chair"
    assert service.proxy.requests[0].json["tags"] == ["a", "b"]
    assert service.scene(done.json["scene"])["num_images"] == 1


def test_a_finished_upload_does_not_read_as_if_it_went_on(
    nvs, service, folder: Path
) -> None:
    done = nvs("remote", "upload", folder)
    assert done.code == 0, done.err
    assert "not built" in done.out
    assert "uploading" not in done.out
    assert "not built" in nvs("remote", "scenes").out
    assert json.loads(nvs("remote", "scenes", "--json").out)[0]["state"] == "not built"


def test_upload_goes_on(nvs, service, folder: Path) -> None:
    scene_id = nvs("remote", "upload", folder, "--json").json["scene"]
    service.proxy.requests.clear()
    done = nvs("remote", "upload", folder, "--scene", scene_id)
    assert done.code == 0, done.err
    assert not service.proxy.requests_of("POST /v1/scenes")
    assert not service.proxy.requests_of("PUT .*/images/.*")


def test_upload_of_a_scene_file(nvs, service, tmp_path) -> None:
    file = tmp_path / "a.scene"
    file.write_bytes(CONTENT)
    done = nvs("remote", "upload", file, "--name", "chair", "--json")
    assert done.code == 0, done.err
    assert service.scene(done.json["scene"])["state"] == "ready"


def test_upload_of_a_zip(nvs, service, folder: Path, tmp_path) -> None:
    shutil.make_archive(str(tmp_path / "a"), "zip", folder)
    done = nvs("remote", "upload", tmp_path / "a.zip", "--name", "chair", "--json")
    assert done.code == 0, done.err
    assert service.scene(done.json["scene"])["num_images"] == 1


@pytest.mark.parametrize("kind", ["photographs", "video"])
def test_what_has_no_cameras_is_posed(nvs, service, tmp_path, kind: str) -> None:
    source = tmp_path / ("photos" if kind == "photographs" else "walk.MOV")
    if kind == "photographs":
        source.mkdir()
        for name in "abc":
            Image.new("RGB", (48, 32), "red").save(source / f"{name}.png")
    else:
        source.write_bytes(b"a video")
    done = nvs("remote", "upload", source, "--json")
    assert done.code == 0, done.err
    scene_id = done.json["scene"]
    assert f"nvs remote pose {scene_id}" in done.err
    assert done.json["video"] == (kind == "video")
    command = ("remote", "pose", scene_id, "--camera-model", "PINHOLE")
    done = nvs(*command, "--count", 9, "--json")
    assert done.code == 0, done.err
    assert done.json["num_posed"] == (3 if kind == "photographs" else 1)
    assert "nvs: left out: images/0007.jpg: matches no other photograph" in done.err
    (asked,) = service.proxy.requests_of("POST .*/pose")
    assert asked.json == {"camera_model": "PINHOLE", "num_frames": 9}
    assert service.scene(scene_id)["has_cameras"]


def test_masks_are_proposed_looked_at_and_accepted(nvs, service, tmp_path) -> None:
    scene_id = service.uploaded()
    num = service.scene(scene_id)["num_images"]
    command = ("remote", "mask", scene_id, "--json")
    done = nvs(*command, "--previews", tmp_path / "masks")
    assert done.code == 0, done.err
    assert (len(done.json["proposed"]), done.json["used"]) == (num, 0)
    assert "agree little with the others" in done.err
    assert f"nvs remote mask {scene_id} --accept all" in done.err
    shown = list((tmp_path / "masks").iterdir())
    assert {file.read_bytes()[:3] for file in shown} == {b"\xff\xd8\xff"}
    assert len(shown) == num
    done = nvs(*command, "--accept", done.json["proposed"][0])
    assert (done.json["proposed"], done.json["used"]) == ([], 1)
    done = nvs(*command)
    assert done.code == 2
    assert "has 1 masks already" in done.err
    assert nvs(*command, "--force", "--method", "rembg").code == 0
    (asked,) = service.proxy.requests_of("POST .*/masks")[-1:]
    assert asked.json == {"method": "rembg", "force": True}
    assert nvs(*command, "--accept", "all").json["used"] == num


def test_build_waits_and_reports(nvs, service) -> None:
    done = nvs(
        *("remote", "build", service.uploaded(), "--size", "64x96", "--views", "0,1"),
        *("--framing", "object", "--weights", "fake", "--json"),
    )
    assert done.code == 0, done.err
    assert done.json["state"] == "ready"
    assert service.proxy.requests[0].json == {
        "weights": "fake",
        "size": [64, 96],
        "views": {"indices": [0, 1]},
        "framing": "object",
    }


def test_a_build_says_what_to_expect_and_what_came_of_it(nvs, service) -> None:
    done = nvs(
        *("remote", "build", service.uploaded(), "--up=-y", "--holdout", "2"),
        *("--weights", "fake", "--json"),
    )
    assert done.code == 0, done.err
    for request in service.proxy.requests[:2]:
        assert request.json == {
            "weights": "fake",
            "framing": "auto",
            "up": [0, -1, 0],
            "holdout": 2,
        }
    assert "nvs: framing object: as asked" in done.err
    assert "nvs: 1 views kept out: 20.0 dB, SSIM 0.500; fake comes" in done.err
    assert "nvs: LPIPS is left out" in done.err
    assert (done.json["framing"], done.json["expect"]) == ("object", "fine")
    assert (done.json["psnr_held_out"], done.json["ssim_held_out"]) == (20, 0.5)
    assert "lpips_held_out" not in done.json


def test_a_failed_build_is_one_line(nvs, service) -> None:
    error = CameraError("no overlap", remedy="Take more pictures.")
    service.backend.errors["build"] = [error]
    done = nvs("remote", "build", service.uploaded())
    assert done.code == 2
    assert done.err.endswith("nvs: no overlap. Take more pictures.\n")


def test_ctrl_c_cancels_the_build(service, home: Path) -> None:
    service.hold("build")
    scene_id = service.uploaded()
    command = [sys.executable, "-m", "nvs.cli", "remote", "build", scene_id]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            service.proxy.await_request("GET .*/events")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "cancelled the build on the server" in err
    assert "Traceback" not in err
    assert service.proxy.requests_of("POST /v1/jobs/.*/cancel")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "npy"])
def test_render_a_picture(
    nvs, service, tmp_path: Path, suffix: str, scene_id: str
) -> None:
    file = tmp_path / f"a.{suffix}"
    done = nvs(
        *("remote", "render", scene_id, "-o", file, "--eye", "7,0,-1"),
        *("--fov", "40", "--size", "50", "--json"),
    )
    assert done.code == 0, done.err
    assert (done.json["height"], done.json["width"]) == (32, 48)
    sent = service.proxy.requests[-1].json
    assert sent["cameras"][0]["eye"] == [7, 0, -1]
    assert sent["cameras"][0]["vertical_fov_degrees"] == 40
    array = np.load(file) if suffix == "npy" else np.asarray(Image.open(file))
    assert array.shape == (32, 48, 3)


def test_render_a_folder(nvs, service, tmp_path: Path, scene_id: str) -> None:
    whole = {"target": [0, 0, 0], "vertical_fov_degrees": 50}
    cameras = [{"eye": [x + 1, 0, 1]} | whole for x in range(3)]
    (tmp_path / "c.json").write_text(json.dumps(cameras))
    common = ("remote", "render", scene_id, "--camera", tmp_path / "c.json")
    done = nvs(*common, "-o", tmp_path / "frames", "--json")
    assert done.json["pictures"] == 3
    last = Image.open(tmp_path / "frames/00002.png").getpixel((0, 0))
    assert last == colour_of(service.backend.orders[-1].cameras[-1])
    assert "c.json has 3 cameras" in nvs(*common, "-o", tmp_path / "a.png").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "a.png"), "Give one of --eye, --input and --camera"),
        (("-o", "a.png", "--eye", "1,2,3", "--input", "0"), "said more than once"),
        (("-o", "a.png", "--eye", "1,2"), "--eye is '1,2'. Give three numbers"),
        (("-o", "a.gif", "--eye", "1,2,3"), "cannot write a.gif"),
        (("-o", "a.png", "--camera", "no.json"), "no.json: not a readable JSON file"),
        (("-o", "a.png", "--eye", "1,2,3", "--size", "4"), "smaller than one patch"),
        (("-o", "a.png", "--eye", "1,2,3", "--size", "x"), "--size is 'x'"),
    ],
)
def test_renders_that_cannot_be(
    nvs, service, arguments, message: str, scene_id: str
) -> None:
    done = nvs("remote", "render", scene_id, *arguments)
    assert done.code == 2
    assert message in done.err


def test_what_the_viewer_copies_is_a_camera_file(
    nvs, service, scene_id: str, tmp_path: Path
) -> None:
    """A camera, which has a size of its own, and the path of one frame."""
    pose = np.eye(4)
    pose[2, 3] = -2.5
    lens = {"fx": 70.0, "fy": 70.0, "cx": 48.0, "cy": 32.0}
    camera = {"world_from_camera": pose.tolist(), **lens}
    size = {"height": 64, "width": 96}
    path = {"format": "lact-nvs camera path", "version": 1, "fps": 30, **size}
    documents = (camera | size, path | {"frames": [camera]})
    for document in documents:
        (tmp_path / "c.json").write_text(json.dumps(document))
        done = nvs(
            *("remote", "render", scene_id, "-o", tmp_path / "a.png"),
            *("--camera", tmp_path / "c.json", "--size", "48"),
        )
        assert done.code == 0, done.err
        (sent,) = service.proxy.requests[-1].json["cameras"]
        assert sent["world_from_camera"] == pose.tolist()
        assert (sent["fx"], sent["cx"], sent["cy"]) == (35, 24, 16)
        done = nvs(
            *("remote", "video", scene_id, "-o", tmp_path / "v.mp4"),
            *("--path", tmp_path / "c.json"),
        )
        assert done.code == 0, done.err


def test_a_camera_that_the_service_refuses_is_one_line(
    nvs, service, scene_id: str
) -> None:
    service.proxy.faults = [Fault(pattern="POST .*/renders", status=422)]
    done = nvs("remote", "render", scene_id, "-o", "a.png", "--eye", "1,2,3")
    assert done.code == 2
    assert done.err == "nvs: refused with 422 (camera.eye: is NaN). Come back later.\n"


def test_a_scene_that_is_not_built(nvs, service) -> None:
    scene_id = service.make()
    done = nvs("remote", "render", scene_id, "-o", "a.png", "--eye", "1,2,3")
    assert "is not built, it is empty" in done.err
    assert f"nvs remote build {scene_id}" in done.err


def test_video(nvs, service, tmp_path: Path, scene_id: str) -> None:
    done = nvs(
        *("remote", "video", scene_id, "-o", tmp_path / "v.mp4", "--frames", "5"),
        *("--elevation", "20", "--zoom", "1.5", "--size", "96", "--json"),
    )
    assert done.code == 0, done.err
    assert (tmp_path / "v.mp4").stat().st_size == 1024
    (sent,) = service.proxy.requests_of("POST .*/videos")
    assert sent.json == {
        "trajectory": {
            "kind": "auto",
            "num_frames": 5,
            "elevation_degrees": 20,
            "zoom": 1.5,
        },
        "height": 64,
        "width": 96,
    }


def test_video_of_a_path_keeps_its_rate(
    nvs, service, tmp_path: Path, scene_id: str
) -> None:
    pose = np.eye(4)
    pose[2, 3] = 2.5
    views = [{"camera_to_world": pose.ravel().tolist(), "fov": 50, "aspect": 1.5}] * 2
    path = {"fps": 12.5, "render_height": 64, "render_width": 96, "camera_path": views}
    (tmp_path / "p.json").write_text(json.dumps(path))
    common = ("remote", "video", scene_id, "-o", tmp_path / "v.mp4", "--path")
    done = nvs(*common, tmp_path / "p.json")
    assert done.code == 0, done.err
    (sent,) = service.proxy.requests_of("POST .*/videos")
    assert sent.json["fps"] == 12.5
    sent_path = sent.json["trajectory"]["camera_path"]
    assert (sent_path["height"], sent_path["width"]) == (64, 96)
    assert len(sent_path["frames"]) == 2
    assert sent_path["frames"][0]["fx"] == pytest.approx(32 / np.tan(np.radians(25)))
    assert "--path is 'round'" in nvs(*common, "round").err


def test_download(nvs, service, tmp_path: Path, scene_id: str) -> None:
    done = nvs("remote", "download", scene_id, "-o", tmp_path / "a.scene", "--json")
    assert done.json["file_bytes"] == len(CONTENT)
    assert (tmp_path / "a.scene").read_bytes() == CONTENT
    assert "is a folder" in nvs("remote", "download", scene_id, "-o", tmp_path).err


def test_scenes_and_delete(nvs, service, scene_id: str) -> None:
    assert nvs("remote", "scenes", "--json").out.count(scene_id) == 1
    assert scene_id in nvs("remote", "scenes").out
    assert "deleted" in nvs("remote", "delete", scene_id).err
    assert service.proxy.requests[-1].line == f"DELETE /v1/scenes/{scene_id}"


def test_status(nvs, service) -> None:
    done = nvs("remote", "status", "--json")
    assert done.json["owner"] == OWNER
    assert done.json["workers"] == "cpu ready"
    limit = UNLIMITED["quota_builds_per_day"]
    assert done.json["builds_today"].endswith(f" of {limit:,}")


def test_login_remembers_in_a_private_file(nvs, service, home, monkeypatch) -> None:
    key = service.key()
    (home / "key").write_text(f"{key}\n")
    done = nvs("remote", "login", "--key-file", home / "key", "--json")
    assert done.code == 0, done.err
    path = Path(done.json["saved"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert key not in done.out + done.err
    monkeypatch.delenv("NVS_SERVER")
    assert nvs("remote", "status").code == 0
    path.chmod(0o644)
    assert "may be read by others. Close it with: chmod 600" in (
        nvs("remote", "status").err
    )


def test_a_saved_key_goes_to_its_own_server_only(nvs, service, home) -> None:
    connection.save("http://elsewhere.example", "nvs_other")
    nvs("remote", "status")
    assert all("authorization" not in one.headers for one in service.proxy.requests)


def test_a_wrong_key_is_not_remembered(nvs, service, home) -> None:
    service.key()
    (home / "key").write_text("nvs_wrong")
    done = nvs("remote", "login", "--key-file", home / "key")
    assert done.code == 2
    assert "key" in done.err
    assert not connection.saved_path().exists()


def test_the_environment_gives_the_key(nvs, service, monkeypatch) -> None:
    monkeypatch.setenv("NVS_KEY", service.key())
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
    "arguments", [("a", "--scene", ABSENT, "--name", "b"), ("no",)]
)
def test_uploads_that_cannot_be(nvs, service, tmp_path, arguments) -> None:
    (tmp_path / "a").mkdir()
    done = nvs("remote", "upload", tmp_path / arguments[0], *arguments[1:])
    assert done.code == 2
    assert "goes with neither" in done.err or "there is nothing" in done.err


def test_a_refused_upload_leaves_no_scene_behind(nvs, service, folder: Path) -> None:
    mine = nvs("remote", "upload", folder, "--json").json["scene"]
    before = {
        scene["id"] for scene in json.loads(nvs("remote", "scenes", "--json").out)
    }
    for broken in folder.rglob("*.png"):
        broken.write_bytes(b"no image")
    done = nvs("remote", "upload", folder)
    assert done.code == 2
    assert "is not a PNG" in done.err
    listed = json.loads(nvs("remote", "scenes", "--json").out)
    assert {scene["id"] for scene in listed} == before
    assert nvs("remote", "upload", folder, "--scene", mine).code == 2
    assert service.scene(mine)["num_images"] == 1
