"""COLMAP sparse models beside their images, with every camera model of pycolmap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from nvs.cameras import Camera
from nvs.errors import CameraError, DatasetError, about
from nvs.scene.dataset_files import find_image, inverse
from nvs.scene.frames import Dataset, Frame
from nvs_data.colmap_run import import_pycolmap
from nvs_data.lenses import Lens
from nvs_data.readers.colmap_model import (
    ColmapCamera,
    ColmapImage,
    has_model,
    read_model,
)
from nvs_data.readers.lens_frame import lens_frame

MODEL_FOLDERS = ("sparse/0", "sparse", "0", ".")


@dataclass(frozen=True, slots=True)
class ColmapLens:
    """A camera model of pycolmap, as a lens."""

    camera: ColmapCamera
    """Its model and parameters."""

    def distort(
        self, xy: Float64[np.ndarray, "point 2"]
    ) -> Float64[np.ndarray, "point 2"]:
        """Where the model images it, focal length and principal point taken off."""
        fx, fy, cx, cy = _intrinsics(self.camera)
        rays = np.concatenate([xy, np.ones((len(xy), 1))], axis=-1)
        pixels = _pycolmap_camera(self.camera).img_from_cam(rays)
        return (pixels - np.array([cx, cy])) / np.array([fx, fy])


class ColmapReader:
    """Reads a model in `sparse/0`, `sparse`, `0` or the folder itself.

    Images lie in the folder `images` beside `sparse`; their cameras are those of the
    model, in order of the image ids.
    """

    name = "colmap"

    def recognises(self, path: Path) -> bool:
        """Whether there is a model."""
        return any(has_model(path / folder) for folder in MODEL_FOLDERS)

    def read(self, path: Path) -> Dataset:
        """The frames by image id, distortion undone."""
        folders = (path / folder for folder in MODEL_FOLDERS)
        model = next((folder for folder in folders if has_model(folder)), path)
        cameras, images = read_model(model)
        with about(model):
            return _dataset(cameras, images, path)


def _dataset(
    cameras: Mapping[int, ColmapCamera], images: Sequence[ColmapImage], path: Path
) -> Dataset:
    if not images:
        raise DatasetError(
            "there are no registered images", remedy="Run the mapper again."
        )
    folder = _image_folder(path)
    frames: list[Frame] = []
    missing: list[str] = []
    for image in images:
        where = f"image {image.name!r}"
        if image.camera_id not in cameras:
            raise DatasetError(
                f"{where} has camera {image.camera_id}, which is not listed",
                remedy="Export the sparse model again.",
            )
        found = find_image(folder, image.name)
        if found is None:
            missing.append(image.name)
        else:
            camera, lens = _camera_and_lens(cameras[image.camera_id], image, where)
            frames.append(lens_frame(image.name, found, camera, lens))
    return Dataset(frames=tuple(frames), missing=tuple(missing))


def _image_folder(path: Path) -> Path:
    folder = path.resolve()
    for candidate in (folder, folder.parent, folder.parent.parent):
        if (candidate / "images").is_dir():
            return candidate / "images"
        if candidate.name not in ("0", "sparse"):
            break
    raise DatasetError(
        "there is a COLMAP model but no folder `images`",
        remedy="Put the photographs in `images`, beside `sparse`.",
        subject=path,
    )


def _camera_and_lens(
    colmap_camera: ColmapCamera, image: ColmapImage, where: str
) -> tuple[Camera, Lens | None]:
    if not _pycolmap_camera(colmap_camera).focal_length_idxs():
        raise CameraError(
            f"{where}: a camera of model {colmap_camera.model} has no focal length",
            remedy="Cut panoramas into perspective images first.",
        )
    camera = Camera(
        world_from_camera=_world_from_camera(image, where)[None],
        intrinsics=torch.tensor([_intrinsics(colmap_camera)], dtype=torch.float64),
        height=colmap_camera.height,
        width=colmap_camera.width,
    )
    pinhole = colmap_camera.model in ("SIMPLE_PINHOLE", "PINHOLE")
    return camera, None if pinhole else ColmapLens(colmap_camera)


def _intrinsics(camera: ColmapCamera) -> tuple[float, float, float, float]:
    model = _pycolmap_camera(camera)
    return (
        *(model.focal_length_x, model.focal_length_y),
        *(model.principal_point_x, model.principal_point_y),
    )


def _pycolmap_camera(camera: ColmapCamera) -> Any:
    return import_pycolmap().Camera(
        model=camera.model,
        width=camera.width,
        height=camera.height,
        params=list(camera.params),
    )


def _world_from_camera(image: ColmapImage, where: str) -> Float64[Tensor, "4 4"]:
    length = math.hypot(*image.quaternion)
    if not 0 < length < math.inf:
        raise CameraError(
            f"{where}: the rotation is {image.quaternion}",
            remedy="It must be a quaternion w, x, y, z of length 1.",
        )
    w, x, y, z = (value / length for value in image.quaternion)
    camera_from_world = torch.eye(4, dtype=torch.float64)
    camera_from_world[:3, :3] = torch.tensor(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ],
        dtype=torch.float64,
    )
    camera_from_world[:3, 3] = torch.tensor(image.translation, dtype=torch.float64)
    return inverse(camera_from_world, f"{where}: the pose")
