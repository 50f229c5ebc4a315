"""COLMAP text models: `sparse/0/{cameras,images,points3D}.txt`, without points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from nvs.cameras import Camera
from nvs.cameras.se3 import so3_log


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
    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    for stem, lines in files.items():
        (model / f"{stem}.txt").write_text("".join(lines), encoding="utf-8")


def _pose(camera: Camera) -> list[float]:
    """Quaternion w, x, y, z and translation, camera-from-world."""
    pose = camera.world_from_camera[0]
    u, _, v_transposed = torch.linalg.svd(pose[:3, :3])
    rotation = (u @ v_transposed).T
    translation = -rotation @ pose[:3, 3]
    w = so3_log(rotation)
    half = w.norm().item() / 2
    xyz = w / 2 * (math.sin(half) / half if half else 1.0)
    return [math.cos(half), *xyz.tolist(), *translation.tolist()]
