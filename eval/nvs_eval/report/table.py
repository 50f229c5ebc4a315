"""Lines of a summary as a Markdown table, beside published numbers."""

from __future__ import annotations

from collections.abc import Sequence

from nvs_eval.compare import Difference
from nvs_eval.metrics import COLUMNS
from nvs_eval.published import Published
from nvs_eval.statistics import Interval
from nvs_eval.summary import Line, Setting

NOTHING = "—"


def cells(line: Line) -> list[str]:
    """One line's cells, in the order of `headings`."""
    metrics = [
        shown(column, interval, with_range=line.num_scenes > 1)
        for column, interval in line.metrics.items()
    ]
    ends = [scenes_and_images(line), line.normalised_by]
    return [*place(line.setting), line.label, *metrics, *ends]


def scenes_and_images(line: Line) -> str:
    """How many scenes, and target images a scene, a line is over."""
    return f"{line.num_scenes} × {line.num_images / line.num_scenes:.4g}"


def headings() -> list[str]:
    """Headings of the table."""
    ends = ["Scenes × images", "Poses normalised by"]
    return ["Protocol", "Size", "Views", "Method", *COLUMNS.values(), *ends]


def place(setting: Setting) -> list[str]:
    """The cells that say where something was measured."""
    views = str(setting.num_views) if setting.num_views else NOTHING
    return [setting.protocol, f"{setting.height}×{setting.width}", views]


def shown(column: str, interval: Interval | None, *, with_range: bool) -> str:
    """A value, with its 95 % interval over scenes where there are several."""
    if interval is None:
        return NOTHING
    digits = 2 if column.startswith("psnr") else 3
    value = f"{interval.mean:.{digits}f}"
    if not with_range or interval.low == interval.high:
        return value
    return f"{value} [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def markdown(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> str:
    """Any table in Markdown."""
    ruled = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
        for row in ruled
    )


def markdown_table(lines: Sequence[Line]) -> str:
    """The table of a summary."""
    return markdown([cells(line) for line in lines], headings())


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
            line.source + (f" ({line.note})" if line.note else ""),
        ]
        for line in lines
    ]
    return markdown(rows, heads)
