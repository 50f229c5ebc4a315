"""Datasets on disk to posed views, through readers that recognise their layout.

A reader turns a path into `Frame`s, which know their camera and decode their image only
when asked; `load_views` resizes one frame after another, so memory holds the result and
one full-size photograph. Other packages add readers through the entry-point group
`nvs.readers`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import UInt8

from nvs.cameras import Camera
from nvs.errors import CameraError, DatasetError
from nvs.scene.images import read_image
from nvs.scene.resize import CoverCrop, fitting_size
from nvs.scene.views import PosedViews


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frame:
    """One photograph of a dataset, not decoded yet."""

    name: str
    """What to call it in messages."""
    camera: Camera
    """Its camera (a batch of one) in OpenCV axes, for the full image size."""
    load: Callable[[], UInt8[np.ndarray, "height width channel"]]
    """Decodes it: RGB or RGBA of the camera's size."""


class Reader(Protocol):
    """What the entry points of the group `nvs.readers` are."""

    name: str
    """The layout's name, for `format=`."""

    def recognises(self, path: Path) -> bool:
        """Whether the path holds this layout; cheap, and never raises."""
        ...

    def read(self, path: Path) -> list[Frame]:
        """The frames of the dataset, in its order."""
        ...


class OpenCVReader:
    """The published layout: `opencv_cameras.json` beside its images.

    The file is a list of frames, or an object with `frames`; each has `w`, `h`, `fx`,
    `fy`, `cx`, `cy` in pixels, `w2c` (4×4, OpenCV axes) and `file_path`.
    """

    name = "opencv"
    file_name = "opencv_cameras.json"

    def recognises(self, path: Path) -> bool:
        """Whether this is the file or a folder that has it."""
        return path.name == self.file_name or (path / self.file_name).is_file()

    def read(self, path: Path) -> list[Frame]:
        """The frames in file order."""
        file = path if path.name == self.file_name else path / self.file_name
        content = read_json(file)
        entries = content.get("frames") if isinstance(content, dict) else content
        if not isinstance(entries, list) or not entries:
            raise DatasetError(
                f"{file} lists no frames",
                remedy="It must be a list of frames, or an object with `frames`.",
            )
        return [self._frame(file, i, entry) for i, entry in enumerate(entries)]

    def _frame(self, file: Path, index: int, entry: Any) -> Frame:
        where = f"{file}: frame {index}"
        if not isinstance(entry, dict):
            raise DatasetError(f"{where} is {entry!r}", remedy="It must be an object.")
        name = entry.get("file_path")
        if not isinstance(name, str):
            raise DatasetError(
                f"{where}: file_path is {name!r}",
                remedy="Name the image file, relative to the folder.",
            )
        image_path = inside(file.parent, name)
        keys = ("fx", "fy", "cx", "cy", "h", "w")
        values = [_number(entry, key, where) for key in keys]
        camera = Camera(
            world_from_camera=_invert(entry.get("w2c"), where)[None],
            intrinsics=torch.tensor([values[:4]], dtype=torch.float64),
            height=int(values[4]),
            width=int(values[5]),
        )
        return Frame(name=name, camera=camera, load=lambda: read_image(image_path))


@cache
def readers() -> tuple[Reader, ...]:
    """Every known reader, the published layout first."""
    others = (point.load()() for point in entry_points(group="nvs.readers"))
    return (OpenCVReader(), *others)


def read_frames(path: Path | str, *, format: str | None = None) -> list[Frame]:
    """Frames of a dataset in a layout that is recognised, or named by `format`.

    Raises:
        DatasetError: If there is nothing at the path, no reader recognises it, or the
            dataset is not as its layout says.
    """
    path = Path(path)
    known = ", ".join(reader.name for reader in readers())
    if not path.exists():
        raise DatasetError(f"there is nothing at {path}", remedy="Check the path.")
    for reader in readers():
        if reader.name == format or (format is None and reader.recognises(path)):
            return reader.read(path)
    if format is not None:
        raise DatasetError(
            f"there is no dataset format {format!r}", remedy=f"Known: {known}."
        )
    raise DatasetError(
        f"{path} is in no known dataset layout",
        remedy=f"Known: {known}; the first is a folder with opencv_cameras.json.",
    )


def load_views(
    path: Path | str,
    *,
    size: tuple[int, int] | int | None = None,
    patch_size: int = 8,
    views: Sequence[int] | None = None,
    format: str | None = None,
) -> PosedViews:
    """Posed views of a dataset, resized to one size.

    Args:
        path: A dataset folder or file.
        size: (height, width) in pixels to cover and centre-crop to; or the length of
            the longer side, keeping the first image's aspect ratio; or None for the
            first image's own size. Rounded down to multiples of the patch.
        patch_size: Side of the network's patch in pixels.
        views: Indices of the frames to load; all if absent.
        format: Name of a layout, instead of recognising it.

    Raises:
        DatasetError, CameraError, ImageError: Naming the file or view and the remedy.
    """
    frames = read_frames(path, format=format)
    if views is not None:
        for index in views:
            if not 0 <= index < len(frames):
                raise DatasetError(
                    f"{path} has no view {index}",
                    remedy=f"Choose from 0 to {len(frames) - 1}.",
                )
        frames = [frames[index] for index in views]
    for frame in frames:
        frame.camera.check([frame.name])
    if size is None or isinstance(size, int):
        first = frames[0].camera
        height, width = fitting_size(
            (first.height, first.width), longest_px=size, patch_size=patch_size
        )
    else:
        height, width = fitting_size(size, longest_px=None, patch_size=patch_size)
    image = torch.empty(len(frames), 3, height, width)
    cameras: list[Camera] = []
    for index, frame in enumerate(frames):
        pixels = frame.load()
        expected = (frame.camera.height, frame.camera.width)
        if pixels.shape[:2] != expected:
            raise CameraError(
                f"{frame.name} is {pixels.shape[0]}×{pixels.shape[1]} pixels, its "
                f"camera is for {expected[0]}×{expected[1]}",
                remedy="Give the intrinsics of the image as it is on disk.",
            )
        plan = CoverCrop.plan(expected, (height, width))
        image[index] = torch.from_numpy(plan.image(pixels)).permute(2, 0, 1)
        cameras.append(plan.camera(frame.camera).to(dtype=torch.float32))
    return PosedViews(
        image=image, camera=Camera.cat(cameras), names=tuple(f.name for f in frames)
    )


def read_json(file: Path) -> Any:
    """Content of a JSON file.

    Raises:
        DatasetError: If it cannot be read or is not JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(
            f"{file} is not readable JSON ({error})",
            remedy="Check that the file is complete.",
        ) from error


def inside(folder: Path, name: str) -> Path:
    """The path of a file that must lie inside a folder, links resolved.

    Raises:
        DatasetError: If it is absolute or leads outside.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise DatasetError(
            f"{name!r} leads outside {folder}",
            remedy="Name files relative to the dataset folder, without `..` or links.",
        )
    return path


def _number(entry: dict[str, Any], key: str, where: str) -> float:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CameraError(
            f"{where}: {key} is {value!r}", remedy="It must be a number, in pixels."
        )
    if key in "hw" and not 1 <= value <= 2**20:
        raise CameraError(
            f"{where}: {key} is {value}", remedy="It must be the image size in pixels."
        )
    return float(value)


def _invert(matrix: Any, where: str) -> torch.Tensor:
    try:
        pose = torch.tensor(matrix, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        pose = torch.empty(0)
    if pose.shape != (4, 4):
        raise CameraError(
            f"{where}: the pose w2c is missing or not 4×4",
            remedy="Give a 4×4 camera-from-world matrix in OpenCV axes.",
        )
    if not torch.isfinite(pose).all():
        return pose
    try:
        return torch.linalg.inv(pose)
    except torch.linalg.LinAlgError as error:
        raise CameraError(
            f"{where}: the pose w2c cannot be inverted",
            remedy="It must be a rigid transform.",
        ) from error
