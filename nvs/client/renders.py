"""Requests about built scenes: their inputs, pictures, streams and videos."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nvs.api.jobs import Job
from nvs.api.scenes import Input, Inputs
from nvs.api.system import Ticket
from nvs.client import pictures, stream
from nvs.client.connection import Connection, given
from nvs.client.jobs import OnJob
from nvs.client.pictures import Camera, Picture
from nvs.client.transfers import Progress
from nvs.client.transport import job_path, scene_path


class RenderRequests(Connection):
    """What is done with a scene that is built."""

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
        options = given(
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
        options = given(
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
        body = given(
            trajectory=trajectory and dict(trajectory),
            height=height,
            width=width,
            fps=fps,
        )
        address = scene_path(scene_id, "videos")
        return await self._start(address, body, wait, on_progress)

    async def download_video(
        self, job_id: str, path: Path | str, *, on_progress: Progress | None = None
    ) -> int:
        """Fetch a finished video (mp4) into a file; returns its size in bytes.

        Raises:
            OutputError: If the file cannot be written.
        """
        return await self._fetch_file(job_path(job_id, "result"), path, on_progress)
