"""`nvs data convert`: a dataset in another layout, size or choice of views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from nvs.terminal import options, output
from nvs_data.commands import inputs

if TYPE_CHECKING:
    from nvs.scene.frames import Frame

LAYOUTS = {
    "opencv": "opencv",
    "transforms": "nerfstudio",
    "nerfstudio": "nerfstudio",
    "colmap": "colmap",
}


def convert(
    dataset: inputs.DatasetPath,
    destination: inputs.Folder,
    to: Annotated[
        str,
        typer.Option(
            help="Layout to write: opencv, transforms (nerfstudio, instant-ngp) or "
            "colmap."
        ),
    ],
    size: options.Size = None,
    views: Annotated[
        str | None, typer.Option(help="Frames to write, such as 0,4,8-11.")
    ] = None,
    select: Annotated[
        str | None,
        typer.Option(
            help="Choose --count frames instead: k_means, farthest_point, uniform or "
            "random."
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(help="How many frames --select chooses.")
    ] = None,
    seed: inputs.Seed = 0,
    convention: inputs.Convention = "opencv",
    format: inputs.Format = None,
    json: options.Json = False,
) -> None:
    """Write a dataset in another layout, without distortion; whole or not at all."""
    from nvs.errors import ConfigError
    from nvs_data.frame_edits import resized
    from nvs_data.writers import write_dataset

    inputs.check_choice("--to", to, LAYOUTS)
    if views is not None and select is not None:
        raise ConfigError("--views and --select are both given", remedy="Give one.")
    if (select is None) != (count is None):
        raise ConfigError(
            f"--select is {select}, --count is {count}",
            remedy="Give both: how to choose frames, and how many.",
        )
    if select is not None:
        inputs.check_choice("--select", select, inputs.METHODS)
    inputs.check_new_folder(destination)
    parsed = options.parse_size(size)
    indices = options.parse_indices(views, "--views")
    found = inputs.read(dataset, format, convention)
    frames: Sequence[Frame] = found.frames
    if select is not None and count is not None:
        indices = inputs.select_views(frames, method=select, count=count, seed=seed)
    if indices is not None:
        frames = _chosen(frames, indices)
    if parsed is not None:
        frames = [resized(frame, parsed) for frame in frames]
    with output.progress(f"write {len(frames)} images", unit="images") as update:
        write_dataset(inputs.counted(frames, update), destination, format=LAYOUTS[to])
        update(len(frames), len(frames))
    sizes = sorted({(f.camera.height, f.camera.width) for f in frames})
    values = {
        "dataset": str(destination),
        "layout": LAYOUTS[to],
        "views": len(frames),
        "missing": len(found.missing),
        "sizes": ", ".join(f"{height}×{width}" for height, width in sizes),
    }
    output.print_result(values, as_json=json, title="converted")


def _chosen(frames: Sequence[Frame], indices: Sequence[int]) -> list[Frame]:
    from nvs.errors import ConfigError

    for index in indices:
        if index >= len(frames):
            raise ConfigError(
                f"--views has {index}", remedy=f"Choose from 0 to {len(frames) - 1}."
            )
        if indices.count(index) > 1:
            raise ConfigError(f"--views has {index} twice", remedy="Give it once.")
    return [frames[index] for index in indices]
