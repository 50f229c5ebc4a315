"""`transforms.json`: the camera file of nerfstudio, instant-ngp and Blender sets.

Its poses `transform_matrix` are world-from-camera in OpenGL axes (y up, z backward).
Every camera field may stand at the top for all frames or in a frame for itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from nvs.cameras import Camera
from nvs.errors import CameraError, DatasetError, about
from nvs.images import image_size
from nvs.scene.dataset_files import (
    find_image,
    image_name,
    inverse,
    matrix,
    number,
    read_json,
    size_px,
)
from nvs.scene.frames import Dataset, Frame
from nvs_data.lenses import BrownLens, FisheyeLens, Lens
from nvs_data.readers.lens_frame import lens_frame, scaled_to_file

PERSPECTIVE_MODELS = (
    *("OPENCV", "PINHOLE", "SIMPLE_PINHOLE"),
    *("SIMPLE_RADIAL", "RADIAL", "FULL_OPENCV"),
)
FISHEYE_MODELS = ("OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")

OPENCV_FROM_OPENGL = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0])).double()
"""Flips y and z of a camera's axes; its own inverse."""


def read_transforms(
    file: Path, *, find: Callable[[str], Path | None] | None = None
) -> Dataset:
    """Frames of a `transforms.json`, distortion undone, in file order.

    An `applied_transform` is undone too, so that poses are in the world of the
    reconstruction that the file was made from.

    Args:
        file: The file.
        find: Finds the image of a `file_path` among scaled copies, to whose size the
            cameras are then scaled; if absent, images are of the declared size and
            lie relative to the file.

    Raises:
        DatasetError, CameraError, ImageError: Naming the frame, field and value.
    """
    with about(file):
        return _dataset(
            read_json(file),
            find or (lambda name: find_image(file.parent, name)),
            scaled=find is not None,
        )


def _dataset(
    content: Any, find: Callable[[str], Path | None], *, scaled: bool
) -> Dataset:
    entries = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise DatasetError(
            "it lists no frames", remedy="It must be an object with `frames`."
        )
    shared = {key: value for key, value in content.items() if key != "frames"}
    original_from_file = _undo(shared.get("applied_transform"))
    frames: list[Frame] = []
    missing: list[str] = []
    for index, entry in enumerate(entries):
        where = f"frame {index}"
        name = image_name(entry, where)
        found = find(name)
        if found is None:
            missing.append(name)
            continue
        fields = shared | entry
        world_from_gl = matrix(
            fields.get("transform_matrix"), (4, 4), f"{where}: transform_matrix"
        )
        camera = _camera(
            fields,
            original_from_file @ world_from_gl @ OPENCV_FROM_OPENGL,
            found,
            where,
        )
        if scaled:
            camera = scaled_to_file(camera, found)
        frames.append(lens_frame(name, found, camera, _lens(fields, where)))
    return Dataset(frames=tuple(frames), missing=tuple(missing))


def _undo(applied: Any) -> Float64[Tensor, "4 4"]:
    result = torch.eye(4, dtype=torch.float64)
    if applied is not None:
        rows = applied[:3] if isinstance(applied, list) else applied
        result[:3] = matrix(rows, (3, 4), "applied_transform")
        result = inverse(result, "applied_transform")
    return result


def _camera(
    fields: Mapping[str, Any],
    world_from_camera: Float64[Tensor, "4 4"],
    image: Path,
    where: str,
) -> Camera:
    if "w" in fields and "h" in fields:
        height, width = size_px(fields, "h", where), size_px(fields, "w", where)
    else:
        height, width = image_size(image)
    fx = _focal_px(fields, "x", width, where)
    fy = _focal_px(fields, "y", height, where)
    fx, fy = (fy if fx is None else fx), (fx if fy is None else fy)
    if fx is None or fy is None:
        raise CameraError(
            f"{where}: there is no focal length",
            remedy="Give fl_x and fl_y in pixels, or camera_angle_x in radians.",
        )
    cx = number(fields, "cx", where, default=width / 2)
    cy = number(fields, "cy", where, default=height / 2)
    return Camera(
        world_from_camera=world_from_camera[None],
        intrinsics=torch.tensor([[fx, fy, cx, cy]], dtype=torch.float64),
        height=height,
        width=width,
    )


def _focal_px(
    fields: Mapping[str, Any], axis: str, side_px: int, where: str
) -> float | None:
    if f"fl_{axis}" in fields:
        return number(fields, f"fl_{axis}", where)
    key = f"camera_angle_{axis}"
    if key not in fields:
        return None
    angle = number(fields, key, where)
    if not 0 < angle < math.pi:
        raise CameraError(
            f"{where}: {key} is {angle:g}",
            remedy="It must be a field of view in radians, between 0 and π.",
        )
    return side_px / (2 * math.tan(angle / 2))


def _lens(fields: Mapping[str, Any], where: str) -> Lens | None:
    fisheye = bool(fields.get("is_fisheye"))
    model = fields.get("camera_model", "OPENCV_FISHEYE" if fisheye else "OPENCV")
    for key in ("is_latlong", "is_equirectangular", "ftheta_p0"):
        if fields.get(key):
            model = key
    if model in FISHEYE_MODELS:
        keys = ("k1", "k2", "k3", "k4")
        return FisheyeLens(
            **{key: number(fields, key, where, default=0.0) for key in keys}
        )
    if model not in PERSPECTIVE_MODELS:
        raise CameraError(
            f"{where}: the camera model is {model!r}",
            remedy=f"Known: {', '.join((*PERSPECTIVE_MODELS, *FISHEYE_MODELS))}.",
        )
    for key in ("k4", "k5", "k6"):
        if number(fields, key, where, default=0.0) != 0:
            raise CameraError(
                f"{where}: {key} is {fields[key]} for a perspective camera",
                remedy="Tools disagree on what it means; undistort the images first, "
                "or give the COLMAP model.",
            )
    keys = ("k1", "k2", "p1", "p2", "k3")
    lens = BrownLens(**{key: number(fields, key, where, default=0.0) for key in keys})
    return None if lens == BrownLens() else lens
