"""Minutes of continuous motion in a real scene: how fast it goes, and no growing lag.

The network has the size of `lact_small` and weights as before any training: they cost
the same. Run it for its numbers, which it prints:

    python -m pytest tests/viewer/test_motion.py -m slow -s
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from nvs.assets import SAMPLE
from nvs.client import Client
from nvs.config import ModelConfig, preset
from nvs.model.checkpoint import random_checkpoint, save_checkpoint
from nvs.scene import Scene
from tests.served import Served
from tests.viewer.pump import Pumped, pump
from trials.load.direct import around, asked

NUM_VIEWS = 8
NUM_POSES = 240
MINUTES = 2.0
GROWTH_LIMIT = 1.3
"""Of the median latency, from the second quarter of the time to the last."""


def moved(page: Page, served: Served, *, size_px: int, seconds: float) -> Pumped:
    """Build the sample with the only weights served, and go round it."""
    with Client(served.base_url) as client:
        made = client.create_scene("sample")
        client.upload_dataset(made.id, SAMPLE)
        client.build(made.id, size=size_px, views=range(NUM_VIEWS))
        file = served.data_folder / "taken-home.scene"
        client.download_scene(made.id, file)
    cameras = asked(around(Scene.load(file), NUM_POSES, size_px))
    address = f"{served.base_url}/v1/scenes/{made.id}/stream".replace("http", "ws")
    return pump(
        page,
        address,
        [camera.model_dump() for camera in cameras],
        height=size_px,
        width=size_px,
        num_warm=5,
        seconds=seconds,
    )


def weights_of(config: ModelConfig, folder: Path) -> Path:
    """A weights file as before any training."""
    checkpoint = random_checkpoint(config)
    file = folder / "untrained.safetensors"
    save_checkpoint(file, config, checkpoint.state, about=checkpoint.about)
    return file


@pytest.mark.slow
@pytest.mark.parametrize("size_px", [128, 256])
def test_lag_does_not_grow_in_continuous_motion(
    open_page: Callable[..., Page],
    serve: Callable[..., Served],
    tmp_path: Path,
    size_px: int,
) -> None:
    config = preset("lact_small")
    served = serve(weights=str(weights_of(config, tmp_path)), threads=1)
    page = open_page(served.base_url)
    pumped = moved(page, served, size_px=size_px, seconds=60 * MINUTES)
    print("\n" + json.dumps({"size_px": size_px} | pumped.figures()))  # noqa: T201
    quarters = np.array_split(pumped.latency_ms, 4)
    assert np.median(quarters[3]) < GROWTH_LIMIT * np.median(quarters[1])
