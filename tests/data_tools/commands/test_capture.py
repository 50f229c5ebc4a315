"""Photographs and video to datasets, as typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nvs.scene.datasets import load_views


def test_interrupted_posing_goes_on_and_lists_what_was_dropped(
    nvs, photos: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pycolmap")
    from nvs_data.colmap_run import ColmapRun

    out = tmp_path / "out"
    command = ("data", "pose", photos, "-o", out, "--threads", "1")
    command += ("--camera-model", "PINHOLE", "--max-image-px", "192")

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ColmapRun, "match", interrupt)
        done = nvs(*command)
    assert done.code == 130
    last = done.err.strip().splitlines()[-1]
    assert last == (
        "nvs: interrupted; features and matches found so far are kept in "
        f"{out}. The same command goes on from there."
    )
    (photos / "IMG_1.HEIC").write_bytes(b"damaged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pycolmap.extract_features", None)  # features are kept
        done = nvs(*command, "--json")
    assert done.code == 0, done.err
    assert done.json["photographs"] == 7
    assert done.json["posed"] == len(done.json["registered"]) >= 5
    assert 0 < done.json["reprojection_error_px"] < 1
    dropped = {photo["name"]: photo["reason"] for photo in done.json["dropped"]}
    assert "plain or blurred" in dropped["plain.png"]
    assert [file["name"] for file in done.json["left_out"]] == ["IMG_1.HEIC"]
    assert done.json["renamed"] == {}
    assert len(load_views(out, size=64)) == done.json["posed"]


def test_report_for_people(nvs, monkeypatch, tmp_path: Path) -> None:
    from nvs_data.photos import LeftOut
    from nvs_data.posing import DroppedPhoto, PosingReport, RegisteredPhoto

    report = PosingReport(
        folder=tmp_path,
        registered=(RegisteredPhoto(name="a.png", num_points=9, error_px=0.5),),
        dropped=(DroppedPhoto(name="b.png", reason="matches no other photograph"),),
        left_out=tuple(
            LeftOut(name=f"{number}.CR2", reason="convert it") for number in range(5)
        ),
        renamed={"a.png": "#a.png"},
    )
    monkeypatch.setattr("nvs_data.posing.pose", lambda *_, **__: report)
    done = nvs("data", "pose", tmp_path, "-o", tmp_path / "out")
    assert done.code == 0
    assert "reprojection error px" in done.out
    assert "dropped: b.png: matches no other photograph\n" in done.out
    assert "left out: 5 .cr2 (0.CR2, 1.CR2, 2.CR2, …): convert it\n" in done.out
    assert "renamed: 1, such as #a.png to a.png; all are in" in done.out


def test_frames_become_photographs(nvs, video: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    done = nvs("data", "frames", video, "-o", out, "--count", "4", "--json")
    assert done.code == 0, done.err
    assert done.json["frames"] == 4
    assert sorted(file.name for file in out.iterdir()) == done.json["names"]
    with Image.open(out / done.json["names"][0]) as image:
        assert image.size == (192, 144)
    far = nvs("data", "frames", video, "-o", tmp_path / "far", "--baseline", "0.1")
    near = nvs("data", "frames", video, "-o", tmp_path / "near", "--baseline", "0.04")
    assert (far.code, near.code) == (0, 0), far.err + near.err
    counts = [len(list((tmp_path / name).iterdir())) for name in ("far", "near")]
    assert 0 < counts[0] < counts[1]


def test_a_video_is_posed(nvs, video: Path, tmp_path: Path) -> None:
    pytest.importorskip("pycolmap")
    out = tmp_path / "out"
    done = nvs("data", "frames", video, "-o", out, "--count", "6", "--pose", "--json")
    assert done.code == 0, done.err
    assert done.json["photographs"] == 6
    assert len(load_views(out, size=64)) == done.json["posed"] >= 4
    other = nvs("data", "frames", video, "-o", out, "--count", "5", "--pose")
    assert (other.code, "holds frames chosen by" in other.err) == (2, True)


@pytest.mark.parametrize("pose", ["--pose", "--no-pose"])
def test_interrupted_choice_of_frames_leaves_nothing(
    nvs, video: Path, tmp_path: Path, monkeypatch, pose: str
) -> None:
    saved: list[Any] = []
    save = Image.Image.save

    def interrupt(image: Image.Image, *place: Any, **how: Any) -> None:
        if len(saved) == 2:
            raise KeyboardInterrupt
        saved.append(place)
        save(image, *place, **how)

    monkeypatch.setattr(Image.Image, "save", interrupt)
    out = tmp_path / "out"
    done = nvs("data", "frames", video, "-o", out, "--count", "4", pose)
    assert done.code == 130
    assert "interrupted" in done.err
    assert (str(out) in done.err) == (pose == "--pose")
    assert not list(out.rglob("*")) if pose == "--pose" else not out.exists()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pose", "none", "-o", "out"), "none is not a folder"),
        (("pose", "EMPTY", "-o", "out"), "holds no photographs"),
        (("pose", "PHOTOS", "-o", "out", "--matching", "x"), "matching is 'x'"),
        (
            ("pose", "PHOTOS", "-o", "out", "--camera-model", "FISH"),
            "camera_model is 'FISH'",
        ),
        (
            ("pose", "PHOTOS", "-o", "out", "--max-image-px", "9"),
            "max_image_px is 9. Use at least 64",
        ),
        (("pose", "PHOTOS", "-o", "out", "--threads", "0"), "num_threads is 0"),
        (("frames", "none.mp4", "-o", "out", "--count", "3"), "no video none.mp4"),
        (("frames", "VIDEO", "-o", "out"), "neither of count and baseline"),
        (
            ("frames", "VIDEO", "-o", "out", "--count", "3", "--baseline", "1"),
            "both of count and baseline",
        ),
        (("frames", "VIDEO", "-o", "out", "--count", "0"), "count is 0"),
        (("frames", "VIDEO", "-o", "out", "--count", "11"), "at most 10"),
        (("frames", "VIDEO", "-o", "out", "--baseline", "nan"), "baseline is nan"),
        (("frames", "VIDEO", "-o", "out", "--baseline", "9"), "less than the baseline"),
        (("frames", "VIDEO", "-o", "PHOTOS", "--count", "3"), "not empty"),
    ],
)
def test_mistakes_end_in_one_line(
    nvs, photos, video, tmp_path, monkeypatch, arguments, message
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    places = {"PHOTOS": photos, "VIDEO": video, "EMPTY": tmp_path / "empty"}
    done = nvs("data", *(places.get(a, a) for a in arguments))
    assert done.code == 2
    last = done.err.strip().splitlines()[-1]
    assert last.startswith("nvs: ")
    assert message in last
    assert "Traceback" not in done.err
    assert {p.name for p in tmp_path.iterdir()} == {"photos", "walk.mp4", "empty"}


def test_images_of_others_are_left_alone(nvs, video: Path, tmp_path: Path) -> None:
    images = tmp_path / "out" / "images"
    images.mkdir(parents=True)
    (images / "mine.jpg").write_bytes(b"mine")
    done = nvs("data", "frames", video, "-o", images.parent, "--count", "4", "--pose")
    assert done.code == 2
    assert f"{images} holds images that were not chosen from a video" in done.err
    assert [file.read_bytes() for file in images.iterdir()] == [b"mine"]


def test_missing_pycolmap_is_named(nvs, photos: Path, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pycolmap", None)
    done = nvs("data", "pose", photos, "-o", tmp_path / "out")
    assert done.code == 2
    assert "'pycolmap', which is not installed" in done.err
    assert "pip install -e '.[data]'" in done.err
