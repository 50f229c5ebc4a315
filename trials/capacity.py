"""How many GPUs for how many renders: a discrete-event simulation of the routing.

    python -m trials.capacity [docs/pictures/capacity.png]

Renders arrive at random, their scenes by Zipf's law. Each GPU does one after another
and keeps the scenes it used last; another scene is loaded first. A GPU with `QUEUE`
renders in the house takes no more: the render goes where the policy says next, or is
refused. Without batches, streams, builds and failures; all policies get the same
renders. It takes three minutes.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from nvs.config import preset
from nvs.model import cost

NETWORK, HEIGHT, WIDTH = "lact_l24_d768_ttt2x", 512, 512
FLOPS_PER_SECOND = 3e14
"""What an H100 is assumed to reach, as in docs/parallel.md; no GPU was measured."""
LOAD_BYTES_PER_SECOND = 1e9
"""Of a scene file from the node's disk or the store, assumed."""
DOLLARS_PER_HOUR = 2.5
"""Of a GPU, assumed."""
SCENE_BYTES = 2 * cost.num_fast_parameters(preset(NETWORK))
"""In bfloat16, in memory and in files."""
RENDER_SECONDS = (
    cost.render_flops(preset(NETWORK), height=HEIGHT, width=WIDTH) / FLOPS_PER_SECOND
)
LOAD_SECONDS = SCENE_BYTES / LOAD_BYTES_PER_SECOND

CACHED = 200
"""Scenes in the memory of a GPU."""
SCENES_PER_GPU = 100
"""Of the whole service; they grow with it."""
RENDERS_PER_GPU = 40.0
"""A second that arrive for each GPU."""
QUEUE = 32
NUM_RENDERS = 500
"""For each GPU that are counted, at least `LEAST` in all; as many go before."""
CHOICES = 10
"""GPUs in a scene's own order, at the most."""
LEAST = 100_000
SEED = 1
POLICIES = ("random", "hash", "second when full", "shorter of two", "on when full")
SIZES = (10, 30, 100, 300, 1000)


@dataclass(frozen=True, slots=True)
class Found:
    """What a policy comes to."""

    policy: str
    num_gpus: int
    zipf: float
    is_warm: bool
    hit_share: float
    refused_share: float
    p50_ms: float
    p99_ms: float

    @property
    def dollars(self) -> float:
        """GPUs for a thousand renders that were not refused."""
        served = RENDERS_PER_GPU * (1 - self.refused_share)
        return DOLLARS_PER_HOUR / 3600 / served * 1000


@dataclass(slots=True)
class Gpu:
    """One GPU: when the renders in the house will be done, and its scenes."""

    ends: deque[float]
    scenes: OrderedDict[int, None]

    def num_waiting(self, now: float) -> int:
        """Renders waiting and running."""
        while self.ends and self.ends[0] <= now:
            self.ends.popleft()
        return len(self.ends)

    def keep(self, scene: int) -> bool:
        """Whether a scene is there; from now on it is."""
        is_there = scene in self.scenes
        self.scenes[scene] = None
        self.scenes.move_to_end(scene)
        if len(self.scenes) > CACHED:
            self.scenes.popitem(last=False)
        return is_there


def taker(policy: str, ranking: Sequence[int], gpus: list[Gpu], now: float) -> int:
    """The GPU that takes a render; -1 if it is refused."""
    match policy:
        case "hash" | "random":
            asked = ranking[:1]
        case "second when full":
            asked = ranking[:2]
        case "shorter of two":
            asked = sorted(ranking[:2], key=lambda gpu: gpus[gpu].num_waiting(now))
        case _:
            asked = ranking
    return next((gpu for gpu in asked if gpus[gpu].num_waiting(now) < QUEUE), -1)


def simulate(policy: str, num_gpus: int, zipf: float, *, is_warm: bool = True) -> Found:
    """One policy under one load.

    Args:
        policy: One of `POLICIES`.
        num_gpus: How many there are.
        zipf: Exponent of the popularity.
        is_warm: Whether GPUs begin with the scenes that are theirs, or with none.
    """
    generator = np.random.default_rng(SEED)
    num_scenes = SCENES_PER_GPU * num_gpus
    popularity = np.arange(1, num_scenes + 1) ** -zipf
    popularity /= popularity.sum()
    counted = max(NUM_RENDERS * num_gpus, LEAST)
    rate = RENDERS_PER_GPU * num_gpus
    times = np.cumsum(generator.exponential(1 / rate, 2 * counted)).tolist()
    scenes = generator.choice(num_scenes, 2 * counted, p=popularity).tolist()
    chooser = random.Random(SEED)
    rankings = [
        chooser.sample(range(num_gpus), min(num_gpus, CHOICES))
        for _ in range(num_scenes)
    ]
    gpus = [Gpu(deque(), OrderedDict()) for _ in range(num_gpus)]
    for scene in reversed(range(num_scenes)) if is_warm else ():
        if policy != "random":
            gpus[rankings[scene][0]].keep(scene)
        elif scene < CACHED:
            for gpu in gpus:
                gpu.keep(scene)
    num_hits = num_refused = 0
    waits: list[float] = []
    for index, (now, scene) in enumerate(zip(times, scenes, strict=True)):
        ranking = rankings[scene]
        if policy == "random":
            ranking = [chooser.randrange(num_gpus)]
        taken = taker(policy, ranking, gpus, now)
        is_counted = index >= counted
        if taken < 0:
            num_refused += is_counted
            continue
        gpu = gpus[taken]
        is_hit = gpu.keep(scene)
        begun = gpu.ends[-1] if gpu.ends else now
        end = begun + RENDER_SECONDS + (0.0 if is_hit else LOAD_SECONDS)
        gpu.ends.append(end)
        if is_counted:
            num_hits += is_hit
            waits.append(end - now)
    p50, p99 = np.quantile(waits, [0.5, 0.99])
    return Found(
        policy=policy,
        num_gpus=num_gpus,
        zipf=zipf,
        is_warm=is_warm,
        hit_share=num_hits / len(waits),
        refused_share=num_refused / counted,
        p50_ms=1000 * p50,
        p99_ms=1000 * p99,
    )


def show(found: Sequence[Found]) -> None:
    """A table."""
    head = (
        "begins",
        "Zipf",
        "GPUs",
        "policy",
        "in cache",
        "refused",
        "p50 ms",
        "p99 ms",
        "$",
    )
    table = Table(*head, box=None)
    for one in found:
        table.add_row(
            "warm" if one.is_warm else "cold",
            *(f"{one.zipf:g}", str(one.num_gpus), one.policy),
            *(f"{100 * one.hit_share:.1f} %", f"{100 * one.refused_share:.1f} %"),
            *(f"{one.p50_ms:.0f}", f"{one.p99_ms:.0f}", f"{one.dollars:.4f}"),
        )
    Console(width=100).print(table)


def draw(found: Sequence[Found], path: Path) -> None:
    """What is found over the number of GPUs, a line a policy."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 3)
    shown = (
        ("found in the cache, %", lambda one: 100 * one.hit_share),
        ("refused, %", lambda one: 100 * one.refused_share),
        ("p99, ms", lambda one: one.p99_ms),
    )
    for panel, (title, value) in zip(panels, shown, strict=True):
        for policy in POLICIES:
            of_policy = [one for one in found if one.policy == policy]
            panel.plot(
                [one.num_gpus for one in of_policy],
                [value(one) for one in of_policy],
                marker="o",
                markersize=3,
                label=policy,
            )
        panel.set_xscale("log")
        panel.set_ylim(bottom=0)
        panel.set_title(title, fontsize=10)
        panel.set_xlabel("GPUs")
        panel.grid(alpha=0.3)
    panels[1].legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    found = [
        simulate(policy, size, 1.0)
        for size, policy in itertools.product(SIZES, POLICIES)
    ]
    flat = [
        simulate(policy, SIZES[-1], 0.6, is_warm=is_warm)
        for is_warm, policy in itertools.product((True, False), POLICIES)
    ]
    show([*found, *flat])
    if len(sys.argv) > 1:
        draw(found, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
