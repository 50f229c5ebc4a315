"""LLFF: `poses_bounds.npy` and a folder of images in the order of their names.

Each of its rows has 17 numbers: a 3×5 matrix row by row, and the nearest and farthest
depth. The matrix has as columns the camera's axes (down, right, backward), its position
and (height, width, focal length) in pixels.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from tokenize import TokenError

import numpy as np
import torch
from jaxtyping import Float64

from nvs.cameras import Camera
from nvs.cameras.json_record import MAX_SIDE_PX
from nvs.errors import CameraError, DatasetError, about, reason
from nvs.file_kinds import is_image_name
from nvs.scene.dataset_files import inside, is_file
from nvs.scene.frames import Dataset
from nvs.scene.image_files import ImageFiles
from nvs_data.frames import lens_frame, scaled_to_file

IMAGE_FOLDERS = ("images", "images_4", "images_8", "images_2")


class LLFFReader:
    """Reads `poses_bounds.npy` with `images`, or with `images_4` and the like."""

    name = "llff"
    file_name = "poses_bounds.npy"

    def recognises(self, path: Path) -> bool:
        """Whether this is the file or a folder that has it."""
        return path.name == self.file_name or is_file(path / self.file_name)

    def read(self, path: Path) -> Dataset:
        """The frames in the order of their names; cameras are scaled to the images."""
        file = path / self.file_name if path.is_dir() else path
        with about(file):
            rows = _read_rows(file)
            images = ImageFiles(file.parent)
            photos = _photos(file.parent, images)
            if len(photos) != len(rows):
                raise DatasetError(
                    f"it has {len(rows)} cameras, its folder {len(photos)} images",
                    remedy="Poses belong to images by order: restore the missing "
                    "images, or take out those that are too many.",
                )
            frames = []
            for row, (name, image) in zip(rows, photos.items(), strict=True):
                camera = scaled_to_file(_camera(row, name), image)
                mask = images.mask(image)
                frames.append(lens_frame(name, image, camera, None, mask))
            return images.dataset(frames)


def _read_rows(file: Path) -> Float64[np.ndarray, "view 17"]:
    try:
        # Mapped, so that a header that promises too much is refused, not allocated.
        rows = np.load(file, mmap_mode="r", allow_pickle=False)
        if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "fiu":
            raise ValueError("it is not an array of numbers")
        if rows.ndim != 2 or rows.shape[1] != 17:
            raise ValueError(f"its shape is {rows.shape}")
        return np.array(rows, dtype=np.float64)
    except (
        *(OSError, ValueError, TypeError, SyntaxError, ArithmeticError, EOFError),
        *(MemoryError, RecursionError, LookupError, zipfile.BadZipFile, TokenError),
    ) as error:
        raise DatasetError(
            f"not a readable array of poses ({reason(error)})",
            remedy="It must be a NumPy file with 17 numbers a view.",
        ) from error


def _photos(folder: Path, images: ImageFiles) -> dict[str, Path]:
    """The images by name, in its order, without those that are masks of others."""
    for place in IMAGE_FOLDERS:
        if (folder / place).is_dir():
            names = sorted(
                f"{place}/{file.name}"
                for file in (folder / place).iterdir()
                if is_image_name(file.name)
            )
            files = {name: inside(folder, name) for name in names}
            masks = {images.mask(file) for file in files.values()}
            names = [name for name in names if files[name] not in masks]
            found = {name: images.find(name) for name in names}
            return {name: file for name, file in found.items() if file is not None}
    return {}


def _camera(row: Float64[np.ndarray, "17"], where: str) -> Camera:
    down, right, backward, position, (height, width, focal_px) = (
        row[:15].reshape(3, 5).T
    )
    for key, side in (("height", height), ("width", width)):
        if not 1 <= side <= MAX_SIDE_PX or not math.isclose(side, round(side)):
            raise CameraError(
                f"{where}: the {key} is {side:g}",
                remedy="It must be the image size: a whole number of pixels.",
            )
    pose = np.eye(4)
    pose[:3] = np.stack([right, down, -backward, position], axis=-1)
    return Camera(
        world_from_camera=torch.from_numpy(pose)[None],
        intrinsics=torch.tensor(
            [[focal_px, focal_px, width / 2, height / 2]], dtype=torch.float64
        ),
        height=round(height),
        width=round(width),
    )
