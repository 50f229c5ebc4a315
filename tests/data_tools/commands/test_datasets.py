"""Datasets checked, in other layouts, sizes and choices of views, as typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.scene.datasets import read_dataset
from nvs.scene.resize import CoverCrop
from nvs_data import selection

CONVERT = ("convert", "SET", "-o", "out", "--to", "opencv")


def test_a_good_capture_passes(nvs, capture: Path, tmp_path: Path) -> None:
    report = tmp_path / "reports" / "report.html"
    done = nvs("data", "validate", capture, "--report", report)
    assert (done.code, done.out) == (0, "ok: 64 views, no faults found\n"), done.err
    assert report.read_text().startswith("<!doctype html>")
    assert [file.name for file in report.parent.iterdir()] == ["report.html"]
    done = nvs("data", "validate", capture, "--json")
    assert done.json["findings"] == []
    assert (done.json["views"], done.json["exit_code"]) == (64, 0)


def test_a_warning_exits_1(nvs, change: Any) -> None:
    ring = change(lambda frames: frames[:16])
    done = nvs("data", "validate", ring)
    assert done.code == 1
    (line,) = done.out.splitlines()
    assert line.startswith("warning: coverage: no view looks from within")
    done = nvs("data", "validate", ring, "--for", "scene")
    assert done.code == 2
    assert done.out.startswith("error: framing: the viewing directions of 16 views")


def test_an_error_exits_2_and_is_told_in_json(nvs, change: Any) -> None:
    def scale(frames: Any) -> Any:
        frames[3]["w2c"][0][0] = float("nan")
        return frames

    done = nvs("data", "validate", change(scale), "--json")
    assert done.code == done.json["exit_code"] == 2
    (finding,) = [f for f in done.json["findings"] if f["severity"] == "error"]
    assert (finding["kind"], finding["views"]) == ("not-finite", [3])
    assert "3.png" in finding["message"]


def test_missing_images_are_warned_of_and_damaged_ones_errors(
    nvs, capture: Path
) -> None:
    for index in range(6):
        (capture / f"{index}.png").unlink()
    assert nvs("data", "validate", capture).code == 1
    (capture / "9.png").write_bytes(b"no picture")
    done = nvs("data", "validate", capture)
    assert done.code == 2
    first, second = done.out.splitlines()[:2]
    assert first.startswith(
        "warning: image: 6 of 64 images are missing: 0.png, 1.png, 2.png, 3.png and 2 "
    )
    assert second.startswith("error: image: ")
    assert "9.png: not a PNG" in second


def test_opengl_poses_are_found_and_put_right(nvs, opengl: Path, tmp_path) -> None:
    done = nvs("data", "validate", opengl)
    assert done.code == 2
    (line,) = done.out.splitlines()
    assert line.startswith("error: looking-away")
    assert "--convention opengl" in line
    repair = f"nvs data convert {opengl} -o OUT --to opencv --convention opengl"
    assert repair in done.err
    done = nvs("data", "validate", opengl, "--convention", "opengl")
    assert (done.code, done.out) == (0, "ok: 64 views, no faults found\n")
    words = repair.replace("OUT", str(tmp_path / "out")).split()
    assert nvs(*words[1:]).code == 0
    assert nvs("data", "validate", tmp_path / "out").code == 0


def test_the_layout_can_be_named(nvs, capture: Path) -> None:
    assert nvs("data", "validate", capture, "--format", "opencv").code == 0
    done = nvs("data", "validate", capture, "--format", "llff")
    assert (done.code, "poses_bounds.npy" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none",), "none: there is nothing there"),
        (("SET", "--for", "room"), "no named weights 'room'"),
        (("SET", "--convention", "colmap"), "the convention is 'colmap'"),
        (("SET", "--report", "SET/0.png"), "Name a .html file"),
        (("SET", "--report", "/proc/x/r.html"), "cannot write /proc/x/r.html"),
        (("SET", "--format", "x"), "no dataset format 'x'"),
    ],
)
def test_mistakes_end_in_one_line(nvs, capture: Path, arguments, message) -> None:
    words = (argument.replace("SET", str(capture)) for argument in arguments)
    done = nvs("data", "validate", *words)
    assert done.code == 2
    last = done.err.strip().splitlines()[-1]
    assert last.startswith("nvs: ")
    assert message in last
    assert "Traceback" not in done.err
    with Image.open(capture / "0.png") as image:
        assert image.size == (24, 24)


@pytest.mark.parametrize(
    ("to", "file"),
    [
        ("opencv", "opencv_cameras.json"),
        ("transforms", "transforms.json"),
        ("colmap", "sparse/0/cameras.txt"),
    ],
)
def test_layouts_hold_the_same(
    nvs, dataset: Path, tmp_path: Path, to: str, file: str
) -> None:
    if to == "colmap":
        pytest.importorskip("pycolmap")
    out = tmp_path / "out"
    done = nvs("data", "convert", dataset, "-o", out, "--to", to, "--json")
    assert done.code == 0, done.err
    assert (done.json["views"], done.json["sizes"]) == (8, "32×48")
    assert (out / file).is_file()
    before, after = read_dataset(dataset).frames, read_dataset(out).frames
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(old.load(), new.load())
        for field in ("world_from_camera", "intrinsics"):
            pair = (getattr(frame.camera, field) for frame in (old, new))
            torch.testing.assert_close(*pair, atol=1e-6, rtol=0)


def test_views_and_size(nvs, dataset: Path, tmp_path: Path) -> None:
    command = ("data", "convert", dataset, "--to", "opencv", "--json")
    done = nvs(*command, "-o", tmp_path / "a", "--views", "5,0-1", "--size", "24")
    assert done.code == 0, done.err
    frames = read_dataset(tmp_path / "a").frames
    assert [Path(frame.name).stem for frame in frames] == ["5", "0", "1"]
    assert {frame.load().shape for frame in frames} == {(16, 24, 3)}
    assert {(f.camera.height, f.camera.width) for f in frames} == {(16, 24)}
    done = nvs(*command, "-o", tmp_path / "b", "--size", "20x20")
    assert done.json["sizes"] == "20×20"


def test_conversion_can_be_built_from(nvs, dataset, weights, tmp_path: Path) -> None:
    out = tmp_path / "out"
    nvs("data", "convert", dataset, "-o", out, "--to", "transforms")
    done = nvs("build", out, "-o", tmp_path / "a.scene", "--weights", weights)
    assert done.code == 0, done.err


@pytest.mark.parametrize("method", ["kmeans", "farthest", "uniform", "random"])
def test_select_and_convert_choose_alike(
    nvs, dataset: Path, tmp_path: Path, method: str
) -> None:
    if method == "kmeans":
        pytest.importorskip("sklearn")
    choice = ("--count", "3", "--seed", "4")
    done = nvs("data", "select", dataset, "--method", method, *choice)
    assert done.code == 0, done.err
    chosen = done.out.strip()
    told = nvs("data", "select", dataset, "--method", method, *choice, "--json").json
    assert ",".join(map(str, told["views"])) == chosen
    assert told["names"] == [f"{index}.png" for index in told["views"]]
    out = tmp_path / "out"
    done = nvs(
        *("data", "convert", dataset, "-o", out, "--to", "opencv"),
        *("--select", method, *choice),
    )
    assert done.code == 0, done.err
    names = [Path(frame.name).name for frame in read_dataset(out).frames]
    assert names == told["names"]


def test_selection_feeds_build(nvs, dataset, weights, tmp_path: Path) -> None:
    chosen = nvs("data", "select", dataset, "--count", 3, "--method", "uniform").out
    done = nvs(
        *("build", dataset, "-o", tmp_path / "a.scene", "--weights", weights),
        *("--views", chosen.strip(), "--json"),
    )
    assert done.json["views"] == 3


def test_fewer_views_than_asked_for_are_said(nvs, dataset, monkeypatch) -> None:
    monkeypatch.setitem(selection.METHODS, "kmeans", lambda *_, **__: [1, 2])
    done = nvs("data", "select", dataset, "--count", "3")
    assert (done.code, done.out) == (0, "1,2\n")
    assert "2 of 3 views" in done.err


def test_ctrl_c_leaves_nothing(nvs, dataset, tmp_path, monkeypatch) -> None:
    scaled: list[Any] = []

    def interrupt(plan: Any, pixels: Any) -> Any:
        if len(scaled) == 2:
            raise KeyboardInterrupt
        scaled.append(plan)
        return np.zeros((plan.height, plan.width, 3), np.float32)

    monkeypatch.setattr(CoverCrop, "image", interrupt)
    out = tmp_path / "out"
    command = ("data", "convert", dataset, "-o", out, "--to", "opencv")
    done = nvs(*command, "--size", "16")
    assert done.code == 130
    assert done.err.endswith("nvs: interrupted; nothing half-written was left\n")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("convert", "none", "-o", "out", "--to", "opencv"),
            "there is nothing there",
        ),
        (("convert", "SET", "-o", "out", "--to", "ply"), "--to is 'ply'"),
        (("convert", "SET", "-o", "SET", "--to", "opencv"), "not empty"),
        ((*CONVERT, "--views", "9"), "0 to 7"),
        (
            (*CONVERT, "--views", "1,0-2"),
            "--views has 1 twice",
        ),
        (
            (*CONVERT, "--size", "x"),
            "--size is 'x'",
        ),
        (
            (*CONVERT, "--size", "1x99999"),
            "too thin to cover 1×99999: it would become 66666×99999",
        ),
        (
            (*CONVERT, "--count", "3"),
            "--select is None, --count is 3",
        ),
        (
            (*CONVERT, "--select", "best", "--count", "3"),
            "--select is 'best'",
        ),
        (
            (*CONVERT, "--select", "random", "--count", "3", "--views", "1"),
            "--views and --select are both given",
        ),
        (("select", "none", "--count", "3"), "there is nothing there"),
        (("select", "SET", "--count", "0"), "cannot choose 0 of 8 views"),
        (("select", "SET", "--count", "9"), "cannot choose 9 of 8 views"),
        (("select", "SET", "--count", "3", "--method", "x"), "--method is 'x'"),
    ],
)
def test_mistaken_conversions_end_in_one_line(
    nvs, dataset, tmp_path, monkeypatch, arguments, message
) -> None:
    monkeypatch.chdir(tmp_path)
    done = nvs("data", *(dataset if word == "SET" else word for word in arguments))
    assert done.code == 2
    last = done.err.strip().splitlines()[-1]
    assert last.startswith("nvs: ")
    assert message in last
    assert "Traceback" not in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
