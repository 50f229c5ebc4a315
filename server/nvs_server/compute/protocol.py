"""What the gateway asks of whoever computes, as values and one protocol.

What clients ask for and are answered travels as they see it, in models of `nvs.api`.
Nothing here knows torch: the work is done in other processes, or on other machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nvs.api.cameras import PosedCamera
from nvs.api.framing import Expectation, Framing
from nvs.api.jobs import BuildRequest, JobStage
from nvs.api.masks import MaskRequest, MaskResult
from nvs.api.posing import PoseRequest, Posing, PosingSketch
from nvs.api.renders import PictureOptions, VideoRequest
from nvs.api.scenes import CamerasReport, Input, Validation
from nvs.api.stream import Timings
from nvs.api.system import CacheTier, Model, Tier, Worker
from nvs_server.storage.records import FileRecord, SceneFile, SceneRef, VideoFile


class Progress(Protocol):
    """Hears, on the event loop, how far work is."""

    def __call__(
        self, stage: JobStage, fraction: float, sketch: PosingSketch | None = None, /
    ) -> None:
        """Take note.

        Args:
            stage: What is being done.
            fraction: How much of it is done, in [0, 1].
            sketch: The cameras so far, where a posing has news of them.
        """
        ...


def doing(op: str) -> str:
    """What messages call what an inspector does."""
    return {"pose": "posing", "mask": "cutting out"}.get(op, "decoding")


class BackendError(Exception):
    """A failure that is not the user's doing.

    Args:
        problem: What happened.
        remedy: What to do about it.
    """

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(f"{problem.rstrip('.')}. {remedy}")
        self.problem = problem
        self.remedy = remedy


class WorkerLost(BackendError):  # noqa: N818 - named for what happened
    """The process that did the work died or is being restarted; try again."""


class WorkerFull(BackendError):  # noqa: N818 - named for what happened
    """Those who could do it have as much to do as they take; try again later."""


class SceneDamaged(BackendError):  # noqa: N818 - named for what happened
    """The stored scene file is missing or altered; it must be built again."""


class Cancelled(BackendError):  # noqa: N818 - named for what happened
    """The work was given up because whoever wanted it no longer waits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderOrder:
    """Pictures of one scene wanted from some cameras."""

    scene: SceneRef
    cameras: tuple[PosedCamera, ...]
    options: PictureOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One rendered picture."""

    data: bytes
    media_type: str
    height: int
    width: int
    timings: Timings
    tier: Tier
    """Where the scene was when the request came."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PrepareOrder:
    """A stranger's dataset to be decoded into what a worker takes."""

    folder: Path
    """The dataset."""
    output: Path
    """Folder for the results; made if absent."""
    request: BuildRequest
    """For its weights, size, views and those of them that are held out."""


class InputView(Input):
    """One input as the network saw it, with its pictures."""

    image: Path | None
    """PNG; None for an uploaded scene file, which keeps thumbnails only."""
    thumbnail: Path
    """JPEG."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedViews:
    """A decoded dataset."""

    views: Path
    """The images in float32 with their cameras, exactly as `load_views` gives them."""
    weights: str
    """Id of the weights they were prepared for."""
    height: int
    width: int
    inputs: tuple[InputView, ...]
    held_out: Path | None = None
    """Views that were kept out, as `views`, if any were."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildOrder:
    """Prepared views to be built into a scene file."""

    views: Path
    """`PreparedViews.views`."""
    output: Path
    """The scene file to write."""
    weights: str
    """Id of the weights: `PreparedViews.weights`."""
    framing: Framing = "auto"
    up: tuple[float, float, float] | None = None
    """Up axis of the world, if the user gives it."""
    held_out: Path | None = None
    """`PreparedViews.held_out`: rendered and measured."""
    sheet: Path | None = None
    """The picture to write of those."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PoseOrder:
    """A stranger's photographs, or video, whose cameras are to be found."""

    folder: Path
    """What is found on the way is kept here, for an order that is repeated; made if
    absent."""
    photographs: Mapping[str, Path]
    """Files by their paths in the scene."""
    masks: Mapping[str, Path]
    """Masks of photographs, by their own paths in the scene."""
    video: Path | None
    """Frames are chosen of it, beside the photographs."""
    request: PoseRequest

    @property
    def result(self) -> Path:
        """Folder of the files that the scene gets."""
        return self.folder / "result"


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundCameras:
    """What a scene gets of a posing."""

    files: tuple[FileRecord, ...]
    """Camera files and images, which lie at their paths in `PoseOrder.result`."""
    posing: Posing


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskOrder:
    """A stranger's dataset whose thing is to be cut out."""

    folder: Path
    """The dataset."""
    output: Path
    """Folder for the results; made if absent."""
    images: tuple[str, ...]
    """Its images by their paths in the scene."""
    request: MaskRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundMasks:
    """Masks that a scene may get."""

    files: tuple[FileRecord, ...]
    """Masks and previews, which lie at their paths in `MaskOrder.output`."""
    result: MaskResult


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoOrder:
    """A way of the camera to be rendered into an mp4."""

    scene: SceneRef
    output: Path
    """The mp4 to write."""
    request: VideoRequest
    up: tuple[float, float, float] | None = None
    """What is up in the scene's world; as its file says if None."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSize:
    """Height and width in pixels of an image file that decodes."""

    height: int
    width: int


@dataclass(frozen=True, kw_only=True, slots=True)
class InspectedScene:
    """A scene file that weights served here have built."""

    file: SceneFile
    inputs: tuple[InputView, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FastWeightShapes:
    """What a scene file of some weights must hold."""

    num_blocks: int
    matrices: tuple[tuple[int, ...], ...]
    """Shapes of the fast weights of each block."""


class ChildStatus(Worker):
    """One process that the backend supervises."""

    pid: int | None
    """None while it is not running."""


class CacheStatus(CacheTier):
    """One tier of the scene caches, summed over workers."""

    hits: int
    """Requests that found their scene here."""
    evictions: int
    """0 for the disk, where the store of files sees to them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendStatus:
    """The backend now; counters only grow, restarts of a worker included."""

    num_workers: int
    """Jobs that can be done at a time."""
    workers: tuple[ChildStatus, ...]
    """Their processes, one a device."""
    inspectors: tuple[ChildStatus, ...]
    posers: tuple[ChildStatus, ...]
    """They find cameras and make masks; without one everything else is done."""
    cache: tuple[CacheStatus, ...]
    num_renders: int
    """Render orders being worked on or waiting."""
    num_jobs: int
    """Builds and videos being worked on or waiting."""
    images_total: int
    """Images rendered for render orders."""
    batches_total: int
    """Batches they were rendered in."""


class Backend(Protocol):
    """Whoever computes.

    Every method may raise `NvsError` subclasses for what the user can put right and
    `BackendError` subclasses for what not. Cancelling the task that awaits a method
    cancels the work: what has not begun is dropped, a build or a video stops at its
    next step.
    """

    async def start(self) -> None:
        """Return once work can be taken.

        Raises:
            NvsError: If a setting makes that impossible, such as unknown weights.
            WorkerLost: If a process dies while it starts.
        """
        ...

    async def stop(self) -> None:
        """End at once; work in flight, and any from now on, fails with `WorkerLost`."""
        ...

    def status(self) -> BackendStatus:
        """How it stands, without asking anyone."""
        ...

    async def models(self) -> list[Model]:
        """The weights that are served, the default first."""
        ...

    async def render(self, order: RenderOrder) -> list[Picture]:
        """One picture a camera, in order.

        Raises:
            ConfigError, CameraError, SceneFileError: If the order does not fit.
            SceneDamaged: If the scene file is missing or altered.
            WorkerFull: If the workers take no more.
            WorkerLost: If the worker dies, or is being restarted, and no other can.
        """
        ...

    async def prepare(self, order: PrepareOrder, progress: Progress) -> PreparedViews:
        """Decode a dataset, apart from everything else.

        Raises:
            DatasetError, ImageError, CameraError, ConfigError: Naming what is wrong.
        """
        ...

    async def pose(self, order: PoseOrder, progress: Progress) -> FoundCameras:
        """Find cameras, apart from everything else and at low priority.

        Raises:
            DatasetError: If they cannot be found, or not within the limits.
            WorkerLost: If the process is killed; what it found is kept.
        """
        ...

    async def mask(self, order: MaskOrder, progress: Progress) -> FoundMasks:
        """Cut the thing out of a dataset's photographs, as `pose` does its work.

        Raises:
            DatasetError, CameraError, ConfigError: If there is none, or not within the
                limits, or the method is not to be had.
            WorkerLost: If the process is killed.
        """
        ...

    async def build(self, order: BuildOrder, progress: Progress) -> SceneFile:
        """Build a scene file.

        Raises:
            CameraError, ConfigError, OutputError: Naming what is wrong.
            WorkerLost: If the worker dies.
        """
        ...

    async def video(self, order: VideoOrder, progress: Progress) -> VideoFile:
        """Render the way of a camera.

        Raises:
            CameraError, ConfigError, OutputError: Naming what is wrong.
            SceneDamaged: If the scene file is missing or altered.
            WorkerLost: If the worker dies.
        """
        ...

    async def inspect_image(self, path: Path) -> ImageSize:
        """Check an image by decoding it.

        Raises:
            ImageError: If it cannot be decoded, or not within the limits.
        """
        ...

    async def inspect_cameras(self, folder: Path) -> CamerasReport:
        """Read the camera files of a dataset, whether or not its images are there.

        Raises:
            DatasetError, CameraError, ImageError: Naming what is wrong.
        """
        ...

    async def inspect_scene(
        self, path: Path, sha256: str, output: Path
    ) -> InspectedScene:
        """Check a scene file and write thumbnails of its inputs into a folder.

        Args:
            path: The file.
            sha256: Of its bytes.
            output: The folder.

        Raises:
            SceneFileError: If it is damaged, or no served weights built it.
        """
        ...

    async def validate(self, folder: Path, *, weights: str | None = None) -> Validation:
        """What is wrong with a dataset for weights, the default ones if None.

        Raises:
            DatasetError, CameraError: If it cannot even be read.
        """
        ...

    async def expect(
        self, folder: Path, request: BuildRequest, *, look: bool
    ) -> Expectation:
        """How a build would frame a dataset, and what to expect of it.

        Args:
            folder: The dataset.
            request: The build.
            look: Whether a few images are decoded, to see what is behind the subject.

        Raises:
            DatasetError, CameraError, ImageError, ConfigError: Naming what is wrong.
        """
        ...
