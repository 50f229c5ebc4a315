"""The published layout: `opencv_cameras.json` beside its images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from nvs.cameras import Camera
from nvs.cameras.json_record import Record
from nvs.errors import about
from nvs.scene.dataset_files import inverse, is_file, read_json
from nvs.scene.frames import Dataset, Frame, pinhole_frame
from nvs.scene.image_files import ImageFiles


class OpenCVReader:
    """Reads `opencv_cameras.json`.

    The file is a list of frames, or an object with `frames`; each has `w`, `h`, `fx`,
    `fy`, `cx`, `cy` in pixels, `w2c` (4×4, OpenCV axes), `file_path` and perhaps
    `mask_path`.
    """

    name = "opencv"
    file_name = "opencv_cameras.json"

    def recognises(self, path: Path) -> bool:
        """Whether this is the file or a folder that has it."""
        return path.name == self.file_name or is_file(path / self.file_name)

    def read(self, path: Path) -> Dataset:
        """The frames in file order."""
        file = path / self.file_name if path.is_dir() else path
        with about(file):
            return _dataset(read_json(file), file.parent)


def frame_entry(
    file_path: str, camera: Camera, camera_from_world: Float64[Tensor, "4 4"]
) -> dict[str, Any]:
    """What the file says of a frame, for writing one.

    Args:
        file_path: Its image, relative to the file.
        camera: Its camera, a batch of one.
        camera_from_world: The inverse of its pose.
    """
    fx, fy, cx, cy = camera.intrinsics[0].double().tolist()
    return {
        **{"w": camera.width, "h": camera.height},
        **{"fx": fx, "fy": fy, "cx": cx, "cy": cy},
        "w2c": camera_from_world.tolist(),
        "file_path": file_path,
    }


def _dataset(content: Any, folder: Path) -> Dataset:
    listed = {"frames": content} if isinstance(content, list) else content
    frames: list[Frame] = []
    images = ImageFiles(folder)
    for entry in Record.of(listed).records("frames"):
        name = entry.text("file_path")
        camera = _camera(entry)
        found = images.find(name)
        if found is not None:
            mask = images.mask(found, entry.optional_text("mask_path"))
            frames.append(pinhole_frame(name, found, camera, mask))
    return images.dataset(frames, world_up=(0.0, 0.0, 1.0))


def _camera(entry: Record) -> Camera:
    w2c = torch.tensor(entry.numbers("w2c", 4, 4, finite=False), dtype=torch.float64)
    values = [entry.number(key, finite=False) for key in ("fx", "fy", "cx", "cy")]
    return Camera(
        world_from_camera=inverse(w2c, f"{entry.where}w2c")[None],
        intrinsics=torch.tensor([values], dtype=torch.float64),
        height=entry.size("h"),
        width=entry.size("w"),
    )
