"""`nvs remote render | video`, against a backend that computes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fakes.backend import colour_of
from tests.fakes.proxy import Fault


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
