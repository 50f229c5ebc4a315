from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nvs.cameras import Camera, project, rays, unproject


def cameras(num_views: int = 3) -> Camera:
    eye = torch.randn(num_views, 3, dtype=torch.float64) * 2
    camera = Camera.look_at(
        eye,
        torch.randn(1, 3, dtype=torch.float64),
        up=torch.tensor([[0.1, 0.2, 1.0]], dtype=torch.float64),
        hfov_radians=1.1,
        height=6,
        width=9,
    )
    stretch = torch.tensor([1.0, 1.3, 0.9, 1.2], dtype=torch.float64)
    return Camera(
        world_from_camera=camera.world_from_camera,
        intrinsics=camera.intrinsics * stretch,
        height=6,
        width=9,
    )


def test_project_undoes_unproject() -> None:
    pixel = torch.rand(3, 50, 2, dtype=torch.float64) * 9
    depth = torch.rand(3, 50, dtype=torch.float64) + 0.1
    camera = cameras()
    found, found_depth = project(camera, unproject(camera, pixel, depth))
    torch.testing.assert_close(found, pixel, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(found_depth, depth, rtol=1e-12, atol=1e-12)


def test_unproject_undoes_project_behind_the_camera_too() -> None:
    camera, points = cameras(), torch.randn(3, 50, 3, dtype=torch.float64) * 5
    pixel, depth = project(camera, points)
    assert (depth < 0).any()
    torch.testing.assert_close(
        unproject(camera, pixel, depth), points, rtol=1e-9, atol=1e-9
    )


def test_points_along_rays_project_to_pixel_centres() -> None:
    camera = cameras()
    origin, direction = rays(camera)
    distance = torch.rand(3, 1, 6, 9, dtype=torch.float64) + 0.5
    points = (origin + distance * direction).flatten(2).mT
    pixel, depth = project(camera, points)
    y, x = torch.meshgrid(torch.arange(6), torch.arange(9), indexing="ij")
    centres = torch.stack([x, y], dim=-1).reshape(1, -1, 2).double() + 0.5
    torch.testing.assert_close(pixel, centres.expand_as(pixel), rtol=0, atol=1e-11)
    assert (depth > 0).all()


def test_rays_start_at_the_camera_with_unit_length() -> None:
    camera = cameras()
    origin, direction = rays(camera)
    assert torch.equal(origin, camera.center[:, :, None, None].expand(3, 3, 6, 9))
    torch.testing.assert_close(direction.norm(dim=1), torch.ones(3, 6, 9).double())


def test_rays_of_a_crop_are_a_crop_of_the_rays() -> None:
    camera = cameras()
    _, direction = rays(camera)
    _, window = rays(camera.cropped(top=2, left=3, height=3, width=4))
    torch.testing.assert_close(window, direction[:, :, 2:5, 3:7], rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["single_head_ttt2x", "two_heads_ttt4x"])
def test_rays_equal_the_published_ones(shared: Path, name: str) -> None:
    fixture = load_file(shared / "fixtures" / "official_parity" / f"{name}.safetensors")
    expected_origin, expected = fixture["target.ray_o"][0], fixture["target.ray_d"][0]
    origin, direction = rays(
        Camera(
            world_from_camera=fixture["target.c2w"][0],
            intrinsics=fixture["target.fxfycxcy"][0],
            height=expected.shape[-2],
            width=expected.shape[-1],
        ).check()
    )
    torch.testing.assert_close(origin, expected_origin, rtol=0, atol=1e-6)
    torch.testing.assert_close(direction, expected, rtol=0, atol=1e-6)
