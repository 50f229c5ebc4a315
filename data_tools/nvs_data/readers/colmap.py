"""COLMAP sparse models beside their images, with every camera model of pycolmap.

Models are read here rather than by `pycolmap.Reconstruction`, which on damaged binary
files can allocate without limit or never return; 3-D points are of no use to us and are
skipped. The camera models themselves are pycolmap's.

Source: https://colmap.github.io/format.html
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from nvs.cameras import Camera
from nvs.cameras.json_record import MAX_SIDE_PX
from nvs.errors import CameraError, DatasetError, about, reason
from nvs.scene.dataset_files import find_image, is_file
from nvs.scene.frames import Dataset, Frame
from nvs_data.colmap_run import import_pycolmap
from nvs_data.frames import lens_frame
from nvs_data.undistort import Intrinsics

MODEL_FOLDERS = ("sparse/0", "sparse", "0", ".")


@dataclass(frozen=True, slots=True)
class ColmapCamera:
    """A line of `cameras.txt`; also its lens."""

    model: str
    """Name of the camera model."""
    width: int
    """In pixels."""
    height: int
    """In pixels."""
    params: tuple[float, ...]
    """Parameters in the model's order."""

    @property
    def pycolmap(self) -> Any:
        """The camera of pycolmap."""
        return import_pycolmap().Camera(
            model=self.model,
            width=self.width,
            height=self.height,
            params=list(self.params),
        )

    @property
    def intrinsics(self) -> Intrinsics:
        """fx, fy, cx, cy in pixels."""
        model = self.pycolmap
        return (
            *(model.focal_length_x, model.focal_length_y),
            *(model.principal_point_x, model.principal_point_y),
        )

    def distort(
        self, xy: Float64[np.ndarray, "point 2"]
    ) -> Float64[np.ndarray, "point 2"]:
        """Where the model images it, focal length and principal point taken off."""
        fx, fy, cx, cy = self.intrinsics
        rays = np.concatenate([xy, np.ones((len(xy), 1))], axis=-1)
        pixels = self.pycolmap.img_from_cam(rays)
        return (pixels - np.array([cx, cy])) / np.array([fx, fy])


@dataclass(frozen=True, slots=True)
class ColmapImage:
    """A line of `images.txt`."""

    name: str
    """File, relative to the image folder."""
    quaternion: tuple[float, ...]
    """Camera-from-world rotation: w, x, y, z."""
    translation: tuple[float, ...]
    """Camera-from-world translation."""
    camera_id: int
    """Its camera."""


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
        if image.camera_id not in cameras:
            raise DatasetError(
                f"image {image.name!r} has camera {image.camera_id}, which is not "
                "listed",
                remedy="Export the sparse model again.",
            )
        found = find_image(folder, image.name)
        if found is None:
            missing.append(image.name)
        else:
            frames.append(_frame(cameras[image.camera_id], image, found))
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


def _frame(colmap_camera: ColmapCamera, image: ColmapImage, file: Path) -> Frame:
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
    return lens_frame(image.name, file, camera, None if pinhole else colmap_camera)


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


def has_model(folder: Path) -> bool:
    """Whether the folder holds a sparse model."""
    return _suffix(folder) is not None


def read_model(folder: Path) -> tuple[dict[int, ColmapCamera], list[ColmapImage]]:
    """Cameras by id, and images in the order of their ids; binary if there are both.

    Raises:
        DatasetError: If a file is missing, truncated or not in COLMAP's format.
        CameraError: If a camera has an unknown model or an impossible size.
        MissingExtraError: If pycolmap is not installed.
    """
    suffix = _suffix(folder)
    if suffix is None:
        raise DatasetError(
            "there is no COLMAP model",
            remedy="It needs cameras and images, both .bin or both .txt.",
            subject=folder,
        )
    kinds = _camera_models()
    binary = suffix == ".bin"
    file = folder / f"cameras{suffix}"
    try:
        content = file.read_bytes()
        entries = _binary_cameras if binary else _text_cameras
        cameras = {
            camera_id: _checked(camera_id, camera)
            for camera_id, camera in entries(content, kinds)
        }
        file = folder / f"images{suffix}"
        content = file.read_bytes()
        images = dict((_binary_images if binary else _text_images)(content))
    except (OSError, ValueError, LookupError, struct.error) as error:
        if isinstance(error, CameraError):
            error.subject = file
            raise
        raise DatasetError(
            f"truncated or not in COLMAP's format ({reason(error)})",
            remedy="Export the sparse model again.",
            subject=file,
        ) from error
    return cameras, [images[image_id] for image_id in sorted(images)]


def _suffix(folder: Path) -> str | None:
    for suffix in (".bin", ".txt"):
        if all(is_file(folder / f"{name}{suffix}") for name in ("cameras", "images")):
            return suffix
    return None


def _camera_models() -> dict[int, tuple[str, int]]:
    """Name and number of parameters of every model of pycolmap, by id."""
    pycolmap = import_pycolmap()
    models = {}
    for name, value in pycolmap.CameraModelId.__members__.items():
        if name != "INVALID":
            info = pycolmap.Camera(model=name, width=1, height=1).params_info
            models[int(value)] = (name, len(info.split(",")))
    return models


def _checked(camera_id: int, camera: ColmapCamera) -> ColmapCamera:
    if not (1 <= camera.width <= MAX_SIDE_PX and 1 <= camera.height <= MAX_SIDE_PX):
        raise CameraError(
            f"camera {camera_id}: the image size is {camera.height}×{camera.width}",
            remedy="It must be in pixels.",
        )
    return camera


def _binary_cameras(
    content: bytes, kinds: dict[int, tuple[str, int]]
) -> Iterator[tuple[int, ColmapCamera]]:
    (count,), offset = _take(content, 0, "<Q")
    for _ in range(count):
        (camera_id, kind, width, height), offset = _take(content, offset, "<IiQQ")
        if kind not in kinds:
            raise _unknown_model(camera_id, kind)
        name, num_params = kinds[kind]
        params, offset = _take(content, offset, f"<{num_params}d")
        yield camera_id, ColmapCamera(name, width, height, params)


def _text_cameras(
    content: bytes, kinds: dict[int, tuple[str, int]]
) -> Iterator[tuple[int, ColmapCamera]]:
    num_params = dict(kinds.values())
    for line in content.decode().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        camera_id, name, width, height, *params = line.split()
        if name not in num_params:
            raise _unknown_model(camera_id, name)
        if len(params) != num_params[name]:
            raise ValueError(
                f"camera {camera_id}: {len(params)} parameters for {name}, "
                f"which has {num_params[name]}"
            )
        yield (
            int(camera_id),
            ColmapCamera(name, int(width), int(height), tuple(map(float, params))),
        )


def _unknown_model(camera_id: int | str, model: int | str) -> CameraError:
    return CameraError(
        f"camera {camera_id} has the unknown model {model!r}",
        remedy="Update pycolmap, or export another model.",
    )


def _binary_images(content: bytes) -> Iterator[tuple[int, ColmapImage]]:
    (count,), offset = _take(content, 0, "<Q")
    for _ in range(count):
        (image_id, *values, camera_id), offset = _take(content, offset, "<I7dI")
        end = content.index(b"\0", offset)
        name = content[offset:end].decode()
        (num_points,), offset = _take(content, end + 1, "<Q")
        offset += 24 * num_points
        yield image_id, _image(name, values, camera_id)


def _text_images(content: bytes) -> Iterator[tuple[int, ColmapImage]]:
    lines = iter(content.decode().splitlines())
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        image_id, *values, camera_id, name = line.split(maxsplit=9)
        yield int(image_id), _image(name, map(float, values), int(camera_id))
        next(lines, None)  # the line of its points, which may be empty


def _image(name: str, values: Iterable[float], camera_id: int) -> ColmapImage:
    numbers = tuple(values)
    if len(numbers) != 7:
        raise ValueError(f"{name!r} has {len(numbers)} pose values, not 7")
    return ColmapImage(name, numbers[:4], numbers[4:], camera_id)


def _take(content: bytes, offset: int, layout: str) -> tuple[tuple[Any, ...], int]:
    return struct.unpack_from(layout, content, offset), offset + struct.calcsize(layout)
