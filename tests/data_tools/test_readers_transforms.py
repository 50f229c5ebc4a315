"""What is particular to `transforms.json` and the sets built on it."""

from __future__ import annotations

import json
import math
import re
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
from nvs_data.readers.transforms_keys import KEYS
from nvs_data.undistort import pinhole_intrinsics

Make = Callable[[str, Path], Path]
Content = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]


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


def test_applied_scale_is_undone(folder: Path, cameras: list[Camera]) -> None:
    turn = np.array([[0, 0, 1, 3], [1, 0, 0, -4], [0, 1, 0, 5], [0, 0, 0, 1.0]])

    def apply(content: Content) -> None:
        content |= {"applied_transform": turn[:3].tolist(), "applied_scale": 0.25}
        for frame in content["frames"]:
            matrix = turn @ np.array(frame["transform_matrix"])
            matrix[:3, 3] *= 0.25
            frame["transform_matrix"] = matrix.tolist()

    _edit(folder, apply)
    for frame, camera in zip(read_dataset(folder).frames, cameras, strict=True):
        torch.testing.assert_close(
            frame.camera.world_from_camera, camera.world_from_camera
        )


def _camera_of(folder: Path, shared: Content) -> Camera:
    _edit(folder, lambda content: [content.pop(key, None) for key in INTRINSICS])
    _edit(folder, lambda content: content.update(shared))
    return read_dataset(folder).frames[0].camera


INTRINSICS = ("fl_x", "fl_y", "cx", "cy", "w", "h", "k1", "k2", "p1", "p2")


@pytest.mark.parametrize(
    "spelled",
    [
        {"fl_x": 20.0, "fl_y": 21.0},
        {"fx": 20.0, "fy": 21.0, "width": 16, "height": 12},
        {"x_fov": math.degrees(2 * math.atan(0.4)), "fl_y": 21.0},
        {"camera_angle_x": 2 * math.atan(0.4), "camera_angle_y": 2 * math.atan(6 / 21)},
    ],
)
def test_intrinsics_may_be_spelled_otherwise(folder: Path, spelled: Content) -> None:
    found = _camera_of(folder, spelled).intrinsics[0].tolist()
    assert found == pytest.approx([20, 21, 8, 6])


@pytest.mark.parametrize(
    ("spelled", "usual"),
    [
        ({"distortion_params": [0.1, 0.02, 0, 0, 0.003, 0.001]}, {}),
        ({"camera_model": "opencv"}, {}),
        ({"camera_model": "SIMPLE_RADIAL", "is_fisheye": False}, {}),
        ({"is_latlong": False, "ftheta_p0": 0, "color_space": "sRGB"}, {}),
        (
            {"camera_model": "opencv_fisheye", "k3": 0.01},
            {"camera_model": "OPENCV_FISHEYE", "k3": 0.01},
        ),
        (
            {"camera_model": "FISHEYE", "k4": 0.01},
            {"camera_model": "OPENCV_FISHEYE", "k4": 0.01},
        ),
    ],
)
def test_lenses_may_be_spelled_otherwise(
    folder: Path, spelled: Content, usual: Content
) -> None:
    lens = {"fl_x": 20.0, "k1": 0.1, "k2": 0.02, "p1": 0.003, "p2": 0.001}
    expected = _camera_of(folder, {**lens, **usual}).intrinsics
    found = _camera_of(folder, {**lens, **spelled}).intrinsics
    torch.testing.assert_close(found, expected, atol=0, rtol=0)
    assert found[0, 0] != 20


@pytest.mark.parametrize("model", [{"camera_model": "FULL_OPENCV"}, {}])
def test_the_rational_model_is_honoured(folder: Path, model: Content) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    lens = {"k1": 0.1, "k2": 0.02, "p1": 0.01, "p2": -0.005}
    lens |= {"k3": 0.01, "k4": 0.2, "k5": 0.01, "k6": 0.001}
    _edit(folder, lambda content: content.pop("camera_model"))
    _camera_of(folder, {"fl_x": 20.0, **lens, **model})
    frame = read_dataset(folder).frames[0]
    stored = pycolmap.Camera(
        model="FULL_OPENCV", width=16, height=12, params=[20, 20, 8, 6, *lens.values()]
    )
    found = frame.camera.intrinsics[0].tolist()
    pinhole = pinhole_intrinsics((20.0, 20.0, 8.0, 6.0), _ColmapLens(stored), 12, 16)
    assert found == pytest.approx(pinhole)


class _ColmapLens:
    """The lens of a camera of COLMAP's with fx, fy, cx, cy = 20, 20, 8, 6."""

    def __init__(self, camera: Any) -> None:
        self._camera = camera

    def distort(self, xy: np.ndarray) -> np.ndarray:
        rays = np.concatenate([xy, np.ones((len(xy), 1))], axis=-1)
        return (self._camera.img_from_cam(rays) - [8, 6]) / 20


@pytest.mark.parametrize("name", ["masks/m{i}.png", "masks\\m{i}.PNG", "masks/m{i}"])
def test_listed_masks_are_transparency(
    folder: Path, name: str, pixels: list[np.ndarray]
) -> None:
    masks = np.random.default_rng(1).integers(2, 256, (3, 12, 16), np.uint8)
    (folder / "masks").mkdir()
    for index, mask in enumerate(masks):
        Image.fromarray(mask).save(folder / f"masks/m{index}.png")

    def point(content: Content) -> None:
        for index, frame in enumerate(content["frames"]):
            frame["mask_path"] = name.format(i=index)

    _edit(folder, point)
    frames = read_dataset(folder).frames
    for frame, image, mask in zip(frames, pixels, masks, strict=True):
        np.testing.assert_array_equal(frame.load(), np.dstack([image, mask]))


def test_one_mask_may_serve_all_frames(folder: Path) -> None:
    mask = np.zeros((12, 16), np.uint8)
    mask[:, :4] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    _edit(folder, lambda content: content.update(mask_path="mask.png"))
    image = load_views(folder, patch_size=4).image
    assert image[..., 4:].min() == 1
    assert (image[..., :4].amin(dim=(1, 2, 3)) < 1).all()


def test_a_listed_mask_must_be_there(folder: Path) -> None:
    _edit(folder, lambda c: c["frames"][1].update(mask_path="masks/1.png"))
    with pytest.raises(DatasetError, match=r"'masks/1.png' of images/.*1.png is"):
        read_dataset(folder)


def test_masks_go_through_undistortion_and_resizing_as_alpha_does(
    folder: Path, pixels: list[np.ndarray]
) -> None:
    lens = {"k1": -0.1, "p1": 0.01}
    _edit(folder, lambda content: content.update(lens))
    mask = np.random.default_rng(1).integers(2, 256, (12, 16), np.uint8)
    (folder / "masks").mkdir()
    image = folder / "images/frame_00000.png"
    Image.fromarray(mask).save(folder / "masks/frame_00000.png")
    by_mask = load_views(folder, size=(8, 12), patch_size=4, views=[0])
    (folder / "masks/frame_00000.png").unlink()
    Image.fromarray(np.dstack([pixels[0], mask])).save(image)
    by_alpha = load_views(folder, size=(8, 12), patch_size=4, views=[0])
    torch.testing.assert_close(by_mask.image, by_alpha.image, atol=0, rtol=0)


def test_splits_are_held_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    split = {"train_filenames": ["images\\frame_00000.png", "./images/frame_00002.png"]}
    _edit(folder, lambda content: content.update(split))
    names = [frame.name for frame in read_dataset(folder).frames]
    assert names == ["images/frame_00000.png", "images/frame_00002.png"]
    assert "1 of 3 frames are held out by its splits" in caplog.text


def test_frames_for_tests_alone_may_be_named(folder: Path) -> None:
    split = {"test_filenames": ["images/frame_00001.png"], "val_filenames": []}
    _edit(folder, lambda content: content.update(split))
    names = [frame.name for frame in read_dataset(folder).frames]
    assert names == ["images/frame_00000.png", "images/frame_00002.png"]


def test_what_is_not_used_is_said_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def add(content: Content) -> None:
        content |= {"aabb_scale": 16, "maskpath": "x", "rolling_shutter": [0, 0, 0]}
        for index, frame in enumerate(content["frames"]):
            frame |= {"depth_file_path": f"depth/{index}.png", "time": 0.0}
            frame |= {"exposure": 0.1, "colmap_im_id": index}

    _edit(folder, add)
    read_dataset(folder)
    unused, unknown = (record.getMessage() for record in caplog.records)
    assert unused.endswith(": not used: depth_file_path (depth maps)")
    assert unknown.endswith("nobody here knows are not used: maskpath, exposure")


@pytest.mark.parametrize("key", [k for k, v in KEYS.items() if v.use == "warned"])
def test_every_warned_key_is_named(
    folder: Path, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    _edit(folder, lambda content: content["frames"][1].update({key: [1.0]}))
    read_dataset(folder)
    (record,) = caplog.records
    assert f"not used: {key} ({KEYS[key].meaning})" in record.getMessage()


@pytest.mark.parametrize("key", [k for k, v in KEYS.items() if v.use == "refused"])
def test_every_refused_key_is_refused_where_it_says_something(
    folder: Path, key: str
) -> None:
    for nothing in (None, False, 0, "", [], [0, 0]):
        _edit(folder, lambda c, v=nothing: c["frames"][1].update({key: v}))
        assert len(read_dataset(folder).frames) == 3
    _edit(folder, lambda content: content["frames"][1].update({key: "1"}))
    with pytest.raises(CameraError, match=f"frame 1: {key} is '1'"):
        read_dataset(folder)


def test_the_docs_have_the_table_of_keys() -> None:
    text = (ROOT / "docs/transforms-json.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[^|]+) \| (\w+) \| (.+) \|$", text, re.MULTILINE)
    documented = {
        key: (use, meaning)
        for keys, use, meaning in rows
        for key in re.findall(r"`(\w+)`", keys)
    }
    assert documented == {key: (k.use, k.meaning) for key, k in KEYS.items()}


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
        ({"is_equirectangular": True}, "is_equirectangular is True: a panorama"),
        ({"latlong": 1}, "latlong"),
        ({"orthographic": True}, "orthographic camera"),
        ({"ftheta_p0": 0.5}, "ftheta_p0 is 0.5: an f-theta lens"),
        ({"normal_mts_args": ["x"]}, "Mitsuba"),
        ({"color_space": "ACEScg"}, "'ACEScg': colours in another space"),
        ({"is_hdr": True}, "is_hdr"),
        ({"camera_model": "FISHEYE624"}, "the camera model is 'FISHEYE624'"),
        ({"is_fisheye": "false"}, "is_fisheye is 'false'"),
        ({"is_fisheye": True}, "model is 'OPENCV', and is_fisheye is true"),
        ({"distortion_params": [0.1] * 16}, "must hold 6 numbers"),
        ({"applied_scale": 0}, "applied_scale is 0"),
        ({"applied_scale": "2"}, "applied_scale"),
        ({"train_filenames": ["images/none.png"]}, "no frame is one of its train"),
        ({"k4": 0.1}, r"k4 is 0\.1 for a perspective camera"),
        ({"k1": -50.0}, "no pinhole image fits"),
        ({"applied_transform": [[1, 2], [3, 4]]}, "applied_transform .* 3×4"),
        ({"applied_transform": [[0] * 4] * 3}, "applied_transform cannot be inverted"),
    ],
)
def test_names_what_is_wrong(folder: Path, change: Content, message: str) -> None:
    _edit(folder, lambda content: content.update(change))
    with pytest.raises((CameraError, DatasetError), match=message):
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
