"""What all routes that render share: the order and its checks, lost files, packing."""

from __future__ import annotations

import secrets
import zipfile
from collections.abc import Sequence
from typing import IO, ClassVar, Protocol

from starlette.concurrency import run_in_threadpool

from nvs.api.cameras import Camera
from nvs.api.renders import PictureOptions
from nvs_server.compute.orders import Picture, RenderOrder
from nvs_server.compute.protocol import Backend, SceneDamaged
from nvs_server.edge.problems import Problem, invalid
from nvs_server.jobs.rebuild import rebuild
from nvs_server.jobs.runner import JobRunner
from nvs_server.routes.dependencies import built_file, find_model
from nvs_server.settings import Settings
from nvs_server.storage.blobs import Blobs
from nvs_server.storage.durable import full_disk_reported
from nvs_server.storage.errors import BlobDamaged, BlobMissing
from nvs_server.storage.jobs import JobStore
from nvs_server.storage.records import SceneRecord
from nvs_server.storage.scenes import SceneStore

REBUILD_SECONDS = 10.0
"""Retry-After while a lost scene file is built again."""
SUFFIXES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "application/octet-stream": "f32",
}


class Pictures:
    """Renders scenes, and starts the repair of those whose file is lost."""

    def __init__(
        self,
        settings: Settings,
        scenes: SceneStore,
        jobs: JobStore,
        blobs: Blobs,
        backend: Backend,
        runner: JobRunner,
    ) -> None:
        self._settings = settings
        self._scenes = scenes
        self._jobs = jobs
        self._blobs = blobs
        self._backend = backend
        self._runner = runner

    async def order(
        self,
        scene: SceneRecord,
        cameras: Sequence[Camera],
        options: PictureOptions,
    ) -> RenderOrder:
        """What to ask of the backend.

        Raises:
            Problem: `not-built`, `building` or `invalid` (the size).
        """
        reference = built_file(scene)
        await self.check_size(scene, options.height, options.width)
        return RenderOrder(
            scene=reference,
            cameras=tuple(
                camera.at_size(options.height, options.width) for camera in cameras
            ),
            options=options,
        )

    async def check_size(self, scene: SceneRecord, height: int, width: int) -> None:
        """Refuse a size that the scene's model or the settings do not allow.

        Raises:
            Problem: `invalid`, naming height or width; `not-built` if the scene's
                weights are no longer served.
        """
        model = await find_model(self._backend, scene.weights)
        if model is None or model.digest != scene.model_digest:
            what = f"{scene.weights!r}, which is no longer served"
            if model is not None:
                what = f"other weights than {model.id!r} of today"
            raise Problem(
                "not-built",
                f"The scene was built with {what}.",
                remedy="Build it again, or ask the operator to serve those weights.",
            )
        patch = model.patch_size
        for field, side, limit in (
            ("height", height, model.max_height),
            ("width", width, model.max_width),
        ):
            if side % patch:
                down = max(side // patch, 1) * patch
                raise invalid(
                    field,
                    f"{side} is not a multiple of {patch}",
                    remedy=f"Use {down} or {down + patch}.",
                )
            if side > limit:
                raise invalid(
                    field,
                    f"{side} pixels are more than {model.id} renders",
                    remedy=f"Use at most {limit}.",
                )
        if height * width > self._settings.max_render_pixels:
            raise invalid(
                "height",
                f"{height}×{width} is over {self._settings.max_render_pixels} pixels",
                remedy="Ask for a smaller picture.",
            )

    async def render(self, scene: SceneRecord, order: RenderOrder) -> list[Picture]:
        """The pictures; a lost scene file is built again.

        Raises:
            Problem: `scene-damaged`, 503, or `not-built` if it cannot be built again.
        """
        try:
            return await self._backend.render(order)
        except (SceneDamaged, BlobMissing, BlobDamaged) as error:
            raise await self._repair(scene) from error

    async def _repair(self, scene: SceneRecord) -> Problem:
        job = await run_in_threadpool(
            rebuild, scene, self._scenes, self._jobs, self._blobs
        )
        if job is not None:
            self._runner.wake()
            return Problem(
                "scene-damaged",
                "The stored scene file is missing or altered; "
                f"job {job.id} builds it again.",
                retry_after_seconds=REBUILD_SECONDS,
            )
        now = await run_in_threadpool(self._scenes.get, scene.owner, scene.id)
        if now is None or now.error is None:
            return Problem("scene-damaged", "The scene file could not be loaded.")
        return Problem("not-built", f"{now.error.problem}.", remedy=now.error.remedy)


def picture_name(index: int, picture: Picture) -> str:
    """Name of a picture of a batch, such as 00007.png."""
    return f"{index:05d}.{SUFFIXES[picture.media_type]}"


class Packing(Protocol):
    """Writes pictures one after another into a file."""

    media_type: str
    """Of the file."""

    def __init__(self, file: IO[bytes]) -> None: ...

    def add(self, index: int, picture: Picture) -> None:
        """Write the next picture."""
        ...

    def finish(self) -> None:
        """Write what stands at the end."""
        ...


class ZipPacking:
    """A zip file without compression: pictures are compressed already."""

    media_type: str = "application/zip"

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)

    def add(self, index: int, picture: Picture) -> None:
        """Write the next picture."""
        with full_disk_reported("the pictures"):
            self._archive.writestr(picture_name(index, picture), picture.data)

    def finish(self) -> None:
        """Write the list of entries."""
        with full_disk_reported("the pictures"):
            self._archive.close()
            self._file.flush()


class MultipartPacking:
    """Parts of a multipart/mixed body (RFC 2046)."""

    boundary: ClassVar[str] = f"nvs-{secrets.token_hex(16)}"
    media_type: str = f"multipart/mixed; boundary={boundary}"

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, index: int, picture: Picture) -> None:
        """Write the next picture."""
        head = (
            f"--{self.boundary}\r\n"
            f"Content-Type: {picture.media_type}\r\n"
            f"Content-Length: {len(picture.data)}\r\n"
            "Content-Disposition: inline; "
            f'filename="{picture_name(index, picture)}"\r\n\r\n'
        )
        with full_disk_reported("the pictures"):
            self._file.write(head.encode() + picture.data + b"\r\n")

    def finish(self) -> None:
        """Write the last boundary."""
        with full_disk_reported("the pictures"):
            self._file.write(f"--{self.boundary}--\r\n".encode())
            self._file.flush()


PACKINGS: dict[str, type[Packing]] = {
    "application/zip": ZipPacking,
    "multipart/mixed": MultipartPacking,
}
"""By media type; the first is the default."""
