"""One small scene, written in every layout by the layout's own description."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.cameras import Camera, orbit
from nvs.cameras.se3 import so3_quaternion

HEIGHT, WIDTH = 12, 16
NUM_VIEWS = 3
GL_FROM_CV = np.diag([1.0, -1.0, -1.0, 1.0])

Poses = np.ndarray
"""world-from-camera in OpenCV axes: (view, 4, 4)."""


@pytest.fixture(scope="session")
def cameras() -> list[Camera]:
    """What every layout describes."""
    ring = orbit(
        NUM_VIEWS,
        radius=2.7,
        elevation_radians=0.3,
        hfov_radians=0.9,
        height=HEIGHT,
        width=WIDTH,
    )
    return list(ring.to(dtype=torch.float64))


@pytest.fixture(scope="session")
def pixels() -> list[np.ndarray]:
    """What its images show: noise, so that any resampling would be seen."""
    shape = (NUM_VIEWS, HEIGHT, WIDTH, 3)
    return list(np.random.default_rng(0).integers(0, 256, shape, np.uint8))


@pytest.fixture(scope="session")
def make_layout(cameras: list[Camera], pixels: list[np.ndarray]) -> Callable[..., Path]:
    """Writes the scene into a new folder in the layout of a name, moved by a shift."""
    poses = np.stack([camera.world_from_camera[0].numpy() for camera in cameras])
    intrinsics = tuple(cameras[0].intrinsics[0].tolist())

    def make(layout: str, folder: Path, shift: Sequence[float] = (0, 0, 0)) -> Path:
        folder.mkdir(parents=True)
        moved = poses.copy()
        moved[:, :3, 3] += shift
        _MAKERS[layout](folder, moved, intrinsics, pixels)
        return folder

    return make


def _save(folder: Path, names: list[str], pixels: list[np.ndarray]) -> None:
    for name, image in zip(names, pixels, strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def _write_json(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def _opencv(folder: Path, poses: Poses, intrinsics: Any, pixels: Any) -> None:
    names = [f"renderings/{i}.png" for i in range(len(poses))]
    _save(folder, names, pixels)
    fields = dict(zip(("fx", "fy", "cx", "cy"), intrinsics, strict=True))
    frames = [
        fields | {"w": WIDTH, "h": HEIGHT, "w2c": np.linalg.inv(p).tolist()}
        for p in poses
    ]
    for frame, name in zip(frames, names, strict=True):
        frame["file_path"] = name
    _write_json(folder / "opencv_cameras.json", frames)


def _opencv_object(folder: Path, poses: Poses, intrinsics: Any, pixels: Any) -> None:
    _opencv(folder, poses, intrinsics, pixels)
    file = folder / "opencv_cameras.json"
    frames = json.loads(file.read_text())
    _write_json(file, {"scene_name": "ring", "frames": frames})


def _frames(names: list[str], poses: Poses) -> list[dict[str, Any]]:
    return [
        {"file_path": name, "transform_matrix": (pose @ GL_FROM_CV).tolist()}
        for name, pose in zip(names, poses, strict=True)
    ]


def _nerfstudio(folder: Path, poses: Poses, intrinsics: Any, pixels: Any) -> None:
    names = [f"images/frame_{i:05d}.png" for i in range(len(poses))]
    _save(folder, names, pixels)
    fields = dict(zip(("fl_x", "fl_y", "cx", "cy"), intrinsics, strict=True))
    fields |= {"w": float(WIDTH), "h": float(HEIGHT), "k1": 0.0, "p1": 0}
    fields["camera_model"] = "OPENCV"
    _write_json(folder / "transforms.json", fields | {"frames": _frames(names, poses)})


def _blender(folder: Path, poses: Poses, intrinsics: Any, pixels: Any) -> None:
    for split in ("train", "val", "test"):
        names = [f"./{split}/r_{i}" for i in range(len(poses))]
        _save(folder, [f"{name}.png" for name in names], pixels)
        angle = 2 * math.atan(WIDTH / (2 * intrinsics[0]))
        content = {"camera_angle_x": angle, "frames": _frames(names, poses)}
        _write_json(folder / f"transforms_{split}.json", content)


def _dl3dv(folder: Path, poses: Poses, intrinsics: Any, pixels: Any) -> None:
    listed = [f"images/frame_{i:05d}.png" for i in range(len(poses))]
    root = folder / "nerfstudio"
    _save(root, [name.replace("images", "images_4") for name in listed], pixels)
    full = [4 * value for value in intrinsics]
    fields = dict(zip(("fl_x", "fl_y", "cx", "cy"), full, strict=True))
    fields |= {"w": 4 * WIDTH, "h": 4 * HEIGHT}
    # The benchmark's files turn COLMAP's world: y of the file is COLMAP's z.
    applied = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
    content = {"applied_transform": applied[:3].tolist()} | fields
    frames = _frames(listed, applied @ poses)
    _write_json(root / "transforms.json", content | {"frames": frames})


def _llff(folder: Path, poses: Poses, intrinsics: Any, pixels: Any) -> None:
    _save(folder, [f"images/IMG_{i:04d}.png" for i in range(len(poses))], pixels)
    rows = []
    for pose in poses:
        right, down, forward, position = pose[:3].T
        hwf = np.array([HEIGHT, WIDTH, intrinsics[0]])
        matrix = np.stack([down, right, -forward, position, hwf], axis=-1)
        rows.append(np.append(matrix.ravel(), [0.5, 9.0]))
    np.save(folder / "poses_bounds.npy", np.stack(rows))


def _realestate10k(folder: Path, poses: Poses, intrinsics: Any, pixels: Any) -> None:
    timestamps = [str(50_050_000 + 33_333 * i) for i in range(len(poses))]
    _save(folder, [f"0a1b2c/{stamp}.png" for stamp in timestamps], pixels)
    lines = ["https://www.youtube.com/watch?v=0a1b2c"]
    fractions = np.array(intrinsics) / [WIDTH, HEIGHT, WIDTH, HEIGHT]
    for stamp, pose in zip(timestamps, poses, strict=True):
        values = [*fractions, 0.0, 0.0, *np.linalg.inv(pose)[:3].ravel()]
        lines.append(" ".join([stamp, *(f"{value:.12f}" for value in values)]))
    (folder / "0a1b2c.txt").write_text("\n".join(lines) + "\n")


def _colmap(folder: Path, poses: Poses, intrinsics: Any, pixels: Any) -> Any:
    pycolmap = pytest.importorskip("pycolmap")
    names = [f"{i}.png" for i in range(len(poses))]
    _save(folder / "images", names, pixels)
    model = pycolmap.Reconstruction()
    camera = pycolmap.Camera(
        camera_id=1, model="PINHOLE", width=WIDTH, height=HEIGHT, params=intrinsics
    )
    model.add_camera_with_trivial_rig(camera)
    for index, (name, pose) in enumerate(zip(names, poses, strict=True)):
        image = pycolmap.Image(image_id=index + 1, camera_id=1, name=name)
        rigid = pycolmap.Rigid3d(np.linalg.inv(pose)[:3])
        model.add_image_with_trivial_frame(image, rigid)
    (folder / "sparse/0").mkdir(parents=True)
    return model


def _colmap_text(folder: Path, poses: Poses, intrinsics: Any, pixels: Any) -> None:
    model = _colmap(folder, poses, intrinsics, pixels)
    model.write_text(str(folder / "sparse/0"))


def _colmap_binary(folder: Path, poses: Poses, intrinsics: Any, pixels: Any) -> None:
    model = _colmap(folder, poses, intrinsics, pixels)
    model.write_binary(str(folder / "sparse/0"))


def _polycam(folder: Path, poses: Poses, intrinsics: Any, pixels: Any) -> None:
    root = folder / "keyframes"
    stems = [str(170_000 + 33 * i) for i in range(len(poses))]
    _save(root, [f"corrected_images/{stem}.png" for stem in stems], pixels)
    for stem, pose in zip(stems, poses, strict=True):
        rows = pose @ GL_FROM_CV
        content = dict(zip(("fx", "fy", "cx", "cy"), intrinsics, strict=True))
        content |= {"width": WIDTH, "height": HEIGHT, "blur_score": 100.0}
        content |= {f"t_{i}{j}": rows[i, j] for i in range(3) for j in range(4)}
        _write_json(root / f"corrected_cameras/{stem}.json", content)


def _record3d(folder: Path, poses: Poses, intrinsics: Any, pixels: Any) -> None:
    root = folder / "EXR_RGBD"
    _save(root, [f"rgb/{i}.png" for i in range(len(poses))], pixels)
    gl = torch.from_numpy(poses @ GL_FROM_CV)
    wxyz = so3_quaternion(gl[:, :3, :3])
    rows = torch.cat([wxyz[:, 1:], wxyz[:, :1], gl[:, :3, 3]], dim=-1)
    fx, fy, cx, cy = intrinsics
    content = {"h": HEIGHT, "w": WIDTH, "fps": 60, "poses": rows.tolist()}
    content["K"] = [fx, 0, 0, 0, fy, 0, cx, cy, 1]
    _write_json(root / "metadata.json", content)


def _metashape(folder: Path, poses: Poses, intrinsics: Any, pixels: Any) -> None:
    _save(folder, [f"images/IMG_{i:04d}.png" for i in range(len(poses))], pixels)
    fx, fy, cx, cy = intrinsics
    cameras = "".join(
        f'<camera id="{i}" sensor_id="0" component_id="0" label="IMG_{i:04d}">'
        f"<transform>{' '.join(map(repr, pose.ravel().tolist()))}</transform></camera>"
        for i, pose in enumerate(poses)
    )
    (folder / "cameras.xml").write_text(
        f'''<?xml version="1.0" encoding="UTF-8"?>
<document version="2.0.0">
 <chunk label="Chunk 1" enabled="true">
  <sensors next_id="1">
   <sensor id="0" label="unknown" type="frame">
    <resolution width="{WIDTH}" height="{HEIGHT}"/>
    <calibration type="frame" class="adjusted">
     <f>{fy!r}</f><b1>{fx - fy!r}</b1>
     <cx>{cx - WIDTH / 2!r}</cx><cy>{cy - HEIGHT / 2!r}</cy>
    </calibration>
   </sensor>
  </sensors>
  <components next_id="1"><component id="0" label="Component 1"/></components>
  <cameras next_id="3" next_group_id="1">
   <group id="0" label="flight" type="folder">{cameras}</group>
  </cameras>
 </chunk>
</document>
'''
    )


_MAKERS = {
    "opencv": _opencv,
    "opencv_object": _opencv_object,
    "nerfstudio": _nerfstudio,
    "blender": _blender,
    "dl3dv": _dl3dv,
    "llff": _llff,
    "realestate10k": _realestate10k,
    "polycam": _polycam,
    "record3d": _record3d,
    "metashape": _metashape,
    "colmap_text": _colmap_text,
    "colmap_binary": _colmap_binary,
}


@pytest.fixture(params=sorted(_MAKERS))
def layout(request: pytest.FixtureRequest) -> str:
    """The name of every layout in turn."""
    return request.param
