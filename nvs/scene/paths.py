"""Camera paths that suit a scene, in the user's world."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera, orbit, spiral, through
from nvs.cameras.aggregate import look_at_point
from nvs.errors import CameraError, ConfigError
from nvs.scene.resize import CoverCrop
from nvs.scene.scene import Scene

PathName = Literal["auto", "orbit", "spiral", "walk"]
ALL_ROUND_DEGREES = 180.0
"""Widest gap between the directions of views that still surround what they look at."""


def scene_path(
    scene: Scene,
    num_views: int,
    *,
    height: int,
    width: int,
    path: str = "auto",
    elevation_radians: float | None = None,
    zoom: float = 1.0,
) -> Camera:
    """A camera path by name; `auto` is the one that follows the capture.

    Args:
        scene: The scene.
        num_views: Number of views.
        height: Image height in pixels.
        width: Image width in pixels.
        path: `auto` (see `usual_path`), `orbit`, `spiral` or `walk`.
        elevation_radians: Of an orbit; see `scene_orbit`.
        zoom: Of an orbit.

    Raises:
        ConfigError: If there is no path of the name.
        CameraError: If the scene has no such path.
    """
    size = {"height": height, "width": width}
    match usual_path(scene) if path == "auto" else path:
        case "orbit":
            return scene_orbit(
                scene, num_views, **size, elevation_radians=elevation_radians, zoom=zoom
            )
        case "spiral":
            return scene_spiral(scene, num_views, **size)
        case "walk":
            return scene_walk(scene, num_views, **size)
        case _:
            raise ConfigError(
                f"there is no path {path!r}",
                remedy=f"Use {', '.join(get_args(PathName))}.",
            )


def usual_path(scene: Scene) -> Literal["orbit", "walk"]:
    """The path that stays where the inputs were.

    An orbit, if their optical axes meet and, seen from above, no half of the circle
    about that point is without one of them; otherwise a walk through them.
    """
    inputs, up = _in_model(scene)
    try:
        offset = inputs.center - look_at_point(inputs)
    except CameraError:
        return "walk"
    across = offset - (offset @ up)[:, None] * up
    x = torch.linalg.cross(up, torch.eye(3, dtype=up.dtype)[up.abs().argmin()])
    y = torch.linalg.cross(up, x)
    azimuth = torch.rad2deg(torch.atan2(across @ y, across @ x)).sort().values
    gap = (azimuth.roll(-1) - azimuth) % 360
    return "orbit" if float(gap.max()) < ALL_ROUND_DEGREES else "walk"


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
    inputs, up = _in_model(scene)
    center = look_at_point(inputs)
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


def _in_model(scene: Scene) -> tuple[Camera, Float[Tensor, "3"]]:
    """Inputs and up axis where the network works: float64, near the origin."""
    normalisation = scene.normalisation
    rotation = normalisation.model_from_world[:3, :3] / normalisation.scale
    up = rotation @ torch.tensor(scene.up, dtype=torch.float64)
    return normalisation.apply(scene.input_camera.to(dtype=torch.float64)), up


def _median_hfov(scene: Scene, height: int, width: int) -> float:
    camera = _at_size(scene.input_camera, height, width)
    return 2 * math.atan(width / (2 * float(camera.intrinsics[:, 0].median())))


def _at_size(camera: Camera, height: int, width: int) -> Camera:
    """The cameras for another image size, covering it as images are resized."""
    plan = CoverCrop.plan((camera.height, camera.width), (height, width))
    return plan.camera(camera)
