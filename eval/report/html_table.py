"""Tables of a report in HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from eval.compare import Difference
from eval.metrics import COLUMNS
from eval.metrics.suite import LOWER_IS_BETTER
from eval.published import Published
from eval.report.table import NOTHING, cells, headings, place, shown
from eval.summary import Line, Setting


def html_table(lines: Sequence[Line], known: Sequence[Published]) -> str:
    """Lines by setting, the best value of each column bold, papers below in grey.

    The papers' sources follow the table as numbered notes.
    """
    body: list[str] = []
    sources = list(dict.fromkeys(map(_source, known)))
    for setting in dict.fromkeys(line.setting for line in lines):
        own = [line for line in lines if line.setting == setting]
        best = {column: _best(own, column) for column in COLUMNS}
        for index, line in enumerate(own):
            body.append(_row(line, best, first=index == 0))
        for one in known:
            if one.setting == setting:
                body.append(_published(one, sources.index(_source(one)) + 1))
    notes = "".join(f"<li>{escape(source)}</li>" for source in sources)
    return _table(headings(), body) + (
        f'<ol class="small">{notes}</ol>' if notes else ""
    )


def html_differences(differences: Sequence[Difference]) -> str:
    """Paired differences, with their heading; nothing if there are none."""
    if not differences:
        return ""
    columns = [column for column in COLUMNS if column != "psnr_pooled"]
    heads = ["Protocol", "Size", "Views", "Method", "minus"]
    heads += [f"Δ {COLUMNS[column]}" for column in columns] + ["Common scenes"]
    body: list[str] = []
    last: Setting | None = None
    for one in differences:
        values = [
            shown(c, one.metrics[c], with_range=one.num_scenes > 1) for c in columns
        ]
        row = [*place(one.setting), one.method, one.baseline, *values]
        row.append(str(one.num_scenes))
        marked = ' class="start"' if one.setting != last else ""
        last = one.setting
        body.append(f"<tr{marked}>{''.join(f'<td>{_cell(c)}</td>' for c in row)}</tr>")
    return (
        "<h2>Differences on the same scenes</h2>"
        f'<div class="wide">{_table(heads, body)}</div>'
    )


def html_timings(timings: Sequence[Mapping[str, Any]]) -> str:
    """Median times by size, view count and method, apart from quality."""
    if not timings:
        return ""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in timings:
        key = (row["height"], row["width"], row["num_views"], row["method"])
        groups.setdefault((*key, row["machine"]), []).append(row)
    body: list[str] = []
    for (height, width, views, method, machine), rows in sorted(groups.items()):
        values = [
            f"{height}×{width}",
            str(views),
            method,
            f"{np.median([row['prefill_seconds'] for row in rows]):.3f}",
            f"{np.median([row['milliseconds_per_frame'] for row in rows]):.1f}",
            f"{rows[0]['state_bytes'] / 2**20:.2f}",
            machine,
        ]
        body.append(f"<tr>{''.join(f'<td>{escape(v)}</td>' for v in values)}</tr>")
    heads = ["Size", "Views", "Method", "Prefill, s", "ms a frame", "State, MiB"]
    return (
        '<h2>Times</h2><p class="small">Medians over scenes, as they fell while '
        "evaluating; nvs eval complexity and nvs bench measure with more care.</p>"
        f'<div class="wide">{_table([*heads, "Machine"], body)}</div>'
    )


def _row(line: Line, best: Mapping[str, float | None], *, first: bool) -> str:
    texts = cells(line)
    before = len(texts) - len(COLUMNS) - 2
    parts: list[str] = []
    for index, text in enumerate(texts):
        marked = ""
        if before <= index < before + len(COLUMNS):
            column = list(COLUMNS)[index - before]
            interval = line.metrics[column]
            if interval is not None and interval.mean == best[column]:
                marked = ' class="best"'
        parts.append(f"<td{marked}>{_cell(text)}</td>")
    start = ' class="start"' if first else ""
    return f"<tr{start}>{''.join(parts)}</tr>"


def _cell(text: str) -> str:
    """A cell's text, its interval on a line of its own."""
    value, bracket, interval = text.partition(" [")
    if not bracket:
        return escape(text)
    return f"{escape(value)}<br><small>[{escape(interval)}</small>"


def _published(one: Published, note: int) -> str:
    values = {
        "psnr": f"{one.psnr:g}",
        "ssim_gaussian": f"{one.ssim:.3f}",
        "lpips_vgg": f"{one.lpips:.3f}",
    }
    texts = [*place(one.setting), one.method]
    texts += [values.get(column, NOTHING) for column in COLUMNS]
    texts += [f"published [{note}]", NOTHING]
    parts = "".join(f"<td>{escape(text)}</td>" for text in texts)
    return f'<tr class="published">{parts}</tr>'


def _source(one: Published) -> str:
    return one.source + (f"; {one.note}" if one.note else "")


def _best(lines: Sequence[Line], column: str) -> float | None:
    means = [value.mean for line in lines if (value := line.metrics[column])]
    if len(means) < 2:
        return None
    return min(means) if column in LOWER_IS_BETTER else max(means)


def _table(heads: Sequence[str], body: Sequence[str]) -> str:
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody></table>"
