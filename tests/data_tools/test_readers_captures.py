"""What is particular to captures of Polycam, Record3D and Metashape."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from nvs.cameras import Camera, orbit
from nvs.cameras.se3 import so3_exp
from nvs.errors import CameraError, DatasetError
from nvs.model.trained_on import TrainedOn
from nvs.scene.datasets import read_dataset
from nvs.scene.framing import choose
from nvs_data.readers.metashape import MetashapeReader
from nvs_data.undistort import pinhole_intrinsics

Make = Callable[[str, Path], Path]
HEIGHT, WIDTH = 12, 16
TURN = np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]])


@pytest.fixture
def polycam(make_layout: Make, tmp_path: Path) -> Path:
    return make_layout("polycam", tmp_path / "set")


@pytest.fixture
def record3d(make_layout: Make, tmp_path: Path) -> Path:
    return make_layout("record3d", tmp_path / "set")


@pytest.fixture
def metashape(make_layout: Make, tmp_path: Path) -> Path:
    return make_layout("metashape", tmp_path / "set")


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize("layout", ["polycam", "record3d"])
def test_phones_know_up_by_gravity(
    make_layout: Make, tmp_path: Path, layout: str
) -> None:
    up = read_dataset(make_layout(layout, tmp_path / "set")).world_up
    assert up == (0.0, 1.0, 0.0)
    ring = orbit(
        8,
        radius=9.0,
        elevation_radians=0.3,
        hfov_radians=0.9,
        up=(0.1, 1.0, 0.2),
        height=HEIGHT,
        width=WIDTH,
    ).to(dtype=torch.float64)
    sway = so3_exp(0.05 * torch.randn(8, 3, dtype=torch.float64))
    ring.world_from_camera[:, :3, :3] @= sway
    framing = choose(ring, TrainedOn(poses="object"), world_up=up)
    assert framing.up == up
    assert "as its file says" in framing.reason


def test_polycam_folders_may_be_given_themselves(polycam: Path) -> None:
    assert len(read_dataset(polycam / "keyframes").frames) == 3


def test_polycams_corrected_cameras_go_first(polycam: Path) -> None:
    keyframes = polycam / "keyframes"
    shutil.copytree(keyframes / "corrected_cameras", keyframes / "cameras")
    shutil.copytree(keyframes / "corrected_images", keyframes / "images")
    names = [frame.name for frame in read_dataset(polycam).frames]
    assert {Path(name).parent.name for name in names} == {"corrected_images"}
    shutil.rmtree(keyframes / "corrected_cameras")
    names = [frame.name for frame in read_dataset(polycam).frames]
    assert {Path(name).parent.name for name in names} == {"images"}


def test_names_the_file_of_polycam_that_is_wrong(polycam: Path) -> None:
    file = next(iter(sorted((polycam / "keyframes/corrected_cameras").iterdir())))
    content = json.loads(file.read_text())
    del content["t_11"]
    file.write_text(json.dumps(content))
    with pytest.raises(CameraError, match=rf"{file.name}: t_11 is missing"):
        read_dataset(polycam)


def test_unpacked_r3d_files_are_read(record3d: Path, cameras: list[Camera]) -> None:
    root = record3d / "EXR_RGBD"
    (root / "rgb").rename(root / "rgbd")
    (root / "metadata.json").rename(root / "metadata")
    assert len(read_dataset(root).frames) == 3


def test_record3d_frames_may_have_their_own_intrinsics(record3d: Path) -> None:
    file = record3d / "EXR_RGBD/metadata.json"
    content = json.loads(file.read_text())
    own = [[20.0 + i, 21.0 + i, 8.5, 6.5] for i in range(3)]
    file.write_text(json.dumps(content | {"perFrameIntrinsicCoeffs": own}))
    frames = read_dataset(record3d).frames
    assert [frame.camera.intrinsics[0].tolist() for frame in frames] == own
    file.write_text(json.dumps(content | {"perFrameIntrinsicCoeffs": own[:2]}))
    with pytest.raises(DatasetError, match="3 poses and 2 perFrameIntrinsicCoeffs"):
        read_dataset(record3d)


@pytest.mark.parametrize("poses", [[], [[0] * 6], [[0] * 7, 3], "x", None])
def test_record3d_poses_must_be_numbers(record3d: Path, poses: object) -> None:
    file = record3d / "EXR_RGBD/metadata.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"poses": poses}))
    with pytest.raises(CameraError, match=r"poses (is|holds)"):
        read_dataset(record3d)


def test_metashape_files_may_be_named_and_lie_beside_the_images(
    metashape: Path,
) -> None:
    assert len(read_dataset(metashape / "cameras.xml").frames) == 3
    for image in (metashape / "images").iterdir():
        image.rename(metashape / image.name)
    assert len(read_dataset(metashape).frames) == 3


def test_metashape_is_second_to_a_transforms_file(metashape: Path) -> None:
    (metashape / "transforms.json").write_text("{}")
    assert not MetashapeReader().recognises(metashape)


def test_other_xml_is_not_metashapes(tmp_path: Path) -> None:
    for text in ("<a/>", "<document><b/></document>", "", "<document", "\0\1"):
        (tmp_path / "a.xml").write_text(text)
        assert not MetashapeReader().recognises(tmp_path)


def test_metashapes_lens_is_opencvs_with_p1_and_p2_changed(metashape: Path) -> None:
    """Its own equations, against OpenCV's projection."""
    k1, k2, k3, p1, p2 = -0.05, 0.01, 0.002, 0.003, -0.002
    coefficients = f"<k1>{k1}</k1><k2>{k2}</k2><k3>{k3}</k3><p1>{p1}</p1><p2>{p2}</p2>"
    before = read_dataset(metashape).frames[0].camera.intrinsics[0].tolist()
    _replace(metashape / "cameras.xml", "<b1>", f"{coefficients}<b1>")
    found = read_dataset(metashape).frames[0].camera.intrinsics[0].tolist()

    class Agisoft:
        def distort(self, xy: np.ndarray) -> np.ndarray:
            x, y = xy.T
            r2 = x**2 + y**2
            radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
            dx = p1 * (r2 + 2 * x**2) + 2 * p2 * x * y
            dy = p2 * (r2 + 2 * y**2) + 2 * p1 * x * y
            return np.stack([x * radial + dx, y * radial + dy], -1)

    fx, fy, cx, cy = before
    expected = pinhole_intrinsics((fx, fy, cx, cy), Agisoft(), 12, 16)
    assert found == pytest.approx(expected)
    xy = np.array([[0.2, -0.1]])
    opencv, _ = cv2.projectPoints(
        np.array([[0.2, -0.1, 1.0]]),
        *(np.zeros(3), np.zeros(3), np.eye(3)),
        np.array([k1, k2, p2, p1, k3]),
    )
    np.testing.assert_allclose(Agisoft().distort(xy), opencv[0], atol=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('type="frame">\n    <res', 'type="spherical">\n    <res', "'spherical'.*Cut"),
        ("<b1>", "<b2>1.5</b2><b1>", "b2 is 1.5 for a camera of type 'frame'"),
        ("<b1>", "<k4>0.1</k4><b1>", "k4 is 0.1"),
        ("<b1>", "<k1>x</k1><b1>", "k1 is 'x'"),
        ('width="16"', 'width="0"', "resolution is"),
        ('sensor_id="0"', 'sensor_id="7"', "sensor '7', which is not listed"),
        ("</transform>", " 1</transform>", "transform is .*16 numbers"),
        ("</chunk>", "", "not readable XML"),
        ("<document ", "<!DOCTYPE a []><document ", "document type"),
        ("</chunk>", "</chunk><chunk/>", "2 chunks"),
        ("<transform>", "<other>", "not readable XML"),
    ],
)
def test_names_what_is_wrong_with_a_metashape_file(
    metashape: Path, old: str, new: str, message: str
) -> None:
    _replace(metashape / "cameras.xml", old, new)
    with pytest.raises((CameraError, DatasetError), match=message):
        read_dataset(metashape)


def test_metashape_cameras_that_are_not_aligned_are_counted(
    metashape: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = metashape / "cameras.xml"
    text = file.read_text()
    file.write_text(re.sub(r"<transform>.*?</transform>", "", text, count=1))
    assert len(read_dataset(metashape).frames) == 2
    counted, unused = (record.getMessage() for record in caplog.records)
    assert (
        "1 of 3 cameras are disabled or not aligned, and not used: IMG_0000" in counted
    )
    assert "1 of 3 images have no camera" in unused
    file.write_text(re.sub(r"<transform>.*?</transform>", "", text))
    with pytest.raises(DatasetError, match="none of its cameras is aligned"):
        read_dataset(metashape)


def test_of_several_components_the_largest_is_read_in_its_world(
    metashape: Path, cameras: list[Camera], caplog: pytest.LogCaptureFixture
) -> None:
    file = metashape / "cameras.xml"
    _replace(file, 'id="0" sensor_id="0" component_id="0"', 'id="0" sensor_id="0"')
    turn = " ".join(map(str, TURN.ravel()))
    _replace(
        file,
        'label="Component 1"/>',
        f"><transform><rotation>{turn}</rotation><translation>2 4 6</translation>"
        "<scale>2</scale></transform></component>",
    )
    frames = read_dataset(metashape).frames
    assert [frame.name for frame in frames] == ["IMG_0001", "IMG_0002"]
    assert "the largest component, 0 (2 cameras), is read" in caplog.text
    moved = torch.from_numpy(TURN) @ cameras[1].center[0] + torch.tensor([1, 2, 3])
    torch.testing.assert_close(frames[0].camera.center[0], moved)
