from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nvs.cameras import Camera, project, unproject
from nvs.errors import ConfigError
from nvs.scene.resize import CoverCrop, fitting_size, on_white

SIDE = st.integers(8, 400)


def camera(height: int, width: int) -> Camera:
    return Camera(
        world_from_camera=torch.eye(4, dtype=torch.float64)[None],
        intrinsics=torch.tensor([[300.0, 310.0, width / 2, height / 2]]).double(),
        height=height,
        width=width,
    )


@given(st.tuples(SIDE, SIDE), st.tuples(SIDE, SIDE))
def test_plan_covers_and_centres(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    plan = CoverCrop.plan(source, target)
    assert plan.scaled_height >= target[0]
    assert plan.scaled_width >= target[1]
    assert target[0] == plan.scaled_height or target[1] == plan.scaled_width
    assert abs(2 * plan.top + plan.height - plan.scaled_height) <= 1
    assert abs(2 * plan.left + plan.width - plan.scaled_width) <= 1


@given(st.tuples(SIDE, SIDE), st.tuples(SIDE, SIDE))
def test_camera_maps_corners_as_the_pixels_move(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    before = camera(*source)
    plan = CoverCrop.plan(source, target)
    after = plan.camera(before)
    corners = torch.tensor(
        [[0.0, 0.0], [source[1], source[0]], [source[1], 0.0]], dtype=torch.float64
    )[None]
    points = unproject(before, corners, torch.ones(1, 3, dtype=torch.float64))
    found, _ = project(after, points)
    scale = torch.tensor(
        [plan.scaled_width / source[1], plan.scaled_height / source[0]],
        dtype=torch.float64,
    )
    expected = corners * scale - torch.tensor([plan.left, plan.top])
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


def test_same_size_leaves_pixels_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    found = CoverCrop.plan((16, 24), (16, 24)).image(pixels)
    np.testing.assert_array_equal(found, pixels.astype(np.float32) / 255)


def test_centre_of_mass_stays_where_the_camera_says() -> None:
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[28:36, 50:58] = 255
    plan = CoverCrop.plan((60, 80), (24, 24))
    weight = plan.image(pixels)[..., 0]
    y, x = np.mgrid[:24, :24] + 0.5
    found = ((weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum())
    scale = plan.scaled_height / 60
    assert found[0] == pytest.approx(54 * scale - plan.left, abs=0.05)
    assert found[1] == pytest.approx(32 * scale - plan.top, abs=0.05)


def test_alpha_is_composited_on_white() -> None:
    pixels = np.array([[[255, 0, 0, 255], [255, 0, 0, 0]]], np.uint8)
    np.testing.assert_allclose(on_white(pixels), [[[1, 0, 0], [1, 1, 1]]])


@pytest.mark.parametrize(
    ("source", "longest", "expected"),
    [
        ((540, 960), None, (536, 960)),
        ((1920, 1080), 256, (256, 144)),
        ((512, 512), 128, (128, 128)),
        ((100, 100), 100, (96, 96)),
    ],
)
def test_fitting_size(
    source: tuple[int, int], longest: int | None, expected: tuple[int, int]
) -> None:
    assert fitting_size(source, longest_px=longest, patch_size=8) == expected


def test_too_small_is_refused() -> None:
    with pytest.raises(ConfigError, match="smaller than one patch of 8"):
        fitting_size((1000, 10), longest_px=100, patch_size=8)
