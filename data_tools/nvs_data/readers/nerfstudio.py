"""nerfstudio and instant-ngp: a `transforms.json` beside its images.

Its poses `transform_matrix` are world-from-camera in OpenGL axes (y up, z backward).
Every camera field may stand at the top for all frames or in a frame for itself. Blender
sets and DL3DV scenes have the same file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from nvs.cameras import Camera
from nvs.cameras.json_record import Record
from nvs.cameras.se3 import flip_y_and_z
from nvs.errors import CameraError, about
from nvs.images import image_size
from nvs.scene.dataset_files import find_image, inverse, is_file, read_json
from nvs.scene.frames import Dataset, Frame
from nvs_data.frames import lens_frame, scaled_to_file
from nvs_data.undistort import BrownLens, FisheyeLens, Lens

PERSPECTIVE_MODELS = (
    *("OPENCV", "PINHOLE", "SIMPLE_PINHOLE"),
    *("SIMPLE_RADIAL", "RADIAL", "FULL_OPENCV"),
)
FISHEYE_MODELS = ("OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")


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
    document = Record.of(content)
    shared = {key: value for key, value in document.values.items() if key != "frames"}
    original_from_file = _undo(shared.get("applied_transform"))
    frames: list[Frame] = []
    missing: list[str] = []
    for entry in document.records("frames"):
        name = entry.text("file_path")
        found = find(name)
        if found is None:
            missing.append(name)
            continue
        fields = replace(entry, values=shared | dict(entry.values))
        world_from_gl = _matrix(fields, "transform_matrix", 4)
        pose = flip_y_and_z(original_from_file @ world_from_gl)
        camera = _camera(fields, pose, found)
        if scaled:
            camera = scaled_to_file(camera, found)
        frames.append(lens_frame(name, found, camera, _lens(fields)))
    up = original_from_file[:3, 2]
    x, y, z = (up / up.norm()).tolist()
    return Dataset(frames=tuple(frames), missing=tuple(missing), world_up=(x, y, z))


def _undo(applied: object) -> Float64[Tensor, "4 4"]:
    result = torch.eye(4, dtype=torch.float64)
    if applied is not None:
        key = "applied_transform"
        rows = applied[:3] if isinstance(applied, list) else applied
        result[:3] = _matrix(Record({key: rows}, ""), key, 3)
        result = inverse(result, key)
    return result


def _matrix(fields: Record, key: str, rows: int) -> Float64[Tensor, "row 4"]:
    return torch.tensor(fields.numbers(key, rows, 4, finite=False), dtype=torch.float64)


def _camera(
    fields: Record, world_from_camera: Float64[Tensor, "4 4"], image: Path
) -> Camera:
    if "w" in fields.values and "h" in fields.values:
        height, width = fields.size("h"), fields.size("w")
    else:
        height, width = image_size(image)
    fx = _focal_px(fields, "x", width)
    fy = _focal_px(fields, "y", height)
    fx, fy = (fy if fx is None else fx), (fx if fy is None else fy)
    if fx is None or fy is None:
        raise CameraError(
            f"{fields.where}there is no focal length",
            remedy="Give fl_x and fl_y in pixels, or camera_angle_x in radians.",
        )
    cx = _number(fields, "cx", width / 2)
    cy = _number(fields, "cy", height / 2)
    return Camera(
        world_from_camera=world_from_camera[None],
        intrinsics=torch.tensor([[fx, fy, cx, cy]], dtype=torch.float64),
        height=height,
        width=width,
    )


def _number(fields: Record, key: str, default: float = 0.0) -> float:
    return fields.number(key, default=default, finite=False)


def _focal_px(fields: Record, axis: str, side_px: int) -> float | None:
    if f"fl_{axis}" in fields.values:
        return fields.number(f"fl_{axis}", finite=False)
    key = f"camera_angle_{axis}"
    if key not in fields.values:
        return None
    angle = fields.number(key, finite=False)
    if not 0 < angle < math.pi:
        raise CameraError(
            f"{fields.where}{key} is {angle:g}",
            remedy="It must be a field of view in radians, between 0 and π.",
        )
    return side_px / (2 * math.tan(angle / 2))


def _lens(fields: Record) -> Lens | None:
    values = fields.values
    fisheye = bool(values.get("is_fisheye"))
    model = values.get("camera_model", "OPENCV_FISHEYE" if fisheye else "OPENCV")
    for key in ("is_latlong", "is_equirectangular", "ftheta_p0"):
        if values.get(key):
            model = key
    if model in FISHEYE_MODELS:
        keys = ("k1", "k2", "k3", "k4")
        return FisheyeLens(**{key: _number(fields, key) for key in keys})
    if model not in PERSPECTIVE_MODELS:
        raise CameraError(
            f"{fields.where}the camera model is {model!r}",
            remedy=f"Known: {', '.join((*PERSPECTIVE_MODELS, *FISHEYE_MODELS))}.",
        )
    for key in ("k4", "k5", "k6"):
        if _number(fields, key) != 0:
            raise CameraError(
                f"{fields.where}{key} is {values[key]} for a perspective camera",
                remedy="Tools disagree on what it means; undistort the images first, "
                "or give the COLMAP model.",
            )
    keys = ("k1", "k2", "p1", "p2", "k3")
    lens = BrownLens(**{key: _number(fields, key) for key in keys})
    return None if lens == BrownLens() else lens


class NerfstudioReader:
    """Reads `transforms.json`."""

    name = "nerfstudio"
    file_name = "transforms.json"

    def recognises(self, path: Path) -> bool:
        """Whether this is the file or a folder that has it."""
        return path.name == self.file_name or is_file(path / self.file_name)

    def read(self, path: Path) -> Dataset:
        """The frames in file order."""
        return read_transforms(path / self.file_name if path.is_dir() else path)
