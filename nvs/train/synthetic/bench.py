"""How fast synthetic scenes are made."""

from __future__ import annotations

import statistics
from typing import Any

import torch

from nvs.scene.bench import device_name, time_repeats
from nvs.train.synthetic.batch import object_batch, room_batch


def bench_scenes(
    kind: str,
    *,
    scenes: int,
    views: int,
    height: int,
    width: int,
    repeats: int,
    device: torch.device,
) -> dict[str, Any]:
    """Median views a second over some batches, each of new scenes.

    Sizes are in pixels; the spread is (slowest - fastest) / median.
    """
    make = object_batch if kind == "object" else room_batch
    seeds = iter(range(repeats + 1))
    times = time_repeats(
        device,
        lambda: make(
            batch=scenes,
            views=views,
            height=height,
            width=width,
            seed=next(seeds),
            device=device,
        ),
        repeats,
    )
    seconds = statistics.median(times)
    return {
        "kind": kind,
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "scenes": scenes,
        "views": views,
        "height": height,
        "width": width,
        "seconds": seconds,
        "spread": (max(times) - min(times)) / seconds,
        "views_per_second": scenes * views / seconds,
    }
