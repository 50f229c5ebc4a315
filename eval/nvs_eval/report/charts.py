"""Charts of a report, as SVG text to put into a page."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from nvs.files import atomic_output
from nvs_eval.metrics import COLUMNS
from nvs_eval.published import Published
from nvs_eval.runs.records import Row
from nvs_eval.summary import Line, method_label, setting_of

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5b4b8a")
"""Told apart by most eyes (Okabe & Ito, Color Universal Design, 2008), and one more."""
PUBLISHED = "#8b93a1"

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "nvs",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8b93a1",
    "axes.titlesize": 10,
    "grid.color": "#e3e6ea",
    "legend.frameon": False,
}
MARKERS = "xv^sPD*"


def palette(labels: Sequence[str]) -> Mapping[str, str]:
    """The colours of some labels; after seven they come again."""
    unique = dict.fromkeys(labels)
    return {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(unique)}


def against_views(
    lines: Sequence[Line],
    published: Sequence[Published],
    column: str,
    title: str,
    colours: Mapping[str, str],
) -> str:
    """A metric against the number of views: lines with intervals, papers dashed."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.4, 4.4), layout="constrained")
        axes = figure.subplots()
        by_label: dict[str, list[Line]] = {}
        for line in lines:
            if line.setting.num_views and line.metrics[column] is not None:
                by_label.setdefault(line.label, []).append(line)
        for label, own in by_label.items():
            views = [line.setting.num_views for line in own]
            values = [interval for line in own if (interval := line.metrics[column])]
            means = [value.mean for value in values]
            colour = colours[label]
            axes.plot(views, means, "o-", markersize=4, color=colour, label=label)
            low, high = [v.low for v in values], [v.high for v in values]
            axes.fill_between(views, low, high, color=colour, alpha=0.15, linewidth=0)
        papers: dict[str, list[Published]] = {}
        for one in published:
            if column in one.metrics:
                papers.setdefault(one.method, []).append(one)
        for marker, (method, own) in zip(MARKERS, papers.items(), strict=False):
            axes.plot(
                [one.setting.num_views for one in own],
                [one.metrics[column] for one in own],
                linestyle="--",
                marker=marker,
                markersize=4,
                linewidth=0.8,
                color=PUBLISHED,
                label=f"{method}, published",
            )
        _views_axis(axes, [*lines, *published])
        axes.set(title=title, ylabel=_named(column))
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
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
    values: dict[tuple[Any, str], dict[str, float]] = {}
    for label, rows in runs.items():
        for row in rows:
            name = method_label(label, row["method"])
            if name in (first, second) and row[column] is not None:
                both = values.setdefault((setting_of(row), row["scene"]), {})
                both[name] = row[column]
    points: dict[int, list[tuple[float, float]]] = {}
    for (setting, _), both in values.items():
        if len(both) == 2:
            points.setdefault(setting.num_views, []).append((both[first], both[second]))
    ends = [value for pairs in points.values() for pair in pairs for value in pair]
    colours = palette([str(views) for views in sorted(points)])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.2, 4.2), layout="constrained")
        axes = figure.subplots()
        for views, pairs in sorted(points.items()):
            axes.scatter(
                *zip(*pairs, strict=True),
                s=18,
                alpha=0.8,
                linewidths=0,
                color=colours[str(views)],
                label=f"{views} views",
            )
        if ends:
            margin = 0.05 * (max(ends) - min(ends)) + 1e-3
            span = (min(ends) - margin, max(ends) + margin)
            axes.plot(span, span, color=PUBLISHED, linewidth=0.8)
            axes.set(xlim=span, ylim=span)
            axes.legend(fontsize=8, loc="lower right")
        axes.set(
            title=f"{_named(column)} of every scene and size",
            xlabel=first,
            ylabel=second,
            aspect="equal",
        )
        axes.grid()
        return _svg(figure)


COSTS = {
    "prefill_seconds": ("Prefill", "seconds"),
    "milliseconds_per_frame": ("One frame", "milliseconds"),
    "state_bytes": ("State", "bytes"),
}
"""What is charted of a measured cost: its title and unit."""


def cost_growth(rows: Sequence[Mapping[str, Any]], key: str) -> str:
    """A cost of each network against the number of views, both logarithmic."""
    with matplotlib.rc_context(STYLE):
        return _svg(_cost_figure(rows, [key]))


def write_cost_growth(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The times of `cost_growth`, side by side, as a PNG or SVG file.

    Raises:
        OutputError: If it cannot be written.
    """
    with matplotlib.rc_context(STYLE), atomic_output(path) as temporary:
        figure = _cost_figure(rows, ["prefill_seconds", "milliseconds_per_frame"])
        figure.savefig(temporary, dpi=150)


def _cost_figure(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> Figure:
    colours = palette([row["network"] for row in rows])
    counts = sorted({row["num_views"] for row in rows})
    figure = Figure(figsize=(4.2 * len(keys), 3.8), layout="constrained")
    for axes, key in zip(
        figure.subplots(1, len(keys), squeeze=False)[0], keys, strict=True
    ):
        title, unit = COSTS[key]
        for network, colour in colours.items():
            own = [row for row in rows if row["network"] == network]
            axes.plot(
                [row["num_views"] for row in own],
                [row[key] for row in own],
                "o-",
                markersize=4,
                color=colour,
                label=network.replace("_", " "),
            )
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.set(title=title, xlabel="input views", ylabel=unit)
        axes.grid()
    named = figure.axes[0].get_legend_handles_labels()
    figure.legend(*named, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _views_axis(axes: Axes, lines: Sequence[Line | Published]) -> None:
    counts = sorted({c for line in lines if (c := line.setting.num_views)})
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("input views")
    axes.grid()


def _named(column: str) -> str:
    return COLUMNS[column] + (", dB" if column.startswith("psnr") else "")


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg)", "", text.getvalue(), flags=re.DOTALL)
