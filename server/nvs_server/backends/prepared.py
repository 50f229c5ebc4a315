"""Decoded views in a file: how an inspector hands a dataset to a worker.

Images and cameras in float32, bit by bit as `load_views` gives them. This module
imports torch; it is for the child processes.
"""

from __future__ import annotations

from pathlib import Path

from nvs.cameras import Camera
from nvs.errors import DatasetError
from nvs.scene import PosedViews
from nvs.tensor_file import read_tensors, write_tensors

FORMAT = "lact-nvs views"


def write_views(path: Path, views: PosedViews) -> None:
    """Write views.

    Raises:
        OutputError: If the file cannot be written.
    """
    tensors = {
        "image": views.image,
        "world_from_camera": views.camera.world_from_camera,
        "intrinsics": views.camera.intrinsics,
    }
    write_tensors(path, tensors, {"format": FORMAT, "names": list(views.names)})


def read_views(path: Path) -> PosedViews:
    """The views that were written.

    Raises:
        DatasetError: If the file is missing, damaged or another.
    """
    remedy = "Prepare the views again."
    tensors, metadata, _ = read_tensors(path, error=DatasetError, remedy=remedy)
    if metadata.get("format") != FORMAT:
        raise DatasetError("the file holds no prepared views", remedy=remedy)
    image = tensors["image"]
    return PosedViews(
        image=image,
        camera=Camera(
            world_from_camera=tensors["world_from_camera"],
            intrinsics=tensors["intrinsics"],
            height=image.shape[-2],
            width=image.shape[-1],
        ),
        names=tuple(metadata["names"]),
    )
