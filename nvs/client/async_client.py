"""The asynchronous client: `Client`, awaited."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import EllipsisType
from typing import Any

from nvs.client import downloads, jobs, renders, scenes, uploads
from nvs.client.async_runner import AsyncRunner
from nvs.client.bodies import Progress
from nvs.client.cameras import Camera
from nvs.client.connection import DEFAULT_SERVER, Connection
from nvs.client.jobs import OnJob, Size, Views
from nvs.client.models import (
    CamerasReport,
    Capacity,
    ImageFile,
    Input,
    Job,
    Me,
    Model,
    Scene,
    Validation,
)
from nvs.client.renders import Picture, PictureOptions
from nvs.client.retries import Retries
from nvs.client.steps import Flow
from nvs.client.stream import AsyncRenderStream, open_async_stream
from nvs.client.uploads import OnUpload


class AsyncClient(AsyncRunner):
    """A connection to `nvs serve`; close it, or use it in an `async with` statement.

    Every method may raise ServiceError (the service refuses, with status, problem,
    remedy and field) and ServiceUnreachableError (no answer after all attempts).

    Args:
        server: Address of the service.
        key: The key, unless the service is open.
        retries: How long to keep trying.
        timeout_seconds: Longest silence within one answer.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        key: str | None = None,
        retries: Retries | None = None,
        timeout_seconds: float = 300.0,
    ) -> None:
        super().__init__(
            Connection(
                server=server,
                key=key,
                retries=retries or Retries(),
                timeout_seconds=timeout_seconds,
            )
        )

    async def me(self) -> Me:
        """Who the key belongs to, what it may do, quotas and usage."""
        return await self._run(scenes.me())

    async def models(self) -> tuple[Model, ...]:
        """The weights that the service has, the default first."""
        return (await self._run(scenes.models())).items

    async def capacity(self) -> Capacity:
        """Workers, queues and caches of the service."""
        return await self._run(scenes.capacity())

    async def create_scene(
        self,
        name: str,
        *,
        tags: Sequence[str] = (),
        expires_at: datetime | None = None,
    ) -> Scene:
        """Make an empty scene."""
        return await self._run(scenes.create_scene(name, tags, expires_at))

    async def scene(self, scene_id: str) -> Scene:
        """One scene."""
        return await self._run(scenes.scene(scene_id))

    async def scenes(
        self, *, tag: str | None = None, state: str | None = None
    ) -> AsyncIterator[Scene]:
        """Every scene, newest first, fetched page by page."""
        cursor: str | None = None
        while True:
            page = await self._run(scenes.scenes(tag, state, cursor))
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return

    async def update_scene(
        self,
        scene_id: str,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        expires_at: datetime | EllipsisType | None = ...,
    ) -> Scene:
        """Change what is given; `expires_at=None` keeps the scene for ever."""
        return await self._run(scenes.update_scene(scene_id, name, tags, expires_at))

    async def delete_scene(self, scene_id: str) -> None:
        """Delete a scene, its files and its jobs."""
        await self._run(scenes.delete_scene(scene_id))

    async def images(self, scene_id: str) -> tuple[ImageFile, ...]:
        """The uploaded images."""
        return (await self._run(scenes.images(scene_id))).items

    async def image(self, scene_id: str, name: str) -> bytes:
        """An uploaded image as it was uploaded."""
        return await self._run(scenes.image(scene_id, name))

    async def delete_image(self, scene_id: str, name: str) -> None:
        """Take one uploaded image away."""
        await self._run(scenes.delete_image(scene_id, name))

    async def upload_image(
        self,
        scene_id: str,
        path: Path | str,
        *,
        name: str | None = None,
        on_progress: Progress | None = None,
    ) -> ImageFile:
        """Send one image, under its file name unless another is given."""
        return await self._run(
            uploads.upload_image(scene_id, Path(path), name, on_progress)
        )

    async def upload_cameras(self, scene_id: str, path: Path | str) -> CamerasReport:
        """Send opencv_cameras.json, transforms.json, or a zip of camera files."""
        return await self._run(uploads.upload_cameras(scene_id, Path(path)))

    async def upload_dataset(
        self, scene_id: str, path: Path | str, *, on_progress: OnUpload | None = None
    ) -> CamerasReport:
        """As `Client.upload_dataset`."""
        return await self._run(
            uploads.upload_dataset(scene_id, Path(path), on_progress)
        )

    async def upload_zip(
        self, scene_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> CamerasReport:
        """Send a zip of a dataset folder, which replaces every file of the scene."""
        return await self._run(uploads.upload_zip(scene_id, Path(path), on_progress))

    async def cameras(self, scene_id: str) -> CamerasReport:
        """What the uploaded cameras say."""
        return await self._run(scenes.cameras(scene_id))

    async def validation(self, scene_id: str) -> Validation:
        """What is wrong with the uploaded capture."""
        return await self._run(scenes.validation(scene_id))

    async def build(
        self,
        scene_id: str,
        *,
        weights: str | None = None,
        size: Size | None = None,
        views: Views | None = None,
        framing: str = "auto",
        wait: bool = True,
        on_progress: OnJob | None = None,
    ) -> Job:
        """As `Client.build`."""
        start = jobs.build(scene_id, weights, size, views, framing)
        return await self._started(start, wait, on_progress)

    async def render_video(
        self,
        scene_id: str,
        trajectory: Mapping[str, Any],
        *,
        height: int,
        width: int,
        fps: float | None = None,
        wait: bool = True,
        on_progress: OnJob | None = None,
    ) -> Job:
        """As `Client.render_video`."""
        start = jobs.video(scene_id, trajectory, height, width, fps)
        return await self._started(start, wait, on_progress)

    async def job(self, job_id: str) -> Job:
        """One build or video."""
        return await self._run(scenes.job(job_id))

    async def jobs(
        self, *, scene_id: str | None = None, state: str | None = None
    ) -> AsyncIterator[Job]:
        """Every job, newest first, fetched page by page."""
        cursor: str | None = None
        while True:
            page = await self._run(scenes.jobs(scene_id, state, cursor))
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return

    async def wait(self, job_id: str, *, on_progress: OnJob | None = None) -> Job:
        """As `Client.wait`."""
        return await self._run(jobs.finished(job_id, on_progress))

    async def cancel_job(self, job_id: str) -> Job:
        """Ask that a job be stopped."""
        return await self._run(scenes.cancel_job(job_id))

    async def download_video(
        self, job_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> int:
        """Fetch a finished video (mp4) into a file; returns its size in bytes."""
        address = scenes.job_path(job_id, "result")
        return await self._run(downloads.download(address, Path(path), on_progress))

    async def download_scene(
        self, scene_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> int:
        """Fetch the scene file, as `nvs render` reads it; returns its bytes."""
        address = scenes.scene_path(scene_id, "file")
        return await self._run(downloads.download(address, Path(path), on_progress))

    async def upload_scene_file(
        self, scene_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> Scene:
        """Send a scene file that `nvs build` made; it can be rendered at once."""
        return await self._run(
            uploads.upload_scene_file(scene_id, Path(path), on_progress)
        )

    async def inputs(self, scene_id: str) -> tuple[Input, ...]:
        """The input views of a built scene, cameras in the user's world."""
        return (await self._run(scenes.inputs(scene_id))).items

    async def render(
        self,
        scene_id: str,
        camera: Camera,
        *,
        height: int,
        width: int,
        format: str = "png",
        quality: int = 90,
        background: str = "model",
    ) -> Picture:
        """As `Client.render`."""
        options = PictureOptions(
            height=height,
            width=width,
            format=format,
            quality=quality,
            background=background,
        )
        return await self._run(renders.render(scene_id, camera, options))

    async def render_batch(
        self,
        scene_id: str,
        cameras: Sequence[Camera],
        *,
        height: int,
        width: int,
        format: str = "png",
        quality: int = 90,
        background: str = "model",
    ) -> list[Picture]:
        """As `Client.render_batch`."""
        options = PictureOptions(
            height=height,
            width=width,
            format=format,
            quality=quality,
            background=background,
        )
        return await self._run(renders.render_batch(scene_id, cameras, options))

    @asynccontextmanager
    async def stream(self, scene_id: str) -> AsyncGenerator[AsyncRenderStream]:
        """As `Client.stream`."""
        ticket = (await self._run(scenes.ticket())).ticket
        path = scenes.scene_path(scene_id, "stream")
        async with open_async_stream(
            self._connection.stream_url(path, ticket)
        ) as stream:
            yield stream

    async def _started(
        self, start: Flow[Job], wait: bool, on_change: OnJob | None
    ) -> Job:
        if not wait:
            return await self._run(start)
        return await self._run(jobs.submitted_and_finished(start, on_change))
