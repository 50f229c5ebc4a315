"""How fast synthetic scenes are made."""

from __future__ import annotations

import statistics
from typing import Any

import torch

from nvs.scene.bench import device_name, time_repeats
from nvs.train.synthetic.batch import object_batch, room_batch
from nvs.train.synthetic.photographs import Photographs


def bench_scenes(
    kind: str,
    *,
    scenes: int,
    views: int,
    height: int,
    width: int,
    repeats: int,
    device: torch.device,
    photographs: Photographs | None = None,
) -> dict[str, Any]:
    """Median views a second over some batches, each of new scenes.

    Sizes are in pixels; the spread is (slowest - fastest) / median; the scenes wear
    photographs where some are given.
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
            photographs=photographs,
        ),
        repeats,
    )
    seconds = statistics.median(times)
    return {
        "kind": kind,
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "photographs": 0 if photographs is None else len(photographs),
        "scenes": scenes,
        "views": views,
        "height": height,
        "width": width,
        "seconds": seconds,
        "spread": (max(times) - min(times)) / seconds,
        "milliseconds_per_scene": 1000 * seconds / scenes,
        "views_per_second": scenes * views / seconds,
    }
