from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nvs.cameras import Camera, project
from nvs.errors import CameraError


def ring(num_views: int = 4, height: int = 30, width: int = 40) -> Camera:
    angle = torch.linspace(0, 2, num_views, dtype=torch.float64)
    eye = torch.stack([3 * angle.cos(), 3 * angle.sin(), angle], dim=-1)
    return Camera.look_at(
        eye,
        torch.zeros(1, 3, dtype=torch.float64),
        up=torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64),
        hfov_radians=0.9,
        height=height,
        width=width,
    )


def with_pose_entry(row: int, column: int, value: float) -> Camera:
    camera = ring()
    camera.world_from_camera[2, row, column] = value
    return camera


def test_look_at_sees_its_target_in_the_middle_and_up_is_up() -> None:
    camera = ring().check()
    target = torch.zeros(4, 1, 3, dtype=torch.float64)
    pixel, depth = project(camera, target)
    torch.testing.assert_close(
        pixel, torch.tensor([20.0, 15.0]).double().expand(4, 1, 2)
    )
    torch.testing.assert_close(depth[:, 0], camera.center.norm(dim=-1))
    above, _ = project(camera, target + torch.tensor([0.0, 0.0, 0.1]).double())
    assert (above[..., 1] < pixel[..., 1]).all()


def test_hfov_is_the_one_asked_for() -> None:
    torch.testing.assert_close(
        ring().hfov_radians, torch.full((4,), 0.9, dtype=torch.float64)
    )


@pytest.mark.parametrize("target", [[0.0, 0.0, 5.0], [0.0, 0.0, 0.0]])
def test_look_at_refuses_an_undefined_roll(target: list[float]) -> None:
    with pytest.raises(CameraError, match="up axis or sits on its target"):
        Camera.look_at(
            torch.zeros(1, 3),
            torch.tensor([target]),
            up=torch.tensor([[0.0, 0.0, 1.0]]),
            hfov_radians=1.0,
            height=8,
            width=8,
        )


def test_indexing_iteration_and_cat_agree() -> None:
    camera = ring()
    assert len(camera) == 4
    assert len(camera[1:3]) == 2
    assert torch.equal(camera[[2, 0]].center, camera.center[[2, 0]])
    assert torch.equal(camera[-1].center, camera.center[3:])
    mask = torch.tensor([True, False, False, True])
    assert torch.equal(camera[mask].center, camera.center[[0, 3]])
    joined = Camera.cat(list(camera))
    assert torch.equal(joined.world_from_camera, camera.world_from_camera)
    assert torch.equal(joined.intrinsics, camera.intrinsics)


def test_cat_refuses_different_sizes() -> None:
    with pytest.raises(CameraError, match=r"sizes \[\(30, 40\), \(32, 40\)\]"):
        Camera.cat([ring(), ring(height=32)])


def test_resized_moves_pixels_with_the_image_exactly() -> None:
    camera = ring()
    points = torch.randn(4, 20, 3, dtype=torch.float64) / 3
    pixel, depth = project(camera, points)
    resized = camera.resized(61, 50)
    assert (resized.height, resized.width) == (61, 50)
    moved, same_depth = project(resized, points)
    scale = torch.tensor([50 / 40, 61 / 30], dtype=torch.float64)
    torch.testing.assert_close(moved, pixel * scale, rtol=1e-13, atol=1e-13)
    assert torch.equal(depth, same_depth)
    back = resized.resized(30, 40)
    torch.testing.assert_close(back.intrinsics, camera.intrinsics, rtol=1e-14, atol=0)
    torch.testing.assert_close(resized.hfov_radians, camera.hfov_radians)


def test_cropped_shifts_pixels_by_the_corner_exactly() -> None:
    camera = ring()
    points = torch.randn(4, 20, 3, dtype=torch.float64) / 3
    pixel, _ = project(camera, points)
    window = camera.cropped(top=3, left=5, height=10, width=12)
    assert (window.height, window.width) == (10, 12)
    moved, _ = project(window, points)
    torch.testing.assert_close(
        moved, pixel - torch.tensor([5.0, 3.0]).double(), rtol=1e-12, atol=1e-12
    )
    assert torch.equal(window.cropped(-3, -5, 30, 40).intrinsics, camera.intrinsics)


def test_to_casts_both_tensors() -> None:
    camera = ring().to(dtype=torch.float32)
    assert camera.world_from_camera.dtype == camera.intrinsics.dtype == torch.float32


def test_construction_accepts_any_values() -> None:
    Camera(
        world_from_camera=torch.full((2, 4, 4), math.nan),
        intrinsics=torch.zeros(2, 4),
        height=1,
        width=1,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"world_from_camera": torch.ones(2, 3, 4)}, r"has shape \(2, 3, 4\)"),
        ({"intrinsics": torch.ones(1, 4)}, r"have shape \(1, 4\) for 2 poses"),
        ({"height": 0}, "image size is 0×1"),
    ],
)
def test_construction_reads_shapes(change: dict[str, object], message: str) -> None:
    fields = {
        "world_from_camera": torch.ones(2, 4, 4),
        "intrinsics": torch.ones(2, 4),
        "height": 1,
        "width": 1,
    }
    camera = object.__new__(Camera)  # the suite's own shape checks would speak first
    for name, value in (fields | change).items():
        object.__setattr__(camera, name, value)
    with pytest.raises(CameraError, match=message):
        camera.__post_init__()


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        (with_pose_entry(0, 3, math.nan), "the pose holds NaN or infinite values"),
        (with_pose_entry(1, 1, math.inf), "the pose holds NaN or infinite values"),
        (
            with_pose_entry(3, 0, 2.0),
            r"the last row of the pose is \[2.0, .*transposed",
        ),
        (
            with_pose_entry(0, 0, 1.5),
            r"the rotation is not orthonormal \(off by .*Remove scale",
        ),
    ],
)
def test_check_names_the_bad_pose(camera: Camera, message: str) -> None:
    with pytest.raises(CameraError, match=f"^view 2: {message}"):
        camera.check()


def test_check_refuses_a_reflection_and_uses_given_names() -> None:
    camera = ring()
    camera.world_from_camera[1, :3, 0] *= -1
    with pytest.raises(CameraError, match=r"^b\.png: the rotation is left-handed"):
        camera.check(["a.png", "b.png", "c.png", "d.png"])


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        (0, 0.0, "focal lengths fx, fy are 0, .*positive"),
        (1, -3.0, "focal lengths fx, fy are .*, -3. They must be positive"),
        (2, math.nan, "fx, fy, cx, cy are .*nan.*finite"),
        (3, math.inf, "fx, fy, cx, cy are .*inf.*finite"),
    ],
)
def test_check_names_the_bad_intrinsic(index: int, value: float, message: str) -> None:
    camera = ring()
    camera.intrinsics[3, index] = value
    with pytest.raises(CameraError, match=f"^view 3: {message}"):
        camera.check()


def test_check_accepts_any_translation_and_returns_the_cameras() -> None:
    camera = with_pose_entry(0, 3, 1e9)
    assert camera.check() is camera


def test_look_at_takes_lists_arrays_and_tensors_alike() -> None:
    size = {"hfov_radians": 1.0, "height": 8, "width": 8}
    eye, target, up = [[2.0, 1, 1], [0, 2, 1]], [0, 0, 0], (0, 0, 1)
    expected = Camera.look_at(
        torch.tensor(eye, dtype=torch.float64),
        torch.zeros(2, 3, dtype=torch.float64),
        up=torch.tensor(up, dtype=torch.float64),
        **size,
    )
    for form in (lambda value: value, np.array, torch.tensor):
        found = Camera.look_at(form(eye), form(target), up=form(up), **size)
        torch.testing.assert_close(
            found.world_from_camera.double(), expected.world_from_camera
        )
    one = Camera.look_at([2, 1, 1], [[0, 0, 0], [0, 0, 1]], up=[0, 0, 1], **size)
    assert len(one) == 2


@pytest.mark.parametrize(
    ("eye", "target", "message"),
    [
        ([1, 2], [0, 0, 0], r"eye has shape \(2,\)"),
        ("here", [0, 0, 0], "eye is no array of numbers"),
        (np.ones((3, 3)), np.zeros((2, 3)), r"given \[1, 2, 3\] times"),
    ],
)
def test_look_at_names_what_is_no_point(eye, target, message: str) -> None:
    with pytest.raises(CameraError, match=message):
        Camera.look_at(eye, target, up=[0, 0, 1], hfov_radians=1.0, height=8, width=8)


def test_a_list_of_cameras_is_a_batch_and_anything_else_is_named() -> None:
    camera = Camera.look_at(
        [2, 1, 1], [0, 0, 0], up=[0, 0, 1], hfov_radians=1.0, height=8, width=8
    )
    assert Camera.of(camera) is camera
    assert len(Camera.of([camera, camera])) == 2
    with pytest.raises(CameraError, match=r"is a ndarray, not a Camera.*from_numpy"):
        Camera.of(np.eye(4))
