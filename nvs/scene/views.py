"""Posed views: the validated images and cameras that a scene is built from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nvs.cameras import Camera
from nvs.errors import DatasetError, ImageError, about
from nvs.parallel.group import Group
from nvs.scene.frames import Frame
from nvs.scene.image_files import shortened
from nvs.scene.notebook import THUMBNAIL_PX, card
from nvs.scene.pictures import shrunk, to_uint8
from nvs.scene.pixels import listed, pixels_of
from nvs.scene.resize import fitting_size

_logger = logging.getLogger("nvs.data")
WHITE = 0.9
"""Darkest channel of a pixel that counts as white."""
MOSTLY = 0.7
"""Share of the pixels of an image's border that are white before white."""


def border_white(
    image: Float[Tensor, "view 3 height width"],
) -> Float[Tensor, "view"]:
    """Share of white among the outermost pixels of each image."""
    darkest = image.amin(dim=1)
    ring = [darkest[:, 0], darkest[:, -1], darkest[:, :, 0], darkest[:, :, -1]]
    return (torch.cat(ring, dim=1) > WHITE).float().mean(dim=1)


def mostly_white(shares: Float[Tensor, "view"]) -> bool:
    """Whether most images show white all around, by what `border_white` gave."""
    return float(shares.quantile(0.5)) > MOSTLY


def common_size(
    frames: Sequence[Frame], *, size: tuple[int, int] | int | None, patch_size: int
) -> tuple[int, int]:
    """The height and width in pixels that frames come to.

    Args:
        frames: The frames, at least one.
        size: See `load_views`, as for the patch.
        patch_size: Side of the network's patch in pixels.

    Raises:
        CameraError: If a camera is unusable; the message names its frame.
        ConfigError: If the size is smaller than one patch.
    """
    for frame in frames:
        frame.camera.check([frame.name])
    if isinstance(size, tuple):
        return fitting_size(size, longest_px=None, patch_size=patch_size)
    first = frames[0].camera
    return fitting_size(
        (first.height, first.width), longest_px=size, patch_size=patch_size
    )


@runtime_checkable
class Views(Protocol):
    """What a scene is built from: `PosedViews`, or `OpenedViews` that stay on disk."""

    @property
    def camera(self) -> Camera:
        """Cameras in the user's world, for the size of the images."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """What each view is called."""
        ...

    @property
    def world_up(self) -> tuple[float, float, float] | None:
        """The direction that is up in the world, where it is known."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Sequence[int]) -> PosedViews:
        """Chosen views, decoded."""
        ...

    def border_white(self) -> Float[Tensor, "view"]:
        """What `border_white` says of the images, or of some of them."""
        ...

    def in_groups(
        self, size: int
    ) -> Generator[Float[Tensor, "group 3 height width"], None, None]:
        """The images in order, so many at a time; the last may be fewer."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PosedViews:
    """Images with their cameras, one size for all, checked on construction.

    Raises:
        CameraError: If a camera is unusable; the message names its view.
        DatasetError: If there are no views or the counts differ.
        ImageError: If an image does not match its camera or holds bad values.
    """

    image: Float[Tensor, "view 3 height width"]
    """RGB in [0, 1]; `from_images` takes any other form."""
    camera: Camera
    """Cameras in the user's world, for this image size."""
    names: tuple[str, ...] = ()
    """What to call each view: usually its file; numbered if absent."""
    world_up: tuple[float, float, float] | None = None
    """The direction that is up in the world, where the layout says so."""

    def __post_init__(self) -> None:
        image: Any = self.image
        if not isinstance(image, Tensor):
            raise ImageError(
                f"image is a {type(image).__name__}, not a tensor",
                remedy="Use PosedViews.from_images(images, camera).",
            )
        if not self.names:
            numbered = tuple(f"view {index}" for index in range(len(image)))
            object.__setattr__(self, "names", numbered)
        _check_counts(len(self.image), len(self.camera), len(self.names))
        size = (self.camera.height, self.camera.width)
        if self.image.shape[1:] != (3, *size):
            raise ImageError(
                f"images have shape {tuple(self.image.shape[1:])}, their cameras "
                f"are for {size[0]}×{size[1]}",
                remedy="Give RGB images of the size their cameras are for, colours "
                "first, or use PosedViews.from_images(images, camera).",
            )
        self.camera.check(self.names)
        for name, image in zip(self.names, self.image, strict=True):
            low, high = torch.aminmax(image)
            if not (low >= 0 and high <= 1):
                raise ImageError(
                    f"{name}: pixel values run from {low:g} to {high:g}",
                    remedy="Images must be finite, in [0, 1].",
                )

    @staticmethod
    def from_images(
        images: Any,
        camera: Camera,
        *,
        names: Sequence[str] | None = None,
        size: tuple[int, int] | int | None = None,
        patch_size: int = 8,
        world_up: tuple[float, float, float] | None = None,
    ) -> PosedViews:
        """Posed views of images in memory, which are kept as 8-bit pixels.

        Args:
            images: PIL images, NumPy arrays or tensors, one or many, in a list or along
                the first side of an array: (height, width, channel) or (channel,
                height, width), RGB, or RGBA, which is put on white; `uint8`, or in
                floating point from 0 to 1.
            camera: One for each, for the size the images have now.
            names: What to call each view; numbered if absent.
            size: What they are resized to, and `patch_size`, as for `load_views`.
            patch_size: Side of the network's patch in pixels.
            world_up: The direction that is up in the cameras' world, if it is known.

        Raises:
            ImageError: If an image is something else, could have its colours on either
                side, or has another size than its camera.
            CameraError: If a camera is unusable.
            DatasetError: If there are no views or the counts differ.
            ConfigError: If the size is smaller than one patch.
        """
        given = listed(images)
        if names is None:
            names = [f"view {index}" for index in range(len(given))]
        _check_counts(len(given), len(camera), len(names))

        def frame(image: Any, one: Camera, name: str) -> Frame:
            def load() -> UInt8[np.ndarray, "height width channel"]:
                with about(name):
                    return pixels_of(image)

            return Frame(name=name, camera=one, load=load)

        return PosedViews.from_frames(
            list(map(frame, given, camera, names)),
            size=size,
            patch_size=patch_size,
            world_up=world_up,
        )

    @staticmethod
    def from_frames(
        frames: Sequence[Frame],
        *,
        size: tuple[int, int] | int | None,
        patch_size: int,
        world_up: tuple[float, float, float] | None = None,
        progress: Callable[[int, int], None] | None = None,
        group: Group | None = None,
    ) -> PosedViews:
        """Posed views of frames, decoded and resized one after another.

        Memory holds the result and one full-size photograph.

        Args:
            frames: The frames, at least one.
            size: See `load_views`, as for the others.
            patch_size: Side of the network's patch in pixels.
            world_up: The direction that is up in their world, if it is known.
            progress: Called with (views read, views in all); may raise to cancel.
            group: Ranks that share the views: each decodes and returns its own.

        Raises:
            CameraError, ImageError: Naming the frame and the remedy.
            ConfigError: If the size is smaller than one patch, or if there are more
                ranks than views.
        """
        height, width = common_size(frames, size=size, patch_size=patch_size)
        if group is not None:
            own = group.part(len(frames), "views")
            frames = frames[own.start : own.stop]
        image = torch.empty(0)
        cameras: list[Camera] = []
        for index, frame in enumerate(frames):
            pixels = torch.from_numpy(frame.image((height, width)))
            if index == 0:  # only now is it known that the declared size is real
                image = torch.empty(len(frames), 3, height, width)
            image[index] = pixels.permute(2, 0, 1)
            cameras.append(frame.covering((height, width)).camera(frame.camera))
            if progress is not None:
                progress(index + 1, len(frames))
        return PosedViews(
            image=image,
            camera=Camera.cat(cameras),
            names=tuple(frame.name for frame in frames),
            world_up=world_up,
        )

    def __repr__(self) -> str:
        return f"PosedViews({len(self)} views, {self._size})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        degrees = self.camera.hfov_radians.rad2deg()
        ends = dict.fromkeys((f"{degrees.min():.0f}°", f"{degrees.max():.0f}°"))
        facts = {
            "views": str(len(self)),
            "height × width": self._size,
            "field of view": f"{' to '.join(ends)}, horizontal",
        }

        def thumbnail(index: int) -> UInt8[np.ndarray, "height width 3"]:
            pixels = to_uint8(self.image[index].movedim(0, -1))
            return shrunk(pixels, THUMBNAIL_PX)

        return card("PosedViews", facts, self.names, thumbnail)

    @property
    def _size(self) -> str:
        return f"{self.camera.height}×{self.camera.width}"

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int | slice | Sequence[int]) -> PosedViews:
        """Select views; an integer gives a set of one."""
        if isinstance(index, int):
            index = [index]
        chosen = range(len(self))[index] if isinstance(index, slice) else list(index)
        return replace(
            self,
            image=self.image[list(chosen)],
            camera=self.camera[list(chosen)],
            names=tuple(self.names[i] for i in chosen),
        )

    def border_white(self) -> Float[Tensor, "view"]:
        """Share of white among the outermost pixels of each image."""
        return border_white(self.image)

    def in_groups(
        self, size: int
    ) -> Generator[Float[Tensor, "group 3 height width"], None, None]:
        """The images in order, so many at a time; the last may be fewer."""
        yield from self.image.split(size)

    @property
    def has_white_background(self) -> bool:
        """Whether most images show white all around."""
        return mostly_white(self.border_white())

    def to(self, device: torch.device | str) -> PosedViews:
        """Move images and cameras."""
        return replace(self, image=self.image.to(device), camera=self.camera.to(device))


def showing_nothing(
    image: Float[Tensor, "view 3 height width"], names: Sequence[str]
) -> list[str]:
    """Names of the images that are white all over: all of them is masked out."""
    is_white = image.amin(dim=(1, 2, 3)) >= 1
    return [name for name, white in zip(names, is_white.tolist(), strict=True) if white]


def check_showing(empty: Sequence[str], num_views: int) -> None:
    """Refuse views none of which shows anything; warn of some that do not.

    Args:
        empty: Names of those that show nothing.
        num_views: How many there are in all.

    Raises:
        ImageError: If all show nothing.
    """
    if not empty:
        return
    problem = (
        f"masks or transparency leave nothing of {len(empty)} of {num_views} images: "
        f"{shortened(empty)}"
    )
    remedy = "In a mask white is what counts: invert it, or take it away."
    if len(empty) == num_views:
        raise ImageError(problem, remedy=remedy)
    _logger.warning("%s. %s", problem, remedy)


def _check_counts(num_images: int, num_cameras: int, num_names: int) -> None:
    if not num_images == num_cameras == num_names or num_images == 0:
        raise DatasetError(
            f"there are {num_images} images, {num_cameras} cameras and {num_names} "
            "names",
            remedy="Give at least one view, with one camera and name an image.",
        )
