"""The work of one job: what the backend does for it, and what is stored of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from nvs.files import file_sha256
from nvs_server.backends.base import Backend, CameraRecord, InputView
from nvs_server.jobs.materialise import materialise, work_folder
from nvs_server.jobs.naming import shown_as
from nvs_server.jobs.parameters import (
    build_order,
    prepare_order,
    scene_ref,
    video_order,
)
from nvs_server.jobs.report import Report
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.errors import NotFound
from nvs_server.storage.records import (
    BuiltScene,
    InputRecord,
    JobRecord,
    SceneRecord,
    VideoResult,
)
from nvs_server.storage.scenes import SceneStore
from nvs_server.telemetry.metrics import Metrics


class Work:
    """Does jobs with a backend and stores the files that they make.

    Args:
        scenes: The scenes and their files.
        blobs: Where files are kept.
        backend: Who computes.
        metrics: Told of each prefill.
    """

    def __init__(
        self, scenes: SceneStore, blobs: Blobs, backend: Backend, metrics: Metrics
    ) -> None:
        self._scenes = scenes
        self._blobs = blobs
        self._backend = backend
        self._metrics = metrics

    async def build(self, job: JobRecord, report: Report) -> BuiltScene:
        """Build a scene file; it and the pictures of its inputs are stored.

        Raises:
            NotFound: If the scene is gone.
            NvsError, BackendError: As the backend's `prepare` and `build`.
        """
        scene = await self._scene(job)
        files = await run_in_threadpool(self._scenes.files, scene.id)
        with work_folder(self._blobs) as folder:
            dataset = folder / "dataset"
            dataset.mkdir()
            await run_in_threadpool(materialise, files, self._blobs.local_path, dataset)
            with shown_as(dataset, "the dataset"):
                prepared = await self._backend.prepare(
                    prepare_order(job.parameters, dataset, folder / "prepared"), report
                )
            started = time.monotonic()
            built = await self._backend.build(
                build_order(job.parameters, prepared, folder / "built.scene"), report
            )
            seconds = time.monotonic() - started
            report("storing", 0.0)
            inputs = await run_in_threadpool(store_inputs, prepared.inputs, self._blobs)
            await run_in_threadpool(self._blobs.put_file, built.path, built.sha256)
        patch_size = await self._patch_size(built.weights)
        tokens = built.num_views * built.height * built.width // patch_size**2
        self._metrics.prefilled(tokens, seconds)
        return BuiltScene(
            sha256=built.sha256,
            num_bytes=built.num_bytes,
            weights=built.weights,
            model_digest=built.model_digest,
            height=built.height,
            width=built.width,
            num_views=built.num_views,
            inputs=inputs,
        )

    async def video(self, job: JobRecord, report: Report) -> VideoResult:
        """Render a video of the scene's present file; it is stored.

        Raises:
            NotFound: If the scene, or its file, is gone.
            NvsError, BackendError: As the backend's `video`.
        """
        scene = scene_ref(await self._scene(job))
        if scene is None:
            raise NotFound("file", f"the scene file of {job.scene_id}")
        with work_folder(self._blobs) as folder:
            video = await self._backend.video(
                video_order(job.parameters, scene, folder / "video.mp4"), report
            )
            report("storing", 0.0)
            await run_in_threadpool(self._blobs.put_file, video.path, video.sha256)
        details = {
            "num_frames": video.num_frames,
            "height": video.height,
            "width": video.width,
            "fps": video.fps,
        }
        return VideoResult(
            sha256=video.sha256, num_bytes=video.num_bytes, details=details
        )

    async def _scene(self, job: JobRecord) -> SceneRecord:
        scene = await run_in_threadpool(self._scenes.get, job.owner, job.scene_id)
        if scene is None:
            raise NotFound("scene", job.scene_id)
        return scene

    async def _patch_size(self, weights: str) -> int:
        models = await self._backend.models()
        return next(model.patch_size for model in models if model.id == weights)


def store_inputs(views: Sequence[InputView], blobs: Blobs) -> list[InputRecord]:
    """Store the pictures of a scene's inputs."""

    def stored(path: Path) -> str:
        sha256 = file_sha256(path)
        blobs.put_file(path, sha256)
        return sha256

    return [
        InputRecord(
            index=view.index,
            name=view.name,
            camera=camera_json(view.camera),
            sha256=None if view.image is None else stored(view.image),
            thumbnail_sha256=stored(view.thumbnail),
        )
        for view in views
    ]


def camera_json(camera: CameraRecord) -> dict[str, Any]:
    """A camera as the schema `PosedCamera` has it."""
    values = asdict(camera)
    values["world_from_camera"] = [list(row) for row in camera.world_from_camera]
    return values
