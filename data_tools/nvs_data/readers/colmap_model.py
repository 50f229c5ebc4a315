"""Files of COLMAP sparse models: cameras and images, binary or text.

Models are read here rather than by `pycolmap.Reconstruction`, which on damaged binary
files can allocate without limit or never return; 3-D points are of no use to us and are
skipped. So are the rigs and frames of COLMAP 4, since images have their own poses too.
The camera models themselves are pycolmap's.

Source: https://colmap.github.io/format.html
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from nvs.cameras.json_record import MAX_SIDE_PX
from nvs.errors import CameraError, DatasetError, NvsError, about, reason
from nvs.scene.dataset_files import is_file, read_text
from nvs_data.colmap_run import import_pycolmap
from nvs_data.undistort import Intrinsics

_HEADER = re.compile(r"#\s*Number of (?:cameras|images):\s*(\d+)")


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


def has_model(folder: Path) -> bool:
    """Whether the folder holds a sparse model."""
    return _suffix(folder) is not None


def num_images(folder: Path) -> int:
    """How many images a model has; 0 if that cannot be read."""
    suffix = _suffix(folder)
    try:
        if suffix == ".bin":
            with (folder / "images.bin").open("rb") as file:
                return int.from_bytes(file.read(8), "little")
        return len(_text_images(read_text(folder / "images.txt")))
    except (OSError, ValueError, LookupError, NvsError):
        return 0


def read_model(folder: Path) -> tuple[dict[int, ColmapCamera], list[ColmapImage]]:
    """Cameras by id, and images in the order of their ids; binary if there are both.

    Raises:
        DatasetError: If a file is missing, truncated, not in COLMAP's format or has
            another number of entries than it says.
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
        with about(file):
            cameras = dict(
                _binary_cameras(file.read_bytes(), kinds)
                if binary
                else _text_cameras(read_text(file), kinds)
            )
        for camera_id, camera in cameras.items():
            with about(file):
                _check(camera_id, camera)
        file = folder / f"images{suffix}"
        with about(file):
            images = dict(
                _binary_images(file.read_bytes())
                if binary
                else _text_images(read_text(file))
            )
    except (OSError, ValueError, LookupError, struct.error) as error:
        if isinstance(error, CameraError):
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


def _check(camera_id: int, camera: ColmapCamera) -> None:
    if not (1 <= camera.width <= MAX_SIDE_PX and 1 <= camera.height <= MAX_SIDE_PX):
        raise CameraError(
            f"camera {camera_id}: the image size is {camera.height}×{camera.width}",
            remedy="It must be in pixels.",
        )


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
    _check_end(content, offset, count)


def _text_cameras(
    text: str, kinds: dict[int, tuple[str, int]]
) -> list[tuple[int, ColmapCamera]]:
    num_params = dict(kinds.values())
    cameras = []
    for line in _lines(text):
        if not line:
            continue
        camera_id, name, width, height, *params = line.split()
        if name not in num_params:
            raise _unknown_model(camera_id, name)
        if len(params) != num_params[name]:
            raise ValueError(
                f"camera {camera_id}: {len(params)} parameters for {name}, "
                f"which has {num_params[name]}"
            )
        values = tuple(map(float, params))
        camera = ColmapCamera(name, int(width), int(height), values)
        cameras.append((int(camera_id), camera))
    _check_count(text, cameras)
    return cameras


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
    _check_end(content, offset, count)


def _text_images(text: str) -> list[tuple[int, ColmapImage]]:
    """Images, with or without the lines of their points."""
    images: list[tuple[int, ColmapImage]] = []
    after_image = False
    for line in _lines(text):
        if after_image and _is_points(line):
            after_image = False
        elif line:
            image_id, *values, camera_id, name = line.split(maxsplit=9)
            image = _image(name, map(float, values), int(camera_id))
            images.append((int(image_id), image))
            after_image = True
    _check_count(text, images)
    return images


def _lines(text: str) -> Iterator[str]:
    """Lines without comments, blanks at their ends taken off."""
    lines = (line.strip() for line in text.split("\n"))
    return (line for line in lines if not line.startswith("#"))


def _is_points(line: str) -> bool:
    """Whether a line can be one of points: x, y, id of each, perhaps none."""
    tokens = line.split()
    if len(tokens) % 3:
        return False
    try:
        return all(float(token) or True for token in tokens)
    except ValueError:
        return False


def _check_count(text: str, entries: Sequence[tuple[int, object]]) -> None:
    """Refuse entries whose number is not that of the file's header, or ids twice."""
    header = _HEADER.search(text)
    if header is not None and int(header[1]) != len(entries):
        raise DatasetError(
            f"its header says {header[1]} entries, {len(entries)} follow",
            remedy="Export the sparse model again, or put the header right.",
        )
    if len(dict(entries)) != len(entries):
        raise ValueError("an id stands there twice")


def _check_end(content: bytes, offset: int, count: int) -> None:
    if offset != len(content):
        raise DatasetError(
            f"its header says {count} entries, {len(content) - offset} bytes follow "
            "them",
            remedy="Export the sparse model again.",
        )


def _image(name: str, values: Iterable[float], camera_id: int) -> ColmapImage:
    numbers = tuple(values)
    if len(numbers) != 7:
        raise ValueError(f"{name!r} has {len(numbers)} pose values, not 7")
    return ColmapImage(name, numbers[:4], numbers[4:], camera_id)


def _take(content: bytes, offset: int, layout: str) -> tuple[tuple[Any, ...], int]:
    return struct.unpack_from(layout, content, offset), offset + struct.calcsize(layout)
