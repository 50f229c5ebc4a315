"""`nvs data validate`: what is wrong with a dataset, a line each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from nvs.terminal import options, output
from nvs_data.commands import inputs

if TYPE_CHECKING:
    from nvs_data.validate import Finding
    from nvs_data.validate.poses import Poses

MODELS = ("object", "scene")
REPORT_SUFFIXES = (".html", ".htm")


def validate(
    dataset: inputs.DatasetPath,
    model: Annotated[
        str,
        typer.Option("--for", help="Kind of model it is meant for: object or scene."),
    ] = "object",
    convention: inputs.Convention = "opencv",
    report: Annotated[
        Path | None,
        typer.Option(help="Also write an HTML page with thumbnails and cameras."),
    ] = None,
    format: inputs.Format = None,
    json: options.Json = False,
) -> None:
    """Check a dataset. Exit code 2 after errors, 1 after warnings, otherwise 0."""
    import sys
    from dataclasses import asdict
    from json import dumps

    from nvs.errors import OutputError
    from nvs.files import atomic_output
    from nvs_data.validate import check, exit_code, survey, verdict, write_report

    inputs.check_choice("--for", model, MODELS)
    if report is not None and (
        report.suffix.lower() not in REPORT_SUFFIXES or report.is_dir()
    ):
        raise OutputError(f"--report is {report}", remedy="Name a .html file.")
    found = inputs.read(dataset, format, convention)
    with output.progress("look at images", unit="images") as update:
        capture = survey(inputs.counted(found.frames, update))
    findings = check(capture, poses=cast("Poses", model))
    findings = (*_missing(found.missing, len(capture)), *findings)
    if report is not None:
        with atomic_output(report) as file:
            write_report(file, capture, findings)
    if json:
        values = {
            "dataset": str(dataset),
            "views": len(capture),
            "missing": len(found.missing),
            "for": model,
            "convention": convention,
            "exit_code": exit_code(findings),
            "findings": [asdict(finding) for finding in findings],
            "report": None if report is None else str(report),
        }
        sys.stdout.write(dumps(values) + "\n")
    else:
        for finding in findings:
            typer.echo(verdict(finding))
        if not findings:
            typer.echo(f"ok: {len(capture)} views, no faults found")
    if convention == "opencv" and any(f.kind == "looking-away" for f in findings):
        output.say(
            f"nvs: if --convention opengl is right, `nvs data convert {dataset} -o OUT "
            "--to opencv --convention opengl` writes the repaired set"
        )
    raise typer.Exit(exit_code(findings))


def _missing(names: Sequence[str], num_present: int) -> tuple[Finding, ...]:
    """The finding about images that the dataset lists but does not have."""
    from nvs_data.validate import Finding
    from nvs_data.validate.findings import listing

    if not names:
        return ()
    return (
        Finding(
            kind="image",
            severity="warning",
            views=(),
            message=f"{len(names)} of {len(names) + num_present} images are missing: "
            f"{listing(names, range(len(names)))}",
            remedy="They are left out; restore them, or write the rest with "
            "`nvs data convert`.",
        ),
    )
