"""`nvs eval folder`: renders that something else made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nvs.cli import options, output


def folder(
    renders: Annotated[
        Path, typer.Argument(help="Rendered pictures: SCENE/FRAME.png, or FRAME.png.")
    ],
    truth: Annotated[
        Path, typer.Argument(help="Photographs of the same names and sizes.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the results.")],
    name: Annotated[str, typer.Option(help="What to call the method.")],
    protocol: Annotated[
        str, typer.Option(help="Protocol the views were chosen by, for tables.")
    ] = "folder",
    views: Annotated[
        int, typer.Option(min=0, help="Number of input views, for tables.")
    ] = 0,
    normalised_by: Annotated[
        str, typer.Option(help="What poses were normalised by, for tables.")
    ] = "not known",
    pictures: Annotated[
        int, typer.Option(min=-1, help="Targets a scene to keep; -1 for all.")
    ] = 1,
    lpips_vgg: Annotated[
        Path | None, typer.Option(help="File of this LPIPS backbone.")
    ] = None,
    lpips_alex: Annotated[
        Path | None, typer.Option(help="File of this LPIPS backbone.")
    ] = None,
    require_lpips: Annotated[
        bool, typer.Option("--require-lpips", help="Stop if LPIPS cannot be had.")
    ] = False,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Evaluate a folder of renders, so that it can be compared with runs."""
    from eval.folder import FolderSettings, evaluate_folder
    from eval.metrics import Metrics
    from eval.report.table import markdown_table
    from eval.summary import summarise_rows
    from nvs.perceptual import Net
    from nvs.scene.precision import pick_device

    settings = FolderSettings(
        renders=renders,
        truth=truth,
        name=name,
        protocol=protocol,
        num_views=views,
        normalised_by=normalised_by,
        pictures=pictures,
    )
    files: dict[Net, Path] = {}
    if lpips_vgg is not None:
        files["vgg"] = lpips_vgg
    if lpips_alex is not None:
        files["alex"] = lpips_alex
    metrics = Metrics(
        pick_device(device), lpips_files=files, require_lpips=require_lpips
    )
    record = evaluate_folder(settings, out, metrics)
    if json:
        summary = {
            "out": str(out),
            "results": len(record.rows),
            "failures": len(record.failures),
        }
        output.print_result(summary, as_json=True, title="nvs eval folder")
        return
    typer.echo(markdown_table(summarise_rows({"": record.rows})))
    for failure in record.failures:
        output.say(f"nvs: {failure['scene']} failed: {failure['error']}")
