"""COLMAP models: every camera model, and what can be wrong with the files."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.cameras import project
from nvs.errors import CameraError, DatasetError, MissingExtraError
from nvs.scene.datasets import read_dataset
from nvs.scene.frames import Frame
from nvs_data.readers.colmap import ColmapReader

pycolmap = pytest.importorskip("pycolmap")

Make = Callable[[str, Path], Path]
HEIGHT, WIDTH = 60, 80
MODELS = {
    "SIMPLE_PINHOLE": [70, 41, 29],
    "PINHOLE": [70, 72, 41, 29],
    "SIMPLE_RADIAL": [70, 41, 29, 0.1],
    "RADIAL": [70, 41, 29, 0.1, -0.05],
    "OPENCV": [70, 72, 41, 29, -0.1, 0.02, 0.01, -0.005],
    "FULL_OPENCV": [70, 72, 41, 29, 0.1, 0.02, 0.01, -0.005, 0.01, 0.2, 0.01, 0.0],
    "OPENCV_FISHEYE": [40, 41, 41, 29, 0.02, -0.01, 0.003, 0.0],
    "SIMPLE_RADIAL_FISHEYE": [40, 41, 29, 0.02],
    "RADIAL_FISHEYE": [40, 41, 29, 0.02, -0.01],
    "FOV": [60, 61, 41, 29, 0.6],
    "THIN_PRISM_FISHEYE": [40, 41, 41, 29, 0.02, 0, 1e-3, 1e-3, 0, 0, 1e-3, -1e-3],
    "RAD_TAN_THIN_PRISM_FISHEYE": [40, 41, 41, 29, 0.02, *[0] * 5, *[1e-3] * 6],
    "SIMPLE_DIVISION": [70, 41, 29, -0.1],
    "DIVISION": [70, 71, 41, 29, 0.1],
    "SIMPLE_FISHEYE": [40, 41, 29],
    "FISHEYE": [40, 41, 41, 29],
    "EUCM": [60, 61, 41, 29, 0.5, 1.1],
}


def test_every_model_of_colmap_is_tried() -> None:
    known = set(pycolmap.CameraModelId.__members__) - {"INVALID", "EQUIRECTANGULAR"}
    assert known <= set(MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_undistorted_pixels_are_where_a_pinhole_sees_the_points(
    tmp_path: Path, model: str
) -> None:
    if model not in pycolmap.CameraModelId.__members__:
        pytest.skip(f"this pycolmap has no {model}")
    camera = pycolmap.Camera(
        model=model, width=WIDTH, height=HEIGHT, params=MODELS[model], camera_id=7
    )
    photograph = _photograph(camera)
    frame = _write_and_read(tmp_path, camera, photograph)
    fx, fy, cx, cy = frame.camera.intrinsics[0].tolist()
    found = frame.load().astype(float)
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    expected = _pattern((x - cx) / fx, (y - cy) / fy)
    assert np.abs(found - expected).max() < 4
    assert np.abs(found - expected).mean() < 0.6
    if "PINHOLE" in model:
        np.testing.assert_array_equal(frame.load(), photograph)


def _pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A smooth colour for each direction (x, y, 1)."""
    return 127.5 + 100 * np.stack([np.sin(4 * x), np.sin(4 * y), np.cos(3 * x + 2)], -1)


def _photograph(camera: pycolmap.Camera) -> np.ndarray:
    """What the camera sees, by its own model's inverse at each pixel's centre."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    rays = camera.cam_from_img(np.stack([x.ravel(), y.ravel()], -1))
    colour = _pattern(*np.nan_to_num(rays).T).reshape(HEIGHT, WIDTH, 3)
    return np.rint(colour).astype(np.uint8)


def _write_and_read(folder: Path, camera: pycolmap.Camera, image: np.ndarray) -> Frame:
    (folder / "images").mkdir()
    Image.fromarray(image).save(folder / "images/a.png")
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(camera)
    model.add_image_with_trivial_frame(
        pycolmap.Image(image_id=3, camera_id=camera.camera_id, name="a.png"),
        pycolmap.Rigid3d(np.eye(4)[:3]),
    )
    (folder / "sparse/0").mkdir(parents=True)
    model.write_binary(str(folder / "sparse/0"))
    (frame,) = read_dataset(folder).frames
    return frame


def test_panoramas_are_refused(tmp_path: Path) -> None:
    if "EQUIRECTANGULAR" not in pycolmap.CameraModelId.__members__:
        pytest.skip("this pycolmap has no panoramas")
    camera = pycolmap.Camera(
        model="EQUIRECTANGULAR", width=80, height=40, params=[80, 40], camera_id=1
    )
    with pytest.raises(CameraError, match="EQUIRECTANGULAR has no focal length"):
        _write_and_read(tmp_path, camera, np.zeros((40, 80, 3), np.uint8))


@pytest.mark.parametrize("suffix", ["text", "binary"])
def test_points_and_poses_agree_with_colmap(
    make_layout: Make, tmp_path: Path, suffix: str
) -> None:
    folder = make_layout(f"colmap_{suffix}", tmp_path / "set")
    model = pycolmap.Reconstruction(str(folder / "sparse/0"))
    points = torch.rand(1, 20, 3, dtype=torch.float64) - 0.5
    frames = read_dataset(folder).frames
    for index, frame in enumerate(frames):
        found, depth = project(frame.camera, points)
        assert (depth > 0).all()
        image = model.image(index + 1)
        local = image.cam_from_world() * points[0].numpy()
        expected = model.camera(1).img_from_cam(local)
        np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-6)


def test_points_in_image_files_are_skipped(make_layout: Make, tmp_path: Path) -> None:
    folder = make_layout("colmap_text", tmp_path / "set")
    file = folder / "sparse/0/images.txt"
    lines = file.read_text().splitlines()
    points = "3.5 2.5 -1 9.0 8.0 17"
    file.write_text("\n".join(points if not line else line for line in lines))
    assert [frame.name for frame in read_dataset(folder).frames] == [
        *("0.png", "1.png", "2.png")
    ]


@pytest.mark.parametrize("place", ["", "sparse", "sparse/0"])
def test_the_model_may_lie_at_three_levels(
    make_layout: Make, tmp_path: Path, place: str
) -> None:
    folder = make_layout("colmap_binary", tmp_path / "set")
    assert len(read_dataset(folder / place).frames) == 3
    for file in (folder / "sparse/0").iterdir():
        file.rename(folder / place / file.name)
    assert len(read_dataset(folder).frames) == 3


def test_a_model_needs_images(make_layout: Make, tmp_path: Path) -> None:
    folder = make_layout("colmap_binary", tmp_path / "set")
    (folder / "images").rename(folder / "photos")
    with pytest.raises(DatasetError, match="no folder `images`"):
        read_dataset(folder)


def test_a_camera_that_is_not_listed(make_layout: Make, tmp_path: Path) -> None:
    folder = make_layout("colmap_text", tmp_path / "set")
    (folder / "sparse/0/cameras.txt").write_text("# none\n")
    with pytest.raises(DatasetError, match=r"'0\.png' has camera 1, which is not"):
        read_dataset(folder)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 NEWEST 16 12 5 8 6", "unknown model 'NEWEST'"),
        ("1 PINHOLE 16 12 5 8 6", "3 parameters for PINHOLE"),
        ("1 PINHOLE 0 12 5 5 8 6", "image size is 12×0"),
        ("1 PINHOLE 16 12 x 5 8 6", "could not convert"),
        ("1 PINHOLE", "truncated or not"),
    ],
)
def test_names_what_is_wrong_with_a_camera(
    make_layout: Make, tmp_path: Path, line: str, message: str
) -> None:
    folder = make_layout("colmap_text", tmp_path / "set")
    (folder / "sparse/0/cameras.txt").write_text(line + "\n")
    with pytest.raises((DatasetError, CameraError), match=message):
        read_dataset(folder)


def test_a_count_that_promises_too_much(make_layout: Make, tmp_path: Path) -> None:
    folder = make_layout("colmap_binary", tmp_path / "set")
    file = folder / "sparse/0/images.bin"
    file.write_bytes((2**60).to_bytes(8, "little") + file.read_bytes()[8:])
    with pytest.raises(DatasetError, match=r"images\.bin: truncated"):
        read_dataset(folder)


def _without(folder: Path, *image_ids: int) -> None:
    """Leave out images of a text model, and put its header right."""
    file = folder / "images.txt"
    kept, rest = [], 0
    for line in file.read_text().splitlines():
        if line.partition(" ")[0] in map(str, image_ids):
            continue
        rest += line.endswith(".png")
        kept.append(line)
    text = "\n".join(kept) + "\n"
    file.write_text(re.sub(r"(of images: )\d+", rf"\g<1>{rest}", text))


@pytest.mark.parametrize("place", ["sparse", ".", "colmap/sparse"])
@pytest.mark.parametrize("kind", ["text", "binary"])
def test_of_several_models_the_largest_is_read_and_the_rest_named(
    make_layout: Make,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    place: str,
    kind: str,
) -> None:
    folder = make_layout("colmap_text", tmp_path / "set")
    (folder / "sparse").rename(folder / "models")
    (folder / place).mkdir(parents=True, exist_ok=True)
    for name, left_out in (("0", (1, 2)), ("1", ()), ("10", (3,))):
        model = folder / place / name
        shutil.copytree(folder / "models/0", model)
        (model / "frames.txt").unlink(missing_ok=True)
        (model / "rigs.txt").unlink(missing_ok=True)
        _without(model, *left_out)
        if kind == "binary":
            pycolmap.Reconstruction(str(model)).write_binary(str(model))
    assert len(read_dataset(folder).frames) == 3
    (record,) = caplog.records
    said = record.getMessage()
    prefix = "" if place == "." else f"{place}/"
    assert f"{prefix}1 (3 images), is read" in said
    assert said.endswith(f"not used: {prefix}0 (1), {prefix}10 (2)")
    assert len(read_dataset(folder / place / "0").frames) == 1


def test_a_model_of_ns_process_data_is_second_to_its_transforms(
    make_layout: Make, tmp_path: Path
) -> None:
    folder = make_layout("colmap_text", tmp_path / "set")
    (folder / "colmap").mkdir()
    (folder / "sparse").rename(folder / "colmap/sparse")
    assert ColmapReader().recognises(folder)
    assert len(read_dataset(folder).frames) == 3
    (folder / "transforms.json").write_text("{}")
    assert not ColmapReader().recognises(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n\n", "\n"),
        lambda text: text.replace("\n\n", "\n \t\n"),
        lambda text: text.replace("\n\n", "\n1.5 2 -1 3 4.5 7\n"),
        lambda text: text.replace("\n\n", "\n\n\n\n"),
        lambda text: text.replace(" ", "\t").replace("#\tNumber\tof", "# Number of"),
        lambda text: "\n" + text.replace("\n", " \r\n"),
        lambda text: re.sub("#.*\n", "", text).replace("\n\n", "\n"),
        lambda text: text.rstrip(),
    ],
)
def test_images_with_or_without_lines_of_points(
    make_layout: Make, tmp_path: Path, change: Callable[[str], str]
) -> None:
    folder = make_layout("colmap_text", tmp_path / "set")
    file = folder / "sparse/0/images.txt"
    before = read_dataset(folder).frames
    file.write_bytes(change(file.read_text()).encode())
    after = read_dataset(folder).frames
    assert [frame.name for frame in after] == ["0.png", "1.png", "2.png"]
    for one, other in zip(before, after, strict=True):
        pose = one.camera.world_from_camera
        torch.testing.assert_close(other.camera.world_from_camera, pose)


@pytest.mark.parametrize("stem", ["cameras", "images"])
@pytest.mark.parametrize("count", [0, 2, 4])
def test_header_counts_must_agree(
    make_layout: Make, tmp_path: Path, stem: str, count: int
) -> None:
    folder = make_layout("colmap_text", tmp_path / "set")
    file = folder / f"sparse/0/{stem}.txt"
    text = re.sub(r"(Number of \w+: )\d+", rf"\g<1>{count}", file.read_text())
    file.write_text(text)
    with pytest.raises(DatasetError, match=rf"{stem}\.txt: its header says {count} "):
        read_dataset(folder)


@pytest.mark.parametrize("stem", ["cameras", "images"])
def test_binary_files_end_where_their_headers_say(
    make_layout: Make, tmp_path: Path, stem: str
) -> None:
    folder = make_layout("colmap_binary", tmp_path / "set")
    file = folder / f"sparse/0/{stem}.bin"
    file.write_bytes(file.read_bytes() + b"\0" * 7)
    with pytest.raises(DatasetError, match=rf"{stem}\.bin: .* 7 bytes follow"):
        read_dataset(folder)


def test_an_image_that_is_listed_twice(make_layout: Make, tmp_path: Path) -> None:
    folder = make_layout("colmap_text", tmp_path / "set")
    file = folder / "sparse/0/images.txt"
    text = re.sub("#.*\n", "", file.read_text())
    file.write_text(text + text)
    with pytest.raises(DatasetError, match=r"images\.txt: .*twice"):
        read_dataset(folder)


def test_images_of_a_rig_lie_in_folders_of_cameras(
    make_layout: Make, tmp_path: Path
) -> None:
    folder = make_layout("colmap_text", tmp_path / "set")
    file = folder / "sparse/0/images.txt"
    text = file.read_text()
    for index in range(3):
        (folder / f"images/cam{index}").mkdir()
        image = folder / f"images/{index}.png"
        image.rename(folder / f"images/cam{index}/0.PNG")
        text = text.replace(f" {index}.png", f" cam{index}\\0.png")
    file.write_text(text)
    (folder / "masks/cam1").mkdir(parents=True)
    Image.new("L", (16, 12)).save(folder / "masks/cam1/0.PNG.png")
    frames = read_dataset(folder).frames
    assert [frame.load().shape[-1] for frame in frames] == [3, 4, 3]


def test_says_which_extra_is_missing(
    make_layout: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_layout("colmap_text", tmp_path / "set")
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    assert ColmapReader().recognises(folder)
    with pytest.raises(MissingExtraError, match=r"\[data\]"):
        read_dataset(folder)
