from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from nvs.cameras import Camera, orbit, project, spiral
from nvs.cameras.aggregate import mean_pose
from nvs.cameras.se3 import se3_inverse
from nvs.errors import CameraError

ORBIT = {
    "radius": 2.7,
    "elevation_radians": 0.35,
    "hfov_radians": 0.9,
    "height": 24,
    "width": 32,
}


def row(num_views: int = 7) -> Camera:
    """Cameras side by side, y down, all looking at a point 4 ahead."""
    eye = torch.zeros(num_views, 3, dtype=torch.float64)
    eye[:, 0] = torch.linspace(-1, 1, num_views)
    eye[:, 1] = torch.linspace(-1, 1, num_views).abs() / 5
    return Camera.look_at(
        eye,
        torch.tensor([[0.0, 0.0, 4.0]], dtype=torch.float64),
        up=torch.tensor([[0.0, -1.0, 0.0]], dtype=torch.float64),
        hfov_radians=0.8,
        height=16,
        width=24,
    )


def test_orbit_is_look_at_from_a_circle() -> None:
    camera = orbit(10, **ORBIT).check()
    azimuth = torch.arange(10, dtype=torch.float64) * 2 * math.pi / 10
    reach, rise = 2.7 * math.cos(0.35), 2.7 * math.sin(0.35)
    eye = [reach * azimuth.cos(), reach * azimuth.sin(), torch.full_like(azimuth, rise)]
    expected = Camera.look_at(
        torch.stack(eye, dim=-1),
        torch.zeros(1, 3, dtype=torch.float64),
        up=torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64),
        hfov_radians=0.9,
        height=24,
        width=32,
    )
    torch.testing.assert_close(
        camera.world_from_camera, expected.world_from_camera, rtol=0, atol=1e-6
    )
    torch.testing.assert_close(camera.intrinsics, expected.intrinsics)


def test_orbit_equals_the_published_turntables(shared: Path) -> None:
    text = (shared / "data/gso_character/opencv_cameras.json").read_text()
    listing = json.loads(text)
    frames = listing if isinstance(listing, list) else listing["frames"]
    rings = [
        orbit(
            16,
            radius=2.7,
            elevation_radians=math.radians(elevation),
            hfov_radians=math.radians(50),
            height=512,
            width=512,
        )
        for elevation in (0, 20, 40, 60)
    ]
    camera_from_world = torch.linalg.inv(Camera.cat(rings).world_from_camera.double())
    torch.testing.assert_close(
        camera_from_world,
        torch.tensor([frame["w2c"] for frame in frames], dtype=torch.float64),
        rtol=0,
        atol=1e-6,
    )
    assert frames[0]["fx"] == pytest.approx(float(rings[0].intrinsics[0, 0]), rel=1e-6)


@pytest.mark.parametrize("up", [(0, 0, 1), (0, -3, 0), (0, 0, -1), (1, 2, 3)])
def test_orbit_turns_about_any_axis_and_centre(up: tuple[int, ...]) -> None:
    axis, center = torch.tensor(up).double(), torch.tensor([4.0, -5.0, 6.0]).double()
    camera = orbit(9, **ORBIT, up=axis.tolist(), center=center.tolist()).check()
    axis = axis / axis.norm()
    offset = camera.center - center
    torch.testing.assert_close(
        offset @ axis, torch.full_like(offset[:, 0], 2.7 * math.sin(0.35))
    )
    torch.testing.assert_close(offset.norm(dim=-1), torch.full_like(offset[:, 0], 2.7))
    pixel, _ = project(camera, center.expand(9, 1, 3))
    torch.testing.assert_close(pixel, pixel.new_tensor([16.0, 12.0]).expand(9, 1, 2))
    above, _ = project(camera, (center + 0.1 * axis).expand(9, 1, 3))
    torch.testing.assert_close(above[..., 0], pixel[..., 0], rtol=0, atol=1e-4)
    assert (above[..., 1] < pixel[..., 1]).all()


def test_orbit_turns_anticlockwise_from_its_azimuth() -> None:
    camera = orbit(8, **ORBIT)
    later = orbit(8, **ORBIT, azimuth_radians=math.pi / 4)
    torch.testing.assert_close(
        later.world_from_camera, camera.world_from_camera.roll(-1, dims=0)
    )
    assert camera.center[0, 1] == 0
    assert camera.center[1, 1] > 0


@pytest.mark.parametrize("sign", [-1, 1])
def test_orbit_at_the_pole_spins(sign: int) -> None:
    camera = orbit(4, **ORBIT | {"elevation_radians": sign * math.pi / 2}).check()
    expected = camera.center.new_tensor([0.0, 0.0, 2.7 * sign]).expand(4, 3)
    torch.testing.assert_close(camera.center, expected, rtol=0, atol=1e-6)
    assert not torch.allclose(camera.world_from_camera[0], camera.world_from_camera[1])


def test_zoom_multiplies_the_focal_length() -> None:
    near, far = orbit(2, **ORBIT, zoom=2.0), orbit(2, **ORBIT)
    torch.testing.assert_close(near.intrinsics[:, :2], 2 * far.intrinsics[:, :2])
    assert torch.equal(near.intrinsics[:, 2:], far.intrinsics[:, 2:])
    assert torch.equal(near.world_from_camera, far.world_from_camera)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_views": 0}, "number of views of an orbit is 0"),
        ({"radius": 0.0}, "radius of an orbit is 0.0. It must be positive"),
        ({"radius": math.nan}, "radius of an orbit is nan"),
        ({"elevation_radians": 2.0}, "elevation of an orbit is 2.0"),
        ({"hfov_radians": math.pi}, "field of view of an orbit is 3.14"),
        ({"zoom": -1.0}, "zoom of an orbit is -1.0"),
        ({"up": (0.0, 0.0, 0.0)}, "up axis of an orbit is .*not zero"),
        ({"center": (0.0, math.inf, 0.0)}, "center of an orbit is .*inf.*finite"),
    ],
)
def test_orbit_names_the_bad_argument(change: dict[str, Any], message: str) -> None:
    with pytest.raises(CameraError, match=message):
        orbit(**{"num_views": 4} | ORBIT | change)


@pytest.mark.parametrize("focus_distance", [3.0, 9.0])
def test_spiral_looks_at_one_point_ahead_of_the_mean(focus_distance: float) -> None:
    camera = row()
    path = spiral(camera, 40, focus_distance=focus_distance).check()
    ahead = torch.tensor([0.0, 0.0, focus_distance, 1.0], dtype=torch.float64)
    point = (mean_pose(camera) @ ahead)[:3]
    pixel, depth = project(path, point.expand(40, 1, 3))
    middle = torch.tensor([12.0, 8.0], dtype=torch.float64).expand(40, 1, 2)
    torch.testing.assert_close(pixel, middle, rtol=0, atol=1e-9)
    assert (depth > 0).all()


def test_spiral_focuses_where_the_cameras_do() -> None:
    path = spiral(row(), 40)
    target = torch.tensor([0.0, 0.0, 4.0], dtype=torch.float64).expand(40, 1, 3)
    pixel, _ = project(path, target)
    middle = torch.tensor([12.0, 8.0], dtype=torch.float64).expand(40, 1, 2)
    torch.testing.assert_close(pixel, middle, rtol=0, atol=0.02)


def test_spiral_stays_within_the_spread_of_the_cameras() -> None:
    camera = row()
    mean_from_world = se3_inverse(mean_pose(camera))

    def extent(views: Camera) -> torch.Tensor:
        local = views.center @ mean_from_world[:3, :3].T + mean_from_world[:3, 3]
        return local.abs().amax(dim=0)

    path = extent(spiral(camera, 200))
    assert (path <= extent(camera) + 1e-12).all()
    assert (path[:2] >= 0.8 * extent(camera)[:2]).all()


def test_spiral_loops_without_a_jump() -> None:
    path = spiral(row(), 60, turns=3)
    center = path.center
    step = (center.roll(-1, dims=0) - center).norm(dim=-1)
    assert step[-1] <= 1.05 * step.max()
    assert step[-1] <= 1.5 * step[0]


def test_spiral_at_infinity_keeps_all_views_parallel() -> None:
    camera = row()
    path = spiral(camera, 12, focus_distance=math.inf)
    expected = mean_pose(camera)[:3, :3].expand(12, 3, 3)
    torch.testing.assert_close(path.world_from_camera[:, :3, :3], expected)


def test_spiral_averages_intrinsics() -> None:
    camera = row(2)
    camera.intrinsics[:, 0] = torch.tensor([10.0, 40.0])
    camera.intrinsics[:, 2] = torch.tensor([10.0, 13.0])
    found = spiral(camera, 3).intrinsics
    assert found[:, 0].tolist() == pytest.approx([20.0] * 3)
    assert found[:, 2].tolist() == pytest.approx([11.5] * 3)


def test_spiral_names_what_is_missing() -> None:
    camera = row()
    for views, turns in [(0, 2), (10, 0)]:
        with pytest.raises(CameraError, match=f"of {views} views and {turns} turns"):
            spiral(camera, views, turns=turns)
    with pytest.raises(CameraError, match="focus distance of a spiral is -1"):
        spiral(camera, 10, focus_distance=-1.0)
    with pytest.raises(CameraError, match="focus distance of a spiral is nan"):
        spiral(camera, 10, focus_distance=math.nan)
    with pytest.raises(CameraError, match="axes of 2 views are parallel"):
        spiral(camera[[0, 0]], 10)
    with pytest.raises(CameraError, match="all 2 views are in one place"):
        spiral(camera[[0, 0]], 10, focus_distance=4.0)
