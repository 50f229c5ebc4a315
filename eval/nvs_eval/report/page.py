"""The report: one self-contained HTML page, and its tables in Markdown beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from nvs.errors import DatasetError
from nvs.files import write_text
from nvs.scene.dataset_files import read_json
from nvs_eval.published import published
from nvs_eval.report.charts import against_views, palette, scene_scatter
from nvs_eval.report.complexity import complexity_html, complexity_markdown
from nvs_eval.report.pictures import html_extremes, html_sliders
from nvs_eval.report.tables import (
    differences_table,
    html_differences,
    html_results,
    html_timings,
    markdown_table,
    published_table,
)
from nvs_eval.runs.records import Row, load_run, load_timings, read_jsonl
from nvs_eval.summary import Line, differences, load_runs, summarise_rows

TEMPLATE = Path(__file__).parent / "template.html"
CHARTED = ("psnr", "ssim_gaussian", "lpips_vgg")
"""What is drawn against the number of views."""
MOST_SCATTERS = 3


def write_report(
    folders: Sequence[Path], target: Path, *, costs: Sequence[Path] = ()
) -> Path:
    """Write a page about some runs, and its tables with the suffix `.md`.

    Args:
        folders: Folders of runs.
        target: The HTML file.
        costs: Files that `nvs eval complexity` wrote.

    Returns:
        The Markdown file.

    Raises:
        DatasetError: If a folder is not a run's, or a file not one of costs.
        OutputError: If the files cannot be written.
    """
    runs = load_runs(folders)
    about = [load_run(folder) for folder in folders]
    complexity = [_load_costs(file) for file in costs]
    lines = summarise_rows(runs)
    known = published([line.setting for line in lines])
    paired = differences(runs)
    failures = [f for folder in folders for f in read_jsonl(folder / "failures.jsonl")]
    notes = _notes(about, failures)
    protocols = dict.fromkeys(line.setting.protocol.upper() for line in lines)
    title = f"Evaluation: {', '.join(protocols)}"
    colours = palette([line.label for line in lines])
    methods = {line.run: line.method for line in reversed(lines)}
    page = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(title),
        summary=escape(_summary(lines)),
        notes="".join(f'<p class="note">{escape(note)}</p>' for note in notes),
        table=html_results(lines, known, colours),
        differences=html_differences(paired),
        views="".join(_charts(lines, colours)),
        scatter=_scatters(runs, lines),
        sliders=html_sliders(folders, runs),
        examples=html_extremes(folders, runs, methods),
        complexity=complexity_html(complexity),
        timings=html_timings([r for folder in folders for r in load_timings(folder)]),
        repeat="".join(map(_repeat, about)),
    )
    write_text(target, page)
    parts = [f"# {title}", *notes, markdown_table(lines)]
    parts += [differences_table(paired)] if paired else []
    parts += ["## Published", published_table(known)] if known else []
    parts += ["## Cost", *map(complexity_markdown, complexity)] if complexity else []
    markdown = target.with_suffix(".md")
    write_text(markdown, "\n\n".join(parts) + "\n")
    return markdown


def _load_costs(file: Path) -> dict[str, Any]:
    content = read_json(file)
    if not isinstance(content, dict) or not {"rows", "exponents"} <= content.keys():
        raise DatasetError(
            f"{file} holds no costs", remedy="Name what nvs eval complexity -o wrote."
        )
    return content


def _summary(lines: Sequence[Line]) -> str:
    """What was measured, in one line."""

    def listed(values: Sequence[str]) -> str:
        return ", ".join(dict.fromkeys(values))

    settings = [line.setting for line in lines]
    most = max(line.num_scenes for line in lines)
    views = [str(setting.num_views) for setting in settings if setting.num_views]
    parts = [f"{most} scene{'s' if most > 1 else ''}"]
    parts += [f"{listed(views)} input views"] if views else []
    parts += [listed([f"{one.height}×{one.width}" for one in settings])]
    return " · ".join([*parts, listed([line.label for line in lines])])


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


def _charts(lines: Sequence[Line], colours: Mapping[str, str]) -> list[str]:
    charts: list[str] = []
    for place in dict.fromkeys(line.setting.table for line in lines):
        own = [line for line in lines if line.setting.table == place]
        known = [one for one in published() if one.setting.table == place]
        for column in CHARTED:
            if any(line.metrics[column] is not None for line in own):
                title = f"{place[0].upper()}, {place[1]}×{place[2]}"
                charts.append(against_views(own, known, column, title, colours))
    return charts


def _scatters(runs: Mapping[str, Sequence[Row]], lines: Sequence[Line]) -> str:
    first, *others = dict.fromkeys(line.label for line in lines)
    if not others:
        return '<p class="small">There is one method, so nothing to compare.</p>'
    chosen = others[:MOST_SCATTERS]
    return "".join(scene_scatter(runs, other, first, "psnr") for other in chosen)


def _repeat(run: Mapping[str, Any]) -> str:
    text = json.dumps(
        {key: value for key, value in run.items() if key != "unavailable"}, indent=1
    )
    return (
        f"<details><summary>Run {run['identity'][:12]}…</summary>"
        f"<pre>{escape(text)}</pre></details>"
    )
