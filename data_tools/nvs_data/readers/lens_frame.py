"""Frames from cameras with a lens, and from images that were scaled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from nvs.cameras import Camera
from nvs.errors import CameraError
from nvs.images import image_size, read_image
from nvs.scene.frames import Frame
from nvs_data.lenses import Lens
from nvs_data.undistort import Intrinsics, pinhole_intrinsics, undistort


def lens_frame(name: str, file: Path, camera: Camera, lens: Lens | None) -> Frame:
    """A frame whose photograph is undistorted when it is loaded.

    Args:
        name: What to call it.
        file: The photograph.
        camera: One camera with the intrinsics of the photograph through the lens.
        lens: Its lens; None for a pinhole camera.

    Raises:
        CameraError: If the camera is unusable or its distortion cannot be undone.
    """
    size = (camera.height, camera.width)
    if lens is None:
        return Frame(
            name=name,
            camera=camera,
            load=lambda: read_image(file, size=size),
            source=file,
        )
    camera.check([name])
    intrinsics: Intrinsics = tuple(camera.intrinsics[0].tolist())
    try:
        pinhole = pinhole_intrinsics(intrinsics, lens, *size)
    except CameraError as error:
        raise CameraError(f"{name}: {error.problem}", remedy=error.remedy) from error

    def load() -> UInt8[np.ndarray, "height width channel"]:
        return undistort(
            read_image(file, size=size),
            pinhole=pinhole,
            intrinsics=intrinsics,
            lens=lens,
        )

    straight = Camera(
        world_from_camera=camera.world_from_camera,
        intrinsics=torch.tensor([pinhole], dtype=torch.float64),
        height=camera.height,
        width=camera.width,
    )
    return Frame(name=name, camera=straight, load=load)


def scaled_to_file(camera: Camera, file: Path) -> Camera:
    """The camera of the photograph after it was scaled to the size of a file.

    Raises:
        ImageError: If the file cannot be read.
        CameraError: If the file has another aspect ratio, by more than rounding.
    """
    height, width = image_size(file)
    off_px = min(
        abs(width - camera.width * height / camera.height),
        abs(height - camera.height * width / camera.width),
    )
    if off_px > 1:
        raise CameraError(
            f"{height}×{width} pixels, its camera is for "
            f"{camera.height}×{camera.width}: another aspect ratio",
            remedy="Scale images without cropping or turning them.",
            subject=file,
        )
    return camera.resized(height, width)
