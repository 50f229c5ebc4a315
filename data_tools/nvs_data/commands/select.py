"""`nvs data select`: which views of a capture to build a scene from."""

from __future__ import annotations

from typing import Annotated

import typer

from nvs.terminal import options, output
from nvs_data.commands import inputs


def select(
    dataset: inputs.DatasetPath,
    count: Annotated[int, typer.Option(help="How many views to choose.")],
    method: Annotated[
        str,
        typer.Option(
            help="k_means (of centre and direction, as the DL3DV protocol), "
            "farthest_point, uniform (in capture order) or random."
        ),
    ] = "k_means",
    seed: inputs.Seed = 0,
    format: inputs.Format = None,
    json: options.Json = False,
) -> None:
    """Choose input views; prints indices for `nvs build --views`."""
    inputs.check_choice("--method", method, inputs.METHODS)
    frames = inputs.read(dataset, format).frames
    chosen = inputs.select_views(frames, method=method, count=count, seed=seed)
    if len(chosen) < count:
        output.say(
            f"nvs: {len(chosen)} of {count} views: some k-means centres share their "
            "nearest view"
        )
    if json:
        values = {
            "views": chosen,
            "names": [frames[index].name for index in chosen],
            "method": method,
            "seed": seed,
        }
        output.print_result(values, as_json=True, title="")
        return
    typer.echo(",".join(map(str, chosen)))
