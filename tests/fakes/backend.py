"""A backend that computes nothing, counts everything, and can be held and broken.

Its pictures are of one colour each, which their camera decides.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nvs.api.cameras import PosedCamera
from nvs.api.framing import Closeness, Expectation, HeldOut
from nvs.api.jobs import BuildRequest
from nvs.api.masks import MaskResult, ProposedMask
from nvs.api.names import PROPOSED_FOLDER
from nvs.api.posing import (
    POSING_EXAMPLE,
    LeftOutPhoto,
    PlacedPhoto,
    Posing,
    PosingSketch,
)
from nvs.api.renders import PictureOptions
from nvs.api.scenes import CamerasReport, Finding, Validation
from nvs.api.stream import Timings
from nvs.api.system import Model
from nvs.errors import CameraError, DatasetError, SceneFileError
from nvs.file_kinds import IMAGE_SUFFIXES, is_mask_name, mask_name
from nvs.images import read_image
from nvs_server.compute.encode import MEDIA_TYPES, encode
from nvs_server.compute.orders import (
    BuildOrder,
    FoundCameras,
    FoundMasks,
    ImageSize,
    InputView,
    InspectedScene,
    MaskOrder,
    Picture,
    PoseOrder,
    PreparedViews,
    PrepareOrder,
    RenderOrder,
    VideoOrder,
)
from nvs_server.compute.protocol import (
    BackendStatus,
    CacheStatus,
    ChildStatus,
    Progress,
    SceneDamaged,
)
from nvs_server.naming import shown_as
from nvs_server.storage.records import FileRecord, SceneFile, VideoFile

WEIGHTS = "fake"
MODEL_DIGEST = "ab" * 32
SIDE = 32
NUM_INPUTS = 2
"""Of scene files, which do not say what they were built from."""
TIMINGS = Timings(queue_ms=1.0, load_ms=2.5, model_ms=3.0, encode_ms=4.0)
SCENE_MAGIC = b"fake scene "
SCENE_CONTENT = SCENE_MAGIC + bytes(range(256)) * 512
"""A scene file of a size that takes several reads."""
EXPECTATION = Expectation(
    weights=WEIGHTS,
    verdict="fine",
    framing="object",
    reason="object: as asked",
    up=(0.0, 0.0, 1.0),
    concerns=[],
)
CLOSE = Closeness(psnr_db=20.0, ssim=0.5, lpips=None)
HELD_OUT = HeldOut(
    num_views=1,
    render=CLOSE,
    nearest=CLOSE,
    flat=CLOSE,
    meaning="fake comes 1.0 dB closer than the nearest photograph",
    notes=["LPIPS is left out: it is not there"],
)
PNG = PictureOptions(height=SIDE, width=SIDE, format="png")
JPEG = PictureOptions(height=SIDE, width=SIDE, format="jpeg")
MODEL = Model(
    id=WEIGHTS,
    is_default=True,
    poses="object",
    patch_size=8,
    num_parameters=1,
    digest=MODEL_DIGEST,
    trained_height=SIDE,
    trained_width=None,
    max_height=512,
    max_width=256,
    max_views=4,
    description="Computes nothing.",
)


def colour_of(camera: PosedCamera) -> tuple[int, int, int]:
    """The one colour of a camera's pictures."""
    pose = [number for row in camera.world_from_camera for number in row]
    numbers = [*pose, camera.fx, camera.fy]
    text = " ".join(f"{number + 0.0:.6f}" for number in numbers)
    digest = hashlib.sha256(text.replace("-0.000000", "0.000000").encode()).digest()
    return digest[0], digest[1], digest[2]


def picture_of(camera: PosedCamera, options: PictureOptions) -> bytes:
    """What `render` answers, deterministic."""
    size = (options.height, options.width, 3)
    colour = np.array(colour_of(camera), np.float32) / 255
    return encode(np.broadcast_to(colour, size), options)


def input_camera(
    index: int, num_inputs: int = NUM_INPUTS, *, height: int = SIDE, width: int = SIDE
) -> PosedCamera:
    """One on a ring about the origin, z up."""
    angle = 2 * math.pi * index / num_inputs
    cos, sin = math.cos(angle), math.sin(angle)
    return PosedCamera(
        world_from_camera=[
            [-sin, 0.0, -cos, 2.5 * cos],
            [cos, 0.0, -sin, 2.5 * sin],
            [0.0, -1.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 1.0],
        ],
        fx=5 / 6 * width,
        fy=5 / 4 * height,
        cx=width / 2,
        cy=height / 2,
    )


def sketch_of(
    names: Sequence[str],
    placed: Sequence[str],
    left_out: Sequence[LeftOutPhoto] = (),
) -> PosingSketch:
    """Of a posing on the way; who is placed stands on the ring."""
    return PosingSketch(
        photographs=[*names],
        placed=[
            PlacedPhoto(
                name=name,
                camera=input_camera(names.index(name), len(names)),
                height=SIDE,
                width=SIDE,
            )
            for name in placed
        ],
        left_out=[*left_out],
    )


class FakeBackend:
    """Implements the `Backend` protocol.

    Operations are named by method: `errors["build"].append(error)` makes the next
    build fail, `hold("render")` makes renders wait until `let_go("render")`.

    Args:
        height: Of its scenes, in pixels.
        width: Of its scenes, in pixels.
        models: What it serves, the default first.
        num_workers: How many it says it has.
    """

    def __init__(
        self,
        *,
        height: int = SIDE,
        width: int = SIDE,
        models: Sequence[Model] = (MODEL,),
        num_workers: int = 1,
    ) -> None:
        self._size = (height, width)
        self._models = models
        self.num_workers = num_workers
        self._gates: dict[str, asyncio.Event] = {}
        self.refresh()

    def refresh(self) -> None:
        """Let go of what is held; forget what was asked and scripted."""
        for name in [*self._gates]:
            self.let_go(name)
        self.height, self.width = self._size
        self.served = [*self._models]
        self.state = "ready"
        self.poser_state = "ready"
        self.calls: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.cancelled: Counter[str] = Counter()
        self.errors: defaultdict[str, list[Exception]] = defaultdict(list)
        self.lost: set[str] = set()
        self.delays_seconds: Sequence[float] = ()
        """Of renders in turn: the answers overtake each other."""
        self.orders: list[Any] = []
        self.expectation = EXPECTATION
        self.expected: list[BuildRequest] = []
        self.datasets: list[dict[str, bytes]] = []
        self._held: Counter[str] = Counter()
        self._entered = asyncio.Event()

    def hold(self, name: str) -> None:
        self._gates[name] = asyncio.Event()

    def let_go(self, name: str) -> None:
        if gate := self._gates.pop(name, None):
            gate.set()

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
        child = ChildStatus(device="cpu", state=self.state, num_restarts=1, pid=1)
        tier = CacheStatus(
            tier="host", bytes=5, bytes_limit=10, scenes=1, hits=3, evictions=0
        )
        return BackendStatus(
            num_workers=self.num_workers,
            workers=(child,) * self.num_workers,
            inspectors=(child,),
            posers=(child.model_copy(update={"state": self.poser_state}),),
            cache=(tier,),
            num_renders=0,
            num_jobs=0,
            images_total=7,
            batches_total=2,
        )

    async def models(self) -> list[Model]:
        return [*self.served]

    async def render(self, order: RenderOrder) -> list[Picture]:
        self.orders.append(order)
        await self._enter("render")
        if self.delays_seconds:
            turn = self.calls["render"] % len(self.delays_seconds)
            await asyncio.sleep(self.delays_seconds[turn])
        if order.scene.sha256 in self.lost:
            raise SceneDamaged("the scene file is altered", remedy="Build it again.")
        return [
            Picture(
                data=picture_of(camera, order.options),
                media_type=MEDIA_TYPES[order.options.format],
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
        names = [str(p) for p in self.datasets[-1] if Path(p).suffix in IMAGE_SUFFIXES]
        wanted = (self.datasets[-1], order.request.size, order.request.views)
        views.write_bytes(f"{len(names)} {wanted!r}".encode())
        return PreparedViews(
            views=views,
            weights=order.request.weights or WEIGHTS,
            height=self.height,
            width=self.width,
            inputs=self._inputs(order.output, names, with_images=True),
            held_out=views if order.request.holdout else None,
        )

    async def pose(self, order: PoseOrder, progress: Progress) -> FoundCameras:
        """Those called `foreign` are left out; half of the rest are placed at first."""
        self.orders.append(order)
        names = [*order.photographs, *(["posed/0.png"] if order.video else [])]
        placed = [name for name in names if "foreign" not in name]
        left_out = [
            LeftOutPhoto(name=name, reason="matches no other photograph")
            for name in names
            if name not in placed
        ]
        for stage in ("decode", "features", "matching"):
            progress(stage, 1.0, sketch_of(names, []))
            await self._enter(stage)
        progress("mapping", 0.5, sketch_of(names, placed[: len(placed) // 2]))
        await self._enter("mapping")
        progress("framing", 1.0, sketch_of(names, placed, left_out))
        await self._enter("framing")
        frames = [{"file_path": name} for name in placed]
        content = json.dumps(frames).encode()
        made = {"opencv_cameras.json": content}
        if order.video:
            made["posed/0.png"] = encode(np.zeros((SIDE, SIDE, 3), np.float32), PNG)
        files = []
        for path, data in made.items():
            file = order.result / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            side = SIDE if path.endswith(".png") else None
            files.append(
                FileRecord(
                    path=path,
                    kind="cameras" if side is None else "image",
                    sha256=hashlib.sha256(data).hexdigest(),
                    num_bytes=len(data),
                    height=side,
                    width=side,
                )
            )
        return FoundCameras(
            files=tuple(files),
            posing=Posing.model_validate(
                POSING_EXAMPLE
                | {"num_photographs": len(names), "num_posed": len(placed)}
                | ({"left_out": left_out} if left_out else {})
            ),
        )

    async def mask(self, order: MaskOrder, progress: Progress) -> FoundMasks:
        """All but a rim is cut out; the first image agrees little."""
        self.orders.append(order)
        progress("cutting out", 0.5)
        await self._enter("mask")
        images = [name for name in order.images if not is_mask_name(name)]
        inner = np.ones((SIDE - 8, SIDE - 8, 3), np.float32)
        rim = np.pad(inner, ((4, 4), (4, 4), (0, 0)))
        files = []
        for name in images:
            for path, kind in ((mask_name(name), "mask"), (name, "preview")):
                file = order.output / PROPOSED_FOLDER / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(encode(rim, PNG if kind == "mask" else JPEG))
                side = SIDE if kind == "mask" else None
                files.append(
                    FileRecord(
                        path=f"{PROPOSED_FOLDER}/{path}",
                        kind=kind,
                        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
                        num_bytes=file.stat().st_size,
                        height=side,
                        width=side,
                    )
                )
        masks = [
            ProposedMask(image=name, agreement=0.9 if index else 0.3, share=0.5)
            for index, name in enumerate(images)
        ]
        return FoundMasks(files=tuple(files), result=MaskResult(masks=masks))

    async def build(self, order: BuildOrder, progress: Progress) -> SceneFile:
        self.orders.append(order)
        progress("prefill", 0.0)
        await self._enter("build")
        progress("prefill", 1.0)
        content = order.views.read_bytes() + f"{order.framing}{order.up}".encode()
        digest = hashlib.sha256(content).hexdigest()
        order.output.write_bytes(SCENE_MAGIC + digest.encode())
        file = self._scene_file(order.output, order.weights, int(content.split()[0]))
        file = replace(file, expectation=self.expectation, up=order.up or file.up)
        if order.sheet is None:
            return file
        order.sheet.write_bytes(b"a sheet")
        sheet_sha256 = hashlib.sha256(b"a sheet").hexdigest()
        return replace(file, held_out=HELD_OUT, sheet_sha256=sheet_sha256)

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
            if any(folder.rglob("cameras.*")):
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
        names = [f"{index}.png" for index in range(NUM_INPUTS)]
        return InspectedScene(
            file=self._scene_file(path, WEIGHTS, NUM_INPUTS),
            inputs=self._inputs(output, names, with_images=False),
        )

    async def expect(
        self, folder: Path, request: BuildRequest, *, look: bool
    ) -> Expectation:
        self.expected.append(request)
        await self._enter("expect")
        return self.expectation

    async def validate(self, folder: Path, *, weights: str | None = None) -> Validation:
        await self._enter("validate")
        finding = Finding(
            severity="warning",
            title="blurred",
            detail=f"a.png is blurred for {weights}",
            remedy="Take it again.",
            views=["a.png"],
        )
        return Validation(
            verdict="warning", findings=[finding], expectation=self.expectation
        )

    def _scene_file(self, path: Path, weights: str, num_views: int) -> SceneFile:
        return SceneFile(
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            num_bytes=path.stat().st_size,
            weights=weights,
            model_digest=MODEL_DIGEST,
            height=self.height,
            width=self.width,
            num_views=num_views,
            up=(0.0, 0.0, 1.0),
            unframed=False,
        )

    def _inputs(
        self, folder: Path, names: Sequence[str], *, with_images: bool
    ) -> tuple[InputView, ...]:
        size = {"height": self.height, "width": self.width}
        views: list[InputView] = []
        for index, name in enumerate(names):
            picture = Image.new("RGB", (self.width, self.height), (200, 40 * index, 0))
            picture.save(folder / f"{index}.png")
            picture.save(folder / f"{index}.jpg")
            views.append(
                InputView(
                    index=index,
                    name=name,
                    camera=input_camera(index, len(names), **size),
                    **size,
                    image=folder / f"{index}.png" if with_images else None,
                    thumbnail=folder / f"{index}.jpg",
                )
            )
        return tuple(views)


def _frames(content: Any) -> list[Mapping[str, Any]]:
    return content["frames"] if isinstance(content, dict) else content
