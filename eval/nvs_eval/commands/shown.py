"""What `nvs eval` prints of an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from nvs.terminal import output

if TYPE_CHECKING:
    from nvs_eval.runs.records import SceneRecord


def show(record: SceneRecord, out: Path, *, as_json: bool) -> None:
    """The table of a run, what is missing from it and why; or counts as JSON."""
    from nvs_eval.report.table import markdown_table
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
