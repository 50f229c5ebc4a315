"""RealEstate10K: a text file of cameras, with frames extracted from the video.

The first line is the video's address; each other line has 19 numbers: timestamp in
microseconds; fx, fy, cx, cy as fractions of the image's width and height; two zeros;
and the 3×4 camera-from-world matrix (OpenCV axes) row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from nvs.cameras import Camera
from nvs.errors import CameraError, DatasetError, about
from nvs.images import image_size
from nvs.scene.dataset_files import inverse, read_text
from nvs.scene.frames import Dataset, Frame
from nvs.scene.image_files import ImageFiles
from nvs_data.frames import lens_frame

NUM_COLUMNS = 19
_HEAD_BYTES = 8192


class RealEstate10KReader:
    """Reads `<clip>.txt`; its frames are `<timestamp>.png` or `.jpg`.

    They are looked for beside the file: in the folder `<clip>`, in `images`, then in
    the same folder.
    """

    name = "realestate10k"

    def recognises(self, path: Path) -> bool:
        """Whether this is such a file or a folder with exactly one."""
        return _cameras_file(path) is not None

    def read(self, path: Path) -> Dataset:
        """The frames in file order."""
        file = _cameras_file(path)
        if file is None:
            raise DatasetError(
                "not a RealEstate10K clip",
                remedy="Name one text file whose second line has 19 numbers.",
                subject=path,
            )
        with about(file):
            lines = _lines(read_text(file))[1:]
            return _dataset(lines, ImageFiles(file.parent), (file.stem, "images", ""))


def _dataset(
    lines: Sequence[tuple[int, str]], images: ImageFiles, places: Sequence[str]
) -> Dataset:
    frames: list[Frame] = []
    for number, line in lines:
        where = f"line {number}"
        timestamp, values = _parse(line, where)
        image = images.find(timestamp, within=places)
        if image is not None:
            camera = _camera(values, image_size(image), where)
            mask = images.mask(image)
            frames.append(lens_frame(timestamp, image, camera, None, mask))
    return images.dataset(frames)


def _lines(text: str) -> list[tuple[int, str]]:
    """Lines that are not blank, with their numbers."""
    lines = enumerate(text.split("\n"), start=1)
    return [(number, line) for number, line in lines if line.strip()]


def _cameras_file(path: Path) -> Path | None:
    try:
        files = path.glob("*.txt") if path.is_dir() else [path]
        clips = [file for file in files if _is_clip(file)]
    except OSError:
        return None
    return clips[0] if len(clips) == 1 else None


def _is_clip(file: Path) -> bool:
    if file.suffix != ".txt" or not file.is_file():
        return False
    try:
        head = _lines(read_text(file, limit_bytes=_HEAD_BYTES))
    except DatasetError:
        return False
    if len(head) < 2 or len(head[0][1].split()) != 1:
        return False
    columns = head[1][1].split()
    return len(columns) == NUM_COLUMNS and columns[0].isdecimal()


def _parse(line: str, where: str) -> tuple[str, list[float]]:
    columns = line.split()
    try:
        values = [float(column) for column in columns[1:]]
    except ValueError:
        values = []
    if len(values) != NUM_COLUMNS - 1 or not columns[0].isdecimal():
        raise DatasetError(
            f"{where} is not a camera: {line[:80]!r}",
            remedy="It must have a timestamp and 18 numbers.",
        )
    return columns[0], values


def _camera(values: list[float], size: tuple[int, int], where: str) -> Camera:
    height, width = size
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3] = torch.tensor(values[6:], dtype=torch.float64).reshape(3, 4)
    if values[4] or values[5]:
        raise CameraError(
            f"{where}: columns 6 and 7 are {values[4]:g} and {values[5]:g}",
            remedy="They must be zero; distortion is not part of the format.",
        )
    scale = torch.tensor([width, height, width, height], dtype=torch.float64)
    return Camera(
        world_from_camera=inverse(pose, f"{where}: the pose")[None],
        intrinsics=(torch.tensor(values[:4], dtype=torch.float64) * scale)[None],
        height=height,
        width=width,
    )
