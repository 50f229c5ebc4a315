"""Cameras from NumPy arrays, lists and tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch

from nvs.cameras import Camera, orbit
from nvs.errors import CameraError

FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
K = np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]])
SIZE = (480, 640)


@pytest.fixture
def c2w() -> np.ndarray:
    around = orbit(
        3, radius=2.0, elevation_radians=0.4, hfov_radians=1.0, height=480, width=640
    )
    return around.world_from_camera.numpy()


@pytest.fixture
def as_users_run_it() -> Iterator[None]:
    """Without the types that the suite checks at run time."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize(
    "form",
    [
        lambda poses: poses,
        lambda poses: poses[:, :3],
        lambda poses: poses.tolist(),
        list,
        torch.from_numpy,
        lambda poses: torch.from_numpy(poses).requires_grad_(),
        lambda poses: [torch.from_numpy(pose) for pose in poses],
    ],
)
def test_poses_are_taken_in_every_form(c2w: np.ndarray, form: Any) -> None:
    camera = Camera.from_numpy(form(c2w), K, SIZE)
    assert (len(camera), camera.height, camera.width) == (3, 480, 640)
    assert camera.world_from_camera.dtype == torch.float64
    np.testing.assert_array_equal(camera.world_from_camera, c2w)
    assert camera.intrinsics.tolist() == [[500, 510, 320, 240]] * 3


@pytest.mark.parametrize(
    "intrinsics",
    [K, K.tolist(), [K] * 3, (500, 510, 320, 240), [[500, 510, 320, 240]] * 3],
)
def test_intrinsics_are_taken_in_every_form(c2w: np.ndarray, intrinsics: Any) -> None:
    camera = Camera.from_numpy(c2w, intrinsics, SIZE)
    assert camera.intrinsics.tolist() == [[500, 510, 320, 240]] * 3


def test_one_matrix_is_one_camera_and_shares_no_memory(c2w: np.ndarray) -> None:
    pose = c2w[0].copy()
    camera = Camera.from_numpy(pose, K, SIZE)
    pose[:] = 0
    assert len(camera.check()) == 1


@pytest.mark.parametrize("convention", ["opengl", "blender"])
def test_conventions_name_the_same_camera(c2w: np.ndarray, convention: Any) -> None:
    camera = Camera.from_numpy(c2w @ FLIP, K, SIZE, convention=convention)
    np.testing.assert_array_equal(camera.world_from_camera, c2w)


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (100, 101)])
@pytest.mark.parametrize("off", [0.0, 0.04])
def test_sizes_are_refused_only_if_swapped(
    c2w: np.ndarray, size: tuple[int, int], off: float
) -> None:
    height, width = size
    values = (500, 500, width * (0.5 + off), height * (0.5 - off))
    Camera.from_numpy(c2w, values, size)
    if abs(height - width) > 1:
        with pytest.raises(CameraError, match=rf"height before width: \({height}, "):
            Camera.from_numpy(c2w, values, (width, height))


def test_crops_may_have_their_principal_point_anywhere(c2w: np.ndarray) -> None:
    Camera.from_numpy(c2w, (500, 500, -30, 700), SIZE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"convention": "maya"}, "convention is 'maya'.*opencv, opengl, blender"),
        ({"c2w": np.eye(3)}, r"c2w has shape \(3, 3\).*4×4 or 3×4"),
        ({"c2w": [[1, 2], [3]]}, "c2w is no array of numbers"),
        ({"c2w": "poses"}, "c2w is no array of numbers"),
        ({"c2w": np.eye(4) * [2, 2, 2, 1]}, "view 0: .*not orthonormal"),
        ({"c2w": np.full((4, 4), np.nan)}, "view 0: .*NaN"),
        ({"K": np.eye(4)[None]}, r"K has shape \(1, 4, 4\).*3×3"),
        ({"K": 500}, r"K has shape \(\)"),
        ({"K": [K, K]}, "K is given 2 times, c2w 1 times"),
        ({"K": K.T}, "without skew; is it transposed"),
        ({"K": [[500, 1, 320], [0, 500, 240], [0, 0, 1]]}, "without skew"),
        ({"K": (0, 500, 320, 240)}, "focal lengths fx, fy are 0, 500"),
        ({"size": (480, 640, 3)}, r"size is \(480, 640, 3\).*\(height, width\)"),
        ({"size": 480}, r"size is 480.*\(height, width\)"),
        ({"size": (480.5, 640)}, "size is .*whole numbers"),
        ({"size": (0, 640)}, "image size is 0×640"),
    ],
)
@pytest.mark.usefixtures("as_users_run_it")
def test_what_is_no_camera_is_named(change: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"c2w": np.eye(4), "K": K, "size": SIZE} | change
    with pytest.raises(CameraError, match=message):
        Camera.from_numpy(**given)


@pytest.mark.usefixtures("as_users_run_it")
@pytest.mark.parametrize("name", ["world_from_camera", "intrinsics"])
def test_a_camera_made_of_arrays_is_refused_at_once(name: str) -> None:
    parts: dict[str, Any] = {
        "world_from_camera": torch.eye(4)[None],
        "intrinsics": torch.ones(1, 4),
    }
    parts[name] = parts[name].numpy()
    with pytest.raises(CameraError, match=f"{name} is a ndarray.*Camera.from_numpy"):
        Camera(**parts, height=8, width=8)


@pytest.mark.parametrize(
    "intrinsics", [(1.07, 1.07, 0.5, 0.5), (200, 200, 0, 0), np.diag([200, 200, 1])]
)
def test_intrinsics_that_are_not_in_pixels_are_refused(intrinsics: Any) -> None:
    with pytest.raises(CameraError, match="Give them in pixels"):
        Camera.from_numpy(np.eye(4), intrinsics, (256, 256))


@pytest.mark.parametrize("hfov_radians", [45.0, 0.0, -1.0, math.nan])
def test_a_field_of_view_in_degrees_is_refused(hfov_radians: float) -> None:
    with pytest.raises(CameraError, match=r"hfov_radians is .*degrees times"):
        Camera.look_at(
            torch.tensor([[2.0, 0.0, 1.0]]),
            torch.zeros(3),
            up=torch.tensor([0.0, 0.0, 1.0]),
            hfov_radians=hfov_radians,
            height=8,
            width=8,
        )
