"""The published layout: `opencv_cameras.json`, poses camera-from-world."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from nvs.cameras import Camera
from nvs.scene.dataset_files import inverse
from nvs.scene.opencv_layout import OpenCVReader


def write_opencv(folder: Path, names: Sequence[str], cameras: Sequence[Camera]) -> None:
    """Write a list of frames, one camera each."""
    entries = []
    for name, camera in zip(names, cameras, strict=True):
        fx, fy, cx, cy = camera.intrinsics[0].tolist()
        w2c = inverse(camera.world_from_camera[0], f"{name}: the pose")
        entries.append(
            {
                "file_path": f"images/{name}",
                **{"w": camera.width, "h": camera.height},
                **{"fx": fx, "fy": fy, "cx": cx, "cy": cy},
                "w2c": w2c.tolist(),
            }
        )
    text = json.dumps(entries, indent=1) + "\n"
    (folder / OpenCVReader.file_name).write_text(text, encoding="utf-8")
