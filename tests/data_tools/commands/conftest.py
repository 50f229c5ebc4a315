"""Small captures, videos and models for the data commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import imageio.v2 as imageio
import numpy as np
import pytest
import torch
from PIL import Image

from nvs_data.rigs import gso_rig
from tests.cli.conftest import dataset, nvs, weights

__all__ = ["dataset", "nvs", "weights"]

HEIGHT, WIDTH = 144, 192
FOCAL_PX = 200.0
CARDS = ((6.0, 0.0, 0.0, 8.0), (4.0, -1.1, 0.3, 1.3), (3.2, 0.8, -0.4, 1.1))
"""Papered squares that face the cameras: distance, x and y of the middle, side."""


def paper(seed: int, size_px: int = 512) -> np.ndarray:
    """Blobs of all sizes."""
    random = np.random.default_rng(seed)
    layers = [
        cv2.resize(random.random((n, n, 3)), (size_px, size_px)) for n in (16, 64, 200)
    ]
    return np.rint(255 * np.clip(sum(layers) / 3 * 2 - 0.5, 0, 1)).astype(np.uint8)


def walk(num_views: int) -> list[np.ndarray]:
    """Pictures of the cards by cameras that move and look the same way."""
    papers = [paper(seed) for seed in range(len(CARDS))]
    pictures = []
    for s in np.linspace(-1, 1, num_views):
        eye = np.array([0.7 * s, 0.25 * s * s, 0.2 * s])
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for (z, x, y, side), texture in zip(CARDS, papers, strict=True):
            scale = side / len(texture)
            corner = np.array([x - side / 2, y - side / 2, z]) - eye
            camera = np.array(
                [[FOCAL_PX, 0, WIDTH / 2], [0, FOCAL_PX, HEIGHT / 2], [0, 0, 1.0]]
            )
            plane = np.array(
                [[scale, 0, corner[0]], [0, scale, corner[1]], [0, 0, corner[2]]]
            )
            cv2.warpPerspective(
                texture,
                camera @ plane,
                (WIDTH, HEIGHT),
                dst=image,
                flags=cv2.INTER_AREA,
                borderMode=cv2.BORDER_TRANSPARENT,
            )
        pictures.append(image)
    return pictures


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six overlapping photographs, and a plain one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for view, picture in enumerate(walk(6)):
        Image.fromarray(picture).save(folder / f"{view}.png")
    Image.new("RGB", (WIDTH, HEIGHT), "grey").save(folder / "plain.png")
    return folder


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Twenty frames of the same walk."""
    file = tmp_path / "walk.mp4"
    with imageio.get_writer(file, fps=20, quality=9) as writer:
        for picture in walk(20):
            writer.append_data(picture)
    return file


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A capture without faults: the 64 cameras of the evaluation, noise on white."""
    folder = tmp_path / "capture"
    folder.mkdir()
    frames: list[dict[str, Any]] = []
    for index, camera in enumerate(gso_rig(24, 24)):
        noise = torch.randint(0, 256, (22, 22, 3), dtype=torch.uint8).numpy()
        pixels = np.pad(noise, ((1, 1), (1, 1), (0, 0)), constant_values=255)
        Image.fromarray(pixels).save(folder / f"{index}.png")
        fx, fy, cx, cy = camera.intrinsics[0].tolist()
        w2c = torch.linalg.inv(camera.world_from_camera[0].double())
        frames.append(
            {"w": 24, "h": 24, "fx": fx, "fy": fy, "cx": cx, "cy": cy}
            | {"w2c": w2c.tolist(), "file_path": f"{index}.png"}
        )
    (folder / "opencv_cameras.json").write_text(json.dumps(frames))
    return folder


@pytest.fixture
def change(capture: Path) -> Any:
    """Changes the list of frames of the capture."""

    def apply(edit: Any) -> Path:
        file = capture / "opencv_cameras.json"
        file.write_text(json.dumps(edit(json.loads(file.read_text()))))
        return capture

    return apply


@pytest.fixture
def opengl(change: Any) -> Path:
    """The capture, its poses stored with OpenGL axes."""

    def flip(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for frame in frames:
            frame["w2c"] = (np.diag([1, -1, -1, 1]) @ frame["w2c"]).tolist()
        return frames

    return change(flip)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Two tetrahedra and a file that is no model."""
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("a", "c"):
        (folder / f"{name}.obj").write_text(
            "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
        )
    (folder / "b.obj").write_text("v 0 0 0\n")
    return folder


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures drawn without OpenGL: what is tested is what is done with them."""

    def render_views(mesh: Any, camera: Any) -> Any:
        for _ in range(len(camera)):
            yield np.zeros((camera.height, camera.width, 4), np.uint8)

    monkeypatch.setattr("nvs_data.meshes.posed_sets.render_views", render_views)
