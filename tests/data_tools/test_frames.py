"""Edited frames: camera and image still say the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nvs.cameras import Camera, orbit
from nvs.errors import ConfigError, ImageError
from nvs.scene.frames import Frame
from nvs_data.frames import resized


def direction_image(camera: Camera) -> np.ndarray:
    """A picture whose red and green tell the slopes of each pixel's ray."""
    fx, fy, cx, cy = camera.intrinsics[0].tolist()
    x = (np.arange(camera.width) + 0.5 - cx) / fx
    y = (np.arange(camera.height) + 0.5 - cy) / fy
    slopes = np.stack([*np.meshgrid(x, y), np.zeros((len(y), len(x)))], axis=-1)
    return np.rint(128 + 200 * slopes).astype(np.uint8)


@pytest.fixture
def frame(tmp_path) -> Frame:
    (camera,) = orbit(
        1, radius=2.7, elevation_radians=0.3, hfov_radians=0.9, height=60, width=90
    ).to(dtype=torch.float64)
    image = direction_image(camera)
    return Frame(
        name="a.png", camera=camera, load=lambda: image, source=tmp_path / "a.png"
    )


@pytest.mark.parametrize("size", [30, (20, 40), (33, 20), 120])
def test_pixels_of_a_resized_frame_keep_their_rays(frame: Frame, size) -> None:
    small = resized(frame, size)
    pixels = small.load().astype(float)
    assert pixels.shape[:2] == (small.camera.height, small.camera.width)
    expected = direction_image(small.camera).astype(float)
    assert np.abs(pixels - expected)[2:-2, 2:-2].max() <= 2
    assert small.source is None


def test_own_size_changes_nothing(frame: Frame) -> None:
    assert resized(frame, 90) is frame
    assert resized(frame, (60, 90)) is frame


def test_impossible_sizes_are_refused(frame: Frame) -> None:
    with pytest.raises(ImageError, match=r"a\.png .* to cover 1×99999"):
        resized(frame, (1, 99_999))
    with pytest.raises(ConfigError, match="larger size"):
        resized(frame, 1)
