"""Measured costs as a table, beside the published ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.published import published_complexity
from eval.report.table import markdown


def complexity_table(content: Mapping[str, Any]) -> str:
    """What `nvs eval complexity` writes, in Markdown, with Table 2 of the paper."""
    rows = [
        [
            row["network"].replace("_", " "),
            str(row["num_views"]),
            f"{row['state_bytes'] / 2**20:.2f}",
            f"{row['prefill_seconds']:.3f}",
            f"{row['milliseconds_per_frame']:.1f}",
        ]
        for row in content["rows"]
    ]
    heads = ["Network", "Views", "State, MiB", "Prefill, s", "ms a frame"]
    fits = [
        [
            fit["network"].replace("_", " "),
            *(
                f"{fit[key]:.2f}"
                for key in ("state", "prefill", "prefill_last", "frame")
            ),
        ]
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
    where = (
        f"{content['height']}×{content['width']}, {content['machine']}, "
        f"{content['threads']} threads, fastest of {content['repeats']}"
    )
    return "\n\n".join(
        [
            where,
            markdown(rows, heads),
            markdown(fits, fit_heads),
            markdown(published, published_heads),
            f"{known['source']}. {known['note']}",
        ]
    )
