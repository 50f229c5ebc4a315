"""Prepared views to a scene file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nvs.api.jobs import JobStage
from nvs.errors import DatasetError
from nvs.files import file_sha256
from nvs_server.backends.base import BuildOrder
from nvs_server.backends.prepared import read_views
from nvs_server.storage.records import SceneFile
from nvs_server.worker.models import Served

Tick = Callable[[JobStage, float], None]


def build(model: Served, order: BuildOrder, tick: Tick) -> SceneFile:
    """Prefill the views and write the scene file.

    Args:
        model: The weights.
        order: What to build.
        tick: Called at each step of the work; may raise to end it.

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
    scene = model.renderer.prefill(
        views,
        framing=order.framing,
        progress=lambda done, total: tick("prefill", done / total),
    )
    tick("storing", 0.0)
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
    )
