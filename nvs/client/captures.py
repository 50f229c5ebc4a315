"""Requests about captures: images, cameras, video, posing and masks."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nvs.api.jobs import Job
from nvs.api.masks import Masks
from nvs.api.scenes import (
    CamerasReport,
    ImageFile,
    ImageFiles,
    Scene,
    Validation,
    VideoUpload,
)
from nvs.client.connection import Connection, given
from nvs.client.dataset_files import DatasetFiles
from nvs.client.jobs import OnJob
from nvs.client.transfers import JSON, ZIP, FileBody, OnUpload, Progress, UploadWatch
from nvs.client.transport import scene_path
from nvs.errors import DatasetError
from nvs.file_kinds import VIDEO_TYPES


class CaptureRequests(Connection):
    """What is done with a scene before it is built."""

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
        return await self._transport.ask(Scene, "GET", scene_path(scene_id))

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
            Validation, "GET", path, params=given(weights=weights)
        )

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
        body = given(
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
        body = given(method=method, force=force)
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
