"""The synchronous client."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import EllipsisType
from typing import Any

from nvs.client import downloads, jobs, renders, scenes, uploads
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
from nvs.client.runner import Runner
from nvs.client.steps import Flow
from nvs.client.stream import RenderStream, open_stream
from nvs.client.uploads import OnUpload


class Client(Runner):
    """A connection to `nvs serve`; close it, or use it in a `with` statement.

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

    def me(self) -> Me:
        """Who the key belongs to, what it may do, quotas and usage."""
        return self._run(scenes.me())

    def models(self) -> tuple[Model, ...]:
        """The weights that the service has, the default first."""
        return self._run(scenes.models()).items

    def capacity(self) -> Capacity:
        """Workers, queues and caches of the service."""
        return self._run(scenes.capacity())

    def create_scene(
        self,
        name: str,
        *,
        tags: Sequence[str] = (),
        expires_at: datetime | None = None,
    ) -> Scene:
        """Make an empty scene."""
        return self._run(scenes.create_scene(name, tags, expires_at))

    def scene(self, scene_id: str) -> Scene:
        """One scene."""
        return self._run(scenes.scene(scene_id))

    def scenes(
        self, *, tag: str | None = None, state: str | None = None
    ) -> Iterator[Scene]:
        """Every scene, newest first, fetched page by page."""
        cursor: str | None = None
        while True:
            page = self._run(scenes.scenes(tag, state, cursor))
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def update_scene(
        self,
        scene_id: str,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        expires_at: datetime | EllipsisType | None = ...,
    ) -> Scene:
        """Change what is given; `expires_at=None` keeps the scene for ever."""
        return self._run(scenes.update_scene(scene_id, name, tags, expires_at))

    def delete_scene(self, scene_id: str) -> None:
        """Delete a scene, its files and its jobs."""
        self._run(scenes.delete_scene(scene_id))

    def images(self, scene_id: str) -> tuple[ImageFile, ...]:
        """The uploaded images."""
        return self._run(scenes.images(scene_id)).items

    def image(self, scene_id: str, name: str) -> bytes:
        """An uploaded image as it was uploaded."""
        return self._run(scenes.image(scene_id, name))

    def delete_image(self, scene_id: str, name: str) -> None:
        """Take one uploaded image away."""
        self._run(scenes.delete_image(scene_id, name))

    def upload_image(
        self,
        scene_id: str,
        path: Path | str,
        *,
        name: str | None = None,
        on_progress: Progress | None = None,
    ) -> ImageFile:
        """Send one image, under its file name unless another is given."""
        return self._run(uploads.upload_image(scene_id, Path(path), name, on_progress))

    def upload_cameras(self, scene_id: str, path: Path | str) -> CamerasReport:
        """Send opencv_cameras.json, transforms.json, or a zip of camera files."""
        return self._run(uploads.upload_cameras(scene_id, Path(path)))

    def upload_dataset(
        self, scene_id: str, path: Path | str, *, on_progress: OnUpload | None = None
    ) -> CamerasReport:
        """Send a dataset folder; done again, it sends only what is missing.

        Args:
            scene_id: The scene.
            path: A folder of any layout, or a JSON camera file beside its images.
            on_progress: Called as each file goes out.

        Raises:
            DatasetError: If the folder has no cameras or no images.
        """
        return self._run(uploads.upload_dataset(scene_id, Path(path), on_progress))

    def upload_zip(
        self, scene_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> CamerasReport:
        """Send a zip of a dataset folder, which replaces every file of the scene."""
        return self._run(uploads.upload_zip(scene_id, Path(path), on_progress))

    def cameras(self, scene_id: str) -> CamerasReport:
        """What the uploaded cameras say."""
        return self._run(scenes.cameras(scene_id))

    def validation(self, scene_id: str) -> Validation:
        """What is wrong with the uploaded capture."""
        return self._run(scenes.validation(scene_id))

    def build(
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
        """Build a scene from its uploaded images.

        Args:
            scene_id: The scene.
            weights: Id of a model; the service's default if absent.
            size: Longer side or (height, width) in pixels; the model's own if absent.
            views: Indices of frames, or {"count", "method", "seed"}; all if absent.
            framing: auto, none, mean_camera or object.
            wait: Whether to return only when it is finished.
            on_progress: Called on every change while waiting.

        Raises:
            JobFailedError: If it was waited for and failed or was cancelled.
        """
        start = jobs.build(scene_id, weights, size, views, framing)
        return self._started(start, wait, on_progress)

    def render_video(
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
        """Render a video, to be fetched with `download_video`.

        Args:
            scene_id: A built scene.
            trajectory: Such as {"kind": "orbit", "num_frames": 60}, or
                {"camera_path": …} with the content of a camera-path file.
            height: Height in pixels.
            width: Width in pixels.
            fps: Pictures a second; the service's default if absent.
            wait: Whether to return only when it is finished.
            on_progress: Called on every change while waiting.

        Raises:
            JobFailedError: If it was waited for and failed or was cancelled.
        """
        start = jobs.video(scene_id, trajectory, height, width, fps)
        return self._started(start, wait, on_progress)

    def job(self, job_id: str) -> Job:
        """One build or video."""
        return self._run(scenes.job(job_id))

    def jobs(
        self, *, scene_id: str | None = None, state: str | None = None
    ) -> Iterator[Job]:
        """Every job, newest first, fetched page by page."""
        cursor: str | None = None
        while True:
            page = self._run(scenes.jobs(scene_id, state, cursor))
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def wait(self, job_id: str, *, on_progress: OnJob | None = None) -> Job:
        """Wait until a job is finished.

        Raises:
            JobFailedError: If it fails or is cancelled.
        """
        return self._run(jobs.finished(job_id, on_progress))

    def cancel_job(self, job_id: str) -> Job:
        """Ask that a job be stopped."""
        return self._run(scenes.cancel_job(job_id))

    def download_video(
        self, job_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> int:
        """Fetch a finished video (mp4) into a file; returns its size in bytes."""
        address = scenes.job_path(job_id, "result")
        return self._run(downloads.download(address, Path(path), on_progress))

    def download_scene(
        self, scene_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> int:
        """Fetch the scene file, as `nvs render` reads it; returns its bytes."""
        address = scenes.scene_path(scene_id, "file")
        return self._run(downloads.download(address, Path(path), on_progress))

    def upload_scene_file(
        self, scene_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> Scene:
        """Send a scene file that `nvs build` made; it can be rendered at once."""
        return self._run(uploads.upload_scene_file(scene_id, Path(path), on_progress))

    def inputs(self, scene_id: str) -> tuple[Input, ...]:
        """The input views of a built scene, cameras in the user's world."""
        return self._run(scenes.inputs(scene_id)).items

    def render(
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
        """Render one picture.

        Args:
            scene_id: A built scene.
            camera: Where it is taken, in the user's world.
            height: Height in pixels, a multiple of the model's patch size.
            width: Width in pixels, likewise.
            format: png, jpeg, webp or float32.
            quality: Of jpeg and webp, from 1 to 100.
            background: model, transparent (png, webp) or a colour such as #ffffff.
        """
        options = PictureOptions(
            height=height,
            width=width,
            format=format,
            quality=quality,
            background=background,
        )
        return self._run(renders.render(scene_id, camera, options))

    def render_batch(
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
        """Render a picture for each camera, in their order; see `render`."""
        options = PictureOptions(
            height=height,
            width=width,
            format=format,
            quality=quality,
            background=background,
        )
        return self._run(renders.render_batch(scene_id, cameras, options))

    @contextmanager
    def stream(self, scene_id: str) -> Generator[RenderStream]:
        """Open a WebSocket on a built scene, for pictures that follow each other.

        Raises:
            MissingExtraError: If the package websockets is not installed.
        """
        ticket = self._run(scenes.ticket()).ticket
        path = scenes.scene_path(scene_id, "stream")
        with open_stream(self._connection.stream_url(path, ticket)) as stream:
            yield stream

    def _started(self, start: Flow[Job], wait: bool, on_change: OnJob | None) -> Job:
        if not wait:
            return self._run(start)
        return self._run(jobs.submitted_and_finished(start, on_change))
