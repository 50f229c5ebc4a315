"""Tables of a report, in Markdown and in HTML, beside published numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from nvs_eval.metrics import COLUMNS, LOWER_IS_BETTER
from nvs_eval.published import Published
from nvs_eval.summary import Difference, Interval, Line, Setting

NOTHING = "—"


def scenes_and_images(line: Line) -> str:
    """How many scenes, and target images a scene, a line is over."""
    return f"{line.num_scenes} × {line.num_images / line.num_scenes:.4g}"


def place(setting: Setting) -> list[str]:
    """The cells that say where something was measured."""
    views = str(setting.num_views) if setting.num_views else NOTHING
    return [setting.protocol, f"{setting.height}×{setting.width}", views]


def shown(column: str, interval: Interval | None, *, with_range: bool) -> str:
    """A value, with its 95 % interval over scenes where there are several."""
    if interval is None:
        return NOTHING
    form = "z.2f" if column.startswith("psnr") else "z.3f"  # z: no minus before zero
    value = f"{interval.mean:{form}}"
    if not with_range or interval.low == interval.high:
        return value
    return f"{value} [{interval.low:{form}}, {interval.high:{form}}]"


def markdown(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> str:
    """Any table in Markdown."""
    ruled = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
        for row in ruled
    )


def markdown_table(lines: Sequence[Line]) -> str:
    """The table of a summary."""
    heads = ["Protocol", "Size", "Views", "Method", *COLUMNS.values()]
    heads += ["Scenes × images", "Poses normalised by"]
    rows = [
        [
            *place(line.setting),
            line.label,
            *(
                shown(column, interval, with_range=line.num_scenes > 1)
                for column, interval in line.metrics.items()
            ),
            scenes_and_images(line),
            line.normalised_by,
        ]
        for line in lines
    ]
    return markdown(rows, heads)


def differences_table(differences: Sequence[Difference]) -> str:
    """Paired differences in Markdown."""
    heads = ["Protocol", "Size", "Views", "Method", "minus"]
    heads += [f"Δ {heading}" for heading in COLUMNS.values()] + ["Common scenes"]
    rows = [
        [
            *place(one.setting),
            one.method,
            one.baseline,
            *(shown(c, one.metrics[c], with_range=one.num_scenes > 1) for c in COLUMNS),
            str(one.num_scenes),
        ]
        for one in differences
    ]
    return markdown(rows, heads)


def published_table(lines: Sequence[Published]) -> str:
    """Published numbers in Markdown."""
    heads = ["Protocol", "Size", "Views", "Method", "PSNR", "SSIM", "LPIPS", "Source"]
    rows = [
        [
            *place(line.setting),
            line.method,
            f"{line.psnr:g}",
            f"{line.ssim:.3f}",
            f"{line.lpips:.3f}",
            line.cited,
        ]
        for line in lines
    ]
    return markdown(rows, heads)


def html_results(
    lines: Sequence[Line], known: Sequence[Published], colours: Mapping[str, str]
) -> str:
    """A table a protocol and size, the best value of each column bold.

    Papers stand in grey below what was measured; their sources follow as notes.
    """
    sources = list(dict.fromkeys(one.cited for one in known))
    heads = ["Views", "Method", *map(_heading, COLUMNS), "Scenes × images"]
    parts: list[str] = []
    for key in dict.fromkeys(line.setting.table for line in lines):
        own = [line for line in lines if line.setting.table == key]
        body: list[str] = []
        for setting in dict.fromkeys(line.setting for line in own):
            group = [line for line in own if line.setting == setting]
            best = {column: _best(group, column) for column in COLUMNS}
            for index, line in enumerate(group):
                body.append(_measured(line, best, colours, first=index == 0))
            for one in known:
                if one.setting == setting:
                    body.append(_published(one, sources.index(one.cited) + 1))
        protocol, height, width = key
        framings = dict.fromkeys(line.normalised_by for line in own)
        parts.append(
            f"<h3>{escape(protocol.upper())}, {height}×{width}</h3>"
            f'<p class="small">Poses normalised by: {escape(", ".join(framings))}.</p>'
            f"{html_table(heads, body)}"
        )
    notes = "".join(f"<li>{escape(source)}</li>" for source in sources)
    return "".join(parts) + (f'<ol class="small">{notes}</ol>' if notes else "")


def html_differences(differences: Sequence[Difference]) -> str:
    """Paired differences, with their heading; nothing if there are none.

    They fold away where no setting has two scenes, and so no interval.
    """
    if not differences:
        return ""
    heads = ["Protocol", "Size", "Views", "Methods"]
    heads += [f"Δ {_heading(column)}" for column in COLUMNS] + ["Scenes"]
    body: list[str] = []
    last: Setting | None = None
    for one in differences:
        texts = [*place(one.setting), f"{one.method} − {one.baseline}"]
        cells = [_cell(escape(text)) for text in texts]
        cells += [_value(c, one.metrics[c], one.num_scenes) for c in COLUMNS]
        cells.append(_cell(str(one.num_scenes)))
        body.append(_row(cells, first=one.setting != last))
        last = one.setting
    unfolded = " open" if any(one.num_scenes > 1 for one in differences) else ""
    return (
        f"<details{unfolded}><summary>Differences on the same scenes</summary>"
        f"{html_table(heads, body)}</details>"
    )


def html_timings(timings: Sequence[Mapping[str, Any]]) -> str:
    """Median times by size, view count and method, a table a machine."""
    parts: list[str] = []
    heads = ["Size", "Views", "Method", "Prefill, s", "ms a frame", "State, MiB"]
    for machine in dict.fromkeys(row["machine"] for row in timings):
        groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
        for row in timings:
            if row["machine"] == machine:
                size = (row["height"], row["width"])
                key = (*size, row["num_views"], row["method"])
                groups.setdefault(key, []).append(row)
        rows = [
            [
                f"{height}×{width}",
                str(views),
                method,
                f"{np.median([row['prefill_seconds'] for row in own]):.3f}",
                f"{np.median([row['milliseconds_per_frame'] for row in own]):.1f}",
                f"{own[0]['state_bytes'] / 2**20:.2f}",
            ]
            for (height, width, views, method), own in sorted(groups.items())
        ]
        parts.append(
            f'<p class="small">{escape(machine)}</p>{plain_table(heads, rows)}'
        )
    return "".join(parts)


def html_table(heads: Sequence[str], body: Sequence[str]) -> str:
    """A table of headings, as text, and rows, as HTML."""
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    rows = f"<thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f'<div class="wide"><table>{rows}</table></div>'


def plain_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text."""
    cells = ([_cell(escape(text)) for text in row] for row in rows)
    return html_table(heads, [_row(row, first=False) for row in cells])


def _measured(
    line: Line,
    best: Mapping[str, float | None],
    colours: Mapping[str, str],
    *,
    first: bool,
) -> str:
    views, method = place(line.setting)[-1], escape(line.label)
    dot = f'<i style="background:{colours[line.label]}"></i>'
    cells = [_cell(views), _cell(dot + method)]
    for column, interval in line.metrics.items():
        top = interval is not None and interval.mean == best[column]
        cells.append(_value(column, interval, line.num_scenes, best=top))
    cells.append(_cell(scenes_and_images(line)))
    return _row(cells, first=first)


def _published(one: Published, note: int) -> str:
    texts = [place(one.setting)[-1], escape(one.method)]
    for column in COLUMNS:
        value = one.metrics.get(column)
        digits = 2 if column == "psnr" else 3
        texts.append(NOTHING if value is None else f"{value:.{digits}f}")
    texts.append(f"published [{note}]")
    return f'<tr class="published">{"".join(map(_cell, texts))}</tr>'


def _value(
    column: str, interval: Interval | None, num_scenes: int, *, best: bool = False
) -> str:
    text = shown(column, interval, with_range=num_scenes > 1)
    value, bracket, ends = text.partition(" [")
    if bracket:
        value += f"<br><small>[{ends}</small>"
    return f'<td class="best">{value}</td>' if best else _cell(value)


def _row(cells: Iterable[str], *, first: bool) -> str:
    start = ' class="start"' if first else ""
    return f"<tr{start}>{''.join(cells)}</tr>"


def _cell(content: str) -> str:
    return f"<td>{content}</td>"


def _heading(column: str) -> str:
    return f"{COLUMNS[column]} {'↓' if column in LOWER_IS_BETTER else '↑'}"


def _best(lines: Sequence[Line], column: str) -> float | None:
    means = [value.mean for line in lines if (value := line.metrics[column])]
    if len(means) < 2:
        return None
    return min(means) if column in LOWER_IS_BETTER else max(means)
