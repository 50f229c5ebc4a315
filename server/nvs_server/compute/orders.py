"""What is asked of whoever computes, and what it gives, as values.

Requests and answers that clients see are in them as clients see them, in models of
`nvs.api`. Paths are of the machine that asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nvs.api.cameras import PosedCamera
from nvs.api.framing import Framing
from nvs.api.jobs import BuildRequest
from nvs.api.masks import MaskRequest, MaskResult
from nvs.api.posing import PoseRequest, Posing
from nvs.api.renders import PictureOptions, VideoRequest
from nvs.api.scenes import Input
from nvs.api.stream import Timings
from nvs.api.system import Tier
from nvs_server.storage.records import FileRecord, SceneFile, SceneRef


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
