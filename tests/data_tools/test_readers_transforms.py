"""What is particular to `transforms.json` and the sets built on it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.cameras import Camera
from nvs.errors import CameraError, DatasetError, ImageError
from nvs.scene import load_views
from nvs.scene.datasets import read_dataset

Make = Callable[[str, Path], Path]
Content = dict[str, Any]


@pytest.fixture
def folder(make_layout: Make, tmp_path: Path) -> Path:
    return make_layout("nerfstudio", tmp_path / "set")


def _edit(folder: Path, change: Callable[[Content], object]) -> None:
    file = folder / "transforms.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def _only_angle(content: Content) -> None:
    frames = content["frames"]
    content.clear()
    content |= {"camera_angle_x": 1.0, "frames": frames}


def test_a_frame_may_have_its_own_intrinsics(folder: Path) -> None:
    own = {"fl_x": 50, "cx": 1.5, "w": 6, "h": 4}
    Image.new("RGB", (6, 4)).save(folder / "images/frame_00001.png")
    _edit(folder, lambda content: content["frames"][1].update(own))
    shared, changed, _ = (frame.camera for frame in read_dataset(folder).frames)
    fy, cy = shared.intrinsics[0, 1].item(), shared.intrinsics[0, 3].item()
    assert changed.intrinsics[0].tolist() == [50, fy, 1.5, cy]
    assert (changed.height, changed.width) == (4, 6)


def test_images_of_mixed_sizes_become_one(folder: Path) -> None:
    own = {"cx": 6.0, "cy": 8.0, "w": 12, "h": 16}
    Image.new("RGB", (12, 16)).save(folder / "images/frame_00001.png")
    _edit(folder, lambda content: content["frames"][1].update(own))
    views = load_views(folder, patch_size=4)
    assert views.image.shape == (3, 3, 12, 16)
    # Portrait to landscape: scaled by 16/12, then 4.67 pixels cut from top and bottom.
    focal = views.camera.intrinsics[:, 0]
    torch.testing.assert_close(focal[1], focal[0] * 16 / 12)
    assert views.camera.intrinsics[1, 3].item() == pytest.approx(6.0, abs=0.51)


def test_a_portrait_set_stays_portrait(folder: Path) -> None:
    def turn(content: Content) -> None:
        content.update({"w": 12, "h": 16, "cx": 6.0, "cy": 8.0})

    for file in (folder / "images").iterdir():
        Image.new("RGB", (12, 16)).save(file)
    _edit(folder, turn)
    assert load_views(folder, patch_size=4).image.shape == (3, 3, 16, 12)


def test_field_of_view_alone_is_enough(folder: Path) -> None:
    _edit(folder, _only_angle)
    for frame in read_dataset(folder).frames:
        focal_px = 8 / math.tan(0.5)
        expected = torch.tensor([focal_px, focal_px, 8, 6], dtype=torch.float64)
        torch.testing.assert_close(frame.camera.intrinsics[0], expected)
        assert (frame.camera.height, frame.camera.width) == (12, 16)


def test_both_fields_of_view_may_be_given(folder: Path) -> None:
    _edit(folder, _only_angle)
    _edit(folder, lambda content: content.update(camera_angle_y=0.5))
    fx, fy = read_dataset(folder).frames[0].camera.intrinsics[0, :2].tolist()
    assert fx == pytest.approx(8 / math.tan(0.5))
    assert fy == pytest.approx(6 / math.tan(0.25))


def test_applied_transform_is_undone(folder: Path, cameras: list[Camera]) -> None:
    applied = np.array([[0, 0, 1, 3], [1, 0, 0, -4], [0, 1, 0, 5], [0, 0, 0, 1.0]])

    def apply(content: Content) -> None:
        content["applied_transform"] = applied[:3].tolist()
        for frame in content["frames"]:
            matrix = applied @ np.array(frame["transform_matrix"])
            frame["transform_matrix"] = matrix.tolist()

    _edit(folder, apply)
    for frame, camera in zip(read_dataset(folder).frames, cameras, strict=True):
        torch.testing.assert_close(
            frame.camera.world_from_camera, camera.world_from_camera
        )


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_extension_less_names_are_found(folder: Path, suffix: str) -> None:
    for file in (folder / "images").iterdir():
        Image.open(file).convert("RGB").save(file.with_suffix(suffix))

    def strip(content: Content) -> None:
        for frame in content["frames"]:
            frame["file_path"] = "./" + frame["file_path"].removesuffix(".png")

    _edit(folder, strip)
    dataset = read_dataset(folder)
    assert len(dataset.frames) == 3
    assert dataset.frames[0].name == "./images/frame_00000"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fl_x": "1"}, 'frame 0: fl_x is "1"'),
        ({"w": 16.5}, r"frame 0: w is 16\.5"),
        ({"h": None}, r"frame 0: h is null"),
        ({"camera_model": "EQUIRECTANGULAR"}, "'EQUIRECTANGULAR'.*OPENCV_FISHEYE"),
        ({"is_equirectangular": True}, "is_equirectangular"),
        ({"k4": 0.1}, r"k4 is 0\.1 for a perspective camera"),
        ({"k1": -50.0}, "no pinhole image fits"),
        ({"applied_transform": [[1, 2], [3, 4]]}, "applied_transform .* 3×4"),
        ({"applied_transform": [[0] * 4] * 3}, "applied_transform cannot be inverted"),
    ],
)
def test_names_what_is_wrong(folder: Path, change: Content, message: str) -> None:
    _edit(folder, lambda content: content.update(change))
    with pytest.raises(CameraError, match=message):
        read_dataset(folder)


def test_names_a_missing_focal_length(folder: Path) -> None:
    _edit(folder, _only_angle)
    _edit(folder, lambda content: content.pop("camera_angle_x"))
    with pytest.raises(CameraError, match=r"no focal length.*fl_x"):
        read_dataset(folder)
    _edit(folder, lambda content: content.update(camera_angle_x=4))
    with pytest.raises(CameraError, match="camera_angle_x is 4"):
        read_dataset(folder)


def test_refuses_a_path_that_leads_outside(folder: Path) -> None:
    Image.new("RGB", (16, 12)).save(folder.parent / "outside.png")
    for name in ("../outside.png", str(folder.parent / "outside.png")):
        _edit(folder, lambda c, name=name: c["frames"][0].update(file_path=name))
        with pytest.raises(DatasetError, match="leads outside"):
            read_dataset(folder)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_stay_as_stored_whatever_exif_says(
    folder: Path, orientation: int, pixels: list[np.ndarray]
) -> None:
    _save_turned(folder, pixels[0], orientation)
    found = read_dataset(folder).frames[0].load()
    np.testing.assert_array_equal(found, pixels[0])


def test_pixels_are_turned_if_the_camera_is_for_the_turned_image(
    folder: Path, pixels: list[np.ndarray]
) -> None:
    own = {"w": 12, "h": 16, "cx": 6.0, "cy": 8.0}
    _edit(folder, lambda content: content["frames"][0].update(own))
    _save_turned(folder, pixels[0], 6)
    found = read_dataset(folder).frames[0].load()
    np.testing.assert_array_equal(found, np.rot90(pixels[0], k=-1))
    _save_turned(folder, pixels[0], 3)
    with pytest.raises(ImageError, match=r"12×16 pixels, its camera is for 16×12"):
        read_dataset(folder).frames[0].load()


def _save_turned(folder: Path, image: np.ndarray, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(image).save(folder / "images/frame_00000.png", exif=exif)


def test_blender_splits_are_read_by_name(make_layout: Make, tmp_path: Path) -> None:
    folder = make_layout("blender", tmp_path / "set")
    for split, path in (("train", folder), ("test", folder / "transforms_test.json")):
        names = [frame.name for frame in read_dataset(path).frames]
        assert names == [f"./{split}/r_{i}" for i in range(3)]


def test_dl3dv_frames_are_cut_to_the_patch(tmp_path: Path) -> None:
    content = {
        "camera_model": "OPENCV",
        **{"w": 3840, "h": 2160, "fl_x": 1800, "fl_y": 1808, "cx": 1920, "cy": 1080},
        **{"k1": 0.02, "k2": -0.01, "p1": 1e-4, "p2": -1e-4},
        "frames": [
            {
                "file_path": "images/frame_00001.png",
                "transform_matrix": np.eye(4).tolist(),
            }
        ],
    }
    images = tmp_path / "nerfstudio/images_4"
    images.mkdir(parents=True)
    Image.new("RGB", (960, 540), (9, 8, 7)).save(images / "frame_00001.png")
    (tmp_path / "nerfstudio/transforms.json").write_text(json.dumps(content))
    views = load_views(tmp_path)
    assert views.image.shape == (1, 3, 536, 960)
    fx, fy, cx, cy = views.camera.intrinsics[0].tolist()
    assert (cx, cy) == (480, 268)
    assert fy / fx == pytest.approx(1808 / 1800)
    assert fx == pytest.approx(450, rel=0.02)


def test_dl3dv_folders_without_the_nerfstudio_level(
    make_layout: Make, tmp_path: Path
) -> None:
    folder = make_layout("dl3dv", tmp_path / "set") / "nerfstudio"
    assert len(read_dataset(folder).frames) == 3


def test_scaled_images_must_keep_the_aspect_ratio(
    make_layout: Make, tmp_path: Path
) -> None:
    folder = make_layout("dl3dv", tmp_path / "set")
    image = folder / "nerfstudio/images_4/frame_00001.png"
    Image.new("RGB", (16, 14)).save(image)
    with pytest.raises(CameraError, match=r"frame_00001\.png: 14×16 .* for 48×64"):
        read_dataset(folder)


def test_a_real_capture_with_missing_frames(
    shared: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = read_dataset(shared / "data/fox")
    assert (len(dataset.frames), len(dataset.missing)) == (50, 17)
    assert "17 of 67 images are missing" in caplog.text
    camera = dataset.frames[0].camera
    assert (camera.height, camera.width) == (1920, 1080)
    views = load_views(shared / "data/fox", size=256, views=range(0, 50, 10))
    assert views.image.shape == (5, 3, 256, 144)
    assert views.image.std() > 0.1


def test_an_image_too_thin_to_cover_the_size_is_refused(folder: Path) -> None:
    own = {"w": 40_000, "h": 1, "cx": 20_000.0, "cy": 0.5}
    Image.new("RGB", (40_000, 1), (255, 0, 0)).save(folder / "images/frame_00001.png")
    _edit(folder, lambda content: content["frames"][1].update(own))
    with pytest.raises(ImageError, match="too thin to cover 2048×2048"):
        load_views(folder, size=(2048, 2048), views=[1])
