"""Undistortion against OpenCV's own projections, and what its result promises."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from nvs.errors import CameraError
from nvs_data.undistort import (
    BrownLens,
    FisheyeLens,
    Intrinsics,
    Lens,
    distort_pixels,
    pinhole_intrinsics,
    undistort,
)

HEIGHT, WIDTH = 90, 120
INTRINSICS: Intrinsics = (100.0, 102.0, 63.0, 42.0)
BROWN = BrownLens(k1=-0.15, k2=0.03, p1=0.004, p2=-0.003, k3=0.01)
PINCUSHION = BrownLens(k1=0.2, p1=-0.002)
FISHEYE = FisheyeLens(k1=0.03, k2=-0.02, k3=0.004, k4=-0.001)
LENSES: list[Lens] = [BROWN, PINCUSHION, FISHEYE]


def _matrix(intrinsics: Intrinsics) -> np.ndarray:
    fx, fy, cx, cy = intrinsics
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


def _opencv_project(points: np.ndarray, lens: Lens) -> np.ndarray:
    """Pixels of points in camera axes, by OpenCV."""
    zero, matrix = np.zeros(3), _matrix(INTRINSICS)
    if isinstance(lens, FisheyeLens):
        k = np.array([lens.k1, lens.k2, lens.k3, lens.k4])
        return cv2.fisheye.projectPoints(points[:, None], zero, zero, matrix, k)[0][
            :, 0
        ]
    k = np.array([lens.k1, lens.k2, lens.p1, lens.p2, lens.k3])
    return cv2.projectPoints(points, zero, zero, matrix, k)[0][:, 0]


def _opencv_rays(pixels: np.ndarray, lens: Lens) -> np.ndarray:
    """Directions (x, y, 1) of pixels of the photograph, by OpenCV."""
    matrix, many = _matrix(INTRINSICS), (cv2.TERM_CRITERIA_COUNT, 100, 0)
    if isinstance(lens, FisheyeLens):
        k = np.array([lens.k1, lens.k2, lens.k3, lens.k4])
        return cv2.fisheye.undistortPoints(pixels[:, None], matrix, k)[:, 0]
    k = np.array([lens.k1, lens.k2, lens.p1, lens.p2, lens.k3])
    rays = cv2.undistortPoints(pixels[:, None], matrix, k, criteria=many)
    return rays[:, 0]


def _centres() -> np.ndarray:
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    return np.stack([x.ravel(), y.ravel()], axis=-1)


def _pinhole(lens: Lens) -> Intrinsics:
    return pinhole_intrinsics(INTRINSICS, lens, HEIGHT, WIDTH)


@pytest.mark.parametrize("lens", LENSES)
def test_points_reproject(lens: Lens) -> None:
    """A point's pinhole pixel, distorted, is where OpenCV projects the point."""
    pinhole = _pinhole(lens)
    rng = np.random.default_rng(0)
    pixels = rng.uniform([0.5, 0.5], [WIDTH - 0.5, HEIGHT - 0.5], (500, 2))
    rays = np.concatenate([pixels, np.ones((500, 1))], axis=-1)
    points = rays @ np.linalg.inv(_matrix(pinhole)).T * rng.uniform(0.5, 50, (500, 1))
    seen = _opencv_project(points, lens)
    found = distort_pixels(pixels, pinhole=pinhole, intrinsics=INTRINSICS, lens=lens)
    np.testing.assert_allclose(found, seen, atol=1e-8)
    back = _opencv_rays(seen, lens) * pinhole[:2] + pinhole[2:]
    np.testing.assert_allclose(back, pixels, atol=1e-4)


@pytest.mark.parametrize("lens", LENSES)
def test_pixels_show_what_their_rays_see(lens: Lens) -> None:
    """Both pictures of one smooth scene, so that half a pixel off would be seen."""

    def scene(rays: np.ndarray) -> np.ndarray:
        x, y = rays.T
        colour = 127.5 + 100 * np.stack([np.sin(5 * x), np.sin(5 * y), np.cos(4 * x)])
        return np.rint(colour.T).astype(np.uint8).reshape(HEIGHT, WIDTH, 3)

    photograph = scene(_opencv_rays(_centres(), lens))
    pinhole = _pinhole(lens)
    expected = scene((_centres() - pinhole[2:]) / pinhole[:2])
    found = undistort(photograph, pinhole=pinhole, intrinsics=INTRINSICS, lens=lens)
    error = np.abs(found.astype(int) - expected)
    assert error.max() <= 3
    assert error.mean() < 0.5


@pytest.mark.parametrize("lens", LENSES)
def test_the_view_is_the_widest_without_borders(lens: Lens) -> None:
    pinhole = _pinhole(lens)

    def outside(scale: float) -> bool:
        fx, fy, cx, cy = pinhole
        wider = (fx * scale, fy * scale, cx, cy)
        source = distort_pixels(
            _centres(), pinhole=wider, intrinsics=INTRINSICS, lens=lens
        )
        limits = np.array([WIDTH, HEIGHT]) - 0.5
        return bool(((source < 0.5 - 1e-3) | (source > limits + 1e-3)).any())

    assert not outside(1.0)
    assert outside(0.999)
    assert pinhole[2:] == INTRINSICS[2:]
    assert pinhole[0] / pinhole[1] == pytest.approx(INTRINSICS[0] / INTRINSICS[1])


@pytest.mark.parametrize("lens", LENSES)
def test_nothing_is_black(lens: Lens) -> None:
    white = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    found = undistort(white, pinhole=_pinhole(lens), intrinsics=INTRINSICS, lens=lens)
    assert found.min() == 255


def test_no_distortion_changes_nothing() -> None:
    lens = BrownLens()
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    assert _pinhole(lens) == pytest.approx(INTRINSICS, rel=2e-6)
    found = undistort(image, pinhole=INTRINSICS, intrinsics=INTRINSICS, lens=lens)
    np.testing.assert_array_equal(found, image)


def test_a_fisheye_is_opened_to_120_degrees_at_most() -> None:
    wide: Intrinsics = (35.0, 35.0, 60.0, 45.0)  # about 190° across
    fx, *_ = pinhole_intrinsics(wide, FisheyeLens(), HEIGHT, WIDTH)
    assert math.degrees(2 * math.atan(60 / fx)) == pytest.approx(120)


def test_colour_does_not_bleed_out_of_transparent_pixels() -> None:
    image = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    image[:, : WIDTH // 2] = (255, 0, 0, 0)
    image[:, WIDTH // 2 :] = (0, 255, 0, 255)
    found = undistort(image, pinhole=_pinhole(BROWN), intrinsics=INTRINSICS, lens=BROWN)
    assert set(np.unique(found[..., 3])) > {0, 255}
    visible = found[found[..., 3] > 0]
    np.testing.assert_array_equal(visible[:, 0], 0)
    assert visible[:, 1].min() >= 250


@pytest.mark.parametrize(
    ("intrinsics", "lens"),
    [
        (INTRINSICS, BrownLens(k1=-50.0)),
        (INTRINSICS, BrownLens(k1=math.nan)),
        (INTRINSICS, BrownLens(k1=1e300)),
        (INTRINSICS, FisheyeLens(k4=-1e6)),
        ((100.0, 100.0, -500.0, 45.0), BROWN),
        ((0.0, 100.0, 60.0, 45.0), BROWN),
        ((1e-300, 100.0, 60.0, 45.0), BROWN),
        ((math.inf, 100.0, 60.0, 45.0), BROWN),
    ],
)
def test_refuses_what_cannot_be_undone(intrinsics: Intrinsics, lens: Lens) -> None:
    with pytest.raises(CameraError, match="no pinhole image fits"):
        pinhole_intrinsics(intrinsics, lens, HEIGHT, WIDTH)
