"""What a job's stored parameters mean to the backend, and when two jobs are the same.

The parameters of a job are the JSON of its request, with the weights filled in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nvs_server.backends.base import (
    BuildOrder,
    ChosenViews,
    PreparedViews,
    PrepareOrder,
    SampledViews,
    SceneRef,
    Trajectory,
    VideoOrder,
)
from nvs_server.storage.records import FileRecord, SceneRecord


def build_key(
    files: Sequence[FileRecord], model_digest: str, parameters: Mapping[str, Any]
) -> str:
    """Equal for builds that give the same scene: same files, weights, parameters."""
    listed = sorted((file.path, file.sha256) for file in files)
    return _digest(["build", listed, model_digest, parameters])


def video_key(scene_sha256: str, parameters: Mapping[str, Any]) -> str:
    """Equal for videos that would be the same."""
    return _digest(["video", scene_sha256, parameters])


def prepare_order(
    parameters: Mapping[str, Any], folder: Path, output: Path
) -> PrepareOrder:
    """A build's first half: the dataset in `folder` to prepared views in `output`."""
    size = parameters.get("size")
    views = parameters.get("views")
    selection: ChosenViews | SampledViews | None = None
    if views is not None and "indices" in views:
        selection = ChosenViews(indices=tuple(views["indices"]))
    elif views is not None:
        selection = SampledViews(**views)
    return PrepareOrder(
        folder=folder,
        output=output,
        weights=parameters.get("weights"),
        size=(size[0], size[1]) if isinstance(size, list) else size,
        views=selection,
    )


def build_order(
    parameters: Mapping[str, Any], prepared: PreparedViews, output: Path
) -> BuildOrder:
    """A build's second half: prepared views to the scene file `output`."""
    return BuildOrder(
        views=prepared.views,
        output=output,
        weights=prepared.weights,
        framing=parameters.get("framing", "auto"),
    )


def video_order(
    parameters: Mapping[str, Any], scene: SceneRef, output: Path
) -> VideoOrder:
    """A video of a scene, to the file `output`."""
    trajectory = parameters["trajectory"]
    camera_path = trajectory.get("camera_path")
    return VideoOrder(
        scene=scene,
        trajectory=Trajectory(**trajectory) if camera_path is None else None,
        camera_path=camera_path,
        height=parameters["height"],
        width=parameters["width"],
        output=output,
        fps=parameters.get("fps"),
    )


def scene_ref(scene: SceneRecord) -> SceneRef | None:
    """The scene's file, if it has one."""
    if scene.scene_sha256 is None or scene.weights is None:
        return None
    return SceneRef(
        scene_id=scene.id,
        sha256=scene.scene_sha256,
        num_bytes=scene.scene_bytes,
        weights=scene.weights,
    )


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
