"""Measured costs as tables and charts, beside the published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from nvs_eval.published import published_complexity
from nvs_eval.report.charts import COSTS, cost_growth
from nvs_eval.report.tables import markdown, plain_table

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""Headings and rows."""
EXPONENTS = ("state", "prefill", "prefill_last", "frame")


def complexity_markdown(content: Mapping[str, Any]) -> str:
    """What `nvs eval complexity` writes, in Markdown, with Table 2 of the paper."""
    tables = [markdown(rows, heads) for heads, rows in _tables(content)]
    return "\n\n".join([_where(content), *tables, _source()])


def complexity_html(contents: Sequence[Mapping[str, Any]]) -> str:
    """The same as a part of a page, with charts; nothing if there is nothing."""
    parts: list[str] = []
    for content in contents:
        charts = [cost_growth(content["rows"], key) for key in COSTS]
        tables = "".join(plain_table(heads, rows) for heads, rows in _tables(content))
        parts.append(
            f'<p class="small">{escape(_where(content))}</p>'
            f'<div class="charts">{"".join(charts)}</div>{tables}'
            f'<p class="small">{escape(_source())}</p>'
        )
    heading = '<h2 id="cost">Cost against the number of views</h2>'
    return heading + "".join(parts) if parts else ""


def _tables(content: Mapping[str, Any]) -> list[Table]:
    rows = [
        [
            _name(row),
            str(row["num_views"]),
            f"{row['state_bytes'] / 2**20:.3f}",
            f"{row['prefill_seconds']:.3f}",
            f"+{row['prefill_noise']:.0%}",
            f"{row['milliseconds_per_frame']:.1f}",
            f"+{row['frame_noise']:.0%}",
        ]
        for row in content["rows"]
    ]
    heads = ["Network", "Views", "State, MiB", "Prefill, s", "noise"]
    heads += ["ms a frame", "noise"]
    fits = [
        [_name(fit), *(f"{fit[key]:.2f}" for key in EXPONENTS)]
        for fit in content["exponents"]
    ]
    fit_heads = ["Growth with n views as n^e, e =", "State", "Prefill"]
    fit_heads += ["Prefill, last two", "Frame"]
    known = published_complexity()
    published = [
        [
            row["method"],
            f"{row['prefill_seconds']:g}",
            f"{1000 / row['frames_per_second']:.1f}",
        ]
        for row in known["rows"]
    ]
    published_heads = [f"Published: {known['setting']}", "Prefill, s", "ms a frame"]
    return [(heads, rows), (fit_heads, fits), (published_heads, published)]


def _where(content: Mapping[str, Any]) -> str:
    config, settings = content["config"], content["settings"]
    return (
        f"{settings['height']}×{settings['width']}, {config['num_blocks']} blocks of "
        f"width {config['dim']}, {settings['num_registers']} registers; "
        f"{content['machine']}, threads: {content['threads']}. Times "
        f"({settings['clock']} clock) are the fastest of {settings['repeats']} rounds, "
        "noise is how much longer the slowest took."
    )


def _source() -> str:
    known = published_complexity()
    return f"{known['source']}. {known['note']}"


def _name(row: Mapping[str, Any]) -> str:
    return row["network"].replace("_", " ")
