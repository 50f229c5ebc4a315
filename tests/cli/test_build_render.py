"""From a dataset to a scene file to pictures, as typed."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pytest
import torch

from nvs.cameras import CameraPath, orbit, write_camera_path
from nvs.scene import Scene


def test_build_reports_what_it_did(nvs, dataset: Path, weights: Path, tmp_path) -> None:
    path = tmp_path / "b.scene"
    done = nvs("build", dataset, "-o", path, "--weights", weights, "--json")
    assert done.code == 0, done.err
    assert done.json["views"] == 8
    assert (done.json["height"], done.json["width"]) == (32, 48)
    assert done.json["file_bytes"] == path.stat().st_size
    assert done.json["tokens_per_second"] > 0


def test_a_dry_run_tells_what_a_build_takes(nvs, dataset, weights, tmp_path) -> None:
    path = tmp_path / "b.scene"
    command = ("build", dataset, "-o", path, "--weights", weights, "--json")
    sized = ("--views", "0,3-5", "--size", "16x24", "--keep", "float32")
    told = nvs(*command, *sized, "--dry-run").json
    assert not path.exists()
    assert (told["views"], told["height"], told["width"]) == (4, 16, 24)
    assert told["tokens"] == 4 * 2 * 3
    assert told["expected_seconds"] > 0
    parts = ("weights", "images", "residual", "group", "scene")
    assert told["memory_bytes"] == sum(told[f"{part}_bytes"] for part in parts)
    assert nvs(*command, *sized).code == 0
    stored = sum(w.nbytes for block in Scene.load(path).fast_weights for w in block)
    assert told["scene_bytes"] == stored
    assert nvs(*command, "--dry-run", "--devices", "cpu:2").code == 2
    assert nvs(*command, "--dry-run", "--views", "8").code == 2


def test_build_chooses_views_and_size(nvs, dataset, weights, tmp_path) -> None:
    path = tmp_path / "b.scene"
    done = nvs(
        *("build", dataset, "-o", path, "--weights", weights, "--json"),
        *("--views", "0,3-5", "--size", "16x24", "--keep", "float32"),
    )
    assert done.json["views"] == 4
    assert (done.json["height"], done.json["width"]) == (16, 24)
    assert nvs("info", path, "--json").json["dtype"] == "float32"


def test_views_kept_out_tell_how_good_it_is(nvs, dataset, weights, tmp_path) -> None:
    path = tmp_path / "b.scene"
    done = nvs(
        *("build", dataset, "-o", path, "--weights", weights, "--json"),
        *("--holdout", "4"),
    )
    assert done.code == 0, done.err
    assert (done.json["views"], done.json["held_out_views"]) == (6, 2)
    assert done.json["psnr_held_out"] > 0
    assert Path(done.json["comparison"]).read_bytes().startswith(b"\x89PNG")
    assert "2 views kept out" in done.err
    assert nvs("build", dataset, "-o", path, "--holdout", "1").code == 2


@pytest.mark.parametrize("up", ["-y", "0,-1,0"])
def test_the_up_axis_can_be_given(nvs, dataset, weights, tmp_path, up: str) -> None:
    path = tmp_path / "b.scene"
    done = nvs("build", dataset, "-o", path, "--weights", weights, f"--up={up}")
    assert done.code == 0, done.err
    assert nvs("info", path, "--json").json["up"] == [0, -1, 0]
    assert nvs("build", dataset, "-o", path, "--up", "sky").code == 2


@pytest.mark.parametrize("path", ["auto", "orbit", "spiral", "walk"])
def test_video(nvs, scene: Path, weights, tmp_path: Path, path: str) -> None:
    video = tmp_path / "v.mp4"
    done = nvs(
        *("render", scene, "-o", video, "--path", path, "--weights", weights),
        *("--frames", "5", "--fps", "10", "--json"),
    )
    if path == "spiral":
        assert done.code == 2
        assert "cancel out" in done.err or "mean" in done.err
        return
    assert done.code == 0, done.err
    assert done.json["frames"] == 5
    with imageio.get_reader(video) as reader:
        frames = [np.asarray(frame) for frame in reader]
        assert reader.get_meta_data()["fps"] == 10
    assert len(frames) == 5
    assert frames[0].shape == (32, 48, 3)


def test_sheet_and_frames(nvs, scene, weights, tmp_path: Path) -> None:
    common = ("--weights", weights, "--frames", "3", "--json")
    assert nvs("render", scene, "-o", tmp_path / "s.png", *common).code == 0
    assert imageio.imread(tmp_path / "s.png").shape[2] == 3
    folder = tmp_path / "frames"
    for _ in range(2):
        assert nvs("render", scene, "-o", folder, *common).json["frames"] == 3
        assert sorted(p.name for p in folder.iterdir()) == [
            "00000.png",
            "00001.png",
            "00002.png",
        ]


def test_camera_path_file(nvs, scene, weights, tmp_path: Path) -> None:
    camera = orbit(
        4, radius=2.0, elevation_radians=0.1, hfov_radians=0.8, height=64, width=64
    )
    write_camera_path(tmp_path / "p.json", CameraPath(camera=camera, fps=7.0))
    done = nvs(
        *("render", scene, "-o", tmp_path / "v.mp4", "--path", tmp_path / "p.json"),
        *("--weights", weights, "--size", "24x32", "--json"),
    )
    assert done.code == 0, done.err
    assert done.json["frames"] == 4
    assert (done.json["height"], done.json["width"]) == (24, 32)
    with imageio.get_reader(tmp_path / "v.mp4") as reader:
        assert reader.get_meta_data()["fps"] == 7


def test_one_camera_however_it_is_said(nvs, scene, weights, tmp_path: Path) -> None:
    """By its input view, a file of the viewer, or a point and what it looks at."""
    common = ("render", scene, "--weights", weights, "--json", "-o")
    camera = Scene.load(scene).input_camera[[2]]
    fx, fy, cx, cy = camera.intrinsics[0].tolist()
    copied = {"world_from_camera": camera.world_from_camera[0].tolist()}
    copied |= {"fx": fx, "fy": fy, "cx": cx, "cy": cy, "height": 32, "width": 48}
    (tmp_path / "c.json").write_text(json.dumps(copied))
    eye = ",".join(map(str, camera.center[0].tolist()))
    fov = math.degrees(2 * math.atan(16 / fy))
    said = (
        ("--input", 2),
        ("--camera", tmp_path / "c.json"),
        ("--path", tmp_path / "c.json"),
        ("--eye", eye, "--target", "0,0,0", "--fov", fov),
    )
    pictures = []
    for index, options in enumerate(said):
        done = nvs(*common, tmp_path / f"{index}.png", *options)
        assert done.code == 0, done.err
        assert done.json["frames"] == 1
        pictures.append(imageio.imread(tmp_path / f"{index}.png").astype(int))
    assert pictures[0].shape == (32, 48, 3)
    for picture in pictures[1:]:
        assert np.abs(picture - pictures[0]).max() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--input", 8), "there is no input view 8. Choose from 0 to 7"),
        (("--input", 1, "--eye", "1,2,3"), "said more than once"),
        (("--path", "walk", "--input", 1), "said more than once"),
        (("--eye", "1,2"), "--eye is '1,2'. Give three numbers"),
        (("--camera", "no.json"), "no.json: not a readable JSON file"),
    ],
)
def test_cameras_that_cannot_be(
    nvs, scene, weights, tmp_path, options, message
) -> None:
    done = nvs(
        "render", scene, "-o", tmp_path / "a.png", "--weights", weights, *options
    )
    assert done.code == 2
    assert message in done.err


def test_a_given_frame_rate_goes_before_the_files(
    nvs, scene, weights, tmp_path: Path
) -> None:
    camera = orbit(
        2, radius=2.0, elevation_radians=0.1, hfov_radians=0.8, height=64, width=64
    )
    write_camera_path(tmp_path / "p.json", CameraPath(camera=camera, fps=7.0))
    done = nvs(
        *("render", scene, "-o", tmp_path / "v.mp4", "--path", tmp_path / "p.json"),
        *("--weights", weights, "--size", "24x32", "--fps", "12"),
    )
    assert done.code == 0, done.err
    with imageio.get_reader(tmp_path / "v.mp4") as reader:
        assert reader.get_meta_data()["fps"] == 12


def test_render_at_an_input_camera_size_and_zoom(nvs, scene, weights, tmp_path) -> None:
    frames = {}
    for zoom in ("1", "2"):
        folder = tmp_path / zoom
        done = nvs(
            *("render", scene, "-o", folder, "--weights", weights),
            *("--frames", "1", "--zoom", zoom, "--elevation", "30"),
        )
        assert done.code == 0, done.err
        frames[zoom] = imageio.imread(folder / "00000.png")
    assert (frames["1"] != frames["2"]).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("build", "none", "-o", "x.scene"), "none: there is nothing there"),
        (("build", "SET", "-o", "x.scene", "--size", "big"), "--size is 'big'"),
        (("build", "SET", "-o", "x.scene", "--size", "4"), "smaller than one patch"),
        (("build", "SET", "-o", "x.scene", "--views", "1,z"), "--views has 'z'"),
        (("build", "SET", "-o", "x.scene", "--views", "99"), "there is no view 99"),
        (("build", "SET", "-o", "x.scene", "--keep", "int4"), "--keep is 'int4'"),
        (("build", "SET", "-o", "x.scene", "--device", "tpu9"), "'tpu9' cannot be"),
        (("build", "SET", "-o", "x.scene", "--precision", "fp4"), "precision 'fp4'"),
        (("build", "SET", "-o", "x.scene", "--framing", "up"), "no framing 'up'"),
        (("build", "SET", "-o", "x.scene", "--memory-gib", "0"), "--memory-gib is 0"),
        (("build", "SET", "-o", "SET"), "is a folder"),
        (("render", "none.scene", "-o", "x.mp4"), "none.scene: there is no such file"),
        (("render", "SCENE", "-o", "x.gif"), "unknown kind of output '.gif'"),
        (("render", "SCENE", "-o", "SET"), "holds other files than rendered frames"),
        (("render", "SCENE", "-o", "x.mp4", "--path", "up"), "--path is 'up'"),
        (("render", "SCENE", "-o", "x.mp4", "--frames", "0"), "--frames is 0"),
        (("render", "SCENE", "-o", "x.mp4", "--fps", "-1"), "--fps is -1"),
        (("render", "SCENE", "-o", "x.mp4", "--fps", "inf"), "--fps is inf"),
        (("render", "SCENE", "-o", "x.mp4", "--elevation", "120"), "elevation"),
        (("render", "SCENE", "-o", "/proc/x/y.mp4"), "cannot write /proc/x/y.mp4"),
    ],
)
def test_mistakes_end_in_one_line(
    nvs, scene, dataset, weights, tmp_path, monkeypatch, arguments, message
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"SET": dataset, "SCENE": scene}
    done = nvs(*(places.get(a, a) for a in arguments), "--weights", weights)
    assert done.code == 2
    last = done.err.strip().splitlines()[-1]
    assert last.startswith("nvs: ")
    assert message in last
    assert "Traceback" not in done.err
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {"net.safetensors", "set", "a.scene"}


def test_a_wrong_path_is_all_that_is_said(nvs, tmp_path: Path) -> None:
    done = nvs("build", tmp_path / "none", "-o", tmp_path / "x.scene")
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert "none: there is nothing there" in line


def test_scene_of_other_weights_is_refused(nvs, scene, dataset, tmp_path: Path) -> None:
    from nvs.config import ModelConfig
    from nvs.model.checkpoint import random_checkpoint, save_checkpoint

    config = ModelConfig(dim=32, num_blocks=2, attention_head_dim=16, fast_head_dim=32)
    other = tmp_path / "other.safetensors"
    save_checkpoint(other, config, random_checkpoint(config, seed=5).state, about={})
    done = nvs("render", scene, "-o", tmp_path / "v.mp4", "--weights", other)
    assert done.code == 2
    assert "built with net" in done.err
    assert not (tmp_path / "v.mp4").exists()


def test_ctrl_c_leaves_no_half_written_video(
    scene: Path, weights: Path, tmp_path: Path
) -> None:
    video = tmp_path / "v.mp4"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "nvs.cli", "render", str(scene), "-o", str(video)),
            *("--weights", str(weights), "--frames", "100000"),
        ],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".v.*/v.mp4")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(tmp_path.glob(".v.*/v.mp4")), "the video was never begun"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; nothing half-written was left" in err
    assert {p.name for p in tmp_path.iterdir()} == {"net.safetensors", "set", "a.scene"}


def test_gso_character(nvs, shared: Path, tmp_path: Path) -> None:
    """The real object, with the weights that ship."""
    path = tmp_path / "c.scene"
    done = nvs(
        *("build", shared / "data" / "gso_character", "-o", path, "--json"),
        *("--views", "0-15", "--size", "64"),
    )
    assert done.code == 0, done.err
    assert done.json["views"] == 16
    done = nvs("render", path, "-o", tmp_path / "s.png", "--frames", "4", "--json")
    assert done.code == 0, done.err
    picture = imageio.imread(tmp_path / "s.png")
    assert picture.std() > 10, "an object before white is not one colour"
    assert torch.isfinite(torch.from_numpy(picture.copy()).float()).all()
