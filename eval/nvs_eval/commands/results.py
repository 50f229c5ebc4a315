"""`nvs eval compare` and `nvs eval report`: what came out of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nvs.terminal import output

Runs = Annotated[list[Path], typer.Argument(help="Folders that evaluations wrote.")]


def compare(runs: Runs) -> None:
    """Print runs side by side, and differences on the scenes they share."""
    from nvs_eval.published import published
    from nvs_eval.report.tables import (
        differences_table,
        markdown_table,
        published_table,
    )
    from nvs_eval.summary import differences, load_runs, summarise_rows

    rows = load_runs(runs)
    lines = summarise_rows(rows)
    typer.echo(markdown_table(lines))
    paired = differences(rows)
    if paired:
        typer.echo("\n" + differences_table(paired))
    known = published([line.setting for line in lines])
    if known:
        typer.echo("\n" + published_table(known))


def report(
    runs: Runs,
    destination: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="HTML file; RUN/report.html if absent."),
    ] = None,
    complexity: Annotated[
        list[Path] | None,
        typer.Option(help="File that `nvs eval complexity -o` wrote. Repeatable."),
    ] = None,
) -> None:
    """Write one self-contained page, and its tables as Markdown beside it."""
    from nvs_eval.report.page import write_report

    target = destination or runs[0] / "report.html"
    markdown = write_report(runs, target, costs=complexity or [])
    output.say(f"nvs: wrote {target} and {markdown}")
