"""Datasets in other layouts, sizes and choices of views, as typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nvs.scene.datasets import read_dataset
from nvs.scene.resize import CoverCrop

CONVERT = ("convert", "SET", "-o", "out", "--to", "opencv")


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


@pytest.mark.parametrize("method", ["k_means", "farthest_point", "uniform", "random"])
def test_select_and_convert_choose_alike(
    nvs, dataset: Path, tmp_path: Path, method: str
) -> None:
    if method == "k_means":
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
    monkeypatch.setattr("nvs_data.selection.k_means", lambda *_, **__: [1, 2])
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
            "would become 66666×99999 to cover 1×99999",
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
def test_mistakes_end_in_one_line(
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
