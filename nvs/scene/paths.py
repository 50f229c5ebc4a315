"""Camera paths that suit a scene, in the user's world."""

from __future__ import annotations

import math

import torch

from nvs.cameras import Camera, orbit, spiral, through
from nvs.cameras.aggregate import look_at_point
from nvs.errors import CameraError
from nvs.scene.resize import CoverCrop
from nvs.scene.scene import Scene


def scene_orbit(
    scene: Scene,
    num_views: int,
    *,
    height: int,
    width: int,
    elevation_radians: float | None = None,
    zoom: float = 1.0,
) -> Camera:
    """One turn around what the input cameras look at, at their median distance.

    Args:
        scene: The scene.
        num_views: Number of views.
        height: Image height in pixels.
        width: Image width in pixels.
        elevation_radians: Angle above the horizon; the inputs' median if absent.
        zoom: Factor on the inputs' median focal length.

    Raises:
        CameraError: If the inputs look at no common point; use a spiral then.
    """
    inputs = scene.normalisation.apply(scene.input_camera.to(dtype=torch.float64))
    center = look_at_point(inputs)
    rotation = scene.normalisation.model_from_world[:3, :3] / scene.normalisation.scale
    up = rotation @ torch.tensor(scene.up, dtype=torch.float64)
    offset = inputs.center - center
    distance = offset.norm(dim=-1)
    if elevation_radians is None:
        sine = (offset @ up / distance).clamp(-1, 1)
        elevation_radians = float(torch.asin(sine).median())
    around = orbit(
        num_views,
        radius=float(distance.median()),
        elevation_radians=elevation_radians,
        hfov_radians=_median_hfov(scene, height, width),
        height=height,
        width=width,
        zoom=zoom,
        center=center.tolist(),
        up=up.tolist(),
    )
    return scene.normalisation.invert(around)


def scene_spiral(scene: Scene, num_views: int, *, height: int, width: int) -> Camera:
    """Views on a spiral around the mean input camera, for forward-facing scenes.

    Raises:
        CameraError: If the inputs have no mean camera.
    """
    return spiral(_at_size(scene.input_camera, height, width), num_views)


def scene_walk(scene: Scene, num_views: int, *, height: int, width: int) -> Camera:
    """Views along a smooth path through the input cameras, in their order."""
    return through(_at_size(scene.input_camera, height, width), num_views)


def scene_input(scene: Scene, index: int, *, height: int, width: int) -> Camera:
    """The camera of an input view, as a batch of one.

    Raises:
        CameraError: If there is no such view.
    """
    count = len(scene.input_camera)
    if not 0 <= index < count:
        raise CameraError(
            f"there is no input view {index}", remedy=f"Choose from 0 to {count - 1}."
        )
    return _at_size(scene.input_camera[[index]], height, width)


def _median_hfov(scene: Scene, height: int, width: int) -> float:
    camera = _at_size(scene.input_camera, height, width)
    return 2 * math.atan(width / (2 * float(camera.intrinsics[:, 0].median())))


def _at_size(camera: Camera, height: int, width: int) -> Camera:
    """The cameras for another image size, covering it as images are resized."""
    plan = CoverCrop.plan((camera.height, camera.width), (height, width))
    return plan.camera(camera)
