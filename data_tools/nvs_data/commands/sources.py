"""`nvs data render`, `textures` and `download`: data made or fetched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from nvs.terminal import options, output
from nvs_data.commands import shared

if TYPE_CHECKING:
    from nvs_data.meshes.posed_sets import SetResult

MAX_SIDE_PX = 4096
"""Three times that, for smooth edges, is what OpenGL draws on most machines."""


def render(
    meshes: Annotated[
        Path,
        typer.Argument(help="An .obj, .glb, .zip or .sh3f file, or a folder of them."),
    ],
    destination: shared.Folder,
    rig: Annotated[
        str,
        typer.Option(
            help="Cameras: gso (the 64 of the evaluation) or training (32 at random)."
        ),
    ] = "gso",
    seed: Annotated[int, typer.Option(help="Seed of the training cameras.")] = 0,
    size: options.Size = "512",
    up: Annotated[str, typer.Option(help="Vertical axis of the models: y or z.")] = "y",
    jobs: Annotated[int, typer.Option(help="Processes to use.")] = 1,
    json: options.Json = False,
) -> None:
    """Render models, a dataset each. Resumes; exit code 1 if one failed."""
    from functools import partial

    from nvs.errors import ConfigError
    from nvs_data.meshes.posed_sets import render_all
    from nvs_data.meshes.sources import find_meshes
    from nvs_data.rigs import RIG_NAMES, named_rig

    shared.check_choice("--rig", rig, RIG_NAMES)
    shared.check_choice("--up", up, ("y", "z"))
    shared.check_at_least("--jobs", jobs, 1)
    parsed = options.parse_size(size) or 512
    height, width = parsed if isinstance(parsed, tuple) else (parsed, parsed)
    if max(height, width) > MAX_SIDE_PX:
        raise ConfigError(
            f"--size is {size}", remedy=f"Use at most {MAX_SIDE_PX} pixels a side."
        )
    sources = find_meshes(meshes)
    with (
        shared.resumable(f"finished sets are kept in {destination}"),
        output.progress("render", total=len(sources), unit="models") as update,
    ):
        done = 0

        def report(_: SetResult) -> None:
            nonlocal done
            done += 1
            update(done, len(sources))

        results = render_all(
            sources,
            destination,
            rig=partial(named_rig, rig=rig, seed=seed, height=height, width=width),
            jobs=jobs,
            up=cast("Literal['y', 'z']", up),
            progress=report,
        )
    statuses = [result.status for result in results]
    failed = [result for result in results if result.status == "failed"]
    values: dict[str, Any] = {
        "output": str(destination),
        "rendered": statuses.count("rendered"),
        "present": statuses.count("present"),
        "failed": len(failed),
    }
    if json:
        values["failures"] = [{"name": r.name, "problem": r.problem} for r in failed]
    output.print_result(values, as_json=json, title="rendered")
    if not json:
        for result in failed:
            typer.echo(f"failed: {result.name}: {result.problem}")
    raise typer.Exit(1 if failed else 0)


def textures(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Zip archives, such as .pk3 files, or folders."
        ),
    ],
    destination: shared.Folder,
    size: Annotated[
        int, typer.Option(help="Largest side of a picture in pixels.")
    ] = 256,
    json: options.Json = False,
) -> None:
    """Write the diffuse maps among textures as small square pictures."""
    from nvs_data.textures import SMALLEST_SIDE_PX, prepare_textures

    shared.check_at_least("--size", size, SMALLEST_SIDE_PX)
    with output.progress("choose textures", unit="images") as update:
        result = prepare_textures(paths, destination, size=size, progress=update)
    values = {
        "photographs": str(destination),
        "kept": result.kept,
        "present": result.present,
        "left_out": result.left_out,
    }
    output.print_result(values, as_json=json, title="textures")


def download(
    scenes: Annotated[
        list[str],
        typer.Argument(metavar="SCENE...", help="Names: 64 hexadecimal digits each."),
    ],
    destination: shared.Folder,
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
        shared.resumable(f"what has arrived is kept in {destination}"),
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
