"""The work of one job: what the backend does for it, and what is stored of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Container, Sequence
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from nvs.api.jobs import BuildRequest
from nvs.api.masks import MaskRequest
from nvs.api.names import is_made_by_posing
from nvs.api.posing import PoseRequest
from nvs.api.renders import VideoRequest
from nvs.file_kinds import is_mask_name
from nvs.files import file_sha256
from nvs_server.compute.orders import (
    BuildOrder,
    InputView,
    MaskOrder,
    PoseOrder,
    PrepareOrder,
    VideoOrder,
)
from nvs_server.compute.protocol import Backend
from nvs_server.jobs.materialise import materialise, work_folder
from nvs_server.jobs.progress import Report
from nvs_server.jobs.rebuild import build_key
from nvs_server.metrics import Metrics
from nvs_server.naming import shown_as
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.errors import NotFound
from nvs_server.storage.records import (
    BuiltScene,
    InputRecord,
    JobRecord,
    MaskedScene,
    PosedScene,
    SceneRecord,
    VideoFile,
)
from nvs_server.storage.scenes import SceneStore


class Work:
    """Does jobs with a backend and stores the files that they make.

    Args:
        scenes: The scenes and their files.
        blobs: Where files are kept.
        backend: Who computes.
        metrics: Told of each prefill.
        poses_folder: Where posings keep what they have found until they are done.
    """

    def __init__(
        self,
        scenes: SceneStore,
        blobs: Blobs,
        backend: Backend,
        metrics: Metrics,
        poses_folder: Path,
    ) -> None:
        self._poses_folder = poses_folder
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
        request = BuildRequest.model_validate(job.parameters)
        scene = await self._scene(job)
        files = await run_in_threadpool(self._scenes.files, scene.id)
        with work_folder(self._blobs) as folder:
            dataset = folder / "dataset"
            dataset.mkdir()
            await run_in_threadpool(materialise, files, self._blobs.local_path, dataset)
            with shown_as(dataset, "the dataset"):
                order = PrepareOrder(
                    folder=dataset, output=folder / "prepared", request=request
                )
                prepared = await self._backend.prepare(order, report)
            started = time.monotonic()
            order = BuildOrder(
                views=prepared.views,
                output=folder / "built.scene",
                weights=prepared.weights,
                framing=request.framing,
                up=request.up,
                held_out=prepared.held_out,
                sheet=None if prepared.held_out is None else folder / "held_out.png",
            )
            file = await self._backend.build(order, report)
            seconds = time.monotonic() - started
            report("storing", 0.0)
            inputs = await run_in_threadpool(store_inputs, prepared.inputs, self._blobs)
            await run_in_threadpool(self._blobs.put_file, order.output, file.sha256)
            if order.sheet is not None and file.sheet_sha256 is not None:
                await run_in_threadpool(
                    self._blobs.put_file, order.sheet, file.sheet_sha256
                )
        patch_size = await self._patch_size(file.weights)
        tokens = file.num_views * file.height * file.width // patch_size**2
        self._metrics.prefilled(tokens, seconds)
        return BuiltScene(file=file, inputs=inputs)

    async def pose(self, job: JobRecord, report: Report) -> PosedScene:
        """Find a scene's cameras; their files are stored.

        What was found before this gateway or the process that finds them was killed is
        gone on with; `forget_all_but` removes it once the job has ended.

        Raises:
            NotFound: If the scene is gone.
            NvsError, BackendError: As the backend's `pose`.
        """
        request = PoseRequest.model_validate(job.parameters["pose"])
        scene = await self._scene(job)
        files = await run_in_threadpool(self._scenes.files, scene.id)
        to_pose = [
            file
            for file in files
            if file.kind == "image" and not is_made_by_posing(file.path)
        ]
        video = next((file for file in files if file.kind == "video"), None)
        locate = self._blobs.local_path
        places = {
            file.path: await run_in_threadpool(locate, file.sha256) for file in to_pose
        }
        order = PoseOrder(
            folder=self._poses_folder / job.id,
            photographs={p: at for p, at in places.items() if not is_mask_name(p)},
            masks={p: at for p, at in places.items() if is_mask_name(p)},
            video=video and await run_in_threadpool(locate, video.sha256),
            request=request,
        )
        found = await self._backend.pose(order, report)
        report("storing", 0.0)
        for file in found.files:
            await run_in_threadpool(
                self._blobs.put_file, order.result / file.path, file.sha256
            )
        build = job.parameters.get("build")
        if build is None:
            return PosedScene(files=found.files, posing=found.posing)
        models = await self._backend.models()
        digests = {model.id: model.digest for model in models}
        kept = [
            file
            for file in files
            if file.kind != "cameras" and not is_made_by_posing(file.path)
        ]
        return PosedScene(
            files=found.files,
            posing=found.posing,
            build=build,
            build_key=build_key(
                [*kept, *found.files], digests.get(build["weights"], ""), build
            ),
        )

    async def mask(self, job: JobRecord, report: Report) -> MaskedScene:
        """Cut the thing out of a scene's photographs; masks and previews are stored.

        Raises:
            NotFound: If the scene is gone.
            NvsError, BackendError: As the backend's `mask`.
        """
        scene = await self._scene(job)
        files = await run_in_threadpool(self._scenes.files, scene.id)
        with work_folder(self._blobs) as folder:
            dataset = folder / "dataset"
            dataset.mkdir()
            await run_in_threadpool(materialise, files, self._blobs.local_path, dataset)
            order = MaskOrder(
                folder=dataset,
                output=folder / "made",
                images=tuple(file.path for file in files if file.kind == "image"),
                request=MaskRequest.model_validate(job.parameters["mask"]),
            )
            with shown_as(dataset, "the dataset"):
                found = await self._backend.mask(order, report)
            report("storing", 0.0)
            for file in found.files:
                await run_in_threadpool(
                    self._blobs.put_file, order.output / file.path, file.sha256
                )
        return MaskedScene(files=found.files, result=found.result)

    def forget_all_but(self, job_ids: Container[str]) -> None:
        """Remove what posings have kept, but for those of these jobs."""
        if self._poses_folder.is_dir():
            for folder in self._poses_folder.iterdir():
                if folder.name not in job_ids:
                    shutil.rmtree(folder, ignore_errors=True)

    async def video(self, job: JobRecord, report: Report) -> VideoFile:
        """Render a video of the scene's present file; it is stored.

        Raises:
            NotFound: If the scene, or its file, is gone.
            NvsError, BackendError: As the backend's `video`.
        """
        request = VideoRequest.model_validate(job.parameters)
        scene = await self._scene(job)
        if scene.file is None:
            raise NotFound("file", f"the scene file of {job.scene_id}")
        with work_folder(self._blobs) as folder:
            order = VideoOrder(
                scene=scene.file,
                output=folder / "video.mp4",
                request=request,
                up=scene.up,
            )
            video = await self._backend.video(order, report)
            report("storing", 0.0)
            await run_in_threadpool(self._blobs.put_file, order.output, video.sha256)
        return video

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
            camera=view.camera,
            sha256=None if view.image is None else stored(view.image),
            thumbnail_sha256=stored(view.thumbnail),
        )
        for view in views
    ]
