"""What a build would take on this machine, without building."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from nvs.model import cost
from nvs.scene.bench import matmul_flops_per_second
from nvs.scene.frames import Frame
from nvs.scene.renderer import Renderer
from nvs.scene.views import common_size

EXPECTED_SHARE = 0.5
"""Of the rate of large products that a prefill reaches; 0.5 was measured with the small
weights, 0.8 with the published width."""


def plan(
    renderer: Renderer,
    frames: Sequence[Frame],
    *,
    size: tuple[int, int] | int | None,
    dtype: torch.dtype,
) -> dict[str, Any]:
    """Work, time and memory of a scene of frames, none of which is decoded.

    Args:
        renderer: What would build.
        frames: The inputs.
        size: See `load_views`.
        dtype: Precision in which the scene would be kept.

    Returns:
        `views`, `height`, `width`, `tokens`, `flops` (two a multiply-add),
        `ceiling_flops_per_second` (of large products, measured now), `expected_share`
        of that and `expected_seconds`; `group_views`, how many are worked on at once;
        `memory_bytes` and its parts `weights_bytes`, `images_bytes`, `residual_bytes`
        and `group_bytes`; `scene_bytes`.

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
    scene_bytes = cost.num_fast_parameters(config) * dtype.itemsize
    memory = {
        "weights_bytes": sum(p.nbytes for p in renderer.network.parameters()),
        "images_bytes": num_views * 3 * height * width * torch.float32.itemsize,
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
        "expected_share": EXPECTED_SHARE,
        "expected_seconds": flops / (EXPECTED_SHARE * ceiling),
        "group_views": group_views,
        "memory_bytes": sum(memory.values()) + scene_bytes,
        **memory,
        "scene_bytes": scene_bytes,
    }
