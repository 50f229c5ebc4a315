"""Everything that users do, at once and again and again."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from nvs.assets import SAMPLE
from nvs.client import AsyncClient, PosedCamera
from nvs.client.errors import ServiceError
from nvs.errors import NvsError
from trials.load.clients import ONCE, pause_seconds
from trials.load.direct import SIZE_PX

NUM_RENDERERS = 4
FORMATS = ("jpeg", "png", "webp", "float32")
NUM_STREAM_POSES = 20
PAUSE_SECONDS = 0.05


@dataclass(slots=True)
class Mixture:
    """Mixed work on a service, until the time is up.

    Args:
        url: Of the service.
        scene_ids: Scenes that can be rendered.
        cameras: For pictures of `SIZE_PX`.
    """

    url: str
    scene_ids: list[str]
    cameras: list[PosedCamera]
    done: Counter[str] = field(default_factory=Counter[str])
    errors: Counter[str] = field(default_factory=Counter[str])
    random: random.Random = field(default_factory=lambda: random.Random(0))

    async def run(self, seconds: float) -> None:
        """Do it all, and note what was done and what went wrong."""
        deadline = time.monotonic() + seconds
        kinds = [self.render] * NUM_RENDERERS
        kinds += [self.batch, self.stream, self.build, self.video]
        kinds += [self.leave, self.mistake, self.look]
        await asyncio.gather(*(self._repeat(kind, deadline) for kind in kinds))

    async def _repeat(
        self, kind: Callable[[AsyncClient], Awaitable[None]], deadline: float
    ) -> None:
        async with AsyncClient(self.url, retries=ONCE) as client:
            while time.monotonic() < deadline:
                try:
                    await kind(client)
                except ServiceError as error:
                    if error.status == 429:
                        self.done["429"] += 1
                        pause = pause_seconds(error.retry_after_seconds)
                        await asyncio.sleep(pause)
                    else:
                        self.errors[f"{kind.__name__}: {error}"] += 1
                except (NvsError, httpx.HTTPError) as error:
                    self.errors[f"{kind.__name__}: {error}"] += 1
                else:
                    self.done[kind.__name__] += 1
                await asyncio.sleep(PAUSE_SECONDS)

    def _scene(self) -> str:
        return self.random.choice(self.scene_ids)

    def _camera(self) -> PosedCamera:
        return self.random.choice(self.cameras)

    async def render(self, client: AsyncClient) -> None:
        """One picture of some scene, size and format."""
        factor = self.random.choice((1, 1, 2))
        await client.render(
            self._scene(),
            self._camera().scaled(height=factor, width=factor),
            height=SIZE_PX * factor,
            width=SIZE_PX * factor,
            format=self.random.choice(FORMATS),
        )

    async def batch(self, client: AsyncClient) -> None:
        """Several pictures."""
        cameras = self.random.choices(self.cameras, k=12)
        await client.render_batch(self._scene(), cameras, height=SIZE_PX, width=SIZE_PX)

    async def stream(self, client: AsyncClient) -> None:
        """A visit: a stream, poses, the end."""
        async with client.stream(self._scene()) as stream:
            for _ in range(NUM_STREAM_POSES):
                await stream.render(self._camera(), height=SIZE_PX, width=SIZE_PX)

    async def build(self, client: AsyncClient) -> None:
        """The life of a scene, from its upload to its end."""
        scene = await client.create_scene("short-lived")
        try:
            await client.upload_dataset(scene.id, SAMPLE)
            indices = self.random.sample(range(24), 5)
            await client.build(scene.id, size=SIZE_PX, views=indices)
            await client.inputs(scene.id)
            await client.render(scene.id, self._camera(), height=SIZE_PX, width=SIZE_PX)
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "taken-home.scene"
                await client.download_scene(scene.id, file)
                await client.upload_scene_file(scene.id, file)
        finally:
            await client.delete_scene(scene.id)

    async def video(self, client: AsyncClient) -> None:
        """A short video, fetched."""
        orbit = {"kind": "orbit", "num_frames": self.random.randrange(4, 12)}
        job = await client.render_video(
            self._scene(), orbit, height=SIZE_PX, width=SIZE_PX, fps=12
        )
        with tempfile.TemporaryDirectory() as folder:
            await client.download_video(job.id, Path(folder) / "orbit.mp4")

    async def leave(self, client: AsyncClient) -> None:
        """Ask for a picture and go away before it comes."""
        asked = asyncio.create_task(self.render(client))
        await asyncio.sleep(self.random.uniform(0, 0.1))
        asked.cancel()
        with suppress(asyncio.CancelledError, ServiceError):
            await asked

    async def mistake(self, client: AsyncClient) -> None:
        """A camera that is none, and an image that is none."""
        with suppress(ServiceError):
            camera = {"eye": [0, 0, 0], "target": [0, 0, 0], "vertical_fov_degrees": 50}
            await client.render(self._scene(), camera, height=SIZE_PX, width=SIZE_PX)
            self.errors["a camera that looks at itself was taken"] += 1
        scene = await client.create_scene("broken")
        with tempfile.TemporaryDirectory() as folder, suppress(ServiceError):
            image = Path(folder) / "broken.png"
            image.write_bytes(b"\x89PNG\r\n\x1a\n" + self.random.randbytes(10_000))
            await client.upload_image(scene.id, image)
            self.errors["a broken image was taken"] += 1
        await client.delete_scene(scene.id)

    async def look(self, client: AsyncClient) -> None:
        """What an open page and a monitor ask for."""
        await client.me()
        await client.capacity()
        [scene async for scene in client.scenes(state="ready")]
        await client.inputs(self._scene())
        async with httpx.AsyncClient(base_url=self.url) as other:
            (await other.get("/metrics")).raise_for_status()
