"""What the gateway asks of whoever computes, as values and one protocol.

Nothing here knows torch: the work is done in other processes, or on other machines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

Poses = Literal["object", "scene"]
Framing = Literal["auto", "none", "mean_camera", "object"]
ImageFormat = Literal["png", "jpeg", "webp", "float32"]
Tier = Literal["device", "host", "disk"]
Method = Literal["kmeans", "farthest", "uniform", "random"]
TrajectoryKind = Literal["orbit", "spiral", "walk"]
ChildState = Literal["starting", "ready", "restarting", "stopped"]
Stage = Literal["reading images", "prefill", "rendering", "storing"]

Progress = Callable[[Stage, float], None]
"""Called on the event loop with the stage and how much of it is done, in [0, 1]."""


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


class SceneDamaged(BackendError):  # noqa: N818 - named for what happened
    """The stored scene file is missing or altered; it must be built again."""


class Cancelled(BackendError):  # noqa: N818 - named for what happened
    """The work was given up because whoever wanted it no longer waits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneRef:
    """A scene file in the blob store."""

    scene_id: str
    sha256: str
    """Of the file, hexadecimal: its address in the blob store."""
    num_bytes: int
    """Size of the file."""
    weights: str
    """Id of the weights that built it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraRecord:
    """A pinhole camera in OpenCV axes, in the user's world."""

    world_from_camera: tuple[tuple[float, float, float, float], ...]
    """Four rows of a rigid transform."""
    fx: float
    """Focal lengths and principal point are in pixels of the image at hand."""
    fy: float
    cx: float
    cy: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderOrder:
    """Images of one scene wanted from some cameras."""

    scene: SceneRef
    cameras: tuple[CameraRecord, ...]
    height: int
    """Height in pixels: a multiple of the patch size."""
    width: int
    """Width in pixels, likewise."""
    format: ImageFormat = "png"
    """`float32`: raw little-endian height × width × 3 in [0, 1]."""
    quality: int = 90
    """Of JPEG and WebP, 1 to 100."""
    background: str = "model"
    """`model` (as rendered), `#rrggbb`, or `transparent` (PNG and WebP)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One rendered image; the four times add up to that from arrival to answer."""

    data: bytes
    media_type: str
    height: int
    width: int
    queue_ms: float
    """Waiting for other work."""
    load_ms: float
    """Waiting for the scene to be loaded."""
    model_ms: float
    """The network, for the batch that the image was part of."""
    encode_ms: float
    """Background and encoding."""
    tier: Tier
    """Where the scene was when the request came."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChosenViews:
    """Input views by their indices in the dataset."""

    indices: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SampledViews:
    """Input views chosen by a method of `nvs_data.selection`."""

    count: int
    method: Method = "kmeans"
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PrepareOrder:
    """A stranger's dataset to be decoded into what a worker takes."""

    folder: Path
    """The dataset."""
    output: Path
    """Folder for the results; made if absent."""
    weights: str | None = None
    """Id of the weights to prepare for; the default if absent."""
    size: int | tuple[int, int] | None = None
    """Longer side, or (height, width), in pixels; that of training if absent."""
    views: ChosenViews | SampledViews | None = None
    """All if absent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InputView:
    """One input as the network saw it, for show."""

    index: int
    """Among the inputs of the scene."""
    name: str
    camera: CameraRecord
    """In the user's world, for `height` × `width`."""
    height: int
    width: int
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


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltFile:
    """A scene file that was written."""

    path: Path
    sha256: str
    """Of the file, hexadecimal."""
    num_bytes: int
    weights: str
    model_digest: str
    height: int
    width: int
    num_views: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Trajectory:
    """A camera path that follows from the scene itself."""

    kind: TrajectoryKind = "orbit"
    num_frames: int = 60
    elevation_degrees: float | None = None
    """Of an orbit; the inputs' median if absent."""
    zoom: float = 1.0
    """Factor on the focal length of an orbit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoOrder:
    """A camera path to be rendered into an mp4."""

    scene: SceneRef
    output: Path
    """The mp4 to write."""
    height: int
    """Height in pixels: a multiple of the patch size."""
    width: int
    """Width in pixels, likewise."""
    trajectory: Trajectory | None = None
    """Exactly one of this and `camera_path` is given."""
    camera_path: Mapping[str, Any] | None = None
    """The JSON object of a camera path: our own, or nerfstudio's."""
    fps: float | None = None
    """Frames a second; those of the camera path, or 30, if absent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoFile:
    """An mp4 that was written."""

    path: Path
    sha256: str
    """Of the file, hexadecimal."""
    num_bytes: int
    num_frames: int
    height: int
    width: int
    fps: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageInfo:
    """An image file that decodes."""

    height: int
    width: int
    format: str
    """`jpeg`, `png`, `webp`, `tiff` or `bmp`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CamerasInfo:
    """What the camera files of a dataset say."""

    layout: str
    """Name of the dataset layout."""
    num_frames: int
    """Frames listed, with and without an image."""
    missing: tuple[str, ...]
    """Listed images that are not there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneInfo:
    """What a scene file holds."""

    weights: str
    """Id of the served weights that built it."""
    model_digest: str
    height: int
    width: int
    num_views: int
    inputs: tuple[InputView, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingInfo:
    """One fault of a dataset."""

    severity: Literal["error", "warning", "note"]
    title: str
    detail: str
    remedy: str
    views: tuple[str, ...]
    """Names of the views it is about; empty for the dataset as a whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationInfo:
    """What validation of a dataset found."""

    verdict: Literal["error", "warning", "ok"]
    """The worst severity among errors and warnings."""
    findings: tuple[FindingInfo, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelInfo:
    """Weights that are served."""

    id: str
    is_default: bool
    poses: Poses
    patch_size: int
    num_parameters: int
    digest: str
    trained_height: int | None
    """Image height in pixels they were trained at, if known."""
    trained_width: int | None
    max_height: int
    max_width: int
    max_views: int
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildStatus:
    """One process that the backend supervises."""

    device: str
    """Device of a worker, such as `cpu` or `cuda:0`."""
    state: ChildState
    num_restarts: int
    pid: int | None
    """None while it is not running."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheStatus:
    """One tier of the scene caches, summed over workers."""

    tier: Tier
    bytes: int
    bytes_limit: int
    scenes: int
    hits: int
    """Requests that found their scene here."""
    evictions: int
    """0 for the disk, where the store of files sees to them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackendStatus:
    """The backend now; counters only grow, restarts of a worker included."""

    workers: tuple[ChildStatus, ...]
    inspectors: tuple[ChildStatus, ...]
    cache: tuple[CacheStatus, ...]
    num_renders: int
    """Render orders being worked on or waiting."""
    num_jobs: int
    """Builds and videos being worked on or waiting."""
    images_total: int
    """Images rendered for render orders."""
    batches_total: int
    """Batches they were rendered in."""
    draining: bool


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

    async def drain(self, timeout_seconds: float) -> None:
        """Refuse new work from now on; return when the rest is done, or time is up."""
        ...

    async def stop(self) -> None:
        """End at once; work still in flight fails with `WorkerLost`."""
        ...

    def status(self) -> BackendStatus:
        """How it stands, without asking anyone."""
        ...

    async def models(self) -> list[ModelInfo]:
        """The weights that are served, the default first."""
        ...

    async def render(self, order: RenderOrder) -> list[Frame]:
        """One frame a camera, in order.

        Raises:
            ConfigError, CameraError, SceneFileError: If the order does not fit.
            SceneDamaged: If the scene file is missing or altered.
            WorkerLost: If the worker dies, or is being restarted.
        """
        ...

    async def prepare(self, order: PrepareOrder, progress: Progress) -> PreparedViews:
        """Decode a dataset, apart from everything else.

        Raises:
            DatasetError, ImageError, CameraError, ConfigError: Naming what is wrong.
        """
        ...

    async def build(self, order: BuildOrder, progress: Progress) -> BuiltFile:
        """Build a scene file.

        Raises:
            CameraError, ConfigError, OutputError: Naming what is wrong.
            WorkerLost: If the worker dies.
        """
        ...

    async def video(self, order: VideoOrder, progress: Progress) -> VideoFile:
        """Render a camera path.

        Raises:
            CameraError, ConfigError, OutputError: Naming what is wrong.
            SceneDamaged: If the scene file is missing or altered.
            WorkerLost: If the worker dies.
        """
        ...

    async def inspect_image(self, path: Path) -> ImageInfo:
        """Check an image by decoding it.

        Raises:
            ImageError: If it cannot be decoded, or not within the limits.
        """
        ...

    async def inspect_cameras(self, folder: Path) -> CamerasInfo:
        """Read the camera files of a dataset, whether or not its images are there.

        Raises:
            DatasetError, CameraError, ImageError: Naming what is wrong.
        """
        ...

    async def inspect_scene(self, path: Path, output: Path) -> SceneInfo:
        """Check a scene file and write thumbnails of its inputs into a folder.

        Raises:
            SceneFileError: If it is damaged, or no served weights built it.
        """
        ...

    async def validate(
        self, folder: Path, *, poses: Poses = "object"
    ) -> ValidationInfo:
        """What is wrong with a dataset for weights of a kind.

        Raises:
            DatasetError, CameraError: If it cannot even be read.
        """
        ...
