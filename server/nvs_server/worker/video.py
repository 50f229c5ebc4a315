"""A scene and the way of a camera to an mp4, frame by frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import UInt8

from nvs.api.jobs import JobStage
from nvs.api.renders import FollowPath, Orbit, Spiral, VideoRequest, Walk
from nvs.cameras import Camera, parse_camera_path
from nvs.errors import about
from nvs.files import file_sha256
from nvs.scene import Scene
from nvs.scene.paths import scene_orbit, scene_spiral, scene_walk
from nvs.scene.pictures import to_uint8
from nvs.scene.video import write_video
from nvs_server.backends.base import VideoOrder
from nvs_server.storage.records import VideoFile
from nvs_server.worker.models import Served

FPS = 30.0
GROUP = 4
"""Frames rendered at once: few, so that renders in between do not wait for long."""

Tick = Callable[[JobStage, float], None]


def video(model: Served, scene: Scene, order: VideoOrder, tick: Tick) -> VideoFile:
    """Render the way of the camera and write the file.

    Args:
        model: The weights that built the scene.
        scene: The scene.
        order: What to render.
        tick: Called after each group of frames; may raise to end it.

    Raises:
        CameraError: If the way or the size cannot be rendered.
        OutputError: If the file cannot be written.
    """
    camera, fps = _way(scene, order.request)

    def frames() -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        for start in range(0, len(camera), GROUP):
            images = model.renderer.render(scene, camera[start : start + GROUP])
            yield from to_uint8(images)
            tick("rendering", min(start + GROUP, len(camera)) / len(camera))

    num_frames = write_video(order.output, frames(), fps=fps)
    tick("storing", 0.0)
    return VideoFile(
        sha256=file_sha256(order.output),
        num_bytes=order.output.stat().st_size,
        num_frames=num_frames,
        height=camera.height,
        width=camera.width,
        fps=fps,
    )


def _way(scene: Scene, request: VideoRequest) -> tuple[Camera, float]:
    """The cameras, and the frame rate: that of a camera path unless one is given."""
    size = {"height": request.height, "width": request.width}
    fps = request.fps or FPS
    match request.trajectory:
        case FollowPath(camera_path=path):
            with about("the camera path"):
                read = parse_camera_path(path.model_dump(), **size)
            return read.camera, request.fps or read.fps
        case Orbit(num_frames=num_frames, elevation_degrees=degrees, zoom=zoom):
            elevation = None if degrees is None else math.radians(degrees)
            return (
                scene_orbit(
                    scene, num_frames, elevation_radians=elevation, zoom=zoom, **size
                ),
                fps,
            )
        case Spiral(num_frames=num_frames):
            return scene_spiral(scene, num_frames, **size), fps
        case Walk(num_frames=num_frames):
            return scene_walk(scene, num_frames, **size), fps
