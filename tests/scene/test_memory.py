"""Prefill's memory is the residual stream plus one group, whatever the views.

The views are on disk, so that their images count: all of them at once would be three
times the residual stream.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from nvs.scene.bench import MEMORY_RESET

MEASURE = """
import json, sys, torch
import numpy as np
from nvs.cameras import orbit
from nvs.config import ModelConfig
from nvs.model import cost
from nvs.model.checkpoint import random_checkpoint
from nvs.scene import OpenedViews, Renderer, renderer
from nvs.scene.bench import peak_memory
from nvs.scene.frames import Frame

renderer.keep_freed_memory = lambda: None
torch.set_num_threads(1)
num_views, size = int(sys.argv[1]), 384
config = ModelConfig(dim=256, num_blocks=2, fast_head_dim=256, patch_size=16)
network = Renderer(
    random_checkpoint(config), model_id="r", device="cpu", budget_bytes=1
)
camera = orbit(num_views, radius=2.7, elevation_radians=0.3, hfov_radians=0.9,
               height=size, width=size)
noise = np.random.default_rng(0)

def photograph():
    return noise.integers(0, 256, (size, size, 3), np.uint8)

frames = [Frame(name=str(i), camera=c, load=photograph) for i, c in enumerate(camera)]
views = OpenedViews.from_frames(frames, size=None, patch_size=16)
network.prefill(views[range(2)])
with peak_memory(network.device) as memory:
    network.prefill(views)
residual = num_views * cost.residual_bytes_per_view(config, size, size)
print(json.dumps([memory.added_bytes, residual]))
"""


GIVEN_BACK_AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_TRIM_THRESHOLD_": "0"}
"""Of glibc: what was freed before must not hide what is taken now."""


def measured(num_views: int) -> tuple[int, int]:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(num_views)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | GIVEN_BACK_AT_ONCE,
    )
    added, residual = json.loads(done.stdout)
    return added, residual


@pytest.mark.skipif(
    not MEMORY_RESET.exists(), reason="needs Linux's peak-memory counter"
)
def test_grows_by_the_residual_stream_alone() -> None:
    few, few_residual = measured(8)
    many, many_residual = measured(72)
    growth, expected = many - few, many_residual - few_residual
    assert expected > 30 * 2**20
    # Images of all views at once would add three times the residual stream, their
    # activations over ten times.
    assert 0.9 * expected < growth < 1.2 * expected
