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
from nvs.errors import CameraError, DatasetError, about, reason
from nvs.images import image_size
from nvs.scene.dataset_files import find_image, inverse
from nvs.scene.frames import Dataset, Frame
from nvs_data.frames import lens_frame

NUM_COLUMNS = 19
_HEAD_CHARACTERS = 4096


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
        folders = [
            folder
            for folder in (file.parent / file.stem, file.parent / "images", file.parent)
            if folder.is_dir()
        ]
        try:
            lines = file.read_text(encoding="utf-8").splitlines()[1:]
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"it cannot be read ({reason(error)})",
                remedy="Check that it is a text file.",
                subject=file,
            ) from error
        with about(file):
            return _dataset(lines, folders)


def _dataset(lines: Sequence[str], folders: Sequence[Path]) -> Dataset:
    frames: list[Frame] = []
    missing: list[str] = []
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        where = f"line {index + 2}"
        timestamp, values = _parse(line, where)
        found = (find_image(folder, timestamp) for folder in folders)
        image = next((path for path in found if path is not None), None)
        if image is None:
            missing.append(timestamp)
        else:
            camera = _camera(values, image_size(image), where)
            frames.append(lens_frame(timestamp, image, camera, None))
    return Dataset(frames=tuple(frames), missing=tuple(missing))


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
    with file.open(encoding="utf-8", errors="replace") as stream:
        head = stream.read(_HEAD_CHARACTERS).splitlines()
    if len(head) < 2 or len(head[0].split()) != 1:
        return False
    columns = head[1].split()
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
