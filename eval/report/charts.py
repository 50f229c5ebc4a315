"""Charts of a report, as SVG text to put into a page."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from eval.metrics import COLUMNS
from eval.published import Published
from eval.runs.records import Row
from eval.summary import Line, setting_of


def against_views(
    lines: Sequence[Line], published: Sequence[Published], column: str, title: str
) -> str:
    """A metric against the number of views: lines with intervals, papers dashed."""
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    axes = figure.subplots()
    by_label: dict[str, list[Line]] = {}
    for line in lines:
        if line.setting.num_views and line.metrics[column] is not None:
            by_label.setdefault(line.label, []).append(line)
    for label, own in by_label.items():
        views = [line.setting.num_views for line in own]
        values = [interval for line in own if (interval := line.metrics[column])]
        means = [value.mean for value in values]
        (drawn,) = axes.plot(views, means, marker="o", markersize=4, label=label)
        low, high = [v.low for v in values], [v.high for v in values]
        axes.fill_between(views, low, high, color=drawn.get_color(), alpha=0.15)
    papers: dict[str, list[Published]] = {}
    for one in published:
        papers.setdefault(one.method, []).append(one)
    for method, own in papers.items():
        axes.plot(
            [one.setting.num_views for one in own],
            [one.psnr if column == "psnr" else one.lpips for one in own],
            linestyle="--",
            marker="x",
            linewidth=1,
            alpha=0.7,
            label=f"{method}, published",
        )
    counts = sorted({line.setting.num_views for line in lines})
    counts = sorted({*counts, *(one.setting.num_views for one in published)})
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    unit = ", dB" if column.startswith("psnr") else ""
    axes.set(title=title, xlabel="input views", ylabel=COLUMNS[column] + unit)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize=7, frameon=False)
    return _svg(figure)


def scene_scatter(
    runs: Mapping[str, Sequence[Row]], first: str, second: str, column: str
) -> str:
    """Each scene at each setting: one method against another.

    Args:
        runs: Rows by label.
        first: Method on the x axis, named as lines label it.
        second: Method on the y axis.
        column: Which metric.
    """
    values: dict[tuple[object, str], dict[str, float]] = {}
    for label, rows in runs.items():
        for row in rows:
            name = f"{row['method']} ({label})" if label else row["method"]
            if name in (first, second) and row[column] is not None:
                values.setdefault((setting_of(row), row["scene"]), {})[name] = row[
                    column
                ]
    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    axes = figure.subplots()
    by_views: dict[int, list[tuple[float, float]]] = {}
    for (setting, _), both in values.items():
        if len(both) == 2:
            point = (both[first], both[second])
            by_views.setdefault(setting.num_views, []).append(point)  # pyright: ignore
    ends = [value for points in by_views.values() for pair in points for value in pair]
    for views, points in sorted(by_views.items()):
        axes.scatter(
            *zip(*points, strict=True), s=14, alpha=0.7, label=f"{views} views"
        )
    if ends:
        margin = 0.05 * (max(ends) - min(ends)) + 1e-3
        span = (min(ends) - margin, max(ends) + margin)
        axes.plot(span, span, color="grey", linewidth=0.8)
        axes.set(xlim=span, ylim=span)
        axes.legend(fontsize=7, framealpha=0.6)
    unit = ", dB" if column.startswith("psnr") else ""
    axes.set(
        title=f"{COLUMNS[column]}{unit} of every scene",
        xlabel=first,
        ylabel=second,
        aspect="equal",
    )
    axes.grid(alpha=0.3)
    return _svg(figure)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nvs"}):
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg)", "", text.getvalue(), flags=re.DOTALL)
