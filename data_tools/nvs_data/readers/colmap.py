"""COLMAP sparse models beside their images, with every camera model of pycolmap."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from nvs.cameras import Camera
from nvs.cameras.json_record import Record
from nvs.errors import CameraError, DatasetError, about
from nvs.scene.dataset_files import is_file, read_json
from nvs.scene.frames import Dataset, Frame
from nvs.scene.image_files import ImageFiles, shortened
from nvs_data.colmap_run import import_pycolmap
from nvs_data.frames import lens_frame
from nvs_data.gravity import Vector
from nvs_data.readers.colmap_model import (
    ColmapCamera,
    ColmapImage,
    has_model,
    num_images,
    read_model,
)

IMAGE_FOLDER = "images"
MODEL_FOLDER = "sparse/0"
"""Where a model is written; where it is looked for is more."""


class ColmapReader:
    """Reads the largest model of a folder, as COLMAP and `ns-process-data` leave them.

    Models lie in `sparse/0`, `sparse/1`, …, in `sparse`, in `0`, `1`, … or the folder
    itself, or so in `colmap` where there is no `transforms.json`. Images lie in the
    folder `images` beside `sparse`; their cameras are those of the model, in order of
    the image ids.
    """

    name = "colmap"

    def recognises(self, path: Path) -> bool:
        """Whether there is a model."""
        return bool(_models(path))

    def read(self, path: Path) -> Dataset:
        """The frames by image id, distortion undone."""
        models = _models(path) or [path]
        model = max(models, key=num_images)
        cameras, listed = read_model(model)
        notes = []
        others = [
            f"{other.relative_to(path)} ({num_images(other)})"
            for other in models
            if other != model
        ]
        if others:
            notes = [
                f"the largest of its models, {model.relative_to(path)} "
                f"({len(listed)} images), is read; not used: {shortened(others)}"
            ]
        with about(model):
            return _dataset(cameras, listed, _images(model), notes, _posed_up(model))


def _models(path: Path) -> list[Path]:
    """The models of the first place that has any, numbered ones first."""
    places = [path / "sparse", path]
    if not is_file(path / "transforms.json"):
        places.append(path / "colmap/sparse")
    for place in places:
        found = [folder for folder in (*_numbered(place), place) if has_model(folder)]
        if found:
            return found
    return []


def _numbered(folder: Path) -> list[Path]:
    try:
        numbered = [child for child in folder.iterdir() if child.name.isdecimal()]
    except OSError:
        return []
    return sorted(numbered, key=lambda child: int(child.name))


def _images(model: Path) -> ImageFiles:
    """The images beside the folders that models lie in."""
    folder = model.resolve()
    for candidate in (folder, *folder.parents):
        for child in _folders(candidate):
            if child.name.lower() == IMAGE_FOLDER:
                return ImageFiles(child, dataset=candidate)
        if not (candidate.name.isdecimal() or candidate.name in ("sparse", "colmap")):
            break
    raise DatasetError(
        f"there is a COLMAP model but no folder `{IMAGE_FOLDER}`",
        remedy=f"Put the photographs in `{IMAGE_FOLDER}`, beside `sparse`.",
        subject=model,
    )


def _folders(folder: Path) -> Iterator[Path]:
    return (child for child in sorted(folder.iterdir()) if child.is_dir())


def _dataset(
    cameras: Mapping[int, ColmapCamera],
    listed: Sequence[ColmapImage],
    images: ImageFiles,
    notes: Sequence[str],
    world_up: Vector | None,
) -> Dataset:
    if not listed:
        raise DatasetError(
            "there are no registered images", remedy="Run the mapper again."
        )
    frames: list[Frame] = []
    for image in listed:
        if image.camera_id not in cameras:
            raise DatasetError(
                f"image {image.name!r} has camera {image.camera_id}, which is not "
                "listed",
                remedy="Export the sparse model again.",
            )
        found = images.find(image.name)
        if found is not None:
            mask = images.mask(found)
            frames.append(_frame(cameras[image.camera_id], image, found, mask))
    return images.dataset(frames, notes=notes, world_up=world_up)


def _posed_up(model: Path) -> Vector | None:
    """Up by gravity, where `nvs data pose` wrote the model and found it."""
    file = model.resolve().parent.parent / "posing.json"
    if not is_file(file):
        return None
    with about(file):
        record = Record.of(read_json(file))
        if record.values.get("up") is None:
            return None
        x, y, z = torch.tensor(record.numbers("up", 3)).tolist()
        return x, y, z


def _frame(
    colmap_camera: ColmapCamera, image: ColmapImage, file: Path, mask: Path | None
) -> Frame:
    if not colmap_camera.pycolmap.focal_length_idxs():
        raise CameraError(
            f"image {image.name!r}: a camera of model {colmap_camera.model} has no "
            "focal length",
            remedy="Cut panoramas into perspective images first.",
        )
    camera = Camera(
        world_from_camera=_world_from_camera(image)[None],
        intrinsics=torch.tensor([colmap_camera.intrinsics], dtype=torch.float64),
        height=colmap_camera.height,
        width=colmap_camera.width,
    )
    pinhole = colmap_camera.model in ("SIMPLE_PINHOLE", "PINHOLE")
    lens = None if pinhole else colmap_camera
    return lens_frame(image.name, file, camera, lens, mask)


def _world_from_camera(image: ColmapImage) -> Float64[Tensor, "4 4"]:
    length = math.hypot(*image.quaternion)
    if not 0 < length < math.inf:
        raise CameraError(
            f"image {image.name!r}: the rotation is {image.quaternion}",
            remedy="It must be a quaternion w, x, y, z of length 1.",
        )
    colmap = import_pycolmap()
    w, x, y, z = (value / length for value in image.quaternion)
    camera_from_world = colmap.Rigid3d(
        colmap.Rotation3d(np.array([x, y, z, w])), np.array(image.translation)
    )
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3] = torch.from_numpy(camera_from_world.inverse().matrix())
    return pose
