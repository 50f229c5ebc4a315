"""Posed views that stay on disk: images are decoded when a scene is built from them.

Threads decode one group of views ahead of the one that is worked on, so that memory
holds two groups of images, however many views there are, and a photograph in full size
for each thread. Whoever stops early stops the threads after the photograph at hand.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from nvs.cameras import Camera
from nvs.parallel.group import Group
from nvs.scene.frames import Frame
from nvs.scene.views import (
    PosedViews,
    border_white,
    check_showing,
    common_size,
    showing_nothing,
)

MOST_DECODERS = 8
"""Threads: each holds a photograph in full size."""
LOOKED_AT = 8
"""Views of all that are decoded to see whether they show white all around."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OpenedViews:
    """Views of a dataset, of one size, whose cameras are known and checked."""

    frames: tuple[Frame, ...]
    """Where their images are."""
    camera: Camera
    """Cameras in the user's world, for the size that images are brought to."""
    world_up: tuple[float, float, float] | None = None
    """The direction that is up in the world, where the layout says so."""

    @staticmethod
    def from_frames(
        frames: Sequence[Frame],
        *,
        size: tuple[int, int] | int | None,
        patch_size: int,
        world_up: tuple[float, float, float] | None = None,
        group: Group | None = None,
    ) -> OpenedViews:
        """Views of frames, none of which is decoded; see `PosedViews.from_frames`.

        Raises:
            CameraError, ImageError: Naming the frame and the remedy.
            ConfigError: If the size is smaller than one patch, or if there are more
                ranks than views.
        """
        common = common_size(frames, size=size, patch_size=patch_size)
        if group is not None:
            own = group.part(len(frames), "views")
            frames = frames[own.start : own.stop]
        cameras = [frame.covering(common).camera(frame.camera) for frame in frames]
        return OpenedViews(
            frames=tuple(frames), camera=Camera.cat(cameras), world_up=world_up
        )

    def __repr__(self) -> str:
        height, width = self._size
        return f"OpenedViews({len(self)} views, {height}×{width})"

    @property
    def names(self) -> tuple[str, ...]:
        """What each view is called: usually its file."""
        return tuple(frame.name for frame in self.frames)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: Sequence[int]) -> PosedViews:
        """Chosen views, decoded.

        Raises:
            ImageError: If one cannot be read.
        """
        return PosedViews.from_frames(
            [self.frames[i] for i in index],
            size=self._size,
            patch_size=1,
            world_up=self.world_up,
        )

    def border_white(self) -> Float[Tensor, "view"]:
        """Share of white around a few of the images, evenly chosen.

        Raises:
            ImageError: If one cannot be read, or none shows anything.
        """
        step = -(-len(self) // LOOKED_AT)
        chosen = self[range(0, len(self), step)]
        empty = showing_nothing(chosen.image, chosen.names)
        if len(empty) == len(chosen):
            check_showing(empty, len(chosen))
        return border_white(chosen.image)

    def in_groups(
        self, size: int
    ) -> Generator[Float[Tensor, "group 3 height width"], None, None]:
        """The images in order, so many at a time; the last may be fewer.

        Whoever holds no image of a group that is past has two groups in memory. Close
        it (`contextlib.closing`) to stop decoding before the end.

        Args:
            size: Views of a group.

        Raises:
            ImageError: If one cannot be read.
        """
        waiting = [
            self.frames[start : start + size] for start in range(0, len(self), size)
        ]
        pool = ThreadPoolExecutor(_num_decoders(), thread_name_prefix="decoding")

        def decoding() -> list[Future[Tensor]]:
            """The next group, as far as its images are decoded."""
            frames = waiting.pop(0) if waiting else ()
            return [pool.submit(_decoded, frame, self._size) for frame in frames]

        empty: list[str] = []
        names = iter(self.names)
        try:
            ahead = decoding()
            while ahead:
                image = torch.stack([one.result() for one in ahead])
                empty += showing_nothing(image, [next(names) for _ in image])
                ahead = decoding()
                if not ahead:  # whoever takes the last group may not come again
                    check_showing(empty, len(self))
                yield image
                del image  # or it would be there while the one after next is decoded
        finally:
            pool.shutdown(cancel_futures=True)

    @property
    def _size(self) -> tuple[int, int]:
        return self.camera.height, self.camera.width


def _decoded(frame: Frame, size: tuple[int, int]) -> Float[Tensor, "3 height width"]:
    return torch.from_numpy(frame.image(size)).permute(2, 0, 1)


def _num_decoders() -> int:
    """One a processor that this process may use, up to a limit."""
    count = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    return min(count, MOST_DECODERS)
