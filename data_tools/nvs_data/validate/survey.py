"""One pass over a capture: its cameras as given, and a few numbers of each image.

Images are decoded one at a time; what is kept of each is a thumbnail and four numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from nvs.errors import DatasetError, NvsError
from nvs.scene.frames import Frame
from nvs.scene.pictures import shrunk
from nvs.scene.resize import on_white
from nvs.scene.views import border_white

WORKING_PX = 512
"""Longer side at which images are measured: about what the models are given."""
THUMBNAIL_PX = 128
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Steps down and right, in pixels, along which sharpness is measured."""
SECOND_DIFFERENCE = (0.0, 1.0, -2.0, 1.0, 0.0)
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
ROUNDING = 1e-12
"""Variance of brightness that is rounding in float32."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ImageSurvey:
    """Numbers of one image, on white where it is transparent."""

    height: int
    """Its height on disk, in pixels."""
    width: int
    """Its width on disk, in pixels."""
    mean: float
    """Mean brightness in [0, 1]."""
    contrast: float
    """Standard deviation of brightness, in [0, 1]."""
    sharpness: float
    """See `sharpness`."""
    border_white: float
    """Share of white among its outermost pixels."""
    digest: str
    """Hash of the pixels: equal for equal images."""
    thumbnail: UInt8[np.ndarray, "small_height small_width 3"]
    """At most 128 pixels on its longer side."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Survey:
    """A capture as it is, sound or not."""

    names: tuple[str, ...]
    """What to call each view."""
    world_from_camera: Float[Tensor, "view 4 4"]
    """Poses as given: float64, possibly neither rigid nor finite."""
    intrinsics: Float[Tensor, "view 4"]
    """fx, fy, cx, cy in pixels as given."""
    sizes: tuple[tuple[int, int], ...]
    """(height, width) in pixels that each camera is for."""
    images: tuple[ImageSurvey | NvsError, ...]
    """Of each image, or why it cannot be read."""
    world_up: tuple[float, float, float] | None = None
    """The direction that is up in the world, where the layout says so."""

    def __len__(self) -> int:
        return len(self.names)


def survey(
    frames: Sequence[Frame], *, world_up: tuple[float, float, float] | None = None
) -> Survey:
    """Decode and measure every image of a capture, one after another.

    Raises:
        DatasetError: If there are no frames.
    """
    if not frames:
        raise DatasetError(
            "there are no frames to validate", remedy="Give a dataset with images."
        )
    cameras = [frame.camera for frame in frames]
    return Survey(
        names=tuple(frame.name for frame in frames),
        world_from_camera=torch.cat([c.world_from_camera.double() for c in cameras]),
        intrinsics=torch.cat([c.intrinsics.double() for c in cameras]),
        sizes=tuple((c.height, c.width) for c in cameras),
        images=tuple(_survey_image(frame) for frame in frames),
        world_up=world_up,
    )


def sharpness(grey: Float[np.ndarray, "height width"]) -> float:
    """How much detail a slight blur destroys, in the blurriest of four directions.

    The ratio of the variance of second differences before and after a binomial blur of
    one pixel, both along one direction: across, down and the two diagonals, of which
    motion blurs one. Blurring what is blurred changes little, whatever the content and
    the contrast: for an image blurred by a Gaussian of σ pixels the ratio falls from
    about ten at σ = 0 to 2.3 at σ = 1, 1.3 at σ = 2 and 1 in the limit. Zero for an
    image of one colour. (The idea is that of Crete et al., The blur effect: perception
    and estimation with a new no-reference perceptual blur metric, 2007.)
    """
    ratios: list[float] = []
    for along in DIRECTIONS:
        detail = cv2.filter2D(grey, -1, _kernel(SECOND_DIFFERENCE, along))
        blurred = cv2.filter2D(detail, -1, _kernel(BINOMIAL, along))
        left = blurred.var()
        ratios.append(float(detail.var() / left) if left > ROUNDING else 0.0)
    return min(ratios)


def _survey_image(frame: Frame) -> ImageSurvey | NvsError:
    try:
        pixels = frame.load()
    except NvsError as error:
        return error
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()
    image = shrunk(on_white(pixels), WORKING_PX)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    thumbnail = shrunk(image, THUMBNAIL_PX)
    return ImageSurvey(
        height=height,
        width=width,
        mean=float(grey.mean()),
        contrast=float(grey.std()),
        sharpness=sharpness(grey.astype(np.float64)),
        border_white=float(
            border_white(torch.from_numpy(image.transpose(2, 0, 1))[None])
        ),
        digest=digest,
        thumbnail=np.rint(thumbnail.clip(0, 1) * 255).astype(np.uint8),
    )


def _kernel(
    weights: Sequence[float], along: tuple[int, int]
) -> Float[np.ndarray, "5 5"]:
    """Five weights on a line through the middle of a kernel."""
    kernel = np.zeros((5, 5))
    for index, weight in enumerate(weights):
        kernel[2 + (index - 2) * along[0], 2 + (index - 2) * along[1]] = weight
    return kernel
