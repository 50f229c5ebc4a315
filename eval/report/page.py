"""The report: one self-contained HTML page, and its tables in Markdown beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from eval.compare import differences, load_runs
from eval.published import published
from eval.report.charts import against_views, scene_scatter
from eval.report.examples import ERROR_GAIN, Example, extremes, same_views
from eval.report.html_table import html_differences, html_table, html_timings
from eval.report.table import differences_table, markdown_table, published_table
from eval.runs.records import Row, load_run, load_timings, read_jsonl
from eval.summary import Line, summarise_rows
from nvs.files import write_text

TEMPLATE = Path(__file__).parent / "template.html"
NUM_EXAMPLES = 3


def write_report(folders: Sequence[Path], target: Path) -> Path:
    """Write a page about some runs, and its tables with the suffix `.md`.

    Returns:
        The Markdown file.

    Raises:
        DatasetError: If a folder is not a run's.
        OutputError: If the files cannot be written.
    """
    runs = load_runs(folders)
    about = [load_run(folder) for folder in folders]
    lines = summarise_rows(runs)
    known = published([line.setting for line in lines])
    paired = differences(runs)
    failures = [f for folder in folders for f in read_jsonl(folder / "failures.jsonl")]
    notes = _notes(about, failures)
    title = "Evaluation: " + ", ".join(
        dict.fromkeys(line.setting.protocol.upper() for line in lines)
    )
    timings = [row for folder in folders for row in load_timings(folder)]
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(title),
        notes="".join(f"<p>{escape(note)}</p>" for note in notes),
        table=html_table(lines, known),
        differences=html_differences(paired),
        views="".join(_charts(lines)),
        scatter=_scatters(runs, lines),
        examples=_examples(folders, runs, lines),
        sliders=_sliders(folders, runs),
        timings=html_timings(timings),
        repeat="".join(map(_repeat, about)),
    )
    write_text(target, page)
    parts = [f"# {title}", *notes, markdown_table(lines)]
    parts += [differences_table(paired)] if paired else []
    parts += ["## Published", published_table(known)] if known else []
    markdown = target.with_suffix(".md")
    write_text(markdown, "\n\n".join(parts) + "\n")
    return markdown


def _notes(
    about: Sequence[Mapping[str, Any]], failures: Sequence[Mapping[str, Any]]
) -> list[str]:
    """What a reader must know before the table."""
    notes = [
        f"{column} is empty: {why}"
        for run in about
        for column, why in run["unavailable"].items()
    ]
    for failure in failures:
        where = ", ".join(
            f"{key} {failure[key]}"
            for key in ("height", "width", "num_views", "method")
            if key in failure
        )
        place = f" ({where})" if where else ""
        notes.append(f"Failed: {failure['scene']}{place}: {failure['error']}")
    return list(dict.fromkeys(notes))


def _charts(lines: Sequence[Line]) -> list[str]:
    charts: list[str] = []
    places = dict.fromkeys(
        (line.setting.protocol, line.setting.height, line.setting.width)
        for line in lines
    )
    for protocol, height, width in places:
        own = [
            line
            for line in lines
            if (line.setting.protocol, line.setting.height, line.setting.width)
            == (protocol, height, width)
        ]
        known = [
            one
            for one in published()
            if (one.setting.protocol, one.setting.height, one.setting.width)
            == (protocol, height, width)
        ]
        for column in ("psnr", "lpips_vgg"):
            if any(line.metrics[column] is not None for line in own):
                title = f"{protocol}, {height}×{width}"
                charts.append(against_views(own, known, column, title))
    return charts


def _scatters(runs: Mapping[str, Sequence[Row]], lines: Sequence[Line]) -> str:
    labels = list(dict.fromkeys(line.label for line in lines))
    if len(labels) < 2:
        return '<p class="small">There is one method, so nothing to compare.</p>'
    first, *others = labels
    return "".join(scene_scatter(runs, other, first, "psnr") for other in others[:3])


def _examples(
    folders: Sequence[Path], runs: Mapping[str, Sequence[Row]], lines: Sequence[Line]
) -> str:
    parts: list[str] = []
    for folder, (label, rows) in zip(folders, runs.items(), strict=True):
        method = next(line.method for line in lines if line.run == label)
        worst, best = extremes(folder, rows, method, NUM_EXAMPLES)
        for heading, examples in (("Worst scenes", worst), ("Best scenes", best)):
            if examples:
                name = f"{method} ({label})" if label else method
                parts.append(f"<h2>{heading} of {escape(name)}</h2>")
                parts.extend(map(_figure, examples))
    return "".join(parts)


def _figure(example: Example) -> str:
    setting = example.setting
    caption = (
        f"{example.scene}, {setting.num_views} views, "
        f"{setting.height}×{setting.width}: truth | render | {ERROR_GAIN} × absolute "
        f"error. This target {example.psnr:.2f} dB, the scene "
        f"{example.scene_psnr:.2f} dB."
    )
    images = "".join(
        f'<img src="{url}" alt="{name} of {escape(example.scene)}">'
        for name, url in (
            ("truth", example.truth),
            ("render", example.render),
            ("error", example.error),
        )
    )
    return (
        f'<figure><div class="row">{images}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _sliders(folders: Sequence[Path], runs: Mapping[str, Sequence[Row]]) -> str:
    boxes = [
        _slider(pictures)
        for folder, rows in zip(folders, runs.values(), strict=True)
        for pictures in same_views(folder, rows, NUM_EXAMPLES)
        if len(pictures) > 1
    ]
    return "<h2>Compare</h2>" + "".join(boxes) if boxes else ""


def _slider(pictures: Mapping[str, str]) -> str:
    def select(chosen: int) -> str:
        options = "".join(
            f"<option{' selected' if index == chosen else ''}>{escape(name)}</option>"
            for index, name in enumerate(pictures)
        )
        return f'<select aria-label="Picture">{options}</select>'

    urls = escape(json.dumps(list(pictures.values())))
    return (
        f'<div class="compare" data-urls="{urls}"><div class="slider">'
        '<img alt="left"><img alt="right"></div>'
        '<div class="controls"><input type="range" min="0" max="100" value="50" '
        f'aria-label="Where to cut">{select(0)}{select(1)}</div></div>'
    )


def _repeat(run: Mapping[str, Any]) -> str:
    text = json.dumps(
        {key: value for key, value in run.items() if key != "unavailable"}, indent=1
    )
    return (
        f"<details><summary>Run {run['identity'][:12]}…</summary>"
        f"<pre>{escape(text)}</pre></details>"
    )
