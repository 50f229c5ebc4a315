"""`nvs data frames`: a video to sharp photographs, and on to their cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nvs.terminal import options, output
from nvs_data.commands import inputs
from nvs_data.commands.pose import print_report, stages
from nvs_data.commands.resumable import resumable


def frames(
    video: Annotated[Path, typer.Argument(help="An mp4, mov or webm file.")],
    destination: inputs.Folder,
    count: Annotated[
        int | None, typer.Option(help="How many frames, evenly spread in time.")
    ] = None,
    baseline: Annotated[
        float | None,
        typer.Option(
            help="Or how far the image moves from one to the next, over its longer "
            "side: 0.05 is usual."
        ),
    ] = None,
    pose: Annotated[
        bool, typer.Option("--pose/--no-pose", help="Also find their cameras.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Choose sharp, well-spread frames of a video, by time or by movement."""
    from nvs.errors import ConfigError
    from nvs.files import atomic_output
    from nvs_data.video import extract_frames, pose_video

    if (count is None) == (baseline is None):
        given = "neither" if count is None else "both"
        raise ConfigError(
            f"{given} of --count and --baseline given",
            remedy="Give one: how many frames, or how far apart, such as 0.05.",
        )
    for option, value in (("--count", count), ("--baseline", baseline)):
        if value is not None and not value > 0:
            raise ConfigError(f"{option} is {value}", remedy="It must be positive.")
    if pose:
        kept = f"frames, features and matches so far are kept in {destination}"
        with resumable(kept), stages() as progress:
            report = pose_video(
                video, destination, count=count, baseline=baseline, progress=progress
            )
        print_report(report, as_json=json)
        return
    inputs.check_new_folder(destination)
    with (
        output.progress("choose frames", unit="frames") as update,
        atomic_output(destination) as folder,
    ):
        files = extract_frames(video, folder, count=count, baseline=baseline)
        update(len(files), len(files))
    names = [file.name for file in files]
    values = {"photographs": str(destination), "frames": len(names)}
    values |= {"names": names} if json else {"first": names[0], "last": names[-1]}
    output.print_result(values, as_json=json, title="chose frames")
