"""Cameras in JSON files: our own paths, those of the nerfstudio viewer, single ones.

Our own keeps cameras as this project has them (OpenCV axes, pixels of the image):

    {"format": "lact-nvs camera path", "version": 1,
     "fps": 30.0, "height": 540, "width": 960,
     "frames": [{"world_from_camera": [[4 numbers], [4], [4], [4]],
                 "fx": 700.0, "fy": 700.0, "cx": 480.0, "cy": 270.0}, …]}

The nerfstudio viewer's has poses with OpenGL axes (x right, y up, z backward) as 16
numbers row by row, and a vertical field of view in degrees:

    {"camera_type": "perspective", "render_height": 540, "render_width": 960,
     "fps": 30, "seconds": 4.0, "keyframes": …,
     "camera_path": [{"camera_to_world": [16 numbers], "fov": 50.0, "aspect": 1.78}, …]}

As in nerfstudio pixels are square and the principal point is the image centre, so that
`aspect` says nothing that width and height do not. Poses are in its viewer's space,
that of the capture after the transform and scale of nerfstudio's dataparser, which a
run of nerfstudio leaves in `dataparser_transforms.json` beside its `config.yml`:

    {"transform": [[4 numbers], [4], [4]], "scale": 0.3}

With that file cameras come back to the capture: viewer = scale · transform · capture.

A camera by itself, or a list of them, is what the service takes and its viewer copies,
in one of three forms; `height` and `width` say which image its pixels are of:

    {"world_from_camera": …, "fx": 700.0, "fy": 700.0, "cx": 480.0, "cy": 270.0,
     "height": 540, "width": 960}
    {"world_from_camera": …, "vertical_fov_degrees": 50.0}
    {"eye": [2.5, 0, 1], "target": [0, 0, 0], "up": [0, 0, 1],
     "vertical_fov_degrees": 50.0}
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from nvs.cameras.camera import Camera
from nvs.cameras.json_record import Record
from nvs.cameras.se3 import flip_y_and_z, rigid, se3_inverse
from nvs.errors import CameraError, about, reason
from nvs.files import write_text

FORMAT = "lact-nvs camera path"
VERSION = 1
INTRINSICS = ("fx", "fy", "cx", "cy")
FPS = 30.0
"""Frames a second where nothing says them."""

_logger = logging.getLogger("nvs.data")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CameraPath:
    """Cameras to be shown one after another.

    Raises:
        CameraError: If there is no camera or the frame rate is not positive.
    """

    camera: Camera
    """One view a frame."""
    fps: float
    """Frames a second."""

    def __post_init__(self) -> None:
        if len(self.camera) == 0:
            raise CameraError(
                "the camera path has no frames", remedy="Give at least one frame."
            )
        if not 0 < self.fps < math.inf:
            raise CameraError(
                f"fps of the camera path is {self.fps}",
                remedy="Give a positive number of frames a second.",
            )


def read_camera_path(
    path: Path | str,
    height: int | None = None,
    width: int | None = None,
    *,
    dataparser: Path | str | None = None,
) -> CameraPath:
    """Read a camera path, a camera or a list of cameras.

    One of nerfstudio's is taken as in the capture's world if `dataparser` is absent,
    with a warning of the logger `nvs.data`.

    Args:
        path: The JSON file.
        height: Height in pixels to render at instead of the file's. Cameras that name
            no size are of this one.
        width: Width in pixels likewise. Where only one is given the other keeps the
            aspect ratio. The vertical field of view and square pixels stay: another
            aspect ratio shows more or less at both sides.
        dataparser: The `dataparser_transforms.json` of the run of nerfstudio whose
            viewer exported the path.

    Returns:
        float64 cameras and the frame rate.

    Raises:
        CameraError: Naming the file, and the frame and key that is missing or unusable.
    """
    path = Path(path)
    with about(path):
        values = _read_json(path)
        read = parse_camera_path(values, height, width)
        is_viewers = (
            isinstance(values, dict)
            and "camera_path" in values
            and values.get("format") != FORMAT
        )
        if not is_viewers and dataparser is not None:
            raise CameraError(
                "a camera path in our own form is in the capture's world already",
                remedy="Leave out the dataparser's transform.",
            )
    if dataparser is not None:
        return replace(read, camera=_from_viewer(read.camera, Path(dataparser)))
    if is_viewers:
        _logger.warning(
            "%s: taken as in the world of the capture; one out of nerfstudio's viewer "
            "needs --dataparser dataparser_transforms.json, of the run it is from",
            path,
        )
    return read


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CameraError(
            f"not a readable JSON file ({reason(error)})",
            remedy="Export or write it again.",
        ) from error


def _from_viewer(camera: Camera, dataparser: Path) -> Camera:
    """Cameras of nerfstudio's viewer in the world of the capture."""
    with about(dataparser):
        fields = Record.of(_read_json(dataparser))
        transform = torch.tensor(fields.numbers("transform", 3, 4), dtype=torch.float64)
        scale = fields.positive("scale")
        poses = camera.world_from_camera.clone()
        poses[:, :3, 3] /= scale
        poses = se3_inverse(rigid(transform[:, :3], transform[:, 3])) @ poses
        back = replace(camera, world_from_camera=poses)
        back.to(dtype=torch.float32).check([f"frame {i}" for i in range(len(back))])
    return back


def parse_camera_path(
    values: object, height: int | None = None, width: int | None = None
) -> CameraPath:
    """The camera path that a JSON document is; otherwise as `read_camera_path`.

    Raises:
        CameraError: Naming the frame and key that is missing or unusable.
    """
    if isinstance(values, list):
        values = {"cameras": values}
    document, fps = Record.of(values), None
    if document.values.get("format") == FORMAT:
        camera = _own_camera(document)
    elif "camera_path" in document.values:
        camera = _nerfstudio_camera(document)
    elif "cameras" in document.values:
        camera, fps = _cameras(document.records("cameras"), height, width), FPS
    elif {"world_from_camera", "eye"} & document.values.keys():
        camera, fps = _cameras([document], height, width), FPS
    else:
        raise CameraError(
            f"not a camera path, its keys are {sorted(document.values)[:8]}",
            remedy=f'Give a file with "format": "{FORMAT}", the JSON that the '
            "nerfstudio viewer exports, or a camera with world_from_camera or eye.",
        )
    names = [f"frame {index}" for index in range(len(camera))]
    camera.to(dtype=torch.float32).check(names)
    camera = _fitted(camera, height, width)
    return CameraPath(camera=camera, fps=fps or document.positive("fps"))


def write_camera_path(path: Path | str, camera_path: CameraPath) -> None:
    """Write a camera path atomically in our own form.

    `read_camera_path` gives equal cameras.

    Raises:
        CameraError: If a camera is unusable.
        OutputError: If the file cannot be written.
    """
    write_text(path, json.dumps(camera_path_document(camera_path), indent=1))


def camera_path_document(camera_path: CameraPath) -> dict[str, object]:
    """A camera path as a JSON document of our own form.

    Raises:
        CameraError: If a camera is unusable.
    """
    camera = camera_path.camera.check()
    poses, intrinsics = camera.world_from_camera.tolist(), camera.intrinsics.tolist()
    return {
        "format": FORMAT,
        "version": VERSION,
        "fps": camera_path.fps,
        "height": camera.height,
        "width": camera.width,
        "frames": [
            {"world_from_camera": pose} | dict(zip(INTRINSICS, values, strict=True))
            for pose, values in zip(poses, intrinsics, strict=True)
        ],
    }


def _own_camera(document: Record) -> Camera:
    if document.values.get("version") != VERSION:
        raise CameraError(
            f"version is {document.values.get('version')!r}",
            remedy=f"This release reads version {VERSION}.",
        )
    frames = document.records("frames")
    return Camera(
        world_from_camera=_stack(
            [f.numbers("world_from_camera", 4, 4) for f in frames]
        ),
        intrinsics=_stack([[f.number(key) for key in INTRINSICS] for f in frames]),
        height=document.size("height"),
        width=document.size("width"),
    )


def _nerfstudio_camera(document: Record) -> Camera:
    kind = document.values.get("camera_type", "perspective")
    if kind != "perspective":
        raise CameraError(
            f"camera_type is {kind!r}",
            remedy="Only perspective cameras can be rendered; export the path as such.",
        )
    height, width = document.size("render_height"), document.size("render_width")
    frames = document.records("camera_path")
    intrinsics = [_centred(frame, "fov", height, width) for frame in frames]
    opengl = _stack([frame.numbers("camera_to_world", 16) for frame in frames])
    return Camera(
        world_from_camera=flip_y_and_z(opengl.unflatten(1, (4, 4))),
        intrinsics=_stack(intrinsics),
        height=height,
        width=width,
    )


def _cameras(
    records: Sequence[Record], height: int | None, width: int | None
) -> Camera:
    """Cameras that are no path; those without a size have the one asked for."""
    cameras: list[Camera] = []
    for record in records:
        is_sized = None in (height, width) or {"height", "width"} & record.values.keys()
        own_height = record.size("height") if is_sized else height
        own_width = record.size("width") if is_sized else width
        assert own_height is not None
        assert own_width is not None
        if "vertical_fov_degrees" in record.values:
            lens = _centred(record, "vertical_fov_degrees", own_height, own_width)
        else:
            lens = [record.number(key) for key in INTRINSICS]
        camera = Camera(
            world_from_camera=_pose(record),
            intrinsics=_stack([lens]),
            height=own_height,
            width=own_width,
        )
        cameras.append(_fitted(camera, height, width))
    return Camera.cat(cameras)


def _pose(record: Record) -> Tensor:
    if "world_from_camera" in record.values:
        return _stack([record.numbers("world_from_camera", 4, 4)])
    up = record.numbers("up", 3) if "up" in record.values else [0.0, 0.0, 1.0]
    return Camera.look_at(
        _stack([record.numbers("eye", 3)]),
        _stack([record.numbers("target", 3)]),
        up=_stack([up]),
        hfov_radians=1.0,
        height=1,
        width=1,
    ).world_from_camera


def _centred(record: Record, key: str, height: int, width: int) -> list[float]:
    """Intrinsics by a vertical field of view; square pixels around the centre."""
    fov_degrees = record.positive(key)
    if fov_degrees >= 180:
        raise CameraError(
            f"{record.where}{key} is {fov_degrees:g}",
            remedy="Give a vertical field of view below 180 degrees.",
        )
    focal_px = height / (2 * math.tan(math.radians(fov_degrees) / 2))
    return [focal_px, focal_px, width / 2, height / 2]


def _fitted(camera: Camera, height: int | None, width: int | None) -> Camera:
    """Cameras of another image size with the same vertical field of view."""
    if width is None:
        known = camera.height if height is None else height
        width = max(1, round(camera.width * known / camera.height))
    if height is None:
        height = max(1, round(camera.height * width / camera.width))
    scale = height / camera.height
    margin_px = (width - scale * camera.width) / 2
    intrinsics = camera.intrinsics * scale
    intrinsics[:, 2] += margin_px
    return replace(camera, intrinsics=intrinsics, height=height, width=width)


def _stack(rows: Sequence[object]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)
