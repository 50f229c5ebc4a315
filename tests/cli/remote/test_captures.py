"""`nvs remote upload | pose | mask`, against a backend that computes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.fakes.api import opencv
from tests.fakes.backend import SCENE_CONTENT

ABSENT = "a" * 26


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
    file.write_bytes(SCENE_CONTENT)
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
