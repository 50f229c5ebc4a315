"""nerfstudio and instant-ngp: a `transforms.json` beside its images.

Its poses `transform_matrix` are world-from-camera in OpenGL axes (y up, z backward).
Every camera field may stand at the top for all frames or in a frame for itself. Blender
sets and DL3DV scenes have the same file.
"""

from __future__ import annotations

import math
import posixpath
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from nvs.cameras import Camera
from nvs.cameras.json_record import Record
from nvs.cameras.se3 import flip_y_and_z
from nvs.errors import CameraError, DatasetError, about
from nvs.images import image_size
from nvs.scene.dataset_files import inverse, is_file, read_json
from nvs.scene.frames import Dataset, Frame
from nvs.scene.image_files import ImageFiles
from nvs_data.frames import lens_frame, scaled_to_file
from nvs_data.readers import transforms_keys
from nvs_data.undistort import BrownLens, FisheyeLens, Lens

PERSPECTIVE_MODELS = (
    *("OPENCV", "PINHOLE", "SIMPLE_PINHOLE"),
    *("SIMPLE_RADIAL", "RADIAL", "FULL_OPENCV"),
)
FISHEYE_MODELS = (
    *("OPENCV_FISHEYE", "FISHEYE"),
    *("SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE"),
)
RATIONAL_KEYS = ("k4", "k5", "k6")
DISTORTION_PARAMS = ("k1", "k2", "k3", "k4", "p1", "p2")
"""Order of nerfstudio's list of that name."""
IMAGE_FOLDER = "images"


def read_transforms(file: Path, *, scaled_images: str | None = None) -> Dataset:
    """Frames of a `transforms.json`, masked, distortion undone, in file order.

    An `applied_transform` and `applied_scale` are undone too, so that poses are in the
    world of the reconstruction that the file was made from. What becomes of every other
    key is told in `nvs_data.readers.transforms_keys`.

    Args:
        file: The file.
        scaled_images: Folder of scaled copies that stands for `images`; cameras are
            then scaled to the size of each. If absent, images are of the declared size.

    Raises:
        DatasetError, CameraError, ImageError: Naming the frame, field and value.
    """
    with about(file):
        return _dataset(read_json(file), ImageFiles(file.parent), scaled_images)


def _dataset(content: Any, images: ImageFiles, scaled_images: str | None) -> Dataset:
    document = Record.of(content)
    shared = {key: value for key, value in document.values.items() if key != "frames"}
    original_from_file = _undo(shared.get("applied_transform"))
    has_scale = shared.get("applied_scale") is not None
    scale = document.positive("applied_scale") if has_scale else 1.0
    entries, notes = _for_training(document)
    frames: list[Frame] = []
    for entry in entries:
        name = entry.text("file_path")
        found = images.find(_scaled(name, scaled_images))
        if found is None:
            continue
        fields = replace(entry, values=transforms_keys.spelled(shared, entry.values))
        transforms_keys.refuse(fields)
        world_from_gl = _matrix(fields, "transform_matrix", 4)
        world_from_gl[:3, 3] /= scale  # the scale was applied last
        pose = flip_y_and_z(original_from_file @ world_from_gl)
        camera = _camera(fields, pose, found)
        if scaled_images is not None:
            camera = scaled_to_file(camera, found)
        mask = images.mask(found, fields.optional_text("mask_path"))
        frames.append(lens_frame(name, found, camera, _lens(fields), mask))
    notes += transforms_keys.notes([shared, *(entry.values for entry in entries)])
    up = original_from_file[:3, 2]
    x, y, z = (up / up.norm()).tolist()
    return images.dataset(frames, notes=notes, world_up=(x, y, z), has_opengl_axes=True)


def _scaled(name: str, scaled_images: str | None) -> str:
    """The name of the copy that stands for an image."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if scaled_images is None or parts[:1] != (IMAGE_FOLDER,):
        return name
    return str(PurePosixPath(scaled_images, *parts[1:]))


def _for_training(document: Record) -> tuple[list[Record], list[str]]:
    """The frames that no split holds out, and how many the others are."""

    def listed(key: str) -> set[str]:
        values = document.values
        names = document.texts(key) if values.get(key) is not None else ()
        return {posixpath.normpath(name.replace("\\", "/")) for name in names}

    entries = document.records("frames")
    training = listed("train_filenames")
    held_out = listed("val_filenames") | listed("test_filenames")
    if not training and not held_out:
        return entries, []
    kept = []
    for entry in entries:
        name = posixpath.normpath(entry.text("file_path").replace("\\", "/"))
        if name in training or (not training and name not in held_out):
            kept.append(entry)
    if not kept:
        raise DatasetError(
            "no frame is one of its train_filenames",
            remedy="Name frames there as their file_path does, or drop the key.",
        )
    num_out = len(entries) - len(kept)
    note = (
        f"{num_out} of {len(entries)} frames are held out by its splits, and not read"
    )
    return kept, [note] if num_out else []


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
    for key, half_turn, unit in (
        (f"camera_angle_{axis}", math.pi, "radians, between 0 and π"),
        (f"{axis}_fov", 180.0, "degrees, between 0 and 180"),
    ):
        if key not in fields.values:
            continue
        angle = fields.number(key, finite=False)
        if not 0 < angle < half_turn:
            raise CameraError(
                f"{fields.where}{key} is {angle:g}",
                remedy=f"It must be a field of view in {unit}.",
            )
        return side_px / (2 * math.tan(angle / half_turn * math.pi / 2))
    return None


def _lens(fields: Record) -> Lens | None:
    fisheye = _is_fisheye(fields)
    fields = _with_listed_distortion(fields)
    values = fields.values
    if fisheye:
        keys = ("k1", "k2", "k3", "k4")
        return FisheyeLens(**{key: _number(fields, key) for key in keys})
    coefficients = {key: _number(fields, key) for key in RATIONAL_KEYS}
    is_rational = coefficients["k5"] != 0 or coefficients["k6"] != 0
    if coefficients["k4"] != 0 and not is_rational and _model(fields) != "FULL_OPENCV":
        raise CameraError(
            f"{fields.where}k4 is {values['k4']} for a perspective camera",
            remedy="Tools disagree on what it means; undistort the images first, or "
            "give the camera_model FULL_OPENCV if that is what it is of.",
        )
    keys = ("k1", "k2", "p1", "p2", "k3")
    lens = BrownLens(**{key: _number(fields, key) for key in keys}, **coefficients)
    return None if lens == BrownLens() else lens


def _is_fisheye(fields: Record) -> bool:
    flag = fields.values.get("is_fisheye")
    if flag not in (None, True, False, 0, 1):
        raise CameraError(
            f"{fields.where}is_fisheye is {flag!r}", remedy="It must be true or false."
        )
    model = _model(fields)
    if model not in (*PERSPECTIVE_MODELS, *FISHEYE_MODELS):
        raise CameraError(
            f"{fields.where}the camera model is {fields.values['camera_model']!r}",
            remedy=f"Known: {', '.join((*PERSPECTIVE_MODELS, *FISHEYE_MODELS))}.",
        )
    if flag and model in PERSPECTIVE_MODELS:
        raise CameraError(
            f"{fields.where}the camera model is {model!r}, and is_fisheye is true",
            remedy="Drop the one that is wrong.",
        )
    return model in FISHEYE_MODELS


def _model(fields: Record) -> object:
    implied = "OPENCV_FISHEYE" if fields.values.get("is_fisheye") else "OPENCV"
    model = fields.values.get("camera_model", implied)
    return model.upper() if isinstance(model, str) else model


def _with_listed_distortion(fields: Record) -> Record:
    """The fields with those that `distortion_params` lists."""
    key = "distortion_params"
    if fields.values.get(key) is None:
        return fields
    listed = fields.numbers(key, len(DISTORTION_PARAMS), finite=False)
    named = dict(zip(DISTORTION_PARAMS, listed, strict=True))
    return replace(fields, values={**fields.values, **named})


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
