"""What an inspector hands over: decoded views in a file, and pictures of inputs.

Views are records of a NumPy file: written one after another and read as they are used,
so that neither side holds all images. Images are in float32, cameras in float64, bit by
bit as `load_views` gives them. This module imports torch: it is for child processes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from nvs.api.cameras import PosedCamera
from nvs.cameras import Camera
from nvs.errors import DatasetError, reason
from nvs.files import atomic_output
from nvs.scene import PosedViews
from nvs.scene.views import Views
from nvs_server.compute.orders import InputView

THUMBNAIL_PX = 192
JPEG_QUALITY = 85
AT_ONCE = 4
"""Images that are decoded together."""


def write_views(
    path: Path,
    views: Views,
    seen: Callable[[int, Float[Tensor, "3 height width"]], None] = lambda *_: None,
) -> None:
    """Write views.

    Args:
        path: The file.
        views: What to write.
        seen: Called with the number and the image of each, when it is written.

    Raises:
        ImageError: If an image cannot be read, or none shows anything.
        OutputError: If the file cannot be written.
    """
    camera = views.camera
    names = [name.encode() for name in views.names]
    record = np.dtype(
        [
            ("world_from_camera", "<f8", (4, 4)),
            ("intrinsics", "<f8", (4,)),
            ("world_up", "<f8", (3,)),
            ("image", "<f4", (3, camera.height, camera.width)),
            ("name", f"S{max(map(len, names))}"),
        ],
        align=True,
    )
    row = np.zeros((), record)
    row["world_up"] = np.nan if views.world_up is None else views.world_up
    header = {
        "descr": np.lib.format.dtype_to_descr(record),
        "fortran_order": False,
        "shape": (len(names),),
    }
    with (
        atomic_output(path) as temporary,
        temporary.open("wb") as file,
        closing(views.in_groups(AT_ONCE)) as groups,
    ):
        np.lib.format.write_array_header_2_0(file, header)
        index = 0
        for group in groups:
            for image in group:
                row["world_from_camera"] = camera.world_from_camera[index]
                row["intrinsics"] = camera.intrinsics[index]
                row["image"] = image
                row["name"] = names[index]
                file.write(row.tobytes())
                seen(index, image)
                index += 1


def read_views(path: Path) -> PosedViews:
    """The views that were written; their images stay in the file until they are used.

    Raises:
        DatasetError: If the file is missing, damaged or another.
    """
    try:
        rows = np.load(path, mmap_mode="c")
        image = torch.from_numpy(rows["image"])
        poses, intrinsics = (
            torch.from_numpy(rows[name].copy())
            for name in ("world_from_camera", "intrinsics")
        )
        names = tuple(name.decode() for name in rows["name"])
        up = rows["world_up"][0].tolist()
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise DatasetError(
            f"the prepared views cannot be read: {reason(error)}",
            remedy="Prepare the views again.",
            subject=path,
        ) from error
    height, width = image.shape[-2:]
    return PosedViews(
        image=image,
        camera=Camera(
            world_from_camera=poses, intrinsics=intrinsics, height=height, width=width
        ),
        names=names,
        world_up=None if np.isnan(up[0]) else (up[0], up[1], up[2]),
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
