"""A backend that computes nothing, counts everything, and can be held and broken."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from nvs.api.cameras import PosedCamera
from nvs.api.scenes import CamerasReport, Finding, Validation
from nvs.api.stream import Timings
from nvs.api.system import Model, Poses
from nvs.errors import CameraError, DatasetError, SceneFileError
from nvs.images import read_image
from nvs_server.compute.protocol import (
    BackendStatus,
    BuildOrder,
    CacheStatus,
    ChildStatus,
    ImageSize,
    InputView,
    InspectedScene,
    Picture,
    PreparedViews,
    PrepareOrder,
    Progress,
    RenderOrder,
    SceneDamaged,
    VideoOrder,
)
from nvs_server.naming import shown_as
from nvs_server.storage.records import SceneFile, VideoFile

WEIGHTS = "fake"
MODEL_DIGEST = "ab" * 32
SIDE = 32
MEDIA = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "float32": "application/octet-stream",
}
POSE = [
    [1.0, 0.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, 0.0],
    [0.0, 0.0, 1.0, -2.5],
    [0.0, 0.0, 0.0, 1.0],
]
TIMINGS = Timings(queue_ms=1.0, load_ms=2.5, model_ms=3.0, encode_ms=4.0)
CAMERA = PosedCamera(world_from_camera=POSE, fx=30.0, fy=30.0, cx=16.0, cy=16.0)
SCENE_MAGIC = b"fake scene "
Listener = Callable[[], None]


class FakeBackend:
    """Implements the `Backend` protocol.

    Operations are named by method: `errors["build"].append(error)` makes the next
    build fail, `hold("render")` makes renders wait until `let_go("render")`.
    """

    def __init__(self, num_workers: int = 1) -> None:
        self.calls: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.cancelled: Counter[str] = Counter()
        self.errors: defaultdict[str, list[Exception]] = defaultdict(list)
        self.lost: set[str] = set()
        self.orders: list[Any] = []
        self.datasets: list[dict[str, bytes]] = []
        self.num_workers = num_workers
        self.serves = True
        self.model_digest = MODEL_DIGEST
        self._gates: dict[str, asyncio.Event] = {}
        self._held: Counter[str] = Counter()
        self._entered = asyncio.Event()

    def hold(self, name: str) -> None:
        self._gates[name] = asyncio.Event()

    def let_go(self, name: str) -> None:
        self._gates.pop(name).set()

    async def begun(self, name: str, count: int = 1) -> None:
        """Return once so many operations of this name are held."""
        async with asyncio.timeout(60):
            while self._held[name] < count:
                self._entered.clear()
                await self._entered.wait()

    async def _enter(self, name: str) -> None:
        self.calls[name] += 1
        if self.errors[name]:
            raise self.errors[name].pop(0)
        if name in self._gates:
            gate = self._gates[name]
            self._held[name] += 1
            self._entered.set()
            try:
                await gate.wait()
            except asyncio.CancelledError:
                self.cancelled[name] += 1
                raise
            finally:
                self._held[name] -= 1
        self.ended[name] += 1

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def status(self) -> BackendStatus:
        child = ChildStatus(device="cpu", state="ready", num_restarts=0, pid=1)
        tier = CacheStatus(
            tier="host", bytes=5, bytes_limit=10, scenes=1, hits=0, evictions=0
        )
        return BackendStatus(
            workers=(child,) * self.num_workers,
            inspectors=(child,),
            cache=(tier,),
            num_renders=0,
            num_jobs=0,
            images_total=0,
            batches_total=0,
        )

    async def models(self) -> list[Model]:
        model = Model(
            id=WEIGHTS,
            is_default=True,
            poses="object",
            patch_size=8,
            num_parameters=1,
            digest=self.model_digest,
            trained_height=SIDE,
            trained_width=None,
            max_height=512,
            max_width=256,
            max_views=4,
            description="Computes nothing.",
        )
        return [model] if self.serves else []

    async def render(self, order: RenderOrder) -> list[Picture]:
        self.orders.append(order)
        await self._enter("render")
        if order.scene.sha256 in self.lost:
            raise SceneDamaged("the scene file is altered", remedy="Build it again.")
        return [
            Picture(
                data=f"{order.scene.sha256} {camera.world_from_camera[0][3]}".encode(),
                media_type=MEDIA[order.options.format],
                height=order.options.height,
                width=order.options.width,
                timings=TIMINGS,
                tier="host",
            )
            for camera in order.cameras
        ]

    async def prepare(self, order: PrepareOrder, progress: Progress) -> PreparedViews:
        self.orders.append(order)
        progress("reading images", 0.0)
        files = sorted(path for path in order.folder.rglob("*") if path.is_file())
        self.datasets.append(
            {str(p.relative_to(order.folder)): p.read_bytes() for p in files}
        )
        await self._enter("prepare")
        progress("reading images", 1.0)
        order.output.mkdir()
        views = order.output / "views"
        views.write_bytes(
            repr((self.datasets[-1], order.request.size, order.request.views)).encode()
        )
        return PreparedViews(
            views=views,
            weights=order.request.weights or WEIGHTS,
            height=SIDE,
            width=SIDE,
            inputs=_inputs(order.output, with_images=True),
        )

    async def build(self, order: BuildOrder, progress: Progress) -> SceneFile:
        self.orders.append(order)
        progress("prefill", 0.0)
        await self._enter("build")
        progress("prefill", 1.0)
        content = order.views.read_bytes() + order.framing.encode()
        digest = hashlib.sha256(content).hexdigest()
        order.output.write_bytes(SCENE_MAGIC + digest.encode())
        return SceneFile(
            sha256=hashlib.sha256(order.output.read_bytes()).hexdigest(),
            num_bytes=order.output.stat().st_size,
            weights=order.weights,
            model_digest=MODEL_DIGEST,
            height=SIDE,
            width=SIDE,
            num_views=2,
        )

    async def video(self, order: VideoOrder, progress: Progress) -> VideoFile:
        self.orders.append(order)
        progress("rendering", 0.0)
        await self._enter("video")
        if order.scene.sha256 in self.lost:
            raise SceneDamaged("the scene file is altered", remedy="Build it again.")
        order.output.write_bytes(bytes(range(256)) * 4)
        return VideoFile(
            sha256=hashlib.sha256(order.output.read_bytes()).hexdigest(),
            num_bytes=1024,
            num_frames=3,
            height=order.request.height,
            width=order.request.width,
            fps=order.request.fps or 30.0,
        )

    async def inspect_image(self, path: Path) -> ImageSize:
        await self._enter("inspect_image")
        with shown_as(path, "the image"):
            pixels = read_image(path)
        return ImageSize(height=pixels.shape[0], width=pixels.shape[1])

    async def inspect_cameras(self, folder: Path) -> CamerasReport:
        await self._enter("inspect_cameras")
        for name, layout in (  # noqa: B007 - used after the loop
            ("opencv_cameras.json", "opencv"),
            ("transforms.json", "nerfstudio"),
        ):
            if (folder / name).is_file():
                break
        else:
            if any(folder.rglob("cameras.txt")):
                return CamerasReport(
                    layout="colmap", num_frames=2, num_missing=0, missing=[]
                )
            raise DatasetError(
                "in no known dataset layout", remedy="Known: opencv.", subject=folder
            )
        frames = _frames(json.loads((folder / name).read_text()))
        for index, frame in enumerate(frames):
            if "broken" in frame:
                raise CameraError(
                    f"frame {index}: the pose is broken",
                    remedy="Mend it.",
                    subject=folder / name,
                )
        names = [str(frame["file_path"]) for frame in frames]
        missing = [name for name in names if not (folder / name).is_file()]
        return CamerasReport(
            layout=layout,
            num_frames=len(names),
            num_missing=len(missing),
            missing=missing[:20],
        )

    async def inspect_scene(
        self, path: Path, sha256: str, output: Path
    ) -> InspectedScene:
        await self._enter("inspect_scene")
        if not path.read_bytes().startswith(SCENE_MAGIC):
            raise SceneFileError("not a scene file", remedy="Send one.", subject=path)
        file = SceneFile(
            sha256=sha256,
            num_bytes=path.stat().st_size,
            weights=WEIGHTS,
            model_digest=MODEL_DIGEST,
            height=SIDE,
            width=SIDE,
            num_views=2,
        )
        return InspectedScene(file=file, inputs=_inputs(output, with_images=False))

    async def validate(self, folder: Path, *, poses: Poses = "object") -> Validation:
        await self._enter("validate")
        finding = Finding(
            severity="warning",
            title="blurred",
            detail=f"a.png is blurred for {poses} weights",
            remedy="Take it again.",
            views=["a.png"],
        )
        return Validation(verdict="warning", findings=[finding])


def _frames(content: Any) -> list[Mapping[str, Any]]:
    return content["frames"] if isinstance(content, dict) else content


def _inputs(folder: Path, *, with_images: bool) -> tuple[InputView, ...]:
    views: list[InputView] = []
    for index, name in enumerate(("a.png", "b.png")):
        picture = Image.new("RGB", (SIDE, SIDE), (index, 0, 0))
        picture.save(folder / f"{index}.png")
        picture.save(folder / f"{index}.jpg")
        views.append(
            InputView(
                index=index,
                name=name,
                camera=CAMERA,
                height=SIDE,
                width=SIDE,
                image=folder / f"{index}.png" if with_images else None,
                thumbnail=folder / f"{index}.jpg",
            )
        )
    return tuple(views)
