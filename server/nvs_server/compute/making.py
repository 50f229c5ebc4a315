"""What a worker makes: a scene file of prepared views, a video of a scene."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from nvs.api.framing import HeldOut
from nvs.api.jobs import JobStage
from nvs.api.renders import (
    AsCaptured,
    FollowPath,
    Orbit,
    Spiral,
    VideoRequest,
    Walk,
)
from nvs.cameras import Camera, parse_camera_path
from nvs.errors import DatasetError, about
from nvs.files import file_sha256
from nvs.parallel.group import Group
from nvs.scene import Scene
from nvs.scene.framing import is_unframed
from nvs.scene.holdout import Comparison, compare
from nvs.scene.paths import scene_path
from nvs.scene.pictures import to_uint8, write_png
from nvs.scene.video import write_video
from nvs_server.compute.expected import expectation
from nvs_server.compute.models import Served
from nvs_server.compute.orders import BuildOrder, VideoOrder
from nvs_server.compute.prepared import read_views
from nvs_server.storage.records import SceneFile, VideoFile

Tick = Callable[[JobStage, float], None]
FPS = 30.0
GROUP = 4
"""Frames a device renders at once, and views it works on at once if others may wait for
it: few, so that renders in between do not wait for long."""


def build(
    model: Served, order: BuildOrder, tick: Tick, group: Group
) -> SceneFile | None:
    """Prefill the views and write the scene file.

    Args:
        model: The weights.
        order: What to build.
        tick: Called at each step of the work; may raise to end it.
        group: Who builds it together; the first alone if there are fewer views.

    Returns:
        The file, on the first rank.

    Raises:
        DatasetError: If there are more views than are served.
        CameraError, ConfigError: If the views do not fit the weights or the framing.
        OutputError: If the file cannot be written.
    """
    tick("prefill", 0.0)
    views = read_views(order.views)
    if len(views) > model.info.max_views:
        raise DatasetError(
            f"there are {len(views)} views, over the limit of {model.info.max_views}",
            remedy="Choose fewer views.",
        )
    if len(views) < group.size:
        if not group.is_first:
            return None
        group = Group.alone(group.device)
    renderer = model.renderer.among(group)
    part = group.part(len(views), "views")
    own = views[part.start : part.stop]
    framing = renderer.frame(own, order.framing, up=order.up)
    most = renderer.group_size(views.camera.height, views.camera.width)
    scene = renderer.prefill(
        own,
        framing=framing,
        group_size=most if group.size == 1 else min(most, GROUP),
        progress=lambda done, total: tick("prefill", done / total),
    )
    if not group.is_first:
        return None
    compared: Comparison | None = None
    if order.held_out is not None:
        tick("rendering", 0.0)
        compared = compare(
            renderer,
            scene,
            views,
            read_views(order.held_out),
            progress=lambda done, total: tick("rendering", done / total),
        )
    tick("storing", 0.0)
    if compared is not None and order.sheet is not None:
        write_png(order.sheet, compared.picture)
    # Where weights lie on this machine is nobody else's business.
    replace(scene, weights_hint=None).save(order.output)
    return SceneFile(
        sha256=file_sha256(order.output),
        num_bytes=order.output.stat().st_size,
        weights=model.info.id,
        model_digest=model.info.digest,
        height=scene.height,
        width=scene.width,
        num_views=len(views),
        up=scene.up,
        unframed=is_unframed(scene.normalisation, views.camera, renderer.trained_on),
        expectation=expectation(framing, views.names, model.info.id),
        held_out=None if compared is None else HeldOut.model_validate(compared),
        sheet_sha256=None if order.sheet is None else file_sha256(order.sheet),
    )


def video(
    model: Served, scene: Scene, order: VideoOrder, tick: Tick, group: Group
) -> VideoFile | None:
    """Render the way of the camera and write the file.

    Args:
        model: The weights that built the scene.
        scene: The scene.
        order: What to render.
        tick: Called after each group of frames; may raise to end it.
        group: To whom the frames are dealt.

    Returns:
        The file, on the first rank.

    Raises:
        CameraError: If the way or the size cannot be rendered.
        OutputError: If the file cannot be written.
    """
    if order.up is not None:
        scene = replace(scene, up=order.up)
    camera, fps = _way(scene, order.request)
    renderer = model.renderer.among(group)
    most = GROUP * group.size

    def frames() -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        for start in range(0, len(camera), most):
            end = min(start + most, len(camera))
            yield from renderer.render_dealt(scene, camera[start:end], to_uint8)
            tick("rendering", end / len(camera))

    if not group.is_first:
        deque(frames(), maxlen=0)
        return None
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
        case AsCaptured() | Orbit() as turn:
            degrees = turn.elevation_degrees
            camera = scene_path(
                scene,
                turn.num_frames,
                **size,
                path=turn.kind,
                elevation_radians=None if degrees is None else math.radians(degrees),
                zoom=turn.zoom,
            )
        case Spiral() | Walk() as way:
            camera = scene_path(scene, way.num_frames, **size, path=way.kind)
    return camera, fps
