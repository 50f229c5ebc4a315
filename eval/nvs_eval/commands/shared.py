"""Options that commands of `nvs eval` share, how lists are read, what is printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvs.errors import ConfigError
from nvs.terminal import output

LpipsFile = Annotated[
    Path | None, typer.Option(help="File of this LPIPS backbone, as torchvision's.")
]
RequireLpips = Annotated[
    bool, typer.Option("--require-lpips", help="Stop if LPIPS cannot be had.")
]
PICTURES_HELP = "Targets a scene to keep as pictures; -1 for all."


def parse_numbers(text: str | None, option: str) -> list[int] | None:
    """`4,8,12` as numbers.

    Raises:
        ConfigError: If it is not a list of positive numbers.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ConfigError(
            f"{option} is {text!r}", remedy="Give positive numbers such as 4,8,12."
        )
    return [int(part) for part in parts]


def parse_sizes(text: str | None, option: str) -> list[tuple[int, int]] | None:
    """`256,536x960` as (height, width): one number is a square.

    Raises:
        ConfigError: If a size is neither a number nor HEIGHTxWIDTH.
    """
    if text is None:
        return None
    sizes: list[tuple[int, int]] = []
    for part in text.lower().split(","):
        sides = part.strip().split("x")
        if len(sides) > 2 or not all(s.isdigit() and int(s) > 0 for s in sides):
            raise ConfigError(
                f"{option} has {part!r}",
                remedy="Give sizes such as 256 (a square) or 536x960.",
            )
        sizes.append((int(sides[0]), int(sides[-1])))
    return sizes


if TYPE_CHECKING:
    from nvs_eval.runs.records import SceneRecord


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
