"""Uploaded scene files: checked against the weights that are to render them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nvs.api.system import Model
from nvs.errors import SceneFileError
from nvs.scene import Scene
from nvs_server.backends import wire
from nvs_server.backends.base import InspectedScene
from nvs_server.backends.settings import FastWeightShapes
from nvs_server.inspector.pictures import write_input
from nvs_server.storage.records import SceneFile

REMEDY = "Give a file that `nvs build` wrote."
MAX_SIDE_PX = 2**14
MAX_THUMBNAIL_PX = 512


def inspect_scene(
    path: Path,
    sha256: str,
    output: Path,
    *,
    models: Sequence[dict[str, Any]],
    shapes: Sequence[dict[str, Any]],
) -> InspectedScene:
    """Check a scene file and write thumbnails of its inputs.

    Args:
        path: The file.
        sha256: Of its bytes.
        output: Folder for the thumbnails; made if absent.
        models: JSON of each `Model` that is served.
        shapes: JSON of each one's `FastWeightShapes`.

    Raises:
        SceneFileError: If it is damaged, no served weights built it, or it does not
            fit them.
        CameraError: If its cameras are unusable.
    """
    scene = Scene.load(path)
    known = [wire.from_json(Model, model) for model in models]
    digests = [model.digest for model in known]
    if scene.model_digest not in digests:
        raise SceneFileError(
            f"the scene was built with {str(scene.model_id)[:80]!r}, which is not "
            "served here",
            remedy=f"Build it with {' or '.join(model.id for model in known)}.",
        )
    place = digests.index(scene.model_digest)
    _check(scene, wire.from_json(FastWeightShapes, shapes[place]))
    scene.input_camera.check(scene.input_names)
    output.mkdir(parents=True, exist_ok=True)
    inputs = tuple(
        write_input(output, index, name, camera, thumbnail.numpy(), thumbnail_only=True)
        for index, (name, camera, thumbnail) in enumerate(
            zip(scene.input_names, scene.input_camera, scene.thumbnail, strict=True)
        )
    )
    file = SceneFile(
        sha256=sha256,
        num_bytes=path.stat().st_size,
        weights=known[place].id,
        model_digest=scene.model_digest,
        height=scene.height,
        width=scene.width,
        num_views=len(inputs),
    )
    return InspectedScene(file=file, inputs=inputs)


def _check(scene: Scene, expected: FastWeightShapes) -> None:
    matrices = {tuple(tuple(w.shape) for w in block) for block in scene.fast_weights}
    weights = [w for block in scene.fast_weights for w in block]
    if len(scene.fast_weights) != expected.num_blocks or matrices != {
        expected.matrices
    }:
        raise SceneFileError(
            "the fast weights of the scene do not fit the weights it names",
            remedy=REMEDY,
        )
    if not all(w.dtype.is_floating_point and w.isfinite().all() for w in weights):
        raise SceneFileError(
            "the fast weights of the scene are not all finite numbers", remedy=REMEDY
        )
    if not scene.input_names:
        raise SceneFileError("the scene has no inputs", remedy=REMEDY)
    sides = scene.thumbnail.shape[1:3]
    if (
        not 1 <= min(sides) <= max(sides) <= MAX_THUMBNAIL_PX
        or max(scene.height, scene.width) > MAX_SIDE_PX
    ):
        raise SceneFileError(
            "the thumbnails or sizes of the scene are not as they are written",
            remedy=REMEDY,
        )
