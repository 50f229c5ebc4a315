"""DL3DV scenes: cameras of the full-size video frames, images at a part of the size."""

from __future__ import annotations

from pathlib import Path

from nvs.scene.dataset_files import is_file
from nvs.scene.frames import Dataset
from nvs_data.readers.nerfstudio import NerfstudioReader, read_transforms

FOLDER = "nerfstudio"
FILE = NerfstudioReader.file_name
IMAGE_FOLDERS = ("images_4", "images_8", "images_2")
"""Scaled copies, the benchmark's 960×540 first."""


class DL3DVReader:
    """Reads `nerfstudio/transforms.json` with `images_4`, as the benchmark ships it.

    The folder itself may also hold `transforms.json`, if it has scaled images only.
    """

    name = "dl3dv"

    def recognises(self, path: Path) -> bool:
        """Whether the folder has the file and scaled images."""
        return is_file(path / FOLDER / FILE) or (
            is_file(path / FILE)
            and not (path / "images").is_dir()
            and _image_folder(path) is not None
        )

    def read(self, path: Path) -> Dataset:
        """The frames in file order; cameras are scaled to the images."""
        folder = path / FOLDER if (path / FOLDER).is_dir() else path
        # Where there are no scaled images, `images` stands for itself.
        images = _image_folder(folder) or "images"
        return read_transforms(folder / FILE, scaled_images=images)


def _image_folder(folder: Path) -> str | None:
    return next((name for name in IMAGE_FOLDERS if (folder / name).is_dir()), None)
