"""Masks of the thing that a capture looks at, for photographs that have none.

A view is cut twice, with seeds that geometry gives, and small: masks are smooth.

1. The optical axes meet in the thing. Around that point is a ball as wide as most
   views show whole: what is well outside of it is background, its middle is not. What
   looks the same in all views, though they look from different sides, does not move
   with the thing: a plain backdrop, or the room around a turntable.
2. Where most views that see a point of the ball have cut it out, it belongs to the
   thing, and these points as a view sees them are its silhouette. What one view took
   for the thing and the others did not is then background, and the other way round.

How well a mask agrees with the silhouette, their intersection over their union, says
how far it can be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float64, UInt8

from nvs.cameras import Camera
from nvs.errors import CameraError, DatasetError
from nvs.file_kinds import mask_name
from nvs.files import atomic_output, remove_file
from nvs.images import read_image
from nvs.scene.frames import Dataset, Frame, Original
from nvs.scene.pictures import shrunk
from nvs_data.posed_capture import MOVING_DEGREES, STILL, looked_at
from nvs_data.segmenters import Mask, Pixels, Seeds, Segmenter, grabcut

WORKING_PX = 320
"""Longer side at which views are cut."""
CORE, MIDDLE, OUTSIDE = 0.25, 0.7, 1.25
"""Radii, over that of the ball, within which all is the thing, and probably is, and
beyond which nothing is."""
GRID = 56
"""Points along each axis of the ball."""
AGREED = 0.65
"""Share of the views that see a point which must have cut it out."""
RIM = 0.08
"""Width of the rim of a silhouette in which a view decides, over the ball's radius."""
MOST_SEE = 0.8
"""Share of views that must show the point where the axes meet."""
TRUSTED = 0.6
"""Agreement under which a mask should be looked at."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CutView:
    """One view, and what was cut out of it."""

    name: str
    """Of its frame."""
    original: Original
    """Its photograph, and where that lies."""
    height: int
    """Of the photograph."""
    width: int
    """Of the photograph."""
    image: Pixels
    """Small."""
    mask: Mask
    """Of the thing, as small."""
    agreement: float
    """With the other views, from 0 to 1."""

    @property
    def share(self) -> float:
        """How much of the view the thing takes."""
        return float(self.mask.mean())

    def full(self) -> UInt8[np.ndarray, "height width"]:
        """The mask at the size of the photograph: white where the thing is."""
        soft = cv2.GaussianBlur(self.mask.astype(np.float32), (0, 0), 1.0)
        size = (self.width, self.height)
        large = cv2.resize(soft, size, interpolation=cv2.INTER_LINEAR)
        return np.where(large >= 0.5, 255, 0).astype(np.uint8)


def find_masks(
    dataset: Dataset,
    segment: Segmenter | None = None,
    *,
    progress: Callable[[int, int], None] = lambda _, __: None,
) -> list[CutView]:
    """Cut the thing that a capture looks at out of every photograph.

    Args:
        dataset: A capture around one thing.
        segment: How a view is cut; `grabcut` if absent.
        progress: Called with (views done, views in all), each of which is done twice.

    Raises:
        CameraError, DatasetError: If the cameras do not look at one thing, or the views
            do not agree on what it is.
        ImageError: Naming a photograph that cannot be read.
    """
    segment = segment or grabcut
    views = [_View(frame) for frame in dataset.frames if frame.original is not None]
    if not views:
        raise DatasetError("no frame has a photograph", remedy="Check the dataset.")
    center, radius = _ball([view.frame.camera for view in views])
    steps = iter(range(1, 2 * len(views) + 1))

    def cut(view: _View, seeds: Seeds, round: int) -> Mask:
        mask = segment(view.image, seeds, round)
        progress(next(steps), 2 * len(views))
        return mask

    still = _still(views)
    firsts = [cut(view, _first_seeds(view, center, radius, still), 0) for view in views]
    points, spacing = _agreed(views, firsts, center, OUTSIDE * radius)
    cuts: list[CutView] = []
    for view, first in zip(views, firsts, strict=True):
        silhouette = view.silhouette(points, spacing)
        seeds = _second_seeds(silhouette, first, RIM * view.size_px(center, radius))
        mask = _largest(cut(view, seeds, 1))
        union = (mask | silhouette).sum()
        cuts.append(
            CutView(
                name=view.frame.name,
                original=view.original,
                height=view.frame.camera.height,
                width=view.frame.camera.width,
                image=view.image,
                mask=mask,
                agreement=float((mask & silhouette).sum() / max(1, union)),
            )
        )
    return cuts


def check_unmasked(dataset: Dataset, path: Path) -> None:
    """Refuse a dataset that has masks, or images that are transparent.

    Raises:
        DatasetError: Saying which.
    """
    for frame in dataset.frames:
        if frame.original is None:
            continue
        if frame.original.mask is not None:
            raise DatasetError(
                f"{frame.name} has a mask already, {frame.original.mask.name}",
                remedy="Take the masks away, or have them replaced by force.",
                subject=path,
            )
        if frame is dataset.frames[0] and _is_transparent(frame.original.file):
            raise DatasetError(
                f"{frame.name} is transparent around something already",
                remedy="It needs no masks; force writes some all the same.",
                subject=path,
            )


def write_masks(
    cuts: Sequence[CutView], folder: Path | str, *, without: Container[int] = ()
) -> list[Path]:
    """Write masks where readers of the dataset in a folder look for them.

    Args:
        cuts: The views.
        folder: The dataset's.
        without: Indices of views that get none, and lose what they have.

    Raises:
        DatasetError: If a mask is to be replaced that is no PNG.
        OutputError: If they cannot be written.
    """
    folder = Path(folder).resolve()
    written: list[Path] = []
    for index, cut in enumerate(cuts):
        image = cut.original.file.relative_to(folder).as_posix()
        file = cut.original.mask or folder / mask_name(image)
        if file.suffix.lower() != ".png":
            raise DatasetError(
                f"the mask {file.name} of {cut.name} is no PNG",
                remedy="Take it away, with what names it; then masks can be written.",
            )
        if index in without:
            remove_file(file)
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_output(file) as temporary:
            temporary.write_bytes(mask_file(cut))
        written.append(file)
    return written


def mask_file(cut: CutView) -> bytes:
    """The mask of a view as the bytes of a PNG."""
    return cv2.imencode(".png", cut.full())[1].tobytes()


def preview(cut: CutView, longest_px: int) -> Pixels:
    """A thumbnail with what is left out paled, and the outline of the thing drawn."""
    image = cut.image.copy()
    image[~cut.mask] = 255 - (255 - image[~cut.mask]) // 3
    outlines, _ = cv2.findContours(
        cut.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(image, outlines, -1, (255, 0, 160), 2)
    return shrunk(image, longest_px)


class _View:
    """A frame, its photograph small, and where that shows points of the world."""

    def __init__(self, frame: Frame) -> None:
        assert frame.original is not None
        self.frame = frame
        self.original = frame.original
        size = (frame.camera.height, frame.camera.width)
        self.image: Pixels = np.ascontiguousarray(
            shrunk(read_image(frame.original.file, size=size)[..., :3], WORKING_PX)
        )
        self._scale = self.image.shape[1] / frame.camera.width

    def places(
        self, points: Float64[np.ndarray, "point 3"]
    ) -> tuple[Float64[np.ndarray, "point 2"], Bool[np.ndarray, "point"]]:
        """Pixels of the small photograph, and which of them lie in it."""
        pose = self.frame.camera.world_from_camera[0].double().numpy()
        fx, fy, cx, cy = self.frame.camera.intrinsics[0].double().tolist()
        x, y, z = ((points - pose[:3, 3]) @ pose[:3, :3]).T
        depth = np.where(z > 0, z, np.inf)
        xy_px = np.stack([fx * x / depth + cx, fy * y / depth + cy], axis=-1)
        xy_px = self.original.place_of(xy_px) * self._scale
        height, width = self.image.shape[:2]
        inside = ((xy_px >= 0) & (xy_px < (width, height))).all(axis=-1)
        return xy_px, (z > 0) & inside

    def size_px(self, center: Float64[np.ndarray, "3"], length: float) -> float:
        """How long a length at a point is in the small photograph."""
        camera = self.frame.camera
        away = np.linalg.norm(camera.center[0].double().numpy() - center)
        return float(camera.intrinsics[0, 0]) * self._scale * length / float(away)

    def silhouette(
        self, points: Float64[np.ndarray, "point 3"], spacing: float
    ) -> Mask:
        """Where it shows points that are so far from each other, gaps closed."""
        xy_px, is_inside = self.places(points)
        drawn = np.zeros(self.image.shape[:2], np.uint8)
        x, y = xy_px[is_inside].astype(int).T
        drawn[y, x] = 1
        side = 2 * round(0.75 * self.size_px(points.mean(axis=0), spacing)) + 1
        round_px = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        return cv2.dilate(drawn, round_px).astype(bool)


def _ball(cameras: Sequence[Camera]) -> tuple[Float64[np.ndarray, "3"], float]:
    """Where the optical axes meet, and the radius that most views show whole.

    Raises:
        CameraError: If they meet nowhere, or outside of most views.
    """
    center = looked_at(cameras)
    radii: list[float] = []
    for camera in cameras:
        x, y, z = (camera.world_from_camera[0].double().inverse()[:3, :3]) @ (
            center - camera.center[0].double()
        )
        fx, fy, cx, cy = camera.intrinsics[0].double()
        if z <= 0:
            continue
        u, v = fx * x / z + cx, fy * y / z + cy
        across = min(float(u), camera.width - float(u)) / float(fx)
        along = min(float(v), camera.height - float(v)) / float(fy)
        if min(across, along) > 0:
            radii.append(min(across, along) * float(z))
    if len(radii) < MOST_SEE * len(cameras):
        raise CameraError(
            f"only {len(radii)} of {len(cameras)} views show the point where most "
            "optical axes meet: the capture is not around one thing",
            remedy="Masks are for views around an object; use weights for scenes here.",
        )
    return center.numpy(), float(np.median(radii))


def _still(views: Sequence[_View]) -> Mask | None:
    """What is the same in all views; None if that says nothing of the thing."""
    forward = torch.cat([view.frame.camera.forward for view in views]).double()
    apart = torch.rad2deg(torch.acos((forward @ forward.T).clamp(-1, 1))).max()
    if apart < MOVING_DEGREES or len({view.image.shape for view in views}) > 1:
        return None
    stack = np.stack([cv2.GaussianBlur(view.image, (0, 0), 2) for view in views])
    return (stack.std(axis=0) < STILL).all(axis=-1)


def _first_seeds(
    view: _View,
    center: Float64[np.ndarray, "3"],
    radius: float,
    still: Mask | None,
) -> Seeds:
    at, _ = view.places(center[None])
    height, width = view.image.shape[:2]
    y, x = np.mgrid[:height, :width] + 0.5
    away = np.hypot(x - at[0, 0], y - at[0, 1]) / view.size_px(center, radius)
    seeds = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    seeds[away < MIDDLE] = cv2.GC_PR_FGD
    seeds[away < CORE] = cv2.GC_FGD
    seeds[away > OUTSIDE] = cv2.GC_BGD
    if still is not None:
        seeds[still] = cv2.GC_BGD
    return seeds


def _agreed(
    views: Sequence[_View],
    masks: Sequence[Mask],
    center: Float64[np.ndarray, "3"],
    radius: float,
) -> tuple[Float64[np.ndarray, "point 3"], float]:
    """Points of a ball that most views which see them have cut out.

    Returns:
        The points and their distance from each other.

    Raises:
        DatasetError: If there are none.
    """
    side = np.linspace(-1, 1, GRID)
    grid = np.stack(np.meshgrid(side, side, side), axis=-1).reshape(-1, 3)
    points = center + radius * grid[np.linalg.norm(grid, axis=-1) <= 1]
    seen, cut = np.zeros(len(points)), np.zeros(len(points))
    for view, mask in zip(views, masks, strict=True):
        xy_px, is_inside = view.places(points)
        x, y = xy_px[is_inside].astype(int).T
        seen += is_inside
        cut[is_inside] += mask[y, x]
    agreed = (seen >= len(views) / 2) & (cut >= AGREED * seen)
    if not agreed.any():
        raise DatasetError(
            "the views do not agree on a thing that could be cut out",
            remedy="Take the photographs around one thing that stands apart from what "
            "is behind it, or make masks with another program.",
        )
    return points[agreed], radius * 2 / (GRID - 1)


def _second_seeds(silhouette: Mask, first: Mask, rim_px: float) -> Seeds:
    side = 2 * max(1, round(rim_px)) + 1
    round_px = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    shape = silhouette.astype(np.uint8)
    seeds = np.full(shape.shape, cv2.GC_BGD, np.uint8)
    seeds[cv2.dilate(shape, round_px) > 0] = cv2.GC_PR_BGD
    seeds[silhouette] = cv2.GC_PR_FGD
    seeds[(cv2.erode(shape, round_px) > 0) & first] = cv2.GC_FGD
    return seeds


def _largest(mask: Mask) -> Mask:
    """The mask without specks and small holes."""
    for value in (True, False):
        count, labels, sizes, _ = cv2.connectedComponentsWithStats(
            (mask == value).astype(np.uint8), connectivity=4
        )
        if count > 1:
            areas = sizes[1:, cv2.CC_STAT_AREA]
            small = 1 + np.flatnonzero(areas < areas.max() / 50)
            mask = np.where(np.isin(labels, small), not value, mask)
    return mask


def _is_transparent(file: Path) -> bool:
    pixels = read_image(file)
    return pixels.shape[-1] == 4 and bool(pixels[..., 3].min() < 255)


def doubtful(cuts: Sequence[CutView]) -> Iterator[CutView]:
    """Those whose mask should be looked at."""
    return (cut for cut in cuts if cut.agreement < TRUSTED)
