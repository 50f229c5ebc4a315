"""What an inspector hands over: decoded views in a file, and pictures of inputs.

Images are in float32, cameras in float64, bit by bit as `load_views` gives them. This
module imports torch; it is for the child processes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from nvs.api.cameras import PosedCamera
from nvs.cameras import Camera
from nvs.errors import DatasetError
from nvs.scene import PosedViews
from nvs.tensor_file import read_tensors, write_tensors
from nvs_server.compute.protocol import InputView

FORMAT = "lact-nvs views"
THUMBNAIL_PX = 192
JPEG_QUALITY = 85


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
    up = None if views.world_up is None else list(views.world_up)
    metadata = {"format": FORMAT, "names": list(views.names), "world_up": up}
    write_tensors(path, tensors, metadata)


def read_views(path: Path) -> PosedViews:
    """The views that were written.

    Raises:
        DatasetError: If the file is missing, damaged or another.
    """
    remedy = "Prepare the views again."
    tensors, metadata, _ = read_tensors(path, error=DatasetError, remedy=remedy)
    if metadata.get("format") != FORMAT:
        raise DatasetError("the file holds no prepared views", remedy=remedy)
    image, up = tensors["image"], metadata.get("world_up")
    return PosedViews(
        image=image,
        camera=Camera(
            world_from_camera=tensors["world_from_camera"],
            intrinsics=tensors["intrinsics"],
            height=image.shape[-2],
            width=image.shape[-1],
        ),
        names=tuple(metadata["names"]),
        world_up=None if up is None else (up[0], up[1], up[2]),
    )


def write_input(
    output: Path,
    index: int,
    name: str,
    camera: Camera,
    pixels: UInt8[np.ndarray, "height width 3"],
    *,
    thumbnail_only: bool,
) -> InputView:
    """Write the pictures of one input into a folder.

    Args:
        output: The folder.
        index: Which input it is.
        name: What it is called.
        camera: Its camera (a batch of one) in the user's world.
        pixels: The input as the network saw it, or a thumbnail of it.
        thumbnail_only: Whether it is a thumbnail.
    """
    image = Image.fromarray(pixels)
    full = None if thumbnail_only else output / f"{index:05d}.png"
    if full is not None:
        image.save(full)
    small = image.copy()
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    thumbnail = output / f"{index:05d}.jpg"
    small.save(thumbnail, quality=JPEG_QUALITY)
    return InputView(
        index=index,
        name=name,
        camera=posed_camera(camera),
        height=camera.height,
        width=camera.width,
        image=full,
        thumbnail=thumbnail,
    )


def posed_camera(camera: Camera) -> PosedCamera:
    """A camera (a batch of one) as clients see it."""
    pose: list[list[float]] = camera.world_from_camera[0].tolist()
    fx, fy, cx, cy = camera.intrinsics[0].tolist()
    return PosedCamera(world_from_camera=pose, fx=fx, fy=fy, cx=cx, cy=cy)
