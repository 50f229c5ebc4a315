"""The cameras and images of a COLMAP sparse model, binary or text.

Read here rather than by `pycolmap.Reconstruction`, which on damaged binary files can
allocate without limit or never return; 3-D points are of no use to us and are skipped.
The camera models themselves are pycolmap's.

Source: https://colmap.github.io/format.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nvs.cameras.json_record import MAX_SIDE_PX
from nvs.errors import CameraError, DatasetError, reason
from nvs.scene.dataset_files import is_file
from nvs_data.colmap_run import import_pycolmap


@dataclass(frozen=True, slots=True)
class ColmapCamera:
    """A line of `cameras.txt`."""

    model: str
    """Name of the camera model."""
    width: int
    """In pixels."""
    height: int
    """In pixels."""
    params: tuple[float, ...]
    """Parameters in the model's order."""


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
            camera_id: _checked_camera(camera, f"camera {camera_id}")
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


def _checked_camera(camera: ColmapCamera, where: str) -> ColmapCamera:
    if not (1 <= camera.width <= MAX_SIDE_PX and 1 <= camera.height <= MAX_SIDE_PX):
        raise CameraError(
            f"{where}: the image size is {camera.height}×{camera.width}",
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
            raise CameraError(
                f"camera {camera_id} has the unknown model {kind}",
                remedy="Update pycolmap, or export another model.",
            )
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
            raise CameraError(
                f"camera {camera_id} has the unknown model {name!r}",
                remedy="Update pycolmap, or export another model.",
            )
        if len(params) != num_params[name]:
            raise ValueError(
                f"camera {camera_id}: {len(params)} parameters for {name}, "
                f"which has {num_params[name]}"
            )
        yield (
            int(camera_id),
            ColmapCamera(name, int(width), int(height), tuple(map(float, params))),
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
