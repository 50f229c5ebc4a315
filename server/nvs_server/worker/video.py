"""A scene and a camera path to an mp4, frame by frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from nvs.cameras import Camera, parse_camera_path
from nvs.errors import ConfigError, about
from nvs.files import file_sha256
from nvs.scene import Scene
from nvs.scene.paths import scene_orbit, scene_spiral, scene_walk
from nvs.scene.pictures import to_uint8
from nvs.scene.video import write_video
from nvs_server.backends.base import Stage, Trajectory, VideoFile, VideoOrder
from nvs_server.worker.models import Model

FPS = 30.0
GROUP = 4
"""Frames rendered at once: few, so that renders in between do not wait for long."""

Tick = Callable[[Stage, float], None]


def video(model: Model, scene: Scene, order: VideoOrder, tick: Tick) -> VideoFile:
    """Render the camera path and write the file.

    Args:
        model: The weights that built the scene.
        scene: The scene.
        order: What to render.
        tick: Called after each group of frames; may raise to end it.

    Raises:
        CameraError: If the path or the size cannot be rendered.
        ConfigError: If the order is not one path with a frame rate.
        OutputError: If the file cannot be written.
    """
    camera, fps = _path(scene, order)

    def frames() -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        for start in range(0, len(camera), GROUP):
            images = model.renderer.render(scene, camera[start : start + GROUP])
            yield from to_uint8(images)
            tick("rendering", min(start + GROUP, len(camera)) / len(camera))

    num_frames = write_video(order.output, frames(), fps=fps)
    tick("storing", 0.0)
    return VideoFile(
        path=order.output,
        sha256=file_sha256(order.output),
        num_bytes=order.output.stat().st_size,
        num_frames=num_frames,
        height=order.height,
        width=order.width,
        fps=fps,
    )


def _path(scene: Scene, order: VideoOrder) -> tuple[Camera, float]:
    if order.fps is not None and not 0 < order.fps < math.inf:
        raise ConfigError(
            f"fps is {order.fps}", remedy="Give a positive number of frames a second."
        )
    if (order.trajectory is None) == (order.camera_path is None):
        raise ConfigError(
            "a video has a trajectory or a camera path", remedy="Give one of them."
        )
    if order.camera_path is not None:
        return _read_path(order.camera_path, order)
    assert order.trajectory is not None, "one of them is given"
    return _follow(scene, order.trajectory, order), order.fps or FPS


def _follow(scene: Scene, trajectory: Trajectory, order: VideoOrder) -> Camera:
    height, width, num_frames = order.height, order.width, trajectory.num_frames
    if num_frames < 1:
        raise ConfigError(
            f"num_frames is {num_frames}", remedy="Ask for one or more frames."
        )
    if trajectory.kind == "spiral":
        return scene_spiral(scene, num_frames, height=height, width=width)
    if trajectory.kind == "walk":
        return scene_walk(scene, num_frames, height=height, width=width)
    if not 0 < trajectory.zoom < math.inf:
        raise ConfigError(
            f"zoom is {trajectory.zoom}", remedy="Give a positive factor."
        )
    degrees = trajectory.elevation_degrees
    return scene_orbit(
        scene,
        num_frames,
        height=height,
        width=width,
        elevation_radians=None if degrees is None else math.radians(degrees),
        zoom=trajectory.zoom,
    )


def _read_path(path: Mapping[str, Any], order: VideoOrder) -> tuple[Camera, float]:
    """The cameras of a path, and its frame rate unless the order has one."""
    if order.fps is not None:
        path = {**path, "fps": order.fps}
    with about("the camera path"):
        read = parse_camera_path(path, height=order.height, width=order.width)
    return read.camera, read.fps
