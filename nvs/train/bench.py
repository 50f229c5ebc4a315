"""How fast scenes are made, and how fast a network trains on them, part by part."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from nvs.errors import ConfigError
from nvs.model import cost
from nvs.scene.bench import (
    device_name,
    matmul_flops_per_second,
    peak_memory,
    spread,
    time_repeats,
)
from nvs.train import runtime
from nvs.train.batch import Batch, Order
from nvs.train.config import Stage, TrainConfig
from nvs.train.data import Mixture, check_sources
from nvs.train.distributed import Processes
from nvs.train.learner import Learner
from nvs.train.sources import load
from nvs.train.synthetic import Photographs, draw_scenes

NUM_SETTLING = 2
"""First steps, which compile."""


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
    seeds = iter(range(repeats + 1))

    def make() -> object:
        drawn = draw_scenes(
            kind,
            batch=scenes,
            views=views,
            height=height,
            width=width,
            seed=next(seeds),
            photographs=photographs is not None,
        )
        return drawn.render(device, photographs=photographs)

    times = time_repeats(device, make, repeats)
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
        "spread": spread(times),
        "milliseconds_per_scene": 1000 * seconds / scenes,
        "views_per_second": scenes * views / seconds,
    }


def bench_training(
    config: TrainConfig,
    mixture: Mixture,
    *,
    num_inputs: int,
    num_targets: int,
    size: int,
    repeats: int,
    processes: Processes,
) -> dict[str, Any]:
    """Medians over steps of one group of scenes a process.

    Operations are those of the matrix products of the network, forward and twice that
    backward; the ceiling is a large product in the precision of the run, on one of the
    processes.

    Args:
        config: The run; its stages do not count.
        mixture: Where scenes come from: one source.
        num_inputs: Input views of a scene.
        num_targets: Target views of a scene.
        size: Image side in pixels.
        repeats: Timed steps.
        processes: This process among those that train together.

    Raises:
        ConfigError: If there are several sources.
        DatasetError: If a posed set has fewer views.
    """
    if len(mixture.sources) != 1:
        raise ConfigError(
            f"data is {config.data}", remedy="Give one source: one is measured."
        )
    device, world = processes.device, processes.everyone.size
    num_scenes = config.scenes_per_group
    stage = Stage(
        height=size,
        width=size,
        batch=num_scenes * world,
        inputs=(num_inputs,),
        targets=(num_targets,),
        lpips=config.lpips_weight > 0,
    )
    config = dataclasses.replace(config, stages=(stage,), lpips_from=0)
    check_sources(config, mixture)
    learner = Learner(config, processes)
    seconds: dict[str, list[float]] = {
        part: [] for part in ("data", "forward", "backward", "step")
    }
    with peak_memory(device) as memory:
        for number in range(NUM_SETTLING + repeats):
            order = Order(
                seed=number * world + processes.everyone.rank,
                num_scenes=num_scenes,
                num_inputs=num_inputs,
                num_targets=num_targets,
                height=size,
                width=size,
            )
            for part, spent in _timed_step(learner, mixture, order, number).items():
                if number >= NUM_SETTLING:
                    seconds[part].append(spent)
    median = {part: statistics.median(times) for part, times in seconds.items()}
    tokens = (num_inputs + num_targets) * cost.num_tokens(config.model, size, size)
    tokens *= num_scenes * world
    flops = (
        world
        * num_scenes
        * cost.train_flops(
            config.model,
            num_inputs=num_inputs,
            num_targets=num_targets,
            height=size,
            width=size,
        )
    )
    precision = runtime.dtype(config.precision, processes)
    ceiling = world * matmul_flops_per_second(device, precision)
    whole = median["data"] + median["step"]
    return {
        "device": device_name(device),
        "how": runtime.describe(config, processes),
        "parameters": cost.num_parameters(config.model),
        "views": num_inputs + num_targets,
        "inputs": num_inputs,
        "size": size,
        "tokens": tokens,
        "tokens_per_second": tokens / whole,
        "flops_per_second": flops / whole,
        "ceiling_flops_per_second": ceiling,
        "share_of_ceiling": flops / whole / ceiling,
        **{f"{part}_seconds": value for part, value in median.items()},
        "update_seconds": median["step"] - median["forward"] - median["backward"],
        "spread": spread(seconds["step"]),
        "peak_bytes": memory.peak_bytes,
    }


def _timed_step(
    learner: Learner, mixture: Mixture, order: Order, number: int
) -> dict[str, float]:
    """Seconds of the parts of a step, the network's passes also by themselves."""
    device = learner.processes.device
    held: dict[str, Any] = {}

    def timed(work: Callable[[], object]) -> float:
        begun = time.perf_counter()
        held["result"] = work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - begun

    source = mixture.sources[0]
    data = timed(lambda: learner.with_surfaces(load(source, order, device), number))
    batch: Batch = held["result"]
    weight = learner.config.lpips_weight
    forward = timed(lambda: learner.loss(batch, weight))
    backward = timed(held["result"].total.backward)
    step = timed(lambda: learner.train_step(batch, number, 0.5))
    return {"data": data, "forward": forward, "backward": backward, "step": step}
