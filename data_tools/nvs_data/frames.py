"""Frames of a dataset: from a photograph and its lens; resized.

Pixels change when an image is decoded.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from nvs.cameras import Camera
from nvs.errors import CameraError
from nvs.images import image_size
from nvs.scene.frames import Frame, Original, photograph, pinhole_frame
from nvs.scene.resize import fitting_size
from nvs_data.undistort import (
    Intrinsics,
    Lens,
    distort_pixels,
    pinhole_intrinsics,
    undistort,
)


def lens_frame(
    name: str, file: Path, camera: Camera, lens: Lens | None, mask: Path | None = None
) -> Frame:
    """A frame whose photograph is masked and undistorted when it is loaded.

    Args:
        name: What to call it.
        file: The photograph.
        camera: One camera with the intrinsics of the photograph through the lens.
        lens: Its lens; None for a pinhole camera.
        mask: Image that is black where the photograph does not count; None if all does.

    Raises:
        CameraError: If the camera is unusable or its distortion cannot be undone.
    """
    if lens is None:
        return pinhole_frame(name, file, camera, mask)
    camera.check([name])
    intrinsics: Intrinsics = tuple(camera.intrinsics[0].tolist())
    try:
        pinhole = pinhole_intrinsics(intrinsics, lens, camera.height, camera.width)
    except CameraError as error:
        raise CameraError(f"{name}: {error.problem}", remedy=error.remedy) from error

    def load() -> UInt8[np.ndarray, "height width channel"]:
        return undistort(
            photograph(file, camera, mask),
            pinhole=pinhole,
            intrinsics=intrinsics,
            lens=lens,
        )

    straight = replace(camera, intrinsics=torch.tensor([pinhole], dtype=torch.float64))
    place_of = partial(
        distort_pixels, pinhole=pinhole, intrinsics=intrinsics, lens=lens
    )
    return Frame(
        name=name,
        camera=straight,
        load=load,
        original=Original(file=file, mask=mask, place_of=place_of),
    )


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


def resized(frame: Frame, size: tuple[int, int] | int) -> Frame:
    """The frame at another size: scaled to cover it and cut to its centre.

    Args:
        frame: One photograph.
        size: (height, width) in pixels; or the length of the longer side, which keeps
            the frame's own shape.

    Raises:
        ConfigError: If a side would be smaller than a pixel.
        ImageError: If the image is too thin to cover the size.
    """
    source = (frame.camera.height, frame.camera.width)
    if isinstance(size, int):
        size = fitting_size(source, longest_px=size, patch_size=1)
    if size == source:
        return frame
    plan = frame.covering(size)

    def load() -> UInt8[np.ndarray, "height width 3"]:
        return np.rint(plan.image(frame.pixels()) * 255).astype(np.uint8)

    camera = plan.camera(frame.camera)
    return replace(frame, camera=camera, load=load, source=None, original=None)
