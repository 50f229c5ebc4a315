"""The renderer in this process: scenes for the service, and what it is held against."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from nvs.api.renders import ImageFormat, PictureOptions
from nvs.assets import SAMPLE
from nvs.cameras import Camera
from nvs.client import PosedCamera
from nvs.scene import Scene, load_views
from nvs.scene.paths import scene_orbit
from nvs.scene.views import PosedViews
from nvs_server.compute.encode import encode
from nvs_server.compute.models import Served, load_models
from nvs_server.settings import ComputeSettings

SIZE_PX = 64
NUM_VIEWS = 6
QUALITY = 90


@dataclass(frozen=True, slots=True)
class Direct:
    """The bundled weights and the sample's views."""

    model: Served
    views: PosedViews

    @staticmethod
    def load() -> Direct:
        (model,) = load_models(ComputeSettings(), "cpu").values()
        return Direct(model, load_views(SAMPLE, size=SIZE_PX))

    def scene(self, first: int = 0) -> Scene:
        """A scene of `NUM_VIEWS` views; another for each first view."""
        chosen = [(first + step) % len(self.views) for step in range(NUM_VIEWS)]
        views = PosedViews(
            image=self.views.image[chosen],
            camera=self.views.camera[chosen],
            names=tuple(self.views.names[index] for index in chosen),
        )
        return self.model.renderer.prefill(views)

    def cache_bytes(self, num_scenes: int) -> int:
        """A budget that so many of its scenes fit in."""
        with tempfile.TemporaryDirectory(prefix="nvs-load-") as name:
            file = Path(name) / "one.scene"
            self.scene().save(file)
            most = self.model.scene_bytes(file.stat().st_size)
        return num_scenes * most + most // 2  # their names differ

    def render(self, scene: Scene, camera: Camera, format: ImageFormat) -> list[bytes]:
        """What the service answers, by its own renderer and encoder."""
        size = {"height": camera.height, "width": camera.width}
        options = PictureOptions(**size, format=format, quality=QUALITY)
        images = self.model.renderer.render(scene, camera).float().cpu()
        return [encode(image.numpy(), options) for image in images]

    def rate(self, scene: Scene, *, batch: int, seconds: float) -> float:
        """Images a second, in batches, as JPEG."""
        scene = scene.to(dtype=self.model.renderer.precision.compute)
        cameras = around(scene, batch, SIZE_PX)
        begun, count = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds:
            count += len(self.render(scene, cameras, "jpeg"))
        return count / (time.perf_counter() - begun)


def around(scene: Scene, num_views: int, size_px: int) -> Camera:
    """Cameras on a circle around a scene."""
    return scene_orbit(scene, num_views, height=size_px, width=size_px)


def asked(camera: Camera) -> list[PosedCamera]:
    """Cameras as the client sends them."""
    return [
        PosedCamera(world_from_camera=pose, fx=fx, fy=fy, cx=cx, cy=cy)
        for pose, (fx, fy, cx, cy) in zip(
            camera.world_from_camera.tolist(), camera.intrinsics.tolist(), strict=True
        )
    ]
