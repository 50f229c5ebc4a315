"""A tiny renderer, tiny views and a dataset folder of the published layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from nvs.cameras import Camera, orbit
from nvs.config import ModelConfig
from nvs.model.checkpoint import Checkpoint, random_checkpoint
from nvs.scene import PosedViews, Renderer

HEIGHT, WIDTH = 16, 24


@pytest.fixture(scope="session")
def checkpoint() -> Checkpoint:
    config = ModelConfig(dim=32, num_blocks=3, attention_head_dim=16, fast_head_dim=32)
    return random_checkpoint(config)


@pytest.fixture
def renderer(checkpoint: Checkpoint) -> Renderer:
    return Renderer(checkpoint, model_id="random", device="cpu", precision="float32")


@pytest.fixture
def ring() -> Camera:
    return orbit(
        6,
        radius=2.7,
        elevation_radians=0.3,
        hfov_radians=0.9,
        height=HEIGHT,
        width=WIDTH,
    )


@pytest.fixture
def views(ring: Camera) -> PosedViews:
    names = tuple(f"{index}.png" for index in range(6))
    return PosedViews(image=torch.rand(6, 3, HEIGHT, WIDTH), camera=ring, names=names)


@pytest.fixture
def dataset(tmp_path: Path, ring: Camera) -> Path:
    """Six 24×16 PNG files with their `opencv_cameras.json`."""
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    frames = []
    generator = torch.Generator().manual_seed(0)
    for index, camera in enumerate(ring):
        name = f"images/{index}.png"
        pixels = torch.randint(0, 256, (HEIGHT, WIDTH, 3), generator=generator)
        Image.fromarray(pixels.to(torch.uint8).numpy()).save(folder / name)
        fx, fy, cx, cy = camera.intrinsics[0].tolist()
        w2c = torch.linalg.inv(camera.world_from_camera[0].double()).tolist()
        frames.append(
            {"w": WIDTH, "h": HEIGHT, "fx": fx, "fy": fy, "cx": cx, "cy": cy}
            | {"w2c": w2c, "file_path": name}
        )
    (folder / "opencv_cameras.json").write_text(json.dumps(frames))
    return folder
