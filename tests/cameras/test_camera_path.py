from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nvs.cameras import (
    Camera,
    CameraPath,
    orbit,
    project,
    read_camera_path,
    write_camera_path,
)
from nvs.cameras.se3 import so3_exp
from nvs.errors import CameraError, OutputError


def turntable() -> Camera:
    return orbit(
        3, radius=2.0, elevation_radians=0.3, hfov_radians=0.9, height=40, width=60
    )


def own() -> dict[str, Any]:
    camera = turntable()
    frames = [
        {
            "world_from_camera": pose.tolist(),
            "fx": 62.0,
            "fy": 63.0,
            "cx": 29,
            "cy": 21.5,
        }
        for pose in camera.world_from_camera
    ]
    return {
        "format": "lact-nvs camera path",
        "version": 1,
        "fps": 25,
        "height": 40,
        "width": 60,
        "frames": frames,
    }


def nerfstudio() -> dict[str, Any]:
    """As the viewer writes it: OpenGL axes are the camera's y and z turned about x."""
    half_turn_about_x = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0])).double()
    opengl = turntable().world_from_camera @ half_turn_about_x
    return {
        "default_fov": 50.0,
        "default_transition_sec": 2.0,
        "keyframes": [{"matrix": "ignored"}],
        "camera_type": "perspective",
        "render_height": 40,
        "render_width": 60,
        "fps": 24,
        "seconds": 0.125,
        "is_cycle": False,
        "smoothness_value": 0.0,
        "camera_path": [
            {"camera_to_world": pose.flatten().tolist(), "fov": 50.0, "aspect": 1.5}
            for pose in opengl
        ],
    }


def save(folder: Path, document: object) -> Path:
    path = folder / "path.json"
    path.write_text(json.dumps(document))
    return path


def test_what_is_written_is_read_back_bit_for_bit(tmp_path: Path) -> None:
    camera = turntable()
    path = tmp_path / "orbit.json"
    write_camera_path(path, CameraPath(camera=camera, fps=29.97))
    found = read_camera_path(str(path))
    assert found.fps == 29.97
    assert (found.camera.height, found.camera.width) == (40, 60)
    assert torch.equal(found.camera.world_from_camera, camera.world_from_camera)
    assert torch.equal(found.camera.intrinsics, camera.intrinsics)


def test_our_own_form_is_read_as_documented(tmp_path: Path) -> None:
    found = read_camera_path(save(tmp_path, own()))
    assert found.fps == 25.0
    assert found.camera.intrinsics.tolist() == [[62.0, 63.0, 29.0, 21.5]] * 3


def test_nerfstudio_paths_become_opencv_cameras(tmp_path: Path) -> None:
    found = read_camera_path(save(tmp_path, nerfstudio()))
    assert found.fps == 24.0
    assert (found.camera.height, found.camera.width) == (40, 60)
    torch.testing.assert_close(
        found.camera.world_from_camera, turntable().world_from_camera
    )
    pixel, depth = project(found.camera.to(dtype=torch.float32), torch.zeros(3, 1, 3))
    torch.testing.assert_close(pixel, torch.tensor([30.0, 20.0]).expand(3, 1, 2))
    torch.testing.assert_close(depth, torch.full((3, 1), 2.0))
    focal_px = 20 / math.tan(math.radians(25))
    expected = torch.tensor([focal_px, focal_px, 30, 20]).expand(3, 4)
    torch.testing.assert_close(found.camera.intrinsics, expected.double())


def similarity(scale: float, angle: float, shift: list[float]) -> dict[str, Any]:
    """The file that a run of nerfstudio leaves."""
    turn = so3_exp(torch.tensor([0.3, angle, -0.2]).double())
    transform = torch.cat([turn, torch.tensor(shift).double()[:, None]], dim=1)
    return {"transform": transform.tolist(), "scale": scale}


@pytest.mark.parametrize(
    "dataparser",
    [
        similarity(1.0, 0.0, [0.0, 0.0, 0.0]),
        similarity(0.37, 2.0, [0.5, -4.0, 1.0]),
        similarity(120.0, -1.0, [0.0, 3.0, 0.1]),
        similarity(1e-4, 3.0, [5e5, 4.2e6, 300.0]),
    ],
)
def test_paths_of_the_viewer_come_back_to_the_capture(
    tmp_path: Path, dataparser: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    document = nerfstudio()
    transform = torch.tensor(dataparser["transform"]).double()
    for frame in document["camera_path"]:
        pose = torch.tensor(frame["camera_to_world"]).double().unflatten(0, (4, 4))
        pose[:3] = transform @ pose
        pose[:3, 3] *= dataparser["scale"]
        frame["camera_to_world"] = pose.flatten().tolist()
    file = tmp_path / "dataparser_transforms.json"
    file.write_text(json.dumps(dataparser))
    found = read_camera_path(save(tmp_path, document), dataparser=file)
    torch.testing.assert_close(
        found.camera.world_from_camera, turntable().world_from_camera, rtol=0, atol=1e-6
    )
    assert not caplog.messages


def test_paths_of_the_viewer_say_what_they_are_taken_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read_camera_path(save(tmp_path, own()))
    assert not caplog.messages
    read_camera_path(save(tmp_path, nerfstudio()))
    assert "--dataparser dataparser_transforms.json" in caplog.text


@pytest.mark.parametrize(
    ("document", "dataparser", "message"),
    [
        (nerfstudio(), {"scale": 1.0}, "transform"),
        (nerfstudio(), similarity(0.0, 0.0, [0.0] * 3), "scale"),
        (nerfstudio(), {"transform": [[1, 0, 0, 0]] * 3, "scale": 1.0}, "frame 0"),
        (nerfstudio(), [], "dataparser_transforms.json"),
        (own(), similarity(1.0, 0.0, [0.0] * 3), "in the capture's world already"),
    ],
)
def test_a_dataparser_that_does_not_fit_is_named(
    tmp_path: Path, document: object, dataparser: object, message: str
) -> None:
    file = tmp_path / "dataparser_transforms.json"
    file.write_text(json.dumps(dataparser))
    with pytest.raises(CameraError, match=message):
        read_camera_path(save(tmp_path, document), dataparser=file)


def test_nerfstudio_paths_without_a_type_are_perspective(tmp_path: Path) -> None:
    document = nerfstudio()
    del document["camera_type"]
    assert len(read_camera_path(save(tmp_path, document)).camera) == 3


@pytest.mark.parametrize("document", [own(), nerfstudio()])
@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (None, None, (40, 60)),
        (80, None, (80, 120)),
        (None, 30, (20, 30)),
        (80, 80, (80, 80)),
    ],
)
def test_another_size_keeps_vertical_field_of_view_and_square_pixels(
    tmp_path: Path,
    document: dict[str, Any],
    height: int | None,
    width: int | None,
    size: tuple[int, int],
) -> None:
    path = save(tmp_path, document)
    original = read_camera_path(path).camera
    camera = read_camera_path(path, height=height, width=width).camera
    assert (camera.height, camera.width) == size
    scale = size[0] / 40
    torch.testing.assert_close(
        camera.intrinsics[:, :2], original.intrinsics[:, :2] * scale
    )
    point = torch.randn(3, 5, 3) / 3
    pixel, _ = project(original, point)
    moved, _ = project(camera, point)
    middle, new_middle = (
        torch.tensor([30.0, 20.0]),
        torch.tensor([size[1], size[0]]) / 2,
    )
    torch.testing.assert_close(
        moved - new_middle, (pixel - middle) * scale, rtol=1e-5, atol=1e-4
    )


def changed(
    build: Callable[[], dict[str, Any]], *keys: str | int, to: object
) -> object:
    document: Any = build()
    place = document
    for key in keys[:-1]:
        place = place[key]
    if to is None:
        del place[keys[-1]]
    else:
        place[keys[-1]] = to
    return document


BAD = [
    ("path", 'it is "path". It must be a JSON object'),
    ({"frames": []}, "not a camera path.*nerfstudio"),
    (changed(own, "version", to=2), "version is 2.*version 1"),
    (changed(own, "fps", to=0), "fps is 0. It must be above zero"),
    (changed(own, "fps", to=math.inf), "fps is Infinity"),
    (changed(own, "fps", to=None), "fps is missing.*add fps"),
    (changed(own, "height", to=40.5), "height is 40.5.*whole number"),
    (changed(own, "width", to=True), "width is true.*finite number"),
    (changed(own, "frames", to=[]), r"frames is \[\].*at least one"),
    (changed(own, "frames", to={}), "frames is {}"),
    (changed(own, "frames", 1, to=7), "frame 1: it is 7. It must be a JSON object"),
    (changed(own, "frames", 1, "fx", to=None), "frame 1: fx is missing"),
    (changed(own, "frames", 1, "fy", to="9"), 'frame 1: fy is "9".*finite number'),
    (
        changed(own, "frames", 1, "fy", to=-9),
        "frame 1: focal lengths fx, fy are 62, -9",
    ),
    (changed(own, "frames", 2, "cx", to=math.nan), "frame 2: cx is NaN"),
    (changed(own, "frames", 2, "cx", to=10**400), "frame 2: cx is 1000.*finite"),
    (changed(own, "frames", 2, "cx", to=1e300), "frame 2: fx, fy, cx, cy are .* inf"),
    (
        changed(own, "frames", 0, "world_from_camera", to=[[1.0] * 4] * 3),
        "frame 0: world_from_camera holds .*4×4 finite numbers",
    ),
    (
        changed(own, "frames", 0, "world_from_camera", 1, to=[0, 1, "x", 0]),
        "frame 0: world_from_camera is .*4×4 finite numbers",
    ),
    (
        changed(own, "frames", 0, "world_from_camera", 0, to=[2, 0, 0, 0]),
        "frame 0: the rotation is not orthonormal",
    ),
    (
        changed(nerfstudio, "camera_type", to="fisheye"),
        "camera_type is 'fisheye'.*Only",
    ),
    (changed(nerfstudio, "render_height", to=None), "render_height is missing"),
    (changed(nerfstudio, "render_width", to=-60), "render_width is -60"),
    (changed(nerfstudio, "fps", to="24"), 'fps is "24"'),
    (changed(nerfstudio, "camera_path", to=[]), r"camera_path is \[\]"),
    (changed(nerfstudio, "camera_path", 1, "fov", to=None), "frame 1: fov is missing"),
    (
        changed(nerfstudio, "camera_path", 1, "fov", to=180),
        "frame 1: fov is 180.*below",
    ),
    (changed(nerfstudio, "camera_path", 1, "fov", to=0), "frame 1: fov is 0"),
    (
        changed(nerfstudio, "camera_path", 2, "camera_to_world", to=[0.0] * 12),
        "frame 2: camera_to_world holds .*16 finite numbers",
    ),
    (
        changed(nerfstudio, "camera_path", 2, "camera_to_world", 5, to=math.nan),
        "frame 2: camera_to_world is .*16 finite numbers",
    ),
    (
        changed(nerfstudio, "camera_path", 2, "camera_to_world", 12, to=1.0),
        "frame 2: the last row of the pose is .*transposed",
    ),
]


@pytest.mark.parametrize(("document", "message"), BAD, ids=[text for _, text in BAD])
def test_a_bad_file_names_file_frame_and_key(
    tmp_path: Path, document: object, message: str
) -> None:
    with pytest.raises(CameraError, match=rf"path\.json: {message}"):
        read_camera_path(save(tmp_path, document))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000],
    ids=["empty", "cut", "binary", "deep"],
)
def test_what_is_not_json_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(CameraError, match=r"broken\.json: not a readable JSON"):
        read_camera_path(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"none\.json: .*No such file"):
        read_camera_path(tmp_path / "none.json")
    with pytest.raises(CameraError, match=r"not a readable .* \(Is a directory\)"):
        read_camera_path(tmp_path)


@pytest.mark.parametrize(("height", "width"), [(0, None), (None, 0), (-8, 8)])
def test_an_impossible_size_is_refused(
    tmp_path: Path, height: int | None, width: int | None
) -> None:
    with pytest.raises(CameraError, match="image size is"):
        read_camera_path(save(tmp_path, own()), height=height, width=width)


def test_writing_names_bad_cameras_and_places(tmp_path: Path) -> None:
    camera = turntable()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*file/a\.json"):
        write_camera_path(
            tmp_path / "file" / "a.json", CameraPath(camera=camera, fps=30.0)
        )
    camera.intrinsics[1, 0] = math.nan
    with pytest.raises(CameraError, match="view 1"):
        write_camera_path(tmp_path / "a.json", CameraPath(camera=camera, fps=30.0))
    assert not (tmp_path / "a.json").exists()


def test_a_path_that_cannot_be_written_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, path = tmp_path / "a.json", CameraPath(camera=turntable(), fps=30.0)
    write_camera_path(file, path)
    before = file.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="no space left"):
        write_camera_path(file, CameraPath(camera=turntable()[:1], fps=30.0))
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("fps", [0.0, -1.0, math.nan, math.inf])
def test_a_path_has_frames_at_a_positive_rate(fps: float) -> None:
    with pytest.raises(CameraError, match=f"fps of the camera path is {fps}"):
        CameraPath(camera=turntable(), fps=fps)
    with pytest.raises(CameraError, match="no frames"):
        CameraPath(camera=turntable()[:0], fps=30.0)


def single(**lens: object) -> dict[str, Any]:
    return {"world_from_camera": turntable().world_from_camera[1].tolist(), **lens}


SIZED = single(fx=62.0, fy=63.0, cx=29.0, cy=21.5, height=40, width=60)


def test_a_single_camera_is_the_one_of_a_path(tmp_path: Path) -> None:
    """What the viewer copies; by itself, in a list, at its own size or another."""
    path = read_camera_path(save(tmp_path, own()), 20, 50).camera[1]

    for document in (SIZED, [SIZED], [SIZED, SIZED]):
        found = read_camera_path(save(tmp_path, document), 20, 50)
        assert found.fps == 30
        for camera in found.camera:
            torch.testing.assert_close(camera.intrinsics, path.intrinsics)
            torch.testing.assert_close(camera.world_from_camera, path.world_from_camera)
    assert read_camera_path(save(tmp_path, SIZED)).camera.height == 40


def test_intrinsics_without_a_size_are_those_of_the_picture(tmp_path: Path) -> None:
    document = single(fx=62.0, fy=63.0, cx=29.0, cy=21.5)
    camera = read_camera_path(save(tmp_path, document), 20, 50).camera
    assert camera.intrinsics.tolist() == [[62, 63, 29, 21.5]]
    with pytest.raises(CameraError, match="height is missing"):
        read_camera_path(save(tmp_path, document))


def test_a_camera_that_looks_at_a_point_sees_it_in_the_middle(tmp_path: Path) -> None:
    document = {"eye": [2, 1, 1], "target": [0, 0.5, 0], "vertical_fov_degrees": 90}
    camera = read_camera_path(save(tmp_path, document), 40, 60).camera
    seen, _ = project(camera, torch.tensor([[[0, 0.5, 0]]]).double())
    assert seen.flatten().tolist() == pytest.approx([30, 20])
    assert camera.intrinsics[0, 1].item() == pytest.approx(20)
    above = torch.tensor([[[0, 0.5, 0.1]]]).double()
    assert project(camera, above)[0].flatten()[1] < 20, "z is up"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "must be a list with at least one"),
        ([3], "frame 0: it is 3"),
        ({"eye": [1, 2], "target": [0, 0, 0]}, "fx is missing"),
        (
            {"eye": [1, 2], "target": [0, 0, 0], "vertical_fov_degrees": 50},
            "eye holds 2",
        ),
        (
            {"eye": [1, 2, 3], "target": [1, 2, 3], "vertical_fov_degrees": 50},
            "sits on its target",
        ),
        (single(vertical_fov_degrees=180), "vertical_fov_degrees is 180"),
        (single(vertical_fov_degrees=50, height=0), "height is 0"),
        ({"position": [0, 0, 1]}, "not a camera path"),
    ],
)
def test_cameras_that_cannot_be(tmp_path: Path, document: object, message: str) -> None:
    with pytest.raises(CameraError, match=message):
        read_camera_path(save(tmp_path, document), 40, 60)
