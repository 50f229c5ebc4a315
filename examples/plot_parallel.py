"""Draws how well several GPUs share a build, as `nvs.parallel.timing` predicts it.

python examples/plot_parallel.py docs/pictures/parallel-efficiency.png
"""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nvs.config import preset
from nvs.parallel.timing import LINKS, Link, prefill_time

RANKS = [1, 2, 4, 8, 16, 32, 64]
VIEWS = [16, 32, 64, 128]
SHOWN = ["NVLink 4", "InfiniBand 400 Gb/s", "Ethernet 10 Gb/s"]
GPU_FLOPS_PER_SECOND = 3e14
"""What an H100 is assumed to reach in bfloat16: a third of its peak."""


def seconds(ranks: int, num_views: int, link: Link) -> float:
    """A build of 536×960 views with the largest released network."""
    return prefill_time(
        preset("lact_l24_d768_ttt4x"),
        num_views=num_views,
        height=536,
        width=960,
        ranks=ranks,
        flops_per_second=GPU_FLOPS_PER_SECOND,
        link=link,
    ).total


def draw(path: Path) -> None:
    """Efficiency over ranks, a panel a link and a line a number of views."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(SHOWN), sharey=True)
    for panel, name in zip(panels, SHOWN, strict=True):
        for num_views in VIEWS:
            ranks = [count for count in RANKS if count <= num_views]
            alone = seconds(1, num_views, LINKS[name])
            shares = [alone / n / seconds(n, num_views, LINKS[name]) for n in ranks]
            panel.plot(ranks, shares, marker="o", markersize=3, label=f"{num_views}")
        panel.set_xscale("log", base=2)
        panel.set_xticks(RANKS, [str(count) for count in RANKS])
        panel.set_ylim(0, 1.05)
        panel.set_title(name, fontsize=10)
        panel.set_xlabel("GPUs")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("speed-up ÷ GPUs")
    panels[0].legend(title="views", fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
