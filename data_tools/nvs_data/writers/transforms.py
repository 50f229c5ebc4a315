"""`transforms.json` as nerfstudio and instant-ngp read it, without distortion."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from nvs.cameras import Camera
from nvs_data.readers.nerfstudio import NerfstudioReader
from nvs_data.readers.transforms_file import OPENCV_FROM_OPENGL


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
        pose = camera.world_from_camera[0] @ OPENCV_FROM_OPENGL
        matrix = pose.tolist()
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
