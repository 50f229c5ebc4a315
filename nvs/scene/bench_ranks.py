"""How fast several ranks build a scene, compute and communication measured apart."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from nvs.model import cost
from nvs.parallel.group import Group
from nvs.parallel.split import dealt
from nvs.parallel.timing import PrefillTime, shared_time
from nvs.scene.bench import device_name, random_views
from nvs.scene.renderer import Renderer


def bench_ranks(
    renderer: Renderer,
    *,
    num_views: int,
    height: int,
    width: int,
    repeats: int,
) -> dict[str, Any]:
    """Measure a prefill by one rank and by all, and what the model says of it.

    Called by all ranks. One rank's prefill is made by the first while the others wait;
    directions and exchanges are timed by themselves, on gradients of the same shapes.

    Args:
        renderer: One of a group's ranks.
        num_views: Input views.
        height: Their height in pixels.
        width: Their width in pixels.
        repeats: How often each is timed, after once that does not count; medians.

    Raises:
        ConfigError: If there are more ranks than views.
    """
    config, device, group = renderer.config, renderer.device, renderer.group
    views = random_views(num_views, height=height, width=width)
    own = group.part(num_views, "views")
    by_itself = renderer.among(Group.alone(device))
    gradients = [
        tuple(torch.randn_like(w)[None].float() for w in block.lact.initial)
        for block in renderer.network.layers
    ]

    layers = [block.lact for block in renderer.network.layers]
    dtype = renderer.precision.newton_schulz

    def directions() -> None:
        for lact, gradient in zip(layers, gradients, strict=True):
            lact.direction(gradient)

    def exchanges() -> None:
        for gradient in gradients:
            dealt(gradient, group, lambda matrices: matrices.to(dtype), dtype)

    def alone() -> None:
        if group.is_first:
            by_itself.prefill(views)

    def seconds(work: Callable[[], object]) -> float:
        times: list[float] = []
        for _ in range(repeats + 1):
            group.wait()
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            group.wait()
            times.append(time.perf_counter() - start)
        return statistics.median(times[1:])

    one = seconds(alone)
    all_ranks = seconds(lambda: renderer.prefill(views[own.start : own.stop]))
    step, exchange = seconds(directions), seconds(exchanges)
    predicted = shared_time(
        PrefillTime(views=one - step, steps=step, exchanges=0.0),
        num_views=num_views,
        num_matrices=cost.num_matrices(config),
        ranks=group.size,
        exchanges=exchange,
    )
    num_bytes = cost.prefill_exchange_bytes(config, dtype.itemsize)
    return {
        "device": device_name(device),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "precision": renderer.precision.name,
        "model": renderer.model_id,
        "ranks": group.size,
        "num_views": num_views,
        "height": height,
        "width": width,
        "repeats": repeats,
        "one_rank_seconds": one,
        "all_ranks_seconds": all_ranks,
        "speed_up": one / all_ranks,
        "efficiency": one / all_ranks / group.size,
        "step_seconds": step,
        "step_share": predicted.steps / all_ranks,
        "exchange_seconds": exchange,
        "exchange_share": exchange / all_ranks,
        "exchanged_bytes": num_bytes,
        "exchanged_bytes_per_second": num_bytes / exchange,
        "predicted_seconds": predicted.total,
        "predicted_over_measured": predicted.total / all_ranks,
    }
