"""Options that commands of `nvs eval` share, how lists are read, what is printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvs.terminal import options, output

if TYPE_CHECKING:
    from nvs_eval.runs.records import SceneRecord

LpipsFile = Annotated[
    Path | None, typer.Option(help="File of this LPIPS backbone, as torchvision's.")
]
RequireLpips = Annotated[
    bool, typer.Option("--require-lpips", help="Stop if LPIPS cannot be had.")
]
PICTURES_HELP = "Targets a scene to keep as pictures; -1 for all."


def parse_sizes(text: str | None) -> list[tuple[int, int]] | None:
    """`256,536x960` as (height, width): one number is a square.

    Raises:
        ConfigError: If a size is neither a number nor HEIGHTxWIDTH.
    """
    if text is None:
        return None
    sizes = [options.parse_size(part.strip()) for part in text.split(",")]
    return [s if isinstance(s, tuple) else (s, s) for s in sizes if s is not None]


def show(record: SceneRecord, out: Path, *, as_json: bool) -> None:
    """The table of a run, what is missing from it and why; or counts as JSON."""
    from nvs_eval.report.tables import markdown_table
    from nvs_eval.runs.records import load_run
    from nvs_eval.summary import summarise_rows

    if as_json:
        summary = {
            "out": str(out),
            "results": len(record.rows),
            "failures": len(record.failures),
        }
        output.print_result(summary, as_json=True, title="nvs eval")
        return
    typer.echo(markdown_table(summarise_rows({"": record.rows})))
    for column, why in load_run(out)["unavailable"].items():
        output.say(f"nvs: {column} is empty: {why}")
    for failure in record.failures:
        output.say(f"nvs: {failure['scene']} failed: {failure['error']}")
    output.say(f"nvs: results in {out}; a page of them: nvs eval report {out}")
