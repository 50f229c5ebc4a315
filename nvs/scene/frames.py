"""What a dataset is: frames that know their camera and decode their image when asked.

Other packages add layouts by implementing `Reader` and naming it in the entry-point
group `nvs.readers`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from nvs.cameras import Camera
from nvs.cameras.se3 import flip_y_and_z
from nvs.errors import ConfigError, ImageError
from nvs.images import MAX_PIXELS, read_image
from nvs.scene.dataset_files import inverse
from nvs.scene.masks import masked
from nvs.scene.resize import CoverCrop

PoseConvention = Literal["opencv", "opengl", "inverted", "inverted-opengl"]
"""How the poses of a dataset were stored: `opencv`, as its layout says; `opengl`, with
the y and z axes of every camera turned round; `inverted`, the other way (from the world
to the camera where the layout has camera to world), with OpenCV axes; and
`inverted-opengl`, the other way with OpenGL axes."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Original:
    """The photograph that a frame is made of, as it lies there."""

    file: Path
    """All of its pixels, through its lens, of the camera's size."""
    mask: Path | None
    """What is left out of it, if anything is."""
    place_of: Callable[
        [Float64[np.ndarray, "point 2"]], Float64[np.ndarray, "point 2"]
    ] = lambda xy_px: xy_px
    """Where it shows what the frame shows at some pixels."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frame:
    """One photograph of a dataset, not decoded yet."""

    name: str
    """What to call it in messages."""
    camera: Camera
    """Its pinhole camera (a batch of one) in OpenCV axes, for the full image size."""
    load: Callable[[], UInt8[np.ndarray, "height width channel"]]
    """Decodes it: RGB or RGBA of the camera's size, lens distortion removed."""
    source: Path | None = None
    """The file whose pixels `load` gives, for copying; None if `load` changes them."""
    original: Original | None = None
    """What it is made of; None if its pixels are at another place or size there."""

    def pixels(self) -> UInt8[np.ndarray, "height width channel"]:
        """Decode it, and check its size.

        Raises:
            ImageError: If it cannot be read or is of another size than its camera.
        """
        pixels = self.load()
        height, width = self.camera.height, self.camera.width
        if pixels.shape[:2] != (height, width):
            raise ImageError(
                f"{self.name} is {pixels.shape[0]}×{pixels.shape[1]} pixels, its "
                f"camera is for {height}×{width}",
                remedy="Give the intrinsics of the image as it is.",
            )
        return pixels

    def covering(self, size: tuple[int, int]) -> CoverCrop:
        """How it is scaled and cropped to a (height, width) in pixels.

        Raises:
            ImageError: If it is so thin that it would become immense.
        """
        source = (self.camera.height, self.camera.width)
        plan = CoverCrop.plan(source, size)
        if plan.scaled_height * plan.scaled_width > MAX_PIXELS:
            raise ImageError(
                f"{self.name} is {source[0]}×{source[1]} pixels, too thin to cover "
                f"{size[0]}×{size[1]}: it would become {plan.scaled_height}×"
                f"{plan.scaled_width}",
                remedy="Drop the frame or ask for a smaller size.",
            )
        return plan

    def image(self, size: tuple[int, int]) -> Float32[np.ndarray, "height width 3"]:
        """Decode it, scaled and cropped to a (height, width) in pixels, in [0, 1].

        Raises:
            ImageError: As `pixels` and `covering` do.
        """
        pixels = self.pixels()
        return self.covering(size).image(pixels)


def photograph(
    file: Path, camera: Camera, mask: Path | None
) -> UInt8[np.ndarray, "height width channel"]:
    """The pixels of a file for its camera, transparent where its mask is black.

    Raises:
        ImageError: If image or mask cannot be read or have another size.
    """
    pixels = read_image(file, size=(camera.height, camera.width))
    return pixels if mask is None else masked(pixels, mask)


def pinhole_frame(name: str, file: Path, camera: Camera, mask: Path | None) -> Frame:
    """A frame whose photograph is taken as it is, but for its mask."""
    return Frame(
        name=name,
        camera=camera,
        load=lambda: photograph(file, camera, mask),
        source=file if mask is None else None,
        original=Original(file=file, mask=mask),
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Dataset:
    """What a reader finds at a path."""

    frames: tuple[Frame, ...]
    """Frames whose image is there, in the dataset's order."""
    missing: tuple[str, ...] = ()
    """Images that the dataset lists but does not have."""
    world_up: tuple[float, float, float] | None = None
    """The direction that is up in its layout's worlds, where that is agreed on."""
    hint: str = ""
    """A question that names a file which the first missing one may be, or nothing."""
    notes: tuple[str, ...] = ()
    """What is there and not used, or not used as it says: a line for each kind."""
    has_opengl_axes: bool = False
    """Whether cameras have OpenGL axes (y up, z backward) in the layout's files."""

    def stored_as(self, convention: str) -> Dataset:
        """The dataset with its poses read as they were stored.

        Twice the same convention of OpenGL is the dataset itself.

        Raises:
            ConfigError: If there is no such convention.
            CameraError: If a pose is to be inverted and cannot be.
        """
        if convention not in get_args(PoseConvention):
            raise ConfigError(
                f"the convention is {convention!r}",
                remedy=f"Use one of {', '.join(get_args(PoseConvention))}.",
            )
        if convention == "opencv":
            return self

        def stored(frame: Frame) -> Frame:
            pose = frame.camera.world_from_camera
            if convention.startswith("inverted"):
                file = flip_y_and_z(pose) if self.has_opengl_axes else pose
                pose = inverse(file[0].double(), f"the pose of {frame.name}")[None]
            if convention.endswith("opengl"):
                pose = flip_y_and_z(pose)
            return replace(frame, camera=replace(frame.camera, world_from_camera=pose))

        return replace(self, frames=tuple(map(stored, self.frames)))


@runtime_checkable
class Reader(Protocol):
    """What the entry points of the group `nvs.readers` are."""

    name: str
    """The layout's name, for `format=`."""

    def recognises(self, path: Path) -> bool:
        """Whether the path holds this layout; cheap, and never raises."""
        ...

    def read(self, path: Path) -> Dataset:
        """The frames of the dataset."""
        ...
