"""A dataset to a folder in another layout: a new layout is a function in `WRITERS`.

Images are copied where nothing changes them, else written as PNG.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image

from nvs.cameras import Camera
from nvs.cameras.se3 import flip_y_and_z, so3_quaternion
from nvs.errors import ConfigError, DatasetError
from nvs.file_kinds import COMMON_SUFFIXES, IMAGE_SUFFIXES
from nvs.files import atomic_output, check_new_folder
from nvs.images import image_size
from nvs.scene.dataset_files import inverse
from nvs.scene.frames import Frame
from nvs.scene.opencv_layout import OpenCVReader, frame_entry
from nvs_data.readers.colmap import MODEL_FOLDER
from nvs_data.readers.nerfstudio import NerfstudioReader

WriteCameras = Callable[[Path, Sequence[str], Sequence[Camera]], None]
"""Writes camera files into a folder whose `images` has files of these names."""
_SAFE_STEM = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")


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
    check_new_folder(folder)
    with atomic_output(folder) as temporary:
        names = write_images(frames, temporary / "images")
        cameras = [frame.camera.to(dtype=torch.float64) for frame in frames]
        WRITERS[format](temporary, names, cameras)


def write_images(frames: Sequence[Frame], folder: Path) -> list[str]:
    """Write the image of every frame into a folder.

    Files keep the stems of the frames' names if these are unique and safe in every
    layout (letters, digits, `_`, `-` and `.`); else all are numbered.

    Returns:
        The name of each file.

    Raises:
        ImageError: If an image cannot be read or is of another size than its camera.
    """
    folder.mkdir(parents=True)
    return [
        _write_image(frame, folder / stem)
        for frame, stem in zip(frames, _stems(frames), strict=True)
    ]


def _stems(frames: Sequence[Frame]) -> list[str]:
    names = [re.split(r"[/\\]", frame.name)[-1] for frame in frames]
    stems = [
        name.rpartition(".")[0] if name.lower().endswith(IMAGE_SUFFIXES) else name
        for name in names
    ]
    unique = len({stem.lower() for stem in stems}) == len(stems)
    if unique and all(_SAFE_STEM.fullmatch(stem) for stem in stems):
        return stems
    return [f"{index:05d}" for index in range(len(frames))]


def _write_image(frame: Frame, stem: Path) -> str:
    size = (frame.camera.height, frame.camera.width)
    source = frame.source
    suffix = "" if source is None else source.suffix.lower()
    if source is not None and suffix in COMMON_SUFFIXES and image_size(source) == size:
        target = stem.with_name(stem.name + suffix)
        shutil.copyfile(source, target)
        return target.name
    target = stem.with_name(stem.name + ".png")
    Image.fromarray(frame.pixels()).save(target)
    return target.name


def write_opencv(folder: Path, names: Sequence[str], cameras: Sequence[Camera]) -> None:
    """Write a list of frames, one camera each."""
    entries = [
        frame_entry(
            f"images/{name}",
            camera,
            inverse(camera.world_from_camera[0], f"{name}: the pose"),
        )
        for name, camera in zip(names, cameras, strict=True)
    ]
    text = json.dumps(entries, indent=1) + "\n"
    (folder / OpenCVReader.file_name).write_text(text, encoding="utf-8")


def write_transforms(
    folder: Path, names: Sequence[str], cameras: Sequence[Camera]
) -> None:
    """Write frames with their poses; fields that all frames share stand at the top."""
    intrinsics = [_intrinsics(camera) for camera in cameras]
    shared = {
        key: value
        for key, value in intrinsics[0].items()
        if all(fields[key] == value for fields in intrinsics)
    }
    frames = []
    for name, camera, fields in zip(names, cameras, intrinsics, strict=True):
        own = {key: value for key, value in fields.items() if key not in shared}
        matrix = flip_y_and_z(camera.world_from_camera[0]).tolist()
        frames.append(
            {"file_path": f"images/{name}", **own, "transform_matrix": matrix}
        )
    content = {"camera_model": "OPENCV", **shared, "frames": frames}
    text = json.dumps(content, indent=1) + "\n"
    (folder / NerfstudioReader.file_name).write_text(text, encoding="utf-8")


def _intrinsics(camera: Camera) -> dict[str, float]:
    fx, fy, cx, cy = camera.intrinsics[0].tolist()
    return {
        **{"w": camera.width, "h": camera.height},
        **{"fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy},
        **dict.fromkeys(("k1", "k2", "p1", "p2"), 0.0),
    }


def write_colmap(folder: Path, names: Sequence[str], cameras: Sequence[Camera]) -> None:
    """Write a PINHOLE camera for each set of intrinsics, and the images in order.

    COLMAP keeps rotations as quaternions, so a pose that is a rotation only to
    rounding becomes the nearest one at the same position.
    """
    ids: dict[str, int] = {}
    camera_lines: list[str] = []
    image_lines: list[str] = []
    for index, (name, camera) in enumerate(zip(names, cameras, strict=True)):
        params = " ".join(map(repr, camera.intrinsics[0].tolist()))
        line = f"PINHOLE {camera.width} {camera.height} {params}"
        if line not in ids:
            ids[line] = len(ids) + 1
            camera_lines.append(f"{ids[line]} {line}\n")
        pose = " ".join(map(repr, _pose(camera)))
        image_lines.append(f"{index + 1} {pose} {ids[line]} {name}\n\n")
    files = {
        "cameras": ["# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n", *camera_lines],
        "images": [
            "# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME\n",
            "# POINTS2D[] as (X, Y, POINT3D_ID)\n",
            *image_lines,
        ],
        "points3D": ["# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[]\n"],
    }
    model = folder / MODEL_FOLDER
    model.mkdir(parents=True)
    for stem, lines in files.items():
        (model / f"{stem}.txt").write_text("".join(lines), encoding="utf-8")


def _pose(camera: Camera) -> list[float]:
    """Quaternion w, x, y, z and translation, camera-from-world."""
    pose = camera.world_from_camera[0]
    u, _, v_transposed = torch.linalg.svd(pose[:3, :3])
    rotation = (u @ v_transposed).T
    translation = -rotation @ pose[:3, 3]
    return [*so3_quaternion(rotation).tolist(), *translation.tolist()]


WRITERS: Mapping[str, WriteCameras] = {
    "opencv": write_opencv,
    "nerfstudio": write_transforms,
    "colmap": write_colmap,
}
