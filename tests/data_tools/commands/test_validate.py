"""Verdicts on datasets, as typed: what is printed and the exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image


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
        (("SET", "--for", "room"), "--for is 'room'. Use one of object, scene"),
        (("SET", "--convention", "colmap"), "--convention is 'colmap'"),
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
