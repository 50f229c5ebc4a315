"""`nvs data validate`, `convert` and `select`: datasets that are there already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nvs.terminal import options, output
from nvs_data.commands import shared

if TYPE_CHECKING:
    from nvs.scene.frames import Frame

DEFAULT_WEIGHTS = "lact_small"
REPORT_SUFFIXES = (".html", ".htm")

LAYOUTS = {
    "opencv": "opencv",
    "transforms": "nerfstudio",
    "nerfstudio": "nerfstudio",
    "colmap": "colmap",
}


def validate(
    dataset: shared.DatasetPath,
    weights: Annotated[
        str,
        typer.Option(
            "--for",
            help="Weights that it is meant for, as `nvs build --weights` takes them, "
            "or a kind of them: object or scene.",
        ),
    ] = DEFAULT_WEIGHTS,
    convention: options.Convention = "opencv",
    report: Annotated[
        Path | None,
        typer.Option(help="Also write an HTML page with thumbnails and cameras."),
    ] = None,
    format: shared.Format = None,
    json: options.Json = False,
) -> None:
    """Check a dataset. Exit code 2 after errors, 1 after warnings, otherwise 0."""
    import sys
    from dataclasses import asdict
    from json import dumps

    from nvs.errors import OutputError
    from nvs.model.weights import trained_on_of
    from nvs.scene.datasets import read_dataset
    from nvs_data.validate import (
        KINDS,
        check,
        exit_code,
        missing_images,
        survey,
        verdict,
        write_report,
    )

    if report is not None and (
        report.suffix.lower() not in REPORT_SUFFIXES or report.is_dir()
    ):
        raise OutputError(f"--report is {report}", remedy="Name a .html file.")
    trained_on = KINDS.get(weights) or trained_on_of(weights)
    found = read_dataset(dataset, format=format, convention=convention)
    with output.progress("look at images", unit="images") as update:
        capture = survey(shared.counted(found.frames, update), world_up=found.world_up)
    findings = (
        *missing_images(found.missing, len(capture)),
        *check(capture, trained_on=trained_on),
    )
    if report is not None:
        write_report(report, capture, findings)
    if json:
        values = {
            "dataset": str(dataset),
            "views": len(capture),
            "missing": len(found.missing),
            "for": weights,
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
    away = [f for f in findings if (f.kind, f.severity) == ("looking-away", "error")]
    if convention == "opencv" and away:
        output.say(
            f"nvs: if --convention opengl is right, `nvs data convert {dataset} -o OUT "
            "--to opencv --convention opengl` writes the repaired set"
        )
    raise typer.Exit(exit_code(findings))


def convert(
    dataset: shared.DatasetPath,
    destination: shared.Folder,
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
            help="Choose --count frames instead: kmeans, farthest, uniform or random."
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(help="How many frames --select chooses.")
    ] = None,
    seed: shared.Seed = 0,
    convention: options.Convention = "opencv",
    format: shared.Format = None,
    json: options.Json = False,
) -> None:
    """Write a dataset in another layout, without distortion; whole or not at all."""
    from nvs.errors import ConfigError
    from nvs.scene.datasets import read_dataset
    from nvs_data import selection
    from nvs_data.frames import resized
    from nvs_data.writers import write_dataset

    shared.check_choice("--to", to, LAYOUTS)
    if views is not None and select is not None:
        raise ConfigError("--views and --select are both given", remedy="Give one.")
    if (select is None) != (count is None):
        raise ConfigError(
            f"--select is {select}, --count is {count}",
            remedy="Give both: how to choose frames, and how many.",
        )
    if select is not None:
        shared.check_choice("--select", select, selection.METHODS)
    parsed = options.parse_size(size)
    indices = options.parse_indices(views, "--views")
    found = read_dataset(dataset, format=format, convention=convention)
    frames: Sequence[Frame] = found.frames
    if select is not None and count is not None:
        indices = selection.choose(frames, method=select, count=count, seed=seed)
    if indices is not None:
        frames = _chosen(frames, indices)
    if parsed is not None:
        frames = [resized(frame, parsed) for frame in frames]
    with output.progress(f"write {len(frames)} images", unit="images") as update:
        write_dataset(shared.counted(frames, update), destination, format=LAYOUTS[to])
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


def select(
    dataset: shared.DatasetPath,
    count: Annotated[int, typer.Option(help="How many views to choose.")],
    method: Annotated[
        str,
        typer.Option(
            help="kmeans (of centre and direction, as the DL3DV protocol), "
            "farthest, uniform (in capture order) or random."
        ),
    ] = "kmeans",
    seed: shared.Seed = 0,
    format: shared.Format = None,
    json: options.Json = False,
) -> None:
    """Choose input views; prints indices for `nvs build --views`."""
    from nvs.scene.datasets import read_dataset
    from nvs_data import selection

    shared.check_choice("--method", method, selection.METHODS)
    frames = read_dataset(dataset, format=format).frames
    chosen = selection.choose(frames, method=method, count=count, seed=seed)
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
