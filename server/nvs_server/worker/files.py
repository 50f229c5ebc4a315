"""Scenes from the blob store, and the cache that a device calls for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from nvs.errors import SceneFileError
from nvs.scene import Scene
from nvs_server.backends.base import BackendError, SceneDamaged
from nvs_server.backends.settings import WorkerConfiguration
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.errors import BlobDamaged, BlobMissing, StorageError
from nvs_server.storage.records import SceneRef
from nvs_server.worker.models import Models, find_model
from nvs_server.worker.scene_cache import SceneCache, Tier


def scene_cache(
    models: Models, blobs: Blobs, configuration: WorkerConfiguration
) -> SceneCache:
    """An empty cache: device, pinned memory and files, or on the CPU memory and files.

    Args:
        models: The models; all are on one device.
        blobs: Where scene files are.
        configuration: The budgets.
    """

    def place(ref: SceneRef, scene: Scene) -> Scene:
        """A copy that shares nothing with the file, which may go away."""
        renderer = find_model(models, ref.weights).renderer
        dtype = renderer.precision.compute
        return _mapped(scene, lambda w: w.to(renderer.device, dtype, copy=True))

    def size(ref: SceneRef) -> int:
        return find_model(models, ref.weights).scene_bytes

    def read(ref: SceneRef) -> Scene:
        return read_scene(models, blobs, ref)

    host = Tier("host", configuration.host_cache_bytes)
    device = next(iter(models.values())).renderer.device
    if device.type == "cpu":
        return SceneCache(host, read=read, place=place, size=size)
    return SceneCache(
        Tier("device", configuration.device_cache_bytes),
        read=read,
        place=place,
        size=size,
        middle=host,
        keep=lambda scene: _mapped(scene, lambda w: w.pin_memory()),
    )


def read_scene(models: Models, blobs: Blobs, ref: SceneRef) -> Scene:
    """A scene from its file, its digest verified.

    Raises:
        SceneDamaged: If the file is missing or altered.
        SceneFileError: If it does not fit its weights.
        BackendError: If the store does not answer.
    """
    try:
        scene = Scene.load(blobs.local_path(ref.sha256))
    except (SceneFileError, BlobMissing, BlobDamaged) as error:
        raise SceneDamaged(
            f"the file of scene {ref.scene_id} is missing or damaged",
            remedy="Build the scene again.",
        ) from error
    except StorageError as error:
        raise BackendError(error.problem, remedy=error.remedy) from error
    return find_model(models, ref.weights).check(scene)


def _mapped(scene: Scene, change: Callable[[Tensor], Tensor]) -> Scene:
    weights = tuple(tuple(map(change, block)) for block in scene.fast_weights)
    return replace(scene, fast_weights=weights)
