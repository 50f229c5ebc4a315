"""The backend on this machine: workers, two inspectors and a poser.

One inspector checks single uploads and cameras before a build, so that none of them
waits for the other, which reads whole datasets; the poser finds
cameras and makes masks.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nvs.api.framing import Expectation
from nvs.api.jobs import BuildRequest
from nvs.api.posing import PosingSketch
from nvs.api.scenes import CamerasReport, Validation
from nvs.api.system import Model
from nvs.errors import ConfigError, DatasetError, ImageError, SceneFileError
from nvs_server.compute import wire
from nvs_server.compute.child import OnEvent
from nvs_server.compute.disk import DiskCache
from nvs_server.compute.homes import Homes
from nvs_server.compute.orders import (
    BuildOrder,
    FoundCameras,
    FoundMasks,
    ImageSize,
    InspectedScene,
    MaskOrder,
    Picture,
    PoseOrder,
    PreparedViews,
    PrepareOrder,
    RenderOrder,
    VideoOrder,
)
from nvs_server.compute.processes import Inspector, summed
from nvs_server.compute.protocol import (
    BackendStatus,
    CacheStatus,
    Progress,
    WorkerFull,
    WorkerLost,
)
from nvs_server.compute.wire import Message
from nvs_server.compute.workers import AnyWorker, LocalWorker
from nvs_server.settings import ComputeSettings, devices_of
from nvs_server.storage.records import SceneFile, VideoFile

IMAGE_TIMEOUT_SECONDS = 60.0
"""Longest time to decode one uploaded image."""
DATASET_TIMEOUT_SECONDS = 600.0
"""Longest time to read a dataset or a scene file."""
RETRY_WITHIN_SECONDS = 30.0
"""A render whose worker is full or dies is tried on a second one, if not later."""


class LocalBackend:
    """Supervises the processes that do the work; see `Backend`.

    Args:
        settings: What they are.
    """

    def __init__(self, settings: ComputeSettings) -> None:
        self.settings = settings
        self._workers: Sequence[AnyWorker] = ()
        self._uploads = Inspector(settings)
        self._datasets = Inspector(settings)
        self._poser = Inspector(
            settings.model_copy(
                update={"inspector_memory_bytes": settings.pose_memory_bytes}
            )
        )
        self._disk = DiskCache(settings.cache_folder)
        self._counting: asyncio.Task[None] | None = None
        self._models: list[Model] = []
        self._shapes: list[Message] = []
        self._trained_on: list[Message] = []
        self._open: Counter[str] = Counter()
        self._homes = Homes()
        self._is_stopping = False

    async def start(self) -> None:
        """See `Backend`."""
        try:
            hello, _, _, _ = await asyncio.gather(
                self._start_workers(),
                self._uploads.start(),
                self._datasets.start(),
                self._poser.start(),
            )
        except BaseException:
            await self.stop()
            raise
        self._models = [wire.from_json(Model, model) for model in hello["models"]]
        self._shapes = hello["shapes"]
        self._trained_on = hello["trained_on"]
        self._counting = asyncio.create_task(self._disk.keep_counting())

    async def stop(self) -> None:
        """See `Backend`."""
        self._is_stopping = True
        if self._counting is not None:
            self._counting.cancel()
        children = (*self._workers, self._uploads, self._datasets, self._poser)
        await asyncio.gather(*(child.stop() for child in children))

    def status(self) -> BackendStatus:
        """See `Backend`."""
        workers = self._workers
        return BackendStatus(
            num_workers=self._num_workers,
            workers=tuple(status for worker in workers for status in worker.status()),
            inspectors=(self._uploads.status(), self._datasets.status()),
            posers=(self._poser.status(),),
            cache=(
                *summed([tier for worker in workers for tier in worker.cache()]),
                CacheStatus(
                    tier="disk",
                    bytes=self._disk.num_bytes,
                    bytes_limit=self.settings.disk_cache_bytes,
                    scenes=self._disk.num_scenes,
                    hits=sum(worker.total("num_read") for worker in workers),
                    evictions=0,
                ),
            ),
            num_renders=self._open["render"],
            num_jobs=self._open["job"],
            images_total=sum(w.total("images_total") for w in workers),
            batches_total=sum(w.total("batches_total") for w in workers),
        )

    async def models(self) -> list[Model]:
        """See `Backend`."""
        return self._models

    async def render(self, order: RenderOrder) -> list[Picture]:
        """See `Backend`."""
        with self._counted("render"):
            begun = time.monotonic()
            first, *others = self._ranked(order.scene.sha256)
            try:
                return await first.render(order)
            except (WorkerFull, WorkerLost):
                if not others or time.monotonic() - begun > RETRY_WITHIN_SECONDS:
                    raise
                return await others[0].render(order)

    async def prepare(self, order: PrepareOrder, progress: Progress) -> PreparedViews:
        """See `Backend`."""
        model = self._model(order.request.weights)
        value = await self._read(
            "prepare",
            on_event=_reports(progress),
            order=wire.to_json(order),
            model=wire.to_json(model),
        )
        return wire.from_json(PreparedViews, value)

    async def pose(self, order: PoseOrder, progress: Progress) -> FoundCameras:
        """See `Backend`."""
        with self._counted("inspection"):
            value = await self._poser.ask(
                "pose",
                about="the capture",
                error=DatasetError,
                timeout_seconds=self.settings.pose_seconds,
                on_event=_reports(progress),
                order=wire.to_json(order),
            )
        return wire.from_json(FoundCameras, value)

    async def mask(self, order: MaskOrder, progress: Progress) -> FoundMasks:
        """See `Backend`."""
        with self._counted("inspection"):
            value = await self._poser.ask(
                "mask",
                about="the dataset",
                error=DatasetError,
                timeout_seconds=self.settings.pose_seconds,
                on_event=_reports(progress),
                order=wire.to_json(order),
            )
        return wire.from_json(FoundMasks, value)

    async def build(self, order: BuildOrder, progress: Progress) -> SceneFile:
        """See `Backend`."""
        worker = min(self._ready(), key=lambda worker: worker.num_calls)
        value = await self._job(worker, "build", wire.to_json(order), progress)
        return wire.from_json(SceneFile, value)

    async def video(self, order: VideoOrder, progress: Progress) -> VideoFile:
        """See `Backend`."""
        worker = self._ranked(order.scene.sha256)[0]
        value = await self._job(worker, "video", wire.to_json(order), progress)
        return wire.from_json(VideoFile, value)

    async def inspect_image(self, path: Path) -> ImageSize:
        """See `Backend`."""
        with self._counted("inspection"):
            value = await self._uploads.ask(
                "image",
                about="the image",
                error=ImageError,
                timeout_seconds=IMAGE_TIMEOUT_SECONDS,
                path=str(path),
            )
        return wire.from_json(ImageSize, value)

    async def inspect_cameras(self, folder: Path) -> CamerasReport:
        """See `Backend`."""
        value = await self._read("cameras", folder=str(folder))
        return wire.from_json(CamerasReport, value)

    async def inspect_scene(
        self, path: Path, sha256: str, output: Path
    ) -> InspectedScene:
        """See `Backend`."""
        with self._counted("inspection"):
            value = await self._uploads.ask(
                "scene",
                about="the scene file",
                error=SceneFileError,
                timeout_seconds=DATASET_TIMEOUT_SECONDS,
                path=str(path),
                sha256=sha256,
                output=str(output),
                models=[wire.to_json(model) for model in self._models],
                shapes=self._shapes,
                trained_on=self._trained_on,
            )
        return wire.from_json(InspectedScene, value)

    async def validate(self, folder: Path, *, weights: str | None = None) -> Validation:
        """See `Backend`."""
        value = await self._read("validate", folder=str(folder), **self._known(weights))
        return wire.from_json(Validation, value)

    async def expect(
        self, folder: Path, request: BuildRequest, *, look: bool
    ) -> Expectation:
        """See `Backend`."""
        with self._counted("inspection"):
            value = await self._uploads.ask(
                "expect",
                about="the dataset",
                error=DatasetError,
                timeout_seconds=DATASET_TIMEOUT_SECONDS,
                folder=str(folder),
                request=wire.to_json(request),
                look=look,
                **self._known(request.weights),
            )
        return wire.from_json(Expectation, value)

    async def _read(
        self, op: str, *, on_event: OnEvent | None = None, **values: Any
    ) -> Any:
        with self._counted("inspection"):
            return await self._datasets.ask(
                op,
                about="the dataset",
                error=DatasetError,
                timeout_seconds=DATASET_TIMEOUT_SECONDS,
                on_event=on_event,
                **values,
            )

    async def _start_workers(self) -> Message:
        """Start the workers of this machine; what the first says."""
        devices = [devices_of(worker) for worker in self.settings.devices]
        workers = [LocalWorker(self.settings, each) for each in devices or [[None]]]
        self._workers = workers
        hello = await workers[0].start()
        if not devices:
            others = range(1, hello["num_devices"])
            workers += [LocalWorker(self.settings, [f"cuda:{i}"]) for i in others]
        await asyncio.gather(*(worker.start() for worker in workers[1:]))
        return hello

    @property
    def _num_workers(self) -> int:
        return len(self._workers)

    async def _job(
        self, worker: AnyWorker, op: str, order: Message, progress: Progress
    ) -> Any:
        with self._counted("job"):
            return await worker.job(op, order, _reports(progress))

    def _ready(self) -> Sequence[AnyWorker]:
        """Workers that can take requests; all, if none can."""
        return [worker for worker in self._workers if worker.is_ready] or self._workers

    def _ranked(self, sha256: str) -> list[AnyWorker]:
        """Workers as a scene chooses them, first the one that has it, if any has."""
        ranks = [self._workers.index(worker) for worker in self._ready()]
        return [self._workers[rank] for rank in self._homes.ranked(sha256, ranks)]

    def _known(self, weights: str | None) -> Message:
        """Weights, and what they were trained on, for an inspector."""
        model = self._model(weights)
        trained_on = self._trained_on[self._models.index(model)]
        return {"model": wire.to_json(model), "trained_on": trained_on}

    def _model(self, weights: str | None) -> Model:
        for model in self._models:
            if weights in (None, model.id):
                return model
        raise ConfigError(
            f"the weights {weights!r} are not served here",
            remedy=f"Use {' or '.join(model.id for model in self._models)}.",
        )

    @contextmanager
    def _counted(self, kind: str) -> Generator[None]:
        if self._is_stopping:
            raise WorkerLost("the service is shutting down", remedy="Try again later.")
        self._open[kind] += 1
        try:
            yield
        finally:
            self._open[kind] -= 1


def _reports(progress: Progress) -> OnEvent:
    def report(message: Message, _: bytes) -> None:
        if "sketch" in message:
            sketch = wire.from_json(PosingSketch, message["sketch"])
            progress(message["stage"], message["fraction"], sketch)
        else:
            progress(message["stage"], message["fraction"])

    return report
