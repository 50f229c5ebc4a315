"""`nvs data download`: scenes of the DL3DV benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nvs.terminal import options, output
from nvs_data.commands import inputs
from nvs_data.commands.resumable import resumable


def download(
    scenes: Annotated[
        list[str],
        typer.Argument(metavar="SCENE...", help="Names: 64 hexadecimal digits each."),
    ],
    destination: inputs.Folder,
    json: options.Json = False,
) -> None:
    """Fetch scenes of the DL3DV benchmark, hashes checked. Resumes.

    The data set is gated: accept its terms once, then set HF_TOKEN or run
    `hf auth login`. HF_ENDPOINT names a mirror.
    """
    from huggingface_hub.utils import disable_progress_bars

    from nvs_data.download import download_dl3dv_scene

    disable_progress_bars()
    folders: list[Path] = []
    with (
        resumable(f"what has arrived is kept in {destination}"),
        output.progress("download", total=len(scenes), unit="scenes") as update,
    ):
        for name in scenes:
            folders.append(download_dl3dv_scene(name, destination))
            update(len(folders), len(scenes))
    if json:
        values = {"scenes": [str(folder) for folder in folders]}
        output.print_result(values, as_json=True, title="")
        return
    for folder in folders:
        typer.echo(str(folder))
