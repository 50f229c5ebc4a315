"""Draws PSNR, SSIM and LPIPS against the number of input views, of runs of `nvs eval`.

python examples/plot_quality.py runs/gso docs/pictures/quality.png
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

PANELS = {
    "psnr": "PSNR, dB",
    "ssim_gaussian": "SSIM",
    "lpips_vgg": "LPIPS (VGG), less is better",
}
LINES = {"mean": ":", "nearest": "--"}
"""Baselines; weights are drawn through."""


def draw(run: Path, path: Path) -> None:
    """A panel a metric, a colour a size, a kind of line a method."""
    with (run / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(PANELS))
    sizes = sorted({int(row["height"]) for row in rows})
    methods = sorted({row["method"] for row in rows})
    for panel, (column, title) in zip(panels, PANELS.items(), strict=True):
        for number, size in enumerate(sizes):
            for method in methods:
                own = [
                    (int(row["num_views"]), float(row[column]))
                    for row in rows
                    if (int(row["height"]), row["method"]) == (size, method)
                    and row[column]
                ]
                panel.plot(
                    *zip(*sorted(own), strict=True),
                    linestyle=LINES.get(method, "-"),
                    marker="o",
                    markersize=3,
                    color=f"C{number}",
                    label=f"{method}, {size}²",
                )
        panel.set_title(title, fontsize=10)
        panel.set_xlabel("input views")
        panel.grid(alpha=0.3)
    labels = panels[0].get_legend_handles_labels()
    figure.legend(*labels, loc="outside right center", fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
