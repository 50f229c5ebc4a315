"""Photographs as a phone would take them: the sample on a papered floor in a room."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from nvs.assets import SAMPLE
from nvs.cameras import Camera, rays
from nvs.scene.datasets import read_dataset

LOWEST, HIGHEST = np.array([-5.0, -5.0, -1.0]), np.array([5.0, 5.0, 4.0])
"""Corners of the room; the sample stands on its floor."""


@cache
def wallpaper(seed: int, size: int = 1024) -> UInt8[np.ndarray, "height width 3"]:
    """Blobs of all sizes."""
    random = np.random.default_rng(seed)
    paper: Any = sum(
        cv2.resize(
            random.random((n, n, 3)), (size, size), interpolation=cv2.INTER_CUBIC
        )
        for n in (8, 32, 96, 256)
    )
    return np.rint(255 * np.clip(paper / 4 * 2 - 0.5, 0, 1)).astype(np.uint8)


def papered_room(
    camera: Camera, lowest: Any, highest: Any
) -> UInt8[np.ndarray, "height width 3"]:
    """What one camera sees inside a box: each ray meets one of six papered walls."""
    origin, direction = (ray[0].permute(1, 2, 0).numpy() for ray in rays(camera))
    wall_at = np.where(direction > 0, highest, lowest)
    with np.errstate(divide="ignore"):
        distance = (wall_at - origin) / direction
    axis = distance.argmin(axis=-1)
    point = origin + distance.min(axis=-1, keepdims=True) * direction
    image = np.zeros((camera.height, camera.width, 3), np.uint8)
    for wall in range(6):
        on_wall = (direction[..., wall // 2] > 0) == bool(wall % 2)
        on_wall &= axis == wall // 2
        sides = [side for side in range(3) if side != wall // 2]
        u, v = (
            ((point[..., side] + 3) / 6 * 1023).astype(np.float32) for side in sides
        )
        paper = cv2.remap(
            *(wallpaper(wall), u, v, cv2.INTER_LINEAR), borderMode=cv2.BORDER_REFLECT
        )
        image[on_wall] = paper[on_wall]
    return image


def sample_photographs(
    scale: int = 1,
) -> Iterator[
    tuple[Camera, UInt8[np.ndarray, "height width 3"], Bool[np.ndarray, "height width"]]
]:
    """Camera, photograph and silhouette of each view of the sample, on the floor.

    Args:
        scale: How many times larger than the sample's renders.
    """
    for frame in read_dataset(SAMPLE).frames:
        pixels = cv2.resize(
            frame.pixels(), None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
        )
        camera = frame.camera.resized(*pixels.shape[:2])
        room = papered_room(camera, LOWEST, HIGHEST)
        room = (room + 2.0 * room.mean(axis=-1, keepdims=True)) / 3  # duller
        alpha = pixels[..., 3:] / 255
        image = alpha * pixels[..., :3] + (1 - alpha) * room
        yield camera, np.rint(image).astype(np.uint8), alpha[..., 0] >= 0.5
