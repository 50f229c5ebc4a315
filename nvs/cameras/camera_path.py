"""Camera paths in JSON files: our own, and those the nerfstudio viewer exports.

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
    """Read a camera path of either kind.

    One of nerfstudio's is taken as in the capture's world if `dataparser` is absent,
    with a warning of the logger `nvs.data`.

    Args:
        path: The JSON file.
        height: Height in pixels to render at instead of the file's.
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
        is_own = Record.of(values).values.get("format") == FORMAT
        if is_own and dataparser is not None:
            raise CameraError(
                "a camera path in our own form is in the capture's world already",
                remedy="Leave out the dataparser's transform.",
            )
    if dataparser is not None:
        return replace(read, camera=_from_viewer(read.camera, Path(dataparser)))
    if not is_own:
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
    document = Record.of(values)
    if document.values.get("format") == FORMAT:
        camera = _own_camera(document)
    elif "camera_path" in document.values:
        camera = _nerfstudio_camera(document)
    else:
        raise CameraError(
            f"not a camera path, its keys are {sorted(document.values)[:8]}",
            remedy=f'Give a file with "format": "{FORMAT}", or the JSON that the '
            "nerfstudio viewer exports.",
        )
    names = [f"frame {index}" for index in range(len(camera))]
    camera.to(dtype=torch.float32).check(names)
    camera = _fitted(camera, height, width)
    return CameraPath(camera=camera, fps=document.positive("fps"))


def write_camera_path(path: Path | str, camera_path: CameraPath) -> None:
    """Write a camera path atomically in our own form.

    `read_camera_path` gives equal cameras.

    Raises:
        CameraError: If a camera is unusable.
        OutputError: If the file cannot be written.
    """
    camera = camera_path.camera.check()
    poses, intrinsics = camera.world_from_camera.tolist(), camera.intrinsics.tolist()
    frames = [
        {"world_from_camera": pose} | dict(zip(INTRINSICS, values, strict=True))
        for pose, values in zip(poses, intrinsics, strict=True)
    ]
    document = {
        "format": FORMAT,
        "version": VERSION,
        "fps": camera_path.fps,
        "height": camera.height,
        "width": camera.width,
        "frames": frames,
    }
    write_text(path, json.dumps(document, indent=1))


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
    intrinsics: list[list[float]] = []
    for frame in frames:
        fov_degrees = frame.positive("fov")
        if fov_degrees >= 180:
            raise CameraError(
                f"{frame.where}fov is {fov_degrees:g}",
                remedy="Give a vertical field of view below 180 degrees.",
            )
        focal_px = height / (2 * math.tan(math.radians(fov_degrees) / 2))
        intrinsics.append([focal_px, focal_px, width / 2, height / 2])
    opengl = _stack([frame.numbers("camera_to_world", 16) for frame in frames])
    return Camera(
        world_from_camera=flip_y_and_z(opengl.unflatten(1, (4, 4))),
        intrinsics=_stack(intrinsics),
        height=height,
        width=width,
    )


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
