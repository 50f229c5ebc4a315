from __future__ import annotations

import math

import pytest
import torch

from nvs.cameras import Camera, orbit, through
from nvs.cameras.se3 import se3_exp, se3_inverse, se3_log
from nvs.errors import CameraError


def keyframes(num_views: int = 5) -> Camera:
    twist = torch.randn(num_views, 6, dtype=torch.float64)
    intrinsics = torch.tensor([30.0, 40.0, 12.0, 8.0], dtype=torch.float64)
    return Camera(
        world_from_camera=se3_exp(twist),
        intrinsics=intrinsics * (1 + torch.rand(num_views, 4, dtype=torch.float64)),
        height=16,
        width=24,
    )


def ring(num_views: int) -> Camera:
    return orbit(
        num_views,
        radius=2.7,
        elevation_radians=0.4,
        hfov_radians=0.9,
        height=16,
        width=24,
    ).to(dtype=torch.float64)


@pytest.mark.parametrize("closed", [False, True])
def test_passes_through_every_camera_exactly(closed: bool) -> None:
    camera = keyframes()
    path = through(camera, 5 * 7 if closed else 4 * 7 + 1, closed=closed)
    met = path[::7]
    torch.testing.assert_close(
        met.world_from_camera, camera.world_from_camera, rtol=0, atol=1e-13
    )
    torch.testing.assert_close(met.intrinsics, camera.intrinsics, rtol=1e-13, atol=0)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("num_views", [1, 2, 3, 50])
def test_rotations_stay_on_the_sphere(closed: bool, num_views: int) -> None:
    path = through(keyframes(), num_views, closed=closed).check()
    R = path.world_from_camera[:, :3, :3]
    torch.testing.assert_close(
        R.mT @ R, torch.eye(3).double().expand_as(R), rtol=0, atol=1e-13
    )
    assert len(path) == num_views
    assert (path.height, path.width) == (16, 24)


@pytest.mark.parametrize("closed", [False, True])
def test_velocity_is_continuous(closed: bool) -> None:
    camera, num_steps = keyframes(), 4000
    path = through(
        camera, 5 * num_steps if closed else 4 * num_steps + 1, closed=closed
    )
    poses = path.world_from_camera
    velocity = se3_log(se3_inverse(poses[:-1]) @ poses[1:]) * num_steps
    jump = (velocity[1:] - velocity[:-1]).abs().amax(dim=-1)
    assert float(jump.max()) < 0.05
    focal = path.intrinsics.log()
    jump = (focal[2:] - 2 * focal[1:-1] + focal[:-2]).abs().max() * num_steps
    assert float(jump) < 0.05


def test_closed_path_joins_end_to_start_smoothly() -> None:
    poses = through(keyframes(), 20000, closed=True).world_from_camera
    chord = se3_log(se3_inverse(poses) @ poses.roll(-1, dims=0)) * 4000
    assert float((chord[-1] - chord[-2]).abs().max()) < 0.05
    assert float((chord[0] - chord[-1]).abs().max()) < 0.05


def test_through_a_ring_it_is_the_ring() -> None:
    found = through(ring(5), 35, closed=True)
    torch.testing.assert_close(
        found.world_from_camera, ring(35).world_from_camera, rtol=0, atol=1e-6
    )


def test_two_cameras_give_a_screw_motion_of_constant_speed() -> None:
    camera = keyframes(2)
    poses = through(camera, 11).world_from_camera
    chord = se3_log(se3_inverse(poses[:-1]) @ poses[1:])
    torch.testing.assert_close(chord, chord[:1].expand_as(chord), rtol=0, atol=1e-12)


def test_world_frame_and_order_of_cameras_do_not_matter() -> None:
    camera = keyframes()
    world = se3_exp(torch.tensor([1.0, -2.0, 0.5, 3.0, 4.0, 5.0], dtype=torch.float64))
    other = Camera(
        world_from_camera=world @ camera.world_from_camera,
        intrinsics=camera.intrinsics,
        height=16,
        width=24,
    )
    path = through(camera, 33)
    torch.testing.assert_close(
        through(other, 33).world_from_camera,
        world @ path.world_from_camera,
        rtol=0,
        atol=1e-12,
    )
    back = through(camera[[4, 3, 2, 1, 0]], 33)
    for name in ("world_from_camera", "intrinsics"):
        torch.testing.assert_close(
            getattr(back, name), getattr(path, name).flip(0), rtol=0, atol=1e-11
        )


def test_focal_lengths_between_two_cameras_are_geometric() -> None:
    camera = keyframes(2)
    middle = through(camera, 3).intrinsics[1]
    a, b = camera.intrinsics
    torch.testing.assert_close(middle[:2], (a[:2] * b[:2]).sqrt())
    torch.testing.assert_close(middle[2:], (a[2:] + b[2:]) / 2)


def test_half_a_turn_between_cameras_is_no_obstacle() -> None:
    camera = ring(2)
    path = through(camera, 9).check()
    torch.testing.assert_close(
        path.world_from_camera[[0, -1]], camera.world_from_camera, rtol=0, atol=1e-6
    )


def test_one_camera_is_repeated_and_none_refused() -> None:
    camera = keyframes(1)
    path = through(camera, 4)
    assert torch.equal(path.world_from_camera, camera.world_from_camera.expand(4, 4, 4))
    for cameras, num_views in [(0, 4), (3, 0)]:
        message = f"path of {num_views} views through {cameras} cameras"
        with pytest.raises(CameraError, match=message):
            through(keyframes(3)[:cameras], num_views)


def test_slightly_skewed_float32_poses_give_clean_ones() -> None:
    camera = keyframes().to(dtype=torch.float32)
    path = through(camera, 9)
    assert path.world_from_camera.dtype == torch.float32
    assert math.isclose(
        float((path[::2].center - camera.center).abs().max()),
        0,
        abs_tol=1e-6,
    )
