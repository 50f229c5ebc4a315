"""Captures of phones: what the apps Polycam and Record3D leave on disk.

Both are of ARKit: poses are world-from-camera in OpenGL axes, in a world whose y points
up.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float64
from torch import Tensor

from nvs.cameras import Camera
from nvs.cameras.json_record import Record
from nvs.cameras.se3 import flip_y_and_z, hat, rigid
from nvs.errors import DatasetError, about
from nvs.scene.dataset_files import is_file, read_json, read_text
from nvs.scene.frames import Dataset, Frame
from nvs.scene.image_files import ImageFiles
from nvs_data.frames import lens_frame, scaled_to_file

WORLD_UP = (0.0, 1.0, 0.0)
"""Of ARKit, by gravity."""


class PolycamReader:
    """Reads `keyframes`: a JSON file for each image, corrected ones if there are any.

    Corrected cameras, those of Polycam's own bundle adjustment, belong to corrected
    images, whose distortion is undone.
    """

    name = "polycam"
    folder_name = "keyframes"
    pairs = (("corrected_cameras", "corrected_images"), ("cameras", "images"))

    def recognises(self, path: Path) -> bool:
        """Whether this is the folder or has it."""
        return self._pair(path) is not None

    def read(self, path: Path) -> Dataset:
        """The frames by the names of their files, which are times."""
        pair = self._pair(path)
        if pair is None:
            raise DatasetError(
                "no folder of Polycam's cameras",
                remedy="It needs `keyframes` with `cameras` and `images`.",
                subject=path,
            )
        cameras, image_folder = pair
        images = ImageFiles(cameras.parent)
        frames: list[Frame] = []
        for file in _json_files(cameras):
            with about(file):
                fields = Record.of(read_json(file))
                camera = _polycam_camera(fields)
            found = images.find(f"{image_folder}/{file.stem}")
            if found is not None:
                name = f"{image_folder}/{found.name}"
                camera = scaled_to_file(camera, found)
                frames.append(lens_frame(name, found, camera, None, images.mask(found)))
        return images.dataset(frames, world_up=WORLD_UP)

    def _pair(self, path: Path) -> tuple[Path, str] | None:
        """The folder of cameras, and what that of their images is called."""
        for folder in (path / self.folder_name, path):
            for cameras, images in self.pairs:
                if (folder / images).is_dir() and _is_polycam(folder / cameras):
                    return folder / cameras, images
        return None


def _is_polycam(folder: Path) -> bool:
    """Whether the first file of a folder is a camera of Polycam's."""
    try:
        return any("t_00" in read_text(file) for file in _json_files(folder)[:1])
    except DatasetError:
        return False


def _json_files(folder: Path) -> list[Path]:
    try:
        return sorted(
            file
            for file in folder.iterdir()
            if file.suffix == ".json" and not file.name.startswith(".")
        )
    except OSError:
        return []


def _polycam_camera(fields: Record) -> Camera:
    rows = [
        [fields.number(f"t_{row}{column}", finite=False) for column in range(4)]
        for row in range(3)
    ]
    intrinsics = [fields.number(key, finite=False) for key in ("fx", "fy", "cx", "cy")]
    pose = torch.tensor([*rows, [0.0, 0.0, 0.0, 1.0]], dtype=torch.float64)
    return Camera(
        world_from_camera=flip_y_and_z(pose)[None],
        intrinsics=torch.tensor([intrinsics], dtype=torch.float64),
        height=fields.size("height"),
        width=fields.size("width"),
    )


class Record3DReader:
    """Reads the JSON file `metadata` or `metadata.json` beside `rgb` or `rgbd`.

    So the app exports `EXR_RGBD`, and so an unpacked `.r3d` file is. Images are called
    after the number of their pose: `0.jpg` has the first.
    """

    name = "record3d"
    folder_name = "EXR_RGBD"
    file_names = ("metadata.json", "metadata")
    image_folders = ("rgb", "rgbd")

    def recognises(self, path: Path) -> bool:
        """Whether this is the folder or has it."""
        return self._parts(path) is not None

    def read(self, path: Path) -> Dataset:
        """The frames by number."""
        parts = self._parts(path)
        if parts is None:
            raise DatasetError(
                "no capture of Record3D",
                remedy="It needs `metadata.json` and the folder `rgb`.",
                subject=path,
            )
        file, image_folder = parts
        with about(file):
            cameras = _record3d_cameras(Record.of(read_json(file)))
            images = ImageFiles(file.parent)
            frames: list[Frame] = []
            for index, camera in enumerate(cameras):
                name = f"{image_folder}/{index}"
                found = images.find(name)
                if found is not None:
                    scaled = scaled_to_file(camera, found)
                    mask = images.mask(found)
                    frames.append(lens_frame(name, found, scaled, None, mask))
            return images.dataset(frames, world_up=WORLD_UP)

    def _parts(self, path: Path) -> tuple[Path, str] | None:
        """The file, and what the folder of its images is called."""
        for folder in (path / self.folder_name, path):
            for file in self.file_names:
                for images in self.image_folders:
                    if is_file(folder / file) and (folder / images).is_dir():
                        return folder / file, images
        return None


def _record3d_cameras(fields: Record) -> list[Camera]:
    poses = _rows(fields, "poses", 7)
    height, width = fields.size("h"), fields.size("w")
    key = "perFrameIntrinsicCoeffs"
    if fields.values.get(key):
        intrinsics = _rows(fields, key, 4)
        if len(intrinsics) != len(poses):
            raise DatasetError(
                f"{len(poses)} poses and {len(intrinsics)} {key}",
                remedy="Export the capture again.",
            )
    else:
        # Column by column: fx, 0, 0, 0, fy, 0, cx, cy, 1.
        matrix = torch.tensor(fields.numbers("K", 9, finite=False), dtype=torch.float64)
        intrinsics = matrix[[0, 4, 6, 7]].expand(len(poses), 4)
    return [
        Camera(
            world_from_camera=flip_y_and_z(_pose(row))[None],
            intrinsics=own[None].clone(),
            height=height,
            width=width,
        )
        for row, own in zip(poses, intrinsics, strict=True)
    ]


def _rows(fields: Record, key: str, columns: int) -> Float64[Tensor, "row column"]:
    listed = fields.get(key)
    rows: Sequence[object] = listed if isinstance(listed, list) else ()
    count = max(1, len(rows))
    return torch.tensor(
        fields.numbers(key, count, columns, finite=False), dtype=torch.float64
    )


def _pose(row: Float64[Tensor, "7"]) -> Float64[Tensor, "4 4"]:
    """Of a quaternion x, y, z, w and a position: R = I + 2 w V + 2 V², V = hat(xyz)."""
    quaternion = row[:4] / row[:4].norm()
    V, w = hat(quaternion[:3]), quaternion[3]
    R = torch.eye(3, dtype=torch.float64) + 2 * w * V + 2 * V @ V
    return rigid(R, row[4:])
