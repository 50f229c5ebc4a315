"""A dataset to a folder in another layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from nvs.cameras import Camera
from nvs.errors import ConfigError, DatasetError, OutputError
from nvs.files import atomic_output
from nvs.scene.frames import Frame
from nvs_data.writers.colmap import write_colmap
from nvs_data.writers.images import write_images
from nvs_data.writers.opencv import write_opencv
from nvs_data.writers.transforms import write_transforms

WriteCameras = Callable[[Path, Sequence[str], Sequence[Camera]], None]
"""Writes camera files into a folder whose `images` has files of these names."""

WRITERS: Mapping[str, WriteCameras] = {
    "opencv": write_opencv,
    "nerfstudio": write_transforms,
    "colmap": write_colmap,
}


def write_dataset(frames: Sequence[Frame], folder: Path | str, *, format: str) -> None:
    """Write frames as a new dataset, whole or not at all.

    Cameras are written with all the digits of float64. Images are copied byte for byte
    where the frames hold their pixels as stored, and written as PNG where lens
    distortion was undone.

    Args:
        frames: The frames, pinhole cameras in OpenCV axes.
        folder: Where to write; must not exist or be empty.
        format: `opencv`, `nerfstudio` or `colmap`.

    Raises:
        ConfigError: If the format is unknown.
        DatasetError: If there are no frames.
        CameraError, ImageError: If a frame is unusable.
        OutputError: If the folder holds something or cannot be written.
    """
    folder = Path(folder)
    if format not in WRITERS:
        raise ConfigError(
            f"cannot write the dataset format {format!r}",
            remedy=f"Choose from {', '.join(WRITERS)}.",
        )
    if not frames:
        raise DatasetError("there are no frames to write", remedy="Give at least one.")
    for frame in frames:
        frame.camera.check([frame.name])
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(
            f"{folder} is there already and not empty", remedy="Name a new folder."
        )
    with atomic_output(folder) as temporary:
        names = write_images(frames, temporary / "images")
        cameras = [frame.camera.to(dtype=torch.float64) for frame in frames]
        WRITERS[format](temporary, names, cameras)
