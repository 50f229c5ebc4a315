"""`nvs data mask`: masks of the thing that a capture looks at, and a sheet of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args

import typer

from nvs.terminal import options, output
from nvs_data.commands import shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nvs_data.masking import CutView
    from nvs_data.segmenters import Method, Pixels

THUMBNAIL_PX = 192


def mask(
    dataset: shared.DatasetPath,
    method: Annotated[
        str,
        typer.Option(help="grabcut, or rembg with its package and model in place."),
    ] = "grabcut",
    sheet: Annotated[
        Path | None,
        typer.Option(help="Also write a PNG of all views with the outline in each."),
    ] = None,
    without: Annotated[
        str | None,
        typer.Option(help="Views that get none, as the sheet counts them: 3,7,12."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace masks that are there.")
    ] = False,
    format: shared.Format = None,
    json: options.Json = False,
) -> None:
    """Cut the thing that the cameras look at out: masks, which `nvs build` uses."""
    from nvs.errors import ConfigError
    from nvs.scene.datasets import read_dataset
    from nvs.scene.image_files import shortened
    from nvs.scene.pictures import grid, write_png
    from nvs_data import masking, segmenters

    shared.check_choice("--method", method, get_args(segmenters.Method))
    found = read_dataset(dataset, format=format)
    if not force:
        masking.check_unmasked(found, dataset)
    refused = options.parse_indices(without, "--without") or []
    if any(index >= len(found.frames) for index in refused):
        raise ConfigError(
            f"--without is {without}; there are {len(found.frames)} views",
            remedy="Give indices as the sheet counts them, from 0.",
        )
    segment = segmenters.segmenter(cast("Method", method))
    with output.progress("cut out", unit="views") as update:
        cuts = masking.find_masks(found, segment, progress=update)
    folder = dataset if dataset.is_dir() else dataset.parent
    written = masking.write_masks(cuts, folder, without=refused)
    if sheet is not None:
        write_png(sheet, grid(_thumbnails(cuts)))
    doubtful = [cut.name for cut in masking.doubtful(cuts)]
    values: dict[str, Any] = {
        "dataset": str(dataset),
        "method": method,
        "masks": len(written),
        "folder": str(written[0].parent) if written else None,
        "agreement": sum(cut.agreement for cut in cuts) / len(cuts),
        "sheet": None if sheet is None else str(sheet),
    }
    if json:
        values["views"] = [
            {"name": cut.name, "agreement": cut.agreement, "share": cut.share}
            for cut in cuts
        ]
    output.print_result(values, as_json=json, title="cut out")
    if doubtful:
        output.say(
            f"nvs: {len(doubtful)} masks agree little with the others: "
            f"{shortened(doubtful)}. Look at them with --sheet; --without leaves views "
            "out"
        )


def _thumbnails(cuts: Sequence[CutView]) -> list[Pixels]:
    """Previews of one size, on white."""
    import numpy as np

    from nvs_data.masking import preview

    small = [preview(cut, THUMBNAIL_PX) for cut in cuts]
    height, width = np.max([image.shape[:2] for image in small], axis=0)
    return [
        np.pad(
            image,
            ((0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0)),
            constant_values=255,
        )
        for image in small
    ]
