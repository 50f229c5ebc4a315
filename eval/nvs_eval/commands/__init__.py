"""`nvs eval`: benchmarks, and what came out of them."""

from __future__ import annotations

import typer

from nvs_eval.commands import complexity, results, runs

app = typer.Typer(
    help="Evaluate weights and baselines on benchmarks; compare and report.",
    no_args_is_help=True,
)
app.command("gso")(runs.gso)
app.command("dl3dv")(runs.dl3dv)
app.command("folder")(runs.folder)
app.command("compare")(results.compare)
app.command("report")(results.report)
app.command("complexity")(complexity.complexity)
