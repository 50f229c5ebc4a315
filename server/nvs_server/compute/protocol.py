"""Whoever computes, as the gateway sees it: one protocol, how it stands, how it fails.

Nothing here knows torch: the work is done in other processes, or on other machines.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nvs.api.framing import Expectation
from nvs.api.jobs import BuildRequest, JobStage
from nvs.api.posing import PosingSketch
from nvs.api.scenes import CamerasReport, Validation
from nvs.api.system import CacheTier, Model, Worker
from nvs_server.compute.orders import (
    BuildOrder,
    FoundCameras,
    FoundMasks,
    ImageSize,
    InspectedScene,
    MaskOrder,
    Picture,
    PoseOrder,
    PreparedViews,
    PrepareOrder,
    RenderOrder,
    VideoOrder,
)
from nvs_server.storage.records import SceneFile, VideoFile


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
