"""What a build would take on this machine, without building."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from nvs.model import cost
from nvs.model.network import LaCTNetwork
from nvs.scene.bench import matmul_flops_per_second, random_views, time_repeats
from nvs.scene.frames import Frame
from nvs.scene.renderer import Renderer
from nvs.scene.views import common_size

TRIAL_BLOCKS = 2
"""Of the network whose prefill is timed: one that hands over, and the last."""


def plan(
    renderer: Renderer,
    frames: Sequence[Frame],
    *,
    size: tuple[int, int] | int | None,
    dtype: torch.dtype,
) -> dict[str, Any]:
    """Work, time and memory of a scene of frames, none of which is decoded.

    Objects whose background is left out (`nvs.model.shown`) take less of all of it.

    Args:
        renderer: What would build.
        frames: The inputs.
        size: See `load_views`.
        dtype: Precision in which the scene would be kept.

    Returns:
        `views`, `height`, `width`, `tokens`, `flops` (two a multiply-add),
        `ceiling_flops_per_second` (of large products, measured now), `expected_share`
        of that (of one group of views through a few blocks, measured now) and
        `expected_seconds`; `group_views`, how many are worked on at once;
        `memory_bytes` and its parts `weights_bytes`, `images_bytes` (of two groups),
        `residual_bytes` and `group_bytes`; `scene_bytes`.

    Raises:
        CameraError: If a camera is unusable; the message names its frame.
        ConfigError: If the size is smaller than one patch.
    """
    config = renderer.config
    height, width = common_size(frames, size=size, patch_size=config.patch_size)
    num_views = len(frames)
    group_views = min(num_views, renderer.group_size(height, width))
    flops = cost.prefill_flops(config, num_views=num_views, height=height, width=width)
    ceiling = matmul_flops_per_second(renderer.device, renderer.precision.compute)
    rate = _trial_flops_per_second(renderer, group_views, height=height, width=width)
    scene_bytes = cost.num_fast_parameters(config) * dtype.itemsize
    scene_bytes += cost.bytes_beside(
        config, num_views=num_views, height=height, width=width
    )
    memory = {
        "weights_bytes": sum(p.nbytes for p in renderer.network.parameters()),
        "images_bytes": min(num_views, 2 * group_views)
        * (3 * height * width * torch.float32.itemsize),
        "residual_bytes": num_views
        * cost.residual_bytes_per_view(config, height, width),
        "group_bytes": group_views
        * cost.activation_bytes_per_view(config, height, width),
    }
    return {
        "weights": renderer.model_id,
        "device": str(renderer.device),
        "precision": renderer.precision.name,
        "views": num_views,
        "height": height,
        "width": width,
        "tokens": num_views * cost.num_tokens(config, height, width),
        "flops": flops,
        "ceiling_flops_per_second": ceiling,
        "expected_share": rate / ceiling,
        "expected_seconds": flops / rate,
        "group_views": group_views,
        "memory_bytes": sum(memory.values()) + scene_bytes,
        **memory,
        "scene_bytes": scene_bytes,
    }


def _trial_flops_per_second(
    renderer: Renderer, num_views: int, *, height: int, width: int
) -> float:
    """What a prefill reaches, measured on the first blocks of the network."""
    trial = copy.copy(renderer)
    blocks = min(TRIAL_BLOCKS, renderer.config.num_blocks)
    trial.config = replace(renderer.config, num_blocks=blocks)
    with torch.device("meta"):
        trial.network = LaCTNetwork(trial.config).requires_grad_(False)
    weights = renderer.network.state_dict()
    trial.network.load_state_dict(weights, strict=False, assign=True)
    renderer.precision.prepare(trial.network)
    size = {"num_views": num_views, "height": height, "width": width}
    views = random_views(**size)
    seconds = time_repeats(
        renderer.device, lambda: trial.prefill(views, framing="none"), 1
    )
    return cost.prefill_flops(trial.config, **size) / min(seconds)
