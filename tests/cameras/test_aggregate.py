from __future__ import annotations

import pytest
import torch

from nvs.cameras import Camera, orbit
from nvs.cameras.aggregate import check_extent, look_at_point, mean_pose
from nvs.errors import CameraError


def facing(eyes: list[list[float]], target: list[float]) -> Camera:
    """Cameras at `eyes` looking at `target`, y down."""
    return Camera.look_at(
        torch.tensor(eyes, dtype=torch.float64),
        torch.tensor([target], dtype=torch.float64),
        up=torch.tensor([[0.0, -1.0, 0.0]], dtype=torch.float64),
        hfov_radians=1.0,
        height=8,
        width=8,
    )


def test_mean_pose_of_one_camera_is_that_camera() -> None:
    camera = facing([[1.0, 2.0, -3.0]], [0.3, 0.2, 0.1])
    torch.testing.assert_close(mean_pose(camera), camera.world_from_camera[0])


def test_mean_pose_of_a_mirrored_pair_looks_straight_ahead() -> None:
    camera = facing([[-1.0, 0.0, -2.0], [1.0, 0.0, -2.0]], [0.0, 0.0, 0.0])
    expected = torch.eye(4, dtype=torch.float64)
    expected[2, 3] = -2
    torch.testing.assert_close(mean_pose(camera), expected)


def test_mean_pose_follows_the_published_recipe_and_is_a_rotation() -> None:
    camera = facing(
        torch.randn(7, 3).sub(torch.tensor([0, 0, 5.0])).tolist(), [0, 0, 0]
    )
    pose = mean_pose(camera)
    x, y, z, center = pose[:3].unbind(-1)
    torch.testing.assert_close(center, camera.center.mean(0))
    torch.testing.assert_close(
        z, torch.nn.functional.normalize(camera.forward.mean(0), dim=0)
    )
    mean_y = camera.world_from_camera[:, :3, 1].mean(0)
    flat = mean_y - (mean_y @ z) * z
    torch.testing.assert_close(y, flat / flat.norm())
    torch.testing.assert_close(x, torch.linalg.cross(y, z))
    camera_like = Camera(
        world_from_camera=pose[None], intrinsics=torch.ones(1, 4), height=1, width=1
    )
    camera_like.check()


def test_mean_pose_refuses_opposite_views() -> None:
    camera = facing([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]], [0.0, 0.0, 0.0])
    with pytest.raises(CameraError, match=r"directions of 2 views cancel out.*framing"):
        mean_pose(camera)


def test_mean_pose_refuses_a_full_ring() -> None:
    camera = orbit(
        8, radius=2.0, elevation_radians=0.5, hfov_radians=1.0, height=8, width=8
    )
    with pytest.raises(CameraError, match="roll is undefined"):
        mean_pose(camera)


def test_look_at_point_is_where_axes_meet_however_far_away() -> None:
    target = [1e4, 2e4, -3e4]
    eyes = torch.tensor(target) + torch.randn(5, 3) * torch.tensor([3, 1, 3])
    point = look_at_point(facing(eyes.tolist(), target))
    torch.testing.assert_close(
        point, torch.tensor(target, dtype=torch.float64), rtol=0, atol=1e-8
    )


def test_look_at_point_minimises_the_squared_distances() -> None:
    camera = facing(
        torch.randn(6, 3).sub(torch.tensor([0, 0, 5.0])).tolist(), [0, 0, 0]
    )
    camera.world_from_camera[:, :3, 3] += torch.randn(6, 3, dtype=torch.float64) / 5
    point = look_at_point(camera).requires_grad_()
    away = torch.linalg.cross(point - camera.center, camera.forward)
    away.square().sum().backward()
    assert point.grad is not None
    torch.testing.assert_close(
        point.grad, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-12
    )


def test_look_at_point_refuses_parallel_axes_and_a_single_view() -> None:
    camera = facing([[0.0, 0.0, -1.0]], [0.0, 0.0, 0.0])
    with pytest.raises(CameraError, match="optical axis of one view meets no other"):
        look_at_point(camera)
    with pytest.raises(CameraError, match="optical axes of 2 views are parallel"):
        look_at_point(camera[[0, 0]])


def test_look_at_point_refuses_views_that_look_outwards() -> None:
    camera = facing([[-1.0, 0.0, -2.0], [1.0, 0.0, -2.0]], [0.0, 0.0, 0.0])
    camera.world_from_camera[:, :3, 3] *= -1
    with pytest.raises(CameraError, match=r"meet behind 2 of 2 views.*outwards"):
        look_at_point(camera)


def test_check_extent_knows_the_rounding_of_the_centres() -> None:
    camera = facing([[1e6, 0.0, -1.0]], [1e6, 0.0, 0.0])
    check_extent(1e-6, camera)
    with pytest.raises(CameraError, match="all 1 views are in one place"):
        check_extent(0.5, camera.to(dtype=torch.float32))
