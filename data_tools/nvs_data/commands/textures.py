"""`nvs data textures`: archives of textures to photographs for synthetic scenes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nvs.terminal import options, output
from nvs_data.commands import inputs


def textures(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Zip archives, such as .pk3 files, or folders."
        ),
    ],
    destination: inputs.Folder,
    size: Annotated[
        int, typer.Option(help="Largest side of a picture in pixels.")
    ] = 256,
    json: options.Json = False,
) -> None:
    """Write the diffuse maps among textures as small square pictures."""
    from nvs_data.textures import SMALLEST_SIDE_PX, prepare_textures

    inputs.check_at_least("--size", size, SMALLEST_SIDE_PX)
    with output.progress("choose textures", unit="images") as update:
        result = prepare_textures(paths, destination, size=size, progress=update)
    values = {
        "photographs": str(destination),
        "kept": result.kept,
        "present": result.present,
        "left_out": result.left_out,
    }
    output.print_result(values, as_json=json, title="textures")
