"""The asynchronous client: a method a request, as docs/api.md describes them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import EllipsisType
from typing import Any, Self, TypeVar

from nvs.api.framing import Expectation
from nvs.api.jobs import Job, JobPage
from nvs.api.masks import Masks
from nvs.api.scenes import (
    CamerasReport,
    ImageFile,
    ImageFiles,
    Input,
    Inputs,
    Scene,
    ScenePage,
    Validation,
    VideoUpload,
)
from nvs.api.system import Capacity, Me, Model, Models, Ticket
from nvs.client import jobs, pictures, stream
from nvs.client.jobs import OnJob
from nvs.client.pictures import Camera, Picture
from nvs.client.transfers import (
    JSON,
    ZIP,
    DatasetFiles,
    Download,
    FileBody,
    OnUpload,
    Progress,
    UploadWatch,
)
from nvs.client.transport import (
    DEFAULT_SERVER,
    Answer,
    Retries,
    Transport,
    job_path,
    once,
    scene_path,
)
from nvs.errors import DatasetError
from nvs.file_kinds import VIDEO_TYPES
from nvs.files import atomic_output

PAGE_SIZE = 50

Page = TypeVar("Page", ScenePage, JobPage)
Views = Sequence[int] | Mapping[str, Any]
Size = int | tuple[int, int]


class AsyncClient:
    """A connection to `nvs serve`; close it, or use it in an `async with` statement.

    Every method may raise ServiceError (the service refuses, with status, problem,
    remedy and field), ServiceUnreachableError (no answer after all attempts) and
    ServiceAnswerError (something else than the service answered).

    Args:
        server: Address of the service.
        key: The key, unless the service is open.
        retries: How long to keep trying.
        timeout_seconds: Longest silence within one answer.

    Raises:
        ConfigError: If the address is no http(s) URL or the key cannot be one.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        key: str | None = None,
        retries: Retries | None = None,
        timeout_seconds: float = 300.0,
    ) -> None:
        self._transport = Transport(
            server,
            key=key,
            retries=retries or Retries(),
            timeout_seconds=timeout_seconds,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def me(self) -> Me:
        """Who the key belongs to, what it may do, quotas and usage."""
        return await self._transport.ask(Me, "GET", "/v1/me")

    async def models(self) -> tuple[Model, ...]:
        """The weights that the service has, the default first."""
        return tuple((await self._transport.ask(Models, "GET", "/v1/models")).items)

    async def capacity(self) -> Capacity:
        """Workers, queues and caches of the service."""
        return await self._transport.ask(Capacity, "GET", "/v1/capacity")

    async def create_scene(
        self,
        name: str,
        *,
        tags: Sequence[str] = (),
        expires_at: datetime | None = None,
    ) -> Scene:
        """Make an empty scene."""
        body = {"name": name, "tags": list(tags), "expires_at": _time(expires_at)}
        return await self._transport.ask(
            Scene, "POST", "/v1/scenes", json=body, headers=once()
        )

    async def scene(self, scene_id: str) -> Scene:
        """One scene."""
        return await self._transport.ask(Scene, "GET", scene_path(scene_id))

    async def scenes(
        self, *, tag: str | None = None, state: str | None = None
    ) -> AsyncIterator[Scene]:
        """Every scene, newest first, fetched page by page."""
        wanted = _given(limit=PAGE_SIZE, tag=tag, state=state)
        async for page in self._pages(ScenePage, "/v1/scenes", wanted):
            for scene in page.items:
                yield scene

    async def update_scene(
        self,
        scene_id: str,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        expires_at: datetime | EllipsisType | None = ...,
        up: Sequence[float] | None = None,
    ) -> Scene:
        """Change what is given; `expires_at=None` keeps the scene for ever.

        `up` is what is up in the world of a built scene, until it is built again.
        """
        changes = _given(
            name=name,
            tags=None if tags is None else list(tags),
            up=None if up is None else list(up),
        )
        if not isinstance(expires_at, EllipsisType):
            changes["expires_at"] = _time(expires_at)
        return await self._transport.ask(
            Scene, "PATCH", scene_path(scene_id), json=changes
        )

    async def delete_scene(self, scene_id: str) -> None:
        """Delete a scene, its files and its jobs."""
        await self._transport.send("DELETE", scene_path(scene_id))

    async def images(self, scene_id: str) -> tuple[ImageFile, ...]:
        """The uploaded images."""
        path = scene_path(scene_id, "images")
        return tuple((await self._transport.ask(ImageFiles, "GET", path)).items)

    async def image(self, scene_id: str, name: str) -> bytes:
        """An uploaded image as it was uploaded."""
        path = scene_path(scene_id, "images", name)
        return (await self._transport.send("GET", path)).content

    async def delete_image(self, scene_id: str, name: str) -> None:
        """Take one uploaded image away."""
        await self._transport.send("DELETE", scene_path(scene_id, "images", name))

    async def upload_image(
        self,
        scene_id: str,
        path: Path | str,
        *,
        name: str | None = None,
        on_progress: Progress | None = None,
    ) -> ImageFile:
        """Send one image, under its file name unless another is given."""
        path = Path(path)
        body = await asyncio.to_thread(FileBody.of_image, path, on_progress)
        address = scene_path(scene_id, "images", name or path.name)
        return await self._transport.ask(ImageFile, "PUT", address, body=body)

    async def upload_cameras(self, scene_id: str, path: Path | str) -> CamerasReport:
        """Send opencv_cameras.json, transforms.json, or a zip of camera files."""
        path = Path(path)
        kind = JSON if path.suffix == ".json" else ZIP
        address = scene_path(scene_id, "cameras")
        return await self._put_file(CamerasReport, address, path, kind)

    async def upload_dataset(
        self, scene_id: str, path: Path | str, *, on_progress: OnUpload | None = None
    ) -> CamerasReport:
        """Send a dataset; done again, it sends only what is missing or different.

        All images go out, then the camera files; the service recognises their layout.
        Where one JSON file has all the cameras, images it does not name stay.

        Args:
            scene_id: The scene.
            path: A folder of any layout, or a JSON camera file beside its images.
            on_progress: Called as each file goes out.

        Raises:
            DatasetError: If the folder has no cameras or no images.
        """
        files = await asyncio.to_thread(DatasetFiles.of, Path(path))
        watch = UploadWatch(on_progress, num_files=len(files.images) + 1)
        await self._send_images(scene_id, files, watch)
        with tempfile.TemporaryDirectory(prefix="nvs-") as folder:
            body = await asyncio.to_thread(
                files.cameras_body, Path(folder), watch.of("cameras")
            )
            address = scene_path(scene_id, "cameras")
            return await self._transport.ask(CamerasReport, "PUT", address, body=body)

    async def upload_photos(
        self, scene_id: str, folder: Path | str, *, on_progress: OnUpload | None = None
    ) -> Scene:
        """Send the images of a folder, whose cameras `pose` then finds.

        Done again, it sends only what is missing or different.

        Args:
            scene_id: The scene.
            folder: The photographs, in folders within it too.
            on_progress: Called as each file goes out.

        Raises:
            DatasetError: If the folder has no images.
        """
        files = await asyncio.to_thread(DatasetFiles.photographs, Path(folder))
        watch = UploadWatch(on_progress, num_files=len(files.images))
        await self._send_images(scene_id, files, watch)
        return await self.scene(scene_id)

    async def upload_video(
        self, scene_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> VideoUpload:
        """Send a video, instead of an earlier one; `pose` chooses frames of it.

        Raises:
            DatasetError: If its name is not that of a video.
        """
        path = Path(path)
        kind = VIDEO_TYPES.get(path.suffix.lower())
        if kind is None:
            raise DatasetError(
                f"{path} is not named as a video is",
                remedy=f"Give a file that ends in {', '.join(VIDEO_TYPES)}.",
            )
        address = scene_path(scene_id, "video")
        return await self._put_file(VideoUpload, address, path, kind, on_progress)

    async def delete_video(self, scene_id: str) -> None:
        """Take the uploaded video away."""
        await self._transport.send("DELETE", scene_path(scene_id, "video"))

    async def pose(
        self,
        scene_id: str,
        *,
        matching: str | None = None,
        camera_model: str | None = None,
        max_image_px: int | None = None,
        num_frames: int | None = None,
        use_masks: bool | None = None,
        wait: bool = True,
        on_progress: OnJob | None = None,
    ) -> Job:
        """Find the cameras of uploaded photographs, or of a video.

        The report is the job's result, and `posing` of the scene.

        Args:
            scene_id: The scene.
            matching: exhaustive, sequential or auto: which photographs are compared.
            camera_model: PINHOLE, SIMPLE_RADIAL, RADIAL or OPENCV.
            max_image_px: Longer side at which features are found.
            num_frames: Frames that are chosen of a video.
            use_masks: Whether features count only where masks are white.
            wait: Whether to return only when it is finished.
            on_progress: Called on every change while waiting.

        Raises:
            JobFailedError: If it was waited for and failed or was cancelled.
        """
        body = _given(
            matching=matching,
            camera_model=camera_model,
            max_image_px=max_image_px,
            num_frames=num_frames,
            use_masks=use_masks,
        )
        address = scene_path(scene_id, "pose")
        return await self._start(address, body, wait, on_progress)

    async def mask(
        self,
        scene_id: str,
        *,
        method: str | None = None,
        force: bool | None = None,
        wait: bool = True,
        on_progress: OnJob | None = None,
    ) -> Job:
        """Cut out what a scene's cameras look at: masks, which are only proposed.

        The job's result says how well each agrees with the others. Builds use those
        that `decide_masks` accepts.

        Args:
            scene_id: A scene with images and cameras.
            method: grabcut or rembg.
            force: Whether new masks may take the place of masks that are there.
            wait: Whether to return only when it is finished.
            on_progress: Called on every change while waiting.

        Raises:
            JobFailedError: If it was waited for and failed or was cancelled.
        """
        body = _given(method=method, force=force)
        address = scene_path(scene_id, "masks")
        return await self._start(address, body, wait, on_progress)

    async def masks(self, scene_id: str) -> Masks:
        """Which masks are proposed, and how many are used."""
        return await self._transport.ask(Masks, "GET", scene_path(scene_id, "masks"))

    async def mask_preview(self, scene_id: str, image: str) -> bytes:
        """A small JPEG of an image with the outline of its proposed mask."""
        path = scene_path(scene_id, "masks", image)
        return (await self._transport.send("GET", path)).content

    async def decide_masks(
        self, scene_id: str, accepted: Sequence[str] | None = None
    ) -> Masks:
        """Use the proposed masks of these images, or of all; forget the others."""
        body = {"accepted": None if accepted is None else list(accepted)}
        address = scene_path(scene_id, "masks")
        return await self._transport.ask(Masks, "PATCH", address, json=body)

    async def upload_zip(
        self, scene_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> CamerasReport:
        """Send a zip of a dataset folder, which replaces every file of the scene."""
        address = scene_path(scene_id, "dataset")
        return await self._put_file(CamerasReport, address, path, ZIP, on_progress)

    async def cameras(self, scene_id: str) -> CamerasReport:
        """What the uploaded cameras say."""
        path = scene_path(scene_id, "cameras")
        return await self._transport.ask(CamerasReport, "GET", path)

    async def validation(
        self, scene_id: str, *, weights: str | None = None
    ) -> Validation:
        """What is wrong with the uploaded capture for a model, the default one."""
        path = scene_path(scene_id, "validation")
        return await self._transport.ask(
            Validation, "GET", path, params=_given(weights=weights)
        )

    async def expectation(
        self,
        scene_id: str,
        *,
        weights: str | None = None,
        size: Size | None = None,
        views: Views | None = None,
        framing: str = "auto",
        up: Sequence[float] | None = None,
        convention: str = "opencv",
        holdout: int | None = None,
    ) -> Expectation:
        """How a build would frame the capture and what to expect; see `build`."""
        body = _build(weights, size, views, framing, up, convention, holdout)
        path = scene_path(scene_id, "expectation")
        return await self._transport.ask(Expectation, "POST", path, json=body)

    async def build(
        self,
        scene_id: str,
        *,
        weights: str | None = None,
        size: Size | None = None,
        views: Views | None = None,
        framing: str = "auto",
        up: Sequence[float] | None = None,
        convention: str = "opencv",
        holdout: int | None = None,
        pose: Mapping[str, Any] | None = None,
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
            up: Up axis of the capture's world; found from the cameras if absent.
            convention: How poses were stored: opencv (as their layout says), opengl,
                inverted or inverted-opengl.
            holdout: Keep every n-th view out and say how close the build comes to it.
            pose: Where the scene has no cameras, find them first: arguments of `pose`,
                or {}. Without waiting, the job is then the posing, whose result names
                the `build_job_id`.
            wait: Whether to return only when it is finished.
            on_progress: Called on every change while waiting.

        Raises:
            JobFailedError: If it was waited for and failed or was cancelled.
        """
        body = _build(weights, size, views, framing, up, convention, holdout)
        if pose is not None:
            body["pose"] = dict(pose)
        address = scene_path(scene_id, "build")
        job = await self._start(address, body, wait, on_progress)
        following = (job.result or {}).get("build_job_id")
        if not wait or following is None:
            return job
        return await self.wait(following, on_progress=on_progress)

    async def render_video(
        self,
        scene_id: str,
        trajectory: Mapping[str, Any] | None = None,
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
                {"camera_path": …} with the content of a camera-path file; the service's
                own, which follows the capture, if absent.
            height: Height in pixels.
            width: Width in pixels.
            fps: Pictures a second; the service's default if absent.
            wait: Whether to return only when it is finished.
            on_progress: Called on every change while waiting.

        Raises:
            JobFailedError: If it was waited for and failed or was cancelled.
        """
        body = _given(
            trajectory=trajectory and dict(trajectory),
            height=height,
            width=width,
            fps=fps,
        )
        address = scene_path(scene_id, "videos")
        return await self._start(address, body, wait, on_progress)

    async def job(self, job_id: str) -> Job:
        """One job."""
        return await self._transport.ask(Job, "GET", job_path(job_id))

    async def jobs(
        self, *, scene_id: str | None = None, state: str | None = None
    ) -> AsyncIterator[Job]:
        """Every job, newest first, fetched page by page."""
        wanted = _given(limit=PAGE_SIZE, scene_id=scene_id, state=state)
        async for page in self._pages(JobPage, "/v1/jobs", wanted):
            for job in page.items:
                yield job

    async def wait(self, job_id: str, *, on_progress: OnJob | None = None) -> Job:
        """Wait until a job is finished.

        Raises:
            JobFailedError: If it fails or is cancelled.
        """
        return await jobs.finished(self._transport, job_id, on_progress)

    async def cancel_job(self, job_id: str) -> Job:
        """Ask that a job be stopped."""
        return await self._transport.ask(Job, "POST", job_path(job_id, "cancel"))

    async def download_video(
        self, job_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> int:
        """Fetch a finished video (mp4) into a file; returns its size in bytes.

        Raises:
            OutputError: If the file cannot be written.
        """
        return await self._fetch_file(job_path(job_id, "result"), path, on_progress)

    async def download_scene(
        self, scene_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> int:
        """Fetch the scene file, as `nvs render` reads it; returns its bytes.

        Raises:
            OutputError: If the file cannot be written.
        """
        return await self._fetch_file(scene_path(scene_id, "file"), path, on_progress)

    async def upload_scene_file(
        self, scene_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> Scene:
        """Send a scene file that `nvs build` made; it can be rendered at once."""
        address, kind = scene_path(scene_id, "file"), "application/octet-stream"
        return await self._put_file(Scene, address, path, kind, on_progress)

    async def download_held_out(
        self, scene_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> int:
        """Fetch the picture (png) of the views that were held out; returns its bytes.

        Raises:
            OutputError: If the file cannot be written.
        """
        address = scene_path(scene_id, "held-out")
        return await self._fetch_file(address, path, on_progress)

    async def inputs(self, scene_id: str) -> tuple[Input, ...]:
        """The input views of a built scene, cameras in the user's world."""
        path = scene_path(scene_id, "inputs")
        return tuple((await self._transport.ask(Inputs, "GET", path)).items)

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
        options = _given(
            height=height,
            width=width,
            format=format,
            quality=quality,
            background=background,
        )
        return await pictures.rendered(self._transport, scene_id, camera, options)

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
        """Render a picture for each camera, in their order; see `render`."""
        options = _given(
            height=height,
            width=width,
            format=format,
            quality=quality,
            background=background,
        )
        return await pictures.rendered_batch(
            self._transport, scene_id, cameras, options
        )

    @asynccontextmanager
    async def stream(self, scene_id: str) -> AsyncGenerator[stream.AsyncRenderStream]:
        """Open a WebSocket on a built scene, for pictures that follow each other.

        Raises:
            MissingExtraError: If the package websockets is not installed.
        """
        ticket = (await self._transport.ask(Ticket, "POST", "/v1/tickets")).ticket
        url = self._transport.stream_url(scene_path(scene_id, "stream"), ticket)
        async with stream.open_stream(url) as opened:
            yield opened

    async def _pages(
        self, kind: type[Page], path: str, params: dict[str, Any]
    ) -> AsyncGenerator[Page]:
        cursor: str | None = ""
        while cursor is not None:
            page = await self._transport.ask(
                kind,
                "GET",
                path,
                params=params | ({"cursor": cursor} if cursor else {}),
            )
            yield page
            cursor = page.next_cursor

    async def _start(
        self, path: str, body: Any, wait: bool, on_progress: OnJob | None
    ) -> Job:
        job = await self._transport.ask(Job, "POST", path, json=body, headers=once())
        if not wait:
            return job
        if on_progress is not None:
            on_progress(job)
        return await self.wait(job.id, on_progress=on_progress)

    async def _send_images(
        self, scene_id: str, files: DatasetFiles, watch: UploadWatch
    ) -> None:
        """Send those images that the scene does not have as they are."""
        present = {image.name: image.sha256 for image in await self.images(scene_id)}
        for name, file in files.images.items():
            body = await asyncio.to_thread(FileBody.of_image, file, watch.of(name))
            if present.get(name) == body.sha256:
                watch.skip(body.num_bytes)
                continue
            address = scene_path(scene_id, "images", name)
            await self._transport.ask(ImageFile, "PUT", address, body=body)

    async def _put_file(
        self,
        kind: type[Answer],
        address: str,
        path: Path | str,
        media_type: str,
        on_progress: Progress | None = None,
    ) -> Answer:
        body = await asyncio.to_thread(FileBody.of, Path(path), media_type, on_progress)
        return await self._transport.ask(kind, "PUT", address, body=body)

    async def _fetch_file(
        self, address: str, path: Path | str, on_progress: Progress | None
    ) -> int:
        with atomic_output(path) as temporary:
            with temporary.open("wb") as out:
                download = Download(out, on_progress)
                await self._transport.fetch(address, download)
            await asyncio.to_thread(download.check, temporary)
            return download.received_bytes


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _build(
    weights: str | None,
    size: Size | None,
    views: Views | None,
    framing: str,
    up: Sequence[float] | None,
    convention: str,
    holdout: int | None,
) -> dict[str, Any]:
    """The body of a request to build."""
    return _given(
        weights=weights,
        size=size,
        views={"indices": list(views)} if isinstance(views, Sequence) else views,
        framing=framing,
        up=None if up is None else list(up),
        convention=None if convention == "opencv" else convention,
        holdout=holdout,
    )


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone().isoformat()
