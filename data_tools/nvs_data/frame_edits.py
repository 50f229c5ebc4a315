"""Changes to the frames of a dataset, made when an image is decoded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from nvs.errors import ImageError
from nvs.images import MAX_PIXELS
from nvs.scene.frames import Frame
from nvs.scene.resize import CoverCrop, fitting_size
from nvs_data.validate.poses import OPENCV_FROM_OPENGL


def with_flipped_axes(frame: Frame) -> Frame:
    """The frame with the y and z axes of its camera turned round.

    Puts right poses that were stored with OpenGL axes (y up, z backward) in a layout
    of OpenCV's, or the other way round. Twice is the frame itself.
    """
    pose = frame.camera.world_from_camera
    # A product of columns, not of matrices, keeps NaN where it is.
    flipped = pose * pose.new_tensor(OPENCV_FROM_OPENGL)
    return replace(frame, camera=replace(frame.camera, world_from_camera=flipped))


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
    plan = CoverCrop.plan(source, size)
    if plan.scaled_height * plan.scaled_width > MAX_PIXELS:
        raise ImageError(
            f"{frame.name} is {source[0]}×{source[1]} pixels, it would become "
            f"{plan.scaled_height}×{plan.scaled_width} to cover {size[0]}×{size[1]}",
            remedy="Ask for a smaller size, or leave the frame out.",
        )

    def load() -> UInt8[np.ndarray, "height width 3"]:
        pixels = frame.load()
        if pixels.shape[:2] != source:
            raise ImageError(
                f"{frame.name} is {pixels.shape[0]}×{pixels.shape[1]} pixels, its "
                f"camera is for {source[0]}×{source[1]}",
                remedy="Give the intrinsics of the image as it is on disk.",
            )
        return np.rint(plan.image(pixels) * 255).astype(np.uint8)

    return replace(frame, camera=plan.camera(frame.camera), load=load, source=None)
