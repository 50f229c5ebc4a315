"""`nvs eval folder`: renders that something else made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nvs.terminal import options
from nvs_eval.commands.inputs import PICTURES_HELP, LpipsFile, RequireLpips
from nvs_eval.commands.shown import show


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
    pictures: Annotated[int, typer.Option(min=-1, help=PICTURES_HELP)] = 1,
    lpips_vgg: LpipsFile = None,
    lpips_alex: LpipsFile = None,
    require_lpips: RequireLpips = False,
    device: options.Device = None,
    json: options.Json = False,
) -> None:
    """Evaluate a folder of renders, so that it can be compared with runs."""
    from nvs.scene.precision import pick_device
    from nvs_eval.folder import FolderSettings, evaluate_folder
    from nvs_eval.metrics import Metrics

    settings = FolderSettings(
        renders=renders,
        truth=truth,
        name=name,
        protocol=protocol,
        num_views=views,
        normalised_by=normalised_by,
        pictures=pictures,
    )
    metrics = Metrics(
        pick_device(device),
        lpips_files={"vgg": lpips_vgg, "alex": lpips_alex},
        require_lpips=require_lpips,
    )
    show(evaluate_folder(settings, out, metrics), out, as_json=json)
