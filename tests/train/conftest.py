"""Small runs for the tests of the trainer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nvs.cameras import Camera
from nvs.model.trained_on import TrainedOn
from nvs.train.batch import Batch, Order
from nvs.train.config import TrainConfig
from nvs.train.data import Mixture
from nvs.train.loop import Trainer
from nvs.train.presets import preset

MakeConfig = Callable[..., TrainConfig]
MakeTrainer = Callable[..., Trainer]

SMALL: dict[str, Any] = {
    "model": {
        "dim": 32,
        "num_blocks": 2,
        "fast_head_dim": 16,
        "attention_head_dim": 16,
    },
    "stages": [
        {"height": 16, "width": 16, "batch": 2, "inputs": [2, 3], "targets": [1, 2]}
    ],
    "steps": 6,
    "scenes_per_group": 1,
    "precision": "float32",
    "newton_schulz_dtype": "float32",
    "compile": False,
    "lpips_weight": 0,
    "workers": 0,
    "warmup_steps": 2,
    "skip_after": 0,
    "log_every": 1,
    "checkpoint_every": 2,
    "heldout_every": 100,
    "heldout_scenes": 0,
    "tensorboard": False,
}


@pytest.fixture(scope="session")
def make_config() -> MakeConfig:
    """Build a configuration of a small network and run."""

    def make(**values: Any) -> TrainConfig:
        return preset("tiny", SMALL | values)

    return make


class PaintedScenes:
    """Scenes whose colour is an easy function of the order's seed and the view."""

    name = "painted"
    shows = TrainedOn()

    def prepare(self, order: Order) -> Batch:
        """Paint each view in one colour, brighter to the right."""
        draw = torch.Generator().manual_seed(order.seed)
        scenes, views = order.num_scenes, order.num_views
        eye = torch.nn.functional.normalize(
            torch.randn(scenes * views, 3, generator=draw), dim=-1
        )
        camera = Camera.look_at(
            2.7 * eye,
            torch.zeros(3),
            up=torch.tensor([0.0, 0.0, 1.0]),
            hfov_radians=0.87,
            height=order.height,
            width=order.width,
        )
        colour = torch.rand(scenes, 1, 3, 1, 1, generator=draw)
        ramp = torch.linspace(0, 0.5, order.width)
        image = (colour / 2 + ramp).expand(-1, views, -1, order.height, -1)
        return Batch(
            image=image.contiguous(),
            world_from_camera=camera.world_from_camera.unflatten(0, (scenes, views)),
            intrinsics=camera.intrinsics.unflatten(0, (scenes, views)),
            num_inputs=order.num_inputs,
        )

    def finish(self, prepared: Batch, order: Order, device: torch.device) -> Batch:
        """Copy to the device."""
        return prepared.to(device)


@pytest.fixture(scope="session")
def painted() -> Mixture:
    """A mixture of one source that costs nothing."""
    return Mixture(sources=[PaintedScenes()], weights=[1.0])


@pytest.fixture
def posed_set(tmp_path: Path) -> Callable[..., Path]:
    """Write a posed set in the published layout: cameras on a circle."""

    def write(num_views: int = 8, size: int = 32, name: str = "set") -> Path:
        folder = tmp_path / name
        (folder / "images").mkdir(parents=True)
        angle = torch.linspace(0, 2 * torch.pi, num_views + 1)[:-1]
        eye = 2.7 * torch.stack(
            [angle.cos(), angle.sin(), torch.full_like(angle, 0.3)], 1
        )
        camera = Camera.look_at(
            eye,
            torch.zeros(3),
            up=torch.tensor([0.0, 0.0, 1.0]),
            hfov_radians=0.87,
            height=size,
            width=size,
        )
        entries: list[dict[str, Any]] = []
        for index in range(num_views):
            pixels = np.full((size, size, 3), index * 255 // num_views, dtype=np.uint8)
            file = f"images/{index:03d}.png"
            Image.fromarray(pixels).save(folder / file)
            fx, fy, cx, cy = camera.intrinsics[index].tolist()
            pose = torch.linalg.inv(camera.world_from_camera[index].double())
            entries.append(
                {"w": size, "h": size, "fx": fx, "fy": fy, "cx": cx, "cy": cy}
                | {"w2c": pose.tolist(), "file_path": file}
            )
        (folder / "opencv_cameras.json").write_text(json.dumps(entries))
        return folder

    return write
